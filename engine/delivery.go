package engine

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
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
	Incidents []string `json:"incidents,omitempty"` // those of a bundle or a digest
	Parts     []string `json:"parts,omitempty"`     // a bundle: the keys of the pages that it stands for
	Bundle    string   `json:"bundle,omitempty"`    // the bundle that stands for this page; empty: none does

	User string `json:"user,omitempty"`
	Via  string `json:"via,omitempty"`

	Receiver    string `json:"receiver,omitempty"`
	Integration string `json:"integration,omitempty"`
	Index       int    `json:"index,omitempty"`
	Parent      string `json:"parent,omitempty"` // the ladder's key, where a receiver's integrations share one

	Policy string `json:"policy,omitempty"`
	Rung   int    `json:"step,omitempty"` // the ladder's step, from 1
	Cycle  int    `json:"cycle,omitempty"`
	Reason string `json:"reason,omitempty"`
	OnCall string `json:"on_call,omitempty"` // why it is this user
	By     string `json:"by,omitempty"`      // who asked for a test page

	Group *GroupMessage `json:"group,omitempty"` // what a receiver is told about a group
	Duty  *DutyNote     `json:"duty,omitempty"`  // what a user is told about their time on call

	State map[string]string `json:"state,omitempty"` // of the message that this one takes back

	Created  time.Time `json:"created"`
	GiveUp   time.Time `json:"give_up"`
	Next     time.Time `json:"next,omitzero"` // the next attempt; zero while one is under way
	Attempts int       `json:"attempts"`      // those that ended

	Withdrawn bool `json:"withdrawn,omitempty"` // nobody wants it any more; its attempt may be on the wire
	Reached   bool `json:"reached,omitempty"`   // another of its Parent came through
	out       bool // let out, and no result yet
	held      bool // a silence holds it back, see Core.holdBack
}

// Deliveries' events beside those of the history.
const (
	deliverPage        = "page"
	deliverAckExpiring = "acknowledgement_expiring"
	deliverResolved    = "resolved"
	deliverStandDown   = "stand_down"
	deliverGroup       = "receiver"
)

// A GroupMessage is a group notification as it was decided at the flush. Its stored form names the alerts instead of
// copying them, for their bodies are in the alert table: a group of 10,000 must fit into one record.
type GroupMessage struct {
	notify router.Notify
	stored groupRecord // between reading it and revive
}

func newGroupMessage(n router.Notify) *GroupMessage { return &GroupMessage{notify: n} }

// Notify is what the router decided.
func (m *GroupMessage) Notify() router.Notify { return m.notify }

// groupRecord is a GroupMessage's stored form. It takes 11 bytes an alert, and as much for the entry.
type groupRecord struct {
	Notify   router.Notify `json:"notify"`             // without its alerts and its entry's hashes
	Alerts   []byte        `json:"alerts,omitempty"`   // fingerprints in order, 8 bytes each, the high one first
	Resolved []int         `json:"resolved,omitempty"` // places in Alerts, ascending
	Entry    []byte        `json:"entry"`
}

func (r groupRecord) fingerprints() []uint64 {
	fps := make([]uint64, 0, len(r.Alerts)/8)
	for rest := r.Alerts; len(rest) >= 8; rest = rest[8:] {
		fps = append(fps, binary.BigEndian.Uint64(rest))
	}
	return fps
}

// MarshalJSON writes the stored form.
func (m *GroupMessage) MarshalJSON() ([]byte, error) {
	r := groupRecord{Notify: m.notify, Entry: m.notify.Entry.Encode(nil)}
	for i, a := range m.notify.Alerts {
		r.Alerts = binary.BigEndian.AppendUint64(r.Alerts, a.Fingerprint())
		if !a.EndsAt.IsZero() {
			r.Resolved = append(r.Resolved, i)
		}
	}
	r.Notify.Alerts, r.Notify.Entry = nil, router.LogEntry{LogKey: m.notify.Entry.LogKey}
	return json.Marshal(r)
}

// UnmarshalJSON reads the stored form. The alerts come with revive.
func (m *GroupMessage) UnmarshalJSON(data []byte) error {
	var r groupRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	entry, err := router.DecodeLogEntry(r.Entry)
	if err != nil {
		return err
	}
	m.notify, m.stored = r.Notify, r
	m.notify.Entry = entry
	return nil
}

// revive puts the alerts back, as find knows them. One that is no longer known is left out.
func (m *GroupMessage) revive(find func(fingerprint uint64) *router.Alert) {
	for i, fp := range m.stored.fingerprints() {
		a := find(fp)
		if a == nil {
			continue
		}
		frozen := *a
		if _, resolved := slices.BinarySearch(m.stored.Resolved, i); !resolved {
			frozen.EndsAt = time.Time{}
		} else if frozen.EndsAt.IsZero() || frozen.EndsAt.After(m.notify.At) {
			frozen.EndsAt = m.notify.At // it has fired again since
		}
		m.notify.Alerts = append(m.notify.Alerts, &frozen)
	}
	m.stored = groupRecord{}
}

// shift moves every instant that is still to come.
func (d *Delivery) shift(by time.Duration) {
	d.Created, d.GiveUp = d.Created.Add(by), d.GiveUp.Add(by)
	if !d.Next.IsZero() {
		d.Next = d.Next.Add(by)
	}
	if d.Group != nil {
		moved := *d.Group // the old one may be with a sender
		moved.notify.At, moved.notify.Deadline = moved.notify.At.Add(by), moved.notify.Deadline.Add(by)
		d.Group = &moved
	}
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
	Reason     string        // why it was not delivered, in the words of Alertmanager's metric; empty: other
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
	// As in Alertmanager the backoff counts from when the attempt began: one that hung for longer is tried again at once.
	wait := max(backoff(d.Attempts, jitter)-max(v.Latency, 0), v.RetryAfter, 0)
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
