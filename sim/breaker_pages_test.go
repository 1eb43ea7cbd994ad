package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
)

// page lays out what one person or channel is to get from begin on.
func (l *bladder) page(s seat, place string, step int, begin window) {
	r := &brun{user: s.user, receiver: s.receiver, place: place, step: step, walk: l.walk}
	for _, rule := range s.rules {
		for _, via := range rule.Via {
			r.messages = append(r.messages, &bmessage{via: via, after: rule.After, due: begin.plus(rule.After)})
		}
	}
	if s.receiver != "" {
		r.messages = []*bmessage{{due: begin}}
	}
	slices.SortStableFunc(r.messages, func(a, b *bmessage) int { return int(a.after - b.after) })
	for _, old := range l.runs {
		if old.user == s.user && old.receiver == s.receiver {
			for _, m := range old.messages {
				switch {
				case m.fate == waiting && (l.c.w.e == nil || l.guessing) && m.due.set && m.due.lo <= l.c.w.elapsed: // it may have come first
					m.fate, m.hidden = inFlight, true
					m.due.hi = forever
				case m.fate == waiting:
					m.fate = dropped
				case m.hidden: // it goes on, if it was let out at all
					m.due.hi = forever
				}
			}
		}
	}
	l.runs = append(l.runs, r)
}

// sent takes in a page that is let out at t.
func (l *bladder) sent(p bpage, t time.Duration) {
	if k := l.keys[p.key]; k != nil {
		l.sentAgain(k, p, t)
		return
	}
	for _, k := range l.keys {
		if p.receiver != "" && k.parent == p.parent { // another of the channel's integrations
			l.keys[p.key] = &bkey{run: k.run, message: k.message, parent: p.parent, first: t, riding: true}
			return
		}
	}
	what := fmt.Sprintf("a page to %s%s.%s as %s", p.user, p.receiver, p.via, p.key)
	if !l.open() {
		l.fail("no page starts after a resolve", "%s left, and it was resolved at %s", what, FormatElapsed(l.resolvedAt))
	}
	l.wake(t)
	if l.status == incident.Acked && p.place != "responder" {
		l.fail("no page starts after an acknowledgement", "%s left", what)
	}
	if l.paused {
		l.fail("a silence holds from its 200 on", "%s left", what)
	}
	if step, cycle, more := l.following(); more && l.status == incident.Triggered && !l.ended && !l.snoozed.set && l.next.set && l.next.lo <= t &&
		p.place == fmt.Sprintf("%d.%d", step, cycle) && l.c.newest(p) && l.policy.Steps[step-1].Assign != escalation.AssignRoundRobin &&
		slices.ContainsFunc(l.c.targetsOf(l, step), func(s seat) bool { return s.hears(p) }) {
		l.begin(step, cycle, p, t) // an older page to the same address was overdue, too, and this one has replaced it
	}
	m, r := l.due(p, t)
	if m == nil || m.hidden && r.walk != l.walk { // the ladder was begun anew since, and the same step comes again
		step, cycle, more := l.following()
		if m != nil && more && !slices.ContainsFunc(l.c.targetsOf(l, step), func(s seat) bool { return s.hears(p) }) {
			more = false
		}
		if m != nil && more && l.policy.Steps[step-1].Assign == escalation.AssignRoundRobin && !slices.Contains(l.c.together(p), p.user+p.receiver) {
			more = false
		}
		if more && !l.ended && p.place == fmt.Sprintf("%d.%d", step, cycle) {
			l.begin(step, cycle, p, t)
			m, r = l.due(p, t)
		}
	}
	if m == nil {
		l.fail("every page has its reason", "%s left, and nothing asks for it; there are %s", what, l.tell())
	}
	m.fate, m.hidden, r.perhaps = inFlight, false, false
	for _, o := range r.messages { // those overdue by the same method are one
		if o.fate == waiting && o.via == m.via && o.due.set && o.due.lo <= t {
			o.fate = dropped
		}
	}
	for _, run := range l.runs { // a newer page says more
		if run.user == r.user && run.receiver == r.receiver {
			for _, o := range run.messages {
				if o != m && o.fate == inFlight && o.via == m.via {
					o.fate = dropped
				}
			}
		}
	}
	l.keys[p.key] = &bkey{run: r, message: m, parent: p.parent, first: t, riding: true}
}

