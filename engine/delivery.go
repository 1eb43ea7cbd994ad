package engine

import (
	"fmt"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Limits of one delivery's retries. The shape (0.5 s, ×1.5, ±50%, at most a minute) is upstream's.
const (
	firstBackoff  = 500 * time.Millisecond
	backoffFactor = 1.5
	maxBackoff    = time.Minute
	// A page that could not be delivered for so long has failed for good. Until then it still matters: an outage of
	// the network must not run the ladder dry before the network is back.
	pageRetryFor = 30 * time.Minute
	// What tells people that it is over is worth less than a page.
	noticeRetryFor = 15 * time.Minute
)

// A Delivery is one message to one target, from its intent to its outcome. It is a value: Step returns the next one.
// It is stored before the first attempt and deleted with its outcome, so what is found at start was interrupted and
// is sent again under the same Key (SPEC §8).
type Delivery struct {
	Key       string   `json:"key"` // idempotency key
	Event     string   `json:"event"`
	Incident  int      `json:"incident,omitempty"`
	Incidents []string `json:"incidents,omitempty"` // a bundle

	User string `json:"user,omitempty"`
	Via  string `json:"via,omitempty"`

	Receiver    string `json:"receiver,omitempty"`
	Integration string `json:"integration,omitempty"`
	Index       int    `json:"index,omitempty"`
	Parent      string `json:"parent,omitempty"` // the ladder's key, where a receiver's integrations share one

	Policy string `json:"policy,omitempty"`
	Step   int    `json:"step,omitempty"`
	Cycle  int    `json:"cycle,omitempty"`
	Reason string `json:"reason,omitempty"`

	Group *GroupMessage `json:"group,omitempty"` // what a receiver is told about a group

	Created  time.Time `json:"created"`
	GiveUp   time.Time `json:"give_up"`
	Next     time.Time `json:"next,omitzero"` // the next attempt; zero while one is under way
	Attempts int       `json:"attempts"`      // those that ended

	Withdrawn bool `json:"withdrawn,omitempty"` // nobody wants it any more; its attempt may be on the wire
	out       bool // let out, and no result yet
}

// Deliveries' events beside those of the history.
const (
	deliverPage        = "page"
	deliverAckExpiring = "acknowledgement_expiring"
	deliverResolved    = "resolved"
	deliverGroup       = "receiver"
)

// A GroupMessage is a group notification as it was decided at the flush. The alerts are named, not copied: their
// bodies are in the alert table.
type GroupMessage struct {
	Ref            string            `json:"ref"`
	Key            string            `json:"key"`
	Labels         map[string]string `json:"labels,omitempty"`
	RouteLabels    map[string]string `json:"route_labels,omitempty"`
	Reason         string            `json:"reason,omitempty"`
	RepeatInterval time.Duration     `json:"repeat_interval"`
	At             time.Time         `json:"at"`
	Firing         []uint64          `json:"firing,omitempty"`   // fingerprints
	Resolved       []uint64          `json:"resolved,omitempty"` // fingerprints
	State          map[string]string `json:"state,omitempty"`
}

// Outcome is what became of an attempt.
type Outcome int

const (
	Delivered Outcome = iota // the provider took it
	Retry                    // it may work later
	Failed                   // it will never work
	NotSent                  // it was withdrawn before it left
)

func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Retry:
		return "retry"
	case NotSent:
		return "not sent"
	default:
		return "failed"
	}
}

// A Verdict is what a sender says of one attempt.
type Verdict struct {
	Outcome    Outcome
	Answer     string        // the provider's words, one line, no secrets
	RetryAfter time.Duration // what the provider asked for; 0: it did not
	Latency    time.Duration
	State      map[string]string // what the integration wants to be told next time; nil: as before
}

// Step is what the delivery becomes after an attempt: ended, with its final outcome, or waiting for the next attempt.
// jitter is in [0, 1).
func (d Delivery) Step(v Verdict, now time.Time, jitter float64) (next Delivery, ended bool, final Outcome, why string) {
	d.Attempts++
	switch v.Outcome {
	case Delivered:
		d.Next = time.Time{}
		return d, true, Delivered, v.Answer
	case Failed:
		d.Next = time.Time{}
		return d, true, Failed, v.Answer
	}
	wait := max(backoff(d.Attempts, jitter), v.RetryAfter)
	if at := now.Add(wait); !at.After(d.GiveUp) {
		d.Next = at
		return d, false, Retry, v.Answer
	}
	d.Next = time.Time{}
	return d, true, Failed, fmt.Sprintf("gave up after %d attempts in %s: %s", d.Attempts, now.Sub(d.Created).Round(time.Second), v.Answer)
}

// Due is when the next attempt is to begin; zero while one is under way.
func (d Delivery) Due() time.Time { return d.Next }

func backoff(attempts int, jitter float64) time.Duration {
	wait := float64(firstBackoff)
	for range attempts - 1 {
		if wait *= backoffFactor; wait >= float64(maxBackoff) {
			wait = float64(maxBackoff)
			break
		}
	}
	return time.Duration(wait * (0.5 + jitter))
}

// is reports whether the integration is the one this delivery goes to.
func (d Delivery) is(in router.Integration) bool {
	return in.Name == d.Integration && in.Index == d.Index
}
