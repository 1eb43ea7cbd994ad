package escalation

import "time"

// An Input is something that happened to an incident, as its ladder sees it.
// One that comes late or makes no sense is harmless: a note at most.
type Input interface{ input() }

// Begin starts the ladder of an incident that has just opened (SPEC §5.1). A Page begins once.
type Begin struct {
	Incident string // INC-1; the first part of every key
	Severity string // sev1 … sev4
	Policy   Policy // kept as it is now; a reload does not touch it (SPEC §5.9)
	Paging   Paging
}

// Elapsed is the clock: time has passed, and nothing else.
type Elapsed struct{}

// Acked is an acknowledgement by anybody (SPEC §5.5).
type Acked struct{ By string }

// Unacked takes By's acknowledgement back. If too few remain, the incident is triggered again and the ladder
// goes on where it was: a step that fell due meanwhile begins at once, one not yet due keeps its time.
// Personal rules that the acknowledgement stopped stay stopped.
type Unacked struct{ By string }

// Resolved ends everything, also what is queued and unsent (SPEC §5.8).
type Resolved struct{}

// Reopened starts a resolved incident's ladder from step 1; earlier acknowledgements are forgotten.
type Reopened struct{ Severity string }

// SeverityRaised restarts the ladder at once, also from acknowledged (SPEC §6) and out of a snooze.
type SeverityRaised struct{ Severity string }

// Escalate begins the next step now, also from acknowledged or snoozed, and after the last step the first (SPEC §5.7).
type Escalate struct{ By string }

// Reassign hands the incident to a policy, or to the one target of a ladder of its own (SPEC §5.7).
// With neither it does nothing.
type Reassign struct {
	By     string
	Policy *Policy // wins over Target
	Target Target
}

// Replace swaps the policy under a running ladder (SPEC §5.9): it stays on its step and keeps the time of the next, and goes
// on by the new policy's steps. A ladder that had ended starts anew.
type Replace struct {
	By     string
	Policy Policy
}

// Snooze silences the ladder For so long; then it starts again at step 1 (SPEC §5.7). A For of zero or less does nothing.
type Snooze struct {
	By  string
	For time.Duration
}

// AddResponder pages User beside the ladder, also in an acknowledged or snoozed incident (SPEC §5.7).
type AddResponder struct{ By, User string }

// StopMine ends the paging of By as an added responder. Who was paged by the ladder acknowledges instead.
type StopMine struct{ By string }

// Activity is a note or an update by a person: it restarts the clock of the acknowledgement (SPEC §5.6).
type Activity struct{ By string }

// Outcome tells what became of a Send: delivered, or failed for good. Attempts that will be retried are not told.
type Outcome struct {
	Key    string
	OK     bool
	Reason string // of a failure, in the provider's words
}

// Paused and Resumed frame a silence or maintenance over the open incident (SPEC §5.10): nothing happens in between but
// what people do, and what fell due meanwhile happens on Resumed.
type (
	Paused  struct{ Reason string } // "silence by ana"; may be empty
	Resumed struct{}
)

// Shifted moves every deadline By so much, because the clock did (SPEC §5.12).
type Shifted struct{ By time.Duration }

func (Begin) input()          {}
func (Elapsed) input()        {}
func (Acked) input()          {}
func (Unacked) input()        {}
func (Resolved) input()       {}
func (Reopened) input()       {}
func (SeverityRaised) input() {}
func (Escalate) input()       {}
func (Reassign) input()       {}
func (Replace) input()        {}
func (Snooze) input()         {}
func (AddResponder) input()   {}
func (StopMine) input()       {}
func (Activity) input()       {}
func (Outcome) input()        {}
func (Paused) input()         {}
func (Resumed) input()        {}
func (Shifted) input()        {}

// A Roster is what the world looks like at an instant. Its answers depend on their arguments alone.
type Roster interface {
	// OnCall names who is on call, and why: "weekly layer of db-primary". An unknown schedule has nobody.
	OnCall(schedule string, at time.Time) (users []string, why string)
	// Rules are the user's notification rules, with the default (every contact method at once) already applied.
	// None means that the user cannot be paged.
	Rules(user string, high bool) []Rule
	// Open tells whether support hours are open, and the next instant that changes; zero is never.
	Open(h Hours, at time.Time) (open bool, next time.Time)
	// Turn is a round-robin step's pointer: the sum of its TurnTaken so far.
	Turn(policy string, step int) int
}

// nobody is the Roster of an empty world.
type nobody struct{}

func (nobody) OnCall(string, time.Time) ([]string, string) { return nil, "" }
func (nobody) Rules(string, bool) []Rule                   { return nil }
func (nobody) Open(Hours, time.Time) (bool, time.Time)     { return false, time.Time{} }
func (nobody) Turn(string, int) int                        { return 0 }
