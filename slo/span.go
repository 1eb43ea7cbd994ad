package slo

import (
	"cmp"
	"slices"
)

// MaxSpans is how many firing intervals one Budget remembers. A month of an alert that comes and goes every four minutes
// has fewer. A full Budget is about 600 kB as JSON, below one batch of the store (1 MiB), and 2 MB in memory.
const MaxSpans = 10_000

// A span is one firing interval of one alert, as far as it is known. (alert, start) is what makes it the same one.
type span struct {
	alert   string
	start   int64 // as its source gave it
	from    int64 // start, clamped (SPEC §7.3)
	end     int64 // never while open without a term
	cap     int64 // an end that another span of the alert was given later; never: none
	heard   int64 // when what is known of end was received: the revision
	rank    int8  // severity, of a burn-rate alert
	sure    bool  // it ended; else end is the term until which it fires unless heard of again
	settled bool  // put together from many; nobody can revise it any more
}

// until is the end that counts.
func (s *span) until() int64 {
	if s.sure {
		return s.end
	}
	return min(s.end, s.cap)
}

// counts tells whether there is anything bad in it: an end not after its start contributes nothing.
func (s *span) counts() bool { return s.until() > max(s.from, s.start) }

// order is that of from, and then whatever makes it a total one.
func (s *span) order(o *span) int {
	return cmp.Or(cmp.Compare(s.from, o.from), cmp.Compare(s.start, o.start), cmp.Compare(s.alert, o.alert))
}

// newer tells whether a message replaces what the span was told before. It is a total order, so that it does not matter
// in which order messages arrive: later received wins; at one instant an end wins over a term, and a later end over
// an earlier one.
func (s *span) newer(m *message) bool {
	switch {
	case m.received != s.heard:
		return m.received > s.heard
	case m.sure != s.sure:
		return m.sure
	}
	return m.end > s.end
}

// A message is what is heard of one firing interval.
type message struct {
	alert    string
	start    int64
	from     int64
	end      int64
	received int64
	rank     int8
	sure     bool
	current  bool // start is not known: it is about what of the alert is open
}

// Spans are the firing intervals that a Budget remembers, in order of their start. They are a value: what changes them
// returns others. Their JSON is a compact text.
type Spans struct{ list []span }

// IsZero tells whether there are none.
func (s Spans) IsZero() bool { return len(s.list) == 0 }

// Len is how many there are.
func (s Spans) Len() int { return len(s.list) }

// own makes the list ours to write to, with room for another span.
func (s *Spans) own() {
	list := make([]span, len(s.list), len(s.list)+1)
	copy(list, s.list)
	s.list = list
}

// hear takes a message in. The list must be ours. It reports false where there is no room for another span.
func (s *Spans) hear(m *message) bool {
	if m.current {
		for i := range s.list {
			x := &s.list[i]
			if x.alert == m.alert && !x.settled && !x.sure && x.heard <= m.received && x.from < m.end {
				x.end, x.heard, x.sure = m.end, m.received, true
			}
		}
		return true
	}
	i := s.index(m)
	if i < 0 {
		if len(s.list) >= MaxSpans {
			return false
		}
		x := span{alert: m.alert, start: m.start, from: m.from, end: m.end, cap: never, heard: m.received, rank: m.rank, sure: m.sure}
		s.insert(x)
	} else {
		x := &s.list[i]
		if x.newer(m) {
			x.end, x.heard, x.sure, x.rank = m.end, m.received, m.sure, m.rank
		}
		if m.from < x.from {
			moved := *x
			moved.from = m.from
			s.list = slices.Delete(s.list, i, i+1)
			s.insert(moved)
		}
	}
	s.cap(m.alert)
	return true
}

// index is where the span is that m speaks of; -1: not there.
func (s *Spans) index(m *message) int {
	for i := range s.list {
		if x := &s.list[i]; x.start == m.start && x.alert == m.alert && !x.settled {
			return i
		}
	}
	return -1
}

func (s *Spans) insert(x span) {
	i, _ := slices.BinarySearchFunc(s.list, x, func(a, b span) int { return a.order(&b) })
	s.list = slices.Insert(s.list, i, x)
}

