package slo

import (
	"math/big"
	"sort"
)

// A piece is a stretch of bad time [lo, hi), and before is how much bad time there is ahead of it. hi is never where no
// end is known.
type piece struct{ lo, hi, before int64 }

// A curve is the bad time of a Budget: pieces in order, apart from each other. It does not change once made.
//
// Let F(x) be the bad time before x and G(x) = x − F(x), the good one. Both only grow. The bad time of a window is
// bad(t,W) = F(t) − F(t−W). Where t is within a piece, the window can only get worse, elsewhere only better: so in each
// stretch there is at most one instant at which a need becomes met or unmet, and F or G turned round say where it is.
type curve []piece

// find is the number of pieces that begin before x.
func (c curve) find(x int64) int {
	return sort.Search(len(c), func(i int) bool { return c[i].lo >= x })
}

// upTo is F(x).
func (c curve) upTo(x int64) int64 {
	i := c.find(x)
	if i == 0 {
		return 0
	}
	p := c[i-1]
	return p.before + min(x, p.hi) - p.lo
}

// total is all bad time, if the last piece has an end.
func (c curve) total() int64 {
	if len(c) == 0 {
		return 0
	}
	p := c[len(c)-1]
	return p.before + p.hi - p.lo
}

// whenBad is the least x with F(x) ≥ v, for a v of at least 1; never if there is none.
func (c curve) whenBad(v int64) int64 {
	i := sort.Search(len(c), func(i int) bool { return c[i].before >= v }) // the piece after the one in which v is reached
	if i == 0 {
		return never
	}
	p := c[i-1]
	if p.hi != never && p.before+p.hi-p.lo < v {
		return never
	}
	return p.lo + v - p.before
}

// whenGood is the least x with G(x) ≥ v; never if there is none.
func (c curve) whenGood(v int64) int64 {
	i := sort.Search(len(c), func(i int) bool { return c[i].lo-c[i].before >= v })
	switch {
	case i < len(c):
		return v + c[i].before
	case len(c) == 0:
		return v
	case c[i-1].hi == never:
		return never
	}
	return v + c.total()
}

func (c curve) within(t, w int64) int64 { return c.upTo(t) - c.upTo(t-w) }

func (c curve) bad(t, w int64) *big.Rat { return new(big.Rat).SetInt64(c.within(t, w)) }

func (c curve) horizon(int64) int64 { return never }

func (c curve) holds(when condition, t int64) bool {
	f := c.upTo(t)
	for _, n := range when.needs {
		if f-c.upTo(t-n.window) < n.bad {
			return false
		}
	}
	return true
}

func (c curve) change(when condition, t, limit int64) int64 {
	on := c.holds(when, t)
	i := c.find(t)
	if i > 0 && t < c[i-1].hi {
		i-- // t is within that piece
	}
	for t <= limit && t != never {
		// Stretches go by turns: t is within piece i or at its start, or in the gap before it.
		var at, end int64
		if i < len(c) && t >= c[i].lo {
			end = c[i].hi
			at = c.rise(when, on, i)
			i++
		} else {
			end = never
			if i < len(c) {
				end = c[i].lo
			}
			at = c.fall(when, on, i)
		}
		if at <= end && at != never {
			if at > limit {
				return never
			}
			return at
		}
		t = end
	}
	return never
}

// rise is when all needs are met for the first time, if piece i went on for ever.
func (c curve) rise(when condition, on bool, i int) int64 {
	if on {
		return never
	}
	at := int64(-reach)
	good := c[i].lo - c[i].before // G, as long as the piece lasts
	for _, n := range when.needs {
		// F(t) − F(t−W) ≥ N with F(t) = t − good: G(t−W) ≥ N + good − W.
		x := c.whenGood(n.bad + good - n.window)
		if x == never {
			return never
		}
		at = max(at, x+n.window)
	}
	return at
}

// fall is when the first need is met no longer, if the gap before piece i went on for ever.
func (c curve) fall(when condition, on bool, i int) int64 {
	if !on {
		return never
	}
	f := int64(0)
	if i < len(c) {
		f = c[i].before
	} else {
		f = c.total()
	}
	at := int64(never)
	for _, n := range when.needs {
		// F(t) − F(t−W) < N with F(t) = f: F(t−W) ≥ f − N + 1.
		if x := c.whenBad(f - n.bad + 1); x != never {
			at = min(at, x+n.window)
		}
	}
	return at
}

// differs is the first instant after since at which two curves are not the same; never if they are.
func (c curve) differs(o curve, since int64) int64 {
	c, o = c.after(since), o.after(since)
	for i := 0; ; i++ {
		if i == len(c) && i == len(o) {
			return never
		}
		if i == len(c) || i == len(o) {
			rest := c[i:]
			if len(rest) == 0 {
				rest = o[i:]
			}
			return max(rest[0].lo, since)
		}
		if a, b := max(c[i].lo, since), max(o[i].lo, since); a != b {
			return min(a, b)
		}
		if c[i].hi != o[i].hi {
			return min(c[i].hi, o[i].hi)
		}
	}
}

// after is the curve without the pieces that were over at since.
func (c curve) after(since int64) curve {
	return c[sort.Search(len(c), func(i int) bool { return c[i].hi > since }):]
}

// A stretch is [from, to).
type stretch struct{ from, to int64 }

// drawing puts together a curve from stretches that come in the order of their starts. What is in without, which are
// in order and apart from each other, is left out.
type drawing struct {
	pieces  curve
	without []stretch
	now     stretch
	begun   bool
}

func (d *drawing) add(from, to int64) {
	switch {
	case !d.begun:
		d.now, d.begun = stretch{from, to}, true
	case from > d.now.to: // what only touches is one piece
		d.put()
		d.now = stretch{from, to}
	default:
		d.now.to = max(d.now.to, to)
	}
}

// put ends the stretch that was being put together.
func (d *drawing) put() {
	s := d.now
	for len(d.without) > 0 && s.from < s.to {
		w := d.without[0]
		if w.to <= s.from {
			d.without = d.without[1:] // later stretches begin later still
			continue
		}
		if w.from >= s.to {
			break
		}
		d.append(s.from, min(s.to, w.from))
		s.from = w.to
	}
	d.append(s.from, s.to)
}

func (d *drawing) append(lo, hi int64) {
	if lo >= hi {
		return
	}
	before := int64(0)
	if n := len(d.pieces); n > 0 {
		p := d.pieces[n-1]
		before = p.before + p.hi - p.lo
	}
	d.pieces = append(d.pieces, piece{lo, hi, before})
}

func (d *drawing) done() curve {
	if d.begun {
		d.put()
	}
	return d.pieces
}
