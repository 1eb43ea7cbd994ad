package oncall

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/robfig/cron/v3"
)

// The reference is the package again, slow and plainly right: it lists every hand-off from the start, every
// window and every override, maps their wall times by looking them up in a table of all the minutes there
// are, and then asks for each minute which of them hold. It shares no arithmetic with the package.

// minutes since the Unix epoch; a wall time is the one that UTC would show.
type minute = int64

const (
	past   minute = math.MinInt64
	future minute = math.MaxInt64
)

// table is what a zone's clocks showed at each minute of a stretch, and when they showed it.
type table struct {
	zone        *time.Location
	from, to    minute
	lowest      minute // wall
	first, last []minute
}

type tableKey struct {
	zone     string
	from, to minute
}

var tables = map[tableKey]*table{}

func tableOf(zone *time.Location, from, to minute) *table {
	k := tableKey{zone.String(), from, to}
	if t, ok := tables[k]; ok {
		return t
	}
	if len(tables) >= 8 {
		clear(tables)
	}
	t := &table{zone: zone, from: from, to: to}
	t.lowest = wallMinute(from, zone) - 2*1440
	t.first = make([]minute, to-from+5*1440)
	t.last = make([]minute, len(t.first))
	before := wallMinute(from, zone)
	t.first[before-t.lowest], t.last[before-t.lowest] = from, from
	for u := from + 1; u < to; u++ {
		w := wallMinute(u, zone)
		for skipped := before + 1; skipped < w; skipped++ {
			if t.first[skipped-t.lowest] == 0 {
				t.first[skipped-t.lowest], t.last[skipped-t.lowest] = u, u
			}
		}
		if t.first[w-t.lowest] == 0 {
			t.first[w-t.lowest] = u
		}
		t.last[w-t.lowest] = u
		before = w
	}
	tables[k] = t
	return t
}

func wallMinute(u minute, zone *time.Location) minute {
	t := time.Unix(u*60, 0).In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC).Unix() / 60
}

func (t *table) lookup(list []minute, w minute) minute {
	switch i := w - t.lowest; {
	case i < 0:
		return past
	case i >= int64(len(list)):
		return future
	case list[i] != 0:
		return list[i]
	case w < wallMinute(t.from, t.zone):
		return past
	default:
		return future
	}
}

func (t *table) start(w minute) minute { return t.lookup(t.first, w) }
func (t *table) end(w minute) minute   { return t.lookup(t.last, w) }

// scan is table.start for any time at all, an hour's work for a day's question.
func scan(w minute, zone *time.Location) minute {
	for u := w - 16*60; ; u++ {
		if wallMinute(u, zone) == w {
			return u
		}
		if u > w+16*60 {
			break
		}
	}
	for u := w - 16*60; ; u++ {
		if wallMinute(u, zone) > w {
			return u
		}
	}
}

func unixMinute(c Civil) minute { return int64(c) - 719162*1440 }
func asTime(w minute) time.Time { return time.Unix(w*60, 0).UTC() }

type stretch struct {
	from, to minute
	turn     int
}

type reference struct {
	spec     Spec
	from, to minute
	home     *table
	layers   []refLayer
	acts     []stretch // when each override does
	uncov    []stretch
}

type refLayer struct {
	Layer
	effective stretch
	windows   []stretch
	except    []stretch
	shifts    []stretch
	shared    []refEvent
}

type refEvent struct {
	stretch
	who []string
}

// upstream is a calendar as Alertmanager itself would hold it.
func upstream(v Interval) timeinterval.TimeInterval {
	var out timeinterval.TimeInterval
	for _, s := range v.Times {
		out.Times = append(out.Times, timeinterval.TimeRange{StartMinute: s.First, EndMinute: s.Last})
	}
	for _, s := range v.Weekdays {
		out.Weekdays = append(out.Weekdays, timeinterval.WeekdayRange{InclusiveRange: timeinterval.InclusiveRange{Begin: s.First, End: s.Last}})
	}
	for _, s := range v.MonthDays {
		out.DaysOfMonth = append(out.DaysOfMonth, timeinterval.DayOfMonthRange{InclusiveRange: timeinterval.InclusiveRange{Begin: s.First, End: s.Last}})
	}
	for _, s := range v.Months {
		out.Months = append(out.Months, timeinterval.MonthRange{InclusiveRange: timeinterval.InclusiveRange{Begin: s.First, End: s.Last}})
	}
	for _, s := range v.Years {
		out.Years = append(out.Years, timeinterval.YearRange{InclusiveRange: timeinterval.InclusiveRange{Begin: s.First, End: s.Last}})
	}
	return out
}