// cap ends what is open of an alert where a later word on another interval of it says that the alert ended: one alert
// fires once at a time, and a source that forgot when it began to fire will never end that interval itself.
func (s *Spans) cap(alert string) {
	var few [8]*span // most alerts have few
	open, ended := few[:0:4], few[4:4]
	for i := range s.list {
		switch x := &s.list[i]; {
		case x.alert != alert || x.settled:
		case x.sure:
			ended = append(ended, x)
		default:
			open = append(open, x)
		}
	}
	for _, x := range open {
		x.cap = never
		for _, o := range ended {
			if o.heard >= x.heard && o.end > x.from {
				x.cap = min(x.cap, o.end)
			}
		}
	}
}

// prune forgets what was over at horizon. The list must be ours.
func (s *Spans) prune(horizon int64) {
	s.list = slices.DeleteFunc(s.list, func(x span) bool { return max(x.from, x.until()) <= horizon })
}

// over tells whether prune would forget anything.
func (s *Spans) over(horizon int64) bool {
	for i := range s.list {
		if x := &s.list[i]; max(x.from, x.until()) <= horizon {
			return true
		}
	}
	return false
}

// shift moves all by d.
func (s *Spans) shift(d int64) {
	s.own()
	move := func(at *int64) {
		if *at != never {
			*at = bound(*at + d)
		}
	}
	for i := range s.list {
		x := &s.list[i]
		move(&x.start)
		move(&x.from)
		move(&x.end)
		move(&x.cap)
		move(&x.heard)
	}
}

// bound keeps an instant within reach.
func bound(n int64) int64 { return min(max(n, -reach), reach) }

// settle makes room: what was over at now is put together into the stretches that it covers, which nobody can revise
// any more. Where even these are too many, the shortest gaps between them are closed: too much bad time is better than
// too little. It returns how much was added so. The list must be ours.
func (s *Spans) settle(now int64) (added int64) {
	const room = MaxSpans / 4 // so that it is not done every time
	var d drawing
	var open []span
	for i := range s.list {
		switch x := &s.list[i]; {
		case x.until() > now:
			open = append(open, *x)
		case x.counts():
			d.add(x.from, x.until())
		}
	}
	pieces := d.done()
	if most := max(1, MaxSpans-room-len(open)); len(pieces) > most {
		pieces, added = pieces.coarse(most)
	}
	s.list = open
	for _, p := range pieces {
		s.list = append(s.list, span{start: p.lo, from: p.lo, end: p.hi, cap: never, heard: now, sure: true, settled: true})
	}
	slices.SortFunc(s.list, func(a, b span) int { return a.order(&b) })
	return added
}

// coarse closes the shortest gaps, of equal ones the oldest first, until most pieces are left.
func (c curve) coarse(most int) (left curve, added int64) {
	gaps := make([]int, len(c)-1)
	for i := range gaps {
		gaps[i] = i
	}
	size := func(i int) int64 { return c[i+1].lo - c[i].hi }
	slices.SortStableFunc(gaps, func(a, b int) int { return cmp.Compare(size(a), size(b)) })
	closed := make([]bool, len(c))
	for _, g := range gaps[:len(c)-most] {
		closed[g] = true
		added += size(g)
	}
	for i, p := range c {
		if i > 0 && closed[i-1] {
			left[len(left)-1].hi = p.hi
		} else {
			left = append(left, p)
		}
	}
	return left, added
}

// curve is the bad time: the union of the spans, without what is excluded.
func (s Spans) curve(without []stretch) curve {
	d := drawing{without: without, pieces: make(curve, 0, len(s.list)+len(without))}
	for i := range s.list {
		if x := &s.list[i]; x.counts() {
			d.add(x.from, x.until())
		}
	}
	return d.done()
}

// levels are the spans by their severity.
func (s Spans) levels() *levels {
	var ds [ranks + 1]drawing
	for i := range s.list {
		if x := &s.list[i]; x.counts() {
			ds[x.rank].add(x.from, x.until())
		}
	}
	var l levels
	for r := range ds {
		l[r] = ds[r].done()
	}
	return &l
}
