package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// readNow is when the benchmarks of reading look.
var readNow = time.Date(2026, 11, 20, 12, 1, 0, 0, time.UTC)

// readAlerts are alerts in groups of twenty: ten labels, three annotations, 200 names. The last few keep others quiet.
func readAlerts(n int) []*router.Alert {
	severities := [...]string{"critical", "warning", "info", "warning", "page"}
	alerts := make([]*router.Alert, n)
	for i := range alerts {
		group, member := i/20, i%20
		name, cluster := group%200, group/200%5
		service := group/1000*20 + name%20
		alerts[i] = &router.Alert{
			Labels: router.MakeLabels([]router.Label{
				{Name: "alertname", Value: fmt.Sprintf("KubeServiceAlert%03d", name)},
				{Name: "cluster", Value: fmt.Sprintf("eu-west-%d", cluster)},
				{Name: "env", Value: [...]string{"prod", "staging"}[cluster%2]},
				{Name: "instance", Value: fmt.Sprintf("10.%d.%d.%d:8443", group>>8&255, group&255, member)},
				{Name: "job", Value: "kube-state-metrics"},
				{Name: "namespace", Value: fmt.Sprintf("shop-%03d", service%100)},
				{Name: "pod", Value: fmt.Sprintf("svc-%03d-6b8f7c9d54-%06d-%02d", service, group, member)},
				{Name: "service", Value: fmt.Sprintf("svc-%03d", service)},
				{Name: "severity", Value: severities[name/20%5]},
				{Name: "team", Value: fmt.Sprintf("team-%d", name%10)},
			}),
			Annotations: router.MakeLabels([]router.Label{
				{Name: "summary", Value: fmt.Sprintf("svc-%03d burns its error budget in eu-west-%d", service, cluster)},
				{Name: "description", Value: fmt.Sprintf("More than 5%% of the requests to svc-%03d were answered with an error in the last ten minutes, "+
					"and the budget of a month is gone in %d hours if that goes on. Pod %06d-%02d is one of those.", service, member+2, group, member)},
				{Name: "runbook_url", Value: fmt.Sprintf("https://runbooks.example.com/services/svc-%03d/errors#%03d", service, name)},
			}),
			StartsAt:     readNow.Add(-time.Hour).Add(time.Duration(i/64) * time.Millisecond),
			EndsAt:       readNow.Add(time.Hour),
			GeneratorURL: "http://prometheus.example.com:9090/graph?g0.expr=sum+by%28service%29+%28rate%28http_errors_total%5B10m%5D%29%29+%3E+0.05&g0.tab=1",
		}
	}
	return alerts
}

// readConfig has ten teams with five routes each, and twenty inhibit rules.
func readConfig() string {
	var b strings.Builder
	b.WriteString("route:\n  receiver: default\n  group_by: [alertname, cluster, service]\n  routes:\n")
	for team := range 10 {
		fmt.Fprintf(&b, "  - receiver: hook-%d\n    matchers: ['team=\"team-%d\"']\n    routes:\n", team, team)
		for k, below := range []string{`severity="page"`, `severity=~"critical|page"`, `env!="prod"`, `service=~"svc-0.*|svc-1.*"`} {
			fmt.Fprintf(&b, "    - {receiver: hook-%d, matchers: ['%s'], continue: %t}\n", (team+k+1)%10, below, k == 0)
		}
	}
	b.WriteString("inhibit_rules:\n")
	for i := range 20 {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "- {source_matchers: ['alertname=\"KubeServiceAlert%03d\"', 'severity=\"critical\"'], target_matchers: ['severity=~\"warning|info\"'], equal: [cluster, service]}\n", i)
		case 1:
			fmt.Fprintf(&b, "- {source_matchers: ['alertname=\"ClusterDown%02d\"'], target_matchers: ['alertname!=\"ClusterDown%02d\"'], equal: [cluster]}\n", i, i)
		default:
			fmt.Fprintf(&b, "- {source_matchers: ['severity=\"page\"', 'team=\"team-%d\"'], target_matchers: ['severity=\"info\"', 'team=\"team-%d\"'], equal: [cluster, namespace, service]}\n", i%10, i%10)
		}
	}
	b.WriteString("receivers:\n- name: default\n")
	for team := range 10 {
		fmt.Fprintf(&b, "- name: hook-%d\n", team)
	}
	return b.String()
}

