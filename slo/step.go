package slo

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// LateAfter is how long after it happened something is known late. Below it is the ordinary delay of a rule that is
// evaluated every minute, and not worth a line in a timeline.
const LateAfter = 2 * time.Minute

// lateMinutes is the same for counts, whose queries are tried again.
const lateMinutes = 5 * time.Minute

// Step is what b becomes when in is heard at now, and what must be done about it.
//
// First time passes, with what was known: classes become clear when they do, however late the wake-up. Then the input is
// taken in, and then the whole is judged at now. So an input wins over what falls due with it, and only what is active
// now is told: a breach that is over by the time it is known pages nobody.
//
// Step reads no clock, knows no error and leaves b as it was. A now before the last one is taken as that.
func (b Budget) Step(in Input, now time.Time, o *Objective) (Budget, []Effect) {
	at := nanos(now)
	switch in := in.(type) {
	case Tick:
		if b.Next.IsZero() || at < nanos(b.Next) {
			return b, nil
		}
	case Shifted:
		b = b.shift(in.By)
	}
	if !b.Seen.IsZero() {
		at = max(at, nanos(b.Seen))
	}
	if _, again := in.(Reloaded); again {
		b.sig = nil
	}
	b.sig = b.signal(o)
	t := turn{b: b, o: o, at: at}
	t.b.Breach.Classes = slices.Clone(b.Breach.Classes)
	t.b.Crossed = slices.Clone(b.Crossed)
	t.fit()
	t.pass()
	t.take(in)
	t.judge()
	t.forget()
	if len(t.b.Breach.Classes) == 0 {
		t.b.Breach.Classes = nil // as it is read back
	}
	t.b.Next = instant(t.next())
	t.b.Seen = instant(at)
	return t.b, t.effects
}

// A turn is one Step in the making.
type turn struct {
	b       Budget
	o       *Objective
	at      int64
	effects []Effect

	ear   *hearing         // nil: nothing was heard
	risen map[string]int64 // budget thresholds that were crossed since Seen and are not told yet
}

func (t *turn) emit(e Effect) { t.effects = append(t.effects, e) }

// fit drops what the objective has no longer. A class that is gone was clear; judge sees to the incident.
func (t *turn) fit() {
	t.b.Breach.Classes = slices.DeleteFunc(t.b.Breach.Classes, func(s string) bool {
		return !slices.ContainsFunc(t.o.classes, func(c class) bool { return c.rank == rank(s) })
	})
	t.b.Crossed = slices.DeleteFunc(t.b.Crossed, func(name string) bool {
		if slices.ContainsFunc(t.o.shares, func(s share) bool { return s.Name == name }) {
			return false
		}
		t.emit(Rearmed{instant(t.at), name, "the threshold is no longer there"})
		return true
	})
}

// take lets the input act.
func (t *turn) take(in Input) {
	old := t.b.sig
	inputs := All{in}
	if all, ok := in.(All); ok {
		inputs = all
	}
	changed, byHand := false, false
	for _, in := range inputs {
		switch in := in.(type) {
		case Fired, Resolved, Expired:
			if t.o.ratio() {
				continue // an objective that was of alerts before
			}
			if t.ear == nil {
				t.ear = t.b.Spans.hearing()
				t.ear.prune(t.at - t.o.keep)
			}
			t.hear(t.message(in))
		case Counted:
			changed = t.count(in) || changed
		case Correction:
			changed = t.correct(in) || changed
		case ResolvedByHand:
			byHand = true
		}
	}
	if t.ear != nil {
		t.b.Spans = t.ear.Spans
	}
	switch c, ok := old.(curve); {
	case changed || t.ear != nil && (!ok || len(t.b.Excluded) > 0):
		t.b.sig = nil
		t.b.sig = t.b.signal(t.o)
		t.annotate(old, t.at-t.o.keep)
	case t.ear != nil && t.ear.changed != never:
		t.b.sig = c.redrawn(t.b.Spans, t.ear.changed, t.at-t.o.keep)
		t.annotate(old, max(t.at-t.o.keep, t.ear.changed))
	}
	if byHand && t.b.Breach.Open {
		br := &t.b.Breach
		br.Open, br.Held, br.ResolvedAt = false, true, instant(t.at)
	}
}

// message is what an input says, with what it leaves out filled in.
func (t *turn) message(in Input) *message {
	var m message
	var starts, ends, received time.Time
	var sev string
	switch in := in.(type) {
	case Fired:
		m.alert, starts, ends, received, sev = in.Alert, in.StartsAt, in.EndsAt, in.Received, in.Severity
	case Resolved:
		m.alert, starts, ends, received, sev = in.Alert, in.StartsAt, in.EndsAt, in.Received, in.Severity
		m.sure, m.current = true, starts.IsZero()
	case Expired:
		m.alert, starts, ends, received, sev = in.Alert, in.StartsAt, in.At, in.Received, in.Severity
		m.sure, m.current = true, starts.IsZero()
	}
	m.received = t.at
	if !received.IsZero() {
		m.received = nanos(received)
	}
	m.start = m.received
	if !starts.IsZero() {
		m.start = nanos(starts)
	}
	m.from = min(max(m.start, m.received-t.o.clamp), m.received)
	switch {
	case !ends.IsZero():
		m.end = nanos(ends)
	case m.sure:
		m.end = m.received
	default:
		m.end = never
	}
	if t.o.levels() {
		// Without a severity of ours it is rather too high than too low, as in the table of severities (SPEC §6).
		if m.rank = int8(rank(sev)); m.rank == 0 {
			m.rank = int8(rank(unknownSeverity))
		}
	}
	return &m
}

