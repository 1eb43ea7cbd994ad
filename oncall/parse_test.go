package oncall

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"pgregory.net/rapid"
)

func TestParsersReadWhatIsWritten(t *testing.T) {
	str := func(v any, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		return fmt.Sprint(v)
	}
	civil := func(s string) string { return str(ParseCivil(s)) }
	every := func(s string) string { return str(ParseEvery(s)) }
	days := func(s string) string { return str(ParseDays(strings.Split(s, ",")...)) }
	cron := func(s string) string { return str(ParseHandoff(s)) }
	clock := func(s string) string { return str(ParseClock(s)) }
	week := func(s string) string { return str(ParseWeekTime(s)) }
	entry := func(s string) string {
		f := strings.Split(s, "|")
		var days []string
		if f[0] != "" {
			days = strings.Split(f[0], ",")
		}
		return str(ParseWindow(days, f[1], f[2]))
	}
	for _, c := range []struct {
		parse    func(string) string
		in, want string
	}{
		{civil, "2026-01-05 09:00", "2026-01-05 09:00"},
		{civil, " 2026-01-05 9:00 ", "2026-01-05 09:00"},
		{civil, "2026-01-05T09:00", "2026-01-05 09:00"},
		{civil, "2026-01-05 09:00:00", "2026-01-05 09:00"},
		{civil, "2026-12-31 24:00", "2027-01-01 00:00"},
		{civil, "1970-01-01 00:00", "1970-01-01 00:00"},
		{civil, "2028-02-29 00:00", "2028-02-29 00:00"},
		{civil, "2026-02-29 00:00", `error: "2026-02-29 00:00" is no day of the calendar; write a local date and time such as 2026-01-05 09:00`},
		{civil, "2026-01-05", `error: "2026-01-05" is not a date and a time; write a local date and time such as 2026-01-05 09:00`},
		{civil, "2026-01-05T09:00Z", `error: "2026-01-05T09:00Z" names an offset, but time_zone says the zone; write a local date and time such as 2026-01-05 09:00`},
		{civil, "2026-01-05 09:00:30", `error: "2026-01-05 09:00:30" is finer than a minute; write a local date and time such as 2026-01-05 09:00`},
		{every, "1w", "1w"},
		{every, "12h", "12h"},
		{every, "5d", "5d"},
		{every, "3month", "3month"},
		{every, "0h", `error: "0h": a turn lasts at least 1; write Nh, Nd, Nw or Nmonth, such as 12h or 1w`},
		{every, "h", `error: "h": a turn lasts at least 1; write Nh, Nd, Nw or Nmonth, such as 12h or 1w`},
		{every, "1m", `error: "1m" is not the length of a turn; write Nh, Nd, Nw or Nmonth, such as 12h or 1w`},
		{every, "-1w", `error: "-1w" is not the length of a turn; write Nh, Nd, Nw or Nmonth, such as 12h or 1w`},
		{every, "99999999999999999999w", `error: "99999999999999999999w": a turn of more than 100000 is too long`},
		{days, "mon-fri", "mon-fri"},
		{days, "sat-mon", "sat-mon"},
		{days, "sun", "sun"},
		{days, "Monday,wed", "mon, wed"},
		{days, "mon-sun", "mon-sun"},
		{days, "fri-thu", "mon-sun"},
		{days, "mon,tue,sun", "sun-tue"},
		{days, "mo", `error: "mo": "mo" is no weekday; write mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri`},
		{clock, "00:00", "0"},
		{clock, "24:00", "1440"},
		{clock, "9:05", "545"},
		{clock, "24:01", `error: "24:01" is no time of a day; the last is 24:00`},
		{clock, "9", `error: "9" is not a time of day; write one such as 09:00 or 24:00`},
		{week, "fri 18:00", "6840"},
		{week, "sun 24:00", "0"},
		{week, "friday", `error: "friday" is no time of the week; write one such as "fri 18:00"`},
		{cron, "0 9 * * MON", "0 9 * * MON"},
		{cron, " 0  9 * * 1 ", "0 9 * * 1"},
		{cron, "0 0 29 2 *", "0 0 29 2 *"},
		{cron, "0 0 30 2 *", `error: "0 0 30 2 *" never comes: no year has such a day`},
		{cron, "0 0 31 4,6,9,11 *", `error: "0 0 31 4,6,9,11 *" never comes: no year has such a day`},
		{cron, ", 9 * * *", `error: ", 9 * * *" never comes: no year has such a day`},
		{cron, "@every 1h", `error: "@every 1h" is not a cron expression of five fields; write one such as 0 9 * * MON`},
		{cron, "@weekly", `error: "@weekly" is not a cron expression of five fields; write one such as 0 9 * * MON`},
		{cron, "0 9 * *", `error: "0 9 * *" has 4 fields; write five (minute, hour, day, month, weekday), such as 0 9 * * MON`},
		{cron, "", `error: no cron expression; write five fields such as 0 9 * * MON`},
		{cron, "TZ=UTC", `error: "TZ=UTC" names a zone; leave it out, since time_zone says it`},
		{cron, "CRON_TZ=UTC 0 9 * * *", `error: "CRON_TZ=UTC 0 9 * * *" names a zone; leave it out, since time_zone says it`},
		{cron, "0 25 * * *", `error: "0 25 * * *": end of range (25) above maximum (23): 25; write five fields such as 0 9 * * MON`},
		{entry, "mon-fri|09:00|17:00", "mon-fri 09:00 to 17:00"},
		{entry, "sat,sun||", "sat-sun 00:00 to 24:00"},
		{entry, "|22:00|06:00", "every day 22:00 to 06:00"},
		{entry, "|fri 18:00|mon 09:00", "fri 18:00 to mon 09:00"},
		{entry, "|fri 18:00|09:00", `error: from and to both need a weekday or neither; write {from: "fri 18:00", to: "mon 09:00"}`},
		{entry, "mon|fri 18:00|mon 09:00", `error: days and a weekday in from or to exclude each other; write {from: "fri 18:00", to: "mon 09:00"}`},
		{entry, "|24:00|", `error: from: "24:00" is the next day's 00:00; a window starts before it`},
		{entry, "|9am|", `error: from: "9am" is not a time of day; write one such as 09:00 or 24:00`},
	} {
		if got := c.parse(c.in); got != c.want {
			t.Errorf("%q: got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestOverridesSurviveJSON(t *testing.T) {
	for _, o := range []Override{
		{ID: "1", Kind: Replace, User: "ana", With: "bo", From: wall(t, "2026-01-05 09:00"), To: wall(t, "2026-01-06 09:00")},
		{Kind: Take, User: "ana", Layer: "weekly", Start: utc(t, "2026-01-05 09:00"), End: utc(t, "2026-01-06 09:00")},
	} {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var back Override
		if err := json.Unmarshal(b, &back); err != nil || back != o {
			t.Errorf("%s came back as %+v, %v", b, back, err)
		}
	}
}

func TestDatesAreTheCalendars(t *testing.T) {
	day := int64(0)
	for at := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2500; at = at.AddDate(0, 0, 1) {
		y, m, d := dateOf(day)
		if y != at.Year() || m != int(at.Month()) || d != at.Day() || dayOf(y, m, d) != day ||
			(day+1)%7 != int64(at.Weekday()) || Civil(day*dayMinutes).unix() != at.Unix() {
			t.Fatalf("day %d is %d-%d-%d and %d, want %v", day, y, m, d, dayOf(y, m, d), at)
		}
		day++
	}
}

// The library's own search, on civil time, finds what our sets of days do; it gives up after five years.
func TestHandoffsComeWhenCronSaysSo(t *testing.T) {
	field := func(t *rapid.T, low, high int, what string) string {
		a := rapid.IntRange(low, high).Draw(t, what)
		b := rapid.IntRange(a, high).Draw(t, what+" end")
		step := rapid.IntRange(1, 9).Draw(t, what+" step")
		forms := []string{
			"*", "*", fmt.Sprint(a), fmt.Sprintf("%d-%d", a, b), fmt.Sprintf("%d,%d", a, b),
			fmt.Sprintf("*/%d", step), fmt.Sprintf("%d-%d/%d", a, b, step), "?",
		}
		return rapid.SampledFrom(forms).Draw(t, what+" form")
	}
	check(t, 300, 20_000, func(t *rapid.T) {
		text := strings.Join([]string{
			field(t, 0, 59, "minute"), field(t, 0, 23, "hour"), field(t, 1, 31, "day"),
			field(t, 1, 12, "month"), field(t, 0, 6, "weekday"),
		}, " ")
		spec, err := cron.ParseStandard(text)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseHandoff(text)
		c := Civil(dayOf(rapid.IntRange(1990, 2080).Draw(t, "year"), 1, 1)*dayMinutes) + Civil(rapid.IntRange(0, 366*dayMinutes).Draw(t, "minute of it"))
		r := Rotation{Turns: [][]string{{"ana"}, {"bo"}}, Start: c, Handoff: h}
		var turns turns
		if err == nil {
			turns = newTurns(r, dates{}, "")
		}
		for n := int64(1); n < 50; n++ {
			want := spec.Next(asTime(unixMinute(c)))
			if want.IsZero() {
				return // never, or not for five years
			}
			if err != nil {
				t.Fatalf("%q: %v, but it comes at %v", text, err, want)
			}
			if c = h.Next(c); asTime(unixMinute(c)) != want {
				t.Fatalf("%q: next is %s, want %v", text, c, want)
			}
			if got := turns.number(&now{at: want.Unix(), zones: []zoneNow{{clock: clock{zone: time.UTC}}}}, 0); got != n {
				t.Fatalf("%q: at %v turn %d, want %d", text, want, got, n)
			}
		}
	})
}

func TestCronsSundayIsAlso7AndTheEndOfTheWeek(t *testing.T) {
	for in, want := range map[string]Weekdays{
		"7": 64, "5-7": 16 + 32 + 64, "fri-sun": 16 + 32 + 64, "1-7/2": 1 + 4 + 16 + 64, "0-7": 127,
		"MON,7": 65, "sun": 64, "0": 64, "1-5": 31, "*": 127, "sat,sun": 96, "*/2": 64 + 2 + 8 + 32,
	} {
		h, err := ParseHandoff("0 9 * * " + in)
		if err != nil || h.days.weekdays != want {
			t.Errorf("%s: %b, %v, want %b", in, h.days.weekdays, err, want)
		}
	}
	for _, in := range []string{"8", "5-8", "x-7", "5-7/0", "7-", "7/2"} {
		if h, err := ParseHandoff("0 9 * * " + in); err == nil {
			t.Errorf("%s is accepted as %v", in, h.days)
		}
	}
}

// What a parser accepts is printed so that it reads the same again.
func again[T comparable](t *testing.T, in string, parse func(string) (T, error), print func(T) string) {
	v, err := parse(in)
	if err != nil {
		if strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%q: an error without words", in)
		}
		return
	}
	if back, err := parse(print(v)); err != nil || back != v {
		t.Errorf("%q is %v, printed %q, read as %v, %v", in, v, print(v), back, err)
	}
}

func FuzzParseCivil(f *testing.F) {
	for _, s := range []string{"2026-01-05 09:00", "0001-01-01 00:01", "9999-12-31 23:59", "2026-01-05T24:00", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { again(t, s, ParseCivil, Civil.String) })
}

func FuzzParseEvery(f *testing.F) {
	for _, s := range []string{"1h", "2d", "3w", "4month", "0w", "1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { again(t, s, ParseEvery, Every.String) })
}

func FuzzParseDays(f *testing.F) {
	for _, s := range []string{"mon", "mon-fri", "sat-mon", "sunday", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, func(s string) (Weekdays, error) { return ParseDays(strings.Split(s, ",")...) }, Weekdays.String)
	})
}

func FuzzParseClocks(f *testing.F) {
	for _, s := range []string{"00:00", "24:00", "9:59", "fri 18:00", "sun 24:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		again(t, s, ParseClock, FormatClock)
		again(t, s, ParseWeekTime, FormatWeekTime)
	})
}

