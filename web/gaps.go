package web

import (
	"sync"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// gapsKnown remembers when each schedule's next gap begins: to find out walks through weeks, and every first page asks.
type gapsKnown struct {
	mu sync.Mutex
	of map[string]gapKnown
}

type gapKnown struct {
	schedule    *oncall.Schedule // another one after every change
	next        time.Time        // zero: there is none ahead
	from, until time.Time        // what is known holds in between
}

// gapBelieve is for how long it is believed that there is no gap ahead.
const gapBelieve = 10 * time.Minute

// next is when somebody will be missing in the schedule, as far as one looks ahead; now, if somebody is missing already; zero:
// never.
func (g *gapsKnown) next(name string, s *oncall.Schedule, now time.Time) time.Time {
	if s == nil {
		return time.Time{}
	}
	g.mu.Lock()
	known, ok := g.of[name]
	g.mu.Unlock()
	if !ok || known.schedule != s || now.Before(known.from) || !now.Before(known.until) {
		known = gapKnown{schedule: s, from: now, until: now.Add(gapBelieve)}
		if gaps := s.Undeclared(now, now.Add(gapAhead)); len(gaps) > 0 {
			known.next = gaps[0].Start
			if !gaps[0].Start.After(now) { // it ends, too
				known.until = earliest(known.until, gaps[0].End)
			}
		}
		g.mu.Lock()
		if g.of == nil || len(g.of) > maxGapsKnown {
			g.of = map[string]gapKnown{}
		}
		g.of[name] = known
		g.mu.Unlock()
	}
	return known.next
}

// maxGapsKnown is how many schedules are remembered, those that are gone among them.
const maxGapsKnown = 10_000

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
