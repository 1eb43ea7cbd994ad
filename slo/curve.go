package slo

import (
	"math/big"
	"slices"
	"sort"
)

// A piece is a stretch of bad time [lo, hi), and before is how much bad time there is ahead of it. hi is never where no
// end is known.
type piece struct{ lo, hi, before int64 }

// perBlock is how many pieces stand together: as with spans, what did not change is shared.
const perBlock = 64

// A curve is the bad time of a Budget: pieces in order, apart from each other. It does not change once made.
//
// Let F(x) be the bad time before x and G(x) = x − F(x), the good one. Both only grow. The bad time of a window is
// bad(t,W) = F(t) − F(t−W). Where t is within a piece, the window can only get worse, elsewhere only better: so in each
// stretch there is at most one instant at which a need becomes met or unmet, and F or G turned round say where it is.
type curve struct {
	blocks [][]piece // each but the last has perBlock
	n      int
}

func newCurve(pieces []piece) curve { return curve{}.append(pieces) }

// append is the curve with more pieces behind.
func (c curve) append(pieces []piece) curve {
	blocks := slices.Clone(c.blocks)
	if last := len(blocks) - 1; last >= 0 && len(blocks[last]) < perBlock {
		n := min(perBlock-len(blocks[last]), len(pieces))
		blocks[last] = slices.Concat(blocks[last], pieces[:n])
		c.n, pieces = c.n+n, pieces[n:]
	}
	c.n += len(pieces)
	for len(pieces) > 0 {
		n := min(perBlock, len(pieces))
		blocks, pieces = append(blocks, pieces[:n:n]), pieces[n:]
	}
	c.blocks = blocks
	return c
}

// first is the first n pieces.
func (c curve) first(n int) curve {
	full, rest := n/perBlock, n%perBlock
	head := curve{blocks: c.blocks[:full:full], n: n}
	if rest > 0 {
		head.blocks = append(head.blocks, c.blocks[full][:rest:rest])
	}
	return head
}

// without is the curve without its first blocks, as far as they were over at horizon.
func (c curve) without(horizon int64) curve {
	for len(c.blocks) > 1 && c.blocks[0][perBlock-1].hi <= horizon {
		c.blocks, c.n = c.blocks[1:], c.n-perBlock
	}
	return c
}

func (c curve) at(i int) *piece { return &c.blocks[i/perBlock][i%perBlock] }

// search is the first piece of which is is true; all that come after it must be so, too. n: there is none.
func (c curve) search(is func(p *piece) bool) int {
	block := sort.Search(len(c.blocks), func(i int) bool { return is(&c.blocks[i][len(c.blocks[i])-1]) })
	if block == len(c.blocks) {
		return c.n
	}
	return block*perBlock + sort.Search(len(c.blocks[block]), func(i int) bool { return is(&c.blocks[block][i]) })
}

// find is the number of pieces that begin before x.
func (c curve) find(x int64) int { return c.search(func(p *piece) bool { return p.lo >= x }) }

// upTo is F(x).
func (c curve) upTo(x int64) int64 {
	i := c.find(x)
	if i == 0 {
		return 0
	}
	p := c.at(i - 1)
	return p.before + min(x, p.hi) - p.lo
}

// total is all bad time, if the last piece has an end.
func (c curve) total() int64 {
	if c.n == 0 {
		return 0
	}
	return c.at(c.n - 1).after()
}

// after is F at its end.
func (p *piece) after() int64 { return p.before + p.hi - p.lo }

// whenBad is the least x with F(x) ≥ v, for a v of at least 1; never if there is none.
func (c curve) whenBad(v int64) int64 {
	i := c.search(func(p *piece) bool { return p.before >= v }) // the piece after the one in which v is reached
	if i == 0 {
		return never
	}
	p := c.at(i - 1)
	if p.hi != never && p.after() < v {
		return never
	}
	return p.lo + v - p.before
}

// whenGood is the least x with G(x) ≥ v; never if there is none.
func (c curve) whenGood(v int64) int64 {
	i := c.search(func(p *piece) bool { return p.lo-p.before >= v })
	switch {
	case i < c.n:
		return v + c.at(i).before
	case c.n == 0:
		return v
	case c.at(i-1).hi == never:
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
	if i > 0 && t < c.at(i-1).hi {
		i-- // t is within that piece
	}
	for t <= limit && t != never {
		// Stretches go by turns: t is within piece i or at its start, or in the gap before it.
		var at, end int64
		if i < c.n && t >= c.at(i).lo {
			end = c.at(i).hi
			at = c.rise(when, on, i)
			i++
		} else {
			end = never
			if i < c.n {
				end = c.at(i).lo
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
	good := c.at(i).lo - c.at(i).before // G, as long as the piece lasts
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
	f := c.total()
	if i < c.n {
		f = c.at(i).before
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
	over := func(p *piece) bool { return p.hi > since }
	for i, j := c.search(over), o.search(over); ; i, j = i+1, j+1 {
		switch {
		case i == c.n && j == o.n:
			return never
		case i == c.n:
			return max(o.at(j).lo, since)
		case j == o.n:
			return max(c.at(i).lo, since)
		}
		p, q := c.at(i), o.at(j)
		if a, b := max(p.lo, since), max(q.lo, since); a != b {
			return min(a, b)
		}
		if p.hi != q.hi {
			return min(p.hi, q.hi)
		}
	}
}

// A stretch is [from, to).
type stretch struct{ from, to int64 }

// drawing puts together a curve from stretches that come in the order of their starts. What is in without, which are
// in order and apart from each other, is left out.
type drawing struct {
	pieces  []piece
	without []stretch
	before  int64 // bad time ahead of the first
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
	before := d.before
	if n := len(d.pieces); n > 0 {
		before = d.pieces[n-1].after()
	}
	d.pieces = append(d.pieces, piece{lo, hi, before})
}

func (d *drawing) done() []piece {
	if d.begun {
		d.put()
	}
	return d.pieces
}

// curve is the bad time: the union of the spans, without what is excluded.
func (s Spans) curve(without []stretch) curve {
	d := drawing{without: without, pieces: make([]piece, 0, s.n)}
	for x := range s.all() {
		if x.counts() {
			d.add(x.from, x.until())
		}
	}
	return newCurve(d.done())
}

// redrawn is the curve after the spans changed from an instant on. What was over before is as it was.
func (c curve) redrawn(s Spans, changed, horizon int64) curve {
	if changed == never {
		return c
	}
	c = c.without(horizon)
	keep := c.search(func(p *piece) bool { return p.hi >= changed }) // what ends there may go on now
	from := changed
	if keep < c.n {
		from = min(from, c.at(keep).lo)
	}
	head := c.first(keep)
	d := drawing{before: head.total()}
	for x := range s.since(from) {
		if x.counts() {
			d.add(x.from, x.until())
		}
	}
	return head.append(d.done())
}
