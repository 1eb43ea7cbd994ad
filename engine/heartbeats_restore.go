package engine

import (
	"fmt"
	"slices"

	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
)

// restoreHeartbeats reads them. Those that the configuration no longer has are dropped with its use.
func (r *restorer) restoreHeartbeats() error {
	return r.scan(prefHeartbeat, func(name string, value []byte) error {
		var rec heartbeatRecord
		if err := decode("heartbeat", value, &rec); err != nil {
			return err
		}
		if rec.Beat.Name != name {
			return fmt.Errorf("the record of heartbeat %s is that of %q", name, rec.Beat.Name)
		}
		r.c.hearts.pulses[name] = &pulse{
			rule: Heartbeat{Name: name, Source: rec.Source}, beat: rec.Beat, brief: rec.Brief, reason: rec.Reason, blind: rec.Blind,
		}
		return nil
	})
}

// reviveHeartbeats excuses the silence of the time in which nobody listened, watches what the configuration has, and
// mends what a crash tore apart.
func (r *restorer) reviveHeartbeats() {
	c := r.c
	c.useHeartbeats() // which finds their alerts
	c.excuseHeartbeats()
	for _, n := range c.liveNumbers() {
		l := c.live[n]
		name := l.incident.Identity.Heartbeat
		if name == "" || !l.incident.Firing || c.isSilent(name) {
			continue
		}
		c.unit()
		c.heardAgain(l, "it was heard again, and a restart came before this could be said")
	}
	c.tellLate()
}

// excuseHeartbeats tells each that nobody listened for a while, until now.
func (c *Core) excuseHeartbeats() {
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		c.unit()
		// What fired when we stopped was repeated until then, and repeats are on no disk.
		c.stepHeart(p, heartbeat.Restarted{Unsure: slices.ContainsFunc(p.sources, c.fires)})
	}
}

// isSilent says whether the heartbeat is late, or, for all of them, any that belongs to their incident.
func (c *Core) isSilent(name string) bool {
	if name != incident.AllHeartbeats {
		p := c.hearts.pulses[name]
		return p != nil && p.beat.State == heartbeat.Late
	}
	for _, p := range c.hearts.pulses {
		if p.blind && p.beat.State == heartbeat.Late {
			return true
		}
	}
	return false
}
