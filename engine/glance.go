package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// Gaps lists when nobody was, is or will be on call in one schedule in [from, to), in order, cut to it. As with Shifts, what
// has passed comes from the record, as far as it goes back, and the rest is computed. ok is false where there neither is nor
// was such a schedule.
func (e *Engine) Gaps(ctx context.Context, name string, from, to time.Time) (gaps []oncall.Gap, ok bool, err error) {
	e.mu.RLock()
	s, now := e.core.schedules[name], e.core.now
	var b bill
	if known := e.core.bills[name]; known != nil {
		b = *known
	}
	e.mu.RUnlock()
	if s == nil && b.Last == 0 {
		return nil, false, nil
	}
	lines, err := e.linesOf(ctx, name, b, from, earlier(to, now))
	if err != nil {
		return nil, true, err
	}
	gaps = []oncall.Gap{}
	add := func(more ...oncall.Gap) {
		for _, g := range more {
			if n := len(gaps); n > 0 && gaps[n-1].End.Equal(g.Start) && gaps[n-1].Declared == g.Declared {
				gaps[n-1].End = g.End
				continue
			}
			gaps = append(gaps, g)
		}
	}
	computed := func(from, to time.Time) {
		if s != nil && from.Before(to) {
			add(s.Gaps(from, to)...)
		}
	}
	if len(lines) == 0 {
		computed(from, to)
		return gaps, true, nil
	}
	computed(from, later(from, lines[0].At))
	for i, l := range lines {
		end := earlier(to, now)
		if i+1 < len(lines) {
			end = lines[i+1].At
		}
		if start := later(l.At, from); start.Before(end) && len(l.Users) == 0 && !l.Gone {
			add(oncall.Gap{Start: start.UTC(), End: end.UTC(), Declared: l.Declared})
		}
	}
	computed(later(from, now), to)
	return gaps, true, nil
}

// Turn is how many turns of a step's round robin were taken; steps count from 1.
func (e *Engine) Turn(policy string, step int) int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.turns[fmt.Sprintf("%s/%d", policy, step)]
}
