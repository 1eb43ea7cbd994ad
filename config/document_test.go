package config

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func flat(t *testing.T, text string) (*yaml.Node, []nodeFault) {
	t.Helper()
	d, err := readDocument("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var f flattener
	return f.flatten(d.root), f.faults
}

// asText writes a flat tree on one line, with the places of its scalars.
func asText(n *yaml.Node) string {
	var parts []string
	for _, c := range n.Content {
		parts = append(parts, asText(c))
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(parts); i += 2 {
			parts[i/2] = parts[i] + ":" + parts[i+1]
		}
		return "{" + strings.Join(parts[:len(parts)/2], " ") + "}"
	case yaml.SequenceNode:
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprintf("%s@%d.%d", n.Value, n.Line, n.Column)
}

func TestAliasesAndMergesAreWrittenOut(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: &x 1\nb: *x", "{a@1.1:1@1.4 b@2.1:1@2.4}"},
		{"a: &x {c: 1}\nb: *x", "{a@1.1:{c@1.8:1@1.11} b@2.1:{c@1.8:1@1.11}}"},
		{"- &x {a: 1, b: 2}\n- {<<: *x, b: 3}", "[{a:1 b:2} {b:3 a:1}]"},
		{"- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y]}", "[{a:1} {a:2 b:2} {a:1 b:2}]"},
		{"- {'<<': 1}", "[{<<@1.4:1@1.10}]"},
	} {
		n, faults := flat(t, c.text)
		got := asText(n)
		if !strings.Contains(c.want, "@") {
			got = withoutPlaces(got)
		}
		if got != c.want || len(faults) > 0 {
			t.Errorf("%q: got %s, %v; want %s", c.text, got, faults, c.want)
		}
	}
}

func withoutPlaces(text string) string {
	var b strings.Builder
	skip := false
	for _, r := range text {
		if r == '@' {
			skip = true
		} else if skip && strings.ContainsRune(": ]}", r) {
			skip = false
		}
		if !skip {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// What cannot be written out is told once, at its place, and the rest is read all the same.
func TestWhatCannotBeWrittenOut(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	deep := "a0: &a0 [x]\n"
	for i := range 2 * maxDepth {
		deep += fmt.Sprintf("a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	for _, c := range []struct{ name, text, want string }{
		{"a loop", "a: &x [1, *x]\nb: 2", `1:11: anchor "x" contains itself`},
		{"a merge of a number", "a: {<<: 1, b: 2}", `1:9: only mappings can be merged with <<`},
		{"a merge of lists of lists", "a: {<<: [[{b: 1}]]}", `1:10: only mappings can be merged with <<`},
		{"a billion laughs", bomb, fmt.Sprintf("the file grows beyond %d values when its aliases are written out", maxNodes)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := flat(t, c.text)
			if len(faults) != 1 {
				t.Fatalf("%d faults", len(faults))
			}
			got := fmt.Sprintf("%d:%d: %s", faults[0].node.Line, faults[0].node.Column, faults[0].text)
			if !strings.HasSuffix(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("a long chain of anchors", func(t *testing.T) {
		_, faults := flat(t, deep)
		if len(faults) == 0 || !strings.HasPrefix(faults[0].text, "values are nested deeper than") {
			t.Errorf("got %d faults", len(faults))
		}
	})
}

// Line numbers are those of the parser, whatever ends a line.
func TestLinesAreThoseOfTheParser(t *testing.T) {
	text := "a: 1\r\nb: 2\rc: 3\n# \u2028d: 4\u0085e: 5\u2029f: 6\n\n---\ng: 7\n"
	d, err := readDocument("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := d.text(); got != text {
		t.Errorf("got %q, want %q", got, text)
	}
	for i := 0; i < len(d.root.Content); i += 2 {
		key := d.root.Content[i]
		line := []rune(d.lines[key.Line-1])
		if got := string(line[key.Column-1]); got != key.Value {
			t.Errorf("%s is said to be at %d:%d, where %q is", key.Value, key.Line, key.Column, got)
		}
	}
	if d.lines[d.last.line-1] != "---" || d.lines[d.more.line-1] != "g: 7" {
		t.Errorf("the document ends at %v, goes on at %v", d.last, d.more)
	}
}
