package web

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// SLOs lists error budgets.
type SLOs struct {
	Shell
	Query   string
	All     int // budgets
	Budgets []BudgetRow
	More    string // the next page, from the root; empty: there is none
}

// A BudgetRow is one budget as it stands.
type BudgetRow struct {
	Name, By, Link string // By: the values by which the SLO is split, in words
	Service        string
	Objective      string // "99.9% over 30d"; empty: its alerts are burn-rate alerts
	Counted        bool   // there is a budget: the next fields mean something
	Left           string // "62.5%"
	Over           bool   // Left is by how much it is overspent
	Share          int    // of 100, to draw: 0 where it is overspent
	Word           string // "healthy", "low", "spent"
	Tone           string // of the chip: good, warn, bad
	Bad, Allowed   string // "12 min"
	Burns          []BurnLine
	Out            Moment // when it is gone at this rate; zero: not in sight
	Active         []string
	Incidents      []string
	Held           bool
	Doubts         []string
}

// A BurnLine is how fast a budget burns over one window. Above 1 it does not last.
type BurnLine struct {
	Window, Rate string
	Fast         bool
}

// SLOPage is one SLO.
type SLOPage struct {
	Shell
	Name        string
	Budget      *BudgetRow // the one that is shown; nil: it has heard of nothing yet
	Others      []BudgetRow
	MoreOthers  int
	Wide, Phone template.HTML // drawn
	From, To    Moment
	Thresholds  []ThresholdRow
	Alerts      []AlertLine
	MoreAlerts  int
	Unlooked    bool   // there is only their number
	Source      string // what is counted, in words
	Policy      string
	Corrections []CorrectionRow
	CorrectFrom typedTime
	CorrectTo   typedTime
	ZoneName    string
}

// A ThresholdRow is a threshold, and whether it is reached.
type ThresholdRow struct {
	Name, Severity, When string
	Active               bool
}

// A CorrectionRow is bad time that is not counted.
type CorrectionRow struct {
	RotaSpan
	Number     int
	ID, Reason string
	By         string
}

// An AlertLine is an alert behind a budget, which fires now.
type AlertLine struct {
	Text  string
	Since Moment
}

// Limits of the pages.
const (
	budgetsOnPage  = 40
	othersOnPage   = 60
	alertsOnSLO    = 20
	budgetSamples  = 240 // points of the drawn line: more than it has columns on a phone
	budgetEdges    = 120 // and beginnings and ends of breaches, at which it bends
	futurePart     = 4   // a quarter of the window is drawn of what will be
	stretchesDrawn = 60  // of one threshold
)

func (p *Pages) sloPaths() {
	p.read("/slos", p.slos)
	p.read("/slos/{name}", p.slo)
	p.act("/slos/{name}/corrections", p.addCorrection)
	p.act("/slos/{name}/corrections/drop", p.dropCorrection)
}

func (p *Pages) slos(w http.ResponseWriter, r *http.Request) {
	v := &SLOs{Shell: p.frame(r, "slos", "SLOs"), Query: r.URL.Query().Get("q")}
	v.Live = OfIncidents
	views := p.Engine.SLOs()
	v.All = len(views)
	if q := strings.ToLower(strings.TrimSpace(v.Query)); q != "" {
		views = slices.DeleteFunc(views, func(view engine.SLOView) bool {
			return !strings.Contains(strings.ToLower(view.Rule.Objective.Name()+" "+view.Rule.Objective.Spec().Service+" "+view.By), q)
		})
	}
	skip, _ := strconv.Atoi(r.URL.Query().Get("after"))
	skip = max(0, min(skip, len(views)))
	if views = views[skip:]; len(views) > budgetsOnPage {
		views = views[:budgetsOnPage]
		v.More = "slos?" + url.Values{"q": {v.Query}, "after": {strconv.Itoa(skip + budgetsOnPage)}}.Encode()
	}
	for _, view := range views {
		v.Budgets = append(v.Budgets, p.budgetRow(&v.Shell, view))
	}
	p.show(w, r, http.StatusOK, "slos", v)
}

