package escalation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// warnBefore is how long before it expires the acknowledger is warned (SPEC §5.6).
const warnBefore = 5 * time.Minute

// acked records an acknowledgement. It stops the ladder once the latest step has as many as it wants (SPEC §5.5).
func (t *turn) acked(who string) {
	if !slices.Contains(t.p.AckedBy, who) {
		t.p.AckedBy = append(t.p.AckedBy, who)
	}
	t.p.Ladder.StepReached, t.p.Ladder.WalkReached = true, true
	event := Happened{Kind: KindAcknowledged, By: who}

	missing := t.p.missingAcks()
	switch {
	case t.p.Status == Acknowledged:
		event.Reason = "acknowledged again" + by(who)
		t.emit(event)
		t.stopOwn(who)
		t.watchAck()
	case missing != "":
		event.Reason = "acknowledged" + by(who) + "; " + missing
		t.emit(event)
		t.stopOwn(who)
	default:
		event.Reason = "acknowledged" + by(who)
		t.emit(event, Status{To: Acknowledged})
		t.p.Status = Acknowledged
		t.p.SnoozeEnds, t.p.SnoozedBy = time.Time{}, ""
		t.stopAll()
		t.watchAck()
	}
}

// stopOwn ends what one person is being paged by.
func (t *turn) stopOwn(who string) {
	t.stop(func(run Run) bool { return who != "" && run.User == who })
}

// missingAcks says what the latest step still waits for; empty is nothing.
func (p Page) missingAcks() string {
	l := p.Ladder
	if l.Need == AllAcks {
		var rest []string
		for _, user := range l.Asked {
			if !slices.Contains(p.AckedBy, user) {
				rest = append(rest, user)
			}
		}
		if len(rest) > 0 {
			return fmt.Sprintf("step %d also waits for %s", l.Step, strings.Join(rest, ", "))
		}
	}
	if have, need := len(p.AckedBy), max(1, l.Need); have < need {
		return fmt.Sprintf("%d of %s of step %d", have, count(need, "acknowledgement"), l.Step)
	}
	return ""
}

func (t *turn) unacked(who string) {
	i := slices.Index(t.p.AckedBy, who)
	if i < 0 {
		return
	}
	t.p.AckedBy = slices.Delete(t.p.AckedBy, i, i+1)
	t.note(who, "", "acknowledgement taken back%s", by(who))
	if t.p.Status == Acknowledged && t.p.missingAcks() != "" {
		t.forgetAck()
		t.p.Status = Triggered
		t.emit(Status{To: Triggered})
	}
}

// watchAck starts the clock of an acknowledgement, anew if it runs: somebody is at work.
func (t *turn) watchAck() {
	t.forgetAck()
	timeout := t.p.Policy.AckTimeout[t.p.Severity]
	if t.p.Status != Acknowledged || !t.p.SnoozeEnds.IsZero() || timeout <= 0 {
		return
	}
	t.p.AckExpires = t.now.Add(timeout)
	if timeout > warnBefore {
		t.p.AckWarns = t.p.AckExpires.Add(-warnBefore)
	}
}

// forgetAck stops that clock, and the warnings it gave.
func (t *turn) forgetAck() {
	t.p.AckWarns, t.p.AckExpires = time.Time{}, time.Time{}
	t.stop(func(run Run) bool { return run.Event == KindExpiring })
}

// warn tells those who acknowledged that it is about to come back. It is not a page: one rule's methods, and the others only
// if those fail.
func (t *turn) warn() {
	t.p.AckWarns = time.Time{}
	if isDue(t.p.AckExpires, t.now) {
		return // too late to warn
	}
	for _, who := range t.p.AckedBy {
		reason := "the acknowledgement" + by(who) + " expires in " + span(t.p.AckExpires.Sub(t.now).Round(time.Second))
		t.emit(Happened{Kind: KindExpiring, User: who, Until: t.p.AckExpires, Reason: reason})
		look := lookup{at: t.now, high: t.p.High, r: t.r}
		for _, w := range look.target(Target{User: who}).who {
			run := Run{User: who, Event: KindExpiring, Origin: FromAck, Reason: reason, Messages: messages(w, t.now)}
			first := run.Messages[0].After
			for i := range run.Messages {
				m := &run.Messages[i]
				m.Due, m.Why = t.now, reason
				if m.After != first {
					m.Due = time.Time{}
				}
			}
			t.p.Runs = append(t.p.Runs, run)
		}
	}
}

// expire triggers an incident whose acknowledgement came to nothing.
func (t *turn) expire() {
	timeout := t.p.Policy.AckTimeout[t.p.Severity]
	who := strings.Join(t.p.AckedBy, ", ")
	reason := "the acknowledgement" + by(who) + " expired after " + span(timeout)
	t.emit(Happened{Kind: KindExpired, User: who, Reason: reason})
	t.restart(reason)
}
