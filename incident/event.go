package incident

import "time"

// An Event is one line of history: what happened, to which incident, when, by whom and why. Timeline, audit log and
// the output of `midwatch test` are made of these (SPEC §6, §11). Fields that do not apply are empty and absent in JSON.
type Event struct {
	Seq       uint64    `json:"seq,omitempty"` // position in the history, from 1; 0 while not recorded
	At        time.Time `json:"at"`
	Kind      string    `json:"event"` // one of the names of SPEC §11
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"` // a bundle: one message about several
	User      string    `json:"user,omitempty"`      // who is paged
	Via       string    `json:"via,omitempty"`       // contact method
	Receiver  string    `json:"receiver,omitempty"`
	By        string    `json:"by,omitempty"` // who acted; empty: Midwatch itself
	Policy    string    `json:"policy,omitempty"`
	Step      int       `json:"step,omitempty"`  // from 1
	Cycle     int       `json:"cycle,omitempty"` // from 1
	Severity  string    `json:"severity,omitempty"`
	Text      string    `json:"text,omitempty"` // a note's words
	Reason    string    `json:"reason,omitempty"`
	OnCall    string    `json:"on_call,omitempty"` // why it is this user: "on call in db-primary (weekly)"
	Key       string    `json:"key,omitempty"`     // idempotency key of the delivery this speaks of
}

// The event names of SPEC §11.
const (
	Opened               = "incident_opened"
	Reopened             = "incident_reopened"
	SeverityChanged      = "severity_changed"
	Paged                = "page"
	PageFailed           = "page_failed"
	StepSkipped          = "step_skipped"
	PolicyExhausted      = "policy_exhausted"
	CatchAll             = "catch_all"
	Acknowledged         = "acknowledged"
	AcknowledgementEnds  = "acknowledgement_expiring"
	AcknowledgementEnded = "acknowledgement_expired"
	Escalated            = "escalated"
	Reassigned           = "reassigned"
	Snoozed              = "snoozed"
	ResolvedEvent        = "resolved"
	Notification         = "notification"
	SLOBreached          = "slo_breached"
	SLOCleared           = "slo_cleared"
	Note                 = "note"
)

// Kinds are all the event names, in the order of SPEC §11.
var Kinds = []string{
	Opened, Reopened, SeverityChanged, Paged, PageFailed, StepSkipped, PolicyExhausted, CatchAll, Acknowledged,
	AcknowledgementEnds, AcknowledgementEnded, Escalated, Reassigned, Snoozed, ResolvedEvent, Notification,
	SLOBreached, SLOCleared, Note,
}
