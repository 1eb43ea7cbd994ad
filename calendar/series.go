package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// costOfInstant is the work of finding an instant, in days looked at.
const costOfInstant = 10

// An occasion is one start of a series. The key is the instant that tells it from others.
type occasion struct {
	key  int64
	wall civil
}

// expand fills in the occurrences of all calendars.
func (in *reading) expand(files []*component) error {
	groups := map[string][]*entry{}
	var order []string
	for _, f := range files {
		z := in.zones(f)
		for _, c := range f.parts {
			if c.name != "VEVENT" {
				continue
			}
			e := &entry{c: c, zones: z}
			if err := e.read(); err != nil {
				in.warn(c.line, e.who, "%v; the event is left out", err)
				continue
			}
			e.cancelled = e.cancelled || strings.EqualFold(f.text("METHOD"), "CANCEL")
			group := e.uid
			if group == "" { // without a UID nothing belongs together
				group = fmt.Sprintf("\x00%d", c.line)
			}
			if groups[group] == nil {
				order = append(order, group)
			}
			groups[group] = append(groups[group], e)
		}
	}
	for _, uid := range order {
		if err := in.group(groups[uid]); err != nil {
			return err
		}
	}
	return nil
}

// group expands what has one UID: mostly a series and its changed occurrences.
func (in *reading) group(all []*entry) error {
	var series, changed []*entry
	for _, e := range all {
		if e.replaces == nil {
			series = append(series, e)
		} else {
			changed = append(changed, e)
		}
	}
	// Of revisions the latest counts. Events that share a UID and a revision, against the RFC, are all kept: to drop
	// one could leave a shift without anybody.
	latest := 0
	for _, e := range series {
		latest = max(latest, e.c.sequence())
	}
	series = slices.DeleteFunc(series, func(e *entry) bool {
		old := e.c.sequence() < latest
		if old {
			in.warn(e.c.line, e.who, "the file has a later revision of this event (SEQUENCE:%d); this one is left out", latest)
		}
		return old
	})
	there := len(series)
	series = slices.DeleteFunc(series, func(e *entry) bool { return e.cancelled })
	if there > 0 && len(series) == 0 {
		return nil // with all that was changed about it
	}
	replaced := newMarks()
	var start stamp
	if len(series) > 0 {
		start = series[0].start
	}
	for _, e := range in.latest(changed, start.zone) {
		p, _, _ := e.c.one("RECURRENCE-ID")
		if p.is("RANGE", "THISANDFUTURE") {
			in.warn(e.c.line, e.who, "it changes this and all later occurrences (RANGE=THISANDFUTURE); only this one is changed here. End the series before it, and make a new one for the rest")
		}
		replaced.add(*e.replaces, start)
		if !e.cancelled {
			if err := in.add(e, occasion{e.start.instant(), e.start.wall}, new(int)); err != nil {
				return err
			}
		}
	}
	for _, e := range series {
		if err := in.series(e, replaced); err != nil {
			var skip *fault
			if !errors.As(err, &skip) {
				return err
			}
			in.warn(e.c.line, e.who, "%v; the event is left out", skip.error)
		}
	}
	return nil
}

// latest keeps of several changes to one occurrence the last revision, or of equals the last in the file.
func (in *reading) latest(changed []*entry, zone zone) []*entry {
	type place struct {
		at   int64
		days bool
	}
	last := map[place]*entry{}
	of := func(e *entry) place { return place{e.replaces.in(zone).instant(), e.replaces.date} }
	for _, e := range changed {
		if o := last[of(e)]; o == nil || o.c.sequence() <= e.c.sequence() {
			last[of(e)] = e
		}
	}
	return slices.DeleteFunc(changed, func(e *entry) bool { return last[of(e)] != e })
}

// A fault leaves one event out.
type fault struct{ error }

// series adds the occurrences of one event without those that are marked.
func (in *reading) series(e *entry, replaced marks) error {
	// The range on the wall clock, generously: within is exact. The longest occurrence that could reach into the range
	// begins its length before it, a day more for changes of clocks.
	lo, hi := civil(in.From.Unix()-zoneReach), civil(in.To.Unix()+zoneReach)
	lo -= max(0, e.nominal) + civil(e.exact) + 2*day
	hi += 2 * day

	occasions := map[int64]occasion{e.start.instant(): {e.start.instant(), e.start.wall}}
	dropped := replaced.copy()
	for _, name := range []string{"RRULE", "EXRULE"} {
		for _, p := range e.c.all(name) {
			r, err := parseRule(p.value, e.start.zone)
			if err == nil && e.start.date {
				err = r.wholeDays()
			}
			if err != nil {
				return &fault{fmt.Errorf("line %d: %s: %w", p.line, name, err)}
			}
			if name == "RRULE" && r.until < e.start.wall {
				delete(occasions, e.start.instant())
			}
			n := 0
			err = r.expand(e.start.wall, lo, hi, name == "RRULE", &in.work, func(c civil) error {
				if c < lo {
					return nil
				}
				if err := in.work.spend(costOfInstant); err != nil {
					return err
				}
				o := occasion{stamp{wall: c, zone: e.start.zone}.instant(), c}
				if !in.within(e, o.key, e.end(o)) {
					return nil
				}
				// Twice as many may be known as may remain when exceptions are taken out.
				if n++; n > 2*in.MaxRepeats {
					return in.tooMany(e)
				}
				if name == "EXRULE" {
					dropped.at[o.key] = true
				} else if old, there := occasions[o.key]; !there || e.end(old) < e.end(o) {
					occasions[o.key] = o // at a gap several wall times are one instant; the longest covers all
				}
				return nil
			})
			if errors.Is(err, errWork) {
				return fmt.Errorf("line %d: %s: %w; give its rule a later start instead of a COUNT, or a lower frequency", p.line, e.who, err)
			}
			if err != nil {
				return err
			}
		}
	}
	ends := map[int64]int64{} // of occasions whose RDATE is a period
	if err := e.dates(occasions, ends, dropped); err != nil {
		return &fault{err}
	}
	n := 0
	for _, o := range ordered(occasions) {
		if dropped.has(o) {
			continue
		}
		if end, ok := ends[o.key]; ok {
			if err := in.put(e, o.key, end, &n); err != nil {
				return err
			}
			continue
		}
		if err := in.add(e, o, &n); err != nil {
			return err
		}
	}
	return nil
}

