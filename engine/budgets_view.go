package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/slo"
)

// An SLOView is one budget of an SLO as it stands.
type SLOView struct {
	Rule      SLO
	By        string            // names the values; "{}": there are none
	Labels    map[string]string // the values
	Budget    slo.Budget
	Now       time.Time
	Incidents []string // open ones
	Firing    int      // alerts that make the time bad now; of burn-rate alerts, those that fire
}

// SLOs are all budgets, by the names of their SLOs. One of an SLO that has heard of no alert yet is there all the same, if
// it is not split.
func (e *Engine) SLOs() (views []SLOView) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.SLOs(e.now().Wall)
}

// SLOs is Engine.SLOs, for whoever drives the Core.
func (c *Core) SLOs(now time.Time) (views []SLOView) {
	g := &c.ledger
	heard := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(g.accounts)) {
		a := g.accounts[key]
		if a.rule == nil {
			continue
		}
		v := SLOView{Rule: *a.rule, By: a.by, Labels: a.labels, Budget: a.budget, Now: now, Firing: len(a.fires)}
		for _, l := range c.breaches(a) {
			if l.incident.Open() {
				v.Incidents = append(v.Incidents, l.incident.ID())
			}
		}
		heard[a.name] = true
		views = append(views, v)
	}
	for _, name := range slices.Sorted(maps.Keys(g.rules)) {
		if s := g.rules[name]; !heard[name] && len(s.Objective.Spec().By) == 0 && s.Read == nil {
			views = append(views, SLOView{Rule: *s, By: "{}", Now: now})
		}
	}
	slices.SortStableFunc(views, func(a, b SLOView) int { return cmp.Compare(a.Rule.Objective.Name(), b.Rule.Objective.Name()) })
	return views
}