// windowsOn are the windows of an entry that start on a civil day, as wall times.
func windowsOn(w Window, day minute) (out []stretch) {
	date := asTime(day)
	monday := (int(date.Weekday()) + 6) % 7
	switch {
	case w.Calendar != nil:
		for _, e := range w.Calendar.Events {
			from, to := unixMinute(e.From), unixMinute(e.To)
			if from < to && from-positiveMod(from, 1440) == day {
				out = append(out, stretch{from: from, to: to})
			}
		}
		for _, v := range w.Calendar.Intervals {
			times := v.Times
			if len(times) == 0 {
				times = []Span{{0, 1440}}
			}
			up := upstream(v)
			for _, s := range times {
				if up.ContainsTime(asTime(day + int64(s.First))) {
					out = append(out, stretch{from: day + int64(s.First), to: day + int64(s.Last)})
				}
			}
		}
	case w.Week:
		if monday == w.From/1440 {
			to := w.To
			if to <= w.From {
				to += 7 * 1440
			}
			out = append(out, stretch{from: day + int64(w.From%1440), to: day + int64(w.From%1440) + int64(to-w.From)})
		}
	case w.Days == 0 || w.Days&(1<<monday) != 0:
		to := w.To
		if to <= w.From {
			to += 1440
		}
		out = append(out, stretch{from: day + int64(w.From), to: day + int64(to)})
	}
	return out
}

func (t *table) windows(ws []Window) (out []stretch) {
	if len(ws) == 0 {
		return []stretch{{from: past, to: future}}
	}
	first := wallMinute(t.from, t.zone)
	first -= positiveMod(first, 1440) + 8*1440
	for day := first; day < t.to+2*1440; day += 1440 {
		for _, w := range ws {
			for _, v := range parts(w) {
				there := t
				if v.Calendar != nil && len(v.Calendar.Events) > 0 {
					if v.Calendar.Events[0].Instant {
						there = tableOf(time.UTC, t.from, t.to)
					}
				} else if v.Calendar != nil && v.Calendar.Intervals[0].Zone != nil {
					there = tableOf(v.Calendar.Intervals[0].Zone, t.from, t.to)
				}
				for _, s := range windowsOn(v, day) {
					out = append(out, stretch{from: there.start(s.from), to: there.end(s.to)})
				}
			}
		}
	}
	return out
}

// parts gives each interval and event of a calendar a window of its own.
func parts(w Window) (out []Window) {
	if w.Calendar == nil {
		return []Window{w}
	}
	for _, v := range w.Calendar.Intervals {
		out = append(out, Window{Calendar: &Calendar{Intervals: []Interval{v}}})
	}
	for _, e := range w.Calendar.Events {
		out = append(out, Window{Calendar: &Calendar{Events: []Event{e}}})
	}
	return out
}

func positiveMod(a, b int64) int64 { return ((a % b) + b) % b }

// local is the window with its calendar's instants as the zone's clocks show them.
func (t *table) local(w Window) Window {
	if w.Calendar == nil || len(w.Calendar.Events) == 0 {
		return w
	}
	c := *w.Calendar
	c.Events = slices.Clone(c.Events)
	for i, e := range c.Events {
		if e.Instant && e.From < e.To {
			at := Civil(wallMinute(unixMinute(e.From), t.zone) + 719162*1440)
			c.Events[i] = Event{From: at, To: at + 1}
		}
	}
	return Window{Calendar: &c}
}

