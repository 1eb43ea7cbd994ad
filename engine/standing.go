package engine

import (
	"maps"
	"slices"

	"github.com/midwatch/midwatch/incident"
)

// A Standing is what a method left of its last page about an incident that nobody has acknowledged: the receipt of an alarm
// that rings, say, by which one can ask whether it was answered.
type Standing struct {
	Incident  string
	User, Via string
	State     map[string]string
}

// Standing are all of them, in the order of the incidents and of names.
func (e *Engine) Standing() (list []Standing) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	// Few methods leave anything, and this is asked in every turn of a storm: what is put in order is what is found.
	found := map[int][]string{}
	for n, l := range e.core.live {
		if l.incident.Status != incident.Triggered {
			continue
		}
		for seat, notice := range l.told {
			if notice.User != "" && len(notice.State) > 0 {
				found[n] = append(found[n], seat)
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		l := e.core.live[n]
		for _, seat := range slices.Sorted(slices.Values(found[n])) {
			notice := l.told[seat]
			list = append(list, Standing{l.incident.ID(), notice.User, notice.Via, maps.Clone(notice.State)})
		}
	}
	return list
}
