//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTheComparisonWorks runs it, small: both servers must have taken in, shown and told what they were sent, and every row
// must have something of both. How fast they are is of no account here. MIDWATCH_LONG=1 runs the chapters that wait for the
// servers, too.
func TestTheComparisonWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs two servers for minutes")
	}
	dir := t.TempDir()
	midwatch := filepath.Join(dir, "midwatch")
	command(t, "go", "build", "-o", midwatch, "../cmd/midwatch")
	command(t, "../integration_test/upstream/build.sh")
	page := filepath.Join(dir, "page.md")
	only, least := "send,get,disk,overload", 25
	if os.Getenv("MIDWATCH_LONG") != "" {
		only, least = "", 38
	}
	var out, log bytes.Buffer
	code := run(t.Context(), []string{
		"-quick", "-midwatch", midwatch, "-alertmanager", "../integration_test/upstream/build/alertmanager", "-dir", dir, "-out", page,
		"-series", "2000", "-big", "4000", "-small", "1000", "-rate", "500", "-probes", "10", "-silences", "50", "-incidents", "50", "-rest", "10s", "-overload", "10s", "-only", only,
	}, &out, &log)
	t.Logf("%s%s", &log, &out)
	if code != 0 {
		t.Errorf("it ended with %d", code)
	}
	rows := strings.Split(strings.TrimSpace(out.String()), "\n")[2:]
	if len(rows) < least {
		t.Errorf("%d rows were measured", len(rows))
	}
	for _, line := range rows {
		cells := strings.Split(line, " | ")
		if len(cells) != 4 {
			t.Fatalf("%d cells in %s", len(cells), line)
		}
		alone := strings.Contains(line, "incidents") || strings.Contains(line, "messages to people") || strings.Contains(line, "overload: ") || strings.Contains(line, "disk: ")
		if cells[1] == "–" && !alone || cells[2] == "–" {
			t.Errorf("nothing was measured: %s", line)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "midwatch-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("directories are left: %v %v", left, err)
	}
	if only != "" {
		return // the page is written of all chapters
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, out.Bytes()) || !bytes.Contains(text, []byte("Alertmanager 0.34.2")) || bytes.Contains(text, []byte("{{")) {
		t.Errorf("the page is\n%s", text)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func TestAlertsAreAsPrometheusSendsThem(t *testing.T) {
	const series, outages = 12_000, 10
	l := &load{series: series, outages: outages, starts: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	body := l.batch(nil, 0, series, l.starts.Add(validity))
	if news := l.news(3); !json.Valid(news) || bytes.Count(news, []byte(`"pod"`)) != 3 {
		t.Errorf("the news are %s", news)
	}
	var list []struct {
		Labels, Annotations map[string]string
		StartsAt, EndsAt    time.Time
		GeneratorURL        string
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != series {
		t.Fatalf("%d alerts, want %d", len(list), series)
	}
	sets, groups, names := map[string]bool{}, map[string]int{}, map[string]int{}
	for i, a := range list {
		sets[fmt.Sprint(a.Labels)] = true
		if !a.StartsAt.Equal(l.starts) || !a.EndsAt.Equal(l.starts.Add(validity)) || a.GeneratorURL == "" {
			t.Fatalf("alert %d is %+v", i, a)
		}
		if i < outages {
			continue
		}
		if len(a.Labels) != 10 || len(a.Annotations) != 3 {
			t.Fatalf("alert %d has %d labels and %d annotations", i, len(a.Labels), len(a.Annotations))
		}
		groups[a.Labels["alertname"]+a.Labels["cluster"]+a.Labels["service"]]++
		names[a.Labels["alertname"]]++
	}
	if len(sets) != series {
		t.Errorf("%d alerts of %d differ", len(sets), series)
	}
	if want := (series - outages + perGroup - 1) / perGroup; len(groups) != want || len(names) != alertNames {
		t.Errorf("%d groups and %d names, want %d and %d", len(groups), len(names), want, alertNames)
	}
	if size := len(body) / series; size < 700 || size > 1000 {
		t.Errorf("an alert has %d bytes", size)
	}
}

func TestTheConfigurationIsAsLargeAsSaid(t *testing.T) {
	type route struct {
		Receiver string
		Routes   []route
	}
	var got struct {
		Route     route
		Rules     []any `yaml:"inhibit_rules"`
		Receivers []struct{ Name string }
		Users     []any
	}
	text := setup{sink: "http://sink.example", wait: time.Second, interval: still, paging: true, routes: routes, rules: rules}.yaml()
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	receivers := map[string]bool{}
	for _, r := range got.Receivers {
		receivers[r.Name] = true
	}
	n := 0
	var count func(r route)
	count = func(r route) {
		n++
		if !receivers[r.Receiver] {
			t.Errorf("a route goes to %q, which there is not", r.Receiver)
		}
		for _, below := range r.Routes {
			count(below)
		}
	}
	count(got.Route)
	const besides = 3 // the root, probes and outages
	if n != routes+besides || len(got.Rules) != rules || len(got.Users) != 1 {
		t.Errorf("%d routes, %d rules, %d users, want %d, %d, 1", n-besides, len(got.Rules), len(got.Users), routes, rules)
	}
}

// However an answer arrives, every alert in it is counted once.
func TestAnAnswerIsCountedAsItIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, total := map[uint64]bool{}, 0
		var text strings.Builder
		for i := range rapid.IntRange(0, 30).Draw(t, "alerts") {
			total++
			state := rapid.SampledFrom([]string{"active", "suppressed"}).Draw(t, "state")
			if state == "active" {
				want[uint64(i)] = true
			}
			fmt.Fprintf(&text, `{"summary":%q,"fingerprint":"%016x","status":{"state":%q},"x":1}`, rapid.StringMatching(`[a-z]{0,80}`).Draw(t, "summary"), i, state)
		}
		s := &scanner{key: fingerprintKey, fingerprints: map[uint64]bool{}}
		for rest := text.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "read")
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if s.count != total || !maps.Equal(s.fingerprints, want) || s.bytes != text.Len() || s.err != nil {
			t.Fatalf("%d alerts, %d fingerprints, %d bytes, %v; want %d, %d, %d bytes", s.count, len(s.fingerprints), s.bytes, s.err, total, len(want), text.Len())
		}
	})
}

