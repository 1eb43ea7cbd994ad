package router

import "time"

// share is how many groups of one receiver speak before it is the others' turn. While fewer are due, all speak in the order
// of their times.
const share = 32

// A throng is the groups whose time has come. They go in rounds: in each, at most a share of every receiver's groups speaks,
// and within it the order is that of their times. So thousands of groups of one receiver hold up another's by one share, and
// a receiver's own speak in their order. The zero value is empty and ready.
//
// Like an agenda it forgets nothing by itself.
type throng struct {
	due   agenda[*group]
	round uint64            // of the last one taken
	seats map[string]ticket // by receiver
}

// A ticket is for the next group of a receiver.
type ticket struct {
	round uint64
	taken int // groups of the receiver in that round
}

// add lets the group wait for its turn.
func (t *throng) add(at time.Time, g *group) {
	seat := t.seats[g.Receiver]
	if seat.round < t.round {
		seat = ticket{round: t.round} // nobody saves up turns
	}
	t.due.addTo(seat.round, at, g)
	if seat.taken++; seat.taken == share {
		seat = ticket{round: seat.round + 1}
	}
	if t.seats == nil {
		t.seats = map[string]ticket{}
	}
	t.seats[g.Receiver] = seat
}

// first returns whose turn it is; ok is false where nobody waits.
func (t *throng) first() (at time.Time, g *group, ok bool) { return t.due.first() }

// drop removes the first.
func (t *throng) drop() {
	t.round = t.due.heap[0].round
	if t.due.drop(); len(t.due.heap) == 0 {
		*t = throng{}
	}
}

// oldest is since when somebody waits; zero: nobody does.
func (t *throng) oldest() (at time.Time) {
	for _, a := range t.due.heap {
		if at.IsZero() || a.at.Before(at) {
			at = a.at
		}
	}
	return at
}
