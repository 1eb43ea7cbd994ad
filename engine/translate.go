package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// This file is the map of the product: the nouns do not know one another, and here what one of them says in its own
// words becomes what another one hears.
//
//	router.Flushed, Joined, Left ──► incident.Begun, Back, Joined, Cleared
//	incident.StartLadder, Rose, … ──► escalation.Begin, SeverityRaised, …
//	escalation.Send ───────────────► a Delivery
//	escalation.Status ─────────────► incident.AckedNow, TriggeredAgain
//	a Delivery's outcome ──────────► escalation.Outcome, router's log

// routed takes what the router says.
func (c *Core) routed(effects []router.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case router.Stored:
			c.note(e.Alert)
		case router.Refused:
			c.refused++
		case router.Notify:
			c.notify(e)
		case router.GroupChanged:
			c.put(prefGroup+e.Group.ID, unless(e.Deleted, func() []byte { return encode("group", e.Group) }))
		case router.LogChanged:
			c.put(logKey(e.Entry.LogKey), unless(e.Deleted, func() []byte { return e.Entry.Encode(nil) }))
		case router.Flushed:
			c.flushed(e)
		case router.Joined:
			c.joined(e)
		case router.Left:
			c.left(e)
		}
	}
}

// unless is a stored value, or nil, which deletes it.
func unless(deleted bool, value func() []byte) []byte {
	if deleted {
		return nil
	}
	return value()
}

// flushed lets the groups of receivers with incident_configs open incidents: a group speaks only at its flush
// (SPEC §5.8).
func (c *Core) flushed(e router.Flushed) {
	if len(e.Firing) == 0 {
		return
	}
	ic, opens := c.cfg.Incidents[e.Group.Receiver]
	if !opens {
		return
	}
	s := Subject{Receiver: e.Group.Receiver, GroupLabels: labelMap(e.Group.Labels), Alerts: e.Firing}
	if ic.Scope == incident.ScopeGroup {
		c.unit()
		c.raise(identity(e.Group, nil), ic, s)
		c.settle()
		return
	}
	for _, a := range e.Firing {
		s.Alerts = []*router.Alert{a}
		c.unit()
		c.raise(identity(e.Group, a), ic, s)
		c.settle()
	}
}

// raise opens the incident of this identity, or brings it back, or lets the alerts join it.
func (c *Core) raise(id incident.Identity, ic IncidentConfig, s Subject) {
	severity := c.severityOf(ic, s)
	l := c.live[c.identities[id]]
	switch {
	case l != nil && l.incident.Open():
		c.joinAlerts(l, ic, s.Alerts)
		return
	case l != nil && l.incident.Held && !incident.Higher(severity, l.incident.Severity):
		return
	case l != nil && c.now.Before(l.incident.ResolvedAt.Add(c.cfg.ReopenWindow)):
		c.adopt(l, s.Alerts)
		reason := fmt.Sprintf("fired again %s after it was resolved", c.now.Sub(l.incident.ResolvedAt).Round(1e9))
		c.become(l, incident.Back{Severity: severity, Reason: reason})
		return
	}
	if l != nil {
		c.forget(l.incident.Number)
	}
	c.last++
	l = newLive()
	labels, annotations := common(s.Alerts)
	c.live[c.last], c.identities[id] = l, c.last
	l.incident.Number = c.last
	c.adopt(l, s.Alerts)
	c.become(l, incident.Begun{
		Number: c.last, Identity: id, Title: ic.Title(s), Severity: severity, Policy: ic.Policy,
		Labels: labels, Annotations: annotations, AutoResolve: ic.AutoResolve, Alerts: len(s.Alerts),
		Reason: openingReason(s),
	})
}

func openingReason(s Subject) string {
	n := "1 alert fires"
	if len(s.Alerts) != 1 {
		n = fmt.Sprintf("%d alerts fire", len(s.Alerts))
	}
	return fmt.Sprintf("%s, routed to %s: %s", n, s.Receiver, names(s.Alerts))
}