func ordered(m map[int64]occasion) []occasion {
	list := make([]occasion, 0, len(m))
	for _, o := range m {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b occasion) int { return cmp.Compare(a.key, b.key) })
	return list
}

// dates reads RDATE and EXDATE: 3.8.5.1 and 3.8.5.2.
func (e *entry) dates(occasions map[int64]occasion, ends map[int64]int64, dropped marks) error {
	for _, p := range e.c.properties {
		if p.name != "RDATE" && p.name != "EXDATE" {
			continue
		}
		wrong := func(err error) error { return fmt.Errorf("line %d: %s: %w", p.line, p.name, err) }
		for v := range strings.SplitSeq(p.value, ",") {
			if strings.TrimSpace(v) == "" {
				continue
			}
			from, to, period := strings.Cut(v, "/")
			s, err := e.stamp(p, from)
			if err != nil {
				return wrong(err)
			}
			if p.name == "EXDATE" {
				dropped.add(s, e.start)
				continue
			}
			if s = s.in(e.start.zone); s.date != e.start.date || s.zone != nil && e.start.zone == nil {
				return wrong(errMixed)
			}
			o := occasion{s.instant(), s.wall}
			if s.zone != nil {
				o.wall = wall(e.start.zone, o.key)
			}
			occasions[o.key] = o
			if period {
				end, err := e.periodEnd(p, s, to)
				if err != nil {
					return wrong(err)
				}
				ends[o.key] = end
			}
		}
	}
	return nil
}

// periodEnd reads what follows the slash of a PERIOD: 3.3.9.
func (e *entry) periodEnd(p property, from stamp, s string) (int64, error) {
	if strings.ContainsAny(s, "P") {
		days, seconds, err := parseDuration(s)
		if err != nil {
			return 0, err
		}
		span := entry{start: from, nominal: civil(days * day), exact: seconds}
		return span.end(occasion{from.instant(), from.wall}), nil
	}
	to, err := e.stamp(p, s)
	if err != nil {
		return 0, err
	}
	if to = to.in(from.zone); to.zone == nil {
		return int64(to.wall), nil
	}
	return last(to.zone, to.wall), nil
}

// in gives a floating time the zone of its series: who writes EXDATE without TZID means the event's own clock.
func (s stamp) in(z zone) stamp {
	if s.zone == nil && !s.date {
		s.zone = z
	}
	return s
}

// marks are occasions that do not take place as the rule says. Some name only the day.
type marks struct{ at, days map[int64]bool }

func newMarks() marks { return marks{map[int64]bool{}, map[int64]bool{}} }

func (m marks) copy() marks {
	c := newMarks()
	for k := range m.at {
		c.at[k] = true
	}
	for k := range m.days {
		c.days[k] = true
	}
	return c
}

// add marks what s names in a series that starts so. Of whole days any time marks the day.
func (m marks) add(s, start stamp) {
	if s.date || start.date {
		m.days[s.wall.day()] = true
		return
	}
	m.at[s.in(start.zone).instant()] = true
}

func (m marks) has(o occasion) bool { return m.at[o.key] || m.days[o.wall.day()] }

// add puts one occasion of an entry in, if it is within the range. Of those n are in already.
func (in *reading) add(e *entry, o occasion, n *int) error {
	end := e.until
	if o.key != e.start.instant() || o.wall != e.start.wall {
		end = e.end(o)
	}
	return in.put(e, o.key, end, n)
}

// within tells whether something is not empty, and in the range; what is civil, whether it is in some zone.
func (in *reading) within(e *entry, start, end int64) bool {
	reach := int64(0)
	if e.start.zone == nil {
		reach = zoneReach
	}
	return start < end && start-reach < ceil(in.To) && end+reach > in.From.Unix()
}

func (in *reading) put(e *entry, start, end int64, n *int) error {
	switch {
	case !in.within(e, start, end):
		return nil
	case *n == in.MaxRepeats:
		return in.tooMany(e)
	case len(in.events) == in.MaxOccurrences:
		return fmt.Errorf("line %d: %s: with it there are more than %d occurrences from %s to %s; share a calendar that holds only what is needed here",
			e.c.line, e.who, in.MaxOccurrences, in.From.Format(time.DateOnly), in.To.Format(time.DateOnly))
	}
	*n++
	in.events = append(in.events, Event{
		UID: e.uid, Start: time.Unix(start, 0).UTC(), End: time.Unix(end, 0).UTC(), Civil: e.start.zone == nil,
		Summary: e.summary, Attendees: slices.Clone(e.attendees),
	})
	return nil
}

func (in *reading) tooMany(e *entry) error {
	return fmt.Errorf("line %d: %s: it recurs more than %d times from %s to %s; make it recur less often, or take it out of the calendar",
		e.c.line, e.who, in.MaxRepeats, in.From.Format(time.DateOnly), in.To.Format(time.DateOnly))
}

// ceil is the first whole second that is not before t.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 && t.Unix() < math.MaxInt64 {
		return t.Unix() + 1
	}
	return t.Unix()
}
