package slo

import (
	"cmp"
	"iter"
	"slices"
	"sort"
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

// over is after when it can be forgotten: it is over, and nothing was heard of it any more. What is heard of it after
// that is news of another one.
func (s *span) over() int64 { return max(s.from, s.until(), s.heard) }

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

// perChunk is how many spans stand together. A change copies one chunk and leaves the others as they are, so that a
// Budget costs little to change and stays a value.
const perChunk = 64

// A chunk is some spans in order. It does not change once it is made.
type chunk struct {
	list  []span
	over  int64 // the first instant at which one of them is over
	heard int64 // the last word on the end of one
	open  int   // how many may be ended by a word on another span
	odd   int   // how many begin elsewhere than their source said
}

func newChunk(list []span) *chunk {
	c := &chunk{list: list, over: never, heard: -never}
	for i := range list {
		x := &list[i]
		c.over = min(c.over, x.over())
		if x.sure {
			c.heard = max(c.heard, x.heard)
		} else {
			c.open++
		}
		if x.start != x.from {
			c.odd++
		}
	}
	return c
}

// Spans are the firing intervals that a Budget remembers, in order of their start. They are a value. Their JSON is a
// compact text.
type Spans struct {
	chunks []*chunk
	n      int
}

// IsZero tells whether there are none.
func (s Spans) IsZero() bool { return s.n == 0 }

// Len is how many there are.
func (s Spans) Len() int { return s.n }

// all goes through them in order.
func (s Spans) all() iter.Seq[*span] { return s.since(-never) }

// since goes through those that begin at an instant or later.
func (s Spans) since(from int64) iter.Seq[*span] {
	return func(yield func(*span) bool) {
		first := sort.Search(len(s.chunks), func(i int) bool {
			list := s.chunks[i].list
			return list[len(list)-1].from >= from
		})
		for _, c := range s.chunks[first:] {
			for i := range c.list {
				if x := &c.list[i]; x.from >= from && !yield(x) {
					return
				}
			}
		}
	}
}

// newSpans takes spans in order.
func newSpans(list []span) Spans {
	s := Spans{n: len(list)}
	const most = perChunk * 3 / 4 // with some room
	for len(list) > 0 {
		n := min(most, len(list))
		s.chunks = append(s.chunks, newChunk(list[:n:n]))
		list = list[n:]
	}
	return s
}

// A hearing takes messages in. It notes from when on the bad time is another one than before.
type hearing struct {
	Spans
	changed int64 // never: nothing did
}

func (s Spans) hearing() *hearing {
	s.chunks = slices.Clone(s.chunks)
	return &hearing{Spans: s, changed: never}
}

// replace puts other spans into the place of a chunk's.
func (h *hearing) replace(c int, list []span) {
	h.n += len(list) - len(h.chunks[c].list)
	switch {
	case len(list) == 0:
		h.chunks = slices.Delete(h.chunks, c, c+1)
	case len(list) <= perChunk:
		h.chunks[c] = newChunk(list)
	default:
		half := len(list) / 2
		h.chunks[c] = newChunk(list[:half:half])
		h.chunks = slices.Insert(h.chunks, c+1, newChunk(list[half:]))
	}
}

// set puts x into the place of a span that is as long in order.
func (h *hearing) set(c, i int, x span) {
	was := h.chunks[c].list[i]
	if was == x {
		return
	}
	h.notice(was, x)
	list := slices.Clone(h.chunks[c].list)
	list[i] = x
	h.chunks[c] = newChunk(list)
}

// notice notes what is bad, or no longer, when a span becomes another one that begins with it.
func (h *hearing) notice(was, is span) {
	switch {
	case was.counts() != is.counts():
		h.changed = min(h.changed, was.from)
	case is.counts() && was.until() != is.until():
		h.changed = min(h.changed, was.until(), is.until())
	}
	if was.rank != is.rank {
		h.changed = min(h.changed, was.from)
	}
}

func (h *hearing) insert(x span) {
	if x.counts() {
		h.changed = min(h.changed, x.from)
	}
	if len(h.chunks) == 0 {
		h.chunks, h.n = append(h.chunks, newChunk([]span{x})), 1
		return
	}
	c := sort.Search(len(h.chunks), func(i int) bool {
		list := h.chunks[i].list
		return list[len(list)-1].order(&x) >= 0
	})
	c = min(c, len(h.chunks)-1)
	old := h.chunks[c].list
	i, _ := slices.BinarySearchFunc(old, x, func(a, b span) int { return a.order(&b) })
	list := make([]span, 0, len(old)+1)
	h.replace(c, append(append(append(list, old[:i]...), x), old[i:]...))
}

func (h *hearing) remove(c, i int) {
	if x := h.chunks[c].list[i]; x.counts() {
		h.changed = min(h.changed, x.from)
	}
	h.replace(c, slices.Delete(slices.Clone(h.chunks[c].list), i, i+1))
}

// hear takes a message in. It reports false where there is no room for another span.
func (h *hearing) hear(m *message) bool {
	if m.current {
		for c := range h.chunks {
			for i := range h.chunks[c].list {
				if x := h.chunks[c].list[i]; x.alert == m.alert && !x.sure && x.heard <= m.received && x.from < m.end {
					x.end, x.cap, x.heard, x.sure = m.end, never, m.received, true
					h.set(c, i, x)
				}
			}
		}
		return true
	}
	c, i := h.index(m)
	if c < 0 {
		if h.n >= MaxSpans {
			return false
		}
		h.insert(span{alert: m.alert, start: m.start, from: m.from, end: m.end, cap: never, heard: m.received, rank: m.rank, sure: m.sure})
	} else {
		x := h.chunks[c].list[i]
		if x.newer(m) {
			x.end, x.cap, x.heard, x.sure, x.rank = m.end, never, m.received, m.sure, m.rank // the cap is found anew below
			h.set(c, i, x)
		}
		if m.from < x.from {
			h.remove(c, i)
			x.from = m.from
			h.insert(x)
		}
	}
	h.cap(m.alert)
	return true
}

// index is where the span is that m speaks of; −1: nowhere.
func (h *hearing) index(m *message) (c, i int) {
	c = sort.Search(len(h.chunks), func(i int) bool {
		list := h.chunks[i].list
		return list[len(list)-1].from >= m.start
	})
	for ; c < len(h.chunks) && h.chunks[c].list[0].from <= m.start; c++ {
		for i := range h.chunks[c].list {
			if h.chunks[c].list[i].is(m) {
				return c, i
			}
		}
	}
	// Most begin where their source said; the others can be anywhere.
	for c := range h.chunks {
		for i := 0; h.chunks[c].odd > 0 && i < len(h.chunks[c].list); i++ {
			if h.chunks[c].list[i].is(m) {
				return c, i
			}
		}
	}
	return -1, -1
}

func (s *span) is(m *message) bool { return s.start == m.start && s.alert == m.alert && !s.settled }

// cap ends what is open of an alert where a later word on another interval of it says that the alert ended: one alert
// fires once at a time, and a source that forgot when it began to fire will never end that interval itself.
func (h *hearing) cap(alert string) {
	for c := range h.chunks {
		if h.chunks[c].open == 0 {
			continue
		}
		for i := range h.chunks[c].list {
			if x := h.chunks[c].list[i]; !x.sure && x.alert == alert {
				x.cap = h.ended(&x)
				h.set(c, i, x)
			}
		}
	}
}

// ended is the first end after the beginning of an open span that another span of its alert was given since; else never.
func (h *hearing) ended(x *span) int64 {
	end := int64(never)
	for _, c := range h.chunks {
		if c.heard < x.heard {
			continue
		}
		for i := range c.list {
			if o := &c.list[i]; o.sure && o.heard >= x.heard && o.end > x.from && o.alert == x.alert && o.counts() && !o.settled {
				end = min(end, o.end)
			}
		}
	}
	return end
}

// prune forgets what was over at horizon.
func (h *hearing) prune(horizon int64) {
	for c := len(h.chunks) - 1; c >= 0; c-- {
		if h.chunks[c].over > horizon {
			continue
		}
		h.replace(c, slices.DeleteFunc(slices.Clone(h.chunks[c].list), func(x span) bool { return x.over() <= horizon }))
	}
}

// stale tells whether prune would forget anything.
func (s Spans) stale(horizon int64) bool {
	return slices.ContainsFunc(s.chunks, func(c *chunk) bool { return c.over <= horizon })
}

// shift is all of them, moved by d.
func (s Spans) shift(d int64) Spans {
	move := func(at *int64) {
		if *at != never {
			*at = bound(*at + d)
		}
	}
	list := make([]span, 0, s.n)
	for x := range s.all() {
		moved := *x
		move(&moved.start)
		move(&moved.from)
		move(&moved.end)
		move(&moved.cap)
		move(&moved.heard)
		list = append(list, moved)
	}
	return newSpans(list)
}

// bound keeps an instant within reach.
func bound(n int64) int64 { return min(max(n, -reach), reach) }

// settle makes room: what was over at now is put together into the stretches that it covers, which nobody can revise
// any more. Where even these are too many, the shortest gaps between them are closed: too much bad time is better than
// too little. It returns how much was added so.
func (h *hearing) settle(now int64) (added int64) {
	const room = MaxSpans / 4 // so that it is not done every time
	var d drawing
	var list []span
	for x := range h.all() {
		switch {
		case x.until() > now:
			list = append(list, *x)
		case x.counts():
			d.add(x.from, x.until())
		}
	}
	pieces := d.done()
	if most := max(1, MaxSpans-room-len(list)); len(pieces) > most {
		pieces, added = coarse(pieces, most)
	}
	for _, p := range pieces {
		list = append(list, span{start: p.lo, from: p.lo, end: p.hi, cap: never, heard: now, sure: true, settled: true})
	}
	slices.SortFunc(list, func(a, b span) int { return a.order(&b) })
	if added > 0 {
		h.changed = -never
	}
	h.Spans = newSpans(list)
	return added
}

// coarse closes the shortest gaps, of equal ones the oldest first, until most pieces are left.
func coarse(c []piece, most int) (left []piece, added int64) {
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

// levels are the spans by their severity.
func (s Spans) levels() *levels {
	var ds [ranks + 1]drawing
	for x := range s.all() {
		if x.counts() {
			ds[x.rank].add(x.from, x.until())
		}
	}
	var l levels
	for r := range ds {
		l[r] = newCurve(ds[r].done())
	}
	return &l
}
