package main

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
)

// A courier is the engine's Sender: it words what the engine wants sent, and puts it into the queue of its target.
type courier struct {
	queues *notify.Queues
	signer *notify.Signer
	store  string // its name, a part of every key
	now    func() time.Time

	mu       sync.RWMutex
	external *url.URL
	users    map[string]config.User
	answers  *services // by which people may answer; nil: by none
}

// answering says by which services people may answer a page.
func (c *courier) answering(s *services) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = s
}

// replyTo is where a reply by mail goes; empty: nowhere. What has no address of its own gets the mailbox', which refuses what
// comes there and says why: a reply that nobody reads would be worse. Those are notices of duties, messages about several
// incidents, and users with names longer than an address has room for.
func (c *courier) replyTo(id string, d engine.Delivery) string {
	if c.answers == nil || c.answers.mailbox == nil {
		return ""
	}
	m := c.answers.mailbox
	return orElse(m.Address(chat.Claim{Incident: id, User: d.User, Expires: d.Created.Add(chat.ReplyLife)}), m.Name+"@"+m.Domain)
}

// answerable gives a page its link to acknowledge, and whatever other ways there are to answer it.
func (c *courier) answerable(p *notify.Page, ids string, d engine.Delivery) {
	expires := d.Created.Add(notify.TokenLife)
	token := c.signer.Sign(notify.Claim{Incident: ids, User: d.User, Page: c.key(d.Key), Expires: expires})
	p.AckURL = c.link("ack", token)
	if c.answers == nil {
		return
	}
	if t := c.answers.twilio; t != nil {
		p.CallURL = t.CallURL(splitIDs(ids)[0], token)
	}
	p.ReplyTo = c.replyTo(ids, d)
}

// use takes a configuration: whom there is, and under which address people reach us.
func (c *courier) use(cfg *config.Config, external *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users = cfg.Users
	if c.external != external { // set once: links are made without the lock, too
		c.external = external
	}
}

// Send words the delivery and enqueues it.
func (c *courier) Send(s engine.Send, done func(engine.Verdict)) {
	err := c.queues.Enqueue(c.message(s), func(_ notify.Message, v notify.Verdict) {
		done(engine.Verdict{
			Outcome: outcomes[v.Outcome], Answer: v.Answer, Reason: v.Reason, RetryAfter: v.RetryAfter, State: v.State, Latency: v.Latency,
		})
	})
	if errors.Is(err, notify.ErrQueueFull) {
		go done(engine.Verdict{Outcome: engine.Retry, Answer: err.Error()})
	}
	// Once sending has ended, nobody waits for outcomes: what is recorded is sent after the next start.
}

var outcomes = map[notify.Outcome]engine.Outcome{
	notify.Delivered: engine.Delivered, notify.Retry: engine.Retry, notify.Failed: engine.Failed,
}

// Cancel takes back what is queued.
func (c *courier) Cancel(key string) bool { return c.queues.Cancel(c.key(key)) > 0 }

// key is a delivery's key as the world sees it: with the name of the store that numbered the incident.
func (c *courier) key(key string) string { return key + "/" + c.store }

func (c *courier) message(s engine.Send) notify.Message {
	d := s.Delivery
	m := notify.Message{
		Key: c.key(d.Key), Event: d.Event, At: d.Created, Reason: d.Reason,
		Target: notify.Target{Receiver: d.Receiver, Integration: d.Integration, Index: d.Index, User: d.User, Via: d.Via},
	}
	if d.Group != nil {
		n := d.Group.Notify()
		m.GroupKey, m.GroupLabels, m.RouteLabels = n.Entry.GroupKey, labelMap(n.GroupLabels), labelMap(n.RouteLabels)
		m.Reason, m.RepeatInterval, m.At, m.State = string(n.Reason), n.RepeatInterval, n.At, n.Entry.State
		m.Timeout = n.Deadline.Sub(c.now())
		for _, a := range s.Alerts {
			m.Alerts = append(m.Alerts, told(a, !a.EndsAt.IsZero()))
		}
		return m
	}
	for _, a := range s.Alerts {
		m.Alerts = append(m.Alerts, told(a, s.Over[a.Fingerprint()]))
	}
	if len(d.Parts) > 0 {
		m.GroupKey = "midwatch/bundle"
		m.Page = c.bundle(s)
		return m
	}
	if d.Event == notify.EventTest {
		m.GroupKey = "midwatch/" + d.Event
		m.Page = c.testPage(d)
		return m
	}
	if d.Duty != nil {
		m.GroupKey = "midwatch/" + d.Event
		m.Page = c.duty(s)
		return m
	}
	m.GroupKey = orElse(s.Incident.Identity.GroupKey, s.Incident.ID())
	if d.User == "" {
		// A ladder's step that tells a channel: worded as a group's notification of this incident's alerts.
		m.Event = notify.EventReceiver
		m.GroupLabels = s.Incident.Labels
		m.Reason = "first notification"
		if len(s.Over) == len(s.Alerts) {
			m.Reason = "all alerts resolved"
		}
		return m
	}
	m.Page, m.State = c.page(s), s.State
	return m
}

