package oncall

import (
	"slices"
	"time"
)

// dated is an Interval made ready: some minutes of the days that a rule picks. Times of a day do not wrap,
// so a window starts and ends on one day.
type dated struct {
	days  rule
	times []Span
}

func newDated(v Interval) dated {
	d := dated{rule{weekdays: everyDay, monthDays: allMonthDays, months: allMonths, years: v.Years}, v.Times}
	if len(v.Weekdays) > 0 {
		d.days.weekdays = 0
		for _, s := range v.Weekdays {
			for day := max(s.First, 0); day <= min(s.Last, 6); day++ {
				d.days.weekdays |= 1 << ((day + 6) % 7) // their week begins on Sunday
			}
		}
	}
	if len(v.MonthDays) > 0 {
		d.days.fromEnd = v.MonthDays
	}
	if len(v.Months) > 0 {
		d.days.months = 0
		for _, s := range v.Months {
			for m := max(s.First, 1); m <= min(s.Last, 12); m++ {
				d.days.months |= 1 << m
			}
		}
	}
	if len(d.times) == 0 {
		d.times = []Span{{0, dayMinutes}}
	}
	d.times = slices.DeleteFunc(slices.Clone(d.times), func(s Span) bool { return s.First >= s.Last })
	return d
}

func (d *dated) starts() (out []int) {
	for _, t := range d.times {
		out = append(out, t.First)
	}
	return out
}

func (d *dated) has(c Civil) bool {
	if !d.days.has(c.day()) {
		return false
	}
	for _, t := range d.times {
		if t.First <= c.minute() && c.minute() < t.Last {
			return true
		}
	}
	return false
}

func (d *dated) startAfter(c Civil) (Civil, bool) {
	return d.edgeAfter(c, func(s Span) int { return s.First })
}

func (d *dated) endAfter(c Civil) (Civil, bool) {
	return d.edgeAfter(c, func(s Span) int { return s.Last })
}

func (d *dated) edgeAfter(c Civil, edge func(Span) int) (Civil, bool) {
	day, minute := c.day(), c.minute() // of the day asked about, only what is later counts
	for range 2 {
		found, ok := d.days.next(day)
		if !ok {
			return 0, false
		}
		if found > day {
			minute = -1
		}
		best := never
		for _, t := range d.times {
			if e := edge(t); e > minute {
				best = min(best, e)
			}
		}
		if best < never {
			return Civil(found*dayMinutes) + Civil(best), true
		}
		day, minute = found+1, -1
	}
	return 0, false
}

// pattern is what weekly windows and calendars have in common.
type pattern interface {
	has(Civil) bool
	startAfter(Civil) (Civil, bool)
	endAfter(Civil) (Civil, bool)
}

// windows is a layer's `active`, a schedule's `uncovered`: the union of patterns, each in its zone.
type windows struct {
	always bool
	parts  []zoned
}

type zoned struct {
	pattern
	zone int // index into the schedule's zones
}

// newWindows readies the union; zone numbers the zones.
func newWindows(ws []Window, home *time.Location, zone func(*time.Location) int) windows {
	var u windows
	if week := newWeekly(ws); week.whole() {
		return windows{always: true}
	} else if len(week) > 0 {
		u.parts = append(u.parts, zoned{week, zone(home)})
	}
	for _, w := range ws {
		if w.Calendar == nil {
			continue
		}
		for _, v := range w.Calendar.Intervals {
			d := newDated(v)
			where := home
			if v.Zone != nil {
				where = v.Zone
			}
			u.parts = append(u.parts, zoned{&d, zone(where)})
		}
		if local := newStretches(w.Calendar.Events, false); len(local) > 0 {
			u.parts = append(u.parts, zoned{local, zone(home)})
		}
		if instants := newStretches(w.Calendar.Events, true); len(instants) > 0 {
			u.parts = append(u.parts, zoned{instants, zone(time.UTC)})
		}
	}
	return u
}

// hold says whether a window is open: one whose start has come and whose end has not.
func (u *windows) hold(n *now) bool {
	if u.always {
		return true
	}
	for i := range u.parts {
		p := &u.parts[i]
		m := n.moment(p.zone)
		if p.has(m.ended) {
			return true
		}
		if m.ended < m.begun { // by a fold: a window may have begun since
			if s, ok := p.startAfter(m.ended); ok && s <= m.begun {
				return true
			}
		}
	}
	return false
}

// next is when hold may change: at an end if a window is open, at a start if none is.
func (u *windows) next(n *now, open bool) int64 {
	next := int64(never)
	if u.always {
		return next
	}
	for i := range u.parts {
		p := &u.parts[i]
		m := n.moment(p.zone)
		if open {
			if e, ok := p.endAfter(m.ended); ok {
				next = min(next, n.clock(p.zone).last(e))
			}
		} else if s, ok := p.startAfter(m.begun); ok {
			next = min(next, n.clock(p.zone).first(s))
		}
	}
	return next
}

// startDays are the civil days on which a window starts, as written: a day's window is its own even where
// it merges with the day before's. SPEC §4.6.
func startDays(ws []Window, home *time.Location) dates {
	var d dates
	week := rule{monthDays: allMonthDays, months: allMonths}
	for _, w := range ws {
		if w.Calendar == nil {
			week.weekdays |= w.startDays()
			continue
		}
		for _, v := range w.Calendar.Intervals {
			days := newDated(v)
			switch {
			case len(days.times) == 0:
			case v.Zone == nil || v.Zone.String() == home.String():
				d.rules = append(d.rules, days.days)
			default:
				d.foreign = append(d.foreign, foreignDays{days.days, days.starts(), v.Zone, home})
			}
		}
		d.listed = append(d.listed, eventDays(w.Calendar.Events, home)...)
	}
	if len(ws) == 0 {
		week.weekdays = everyDay
	}
	if week.weekdays != 0 {
		d.rules = append(d.rules, week)
	}
	slices.Sort(d.listed)
	return d
}
