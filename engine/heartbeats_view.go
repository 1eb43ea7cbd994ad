package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
)

// A HeartbeatView is a heartbeat as it stands.
type HeartbeatView struct {
	Heartbeat
	State    heartbeat.State
	Since    time.Time
	Last     time.Time // when it was last heard; zero: never
	Due      time.Time // when it is late unless it is heard before; zero: it is late, or paused
	Reason   string    // why it is late
	Incident string    // the open incident that speaks of it; empty: none does
}

// Heartbeats are all that are watched, in the order of the configuration.
func (e *Engine) Heartbeats() []HeartbeatView {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.Heartbeats()
}

// Heartbeats is Engine.Heartbeats, for whoever drives the Core.
func (c *Core) Heartbeats() []HeartbeatView {
	views := make([]HeartbeatView, 0, len(c.hearts.order))
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		b := p.beat
		if at := c.heard(p); at.After(b.From) && (b.State == heartbeat.New || b.State == heartbeat.Fine) {
			if b.State == heartbeat.New {
				b.State, b.Since = heartbeat.Fine, at
			}
			b.Last, b.From = at, at
		}
		v := HeartbeatView{Heartbeat: p.rule, State: b.State, Since: b.Since, Last: b.Last, Due: b.Due(), Reason: p.reason}
		for _, id := range []string{name, incident.AllHeartbeats} {
			if l := c.about(id); l != nil && l.incident.Open() && v.Incident == "" && (id == name || p.blind) {
				v.Incident = l.incident.ID()
			}
		}
		views = append(views, v)
	}
	return views
}

// heartbeatCollector measures the heartbeats when it is asked. There are as many series as the configuration has
// heartbeats.
type heartbeatCollector struct{ e *Engine }

var (
	heartbeatLast = prometheus.NewDesc("midwatch_heartbeat_last_timestamp_seconds", "When the heartbeat was last heard; absent while it never was.", []string{"name"}, nil)
	heartbeatLate = prometheus.NewDesc("midwatch_heartbeat_late", "1 while the heartbeat is late, or its source says that it failed; 0 else.", []string{"name"}, nil)
)

func (c heartbeatCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- heartbeatLast
	ch <- heartbeatLate
}

func (c heartbeatCollector) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.e.Heartbeats() {
		if !v.Last.IsZero() {
			ch <- prometheus.MustNewConstMetric(heartbeatLast, prometheus.GaugeValue, float64(v.Last.UnixMilli())/1000, v.Name)
		}
		late := 0.0
		if v.State == heartbeat.Late {
			late = 1
		}
		ch <- prometheus.MustNewConstMetric(heartbeatLate, prometheus.GaugeValue, late, v.Name)
	}
}
