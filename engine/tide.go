package engine

import (
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// A tide is the coming and going of alerts that one call of the router tells of. An incident hears of it once, in one
// line of its history, and of what came before what went: it must not end and begin again within one POST.
type tide struct {
	came  []router.Joined // where incidents open; what is suppressed neither opens nor joins
	went  []router.Left
	fires map[uint64]bool // by fingerprint: the last word about it; nil: nothing was said
	idle  bool            // nothing came where incidents open, and nothing went: what is said is of no use
}

// says notes that the alert fires, or no longer does.
func (t *tide) says(a *router.Alert, fires bool) {
	if t.idle {
		return
	}
	if t.fires == nil {
		t.fires = map[uint64]bool{}
	}
	t.fires[a.Fingerprint()] = fires
}

// hear takes in the tide, one unit for each incident.
func (c *Core) hear(t *tide) {
	c.flow(t)
	c.ebb(t)
	*t = tide{idle: t.idle}
}

// flow is about alerts that came into a group, or changed there, between flushes: an open incident hears of them at
// once, and nothing opens (SPEC §5.8). One that is held hears of them too: it stays so until they are clear as well.
func (c *Core) flow(t *tide) {
	type party struct {
		l                *live
		ic               IncidentConfig
		arrived, changed Subject
	}
	var parties []*party
	byNumber := map[int]*party{}
	for _, e := range t.came {
		if !t.fires[e.Alert.Fingerprint()] {
			continue
		}
		ic := c.cfg.Incidents[e.Group.Receiver]
		id := identity(e.Group, nil)
		if ic.Scope == incident.ScopeAlert {
			id = identity(e.Group, e.Alert)
		}
		l := c.live[c.identities[id]]
		if l == nil || !l.incident.Open() && !l.incident.Held {
			continue
		}
		p := byNumber[l.incident.Number]
		if p == nil {
			p = &party{l: l, ic: ic, arrived: subject(e.Group), changed: subject(e.Group)}
			parties, byNumber[l.incident.Number] = append(parties, p), p
		}
		to := &p.arrived
		if l.firing[e.Alert.Fingerprint()] {
			to = &p.changed
		}
		to.Alerts = append(to.Alerts, e.Alert)
	}
	for _, p := range parties {
		c.unit()
		c.joinAlerts(p.l, p.ic, p.arrived)
		c.raiseSeverity(p.l, p.ic, p.changed)
	}
}

// ebb is about alerts that no longer fire, whether their source said so or they were not heard of in time.
func (c *Core) ebb(t *tide) {
	var left []*live
	for _, e := range t.went {
		fp := e.Alert.Fingerprint()
		if t.fires[fp] {
			continue // it went and came again
		}
		for _, n := range c.membership[fp] {
			if l := c.live[n]; l != nil && l.firing[fp] {
				delete(l.firing, fp)
				left = append(left, l)
			}
		}
	}
	for _, l := range left {
		if len(l.firing) == 0 && l.incident.Firing {
			c.unit()
			c.cleared(l)
		}
		c.weigh(l)
	}
}

// cleared is when the last firing alert of the incident has ended.
func (c *Core) cleared(l *live) {
	c.become(l, incident.Cleared{})
	if !l.incident.Open() {
		c.allClear(l) // it was resolved by hand before, and its channels have waited for this
	}
}
