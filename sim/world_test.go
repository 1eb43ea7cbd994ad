package sim

import (
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// testConfig routes everything, after 30 s, to a policy: ana has 5 minutes, then bo; cto catches all.
func testConfig(change ...func(*engine.Config)) *engine.Config {
	route := &amconfig.Route{Receiver: "oncall", GroupBy: []model.LabelName{"alertname"}}
	wait, interval := model.Duration(30*time.Second), model.Duration(5*time.Minute)
	route.GroupWait, route.GroupInterval = &wait, &interval
	person := func(name string, methods ...string) engine.User {
		u := engine.User{Name: name}
		for _, m := range methods {
			u.Methods = append(u.Methods, engine.Method{Name: m, SendResolved: true})
		}
		u.High = []escalation.Rule{{Via: methods}}
		u.Low = u.High
		return u
	}
	cfg := &engine.Config{
		Routing: router.Options{Root: dispatch.NewRoute(route, nil)},
		Users: map[string]engine.User{
			"ana": person("ana", "chat"), "bo": person("bo", "mail"), "cto": person("cto", "phone"),
		},
		Schedules: map[string]*oncall.Schedule{},
		Policies: map[string]escalation.Policy{"db": {Name: "db", Repeat: 0, Steps: []escalation.Step{
			{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute},
			{Notify: []escalation.Target{{User: "bo"}}, EscalateAfter: 10 * time.Minute},
		}}},
		Paging:       escalation.Paging{CatchAll: escalation.Target{User: "cto"}, CatchAllEvery: 4 * time.Hour},
		ReopenWindow: 15 * time.Minute,
		Incidents: map[string]engine.IncidentConfig{"oncall": {
			Policy: "db", Scope: incident.ScopeGroup, AutoResolve: true,
			Title: func(s engine.Subject) string { return s.Alerts[0].Name() },
		}},
		Severity: func(label string) string {
			if label == "warning" {
				return "sev3"
			}
			return "sev2"
		},
	}
	for _, c := range change {
		c(cfg)
	}
	return cfg
}

// story plays a scenario and prints what happened, one event a line.
func story(t *testing.T, cfg *engine.Config, text string) string {
	t.Helper()
	s, err := ParseScenario(strings.NewReader("config: x.yml\nstart: 2026-11-22T03:00:00Z\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Play(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range log {
		b.WriteString(describe(e) + "\n")
	}
	for _, d := range s.Compare(log) {
		t.Error(d)
	}
	return b.String()
}

func TestNobodyAnswers(t *testing.T) {
	got := story(t, testConfig(), `
events:
  - {at: 0s, fire: {alertname: Lag, severity: critical}}
  - {at: 30m, resolve: {alertname: Lag, severity: critical}}
until: 2h
`)
	want := `30s incident_opened incident=INC-1 policy=db severity=sev2
30s page incident=INC-1 user=ana via=chat policy=db step=1 cycle=1
5m30s page incident=INC-1 user=bo via=mail policy=db step=2 cycle=1
15m30s policy_exhausted incident=INC-1 policy=db
15m30s catch_all incident=INC-1 policy=db
15m30s page incident=INC-1 user=cto via=phone policy=db
30m resolved incident=INC-1
30m notification incident=INC-1 user=ana via=chat policy=db
30m notification incident=INC-1 user=bo via=mail policy=db
30m notification incident=INC-1 user=cto via=phone policy=db
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestAckStopsTheLadder(t *testing.T) {
	got := story(t, testConfig(), `
events:
  - {at: 0s, fire: {alertname: Lag}}
  - {at: 3m, acknowledge: null, by: ana}
  - {at: 10m, resolve: {alertname: Lag}}
until: 1h
`)
	want := `30s incident_opened incident=INC-1 policy=db severity=sev2
30s page incident=INC-1 user=ana via=chat policy=db step=1 cycle=1
3m acknowledged incident=INC-1 via=scenario by=ana
10m resolved incident=INC-1
10m notification incident=INC-1 user=ana via=chat policy=db
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
