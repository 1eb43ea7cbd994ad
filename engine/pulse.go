package engine

import "time"

// A Pulse is how the engine fares.
type Pulse struct {
	Received  time.Time // when alerts were last posted; zero: not since the start
	Committed time.Time // when the store last took a commit; likewise
	Backlog   int       // bytes that the store did not take, held in memory
	Trouble   string    // why; empty: all is well
	Pending   int       // deliveries without an outcome

	Lag time.Duration // by how much the last turn was late for what was due
}

// Pulse tells how the engine fares.
func (e *Engine) Pulse() Pulse {
	p := Pulse{Received: fromNanos(e.received.Load()), Committed: fromNanos(e.committed.Load()), Trouble: e.Trouble(), Lag: time.Duration(e.lag.Load())}
	e.mu.RLock()
	defer e.mu.RUnlock()
	p.Backlog, p.Pending = e.unsaved.size, len(e.core.deliveries)
	return p
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
