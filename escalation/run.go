package escalation

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Run is one paging of one person by their notification rules, or of one receiver (SPEC §3).
type Run struct {
	User     string    `json:"user,omitempty"`
	Receiver string    `json:"receiver,omitempty"`
	Event    Kind      `json:"event"`
	Origin   Origin    `json:"origin"`
	Target   Target    `json:"target,omitzero"`
	OnCall   string    `json:"on_call,omitempty"`
	Walk     int       `json:"walk,omitempty"` // Ladder.Walk, Step and Cycle of the step it belongs to; 0: to none
	Step     int       `json:"step,omitempty"`
	Cycle    int       `json:"cycle,omitempty"`
	Reason   string    `json:"reason"`
	Messages []Message `json:"messages"` // in the order in which they are tried
}

// A Message of a Run goes out by one method. Done is what became of it; empty: it waits.
type Message struct {
	Via   string        `json:"via,omitempty"`   // empty for a receiver
	After time.Duration `json:"after,omitempty"` // as the rule says, from the page
	Due   time.Time     `json:"due,omitzero"`    // zero: only when the one before it has failed
	Done  Done          `json:"done,omitempty"`
	Key   string        `json:"key,omitempty"` // once sent
	Why   string        `json:"why,omitempty"` // the reason it gives, if not the run's own
}

// Done says how far a Message has come.
type Done string

// What becomes of a Message.
const (
	Waiting   Done = ""
	InFlight  Done = "in_flight" // handed out, outcome unknown
	Delivered Done = "delivered"
	Failed    Done = "failed"
	Dropped   Done = "dropped" // collapsed into another, or no longer wanted
)

func (m Message) inFlight() bool { return m.Done == InFlight }
func (m Message) settled() bool  { return m.Done != InFlight && m.Done != Waiting }

// spent tells that nothing will come of the run any more, neither a message nor an outcome.
func (r Run) spent() bool {
	return !slices.ContainsFunc(r.Messages, func(m Message) bool { return !m.settled() })
}

// hopeful tells whether a page of the run came through or may yet. A method that has failed in this run is no hope.
func (r Run) hopeful() bool {
	return slices.ContainsFunc(r.Messages, func(m Message) bool {
		return m.Done == InFlight || m.Done == Delivered || m.Done == Waiting && !r.failed(m.Via)
	})
}

func (r Run) failed(via string) bool {
	return slices.ContainsFunc(r.Messages, func(m Message) bool { return m.Done == Failed && m.Via == via })
}

func (r Run) isFor(user, receiver string, event Kind) bool {
	return r.User == user && r.Receiver == receiver && r.Event == event
}

// page starts a run for w. What was left of an earlier one is dropped (SPEC §3); what of it is still in flight goes on.
func (t *turn) page(w person, run Run) {
	run.User, run.Receiver, run.Target, run.OnCall = w.user, w.receiver, w.target, w.onCall
	run.Event = KindPage
	run.Messages = messages(w, t.now)
	for i := range t.p.Runs {
		if old := &t.p.Runs[i]; old.isFor(w.user, w.receiver, KindPage) {
			for j := range old.Messages {
				if old.Messages[j].Done == Waiting {
					old.Messages[j].Done = Dropped
				}
			}
		}
	}
	t.p.Runs = append(t.p.Runs, run)
	t.sweep()
}

// messages lays out a person's rules from the moment of the page.
func messages(w person, now time.Time) []Message {
	if w.receiver != "" {
		return []Message{{Due: now}}
	}
	var all []Message
	for _, rule := range w.rules {
		after := max(0, rule.After)
		for _, via := range rule.Via {
			all = append(all, Message{Via: via, After: after, Due: now.Add(after)})
		}
	}
	slices.SortStableFunc(all, func(a, b Message) int { return cmp.Compare(a.After, b.After) })
	return all
}

// nextMessage finds the message that goes out next; a zero at is none.
func (p Page) nextMessage() (run, message int, at time.Time) {
	for i, r := range p.Runs {
		for j, m := range r.Messages {
			if m.Done == Waiting && !m.Due.IsZero() && (at.IsZero() || m.Due.Before(at)) {
				run, message, at = i, j, m.Due
			}
		}
	}
	return run, message, at
}

