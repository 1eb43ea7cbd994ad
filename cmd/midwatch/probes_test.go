package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// A prom is all Prometheus servers there are, without a network: of a hundred events in a second ten are bad, in each cluster
// where a query asks by cluster.
type prom struct {
	mu    sync.Mutex
	asked []string
	down  bool
}

func (p *prom) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, io.ErrUnexpectedEOF
	}
	query := r.Form.Get("query")
	rate := "100"
	if strings.Contains(query, "bad") {
		rate = "10"
	}
	metrics := []string{"{}"}
	if strings.Contains(query, "by (cluster)") {
		metrics = []string{`{"cluster":"eu"}`, `{"cluster":"us"}`}
	}
	kind, series := "vector", []string{}
	note := func(format string, args ...any) {
		if rate == "100" { // the one that is asked first stands for both
			p.asked = append(p.asked, r.URL.Host+" "+query+" "+fmt.Sprintf(format, args...))
		}
	}
	if at := r.Form.Get("time"); at != "" {
		note("1")
		for _, m := range metrics {
			series = append(series, fmt.Sprintf(`{"metric":%s,"value":[%s,%q]}`, m, at, rate))
		}
	} else {
		kind = "matrix"
		first, _ := strconv.ParseFloat(r.Form.Get("start"), 64)
		last, _ := strconv.ParseFloat(r.Form.Get("end"), 64)
		var values []string
		for at := int64(first); at <= int64(last); at += 60 {
			values = append(values, fmt.Sprintf(`[%d,%q]`, at, rate))
		}
		note("%d", len(values))
		for _, m := range metrics {
			series = append(series, fmt.Sprintf(`{"metric":%s,"values":[%s]}`, m, strings.Join(values, ",")))
		}
	}
	body := fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":[%s]}}`, kind, strings.Join(series, ","))
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// heard is what was asked since the last time, with how many minutes.
func (p *prom) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

func (p *prom) fail(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = is
}

// A counting house has SLOs whose counts are asked for, and lives in a bubble.
type countingHouse struct {
	*testing.T
	store   store.Store
	prom    *prom
	engine  *engine.Engine
	probes  *probes
	stop    func()
	started time.Time
}

const countingConfig = `
route: {receiver: none}
receivers: [{name: none}]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: shop, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
slos:
  - name: searches
    objective: 99
    window: 2h
    thresholds: [{name: fast, burn_rate: 5, long: 1h, short: 5m, severity: sev2}]
    sli: {prometheus: {url: "http://one:9090", bad: 'bad', total: 'total'}}
    escalation_policy: shop
  - name: orders
    objective: 99
    window: 2h
    thresholds: [{name: fast, burn_rate: 20, long: 1h, short: 5m, severity: sev2}]
    sli: {prometheus: {url: "http://three:9090", bad: 'bad orders', total: 'orders'}}
    escalation_policy: shop
`

func (h *countingHouse) load(changes ...string) *config.Config {
	h.Helper()
	cfg, faults := config.Load([]byte(strings.NewReplacer(changes...).Replace(countingConfig)), config.Options{File: "midwatch.yml"})
	if cfg == nil {
		h.Fatal(faults)
	}
	return cfg
}

func (h *countingHouse) compiled(cfg *config.Config) *engine.Config {
	return compile(cfg, nil, nil, router.Options{})
}

// start is a start of the daemon, as far as it is about counts.
func (h *countingHouse) start(cfg *config.Config) {
	h.Helper()
	var err error
	h.engine, err = engine.Start(h.Context(), engine.Options{
		Store: h.store, Sender: postman{}, Config: h.compiled(cfg),
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(h.started)} },
	})
	if err != nil {
		h.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.engine.Run(ctx) }()
	h.probes = newProbes(h.engine, zap.NewNop())
	h.probes.wire = h.prom
	if err := h.probes.use(cfg); err != nil {
		h.Fatal(err)
	}
	h.stop = func() {
		h.probes.end()
		stop()
		if err := <-ended; err != nil {
			h.Error(err)
		}
	}
	synctest.Wait()
}

// reload is what the daemon does with a configuration read anew.
func (h *countingHouse) reload(cfg *config.Config) {
	h.Helper()
	if a := h.engine.Do(h.Context(), engine.Reload{Config: h.compiled(cfg)}); a.Err != nil {
		h.Fatal(a.Err)
	}
	if err := h.probes.use(cfg); err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
}

// stands is each budget's bad time in its window, as a share of the window; so much of it is known. Of all minutes a tenth is
// bad: whatever is counted twice, or not at all, shows.
func (h *countingHouse) stands() (lines []string) {
	for _, v := range h.engine.SLOs() {
		o := v.Rule.Objective
		bad, _ := v.Budget.Bad(o, v.Now, o.Spec().Window).Float64()
		lines = append(lines, fmt.Sprintf("%s%s %.0f of %.0f minutes", o.Name(), v.By, bad/float64(time.Minute), o.Spec().Window.Minutes()))
	}
	return lines
}