// budgetPath is where one budget is shown, from the root.
func budgetPath(view engine.SLOView) string {
	path := "slos/" + url.PathEscape(view.Rule.Objective.Name())
	if len(view.Labels) > 0 {
		path += "?by=" + url.QueryEscape(view.By)
	}
	return path
}

// valuesOf says by which values a budget is split: "cluster eu1".
func valuesOf(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+" "+cmp.Or(labels[name], "(none)"))
	}
	return list(parts, 200)
}

func (p *Pages) budgetRow(f *Shell, view engine.SLOView) BudgetRow {
	o := view.Rule.Objective
	spec := o.Spec()
	row := BudgetRow{
		Name: o.Name(), By: valuesOf(view.Labels), Link: budgetPath(view), Service: spec.Service, Incidents: view.Incidents,
		Active: view.Budget.Active(o, view.Now), Held: view.Budget.Breach.Held,
	}
	for _, label := range spec.By {
		if value, heard := view.Labels[label]; heard && value == "" {
			row.Doubts = append(row.Doubts, "an alert of it has no label "+label+", by which the budget is split")
		}
	}
	consumed := view.Budget.Consumed(o, view.Now)
	if consumed == nil {
		return row
	}
	row.Counted, row.Objective = true, spec.Objective+"% over "+slo.Short(spec.Window)
	left := new(big.Rat).Sub(big.NewRat(1, 1), consumed)
	share, _ := left.Float64()
	row.Left, row.Over, row.Share = fmt.Sprintf("%.1f%%", max(share, -share)*100), share < 0, int(max(0, min(1, share))*100+0.5)
	switch {
	case share <= 0:
		row.Word, row.Tone = "spent", "bad"
	case share < 0.25:
		row.Word, row.Tone = "low", "warn"
	default:
		row.Word, row.Tone = "healthy", "good"
	}
	row.Bad, row.Allowed = ratLength(view.Budget.Bad(o, view.Now, spec.Window)), ratLength(o.Allowed())
	for i, w := range o.Windows() {
		burn := view.Budget.Burn(o, view.Now, w)
		rate, _ := burn.Float64()
		row.Burns = append(row.Burns, BurnLine{slo.Short(w), rateWords(rate), rate > 1})
		if i == 0 && left.Sign() > 0 && burn.Cmp(big.NewRat(1, 1)) > 0 {
			part, _ := new(big.Rat).Quo(left, burn).Float64()
			row.Out = f.moment(view.Now.Add(time.Duration(part * float64(spec.Window))))
		}
	}
	if row.Tone == "good" && (!row.Out.IsZero() || len(row.Active) > 0) {
		row.Word, row.Tone = "burning", "warn"
	}
	return row
}

// rateWords is a burn rate to three digits.
func rateWords(rate float64) string {
	if rate >= 100 {
		return fmt.Sprintf("%.0f", rate)
	}
	return fmt.Sprintf("%.3g", rate)
}

// ratLength is a time span that is kept exactly, in the two largest units that matter.
func ratLength(nanos *big.Rat) string {
	f, _ := nanos.Float64()
	return spell(time.Duration(f))
}

func (p *Pages) slo(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var rule *engine.SLO
	for i, s := range p.Engine.Config().SLOs {
		if s.Objective.Name() == name {
			rule = &p.Engine.Config().SLOs[i]
		}
	}
	if rule == nil {
		p.lost(w, r, "There is no such SLO", "No SLO is called “"+short(name, 80)+"”. It may have been renamed in the configuration. The page SLOs lists them all.")
		return
	}
	v := &SLOPage{Shell: p.frame(r, "slos", name), Name: name, Policy: rule.Policy}
	v.ZoneName = v.Zone.String()
	v.Live = OfIncidents
	by := r.URL.Query().Get("by")
	var chosen *engine.SLOView
	for _, view := range p.Engine.SLOs() {
		if view.Rule.Objective.Name() != name {
			continue
		}
		worse := by == "" && chosen != nil && len(chosen.Incidents) == 0 && len(view.Incidents) > 0
		if chosen == nil || view.By == by || worse {
			if chosen != nil {
				v.addOther(p, *chosen)
			}
			chosen = &view
			continue
		}
		v.addOther(p, view)
	}
	p.fillSLO(v, rule, chosen)
	p.show(w, r, http.StatusOK, "slo", v)
}

