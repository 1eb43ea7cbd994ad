package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/featurecontrol"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
)

var update = flag.Bool("update", false, "write the worked examples in docs/oncall.md anew")

// A worked example is a schedule as it is written, and the stretch of time in which it is looked at.
type worked struct {
	title, rule string
	schedules   string // YAML: the list's entries
	spans       []string
}

// What clocks do to schedules, from the rule to the hour. The first zone is Lisbon's: in 2026 its clocks go forward on
// 29 March at 01:00 and back on 25 October at 02:00, both at 01:00 UTC.
var workedExamples = []worked{
	{"A gap within a shift", "Hand-offs follow the wall clock, so the shift over a spring gap is an hour shorter.", `
- name: weekly
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
`, []string{"2026-03-16T09:00Z 2026-04-06T08:00Z"}},
	{"A fold within a shift", "And the shift over an autumn fold is an hour longer.", `
- name: weekly
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
`, []string{"2026-10-12T08:00Z 2026-11-02T09:00Z"}},
	{"A hand-off in the gap", "A wall time that does not exist means the first instant after the gap: 01:30 is 02:00 on that day.", `
- name: daily
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-03-27 01:30, every: 1d}}]
`, []string{"2026-03-27T01:30Z 2026-03-31T00:30Z"}},
	{"A hand-off in the fold", "A wall time that happens twice means the first for a hand-off. It happens once.", `
- name: daily
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-10-23 01:30, every: 1d}}]
`, []string{"2026-10-23T00:30Z 2026-10-27T01:30Z"}},
	{"A shift that the gap swallows", "It is left out, and its turn is used up: nobody moves up in the queue.", `
- name: hourly
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo, cy], start: 2026-03-29 00:00, every: 1h}}]
`, []string{"2026-03-29T00:00Z 2026-03-29T03:00Z"}},
	{"`every: 12h` around both", "Hours that divide 24 follow the wall clock: hand-offs stay at 09:00 and 21:00.", `
- name: halves
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 12h}}]
`, []string{"2026-03-28T09:00Z 2026-03-29T20:00Z", "2026-10-24T08:00Z 2026-10-25T21:00Z"}},
	{"`every: 48h` against `every: 2d`", "Other hours are elapsed time. `48h` drifts away from 09:00 by an hour at each change, `2d` does not. `midwatch config check` warns of it.", `
- name: drifts
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-03-26 09:00, every: 48h}}]
- name: stays
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-03-26 09:00, every: 2d}}]
`, []string{"2026-03-26T09:00Z 2026-04-01T00:00Z"}},
	{"Months that are too short", "Months from the 29th to the 31st clamp to the month's last day, and come back.", `
- name: monthly
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-01-31 09:00, every: 1month}}]
`, []string{"2026-01-31T09:00Z 2026-05-31T08:00Z"}},
	{"A window over the change", "Windows are wall times too: the night of the gap has seven hours, the night of the fold nine.", `
- name: nights
  time_zone: Europe/Lisbon
  layers:
    - name: all
      rotation: {users: [ana], start: 2026-01-05 00:00, every: 1w}
      active: [{from: "22:00", to: "06:00"}]
`, []string{"2026-03-27T12:00Z 2026-03-29T12:00Z", "2026-10-23T12:00Z 2026-10-25T12:00Z"}},
	{"An override from and to a time in the fold", "`from` means the first occurrence, `to` the last: these fifteen minutes are an hour and fifteen.", `
- name: covered
  time_zone: Europe/Lisbon
  layers: [{name: all, rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}}]
  overrides: [{take: cy, from: 2026-10-25 01:30, to: 2026-10-25 01:45}]
`, []string{"2026-10-25T00:00Z 2026-10-25T03:00Z"}},
	{"Half an hour", "On Lord Howe Island clocks are set by thirty minutes.", `
- name: island
  time_zone: Australia/Lord_Howe
  layers: [{name: all, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1d}}]
`, []string{"2026-04-02T22:00Z 2026-04-05T22:30Z", "2026-10-01T22:30Z 2026-10-04T22:00Z"}},
	{"A day that did not come", "Samoa moved across the date line and had no 30 December 2011. Bo's turn is used up.", `
- name: samoa
  time_zone: Pacific/Apia
  layers: [{name: all, rotation: {users: [ana, bo, cy], start: 2011-12-29 00:00, every: 1d}}]
`, []string{"2011-12-29T10:00Z 2012-01-01T10:00Z"}},
}