// joined is about an alert that came into a group, or changed there, between flushes: an open incident hears of it at
// once, and nothing opens (SPEC §5.8).
func (c *Core) joined(e router.Joined) {
	if e.Muted != "" {
		return // what is suppressed neither opens nor joins
	}
	ic, opens := c.cfg.Incidents[e.Group.Receiver]
	if !opens {
		return
	}
	id := identity(e.Group, nil)
	if ic.Scope == incident.ScopeAlert {
		id = identity(e.Group, e.Alert)
	}
	if l := c.live[c.identities[id]]; l != nil && l.incident.Open() {
		c.joinAlerts(l, ic, []*router.Alert{e.Alert})
	}
}

// identity is that of a group's incident, or of an alert's where one is given (SPEC §6).
func identity(g router.Group, a *router.Alert) incident.Identity {
	if a == nil {
		return incident.Identity{Receiver: g.Receiver, GroupKey: g.Key}
	}
	return incident.Identity{Receiver: g.Receiver, Alert: fingerprint(a)}
}

// left is about an alert that no longer fires, whether its source said so or it was not heard of in time.
func (c *Core) left(e router.Left) {
	if e.Change == router.Regrouped {
		return // it fires on, elsewhere; its incident keeps it
	}
	fp := e.Alert.Fingerprint()
	for _, n := range slices.Clone(c.membership[fp]) {
		l := c.live[n]
		if l == nil || !l.firing[fp] {
			continue
		}
		delete(l.firing, fp)
		c.touch(l)
		if len(l.firing) == 0 {
			c.become(l, incident.Cleared{})
		}
	}
}

