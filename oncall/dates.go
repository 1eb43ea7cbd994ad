package oncall

import (
	"math/bits"
	"slices"
	"time"
)

// dates is a set of civil days which can be counted and searched: the days a cron expression names, or the
// days on which a layer's windows start. It thinks in months, as bit masks, and keeps a running count of
// its first years, so that a question decades after the start costs the same as one on the day.
type dates struct {
	rules   []rule
	foreign []foreignDays
	listed  []int64 // single days, in order
	year    int     // counts begin on its 1 January
	before  []int64 // before[i]: how many days in the set from then to year+i
	// There are 14 calendars for a year: it begins on one of seven weekdays, and has a leap day or not. Where nothing
	// but the calendar matters, as almost everywhere, these are the counts for each; else there are none.
	calendars []yearCount
}

// A yearCount is how many days of a set come in a year before each month begins; the last is all of the year's.
type yearCount [13]int64

// A rule picks days by weekday, day of the month, month and year; a day must satisfy all of them.
type rule struct {
	weekdays  Weekdays
	monthDays uint32 // bit 1 is the 1st
	fromEnd   []Span // instead of monthDays: ranges that may count from the month's end, as -1
	months    uint16 // bit 1 is January
	years     []Span // none: all
	either    bool   // weekdays or monthDays is enough: cron, where both are given
}

const (
	allMonths    = 1<<13 - 2
	allMonthDays = 1<<32 - 2
	countedYears = 40
)

// mask is the days of a month in the set; bit 0 is the 1st.
func (r *rule) mask(y, m int) uint32 {
	if r.months&(1<<m) == 0 || !inSpans(r.years, y) {
		return 0
	}
	n := daysIn(y, m)
	all := uint32(1)<<n - 1
	monthDays := r.monthDays >> 1
	if r.fromEnd != nil {
		monthDays = spanMask(r.fromEnd, n)
	}
	const everyWeek = 1 | 1<<7 | 1<<14 | 1<<21 | 1<<28 | 1<<35
	week := uint32(uint64(r.weekdays) * everyWeek >> floorMod(dayOf(y, m, 1), 7))
	if r.either {
		return (week | monthDays) & all
	}
	return week & monthDays & all
}

func (r *rule) has(day int64) bool {
	y, m, d := dateOf(day)
	return r.mask(y, m)&(1<<(d-1)) != 0
}

// next is the first day of the rule from day on.
func (r *rule) next(day int64) (int64, bool) { return nextDay(day, r.mask) }

func inSpans(spans []Span, n int) bool {
	for _, s := range spans {
		if s.First <= n && n <= s.Last {
			return true
		}
	}
	return len(spans) == 0
}

// spanMask reads ranges of days in a month of n days as Alertmanager does: negative counts from the end, a
// range that begins after the month's end is not in it, one that ends there is cut.
func spanMask(spans []Span, n int) (mask uint32) {
	for _, s := range spans {
		if s.First < 0 {
			s.First += n + 1
		}
		if s.Last < 0 {
			s.Last += n + 1
		}
		for d := max(s.First, 1); d <= min(s.Last, n); d++ {
			mask |= 1 << (d - 1)
		}
	}
	return mask
}

// foreignDays are the windows of a calendar that is read in a zone of its own: their starts, put into the
// layer's zone, are what makes a day active there.
type foreignDays struct {
	rule       rule
	starts     []int // minutes of the day
	zone, home *time.Location
}

func (f *foreignDays) mask(y, m int) (mask uint32) {
	there, here := clock{zone: f.zone}, clock{zone: f.home}
	first, n := dayOf(y, m, 1), int64(daysIn(y, m))
	for day := first - 2; day < first+n+2; day++ {
		if !f.rule.has(day) {
			continue
		}
		for _, s := range f.starts {
			start := here.wall(there.first(Civil(day*dayMinutes) + Civil(s)))
			if d := start.day() - first; d >= 0 && d < n {
				mask |= 1 << d
			}
		}
	}
	return mask
}

// counted readies the set for questions from a year on.
func (d *dates) counted(from Civil) {
	d.year, _, _ = dateOf(from.day())
	d.calendars = d.countCalendars()
	n := int64(0)
	d.before = make([]int64, 0, countedYears+1)
	for y := d.year; y <= d.year+countedYears; y++ {
		d.before = append(d.before, n)
		n += d.inYear(y)
	}
}

// countCalendars is nil where years differ by more than their calendars.
func (d *dates) countCalendars() []yearCount {
	if len(d.foreign) > 0 || len(d.listed) > 0 || slices.ContainsFunc(d.rules, func(r rule) bool { return len(r.years) > 0 }) {
		return nil
	}
	counts := make([]yearCount, 14)
	for y := 2000; y < 2028; y++ { // they have all of them
		c := &counts[calendarOfYear(y)]
		for m := 1; m <= 12; m++ {
			c[m] = c[m-1] + int64(bits.OnesCount32(d.mask(y, m)))
		}
	}
	return counts
}

func calendarOfYear(y int) int {
	return int(floorMod(dayOf(y, 1, 1), 7)) + 7*(daysIn(y, 2)-28)
}

func (d *dates) inYear(y int) int64 { return d.upTo(y, 13) }

// upTo counts the days of a year before a month begins.
func (d *dates) upTo(y, month int) (n int64) {
	if d.calendars != nil {
		return d.calendars[calendarOfYear(y)][month-1]
	}
	for m := 1; m < month; m++ {
		n += int64(bits.OnesCount32(d.mask(y, m)))
	}
	return n
}

func (d *dates) mask(y, m int) (mask uint32) {
	for i := range d.rules {
		mask |= d.rules[i].mask(y, m)
	}
	for i := range d.foreign {
		mask |= d.foreign[i].mask(y, m)
	}
	if len(d.listed) > 0 {
		first := dayOf(y, m, 1)
		i, _ := slices.BinarySearch(d.listed, first)
		for ; i < len(d.listed) && d.listed[i] < first+int64(daysIn(y, m)); i++ {
			mask |= 1 << (d.listed[i] - first)
		}
	}
	return mask
}

func (d *dates) has(day int64) bool {
	y, m, dd := dateOf(day)
	return d.mask(y, m)&(1<<(dd-1)) != 0
}

// rank counts the days of the set before a day that is not before the set's first year.
func (d *dates) rank(day int64) int64 {
	y, m, dd := dateOf(day)
	known := min(y-d.year, countedYears)
	n := d.before[known]
	for year := d.year + known; year < y; year++ {
		n += d.inYear(year)
	}
	n += d.upTo(y, m)
	return n + int64(bits.OnesCount32(d.mask(y, m)&(1<<(dd-1)-1)))
}

// next is the first day of the set from day on.
func (d *dates) next(day int64) (int64, bool) { return nextDay(day, d.mask) }

// nextDay searches month by month. A 29 February on one weekday can be 40 years away; what does not come in
// that time does not come.
func nextDay(day int64, mask func(y, m int) uint32) (int64, bool) {
	y, m, d := dateOf(day)
	later := ^uint32(0) << (d - 1)
	for range 12*40 + 2 {
		if found := mask(y, m) & later; found != 0 {
			return dayOf(y, m, bits.TrailingZeros32(found)+1), true
		}
		later = ^uint32(0)
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	return 0, false
}
