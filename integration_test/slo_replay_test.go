//go:build linux

package integration_test

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const replayConfig = `
route: {receiver: none}
receivers: [{name: none}]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: shop, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
slos:
  - {name: down, objective: 99.9, window: 30d, sli: {alerts: ['alertname="ShopDown"']}, by: [cluster], escalation_policy: shop}
  - name: searches
    objective: 99
    window: 28d
    sli: {prometheus: {url: "http://127.0.0.1:9", bad: 'sum(rate(bad_total[2m]))', total: 'sum(rate(all_total[2m]))'}}
    escalation_policy: shop
`

// remembering starts a real Prometheus over a past that promtool wrote.
func remembering(t *testing.T, past string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "past.txt"), past)
	write(t, filepath.Join(dir, "prometheus.yml"), "global: {scrape_interval: 1h}\n")
	data := filepath.Join(dir, "data")
	for _, name := range []string{"promtool", "prometheus"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s; install the packages that packages.txt names", err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "tsdb", "create-blocks-from", "openmetrics", filepath.Join(dir, "past.txt"), data).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+data, "--web.listen-address=127.0.0.1:0")
	cmd.Dir = dir
	p := start(t, cmd)
	line := p.saying(t, "Listening on", "address=")
	p.saying(t, "Server is ready to receive web requests")
	return field(line, "address")
}

// Would this have paged last month? The real Prometheus is asked for the past of an alert and of counts.
func TestReplayOfARealPast(t *testing.T) {
	t.Parallel()
	const samples = 6 * 60 * 4 // one each fifteen seconds, for six hours
	begin := time.Now().Add(-4 * 24 * time.Hour).Truncate(2 * time.Hour)
	at := func(i int) int64 { return begin.Unix() + int64(i)*15 }
	var past strings.Builder
	past.WriteString("# TYPE ALERTS gauge\n")
	for i := 240; i <= 360; i++ { // it fires for half an hour, from an hour after the beginning
		fmt.Fprintf(&past, "ALERTS{alertname=\"ShopDown\",alertstate=\"firing\",cluster=\"west\"} 1 %d\n", at(i))
	}
	for i := range samples {
		fmt.Fprintf(&past, "ALERTS{alertname=\"ShopDown\",alertstate=\"pending\",cluster=\"east\"} 1 %d\n", at(i))
	}
	for _, c := range []struct {
		name string
		each int
		from int
	}{{"bad", 5, 480}, {"all", 10, 0}} { // of the searches after two hours, half are bad
		fmt.Fprintf(&past, "# TYPE %s counter\n", c.name)
		for i := range samples {
			fmt.Fprintf(&past, "%s_total %d %d\n", c.name, max(i-c.from, 0)*c.each, at(i))
		}
	}
	past.WriteString("# EOF\n")
	addr := remembering(t, past.String())

	dir := t.TempDir()
	write(t, filepath.Join(dir, "midwatch.yml"), replayConfig)
	type replay struct {
		SLO    string
		Labels map[string]string
		At     []struct {
			Bad      float64 `json:"bad_seconds"`
			Consumed float64
		}
		Incidents []struct {
			Opened  time.Time
			Changes []struct{ Severity string }
		}
	}
	ask := func(name string, args ...string) []replay {
		t.Helper()
		all := append([]string{"slo", "replay", "--config.file", "midwatch.yml", "--slo", name, "--from-prometheus", "http://" + addr, "--range", "5d", "-o", "json"}, args...)
		got := command(t, dir, "MIDWATCH_URL=", all...)
		if got.code != 0 || got.errors != "" {
			t.Fatalf("%s: %+v", name, got)
		}
		var out []replay
		decode(t, got.out, &out)
		return out
	}

	down := ask("down", "--step", "15s")
	if len(down) != 1 || down[0].Labels["cluster"] != "west" {
		t.Fatalf("budgets %+v, want that of the west: the east was pending", down)
	}
	// A sample holds for five minutes in a block without marks of staleness: Prometheus' own look back.
	if bad := down[0].At[0].Bad; bad < 1800 || bad > 1800+5*60+15 {
		t.Errorf("bad for %gs, want half an hour and what Prometheus looks back", bad)
	}
	if n := down[0].Incidents; len(n) == 0 || n[0].Changes[0].Severity != "sev2" || n[0].Opened.Sub(begin.Add(time.Hour)) < 0 || n[0].Opened.Sub(begin.Add(time.Hour)) > 2*time.Minute {
		t.Errorf("incidents %+v, want one of sev2 in the second minute", n)
	}

	searches := ask("searches")
	if len(searches) != 1 || len(searches[0].Incidents) == 0 || searches[0].Incidents[0].Changes[0].Severity != "sev2" {
		t.Fatalf("got %+v, want an incident of sev2", searches)
	}
	// Four of six hours half bad: a third of the six hours' events, six hours of 28 days, of which 1% may be bad.
	if got, want := searches[0].At[0].Consumed, (1.0/3)*(6.0/(28*24))/0.01; math.Abs(got-want) > want/50 {
		t.Errorf("consumed %g, want about %g", got, want)
	}
}
