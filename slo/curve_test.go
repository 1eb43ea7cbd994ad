package slo

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// exactChange is what curve.change says, another way: between the instants at which an edge of bad time meets an edge of a
// window everything is a straight line, so each need is met on one side of a point that big.Rat finds.
func exactChange(bad []stretch, o *Objective, b burn, t, limit int64) int64 {
	windows := []time.Duration{b.Long, b.Short}
	within := func(x, w int64) *big.Rat {
		sum := int64(0)
		for _, s := range bad {
			sum += max(0, min(s.to, x)-max(s.from, x-w))
		}
		return new(big.Rat).SetInt64(sum)
	}
	over := func(x, w int64) *big.Rat { // bad time less what the rate needs
		need := new(big.Rat).Mul(b.rate, o.allowed(time.Duration(w)))
		return need.Sub(within(x, w), need)
	}
	holds := func(x int64) bool {
		for _, w := range windows {
			if over(x, int64(w)).Sign() < 0 {
				return false
			}
		}
		return true
	}
	edges := []int64{t, limit}
	for _, s := range bad {
		for _, w := range append(windows, 0) {
			edges = append(edges, s.from+int64(w), s.to+int64(w))
		}
	}
	slices.Sort(edges)
	was := holds(t)
	for i, from := range edges[:len(edges)-1] {
		to := edges[i+1]
		if from < t || from == to || to > limit {
			continue
		}
		// Instants at which something may change: just before and after where a line crosses, and both ends.
		candidates := []int64{from, to}
		for _, w := range windows {
			a, b := over(from, int64(w)), over(to, int64(w))
			if slope := new(big.Rat).Sub(b, a); slope.Sign() != 0 {
				at := new(big.Rat).Quo(a.Neg(a), slope.Quo(slope, new(big.Rat).SetInt64(to-from)))
				x := from + floor(at)
				candidates = append(candidates, x-1, x, x+1, x+2)
			}
		}
		slices.Sort(candidates)
		for _, x := range candidates {
			if x > t && x >= from && x <= to && holds(x) != was {
				return x
			}
		}
	}
	return never
}

func TestInstantsAreExact(t *testing.T) {
	n := 300
	if long {
		n = 20_000
	}
	objectives := []string{"99.9", "99", "99.95", "99.99", "95", "66.666666", "99.98765"}
	rates := []string{"14.4", "6", "3", "1", "0.333", "2.71828", "1.5"}
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		span := func(most time.Duration) int64 {
			switch r.IntN(3) {
			case 0:
				return r.Int64N(int64(most)) / int64(time.Second) * int64(time.Second)
			case 1:
				return r.Int64N(1000) // tiny
			}
			return r.Int64N(int64(most))
		}
		spec := checkout
		spec.Objective = objectives[r.IntN(len(objectives))]
		long := time.Duration(2 + span(6*time.Hour))
		spec.Thresholds = []Threshold{{
			Name: "x", Severity: "sev2", BurnRate: rates[r.IntN(len(rates))], Long: long,
			Short: max(1, long/time.Duration(1+r.IntN(20))-1),
		}}
		o, err := New(spec)
		if err != nil {
			continue
		}
		b := o.burns[0]
		start := nanos(noon)
		at := start
		var bad []stretch
		for range r.IntN(12) {
			at += 1 + span(3*time.Hour)
			from := at
			at += 1 + span(time.Hour/time.Duration(1+r.IntN(50)))
			bad = append(bad, stretch{from, at})
		}
		var d drawing
		for _, s := range bad {
			d.add(s.from, s.to)
		}
		c := newCurve(d.done())
		limit := at + int64(8*time.Hour)
		for range 4 {
			from := start + r.Int64N(limit-start)
			for range 12 {
				got, want := c.change(b.when, from, limit), exactChange(bad, o, b, from, limit)
				if got != want {
					t.Fatalf("seed %d: objective %s, %+v, bad %v: from %d it changes at %d, want %d", seed, spec.Objective, spec.Thresholds[0], bad, from, got, want)
				}
				if got == never {
					break
				}
				from = got
			}
		}
	}
}

// TestACurveOfManyPieces holds a curve that is put together step by step against one that is made at once.
func TestACurveOfManyPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		var list []span
		at := int64(0)
		for i := range 400 {
			at += r.Int64N(50)
			x := span{alert: string(rune('a' + i%7)), start: at, from: at, end: at + r.Int64N(60), cap: never, heard: at, sure: true}
			list = append(list, x)
		}
		slices.SortFunc(list, func(a, b span) int { return a.order(&b) })
		h := newSpans(list[:0]).hearing()
		c := newCurve(nil)
		for _, i := range r.Perm(len(list)) {
			x := list[i]
			h = h.hearing()
			h.hear(&message{alert: x.alert, start: x.start, from: x.from, end: x.end, received: x.heard, sure: true})
			if r.IntN(3) == 0 {
				h.prune(0)
			}
			c = c.redrawn(h.Spans, h.changed, -never)
		}
		want := h.curve(nil)
		if c.n != want.n || c.differs(want, -never) != never {
			t.Fatal("put together step by step it is another curve")
		}
		for i := range want.n {
			if *c.at(i) != *want.at(i) {
				t.Fatalf("piece %d is %v, want %v", i, *c.at(i), *want.at(i))
			}
		}
		for x := range at {
			if c.upTo(x) != want.upTo(x) {
				t.Fatalf("F(%d) is %d, want %d", x, c.upTo(x), want.upTo(x))
			}
		}
	}
}

func TestTheUnionOfIntervals(t *testing.T) {
	for _, c := range []struct {
		name    string
		bad     [][2]int64 // by start
		without []stretch
		want    []piece
	}{
		{"nothing", nil, nil, nil},
		{"apart", [][2]int64{{1, 2}, {3, 5}}, nil, []piece{{1, 2, 0}, {3, 5, 1}}},
		{"touching", [][2]int64{{1, 3}, {3, 5}}, nil, []piece{{1, 5, 0}}},
		{"overlapping", [][2]int64{{1, 4}, {2, 3}, {3, 6}}, nil, []piece{{1, 6, 0}}},
		{"open", [][2]int64{{1, 2}, {4, never}, {9, 10}}, nil, []piece{{1, 2, 0}, {4, never, 1}}},
		{"nothing in it", [][2]int64{{4, 4}, {5, 3}}, nil, nil},
		{"a hole", [][2]int64{{1, 9}}, []stretch{{3, 5}}, []piece{{1, 3, 0}, {5, 9, 2}}},
		{"an end cut off", [][2]int64{{1, 9}}, []stretch{{0, 2}, {8, 12}}, []piece{{2, 8, 0}}},
		{"all cut out", [][2]int64{{1, 9}}, []stretch{{1, 9}}, nil},
		{"a hole in what is open", [][2]int64{{1, never}}, []stretch{{3, 5}}, []piece{{1, 3, 0}, {5, never, 2}}},
		{"a hole over several", [][2]int64{{1, 3}, {4, 6}, {7, 9}}, []stretch{{2, 8}}, []piece{{1, 2, 0}, {8, 9, 1}}},
	} {
		var list []span
		for _, b := range c.bad {
			list = append(list, span{start: b[0], from: b[0], end: b[1], cap: never, sure: true})
		}
		got := newSpans(list).curve(c.without)
		var pieces []piece
		for i := range got.n {
			pieces = append(pieces, *got.at(i))
		}
		if !slices.Equal(pieces, c.want) {
			t.Errorf("%s: %v, want %v", c.name, pieces, c.want)
		}
	}
}
