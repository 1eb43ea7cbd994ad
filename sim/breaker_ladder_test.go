package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// This file is what an incident's paging must be, told a second time, by who only sees what leaves the engine: its history,
// what it sends, and what it was told. It is slow, knows nothing of the engine's own words, and goes by elapsed time alone.

// promptly is within what time something that is due must have been begun (SPEC §5.12).
const promptly = time.Second

// retryWithin is the longest wait between two attempts: a minute, half as much again by jitter.
const retryWithin = 91 * time.Second

// A window is when something is due. The two ends differ only where a crash hides which of two turns began it.
type window struct {
	set    bool
	lo, hi time.Duration
}

func exactly(t time.Duration) window { return window{true, t, t} }

func (w window) plus(d time.Duration) window {
	w.lo, w.hi = w.lo+d, w.hi+d
	return w
}

type fate int

const (
	waiting fate = iota
	inFlight
	delivered
	failed
	dropped
)

// A bmessage is one message of somebody's rules.
type bmessage struct {
	via    string
	after  time.Duration
	due    window
	fate   fate
	hidden bool // it was intended in the turn in which the engine died, and has not been seen yet
}

// A brun is one paging of one person or channel.
type brun struct {
	user, receiver string
	place          string // as in keys: "2.1", "catch_all", "responder"
	walk, step     int
	perhaps        bool // it is one of several of whom only one was paged
	messages       []*bmessage
}

func (r *brun) hopeful() bool {
	return slices.ContainsFunc(r.messages, func(m *bmessage) bool {
		return r.flying(m) || m.fate == delivered || m.fate == waiting && !r.perhaps && !r.failedBy(m.via)
	})
}

// flying tells whether the message is surely on the wire or queued.
func (r *brun) flying(m *bmessage) bool { return m.fate == inFlight && !(r.perhaps && m.hidden) }

func (r *brun) failedBy(via string) bool {
	return slices.ContainsFunc(r.messages, func(m *bmessage) bool { return m.fate == failed && m.via == via })
}

// A bladder is an incident and its ladder.
type bladder struct {
	c        *checker
	n        int
	identity incident.Identity
	policy   escalation.Policy
	severity string
	status   incident.Status
	high     bool
	auto     bool

	step, cycle, walk int
	next              window // when the ladder moves on; not set: it does not
	ended             bool
	acks, asked       []string
	need              int
	reached           bool // the latest step surely reached somebody
	walkHit           bool // a step of this walk surely did
	snoozed           window
	expires           window // the acknowledgement
	hoursSince        time.Duration
	held, paused      bool            // held back by silences, as far as can be told; and surely
	hazy              bool            // it cannot be told
	guessing          bool            // what is laid out was not seen to leave
	silent            bool            // the history says that paging is paused
	fired, ever       []router.Labels // the alerts that fire, or that fired last; and all
	firedAt           time.Duration   // when any did
	free              time.Duration   // since when nothing but time holds it back
	resolvedAt        time.Duration
	resolvedBy        string
	runs              []*brun
	keys              map[string]*bkey
}

// A bkey is one delivery, by its idempotency key.
type bkey struct {
	run     *brun
	message *bmessage
	parent  string // what a channel's integrations have in common
	first   time.Duration
	outcome engine.Outcome // the latest that the sender gave
	riding  bool           // an attempt is under way
	given   bool           // it gave one since the last attempt
	again   int            // attempts that are allowed beside the first
	final   bool           // the history has its outcome
	ok      bool           // and it came through
	retryBy time.Duration  // when it must have been tried again; 0: it need not
}

func (l *bladder) open() bool { return l.status == incident.Triggered || l.status == incident.Acked }

func (l *bladder) name() string { return incident.ID(l.n) }

func (l *bladder) fail(rule, format string, args ...any) {
	l.c.fail(rule, "%s: %s; it is %s, at step %d of walk %d, next %s, acknowledged by %v, paused %v; %s", l.name(), fmt.Sprintf(format, args...),
		l.status, l.step, l.cycle, l.next, l.acks, l.paused, l.c.says(l.n))
}

func (w window) String() string {
	switch {
	case !w.set:
		return "never"
	case w.lo == w.hi:
		return "at " + FormatElapsed(w.lo)
	}
	return "between " + FormatElapsed(w.lo) + " and " + FormatElapsed(w.hi)
}

