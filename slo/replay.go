package slo

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// MaxIntervals is how many intervals one replay takes: ten years of an alert that comes and goes twice an hour.
const MaxIntervals = 200_000

// The years that a replay may be about: well within what an instant of ours can be.
const firstYear, lastYear = 1900, 2100

// An Interval is a firing interval to replay. Learned is when it became known, or its end; zero is Start. Of several
// with one Start, the one that was learned last says where it ends (SPEC §9).
type Interval struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Learned time.Time `json:"learned,omitzero"`
}

// A Result is what `midwatch slo replay` prints (SPEC §9). Numbers and active times are of what is known in the end;
// incidents are as they were at the time, with what was known then.
type Result struct {
	SLO        string    `json:"slo"`
	At         []Point   `json:"at"`
	Thresholds []Actives `json:"thresholds"`
	Incidents  []Outcome `json:"incidents"` // in order of opening
}

// A Point is the budget at an instant. Burn is by window.
type Point struct {
	T          time.Time          `json:"t"`
	BadSeconds float64            `json:"bad_seconds"` // in the objective's window
	Consumed   float64            `json:"consumed"`
	Burn       map[string]float64 `json:"burn"`
}

// Actives are the times in which a threshold is active.
type Actives struct {
	Name   string `json:"name"`
	Active []Time `json:"active"`
}

// A Time is [From, To).
type Time struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// An Outcome is one incident. That of a budget threshold names it.
type Outcome struct {
	Opened    time.Time   `json:"opened"`
	Resolved  time.Time   `json:"resolved"`
	Threshold string      `json:"threshold,omitempty"`
	Changes   []Change    `json:"changes"`
	Reopened  []time.Time `json:"reopened,omitempty"`
}

// A Change is a severity and since when the incident had it.
type Change struct {
	At       time.Time `json:"at"`
	Severity string    `json:"severity"`
}

// Replay lives through intervals, which may come in any order, until nothing is active any more. The error says which
// interval cannot be replayed.
func Replay(o *Objective, intervals []Interval, at []time.Time) (Result, error) {
	r := Result{SLO: o.Name(), At: []Point{}, Thresholds: []Actives{}, Incidents: []Outcome{}}
	if o.levels() || o.ratio() {
		return r, fmt.Errorf("slo %q counts no firing time, so firing intervals do not say how it fares; replay one with sli: {alerts: [...]}", o.Name())
	}
	if len(intervals) > MaxIntervals {
		return r, fmt.Errorf("%d intervals are more than %d; replay a part of them", len(intervals), MaxIntervals)
	}
	intervals = slices.Clone(intervals)
	for i := range intervals {
		x := &intervals[i]
		if x.Start.IsZero() || x.End.IsZero() {
			return r, fmt.Errorf("interval %d has no %s", i+1, map[bool]string{true: "start", false: "end"}[x.Start.IsZero()])
		}
		if x.Learned.IsZero() {
			x.Learned = x.Start
		}
		for _, t := range []time.Time{x.Start, x.End, x.Learned} {
			if year := t.UTC().Year(); year < firstYear || year > lastYear {
				return r, fmt.Errorf("interval %d: %s is not between the years %d and %d", i+1, t.Format(time.RFC3339), firstYear, lastYear)
			}
		}
	}
	slices.SortStableFunc(intervals, func(a, b Interval) int { return a.Learned.Compare(b.Learned) })
	known := inTheEnd(o, intervals)
	if known.n > 0 {
		r.look(o, known, known.at(0).lo, at)
	} else {
		r.look(o, known, 0, at)
	}
	learned := make([]lesson, len(intervals))
	for i, x := range intervals {
		learned[i] = lesson{x.Learned, x.input()}
	}
	var err error
	r.Incidents, err = live(o, learned)
	return r, err
}

// look says how the budget stands at some instants, and when thresholds are active, from an instant on before which nothing
// is bad.
func (r *Result) look(o *Objective, known signal, from int64, at []time.Time) {
	for _, t := range at {
		r.At = append(r.At, point(o, known, t))
	}
	for _, t := range o.used {
		up, down := o.edges(t.Name)
		r.Thresholds = append(r.Thresholds, Actives{t.Name, actives(known, up, down, from)})
	}
}

