package sim

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var placed = regexp.MustCompile(`^line \d+: `)

// FuzzScenario reads what is no scenario: nothing may panic, and every fault of a file that is YAML says where it is.
func FuzzScenario(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("config: {}\nstart: 2026-11-22T03:00:00Z\nevents: [{at: 1m, fire: {a: b}, resolve: {a: b}}, {fier: x}, 7]\nuntil: x")
	f.Add("- ")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScenario(strings.NewReader(text))
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !placed.MatchString(line) && !strings.HasPrefix(line, "the file is ") && !strings.HasPrefix(line, " ") {
					t.Errorf("a fault without a place: %q", line)
				}
			}
			return
		}
		if s.Until <= 0 || s.Until > maxUntil || s.Start.IsZero() || s.Config.Kind == 0 {
			t.Errorf("accepted without what it needs: %+v", s)
		}
		for _, h := range s.Events {
			if h.At < 0 || h.do == nil {
				t.Errorf("an event that does nothing, or before the start: %+v", h)
			}
		}
	})
}