// hear takes a message in, and makes room for it where there is none.
func (t *turn) hear(m *message) {
	if t.ear.hear(m) {
		return
	}
	if !t.o.levels() {
		if added := t.ear.settle(t.at); added > 0 {
			t.emit(Annotated{
				At: instant(t.at), From: instant(t.at - t.o.keep),
				Reason: fmt.Sprintf("more than %d firing intervals: the shortest gaps between them, %s in all, count as bad from now on", MaxSpans, time.Duration(added)),
			})
		}
	}
	if !t.ear.hear(m) {
		t.emit(Refused{instant(t.at), m.alert, fmt.Sprintf("%d firing intervals are remembered already; let this objective look at fewer alerts", MaxSpans)})
	}
}

// count takes a minute in. What is not of the window, or not over yet, is none of ours.
func (t *turn) count(in Counted) bool {
	at := floorDiv(nanos(in.Minute), minute) * minute
	if !t.o.ratio() || at+minute > t.at || at <= t.at-t.o.keep {
		return false
	}
	c := cell{bad: in.Bad, total: min(in.Total, MaxCount)}
	c.bad = min(c.bad, c.total) // rates of two queries may differ by a rounding
	t.b.Slices = t.b.Slices.prune(t.at - t.o.keep)
	next, changed := t.b.Slices.set(at, c)
	t.b.Slices = next
	return changed
}

// correct takes a correction in.
func (t *turn) correct(in Correction) bool {
	x := Exclusion{ID: in.ID, From: instant(nanos(in.From)), To: instant(nanos(in.To))}
	list := slices.Clone(t.b.Excluded)
	i := slices.IndexFunc(list, func(x Exclusion) bool { return x.ID == in.ID })
	if i >= 0 {
		list = slices.Delete(list, i, i+1)
	}
	switch {
	case !x.From.Before(x.To):
		if i < 0 {
			return false
		}
	case len(list) >= MaxExcluded:
		t.emit(Refused{instant(t.at), in.ID, fmt.Sprintf("%d corrections are remembered already; take one back", MaxExcluded)})
		return false
	default:
		i, _ := slices.BinarySearchFunc(list, x, func(a, b Exclusion) int {
			return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID))
		})
		list = slices.Insert(list, i, x)
	}
	if len(list) == 0 {
		list = nil
	}
	t.b.Excluded = list
	return true
}

// annotate says what became known late, where there is an incident that may have been about it. Before since nothing did.
func (t *turn) annotate(old signal, since int64) {
	if !t.b.Breach.Open && !t.b.Breach.Held && len(t.b.Crossed) == 0 {
		return
	}
	from := int64(never)
	late := int64(LateAfter)
	switch is := t.b.sig.(type) {
	case curve:
		if was, ok := old.(curve); ok {
			from = is.differs(was, since)
		}
	case *ratio:
		late = int64(lateMinutes)
		if was, ok := old.(*ratio); ok {
			from = is.differs(was.Slices, since)
		}
	}
	if from == never || from >= t.at-late {
		return
	}
	was, is := time.Duration(floor(old.bad(t.at, t.o.window))), time.Duration(floor(t.b.sig.bad(t.at, t.o.window)))
	t.emit(Annotated{
		At: instant(t.at), From: instant(from), Was: was, Is: is,
		Reason: fmt.Sprintf("what is known of the time since %s changed: %s of the last %s were bad, not %s",
			instant(from).Format(time.RFC3339), is, Short(t.o.spec.Window), was),
	})
}

// forget drops what nobody can ask for any more. A curve may still show it: it does no harm there.
func (t *turn) forget() {
	horizon := t.at - t.o.keep
	if t.ear == nil && t.b.Spans.stale(horizon) {
		h := t.b.Spans.hearing()
		h.prune(horizon)
		t.b.Spans = h.Spans
	}
	if s := t.b.Slices.prune(horizon); len(s.hours) != len(t.b.Slices.hours) {
		t.b.Slices, t.b.sig = s, nil
		t.b.sig = t.b.signal(t.o)
	}
	gone := func(x Exclusion) bool { return nanos(x.To) <= horizon }
	if slices.ContainsFunc(t.b.Excluded, gone) {
		t.b.Excluded = slices.DeleteFunc(slices.Clone(t.b.Excluded), gone)
		t.b.sig = nil // pieces begin where spans do again, which redrawn relies on
		t.b.sig = t.b.signal(t.o)
	}
}

// shift moves all that is remembered.
func (b Budget) shift(d time.Duration) Budget {
	move := func(at *time.Time) {
		if !at.IsZero() {
			*at = at.Add(d)
		}
	}
	b.Spans = b.Spans.shift(int64(d))
	b.Slices = b.Slices.shift(int64(d))
	b.Excluded = slices.Clone(b.Excluded)
	for i := range b.Excluded {
		move(&b.Excluded[i].From)
		move(&b.Excluded[i].To)
	}
	move(&b.Seen)
	move(&b.Next)
	move(&b.Breach.OpenedAt)
	move(&b.Breach.ResolvedAt)
	b.sig = nil
	return b
}
