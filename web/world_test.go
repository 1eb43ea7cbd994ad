package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"go.uber.org/goleak"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is the pages over a real engine, in a synctest bubble: time passes only while everybody waits. ana is on call,
// then cy; policy pair wants two people. The links are "ana", "bo" and "old"; "gone" names an incident that is not there.
type world struct {
	*testing.T
	pages  *Pages
	engine *engine.Engine
	store  *flakyStore
}

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

// build makes a world in which the engine does not run.
func build(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := &world{T: t, store: &flakyStore{Store: store.NewMemory()}}
	began := time.Now()
	var err error
	w.engine, err = engine.Start(context.Background(), engine.Options{
		Store: w.store, Sender: nobodyHears{}, Config: engineConfig(t),
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(began)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Engine: w.engine, Redeem: redeem, Version: "1.2.3"}
	for _, f := range change {
		f(&o)
	}
	w.pages = New(o)
	return w
}

func redeem(token string, _ time.Time) (Grant, error) {
	switch token {
	case "ana", "bo":
		return Grant{Incident: "INC-1", User: token}, nil
	case "several":
		return Grant{Incidents: []string{"INC-1", "INC-2", "INC-99", "INC-3", "INC-4"}, User: "ana"}, nil
	case "gone":
		return Grant{Incident: "INC-99", User: "ana"}, nil
	case "old":
		return Grant{Incident: "INC-1", User: "ana"}, ErrExpired
	case "test":
		return Grant{Incident: "TEST", User: "ana", Test: true}, nil
	case "storm":
		g := Grant{User: "ana"}
		for n := range 300 {
			g.Incidents = append(g.Incidents, incident.ID(n+1))
		}
		return g, nil
	}
	return Grant{}, errors.New("the signature is wrong: " + token)
}

func engineConfig(t testing.TB) *engine.Config {
	t.Helper()
	conf, err := config.Load(`
route: {receiver: db, group_by: [alertname], group_wait: 30s}
receivers: [{name: db}]
`)
	if err != nil {
		t.Fatal(err)
	}
	first, err := oncall.ParseCivil("1999-12-25 01:00")
	if err != nil {
		t.Fatal(err)
	}
	primary, err := oncall.New(oncall.Spec{
		Name: "db-primary", Zone: time.UTC,
		Layers: []oncall.Layer{{Name: "weekly", Rotation: oncall.Rotation{
			Turns: [][]string{{"ana"}, {oncall.Nobody}}, Start: first, Every: oncall.Every{N: 1, Unit: oncall.Week},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := []escalation.Rule{{Via: []string{"chat"}}}
	user := func(name, full, zone string) engine.User {
		return engine.User{Name: name, FullName: full, TimeZone: zone, Methods: []engine.Method{{Name: "chat"}}, High: rules, Low: rules}
	}
	return &engine.Config{
		Routing: router.Options{Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{}},
		Users: map[string]engine.User{
			"ana": user("ana", "Ana Duarte", "Asia/Kolkata"), "bo": user("bo", "", ""), "cy": user("cy", "", ""),
		},
		Schedules: map[string]*oncall.Schedule{"db-primary": primary},
		Policies: map[string]escalation.Policy{"db": {Name: "db", Steps: []escalation.Step{
			{Notify: []escalation.Target{{Schedule: "db-primary"}}, EscalateAfter: 5 * time.Minute},
			{Notify: []escalation.Target{{User: "cy"}, {User: "bo"}}, EscalateAfter: 10 * time.Minute, RequireAcks: 2},
		}}},
		Paging:       escalation.Paging{CatchAll: escalation.Target{User: "cy"}},
		ReopenWindow: 15 * time.Minute,
		Incidents: map[string]engine.IncidentConfig{"db": {
			Policy: "db", Scope: incident.ScopeGroup, AutoResolve: true,
			Title: func(s engine.Subject) string { return s.Alerts[0].Annotations.Get("summary") },
		}},
		Severity: func(string) string { return "sev2" },
	}
}

// pass lets virtual time go by.
func (w *world) pass(d time.Duration) { time.Sleep(d) }

// fire lets an alert page people, and waits until it did.
func (w *world) fire(annotations map[string]string, labels ...string) {
	w.Helper()
	set := map[string]string{"alertname": "ReplicationLag", "service": "db"}
	for i := 0; i < len(labels); i += 2 {
		set[labels[i]] = labels[i+1]
	}
	a := &router.Alert{Labels: router.LabelsOf(set), Annotations: router.LabelsOf(annotations), EndsAt: time.Now().Add(30 * time.Minute)}
	if err := w.engine.Receive(context.Background(), []*router.Alert{a}); err != nil {
		w.Fatal(err)
	}
	w.pass(31 * time.Second)
}

var lag = map[string]string{"summary": "replica is behind", "runbook_url": "https://runbooks.example.org/lag?a=1&b=2", "description": "lag is 300 s"}

func (w *world) get(path string) *httptest.ResponseRecorder { return w.do("GET", path, "") }

func (w *world) do(method, path, form string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.pages.ServeHTTP(rec, r)
	return rec
}

// incident reads the state of INC-1 past the pages.
func (w *world) incident() engine.View {
	w.Helper()
	v, err := w.engine.Incident(context.Background(), 1)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// shows wants all these texts in an answer of that status.
func (w *world) shows(rec *httptest.ResponseRecorder, status int, texts ...string) {
	w.Helper()
	if rec.Code != status {
		w.Errorf("status %d, want %d", rec.Code, status)
	}
	for _, text := range texts {
		if !strings.Contains(rec.Body.String(), text) {
			w.Errorf("%q is not in\n%s", text, rec.Body)
		}
	}
}

// hides wants none of them.
func (w *world) hides(rec *httptest.ResponseRecorder, texts ...string) {
	w.Helper()
	for _, text := range texts {
		if strings.Contains(rec.Body.String(), text) {
			w.Errorf("%q is in\n%s", text, rec.Body)
		}
	}
}

// nobodyHears is a Sender that delivers everything to nowhere.
type nobodyHears struct{}

func (nobodyHears) Send(_ engine.Send, done func(engine.Verdict)) {
	go done(engine.Verdict{Outcome: engine.Delivered})
}

func (nobodyHears) Cancel(string) bool { return false }

// flakyStore can run out of room, or break for readers.
type flakyStore struct {
	store.Store
	full, unreadable atomic.Bool
}

func (s *flakyStore) Commit(ctx context.Context, b store.Batch) error {
	if s.full.Load() {
		return store.ErrFull
	}
	return s.Store.Commit(ctx, b)
}

func (s *flakyStore) Get(ctx context.Context, key string) (store.Item, error) {
	if s.unreadable.Load() {
		return store.Item{}, errors.New("input/output error")
	}
	return s.Store.Get(ctx, key)
}

var _ http.Handler = (*Pages)(nil)
