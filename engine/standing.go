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
	for _, n := range slices.Sorted(maps.Keys(e.core.live)) {
		l := e.core.live[n]
		if l.incident.Status != incident.Triggered {
			continue
		}
		for _, seat := range slices.Sorted(maps.Keys(l.told)) {
			notice := l.told[seat]
			if notice.User != "" && len(notice.State) > 0 {
				list = append(list, Standing{l.incident.ID(), notice.User, notice.Via, maps.Clone(notice.State)})
			}
		}
	}
	return list
}
