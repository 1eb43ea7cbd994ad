package config

import (
	"strings"
	"testing"
)

func TestAFaultReadsAsALine(t *testing.T) {
	for want, f := range map[string]Fault{
		"a.yml:3:5: user is odd; mend it":         {File: "a.yml", Line: 3, Column: 5, Message: "user is odd", Hint: "mend it"},
		"a.yml:3:5: warning: user is odd":         {File: "a.yml", Line: 3, Column: 5, Message: "user is odd", Warning: true},
		"a.yml: no such file or directory":        {File: "a.yml", Message: "no such file or directory"},
		"3:5: a text without a file, on one line": {Line: 3, Column: 5, Message: "a text without a file,\non one line"},
		"nothing but words":                       {Message: "nothing but words"},
	} {
		if got := f.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Faults come in the order of the files and of the text; what is said twice of one place is said once, with the
// hint; two different faults of one place are both said.
func TestFaultsAreSorted(t *testing.T) {
	faults := Faults{
		{File: "teams/a.yml", Line: 1, Column: 1, Message: "included"},
		{File: "main.yml", Line: 10, Column: 1, Message: "late"},
		{File: "main.yml", Line: 2, Column: 9, Message: "right"},
		{File: "main.yml", Line: 2, Column: 3, Message: "twice"},
		{File: "main.yml", Line: 2, Column: 3, Message: "other"},
		{File: "main.yml", Line: 2, Column: 3, Message: "twice", Hint: "mend it"},
		{File: "main.yml", Line: 1, Column: 1, Message: "doubt", Warning: true},
	}.sorted([]string{"main.yml", "teams/a.yml"})
	want := strings.Join([]string{
		"main.yml:1:1: warning: doubt",
		"main.yml:2:3: other",
		"main.yml:2:3: twice; mend it",
		"main.yml:2:9: right",
		"main.yml:10:1: late",
		"teams/a.yml:1:1: included",
	}, "\n")
	if got := faults.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(faults.Warnings()) != 1 || len(faults.Errors()) != 5 {
		t.Errorf("%d warnings, %d errors", len(faults.Warnings()), len(faults.Errors()))
	}
	if faults.Warnings().Err() != nil {
		t.Error("warnings are no error")
	}
}

func TestDidYouMean(t *testing.T) {
	keys := []string{"escalate_after", "assign", "notify", "require_acks"}
	people := strings.Fields("ana bo cy di eva flo gus hal ida")
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"escalate_afer", keys, `did you mean "escalate_after"?`},
		{"escalateafter", keys, `did you mean "escalate_after"?`},
		{"Assign", keys, `did you mean "assign"?`},
		{"ntoify", keys, `did you mean "notify"?`},
		{"pager", keys, `known here: "escalate_after", "assign", "notify", "require_acks"`},
		{"anna", people, `did you mean "ana"?`},
		{"bob", people, `did you mean "bo"?`},
		{"zoe", people, ""},
		{"x", nil, ""},
	} {
		if got := didYouMean(c.word, c.known); got != c.want {
			t.Errorf("%s: got %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "ab", 2},
		{"same", "same", 0},
		{"form", "from", 1},
		{"kitten", "sitting", 3},
		{"users", "user", 1},
		{"abc", "cab", 2},
		{"far apart", "x", 5},
	} {
		if got := distance(c.a, c.b, 5); got != c.want {
			t.Errorf("%q and %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a, 5); got != c.want {
			t.Errorf("%q and %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
