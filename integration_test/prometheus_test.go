//go:build linux

package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A database is a thing that Prometheus watches: a page of metrics with one gauge that the test turns.
type database struct {
	addr string
	lag  atomic.Int64 // seconds
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	d := &database{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE replication_lag_seconds gauge\nreplication_lag_seconds %d\n", d.lag.Load())
	}))
	t.Cleanup(s.Close)
	d.addr = s.Listener.Addr().String()
	return d
}

const prometheusConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["MIDWATCH"]}]
scrape_configs:
  - job_name: postgres
    static_configs:
      - targets: ["DATABASE"]
    relabel_configs:
      - {target_label: instance, replacement: db-1}
`

const prometheusRules = `
groups:
  - name: db
    rules:
      - alert: ReplicationLag
        expr: replication_lag_seconds > 30
        for: 0s
        labels: {severity: critical, service: db}
        annotations:
          summary: 'Replication of {{ $labels.instance }} is {{ $value }} s behind'
          runbook_url: https://runbooks.example.org/replication-lag
`

// watch starts a real Prometheus that watches the database and tells the address, which may be http://host:port.
func watch(t testing.TB, d *database, addr string) *process {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("%s; install the packages that packages.txt names", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	write(t, config, fill(prometheusConfig, "MIDWATCH", strings.TrimPrefix(addr, "http://"), "DATABASE", d.addr))
	write(t, filepath.Join(dir, "rules.yml"), prometheusRules)
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	cmd.Dir = dir
	p := start(t, cmd)
	p.saying(t, "Server is ready to receive web requests")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("prometheus said:\n%s", p.log.tail(30))
		}
	})
	return p
}

func TestPrometheusFiresAndResolves(t *testing.T) {
	t.Parallel()
	manager := chatter(t)
	manager.be(func(_ hit, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	d := newDatabase(t)
	watch(t, d, manager.URL)

	last := func() (a alert) {
		for _, h := range manager.got() {
			var alerts []alert
			decode(t, h.Body, &alerts)
			a = alerts[len(alerts)-1]
		}
		return a
	}
	if n := len(manager.got()); n != 0 {
		t.Fatalf("it told of %d alerts while all was well", n)
	}
	d.lag.Store(93)
	manager.awaitHits(t, "an alert", 1)
	firing := last()
	if got, want := firing.Annotations["summary"], "Replication of db-1 is 93 s behind"; got != want {
		t.Errorf("the alert says %q, want %q", got, want)
	}
	if !firing.EndsAt.After(firing.StartsAt) {
		t.Errorf("it fires from %s to %s", firing.StartsAt, firing.EndsAt)
	}
	d.lag.Store(0)
	await(t, "its end", func() (string, bool) {
		a := last()
		return pretty(a), !a.EndsAt.IsZero() && a.EndsAt.Before(firing.EndsAt)
	})
}