func (v *SLOPage) addOther(p *Pages, view engine.SLOView) {
	if len(v.Others) >= othersOnPage {
		v.MoreOthers++
		return
	}
	v.Others = append(v.Others, p.budgetRow(&v.Shell, view))
}

func (p *Pages) fillSLO(v *SLOPage, rule *engine.SLO, chosen *engine.SLOView) {
	o := rule.Objective
	spec := o.Spec()
	v.Source = "time in which its alerts fire"
	switch spec.Source {
	case slo.FromBurnRates:
		v.Source = "nothing here: its alerts are burn-rate alerts already"
	case slo.FromRatio:
		v.Source = "events, asked of a Prometheus every minute"
	}
	active := []string{}
	if chosen != nil {
		row := p.budgetRow(&v.Shell, *chosen)
		v.Budget, active = &row, row.Active
		if row.Counted {
			v.paintSLO(*chosen)
		}
		p.fillAlerts(v, rule, chosen)
	}
	for _, t := range o.Thresholds() {
		row := ThresholdRow{Name: t.Name, Severity: t.Severity, Active: slices.Contains(active, t.Name)}
		row.When = "burns " + t.BurnRate + " times as fast as it may, over " + slo.Short(t.Long) + " and " + slo.Short(t.Short)
		if t.BudgetConsumed != "" {
			row.When = t.BudgetConsumed + " of the budget is gone"
		}
		v.Thresholds = append(v.Thresholds, row)
	}
	for _, k := range p.Engine.Corrections(v.Name) {
		v.Corrections = append(v.Corrections, CorrectionRow{v.span(k.From, k.To), k.Number, k.ID(), short(k.Reason, 300), short(k.CreatedBy, 60)})
	}
	v.CorrectFrom, v.CorrectTo = typed(v.Now.Add(-time.Hour).Truncate(time.Minute), v.Zone), typed(v.Now.Truncate(time.Minute), v.Zone)
}

// paintSLO draws how the budget of the window that ends now was spent, and how it comes back if nothing more happens.
func (v *SLOPage) paintSLO(view engine.SLOView) {
	o, window, now := view.Rule.Objective, view.Rule.Objective.Spec().Window, view.Now
	from, to := now.Add(-window), now.Add(window/futurePart)
	v.From, v.To = v.moment(from), v.moment(to)
	b := draw.Budget{Title: v.Name, Zone: v.Zone, From: from, To: to, Now: now}
	severities := map[string]string{}
	for _, t := range o.Thresholds() {
		severities[t.Name] = t.Severity
	}
	at := []time.Time{now}
	for i := range budgetSamples + 1 {
		at = append(at, from.Add(time.Duration(float64(to.Sub(from))*float64(i)/budgetSamples)))
	}
	for _, a := range view.Budget.Actives(o, from, to) {
		row := draw.Breaches{Name: a.Name, Severity: severities[a.Name]}
		times := a.Active[max(0, len(a.Active)-stretchesDrawn):] // the newest
		for _, t := range times {
			row.Times = append(row.Times, draw.Stretch{From: t.From, To: t.To})
			if len(at) < budgetSamples+budgetEdges {
				at = append(at, t.From, t.To)
			}
		}
		b.Breaches = append(b.Breaches, row)
	}
	slices.SortFunc(at, time.Time.Compare)
	allowed := o.Allowed()
	for _, t := range slices.CompactFunc(at, time.Time.Equal) {
		seen := min(t.Sub(from), window) // of the past, only what this window holds counts
		gone, _ := new(big.Rat).Quo(view.Budget.Bad(o, t, seen), allowed).Float64()
		b.Left = append(b.Left, draw.Level{At: t, Left: 1 - gone})
	}
	v.Wide = template.HTML(b.Figure("wide", wideFigure))    //nolint:gosec // draw escapes what it writes
	v.Phone = template.HTML(b.Figure("phone", phoneFigure)) //nolint:gosec // likewise
}