// readHouse is the API over an engine that runs, with n alerts.
func readHouse(tb testing.TB, n int) *API {
	tb.Helper()
	conf, err := config.Load(readConfig())
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.Start(context.Background(), engine.Options{
		Store: store.NewMemory(), Sender: &letters{},
		Config: &engine.Config{Routing: router.Options{
			Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{}, Inhibit: inhibition(conf),
		}},
		Now: func() engine.Instant { return engine.Instant{Wall: readNow} },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	a := New(Options{
		Engine: e, ValidName: func(name string) bool { return name != "" }, Now: func() time.Time { return readNow },
		Receivers: func() (all []Receiver) {
			for _, r := range conf.Receivers {
				all = append(all, Receiver{Name: r.Name, Labels: r.Labels})
			}
			return all
		},
	})
	for alerts := readAlerts(n); len(alerts) > 0; {
		batch := alerts[:min(1000, len(alerts))]
		if got := a.take(context.Background(), batch, "v2"); got != (receipt{}) {
			tb.Fatalf("%+v", got)
		}
		alerts = alerts[len(batch):]
	}
	return a
}

// A counted answer is read by nobody.
type counted struct {
	header http.Header
	status int
	bytes  int
}

func (c *counted) Header() http.Header { return c.header }
func (c *counted) WriteHeader(status int) {
	c.status = status
}

func (c *counted) Write(b []byte) (int, error) {
	c.bytes += len(b)
	return len(b), nil
}

// BenchmarkRead looks at 100,000 alerts: at all of them, at those of one name (half a percent) and at those of one receiver,
// and at all of them under a thousand silences that are about none of them.
func BenchmarkRead(b *testing.B) {
	const n = 100_000
	a := readHouse(b, n)
	read := func(name, path string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			defer perAlert(b, n)()
			var c counted
			for b.Loop() {
				c = counted{header: http.Header{}}
				a.ServeHTTP(&c, httptest.NewRequest(http.MethodGet, path, nil))
			}
			b.ReportMetric(float64(c.bytes), "bytes")
		})
	}
	filtered := func(text string) string { return "?filter=" + url.QueryEscape(text) }
	read("alerts", "/api/v2/alerts")
	read("groups", "/api/v2/alerts/groups")
	read("alerts of a name", "/api/v2/alerts"+filtered(`alertname="KubeServiceAlert007"`))
	read("groups of a name", "/api/v2/alerts/groups"+filtered(`alertname="KubeServiceAlert007"`))
	read("alert of a pod", "/api/v2/alerts"+filtered(`pod="svc-003-6b8f7c9d54-000003-07"`))
	read("alerts by a pattern", "/api/v2/alerts"+filtered(`alertname=~"KubeServiceAlert007"`))
	read("alerts of a receiver", "/api/v2/alerts?receiver=hook-1")
	read("groups of a receiver", "/api/v2/alerts/groups?receiver=hook-1")
	for i := range 1000 {
		body := fmt.Sprintf(`{"matchers":[{"name":"service","value":"svc-%03d","isRegex":false,"isEqual":true},{"name":"pod","value":"none-%d","isRegex":false,`+
			`"isEqual":true}],"startsAt":%q,"endsAt":%q,"createdBy":"bench","comment":"mutes nothing"}`,
			i%100, i, readNow.Format(time.RFC3339), readNow.Add(time.Hour).Format(time.RFC3339))
		if rec := request(a, http.MethodPost, "/api/v2/silences", body, "Content-Type", "application/json"); rec.Code != http.StatusOK {
			b.Fatal(rec.Code, rec.Body)
		}
	}
	read("alerts under silences", "/api/v2/alerts")
}
