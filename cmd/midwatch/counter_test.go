package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// A counter is a desk before a real engine in a bubble of synctest, where time passes only while everybody waits. Policy db
// pages ana and five minutes later bo. A bubble that ends with a goroutine of ours still there fails its test.
type counter struct {
	*testing.T
	desk   *desk
	engine *engine.Engine
	store  *fullStore
	cards  atomic.Pointer[cards] // told of what happens; nil: nobody is
	stop   func()
}

// A fullStore can run out of room, and can take its time.
type fullStore struct {
	store.Store
	full atomic.Bool
	slow atomic.Int64
}

func (s *fullStore) Commit(ctx context.Context, b store.Batch) error {
	time.Sleep(time.Duration(s.slow.Load()))
	if s.full.Load() {
		return store.ErrFull
	}
	return s.Store.Commit(ctx, b)
}

const counterStore = "00000000000000aa" // the store's name

// atCounter runs a test in a bubble.
func atCounter(t *testing.T, f func(c *counter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &counter{T: t, store: &fullStore{Store: store.NewMemory()}}
		c.build()
		c.run()
		defer func() { c.stop() }()
		f(c)
	})
}

// build makes the engine and the desk from what the store has.
func (c *counter) build() {
	c.Helper()
	began := time.Now()
	var err error
	c.engine, err = engine.Start(c.Context(), engine.Options{
		Store: c.store, Sender: postman{}, Config: c.config(),
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(began)} },
		Happened: func(events []incident.Event) {
			if keeper := c.cards.Load(); keeper != nil {
				keeper.happened(events)
			}
		},
	})
	if err != nil {
		c.Fatal(err)
	}
	signer, err := notify.NewSigner(make([]byte, 32))
	if err != nil {
		c.Fatal(err)
	}
	c.desk = &desk{
		engine: c.engine, signer: signer, store: counterStore, log: zap.NewNop(), now: time.Now,
		link: func(parts ...string) string { return "https://mw.example/" + strings.Join(parts, "/") },
	}
	text := func(number string) config.Method {
		return config.Method{Name: "text", Own: &notify.SMS{Twilio: notify.Twilio{To: number}}}
	}
	call := func(number string) config.Method {
		return config.Method{Name: "call", Own: &notify.Voice{Twilio: notify.Twilio{To: number}}}
	}
	c.desk.use(&config.Config{Users: map[string]config.User{
		"ana": {FullName: "Ana Duarte", Chat: map[string]string{"slack": "U0ANA01", "telegram": "1001"}, Methods: []config.Method{text("+351911"), call("+351999")}},
		"bo":  {FullName: "Bo Ek", Chat: map[string]string{"slack": "U0BO001", "matrix": "@bo:example.org", "phone": "+46707"}, Methods: []config.Method{call("+351999"), text("+46707")}},
		"cy":  {FullName: "Bo Ek", Chat: map[string]string{"slack": "U0CY001"}, Methods: []config.Method{text("+46707")}},
	}})
}

func (c *counter) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	e := c.engine
	go func() { ended <- e.Run(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			c.Errorf("the engine ended: %v", err)
		}
		c.stop = func() {}
	}
}

