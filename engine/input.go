package engine

import (
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// An Input is something that reaches the engine from outside.
type Input interface{ input() }

type (
	// Alerts are those that the table did not swallow as mere repeats.
	Alerts struct{ Alerts []*router.Alert }

	// An Action is what a person does to an incident.
	Action struct {
		Verb     Verb
		Incident string // "INC-1"; empty: the only open one
		By       string // who; empty is refused
		Via      string // how: "api", "link", "cli", …
		Text     string // of a note, or why
		For      time.Duration
		User     string             // whom to add
		To       *escalation.Target // whom to reassign to; nil: to Policy
		Policy   string
	}

	// A Result is what became of an attempt to deliver.
	Result struct {
		Key     string
		Verdict Verdict
	}

	// A Reload brings a new configuration.
	Reload struct{ Config *Config }

	// SetSilence makes a silence, or changes the one whose ID it has. The answer has what it became.
	SetSilence struct {
		Silence router.Silence
		By      string // who asks, where that is known
	}

	// ExpireSilence ends one now.
	ExpireSilence struct{ ID, By string }

	// SetPlan makes or replaces a recurring silence; DropPlan ends one.
	SetPlan struct {
		Plan Plan
		By   string
	}
	DropPlan struct{ Name, By string }

	// Gossip is what peers say of silences and of the notification log, or what a predecessor left of them.
	Gossip struct {
		Silences []router.Silence
		Log      []router.LogEntry
		Onward   bool // what of it is news to us may be news to other peers
	}

	// Peers says where we stand among those who hear of the same alerts, see router.Router.Peered.
	Peers struct {
		Ready bool
		Wait  time.Duration
	}

	// An Override changes who is on call, from now on or later, in one schedule. The answer has it as it was made.
	Override struct {
		Schedule string
		Override oncall.Override
		By       string
	}

	// Calendars brings what shared calendars say now: the schedules of the same configuration, and the rest that they are
	// part of. Nothing else of it changes.
	Calendars struct{ Config *Config }

	// DropOverride takes back one that was made at run time.
	DropOverride struct{ Schedule, ID, By string }

	// RequestSwap asks a user to swap time on call. The answer has the swap.
	RequestSwap struct{ Swap Swap }

	// SettleSwap accepts, declines or cancels a swap that was asked for.
	SettleSwap struct {
		ID   string // "SWAP-1"
		Verb SwapVerb
		By   string
	}

	// AddAbsence says that a user is unavailable for a time. The answer has the absence as it was made.
	AddAbsence struct{ Absence oncall.Absence }

	// DropAbsence takes back one that was made at run time.
	DropAbsence struct{ User, ID, By string }

	// Correct excludes bad time from an SLO's budgets; DropCorrection takes that back. The answer has the correction.
	Correct        struct{ Correction Correction }
	DropCorrection struct {
		Number int
		By     string
	}

	// Counted brings counts of events by the minute, for an SLO that looks at no alerts.
	Counted struct {
		SLO     string
		Labels  map[string]string // the values of the SLO's `by`
		Minutes []slo.Counted
	}

	// Remember keeps a memo over restarts; an empty Value forgets it. With a Text it is a line of the audit log, too: By said or
	// did so about User.
	Remember struct{ Name, Value, User, By, Text string }

	// AddFeed lets calendars subscribe to shifts. The answer has the feed as it was made.
	AddFeed struct{ Feed CalendarFeed }

	// DropFeed takes a feed's address back.
	DropFeed struct {
		Number int
		By     string
	}
)

func (Alerts) input()   {}
func (Action) input()   {}
func (Result) input()   {}
func (Reload) input()   {}
func (Override) input() {}

func (Calendars) input()      {}
func (DropOverride) input()   {}
func (RequestSwap) input()    {}
func (SettleSwap) input()     {}
func (AddAbsence) input()     {}
func (DropAbsence) input()    {}
func (Correct) input()        {}
func (DropCorrection) input() {}
func (Counted) input()        {}
func (Remember) input()       {}
func (AddFeed) input()        {}
func (DropFeed) input()       {}

func (SetSilence) input()    {}
func (ExpireSilence) input() {}
func (SetPlan) input()       {}
func (DropPlan) input()      {}
func (Gossip) input()        {}
func (Peers) input()         {}

// Verb is what a person can do to an incident.
type Verb string

const (
	Acknowledge   Verb = "acknowledge"
	Unacknowledge Verb = "unacknowledge" // undo
	Resolve       Verb = "resolve"
	Escalate      Verb = "escalate"
	Reassign      Verb = "reassign"
	Snooze        Verb = "snooze"
	AddNote       Verb = "note"
	AddResponder  Verb = "responders"
	StopMine      Verb = "stop" // an added responder stops their own paging
)

// An Answer is what an input's sender is told once it is on disk.
type Answer struct {
	Incident   incident.Incident // after the action; zero where none was meant
	Silence    router.Silence    // likewise
	Override   oncall.Override   // likewise
	Swap       Swap              // likewise
	Absence    oncall.Absence    // likewise
	Correction Correction        // likewise
	Feed       CalendarFeed      // likewise
	Tests      []TestOutcome     // of a test page: what was sent, without outcomes yet
	Warnings   []string          // what the sender should think of again, as sentences; it is done all the same
	Err        error             // an Error for what the sender did wrong; router.ErrNoSilence
}

// An Error is the sender's to mend.
type Error struct {
	Code    string // "not_found", "invalid", "conflict"
	Field   string // which part of the input
	Message string // a sentence that says what to do next
}

func (e *Error) Error() string { return e.Message }