// rate decides urgency as SPEC §5.13 says.
func (l *bladder) rate() {
	switch l.policy.Urgency {
	case escalation.UrgencyHigh:
		l.high = true
	case escalation.UrgencyLow:
	case escalation.UrgencySupportHours:
		l.high = l.high || l.c.hoursOpen(l.policy)
	default:
		l.high = l.high || l.severity == "sev1" || l.severity == "sev2"
	}
}

// rewind puts the ladder before step 1, due at t.
func (l *bladder) rewind(t time.Duration) {
	l.step, l.cycle, l.ended, l.reached, l.walkHit = 0, 1, false, false, false
	l.walk++
	l.next, l.asked, l.need = exactly(t), nil, 0
}

// restart is rewind of what is triggered again.
func (l *bladder) restart(t time.Duration) {
	l.acks = nil
	l.triggerAgain(t)
	l.rewind(t)
}

func (l *bladder) triggerAgain(t time.Duration) {
	l.expires, l.snoozed = window{}, window{}
	l.status, l.free = incident.Triggered, max(l.free, t)
}

// stop ends runs; what of them is on the wire or queued must not be attempted any more.
func (l *bladder) stop(which func(*brun) bool) {
	l.runs = slices.DeleteFunc(l.runs, func(r *brun) bool {
		if !which(r) {
			return false
		}
		for _, m := range r.messages {
			if m.fate == waiting || m.fate == inFlight {
				m.fate = dropped
			}
		}
		return true
	})
}

func (l *bladder) stopAll() { l.stop(func(*brun) bool { return true }) }

// happened takes in a line of the history, written at t.
func (l *bladder) happened(e incident.Event, t time.Duration) {
	switch e.Kind {
	case incident.Opened:
		l.status, l.severity = incident.Triggered, e.Severity
		l.rate()
		l.restart(t)
	case incident.Reopened:
		if l.open() {
			l.fail("an incident reopens only when it is over", "it reopened")
		}
		if l.resolvedBy == "" && t-l.resolvedAt > l.c.w.cfg.ReopenWindow {
			l.fail("past the reopen window there is a new incident", "it reopened %s after it was resolved", t-l.resolvedAt)
		}
		l.runs, l.high, l.severity, l.held, l.paused = nil, false, e.Severity, false, false
		l.rate()
		l.restart(t)
	case incident.SeverityChanged:
		if !incident.Higher(e.Severity, l.severity) {
			l.fail("severity does not fall", "%s became %s", l.severity, e.Severity)
		}
		l.severity = e.Severity
		l.rate()
		l.restart(t)
	case incident.StepSkipped:
		l.skipped(e, t)
	case incident.PolicyExhausted:
		if l.step < len(l.policy.Steps) || l.policy.Repeat == escalation.Forever && l.surelyReached() || l.cycle <= l.policy.Repeat && l.surelyReached() {
			l.fail("a ladder is walked as its policy says", "it ended early")
		}
		l.inTime(t, "its end")
		l.ended, l.next, l.asked, l.need = true, exactly(t), nil, 0
	case incident.CatchAll:
		if !l.ended {
			l.fail("catch_all comes when the ladder has ended", "it was paged")
		}
		l.inTime(t, "catch_all")
		for _, s := range l.c.resolve(l.high, l.c.w.cfg.Paging.CatchAll) {
			l.page(s, "catch_all", 0, exactly(t))
		}
		l.next = exactly(t).plus(cmpOr(l.c.w.cfg.Paging.CatchAllEvery, 4*time.Hour))
	case incident.Acknowledged:
		l.acknowledged(e, t)
	case incident.AcknowledgementEnds:
		if !l.expires.set || t < l.expires.lo-5*time.Minute || t > l.expires.hi {
			l.fail("an acknowledgement is warned about 5 minutes before it expires", "it was warned about, and expires %s", l.expires)
		}
	case incident.AcknowledgementEnded:
		if !l.expires.set || t < l.expires.lo {
			l.fail("an acknowledgement expires at its time, and no sooner", "it expired, and was to %s", l.expires)
		}
		l.restart(t)
	case incident.Escalated:
		if l.ended {
			l.restart(t)
			return
		}
		l.triggerAgain(t)
		if l.step >= len(l.policy.Steps) {
			l.step = 0
			l.cycle++
			l.walk++
			l.reached, l.walkHit = false, false
		}
		l.next = exactly(t)
	case incident.Reassigned:
		if e.Policy != "" {
			l.policy = l.c.w.cfg.Policies[e.Policy]
		} else {
			l.policy.Name, l.policy.Repeat, l.policy.RepeatFrom, l.policy.LowUrgency = "", 0, 0, ""
			l.policy.Steps = []escalation.Step{{Notify: []escalation.Target{l.c.reassignedTo(e)}, EscalateAfter: 15 * time.Minute}}
		}
		l.stopAll()
		l.high = false
		l.rate()
		l.restart(t)
	case incident.Snoozed:
		l.stopAll()
		l.expires = window{}
		l.snoozed = exactly(t).plus(l.c.snoozedFor(e))
	case incident.ResolvedEvent:
		l.stopAll()
		l.status, l.next, l.expires, l.snoozed = incident.Resolved, window{}, window{}, window{}
		l.resolvedAt, l.resolvedBy = t, e.By
	case incident.Note:
		l.noted(e, t)
	case incident.Paged, incident.PageFailed, incident.Notification:
		l.outcome(e, t)
	}
}

