package config

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

const people = `
users:
  - {name: ana, contact_methods: {log: {log: {}}}}
  - {name: bo, contact_methods: {log: {log: {}}}}
  - {name: cy, contact_methods: {log: {log: {}}}}
  - {name: di, contact_methods: {log: {log: {}}}}
`

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func wall(t *testing.T, s string) oncall.Civil {
	t.Helper()
	c, err := oncall.ParseCivil(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func window(t *testing.T, days []string, from, to string) oncall.Window {
	t.Helper()
	w, err := oncall.ParseWindow(days, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A schedule is what its owner wrote, every key of it.
func TestAScheduleIsReadWhole(t *testing.T) {
	c := load(t, people+`
schedules:
  - name: db
    time_zone: Europe/Lisbon
    layers:
      - name: weekly
        rotation:
          users: [ana, bo, [cy, di], nobody]
          start: 2026-01-05 09:00
          every: 1d
          count: active_days
        time_zone: America/New_York
        effective_from: 2026-01-05 09:00
        effective_until: 2027-01-05 09:00
        active: [{days: [mon-fri], from: "09:00", to: "17:00"}, {from: fri 18:00, to: mon 09:00}, nights]
      - mode: add
        rotation: {users: [di], start: 2026-01-05 00:00, handoff: "0 9 * * MON"}
    overrides:
      - {replace: ana, with: bo, from: 2026-01-06 09:00, to: 2026-01-09 09:00}
      - {take: cy, from: 2026-04-01 00:00, to: 2026-04-02 00:00}
      - {add: di, layer: weekly, from: 2026-04-03 00:00, to: 2026-04-04 00:00}
      - {remove: ana, from: 2026-05-01 00:00, to: 2026-05-02 00:00}
    uncovered: [{days: [sat, sun]}]
  - {name: empty, time_zone: UTC}
time_intervals:
  - name: nights
    time_intervals:
      - {times: [{start_time: "20:00", end_time: "24:00"}], weekdays: ['monday:friday'], days_of_month: ['-3:-1'], months: ['march:may'], years: [2026], location: Asia/Tokyo}
`+stock)
	handoff, err := oncall.ParseHandoff("0 9 * * MON")
	if err != nil {
		t.Fatal(err)
	}
	nights := &oncall.Calendar{Name: "nights", Intervals: []oncall.Interval{{
		Times:     []oncall.Span{{First: 20 * 60, Last: 24 * 60}},
		Weekdays:  []oncall.Span{{First: 1, Last: 5}},
		MonthDays: []oncall.Span{{First: -3, Last: -1}},
		Months:    []oncall.Span{{First: 3, Last: 5}},
		Years:     []oncall.Span{{First: 2026, Last: 2026}},
		Zone:      zoneOf(t, "Asia/Tokyo"),
	}}}
	want := oncall.Spec{
		Name: "db",
		Zone: zoneOf(t, "Europe/Lisbon"),
		Layers: []oncall.Layer{
			{
				Name: "weekly",
				Mode: oncall.ModeReplace,
				Rotation: oncall.Rotation{
					Turns: [][]string{{"ana"}, {"bo"}, {"cy", "di"}, {"nobody"}},
					Start: wall(t, "2026-01-05 09:00"),
					Every: oncall.Every{N: 1, Unit: oncall.Day},
					Count: oncall.ActiveDays,
				},
				Zone:           zoneOf(t, "America/New_York"),
				EffectiveFrom:  wall(t, "2026-01-05 09:00"),
				EffectiveUntil: wall(t, "2027-01-05 09:00"),
				Active: []oncall.Window{
					window(t, []string{"mon-fri"}, "09:00", "17:00"),
					window(t, nil, "fri 18:00", "mon 09:00"),
					{Calendar: nights},
				},
			},
			{
				Name:     "layer-2",
				Mode:     oncall.ModeAdd,
				Rotation: oncall.Rotation{Turns: [][]string{{"di"}}, Start: wall(t, "2026-01-05 00:00"), Handoff: handoff},
			},
		},
		Overrides: []oncall.Override{
			{Kind: oncall.Replace, User: "ana", With: "bo", From: wall(t, "2026-01-06 09:00"), To: wall(t, "2026-01-09 09:00")},
			{Kind: oncall.Take, User: "cy", From: wall(t, "2026-04-01 00:00"), To: wall(t, "2026-04-02 00:00")},
			{Kind: oncall.Add, User: "di", Layer: "weekly", From: wall(t, "2026-04-03 00:00"), To: wall(t, "2026-04-04 00:00")},
			{Kind: oncall.Remove, User: "ana", From: wall(t, "2026-05-01 00:00"), To: wall(t, "2026-05-02 00:00")},
		},
		Uncovered: []oncall.Window{window(t, []string{"sat", "sun"}, "", "")},
	}
	got := c.Schedules["db"].Spec()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if want := []string{"db", "empty"}; !slices.Equal(c.ScheduleOrder, want) {
		t.Errorf("order %v, want %v", c.ScheduleOrder, want)
	}
}

// A schedule that is read is one that answers: the first shift belongs to the first user.
func TestAScheduleAnswers(t *testing.T) {
	c := load(t, people+`
schedules: [{name: db, time_zone: Europe/Lisbon, layers: [{rotation: {users: [ana, bo], start: 2026-07-06 09:00, every: 1w}}]}]
`+stock)
	for at, want := range map[string]string{
		"2026-07-06T07:59:00Z": "",
		"2026-07-06T08:00:00Z": "ana",
		"2026-07-13T08:00:00Z": "bo",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if users := c.Schedules["db"].At(instant).Users(); len(users) > 0 {
			got = users[0]
		}
		if got != want {
			t.Errorf("%s: %q is on call, want %q", at, got, want)
		}
	}
}
