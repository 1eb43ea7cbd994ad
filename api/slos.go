package api

import (
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/slo"
)

// SLO is one error budget: of an objective, for one set of the values of its labels.
type SLO struct {
	Name      string            `json:"name"`
	Service   string            `json:"service,omitempty"`
	By        map[string]string `json:"by,omitempty"`
	Objective string            `json:"objective,omitempty"` // percent
	Window    string            `json:"window,omitempty"`
	Source    string            `json:"source"` // alerts, burn_rate_alerts or prometheus

	Remaining    float64            `json:"remaining"`   // share of the budget; negative: more was spent than there was
	BadSeconds   float64            `json:"bad_seconds"` // in the window
	Burn         map[string]float64 `json:"burn"`        // by window
	Active       []string           `json:"active"`      // thresholds that are reached now
	RunsOutAt    time.Time          `json:"runs_out_at,omitzero"`
	Incidents    []string           `json:"incidents"`
	Doubts       []string           `json:"doubts,omitempty"`           // what to think of again, as sentences
	HandResolved bool               `json:"resolved_by_hand,omitempty"` // nothing opens until it was clear once, or gets worse
}

// SLOs is the list, by name.
type SLOs struct {
	SLOs []SLO `json:"slos"`
}

// Correction excludes bad time from budgets.
type Correction struct {
	ID        string    `json:"id"` // CORR-1
	SLO       string    `json:"slo"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	Warning   string    `json:"warning,omitempty"` // it was done, but …
}

// Corrections is the list, the newest first.
type Corrections struct {
	Corrections []Correction `json:"corrections"`
}

// Correcting is the body of POST slos/{name}/corrections.
type Correcting struct {
	By     string `json:"by"`
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`
}

func showSLO(v engine.SLOView) SLO {
	o := v.Rule.Objective
	spec := o.Spec()
	out := SLO{
		Name: o.Name(), Service: spec.Service, By: v.Labels, Objective: spec.Objective, Source: string(spec.Source), Remaining: 1,
		Burn: map[string]float64{}, Active: v.Budget.Active(o, v.Now), Incidents: v.Incidents, HandResolved: v.Budget.Breach.Held,
	}
	if out.Source == "" {
		out.Source = string(slo.FromAlerts)
	}
	if out.Active == nil {
		out.Active = []string{}
	}
	if out.Incidents == nil {
		out.Incidents = []string{}
	}
	for _, label := range spec.By {
		if value, heard := v.Labels[label]; heard && value == "" {
			out.Doubts = append(out.Doubts, fmt.Sprintf("an alert of it has no label %s, by which the budget is split", label))
		}
	}
	if spec.Window > 0 {
		out.Window = slo.Short(spec.Window)
	}
	consumed := v.Budget.Consumed(o, v.Now)
	if consumed == nil {
		return out
	}
	left := new(big.Rat).Sub(big.NewRat(1, 1), consumed)
	out.Remaining, _ = left.Float64()
	bad := v.Budget.Bad(o, v.Now, spec.Window)
	out.BadSeconds, _ = bad.Quo(bad, big.NewRat(int64(time.Second), 1)).Float64()
	shortest := new(big.Rat)
	for i, w := range o.Windows() {
		burn := v.Budget.Burn(o, v.Now, w)
		out.Burn[slo.Short(w)], _ = burn.Float64()
		if i == 0 {
			shortest = burn
		}
	}
	out.RunsOutAt = runsOut(left, shortest, spec.Window, v.Now)
	return out
}

// runsOut is when the budget is gone if it is spent as in the shortest window; zero: it is gone already, or lasts for longer
// than its window.
func runsOut(left, burn *big.Rat, window time.Duration, now time.Time) time.Time {
	if left.Sign() <= 0 || burn.Cmp(big.NewRat(1, 1)) <= 0 {
		return time.Time{}
	}
	share, _ := new(big.Rat).Quo(left, burn).Float64()
	return now.Add(time.Duration(share * float64(window))).UTC().Truncate(time.Second)
}

// getSLOs lists budgets: all, or those of one SLO.
func (a *API) getSLOs(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "name")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := SLOs{SLOs: []SLO{}}
	for _, view := range a.o.Engine.SLOs() {
		if matches(v.Get("name"), view.Rule.Objective.Name()) {
			shown := showSLO(view)
			if a.o.Counts != nil && shown.Source == string(slo.FromRatio) {
				if why := a.o.Counts(shown.Name); why != "" {
					shown.Doubts = append(shown.Doubts, why)
				}
			}
			out.SLOs = append(out.SLOs, shown)
		}
	}
	answer(w, r, http.StatusOK, out)
}

func showCorrection(k engine.Correction) Correction {
	return Correction{
		ID: k.ID(), SLO: k.SLO, From: k.From.UTC(), To: k.To.UTC(), Reason: k.Reason, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt.UTC(),
	}
}

func (a *API) getCorrections(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	out := Corrections{Corrections: []Correction{}}
	for _, k := range a.o.Engine.Corrections(r.PathValue("name")) {
		out.Corrections = append(out.Corrections, showCorrection(k))
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) postCorrection(w http.ResponseWriter, r *http.Request) {
	var body Correcting
	if err := readAct(w, r, &body, []string{"by", "from", "to", "reason"}); err != nil {
		a.fail(w, r, err)
		return
	}
	k := engine.Correction{SLO: r.PathValue("name"), Reason: body.Reason, CreatedBy: body.By}
	if err := signed(body.By); err != nil {
		a.fail(w, r, err)
		return
	}
	for _, side := range []struct {
		name, text string
		to         *time.Time
	}{{"from", body.From, &k.From}, {"to", body.To, &k.To}} {
		t, err := time.Parse(time.RFC3339, side.text)
		if err != nil {
			a.fail(w, r, invalid(side.name, "%s is an instant such as 2026-11-22T03:00:00Z, not %q", side.name, shorten(side.text)))
			return
		}
		*side.to = t.UTC()
	}
	done := a.o.Engine.Do(r.Context(), engine.Correct{Correction: k})
	out := showCorrection(done.Correction)
	a.changed(w, r, http.StatusCreated, &out, &out.Warning, done.Err)
}

func (a *API) deleteCorrection(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(r.PathValue("id")), "CORR-"))
	if err != nil {
		a.fail(w, r, missing("id", "there is no correction %q; they are called CORR-1 and so on", shorten(r.PathValue("id"))))
		return
	}
	done := a.o.Engine.Do(r.Context(), engine.DropCorrection{Number: n, By: by})
	out := showCorrection(done.Correction)
	a.changed(w, r, http.StatusOK, &out, &out.Warning, done.Err)
}