func cmpOr(a, b time.Duration) time.Duration {
	if a > 0 {
		return a
	}
	return b
}

// inTime holds that the ladder moves when it is due.
func (l *bladder) inTime(t time.Duration, what string) {
	switch {
	case l.status != incident.Triggered:
		l.fail("a ladder moves only while nobody has it", "%s came", what)
	case l.snoozed.set && t >= l.snoozed.lo: // the snooze is over: from step 1
		l.restart(t)
	case l.snoozed.set:
		l.fail("nothing moves during a snooze", "%s came, and it is snoozed %s", what, l.snoozed)
	}
	if !l.next.set || t < l.next.lo {
		l.fail("nothing is done before it is due", "%s came, due %s", what, l.next)
	}
	if l.paused {
		l.fail("a silence holds from its 200 on", "%s came", what)
	}
}

// wake restarts a ladder whose snooze is over.
func (l *bladder) wake(t time.Duration) {
	if l.snoozed.set && t >= l.snoozed.lo && l.open() && !l.paused {
		was := l.snoozed
		l.restart(t)
		l.next = window{true, was.lo, t}
	}
}

// following is which step comes next; more is false where the ladder ends.
func (l *bladder) following() (step, cycle int, more bool) {
	switch {
	case l.step < len(l.policy.Steps):
		return l.step + 1, l.cycle, true
	case !l.walkReached() || l.policy.Repeat != escalation.Forever && l.cycle > l.policy.Repeat:
		return 0, 0, false
	}
	return max(1, l.policy.RepeatFrom), l.cycle + 1, true
}

// walkReached tells whether this walk reached somebody, or may yet.
func (l *bladder) walkReached() bool {
	return l.reachedBy(func(_ *brun, m *bmessage) bool { return m.fate == inFlight })
}

// surelyReached is walkReached without what perhaps never was.
func (l *bladder) surelyReached() bool { return l.reachedBy((*brun).flying) }

func (l *bladder) reachedBy(yet func(*brun, *bmessage) bool) bool {
	return l.walkHit || slices.ContainsFunc(l.runs, func(r *brun) bool {
		return r.walk == l.walk && r.step > 0 && slices.ContainsFunc(r.messages, func(m *bmessage) bool { return yet(r, m) })
	})
}

func (l *bladder) moveTo(step, cycle int) {
	if cycle != l.cycle {
		l.walk++
		l.walkHit = false
	}
	l.step, l.cycle, l.reached, l.asked = step, cycle, false, nil
	l.need = l.policy.Steps[step-1].RequireAcks
}

