package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/heartbeat"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// tellLate opens the incidents of those that are late and of which nobody was told: one for each, or, where all that
// listen to alerts fell silent together, one for all.
func (c *Core) tellLate() {
	var again time.Time
	var all []heartbeat.Heartbeat // of those that listen to alerts; nil: not looked at yet
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		switch {
		case p.beat.State != heartbeat.Late || c.isTold(p):
			continue
		case c.router.IsSilenced(p.labels(), c.now):
			continue // it opens when the silence ends (SPEC §5.10)
		case p.rule.Match == nil:
			c.openHeart(p)
			continue
		}
		if l := c.about(incident.AllHeartbeats); l != nil {
			c.joinBlind(l, p)
			continue
		}
		if all == nil {
			if all = c.listeners(); p.beat.State != heartbeat.Late {
				continue
			}
		}
		switch v, at := heartbeat.Together(p.beat, all, c.now); v {
		case heartbeat.Alone:
			c.openHeart(p)
		case heartbeat.All:
			c.openBlind(p, all)
		case heartbeat.Wait:
			if again.IsZero() || at.Before(again) {
				again = at
			}
		}
	}
	c.agenda.set("gather", again)
}

// listeners are the heartbeats that listen to alerts, with what was heard of them by now. One that is paused or silenced
// is not expected to be heard, and says nothing about the others.
func (c *Core) listeners() []heartbeat.Heartbeat {
	all := []heartbeat.Heartbeat{}
	for _, name := range c.hearts.order {
		p := c.hearts.pulses[name]
		if p.rule.Match == nil || p.beat.State == heartbeat.Paused || c.router.IsSilenced(p.labels(), c.now) {
			continue
		}
		c.unit()
		c.catchUp(p)
		all = append(all, p.beat)
	}
	return all
}

// about is the live incident of a heartbeat that is still silent; nil: there is none. Held ones count: somebody knows.
func (c *Core) about(name string) *live {
	l := c.live[c.identities[incident.Identity{Heartbeat: name}]]
	if l == nil || !l.incident.Firing || !l.incident.Open() && !l.incident.Held {
		return nil
	}
	return l
}

// isTold says whether an incident speaks of its being late.
func (c *Core) isTold(p *pulse) bool {
	return c.about(p.beat.Name) != nil || p.blind && c.about(incident.AllHeartbeats) != nil
}

// labels are those of its incident.
func (p *pulse) labels() router.Labels { return router.LabelsOf(p.labelMap()) }

func (p *pulse) labelMap() map[string]string {
	m := map[string]string{}
	maps.Copy(m, p.rule.Labels)
	m["alertname"], m[labelHeartbeat], m["severity"] = alertHeartbeat, p.rule.Name, p.rule.Severity
	return m
}

func (c *Core) openHeart(p *pulse) {
	c.unit()
	annotations := map[string]string{"summary": fmt.Sprintf("Heartbeat %s %s", p.rule.Name, shortened(p.brief, maxSaidTitle))}
	annotations["description"] = p.reason
	maps.Copy(annotations, p.rule.Annotations)
	c.occur(incident.Begun{
		Identity: incident.Identity{Heartbeat: p.rule.Name}, Title: shortened(annotations["summary"], maxTitle),
		Severity: p.rule.Severity, Policy: p.rule.Policy, Labels: p.labelMap(), Annotations: annotations,
		Reason: fmt.Sprintf("heartbeat %s: %s", p.rule.Name, p.reason),
	})
}

const maxTitle = 200 // characters

// openBlind opens the one incident of all. p is the one that made it so.
func (c *Core) openBlind(p *pulse, all []heartbeat.Heartbeat) {
	c.unit()
	first, names := all[0], []string{}
	for _, h := range all {
		if h.Since.Before(first.Since) {
			first = h
		}
		names = append(names, fmt.Sprintf("%s (%s)", h.Name, c.hearts.pulses[h.Name].brief))
		c.markBlind(c.hearts.pulses[h.Name], true)
	}
	reason := fmt.Sprintf("none of %d heartbeats is heard: %s", len(all), listed(names))
	c.occur(incident.Begun{
		Identity: incident.Identity{Heartbeat: incident.AllHeartbeats}, Title: blindTitle, Severity: blindSeverity,
		Policy: orElse(c.cfg.BlindPolicy, c.hearts.pulses[first.Name].rule.Policy),
		Labels: map[string]string{"alertname": alertBlind, "severity": blindSeverity},
		Annotations: map[string]string{
			"summary":     blindTitle,
			"description": reason + ". Alerts may fire of which nobody is told. Look at the network to Midwatch first, then at each Prometheus.",
		},
		Reason: reason,
	})
}

