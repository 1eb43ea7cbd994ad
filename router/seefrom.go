package router

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// SeeFrom is See for who shows a page of the alerts: it yields those whose fingerprint is from or comes after it. all is how
// many are asked for in all, whatever keeps them quiet and wherever the page begins. Of 100,000 alerts only those are put
// into order that the reader comes to.
func (r *Router) SeeFrom(ask Ask, from uint64) (all int, alerts iter.Seq[*Sight]) {
	ask = ask.remembering()
	if ask.Labels != nil || len(ask.Receivers) > 0 {
		found := r.present(r.asked(&ask), &ask)
		at, _ := slices.BinarySearchFunc(found, from, func(f finding, from uint64) int { return cmp.Compare(f.fingerprint, from) })
		return len(found), func(yield func(*Sight) bool) { r.seeThese(found[at:], &ask, yield) }
	}
	some, all := r.table.least(from, firstLook, ask.Now)
	return all, func(yield func(*Sight) bool) {
		some, look := some, firstLook
		for r.seeThese(some, &ask, yield) && len(some) == look {
			look *= moreLook
			some, _ = r.table.least(some[len(some)-1].fingerprint+1, look, ask.Now)
		}
	}
}

// How many alerts are put into order at first, and how many times more whenever the reader wants more.
const (
	firstLook = 256
	moreLook  = 8
)

// seeThese yields what is to be shown of these, and reports whether the reader wants more.
func (r *Router) seeThese(these []finding, ask *Ask, yield func(*Sight) bool) bool {
	var s Sight
	near := make([]looked, fetched)
	for some := range slices.Chunk(these, fetched) {
		s.touched += r.fetch(near, some)
		for i, f := range some {
			s.Alert = near[i].alert
			s.page.empty()
			s.page.unpack(near[i].packed, &s.Alert)
			if r.see(&s, f.entry, ask) && !yield(&s) {
				return false
			}
		}
	}
	return true
}

// present keeps those whose end has not passed, and that the receivers hear that are asked for.
func (r *Router) present(found []finding, ask *Ask) []finding {
	kept := found[:0]
	var (
		a     Alert
		known bool
		s     Sight
	)
	for _, f := range found {
		if r.table.look(&a, f.entry, &known); a.over(ask.Now) {
			continue
		}
		if len(ask.Receivers) > 0 {
			r.mu.RLock()
			s.hear(f.entry)
			r.mu.RUnlock()
			if !ask.hears(s.Receivers) {
				continue
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// least returns, in order, so many of the alerts with the least fingerprints that are not below from, and how many alerts
// there are. It passes over what has ended.
func (t *Table) least(from uint64, most int, now time.Time) (some []finding, all int) {
	h := make([]finding, 0, most) // a heap, the greatest first
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				if e.forgotten || !e.ends.zeroInstant() && e.ends.time().Before(now) {
					continue
				}
				all++
				switch fp := s.packed(e).fingerprint(); {
				case fp < from:
				case len(h) < most:
					if h = append(h, finding{fp, e}); len(h) == most {
						for at := most/2 - 1; at >= 0; at-- {
							sink(h, at)
						}
					}
				case fp < h[0].fingerprint:
					h[0] = finding{fp, e}
					sink(h, 0)
				}
			}
		}
		s.mu.RUnlock()
	}
	slices.SortFunc(h, func(a, b finding) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	return h, all
}

// sink lets the finding at this place of the heap find its own.
func sink(h []finding, at int) {
	for {
		child := 2*at + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].fingerprint > h[child].fingerprint {
			child = right
		}
		if h[at].fingerprint >= h[child].fingerprint {
			return
		}
		h[at], h[child] = h[child], h[at]
		at = child
	}
}

// FilterOf is a Filter for what all these matchers match.
func FilterOf(set MatcherSet) (*Filter, error) {
	f := &Filter{}
	for _, m := range set {
		lm, err := labels.NewMatcher(m.Type, m.Name, m.Value)
		if err != nil {
			return nil, err
		}
		f.conds = append(f.conds, newCondition(lm))
	}
	return f, nil
}

// ByIndex reports whether the alerts that the filter asks for can be found without looking at all there are.
func (r *Router) ByIndex(f *Filter) bool {
	if f == nil {
		return false
	}
	_, known := r.table.index.find(nil, f.conds)
	return known
}
