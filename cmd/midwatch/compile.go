package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// compile makes of a checked configuration what the engine decides by. endpoints are the senders built from it, which
// know what upstream's loader made of send_resolved.
func compile(cfg *config.Config, tmpl *template.Template, endpoints []notify.Endpoint, o router.Options) *engine.Config {
	out := &engine.Config{
		Routing:      routing(cfg, endpoints, o),
		Users:        map[string]engine.User{},
		Schedules:    cfg.Schedules,
		Notices:      map[string]engine.Notices{},
		Policies:     cfg.Policies,
		Paging:       cfg.Paging,
		ReopenWindow: cfg.ReopenWindow,
		Incidents:    map[string]engine.IncidentConfig{},
		Severity:     cfg.Severities.Of,
		Hours:        supportHours(cfg),
	}
	for _, m := range cfg.Maintenance {
		out.Maintenance = append(out.Maintenance, maintenance(m))
	}
	out.Heartbeats, out.BlindPolicy = heartbeatsOf(cfg.Heartbeats), cfg.BlindPolicy
	for name, n := range cfg.Notices {
		out.Notices[name] = engine.Notices{Before: n.Before, Handoff: tellAtHandoff[n.Handoff], Silent: !n.Changes}
	}
	for _, name := range cfg.SLOOrder {
		out.SLOs = append(out.SLOs, objective(cfg, cfg.SLOs[name]))
	}
	personal := map[[2]string]notify.Endpoint{}
	for _, e := range endpoints {
		if e.Target.User != "" {
			personal[[2]string{e.Target.User, e.Target.Via}] = e
		}
	}
	for name, u := range cfg.Users {
		user := engine.User{
			Name: name, FullName: u.FullName, TimeZone: u.TimeZone, High: u.High, Low: u.Low,
			Digests: u.Digests, Notices: u.Notices, Unavailable: u.Unavailable,
		}
		for _, m := range u.Methods {
			e := personal[[2]string{name, m.Name}]
			user.Methods = append(user.Methods, engine.Method{Name: m.Name, SendResolved: e.SendResolved, TakesBack: e.TakesBack})
		}
		out.Users[name] = user
	}
	for receiver, ic := range cfg.Incidents {
		out.Incidents[receiver] = engine.IncidentConfig{
			Policy: ic.Policy, Scope: incident.Scope(ic.Scope), AutoResolve: ic.AutoResolve,
			Severity: words(tmpl, ic.Severity), Title: title(tmpl, ic.Title),
		}
	}
	return out
}

var tellAtHandoff = map[string]engine.Handoff{"open": engine.HandoffOpen, "always": engine.HandoffAlways, "never": engine.HandoffNever}

// objective is an SLO of the file as the engine counts for it.
func objective(cfg *config.Config, s config.SLO) engine.SLO {
	out := engine.SLO{Objective: s.Objective, Policy: s.Policy, Annotations: map[string]string{}}
	if s.RunbookURL != "" {
		out.Annotations["runbook_url"] = s.RunbookURL
	}
	if s.Description != "" {
		out.Annotations["promise"] = s.Description
	}
	if s.Prometheus != nil {
		return out
	}
	out.Match = func(ls router.Labels) bool {
		for _, m := range s.Matchers {
			if !m.Matches(ls.Get(m.Name)) {
				return false
			}
		}
		return true
	}
	for _, m := range s.Matchers {
		if m.Name == model.AlertNameLabel && m.Type == labels.MatchEqual {
			out.Alert = m.Value
		}
	}
	if s.Tool != "" {
		by := s.Objective.Spec().By
		out.Read = func(ls map[string]string) (string, string, bool) {
			r, ok := s.Tool.Read(ls, by, cfg.Severities)
			return r.Identity, r.Severity, ok
		}
	}
	return out
}

// maintenance is a window of the file as the silence that it is.
func maintenance(m config.Maintenance) engine.Plan {
	var set router.MatcherSet
	for _, lm := range m.Matchers {
		set = append(set, router.Matcher{Name: lm.Name, Type: lm.Type, Value: lm.Value})
	}
	return engine.Plan{
		Name: m.Name, Matchers: []router.MatcherSet{set}, TimeZone: m.TimeZone, Text: m.Text, Comment: m.Comment, Windows: m.Recurrence,
	}
}

func routing(cfg *config.Config, endpoints []notify.Endpoint, o router.Options) router.Options {
	o.Root = dispatch.NewRoute(cfg.Upstream.Route, nil)
	o.Intervals = intervals(cfg)
	o.Steady = map[string]bool{}
	for receiver := range cfg.Incidents {
		o.Steady[receiver] = true
	}
	o.TellResolvedSilenced = cfg.ResolvedUnderSilence
	for _, r := range cfg.Upstream.InhibitRules {
		made := inhibit.NewInhibitRule(r) // it knows the deprecated ways to write one
		rule := router.InhibitRule{Name: made.Name, Source: made.SourceMatchers, Target: made.TargetMatchers}
		for name := range made.Equal {
			rule.Equal = append(rule.Equal, string(name))
		}
		slices.Sort(rule.Equal)
		o.Inhibit = append(o.Inhibit, rule)
	}
	o.ResolveTimeout = time.Duration(cfg.Upstream.Global.ResolveTimeout)
	o.Receivers = map[string][]router.Integration{}
	for _, e := range endpoints {
		if t := e.Target; t.Receiver != "" {
			o.Receivers[t.Receiver] = append(o.Receivers[t.Receiver], router.Integration{
				Name: t.Integration, Index: t.Index, SendResolved: e.SendResolved,
			})
		}
	}
	return o
}

