//go:build linux

package integration_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

const countsConfig = `
route: {receiver: none}
receivers: [{name: none}]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: shop, steps: [{notify: [{user: ana}], escalate_after: 1h}]}]
paging: {catch_all: {user: ana}}
slos:
  - name: searches
    objective: 99
    window: 6h
    thresholds: [{name: fast, burn_rate: 10, long: 20m, short: 5m, severity: sev2}]
    sli: {prometheus: {url: "http://PROMETHEUS", bad: 'sum(rate(bad_total[2m]))', total: 'sum(rate(all_total[2m]))'}}
    escalation_policy: shop
    clear_for: 0s
`

// A real Prometheus has counts of which half have been bad for half an hour. Midwatch asks for all that its window holds,
// finds that the budget burns, pages, says by how much, and lets go when the time is excluded. A restart asks for no more than
// it may have lost, and changes nothing.
func TestCountsOfARealPrometheusOpenAnIncident(t *testing.T) {
	t.Parallel()
	now := time.Now()
	begin := now.Add(-3 * time.Hour)
	bad, all := 0, 0
	var badLines, allLines strings.Builder
	for at := begin; at.Before(now.Add(30 * time.Minute)); at = at.Add(15 * time.Second) { // the test may take its time
		fmt.Fprintf(&badLines, "bad_total %d %d\n", bad, at.Unix())
		fmt.Fprintf(&allLines, "all_total %d %d\n", all, at.Unix())
		all += 10
		if at.After(now.Add(-30 * time.Minute)) {
			bad += 5
		}
	}
	addr := remembering(t, "# TYPE bad counter\n"+badLines.String()+"# TYPE all counter\n"+allLines.String()+"# EOF\n")
	m := serve(t, fill(countsConfig, "PROMETHEUS", addr))

	opened := m.awaitIncident("INC-1", "ana is paged", func(i incident) bool { return i.count("page") == 1 })
	if opened.Severity != "sev2" || !strings.HasPrefix(opened.Title, "searches") {
		t.Errorf("%s of %s, want searches of sev2\n%s", opened.Title, opened.Severity, opened.trace())
	}
	type status struct {
		SLOs []struct {
			Name      string
			Remaining float64
			Burn      map[string]float64
			Active    []string
			Incidents []string
			Doubts    []string
		} `json:"slos"`
	}
	stands := func() (s status) {
		m.read("/api/midwatch/v1/slos", &s)
		if len(s.SLOs) != 1 {
			t.Fatalf("budgets %+v, want one", s.SLOs)
		}
		return s
	}
	m.wants(0, []string{"slo", "status"}, "searches", "99% in 6h", "fast", "INC-1")
	is := stands().SLOs[0]
	if math.Abs(is.Burn["20m"]-50) > 0.5 || math.Abs(is.Burn["5m"]-50) > 0.5 {
		t.Errorf("it burns %v, want 50 in both windows: half of the events are bad, and a hundredth may be", is.Burn)
	}
	// Half of half an hour is bad, of the 3.6 minutes that may be in six hours. The newest minutes, three at most, are not asked
	// for yet.
	if least, most := 1-15/3.6, 1-13.5/3.6; is.Remaining < least-0.05 || is.Remaining > most+0.05 {
		t.Errorf("%g of the budget is left, want between %g and %g", is.Remaining, least, most)
	}
	if fmt.Sprint(is.Active, is.Incidents) != "[fast] [INC-1]" {
		t.Errorf("active %v, incidents %v", is.Active, is.Incidents)
	}

	if len(is.Doubts) != 0 {
		t.Errorf("doubts %q", is.Doubts)
	}

	m.kill()
	m.start()
	// The newest minutes may not have been kept, and are asked for again; one more may be over meanwhile.
	await(t, "the budget as it was", func() (string, bool) {
		again := stands().SLOs[0].Remaining
		return fmt.Sprintf("%g, before it %g", again, is.Remaining), again <= is.Remaining && again > is.Remaining-0.5/3.6-0.01
	})

	add := []string{"slo", "correct", "add", "--slo", "searches", "--by", "ana", "--reason", "a crawler of ours", "--from", now.Add(-time.Hour).UTC().Format(time.RFC3339), "--to", now.Add(time.Hour).UTC().Format(time.RFC3339)}
	m.wants(0, add, "CORR-1")
	over := m.awaitIncident("INC-1", "the end", func(i incident) bool { return i.Status == "resolved" })
	for kind, want := range map[string]int{"incident_opened": 1, "incident_reopened": 0, "slo_breached": 1, "slo_cleared": 1, "page": 1} {
		if got := over.count(kind); got != want {
			t.Errorf("%d times %s, want %d\n%s", got, kind, want, over.trace())
		}
	}
	if got := stands().SLOs[0].Remaining; got != 1 {
		t.Errorf("%g of the budget is left once the time is excluded, want all", got)
	}
	if got := m.metric(`midwatch_slo_budget_remaining_ratio{by="{}",slo="searches"}`); got != "1" {
		t.Errorf("the metric says that %s is left", got)
	}
	if n := len(m.incidents()); n != 1 {
		t.Errorf("%d incidents", n)
	}

	// Where nobody listens, whoever asks is told.
	m.configure(fill(countsConfig, "PROMETHEUS", "127.0.0.1:9"))
	m.post("/-/reload", "")
	await(t, "a doubt", func() (string, bool) {
		d := strings.Join(stands().SLOs[0].Doubts, "; ")
		return d, strings.Contains(d, "its counts do not come since") && strings.Contains(d, "connection refused")
	})
	m.process.saying(t, "the reload changes something", "slo searches: changed sli")
}
