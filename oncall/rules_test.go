package oncall

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The twelve rules of SPEC §4, by worked instants. What is wanted is written as people would say it: UTC,
// from, to, who, and where they come from if that is the point.

func wall(t testing.TB, s string) Civil {
	t.Helper()
	c, err := ParseCivil(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// rotation reads "ana, bo+cy, nobody", a start, and a period or a cron expression.
func rotation(t testing.TB, users, start, period string) Rotation {
	t.Helper()
	r := Rotation{Start: wall(t, start)}
	if users != "" {
		for turn := range strings.SplitSeq(users, ", ") {
			r.Turns = append(r.Turns, strings.Split(turn, "+"))
		}
	}
	var err error
	if strings.Contains(period, " ") {
		r.Handoff, err = ParseHandoff(period)
	} else {
		r.Every, err = ParseEvery(period)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// window reads "mon-fri 09:00 17:00", "daily 22:00 06:00", "sat,sun" and "fri 18:00 to mon 09:00".
func window(t testing.TB, s string) Window {
	t.Helper()
	var days []string
	var from, to string
	if a, b, ok := strings.Cut(s, " to "); ok {
		from, to = a, b
	} else {
		f := append(strings.Fields(s), "", "")
		from, to = f[1], f[2]
		if f[0] != "daily" {
			days = strings.Split(f[0], ",")
		}
	}
	w, err := ParseWindow(days, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func windowsOf(t testing.TB, entries ...string) (ws []Window) {
	for _, e := range entries {
		ws = append(ws, window(t, e))
	}
	return ws
}

// one is a schedule of a single layer.
func one(t testing.TB, zone string, r Rotation, active ...string) Spec {
	t.Helper()
	return Spec{Name: "db", Zone: loadZone(zone), Layers: []Layer{{Name: "weekly", Rotation: r, Active: windowsOf(t, active...)}}}
}

func say(s *Schedule, from, to time.Time, layers bool) string {
	var b strings.Builder
	for _, sh := range s.Shifts(from, to) {
		fmt.Fprintf(&b, "%s – %s %s", sh.Start.Format("2006-01-02 15:04"), sh.End.Format("2006-01-02 15:04"), strings.Join(sh.Users, "+"))
		if layers {
			fmt.Fprintf(&b, " (%s)", strings.Join(sh.Layers, ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// expect compares the shifts of a stretch with lines; indentation does not count.
func expect(t *testing.T, spec Spec, from, to, want string) {
	t.Helper()
	s := schedule(t, spec)
	want = unindent(want)
	if got := say(s, utc(t, from), utc(t, to), strings.Contains(want, "(")); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func unindent(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func TestRule1TheNewPersonIsOnCallAtTheHandoff(t *testing.T) {
	s := schedule(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-05 09:00", "1w")))
	handoff := utc(t, "2026-01-12 09:00")
	for at, want := range map[time.Time]string{
		handoff.Add(-1): "ana", handoff: "bo", handoff.Add(59 * time.Second): "bo",
	} {
		if got := strings.Join(s.At(at).Users(), "+"); got != want {
			t.Errorf("at %v %q, want %q", at, got, want)
		}
	}
}

func TestRule2WallTimesThatAreMissingOrTwice(t *testing.T) {
	for _, c := range []struct{ what, zone, wall, first, last string }{
		{"plain", "Europe/Lisbon", "2026-01-05 09:00", "2026-01-05 09:00", "2026-01-05 09:00"},
		{"plain", "Asia/Kathmandu", "2026-01-05 09:00", "2026-01-05 03:15", "2026-01-05 03:15"},
		{"gap", "Europe/Lisbon", "2026-03-29 01:30", "2026-03-29 01:00", "2026-03-29 01:00"},
		{"gap's first minute", "Europe/Lisbon", "2026-03-29 01:00", "2026-03-29 01:00", "2026-03-29 01:00"},
		{"after the gap", "Europe/Lisbon", "2026-03-29 02:00", "2026-03-29 01:00", "2026-03-29 01:00"},
		{"fold", "Europe/Lisbon", "2026-10-25 01:30", "2026-10-25 00:30", "2026-10-25 01:30"},
		{"fold's first minute", "Europe/Lisbon", "2026-10-25 01:00", "2026-10-25 00:00", "2026-10-25 01:00"},
		{"after the fold", "Europe/Lisbon", "2026-10-25 02:00", "2026-10-25 02:00", "2026-10-25 02:00"},
		{"gap", "America/New_York", "2026-03-08 02:30", "2026-03-08 07:00", "2026-03-08 07:00"},
		{"fold", "America/New_York", "2026-11-01 01:30", "2026-11-01 05:30", "2026-11-01 06:30"},
		{"gap of half an hour", "Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30", "2026-10-03 15:30"},
		{"fold of half an hour", "Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45", "2026-04-04 15:15"},
		{"before that fold", "Australia/Lord_Howe", "2026-04-05 01:29", "2026-04-04 14:29", "2026-04-04 14:29"},
		{"gap of a day", "Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", "2011-12-30 10:00"},
		{"after that gap", "Pacific/Apia", "2011-12-31 09:00", "2011-12-30 19:00", "2011-12-30 19:00"},
		{"gap of two hours", "Antarctica/Troll", "2026-03-29 02:30", "2026-03-29 01:00", "2026-03-29 01:00"},
		{"fold of two hours", "Antarctica/Troll", "2026-10-25 01:30", "2026-10-24 23:30", "2026-10-25 01:30"},
		{"Ramadan begins", "Africa/Casablanca", "2026-02-15 02:30", "2026-02-15 01:30", "2026-02-15 02:30"},
		{"Ramadan ends", "Africa/Casablanca", "2026-03-22 02:30", "2026-03-22 02:00", "2026-03-22 02:00"},
		{"gap of a quarter", "Asia/Kathmandu", "1986-01-01 00:10", "1985-12-31 18:30", "1985-12-31 18:30"},
		{"gap at midnight", "Asia/Beirut", "2026-03-29 00:30", "2026-03-28 22:00", "2026-03-28 22:00"},
		{"fold at midnight", "America/Havana", "2026-11-01 00:30", "2026-11-01 04:30", "2026-11-01 05:30"},
	} {
		zone, w := loadZone(c.zone), wall(t, c.wall)
		if first, last := w.First(zone), w.Last(zone); first != utc(t, c.first) || last != utc(t, c.last) {
			t.Errorf("%s: %s in %s is %v and %v, want %s and %s", c.what, c.wall, c.zone, first, last, c.first, c.last)
		}
	}
}

func TestRule2StartsAreEarlyAndEndsAreLate(t *testing.T) {
	// 01:30–01:45 happens twice that night: from the first 01:30 to the last 01:45.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana", "2026-01-05 00:00", "1w"), "daily 01:30 01:45"),
		"2026-10-24 12:00", "2026-10-25 12:00", `2026-10-25 00:30 – 2026-10-25 01:45 ana`)

	// In the gap it has no length, and a part of it begins where the gap ends.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana", "2026-01-05 00:00", "1w"), "daily 01:30 01:45"),
		"2026-03-28 12:00", "2026-03-29 12:00", ``)
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana", "2026-01-05 00:00", "1w"), "daily 01:30 02:30"),
		"2026-03-28 12:00", "2026-03-29 12:00", `2026-03-29 01:00 – 2026-03-29 01:30 ana`)

	// One hand-off happens once, the first time.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo", "2026-10-31 01:30", "1d")),
		"2026-10-31 00:00", "2026-11-02 12:00", `
		2026-10-31 05:30 – 2026-11-01 05:30 ana
		2026-11-01 05:30 – 2026-11-02 06:30 bo
		2026-11-02 06:30 – 2026-11-02 12:00 ana`)

	// Overrides are in the schedule's zone, effective_* in the layer's.
	spec := one(t, "Europe/Lisbon", rotation(t, "ana", "2026-01-05 00:00", "1w"))
	spec.Layers[0].Zone = loadZone("America/New_York")
	spec.Layers[0].EffectiveFrom, spec.Layers[0].EffectiveUntil = wall(t, "2026-11-01 01:30"), wall(t, "2026-11-08 01:30")
	spec.Overrides = []Override{{Kind: Take, User: "bo", From: wall(t, "2026-11-03 01:00"), To: wall(t, "2026-11-03 02:00")}}
	expect(t, spec, "2026-10-30 00:00", "2026-11-10 00:00", `
		2026-11-01 05:30 – 2026-11-03 01:00 ana
		2026-11-03 01:00 – 2026-11-03 02:00 bo
		2026-11-03 02:00 – 2026-11-08 06:30 ana`)
}

func TestRule3Hours(t *testing.T) {
	// Two shorter shifts around a gap.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo, cy", "2026-03-08 00:30", "1h")),
		"2026-03-08 05:00", "2026-03-08 09:00", `
		2026-03-08 05:30 – 2026-03-08 06:30 ana
		2026-03-08 06:30 – 2026-03-08 07:00 bo
		2026-03-08 07:00 – 2026-03-08 07:30 cy
		2026-03-08 07:30 – 2026-03-08 08:30 ana
		2026-03-08 08:30 – 2026-03-08 09:00 bo`)

	// A shift swallowed whole is left out, and cy's turn is used up.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo, cy, di", "2026-03-08 00:00", "1h")),
		"2026-03-08 05:00", "2026-03-08 09:00", `
		2026-03-08 05:00 – 2026-03-08 06:00 ana
		2026-03-08 06:00 – 2026-03-08 07:00 bo
		2026-03-08 07:00 – 2026-03-08 08:00 di
		2026-03-08 08:00 – 2026-03-08 09:00 ana`)

	// One longer shift in the fold.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo, cy", "2026-11-01 00:00", "1h")),
		"2026-11-01 04:00", "2026-11-01 08:00", `
		2026-11-01 04:00 – 2026-11-01 05:00 ana
		2026-11-01 05:00 – 2026-11-01 07:00 bo
		2026-11-01 07:00 – 2026-11-01 08:00 cy`)

	// Half an hour of each on Lord Howe.
	expect(t, one(t, "Australia/Lord_Howe", rotation(t, "ana, bo", "2026-04-04 14:00", "12h")),
		"2026-04-04 03:00", "2026-04-05 15:30", `
		2026-04-04 03:00 – 2026-04-04 15:30 ana
		2026-04-04 15:30 – 2026-04-05 03:30 bo
		2026-04-05 03:30 – 2026-04-05 15:30 ana`)

	// 48h is elapsed time and drifts to 10:00; 2d does not.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo", "2026-03-07 09:00", "48h")),
		"2026-03-07 14:00", "2026-03-11 14:00", `
		2026-03-07 14:00 – 2026-03-09 14:00 ana
		2026-03-09 14:00 – 2026-03-11 14:00 bo`)
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo", "2026-03-07 09:00", "2d")),
		"2026-03-07 14:00", "2026-03-11 13:00", `
		2026-03-07 14:00 – 2026-03-09 13:00 ana
		2026-03-09 13:00 – 2026-03-11 13:00 bo`)
	// 24 divides 24.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo", "2026-03-07 09:00", "24h")),
		"2026-03-07 14:00", "2026-03-09 13:00", `
		2026-03-07 14:00 – 2026-03-08 13:00 ana
		2026-03-08 13:00 – 2026-03-09 13:00 bo`)
}

func TestRule3TheDayThatApiaSkipped(t *testing.T) {
	// Friday 30 December 2011 did not happen: 10:00 UTC ended Thursday and began Saturday.
	expect(t, one(t, "Pacific/Apia", rotation(t, "ana, bo, cy, di", "2011-12-28 09:00", "1d")),
		"2011-12-28 19:00", "2012-01-01 19:00", `
		2011-12-28 19:00 – 2011-12-29 19:00 ana
		2011-12-29 19:00 – 2011-12-30 10:00 bo
		2011-12-30 10:00 – 2011-12-30 19:00 cy
		2011-12-30 19:00 – 2011-12-31 19:00 di
		2011-12-31 19:00 – 2012-01-01 19:00 ana`)
	expect(t, one(t, "Pacific/Apia", rotation(t, "ana, bo, cy, di", "2011-12-28 00:00", "1d")),
		"2011-12-28 10:00", "2012-01-01 10:00", `
		2011-12-28 10:00 – 2011-12-29 10:00 ana
		2011-12-29 10:00 – 2011-12-30 10:00 bo
		2011-12-30 10:00 – 2011-12-31 10:00 di
		2011-12-31 10:00 – 2012-01-01 10:00 ana`)
	// No hours of that Friday were anybody's.
	expect(t, one(t, "Pacific/Apia", rotation(t, "ana", "2011-12-01 00:00", "1w"), "fri 09:00 17:00", "sat 09:00 10:00"),
		"2011-12-28 00:00", "2012-01-02 00:00", `2011-12-30 19:00 – 2011-12-30 20:00 ana`)
}

func TestRule4MonthsClampAndComeBack(t *testing.T) {
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo, cy", "2026-01-31 09:00", "1month")),
		"2026-01-01 00:00", "2026-06-01 00:00", `
		2026-01-31 09:00 – 2026-02-28 09:00 ana
		2026-02-28 09:00 – 2026-03-31 08:00 bo
		2026-03-31 08:00 – 2026-04-30 08:00 cy
		2026-04-30 08:00 – 2026-05-31 08:00 ana
		2026-05-31 08:00 – 2026-06-01 00:00 bo`)
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2027-11-30 00:00", "3month")),
		"2027-11-30 00:00", "2028-06-01 00:00", `
		2027-11-30 00:00 – 2028-02-29 00:00 ana
		2028-02-29 00:00 – 2028-05-29 23:00 bo
		2028-05-29 23:00 – 2028-06-01 00:00 ana`)
}

func TestRule5StartAnchorsTheFirstUser(t *testing.T) {
	spec := one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-05 09:00", "1w"))
	expect(t, spec, "2026-01-01 00:00", "2026-01-13 00:00", `
		2026-01-05 09:00 – 2026-01-12 09:00 ana
		2026-01-12 09:00 – 2026-01-13 00:00 bo`)
	// And decades later just as well: Monday 1 September 2053 begins week 1443, an odd one.
	expect(t, spec, "2053-09-01 08:00", "2053-09-08 09:00", `
		2053-09-01 08:00 – 2053-09-08 08:00 bo
		2053-09-08 08:00 – 2053-09-08 09:00 ana`)
}

func TestRule6ActiveDays(t *testing.T) {
	office := "mon-fri 09:00 17:00"
	// Friday is ana's, Monday bo's: the weekend burns no turn. That is the default where days are named.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo, cy", "2026-01-09 09:00", "1d"), office),
		"2026-01-09 00:00", "2026-01-14 00:00", `
		2026-01-09 09:00 – 2026-01-09 17:00 ana
		2026-01-12 09:00 – 2026-01-12 17:00 bo
		2026-01-13 09:00 – 2026-01-13 17:00 cy`)

	byCalendar := one(t, "Europe/Lisbon", rotation(t, "ana, bo, cy", "2026-01-09 09:00", "1d"), office)
	byCalendar.Layers[0].Rotation.Count = CalendarDays
	expect(t, byCalendar, "2026-01-09 00:00", "2026-01-14 00:00", `
		2026-01-09 09:00 – 2026-01-09 17:00 ana
		2026-01-12 09:00 – 2026-01-12 17:00 ana
		2026-01-13 09:00 – 2026-01-13 17:00 bo`)

	// From a Saturday, the first turn's first active day is Monday.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-10 09:00", "2d"), office),
		"2026-01-10 00:00", "2026-01-17 00:00", `
		2026-01-12 09:00 – 2026-01-12 17:00 ana
		2026-01-13 09:00 – 2026-01-13 17:00 ana
		2026-01-14 09:00 – 2026-01-14 17:00 bo
		2026-01-15 09:00 – 2026-01-15 17:00 bo
		2026-01-16 09:00 – 2026-01-16 17:00 ana`)

	// Turns change at the start's time of day, also within a window.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-08 12:00", "1d"), office),
		"2026-01-09 00:00", "2026-01-13 00:00", `
		2026-01-09 09:00 – 2026-01-09 12:00 ana
		2026-01-09 12:00 – 2026-01-09 17:00 bo
		2026-01-12 09:00 – 2026-01-12 12:00 bo
		2026-01-12 12:00 – 2026-01-12 17:00 ana`)

	// A night belongs to the day on which it starts; whole days merge and still are days.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-08 20:00", "1d"), "mon-fri 20:00 08:00"),
		"2026-01-09 00:00", "2026-01-13 00:00", `
		2026-01-09 00:00 – 2026-01-09 08:00 ana
		2026-01-09 20:00 – 2026-01-10 08:00 bo
		2026-01-12 20:00 – 2026-01-13 00:00 ana`)
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-08 00:00", "1d"), "mon-fri"),
		"2026-01-08 00:00", "2026-01-14 00:00", `
		2026-01-08 00:00 – 2026-01-09 00:00 ana
		2026-01-09 00:00 – 2026-01-10 00:00 bo
		2026-01-12 00:00 – 2026-01-13 00:00 ana
		2026-01-13 00:00 – 2026-01-14 00:00 bo`)

	// A calendar's day is active where its window starts by the layer's clocks: Tokyo's weekdays begin on
	// Sunday to Thursday in Lisbon.
	spec := one(t, "Europe/Lisbon", rotation(t, "ana, bo, cy, di, eva", "2026-01-11 12:00", "1d"))
	spec.Layers[0].Rotation.Count = ActiveDays
	spec.Layers[0].Active = []Window{{Calendar: &Calendar{Name: "tokyo", Intervals: []Interval{{Weekdays: []Span{{1, 5}}, Zone: loadZone("Asia/Tokyo")}}}}}
	expect(t, spec, "2026-01-11 00:00", "2026-01-19 13:00", `
		2026-01-11 15:00 – 2026-01-12 12:00 ana
		2026-01-12 12:00 – 2026-01-13 12:00 bo
		2026-01-13 12:00 – 2026-01-14 12:00 cy
		2026-01-14 12:00 – 2026-01-15 12:00 di
		2026-01-15 12:00 – 2026-01-16 15:00 eva
		2026-01-18 15:00 – 2026-01-19 12:00 ana
		2026-01-19 12:00 – 2026-01-19 13:00 bo`)
}

