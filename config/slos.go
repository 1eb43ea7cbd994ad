package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/slo"
)

// MaxSLOs is how many a file may have: each is looked at for every alert that begins to fire.
const MaxSLOs = 10_000

// An SLO is a service level objective whose breaches open incidents (SPEC §7).
type SLO struct {
	Objective   *slo.Objective
	Policy      string
	Description string // empty: none given
	RunbookURL  string

	// Which alerts are its; for FromAlerts and, with the Tool Matched, for FromBurnRates.
	Matchers labels.Matchers
	Tool     slo.Tool // for FromBurnRates

	Prometheus *SLOQueries // for FromRatio
}

// SLOQueries are what counts of bad and of all events are read with.
type SLOQueries struct{ URL, Bad, Total string }

var sliForm = &form{noun: "sli", one: true, fields: []field{
	may("alerts", atLeastOne("Matchers: bad while any alert that matches all of them fires.", `'alertname="CheckoutDown"'`, &form{noun: "matcher", scalar: matcher})),
	may("burn_rate_alerts", &form{
		doc: "Alerts that already are burn-rate alerts: sloth, pyrra, grafana, or matchers.", scalar: words("sloth", "pyrra", "grafana"),
		list: &form{noun: "matcher", scalar: matcher},
	}),
	may("prometheus", mapping("prometheus",
		need("url", single("The address of a Prometheus.", webURL)),
		need("bad", single("A query for the rate of bad events.", text)),
		need("total", single("A query for the rate of all events.", text))).described("Counts of events, asked for each minute.")),
}}

var thresholdForm = mapping("threshold",
	need("name", single("How incidents call it.", name)),
	may("burn_rate", single("How many times faster than the objective allows.", decimalNumber)),
	may("long", single("The long window of a burn rate.", duration)),
	may("short", single("Its short window: both must burn.", duration)),
	may("budget_consumed", single("Or a share of the budget, such as 50%.", text)),
	need("severity", single("Of the incident.", severity)))

var decimalNumber = matching("a number such as 14.4", `^[0-9]+(\.[0-9]+)?$`, "write it in decimal")

var percentage = matching("a percentage such as 99.9", `^[0-9]+(\.[0-9]+)?$`, "write it in decimal, without a sign")

var sloForm = mapping("slo",
	need("name", single("How incidents and answers call it.", name)),
	may("service", single("What it is about.", text)),
	may("description", single("What it promises, in words.", text)),
	may("objective", single("In percent, kept as an exact decimal: 99.9.", percentage)),
	may("window", single("Over which the budget is counted, such as 30d.", duration)),
	need("sli", sliForm.described("What is bad time; one of alerts, burn_rate_alerts, prometheus.")),
	may("by", listOf("Labels: one budget for each set of their values.", single("", text))),
	may("thresholds", listOf("Default: page-fast, page-slow, ticket-fast, ticket-slow, half-gone.", thresholdForm)),
	need("escalation_policy", single("The ladder of its incidents.", name)),
	may("clear_for", single("How long without an active threshold before it is clear; default 5m.", duration)),
	may("reopen_window", single("How long a cleared incident is reopened rather than opened anew; default 1h.", duration)),
	may("runbook_url", single("What to do.", text)))

// slos reads the section (SPEC §7).
func (l *loader) slos() { l.each("slos", &l.objective, l.oneSLO) }

// oneSLO reads one, written here or in an OpenSLO document.
func (l *loader) oneSLO(o object, name string) {
	if len(l.cfg.SLOOrder) >= MaxSLOs {
		o.fault(o.node, fmt.Sprintf("there are more than %d slos", MaxSLOs), "remove some")
		return
	}
	before := l.errors
	s, spec := l.readSLO(o)
	o.refer(o.get("escalation_policy"), "escalation policy", &l.policy)
	objective, err := slo.New(spec)
	if err != nil {
		if ps, ok := err.(slo.Problems); ok { //nolint:errorlint // it is never wrapped
			l.sloProblems(o, ps, l.elsewhere(l.faults))
		} else {
			l.faultOf(o.node, o.where, err)
		}
		return
	}
	if !o.ok || l.errors > before {
		return
	}
	l.sloProblems(o, objective.Warnings(), l.warn)
	s.Objective = objective
	l.cfg.SLOs[name] = s
	l.cfg.SLOOrder = append(l.cfg.SLOOrder, name)
}

