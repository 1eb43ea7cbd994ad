package calendar

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

type frequency int

const (
	secondly frequency = iota
	minutely
	hourly
	daily
	weekly
	monthly
	yearly
)

var frequencies = map[string]frequency{
	"SECONDLY": secondly, "MINUTELY": minutely, "HOURLY": hourly, "DAILY": daily,
	"WEEKLY": weekly, "MONTHLY": monthly, "YEARLY": yearly,
}

// unit is the length of the short frequencies in seconds.
var unit = map[frequency]int64{secondly: 1, minutely: 60, hourly: 3600}

var weekdays = map[string]time.Weekday{
	"SU": time.Sunday, "MO": time.Monday, "TU": time.Tuesday, "WE": time.Wednesday,
	"TH": time.Thursday, "FR": time.Friday, "SA": time.Saturday,
}

const (
	// maxInterval keeps a period's number times its length far from overflow; it is 2,700 years of days.
	maxInterval = 1_000_000

	lastYear = 9999 // RFC 5545 writes a year with four digits
)

// A rule is an RRULE: RFC 5545, 3.3.10. It knows nothing of zones: it turns one wall time into many.
type rule struct {
	freq     frequency
	interval int64
	count    int   // zero: no end
	until    civil // the last wall time that may be; math.MaxInt64: no end
	wkst     time.Weekday

	months, monthDays, yearDays, weeks, positions []int
	hours, minutes, seconds                       []int
	days                                          []weekday
}

// A weekday is an entry of BYDAY; n is which one of the month or year, from its end if negative; zero: every one.
type weekday struct {
	n   int
	day time.Weekday
}

// parseRule reads an RRULE. The zone is that of the DTSTART, nil for a civil one; an UNTIL in UTC is read in it.
func parseRule(s string, z zone) (*rule, error) {
	r := &rule{freq: -1, interval: 1, until: math.MaxInt64, wkst: time.Monday}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.ToUpper(strings.TrimSpace(s)), ";") {
		if part == "" { // some write a semicolon at the end
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return nil, fmt.Errorf("%s in the rule has no value", quote(part))
		}
		if seen[name] {
			return nil, fmt.Errorf("the rule has %s twice; keep one", quote(name))
		}
		seen[name] = true
		var err error
		switch name {
		case "FREQ":
			if r.freq, ok = frequencies[value]; !ok {
				err = fmt.Errorf("%s is no frequency; write one such as WEEKLY", quote(value))
			}
		case "INTERVAL":
			var n int
			n, err = number(value, 1, maxInterval)
			r.interval = int64(n)
		case "COUNT":
			r.count, err = number(value, 1, math.MaxInt32)
		case "UNTIL":
			r.until, err = parseUntil(value, z)
		case "WKST":
			if r.wkst, ok = weekdays[value]; !ok {
				err = fmt.Errorf("%s is no weekday; write MO", quote(value))
			}
		case "BYMONTH":
			r.months, err = numbers(value, 1, 12, false)
		case "BYMONTHDAY":
			r.monthDays, err = numbers(value, 1, 31, true)
		case "BYYEARDAY":
			r.yearDays, err = numbers(value, 1, 366, true)
		case "BYWEEKNO":
			r.weeks, err = numbers(value, 1, 53, true)
		case "BYSETPOS":
			r.positions, err = numbers(value, 1, 366, true)
		case "BYHOUR":
			r.hours, err = numbers(value, 0, 23, false)
		case "BYMINUTE":
			r.minutes, err = numbers(value, 0, 59, false)
		case "BYSECOND":
			r.seconds, err = numbers(value, 0, 60, false)
			for i, s := range r.seconds {
				r.seconds[i] = min(s, 59) // a leap second
			}
			r.seconds = slices.Compact(r.seconds)
		case "BYDAY":
			r.days, err = parseDays(value)
		default:
			if !strings.HasPrefix(name, "X-") {
				err = errors.New("this part is not known, and leaving it out would change the rule")
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s in the rule: %w", quote(name), err)
		}
	}
	if r.freq < 0 {
		return nil, errors.New("the rule has no FREQ; write one such as FREQ=WEEKLY")
	}
	for _, d := range r.days {
		if d.n != 0 && (r.freq < monthly || len(r.weeks) > 0) {
			return nil, errors.New("a numbered weekday such as 2MO is for monthly and yearly rules without BYWEEKNO; leave out the number")
		}
	}
	return r, nil
}

