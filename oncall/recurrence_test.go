package oncall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

func recurs(t testing.TB, cron string, length time.Duration, zone string) *Recurrence {
	t.Helper()
	r, err := ParseRecurrence(cron, length, zone)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func once(t testing.TB, from, to, zone string) *Recurrence {
	t.Helper()
	r, err := Once(wall(t, from), wall(t, to), zone)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// print lists the windows that hold or begin in [from, to), in UTC.
func (r *Recurrence) print(from, to time.Time) string {
	var b strings.Builder
	w, ok := r.At(from)
	if !ok {
		w, ok = r.Next(from)
	}
	for ; ok && w.From.Before(to); w, ok = r.Next(w.From) {
		const layout = "2006-01-02 15:04"
		fmt.Fprintf(&b, "%s – %s\n", w.From.Format(layout), w.To.Format(layout))
	}
	return b.String()
}

func (r *Recurrence) expect(t *testing.T, from, to, want string) {
	t.Helper()
	if got := r.print(utc(t, from), utc(t, to)); got != unindent(want) {
		t.Errorf("got\n%swant\n%s", got, unindent(want))
	}
}

func TestAWindowIsHalfOpen(t *testing.T) {
	sunday := Occurrence{utc(t, "2026-01-11 22:00"), utc(t, "2026-01-12 00:00")}
	week := 7 * 24 * time.Hour
	later := Occurrence{sunday.From.Add(week), sunday.To.Add(week)}
	single := Occurrence{utc(t, "2026-12-01 22:00"), utc(t, "2026-12-02 02:00")}
	none := Occurrence{}
	recurring := recurs(t, "0 22 * * SUN", 2*time.Hour, "Europe/Lisbon")
	one := once(t, "2026-12-01 22:00", "2026-12-02 02:00", "Europe/Lisbon")
	for _, c := range []struct {
		r        *Recurrence
		at       time.Time
		now, new Occurrence
	}{
		{recurring, sunday.From.Add(-1), none, sunday},
		{recurring, sunday.From, sunday, later},
		{recurring, sunday.To.Add(-1), sunday, later},
		{recurring, sunday.To, none, later},
		{one, single.From.Add(-1), none, single},
		{one, single.From, single, none},
		{one, single.To.Add(-1), single, none},
		{one, single.To, none, none},
		{one, time.Time{}, none, single},
	} {
		if got, ok := c.r.At(c.at); got != c.now || ok != (c.now != none) {
			t.Errorf("at %v %v, %v, want %v", c.at, got, ok, c.now)
		}
		if got, ok := c.r.Next(c.at); got != c.new || ok != (c.new != none) {
			t.Errorf("after %v %v, %v, want %v", c.at, got, ok, c.new)
		}
	}
}

// Two hours are two hours, whatever the clocks do: in Lisbon 01:00 becomes 02:00 on 29 March 2026 and 02:00 becomes
// 01:00 on 25 October, both at 01:00 UTC.
func TestALengthIsElapsedTime(t *testing.T) {
	r := recurs(t, "0 0 * * SUN", 2*time.Hour, "Europe/Lisbon")
	r.expect(t, "2026-03-25 00:00", "2026-04-07 00:00", `
		2026-03-29 00:00 – 2026-03-29 02:00
		2026-04-04 23:00 – 2026-04-05 01:00`)
	r.expect(t, "2026-10-20 00:00", "2026-11-02 00:00", `
		2026-10-24 23:00 – 2026-10-25 01:00
		2026-11-01 00:00 – 2026-11-01 02:00`)
}

func TestAStartThatIsMissingOrComesTwice(t *testing.T) {
	for _, c := range []struct{ zone, cron, from, to, want string }{
		// 01:30 is not there: 02:00 it is, an hour after 01:00 UTC's beginning.
		{"Europe/Lisbon", "30 1 * * *", "2026-03-28 12:00", "2026-03-30 12:00", `
			2026-03-29 01:00 – 2026-03-29 02:00
			2026-03-30 00:30 – 2026-03-30 01:30`},
		{"Europe/Lisbon", "30 1 * * *", "2026-10-24 12:00", "2026-10-26 12:00", `
			2026-10-25 00:30 – 2026-10-25 01:30
			2026-10-26 01:30 – 2026-10-26 02:30`},
		// Half an hour is skipped at 15:30 UTC, and half an hour comes again at 15:00.
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00", "2026-10-05 00:00", `
			2026-10-03 15:30 – 2026-10-03 16:30
			2026-10-04 15:15 – 2026-10-04 16:15`},
		{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04 00:00", "2026-04-06 00:00", `
			2026-04-04 14:45 – 2026-04-04 15:45
			2026-04-05 15:15 – 2026-04-05 16:15`},
		// 01:00 becomes 03:00 at 01:00 UTC; 03:00 becomes 01:00 at 01:00 UTC.
		{"Antarctica/Troll", "0 2 * * *", "2026-03-28 12:00", "2026-03-30 12:00", `
			2026-03-29 01:00 – 2026-03-29 02:00
			2026-03-30 00:00 – 2026-03-30 01:00`},
		{"Antarctica/Troll", "0 2 * * *", "2026-10-24 12:00", "2026-10-26 12:00", `
			2026-10-25 00:00 – 2026-10-25 01:00
			2026-10-26 02:00 – 2026-10-26 03:00`},
		// Ramadan: 03:00 becomes 02:00 at 02:00 UTC, and 02:00 becomes 03:00 at 02:00 UTC.
		{"Africa/Casablanca", "30 2 * * *", "2026-02-14 12:00", "2026-02-16 12:00", `
			2026-02-15 01:30 – 2026-02-15 02:30
			2026-02-16 02:30 – 2026-02-16 03:30`},
		{"Africa/Casablanca", "30 2 * * *", "2026-03-21 12:00", "2026-03-23 12:00", `
			2026-03-22 02:00 – 2026-03-22 03:00
			2026-03-23 01:30 – 2026-03-23 02:30`},
		// Apia had no 30 December 2011: its 02:00 is the first instant of the 31st, which has a 02:00 of its own.
		{"Pacific/Apia", "0 2 * * *", "2011-12-29 00:00", "2012-01-01 00:00", `
			2011-12-29 12:00 – 2011-12-29 13:00
			2011-12-30 10:00 – 2011-12-30 11:00
			2011-12-30 12:00 – 2011-12-30 13:00
			2011-12-31 12:00 – 2011-12-31 13:00`},
	} {
		t.Run(c.zone+" "+c.from, func(t *testing.T) {
			recurs(t, c.cron, time.Hour, c.zone).expect(t, c.from, c.to, c.want)
		})
	}
}

func TestASingleWindowBeginsEarlyAndEndsLate(t *testing.T) {
	for _, c := range []struct{ zone, from, to, want string }{
		{"Europe/Lisbon", "2026-12-01 22:00", "2026-12-02 02:00", "2026-12-01 22:00 – 2026-12-02 02:00"},
		{"Europe/Lisbon", "2026-10-25 01:10", "2026-10-25 01:20", "2026-10-25 00:10 – 2026-10-25 01:20"},
		{"Europe/Lisbon", "2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 00:30 – 2026-03-29 01:00"},
		{"Europe/Lisbon", "2026-03-29 01:30", "2026-03-29 02:30", "2026-03-29 01:00 – 2026-03-29 01:30"},
		{"Pacific/Apia", "2011-12-29 22:00", "2011-12-31 01:00", "2011-12-30 08:00 – 2011-12-30 11:00"},
	} {
		once(t, c.from, c.to, c.zone).expect(t, "2000-01-01 00:00", "2040-01-01 00:00", c.want)
	}
}

// Windows that touch on the wall clock are one, so that a silence made of them has no seam and no hole.
func TestWindowsThatTouchOrOverlapAreOne(t *testing.T) {
	for _, c := range []struct {
		what           string
		cron           string
		length         time.Duration
		from, to, want string
	}{
		{"a weekend", "0 22 * * SAT,SUN", 24 * time.Hour, "2026-06-05 00:00", "2026-06-15 00:00", `
			2026-06-06 21:00 – 2026-06-08 21:00
			2026-06-13 21:00 – 2026-06-15 21:00`},
		{
			"the weekend of the spring, an hour shorter", "0 22 * * SAT,SUN", 24 * time.Hour, "2026-03-27 00:00", "2026-03-31 00:00",
			`2026-03-28 22:00 – 2026-03-30 21:00`,
		},
		{
			"the weekend of the autumn, an hour longer", "0 22 * * SAT,SUN", 24 * time.Hour, "2026-10-23 00:00", "2026-10-27 00:00",
			`2026-10-24 21:00 – 2026-10-26 22:00`,
		},
		{
			"hours of a night", "*/15 22-23 * * MON", 20 * time.Minute, "2026-06-01 00:00", "2026-06-02 00:00",
			`2026-06-01 21:00 – 2026-06-01 23:05`,
		},
		{"hours past midnight", "0 0-1,22-23 * * *", time.Hour, "2026-06-01 12:00", "2026-06-03 12:00", `
			2026-06-01 21:00 – 2026-06-02 01:00
			2026-06-02 21:00 – 2026-06-03 01:00`},
		{
			"an hour that comes twice, and no hole", "0 0-2 * * SUN", time.Hour, "2026-10-24 00:00", "2026-10-26 00:00",
			`2026-10-24 23:00 – 2026-10-25 03:00`,
		},
		{
			"a seam that is not there in winter", "0 0-2 * * SUN", time.Hour, "2026-11-01 00:00", "2026-11-02 00:00",
			`2026-11-01 00:00 – 2026-11-01 03:00`,
		},
		{"pushed together by the gap", "0 0,3 * * *", 150 * time.Minute, "2026-03-28 12:00", "2026-03-30 12:00", `
			2026-03-29 00:00 – 2026-03-29 04:30
			2026-03-29 23:00 – 2026-03-30 01:30
			2026-03-30 02:00 – 2026-03-30 04:30`},
		{"a whole month", "* * * 2 *", time.Minute, "2026-01-01 00:00", "2027-01-01 00:00", `2026-02-01 00:00 – 2026-03-01 00:00`},
		{"the longest", "* * * 1 *", time.Minute, "2026-01-15 00:00", "2027-01-01 00:00", `2026-01-01 00:00 – 2026-02-01 00:00`},
		{"the last of one month and the first of the next", "0 0 1,31 * *", 24 * time.Hour, "2026-01-15 00:00", "2026-03-20 00:00", `
			2026-01-31 00:00 – 2026-02-02 00:00
			2026-03-01 00:00 – 2026-03-02 00:00`},
	} {
		t.Run(c.what, func(t *testing.T) {
			recurs(t, c.cron, c.length, "Europe/Lisbon").expect(t, c.from, c.to, c.want)
		})
	}
	// In Apia 30 December 2011 is skipped; every start of that day is at the first instant of the 31st.
	recurs(t, "0 * * * *", 59*time.Minute, "Pacific/Apia").expect(t, "2011-12-30 08:00", "2011-12-30 12:00", `
		2011-12-30 08:00 – 2011-12-30 08:59
		2011-12-30 09:00 – 2011-12-30 09:59
		2011-12-30 10:00 – 2011-12-30 10:59
		2011-12-30 11:00 – 2011-12-30 11:59`)
	recurs(t, "0 22 * * *", 23*time.Hour, "Pacific/Apia").expect(t, "2011-12-29 00:00", "2012-01-02 00:00", `
		2011-12-28 08:00 – 2011-12-29 07:00
		2011-12-29 08:00 – 2011-12-30 07:00
		2011-12-30 08:00 – 2012-01-01 07:00
		2012-01-01 08:00 – 2012-01-02 07:00`)
}

// A window that a gap has doubled is the same one when it is asked for at its end: in Cairo 24 April 2026 has no midnight.
func TestTheBeginOfALongWindowIsFoundFromItsEnd(t *testing.T) {
	r := recurs(t, "0 0 1 4,5 *", 30*24*time.Hour-30*time.Minute, "Africa/Cairo")
	want := Occurrence{utc(t, "2026-03-31 22:00"), utc(t, "2026-05-30 20:30")}
	for _, at := range []time.Time{want.From, utc(t, "2026-04-30 21:15"), want.To.Add(-1)} {
		if got, ok := r.At(at); got != want || !ok {
			t.Errorf("at %v %v, %v, want %v", at, got, ok, want)
		}
	}
}

func TestWhatCannotRecurIsRefused(t *testing.T) {
	const (
		length  = "a window that recurs lasts at least 1m and at most 31d; write a duration such as 2h"
		forever = "windows that touch are one, and those of %q then last longer than 31d, or for ever; write a shorter duration"
	)
	for _, c := range []struct {
		cron   string
		length time.Duration
		zone   string
		want   string
	}{
		{"0 22 * * SUN", 0, "UTC", length},
		{"0 22 * * SUN", 59 * time.Second, "UTC", length},
		{"0 22 * * SUN", -time.Hour, "UTC", length},
		{"0 22 * * SUN", 31*24*time.Hour + time.Minute, "UTC", length},
		{"0 22 * * SUN", 90 * time.Second, "UTC", "a window lasts whole minutes; leave out what is finer"},
		{"0 22 * * SUN", 7 * 24 * time.Hour, "UTC", fmt.Sprintf(forever, "0 22 * * SUN")},
		{"0 * * * *", time.Hour, "UTC", fmt.Sprintf(forever, "0 * * * *")},
		{"*  *  * * *", time.Minute, "UTC", fmt.Sprintf(forever, "* * * * *")},
		{"0 0 1 * *", 28 * 24 * time.Hour, "UTC", fmt.Sprintf(forever, "0 0 1 * *")},
		{"* * * 1,2 *", time.Minute, "UTC", fmt.Sprintf(forever, "* * * 1,2 *")},
		{"0 0 1 1 *", 31*24*time.Hour + 1, "UTC", length},
		{"0 22 * SUN", time.Hour, "UTC", `"0 22 * SUN" has 4 fields; write five (minute, hour, day, month, weekday), such as 0 9 * * MON`},
		{"0 22 31 2 *", time.Hour, "UTC", `"0 22 31 2 *" never comes: no year has such a day`},
		{"TZ=", time.Hour, "UTC", `"TZ=" names a zone; leave it out, since time_zone says it`},
		{"0 22 * * SUN", time.Hour, "", `"" is not a time zone; write an IANA name such as Europe/Lisbon or UTC`},
		{"0 22 * * SUN", time.Hour, "Local", `"Local" is not a time zone; write an IANA name such as Europe/Lisbon or UTC`},
	} {
		if _, err := ParseRecurrence(c.cron, c.length, c.zone); err == nil || err.Error() != c.want {
			t.Errorf("%q for %v in %q: %v, want %s", c.cron, c.length, c.zone, err, c.want)
		}
	}
	for _, c := range []struct{ from, to, zone, want string }{
		{"2026-12-01 22:00", "2026-12-01 22:00", "UTC", "2026-12-01 22:00 is not after 2026-12-01 22:00; a window ends after it begins"},
		{"2026-12-01 22:00", "2025-12-02 02:00", "UTC", "2025-12-02 02:00 is not after 2026-12-01 22:00; a window ends after it begins"},
		{"2026-12-01 22:00", "2026-12-02 02:00", "Lisbon", `"Lisbon" is not a time zone; write an IANA name such as Europe/Lisbon or UTC`},
		{
			"2026-03-29 01:10", "2026-03-29 01:50", "Europe/Lisbon",
			"2026-03-29 01:10 to 2026-03-29 01:50 is skipped by the clocks of Europe/Lisbon; write times that they show",
		},
	} {
		if _, err := Once(wall(t, c.from), wall(t, c.to), c.zone); err == nil || err.Error() != c.want {
			t.Errorf("%s to %s in %q: %v, want %s", c.from, c.to, c.zone, err, c.want)
		}
	}
}

func TestRecurrencesAtTheEndsOfTime(t *testing.T) {
	r := recurs(t, "0 0 * * *", time.Hour, "Europe/Lisbon")
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		if w, ok := r.Next(at); !ok || !w.From.After(at) || w.From.Sub(at) > 49*time.Hour {
			t.Errorf("after %v %v, %v", at, w, ok)
		}
	}
	leap := recurs(t, "0 0 29 2 *", time.Hour, "UTC")
	if w, ok := leap.Next(utc(t, "2096-02-29 00:00")); !ok || w.From != utc(t, "2104-02-29 00:00") {
		t.Errorf("the leap day after 2096: %v, %v", w, ok)
	}
}

// slowly are the windows of a recurrence, minute by minute: every start of the cron library's is looked up in a table
// of what the clocks showed, its minutes are marked, and what is marked is read off.
func (t *table) slowly(expression string, length minute) (out []Occurrence) {
	spec, err := cron.ParseStandard(expression)
	if err != nil {
		panic(err)
	}
	held := make([]bool, t.to-t.from)
	mark := func(from, to minute) {
		for u := max(from, t.from); u < min(to, t.to); u++ {
			held[u-t.from] = true
		}
	}
	begun, before := future, future
	end := wallMinute(t.to-1, t.zone)
	for w := spec.Next(asTime(wallMinute(t.from, t.zone))).Unix() / 60; w < end; w = spec.Next(asTime(w)).Unix() / 60 {
		if before != future && w-before <= length {
			mark(begun, t.start(w)) // on the wall clock they touch
		} else {
			begun = t.start(w)
		}
		mark(t.start(w), t.start(w)+length)
		before = w
	}
	for i := 0; i < len(held); i++ {
		from := i
		for i < len(held) && held[i] {
			i++
		}
		if i > from {
			out = append(out, Occurrence{asTime(t.from + int64(from)), asTime(t.from + int64(i))})
		}
	}
	return out
}

// odd zones move their clocks by half an hour, two hours or a day, in other months, or at midnight.
var odd = []string{
	"Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll", "Europe/Lisbon", "Asia/Beirut",
	"America/Havana", "Asia/Gaza", "America/Caracas", "Asia/Pyongyang", "Pacific/Kwajalein", "America/Asuncion",
}

// drawRecurrence picks one whose windows last up to some minutes.
func drawRecurrence(t *rapid.T, most int) (expression string, length minute) {
	expression = rapid.SampledFrom([]string{
		"0 22 * * SUN", "30 2 * * *", "0 */4 * * *", "*/20 1-3 * * SUN", "0 0 * * *", "15 1 * * 6,0", "0 0 1,15 * *",
		"*/7 0-3 * * *", "45 1 */2 * 2", "59 23 * * *", "0 0-5 * * *", "0 2,3 * * *", "30 0 28-31 * *", "0 12 31 * *",
	}).Draw(t, "cron")
	about := rapid.SampledFrom([]int{6, 60, 300, 1440, 3 * 1440, most}).Draw(t, "about")
	return expression, int64(rapid.IntRange(1, min(about, most)).Draw(t, "length"))
}

func TestRecurrencesAgreeWithTheReference(t *testing.T) {
	check(t, 60, 100_000/schedulesPerCheck, func(t *rapid.T) {
		st := drawStageIn(t, slices.Concat(zoneNames(), odd, odd, odd, odd, odd, odd, odd, odd))
		if rapid.IntRange(0, 30).Draw(t, "Apia's day") == 0 {
			at := time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)
			st = stage{zone: loadZone("Pacific/Apia"), from: at.AddDate(0, 0, -3), to: at.AddDate(0, 0, 3)}
		}
		most, margin := 1440, minute(6*1440)
		if rapid.IntRange(0, 5).Draw(t, "long") == 0 {
			most, margin = 31*1440, 70*1440
		}
		table := tableOf(st.zone, st.from.Unix()/60-margin, st.to.Unix()/60+margin)
		for range schedulesPerCheck {
			expression, length := drawRecurrence(t, most)
			r, err := ParseRecurrence(expression, time.Duration(length)*time.Minute, st.zone.String())
			if err != nil {
				if !strings.Contains(err.Error(), "for ever") {
					t.Fatal(err)
				}
				continue // what is refused is refused rightly: see below
			}
			slow := table.slowly(expression, length)
			slow = slices.DeleteFunc(slow, func(w Occurrence) bool { return !w.To.After(st.from) || !w.From.Before(st.to) })
			var got []Occurrence
			w, ok := r.At(st.from)
			if !ok {
				w, ok = r.Next(st.from)
			}
			for ; ok && w.From.Before(st.to); w, ok = r.Next(w.From) {
				got = append(got, w)
			}
			if !slices.Equal(got, slow) {
				t.Fatalf("%q for %dm in %s from %v: %s", expression, length, st.zone, st.from, differ(got, slow))
			}
			for at := st.from.Add(29 * time.Second); at.Before(st.to); at = at.Add(181 * time.Minute) {
				var now, next Occurrence
				for _, w := range slow {
					if !at.Before(w.From) && at.Before(w.To) {
						now = w
					}
					if next == (Occurrence{}) && w.From.After(at) {
						next = w
					}
				}
				if w, ok := r.At(at); w != now || ok != (now != Occurrence{}) {
					t.Fatalf("%q for %dm in %s at %v: %v, want %v", expression, length, st.zone, at, w, now)
				}
				if w, ok := r.Next(at); !ok || next != (Occurrence{}) && w != next || !w.From.After(at) {
					t.Fatalf("%q for %dm in %s after %v: %v, want %v", expression, length, st.zone, at, w, next)
				}
			}
		}
	})
}

// Windows are ordered and apart, each is found at each of its instants and at no other, and no longer than allowed but
// for what changes of clocks add.
func TestAtAndNextAgree(t *testing.T) {
	check(t, 500, 20_000, func(t *rapid.T) {
		st := drawStageIn(t, slices.Concat(zoneNames(), odd, odd, odd, odd))
		expression, length := drawRecurrence(t, 31*1440)
		r, err := ParseRecurrence(expression, time.Duration(length)*time.Minute, st.zone.String())
		if err != nil {
			return
		}
		at := st.from.Add(time.Duration(rapid.Int64Range(0, int64(st.to.Sub(st.from))).Draw(t, "at")))
		before, held := r.At(at)
		for range 5 {
			w, ok := r.Next(at)
			if !ok || !w.From.After(at) || !w.To.After(w.From) || held && !w.From.After(before.To) {
				t.Fatalf("%q for %dm in %s: after %v %v, %v; before it %v", expression, length, st.zone, at, w, ok, before)
			}
			if long := w.To.Sub(w.From); long > MaxOccurrence+49*time.Hour || long < time.Duration(length)*time.Minute {
				t.Fatalf("%q for %dm in %s: %v lasts %v", expression, length, st.zone, w, long)
			}
			third := w.To.Sub(w.From) / 3
			for _, in := range []time.Time{w.From, w.From.Add(third), w.From.Add(2 * third), w.To.Add(-1)} {
				if got, ok := r.At(in); !ok || got != w {
					t.Fatalf("%q for %dm in %s: at %v %v, %v, want %v", expression, length, st.zone, in, got, ok, w)
				}
			}
			for _, out := range []time.Time{w.From.Add(-1), w.To} {
				if got, ok := r.At(out); ok && got == w {
					t.Fatalf("%q for %dm in %s: at %v %v", expression, length, st.zone, out, got)
				}
			}
			if again, ok := r.Next(w.From.Add(-1)); !ok || again != w {
				t.Fatalf("%q for %dm in %s: just before %v comes %v", expression, length, st.zone, w, again)
			}
			at, before, held = w.From, w, true
		}
	})
}

// What is refused because it runs on does: windows that touch are longer than 31 days together.
func TestWhatRunsOnIsRefused(t *testing.T) {
	check(t, 100, 1000, func(t *rapid.T) {
		expression, length := drawRecurrence(t, 31*1440)
		_, err := ParseRecurrence(expression, time.Duration(length)*time.Minute, "UTC")
		spec, wrong := cron.ParseStandard(expression)
		if wrong != nil {
			t.Fatal(wrong)
		}
		last := spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
		first, longest := last, time.Duration(0)
		for last.Year() < 2005 && longest <= MaxOccurrence {
			longest = max(longest, last.Sub(first)+time.Duration(length)*time.Minute)
			next := spec.Next(last)
			if next.Sub(last) > time.Duration(length)*time.Minute {
				first = next
			}
			last = next
		}
		if (err != nil) != (longest > MaxOccurrence) {
			t.Fatalf("%q for %dm: %v, but the longest lasts %v", expression, length, err, longest)
		}
	})
}

func FuzzParseRecurrence(f *testing.F) {
	for _, s := range []string{"0 22 * * SUN", "TZ=", "*/2 * * * *", "0 0 29 2 *", "0 0 1,31 * 5-7", "* * * 1 *"} {
		f.Add(s, 120)
	}
	f.Fuzz(func(t *testing.T, expression string, minutes int) {
		r, err := ParseRecurrence(expression, time.Duration(minutes)*time.Minute, "Europe/Lisbon")
		if err != nil {
			return
		}
		at := utc(t, "2026-03-20 12:00")
		if w, ok := r.Next(at); !ok || !w.From.After(at) || !w.To.After(w.From) {
			t.Errorf("%q for %dm: after %v %v, %v", expression, minutes, at, w, ok)
		}
	})
}

func BenchmarkRecurrence(b *testing.B) {
	for name, r := range map[string]*Recurrence{
		"a night":       recurs(b, "0 22 * * SUN", 2*time.Hour, "Europe/Lisbon"),
		"a weekend":     recurs(b, "0 22 * * SAT,SUN", 24*time.Hour, "Europe/Lisbon"),
		"a month":       recurs(b, "* * * 1 *", time.Minute, "Europe/Lisbon"),
		"the worst":     recurs(b, "*/2 * * * *", time.Minute, "Europe/Lisbon"),
		"a single time": once(b, "2026-12-01 22:00", "2026-12-02 02:00", "Europe/Lisbon"),
	} {
		at := utc(b, "2026-03-29 00:30")
		b.Run(name+"/at", func(b *testing.B) {
			for range b.N {
				r.At(at)
			}
		})
		b.Run(name+"/next", func(b *testing.B) {
			for range b.N {
				r.Next(at)
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		for range b.N {
			recurs(b, "0 22 * * SAT,SUN", 24*time.Hour, "Europe/Lisbon")
		}
	})
}
