package escalation

import (
	"fmt"
	"time"
)

// MaxSends is how many Sends one Step returns at most, so that one commit can hold them.
// What is left stays due at the same instant and comes with the next Step.
const MaxSends = 100

// Open begins the paging of an incident.
func Open(in Begin, now time.Time, r Roster) (Page, []Effect) { return Page{}.Step(in, now, r) }

// Step is what p becomes when in happens at now, and what must be done about it.
//
// The input acts first, then whatever is due: an acknowledgement that comes with the next step's due time stops it. What fell due
// earlier goes first; a step that is late begins once, now, and the next counts from there (SPEC §5.12). Step reads no clock, knows
// no error and leaves p as it was; too early, too late, twice or with a clock set back, it does no harm.
func (p Page) Step(in Input, now time.Time, r Roster) (Page, []Effect) {
	now = now.Round(0).UTC() // as it reads back from the store
	if _, idle := in.(Elapsed); idle && !isDue(p.Due(), now) {
		return p, nil
	}
	if r == nil {
		r = nobody{}
	}
	t := turn{p: p.clone(), now: now, r: r}
	t.take(in)
	t.catchUp()
	return t.p, t.effects
}

func isDue(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// A turn is one Step in the making.
type turn struct {
	p       Page
	now     time.Time
	r       Roster
	effects []Effect
	sends   int
}

func (t *turn) emit(e ...Effect) { t.effects = append(t.effects, e...) }

func (t *turn) note(by, user, format string, args ...any) {
	t.emit(Happened{Kind: KindNote, By: by, User: user, Reason: fmt.Sprintf(format, args...)})
}

// take lets the input act.
func (t *turn) take(in Input) {
	switch {
	case t.p.Status == "":
		if in, ok := in.(Begin); ok {
			t.begin(in)
		}
	case t.p.Status == Closed:
		t.takeClosed(in)
	default:
		t.takeOpen(in)
	}
}

func (t *turn) begin(in Begin) {
	t.p.Incident, t.p.Severity = in.Incident, in.Severity
	t.p.Policy, t.p.Paging = in.Policy, in.Paging
	t.p.Status = Triggered
	t.rate()
	t.rewind("step 1 of " + in.Policy.called() + " began")
}

// takeClosed is all that may still happen after the end.
func (t *turn) takeClosed(in Input) {
	switch in := in.(type) {
	case Acked:
		t.note(in.By, "", "acknowledged%s, but it was already resolved", by(in.By))
	case Reopened:
		t.p.Status, t.p.Severity = Triggered, in.Severity
		t.p.Told = nil
		t.p.High = false
		t.rate()
		t.restart("the incident reopened")
	case Paused:
		t.p.OnHold = true
	case Resumed:
		t.p.OnHold = false
	}
}

func (t *turn) takeOpen(in Input) {
	switch in := in.(type) {
	case Acked:
		t.acked(in.By)
	case Unacked:
		t.unacked(in.By)
	case Resolved:
		t.resolved()
	case SeverityRaised:
		t.p.Severity = in.Severity
		t.rate()
		t.restart("severity rose to " + in.Severity)
	case Escalate:
		t.escalate(in)
	case Reassign:
		t.reassign(in)
	case Replace:
		t.replace(in)
	case Snooze:
		t.snooze(in)
	case AddResponder:
		t.addResponder(in)
	case StopMine:
		t.stopMine(in.By)
	case Activity:
		t.watchAck()
	case Outcome:
		t.outcome(in)
	case Paused:
		t.pause(in.Reason)
	case Resumed:
		t.resume()
	case Shifted:
		t.shift(in.By)
	}
}

// catchUp does what is due, in the order it fell due. Every case moves its own deadline, and a walk that pages nobody ends the
// ladder, so this ends.
func (t *turn) catchUp() {
	for t.sends < MaxSends {
		what, at := t.p.first()
		if !isDue(at, t.now) {
			return
		}
		switch what {
		case waitRule:
			t.sendNext()
		case waitWarning:
			t.warn()
		case waitExpiry:
			t.expire()
		case waitSnooze:
			t.wake()
		case waitHours:
			t.hoursChanged()
		case waitLadder:
			t.climb()
		}
	}
}

func (t *turn) resolved() {
	t.stopAll()
	t.forgetAck()
	t.p.Status = Closed
	t.p.Ladder.Next, t.p.SnoozeEnds, t.p.HoursChange = time.Time{}, time.Time{}, time.Time{}
}

func (t *turn) pause(why string) {
	if t.p.OnHold {
		return
	}
	t.p.OnHold = true
	if why != "" {
		why = ": " + why
	}
	t.note("", "", "paging is paused%s", why)
}

func (t *turn) resume() {
	if !t.p.OnHold {
		return
	}
	t.p.OnHold = false
	t.note("", "", "paging goes on")
}

// shift moves what is counted in elapsed time. Support hours are civil time: they are looked up again.
func (t *turn) shift(d time.Duration) {
	move := func(at *time.Time) {
		if !at.IsZero() {
			*at = at.Add(d)
		}
	}
	move(&t.p.Ladder.Next)
	move(&t.p.SnoozeEnds)
	move(&t.p.AckWarns)
	move(&t.p.AckExpires)
	for i := range t.p.Runs {
		for j := range t.p.Runs[i].Messages {
			move(&t.p.Runs[i].Messages[j].Due)
		}
	}
	if !t.p.HoursChange.IsZero() {
		t.p.HoursChange = t.now
	}
}
