// Package escalation decides whom to page next, and when.
package escalation

import "time"

// Forever as a Policy's Repeat walks the ladder until somebody acknowledges.
const Forever = -1

// A Policy is a ladder of steps: who is paged, and how long each step has before the next begins (SPEC §5).
// It is plain data: an incident keeps the copy it was opened with (SPEC §5.9).
type Policy struct {
	Name         string                   `json:"name"`
	Steps        []Step                   `json:"steps"`
	Repeat       int                      `json:"repeat"`                  // walks after the first; Forever never ends
	RepeatFrom   int                      `json:"repeat_from"`             // 1-based step where a further walk begins; 0 means 1
	AckTimeout   map[string]time.Duration `json:"ack_timeout,omitempty"`   // by severity; absent: an acknowledgement never expires
	Urgency      Urgency                  `json:"urgency,omitempty"`       // empty is Auto
	SupportHours *Hours                   `json:"support_hours,omitempty"` // only for UrgencySupportHours
	LowUrgency   LowUrgency               `json:"low_urgency,omitempty"`   // empty is LowEscalate
}

// A Step is one rung: its targets are paged together.
type Step struct {
	Notify        []Target      `json:"notify"`
	EscalateAfter time.Duration `json:"escalate_after"` // counted from the instant this step began; 0 means 5m
	Assign        Assign        `json:"assign,omitempty"`
	RequireAcks   int           `json:"require_acks,omitempty"` // 0 means 1; AllAcks means everybody this step paged
}

// AllAcks as RequireAcks asks for everybody whom the step paged.
const AllAcks = -1

// A Target is who a step pages: exactly one field is set.
type Target struct {
	User     string `json:"user,omitempty"`
	Schedule string `json:"schedule,omitempty"` // whoever is on call when the step begins
	Receiver string `json:"receiver,omitempty"` // a channel, not a person
}

// Assign says which of a step's targets are paged.
type Assign string

const (
	AssignAll        Assign = "" // every target
	AssignRoundRobin Assign = "round_robin"
)

// Urgency says which of a user's notification rules apply.
type Urgency string

const (
	UrgencyAuto         Urgency = "" // sev1 and sev2 are high
	UrgencyHigh         Urgency = "high"
	UrgencyLow          Urgency = "low"
	UrgencySupportHours Urgency = "support_hours" // high inside the hours, low outside
)

// LowUrgency says what the ladder of a low-urgency incident does.
type LowUrgency string

const (
	LowEscalate   LowUrgency = ""            // climbs as any other
	LowNotifyOnly LowUrgency = "notify_only" // ends after the first step that reached somebody
)

// Hours are weekly support hours as written in the file; a Roster reads them.
type Hours struct {
	TimeZone string   `json:"time_zone"`
	Active   []Window `json:"active"`
}

// A Window is one entry of `active:` as written (SPEC §4.8): days with from and to, or one weekly span.
type Window struct {
	Days  []string `json:"days,omitempty"`
	From  string   `json:"from,omitempty"`
	To    string   `json:"to,omitempty"`
	Named string   `json:"named,omitempty"` // the name of a time interval of the file
}

// A Rule is one of a user's notification rules: these methods, so long after the page.
type Rule struct {
	Via   []string      `json:"via"`
	After time.Duration `json:"after"`
}

// Paging is what holds for every ladder (SPEC §5 `paging:`).
type Paging struct {
	CatchAll      Target        `json:"catch_all"`
	CatchAllEvery time.Duration `json:"catch_all_every"` // 0 means 4h
}