func (c *courier) page(s engine.Send) *notify.Page {
	d, i := s.Delivery, s.Incident
	c.mu.RLock()
	defer c.mu.RUnlock()
	u := c.users[d.User]
	p := &notify.Page{
		Incident: i.ID(), Title: i.Title, Severity: i.Severity, Status: string(i.Status), OpenedAt: i.OpenedAt,
		User: d.User, FullName: u.FullName, TimeZone: u.TimeZone, Method: d.Via,
		Policy: d.Policy, Step: d.Rung, Cycle: d.Cycle, Reason: because(d),
		RunbookURL: runbook(i, s.Alerts), AlsoPaged: s.Also, NextAt: s.NextAt, NextWho: strings.Join(s.NextWho, ", "),
		IncidentURL: c.link("incidents", i.ID()),
		ResolvedBy:  i.ResolvedBy,
		Urgency:     s.Urgency,
		ReplyTo:     c.replyTo(i.ID(), d), // of one that is over, too: a note is taken
	}
	if i.Open() {
		c.answerable(p, i.ID(), d)
	}
	return p
}

// bundle is one page about several incidents (SPEC §5.11). Its link acknowledges all of them.
func (c *courier) bundle(s engine.Send) *notify.Page {
	d := s.Delivery
	c.mu.RLock()
	defer c.mu.RUnlock()
	u := c.users[d.User]
	p := &notify.Page{
		User: d.User, FullName: u.FullName, TimeZone: u.TimeZone, Method: d.Via, Reason: d.Reason, NextAt: s.NextAt,
		Urgency: s.Urgency, IncidentURL: c.link(),
	}
	c.answerable(p, joinIDs(d.Incidents), d)
	for _, i := range s.Digest {
		p.Incidents = append(p.Incidents, notify.Brief{Incident: i.ID(), Title: i.Title, Severity: i.Severity, OpenedAt: i.OpenedAt})
	}
	return p
}

// duty is what a user is told about their time on call.
func (c *courier) duty(s engine.Send) *notify.Page {
	d := s.Delivery
	c.mu.RLock()
	defer c.mu.RUnlock()
	u := c.users[d.User]
	p := &notify.Page{
		User: d.User, FullName: u.FullName, TimeZone: u.TimeZone, Method: d.Via, Reason: d.Duty.Why, ReplyTo: c.replyTo("", d),
		Duty: &notify.Duty{
			Schedule: d.Duty.Schedule, Start: d.Duty.Start, End: d.Duty.End, With: d.Duty.With, More: d.Duty.More, Why: d.Duty.Why, By: d.Duty.By,
		},
	}
	for _, change := range d.Duty.Changes {
		p.Duty.Changes = append(p.Duty.Changes, notify.DutyChange(change))
	}
	for _, i := range s.Digest {
		p.Incidents = append(p.Incidents, notify.Brief{Incident: i.ID(), Title: i.Title, Severity: i.Severity, OpenedAt: i.OpenedAt})
	}
	return p
}

// link is an address under which a browser reaches us.
func (c *courier) link(parts ...string) string { return c.external.JoinPath(parts...).String() }

// runbook is where it is written what to do: the annotation by its usual names.
func runbook(i incident.Incident, alerts []*router.Alert) string {
	for _, name := range []string{"runbook_url", "runbook"} {
		if u := i.Annotations[name]; u != "" {
			return u
		}
		for _, a := range alerts {
			if u := a.Annotations.Get(name); u != "" {
				return u
			}
		}
	}
	return ""
}

// told is an alert as a message has it. While it fires it has no end.
func told(a *router.Alert, over bool) notify.Alert {
	t := notify.Alert{
		Labels: labelMap(a.Labels), Annotations: labelMap(a.Annotations), StartsAt: a.StartsAt, GeneratorURL: a.GeneratorURL,
	}
	if over {
		t.EndsAt = a.EndsAt
	}
	return t
}

func labelMap(ls router.Labels) map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// senders builds what reaches every receiver and every person of a configuration.
func senders(cfg *config.Config, o notify.Options, log notify.Sender, outbox notify.Sender) ([]notify.Endpoint, error) {
	endpoints, err := notify.Receivers(cfg.Upstream.Receivers, o)
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.UserOrder {
		for _, m := range cfg.Users[name].Methods {
			target := notify.Target{User: name, Via: m.Name}
			switch m.Integration {
			case config.IntegrationLog:
				endpoints = append(endpoints, notify.Endpoint{Target: target, SendResolved: true, Sender: log})
				continue
			case config.IntegrationOutbox:
				endpoints = append(endpoints, notify.Endpoint{Target: target, SendResolved: true, Sender: outbox})
				continue
			}
			e, err := notify.Personal(notify.Method{
				User: name, Via: m.Name, Receiver: m.Receiver, SetByUser: func(field string) bool { return m.Set[field] },
				Own: m.Own, Signing: m.Signing, APIURL: m.APIURL,
			}, o)
			if err != nil {
				return nil, err
			}
			endpoints = append(endpoints, e)
		}
	}
	return endpoints, nil
}

// because is why this person is paged, in one phrase: what led to it, and why it is their turn.
func because(d engine.Delivery) string {
	if d.OnCall == "" {
		return d.Reason
	}
	return d.Reason + "; " + d.OnCall
}
