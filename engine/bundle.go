package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

const (
	// fewPages are let out one by one. More for one user by one method in one turn become one message (SPEC §5.11).
	fewPages = 3

	// maxBundle is how many incidents one message may be about: its link to acknowledge names them all.
	maxBundle = 40

	bundlePrefix = "bundle/" // of a bundle's key

	alertsOfEach = 3 // of each incident of a bundle, for those who are given alerts
)

// bundle joins the pages that fell due together for one user and method. The pages stay, each with its own key and for its
// own ladder; what leaves is one delivery that stands for them. What is found at start without it leaves on its own.
func (c *Core) bundle() {
	type seat struct{ user, via string }
	pages := map[seat][]*Delivery{}
	var order []seat
	for _, s := range c.sends {
		d := c.deliveries[s.Delivery.Key]
		if d == nil || d.Withdrawn || d.out || d.Event != deliverPage || d.User == "" || d.Attempts > 0 || len(d.Parts) > 0 || d.Bundle != "" {
			continue
		}
		at := seat{d.User, d.Via}
		if pages[at] == nil {
			order = append(order, at)
		}
		pages[at] = append(pages[at], d)
	}
	for _, at := range order {
		for rest := pages[at]; len(rest) > fewPages; {
			n := min(len(rest), maxBundle)
			c.unit()
			c.join(rest[:n])
			rest = rest[n:]
		}
	}
	c.sends = slices.DeleteFunc(c.sends, func(s Send) bool {
		d := c.deliveries[s.Delivery.Key]
		return d != nil && d.Bundle != ""
	})
}

// join makes one delivery of pages.
func (c *Core) join(pages []*Delivery) {
	b := &Delivery{
		Key: bundlePrefix + pages[0].Key, Event: deliverPage, User: pages[0].User, Via: pages[0].Via,
		Reason:  fmt.Sprintf("%d pages fell due together", len(pages)),
		Created: c.now, GiveUp: c.now.Add(pageRetryFor),
	}
	for _, p := range pages {
		p.Bundle = b.Key
		b.Parts = append(b.Parts, p.Key)
		if id := incident.ID(p.Incident); !slices.Contains(b.Incidents, id) {
			b.Incidents = append(b.Incidents, id)
		}
		c.putDelivery(p)
	}
	c.deliveries[b.Key] = b
	c.letOut(b)
}

// parts are a bundle's pages that somebody still wants to hear of.
func (c *Core) parts(b *Delivery) (pages []*Delivery) {
	for _, key := range b.Parts {
		if p := c.deliveries[key]; p != nil {
			pages = append(pages, p)
		}
	}
	return pages
}

// bundleResult gives the outcome of a bundle's attempt to its pages. In the history it is one page.
func (c *Core) bundleResult(b *Delivery, ended bool, final Outcome, why string, state map[string]string) {
	pages := c.parts(b)
	for i, p := range pages {
		p.out = false
		if p.Withdrawn && !(ended && final == Delivered) {
			c.drop(p.Key)
			pages[i] = nil
		}
	}
	pages = slices.DeleteFunc(pages, func(p *Delivery) bool { return p == nil })
	if len(pages) == 0 {
		c.drop(b.Key)
		return
	}
	if !ended {
		c.putDelivery(b)
		c.agenda.set("delivery/"+b.Key, b.Due())
		return
	}
	c.drop(b.Key)
	e := incident.Event{Kind: incident.Paged, Incidents: idsOf(pages), User: b.User, Via: b.Via, Reason: b.Reason, Key: b.Key}
	if final != Delivered {
		e.Kind, e.Reason = incident.PageFailed, why
	}
	c.happened(e)
	for _, p := range pages {
		l := c.live[p.Incident]
		c.drop(p.Key)
		if l != nil {
			c.unit()
			c.pageEnded(l, *p, final, why, state)
		}
	}
}

func idsOf(pages []*Delivery) (ids []string) {
	for _, p := range pages {
		if id := incident.ID(p.Incident); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// leaveBundle ends a page that nobody wants any more and that stands in a bundle. While the bundle may be on the wire it
// stays, as any other does.
func (c *Core) leaveBundle(p *Delivery) {
	b := c.deliveries[p.Bundle]
	if !p.out {
		c.drop(p.Key)
	} else {
		p.Withdrawn = true
		c.putDelivery(p)
	}
	if b == nil || slices.ContainsFunc(c.parts(b), func(p *Delivery) bool { return !p.Withdrawn }) {
		return
	}
	if b.out {
		b.Withdrawn = true
		c.putDelivery(b)
		c.gone = append(c.gone, b.Key)
		return
	}
	c.abandon(b)
}

// rebundle mends what a crash tore: a page whose bundle is not there leaves on its own, at once.
func (r *restorer) rebundle() {
	c := r.c
	for _, d := range r.inOrder() {
		switch {
		case d.Bundle != "" && c.deliveries[d.Bundle] == nil:
			d.Bundle, d.Next = "", c.now
			c.unit()
			c.putDelivery(d)
		case len(d.Parts) > 0 && len(c.parts(d)) == 0:
			delete(c.deliveries, d.Key)
			c.unit()
			c.put(deliveryKey(d.Key), nil)
		}
	}
}

// bundled is what a bundle's message is made from: the incidents that its user is still wanted for, and some alerts of
// each. Somebody may have taken one since an attempt before.
func (c *Core) bundled(s *Send) {
	if len(s.Delivery.Parts) == 0 {
		return
	}
	wanted := slices.DeleteFunc(c.parts(&s.Delivery), func(p *Delivery) bool { return p.Withdrawn })
	s.Delivery.Incidents = idsOf(wanted)
	s.Digest = c.digestOf(s.Delivery)
	for _, p := range wanted {
		l := c.live[p.Incident]
		if l == nil {
			continue
		}
		for _, a := range c.alertsOf(l, min(alertsOfEach, maxAlertsInMessage-len(s.Alerts))) {
			if !slices.ContainsFunc(s.Alerts, func(known *router.Alert) bool { return known.Fingerprint() == a.Fingerprint() }) {
				s.Alerts = append(s.Alerts, a)
			}
			if fp := a.Fingerprint(); !l.firing[fp] {
				s.Over[fp] = true
			}
		}
		if u := string(l.ladder.Urgency()); s.Urgency != string(escalation.UrgencyHigh) {
			s.Urgency = u // one that must wake somebody is enough
		}
		if at := l.ladder.NextAt(); !at.IsZero() && (s.NextAt.IsZero() || at.Before(s.NextAt)) {
			s.NextAt = at
		}
	}
}

// due is when the delivery is to be attempted on its own; one in a bundle never is.
func (d *Delivery) due() time.Time {
	if d.Bundle != "" {
		return time.Time{}
	}
	return d.Due()
}