func FuzzParseWindow(f *testing.F) {
	f.Add("mon-fri", "09:00", "17:00")
	f.Add("", "fri 18:00", "mon 09:00")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, days, from, to string) {
		var list []string
		if days != "" {
			list = strings.Split(days, ",")
		}
		w, err := ParseWindow(list, from, to)
		if err == nil && w.check() != nil {
			t.Errorf("%q %q %q: %v, which New refuses: %v", days, from, to, w, w.check())
		}
	})
}

func FuzzParseHandoff(f *testing.F) {
	for _, s := range []string{"0 9 * * MON", "TZ=", "TZ=UTC 0 9 * * *", "@every 1h", "*/5 0-23/2 1,15 JAN-DEC fri-sun", "0 0 29 2 *", "60 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHandoff(s)
		if err != nil {
			return
		}
		back, err := ParseHandoff(h.String())
		if err != nil || back.String() != h.String() || back.days.weekdays != h.days.weekdays || len(back.minutes) != len(h.minutes) {
			t.Errorf("%q printed %q, read as %v, %v", s, h, back, err)
		}
		if c := Civil(dayOf(2026, 1, 1) * dayMinutes); h.Next(c) <= c {
			t.Errorf("%q: next of %s is %s", s, c, h.Next(c))
		}
	})
}

func TestParseCount(t *testing.T) {
	for _, c := range []Count{CalendarDays, ActiveDays} {
		if got, err := ParseCount(string(c)); got != c || err != nil {
			t.Errorf("%s is %s, %v", c, got, err)
		}
	}
	if _, err := ParseCount("days"); err == nil || err.Error() != "count is calendar or active_days" {
		t.Errorf("days: %v", err)
	}
}
