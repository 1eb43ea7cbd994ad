package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/excerpt"
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
	if c.routes == nil {
		c.routes = effects
	} else {
		c.routes = append(c.routes, effects...)
	}
	t := tide{idle: !slices.ContainsFunc(effects, c.stirs)}
	for _, e := range effects {
		switch e := e.(type) {
		case router.Stored:
			c.note(e)
			c.hearkens(e)
			c.spends(e)
			c.ends(e)
		case router.Refused:
			c.refused++
		case router.Notify:
			c.notify(e)
		case router.GroupChanged:
			file(c, &c.groups, e.Group.ID, unless(e.Deleted, func() []byte { return encodeGroup(&e.Group) }))
		case router.LogChanged:
			file(c, &c.logged, e.Entry.LogKey, unless(e.Deleted, func() []byte { return e.Entry.Encode(nil) }))
		case router.SilenceChanged:
			c.put(prefSilence+e.Silence.ID, unless(e.Action == router.SilenceDropped, func() []byte { return encode("silence", e.Silence) }))
		case router.SilencesTurned:
			c.hear(&t)
			c.silencesTurned(e)
		case router.Flushed:
			c.hear(&t)
			c.flushed(e, "")
		case router.Joined:
			if c.stirs(e) {
				t.came = append(t.came, e)
			}
			t.says(e.Alert, true)
		case router.Left:
			if e.Change == router.Regrouped {
				continue // it fires on, elsewhere; its incident keeps it
			}
			t.went = append(t.went, e)
			t.says(e.Alert, false)
		}
	}
	c.hear(&t)
	c.countStirred()
	if c.hearts.stirred {
		c.hearts.stirred = false
		c.tellLate()
	}
}

// stirs reports whether an incident may have to hear of it that alerts came or went.
func (c *Core) stirs(e router.Effect) bool {
	switch e := e.(type) {
	case router.Joined:
		_, opens := c.cfg.Incidents[e.Group.Receiver]
		return opens && e.Muted == ""
	case router.Left:
		return e.Change != router.Regrouped
	}
	return false
}