// skipped is a step that reached nobody: because there is nobody, or because every page of it failed.
func (l *bladder) skipped(e incident.Event, t time.Duration) {
	if e.Step == l.step && e.Cycle == l.cycle && strings.Contains(e.Reason, "failed") {
		if l.stepHopeful() {
			l.fail("a step is left only if it reached nobody", "step %d was left: %s", e.Step, e.Reason)
		}
		l.next = exactly(t)
		return
	}
	l.wake(t)
	l.inTime(t, fmt.Sprintf("step %d", e.Step))
	step, cycle, more := l.following()
	if !more || e.Step != step || e.Cycle != cycle {
		l.fail("a ladder is walked as its policy says", "step %d of walk %d was skipped, and %d of %d comes", e.Step, e.Cycle, step, cycle)
	}
	if who := l.c.targetsOf(l, step); len(who) > 0 {
		l.fail("a step pages whoever is on call", "step %d was skipped: %s; and there is %v", step, e.Reason, who)
	}
	l.moveTo(step, cycle)
	l.next = exactly(t)
}

func (l *bladder) stepHopeful() bool {
	return l.reached || slices.ContainsFunc(l.runs, func(r *brun) bool { return r.walk == l.walk && r.step == l.step && r.hopeful() })
}

func (l *bladder) missing() bool {
	if l.need == escalation.AllAcks {
		for _, u := range l.asked {
			if !slices.Contains(l.acks, u) {
				return true
			}
		}
	}
	return len(l.acks) < max(1, l.need)
}

func (l *bladder) acknowledged(e incident.Event, t time.Duration) {
	l.c.explain(l, engine.Acknowledge, e.By)
	if !slices.Contains(l.acks, e.By) {
		l.acks = append(l.acks, e.By)
	}
	l.reached, l.walkHit = true, true
	own := func(r *brun) bool { return r.user == e.By }
	switch {
	case l.status == incident.Acked:
		l.stop(own)
		l.watch(t)
	case l.missing():
		l.stop(own)
	default:
		l.status, l.snoozed = incident.Acked, window{}
		l.stopAll()
		l.watch(t)
	}
}

// watch starts the clock of an acknowledgement.
func (l *bladder) watch(t time.Duration) {
	l.expires = window{}
	if d := l.policy.AckTimeout[l.severity]; l.status == incident.Acked && !l.snoozed.set && d > 0 {
		l.expires = exactly(t).plus(d)
	}
}

// noted is a note: of a person, or of something that has no kind of its own.
func (l *bladder) noted(e incident.Event, t time.Duration) {
	switch {
	case strings.HasPrefix(e.Reason, "paging is paused"), strings.HasPrefix(e.Reason, "paging goes on"):
		l.silent = strings.HasPrefix(e.Reason, "paging is paused")
	case strings.HasPrefix(e.Reason, "acknowledgement taken back"):
		l.c.explain(l, engine.Unacknowledge, e.By)
		l.acks = slices.DeleteFunc(l.acks, func(u string) bool { return u == e.By })
		if l.status == incident.Acked && l.missing() {
			l.status, l.expires, l.free = incident.Triggered, window{}, max(l.free, t)
		}
	case strings.Contains(e.Reason, "was added as a responder"):
		for _, s := range l.c.resolve(l.high, escalation.Target{User: e.User}) {
			step, walk := 0, 0
			for _, r := range l.runs {
				if r.user == e.User && r.walk == l.walk && r.step == l.step && r.step > 0 {
					step, walk = r.step, r.walk
				}
			}
			l.page(s, "responder", step, exactly(t))
			if step > 0 {
				l.runs[len(l.runs)-1].walk = walk
			}
		}
		l.watch(t)
	case strings.HasSuffix(e.Reason, "stopped their own paging"):
		mine := func(r *brun) bool { return r.place == "responder" && r.user == e.By }
		for _, r := range l.runs {
			if mine(r) {
				l.hit(r)
			}
		}
		l.stop(mine)
		l.watch(t)
	case strings.HasPrefix(e.Reason, "support hours began"):
		if step, cycle, more := l.following(); l.status == incident.Triggered && more && !l.ended && l.next.set && l.next.lo <= t && !l.snoozed.set {
			l.unseen(step, cycle, t, false) // after a sleep a step of the old ladder may have been overdue, too
		}
		was := l.high
		l.rate()
		if !l.high || was {
			l.fail("support hours begin when they do", "they began")
		}
		if l.status == incident.Triggered {
			l.acks = nil
		}
		l.rewind(t)
	case e.Text != "" && e.By != "":
		l.watch(t)
	}
}

