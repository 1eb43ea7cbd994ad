package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing wrong with a file, said to whoever must mend it (SPEC §2). It never holds a secret's value.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`              // from 1; 0 where the fault is the file itself
	Column  int    `json:"column"`            // from 1, in characters; 0 with Line
	Message string `json:"message"`           // what and where; the words of Alertmanager's loader where it found the fault
	Hint    string `json:"hint,omitempty"`    // how to mend it; empty where nothing more can be said
	Warning bool   `json:"warning,omitempty"` // the file is accepted all the same
}

// String is the fault on one line: file:line:column: what, where; how to mend it.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if f.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(strings.ReplaceAll(f.Message, "\n", " "))
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

// Faults are all faults of a configuration in the order of reading: the main file from top to bottom, then the
// included files. As an error they are all errors, a line each; see Err.
type Faults []Fault

// Errors are the faults that make the file unusable.
func (f Faults) Errors() Faults { return f.only(false) }

// Warnings are the faults with which the file is accepted.
func (f Faults) Warnings() Faults { return f.only(true) }

// Err is nil when there is nothing worse than warnings, and otherwise the errors.
func (f Faults) Err() error {
	if errs := f.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

func (f Faults) only(warning bool) (out Faults) {
	for _, one := range f {
		if one.Warning == warning {
			out = append(out, one)
		}
	}
	return out
}

// sorted puts the faults in order and drops what is said twice of one place. Two different faults of one place stay.
func (f Faults) sorted(files []string) Faults {
	slices.SortFunc(f, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message),
			cmp.Compare(len(b.Hint), len(a.Hint)), // of the same fault, the one that helps
		)
	})
	seen := map[Fault]bool{}
	return slices.DeleteFunc(f, func(one Fault) bool {
		one.Hint = ""
		again := seen[one]
		seen[one] = true
		return again
	})
}

// didYouMean is a hint that names the known word nearest to a misspelt one, or lists the words where there are few,
// or is empty.
func didYouMean(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	const few = 8
	if len(known) == 0 || len(known) > few {
		return ""
	}
	quoted := make([]string, len(known))
	for i, k := range known {
		quoted[i] = fmt.Sprintf("%q", k)
	}
	return "known here: " + strings.Join(quoted, ", ")
}

// DidYouMean is a hint for whoever asked for a name that is not known: the known one that is nearest, or all where they are
// few; empty where nothing can be said.
func DidYouMean(name string, known []string) string { return didYouMean(name, known) }

// nearest is the known word that a third of the letters, at least two, turn into the word; ties go to the first.
func nearest(word string, known []string) string {
	best, found := max(2, len(word)/3)+1, ""
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), best); d < best && d < max(len(k), 2) {
			best, found = d, k
		}
	}
	return found
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words, or answers
// at least limit as soon as there must be that many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
