package slo

import (
	"fmt"
	"math/big"
	"slices"
	"time"
)

// An Objective is a checked Spec, made ready. It does not change, and any number of goroutines may read it.
type Objective struct {
	spec     Spec
	budget   *big.Rat    // 1−T; nil where the alerts are burn-rate alerts
	used     []Threshold // as in the spec, but for defaults that were left out
	burns    []burn
	shares   []share
	classes  []class // the worst first
	warnings Problems

	window, clearFor, reopen int64
	clamp                    int64 // how far before it was received an alert may have started
	keep                     int64 // how far back something may still be asked
}

// A burn is a burn-rate threshold made ready.
type burn struct {
	Threshold
	rate *big.Rat
	when condition
}

// A share is a budget threshold made ready. It is passed where reached holds, and until held no longer does.
type share struct {
	Threshold
	reached, held condition
}

// A class is all that has one severity (SPEC §7.4: "a class clears").
type class struct {
	rank int
	any  []condition // active while one of them holds
}

// rearm is how far consumption must fall below a budget threshold before it can be crossed again (SPEC §7.5).
var rearm = big.NewRat(5, 100)

// New checks a spec and makes it ready. The error is Problems.
func New(spec Spec) (*Objective, error) {
	var ps Problems
	o := &Objective{spec: spec, window: int64(spec.Window), clearFor: int64(spec.ClearFor), reopen: int64(spec.ReopenWindow)}
	ps.checkName("name", spec.Name)
	ps.checkBy(spec.By)
	switch spec.Source {
	case "", FromAlerts, FromRatio:
		o.count(&ps)
	case FromBurnRates:
		o.listen(&ps)
	default:
		ps.add("sli", "%q is no source; give alerts, burn_rate_alerts or prometheus", spec.Source)
	}
	if spec.ClearFor < 0 {
		ps.add("clear_for", "%s is negative", spec.ClearFor)
	}
	if spec.ReopenWindow < 0 {
		ps.add("reopen_window", "%s is negative", spec.ReopenWindow)
	}
	if spec.ClearFor > MaxWindow {
		ps.add("clear_for", "%s is longer than %s, which is the most", Short(spec.ClearFor), Short(MaxWindow))
	}
	if spec.ReopenWindow > MaxWindow {
		ps.add("reopen_window", "%s is longer than %s, which is the most", Short(spec.ReopenWindow), Short(MaxWindow))
	}
	if len(ps) > 0 {
		return nil, ps
	}
	o.keep, o.clamp = o.window+o.clearFor, o.window
	if o.levels() {
		o.keep, o.clamp = o.clearFor, int64(MaxWindow) // what is over is no longer asked for
	}
	return o, nil
}

// listen makes ready an objective whose alerts are burn-rate alerts: it has every severity that an alert may have.
func (o *Objective) listen(ps *Problems) {
	if len(o.spec.Thresholds) > 0 {
		ps.add("thresholds", "burn_rate_alerts are thresholds already; leave these out")
	}
	if o.spec.Window < 0 || o.spec.Window > MaxWindow {
		ps.add("window", "%s is not between 0 and %s", o.spec.Window, Short(MaxWindow))
	}
	for r := 1; r <= ranks; r++ {
		o.classes = append(o.classes, class{rank: r, any: []condition{{rank: r}}})
	}
}

// count makes ready an objective that counts bad time.
func (o *Objective) count(ps *Problems) {
	budget, err := parseObjective(o.spec.Objective)
	if err != nil {
		ps.add("objective", "%v", err)
	}
	most := time.Duration(MaxWindow)
	if o.ratio() {
		most = MaxRatioWindow
	}
	windowed := ps.checkDuration("window", o.spec.Window, most)
	if windowed {
		o.checkMinutes(ps, "window", o.spec.Window)
		if o.spec.ClearFor > o.spec.Window {
			ps.add("clear_for", "%s is longer than the window, %s", Short(o.spec.ClearFor), Short(o.spec.Window))
		}
	}
	if len(o.spec.Thresholds) > MaxThresholds {
		ps.add("thresholds", "%d are more than %d", len(o.spec.Thresholds), MaxThresholds)
		return
	}
	given, where := o.spec.Thresholds, ps
	if given == nil {
		// What nobody wrote is nobody's fault: a default that does not fit is left out.
		given, where = Defaults(), &o.warnings
	}
	o.budget = budget
	names := map[string]bool{}
	for i, t := range given {
		at := fmt.Sprintf("thresholds[%d]", i)
		where.checkName(at+".name", t.Name)
		if names[t.Name] && t.Name != "" {
			where.add(at+".name", "a second threshold named %q", t.Name)
		}
		names[t.Name] = true
		if rank(t.Severity) == 0 {
			where.add(at+".severity", "%q is no severity; write sev1 (the worst) to sev5", t.Severity)
		}
		if t.BudgetConsumed != "" {
			o.addShare(where, at, t)
		} else {
			o.addBurn(where, at, t, windowed)
		}
	}
	if o.spec.Thresholds == nil {
		for i := range o.warnings {
			o.warnings[i].Where = "thresholds"
			o.warnings[i].What += "; of the default thresholds, this one is left out"
		}
	}
	if len(o.used) == 0 {
		o.warnings.add("thresholds", "none is left: nobody will hear of this objective")
	}
	o.classify()
}

