package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"go.uber.org/goleak"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

func TestMain(m *testing.M) {
	compat.InitFromFlags(promslog.NewNopLogger(), featurecontrol.NoopFlags{})
	goleak.VerifyTestMain(m)
}

// routes is the configuration of every test here: team db pages people, team web has a channel, the rest has another.
const routes = `
route:
  receiver: default
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 4h
  routes:
    - {receiver: db, matchers: ['team="db"'], continue: true}
    - {receiver: web, matchers: ['team=~"web|db"'], group_by: [team], labels: {owner: "team & <web>"}}
receivers:
  - {name: default, labels: {tier: gold}}
  - {name: db}
  - {name: web, labels: {tier: "a<b"}}
inhibit_rules:
  - {source_matchers: ['severity="down"'], target_matchers: ['severity="slow"'], equal: [cluster]}
`

// A world is the API over a real engine, in a synctest bubble: time passes only while everybody waits.
type world struct {
	*testing.T
	api     *API
	engine  *engine.Engine
	store   *flakyStore
	letters *letters
	conf    *config.Config
}

// start begins a world in which the engine runs.
func start(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := build(t, change...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine ended: %v", err)
		}
	})
	return w
}

// build makes a world in which the engine does not run: what is asked of it waits.
func build(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	conf, err := config.Load(routes)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, letters: &letters{}, conf: conf, store: &flakyStore{Store: store.NewMemory()}}
	began := time.Now()
	w.engine, err = engine.Start(context.Background(), engine.Options{
		Store: w.store, Sender: w.letters, Config: engineConfig(t, conf),
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(began)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Engine:    w.engine,
		ValidName: func(name string) bool { return compat.IsValidLabelName(model.LabelName(name)) },
		Status: func() Status {
			return Status{Config: conf.String(), Started: began, Version: Version{Version: "0.34.2"}}
		},
		Receivers: func() (all []Receiver) {
			for _, r := range conf.Receivers {
				all = append(all, Receiver{Name: r.Name, Labels: r.Labels})
			}
			return all
		},
		IncidentURL: func(id string) string { return "http://midwatch.test/incidents/" + id },
	}
	for _, f := range change {
		f(&o)
	}
	w.api = New(o)
	return w
}

// inhibition is the rules of the configuration.
func inhibition(conf *config.Config) (rules []router.InhibitRule) {
	for _, r := range conf.InhibitRules {
		rules = append(rules, router.InhibitRule{
			Source: labels.Matchers(r.SourceMatchers), Target: labels.Matchers(r.TargetMatchers), Equal: r.Equal,
		})
	}
	return rules
}

func engineConfig(t *testing.T, conf *config.Config) *engine.Config {
	t.Helper()
	primary, err := oncall.New(oncall.Spec{
		Name: "db-primary", Zone: time.UTC,
		Layers: []oncall.Layer{{Name: "weekly", Rotation: oncall.Rotation{
			Turns: [][]string{{"ana"}, {"bo"}}, Start: civil(t, "1999-12-27 09:00"), Every: oncall.Every{N: 1, Unit: oncall.Week},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	user := func(name, full, zone string) engine.User {
		rules := []escalation.Rule{{Via: []string{"chat"}}}
		return engine.User{Name: name, FullName: full, TimeZone: zone, Methods: []engine.Method{{Name: "chat"}}, High: rules, Low: rules}
	}
	return &engine.Config{
		Routing: router.Options{
			Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{},
			Inhibit: inhibition(conf), ResolveTimeout: time.Duration(conf.Global.ResolveTimeout),
		},
		Users: map[string]engine.User{
			"ana": user("ana", "Ana Duarte", "Europe/Lisbon"), "bo": user("bo", "", ""), "cy": user("cy", "", ""),
		},
		Schedules: map[string]*oncall.Schedule{"db-primary": primary},
		Policies: map[string]escalation.Policy{
			"db": {Name: "db", Steps: []escalation.Step{
				{Notify: []escalation.Target{{Schedule: "db-primary"}}, EscalateAfter: 5 * time.Minute},
				{Notify: []escalation.Target{{User: "cy"}}, EscalateAfter: 10 * time.Minute},
			}},
			"web": {Name: "web", Steps: []escalation.Step{{Notify: []escalation.Target{{User: "bo"}}}}},
		},
		Paging:       escalation.Paging{CatchAll: escalation.Target{User: "cy"}},
		ReopenWindow: 15 * time.Minute,
		Incidents: map[string]engine.IncidentConfig{"db": {
			Policy: "db", Scope: incident.ScopeGroup, AutoResolve: true,
			Title: func(s engine.Subject) string { return s.Alerts[0].Annotations.Get("summary") },
		}},
		Severity: func(label string) string {
			if label == "warning" {
				return "sev3"
			}
			return "sev2"
		},
	}
}

func civil(t *testing.T, s string) oncall.Civil {
	t.Helper()
	c, err := oncall.ParseCivil(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pass lets virtual time go by.
func (w *world) pass(d time.Duration) { time.Sleep(d) }

// do makes one request.
func (w *world) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	return request(w.api, method, target, body, header...)
}

func request(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, from)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// want makes a request, checks the status and reads the answer.
func (w *world) want(status int, method, path, body string, into any) {
	w.Helper()
	rec := w.do(method, path, body)
	if rec.Code != status {
		w.Fatalf("%s %s: %d %s, want %d", method, path, rec.Code, rec.Body, status)
	}
	if into != nil {
		reflect.ValueOf(into).Elem().SetZero() // what is absent must not be left over from before
		if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
		}
	}
}

// refused makes a request that our API must not take.
func (w *world) refused(status int, method, path, body string) Problem {
	w.Helper()
	var got struct{ Error Problem }
	w.want(status, method, path, body, &got)
	if got.Error.Message == "" || got.Error.Code == "" {
		w.Errorf("%s %s: no code or message in %+v", method, path, got)
	}
	return got.Error
}

// lag fires the alert that pages people, and waits until they are.
const lag = `[{"labels":{"alertname":"ReplicationLag","team":"db","severity":"critical"},"annotations":{"summary":"replica is behind"},"endsAt":"2000-01-02T00:00:00Z"}]`

func (w *world) lag() {
	w.Helper()
	w.want(200, "POST", "/api/v2/alerts", lag, nil)
	w.pass(31 * time.Second)
}

// letters is a Sender that keeps what it is given, and delivers all of it.
type letters struct {
	mu   sync.Mutex
	sent []engine.Send
	says func(engine.Send) engine.Verdict // nil: it is delivered
}

func (l *letters) Send(s engine.Send, done func(engine.Verdict)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, s)
	if l.says != nil {
		go done(l.says(s))
		return
	}
	go done(engine.Verdict{Outcome: engine.Delivered, Answer: "202 Accepted", Latency: 12 * time.Millisecond})
}

func (l *letters) Cancel(string) bool { return false }

// to names whom the letters went to, in order.
func (l *letters) to() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		names = append(names, s.Delivery.User)
	}
	return slices.Clone(names)
}

// flakyStore can run out of room.
type flakyStore struct {
	store.Store
	full atomic.Bool
}

func (s *flakyStore) Commit(ctx context.Context, b store.Batch) error {
	if s.full.Load() {
		return store.ErrFull
	}
	return s.Store.Commit(ctx, b)
}

// exposed is what a scrape of these metrics gives, as text.
func exposed(reg *prometheus.Registry, names ...string) string {
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	var lines strings.Builder
	for line := range strings.Lines(rec.Body.String()) {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(line, name) }) {
			lines.WriteString(line)
		}
	}
	return lines.String()
}
