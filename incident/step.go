package incident

import (
	"cmp"
	"fmt"
	"time"
)

// An Input is something that happens to an incident.
type Input interface{ input() }

type (
	// Begun opens an incident that is the zero value.
	Begun struct {
		Number          int
		Identity        Identity
		Title, Severity string
		Policy          string
		Labels          map[string]string
		Annotations     map[string]string
		AutoResolve     bool
		Reason          string // why it opens
	}
	// Back says that a resolved incident's alerts fire again within the reopen window.
	Back struct {
		Severity string
		Reason   string
	}
	// Joined says that more alerts belong to it now. Names is a short text of which.
	Joined struct {
		Severity string // the highest among those that joined
		Count    int
		Names    string
	}
	// Worsened says that what it is about got worse: page again. Eased says that it got better, quietly.
	Worsened struct{ Severity, Reason string }
	Eased    struct{ Severity, Reason string }
	// Cleared says that what it is about is over: its last firing alert ended, unless Reason says something else.
	Cleared struct{ Reason string }
	// AckedNow says that By has it: enough people acknowledged, and the ladder stopped. Said again of another, who has
	// it since one of several took the acknowledgement back, it keeps the time.
	AckedNow struct{ By string }
	// TriggeredAgain says that an acknowledgement no longer holds.
	TriggeredAgain struct{}
	// Ended resolves it: by a person, or, with an empty By, by its source.
	Ended struct{ By, Via, Reason string }
	// Renamed says that the incident follows another policy now.
	Renamed struct{ Policy string }
)

func (Begun) input()          {}
func (Back) input()           {}
func (Joined) input()         {}
func (Worsened) input()       {}
func (Eased) input()          {}
func (Cleared) input()        {}
func (AckedNow) input()       {}
func (TriggeredAgain) input() {}
func (Ended) input()          {}
func (Renamed) input()        {}

// An Effect is what must now be done about a step, in the incident's own words.
type Effect interface{ effect() }

type (
	// Happened is a line for the history.
	Happened struct{ Event Event }
	// StartLadder asks for paging from step 1: it opened.
	StartLadder struct{}
	// RestartLadder asks for paging from step 1 again: it came back.
	RestartLadder struct{}
	// Rose asks the ladder to start again, since severity is higher than it was.
	Rose struct{ Severity string }
	// StopLadder ends all paging: it is over.
	StopLadder struct{}
)

func (Happened) effect()      {}
func (StartLadder) effect()   {}
func (RestartLadder) effect() {}
func (Rose) effect()          {}
func (StopLadder) effect()    {}

// Step is what the incident becomes, and what must now be done. Inputs that no longer apply change nothing: resolve
// beats a late acknowledgement (SPEC §5.8).
func (i Incident) Step(in Input, now time.Time) (Incident, []Effect) {
	next := i.clone()
	switch in := in.(type) {
	case Begun:
		if i.Status == "" {
			return open(in, now)
		}
	case Back:
		return next.reopen(in, now)
	case Joined:
		return next.join(in, now)
	case Worsened:
		return next.turn(in.Severity, in.Reason, now)
	case Eased:
		return next.turn(in.Severity, in.Reason, now)
	case Cleared:
		return next.clear(in, now)
	case AckedNow:
		if i.Status == Triggered {
			next.Status, next.AckedAt = Acked, now
		}
		if i.Open() {
			next.AckedBy = in.By
		}
	case TriggeredAgain:
		if i.Open() {
			next.Status, next.AckedAt, next.AckedBy = Triggered, time.Time{}, ""
		}
	case Ended:
		return next.end(in, now)
	case Renamed:
		next.Policy = in.Policy
	}
	return next, nil
}

// Due is never: an incident waits for others. What waits on its behalf is its ladder.
func (i Incident) Due() time.Time { return time.Time{} }

func open(in Begun, now time.Time) (Incident, []Effect) {
	i := Incident{
		Number: in.Number, Identity: in.Identity, Title: in.Title, Severity: in.Severity, Status: Triggered,
		Policy: in.Policy, Labels: in.Labels, Annotations: in.Annotations, AutoResolve: in.AutoResolve,
		OpenedAt: now, Firing: true,
	}
	return i.clone(), []Effect{
		Happened{i.event(Opened, now, Event{Severity: i.Severity, Policy: i.Policy, Text: i.Title, Reason: in.Reason})},
		StartLadder{},
	}
}

func (i Incident) reopen(in Back, now time.Time) (Incident, []Effect) {
	if i.Status != Resolved {
		return i, nil
	}
	i.Status, i.Firing, i.Held = Triggered, true, false
	i.AckedAt, i.AckedBy, i.ResolvedAt, i.ResolvedBy = time.Time{}, "", time.Time{}, ""
	i.ReopenedAt, i.Flapping = now, true
	i.Severity = in.Severity
	return i, []Effect{
		Happened{i.event(Reopened, now, Event{Severity: i.Severity, Policy: i.Policy, Reason: in.Reason})},
		RestartLadder{},
	}
}

// join takes in more alerts. Only a higher severity is worth another page (SPEC §6). What joins a held incident must
// clear with it, and that is all.
func (i Incident) join(in Joined, now time.Time) (Incident, []Effect) {
	if !i.Open() {
		return i, nil
	}
	i.Firing = true
	text := fmt.Sprintf("1 more alert: %s", in.Names)
	if in.Count != 1 {
		text = fmt.Sprintf("%d more alerts: %s", in.Count, in.Names)
	}
	effects := []Effect{Happened{i.event(Note, now, Event{Text: text, Reason: "joined"})}}
	if Higher(in.Severity, i.Severity) {
		was := i.Severity
		i.Severity = in.Severity
		effects = append(effects,
			Happened{i.event(SeverityChanged, now, Event{Severity: i.Severity, Reason: fmt.Sprintf("%s to %s: %s", was, i.Severity, in.Names)})},
			Rose{Severity: i.Severity})
	}
	return i, effects
}

// turn changes the severity. A higher one is worth another page.
func (i Incident) turn(severity, reason string, now time.Time) (Incident, []Effect) {
	was := i.Severity
	if !i.Open() || severity == was {
		return i, nil
	}
	i.Severity = severity
	effects := []Effect{Happened{i.event(SeverityChanged, now, Event{Severity: severity, Reason: fmt.Sprintf("%s to %s: %s", was, severity, reason)})}}
	if Higher(severity, was) {
		effects = append(effects, Rose{Severity: severity})
	}
	return i, effects
}

func (i Incident) clear(in Cleared, now time.Time) (Incident, []Effect) {
	i.Firing, i.Held = false, false
	switch {
	case !i.Open():
		return i, nil
	case !i.AutoResolve:
		return i, []Effect{Happened{i.event(Note, now, Event{Text: "all alerts ended; it stays open until somebody resolves it", Reason: "auto_resolve is off"})}}
	}
	return i.end(Ended{Reason: cmp.Or(in.Reason, "its last firing alert ended")}, now)
}

func (i Incident) end(in Ended, now time.Time) (Incident, []Effect) {
	if !i.Open() {
		return i, nil
	}
	i.Status, i.ResolvedAt, i.ResolvedBy = Resolved, now, in.By
	i.Held = in.By != "" && i.Firing
	return i, []Effect{
		Happened{i.event(ResolvedEvent, now, Event{By: in.By, Via: in.Via, Reason: in.Reason})},
		StopLadder{},
	}
}

// event fills in what every line about this incident says.
func (i Incident) event(kind string, now time.Time, e Event) Event {
	e.At, e.Kind, e.Incident = now, kind, i.ID()
	return e
}