func TestRule7Cron(t *testing.T) {
	// start lies off the grid: the first turn is short.
	expect(t, one(t, "America/New_York", rotation(t, "ana, bo, cy", "2026-03-04 12:00", "0 9 * * MON")),
		"2026-03-01 00:00", "2026-03-17 00:00", `
		2026-03-04 17:00 – 2026-03-09 13:00 ana
		2026-03-09 13:00 – 2026-03-16 13:00 bo
		2026-03-16 13:00 – 2026-03-17 00:00 cy`)
	// On the grid it is whole.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-01-05 09:00", "0 9 * * MON")),
		"2026-01-01 00:00", "2026-01-13 00:00", `
		2026-01-05 09:00 – 2026-01-12 09:00 ana
		2026-01-12 09:00 – 2026-01-13 00:00 bo`)
	// In the gap at its end, in the fold once.
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-03-28 01:30", "30 1 * * *")),
		"2026-03-28 00:00", "2026-03-30 12:00", `
		2026-03-28 01:30 – 2026-03-29 01:00 ana
		2026-03-29 01:00 – 2026-03-30 00:30 bo
		2026-03-30 00:30 – 2026-03-30 12:00 ana`)
	expect(t, one(t, "Europe/Lisbon", rotation(t, "ana, bo", "2026-10-24 01:30", "30 1 * * *")),
		"2026-10-24 00:00", "2026-10-26 12:00", `
		2026-10-24 00:30 – 2026-10-25 00:30 ana
		2026-10-25 00:30 – 2026-10-26 01:30 bo
		2026-10-26 01:30 – 2026-10-26 12:00 ana`)
	// Day of month and weekday both given: either. 13 February 2026 is a Friday.
	expect(t, one(t, "UTC", rotation(t, "ana, bo", "2026-02-01 00:00", "0 0 13 * MON")),
		"2026-02-08 00:00", "2026-02-17 00:00", `
		2026-02-08 00:00 – 2026-02-09 00:00 bo
		2026-02-09 00:00 – 2026-02-13 00:00 ana
		2026-02-13 00:00 – 2026-02-16 00:00 bo
		2026-02-16 00:00 – 2026-02-17 00:00 ana`)
}
