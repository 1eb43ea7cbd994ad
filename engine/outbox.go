package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// page makes a delivery of what the ladder sends: one for a person's method, one for each integration of a receiver. It
// returns why there is nothing to send with; empty: there is.
func (c *Core) page(l *live, s escalation.Send) (why string) {
	d := Delivery{
		Key: s.Key, Event: string(s.Event), Incident: l.incident.Number, User: s.User, Via: s.Via,
		Policy: s.Policy, Rung: s.Step, Cycle: s.Cycle, Reason: s.Reason, OnCall: s.OnCall,
		Created: c.now, GiveUp: c.now.Add(pageRetryFor),
	}
	if s.Receiver == "" {
		c.intend(d)
		return ""
	}
	integrations := c.cfg.Routing.Receivers[s.Receiver]
	if len(integrations) == 0 {
		return fmt.Sprintf("receiver %s has nothing to send with", s.Receiver)
	}
	c.families[s.Key] = &family{}
	for _, in := range integrations {
		d.Receiver, d.Integration, d.Index, d.Parent = s.Receiver, in.Name, in.Index, s.Key
		d.Key = fmt.Sprintf("%s/%s/%d", s.Key, in.Name, in.Index)
		c.intend(d)
	}
	return ""
}

// notify makes a delivery of what a group has to tell a receiver.
func (c *Core) notify(e router.Notify) {
	c.intend(Delivery{
		Key: string(e.Ref), Event: deliverGroup,
		Receiver: e.Entry.Receiver, Integration: e.Entry.Integration, Index: e.Entry.Index,
		Group: newGroupMessage(e), Created: c.now, GiveUp: e.Deadline, Reason: string(e.Reason),
	})
}

// allClear tells those whom a page reached that it is over, where the method or the integration wants to know (SPEC §3).
// A channel is told of alerts, so it hears that they are over when none of them fires any more.
func (c *Core) allClear(l *live) {
	for _, key := range slices.Sorted(maps.Keys(l.told)) {
		n := l.told[key]
		if n.Receiver != "" && len(l.firing) > 0 {
			continue
		}
		delete(l.told, key)
		if !c.wantsToKnow(n) {
			continue
		}
		c.intend(Delivery{
			Key:   n.Page + "/resolved",
			Event: deliverResolved, Incident: l.incident.Number, User: n.User, Via: n.Via,
			Receiver: n.Receiver, Integration: n.Integration, Index: n.Index,
			Policy: l.incident.Policy, Reason: "the incident was resolved", State: n.State,
			Created: c.now, GiveUp: c.now.Add(noticeRetryFor),
		})
	}
}

func (c *Core) wantsToKnow(n Notice) bool {
	if n.Receiver == "" {
		m, ok := c.cfg.Users[n.User].method(n.Via)
		return ok && (m.SendResolved || m.TakesBack)
	}
	return slices.ContainsFunc(c.cfg.Routing.Receivers[n.Receiver], func(in router.Integration) bool {
		return in.Name == n.Integration && in.Index == n.Index && in.SendResolved
	})
}

// standDown silences what still rings at one user, or with an empty name at everybody whom a page of the incident reached: they
// need not answer it any more. Only methods that can take something back hear of it.
func (c *Core) standDown(l *live, user, reason string) {
	for _, key := range slices.Sorted(maps.Keys(l.told)) {
		n := l.told[key]
		m, ok := c.cfg.Users[n.User].method(n.Via)
		if n.Receiver != "" || user != "" && n.User != user || !ok || !m.TakesBack {
			continue
		}
		c.intend(Delivery{
			Key: n.Page + "/stand_down", Event: deliverStandDown, Incident: l.incident.Number, User: n.User, Via: n.Via,
			Policy: l.incident.Policy, Reason: reason, State: n.State, Created: c.now, GiveUp: c.now.Add(noticeRetryFor),
		})
	}
}

// intend records the delivery and lets its first attempt out with this turn.
func (c *Core) intend(d Delivery) {
	if _, known := c.deliveries[d.Key]; known {
		return
	}
	if f := c.families[d.Parent]; f != nil {
		f.pending++
	}
	c.deliveries[d.Key] = &d
	if l := c.live[d.Incident]; l != nil {
		l.sends[d.Key] = true
	}
	c.letOut(&d)
}

// letOut attempts the delivery, once what is known of it is on disk.
func (c *Core) letOut(d *Delivery) {
	c.putDelivery(d)
	c.sends = append(c.sends, c.send(*d))
}

func (c *Core) putDelivery(d *Delivery) { c.put(deliveryKey(d.Key), encode("delivery", d)) }