// inTheEnd is the bad time as it is known when all is learned, with nothing forgotten.
func inTheEnd(o *Objective, intervals []Interval) curve {
	t := turn{o: o}
	last := map[int64]*span{}
	for _, x := range intervals {
		m := t.message(x.input())
		s, heard := last[m.start]
		if !heard {
			s = &span{start: m.start, from: m.from, end: m.end, cap: never, heard: m.received, sure: true}
			last[m.start] = s
		}
		if s.newer(m) {
			s.end, s.heard = m.end, m.received
		}
		s.from = min(s.from, m.from)
	}
	var all []span
	for _, s := range last {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b span) int { return a.order(&b) })
	return newSpans(all).curve(nil)
}

// edges are the conditions that make a threshold active, and that keep it so.
func (o *Objective) edges(name string) (up, down condition) {
	for _, b := range o.burns {
		if b.Name == name {
			up, down = b.when, b.when
		}
	}
	for _, s := range o.shares {
		if s.Name == name {
			up, down = s.reached, s.held
		}
	}
	return up, down
}

func (x Interval) input() Input {
	return Resolved{StartsAt: x.Start, EndsAt: x.End, Received: x.Learned}
}

func point(o *Objective, known signal, t time.Time) Point {
	at := nanos(t)
	p := Point{T: t.UTC(), Burn: map[string]float64{}}
	bad := known.bad(at, o.window)
	p.BadSeconds = float(new(big.Rat).Quo(bad, big.NewRat(int64(time.Second), 1)))
	p.Consumed = float(new(big.Rat).Quo(bad, o.allowed(o.spec.Window)))
	for _, w := range o.Windows() {
		bad := known.bad(at, int64(w))
		p.Burn[Short(w)] = float(bad.Quo(bad, o.allowed(w)))
	}
	return p
}

// actives are the times from where up begins to hold until down no longer does.
func actives(known signal, up, down condition, at int64) []Time {
	times := []Time{}
	for {
		from := known.change(up, at, never)
		if from == never {
			return times
		}
		if at = known.change(down, from, never); at == never {
			return times // only what never ends does not; what is replayed does
		}
		times = append(times, Time{instant(from), instant(at)})
	}
}

// A lesson is what is heard, and when.
type lesson struct {
	at time.Time
	Input
}

// live drives a Budget through what it hears, in order, and keeps what became of its incidents.
func live(o *Objective, lessons []lesson) ([]Outcome, error) {
	all := []Outcome{}
	var b Budget
	latest := map[string]int{} // the newest outcome of each budget threshold; of the burn rates under ""
	for len(lessons) > 0 || !b.Due().IsZero() {
		var in Input = Tick{}
		now := b.Due()
		if len(lessons) > 0 && (now.IsZero() || !lessons[0].at.After(now)) {
			now = lessons[0].at
			var together All
			for len(lessons) > 0 && lessons[0].at.Equal(now) {
				together = append(together, lessons[0].Input)
				lessons = lessons[1:]
			}
			in = together
		}
		var effects []Effect
		b, effects = b.Step(in, now, o)
		for _, e := range effects {
			if r, refused := e.(Refused); refused {
				return all, fmt.Errorf("at %s: %s", r.At.Format(time.RFC3339Nano), r.Reason)
			}
			all = outcome(all, latest, e)
		}
	}
	return all, nil
}

// outcome keeps an effect.
func outcome(all []Outcome, latest map[string]int, e Effect) []Outcome {
	open := func(threshold, severity string, at time.Time) {
		latest[threshold] = len(all)
		all = append(all, Outcome{Opened: at, Threshold: threshold, Changes: []Change{{at, severity}}})
	}
	change := func(severity string, at time.Time) {
		x := &all[latest[""]]
		if x.Changes[len(x.Changes)-1].Severity != severity {
			x.Changes = append(x.Changes, Change{at, severity})
		}
	}
	switch e := e.(type) {
	case Opened:
		open("", e.Severity, e.At)
	case Raised:
		change(e.Severity, e.At)
	case Lowered:
		change(e.To, e.At)
	case Reopened:
		x := &all[latest[""]]
		x.Reopened, x.Resolved = append(x.Reopened, e.At), time.Time{}
		change(e.Severity, e.At)
	case Cleared:
		all[latest[""]].Resolved = e.At
	case Crossed:
		open(e.Threshold, e.Severity, e.At)
	case Rearmed:
		all[latest[e.Threshold]].Resolved = e.At
	}
	return all
}
