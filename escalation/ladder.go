package escalation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What an absent setting means (SPEC §5), and how long a reassigned target has (SPEC §5.7).
const (
	escalateAfter   = 5 * time.Minute
	catchAllEvery   = 4 * time.Hour
	reassignedAfter = 15 * time.Minute
)

func (s Step) wait() time.Duration {
	if s.EscalateAfter <= 0 {
		return escalateAfter
	}
	return s.EscalateAfter
}

func (p Paging) every() time.Duration {
	if p.CatchAllEvery <= 0 {
		return catchAllEvery
	}
	return p.CatchAllEvery
}

// after says which step follows, in the same walk or in the next, given whether this walk reached anybody.
// more is false where the ladder ends.
func (p Policy) after(step, cycle int, reached bool) (nextStep, nextCycle int, more bool) {
	switch {
	case step < len(p.Steps):
		return step + 1, cycle, true
	case !reached, len(p.Steps) == 0, p.Repeat != Forever && cycle > p.Repeat:
		return step, cycle, false
	case p.RepeatFrom >= 1 && p.RepeatFrom <= len(p.Steps):
		return p.RepeatFrom, cycle + 1, true
	}
	return 1, cycle + 1, true
}

// rewind puts the ladder before step 1 of its first walk, due now.
func (t *turn) rewind(why string) {
	t.p.Ladder = Ladder{Cycle: 1, Walk: t.p.Ladder.Walk + 1, Next: t.now, Why: why}
}

// restart is rewind of an incident that is triggered by it: nobody has it any more, and nothing holds it back but a silence.
// An acknowledgement counts until the ladder starts again.
func (t *turn) restart(why string) {
	t.p.AckedBy = nil
	t.trigger()
	t.rewind(why)
}

// trigger ends an acknowledgement or a snooze, whatever becomes of the ladder.
func (t *turn) trigger() {
	t.forgetAck()
	t.p.SnoozeEnds, t.p.SnoozedBy = time.Time{}, ""
	if t.p.Status == Acknowledged {
		t.p.Status = Triggered
		t.emit(Status{To: Triggered})
	}
}

// climb moves a ladder that is due: to the next step, or past its end.
func (t *turn) climb() {
	l := &t.p.Ladder
	if l.Ended {
		t.catchAll()
		return
	}
	reached := t.p.walkReached()
	step, cycle, more := t.p.Policy.after(l.Step, l.Cycle, reached)
	if !more {
		t.end(reached)
		return
	}
	if cycle != l.Cycle {
		l.Walk++
		l.WalkReached = false
	}
	l.Step, l.Cycle = step, cycle
	t.beginStep()
}

// beginStep pages the targets of the step the ladder has come to, or leaves it at once (SPEC §5.3).
func (t *turn) beginStep() {
	l, policy := &t.p.Ladder, t.p.Policy
	step := policy.Steps[l.Step-1]
	reason := l.Why
	l.Need, l.Asked, l.StepReached = step.RequireAcks, nil, false

	look := lookup{at: t.now, high: t.p.High, r: t.r}
	found := look.step(policy, l.Step)
	if len(found.who) == 0 {
		t.leave(found.misses())
		return
	}
	if found.turns > 0 {
		t.emit(TurnTaken{Policy: policy.Name, Step: l.Step, Turns: found.turns})
	}
	for _, w := range found.who {
		if w.user != "" {
			l.Asked = append(l.Asked, w.user)
		}
		t.page(w, Run{Origin: FromStep, Walk: l.Walk, Step: l.Step, Cycle: l.Cycle, Reason: reason})
	}
	l.Next = t.now.Add(step.wait())
	l.Why = fmt.Sprintf("no acknowledgement of step %d in %s", l.Step, span(step.wait()))
	if t.stopsWhenReached() {
		l.Next = time.Time{}
	}
}

// stopsWhenReached tells of notify_only (SPEC §5.13): this ladder ends with the first step that reaches somebody.
func (t *turn) stopsWhenReached() bool {
	return !t.p.High && t.p.Policy.LowUrgency == LowNotifyOnly
}

// leave makes the ladder move on at once from a step that reached nobody.
func (t *turn) leave(why string) {
	l := &t.p.Ladder
	t.emit(Happened{Kind: KindSkipped, Policy: t.p.Policy.Name, Step: l.Step, Cycle: l.Cycle, Reason: why})
	l.Next = t.now
	l.Why = fmt.Sprintf("step %d reached nobody: %s", l.Step, why)
}