// send gathers what the message is made from, as it stands now.
func (c *Core) send(d Delivery) Send {
	s := Send{Delivery: d, Over: map[uint64]bool{}}
	if d.Group != nil {
		s.Alerts = d.Group.notify.Alerts
		return s
	}
	l := c.live[d.Incident]
	if l == nil {
		s.Digest = c.digestOf(d)
		c.bundled(&s)
		return s
	}
	s.Incident = l.incident
	s.NextAt, s.NextWho = l.ladder.NextAt(), l.ladder.NextWho(roster{c})
	s.Urgency, s.State = string(l.ladder.Urgency()), d.State
	if n, told := l.told[(Notice{User: d.User, Via: d.Via}).seat()]; told && d.User != "" && d.Event != deliverStandDown {
		s.State = n.State
	}
	for _, user := range l.ladder.Paged() {
		if user != d.User {
			s.Also = append(s.Also, user)
		}
	}
	s.Alerts = c.alertsOf(l, maxAlertsInMessage)
	for _, a := range s.Alerts {
		if fp := a.Fingerprint(); !l.firing[fp] {
			s.Over[fp] = true
		}
	}
	return s
}

// alertsOf are the incident's alerts, firing ones first, each in the order in which they joined, at most so many.
func (c *Core) alertsOf(l *live, most int) []*router.Alert {
	var out []*router.Alert
	if l.hasSign(l.incident.Identity) && most > 0 {
		out = append(out, signOf(l.incident))
	}
	for _, firing := range []bool{true, false} {
		for _, fp := range l.order {
			if len(out) == most {
				return out
			}
			if labels := l.members[fp]; labels == nil || l.firing[fp] != firing {
				continue // it was forgotten since it ended; or it has its turn later, or had it
			} else if a := c.router.Alerts().Get(labels); a != nil {
				out = append(out, a)
			}
		}
	}
	return out
}

// result takes in what became of an attempt.
func (c *Core) result(in Result) {
	d := c.deliveries[in.Key]
	if d == nil || !d.out {
		return // cancelled, or answered twice
	}
	d.out = false
	if in.Verdict.Outcome == NotSent && d.Withdrawn {
		c.abandon(d)
		return
	}
	if d.Event == deliverTest {
		c.testResult(d, in.Verdict)
		return
	}
	next, ended, final, why := d.Step(in.Verdict, c.now, c.rand.Float64())
	*d = next
	c.logAttempt(next, in.Verdict)
	switch {
	case len(d.Parts) > 0:
		c.bundleResult(d, ended, final, why, in.Verdict.State)
	case !ended && d.Withdrawn:
		c.abandon(d)
	case !ended:
		c.putDelivery(d)
		c.agenda.set("delivery/"+d.Key, d.Due())
	case d.Group != nil:
		c.drop(d.Key)
		c.groupResult(next, final, why, in.Verdict.State)
	case d.Duty != nil:
		c.drop(d.Key)
		c.noticeResult(next, final, why)
	default:
		l := c.live[d.Incident]
		c.drop(d.Key)
		if l != nil {
			c.pageResult(l, next, final, why, in.Verdict.State)
		}
	}
}

func (c *Core) groupResult(d Delivery, final Outcome, why string, state map[string]string) {
	e := incident.Event{Kind: incident.Notification, Receiver: d.Receiver, Via: d.Integration, Key: d.Key, Reason: d.Reason}
	if final != Delivered {
		e.Kind, e.Reason = incident.PageFailed, why
	}
	c.happened(e)
	c.routed(c.router.Sent(router.Ref(d.Key), final == Delivered, c.now, state))
}

func (c *Core) pageResult(l *live, d Delivery, final Outcome, why string, state map[string]string) {
	if d.Event == deliverStandDown {
		return // the delivery log has it; nobody was told anything
	}
	e := incident.Event{
		Kind: incident.Paged, Incident: l.incident.ID(), Incidents: d.Incidents, User: d.User, Via: d.Via,
		Receiver: d.Receiver, Policy: d.Policy, Step: d.Rung, Cycle: d.Cycle, Reason: d.Reason, OnCall: d.OnCall, Key: d.Key,
	}
	if d.Receiver != "" {
		e.Via = d.Integration
	}
	if d.Event != deliverPage || d.Receiver != "" {
		e.Kind = incident.Notification
	}
	if final != Delivered {
		e.Kind, e.Reason = incident.PageFailed, why
	}
	c.happened(e)
	c.pageEnded(l, d, final, why, state)
}

