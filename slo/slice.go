package slo

import (
	"math/big"
	"slices"
	"time"
)

// MaxCount is how many events one minute may have. Whoever counts more counts in thousands, both bad and total.
const MaxCount = 1 << 35

// grace is how long the newest minute may still be on its way. Until then the windows end where the counts do, and then
// what is missing is time without data.
const grace = 2 * time.Minute

const (
	minute    = int64(time.Minute)
	perHour   = 60
	hourNanos = perHour * minute
)

// A cell is one minute: events in all, and bad ones among them. A total of 0 is a minute without data.
type cell struct{ bad, total uint64 }

// An hour is sixty cells and their sums. It does not change once made.
type hour struct {
	cells      [perHour]cell
	bad, total uint64
	counted    int64 // minutes with data
}

func (h *hour) sum() {
	h.bad, h.total, h.counted = 0, 0, 0
	for _, c := range h.cells {
		h.bad += c.bad
		h.total += c.total
		if c.total > 0 {
			h.counted++
		}
	}
}

// Slices are counts by the minute, for as long as the objective's window. They are a value. Their JSON is a compact text.
type Slices struct {
	first int64   // the hour of the first, since 1970
	hours []*hour // nil: without data
}

// IsZero tells whether there are none.
func (s Slices) IsZero() bool { return len(s.hours) == 0 }

// floorDiv is a/b rounded down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// set is the slices with one more, or another, minute. It reports false where nothing is new.
func (s Slices) set(at int64, c cell) (Slices, bool) {
	h := floorDiv(at, hourNanos)
	m := int(floorDiv(at, minute) - h*perHour)
	if s.at(at) == c {
		return s, false
	}
	hours := slices.Clone(s.hours)
	if len(hours) == 0 {
		s.first = h
	}
	if h < s.first {
		hours = append(make([]*hour, s.first-h), hours...)
		s.first = h
	}
	for h-s.first >= int64(len(hours)) {
		hours = append(hours, nil)
	}
	fresh := &hour{}
	if old := hours[h-s.first]; old != nil {
		*fresh = *old
	}
	fresh.cells[m] = c
	fresh.sum()
	hours[h-s.first] = fresh
	s.hours = hours
	return s, true
}

// at is the minute that begins at an instant.
func (s Slices) at(at int64) cell {
	h := floorDiv(at, hourNanos)
	return s.hour(h).cell(floorDiv(at, minute) - h*perHour)
}

// hour is that hour since 1970; nil: without data.
func (s Slices) hour(h int64) *hour {
	if h < s.first || h-s.first >= int64(len(s.hours)) {
		return nil
	}
	return s.hours[h-s.first]
}

// cell is one of its minutes, also of an hour without data.
func (h *hour) cell(m int64) cell {
	if h == nil {
		return cell{}
	}
	return h.cells[m]
}

// prune forgets the hours that were over at horizon.
func (s Slices) prune(horizon int64) Slices {
	gone := min(max(floorDiv(horizon, hourNanos)-s.first, 0), int64(len(s.hours)))
	for gone < int64(len(s.hours)) && s.hours[gone] == nil {
		gone++
	}
	if gone == 0 {
		return s
	}
	s.first += gone
	s.hours = slices.Clone(s.hours[gone:])
	if len(s.hours) == 0 {
		return Slices{}
	}
	return s
}

// shift moves all by whole minutes: counts are of minutes, so what is left of d stays.
func (s Slices) shift(d int64) Slices {
	var moved Slices
	by := floorDiv(d+minute/2, minute) * minute
	for i, h := range s.hours {
		if h == nil {
			continue
		}
		for m, c := range h.cells {
			if c.total > 0 {
				moved, _ = moved.set((s.first+int64(i))*hourNanos+int64(m)*minute+by, c)
			}
		}
	}
	return moved
}

// end is where the newest minute with data ends; −reach: there is none.
func (s Slices) end() int64 {
	for i, h := range slices.Backward(s.hours) {
		if h == nil || h.counted == 0 {
			continue
		}
		for m, c := range slices.Backward(h.cells[:]) {
			if c.total > 0 {
				return (s.first+int64(i))*hourNanos + int64(m+1)*minute
			}
		}
	}
	return -reach
}

// good makes the minutes good that lie within the stretches, wholly or in part: their events still count in all.
func (s Slices) good(without []stretch) Slices {
	if len(without) == 0 {
		return s
	}
	s.hours = slices.Clone(s.hours)
	for i, h := range s.hours {
		start := (s.first + int64(i)) * hourNanos
		if h == nil || !touches(without, start, start+hourNanos) {
			continue
		}
		fresh := *h
		for m := range fresh.cells {
			if at := start + int64(m)*minute; touches(without, at, at+minute) {
				fresh.cells[m].bad = 0
			}
		}
		fresh.sum()
		s.hours[i] = &fresh
	}
	return s
}

func touches(ss []stretch, from, to int64) bool {
	return slices.ContainsFunc(ss, func(s stretch) bool { return s.from < to && from < s.to })
}

