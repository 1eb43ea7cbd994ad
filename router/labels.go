// Package router decides which receiver hears of which alerts, and when.
//
// It behaves as Alertmanager's dispatcher, deduplication and notification log do, to the second, but is a value driven
// from outside: inputs and the time go in, effects come out. It does no I/O, starts nothing and reads no clock.
package router

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// A Label is one name with its value.
type Label struct{ Name, Value string }

// Labels is a set of labels: sorted by name, every name once. Alert labels have no empty values, for an empty value is
// an absent label; annotations may. The zero value is the empty set. Labels are never changed once made.
type Labels []Label

// MakeLabels sorts pairs in place and returns them as a set. Where a name occurs twice the later pair wins, as in a
// JSON object.
func MakeLabels(pairs []Label) Labels {
	slices.SortStableFunc(pairs, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	set := pairs[:0]
	for _, p := range pairs {
		if n := len(set); n > 0 && set[n-1].Name == p.Name {
			set[n-1] = p
			continue
		}
		set = append(set, p)
	}
	return set
}

// LabelsOf returns the set that m holds.
func LabelsOf[K, V ~string](m map[K]V) Labels {
	pairs := make([]Label, 0, len(m))
	for name, value := range m {
		pairs = append(pairs, Label{string(name), string(value)})
	}
	return MakeLabels(pairs)
}

// Get returns the value of the label, or "" where there is none.
func (l Labels) Get(name string) string {
	value, _ := l.lookup(name)
	return value
}

func (l Labels) lookup(name string) (string, bool) {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value, true
		}
	}
	return "", false
}

// Equal reports whether both hold the same labels.
func (l Labels) Equal(o Labels) bool { return slices.Equal(l, o) }

// WithoutEmpty returns the set without the labels whose value is empty. It returns l itself where there are none.
func (l Labels) WithoutEmpty() Labels {
	empty := func(p Label) bool { return p.Value == "" }
	if !slices.ContainsFunc(l, empty) {
		return l
	}
	return slices.DeleteFunc(slices.Clone(l), empty)
}

// separator stands after each name and value in whatever is hashed: a byte that UTF-8 text cannot hold.
const separator = 0xff

// Fingerprint is the public identity of an alert with these labels, the one that the API shows: FNV-1a, equal to
// model.LabelSet.Fingerprint. Different sets may share it.
func (l Labels) Fingerprint() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range l {
		for _, s := range [2]string{l[i].Name, l[i].Value} {
			for j := 0; j < len(s); j++ {
				h = (h ^ uint64(s[j])) * prime
			}
			h = (h ^ separator) * prime
		}
	}
	return h
}

// Hash is the identity of an alert in the notification log: the xxhash that Alertmanager's own log holds, so that
// entries mean the same to both. It is several times faster than Fingerprint. Different sets may share it.
func (l Labels) Hash() uint64 {
	var size int
	for i := range l {
		size += len(l[i].Name) + len(l[i].Value) + 2
	}
	var room [768]byte // enough for nearly all, on the stack: Touch must not allocate
	if size <= len(room) {
		n := 0
		for i := range l { // appendKey, but nothing has to ask whether there is room
			n += copy(room[n:], l[i].Name)
			room[n] = separator
			n += 1 + copy(room[n+1:], l[i].Value)
			room[n] = separator
			n++
		}
		return xxhash.Sum64(room[:n])
	}
	var (
		d   xxhash.Digest
		end = []byte{separator}
	)
	d.Reset()
	for i := range l {
		_, _ = d.WriteString(l[i].Name) // a Digest's writes return no error
		_, _ = d.Write(end)
		_, _ = d.WriteString(l[i].Value)
		_, _ = d.Write(end)
	}
	return d.Sum64()
}

// String prints the set as Alertmanager does: {alertname="a", cluster="b"}. Group keys are made of it, and people's
// pager services remember those, so every byte counts.
func (l Labels) String() string {
	b := []byte{'{'}
	for i, p := range l {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, p.Name...)
		b = append(b, '=')
		b = strconv.AppendQuote(b, p.Value)
	}
	return string(append(b, '}'))
}

// Compare orders label sets as Alertmanager lists them: shorter sets first, then by the first difference.
func (l Labels) Compare(o Labels) int {
	if len(l) != len(o) {
		return len(l) - len(o)
	}
	for i := range l {
		// Whoever has the smaller name has a label that the other lacks, and comes after it.
		if c := strings.Compare(o[i].Name, l[i].Name); c != 0 {
			return c
		}
		if c := strings.Compare(l[i].Value, o[i].Value); c != 0 {
			return c
		}
	}
	return 0
}

// appendKey appends a form of the set that no other set shares.
func (l Labels) appendKey(b []byte) []byte {
	for i := range l {
		b = append(b, l[i].Name...)
		b = append(b, separator)
		b = append(b, l[i].Value...)
		b = append(b, separator)
	}
	return b
}

// MarshalJSON writes the set as an object.
func (l Labels) MarshalJSON() ([]byte, error) {
	m := make(map[string]string, len(l))
	for _, p := range l {
		m[p.Name] = p.Value
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads an object.
func (l *Labels) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*l = LabelsOf(m)
	return nil
}