// fillAlerts lists alerts that make the time bad now, the first of them. They are found by the index: where neither a name nor
// a value is known, there is only their number.
func (p *Pages) fillAlerts(v *SLOPage, rule *engine.SLO, chosen *engine.SLOView) {
	v.MoreAlerts = chosen.Firing
	if rule.Match == nil || chosen.Firing == 0 {
		return
	}
	var texts []string
	if rule.Alert != "" {
		texts = append(texts, router.Matcher{Name: "alertname", Value: rule.Alert}.String())
	}
	for name, value := range chosen.Labels {
		if value != "" {
			texts = append(texts, router.Matcher{Name: name, Value: value}.String())
		}
	}
	filter, err := router.ParseFilter(texts, "web")
	if v.Unlooked = filter == nil || err != nil; v.Unlooked {
		return
	}
	for s := range p.Engine.Router().See(router.Ask{Now: v.Now, Labels: filter}) {
		if len(v.Alerts) >= alertsOnSLO {
			break
		}
		if rule.Match(s.Alert.Labels) && sameValues(chosen.Labels, s.Alert.Labels) {
			v.Alerts = append(v.Alerts, AlertLine{short(s.Alert.Labels.String(), 300), v.moment(s.Alert.StartsAt)})
		}
	}
	v.MoreAlerts = max(0, chosen.Firing-len(v.Alerts))
}

func sameValues(values map[string]string, labels router.Labels) bool {
	for name, value := range values {
		if labels.Get(name) != value {
			return false
		}
	}
	return true
}

func (p *Pages) addCorrection(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	to := returning(r, "slos/"+url.PathEscape(name))
	zone := time.UTC
	if mine := p.zoneOfReader(r); mine != nil {
		zone = mine
	}
	from, errFrom := typedAt(r.PostForm, "from", zone, false)
	until, errTo := typedAt(r.PostForm, "to", zone, true)
	if err := cmp.Or(errFrom, errTo); err != nil {
		p.back(w, r, to, Said{Wrong: true, Text: upperFirst(err.Error()) + "."})
		return
	}
	done := p.Engine.Do(r.Context(), engine.Correct{Correction: engine.Correction{
		SLO: name, From: from, To: until, Reason: strings.TrimSpace(r.PostForm.Get("reason")), CreatedBy: by,
	}})
	p.rotaSettled(w, r, done, to, to, Said{
		Text: done.Correction.ID() + " is made: that time is not counted any more.",
		Undo: "slos/" + url.PathEscape(name) + "/corrections/drop", Fields: map[string]string{"number": strconv.Itoa(done.Correction.Number)},
	})
}

func (p *Pages) dropCorrection(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	to := returning(r, "slos/"+url.PathEscape(name))
	n, _ := strconv.Atoi(r.PostForm.Get("number"))
	done := p.Engine.Do(r.Context(), engine.DropCorrection{Number: n, By: by})
	k := done.Correction
	p.rotaSettled(w, r, done, to, to, Said{
		Text: k.ID() + " is taken back: that time counts again.", Undo: "slos/" + url.PathEscape(name) + "/corrections",
		Fields: map[string]string{"from": k.From.UTC().Format(time.RFC3339), "to": k.To.UTC().Format(time.RFC3339), "reason": k.Reason},
	})
}
