//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a large installation looks like.
const (
	manyAlerts  = 100_000
	manyOutages = 5_000
	askedOften  = 60
)

const largeConfig = `
route:
  receiver: quiet
  group_by: [alertname, cluster]
  group_wait: 1s
  routes:
    - {receiver: outages, matchers: ['severity="critical"'], group_by: [alertname, cluster, instance]}
receivers:
  - name: quiet
  - name: outages
    incident_configs: [{escalation_policy: db, title: '{{ .CommonAnnotations.summary }}'}]
users:
  - {name: ana, contact_methods: {hook: {webhook: {url: "HOOK"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "HOOK"}}}}
schedules:
  - {name: db-primary, time_zone: Europe/Lisbon, layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]}
escalation_policies:
  - {name: db, steps: [{notify: [{schedule: db-primary}], escalate_after: 2h}]}
slos:
  - {name: up, objective: 99.9, window: 30d, sli: {alerts: ['alertname="Outage1"']}, escalation_policy: db}
paging: {catch_all: {user: bo}}
`

// TestPagesInALargeInstallation measures the pages with 100,000 alerts and 5,000 open incidents, for `make pages-speed`: what the
// server takes, what goes over the wire, and when Chromium first paints. It judges sizes only, times are the machine's.
func TestPagesInALargeInstallation(t *testing.T) {
	if !long() {
		t.Skip("MIDWATCH_LONG=1 measures the pages")
	}
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	m := serve(t, fill(largeConfig, "HOOK", hook.URL))
	m.fill(manyAlerts, "warning")
	m.fill(manyOutages, "critical")
	await(t, "the last incident", func() (string, bool) {
		status, _, err := m.ask(http.MethodGet, fmt.Sprintf("/api/midwatch/v1/incidents/INC-%d", manyOutages), "")
		return fmt.Sprint(status, err), status == http.StatusOK
	})

	b := newBrowser(t)
	tb := b.open(t, "http://"+m.addr)
	tb.narrow()
	t.Logf("%-52s %9s %9s %9s %12s", "page", "p50", "p95", "gzip", "first paint")
	for _, path := range []string{
		"/", "/incidents", "/incidents?filter=instance%3D%22i-7%22", "/incidents?tab=all", "/incidents/INC-77", "/alerts", "/alerts?view=alerts",
		"/alerts?filter=cluster%3D%22c7%22", "/alerts?filter=instance%3D~%22i-77.*%22", "/silences", "/silences/new?matchers=cluster%3D%22c7%22", "/oncall", "/schedules/db-primary", "/policies", "/policies/db",
		"/routes", "/routes?trace=%7Balertname%3D%22Outage1%22%2Cseverity%3D%22critical%22%7D", "/slos", "/slos/up", "/deliveries", "/config", "/status", "/docs",
	} {
		var took []time.Duration
		size := 0
		for range askedOften {
			r, err := http.NewRequest(http.MethodGet, "http://"+m.addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", "gzip")
			r.Header.Set("Accept", "text/html")
			began := time.Now()
			res, err := web.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			took = append(took, time.Since(began))
			if size = len(body); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %v", path, res.StatusCode, err)
			}
		}
		slices.Sort(took)
		var paints []float64
		for range 5 {
			tb.goTo(path)
			paints = append(paints, look[float64](tb, `new Promise(done => { const ask = () => { const p = performance.getEntriesByName('first-contentful-paint')[0]; p ? done(p.startTime) : setTimeout(ask, 20) }; ask() })`))
		}
		slices.Sort(paints)
		t.Logf("%-52s %9s %9s %8.1fK %9.0f ms", path, took[askedOften/2].Round(100*time.Microsecond), took[askedOften*95/100].Round(100*time.Microsecond), float64(size)/1024, paints[2])
		if size > 30<<10 {
			t.Errorf("%s: %d bytes", path, size)
		}
	}
}

// fill posts so many alerts, twenty to a cluster.
func (m *midwatch) fill(n int, severity string) {
	m.t.Helper()
	const most = 500
	for from := 0; from < n; from += most {
		var all []alert
		for i := from; i < min(from+most, n); i++ {
			all = append(all, alert{
				Labels: map[string]string{
					"alertname": fmt.Sprintf("%s%d", map[string]string{"critical": "Outage", "warning": "Warning"}[severity], i%40), "cluster": fmt.Sprintf("c%d", i/20),
					"instance": fmt.Sprintf("i-%d", i), "severity": severity, "job": "node", "region": fmt.Sprintf("r%d", i%7), "team": fmt.Sprintf("t%d", i%11),
				},
				Annotations: map[string]string{"summary": fmt.Sprintf("%s on i-%d is not well", strings.ToUpper(severity), i), "description": "It has not been well for five minutes."},
				EndsAt:      time.Now().Add(time.Hour),
			})
		}
		m.fire(all...)
	}
}