func (c *counter) config() *engine.Config {
	c.Helper()
	conf, err := amconfig.Load(`
route: {receiver: db, group_by: [alertname], group_wait: 1s, group_interval: 1s}
receivers: [{name: db}]
`)
	if err != nil {
		c.Fatal(err)
	}
	first, err := oncall.ParseCivil("1999-12-25 01:00")
	if err != nil {
		c.Fatal(err)
	}
	primary, err := oncall.New(oncall.Spec{
		Name: "db-primary", Zone: time.UTC,
		Layers: []oncall.Layer{{Name: "weekly", Rotation: oncall.Rotation{
			Turns: [][]string{{"ana"}, {"bo"}}, Start: first, Every: oncall.Every{N: 1, Unit: oncall.Week},
		}}},
	})
	if err != nil {
		c.Fatal(err)
	}
	rules := []escalation.Rule{{Via: []string{"chat"}}}
	user := func(name string) engine.User {
		return engine.User{Name: name, Methods: []engine.Method{{Name: "chat"}}, High: rules, Low: rules}
	}
	return &engine.Config{
		Routing:   router.Options{Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{}},
		Users:     map[string]engine.User{"ana": user("ana"), "bo": user("bo"), "cy": user("cy")},
		Schedules: map[string]*oncall.Schedule{"db-primary": primary},
		Policies: map[string]escalation.Policy{
			"db": {Name: "db", Steps: []escalation.Step{
				{Notify: []escalation.Target{{Schedule: "db-primary"}}, EscalateAfter: 5 * time.Minute},
				{Notify: []escalation.Target{{User: "bo"}}, EscalateAfter: time.Hour},
			}},
			"lone": {Name: "lone", Steps: []escalation.Step{{Notify: []escalation.Target{{User: "cy"}, {User: "bo"}}}}},
		},
		Paging:       escalation.Paging{CatchAll: escalation.Target{User: "cy"}},
		ReopenWindow: 15 * time.Minute,
		Incidents: map[string]engine.IncidentConfig{"db": {
			Policy: "db", Scope: incident.ScopeGroup, AutoResolve: true,
			Title: func(s engine.Subject) string { return string(s.Alerts[0].Labels.Get("alertname")) + " is wrong" },
		}},
		Severity: func(string) string { return "sev2" },
	}
}

// fire lets an alert open an incident and page ana.
func (c *counter) fire(name string) { c.Helper(); c.send(name, 10*time.Hour) }

// over ends the alert.
func (c *counter) over(name string) { c.Helper(); c.send(name, 0) }

func (c *counter) send(name string, lasts time.Duration) {
	c.Helper()
	a := &router.Alert{
		Labels: router.LabelsOf(map[string]string{"alertname": name, "service": "db"}), StartsAt: time.Now().Add(-time.Second), EndsAt: time.Now().Add(lasts),
	}
	if err := c.engine.Receive(context.Background(), []*router.Alert{a}); err != nil {
		c.Fatal(err)
	}
	time.Sleep(3 * time.Second)
}

// ask puts a request to the desk.
func (c *counter) ask(service, id, words string, change ...func(*chat.Request)) chat.Reply {
	c.Helper()
	command, ok := chat.Parse(words)
	if !ok {
		c.Fatalf("%q is no command", words)
	}
	r := chat.Request{Command: command, From: chat.Person{Service: service, ID: id}, ID: words}
	for _, f := range change {
		f(&r)
	}
	return c.desk.Handle(context.Background(), r)
}

func (c *counter) ana(words string, change ...func(*chat.Request)) chat.Reply {
	c.Helper()
	return c.ask(chat.ServiceSlack, "U0ANA01", words, change...)
}

// says wants a reply with these words that was, or was not, an error.
func (c *counter) says(got chat.Reply, bad bool, want string) {
	c.Helper()
	if got.Text != want || got.Err != bad {
		c.Errorf("said %q (error: %v)\nwant %q (error: %v)", got.Text, got.Err, want, bad)
	}
}

// story is what happened to an incident since its pages, in words.
func (c *counter) story(n int) string {
	c.Helper()
	events, err := c.engine.Timeline(context.Background(), n)
	if err != nil {
		c.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		switch e.Kind {
		case incident.Opened, incident.Paged:
			continue
		}
		lines = append(lines, strings.TrimSpace(strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", e.By, e.Kind, e.User, e.Via, e.Text)), " ")))
	}
	return strings.Join(lines, "; ")
}

func (c *counter) status(n int) incident.Status {
	c.Helper()
	v, err := c.engine.Incident(context.Background(), n)
	if err != nil {
		c.Fatal(err)
	}
	return v.Status
}

// A postman delivers everything at once.
type postman struct{}

func (postman) Send(_ engine.Send, done func(engine.Verdict)) {
	go done(engine.Verdict{Outcome: engine.Delivered})
}

func (postman) Cancel(string) bool { return false }