// file puts the record where it belongs; without a value it is deleted.
func file[K comparable](c *Core, to *rows[K], name K, value []byte) {
	if value != nil {
		c.put(to.place(name), value)
	} else if key := to.leave(name); key != "" {
		c.put(key, nil)
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
// (SPEC §5.8). why leads the reason, where it is another than that the group's time came.
func (c *Core) flushed(e router.Flushed, why string) {
	if len(e.Firing) == 0 {
		return
	}
	ic, opens := c.cfg.Incidents[e.Group.Receiver]
	if !opens {
		return
	}
	s := subject(e.Group, e.Firing...)
	s.why = why
	if ic.Scope == incident.ScopeGroup {
		c.unit()
		c.raise(identity(e.Group, nil), ic, s)
		return
	}
	for _, a := range e.Firing {
		s.Alerts = []*router.Alert{a}
		c.unit()
		c.raise(identity(e.Group, a), ic, s)
	}
}

// raise opens the incident of this identity, or brings it back, or lets the alerts join it.
func (c *Core) raise(id incident.Identity, ic IncidentConfig, s Subject) {
	l := c.live[c.identities[id]]
	if l != nil && l.incident.Open() {
		c.joinAlerts(l, ic, s)
		return
	}
	severity := c.severityOf(ic, s)
	switch {
	case l != nil && l.incident.Held && !incident.Higher(severity, l.incident.Severity):
		c.joinAlerts(l, ic, s)
		return
	case l != nil && c.now.Before(c.closes(l)):
		c.adopt(l, s.Alerts)
		reason := fmt.Sprintf("fired again %s after it was resolved", c.now.Sub(l.incident.ResolvedAt.Add(l.moved)).Round(time.Second))
		if l.incident.Held {
			reason = fmt.Sprintf("it was resolved by %s while it fired, and rose from %s to %s", l.incident.ResolvedBy, l.incident.Severity, severity)
		}
		l.moved = 0
		c.become(l, incident.Back{Severity: severity, Reason: reason})
		c.weigh(l)
		return
	}
	// What came before goes its own way: it may still have something to tell, or be held by its alerts.
	c.last++
	l = newLive()
	labels, annotations := common(s.Alerts)
	c.live[c.last], c.identities[id] = l, c.last
	l.incident.Number = c.last
	c.adopt(l, s.Alerts)
	c.become(l, incident.Begun{
		Number: c.last, Identity: id, Title: ic.Title(s), Severity: severity, Policy: ic.Policy,
		Labels: labels, Annotations: annotations, AutoResolve: ic.AutoResolve, Reason: openingReason(s),
	})
}

func openingReason(s Subject) string {
	n := s.why + "1 alert fires"
	if len(s.Alerts) != 1 {
		n = fmt.Sprintf("%s%d alerts fire", s.why, len(s.Alerts))
	}
	return fmt.Sprintf("%s, routed to %s: %s", n, s.Receiver, names(s.Alerts))
}

// identity is that of a group's incident, or of an alert's where one is given (SPEC §6).
func identity(g router.Group, a *router.Alert) incident.Identity {
	if a == nil {
		return incident.Identity{Receiver: g.Receiver, GroupKey: g.Key}
	}
	return incident.Identity{Receiver: g.Receiver, Alert: fingerprint(a)}
}

func subject(g router.Group, alerts ...*router.Alert) Subject {
	return Subject{Receiver: g.Receiver, GroupLabels: labelMap(g.Labels), Alerts: alerts}
}

// joinAlerts adds those alerts that the incident does not count as firing yet.
func (c *Core) joinAlerts(l *live, ic IncidentConfig, s Subject) {
	var fresh []*router.Alert
	for _, a := range s.Alerts {
		if !l.firing[a.Fingerprint()] {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return
	}
	s.Alerts = fresh
	c.adopt(l, fresh)
	c.become(l, incident.Joined{Severity: c.severityOf(ic, s), Count: len(fresh), Names: names(fresh)})
	c.weigh(l)
}

// raiseSeverity notices a known alert that became more severe. Severity is a label, so this is an annotation-driven
// template at work; the plain table never comes here.
func (c *Core) raiseSeverity(l *live, ic IncidentConfig, s Subject) {
	if ic.Severity == nil || len(s.Alerts) == 0 {
		return
	}
	if severity := c.severityOf(ic, s); incident.Higher(severity, l.incident.Severity) {
		c.become(l, incident.Joined{Severity: severity, Count: len(s.Alerts), Names: names(s.Alerts)})
	}
}

func (c *Core) adopt(l *live, alerts []*router.Alert) {
	for _, a := range alerts {
		fp := a.Fingerprint()
		l.firing[fp] = true
		if labels, known := l.members[fp]; !known {
			l.joined = append(l.joined, fp)
			c.enlist(l, fp, a.Labels)
		} else if labels == nil {
			l.members[fp] = a.Labels // it was forgotten meanwhile, and is back
		}
	}
	c.touch(l)
}

// enlist makes the alert a member for good.
func (c *Core) enlist(l *live, fp uint64, labels router.Labels) {
	l.members[fp] = labels
	l.order = append(l.order, fp)
	c.membership[fp] = append(c.membership[fp], l.incident.Number)
}

// become steps the incident and does what it asks for.
func (c *Core) become(l *live, in incident.Input) {
	var effects []incident.Effect
	l.incident, effects = l.incident.Step(in, c.now)
	l.stepped = true
	c.touch(l)
	for _, e := range effects {
		switch e := e.(type) {
		case incident.Happened:
			c.happened(e.Event)
		case incident.StartLadder:
			c.startLadder(l)
		case incident.RestartLadder:
			if l.ladder.State() == "" {
				c.relay(l)
				continue
			}
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

// startLadder begins paging, by its policy as it is now (SPEC §5.9).
func (c *Core) startLadder(l *live) {
	policy, ok := c.cfg.Policies[l.incident.Policy]
	if l.policy != nil {
		policy = *l.policy
	} else if !ok {
		policy = escalation.Policy{Name: l.incident.Policy} // a policy without steps goes to the catch-all
	}
	var effects []escalation.Effect
	l.ladder, effects = l.ladder.Step(escalation.Begin{
		Incident: l.incident.ID(), Severity: l.incident.Severity, Policy: policy, Paging: c.cfg.Paging,
	}, c.now, roster{c})
	c.climbed(l, effects)
}

// relay starts a ladder anew whose record could not be read. Its keys begin past all that may have gone out.
func (c *Core) relay(l *live) {
	l.ladder = escalation.Page{Sent: int(c.seq + c.records)} //nolint:gosec // far below
	c.startLadder(l)
}

// climb steps the ladder and does what it asks for.
func (c *Core) climb(l *live, in escalation.Input) {
	var effects []escalation.Effect
	l.ladder, effects = l.ladder.Step(in, c.now, roster{c})
	c.climbed(l, effects)
}

func (c *Core) climbed(l *live, effects []escalation.Effect) {
	c.touch(l)
	var lost []escalation.Outcome       // known at once; the ladder hears of them after all that it asked for was done
	answered, who, all := "", "", false // the acknowledgement that is being taken, whose it is, and whether it is enough
	for _, e := range effects {
		switch e := e.(type) {
		case escalation.Send:
			if why := c.page(l, e); why != "" {
				lost = append(lost, escalation.Outcome{Key: e.Key, Reason: why})
			}
		case escalation.Happened:
			c.happened(incident.Event{
				Kind: string(e.Kind), Incident: l.incident.ID(), User: e.User, By: e.By, Via: c.how(e.By),
				Policy: e.Policy, Step: e.Step, Cycle: e.Cycle, Reason: e.Reason,
			})
			switch e.Kind {
			case escalation.KindAcknowledged:
				answered, who = e.Reason, e.By
			case escalation.KindSnoozed, escalation.KindReassigned:
				c.standDown(l, "", e.Reason)
			}
		case escalation.Status:
			if e.To == escalation.Acknowledged {
				c.become(l, incident.AckedNow{By: c.acting.By})
				all = true
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
	if all || who != "" {
		if all {
			who = "" // else the others' go on ringing
		}
		c.standDown(l, who, answered)
	}
	for _, o := range lost {
		c.climb(l, o)
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
		for members := range slices.Chunk(l.joined, maxMembersPerRecord) {
			c.records++
			l.chunks = append(l.chunks, c.records)
			c.put(memberKey(n, c.records), encode("member", members))
		}
		l.joined = nil
		c.put(prefLadder+num(n), encode("ladder", ladderRecord{l.ladder, l.told, l.moved}))
		if l.stepped { // what became of its pages changes the ladder alone
			l.stepped = false
			c.put(prefIncident+num(n), encode("incident", l.incident))
		}
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

func ladderName(n int) string { return "ladder/" + strconv.Itoa(n) }

// severityOf is the highest over the alerts, each mapped by itself (SPEC §6): by the receiver's own severity, or, where it
// has none or yields none of ours, by the table.
func (c *Core) severityOf(ic IncidentConfig, s Subject) string {
	highest := ""
	for _, a := range s.Alerts {
		severity := ""
		if ic.Severity != nil {
			severity = ic.Severity(Subject{Receiver: s.Receiver, GroupLabels: s.GroupLabels, Alerts: []*router.Alert{a}})
		}
		if incident.Rank(severity) > lowestSeverity {
			severity = c.cfg.Severity(a.Labels.Get("severity"))
		}
		if incident.Higher(severity, highest) {
			highest = severity
		}
	}
	return highest
}

const lowestSeverity = 5

func fingerprint(a *router.Alert) string { return seqKey(a.Fingerprint()) }

// What an incident keeps of its alerts' words is bounded, so that its records are.
const (
	maxNames      = 3       // alerts that a text names
	maxNameText   = 300     // bytes of each
	maxCommonText = 4 << 10 // bytes of one common label or annotation
	maxCommon     = 64 << 10
)

// names is a short text of which alerts these are.
func names(alerts []*router.Alert) string {
	var out []string
	for _, a := range alerts[:min(len(alerts), maxNames)] {
		out = append(out, cut(a.Labels.String(), maxNameText))
	}
	text := strings.Join(out, ", ")
	if more := len(alerts) - maxNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// cut shortens a text to so many bytes, and says so.
func cut(text string, most int) string { return excerpt.Bytes(text, most) }

// common is what all alerts share, as far as there is room for it: in order of the names.
func common(alerts []*router.Alert) (labels, annotations map[string]string) {
	labels, annotations = map[string]string{}, map[string]string{}
	room := maxCommon
	shared := func(to map[string]string, of func(*router.Alert) router.Labels) {
		for _, l := range of(alerts[0]) {
			value := cut(l.Value, maxCommonText)
			if len(l.Name)+len(value) > room {
				continue
			}
			if slices.ContainsFunc(alerts[1:], func(a *router.Alert) bool { return of(a).Get(l.Name) != l.Value }) {
				continue
			}
			to[l.Name] = value
			room -= len(l.Name) + len(value)
		}
	}
	shared(labels, func(a *router.Alert) router.Labels { return a.Labels })
	shared(annotations, func(a *router.Alert) router.Labels { return a.Annotations })
	return labels, annotations
}

func labelMap(ls router.Labels) map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}
