// Package notify turns a message into a delivery, and a response into a verdict.
package notify

import (
	"context"
	"time"
)

// A Target is where one message goes: one integration of a receiver, or one contact method of a person. It names a
// queue: messages to one target go out in order, and a slow target delays no other (SPEC §8).
type Target struct {
	Receiver    string `json:"receiver,omitempty"`
	Integration string `json:"integration,omitempty"` // upstream's name: "webhook", "slack", …
	Index       int    `json:"index,omitempty"`       // among the receiver's integrations of that name
	User        string `json:"user,omitempty"`
	Via         string `json:"via,omitempty"` // the contact method's name
}

// Message events (SPEC §3).
const (
	EventPage        = "page"
	EventAckExpiring = "acknowledgement_expiring"
	EventDigest      = "digest"
	EventResolved    = "resolved"
	EventReceiver    = "receiver" // a group notification to an Alertmanager receiver; Page is nil

	// What a person is told about their time on call; Page.Duty is set, as it is at an EventDigest for who comes on call.
	EventOnCallSoon    = "on_call_soon"
	EventOnCallChanged = "on_call_changed"
	EventSwapRequested = "swap_requested"

	// EventStandDown says that nobody need answer any more, because somebody acknowledged, say; Page.Reason has why. It goes
	// only to methods that can take back what still rings or stands (Endpoint.TakesBack).
	EventStandDown = "stand_down"

	// EventTest is a page that is about nothing: somebody wants to see it arrive.
	EventTest = "test"
)

// A Message is all that one attempt needs. It is plain data.
type Message struct {
	Key    string // idempotency key, the same in every attempt
	Event  string
	Target Target

	// What Alertmanager's notifiers are given.
	GroupKey       string
	GroupLabels    map[string]string
	RouteLabels    map[string]string
	Reason         string // upstream's notification reason: "first notification", …
	RepeatInterval time.Duration
	At             time.Time         // the flush's instant
	Alerts         []Alert           // those to send, in upstream's order
	State          map[string]string // what the integration asked to be kept from its last message (Slack's thread)
	Timeout        time.Duration     // how long one attempt may take, at most AttemptTimeout; 0: AttemptTimeout

	Page *Page // what a person is told; nil for receivers
}

// An Alert is one alert of a message.
type Alert struct {
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time // zero while it fires
	GeneratorURL string
}

// A Page is what a woken person needs to know (SPEC §3).
type Page struct {
	Incident    string  // "INC-1"
	Incidents   []Brief // a bundle or digest: the incidents it speaks of; empty for a page of one
	Title       string
	Severity    string
	Status      string
	OpenedAt    time.Time
	User        string // name of who is paged
	FullName    string
	TimeZone    string // the person's IANA zone; empty is UTC
	Method      string
	Policy      string
	Step, Cycle int
	Reason      string
	RunbookURL  string
	AlsoPaged   []string  // others paged for this incident so far
	NextAt      time.Time // when it goes on, if nobody acknowledges; zero: never
	NextWho     string    // to whom, as far as can be said now
	AckURL      string
	IncidentURL string
	ResolvedBy  string // for EventResolved: who or what ended it
	Duty        *Duty  // their time on call, where the message is about that
	Storm       *Storm // the pages that this one stands for, where it does; Incidents has the worst
	Urgency     string // "high" or "low"; anything else counts as high, because waking somebody is the smaller mistake
	ReplyTo     string // where a reply by mail acts; empty: nowhere
	CallURL     string // where a phone service tells which key was pressed during a call; empty: no key is asked for
}

// urgent says whether the page may make noise at night.
func (p *Page) urgent() bool { return p.Urgency != "low" }

// A Brief is one line of a bundle.
type Brief struct {
	Incident, Title, Severity string
	OpenedAt                  time.Time
}

// A Verdict is what became of one attempt.
type Verdict struct {
	Outcome    Outcome
	Answer     string            // the provider's words, one line, no secrets; empty where it said nothing
	Reason     string            // why it was not delivered, in the words of Alertmanager's metric; empty: other
	RetryAfter time.Duration     // what the provider asked for; 0: it did not
	Latency    time.Duration     // how long the attempt took; Queues measure it
	State      map[string]string // to be handed to the next message of this target and group; nil: as before
}

// Outcome says whether to try again.
type Outcome int

const (
	Delivered Outcome = iota // the provider took it
	Retry                    // 429, 5xx, network: may work later
	Failed                   // it will never work as it is
)

// A Sender makes one attempt. It obeys ctx, never panics, and is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) Verdict
}
