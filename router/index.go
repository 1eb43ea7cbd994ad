package router

import (
	"slices"
	"strings"
	"sync"
)

// An index finds the alerts that have a label with a value. It is written where an alert enters the table or leaves it,
// and never when one is heard of again.
//
// What it names is a guess: an alert may have left since, or be named twice. So whoever asks looks at the labels once
// more. In return an alert leaves for the price of a few counts, and a value costs four bytes an alert.
type index struct {
	mu    sync.RWMutex // held to copy one list, or to take in or let go of one alert
	slots []*entry     // by entry.slot; nil: free
	free  []uint32
	names map[string]*shelf
	full  bool // some name has no shelf, though alerts have it

	// For the engine, which alone takes alerts in and lets go of them.
	packed func(*entry) packed
	labels Labels
}

// A shelf is the values of one label name.
type shelf struct {
	values map[string]*listing // nil: closed, see worthless
	alerts int                 // that have the name
	closed int                 // how many had it when it was closed
}

// A listing is the slots of the alerts with one value, and of some that have left.
type listing struct {
	slots []uint32
	alive int
}

const (
	// mostShelves bounds the names: people use a few dozen, and a sender that makes names up must not cost memory.
	mostShelves = 128
	// fewestPerValue is how many alerts must share a value on average for its name to be worth the memory: a value costs
	// about 130 bytes. Below that the label is a pod or an instance, and looking at all alerts finds it too.
	fewestPerValue = 4
	// cheapValues is how many values a name may have in any case.
	cheapValues = 1024
	// looseSlots is how many slots of alerts that have left may stay in a listing, beside as many as it has others.
	looseSlots = 16
)

// add takes in an alert that is new to the table. Of its labels it keeps no memory.
func (x *index) add(e *entry, l Labels) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		e.slot = x.free[n-1]
		x.free = x.free[:n-1]
		x.slots[e.slot] = e
	} else {
		e.slot = uint32(len(x.slots)) //nolint:gosec // four billion alerts do not fit
		x.slots = append(x.slots, e)
	}
	for _, l := range l {
		s := x.names[l.Name]
		switch {
		case s == nil && (x.full || len(x.names) == mostShelves):
			x.full = true
			continue
		case s == nil:
			s = &shelf{values: map[string]*listing{}}
			if x.names == nil {
				x.names = map[string]*shelf{}
			}
			x.names[strings.Clone(l.Name)] = s
		}
		s.alerts++
		switch {
		case s.values != nil:
			s.add(l.Value, e.slot)
		case s.alerts >= 2*s.closed:
			x.reopen(s, l.Name)
		}
	}
}

func (s *shelf) add(value string, slot uint32) {
	in := s.values[value]
	if in == nil {
		if s.worthless(len(s.values) + 1) {
			s.values, s.closed = nil, s.alerts
			return
		}
		in = &listing{}
		s.values[strings.Clone(value)] = in
	}
	in.slots = append(in.slots, slot)
	in.alive++
}

// worthless reports whether so many values are too many for the alerts that have the name.
func (s *shelf) worthless(values int) bool {
	return values > cheapValues && values > s.alerts/fewestPerValue
}

// reopen tries again with twice as many alerts: the first of many may have looked as if no two were alike.
func (x *index) reopen(s *shelf, name string) {
	s.values = map[string]*listing{}
	for slot, e := range x.slots {
		if e == nil {
			continue
		}
		if value := x.packed(e).get(name); value != "" {
			s.add(value, uint32(slot)) //nolint:gosec // see add
		}
		if s.values == nil {
			return
		}
	}
}

// remove lets go of an alert that has left the table.
func (x *index) remove(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slots[e.slot] = nil
	x.free = append(x.free, e.slot)
	if len(x.free) == len(x.slots) {
		x.slots, x.free, x.names, x.full = nil, nil, nil, false
		return
	}
	x.labels = x.packed(e).labels(x.labels[:0])
	defer clear(x.labels)
	for _, l := range x.labels {
		s := x.names[l.Name]
		if s == nil {
			continue
		}
		if s.alerts--; s.alerts == 0 {
			delete(x.names, l.Name)
			continue
		}
		in := s.values[l.Value]
		if in == nil {
			continue
		}
		if in.alive--; in.alive == 0 {
			delete(s.values, l.Value)
		} else if len(in.slots) > 2*in.alive+looseSlots {
			x.tidy(in, l)
		}
	}
}

// tidy takes out of the listing what is no longer there, and what is there twice.
func (x *index) tidy(in *listing, l Label) {
	slices.Sort(in.slots)
	kept := make([]uint32, 0, in.alive)
	for _, slot := range slices.Compact(in.slots) {
		if e := x.slots[slot]; e != nil && x.packed(e).get(l.Name) == l.Value {
			kept = append(kept, slot)
		}
	}
	in.slots = kept
}

// find appends to found the entries that may meet all the conditions, by the one that the fewest meet. ok is false where
// the index knows nothing of any.
func (x *index) find(found []*entry, conds []condition) (_ []*entry, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var best, room []*listing
	fewest := -1
	for i := range conds {
		all, known := x.meet(&conds[i], room[:0])
		if !known {
			continue
		}
		alive := 0
		for _, in := range all {
			alive += in.alive
		}
		if fewest < 0 || alive < fewest {
			fewest, best, room = alive, all, best
		}
	}
	for _, in := range best {
		found = slices.Grow(found, len(in.slots))
		for _, slot := range in.slots {
			if e := x.slots[slot]; e != nil {
				found = append(found, e)
			}
		}
	}
	return found, fewest >= 0
}

// meet appends the listings of the values of which the condition wants one. known is false where there may be others.
func (x *index) meet(c *condition, to []*listing) (_ []*listing, known bool) {
	wants := c.wants()
	s := x.names[c.Name]
	if len(wants) == 0 || slices.Contains(wants, "") || s == nil && x.full || s != nil && s.values == nil {
		return to, false
	}
	for _, value := range wants {
		if s == nil {
			break // nobody has the name
		}
		if in := s.values[value]; in != nil {
			to = append(to, in)
		}
	}
	return to, true
}