// schedulesOf loads the schedules as a configuration file has them.
func schedulesOf(t *testing.T, entries string) (all []*oncall.Schedule) {
	t.Helper()
	initMatchers(logging{}, featurecontrol.NoopFlags{})
	text := "route: {receiver: none}\nreceivers: [{name: none}]\nusers:\n"
	for _, u := range []string{"ana", "bo", "cy", "di"} {
		text += fmt.Sprintf("  - {name: %s, contact_methods: {log: {log: {}}}}\n", u)
	}
	name := filepath.Join(t.TempDir(), "midwatch.yml")
	if err := os.WriteFile(name, []byte(text+"schedules:\n"+entries), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, faults := config.LoadFile(name)
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	for _, n := range cfg.ScheduleOrder {
		all = append(all, cfg.Schedules[n])
	}
	return all
}

// show writes the example: the rule, the schedule, and its shifts as the resolver has them.
func (w worked) show(t *testing.T, b *strings.Builder) {
	schedules := schedulesOf(t, w.schedules)
	fmt.Fprintf(b, "### %s\n\n%s\n\n```yaml\n%s```\n\n", w.title, w.rule, strings.TrimPrefix(w.schedules, "\n"))
	b.WriteString("| on call | from, UTC | to, UTC | by the clocks there | lasts |\n|---|---|---|---|---:|\n")
	for _, s := range schedules {
		for _, span := range w.spans {
			from, to, _ := strings.Cut(span, " ")
			for _, shift := range s.Shifts(minuteOf(t, from), minuteOf(t, to)) {
				who := strings.Join(shift.Users, ", ")
				if len(schedules) > 1 {
					who += " in " + s.Name()
				}
				zone := s.Spec().Zone
				fmt.Fprintf(b, "| %s | %s | %s | %s to %s | %s |\n", who, shift.Start.Format("2 Jan 15:04"), shift.End.Format("2 Jan 15:04"),
					shift.Start.In(zone).Format("Mon 2 Jan 15:04 MST"), shift.End.In(zone).Format("Mon 2 Jan 15:04 MST"), draw.Length(shift.End.Sub(shift.Start)))
			}
		}
	}
	b.WriteString("\n")
	for _, s := range schedules {
		for _, span := range w.spans {
			from, to, _ := strings.Cut(span, " ")
			for _, c := range clockLines(s, minuteOf(t, from), minuteOf(t, to)) {
				fmt.Fprintf(b, "> %s: %s.\n\n", s.Name(), c.Text)
			}
		}
	}
}

func minuteOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04Z", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// pictured is the schedule that the drawing in the docs shows.
const pictured = `
- name: db-primary
  time_zone: Europe/Lisbon
  layers:
    - {name: weekly, rotation: {users: [ana, bo, [cy, di]], start: 2026-01-05 09:00, every: 1w}, active: [{from: "mon 09:00", to: "sat 20:00"}]}
    - {name: sunday, rotation: {users: [di], start: 2026-01-05 09:00, every: 1w}, active: [{days: [sun], from: "08:00", to: "22:00"}]}
  overrides: [{take: cy, from: 2026-10-22 09:00, to: 2026-10-24 09:00}]
  uncovered: [{from: "sat 20:00", to: "sun 08:00"}]
`

// The worked examples in the docs are what the resolver says.
func TestTheDocsSayWhatTheResolverSays(t *testing.T) {
	var examples strings.Builder
	for _, w := range workedExamples {
		w.show(t, &examples)
	}
	schedules := schedulesOf(t, pictured)
	zone := schedules[0].Spec().Zone
	picture := draw.Of(schedules[0], minuteOf(t, "2026-10-18T23:00Z"), minuteOf(t, "2026-11-02T00:00Z"), zone).Text(draw.Terminal{Width: 100})

	const name = "../../docs/oncall.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, string(text), "worked examples", strings.TrimRight(examples.String(), "\n"))
	want = between(t, want, "picture", "```\n"+picture+"```")
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the resolver says; go test ./cmd/midwatch -run TestTheDocs -update writes it", name)
	}
	if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// between puts a text between the marks that name it.
func between(t *testing.T, doc, mark, text string) string {
	t.Helper()
	begin, end := "<!-- begin: "+mark+" -->\n", "<!-- end: "+mark+" -->"
	head, rest, ok := strings.Cut(doc, begin)
	_, tail, alsoOK := strings.Cut(rest, end)
	if !ok || !alsoOK {
		t.Fatalf("the docs lack the marks %q and %q", strings.TrimSpace(begin), end)
	}
	return head + begin + text + "\n" + end + tail
}