// shifts lists every turn from the rotation's start until past the table's end.
func (t *table) shifts(r Rotation, active []Window) []stretch {
	var handoffs []minute
	start := unixMinute(r.Start)
	end := t.to + 2*1440
	step := func(next func(w minute, k int) minute) {
		for w, k := start, 0; w < end; k++ {
			handoffs = append(handoffs, t.start(w))
			w = next(w, k)
		}
	}
	days := int64(r.Every.N) * 1440
	counted := r.Count == ActiveDays
	if r.Count == "" && r.Every.Unit == Day {
		for _, w := range active {
			counted = counted || w.Days != 0
		}
	}
	switch {
	case r.Handoff.String() != "":
		spec, err := cron.ParseStandard(r.Handoff.String())
		if err != nil {
			panic(err)
		}
		step(func(w minute, _ int) minute {
			next := spec.Next(asTime(w))
			if next.IsZero() {
				return end
			}
			return next.Unix() / 60
		})
	case counted:
		handoffs = append(handoffs, t.start(start))
		n := 0
		midnight := start - positiveMod(start, 1440)
		for day := midnight; day < end; day += 1440 {
			starts := len(active) == 0
			for _, w := range active {
				starts = starts || len(windowsOn(t.local(w), day)) > 0
			}
			if !starts {
				continue
			}
			if n > 0 && n%r.Every.N == 0 {
				handoffs = append(handoffs, t.start(day+start-midnight))
			}
			n++
		}
	case r.Every.Unit == Hour && (r.Every.N > 24 || 24%r.Every.N != 0):
		u := t.start(start)
		if u == past {
			u = scan(start, t.zone)
		}
		for ; u < t.to+1440; u += int64(r.Every.N) * 60 {
			handoffs = append(handoffs, u)
		}
	case r.Every.Unit == Hour:
		step(func(w minute, _ int) minute { return w + int64(r.Every.N)*60 })
	case r.Every.Unit == Day:
		step(func(w minute, _ int) minute { return w + days })
	case r.Every.Unit == Week:
		step(func(w minute, _ int) minute { return w + 7*days })
	case r.Every.Unit == Month:
		anchor := asTime(start)
		step(func(_ minute, k int) minute {
			month := time.Date(anchor.Year(), anchor.Month()+time.Month((k+1)*r.Every.N), 1, anchor.Hour(), anchor.Minute(), 0, 0, time.UTC)
			last := month.AddDate(0, 1, -1).Day()
			return month.AddDate(0, 0, min(anchor.Day(), last)-1).Unix() / 60
		})
	default:
		handoffs = append(handoffs, t.start(start))
	}
	var out []stretch
	for i, from := range handoffs {
		to := future
		if i+1 < len(handoffs) {
			to = handoffs[i+1]
		}
		if to > t.from {
			out = append(out, stretch{from, to, i % len(r.Turns)})
		}
	}
	return out
}

// newReference readies a spec for questions about [from, to).
func newReference(spec Spec, from, to minute) *reference {
	lead, tail := int64(12*1440), int64(3*1440)
	tableFor := func(zone *time.Location) *table {
		if zone == nil {
			zone = spec.Zone
		}
		return tableOf(zone, from-lead, to+tail)
	}
	within := func(list []stretch) []stretch {
		return slices.DeleteFunc(list, func(s stretch) bool { return s.to <= from || s.from >= to })
	}
	r := &reference{spec: spec, from: from, to: to, home: tableFor(spec.Zone)}
	for _, l := range spec.Layers {
		t := tableFor(l.Zone)
		ref := refLayer{Layer: l, effective: stretch{from: past, to: future}, windows: within(t.windows(l.Active))}
		if l.EffectiveFrom != 0 {
			ref.effective.from = t.start(unixMinute(l.EffectiveFrom))
		}
		if l.EffectiveUntil != 0 {
			ref.effective.to = t.end(unixMinute(l.EffectiveUntil))
		}
		if len(l.Except) > 0 {
			ref.except = within(t.windows(l.Except))
		}
		if l.Shared != nil {
			for _, e := range l.Shared.Events {
				there := t
				if e.Instant {
					there = tableFor(time.UTC)
				}
				ref.shared = append(ref.shared, refEvent{stretch{from: there.start(unixMinute(e.From)), to: there.end(unixMinute(e.To))}, e.Who})
			}
		}
		if len(l.Rotation.Turns) > 0 {
			ref.shifts = within(t.shifts(l.Rotation, l.Active))
		}
		r.layers = append(r.layers, ref)
	}
	for _, o := range spec.Overrides {
		span := stretch{from: o.Start.Unix() / 60, to: o.End.Unix() / 60}
		if o.From != 0 {
			span = stretch{from: r.home.start(unixMinute(o.From)), to: r.home.end(unixMinute(o.To))}
		}
		r.acts = append(r.acts, span)
	}
	if len(spec.Uncovered) > 0 {
		r.uncov = within(r.home.windows(spec.Uncovered))
	}
	return r
}

