package escalation

import "time"

// An Effect is something that must now be done or recorded. Effects come in the order of their causes.
type Effect interface{ effect() }

// A Kind names an event of the timeline (SPEC §11).
type Kind string

// The kinds this package speaks of. KindPage and KindExpiring are also what a Send carries.
const (
	KindPage         Kind = "page"
	KindSkipped      Kind = "step_skipped"
	KindExhausted    Kind = "policy_exhausted"
	KindCatchAll     Kind = "catch_all"
	KindAcknowledged Kind = "acknowledged"
	KindExpiring     Kind = "acknowledgement_expiring"
	KindExpired      Kind = "acknowledgement_expired"
	KindEscalated    Kind = "escalated"
	KindReassigned   Kind = "reassigned"
	KindSnoozed      Kind = "snoozed"
	KindNote         Kind = "note" // what has no kind of its own: an undone acknowledgement, a responder added
)

// An Origin says what a message was sent for.
type Origin string

// The origins of a Send.
const (
	FromStep      Origin = "step"
	FromCatchAll  Origin = "catch_all"
	FromResponder Origin = "responder"
	FromAck       Origin = "acknowledgement" // the warning before it expires
)

// A Send is one message to one person by one method, or to one receiver. It carries every field of its `page` event;
// the engine records that event when the Send is committed, and the warnings' one event is a Happened.
type Send struct {
	Key      string `json:"key"`                // idempotency key, unique over the incident's life: INC-1/2.1/bo.chat/4
	Event    Kind   `json:"event"`              // KindPage or KindExpiring
	User     string `json:"user,omitempty"`     // empty: to Receiver
	Via      string `json:"via,omitempty"`      // the contact method of User
	Receiver string `json:"receiver,omitempty"` // a channel
	Origin   Origin `json:"origin"`
	Target   Target `json:"target,omitzero"`   // the entry that named the user; zero for a warning
	OnCall   string `json:"on_call,omitempty"` // why Target's schedule named the user (SPEC §5.2)
	Policy   string `json:"policy,omitempty"`  // empty where the incident was reassigned to a user or schedule
	Step     int    `json:"step,omitempty"`    // from 1; 0 where no step paged
	Cycle    int    `json:"cycle,omitempty"`   // walk of the ladder, from 1; 0 where no step paged
	Reason   string `json:"reason"`            // never empty: "no acknowledgement of step 1 in 5m"
}

// Cancel takes back a Send whose outcome is not yet known: if it is still queued, it must no longer go out.
type Cancel struct{ Key string }

// Happened is an entry for the timeline. Fields that do not apply are empty.
type Happened struct {
	Kind   Kind      `json:"kind"`
	By     string    `json:"by,omitempty"`   // the person who acted
	User   string    `json:"user,omitempty"` // the person it concerns
	Policy string    `json:"policy,omitempty"`
	Step   int       `json:"step,omitempty"`
	Cycle  int       `json:"cycle,omitempty"`
	Until  time.Time `json:"until,omitzero"` // end of a snooze; when an acknowledgement expires
	Reason string    `json:"reason"`
}

// Status tells the incident that it is triggered again, or acknowledged. What the incident told the ladder itself
// (begin, reopen, resolve) is not told back.
type Status struct{ To State }

// TurnTaken moves the pointer of a round-robin step on by Turns: one, and one more for each target passed over.
type TurnTaken struct {
	Policy string
	Step   int
	Turns  int
}

func (Send) effect()      {}
func (Cancel) effect()    {}
func (Happened) effect()  {}
func (Status) effect()    {}
func (TurnTaken) effect() {}