// elsewhere is fault for places at which nothing is wrong yet: what cannot be read is no news to who reckons with it.
func (l *loader) elsewhere(wrong Faults) func(n *yaml.Node, message, hint string) {
	return func(n *yaml.Node, message, hint string) {
		if !slices.ContainsFunc(wrong, func(f Fault) bool { return f.File == l.file && f.Line == n.Line && f.Column == n.Column }) {
			l.fault(n, message, hint)
		}
	}
}

func (l *loader) sloProblems(o object, ps slo.Problems, say func(n *yaml.Node, message, hint string)) {
	for _, p := range ps {
		n, where := o.follow(p.Where)
		message, hint, _ := strings.Cut(p.What, "; ")
		say(n, join(where, message), hint)
	}
}

func (l *loader) readSLO(o object) (SLO, slo.Spec) {
	s := SLO{Policy: o.text("escalation_policy"), Description: o.text("description"), RunbookURL: o.text("runbook_url")}
	spec := slo.Spec{
		Name: o.text("name"), Service: o.text("service"), Objective: o.text("objective"), Window: o.duration("window", 0),
		ClearFor: o.duration("clear_for", slo.DefaultClearFor), ReopenWindow: o.duration("reopen_window", slo.DefaultReopenWindow),
	}
	for _, n := range o.texts("by") {
		spec.By = append(spec.By, n.Value)
	}
	if o.get("thresholds") != nil {
		spec.Thresholds = []slo.Threshold{}
	}
	for _, t := range o.items("thresholds") {
		spec.Thresholds = append(spec.Thresholds, slo.Threshold{
			Name: t.text("name"), BurnRate: t.text("burn_rate"), Long: t.duration("long", 0), Short: t.duration("short", 0),
			BudgetConsumed: t.text("budget_consumed"), Severity: t.text("severity"),
		})
	}
	sli := o.sub("sli")
	switch {
	case sli.node == nil:
	case sli.get("alerts") != nil:
		spec.Source = slo.FromAlerts
		s.Matchers = l.sliMatchers(sli, "alerts")
	case sli.get("burn_rate_alerts") != nil:
		spec.Source = slo.FromBurnRates
		s.Tool = slo.Tool(sli.text("burn_rate_alerts"))
		if s.Tool == "" {
			s.Tool = slo.Matched
			s.Matchers = l.sliMatchers(sli, "burn_rate_alerts")
		}
	case sli.get("prometheus") != nil:
		spec.Source = slo.FromRatio
		q := sli.sub("prometheus")
		s.Prometheus = &SLOQueries{URL: q.text("url"), Bad: q.text("bad"), Total: q.text("total")}
	}
	if spec.Source != slo.FromBurnRates && sli.node != nil {
		for _, key := range []string{"objective", "window"} {
			if o.get(key) == nil {
				o.fault(o.node, "has no "+key, "add "+key+": "+map[string]string{"objective": "99.9", "window": "30d"}[key])
			}
		}
	}
	return s, spec
}

// sliMatchers reads which alerts are meant. All of them is nobody's objective.
func (l *loader) sliMatchers(o object, key string) (all labels.Matchers) {
	before := l.errors
	for _, n := range o.texts(key) {
		ms, err := compat.Matchers(n.Value, "config")
		if err != nil {
			o.fault(n, key+": "+err.Error(), `write one as in a route, such as alertname="CheckoutDown"`)
		}
		all = append(all, ms...)
	}
	if l.errors > before || !o.ok {
		return all
	}
	for _, m := range all {
		if selects(m) {
			return all
		}
	}
	o.fault(o.get(key), key+": each of them matches alerts without its label, so that all alerts might be meant", `add one that does not, such as alertname="CheckoutDown"`)
	return all
}
