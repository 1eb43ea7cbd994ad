package engine

import (
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// house is what most tests run on. Routes go by the label team; group_wait is 30 s, group_interval 5 m.
//
//	(none)  two: ana 5 m, then bo 10 m; once, then cto
//	each    the same, an incident for each alert
//	manual  the same, without auto_resolve
//	crew    ana, bo and eva together: two must acknowledge; then channel, then everybody in turn
//	plain   no incidents: board (hears of resolved alerts), hook (does not)
//	both    plain and two
func house(change ...func(*Config)) *Config {
	person := func(name string, methods ...string) User {
		u := User{Name: name}
		for i, m := range methods {
			u.Methods = append(u.Methods, Method{Name: m, SendResolved: m == "chat"})
			u.High = append(u.High, escalation.Rule{Via: []string{m}, After: time.Duration(i) * 2 * time.Minute})
		}
		u.Low = u.High
		return u
	}
	cfg := &Config{
		Routing: router.Options{
			Root: routes(),
			Receivers: map[string][]router.Integration{
				"plain":   {{Name: "board", SendResolved: true}, {Name: "hook"}},
				"channel": {{Name: "board", SendResolved: true}, {Name: "hook"}},
			},
		},
		Users: map[string]User{
			"ana": person("ana", "chat"), "bo": person("bo", "mail"), "cy": person("cy", "chat", "phone"),
			"eva": person("eva", "chat", "phone", "mail"), "cto": person("cto", "phone"),
		},
		Schedules: map[string]*oncall.Schedule{"weekly": weekly("weekly", "base")},
		Policies: map[string]escalation.Policy{
			"two": {Name: "two", Steps: []escalation.Step{
				{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute},
				{Notify: []escalation.Target{{User: "bo"}}, EscalateAfter: 10 * time.Minute},
			}, AckTimeout: map[string]time.Duration{"sev1": 20 * time.Minute}},
			"crew": {Name: "crew", Repeat: 2, RepeatFrom: 2, Steps: []escalation.Step{
				{Notify: []escalation.Target{{User: "ana"}, {User: "bo"}, {User: "eva"}}, EscalateAfter: 4 * time.Minute, RequireAcks: 2},
				{Notify: []escalation.Target{{Receiver: "channel"}, {Schedule: "weekly"}}, EscalateAfter: 3 * time.Minute},
				{Notify: []escalation.Target{{User: "ana"}, {User: "bo"}, {User: "cy"}}, EscalateAfter: 3 * time.Minute, Assign: escalation.AssignRoundRobin},
			}},
		},
		Paging:       escalation.Paging{CatchAll: escalation.Target{User: "cto"}, CatchAllEvery: 4 * time.Hour},
		ReopenWindow: 15 * time.Minute,
		Incidents: map[string]IncidentConfig{
			"two":    opens("two", incident.ScopeGroup, true),
			"each":   opens("two", incident.ScopeAlert, true),
			"manual": opens("two", incident.ScopeGroup, false),
			"crew":   opens("crew", incident.ScopeGroup, true),
		},
		Severity: func(label string) string {
			switch label {
			case "page":
				return "sev1"
			case "warning":
				return "sev3"
			}
			return "sev2"
		},
		Hours: func(escalation.Hours) (*oncall.Hours, error) { return oncall.NewHours(time.UTC, nil) },
	}
	for _, c := range change {
		c(cfg)
	}
	return cfg
}

func opens(policy string, scope incident.Scope, auto bool) IncidentConfig {
	return IncidentConfig{
		Policy: policy, Scope: scope, AutoResolve: auto,
		Title: func(s Subject) string { return s.Alerts[0].Name() },
	}
}

func routes() *dispatch.Route {
	wait, interval, repeat := model.Duration(30*time.Second), model.Duration(5*time.Minute), model.Duration(4*time.Hour)
	root := &amconfig.Route{
		Receiver: "two", GroupBy: []model.LabelName{"alertname"},
		GroupWait: &wait, GroupInterval: &interval, RepeatInterval: &repeat,
	}
	for _, r := range []struct {
		team, receiver string
		on             bool
	}{
		{"each", "each", false},
		{"manual", "manual", false},
		{"crew", "crew", false},
		{"plain", "plain", false},
		{"both", "plain", true},
		{"both", "two", false},
	} {
		m, err := labels.NewMatcher(labels.MatchEqual, "team", r.team)
		if err != nil {
			panic(err)
		}
		root.Routes = append(root.Routes, &amconfig.Route{
			Receiver: r.receiver, Matchers: amcommon.Matchers{m}, Continue: r.on, GroupBy: root.GroupBy,
		})
	}
	return dispatch.NewRoute(root, nil)
}

func weekly(name, layer string) *oncall.Schedule {
	start, err := oncall.ParseCivil("2026-11-15 03:00")
	if err != nil {
		panic(err)
	}
	s, err := oncall.New(oncall.Spec{
		Name: name, Zone: time.UTC,
		Layers: []oncall.Layer{{
			Name:     layer,
			Rotation: oncall.Rotation{Turns: [][]string{{"cy"}, {"eva"}}, Start: start, Every: oncall.Every{N: 1, Unit: oncall.Day}},
		}},
	})
	if err != nil {
		panic(err)
	}
	return s
}