// sentAgain holds that a page goes out again only after an attempt that failed, or after a crash, and under the same key.
func (l *bladder) sentAgain(k *bkey, p bpage, t time.Duration) {
	switch {
	case k.final:
		l.fail("a page goes out once", "%s left again, and the history has its outcome", p.key)
	case k.message.fate == dropped:
		if p.bundle != "" {
			return // others of the bundle are still wanted
		}
		l.fail("no page starts after it was taken back", "%s left again", p.key)
	case k.again == 0:
		l.fail("pages of a step, target and method are at most 1 and the crashes in its send window", "%s left again", p.key)
	case l.paused && p.bundle == "":
		l.fail("a silence holds from its 200 on", "%s left again", p.key)
	}
	k.again--
	k.riding, k.given, k.retryBy = true, false, 0
}

// due finds the message that this page is.
func (l *bladder) due(p bpage, t time.Duration) (*bmessage, *brun) {
	for _, r := range slices.Backward(l.runs) {
		if r.user != p.user || r.receiver != p.receiver || r.place != p.place {
			continue
		}
		for _, m := range r.messages {
			if (m.fate == waiting || m.hidden && m.fate == inFlight) && m.via == p.via && m.due.set && m.due.lo <= t {
				return m, r
			}
		}
	}
	return nil, nil
}

// outcome takes in what the history says of a page.
func (l *bladder) outcome(e incident.Event, t time.Duration) {
	for _, key := range l.c.partsOf(e.Key) {
		k := l.keys[key]
		if k == nil || k.final {
			continue
		}
		ok := e.Kind != incident.PageFailed
		switch {
		case ok && (!k.given || k.outcome != engine.Delivered):
			l.fail("the timeline tells what happened", "it says that %s came through, and nobody said so", key)
		case !ok && (!k.given || k.outcome == engine.Delivered):
			l.fail("the timeline tells what happened", "it says that %s failed, and nobody said so", key)
		case !ok && k.outcome == engine.Retry && t-k.first < 28*time.Minute && k.message.fate != dropped:
			l.fail("a page is retried for as long as it matters", "%s was given up after %s", key, t-k.first)
		}
		k.final, k.ok, k.retryBy = true, ok, 0
		if k.message.fate == inFlight && l.familyDone(k.message) {
			l.over(k, t)
		}
	}
}

// familyDone tells whether all of a channel's integrations have their outcome.
func (l *bladder) familyDone(m *bmessage) bool {
	for _, k := range l.keys {
		if k.message == m && !k.final {
			return false
		}
	}
	return true
}

// over is the end of one message: it came through, or the next method is tried at once.
func (l *bladder) over(k *bkey, t time.Duration) {
	for _, other := range l.keys {
		if other.message == k.message && other.ok {
			k.message.fate = delivered
			l.hit(k.run)
			return
		}
	}
	k.message.fate = failed
	i := slices.Index(k.run.messages, k.message)
	for _, next := range k.run.messages[i+1:] {
		if next.fate == inFlight || next.fate == delivered {
			break
		}
		if next.fate != waiting || k.run.failedBy(next.via) {
			continue
		}
		for _, m := range k.run.messages {
			if m.fate == waiting && m.after == next.after && !k.run.failedBy(m.via) && m.due.hi > t {
				m.due = exactly(t)
			}
		}
		break
	}
	if l.status == incident.Triggered && !l.ended && l.step > 0 && k.run.walk == l.walk && k.run.step == l.step && !l.stepHopeful() && (!l.next.set || l.next.lo > t) {
		l.next = exactly(t) // it is left at once
	}
}
