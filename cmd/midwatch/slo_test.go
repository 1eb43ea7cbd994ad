package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const sloConfig = `
route: {receiver: none}
receivers: [{name: none}]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: checkout, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
slos:
  - {name: checkout, objective: 99.9, window: 30d, sli: {alerts: ['alertname="CheckoutDown"', 'env=~"prod|dr"']}, by: [cluster], escalation_policy: checkout}
  - {name: down, objective: 99.9, window: 30d, sli: {alerts: ['alertname="Down"']}, escalation_policy: checkout}
  - name: search
    objective: 99
    window: 28d
    sli: {prometheus: {url: "http://127.0.0.1:9", bad: 'sum(rate(bad[1m]))', total: 'sum(rate(all[1m]))'}}
    escalation_policy: checkout
`

func inFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReplayExitCodes(t *testing.T) {
	file, intervals := inFile(t, "midwatch.yml", sloConfig), inFile(t, "intervals.json", "[]")
	broken := inFile(t, "broken.json", "[")
	for _, c := range []struct {
		want int
		args string
	}{
		{exitOK, "--slo down --intervals " + intervals},
		{exitFailed, "--slo down --intervals " + broken},
		{exitFailed, "--slo down --intervals no-such-file"},
		{exitFailed, "--slo search --intervals " + intervals},
		{exitUsage, "--slo down"},
		{exitUsage, "--slo down --at noon --intervals " + intervals},
		{exitUsage, "--slo down --draw --width 3 --intervals " + intervals},
		{exitUsage, "--slo down --time-zone Nowhere --intervals " + intervals},
		{exitUsage, "--slo down --from-prometheus ftp://127.0.0.1"},
		{exitNothing, "--slo dwon --intervals " + intervals},
		{exitUnreachable, "--slo down --from-prometheus http://127.0.0.1:9"},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"slo", "replay", "--config.file", file}, strings.Fields(c.args)...)
		if got := run(t.Context(), args, &stdout, &stderr); got != c.want {
			t.Errorf("%s: exit %d, want %d\n%s", c.args, got, c.want, &stderr)
		}
	}
}

// rememberer is a Prometheus that answers range queries about what happened so long ago, by query.
func rememberer(t *testing.T, value func(query string, ago time.Duration) map[string]float64, now time.Time) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/query_range" {
			http.NotFound(w, r)
			return
		}
		number := func(key string) float64 {
			f, err := strconv.ParseFloat(r.FormValue(key), 64)
			if err != nil {
				t.Errorf("%s: %v", key, err)
			}
			return f
		}
		start, end, step := number("start"), number("end"), number("step")
		if (end-start)/step > 11_000 {
			http.Error(w, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries"}`, http.StatusBadRequest)
			return
		}
		values := map[string][]string{}
		for at := start; at <= end; at += step {
			for metric, v := range value(r.FormValue("query"), now.Sub(time.Unix(0, int64(math.Round(at*1000))*int64(time.Millisecond)))) {
				values[metric] = append(values[metric], fmt.Sprintf(`[%.3f,"%g"]`, at, v))
			}
		}
		var series []string
		for metric, all := range values {
			series = append(series, fmt.Sprintf(`{"metric":%s,"values":[%s]}`, metric, strings.Join(all, ",")))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Join(series, ","))
	}))
	t.Cleanup(s.Close)
	return s
}

// replays runs the command against a Prometheus, and reads its answer.
func replays(t *testing.T, s *httptest.Server, args ...string) []replayed {
	t.Helper()
	var stdout, stderr bytes.Buffer
	all := append([]string{"slo", "replay", "--config.file", inFile(t, "midwatch.yml", sloConfig), "--from-prometheus", s.URL, "-o", "json"}, args...)
	if code := run(context.Background(), all, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	var out []replayed
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	return out
}

func TestReplayOfAlertsFromPrometheus(t *testing.T) {
	const want = `max by (cluster) (ALERTS{alertstate="firing", alertname="CheckoutDown", env=~"prod|dr"})`
	now := time.Now().Truncate(time.Minute)
	s := rememberer(t, func(query string, ago time.Duration) map[string]float64 {
		if query != want {
			t.Errorf("asked %s, want %s", query, want)
		}
		out := map[string]float64{}
		// Ten minutes in the west ten days ago; in the east twenty minutes over the edge of two queries, and a minute.
		if ago > 240*time.Hour && ago <= 240*time.Hour+10*time.Minute {
			out[`{"cluster":"west"}`] = 1
		}
		if ago > 120*time.Hour-10*time.Minute && ago <= 120*time.Hour+10*time.Minute || ago > time.Hour && ago <= 61*time.Minute {
			out[`{"cluster":"east"}`] = 1
		}
		return out
	}, now)
	got := replays(t, s, "--slo", "checkout", "--range", "30d")
	if len(got) != 2 || got[0].Labels["cluster"] != "east" || got[1].Labels["cluster"] != "west" {
		t.Fatalf("budgets %+v, want one of east and one of west", got)
	}
	for i, bad := range []float64{21 * 60, 10 * 60} {
		if p := got[i].At[0]; p.BadSeconds != bad {
			t.Errorf("%s: %g bad seconds now, want %g", got[i].Labels["cluster"], p.BadSeconds, bad)
		}
	}
	if n := len(got[1].Incidents); n != 1 || got[1].Incidents[0].Changes[0].Severity != "sev2" {
		t.Errorf("the west has %d incidents: %+v; want one of sev2", n, got[1].Incidents)
	}
}

func TestReplayOfCountsFromPrometheus(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	s := rememberer(t, func(query string, ago time.Duration) map[string]float64 {
		if strings.Contains(query, "all") {
			return map[string]float64{`{}`: 100}
		}
		if ago > 48*time.Hour && ago <= 48*time.Hour+time.Hour || ago == 0 {
			return map[string]float64{`{}`: 50}
		}
		return nil // what never happened has no series
	}, now)
	got := replays(t, s, "--slo", "search", "--range", "3d")
	// An hour and the newest minute in which half was bad, of 4,320 minutes that are known: its share of them, of 1% that may be bad.
	if len(got) != 1 || len(got[0].Incidents) == 0 || got[0].Incidents[0].Changes[0].Severity != "sev2" {
		t.Fatalf("got %+v, want an incident of sev2", got)
	}
	want := (30.5 / 4320) / 0.01 * (3.0 / 28)
	if c := got[0].At[0].Consumed; math.Abs(c-want) > 1e-9 {
		t.Errorf("consumed %g, want %g", c, want)
	}
}

func TestReplayOfAPrometheusThatRefuses(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory"}`)
	}))
	defer s.Close()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"slo", "replay", "--config.file", inFile(t, "midwatch.yml", sloConfig), "--slo", "down", "--from-prometheus", s.URL}, &stdout, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "execution: query processing would load too many samples") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}
