package escalation

import (
	"slices"
	"time"
)

// A State is where an incident stands, as far as paging goes.
type State string

// The states of a Page. A Page that has not begun has none of them.
const (
	Triggered    State = "triggered"
	Acknowledged State = "acknowledged"
	Closed       State = "resolved"
)

// A Page is the paging of one incident: how far its ladder has come, who is being paged, who has acknowledged.
// It is a value: Step returns the next one and leaves this one alone. The zero Page waits for Begin.
// Its fields are the stored form; readers want the methods. Deadlines that are zero never come.
type Page struct {
	Incident string `json:"incident,omitempty"`
	Severity string `json:"severity,omitempty"`
	Policy   Policy `json:"policy,omitzero"`
	Paging   Paging `json:"paging,omitzero"`

	Status      State     `json:"status,omitempty"`      // empty: not begun
	High        bool      `json:"high,omitempty"`        // which notification rules hold
	HoursChange time.Time `json:"hours_change,omitzero"` // when support hours are looked at again
	OnHold      bool      `json:"on_hold,omitempty"`     // a silence or maintenance is over the incident
	SnoozeEnds  time.Time `json:"snooze_ends,omitzero"`  // zero: not snoozed
	SnoozedBy   string    `json:"snoozed_by,omitempty"`
	AckedBy     []string  `json:"acked_by,omitempty"`   // distinct people, in order, since the ladder last started
	AckWarns    time.Time `json:"ack_warns,omitzero"`   // when the acknowledgers are warned
	AckExpires  time.Time `json:"ack_expires,omitzero"` // when it is triggered again
	Ladder      Ladder    `json:"ladder,omitzero"`
	Runs        []Run     `json:"runs,omitempty"` // messages that wait or have no outcome yet
	Told        []Contact `json:"told,omitempty"` // whom pages went to since the incident (re)opened
	Sent        int       `json:"sent,omitempty"` // messages so far; numbers the keys
}

// A Ladder is how far the climbing has come.
type Ladder struct {
	Step  int       `json:"step,omitempty"`  // the step that began last; 0: none of this walk
	Cycle int       `json:"cycle,omitempty"` // walk since the ladder started, from 1
	Walk  int       `json:"walk,omitempty"`  // walk since the incident opened, from 1
	Next  time.Time `json:"next,omitzero"`   // when it moves on, or pages catch_all again; zero: it does not
	Why   string    `json:"why,omitempty"`   // the reason the next step will give
	Ended bool      `json:"ended,omitempty"` // only catch_all is left

	Need        int      `json:"need,omitempty"`         // acknowledgements the latest step wants; 0 means 1, AllAcks everybody in Asked
	Asked       []string `json:"asked,omitempty"`        // people whom the latest step paged
	StepReached bool     `json:"step_reached,omitempty"` // the latest step surely reached somebody
	WalkReached bool     `json:"walk_reached,omitempty"` // a step of this walk surely did
}

// A Contact is a person's method, or a receiver, that a page went to.
type Contact struct {
	User     string `json:"user,omitempty"`
	Via      string `json:"via,omitempty"`
	Receiver string `json:"receiver,omitempty"`
}

// Due is when the page next wants Elapsed. Zero is never: nothing has begun, everything has ended, paging is paused, or
// only people can move it on. An instant in the past means now.
func (p Page) Due() time.Time {
	_, at := p.first()
	return at
}

// A wait is one of the things a Page waits for. Of those due at one instant the lower goes first: what was owed to people
// already goes out before the ladder pages them anew.
type wait int

const (
	waitRule wait = iota
	waitWarning
	waitExpiry
	waitSnooze
	waitHours
	waitLadder
)

// first is what the page waits for next, and when; zero is nothing.
func (p Page) first() (what wait, at time.Time) {
	if p.OnHold || !p.isOpen() {
		return 0, time.Time{}
	}
	earliest := func(w wait, t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			what, at = w, t
		}
	}
	_, _, rule := p.nextMessage()
	earliest(waitRule, rule)
	earliest(waitWarning, p.AckWarns)
	earliest(waitExpiry, p.AckExpires)
	earliest(waitSnooze, p.SnoozeEnds)
	earliest(waitHours, p.HoursChange)
	if p.climbing() {
		earliest(waitLadder, p.Ladder.Next)
	}
	return what, at
}

func (p Page) isOpen() bool { return p.Status == Triggered || p.Status == Acknowledged }

// climbing tells whether the ladder may move; silences aside.
func (p Page) climbing() bool { return p.Status == Triggered && p.SnoozeEnds.IsZero() }

// State is where the incident stands; empty before Begin.
func (p Page) State() State { return p.Status }

// Urgency is UrgencyHigh or UrgencyLow.
func (p Page) Urgency() Urgency {
	if p.High {
		return UrgencyHigh
	}
	return UrgencyLow
}

// SnoozedUntil is when a snooze ends; zero if there is none.
func (p Page) SnoozedUntil() time.Time { return p.SnoozeEnds }

// IsPaused tells whether a silence or maintenance holds paging back.
func (p Page) IsPaused() bool { return p.OnHold }

// Acks are the people whose acknowledgement stands, in order. While the state is Triggered they are too few.
func (p Page) Acks() []string { return slices.Clone(p.AckedBy) }

// Paged are the people to whom pages went since the incident opened or reopened, in order.
func (p Page) Paged() []string {
	var who []string
	for _, c := range p.Told {
		if c.User != "" && !slices.Contains(who, c.User) {
			who = append(who, c.User)
		}
	}
	return who
}

// Contacts are the methods and receivers those pages went by, in order, whether or not each was delivered.
func (p Page) Contacts() []Contact { return slices.Clone(p.Told) }

// NextAt is when the ladder next pages somebody if nobody acts, catch_all included.
// Zero: it will not, being acknowledged, resolved, paused, or low and done.
func (p Page) NextAt() time.Time {
	switch {
	case p.OnHold || p.Status != Triggered:
		return time.Time{}
	case !p.SnoozeEnds.IsZero():
		return p.SnoozeEnds
	}
	return p.Ladder.Next
}

// NextWho names whom the ladder would then page, users and receivers, as r sees that instant: steps that would reach nobody
// are passed over. In a silence it is whom the ladder would page without it.
func (p Page) NextWho(r Roster) []string {
	p.OnHold = false
	at := p.NextAt()
	if at.IsZero() {
		return nil
	}
	l := p.Ladder
	if !p.SnoozeEnds.IsZero() {
		l = Ladder{Cycle: 1}
	}
	look := lookup{at: at, high: p.High, r: r}
	reached := p.walkReached()
	for !l.Ended {
		step, cycle, more := p.Policy.after(l.Step, l.Cycle, reached)
		if !more {
			break
		}
		if found := look.step(p.Policy, step); len(found.who) > 0 {
			return found.names()
		}
		reached = reached && cycle == l.Cycle
		l.Step, l.Cycle = step, cycle
	}
	return look.target(p.Paging.CatchAll).names()
}

// clone is a Page whose slices may be written to. Policies are only ever read.
func (p Page) clone() Page {
	p.AckedBy = slices.Clone(p.AckedBy)
	p.Told = slices.Clone(p.Told)
	p.Ladder.Asked = slices.Clone(p.Ladder.Asked)
	p.Runs = slices.Clone(p.Runs)
	for i := range p.Runs {
		p.Runs[i].Messages = slices.Clone(p.Runs[i].Messages)
	}
	return p
}