// pageEnded lets the incident and its ladder know what became of a page.
func (c *Core) pageEnded(l *live, d Delivery, final Outcome, why string, state map[string]string) {
	if d.Event == deliverPage && final == Delivered {
		n := Notice{User: d.User, Via: d.Via, Receiver: d.Receiver, Integration: d.Integration, Index: d.Index, Page: d.Key, State: state}
		if state == nil {
			n.State = l.told[n.seat()].State
		}
		l.told[n.seat()] = n
		c.touch(l)
		switch { // it was on the wire meanwhile
		case !l.incident.Open():
			c.allClear(l)
		case l.incident.Status == incident.Acked && !d.Created.After(l.incident.AckedAt):
			c.standDown(l, d.User, "the incident was acknowledged while this page was on its way")
		}
	}
	if d.Parent == "" {
		c.climb(l, escalation.Outcome{Key: d.Key, OK: final == Delivered, Reason: why})
		return
	}
	f := c.families[d.Parent]
	if f == nil {
		return
	}
	f.pending--
	if final == Delivered {
		c.reached(l, d.Parent, f)
	} else {
		f.why = why
	}
	if f.pending <= 0 {
		delete(c.families, d.Parent)
		c.climb(l, escalation.Outcome{Key: d.Parent, OK: f.reached, Reason: f.why})
	}
}

// reached notes with the members of the family that are still on their way that one of them came through: a restart
// must not forget it.
func (c *Core) reached(l *live, parent string, f *family) {
	if f.reached {
		return
	}
	f.reached = true
	for _, key := range slices.Sorted(maps.Keys(l.sends)) {
		if d := c.deliveries[key]; d.Parent == parent {
			d.Reached = true
			c.putDelivery(d)
		}
	}
}

// cancel takes back a send of the ladder, as far as it has not left.
func (c *Core) cancel(l *live, key string) {
	delete(c.families, key)
	for _, k := range slices.Sorted(maps.Keys(l.sends)) {
		if d := c.deliveries[k]; k == key || d.Parent == key {
			c.withdraw(d)
		}
	}
}

// dropDeliveries takes back every page of the incident that has not left: resolve ends what is queued and unsent.
func (c *Core) dropDeliveries(l *live) {
	for _, key := range slices.Sorted(maps.Keys(l.sends)) {
		if d := c.deliveries[key]; d.Event != deliverResolved {
			delete(c.families, d.Parent)
			c.withdraw(d)
		}
	}
}

// withdraw ends a delivery that nobody wants any more. One that was let out may be on the wire: it is kept until its
// sender says what became of it, so that no page that reached somebody is missing from the history.
func (c *Core) withdraw(d *Delivery) {
	switch {
	case d.Withdrawn:
	case d.Bundle != "":
		c.leaveBundle(d)
	case !d.out:
		c.abandon(d)
	default:
		d.Withdrawn = true
		c.putDelivery(d)
		c.gone = append(c.gone, d.Key)
	}
}

// abandon is the end of a delivery that never arrived and never will. The router hears of it: it waits for every
// outcome, or else the integration would hear no more of the group.
func (c *Core) abandon(d *Delivery) {
	for _, p := range c.parts(d) {
		c.drop(p.Key)
	}
	c.drop(d.Key)
	if d.Group != nil {
		c.routed(c.router.Sent(router.Ref(d.Key), false, c.now, nil))
	}
}

func (c *Core) drop(key string) {
	if l := c.live[c.deliveries[key].Incident]; l != nil {
		delete(l.sends, key)
	}
	delete(c.deliveries, key)
	c.agenda.set("delivery/"+key, time.Time{})
	c.put(deliveryKey(key), nil)
}

// An Attempt is one line of the delivery log (SPEC §8).
type Attempt struct {
	At        time.Time `json:"at"`
	Key       string    `json:"key"`
	Event     string    `json:"event"`
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"` // of a bundle or a digest
	User      string    `json:"user,omitempty"`
	Receiver  string    `json:"receiver,omitempty"`
	Via       string    `json:"via"`
	Attempt   int       `json:"attempt"` // from 1
	Outcome   string    `json:"outcome"` // delivered, retry, failed
	Answer    string    `json:"answer,omitempty"`
	LatencyMS float64   `json:"latency_ms"`
	NextAt    time.Time `json:"next_at,omitzero"` // when it is tried again
}

const maxAnswer = 1000 // bytes of a provider's answer

func (c *Core) logAttempt(d Delivery, v Verdict) {
	outcome := v.Outcome.String()
	if v.Outcome == NotSent {
		outcome = Retry.String() // it was wanted, so it is tried again
	}
	a := Attempt{
		At: c.now, Key: d.Key, Event: d.Event, User: d.User, Receiver: d.Receiver, Via: d.Via, Attempt: d.Attempts,
		Outcome: outcome, Answer: cut(strings.TrimSpace(v.Answer), maxAnswer),
		LatencyMS: float64(v.Latency.Microseconds()) / 1000, NextAt: d.Next,
	}
	if d.Receiver != "" {
		a.Via = fmt.Sprintf("%s/%d", d.Integration, d.Index)
	}
	if d.Incident > 0 {
		a.Incident = incident.ID(d.Incident)
	} else {
		a.Incidents = d.Incidents
	}
	c.records++
	c.put(prefAttempt+seqKey(c.records), encode("attempt", a))
}