// hit remembers that somebody was reached.
func (l *bladder) hit(r *brun) {
	if r.step == 0 || r.walk != l.walk {
		return
	}
	l.walkHit = true
	l.reached = l.reached || r.step == l.step
}

// hide takes what was due when the engine died for intended then, though it was not let out.
func (l *bladder) hide(died time.Duration) {
	if l.paused {
		return
	}
	for _, r := range l.runs {
		for _, m := range r.messages {
			if m.fate == waiting && m.due.set && m.due.lo <= died {
				m.fate, m.hidden = inFlight, true
			}
		}
	}
}

// awoke finds out, after a start and before the first turn, whether the ladder moved in the turn in which the engine died:
// the API says when it goes on.
func (l *bladder) awoke(died time.Duration) {
	at, ok := l.c.nextAt(l.n)
	// One that ends with its first step goes on at no time once that has begun. Any other is paused, or somebody has it.
	only := !l.high && l.policy.LowUrgency == escalation.LowNotifyOnly && !l.silent && !l.c.hasIt(l.n)
	if !l.open() || !ok && !only {
		return
	}
	l.hide(died)
	if ok && at <= died {
		return
	}
	l.wake(died)
	step, cycle, more := l.following()
	if l.status != incident.Triggered || l.ended || !more || l.snoozed.set || !l.next.set || l.next.lo > died {
		return
	}
	l.unseen(step, cycle, died, true)
}

// unseen lets a step begin that began in the turn in which the engine died, and of which nothing was let out.
func (l *bladder) unseen(step, cycle int, then time.Duration, surely bool) {
	l.c.ago = l.c.w.elapsed - then
	defer func() { l.c.ago = 0 }()
	who := l.c.targetsOf(l, step) // of one that pages in turn, all: whose turn was taken first cannot be seen
	inTurn := l.policy.Steps[step-1].Assign == escalation.AssignRoundRobin
	if inTurn {
		l.c.modulo[fmt.Sprintf("%s/%d", l.policy.Name, step)] = 1
	}
	l.guessing = true
	l.begun(step, cycle, who, exactly(then))
	l.guessing = false
	for _, r := range l.runs {
		if r.place != fmt.Sprintf("%d.%d", step, cycle) || r.walk != l.walk {
			continue
		}
		r.perhaps = inTurn
		for _, m := range r.messages {
			if m.fate != waiting {
				continue
			}
			if m.due.hi <= then {
				m.fate, m.hidden = inFlight, true
			}
			if inTurn || m.hidden && !surely {
				m.due.hi = forever
			}
		}
	}
}

// moved tells by the API whether the ladder went on by then: it says when it next does. One that ends with its first step
// goes on at no time once that has begun; any other that does not is paused, or somebody has it.
func (l *bladder) moved(by time.Duration) bool {
	if at, ok := l.c.nextAt(l.n); ok {
		return at > by
	}
	return !l.high && l.policy.LowUrgency == escalation.LowNotifyOnly && !l.silent && !l.c.hasIt(l.n)
}

// quietly lets a step begin that pages nobody at once: all whom it is for wait to be told.
func (l *bladder) quietly(t time.Duration) {
	if l.hazy && !l.moved(t) {
		return
	}
	l.wake(t)
	if l.status != incident.Triggered || l.paused || l.ended || !l.next.set || l.next.lo > t {
		return
	}
	step, cycle, more := l.following()
	if !more || l.snoozed.set {
		return
	}
	who := l.c.targetsOf(l, step)
	if l.policy.Steps[step-1].Assign == escalation.AssignRoundRobin {
		who, _ = l.c.whoseTurn(l, step, 0)
	}
	if len(who) > 0 && !slices.ContainsFunc(who, func(s seat) bool { return s.receiver != "" || s.soonest() == 0 }) {
		l.begin(step, cycle, bpage{user: who[0].user}, t)
	}
}

// hears tells whether the page is one that this person or channel gets at once.
func (s seat) hears(p bpage) bool {
	return s.user == p.user && s.receiver == p.receiver && (s.receiver != "" || slices.ContainsFunc(s.rules, func(r escalation.Rule) bool {
		return r.After == 0 && slices.Contains(r.Via, p.via)
	}))
}