// parseUntil reads the last instant that may be, as the wall shows it. A date includes its whole day, which is how a
// date is meant by those who write one for an event with a time.
func parseUntil(s string, z zone) (civil, error) {
	w, date, utc, err := parseWall(s)
	switch {
	case err != nil:
		return 0, err
	case date:
		return w + day - 1, nil
	case utc && z != nil:
		return wall(z, int64(w)), nil
	}
	return w, nil
}

func number(s string, from, to int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < from || n > to {
		return 0, fmt.Errorf("%s is no number from %d to %d", quote(s), from, to)
	}
	return n, nil
}

// numbers reads a list; signed allows the same range below zero. The result is sorted, each number once.
func numbers(s string, from, to int, signed bool) (list []int, err error) {
	for v := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(v)
		if err != nil || (n < from || n > to) && (!signed || n > -from || n < -to) {
			return nil, fmt.Errorf("%s is no number from %d to %d", quote(v), from, to)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func parseDays(s string) (list []weekday, err error) {
	for v := range strings.SplitSeq(s, ",") {
		wrong := fmt.Errorf("%s is no weekday; write MO, 2MO or -1FR", quote(v))
		if len(v) < 2 {
			return nil, wrong
		}
		d, ok := weekdays[v[len(v)-2:]]
		if !ok {
			return nil, wrong
		}
		n := 0
		if which := v[:len(v)-2]; which != "" {
			if n, err = strconv.Atoi(which); err != nil || n == 0 || n < -53 || n > 53 {
				return nil, wrong
			}
		}
		list = append(list, weekday{n, d})
	}
	return list, nil
}

// wholeDays fits the rule to an event of whole days. The hours of such a rule are to be ignored: RFC 5545, 3.3.10.
func (r *rule) wholeDays() error {
	if r.freq < daily {
		return errors.New("a rule for whole days cannot recur more often than DAILY; give the event a time")
	}
	r.hours, r.minutes, r.seconds = nil, nil, nil
	return nil
}

// complete takes from the start what the rule does not say.
func (r rule) complete(start civil) rule {
	t := time.Unix(int64(start), 0).UTC()
	if len(r.weeks) == 0 && len(r.yearDays) == 0 && len(r.monthDays) == 0 && len(r.days) == 0 {
		switch r.freq {
		case yearly:
			if len(r.months) == 0 {
				r.months = []int{int(t.Month())}
			}
			r.monthDays = []int{t.Day()}
		case monthly:
			r.monthDays = []int{t.Day()}
		case weekly:
			r.days = []weekday{{day: t.Weekday()}}
		}
	}
	if r.freq == yearly && len(r.weeks) > 0 && len(r.yearDays) == 0 && len(r.monthDays) == 0 && len(r.days) == 0 {
		r.days = []weekday{{day: t.Weekday()}}
	}
	if len(r.hours) == 0 && r.freq > hourly {
		r.hours = []int{t.Hour()}
	}
	if len(r.minutes) == 0 && r.freq > minutely {
		r.minutes = []int{t.Minute()}
	}
	if len(r.seconds) == 0 && r.freq > secondly {
		r.seconds = []int{t.Second()}
	}
	return r
}

var errStop = errors.New("enough")

// expand yields, in order, the wall times of the rule before hi, each once. Where the rule has no COUNT, those before
// lo may be left out. With first, the start is the first of them whether it fits the rule or not, as 3.8.2.4 has it. A
// rule that ends before its start yields nothing: so calendars write a series of which all was deleted or moved.
//
// It stops at an error from yield, and where there is no work left.
func (r rule) expand(start, lo, hi civil, first bool, w *work, yield func(civil) error) error {
	if start > r.until {
		return nil
	}
	r = r.complete(start)
	left := r.count
	emit := func(c civil) error {
		if c > r.until || c >= hi {
			return errStop
		}
		if err := yield(c); err != nil {
			return err
		}
		if left--; left == 0 {
			return errStop
		}
		return nil
	}
	err := error(nil)
	if first {
		err = emit(start)
	}
	if err == nil {
		if r.count > 0 {
			lo = start
		}
		err = r.periods(start, max(lo, start), min(hi, r.until), w, func(c civil) error {
			if c < start || first && c == start {
				return nil
			}
			return emit(c)
		})
	}
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// periods walks the periods of the rule's frequency, from the one that start is in or a later one that is not past lo,
// until one begins after hi.
func (r *rule) periods(start, lo, hi civil, w *work, emit func(civil) error) error {
	// skip is the number of periods that may be passed over, given the distance to lo in units of the frequency.
	skip := func(distance int64) int64 { return max(0, distance) / r.interval * r.interval }
	s := time.Unix(int64(start), 0).UTC()
	l := time.Unix(int64(lo), 0).UTC()
	switch r.freq {
	case yearly:
		for y := int64(s.Year()) + skip(int64(l.Year()-s.Year())); y <= lastYear; y += r.interval {
			from, to := dayOf(int(y), 1), dayOf(int(y)+1, 1)
			if civil(from*day) > hi {
				return nil
			}
			if err := r.stretch(from, to, w, emit); err != nil {
				return err
			}
		}
	case monthly:
		months := func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }
		for m := months(s) + skip(months(l)-months(s)); m < (lastYear+1)*12; m += r.interval {
			from, to := dayOf(int(m/12), int(m%12)+1), dayOf(int(m/12), int(m%12)+2)
			if civil(from*day) > hi {
				return nil
			}
			if err := r.stretch(from, to, w, emit); err != nil {
				return err
			}
		}
	case weekly, daily:
		length, from := int64(1), start.day()
		if r.freq == weekly {
			length = 7
			from -= int64((s.Weekday() - r.wkst + 7) % 7)
		}
		from += skip((lo.day()-from)/length) * length
		for end := dayOf(lastYear+1, 1); from < end; from += r.interval * length {
			if civil(from*day) > hi {
				return nil
			}
			if err := r.stretch(from, from+length, w, emit); err != nil {
				return err
			}
		}
	default:
		return r.moments(start, lo, hi, w, emit)
	}
	return nil
}

// stretch emits what fits in the days [from, to), which are one period.
func (r *rule) stretch(from, to int64, w *work, emit func(civil) error) error {
	var fits []int64
	for d := from; d < to; {
		if err := w.spend(1); err != nil {
			return err
		}
		ok, next := r.dayFits(d)
		if ok {
			fits = append(fits, d)
		}
		d = next
	}
	if len(fits) == 0 {
		return nil
	}
	return r.pick(fits, r.hours, r.minutes, r.seconds, w, emit)
}

// pick emits each day at each time, or of them all only those at the rule's positions: BYSETPOS.
func (r *rule) pick(days []int64, hours, minutes, seconds []int, w *work, emit func(civil) error) error {
	n := len(days) * len(hours) * len(minutes) * len(seconds)
	at := func(i int) civil {
		s := seconds[i%len(seconds)]
		i /= len(seconds)
		m := minutes[i%len(minutes)]
		i /= len(minutes)
		return civil(days[i/len(hours)]*day) + civil(hours[i%len(hours)]*3600+m*60+s)
	}
	one := func(i int) error {
		if err := w.spend(1); err != nil {
			return err
		}
		return emit(at(i))
	}
	if len(r.positions) == 0 {
		for i := range n {
			if err := one(i); err != nil {
				return err
			}
		}
		return nil
	}
	var picked []int
	for _, p := range r.positions {
		if p < 0 {
			p += n + 1
		}
		if 1 <= p && p <= n {
			picked = append(picked, p-1)
		}
	}
	slices.Sort(picked)
	for _, i := range slices.Compact(picked) {
		if err := one(i); err != nil {
			return err
		}
	}
	return nil
}

// moments walks the periods of hourly rules and those that recur more often. It passes over days and hours that do not
// fit at once.
func (r *rule) moments(start, lo, hi civil, w *work, emit func(civil) error) error {
	u := unit[r.freq]
	step := u * r.interval
	at := int64(start) - floorMod(int64(start), u)
	jump := func(to int64) { // to the first period that begins at to or later
		if to > at {
			at += (to - at + step - 1) / step * step
		}
	}
	jump(int64(lo) - step)
	for end := dayOf(lastYear+1, 1) * day; at < end && at <= int64(hi); {
		if err := w.spend(1); err != nil {
			return err
		}
		c := civil(at)
		d, h, m, s := c.day(), c.second()/3600, c.second()/60%60, c.second()%60
		if ok, next := r.dayFits(d); !ok {
			jump(next * day)
			continue
		}
		hours, minutes, seconds := []int{h}, r.minutes, r.seconds
		if len(r.hours) > 0 && !slices.Contains(r.hours, h) {
			jump(d*day + int64(h+1)*3600)
			continue
		}
		if r.freq <= minutely {
			if minutes = []int{m}; len(r.minutes) > 0 && !slices.Contains(r.minutes, m) {
				jump(d*day + int64(h)*3600 + int64(m+1)*60)
				continue
			}
		}
		if r.freq == secondly {
			if seconds = []int{s}; len(r.seconds) > 0 && !slices.Contains(r.seconds, s) {
				at += step
				continue
			}
		}
		if err := r.pick([]int64{d}, hours, minutes, seconds, w, emit); err != nil {
			return err
		}
		at += step
	}
	return nil
}

// dayFits tells whether a day is one of the rule's, and the next day that may be one.
func (r *rule) dayFits(d int64) (ok bool, next int64) {
	t := time.Unix(d*day, 0).UTC()
	y, m, dom := t.Date()
	if len(r.months) > 0 && !slices.Contains(r.months, int(m)) {
		return false, dayOf(y, int(m)+1)
	}
	next = d + 1
	length := int(dayOf(y, int(m)+1) - dayOf(y, int(m)))
	if len(r.monthDays) > 0 && !slices.Contains(r.monthDays, dom) && !slices.Contains(r.monthDays, dom-length-1) {
		return false, next
	}
	inYear := t.YearDay()
	if len(r.yearDays) > 0 && !slices.Contains(r.yearDays, inYear) && !slices.Contains(r.yearDays, inYear-yearLength(y)-1) {
		return false, next
	}
	if len(r.weeks) > 0 {
		n, of := weekOf(t, r.wkst)
		if !slices.Contains(r.weeks, n) && !slices.Contains(r.weeks, n-of-1) {
			return false, next
		}
	}
	if len(r.days) == 0 {
		return true, next
	}
	// Numbers count within the month, or in yearly rules without BYMONTH within the year.
	pos, length := dom, length
	if r.freq == yearly && len(r.months) == 0 {
		pos, length = inYear, yearLength(y)
	}
	return slices.ContainsFunc(r.days, func(w weekday) bool {
		return w.day == t.Weekday() && (w.n == 0 || w.n == (pos-1)/7+1 || w.n == -((length-pos)/7+1))
	}), next
}

// weekOf is the number of a day's week, and how many weeks the year has that the week belongs to. Week 1 is the first
// with at least four days in its year: 3.3.10.
func weekOf(t time.Time, wkst time.Weekday) (n, of int) {
	middle := t.AddDate(0, 0, 3-int((t.Weekday()-wkst+7)%7))
	n = (middle.YearDay()-1)/7 + 1
	return n, n + (yearLength(middle.Year())-middle.YearDay())/7
}

// dayOf is the first day of a month, from 1970-01-01. Month 13 is the next year's first.
func dayOf(y, m int) int64 {
	return time.Date(y, time.Month(m), 1, 0, 0, 0, 0, time.UTC).Unix() / day
}

func yearLength(y int) int { return int(dayOf(y+1, 1) - dayOf(y, 1)) }

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
