package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A DutyView is who is or was on call in one schedule at an instant.
type DutyView struct {
	Schedule string
	Watch              // At is since when, where that is recorded, and else the instant asked for
	Until    time.Time // when that may change, or changed; zero: never
	Past     bool      // the instant has passed
	Recorded bool      // of the past: it was written down then, and is not computed now
}

// Duties is who is or was on call at the instant (zero: now) in every schedule, by name. The past comes from the record,
// with schedules that the configuration had then; what was before the record began is computed.
func (e *Engine) Duties(ctx context.Context, at time.Time) ([]DutyView, error) {
	e.mu.RLock()
	schedules, bills, seen := maps.Clone(e.core.schedules), e.core.billsNow(), e.core.now
	e.mu.RUnlock()
	now := e.now().Wall
	past := !at.IsZero() && at.Before(now)
	if at.IsZero() {
		at = now
	}
	names := slices.Collect(maps.Keys(schedules))
	for name := range bills {
		if past && schedules[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	views := []DutyView{}
	for _, name := range names {
		v := DutyView{Schedule: name, Past: past}
		s := schedules[name]
		if past {
			var err error
			if v.Watch, v.Until, v.Recorded, err = e.recorded(ctx, name, bills[name], at); err != nil {
				return nil, err
			}
		}
		if v.Recorded && s != nil && !at.Before(seen) {
			// Nothing was written down since, because nothing changed; unless that is to be done this very moment.
			next := s.NextChange(seen)
			v.Recorded = next.IsZero() || next.After(at)
		}
		switch {
		case v.Recorded && v.Until.IsZero() && s != nil:
			v.Until = s.NextChange(seen)
		case v.Recorded:
		case s == nil:
			continue
		default:
			v.Watch, v.Until = watchAt(s, at), s.NextChange(at)
		}
		if !v.Gone {
			views = append(views, v)
		}
	}
	return views, nil
}

// billsNow are copies, whose slices nobody changes.
func (c *Core) billsNow() map[string]bill {
	all := make(map[string]bill, len(c.bills))
	for name, b := range c.bills {
		all[name] = *b
	}
	return all
}

// recorded is what the history says of an instant, and until when that held; zero: it does still.
func (e *Engine) recorded(ctx context.Context, name string, b bill, at time.Time) (w Watch, until time.Time, ok bool, err error) {
	l, ok, err := e.lineAt(ctx, name, b, at)
	if err != nil || !ok {
		return w, until, false, err
	}
	next, _, err := e.lineFrom(ctx, name, l.n+1, b.Last)
	return l.Watch, next.At, true, err
}

// Shifts lists who is on call in one schedule in [from, to), in order, cut to it; gaps are absent. What has passed comes
// from the record, and since is from when on (zero: none of it is); the rest is computed. ok is false where there neither
// is nor was such a schedule.
func (e *Engine) Shifts(ctx context.Context, name string, from, to time.Time) (shifts []oncall.Shift, since time.Time, ok bool, err error) {
	e.mu.RLock()
	s, now := e.core.schedules[name], e.core.now
	var b bill
	if known := e.core.bills[name]; known != nil {
		b = *known
	}
	e.mu.RUnlock()
	if s == nil && b.Last == 0 {
		return nil, since, false, nil
	}
	lines, err := e.linesOf(ctx, name, b, from, earlier(to, now))
	if err != nil {
		return nil, since, true, err
	}
	shifts = []oncall.Shift{}
	computed := func(from, to time.Time) {
		if s != nil && from.Before(to) {
			shifts = join(shifts, s.Shifts(from, to)...)
		}
	}
	if len(lines) == 0 {
		computed(from, to)
		return shifts, since, true, nil
	}
	since = later(from, lines[0].At).UTC()
	computed(from, since)
	for i, l := range lines {
		end := earlier(to, now)
		if i+1 < len(lines) {
			end = lines[i+1].At
		}
		if start := later(l.At, from); start.Before(end) && len(l.Users) > 0 {
			shifts = join(shifts, oncall.Shift{Start: start.UTC(), End: end.UTC(), Users: l.Users, Layers: l.Layers})
		}
	}
	computed(now, to)
	return shifts, since, true, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// join appends shifts; adjacent ones with the same people are one (SPEC §4.11).
func join(shifts []oncall.Shift, more ...oncall.Shift) []oncall.Shift {
	for _, m := range more {
		n := len(shifts)
		if n == 0 || !shifts[n-1].End.Equal(m.Start) || !slices.Equal(shifts[n-1].Users, m.Users) {
			shifts = append(shifts, m)
			continue
		}
		last := &shifts[n-1]
		last.End = m.End
		last.Layers = slices.Clone(last.Layers)
		for _, layer := range m.Layers {
			if !slices.Contains(last.Layers, layer) {
				last.Layers = append(last.Layers, layer)
			}
		}
	}
	return shifts
}

// A numbered line of the history.
type line struct {
	n uint64
	Watch
}

// lineAt is the line that holds at an instant: the last one that is not after it.
func (e *Engine) lineAt(ctx context.Context, name string, b bill, at time.Time) (held line, ok bool, err error) {
	if b.Last > 0 && !b.Now.At.After(at) {
		return line{b.Last, b.Now}, true, nil
	}
	for low, high := b.First, b.Last; low < high; { // the lines from high on are after it, those below low are not
		middle := low + (high-low)/2
		l, found, err := e.lineFrom(ctx, name, middle, high-1)
		switch {
		case err != nil:
			return held, false, err
		case !found || l.At.After(at):
			high = middle
		default:
			held, ok, low = l, true, l.n+1
		}
	}
	return held, ok, nil
}

// linesOf are those that say who was on call in [from, to), in order.
func (e *Engine) linesOf(ctx context.Context, name string, b bill, from, to time.Time) (lines []line, err error) {
	if b.Last == 0 || !from.Before(to) {
		return nil, nil
	}
	first := b.First
	if held, ok, err := e.lineAt(ctx, name, b, from); err != nil {
		return nil, err
	} else if ok {
		first = held.n
	}
	for item, err := range e.scan(ctx, watchKey(name, first), watchKey(name, b.Last+1)) {
		if err != nil {
			return nil, fmt.Errorf("reading the store: %w", err)
		}
		l := line{n: numberOfKey(item.Key)}
		if decode("watch", item.Value, &l.Watch) != nil {
			continue
		}
		if !l.At.Before(to) {
			break
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// lineFrom is the first line that can be read from number n to last.
func (e *Engine) lineFrom(ctx context.Context, name string, n, last uint64) (l line, found bool, err error) {
	if n > last {
		return l, false, nil
	}
	for item, err := range e.scan(ctx, watchKey(name, n), watchKey(name, last+1)) {
		if err != nil {
			return l, false, fmt.Errorf("reading the store: %w", err)
		}
		l = line{n: numberOfKey(item.Key)}
		if decode("watch", item.Value, &l.Watch) == nil {
			return l, true, nil
		}
	}
	return line{}, false, nil
}
