package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// manyAlerts are pages over an engine with 100,000 alerts in 5,000 groups, as many remembered, and 200 silences.
func manyAlerts(b *testing.B) *Pages {
	b.Helper()
	conf, err := config.Load("route: {receiver: db, group_by: [alertname, cluster, service], routes: [{matchers: ['team=\"t1\"'], receiver: web}]}\nreceivers: [{name: db}, {name: web}]\n")
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	e, err := engine.Start(context.Background(), engine.Options{
		Store: store.NewMemory(), Sender: nobodyHears{}, Now: func() engine.Instant { return engine.Instant{Wall: now} },
		Config: &engine.Config{Routing: router.Options{Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, ended := range []bool{true, false} {
		for n := range 100 {
			var alerts, over []*router.Alert
			for i := range 1000 {
				at := n*1000 + i
				group := at / 20
				a := &router.Alert{
					Labels: router.LabelsOf(map[string]string{
						"alertname": fmt.Sprint("KubeServiceAlert", group%200), "cluster": fmt.Sprint("eu-west-", group/200%5), "service": fmt.Sprint("svc-", group/1000),
						"instance": fmt.Sprintf("10.1.%d.%d:8443", at/250, at%250), "severity": "critical", "team": fmt.Sprint("t", group%10), "job": "kube-state-metrics", "namespace": fmt.Sprint("shop-", group%7),
					}),
					Annotations: router.LabelsOf(map[string]string{"summary": "it burns its error budget", "description": "more than 5% of the requests were answered with an error", "runbook_url": "https://runbooks.example.com/svc"}),
					StartsAt:    now.Add(-time.Hour), EndsAt: now.Add(time.Hour), GeneratorURL: "https://prometheus.example.com/graph?g0.expr=up",
				}
				alerts = append(alerts, a)
				o := *a
				o.EndsAt = now
				over = append(over, &o)
			}
			if _, err := e.Step(engine.Alerts{Alerts: alerts}); err != nil {
				b.Fatal(err)
			}
			if ended {
				if _, err := e.Step(engine.Alerts{Alerts: over}); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	for n := range 200 {
		s := router.Silence{Matchers: []router.MatcherSet{{{Name: "alertname", Value: fmt.Sprint("KubeServiceAlert", n)}, {Name: "cluster", Value: "eu-west-1"}}}, StartsAt: now, EndsAt: now.Add(time.Hour)}
		if _, err := e.Step(engine.SetSilence{Silence: s}); err != nil {
			b.Fatal(err)
		}
	}
	return New(Options{Engine: e, Now: func() time.Time { return now }})
}

func BenchmarkAlertPages(b *testing.B) {
	p := manyAlerts(b)
	for _, c := range []struct{ name, path string }{
		{"groups", "/alerts"},
		{"groups further on", "/alerts?from=4000"},
		{"flat", "/alerts?view=flat"},
		{"flat further on", "/alerts?view=flat&from=8000000000000000"},
		{"of a name", "/alerts?" + qs("view", "flat", "filter", `alertname="KubeServiceAlert7"`)},
		{"by a pattern", "/alerts?" + qs("view", "flat", "filter", `alertname=~".*Alert7"`)},
		{"of a receiver", "/alerts?receiver=web"},
		{"silences", "/silences"},
		{"new silence", "/silences/new?" + qs("matchers", `alertname="KubeServiceAlert7"`)},
		{"new silence of all", "/silences/new?" + qs("matchers", `severity="critical"`)},
		{"routes", "/routes"},
		{"status", "/status"},
	} {
		b.Run(c.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				rec := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, c.path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				p.ServeHTTP(rec, r)
				if rec.Code != 200 {
					b.Fatal(rec.Code, rec.Body)
				}
				size = rec.Body.Len()
			}
			if size > maxPage {
				b.Errorf("%d bytes", size)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
