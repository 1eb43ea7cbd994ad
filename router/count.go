package router

import (
	"iter"
	"time"
)

// GroupCount is how many groups there are, those included that wait to hear that all is over.
func (r *Router) GroupCount() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.groups)
}

// A Count is how many alerts fire, and how many of those a silence or another alert keeps quiet.
type Count struct{ Firing, Suppressed int }

// CountAlerts counts the alerts at now. It copies none, and holds no lock for longer than a shard takes.
func (r *Router) CountAlerts(now time.Time) Count {
	var all Count
	var firing []*entry
	for i := range r.table.shards {
		s := &r.table.shards[i]
		firing = firing[:0]
		s.mu.RLock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				if e.firesAt(now) {
					firing = append(firing, e)
				}
			}
		}
		s.mu.RUnlock()
		all.Firing += len(firing)
		all.Suppressed += r.suppressed(firing, now)
	}
	return all
}

// CountGroups yields the keys of the groups and the counts of their alerts, in no order. Groups of sibling routes may
// share a key.
func (r *Router) CountGroups(now time.Time) iter.Seq2[string, Count] {
	return func(yield func(string, Count) bool) {
		var members, firing []*entry
		r.mu.RLock()
		groups := make([]*group, 0, len(r.groups))
		for _, g := range r.groups {
			groups = append(groups, g)
		}
		r.mu.RUnlock()
		for _, g := range groups {
			r.mu.RLock()
			members = append(members[:0], g.members...)
			key := g.Key
			r.mu.RUnlock()
			firing = firing[:0]
			for _, e := range members {
				if _, fires := r.table.fires(e, now); fires {
					firing = append(firing, e)
				}
			}
			if !yield(key, Count{len(firing), r.suppressed(firing, now)}) {
				return
			}
		}
	}
}

// suppressed counts those that a silence or another alert keeps quiet.
func (r *Router) suppressed(firing []*entry, now time.Time) int {
	if len(firing) == 0 {
		return 0
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := 0
	var l Labels
	for _, e := range firing {
		if e.sides == nil && len(r.silences.found) == 0 {
			continue
		}
		l = r.table.packed(e).labels(l[:0])
		if r.muted("", e, l, now) != "" {
			n++
		}
	}
	return n
}