func TestMiddlesAndRatios(t *testing.T) {
	for _, c := range []struct{ got, want float64 }{
		{median([]float64{3, 1, 2}), 2},
		{median([]float64{4, 1, 2, 3}), 2.5},
		{percentile([]float64{5, 1, 4, 2, 3}, 50), 3},
		{percentile([]float64{5, 1, 4, 2, 3}, 99), 5},
		{percentile([]float64{7}, 1), 7},
		{better(10, 4, false), 2.5},
		{better(10, 40, true), 4},
		{better(4, 10, false), 0.4},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	for _, got := range []float64{median(nil), percentile(nil, 50), better(5, 0, false), better(math.NaN(), math.NaN(), false)} {
		if !math.IsNaN(got) {
			t.Errorf("%v of nothing", got)
		}
	}
}

func TestThePage(t *testing.T) {
	r := newResults(options{series: 100_000, rounds: 3, rate: 13_000, probes: 200, silences: 1000, incidents: 10_000, rest: 3 * time.Minute, tick: time.Minute, repeats: 2, changes: 10, overload: 2 * time.Minute})
	r.machine, r.program = "linux/amd64, 2 cores", [2]string{"Alertmanager 0.34.2", "Midwatch 1.2.3"}
	r.add(row{name: "CPU per alert", unit: "µs"}, theirs, 51.25, 50.04, 52.81)
	r.add(row{name: "CPU per alert", unit: "µs"}, ours, 4, 4, 4)
	r.add(row{name: "alerts taken in", unit: "/s", more: true}, theirs, 20_000)
	r.add(row{name: "alerts taken in", unit: "/s", more: true}, ours, 15_000)
	r.add(row{name: "notifications too early"}, theirs, 33, 35)
	r.add(row{name: "notifications too early"}, ours, 0)
	r.say("incidents left", ours, "%d of %d", 10, 10)
	r.count("active alerts", theirs, 70)
	r.count("active alerts", ours, 71)
	r.count(bytesOfAlerts, theirs, 100_000)
	r.count(bytesOfAlerts, ours, 100_900)
	r.count("only asked of one", ours, 1)
	r.must(true, "nothing")
	r.agree()
	const golden = "testdata/page.md"
	if *update {
		if err := os.WriteFile(golden, []byte(r.page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.page(); got != string(want) {
		t.Errorf("the page is\n%s\nwant\n%s", got, want)
	}
	r.o.quick, r.faults = true, nil
	if got := r.page(); !strings.Contains(got, "This is from `-quick`") || strings.Contains(got, "Not as it must be") {
		t.Errorf("the page is\n%s", got)
	}
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-only everything", "-only everything: there are send, get,"},
		{"-series 10", "must be at least 1000"},
		{"-rounds 0", "must be positive"},
		{"-overload 1s", "-overload must be at least 16s"},
		{"-rest 1m", "-rest at least 2m0s"},
		{"-incidents 600000", "must be from 1 to 500000"},
		{"-midwatch ./nothing", "`make bench` builds it"},
		{"-dir /dev/shm -midwatch . -alertmanager .", "in memory, where nothing is durable"},
		{"-nonsense", "not defined"},
	} {
		if strings.HasPrefix(c.args, "-dir") && !inMemory("/dev/shm") {
			continue // not everywhere is it
		}
		var out, log bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), &out, &log); code != 2 || !strings.Contains(log.String(), c.want) {
			t.Errorf("%s: %d, %s; want 2, %s", c.args, code, &log, c.want)
		}
	}
}

// A pretender takes in alerts, or says so.
type pretender struct {
	refuses int  // one of so many requests, which says when to come again
	silent  bool // it does not say
	loses   bool // the last alert of what it answers 200
	keeps   bool // what it refuses

	mu     sync.Mutex
	asked  int
	alerts map[string]map[string]any // by pod
}

func (p *pretender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodGet {
		list := []map[string]any{}
		for _, a := range p.alerts {
			if ends, _ := time.Parse(time.RFC3339, a["endsAt"].(string)); ends.After(time.Now()) {
				list = append(list, a)
			}
		}
		_ = json.NewEncoder(w).Encode(list)
		return
	}
	p.asked++
	refused := p.refuses > 0 && p.asked%p.refuses == 0
	var list []map[string]any
	_ = json.NewDecoder(r.Body).Decode(&list)
	if p.loses {
		list = list[:len(list)-1]
	}
	if !refused || p.keeps {
		for _, a := range list {
			p.alerts[a["labels"].(map[string]any)["pod"].(string)] = a
		}
	}
	if refused {
		if !p.silent {
			w.Header().Set("Retry-After", "5")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Whoever loses what it answered 200, or keeps what it refused, is found out.
func TestAFloodIsAccountedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		p      *pretender
		faults int
		silent bool
	}{
		{"honest", &pretender{}, 0, false},
		{"overloaded", &pretender{refuses: 3}, 0, false},
		{"without Retry-After", &pretender{refuses: 3, silent: true}, 0, true},
		{"forgetful", &pretender{refuses: 3, loses: true}, 1, false},
		{"takes in what it refuses", &pretender{refuses: 3, keeps: true}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.p.alerts = map[string]map[string]any{}
			fake := httptest.NewServer(c.p)
			defer fake.Close()
			client := fake.Client()
			s := &server{side: ours, address: strings.TrimPrefix(fake.URL, "http://"), client: client}
			b := &bench{results: newResults(options{})}
			f := newFlood(s, newLoad(4*floodBatch))
			defer f.client.CloseIdleConnections()
			for range 4*resolveEvery + 3 { // no wave stands where all are over
				if err := f.send(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.accounted(context.Background(), f, 0); err != nil {
				t.Fatal(err)
			}
			if len(b.faults) != c.faults || (f.silent.Load() > 0) != c.silent || (f.refused.Load() > 0) != (c.p.refuses > 0) {
				t.Errorf("faults %q, %d refused, %d of them silent", b.faults, f.refused.Load(), f.silent.Load())
			}
		})
	}
}
