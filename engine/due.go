package engine

import (
	"container/heap"
	"time"
)

// An agenda tells which named thing is due first. It holds what the values say of themselves and nothing else, so it
// can be rebuilt from them at any time.
type agenda struct {
	items []*appointment
	index map[string]*appointment
	order uint64
}

type appointment struct {
	name  string
	at    time.Time
	order uint64 // ties go by the order in which they were made
	place int
}

func newAgenda() *agenda { return &agenda{index: map[string]*appointment{}} }

// set says when name is due; a zero time takes it off.
func (a *agenda) set(name string, at time.Time) {
	old, known := a.index[name]
	switch {
	case at.IsZero():
		if known {
			heap.Remove(a, old.place)
			delete(a.index, name)
		}
	case known:
		if !old.at.Equal(at) {
			old.at = at
			heap.Fix(a, old.place)
		}
	default:
		a.order++
		it := &appointment{name: name, at: at, order: a.order}
		a.index[name] = it
		heap.Push(a, it)
	}
}

// first is what is due first; ok is false if nothing waits.
func (a *agenda) first() (name string, at time.Time, ok bool) {
	if len(a.items) == 0 {
		return "", time.Time{}, false
	}
	return a.items[0].name, a.items[0].at, true
}

func (a *agenda) Len() int { return len(a.items) }

func (a *agenda) Less(i, j int) bool {
	x, y := a.items[i], a.items[j]
	if x.at.Equal(y.at) {
		return x.order < y.order
	}
	return x.at.Before(y.at)
}

func (a *agenda) Swap(i, j int) {
	a.items[i], a.items[j] = a.items[j], a.items[i]
	a.items[i].place, a.items[j].place = i, j
}

func (a *agenda) Push(x any) {
	it := x.(*appointment)
	it.place = len(a.items)
	a.items = append(a.items, it)
}

func (a *agenda) Pop() any {
	last := a.items[len(a.items)-1]
	a.items[len(a.items)-1] = nil
	a.items = a.items[:len(a.items)-1]
	return last
}