// leaveIfLost leaves the current step when the last hope of its pages is gone.
func (t *turn) leaveIfLost(why string) {
	l := t.p.Ladder
	if l.Ended || l.Step == 0 || l.StepReached || isDue(l.Next, t.now) {
		return
	}
	for _, run := range t.p.Runs {
		if run.Walk == l.Walk && run.Step == l.Step && run.hopeful() {
			return
		}
	}
	t.leave("every page of it failed for good; " + why)
}

// walkReached tells whether a page of this walk came through, or may yet.
func (p Page) walkReached() bool {
	l := p.Ladder
	return l.WalkReached || slices.ContainsFunc(p.Runs, func(run Run) bool {
		return run.Walk == l.Walk && slices.ContainsFunc(run.Messages, Message.inFlight)
	})
}

// end is the end of the ladder: from here on only catch_all is paged (SPEC §5.3).
func (t *turn) end(reached bool) {
	l, policy := &t.p.Ladder, t.p.Policy
	why := fmt.Sprintf("walk %d of %s reached nobody", l.Cycle, policy.called())
	if reached {
		why = fmt.Sprintf("no acknowledgement in %s of %s", count(l.Cycle, "walk"), policy.called())
	}
	t.emit(Happened{Kind: KindExhausted, Policy: policy.Name, Reason: why})
	l.Ended, l.Next, l.Why = true, t.now, why
	l.Need, l.Asked = 0, nil
}

// catchAll pages the target of last resort, and comes back until somebody acknowledges.
func (t *turn) catchAll() {
	l := &t.p.Ladder
	reason := l.Why
	look := lookup{at: t.now, high: t.p.High, r: t.r}
	found := look.target(t.p.Paging.CatchAll)
	if len(found.who) == 0 {
		reason += "; " + found.misses()
	}
	t.emit(Happened{Kind: KindCatchAll, Policy: t.p.Policy.Name, Reason: reason})
	for _, w := range found.who {
		t.page(w, Run{Origin: FromCatchAll, Reason: reason})
	}
	every := t.p.Paging.every()
	l.Next = t.now.Add(every)
	l.Why = "no acknowledgement in " + span(every) + " since catch_all was paged"
}

// A lookup asks a roster whom to page at one instant.
type lookup struct {
	at   time.Time
	high bool
	r    Roster
}

// A person is whom to page, and why them; a receiver is a person with no user and no rules.
type person struct {
	user     string
	receiver string
	target   Target
	onCall   string
	rules    []Rule
}

// found is the result of a lookup: each person once, in the order of the targets.
type found struct {
	who   []person
	lost  []string // why the others are missing
	turns int      // how far the round-robin pointer moves; 0: it does not
}

// step looks up the targets of a step, counted from 1.
func (k lookup) step(p Policy, number int) found {
	step := p.Steps[number-1]
	n := len(step.Notify)
	if step.Assign != AssignRoundRobin || n == 0 {
		return k.target(step.Notify...)
	}
	var all found
	turn := k.r.Turn(p.Name, number) % n
	for i := range n {
		one := k.target(step.Notify[(turn+i+n)%n])
		if len(one.who) > 0 {
			one.turns = i + 1
			return one
		}
		all.lost = append(all.lost, one.lost...)
	}
	return all
}

func (k lookup) target(targets ...Target) found {
	var f found
	for _, target := range targets {
		switch {
		case target.User != "":
			if !f.add(k, person{user: target.User, target: target}) {
				f.miss("%s has no contact method", target.User)
			}
		case target.Schedule != "":
			users, why := k.r.OnCall(target.Schedule, k.at)
			if len(users) == 0 {
				f.miss("nobody on call in %s", target.Schedule)
			}
			for _, user := range users {
				if !f.add(k, person{user: user, target: target, onCall: why}) {
					f.miss("%s is on call in %s and has no contact method", user, target.Schedule)
				}
			}
		case target.Receiver != "":
			f.add(k, person{receiver: target.Receiver, target: target})
		}
	}
	return f
}

// add tells whether w can be paged; w is paged once whatever names them (SPEC §5.4).
func (f *found) add(k lookup, w person) bool {
	if w.receiver == "" {
		w.rules = k.r.Rules(w.user, k.high)
		if w.user == "" || !slices.ContainsFunc(w.rules, func(r Rule) bool { return len(r.Via) > 0 }) {
			return false
		}
	}
	if !slices.ContainsFunc(f.who, func(o person) bool { return o.user == w.user && o.receiver == w.receiver }) {
		f.who = append(f.who, w)
	}
	return true
}

func (f *found) miss(format string, args ...any) {
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}

func (f found) misses() string {
	if len(f.lost) == 0 {
		return "it names nobody"
	}
	return strings.Join(f.lost, ", ")
}

func (f found) names() []string {
	var names []string
	for _, w := range f.who {
		names = append(names, w.user+w.receiver)
	}
	return names
}