// sendNext hands out the message that is due.
func (t *turn) sendNext() {
	i, j, _ := t.p.nextMessage()
	run := &t.p.Runs[i]
	m := &run.Messages[j]
	t.supersede(run.User, m.Via, run.Receiver, run.Event)

	t.p.Sent++
	t.sends++
	send := Send{
		Event: run.Event, User: run.User, Via: m.Via, Receiver: run.Receiver,
		Origin: run.Origin, Target: run.Target, OnCall: run.OnCall,
		Policy: t.p.Policy.Name, Reason: run.Reason,
	}
	place := string(run.Origin)
	if run.Origin == FromStep {
		send.Step, send.Cycle = run.Step, run.Cycle
		place = fmt.Sprintf("%d.%d", run.Step, run.Cycle)
	}
	whom := run.Receiver
	if run.User != "" {
		whom = run.User + "." + m.Via
	}
	send.Key = fmt.Sprintf("%s/%s/%s/%d", t.p.Incident, place, whom, t.p.Sent)
	switch {
	case m.Why != "":
		send.Reason = m.Why
	case m.After > 0:
		send.Reason = "no acknowledgement in " + span(m.After)
	}
	t.emit(send)
	m.Done, m.Key = InFlight, send.Key

	// Overdue rules of one page by one method are one message (SPEC §3).
	for k := range run.Messages {
		if o := &run.Messages[k]; o.Done == Waiting && o.Via == m.Via && isDue(o.Due, t.now) {
			o.Done = Dropped
		}
	}
	contact := Contact{User: run.User, Via: m.Via, Receiver: run.Receiver}
	if run.Event == KindPage && !slices.Contains(t.p.Told, contact) {
		t.p.Told = append(t.p.Told, contact)
	}
}

// supersede takes back an older message to the same address that has not come through: the newer one says more.
func (t *turn) supersede(user, via, receiver string, event Kind) {
	for i := range t.p.Runs {
		if run := &t.p.Runs[i]; run.isFor(user, receiver, event) {
			for j := range run.Messages {
				if m := &run.Messages[j]; m.inFlight() && m.Via == via {
					m.Done = Dropped
					t.cancel(m.Key)
				}
			}
		}
	}
}

// cancel takes a Send back; one of this very Step was never handed out.
func (t *turn) cancel(key string) {
	before := len(t.effects)
	t.effects = slices.DeleteFunc(t.effects, func(e Effect) bool {
		send, ok := e.(Send)
		return ok && send.Key == key
	})
	if len(t.effects) == before {
		t.emit(Cancel{Key: key})
	}
}

// stop ends the runs that which chooses.
func (t *turn) stop(which func(Run) bool) {
	for _, run := range t.p.Runs {
		if which(run) {
			for _, m := range run.Messages {
				if m.inFlight() {
					t.cancel(m.Key)
				}
			}
		}
	}
	t.p.Runs = slices.DeleteFunc(t.p.Runs, which)
}

func (t *turn) stopAll() { t.stop(func(Run) bool { return true }) }

// sweep forgets the runs nothing will come of.
func (t *turn) sweep() { t.p.Runs = slices.DeleteFunc(t.p.Runs, Run.spent) }

// outcome takes in what became of a message. What nobody waits for any more is nothing new.
func (t *turn) outcome(in Outcome) {
	for i := range t.p.Runs {
		run := &t.p.Runs[i]
		j := slices.IndexFunc(run.Messages, func(m Message) bool { return m.inFlight() && m.Key == in.Key })
		if j < 0 {
			continue
		}
		if in.OK {
			run.Messages[j].Done = Delivered
			t.reached(*run)
		} else {
			run.Messages[j].Done = Failed
			t.fallBack(run, j, in.Reason)
			if t.p.Status == Triggered && t.p.Ladder.isAt(*run) {
				t.leaveIfLost(because(run.Messages[j].Via+run.Receiver, in.Reason))
			}
		}
		t.sweep()
		return
	}
}

// reached remembers that somebody was reached by the run's step and walk.
func (t *turn) reached(run Run) {
	l := &t.p.Ladder
	if run.Walk == l.Walk {
		l.WalkReached = true
	}
	if l.isAt(run) {
		l.StepReached = true
	}
}

// isAt tells whether the run belongs to the step the ladder stands on.
func (l Ladder) isAt(run Run) bool { return run.Walk == l.Walk && run.Step == l.Step }

// fallBack tries the next of the person's methods at once when message j has failed for good (SPEC §8). If that one was
// tried already, its own outcome decides.
func (t *turn) fallBack(run *Run, j int, reason string) {
	for k := j + 1; k < len(run.Messages); k++ {
		next := run.Messages[k]
		if next.Done == InFlight || next.Done == Delivered {
			return
		}
		if next.Done != Waiting || run.failed(next.Via) {
			continue
		}
		for l := k; l < len(run.Messages) && run.Messages[l].After == next.After; l++ { // its whole rule
			m := &run.Messages[l]
			if m.Done == Waiting && !run.failed(m.Via) {
				m.Why = because(run.Messages[j].Via, reason)
				if m.Due.IsZero() || m.Due.After(t.now) {
					m.Due = t.now
				}
			}
		}
		return
	}
}