// addShare makes a budget threshold ready. A fault in it leaves it out.
func (o *Objective) addShare(ps *Problems, at string, t Threshold) {
	before := len(*ps)
	if t.BurnRate != "" || t.Long != 0 || t.Short != 0 {
		ps.add(at, "threshold %q is of a burn rate or of the budget, not of both", t.Name)
	}
	part, err := parsePercent(t.BudgetConsumed)
	switch {
	case err != nil:
		ps.add(at+".budget_consumed", "%v", err)
	case part.Sign() == 0:
		ps.add(at+".budget_consumed", "0%% is always consumed; write a percentage such as 50%%")
	case o.budget != nil && new(big.Rat).Mul(part, o.budget).Cmp(one) > 0:
		most := new(big.Rat).Inv(o.budget)
		ps.add(at+".budget_consumed", "threshold %q can never be reached: with an objective of %s, no more than %s%% of the budget can be consumed",
			t.Name, o.spec.Objective, decimal(most.Mul(most, hundred)))
	}
	if len(*ps) > before || o.budget == nil || o.window <= 0 {
		return
	}
	rest := new(big.Rat).Sub(part, rearm)
	if rest.Sign() < 0 {
		rest.SetInt64(0) // a threshold of less than five points is re-armed by a whole budget
	}
	o.used = append(o.used, t)
	o.shares = append(o.shares, share{
		Threshold: t,
		reached:   condition{needs: []need{o.need(part, o.spec.Window)}},
		held:      condition{needs: []need{o.moreThan(rest, o.spec.Window)}},
	})
}

// addBurn makes a burn-rate threshold ready. A fault in it leaves it out.
func (o *Objective) addBurn(ps *Problems, at string, t Threshold, windowed bool) {
	before := len(*ps)
	rate, err := parseDecimal(t.BurnRate)
	switch {
	case t.BurnRate == "":
		ps.add(at, "threshold %q says not what it is of; give burn_rate, long and short, or budget_consumed", t.Name)
		return
	case err != nil:
		ps.add(at+".burn_rate", "%v", err)
	case rate.Sign() == 0:
		ps.add(at+".burn_rate", "0 is always reached; write a rate such as 14.4")
	case o.budget != nil && new(big.Rat).Mul(rate, o.budget).Cmp(one) > 0:
		ps.add(at+".burn_rate", "threshold %q can never be reached: with an objective of %s, the highest burn rate there can be is %s",
			t.Name, o.spec.Objective, decimal(new(big.Rat).Inv(o.budget)))
	}
	long := ps.checkDuration(at+".long", t.Long, MaxWindow)
	short := ps.checkDuration(at+".short", t.Short, MaxWindow)
	if long && short && t.Long <= t.Short {
		ps.add(at+".long", "%s is not longer than short, %s", Short(t.Long), Short(t.Short))
	}
	if long {
		o.checkMinutes(ps, at+".long", t.Long)
	}
	if short {
		o.checkMinutes(ps, at+".short", t.Short)
	}
	if long && windowed && t.Long > o.spec.Window {
		ps.add(at+".long", "threshold %q looks over %s, longer than the objective's window, %s", t.Name, Short(t.Long), Short(o.spec.Window))
	}
	if len(*ps) > before || o.budget == nil {
		return
	}
	o.used = append(o.used, t)
	o.burns = append(o.burns, burn{Threshold: t, rate: rate, when: condition{needs: []need{o.need(rate, t.Short), o.need(rate, t.Long)}}})
}

func (o *Objective) checkMinutes(ps *Problems, where string, d time.Duration) {
	if o.ratio() && d%time.Minute != 0 {
		ps.add(where, "%s is not a number of whole minutes, in which counts come", Short(d))
	}
}

// need is the least bad time within w at which the budget burns at rate: rate·w·(1−T).
func (o *Objective) need(rate *big.Rat, w time.Duration) need {
	exact := new(big.Rat).SetInt64(int64(w))
	exact.Mul(exact, rate).Mul(exact, o.budget)
	return need{window: int64(w), bad: ceil(exact), exact: exact, about: float(exact)}
}

// moreThan is a need that holds where the budget burns faster than rate, not only as fast.
func (o *Objective) moreThan(rate *big.Rat, w time.Duration) need {
	n := o.need(rate, w)
	n.bad, n.above = floor(n.exact)+1, true
	return n
}

// classify sorts the burn-rate thresholds by severity. A class keeps their order, in which the first is named.
func (o *Objective) classify() {
	for r := 1; r <= ranks; r++ {
		c := class{rank: r}
		for _, b := range o.burns {
			if rank(b.Severity) == r {
				c.any = append(c.any, b.when)
			}
		}
		if len(c.any) > 0 {
			o.classes = append(o.classes, c)
		}
	}
}

func (o *Objective) ratio() bool  { return o.spec.Source == FromRatio }
func (o *Objective) levels() bool { return o.spec.Source == FromBurnRates }

// Spec is what the objective was made of.
func (o *Objective) Spec() Spec { return o.spec }

// Name is the objective's.
func (o *Objective) Name() string { return o.spec.Name }

// Warnings are doubts about a spec that is not wrong, and the defaults that were left out.
func (o *Objective) Warnings() []Problem { return slices.Clone(o.warnings) }

// Thresholds are those in use, in order. Where the alerts are burn-rate alerts there are none.
func (o *Objective) Thresholds() []Threshold { return slices.Clone(o.used) }

// Windows are the windows of the burn-rate thresholds, each once, the shortest first.
func (o *Objective) Windows() []time.Duration {
	var ws []time.Duration
	for _, b := range o.burns {
		ws = append(ws, b.Short, b.Long)
	}
	slices.Sort(ws)
	return slices.Compact(ws)
}

// Allowed is how much bad time the whole window may hold: the budget. Exact, in nanoseconds; nil where nothing is counted.
func (o *Objective) Allowed() *big.Rat {
	if o.budget == nil {
		return nil
	}
	return o.allowed(o.spec.Window)
}

func (o *Objective) allowed(w time.Duration) *big.Rat {
	a := new(big.Rat).SetInt64(int64(w))
	return a.Mul(a, o.budget)
}
