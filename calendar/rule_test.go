package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"
)

func wallAt(s string) civil {
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		t, err = time.Parse("2006-01-02 15:04", s)
	}
	if err != nil {
		t, err = time.Parse("2006-01-02", s)
	}
	if err != nil {
		panic(err)
	}
	return civil(t.Unix())
}

// unroll is at most n wall times of a rule.
func unroll(t rapidOrTest, s string, start, lo, hi civil, n int) []civil {
	t.Helper()
	r, err := parseRule(s, nil)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	var got []civil
	w := work(maxWork)
	err = r.expand(start, lo, hi, true, &w, func(c civil) error {
		if c < lo {
			return nil
		}
		if got = append(got, c); len(got) == n {
			return errStop
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return got
}

type rapidOrTest interface {
	Helper()
	Fatalf(string, ...any)
}

// TestRules walks the examples of RFC 5545, 3.8.5.3, and what it leaves to be concluded.
func TestRules(t *testing.T) {
	for _, c := range []struct{ name, rule, start, want string }{
		{"daily for ten", "FREQ=DAILY;COUNT=3", "1997-09-02 09:00", "1997-09-02 09:00, 1997-09-03 09:00, 1997-09-04 09:00"},
		{"every other day", "FREQ=DAILY;INTERVAL=2", "1997-09-02 09:00", "1997-09-02 09:00, 1997-09-04 09:00, 1997-09-06 09:00"},
		{"every day in January", "FREQ=YEARLY;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "1998-01-30 09:00", "1998-01-30 09:00, 1998-01-31 09:00, 1999-01-01 09:00"},
		{"week start matters: Monday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05 09:00", "1997-08-05 09:00, 1997-08-10 09:00, 1997-08-19 09:00, 1997-08-24 09:00"},
		{"week start matters: Sunday", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05 09:00", "1997-08-05 09:00, 1997-08-17 09:00, 1997-08-19 09:00, 1997-08-31 09:00"},
		{"first Friday", "FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "1997-09-05 09:00", "1997-09-05 09:00, 1997-10-03 09:00, 1997-11-07 09:00"},
		{"first and last Sunday of every other month", "FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU", "1997-09-07 09:00", "1997-09-07 09:00, 1997-09-28 09:00, 1997-11-02 09:00, 1997-11-30 09:00"},
		{"third to the last day", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28 09:00", "1997-09-28 09:00, 1997-10-29 09:00, 1997-11-28 09:00"},
		{"no 31st, no occurrence", "FREQ=MONTHLY", "2026-01-31 09:00", "2026-01-31 09:00, 2026-03-31 09:00, 2026-05-31 09:00"},
		{"29 February", "FREQ=YEARLY", "2024-02-29 00:00", "2024-02-29 00:00, 2028-02-29 00:00, 2032-02-29 00:00"},
		{"days of the year", "FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200", "1997-01-01 09:00", "1997-01-01 09:00, 1997-04-10 09:00, 1997-07-19 09:00, 2000-01-01 09:00"},
		{"20th Monday of the year", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19 09:00", "1997-05-19 09:00, 1998-05-18 09:00, 1999-05-17 09:00"},
		{"Monday of week 20", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12 09:00", "1997-05-12 09:00, 1998-05-11 09:00, 1999-05-17 09:00"},
		{"week 20 on the weekday of the start", "FREQ=YEARLY;BYWEEKNO=20", "1997-05-12 09:00", "1997-05-12 09:00, 1998-05-11 09:00, 1999-05-17 09:00"},
		{"week 1 may begin in December", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "2024-12-30 09:00", "2024-12-30 09:00, 2025-12-29 09:00, 2027-01-04 09:00"},
		{"the last week of the year", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO", "2026-12-28 09:00", "2026-12-28 09:00, 2027-12-27 09:00, 2028-12-25 09:00"},
		{"Friday the 13th", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998-02-13 09:00", "1998-02-13 09:00, 1998-03-13 09:00, 1998-11-13 09:00"},
		{"election day", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05 09:00", "1996-11-05 09:00, 2000-11-07 09:00, 2004-11-02 09:00"},
		{"third of three weekdays", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04 09:00", "1997-09-04 09:00, 1997-10-07 09:00, 1997-11-06 09:00"},
		{"last workday but one", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29 09:00", "1997-09-29 09:00, 1997-10-30 09:00, 1997-11-27 09:00"},
		{"the position counts the whole first week", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "2026-01-07 09:00", "2026-01-07 09:00, 2026-01-14 09:00, 2026-01-21 09:00"},
		{"every three hours until", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "1997-09-02 09:00", "1997-09-02 09:00, 1997-09-02 12:00, 1997-09-02 15:00"},
		{"every hour and a half", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", "1997-09-02 09:00", "1997-09-02 09:00, 1997-09-02 10:30, 1997-09-02 12:00, 1997-09-02 13:30"},
		{"within hours", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,11", "1997-09-02 09:20", "1997-09-02 09:20, 1997-09-02 09:40, 1997-09-02 11:00"},
		{"an hour that never comes", "FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "1997-09-02 09:00", "1997-09-02 09:00"},
		{"a month that never has so many", "FREQ=MONTHLY;BYDAY=53MO", "1997-12-01 09:00", "1997-12-01 09:00"},
		{"seconds", "FREQ=SECONDLY;INTERVAL=40;BYSECOND=0,20", "1997-09-02 09:00", "1997-09-02 09:00, 1997-09-02 09:01:20, 1997-09-02 09:02:00"},
		{"invalid days are passed over", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15 09:00", "2007-01-15 09:00, 2007-01-30 09:00, 2007-02-15 09:00, 2007-03-15 09:00, 2007-03-30 09:00"},
		{"the start counts, in the rule or not", "FREQ=WEEKLY;BYDAY=TU;COUNT=3", "2026-01-05 09:00", "2026-01-05 09:00, 2026-01-06 09:00, 2026-01-13 09:00"},
		{"a date includes its day", "FREQ=DAILY;UNTIL=20260106", "2026-01-05 09:00", "2026-01-05 09:00, 2026-01-06 09:00"},
		{"over before it begins", "FREQ=DAILY;UNTIL=20260104T090000", "2026-01-05 09:00", ""},
		{"lower case, blank parts, extensions", "freq=daily;;x-what=ever;count=1;", "2026-01-05 09:00", "2026-01-05 09:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []civil
			if c.want != "" {
				for s := range strings.SplitSeq(c.want, ", ") {
					want = append(want, wallAt(s))
				}
			}
			start := wallAt(c.start)
			n := max(3, len(want))
			if got := unroll(t, c.rule, start, start, wallAt("2040-01-01"), n); !slices.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
}

func TestRulesThatAreNone(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"", "no FREQ"},
		{"COUNT=3", "no FREQ"},
		{"FREQ=OFTEN", "no frequency"},
		{"FREQ=DAILY;FREQ=DAILY", "twice"},
		{"FREQ=DAILY;INTERVAL=0", "no number from 1"},
		{"FREQ=DAILY;INTERVAL=1000001", "no number"},
		{"FREQ=DAILY;COUNT=0", "no number"},
		{"FREQ=DAILY;UNTIL=soon", "no date"},
		{"FREQ=DAILY;BYMONTH=0", "no number"},
		{"FREQ=DAILY;BYMONTHDAY=-32", "no number"},
		{"FREQ=DAILY;BYMONTHDAY=0", "no number"},
		{"FREQ=DAILY;BYHOUR=24", "no number"},
		{"FREQ=DAILY;BYDAY=", "no value"},
		{"FREQ=DAILY;BYDAY=XX", "no weekday"},
		{"FREQ=DAILY;BYDAY=M", "no weekday"},
		{"FREQ=YEARLY;BYDAY=0MO", "no weekday"},
		{"FREQ=YEARLY;BYDAY=54MO", "no weekday"},
		{"FREQ=WEEKLY;BYDAY=1MO", "numbered weekday"},
		{"FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "numbered weekday"},
		{"FREQ=DAILY;WKST=7", "no weekday"},
		{"FREQ=YEARLY;RSCALE=CHINESE", "not known"},
		{"FREQ=YEARLY;BYEASTER=0", "not known"},
		{"FREQ", "no value"},
	} {
		if _, err := parseRule(c.rule, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.rule, err, c.want)
		}
	}
}

// A drawnRule is a rule as text, with what the slow evaluator needs of it.
type drawnRule struct {
	freq                            string
	interval, count                 int
	until                           civil
	wkst                            time.Weekday
	months, monthDays, yearDays     []int
	weeks, positions, hours, minute []int
	days                            []weekday
}

func (r drawnRule) String() string {
	parts := []string{"FREQ=" + r.freq, fmt.Sprintf("INTERVAL=%d", r.interval), "WKST=" + short(r.wkst)}
	if r.count > 0 {
		parts = append(parts, fmt.Sprintf("COUNT=%d", r.count))
	}
	if r.until > 0 {
		parts = append(parts, "UNTIL="+time.Unix(int64(r.until), 0).UTC().Format("20060102T150405"))
	}
	for _, l := range []struct {
		name string
		list []int
	}{
		{"BYMONTH", r.months},
		{"BYMONTHDAY", r.monthDays},
		{"BYYEARDAY", r.yearDays},
		{"BYWEEKNO", r.weeks},
		{"BYSETPOS", r.positions},
		{"BYHOUR", r.hours},
		{"BYMINUTE", r.minute},
	} {
		if len(l.list) > 0 {
			parts = append(parts, l.name+"="+strings.Trim(strings.ReplaceAll(fmt.Sprint(l.list), " ", ","), "[]"))
		}
	}
	var days []string
	for _, d := range r.days {
		n := ""
		if d.n != 0 {
			n = fmt.Sprint(d.n)
		}
		days = append(days, n+short(d.day))
	}
	if len(days) > 0 {
		parts = append(parts, "BYDAY="+strings.Join(days, ","))
	}
	return strings.Join(parts, ";")
}

func short(d time.Weekday) string { return strings.ToUpper(d.String()[:2]) }

func drawRule(t *rapid.T) drawnRule {
	r := drawnRule{
		freq:     rapid.SampledFrom([]string{"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"}).Draw(t, "freq"),
		interval: rapid.IntRange(1, 4).Draw(t, "interval"),
		wkst:     time.Weekday(rapid.IntRange(0, 6).Draw(t, "wkst")),
	}
	maybe := func(name string, values ...int) []int {
		if rapid.IntRange(0, 3).Draw(t, "has "+name) > 0 {
			return nil
		}
		list := rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 4, rapid.ID).Draw(t, name)
		slices.Sort(list)
		return list
	}
	r.months = maybe("months", 1, 2, 3, 6, 10, 12)
	r.monthDays = maybe("monthDays", 1, 2, 13, 28, 29, 30, 31, -1, -2, -31)
	r.yearDays = maybe("yearDays", 1, 60, 100, 365, 366, -1, -60, -366)
	if r.freq == "YEARLY" {
		r.weeks = maybe("weeks", 1, 2, 20, 52, 53, -1, -2, -53)
	}
	if rapid.Bool().Draw(t, "has days") {
		for _, d := range rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 1, 4, rapid.ID).Draw(t, "days") {
			w := weekday{day: time.Weekday(d)}
			if (r.freq == "YEARLY" || r.freq == "MONTHLY") && r.weeks == nil {
				w.n = rapid.SampledFrom([]int{0, 1, 2, 5, -1, -2, -5, 20, 53, -53}).Draw(t, "n")
			}
			r.days = append(r.days, w)
		}
	}
	r.hours = maybe("hours", 0, 2, 3, 9, 17, 23)
	r.minute = maybe("minutes", 0, 15, 30, 59)
	r.positions = maybe("positions", 1, 2, 3, -1, -2)
	return r
}

// span is how long the slow evaluator can walk.
func (r drawnRule) span() civil {
	switch r.freq {
	case "YEARLY":
		return 9 * 366 * day
	case "MONTHLY":
		return 3 * 366 * day
	case "MINUTELY":
		return 8 * day
	}
	return 300 * day
}

// walk finds the occurrences by looking at every day and every minute of it, by the definitions and nothing else.
func (r drawnRule) walk(start, hi civil) []civil {
	at := func(c civil) time.Time { return time.Unix(int64(c), 0).UTC() }
	s := at(start)
	has := func(list []int, v int) bool { return list == nil || slices.Contains(list, v) }
	// either is whether a list holds the place from the front or the one from the back.
	either := func(list []int, front, back int) bool {
		return list == nil || slices.Contains(list, front) || slices.Contains(list, -back)
	}
	period := func(t time.Time) int {
		days := int(t.Unix()) / 86400
		switch r.freq {
		case "YEARLY":
			return t.Year()
		case "MONTHLY":
			return t.Year()*12 + int(t.Month())
		case "WEEKLY": // 1970-01-01 was a Thursday
			return (days + 7000 + (4-int(r.wkst)+7)%7) / 7
		case "DAILY":
			return days
		case "HOURLY":
			return int(t.Unix()) / 3600
		}
		return int(t.Unix()) / 60
	}
	dayFits := func(t time.Time) bool {
		if !has(r.months, int(t.Month())) {
			return false
		}
		// Which day it is, counted from both ends, and which of its weekday.
		fromFront := func(same func(time.Time) bool, all bool) (n int) {
			for d := t; same(d); d = d.AddDate(0, 0, -1) {
				if all || d.Weekday() == t.Weekday() {
					n++
				}
			}
			return n
		}
		fromBack := func(same func(time.Time) bool, all bool) (n int) {
			for d := t; same(d); d = d.AddDate(0, 0, 1) {
				if all || d.Weekday() == t.Weekday() {
					n++
				}
			}
			return n
		}
		month := func(d time.Time) bool { return d.Month() == t.Month() && d.Year() == t.Year() }
		year := func(d time.Time) bool { return d.Year() == t.Year() }
		if !either(r.monthDays, fromFront(month, true), fromBack(month, true)) {
			return false
		}
		if r.yearDays != nil && !either(r.yearDays, fromFront(year, true), fromBack(year, true)) {
			return false
		}
		noDay := r.monthDays == nil && r.yearDays == nil && r.days == nil
		if r.weeks != nil {
			// The week's number, by counting weeks from 1 of those whose fourth day is in the same year.
			first := t
			for first.Weekday() != r.wkst {
				first = first.AddDate(0, 0, -1)
			}
			fourth := first.AddDate(0, 0, 3)
			n, back := 0, 0
			for d := fourth; d.Year() == fourth.Year(); d = d.AddDate(0, 0, -7) {
				n++
			}
			for d := fourth; d.Year() == fourth.Year(); d = d.AddDate(0, 0, 7) {
				back++
			}
			if !either(r.weeks, n, back) || noDay && t.Weekday() != s.Weekday() {
				return false
			}
		}
		if noDay && r.weeks == nil {
			switch r.freq {
			case "YEARLY":
				if t.Day() != s.Day() || r.months == nil && t.Month() != s.Month() {
					return false
				}
			case "MONTHLY":
				if t.Day() != s.Day() {
					return false
				}
			case "WEEKLY":
				if t.Weekday() != s.Weekday() {
					return false
				}
			}
		}
		if r.days == nil {
			return true
		}
		within := month
		if r.freq == "YEARLY" && r.months == nil {
			within = year
		}
		for _, d := range r.days {
			if d.day == t.Weekday() && (d.n == 0 || d.n == fromFront(within, false) || d.n == -fromBack(within, false)) {
				return true
			}
		}
		return false
	}
	var order []int
	sets := map[int][]civil{}
	begin := start - 370*day // the whole of the first period, for positions
	for d := begin - begin%day; d < hi+370*day; d += day {
		// Between the periods nothing needs a look.
		if p, q := period(at(d)), period(at(d+day-1)); p == q && (p-period(s))%r.interval != 0 {
			continue
		}
		if !dayFits(at(d)) {
			continue
		}
		for m := civil(0); m < 24*60; m++ {
			t := at(d + m*60 + civil(s.Second()))
			p := period(t)
			if (p-period(s))%r.interval != 0 {
				continue
			}
			byHour, byMinute := r.hours, r.minute
			if byHour == nil && r.freq != "HOURLY" && r.freq != "MINUTELY" {
				byHour = []int{s.Hour()}
			}
			if byMinute == nil && r.freq != "MINUTELY" {
				byMinute = []int{s.Minute()}
			}
			if has(byHour, t.Hour()) && has(byMinute, t.Minute()) {
				if sets[p] == nil {
					order = append(order, p)
				}
				sets[p] = append(sets[p], civil(t.Unix()))
			}
		}
	}
	all := []civil{start}
	for _, p := range order {
		set := sets[p]
		for i, c := range set {
			if either(r.positions, i+1, len(set)-i) && c > start {
				all = append(all, c)
			}
		}
	}
	if r.count > 0 && len(all) > r.count {
		all = all[:r.count]
	}
	return slices.DeleteFunc(all, func(c civil) bool { return c >= hi || r.until > 0 && c > r.until })
}

func drawStart(t *rapid.T) civil {
	return wallAt("2019-01-01") + civil(rapid.IntRange(0, 8*366).Draw(t, "day"))*day +
		civil(rapid.SampledFrom([]int{0, 2*3600 + 30*60, 9 * 3600, 9*3600 + 15*60 + 7, 23*3600 + 59*60}).Draw(t, "time"))
}

func TestRulesAgreeWithAWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, start := drawRule(t), drawStart(t)
		hi := start + r.span()
		switch rapid.IntRange(0, 2).Draw(t, "end") {
		case 1:
			r.count = rapid.IntRange(1, 30).Draw(t, "count")
		case 2:
			r.until = start + civil(rapid.IntRange(0, int(r.span())).Draw(t, "until"))
		}
		want := r.walk(start, hi)
		if got := unroll(t, r.String(), start, start, hi, -1); !slices.Equal(got, want) {
			t.Fatalf("%v from %v\n got %d: %v\nwant %d: %v", r, start, len(got), clip(got, want), len(want), clip(want, got))
		}
		lo := start + civil(rapid.IntRange(0, int(r.span())).Draw(t, "lo"))
		want = slices.DeleteFunc(want, func(c civil) bool { return c < lo })
		if got := unroll(t, r.String(), start, lo, hi, -1); !slices.Equal(got, want) {
			t.Fatalf("%v from %v, late from %v\n got %v\nwant %v", r, start, lo, clip(got, want), clip(want, got))
		}
	})
}

// clip is the part of a where it begins to differ from b.
func clip(a, b []civil) []civil {
	for i, c := range a {
		if i >= len(b) || b[i] != c {
			return a[i:min(len(a), i+5)]
		}
	}
	return nil
}

// TestRulesAgreeWithAnother compares with another expander, where it holds to the RFC and comes to an end: it begins
// the first week of BYSETPOS at the start, takes every day of a week without BYDAY, wants a weekday
// to be both of 1MO and TU, and loops for ever on an hour that never comes.
func TestRulesAgreeWithAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, start := drawRule(t), drawStart(t)
		if r.freq == "WEEKLY" {
			r.positions = nil
		}
		if r.weeks != nil {
			r.days, r.positions = []weekday{{day: time.Wednesday}}, nil
			r.weeks = slices.DeleteFunc(r.weeks, func(n int) bool { return n < 0 || n > 51 || n == 1 })
		}
		if r.freq == "HOURLY" || r.freq == "MINUTELY" {
			r.hours, r.minute, r.positions = nil, nil, nil
		}
		for i, d := range r.days {
			if d.n > 5 || d.n < -5 {
				r.days[i].n = 1
			}
			if r.days[0].n == 0 {
				r.days[i].n = 0
			} else if d.n == 0 {
				r.days[i].n = 2
			}
		}
		hi := start + r.span()
		o, err := rrule.StrToROption(r.String())
		if err != nil {
			t.Fatal(err)
		}
		o.Dtstart = time.Unix(int64(start), 0).UTC()
		o.Until = time.Unix(int64(hi)-1, 0).UTC()
		other, err := rrule.NewRRule(*o)
		if err != nil {
			t.Fatal(err)
		}
		want := []civil{start}
		for _, at := range other.All() {
			if c := civil(at.Unix()); c > start {
				want = append(want, c)
			}
		}
		if got := unroll(t, r.String(), start, start, hi, -1); !slices.Equal(got, want) {
			t.Fatalf("%v from %v\n got %v\nwant %v", r, start, clip(got, want), clip(want, got))
		}
	})
}

func TestWorkIsBounded(t *testing.T) {
	r, err := parseRule("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := work(1000)
	if err := r.expand(0, 0, 1<<40, true, &w, func(civil) error { return nil }); err != errWork {
		t.Errorf("got %v, want that the work ends", err)
	}
}
