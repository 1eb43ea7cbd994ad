//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// A shop counts its orders: a thousand between two scrapes, so many of which fail.
type shop struct {
	addr    string
	failing atomic.Int64 // of each thousand
	good    atomic.Int64
	bad     atomic.Int64
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		failing := s.failing.Load()
		fmt.Fprintf(w, "# TYPE shop_orders_total counter\nshop_orders_total{code=\"200\"} %d\nshop_orders_total{code=\"500\"} %d\n",
			s.good.Add(1000-failing), s.bad.Add(failing))
	}))
	t.Cleanup(server.Close)
	s.addr = server.Listener.Addr().String()
	return s
}

// The ranges of burn-rate rules, and what they are here: the same order of lengths, in seconds.
var shorter = map[string]string{
	"5m": "4s", "30m": "6s", "1h": "8s", "2h": "8s", "6h": "12s", "1d": "16s", "3d": "24s", "4d": "24s", "30d": "60s", "4w": "60s",
}

var (
	ruleRange = regexp.MustCompile(`\[[0-9]+[a-z]\]`)
	rulePause = regexp.MustCompile(`(for|interval): [0-9][0-9a-z]*`)
)

// hurried is a file of rules with shorter ranges and pauses. Names and labels stay as they are: nothing that Midwatch sees is
// another one.
func hurried(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	short := ruleRange.ReplaceAllStringFunc(string(text), func(s string) string {
		to, known := shorter[strings.Trim(s, "[]")]
		if !known {
			t.Fatalf("%s: no shorter range for %s", file, s)
		}
		return "[" + to + "]"
	})
	return rulePause.ReplaceAllString(short, "$1: 1s")
}

// judged starts a real Prometheus that watches the shop by these rules.
func judged(t testing.TB, s *shop, addr string, rules ...string) string {
	t.Helper()
	dir := t.TempDir()
	config := `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules-*.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["MIDWATCH"]}]}]}
scrape_configs: [{job_name: shop, static_configs: [{targets: ["SHOP"]}]}]
`
	write(t, filepath.Join(dir, "prometheus.yml"), fill(config, "MIDWATCH", addr, "SHOP", s.addr))
	for i, text := range rules {
		write(t, filepath.Join(dir, fmt.Sprintf("rules-%d.yml", i)), text)
	}
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
	cmd.Dir = dir
	p := start(t, cmd)
	line := p.saying(t, "Listening on", "address=")
	p.saying(t, "Server is ready to receive web requests")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("prometheus said:\n%s", p.log.tail(30))
		}
	})
	return field(line, "address")
}

// windows names the burn-rate alerts that fire in a Prometheus, by what tells them apart, in order.
func windows(t testing.TB, addr string) (firing []string) {
	t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+"/api/v1/alerts", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, text, err := do(r)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%d %v\n%s", status, err, text)
	}
	decode(t, text, &answer)
	for _, a := range answer.Data.Alerts {
		switch l := a.Labels; {
		case a.State != "firing":
		case l["sloth_severity"] != "":
			firing = append(firing, "sloth "+l["sloth_severity"])
		default:
			firing = append(firing, "pyrra "+l["severity"]+" "+l["long"])
		}
	}
	slices.Sort(firing)
	return firing
}

func awaitWindows(t testing.TB, addr string, want ...string) {
	t.Helper()
	await(t, "the windows "+strings.Join(want, ", "), func() (string, bool) {
		now := windows(t, addr)
		return strings.Join(now, ", "), slices.Equal(now, want)
	})
}

const rulesConfig = `
route: {receiver: none}
receivers: [{name: none}]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: shop, steps: [{notify: [{user: ana}], escalate_after: 1h}]}]
paging: {catch_all: {user: ana}}
slos:
  - {name: of-sloth, sli: {burn_rate_alerts: sloth}, escalation_policy: shop, clear_for: 2s}
  - {name: of-pyrra, sli: {burn_rate_alerts: pyrra}, escalation_policy: shop, clear_for: 2s}
`

// A real Prometheus judges a shop by the rules that sloth and pyrra write. However many of their windows fire, and whatever
// label tells which of them does, one outage is one incident of each: opened by the slow windows, made worse by the fast ones,
// better when these are over, and resolved when all are.
func TestBurnRateRulesOfARealPrometheus(t *testing.T) {
	t.Parallel()
	m := serve(t, rulesConfig)
	s := newShop(t)
	prom := judged(t, s, m.addr, hurried(t, "sloth.yml"), hurried(t, "pyrra.yml"))

	s.failing.Store(40) // four times what may fail
	awaitWindows(t, prom, "pyrra warning 1d", "pyrra warning 4d", "sloth ticket")
	byTool := map[string]string{}
	await(t, "two incidents", func() (string, bool) {
		all := m.incidents()
		return pretty(all), len(all) == 2
	})
	for _, i := range m.incidents() {
		tool, _, _ := strings.Cut(strings.TrimPrefix(i.Title, "of-"), " ")
		byTool[tool] = i.ID
	}
	for tool, severity := range map[string]string{"sloth": "sev4", "pyrra": "sev3"} {
		m.awaitIncident(byTool[tool], "of the slow windows", func(i incident) bool {
			return i.Severity == severity && i.count("page") == 1
		})
	}

	s.failing.Store(500)
	awaitWindows(t, prom, "pyrra critical 1h", "pyrra critical 6h", "pyrra warning 1d", "pyrra warning 4d", "sloth page", "sloth ticket")
	for _, id := range byTool {
		m.awaitIncident(id, "of the fast windows", func(i incident) bool { return i.Severity == "sev2" && i.count("page") == 2 })
	}

	s.failing.Store(0)
	awaitWindows(t, prom)
	for tool, severity := range map[string]string{"sloth": "sev4", "pyrra": "sev3"} {
		i := m.awaitIncident(byTool[tool], "the end", func(i incident) bool { return i.Status == "resolved" })
		var changes []string
		for _, e := range i.Timeline {
			if e.Event == "severity_changed" {
				changes = append(changes, e.Severity)
			}
		}
		if want := []string{"sev2", severity}; !slices.Equal(changes, want) {
			t.Errorf("%s: the severity became %q, want %q\n%s", tool, changes, want, i.trace())
		}
		for kind, want := range map[string]int{"incident_opened": 1, "incident_reopened": 0, "slo_breached": 2, "slo_cleared": 1, "page": 2} {
			if got := i.count(kind); got != want {
				t.Errorf("%s: %d times %s, want %d\n%s", tool, got, kind, want, i.trace())
			}
		}
	}
	if all := m.incidents(); len(all) != 2 {
		t.Errorf("%d incidents, want one of each tool: %s", len(all), pretty(all))
	}
}

// The recorded rules are rules, as they stand.
func TestRecordedRulesAreRules(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"sloth.yml", "pyrra.yml"} {
		out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", filepath.Join("testdata", file)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SUCCESS") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
