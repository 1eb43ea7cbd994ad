package slo

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func streams(short, many int) int {
	if long {
		return many
	}
	return short
}

// TestOrderOfDeliveryDoesNotMatter delivers the same messages in two orders, each in steps of its own, and then asks.
func TestOrderOfDeliveryDoesNotMatter(t *testing.T) {
	for seed := range streams(300, 20_000) {
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		s := invent(r)
		o, err := New(s.spec)
		if err != nil {
			continue
		}
		var all []Input
		for n := range s.length {
			for _, in := range s.arrives[n] {
				if _, person := in.(ResolvedByHand); !person {
					all = append(all, in)
				}
			}
		}
		// Of two corrections with one name the later one counts, as it must: a person changed it.
		corrected := map[string]bool{}
		all = slices.DeleteFunc(all, func(in Input) bool {
			c, ok := in.(Correction)
			twice := ok && corrected[c.ID]
			corrected[c.ID] = corrected[c.ID] || ok
			return twice
		})
		now := on(120) // before anything is forgotten
		all = slices.DeleteFunc(all, func(in Input) bool { return late(in, 120-int(s.spec.Window)) })
		var a, b Budget
		for _, i := range r.Perm(len(all)) {
			a, _ = a.Step(all[i], now, o)
		}
		for _, i := range r.Perm(len(all)) {
			b, _ = restart(t, b).Step(all[i], now, o)
		}
		if text(t, Budget{Spans: a.Spans, Excluded: a.Excluded}) != text(t, Budget{Spans: b.Spans, Excluded: b.Excluded}) {
			t.Fatalf("seed %d: in another order it is another set\n%s", seed, s)
		}
		for _, x := range []int{110, 120, 150, 300} {
			for _, w := range append(o.Windows(), s.spec.Window) {
				if a.Burn(o, on(x), w).Cmp(b.Burn(o, on(x), w)) != 0 {
					t.Fatalf("seed %d: in another order it burns otherwise\n%s", seed, s)
				}
			}
		}
	}
}

// late tells whether in would be forgotten by then, or is about a time after.
func late(in Input, horizon int) bool {
	var received time.Time
	switch in := in.(type) {
	case Fired:
		received = in.Received
	case Resolved:
		received = in.Received
	case Expired:
		received = in.Received
	default:
		return false
	}
	return received.Before(on(horizon+1)) || received.After(on(120))
}

// TestMoreBadTimeConsumesNoLess adds one more interval to a stream.
func TestMoreBadTimeConsumesNoLess(t *testing.T) {
	for seed := range streams(300, 20_000) {
		r := rand.New(rand.NewPCG(uint64(seed), 6))
		s := invent(r)
		o, err := New(s.spec)
		if err != nil {
			continue
		}
		var all All
		for n := range s.length {
			all = append(all, s.arrives[n]...)
		}
		from := r.IntN(s.length)
		more := append(slices.Clone(all), Resolved{Alert: "more", StartsAt: on(from), EndsAt: on(from + r.IntN(50)), Received: on(from + 50)})
		now := on(s.length + 60)
		a, _ := Budget{}.Step(all, now, o)
		b, _ := Budget{}.Step(more, now, o)
		for _, w := range append(o.Windows(), s.spec.Window) {
			less, more := a.Burn(o, now, w), b.Burn(o, now, w)
			if more.Cmp(less) < 0 {
				t.Fatalf("seed %d: with more bad time it burns at %s over %s, without at %s", seed, more, w, less)
			}
		}
	}
}

// TestPromises wakes Budgets when it pleases, mostly late, and holds what they say against what must always be so.
func TestPromises(t *testing.T) {
	for seed := range streams(300, 20_000) {
		r := rand.New(rand.NewPCG(uint64(seed), 8))
		s := invent(r)
		o, err := New(s.spec)
		if err != nil {
			continue
		}
		var b Budget
		open, held, sev := false, false, ""
		crossed := map[string]bool{}
		late := 1 + r.IntN(40)
		for now := range s.length {
			var in Input = Tick{}
			if len(s.arrives[now]) > 0 {
				in = All(s.arrives[now])
			} else if r.IntN(late) > 0 {
				continue
			}
			before := text(t, b)
			next, effects := b.Step(in, on(now), o)
			fatal := func(what string) {
				t.Helper()
				t.Fatalf("seed %d at %d: %s\n%s\nfrom %s\nto %s\n%+v", seed, now, what, s, before, text(t, next), effects)
			}
			if text(t, b) != before {
				fatal("Step changed the value that it was given")
			}
			byHand := open && slices.ContainsFunc(s.arrives[now], func(in Input) bool { return in == ResolvedByHand{} })
			if twice, again := next.Step(Tick{}, on(now), o); len(again) > 0 || text(t, twice) != text(t, next) {
				fatal("a second wake-up did something")
			}
			if due := next.Due(); !due.IsZero() && !due.After(on(now)) {
				fatal("due at once")
			}
			for i, e := range effects {
				page, verdict := false, Verdict{}
				switch e := e.(type) {
				case Opened:
					page, verdict = true, e.Verdict
					if open {
						fatal("opened twice")
					}
					open, held = true, false
				case Reopened:
					page, verdict = true, e.Verdict
					if open && !byHand {
						fatal("reopened though open")
					}
					open, held = true, false
				case Raised:
					page, verdict = true, e.Verdict
					if !open || rank(e.Severity) >= rank(e.From) || e.From != sev {
						fatal("raised to no higher severity")
					}
				case Lowered:
					if !open || rank(e.To) <= rank(e.From) || e.From != sev {
						fatal("lowered to no lower severity")
					}
					sev = e.To
				case Cleared:
					if !open && !held && !byHand {
						fatal("cleared, and was not open")
					}
					open, held = false, false
				case Crossed:
					if crossed[e.Threshold] {
						fatal("crossed twice")
					}
					crossed[e.Threshold] = true
				case Rearmed:
					if !crossed[e.Threshold] {
						fatal("re-armed, and was not crossed")
					}
					delete(crossed, e.Threshold)
				}
				if page {
					sev = verdict.Severity
					if !slices.Contains(next.Active(o, on(now)), verdict.Threshold) {
						fatal("a page for a breach that is over")
					}
					if verdict.Since.After(on(now)) || verdict.Reason == "" || i < len(effects) && verdict.Threshold == "" {
						fatal("a page without a reason")
					}
				}
			}
			if byHand && !next.Breach.Open {
				open, held = false, next.Breach.Held
			}
			if open != next.Breach.Open || held != next.Breach.Held {
				fatal("what was said is not what is so")
			}
			for _, name := range next.Active(o, on(now)) {
				for _, x := range o.burns {
					if x.Name == name && !slices.Contains(next.Breach.Classes, x.Severity) {
						fatal("active, and its class is clear")
					}
				}
			}
			b = next
		}
	}
}