func (h *countingHouse) want(what string, got []string, want ...string) {
	h.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func countingStory(t *testing.T, tell func(h *countingHouse)) {
	synctest.Test(t, func(t *testing.T) {
		h := &countingHouse{T: t, store: store.NewMemory(), prom: &prom{}, started: time.Now()}
		h.start(h.load())
		tell(h)
		h.stop()
	})
}

// TestAReloadChangesWhatIsCounted: another server, another query, other labels and another window are asked for from then on,
// what nobody changed is asked for as ever, and no minute is counted twice.
func TestAReloadChangesWhatIsCounted(t *testing.T) {
	countingStory(t, func(h *countingHouse) {
		h.want("at the start the whole window is asked for", h.prom.heard(), "one:9090 total 120", "three:9090 orders 120")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", "searches{} 12 of 120 minutes")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(h.prom.heard()); n != 10 {
			h.Errorf("%d questions in five minutes, want one a minute of each", n)
		}

		changed := []string{"one:9090", "two:9090"}
		h.reload(h.load(changed...))
		h.want("another server is asked for the minutes that may not have been kept", h.prom.heard(), "two:9090 total 60")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", "searches{} 12 of 120 minutes")

		h.reload(h.load(changed...))
		h.want("nothing changed", h.prom.heard())

		changed = append(changed, "total: 'total'", "total: 'all'")
		h.reload(h.load(changed...))
		h.want("another query", h.prom.heard(), "two:9090 all 60")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", "searches{} 12 of 120 minutes")

		changed[3] = "total: 'all by (cluster)'"
		changed = append(changed, "bad: 'bad'", "bad: 'bad by (cluster)'", "objective: 99\n    window: 2h\n    thresholds: [{name: fast, burn_rate: 5,", "by: [cluster]\n    objective: 99\n    window: 2h\n    thresholds: [{name: fast, burn_rate: 5,")
		h.reload(h.load(changed...))
		h.want("other labels are asked for from the window's beginning", h.prom.heard(), "two:9090 all by (cluster) 120")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", `searches{cluster="eu"} 12 of 120 minutes`, `searches{cluster="us"} 12 of 120 minutes`)

		changed = append(changed, "\n    by: [cluster]\n    objective: 99\n    window: 2h", "")
		changed[7] = strings.Replace(changed[7], "2h", "4h", 1)
		h.reload(h.load(changed...))
		h.want("so is a longer window", h.prom.heard(), "two:9090 all by (cluster) 240")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", `searches{cluster="eu"} 24 of 240 minutes`, `searches{cluster="us"} 24 of 240 minutes`)

		changed[7] = strings.Replace(changed[7], "4h", "1h", 1)
		h.reload(h.load(changed...))
		h.want("a shorter one is known", h.prom.heard(), "two:9090 all by (cluster) 60")
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", `searches{cluster="eu"} 6 of 60 minutes`, `searches{cluster="us"} 6 of 60 minutes`)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(h.prom.heard()); n != 10 {
			h.Errorf("%d questions in five minutes, want one a minute of each: one that was replaced still asks", n)
		}
		all, _, err := h.engine.Incidents(h.Context(), engine.Filter{}, 0, 10)
		if err != nil {
			h.Fatal(err)
		}
		var open []string
		for _, v := range all {
			if v.Incident.Open() {
				open = append(open, v.Incident.Identity.SLO+v.Incident.Identity.By)
			}
		}
		h.want("open incidents", open, `searches{cluster="eu"}`, `searches{cluster="us"}`)
	})
}

// TestWhatWasMissedBeforeARestartIsAskedForAfterIt: while Prometheus was away, and then while Midwatch was.
func TestWhatWasMissedBeforeARestartIsAskedForAfterIt(t *testing.T) {
	countingStory(t, func(h *countingHouse) {
		h.prom.heard()
		h.prom.fail(true)
		time.Sleep(40 * time.Minute)
		synctest.Wait()
		if got := h.probes.doubt("searches"); !strings.HasPrefix(got, "its counts do not come since 2000-01-01 00:0") || !strings.Contains(got, "the query total: the Prometheus cannot be reached: http://one:9090") {
			h.Errorf("doubt %q", got)
		}
		h.stop()
		time.Sleep(10 * time.Minute)
		h.prom.fail(false)
		h.start(h.load())
		// 50 minutes, and the hour before, whose last minutes may not have been kept.
		h.want("asked", h.prom.heard(), "one:9090 total 110", "three:9090 orders 110")
		if got := h.probes.doubt("searches"); got != "" {
			h.Errorf("doubt %q, now that they come", got)
		}
		h.want("budgets", h.stands(), "orders{} 12 of 120 minutes", "searches{} 12 of 120 minutes")
	})
}