// A ratio is the signal of counts. Within a window, the share of bad events is that of the minutes that have data; time
// without data is good (SPEC §7). So the bad time of a window is Σbad/Σtotal of the time that has data, and where every
// minute has some, burn is (Σbad/Σtotal)/(1−T), as everybody else computes it.
//
// Verdicts change with the minute only. A minute that is excluded even in part counts as good.
type ratio struct {
	Slices
	last   int64 // where the newest minute ends
	anyBad bool  // otherwise nothing ever holds
}

func newRatio(s Slices, without []stretch) *ratio {
	r := &ratio{Slices: s.good(without), last: s.end()}
	r.anyBad = slices.ContainsFunc(r.hours, func(h *hour) bool { return h != nil && h.bad > 0 })
	return r
}

// edge is where the windows end at t.
func (r *ratio) edge(t int64) int64 {
	if t <= r.last {
		return floorDiv(t, minute) * minute
	}
	return max(r.last, floorDiv(t-int64(grace), minute)*minute)
}

// after is the first instant after t at which edge is another one.
func (r *ratio) after(t int64) int64 {
	if t < r.last {
		return (floorDiv(t, minute) + 1) * minute
	}
	return (floorDiv(max(r.last, t-int64(grace)), minute)+1)*minute + int64(grace)
}

// within sums up [to−w, to), which are whole minutes.
func (r *ratio) within(to, w int64) (bad, total uint64, counted int64) {
	add := func(h *hour, from, to int64) {
		for _, c := range h.cells[from:to] {
			bad += c.bad
			total += c.total
			if c.total > 0 {
				counted++
			}
		}
	}
	from, end := floorDiv(to-w, minute), floorDiv(to, minute)
	first, last := floorDiv(from, perHour), floorDiv(end-1, perHour)
	for h := max(first, r.first); h <= min(last, r.first+int64(len(r.hours))-1); h++ {
		x := r.hours[h-r.first]
		switch start := h * perHour; {
		case x == nil:
		case from <= start && start+perHour <= end:
			bad += x.bad
			total += x.total
			counted += x.counted
		default:
			add(x, max(from-start, 0), min(end-start, perHour))
		}
	}
	return bad, total, counted
}

func (r *ratio) holds(c condition, t int64) bool {
	edge := r.edge(t)
	for _, n := range c.needs {
		if !r.meets(n, edge) {
			return false
		}
	}
	return true
}

// meets compares counted·Σbad/Σtotal with the need by cross-multiplication.
func (r *ratio) meets(n need, edge int64) bool {
	bad, total, counted := r.within(edge, n.window)
	if total == 0 || bad == 0 {
		return false // no need is below 0, and only one that must be exceeded is 0
	}
	// Most are nowhere near each other. Each side is rounded a few times, by 2⁻⁵³ at most.
	const doubt = 1e-12
	roughly := float64(bad) / float64(total) * float64(counted*minute)
	switch {
	case roughly > n.about*(1+doubt):
		return true
	case roughly < n.about*(1-doubt):
		return false
	}
	have := new(big.Int).SetUint64(bad)
	have.Mul(have, big.NewInt(counted*minute)).Mul(have, n.exact.Denom())
	want := new(big.Int).SetUint64(total)
	order := have.Cmp(want.Mul(want, n.exact.Num()))
	return order > 0 || order == 0 && !n.above
}

func (r *ratio) change(c condition, t, limit int64) int64 {
	if !r.anyBad {
		return never
	}
	on := r.holds(c, t)
	// Once every window has left the data behind nothing changes any more.
	still := r.last + int64(grace)
	for _, n := range c.needs {
		still = max(still, r.last+n.window+int64(grace)+minute)
	}
	for t = r.after(t); t <= min(limit, still); t = r.after(t) {
		if r.holds(c, t) != on {
			return t
		}
	}
	return never
}

func (r *ratio) bad(t, w int64) *big.Rat {
	bad, total, counted := r.within(r.edge(t), w)
	if total == 0 {
		return new(big.Rat)
	}
	share := new(big.Rat).SetFrac(new(big.Int).SetUint64(bad), new(big.Int).SetUint64(total))
	return share.Mul(share, new(big.Rat).SetInt64(counted*minute))
}

// horizon is the next minute as long as anything is bad: counts come by the minute anyway, and to solve for what would be
// if they stopped coming would cost more than to look.
func (r *ratio) horizon(t int64) int64 {
	if !r.anyBad {
		return never
	}
	return r.after(t)
}

// differs is where the first minute after since begins at which two are not the same; never if they are.
func (r *ratio) differs(o Slices, since int64) int64 {
	for h := max(min(r.first, o.first), floorDiv(since, hourNanos)+1); h < max(r.first+int64(len(r.hours)), o.first+int64(len(o.hours))); h++ {
		was, is := o.hour(h), r.hour(h)
		if was == is {
			continue // what did not change is shared
		}
		for m := range int64(perHour) {
			if is.cell(m) != was.cell(m) {
				return h*hourNanos + m*minute
			}
		}
	}
	return never
}