// intervals is the mute and active time intervals of the routes, asked at each flush as Alertmanager's stages do.
func intervals(cfg *config.Config) func(route *dispatch.Route, now time.Time) router.Mute {
	all := intervener(cfg)
	return func(route *dispatch.Route, now time.Time) router.Mute {
		mute, _ := mutedBy(all, route, now)
		return mute
	}
}

func intervener(cfg *config.Config) *timeinterval.Intervener {
	named := map[string][]timeinterval.TimeInterval{}
	for _, t := range cfg.Upstream.MuteTimeIntervals {
		named[t.Name] = t.TimeIntervals
	}
	for _, t := range cfg.Upstream.TimeIntervals {
		named[t.Name] = t.TimeIntervals
	}
	return timeinterval.NewIntervener(named)
}

// mutedBy are the intervals because of which a route is silent: those that mute it now, or all of those outside of which
// it is. An interval that is not defined cannot be here: the configuration check found it.
func mutedBy(all *timeinterval.Intervener, route *dispatch.Route, now time.Time) (router.Mute, []string) {
	if active := route.RouteOpts.ActiveTimeIntervals; len(active) > 0 {
		if within, _, err := all.Mutes(active, now); err == nil && !within {
			return router.OutsideHours, active
		}
	}
	if mute := route.RouteOpts.MuteTimeIntervals; len(mute) > 0 {
		if within, names, err := all.Mutes(mute, now); err == nil && within {
			return router.MutedByHours, names
		}
	}
	return "", nil
}

// supportHours reads hours once and remembers them. The engine asks from one goroutine.
func supportHours(cfg *config.Config) func(escalation.Hours) (*oncall.Hours, error) {
	known := map[string]*oncall.Hours{}
	return func(h escalation.Hours) (*oncall.Hours, error) {
		key := fmt.Sprint(h)
		if hours := known[key]; hours != nil {
			return hours, nil
		}
		hours, err := cfg.Hours(h)
		if err == nil {
			known[key] = hours
		}
		return hours, err
	}
}

// words is a template as a function of an incident's alerts; nil where there is none. One that fails yields nothing.
func words(tmpl *template.Template, text string) func(engine.Subject) string {
	if text == "" {
		return nil
	}
	execute := tmpl.ExecuteTextString
	if own := standalone(text); own != nil {
		execute = func(_ string, data any) (string, error) {
			var b strings.Builder
			err := own.Execute(&b, data)
			return b.String(), err
		}
	}
	return func(s engine.Subject) string {
		out, err := execute(text, data(tmpl, s))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(out)
	}
}

// standalone is a text that needs no other templates, read once: upstream's way copies all of them and reads the text anew each
// time, and in a storm that is most of what it costs to open an incident. nil: the text may need others, or cannot be read. The
// functions are upstream's own; routeLabels has no labels to speak of here either way.
func standalone(text string) *texttemplate.Template {
	for _, action := range []string{"template", "block", "define"} {
		if strings.Contains(text, action) {
			return nil
		}
	}
	t, err := texttemplate.New("").Option("missingkey=zero").Funcs(texttemplate.FuncMap(template.DefaultFuncs)).Parse(text)
	if err != nil {
		return nil
	}
	return t
}

// An incident's title is one line of at most so many characters.
const maxTitle = 200

// title never fails: an incident whose title cannot be made is called after its alerts.
func title(tmpl *template.Template, text string) func(engine.Subject) string {
	made := words(tmpl, text)
	return func(s engine.Subject) string {
		t := ""
		if made != nil {
			t = made(s)
		}
		if t == "" {
			t = plainTitle(s)
		}
		runes := []rune(strings.Join(strings.Fields(t), " "))
		if len(runes) > maxTitle {
			return string(runes[:maxTitle-1]) + "…"
		}
		return string(runes)
	}
}

func plainTitle(s engine.Subject) string {
	var names []string
	for _, a := range s.Alerts {
		if name := a.Name(); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return strings.Join(names, ", ")
	}
	if len(s.GroupLabels) > 0 {
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(s.GroupLabels)) {
			pairs = append(pairs, k+"="+s.GroupLabels[k])
		}
		return strings.Join(pairs, " ")
	}
	return "alerts of " + s.Receiver
}

// data is what Alertmanager's templates see, for the alerts of an incident.
func data(tmpl *template.Template, s engine.Subject) *template.Data {
	alerts := make([]*alert.Alert, 0, len(s.Alerts))
	for _, a := range s.Alerts {
		alerts = append(alerts, upstreamAlert(a))
	}
	labels := model.LabelSet{}
	for k, v := range s.GroupLabels {
		labels[model.LabelName(k)] = model.LabelValue(v)
	}
	return tmpl.Data(s.Receiver, labels, nil, "", alerts...)
}

func upstreamAlert(a *router.Alert) *alert.Alert {
	return &alert.Alert{
		Alert: model.Alert{
			Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations),
			StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL,
		},
		UpdatedAt: a.UpdatedAt, Timeout: a.Timeout,
	}
}

func labelSet(ls router.Labels) model.LabelSet {
	set := make(model.LabelSet, len(ls))
	for _, l := range ls {
		set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
	}
	return set
}
