package engine

import (
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// IncidentsOf are the open incidents to which alerts belong, by the alerts' fingerprints; of several the newest. An alert
// that belongs to none is not in it.
func (e *Engine) IncidentsOf(fingerprints []uint64) map[uint64]incident.Incident {
	found := map[uint64]incident.Incident{}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, fp := range fingerprints {
		for _, n := range e.core.membership[fp] {
			if l := e.core.live[n]; l != nil && l.incident.Open() && l.firing[fp] && n > found[fp].Number {
				found[fp] = l.incident
			}
		}
	}
	return found
}

// pausedAtOnce is how many incidents WouldPause looks at under one lock.
const pausedAtOnce = 32

// WouldPause are the open incidents whose paging a silence would pause, the newest first: all their alerts that fire would be
// silenced by it, or are by another. about says which alerts it is about, and is asked while nothing is locked. What is paused
// already is left out.
func (e *Engine) WouldPause(about func(router.Labels) bool) (would []incident.Incident) {
	e.mu.RLock()
	var numbers []int
	for n := range e.core.openBelow(0) {
		numbers = append(numbers, n)
	}
	now := e.core.now
	e.mu.RUnlock()

	type firing struct {
		incident incident.Incident
		labels   []router.Labels
	}
	for len(numbers) > 0 {
		some := numbers[:min(len(numbers), pausedAtOnce)]
		numbers = numbers[len(some):]
		var looked []firing
		e.mu.RLock()
		for _, n := range some {
			l := e.core.live[n]
			if l == nil || !l.incident.Open() || l.ladder.IsPaused() || len(l.firing) == 0 {
				continue
			}
			f := firing{incident: l.incident}
			for fp := range l.firing {
				f.labels = append(f.labels, l.members[fp])
			}
			looked = append(looked, f)
		}
		e.mu.RUnlock()
		for _, f := range looked {
			mine, all := false, true
			for _, labels := range f.labels {
				switch {
				case labels == nil:
					all = false
				case about(labels):
					mine = true
				default:
					all = e.core.router.IsSilenced(labels, now)
				}
				if !all {
					break
				}
			}
			if mine && all {
				would = append(would, f.incident)
			}
		}
	}
	return would
}
