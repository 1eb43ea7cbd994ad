package engine

import (
	"container/heap"
	"time"
)

// An agenda tells which named thing is due first. It holds what the values say of themselves and nothing else, so it
// can be rebuilt from them at any time.
//
// What is due goes in rounds: in each, at most a share of every crowd, and within it in the order of the due times. So the
// ladders of a storm hold up another policy's by one share, and where few are due all go in the order of their times.
type agenda struct {
	waiting, ripe pile
	index         map[string]*appointment
	order         uint64

	round   uint64            // of the ripe one that was first last time
	tickets map[string]ticket // by crowd: for its next that ripens
}

// crowdShare is how many of one crowd are woken before it is the others' turn.
const crowdShare = 32

type ticket struct {
	round uint64
	taken int // by the crowd in that round
}

type appointment struct {
	name  string
	at    time.Time
	order uint64 // ties go by the order in which they were made
	round uint64 // of a ripe one
	ripe  bool
	place int // in its pile
}

func newAgenda() *agenda { return &agenda{index: map[string]*appointment{}} }

// set says when name is due; a zero time takes it off.
func (a *agenda) set(name string, at time.Time) {
	it, known := a.index[name]
	switch {
	case at.IsZero():
		if known {
			a.remove(it)
			delete(a.index, name)
		}
	case !known:
		a.order++
		it = &appointment{name: name, at: at, order: a.order}
		a.index[name] = it
		heap.Push(&a.waiting, it)
	case it.at.Equal(at):
	case it.ripe:
		a.remove(it)
		it.at, it.ripe, it.round = at, false, 0
		heap.Push(&a.waiting, it)
	default:
		it.at = at
		heap.Fix(&a.waiting, it.place)
	}
}

func (a *agenda) remove(it *appointment) {
	if !it.ripe {
		heap.Remove(&a.waiting, it.place)
		return
	}
	heap.Remove(&a.ripe, it.place)
	if len(a.ripe) == 0 {
		a.round, a.tickets = 0, nil
	}
}

// due is when the first is due; zero: nothing waits.
func (a *agenda) due() (at time.Time) {
	if len(a.waiting) > 0 {
		at = a.waiting[0].at
	}
	for _, it := range a.ripe {
		if at.IsZero() || it.at.Before(at) {
			at = it.at
		}
	}
	return at
}

// next is whose turn it is of those that are due by now; ok is false if nothing is. crowd says to whom a name belongs.
func (a *agenda) next(now time.Time, crowd func(name string) string) (name string, at time.Time, ok bool) {
	for len(a.waiting) > 0 && !a.waiting[0].at.After(now) {
		it := heap.Pop(&a.waiting).(*appointment)
		a.ripen(it, crowd(it.name))
	}
	if len(a.ripe) == 0 || a.ripe[0].at.After(now) {
		return "", time.Time{}, false
	}
	a.round = a.ripe[0].round
	return a.ripe[0].name, a.ripe[0].at, true
}

func (a *agenda) ripen(it *appointment, crowd string) {
	t := a.tickets[crowd]
	if t.round < a.round {
		t = ticket{round: a.round} // nobody saves up turns
	}
	it.ripe, it.round = true, t.round
	heap.Push(&a.ripe, it)
	if t.taken++; t.taken == crowdShare {
		t = ticket{round: t.round + 1}
	}
	if a.tickets == nil {
		a.tickets = map[string]ticket{}
	}
	a.tickets[crowd] = t
}

// A pile is a heap of appointments.
type pile []*appointment

func (p pile) Len() int { return len(p) }

func (p pile) Less(i, j int) bool {
	x, y := p[i], p[j]
	switch {
	case x.round != y.round:
		return x.round < y.round
	case x.at.Equal(y.at):
		return x.order < y.order
	}
	return x.at.Before(y.at)
}

func (p pile) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].place, p[j].place = i, j
}

func (p *pile) Push(x any) {
	it := x.(*appointment)
	it.place = len(*p)
	*p = append(*p, it)
}

func (p *pile) Pop() any {
	last := len(*p) - 1
	it := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return it
}
