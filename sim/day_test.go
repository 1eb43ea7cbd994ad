package sim

import (
	"os"
	"strings"
	"testing"
)

const (
	dayFile = "../examples/day.yml"
	dayDoc  = "../docs/a-day.md"
	dayHead = "## All that happens\n\n```\n"
)

// TestADay plays the day of docs/a-day.md as its file tells it, holds what happens against what the file expects, and the
// page's account of it against what happens.
func TestADay(t *testing.T) {
	text, err := os.ReadFile(dayFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseScenario(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Play(storyConfig(t, &s.Config))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Compare(log) {
		t.Error(d)
	}
	if len(s.Expect) < 30 {
		t.Errorf("the day expects only %d events", len(s.Expect))
	}
	page, err := os.ReadFile(dayDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), dayHead)
	_, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s has no block below %q", dayDoc, dayHead)
	}
	want := before + dayHead + trace(log) + "```\n" + after
	if *update {
		if err := os.WriteFile(dayDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s tells another day; go test ./sim -run TestADay -update writes it anew. It was:\n%s", dayDoc, trace(log))
	}
}
