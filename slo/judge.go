package slo

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// unknownSeverity is that of a burn-rate alert which does not say: better to wake somebody (SPEC §6).
const unknownSeverity = "sev2"

// active tells whether a threshold of the class is active at an instant.
func (t *turn) active(c class, at int64) bool {
	return slices.ContainsFunc(c.any, func(x condition) bool { return t.b.sig.holds(x, at) })
}

// rise is when a class that is not active after an instant becomes so, and not after limit; else never.
func (t *turn) rise(c class, after, limit int64) int64 {
	at := int64(never)
	for _, x := range c.any {
		at = min(at, t.b.sig.change(x, after, min(limit, at)))
	}
	return at
}

// fall is when a class that is active at an instant is so no longer, and not after limit; else never.
func (t *turn) fall(c class, at, limit int64) int64 {
	for at != never && t.active(c, at) {
		// It is active for at least as long as the last of those that are active now.
		last := at
		for _, x := range c.any {
			if t.b.sig.holds(x, at) {
				last = max(last, t.b.sig.change(x, at, limit))
			}
		}
		at = last
	}
	return at
}

// clear tells whether the class was not active for as long as clear_for, and is not at that instant.
func (t *turn) clear(c class, at int64) bool {
	from := at - t.o.clearFor
	return !t.active(c, from) && t.rise(c, from, at) == never
}

// clears is the first instant after one, and not after limit, at which the class is clear; else never.
func (t *turn) clears(c class, after, limit int64) int64 {
	from := t.fall(c, after-t.o.clearFor, limit)
	for from != never {
		back := t.rise(c, from, from+t.o.clearFor)
		if back == never {
			at := max(from+t.o.clearFor, after+1)
			if at > limit {
				return never
			}
			return at
		}
		from = t.fall(c, back, limit)
	}
	return never
}

func (t *turn) breached(c class) bool { return slices.Contains(t.b.Breach.Classes, severity(c.rank)) }

