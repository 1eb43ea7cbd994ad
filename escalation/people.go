package escalation

import "time"

// escalate begins the next step now. The acknowledgements given so far keep counting.
func (t *turn) escalate(in Escalate) {
	reason := "escalated" + by(in.By)
	t.emit(Happened{Kind: KindEscalated, By: in.By, Reason: reason})
	if t.p.Ladder.Ended {
		t.restart(reason)
		return
	}
	t.trigger()
	l := &t.p.Ladder
	if l.Step >= len(t.p.Policy.Steps) {
		l.Step = 0
		l.Cycle++
		l.Walk++
		l.StepReached, l.WalkReached = false, false
	}
	l.Next, l.Why = t.now, reason
}

// reassign gives the incident another ladder.
func (t *turn) reassign(in Reassign) {
	policy, to := t.p.Policy, in.Target.String()
	switch {
	case in.Policy != nil:
		policy, to = *in.Policy, in.Policy.called()
	case to == "":
		return
	default:
		// Urgency and ack_timeout belong to the incident, not to whom it is given.
		policy.Name, policy.Repeat, policy.RepeatFrom, policy.LowUrgency = "", 0, 0, LowEscalate
		policy.Steps = []Step{{Notify: []Target{in.Target}, EscalateAfter: reassignedAfter}}
	}
	reason := "reassigned to " + to + by(in.By)
	t.emit(Happened{Kind: KindReassigned, By: in.By, User: in.Target.User, Policy: policy.Name, Reason: reason})
	t.stopAll()
	t.setPolicy(policy)
	t.restart(reason)
}

func (t *turn) replace(in Replace) {
	t.note(in.By, "", "%s replaced by %s%s", t.p.Policy.called(), in.Policy.called(), by(in.By))
	t.setPolicy(in.Policy)
	if l := t.p.Ladder; l.Ended || l.Next.IsZero() {
		t.rewind("step 1 of " + in.Policy.called() + " began")
	}
	t.watchAck()
}

// setPolicy changes the rules; urgency is decided anew.
func (t *turn) setPolicy(policy Policy) {
	t.p.Policy = policy
	t.p.High = false
	t.rate()
}

// snooze lets nothing page for a time, whatever the state.
func (t *turn) snooze(in Snooze) {
	if in.For <= 0 {
		return
	}
	t.stopAll()
	t.forgetAck()
	t.p.SnoozeEnds, t.p.SnoozedBy = t.now.Add(in.For), in.By
	t.emit(Happened{Kind: KindSnoozed, By: in.By, Until: t.p.SnoozeEnds, Reason: "snoozed" + by(in.By) + " for " + span(in.For)})
}

// wake ends a snooze.
func (t *turn) wake() { t.restart("the snooze" + by(t.p.SnoozedBy) + " ended") }

// addResponder pages a person beside the ladder. If a step was paging them, they still count for it.
func (t *turn) addResponder(in AddResponder) {
	if in.User == "" {
		return
	}
	look := lookup{at: t.now, high: t.p.High, r: t.r}
	found := look.target(Target{User: in.User})
	if len(found.who) == 0 {
		t.note(in.By, in.User, "%s cannot be added as a responder: %s", in.User, found.misses())
		return
	}
	reason := "added as a responder" + by(in.By)
	t.note(in.By, in.User, "%s was %s", in.User, reason)
	run := Run{Origin: FromResponder, Reason: reason}
	for _, old := range t.p.Runs {
		if old.isFor(in.User, "", KindPage) && t.p.Ladder.isAt(old) {
			run.Walk, run.Step, run.Cycle = old.Walk, old.Step, old.Cycle
		}
	}
	t.page(found.who[0], run)
	t.watchAck()
}

func (t *turn) stopMine(who string) {
	mine := func(run Run) bool { return run.Origin == FromResponder && run.User == who }
	before := len(t.p.Runs)
	for _, run := range t.p.Runs {
		if mine(run) {
			t.reached(run) // they answered
		}
	}
	t.stop(mine)
	if len(t.p.Runs) < before {
		t.note(who, "", "%s stopped their own paging", who)
		t.watchAck()
	}
}

// rate decides the incident's urgency. It may rise while the policy stays, and does not fall: as with severity, who was
// woken by it goes on being woken.
func (t *turn) rate() {
	t.p.HoursChange = time.Time{}
	switch policy := t.p.Policy; policy.Urgency {
	case UrgencyHigh:
		t.p.High = true
	case UrgencyLow:
	case UrgencySupportHours:
		if policy.SupportHours == nil {
			t.p.High = true
			break
		}
		open, change := t.r.Open(*policy.SupportHours, t.now)
		t.p.High = t.p.High || open
		if !t.p.High && change.After(t.now) {
			t.p.HoursChange = change.Round(0).UTC()
		}
	default:
		t.p.High = t.p.High || t.p.Severity == "sev1" || t.p.Severity == "sev2"
	}
}

// hoursChanged starts the ladder of an incident that support hours have made urgent (SPEC §5.13). Whoever has acknowledged keeps it;
// if that is undone, or the snooze ends, the ladder is at its start.
func (t *turn) hoursChanged() {
	t.rate()
	if !t.p.High {
		return
	}
	t.note("", "", "support hours began: urgency is high")
	if t.p.Status == Triggered {
		t.p.AckedBy = nil
	}
	t.rewind("support hours began")
}