func listed(names []string) string {
	if more := len(names) - maxBlindNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxBlindNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func (c *Core) markBlind(p *pulse, blind bool) {
	if p.blind != blind {
		p.blind = blind
		c.keepHeart(p)
	}
}

func (c *Core) joinBlind(l *live, p *pulse) {
	c.unit()
	c.markBlind(p, true)
	c.happened(incident.Event{
		Kind: incident.Note, Incident: l.incident.ID(), Reason: "joined", Text: fmt.Sprintf("heartbeat %s: %s", p.rule.Name, p.reason),
	})
}

// noteHeart writes what became of a heartbeat into the timeline of its incident.
func (c *Core) noteHeart(p *pulse, text string) {
	if l := c.about(p.beat.Name); l != nil {
		c.happened(incident.Event{Kind: incident.Note, Incident: l.incident.ID(), Text: fmt.Sprintf("heartbeat %s: %s", p.beat.Name, text)})
	}
}

// calm is when a heartbeat is late no more: its incident is over, and that of all of them with the last.
func (c *Core) calm(p *pulse, reason string) {
	p.brief, p.reason = "", ""
	if l := c.about(p.beat.Name); l != nil {
		c.heardAgain(l, fmt.Sprintf("heartbeat %s: %s", p.beat.Name, reason))
	}
	if !p.blind {
		return
	}
	c.markBlind(p, false)
	l := c.about(incident.AllHeartbeats)
	if l == nil {
		return
	}
	var silent []string
	for _, name := range slices.Sorted(maps.Keys(c.hearts.pulses)) {
		if c.hearts.pulses[name].blind {
			silent = append(silent, name)
		}
	}
	if len(silent) == 0 {
		c.heardAgain(l, fmt.Sprintf("heartbeat %s: %s; it was the last", p.beat.Name, reason))
		return
	}
	c.happened(incident.Event{
		Kind: incident.Note, Incident: l.incident.ID(),
		Text: fmt.Sprintf("heartbeat %s: %s; still silent: %s", p.beat.Name, reason, listed(silent)),
	})
}

// occur opens the incident, or brings it back within the reopen window.
func (c *Core) occur(in incident.Begun) {
	l := c.live[c.identities[in.Identity]]
	switch {
	case l != nil && (l.incident.Open() || l.incident.Held):
		return
	case l != nil && c.now.Before(c.closes(l)):
		reason := fmt.Sprintf("again %s after it was resolved: %s", c.now.Sub(l.incident.ResolvedAt.Add(l.moved)).Round(time.Second), in.Reason)
		l.moved = 0
		l.standIn(true)
		c.become(l, incident.Back{Severity: in.Severity, Reason: reason})
	default:
		c.last++
		l = newLive()
		in.Number, in.AutoResolve = c.last, true
		c.live[c.last], c.identities[in.Identity] = l, c.last
		l.incident.Number, l.incident.Labels = c.last, in.Labels
		l.standIn(true) // before the ladder begins: its pages name what they are about
		c.become(l, in)
	}
	c.weigh(l)
}

// heardAgain ends an incident.
func (c *Core) heardAgain(l *live, reason string) {
	l.standIn(false)
	c.become(l, incident.Cleared{Reason: reason})
	if !l.incident.Open() {
		c.allClear(l) // it was resolved by hand before, and its channels have waited for this
	}
}

// standIn gives the incident of a heartbeat an alert of its own, which is in no table: by it the incident is shown, told
// to channels, and silenced.
func (l *live) standIn(fires bool) {
	labels := router.LabelsOf(l.incident.Labels)
	fp := labels.Fingerprint()
	if _, known := l.members[fp]; !known {
		l.members[fp] = labels
		l.order = append(l.order, fp)
	}
	if fires {
		l.firing[fp] = true
	} else {
		delete(l.firing, fp)
	}
}

// signOf is that alert.
func signOf(i incident.Incident) *router.Alert {
	return &router.Alert{
		Labels: router.LabelsOf(i.Labels), Annotations: router.LabelsOf(i.Annotations),
		StartsAt: i.OpenedAt, EndsAt: i.ResolvedAt, UpdatedAt: i.OpenedAt,
	}
}