// breach adds a class to those that are not clear.
func (t *turn) breach(c class) {
	cs := append(t.b.Breach.Classes, severity(c.rank))
	slices.SortFunc(cs, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	t.b.Breach.Classes = cs
}

// clearClass takes a class from them.
func (t *turn) clearClass(c class) {
	t.b.Breach.Classes = slices.DeleteFunc(t.b.Breach.Classes, func(s string) bool { return s == severity(c.rank) })
}

// worst is the highest severity that is not clear; empty: all is clear.
func (t *turn) worst() string {
	if len(t.b.Breach.Classes) == 0 {
		return ""
	}
	return t.b.Breach.Classes[0]
}

// pass lets time pass from Seen until just before now, with what was known. Only quiet things happen meanwhile.
func (t *turn) pass() {
	if t.b.Seen.IsZero() {
		return
	}
	seen := nanos(t.b.Seen)
	if seen >= t.at-1 {
		return
	}
	t.passClasses(seen)
	for _, s := range t.o.shares {
		t.passShare(s, seen)
	}
	slices.SortStableFunc(t.effects, func(a, b Effect) int { return when(a).Compare(when(b)) })
}

// when is when one of the effects of passing time took effect.
func when(e Effect) time.Time {
	switch e := e.(type) {
	case Lowered:
		return e.At
	case Cleared:
		return e.At
	case Rearmed:
		return e.At
	}
	panic(fmt.Sprintf("slo: %T while time passed", e))
}

func (t *turn) passClasses(seen int64) {
	type clearing struct {
		at int64
		c  class
	}
	var all []clearing
	type rising struct {
		at   int64
		rank int
	}
	var risen []rising // what is told below, at now, and holds the incident open before
	for _, c := range t.o.classes {
		if t.breached(c) {
			if at := t.clears(c, seen, t.at-1); at != never {
				all = append(all, clearing{at, c})
			}
		} else if t.active(c, t.at) {
			risen = append(risen, rising{t.since(c.any, seen), c.rank})
		}
	}
	slices.SortStableFunc(all, func(a, b clearing) int { return cmp.Compare(a.at, b.at) })
	for i, x := range all {
		t.clearClass(x.c)
		if i+1 < len(all) && all[i+1].at == x.at {
			continue // one instant, one verdict
		}
		held := slices.ContainsFunc(risen, func(r rising) bool { return r.at <= x.at })
		if t.worst() == "" && held {
			continue // judge finds the incident open and tells what is so now
		}
		t.ease(x.at)
	}
}

// passShare is the edge of a budget threshold while time passes.
func (t *turn) passShare(s share, seen int64) {
	for at := seen; ; {
		_, risen := t.risen[s.Name]
		crossed := slices.Contains(t.b.Crossed, s.Name)
		if !crossed && !risen {
			if at = t.b.sig.change(s.reached, at, t.at-1); at == never {
				return
			}
			if !t.b.sig.holds(s.reached, at) {
				continue // it was above a threshold that was another one then
			}
			if t.risen == nil {
				t.risen = map[string]int64{}
			}
			t.risen[s.Name] = at
			continue
		}
		if at = t.b.sig.change(s.held, at, t.at-1); at == never {
			return
		}
		delete(t.risen, s.Name)
		if crossed {
			t.rearm(s, at)
		}
	}
}

// ease says that classes became clear: the incident is over, or has a lower severity.
func (t *turn) ease(at int64) {
	br := &t.b.Breach
	worst := t.worst()
	switch {
	case worst == "" && br.Open:
		br.Open, br.ResolvedAt = false, instant(at)
		t.emit(Cleared{At: instant(at), Reason: t.clearWords("no threshold was active")})
	case worst == "" && br.Held:
		br.Held = false
		t.emit(Cleared{At: instant(at), ByHand: true, Reason: t.clearWords("no threshold was active")})
	case worst != "" && rank(worst) > rank(br.Severity):
		if br.Open {
			t.emit(Lowered{instant(at), br.Severity, worst, t.clearWords("no threshold of " + br.Severity + " was active")})
		}
		br.Severity = worst // also of what a person resolved: what is worse than what is left is news
	}
}

func (t *turn) clearWords(what string) string {
	if t.o.clearFor == 0 {
		return strings.Replace(what, " was ", " is ", 1)
	}
	return what + " for " + Short(time.Duration(t.o.clearFor))
}

// judge says what is so now.
func (t *turn) judge() {
	for _, c := range t.o.classes {
		switch in, active := t.breached(c), t.active(c, t.at); {
		case active && !in:
			t.breach(c)
		case in && !active && t.clear(c, t.at):
			t.clearClass(c)
		}
	}
	br := &t.b.Breach
	worst := t.worst()
	worse := worst != "" && (br.Severity == "" || rank(worst) < rank(br.Severity))
	switch {
	case worst == "" || !worse && (br.Open || br.Held):
		t.ease(t.at)
	case br.Open:
		from := br.Severity
		br.Severity = worst
		t.emit(Raised{instant(t.at), t.verdict(worst), from})
	case !br.ResolvedAt.IsZero() && t.at-nanos(br.ResolvedAt) <= t.o.reopen:
		br.Open, br.Held, br.Severity = true, false, worst
		t.emit(Reopened{instant(t.at), t.verdict(worst)})
	default:
		*br = Breach{Open: true, Severity: worst, Classes: br.Classes, OpenedAt: instant(t.at)}
		t.emit(Opened{instant(t.at), t.verdict(worst)})
	}
	for _, s := range t.o.shares {
		t.judgeShare(s)
	}
}

func (t *turn) judgeShare(s share) {
	since, risen := t.risen[s.Name]
	reached, held := t.b.sig.holds(s.reached, t.at), t.b.sig.holds(s.held, t.at)
	switch crossed := slices.Contains(t.b.Crossed, s.Name); {
	case crossed && !held:
		t.rearm(s, t.at)
	case !crossed && (reached || risen && held):
		if !risen {
			since = t.at
		}
		t.b.Crossed = append(t.b.Crossed, s.Name)
		consumed := t.consumed()
		t.emit(Crossed{instant(t.at), Verdict{
			Threshold: s.Name, Severity: s.Severity, Since: instant(since),
			Long: t.reading(t.o.spec.Window), Consumed: float(consumed),
			Reason: fmt.Sprintf("%s of the error budget is consumed: %s%%", s.BudgetConsumed, decimal(consumed.Mul(consumed, hundred))),
		}})
	}
}

func (t *turn) rearm(s share, at int64) {
	t.b.Crossed = slices.DeleteFunc(t.b.Crossed, func(name string) bool { return name == s.Name })
	t.emit(Rearmed{instant(at), s.Name, fmt.Sprintf("what is consumed of the error budget fell 5 points below %s", s.BudgetConsumed)})
}

// since is when the last of a time without any of the conditions ended, looking back no further than from.
func (t *turn) since(any []condition, from int64) int64 {
	c := class{any: any}
	at := from
	if !t.active(c, at) {
		at = t.rise(c, at, t.at)
	}
	for at != never {
		end := t.fall(c, at, t.at)
		if end == never {
			return at
		}
		at = t.rise(c, end, t.at)
	}
	return t.at
}

// verdict is why a severity is breached now.
func (t *turn) verdict(sev string) Verdict {
	v := Verdict{Severity: sev, Since: instant(t.at)}
	if t.o.levels() {
		v.Since = instant(t.since([]condition{{rank: rank(sev)}}, t.at-t.o.clearFor))
		v.Reason = "a burn-rate alert of " + sev + " fires"
		return v
	}
	consumed := t.consumed()
	v.Consumed = float(consumed)
	for _, b := range t.o.burns {
		if b.Severity != sev || !t.b.sig.holds(b.when, t.at) {
			continue
		}
		if v.Threshold != "" {
			v.Others = append(v.Others, b.Name)
			continue
		}
		v.Threshold, v.Long, v.Short = b.Name, t.reading(b.Long), t.reading(b.Short)
		v.Since = instant(t.since([]condition{b.when}, t.at-t.o.keep+int64(b.Long)))
		v.Reason = fmt.Sprintf("the error budget burns at %s times its rate or more: %s of the last %s and %s of the last %s were bad",
			b.BurnRate, v.Long.Bad, Short(b.Long), v.Short.Bad, Short(b.Short))
	}
	return v
}

func (t *turn) reading(w time.Duration) Reading {
	bad := t.b.sig.bad(t.at, int64(w))
	return Reading{Window: w, Bad: time.Duration(floor(bad)), Burn: float(new(big.Rat).Quo(bad, t.o.allowed(w)))}
}

func (t *turn) consumed() *big.Rat {
	bad := t.b.sig.bad(t.at, t.o.window)
	return bad.Quo(bad, t.o.allowed(t.o.spec.Window))
}

// next is when something will happen if nothing is heard.
func (t *turn) next() int64 {
	limit := t.b.sig.horizon(t.at)
	at := limit
	for _, c := range t.o.classes {
		if t.breached(c) {
			at = min(at, t.clears(c, t.at, at))
		} else {
			at = min(at, t.rise(c, t.at, at))
		}
	}
	for _, s := range t.o.shares {
		edge := s.reached
		if slices.Contains(t.b.Crossed, s.Name) {
			edge = s.held
		}
		at = min(at, t.b.sig.change(edge, t.at, at))
	}
	if at > reach {
		return never // nobody can be woken there
	}
	return at
}