// soonest is how long after a page somebody first hears of it.
func (s seat) soonest() time.Duration {
	first := forever
	for _, r := range s.rules {
		if len(r.Via) > 0 {
			first = min(first, r.After)
		}
	}
	return first
}

// begin lets a step begin, of which a page was seen.
func (l *bladder) begin(step, cycle int, p bpage, t time.Duration) {
	l.inTime(t, fmt.Sprintf("step %d of walk %d", step, cycle))
	began := exactly(t)
	who := l.c.targetsOf(l, step)
	if l.policy.Steps[step-1].Assign == escalation.AssignRoundRobin {
		who = l.c.takeTurn(l, step, p)
	}
	l.begun(step, cycle, who, began)
}

// begun is a step that began, for those who are its targets.
func (l *bladder) begun(step, cycle int, who []seat, began window) {
	l.moveTo(step, cycle)
	place := fmt.Sprintf("%d.%d", step, cycle)
	for _, s := range who {
		if s.user != "" {
			l.asked = append(l.asked, s.user)
		}
		l.page(s, place, step, began)
	}
	l.next = began.plus(cmpOr(l.policy.Steps[step-1].EscalateAfter, 5*time.Minute))
	if !l.high && l.policy.LowUrgency == escalation.LowNotifyOnly {
		l.next = window{}
	}
}

// absent holds that nothing that is due by now is missing.
func (l *bladder) absent(now time.Duration) {
	if !l.open() || l.paused {
		return
	}
	base := max(l.free, l.c.w.up)
	late := func(w window) bool { return w.set && now > max(w.hi, base)+promptly }
	for _, r := range l.runs {
		for _, m := range r.messages {
			if (m.fate == waiting || m.hidden && m.fate == inFlight) && late(m.due) {
				l.fail("a page is attempted within 1 s of its due time", "%s%s.%s of %s was due %s; there are %s", r.user, r.receiver, m.via, r.place, m.due, l.tell())
			}
		}
	}
	switch {
	case late(l.expires):
		l.fail("an acknowledgement expires at its time", "it was to expire %s", l.expires)
	case late(l.snoozed):
		l.fail("a step is attempted within 1 s of its due time", "the snooze ended %s", l.snoozed)
	case l.status == incident.Triggered && !l.snoozed.set && late(l.next):
		l.fail("a step is attempted within 1 s of its due time", "the next was due %s", l.next)
	}
	for key, k := range l.keys {
		if k.retryBy > 0 && k.message.fate == inFlight && now > max(k.retryBy, base+retryWithin) { // a silence holds it back, too
			l.fail("a page is retried for as long as it matters", "%s was to be tried again by %s", key, FormatElapsed(k.retryBy))
		}
	}
	if l.policy.Urgency == escalation.UrgencySupportHours && !l.high && l.c.hoursOpen(l.policy) {
		if l.hoursSince < 0 {
			l.hoursSince = now
		} else if now > max(l.hoursSince, base)+promptly {
			l.fail("an incident becomes urgent when support hours begin", "they began at %s", FormatElapsed(l.hoursSince))
		}
	} else {
		l.hoursSince = -1
	}
}

// deadline is when absent next has something to find.
func (l *bladder) deadline(now time.Duration) time.Duration {
	next := forever
	if !l.open() || l.paused {
		return next
	}
	base := max(l.free, l.c.w.up)
	sooner := func(w window) {
		if at := max(w.hi, base) + promptly + 1; w.set && at > now {
			next = min(next, at)
		}
	}
	for _, r := range l.runs {
		for _, m := range r.messages {
			if m.fate == waiting {
				sooner(m.due)
			}
		}
	}
	sooner(l.expires)
	sooner(l.snoozed)
	if l.status == incident.Triggered {
		sooner(l.next)
		if l.next.set && l.next.lo > now {
			next = min(next, l.next.lo)
		}
	}
	return next
}

func (l *bladder) tell() string {
	var b strings.Builder
	for _, r := range l.runs {
		for _, m := range r.messages {
			fmt.Fprintf(&b, "[%s%s.%s of %s %s, %s] ", r.user, r.receiver, m.via, r.place, m.due, []string{"waiting", "in flight", "delivered", "failed", "dropped"}[m.fate])
		}
	}
	fmt.Fprint(&b, slices.Sorted(maps.Keys(l.keys)))
	return b.String()
}
