package router

import (
	"testing"

	"pgregory.net/rapid"
)

// A receiver's label may be empty and there; an alert's may not.
func TestFiltersTellEmptyFromAbsent(t *testing.T) {
	value := func(set map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := set[name]; return v, ok }
	}
	absent, empty, full := map[string]string{}, map[string]string{"foo": ""}, map[string]string{"foo": "x"}
	for _, c := range []struct {
		text                string
		absent, empty, full bool
	}{
		{`foo=""`, true, true, false},
		{`foo!=""`, false, true, true},
		{`foo=~""`, true, true, false},
		{`foo!~""`, false, true, true},
		{`foo="x"`, false, false, true},
		{`foo!="x"`, true, true, false},
		{`foo=~"x|"`, true, true, true},
		{`foo!~"x|"`, false, false, false},
		{`foo=~".*"`, true, true, true},
		{`foo=~"x"`, false, false, true},
	} {
		f := filterOf(t, c.text)
		if got := [...]bool{f.Matches(value(absent)), f.Matches(value(empty)), f.Matches(value(full))}; got != [...]bool{c.absent, c.empty, c.full} {
			t.Errorf("%s is true of absent, empty and x: %v", c.text, got)
		}
		if f.matches(nil) != c.absent || f.matches(Labels{{"foo", "x"}}) != c.full {
			t.Errorf("%s is another matter of an alert", c.text)
		}
	}
	var none *Filter
	if !none.Matches(value(absent)) || !none.matches(nil) {
		t.Error("no filter refuses something")
	}
	if f, err := ParseFilter(nil, "test"); f != nil || err != nil {
		t.Errorf("no matchers are %v, %v", f, err)
	}
	if _, err := ParseFilter([]string{`foo="x"`, `foo=~"("`}, "test"); err == nil {
		t.Error("a pattern that is none was read")
	}
}

func TestFiltersAreTrueOfWhatUpstreamsMatchersAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms, l := drawnMatchers(t), drawnLabels(t)
		f := &Filter{conds: conditionsOf(ms)}
		want := meets(ms, l)
		if got := f.matches(l); got != want {
			t.Fatalf("%s of %s: %v, want %v", ms, l, got, want)
		}
		if got := f.Matches(l.lookup); got != want {
			t.Fatalf("%s of %s, looked up: %v, want %v", ms, l, got, want)
		}
	})
}

// matches packs the labels and asks for them.
func (f *Filter) matches(l Labels) bool {
	k := packer{words: newDictionary()}
	return f.meets(packed{k.pack(&Alert{Labels: l}), k.words})
}
