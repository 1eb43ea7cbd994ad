package router

import "time"

// An agenda keeps appointments in the order of their time, and those of one instant in the order they were made. It
// forgets nothing by itself: who moves an appointment makes a second one, and passes over the first when it comes up.
type agenda[T any] struct {
	heap []appointment[T]
	made uint64
}

type appointment[T any] struct {
	round uint64 // of a throng; 0 elsewhere
	at    time.Time
	made  uint64
	who   T
}

func (a appointment[T]) before(b appointment[T]) bool {
	if a.round != b.round {
		return a.round < b.round
	}
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.made < b.made
}

// add makes an appointment.
func (g *agenda[T]) add(at time.Time, who T) { g.addTo(0, at, who) }

func (g *agenda[T]) addTo(round uint64, at time.Time, who T) {
	g.made++
	g.heap = append(g.heap, appointment[T]{round, at, g.made, who})
	for i := len(g.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !g.heap[i].before(g.heap[parent]) {
			break
		}
		g.heap[i], g.heap[parent] = g.heap[parent], g.heap[i]
		i = parent
	}
}

// first returns the next appointment; ok is false where there is none.
func (g *agenda[T]) first() (at time.Time, who T, ok bool) {
	if len(g.heap) == 0 {
		return at, who, false
	}
	return g.heap[0].at, g.heap[0].who, true
}

// drop removes the next appointment.
func (g *agenda[T]) drop() {
	last := len(g.heap) - 1
	g.heap[0] = g.heap[last]
	g.heap[last] = appointment[T]{}
	g.heap = g.heap[:last]
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && g.heap[child].before(g.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		g.heap[i], g.heap[least] = g.heap[least], g.heap[i]
		i = least
	}
}

// A grid is a coarse rhythm: the multiples of a span, counted from the zero time and not from when we started, so that
// a restart does not shift it.
type grid struct {
	every time.Duration
	next  time.Time // zero: not known yet
}

// begin finds the place in the rhythm, once.
func (g *grid) begin(now time.Time) {
	if g.next.IsZero() {
		g.next = now.Truncate(g.every).Add(g.every)
	}
}

// due reports whether the rhythm has come round by now, and then moves on.
func (g *grid) due(now time.Time) bool {
	g.begin(now)
	if now.Before(g.next) {
		return false
	}
	g.next = time.Time{}
	g.begin(now)
	return true
}