// joinAlerts adds those alerts that the incident does not count as firing yet.
func (c *Core) joinAlerts(l *live, ic IncidentConfig, alerts []*router.Alert) {
	var fresh []*router.Alert
	for _, a := range alerts {
		if !l.firing[a.Fingerprint()] {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		c.raiseSeverity(l, ic, alerts)
		return
	}
	c.adopt(l, fresh)
	c.become(l, incident.Joined{
		Severity: c.severityOf(ic, Subject{Receiver: l.incident.Identity.Receiver, Alerts: fresh}),
		Count:    len(fresh), Names: names(fresh),
	})
}

// raiseSeverity notices a known alert that became more severe. Severity is a label, so this is an annotation-driven
// template at work; the plain table never comes here.
func (c *Core) raiseSeverity(l *live, ic IncidentConfig, alerts []*router.Alert) {
	if ic.Severity == nil {
		return
	}
	s := c.severityOf(ic, Subject{Receiver: l.incident.Identity.Receiver, Alerts: alerts})
	if incident.Higher(s, l.incident.Severity) {
		c.become(l, incident.Joined{Severity: s, Count: len(alerts), Names: names(alerts)})
	}
}

func (c *Core) adopt(l *live, alerts []*router.Alert) {
	for _, a := range alerts {
		fp := a.Fingerprint()
		l.firing[fp] = true
		if _, known := l.members[fp]; !known {
			l.members[fp] = a.Labels
			c.membership[fp] = append(c.membership[fp], l.incident.Number)
			l.joined = append(l.joined, fp)
		}
	}
	c.touch(l)
}

// become steps the incident and does what it asks for.
func (c *Core) become(l *live, in incident.Input) {
	var effects []incident.Effect
	l.incident, effects = l.incident.Step(in, c.now)
	c.touch(l)
	for _, e := range effects {
		switch e := e.(type) {
		case incident.Happened:
			c.happened(e.Event)
		case incident.StartLadder:
			policy, ok := c.cfg.Policies[l.incident.Policy]
			if !ok {
				policy = escalation.Policy{Name: l.incident.Policy} // a policy without steps goes to the catch-all
			}
			var more []escalation.Effect
			l.ladder, more = escalation.Open(escalation.Begin{
				Incident: l.incident.ID(), Severity: l.incident.Severity, Policy: policy, Paging: c.cfg.Paging,
			}, c.now, roster{c})
			c.climbed(l, more)
		case incident.RestartLadder:
			c.climb(l, escalation.Reopened{Severity: l.incident.Severity})
		case incident.Rose:
			c.climb(l, escalation.SeverityRaised{Severity: e.Severity})
		case incident.StopLadder:
			c.climb(l, escalation.Resolved{})
			c.dropDeliveries(l)
			c.allClear(l)
		}
	}
}

// climb steps the ladder and does what it asks for.
func (c *Core) climb(l *live, in escalation.Input) {
	var effects []escalation.Effect
	l.ladder, effects = l.ladder.Step(in, c.now, roster{c})
	c.climbed(l, effects)
}

func (c *Core) climbed(l *live, effects []escalation.Effect) {
	c.touch(l)
	for _, e := range effects {
		switch e := e.(type) {
		case escalation.Send:
			c.page(l, e)
		case escalation.Happened:
			c.happened(incident.Event{
				Kind: string(e.Kind), Incident: l.incident.ID(), User: e.User, By: e.By, Via: c.how(e.By),
				Policy: e.Policy, Step: e.Step, Cycle: e.Cycle, Reason: e.Reason,
			})
		case escalation.Status:
			if e.To == escalation.Acknowledged {
				acks := l.ladder.Acks()
				c.become(l, incident.AckedNow{By: acks[len(acks)-1]})
			} else {
				c.become(l, incident.TriggeredAgain{})
			}
		case escalation.TurnTaken:
			key := fmt.Sprintf("%s/%d", e.Policy, e.Step)
			c.turns[key] += e.Turns
			c.put(prefTurn+key, encode("turn", c.turns[key]))
		case escalation.Cancel:
			c.cancel(l, e.Key)
		}
	}
}

// how is by what way the person acted, whose action is being taken.
func (c *Core) how(by string) string {
	if by == "" || by != c.acting.By {
		return ""
	}
	return c.acting.Via
}

// settle writes what the unit changed, once.
func (c *Core) settle() {
	for _, l := range c.dirty {
		n := l.incident.Number
		l.dirty = false
		c.put(prefIncident+num(n), encode("incident", l.incident))
		c.put(prefLadder+num(n), encode("ladder", ladderRecord{l.ladder, l.told}))
		for members := range slices.Chunk(l.joined, maxMembersPerRecord) {
			c.records++
			c.put(prefMember+num(n)+"/"+seqKey(c.records), encode("member", members))
		}
		l.joined = nil
		c.agenda.set(ladderName(n), l.ladder.Due())
		c.remember(l)
	}
	c.dirty = nil
}

// touch marks the incident as changed by the unit under way.
func (c *Core) touch(l *live) {
	if !l.dirty {
		l.dirty = true
		c.dirty = append(c.dirty, l)
	}
}

// A record of members stays well below a batch's limit.
const maxMembersPerRecord = 20_000

func ladderName(n int) string { return fmt.Sprintf("ladder/%d", n) }

// severityOf is the highest over the alerts, each mapped by itself (SPEC §6), unless the receiver says otherwise.
func (c *Core) severityOf(ic IncidentConfig, s Subject) string {
	if ic.Severity != nil {
		if severity := ic.Severity(s); incident.Rank(severity) <= lowestSeverity {
			return severity
		}
	}
	highest := ""
	for _, a := range s.Alerts {
		if severity := c.cfg.Severity(a.Labels.Get("severity")); incident.Higher(severity, highest) {
			highest = severity
		}
	}
	return highest
}

const lowestSeverity = 5

func fingerprint(a *router.Alert) string { return fmt.Sprintf("%016x", a.Fingerprint()) }

// names is a short text of which alerts these are.
func names(alerts []*router.Alert) string {
	const most = 3
	var out []string
	for _, a := range alerts[:min(len(alerts), most)] {
		out = append(out, a.Labels.String())
	}
	text := strings.Join(out, ", ")
	if more := len(alerts) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// common is what all alerts share.
func common(alerts []*router.Alert) (labels, annotations map[string]string) {
	if len(alerts) == 0 {
		return nil, nil
	}
	labels, annotations = labelMap(alerts[0].Labels), labelMap(alerts[0].Annotations)
	for _, a := range alerts[1:] {
		for name, value := range labels {
			if a.Labels.Get(name) != value {
				delete(labels, name)
			}
		}
		for name, value := range annotations {
			if a.Annotations.Get(name) != value {
				delete(annotations, name)
			}
		}
	}
	return labels, annotations
}

func labelMap(ls router.Labels) map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}
