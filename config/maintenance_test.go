package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/oncall"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// What is written is what silences, once and again and again.
func TestMaintenanceIsReadWhole(t *testing.T) {
	c := load(t, `
maintenance:
  - {name: db-upgrade, matchers: ['service="db"'], time_zone: Europe/Lisbon, from: 2026-12-01 22:00, to: 2026-12-02 02:00}
  - name: weekly
    matchers: ['{service="batch", env!="prod"}', "cluster=~a|b"]
    time_zone: America/New_York
    cron: 0  22 * * SUN
    for: 120m
    comment: The vacuum.
`+stock)
	if len(c.Maintenance) != 2 || c.ResolvedUnderSilence {
		t.Fatalf("maintenance %v, resolved under silence %v", c.Maintenance, c.ResolvedUnderSilence)
	}
	matcher := func(op labels.MatchType, name, value string) *labels.Matcher {
		m, err := labels.NewMatcher(op, name, value)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for i, want := range []Maintenance{
		{
			Name: "db-upgrade", Matchers: labels.Matchers{matcher(labels.MatchEqual, "service", "db")}, TimeZone: "Europe/Lisbon",
			Text: "2026-12-01 22:00 to 2026-12-02 02:00, Europe/Lisbon",
		},
		{
			Name: "weekly", TimeZone: "America/New_York", Comment: "The vacuum.", Text: `cron "0 22 * * SUN" for 2h, America/New_York`,
			Matchers: labels.Matchers{
				matcher(labels.MatchEqual, "service", "batch"), matcher(labels.MatchNotEqual, "env", "prod"), matcher(labels.MatchRegexp, "cluster", "a|b"),
			},
		},
	} {
		got := c.Maintenance[i]
		for j, m := range got.Matchers {
			if m.String() != want.Matchers[j].String() {
				t.Errorf("%s: matcher %s, want %s", got.Name, m, want.Matchers[j])
			}
		}
		recurrence := got.Recurrence
		if len(got.Matchers) != len(want.Matchers) {
			t.Errorf("%s: matchers %s, want %s", got.Name, got.Matchers, want.Matchers)
		}
		got.Recurrence, got.Matchers, want.Matchers = nil, nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
		after := instant(t, "2026-11-30T00:00:00Z")
		w, ok := recurrence.Next(after)
		if expect := []oncall.Occurrence{
			{From: instant(t, "2026-12-01T22:00:00Z"), To: instant(t, "2026-12-02T02:00:00Z")},
			{From: instant(t, "2026-11-30T03:00:00Z"), To: instant(t, "2026-11-30T05:00:00Z")},
		}[i]; !ok || w != expect {
			t.Errorf("%s: %v, want %v", got.Name, w, expect)
		}
	}
}

// The same rule as for silences: one that asks for nothing would silence everything.
func TestMaintenanceAsksForSomething(t *testing.T) {
	for matchers, good := range map[string]bool{
		`'a="b"'`:             true,
		`'a=~".+"'`:           true,
		`'a!="b"'`:            true, // Alertmanager takes these to be selective
		`'a!~"b"'`:            true,
		`'a=~".*"', 'c="d"'`:  true,
		`'a=""'`:              false,
		`'a=~".*"'`:           false,
		`'a=~"b|"'`:           false,
		`'a=""', 'b=~"(c|)"'`: false,
		`'{}'`:                false,
		`''`:                  false,
	} {
		_, faults := Load([]byte("maintenance: [{name: m, matchers: ["+matchers+"], time_zone: UTC, cron: 0 0 * * *, for: 1h}]\n"+stock), Options{})
		got := faults.Error()
		if good != (got == "") || !good && !strings.Contains(got, "all alerts might be silenced") {
			t.Errorf("%s: %s", matchers, got)
		}
	}
}

// Windows of several files are one list, and their names are unique in all of them.
func TestTeamsHaveMaintenanceOfTheirOwn(t *testing.T) {
	main := "include: [teams/*.yml]\nmaintenance: [{name: a, matchers: ['x=\"y\"'], time_zone: UTC, cron: 0 0 * * *, for: 1h}]\n" + stock
	team := "maintenance: [{name: b, matchers: ['x=\"z\"'], time_zone: UTC, cron: 0 0 * * *, for: 1h}]\n"
	c, faults := LoadFile(folder(t, "midwatch.yml", main, "teams/a.yml", team, "teams/b.yml", "dispatch: {resolved_under_silence: notify}\n"))
	if c == nil {
		t.Fatal(faults)
	}
	var got []string
	for _, m := range c.Maintenance {
		got = append(got, m.Name)
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) || !c.ResolvedUnderSilence {
		t.Errorf("maintenance %v, want %v; resolved under silence %v", got, want, c.ResolvedUnderSilence)
	}
	_, faults = LoadFile(folder(t, "midwatch.yml", main, "teams/a.yml", strings.Replace(team, "name: b", "name: a", 1)))
	if got := faults.Error(); !strings.Contains(got, `teams/a.yml:1:22: maintenance "a": a second maintenance of this name; the first is at `) {
		t.Error(got)
	}
}

// A single window that is over is no fault, and one that is very long is only doubted.
func TestASingleWindowMayBeOverOrLong(t *testing.T) {
	text := "maintenance: [{name: m, matchers: [a=b], time_zone: Europe/Lisbon, from: 2001-12-01 22:00, to: 2001-12-02 02:00}]\n" + stock
	if c := load(t, text); len(c.Warnings) > 0 {
		t.Error(c.Warnings)
	}
	c := load(t, strings.Replace(text, "2001-12-02", "2002-12-02", 1))
	want := `am.yml:1:96: warning: maintenance "m": nobody is told of what it matches for 365 days; check the dates, the year too`
	if got := c.Warnings.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