type seat struct {
	who    string
	names  []string // all who held it
	origin int
}

func (r *reference) answer(u minute) (users, layers []string, declared bool) {
	holds := func(s stretch) bool { return s.from <= u && u < s.to }
	var seats []seat
	byLayers, intended := false, false
	act := func(seats []seat, layer string) []seat {
		for i, o := range r.spec.Overrides {
			if o.Layer != layer || !holds(r.acts[i]) {
				continue
			}
			switch o.Kind {
			case Replace:
				for i := range seats {
					if s := &seats[i]; slices.Contains(s.names, o.User) {
						s.names = append(s.names, o.With)
						s.who, s.origin = o.With, len(r.layers)
					}
				}
			case Take:
				seats = []seat{{o.User, []string{o.User}, len(r.layers)}}
			case Add:
				seats = append(seats, seat{o.User, []string{o.User}, len(r.layers)})
			case Remove:
				seats = slices.DeleteFunc(seats, func(s seat) bool { return s.who == o.User })
			}
		}
		return seats
	}
	for i, l := range r.layers {
		var own []seat
		if holds(l.effective) && slices.ContainsFunc(l.windows, holds) && !slices.ContainsFunc(l.except, holds) {
			named := false
			for _, e := range l.shared {
				if !holds(e.stretch) {
					continue
				}
				named = named || len(e.who) > 0
				for _, who := range e.who {
					if who != Nobody && !slices.ContainsFunc(own, func(s seat) bool { return s.who == who }) {
						own = append(own, seat{who, []string{who}, i})
					}
				}
			}
			intended = intended || named && len(own) == 0
			for _, s := range l.shifts {
				if !holds(s) {
					continue
				}
				for _, who := range l.Rotation.Turns[s.turn] {
					if who != Nobody {
						own = append(own, seat{who, []string{who}, i})
					}
				}
				intended = intended || len(own) == 0
			}
		}
		byLayers = byLayers || len(own) > 0
		own = act(own, l.Name)
		if l.Mode == ModeAdd {
			seats = append(seats, own...)
		} else if len(own) > 0 {
			seats = own
		}
	}
	seats = act(seats, "")
	names := []string{}
	var origins []int
	for _, s := range seats {
		names, origins = append(names, s.who), append(origins, s.origin)
	}
	slices.Sort(names)
	slices.Sort(origins)
	for _, o := range slices.Compact(origins) {
		if o == len(r.layers) {
			layers = append(layers, "override")
		} else {
			layers = append(layers, r.layers[o].Name)
		}
	}
	if len(seats) == 0 {
		declared = intended && !byLayers || slices.ContainsFunc(r.uncov, holds)
	}
	return slices.Compact(names), layers, declared
}

// walk asks minute by minute and joins what is alike.
func (r *reference) walk() (shifts []Shift, gaps []Gap) {
	shifts, gaps = []Shift{}, []Gap{}
	for u := r.from; u < r.to; u++ {
		users, layers, declared := r.answer(u)
		now, then := asTime(u), asTime(u+1)
		if len(users) == 0 {
			if n := len(gaps); n > 0 && gaps[n-1].End.Equal(now) && gaps[n-1].Declared == declared {
				gaps[n-1].End = then
			} else {
				gaps = append(gaps, Gap{now, then, declared})
			}
			continue
		}
		if n := len(shifts); n > 0 && shifts[n-1].End.Equal(now) && slices.Equal(shifts[n-1].Users, users) {
			shifts[n-1].End = then
			shifts[n-1].Layers = r.union(shifts[n-1].Layers, layers)
		} else {
			shifts = append(shifts, Shift{now, then, users, layers})
		}
	}
	return shifts, gaps
}

func (r *reference) union(a, b []string) (out []string) {
	for i := 0; i <= len(r.layers); i++ {
		name := "override"
		if i < len(r.layers) {
			name = r.layers[i].Name
		}
		if slices.Contains(a, name) || slices.Contains(b, name) {
			out = append(out, name)
		}
	}
	return out
}
