package slo

import (
	"math/big"
	"slices"
	"time"
)

// MaxExcluded is how many corrections one Budget remembers: two a week, for a year, and as many again.
const MaxExcluded = 256

// A Budget is what is known of one objective for one set of its `by` values, and whom it told what. It is a value: Step
// returns the next one and leaves this one alone. The zero Budget has heard nothing.
//
// Its fields are the stored form; readers want the methods.
type Budget struct {
	Seen     time.Time   `json:"seen,omitzero"` // up to which it is judged; zero: never
	Next     time.Time   `json:"due,omitzero"`
	Spans    Spans       `json:"spans,omitzero"`
	Slices   Slices      `json:"slices,omitzero"`
	Excluded []Exclusion `json:"excluded,omitempty"` // in order of their start
	Breach   Breach      `json:"breach,omitzero"`
	Crossed  []string    `json:"crossed,omitempty"` // budget thresholds that are passed, in order of crossing

	sig signal // of the above; nil: not made yet
}

// A Breach is how the one incident stands that the burn rates of a Budget have (SPEC §7.4). The zero Breach never was.
type Breach struct {
	Open bool `json:"open,omitempty"`
	// Held says that a person resolved it while it was breached: nothing is opened until it was clear once, or worse.
	Held       bool      `json:"held,omitempty"`
	Severity   string    `json:"severity,omitempty"` // of the worst class; while held, what must be exceeded
	Classes    []string  `json:"classes,omitempty"`  // severities that are not clear, the worst first
	OpenedAt   time.Time `json:"opened_at,omitzero"` // the first time; zero: never
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
}

// An Exclusion is a stretch [From, To) whose bad time is not counted. The budget stays as large as it is.
type Exclusion struct {
	ID   string    `json:"id"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Due is when the Budget next wants Tick; zero is never. It may be in the past, which is now.
func (b Budget) Due() time.Time { return b.Next }

// Bad is how much of the window before t is bad, in nanoseconds, exact. It is what is known now: t may be somewhat before
// Seen, and after it, where it is what will be if nothing more is heard.
func (b Budget) Bad(o *Objective, t time.Time, window time.Duration) *big.Rat {
	return b.signal(o).bad(nanos(t), int64(window))
}

// Burn is the burn rate over the window before t, exact; nil where nothing is counted.
func (b Budget) Burn(o *Objective, t time.Time, window time.Duration) *big.Rat {
	if o.budget == nil || window <= 0 {
		return nil
	}
	bad := b.Bad(o, t, window)
	return bad.Quo(bad, o.allowed(window))
}

// Consumed is the share of the budget that is gone at t, exact; it may exceed 1. Nil where nothing is counted.
func (b Budget) Consumed(o *Objective, t time.Time) *big.Rat { return b.Burn(o, t, o.spec.Window) }

// Active names the thresholds that are active at t: those of a burn rate as computed for t, those of the budget as they
// were last judged. Where the alerts are burn-rate alerts it names severities.
func (b Budget) Active(o *Objective, t time.Time) []string {
	var names []string
	sig, at := b.signal(o), nanos(t)
	if o.levels() {
		for _, c := range o.classes {
			if sig.holds(c.any[0], at) {
				names = append(names, severity(c.rank))
			}
		}
		return names
	}
	for _, x := range o.burns {
		if sig.holds(x.when, at) {
			names = append(names, x.Name)
		}
	}
	for _, x := range o.shares {
		if slices.Contains(b.Crossed, x.Name) {
			names = append(names, x.Name)
		}
	}
	return names
}

// Known is up to when events are counted: where the newest minute with data ends. Zero: none is, or it counts no events.
func (b Budget) Known() time.Time {
	if at := b.Slices.end(); at != -reach {
		return instant(at)
	}
	return time.Time{}
}

// Idle tells whether nothing is remembered any more: then the zero Budget would go on just as well.
func (b Budget) Idle(o *Objective) bool {
	return b.Spans.IsZero() && b.Slices.IsZero() && len(b.Excluded) == 0 && len(b.Crossed) == 0 &&
		!b.Breach.Open && !b.Breach.Held && (b.Breach.ResolvedAt.IsZero() || b.Seen.Sub(b.Breach.ResolvedAt) > o.spec.ReopenWindow)
}

// signal is what the fields say, made ready to be asked. What is there already is used, unless the objective is of
// another kind now.
func (b Budget) signal(o *Objective) signal {
	fits := false
	switch b.sig.(type) {
	case curve:
		fits = !o.levels() && !o.ratio()
	case *levels:
		fits = o.levels()
	case *ratio:
		fits = o.ratio()
	}
	if fits {
		return b.sig
	}
	switch {
	case o.levels():
		return b.Spans.levels()
	case o.ratio():
		return newRatio(b.Slices, b.without())
	}
	return b.Spans.curve(b.without())
}

// without is what is excluded, in order and apart.
func (b Budget) without() []stretch {
	if len(b.Excluded) == 0 {
		return nil
	}
	var d drawing
	for _, x := range b.Excluded {
		d.add(nanos(x.From), nanos(x.To))
	}
	var ss []stretch
	for _, p := range d.done() {
		ss = append(ss, stretch{p.lo, p.hi})
	}
	return ss
}
