package config

import (
	"strings"
	"testing"
	"time"
)

// lookedAt is when the files under testdata/ahead are looked at: a Sunday, in ana's week.
var lookedAt = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func loadFile(t *testing.T, path string) *Config {
	t.Helper()
	c, faults := LoadFile(path)
	if c == nil {
		t.Fatal(faults)
	}
	if len(faults) > 0 {
		t.Errorf("warned of before its time: %s", faults)
	}
	return c
}

// What is over, gaps, absences that meet shifts, and users whom nothing pages, each at its place.
func TestWhatTheFileSaysOfTheTimeAhead(t *testing.T) {
	c := loadFile(t, "testdata/ahead/midwatch.yml")
	golden(t, "testdata/ahead/ahead.txt", c.Ahead(lookedAt).Error()+"\n")
}

// Who is on call now though the old file says somebody else, and what of the rotation made it so.
func TestAgainstAnOlderFile(t *testing.T) {
	c, old := loadFile(t, "testdata/ahead/midwatch.yml"), loadFile(t, "testdata/ahead/old.yml")
	golden(t, "testdata/ahead/against.txt", c.Against(old, lookedAt).Error()+"\n")
	if got := c.Against(c, lookedAt); len(got) > 0 {
		t.Errorf("against itself: %s", got)
	}
}

// A good file, with somebody on call all the time and nobody left over, is not doubted.
func TestNothingAhead(t *testing.T) {
	for name, text := range map[string]string{
		"stock": stock,
		"users who only look": `
users: [{name: ana}]
` + stock,
		"covered": `
users:
  - {name: ana, contact_methods: {log: {log: {}}}, unavailable: [{from: 2027-02-21 00:00, to: 2027-03-01 00:00}]}
  - {name: bo, contact_methods: {log: {log: {}}}}
  - {name: cto, contact_methods: {log: {log: {}}}}
escalation_policies: [{name: db, steps: [{notify: [{schedule: db}]}, {notify: [{user: bo}]}]}]
paging: {catch_all: {user: cto}}
schedules: [{name: db, time_zone: UTC, layers: [{rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}}]}]
` + stock,
	} {
		if got := load(t, text).Ahead(lookedAt); len(got) > 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What there is much of is counted, so that a warning stays a line.
func TestWarningsAheadAreFew(t *testing.T) {
	var text strings.Builder
	text.WriteString("users:\n  - {name: ana, contact_methods: {log: {log: {}}}, unavailable: [{from: 2026-11-01 00:00, to: 2027-11-01 00:00}]}\n")
	text.WriteString("  - {name: mute}\n")
	for _, name := range []string{"b", "c", "d", "e", "f", "g", "h"} {
		text.WriteString("  - {name: " + name + ", contact_methods: {log: {log: {}}}}\n")
	}
	text.WriteString("schedules: [{name: db, time_zone: UTC, layers: [{rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}, active: [{days: [mon-fri], from: \"09:00\", to: \"17:00\"}]}]}]\n" + stock)
	golden(t, "testdata/ahead/many.txt", load(t, text.String()).Ahead(lookedAt).Error()+"\n")
}
