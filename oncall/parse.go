package oncall

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// ParseCivil reads a wall-clock time such as "2026-01-05 09:00"; 24:00 is the next day's 00:00.
func ParseCivil(s string) (Civil, error) {
	hint := func(why string) (Civil, error) {
		return 0, fmt.Errorf("%q %s; write a local date and time such as 2026-01-05 09:00", s, why)
	}
	date, clock, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		date, clock, ok = strings.Cut(strings.TrimSpace(s), "T")
	}
	if !ok {
		return hint("is not a date and a time")
	}
	if strings.HasSuffix(clock, "Z") || strings.ContainsAny(clock, "+-") {
		return hint("names an offset, but time_zone says the zone")
	}
	f := strings.Split(date, "-")
	if len(f) != 3 || len(f[0]) != 4 || len(f[1]) != 2 || len(f[2]) != 2 {
		return hint("is not a date and a time")
	}
	y, ok1 := digits(f[0])
	m, ok2 := digits(f[1])
	d, ok3 := digits(f[2])
	if !ok1 || !ok2 || !ok3 {
		return hint("is not a date and a time")
	}
	if y < 1 || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		return hint("is no day of the calendar")
	}
	if strings.Count(clock, ":") == 2 {
		clock, ok = strings.CutSuffix(clock, ":00")
		if !ok {
			return hint("is finer than a minute")
		}
	}
	minute, err := ParseClock(clock)
	if err != nil {
		return hint("is not a date and a time")
	}
	c := Civil(dayOf(y, m, d)*dayMinutes) + Civil(minute)
	if c == 0 || c.day() > dayOf(9999, 12, 31) {
		return hint("is beyond the calendar")
	}
	return c, nil
}

// ParseClock reads a time of day, "09:00" to "24:00", as minutes since midnight.
func ParseClock(s string) (int, error) {
	hs, ms, ok := strings.Cut(strings.TrimSpace(s), ":")
	h, ok1 := digits(hs)
	m, ok2 := digits(ms)
	if !ok || !ok1 || !ok2 || len(hs) > 2 || len(ms) != 2 {
		return 0, fmt.Errorf("%q is not a time of day; write one such as 09:00 or 24:00", s)
	}
	if m > 59 || h*60+m > dayMinutes {
		return 0, fmt.Errorf("%q is no time of a day; the last is 24:00", s)
	}
	return h*60 + m, nil
}

// FormatClock prints as ParseClock reads.
func FormatClock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// Weekdays is a set of days of the week, Monday the lowest bit. Zero names none.
type Weekdays uint8

var (
	dayNames  = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	longNames = [7]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
)

const everyDay Weekdays = 1<<7 - 1

// ParseDays reads weekdays and ranges of them, such as "mon", "mon-fri" and "sat-mon", which wraps.
func ParseDays(entries ...string) (Weekdays, error) {
	var set Weekdays
	for _, e := range entries {
		a, b, ranged := strings.Cut(e, "-")
		if !ranged {
			b = a
		}
		from, err := parseDay(a)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", e, err)
		}
		to, err := parseDay(b)
		if err != nil {
			return 0, fmt.Errorf("%q: %w", e, err)
		}
		for set |= 1 << from; from != to; set |= 1 << from {
			from = (from + 1) % 7
		}
	}
	return set, nil
}

func parseDay(s string) (int, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	for i := range dayNames {
		if s == dayNames[i] || s == longNames[i] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no weekday; write %s, or a range such as mon-fri", s, strings.Join(dayNames[:], ", "))
}

// String prints as ParseDays reads, an entry after another: "mon-fri", "mon, wed".
func (d Weekdays) String() string {
	if d&everyDay == everyDay {
		return "mon-sun"
	}
	var out []string
	for i := range 7 {
		if d&(1<<i) == 0 || d&(1<<((i+6)%7)) != 0 {
			continue // not the first of a run
		}
		n := bits.TrailingZeros16(^((uint16(d)<<7 | uint16(d)) >> i))
		if n == 1 {
			out = append(out, dayNames[i])
		} else {
			out = append(out, dayNames[i]+"-"+dayNames[(i+n-1)%7])
		}
	}
	return strings.Join(out, ", ")
}

// ParseWeekTime reads a time of the week such as "fri 18:00", as minutes since Monday 00:00.
func ParseWeekTime(s string) (int, error) {
	name, clock, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		return 0, fmt.Errorf(`%q is no time of the week; write one such as "fri 18:00"`, s)
	}
	day, err := parseDay(name)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, err)
	}
	minute, err := ParseClock(clock)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, err)
	}
	return (day*dayMinutes + minute) % weekMinutes, nil
}

// FormatWeekTime prints as ParseWeekTime reads.
func FormatWeekTime(minute int) string {
	return dayNames[minute/dayMinutes] + " " + FormatClock(minute%dayMinutes)
}

// Unit is what a rotation's period counts.
type Unit string

// The units of Every. An hour is also the letter h in the file, and so on.
const (
	Hour  Unit = "h"
	Day   Unit = "d"
	Week  Unit = "w"
	Month Unit = "month"
)

// Every is how long a turn is. Zero is not given.
type Every struct {
	N    int
	Unit Unit
}

const maxEvery = 100_000 // keeps civil arithmetic far from overflow, and nobody's turn lasts longer

// ParseEvery reads the length of a turn: Nh, Nd, Nw or Nmonth.
func ParseEvery(s string) (Every, error) {
	text := strings.TrimSpace(s)
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	e := Every{Unit: Unit(text[n:])}
	switch e.Unit {
	case Hour, Day, Week, Month:
	default:
		return Every{}, fmt.Errorf("%q is not the length of a turn; write Nh, Nd, Nw or Nmonth, such as 12h or 1w", s)
	}
	e.N, _ = strconv.Atoi(text[:n])
	if err := e.check(); err != nil {
		return Every{}, fmt.Errorf("%q: %w", s, err)
	}
	return e, nil
}

func (e Every) check() error {
	if e.N < 1 {
		return fmt.Errorf("a turn lasts at least 1; write Nh, Nd, Nw or Nmonth, such as 12h or 1w")
	}
	if e.N > maxEvery {
		return fmt.Errorf("a turn of more than %d is too long", maxEvery)
	}
	return nil
}

// String prints as ParseEvery reads.
func (e Every) String() string {
	if e == (Every{}) {
		return ""
	}
	return strconv.Itoa(e.N) + string(e.Unit)
}

// digits reads a number written in decimal digits alone.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for _, r := range []byte(s) {
		if r < '0' || r > '9' {
			return 0, false
		}
		n = n*10 + int(r-'0')
	}
	return n, true
}
