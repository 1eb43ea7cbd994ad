package main

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/template"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/bolt"
)

const stormy = `
users:
  - {name: ana, contact_methods: {phone: {log: {}}}}
  - {name: bo, contact_methods: {phone: {log: {}}}}
route:
  receiver: ana
  group_by: [alertname]
  group_wait: 0s
  routes: [{matchers: ['team="b"'], receiver: bo, group_wait: 0s}]
receivers:
  - {name: ana, incident_configs: [{escalation_policy: ana}]}
  - {name: bo, incident_configs: [{escalation_policy: bo}]}
escalation_policies:
  - {name: ana, steps: [{notify: [{user: ana}]}]}
  - {name: bo, steps: [{notify: [{user: bo}]}]}
paging: {catch_all: {user: bo}}
`

// An ear is a phone: it notes of which incidents it hears, and in how many messages.
type ear struct {
	mu       sync.Mutex
	heard    map[string]int
	messages int
	wanted   int           // incidents
	all      chan struct{} // closed when it heard of so many
	before   func()        // each message
}

func newEar(wanted int) *ear {
	return &ear{heard: map[string]int{}, wanted: wanted, all: make(chan struct{})}
}

func (e *ear) Send(_ context.Context, m notify.Message) notify.Verdict {
	if e.before != nil {
		e.before()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.messages++
	had := len(e.heard)
	count := func(id string) { e.heard[id]++ }
	if s := m.Page.Storm; s != nil && s.Count > len(m.Page.Incidents) {
		for i := range s.Count { // those that are only counted
			if i >= len(m.Page.Incidents) {
				count(fmt.Sprintf("%s %d", m.Key, i))
			}
		}
	}
	for _, b := range m.Page.Incidents {
		count(b.Incident)
	}
	if len(m.Page.Incidents) == 0 {
		count(m.Page.Incident)
	}
	if had < e.wanted && len(e.heard) >= e.wanted {
		close(e.all)
	}
	return notify.Verdict{Answer: "rang"}
}

// storming is the daemon from its engine to its queues, with an ear for each user.
func storming(tb testing.TB, s store.Store, ana, bo *ear, happened func([]incident.Event)) *engine.Engine {
	tb.Helper()
	initMatchers(logging{}, featurecontrol.NoopFlags{})
	cfg, faults := config.Load([]byte(stormy), config.Options{File: "storm.yml"})
	if err := faults.Err(); err != nil {
		tb.Fatal(err)
	}
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		tb.Fatal(err)
	}
	tmpl.ExternalURL = mustURL("https://midwatch.example.org/")
	signer, err := notify.NewSigner(randomKey())
	if err != nil {
		tb.Fatal(err)
	}
	queues := notify.NewQueues(map[notify.Target]notify.Sender{{User: "ana", Via: "phone"}: ana, {User: "bo", Via: "phone"}: bo})
	c := &courier{queues: queues, signer: signer, store: "00", now: time.Now}
	c.use(cfg, &url.URL{Scheme: "https", Host: "midwatch.example.org"})
	queues.Summarize(c.summarize)
	endpoints, err := senders(cfg, notify.Options{Templates: tmpl}, notify.Log(nil), ana)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.Start(tb.Context(), engine.Options{Store: s, Config: compile(cfg, tmpl, endpoints, router.Options{}), Sender: c, Happened: happened})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	tb.Cleanup(func() {
		if err := queues.Close(context.Background()); err != nil {
			tb.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return e
}

func stormOf(team string, n int) (all []*router.Alert) {
	now := time.Now()
	for i := range n {
		all = append(all, &router.Alert{
			Labels:   router.LabelsOf(map[string]string{"alertname": fmt.Sprintf("Storm%05d", i), "team": team, "severity": "critical"}),
			StartsAt: now, EndsAt: now.Add(time.Hour),
		})
	}
	return all
}

// A thousand incidents for ana while her phone is slow are two messages: what was under way, and all that waited meanwhile.
// She hears of every one. Bo's page leaves while all of hers wait: her phone is done with the first when bo's has rung.
func TestAStormIsAHandfulOfMessages(t *testing.T) {
	const n = 1000
	ana, bo := newEar(n), newEar(1)
	opened, open := make(chan struct{}), 0
	queued := make(chan struct{})
	ana.before = func() {
		<-bo.all
		<-queued
	}
	e := storming(t, store.NewMemory(), ana, bo, func(events []incident.Event) {
		for _, ev := range events {
			if ev.Kind == incident.Opened {
				if open++; open == n+1 {
					close(opened)
				}
			}
		}
	})
	if err := e.Receive(t.Context(), stormOf("a", n)); err != nil {
		t.Fatal(err)
	}
	if err := e.Receive(t.Context(), stormOf("b", 1)); err != nil {
		t.Fatal(err)
	}
	<-opened
	// The next turn begins when the last one has let out what it had.
	if a := e.Do(t.Context(), engine.Action{Verb: engine.AddNote, Incident: "INC-1", By: "bo", Text: "a storm"}); a.Err != nil {
		t.Fatal(a.Err)
	}
	close(queued)
	for name, one := range map[string]*ear{"ana": ana, "bo": bo} {
		select {
		case <-one.all:
		case <-time.After(time.Minute):
			t.Fatalf("%s heard of %d incidents", name, len(one.heard))
		}
	}
	ana.mu.Lock()
	defer ana.mu.Unlock()
	if ana.messages > 2 {
		t.Errorf("ana got %d messages", ana.messages)
	}
	for id, times := range ana.heard {
		if times != 1 {
			t.Errorf("ana heard of %s %d times", id, times)
		}
	}
}

// BenchmarkStorm is 5,000 incidents at once for one person, on a disk, by a phone that takes 300 ms for a message: until she
// has heard of all. It tells how many messages that is, and how long somebody else waits whose alert comes in the middle of
// it: for the answer to the POST, and until the phone rings.
func BenchmarkStorm(b *testing.B) {
	var messages int
	var whole, other, answered time.Duration
	for b.Loop() {
		b.StopTimer()
		s, err := bolt.Open(filepath.Join(b.TempDir(), "midwatch.db"), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ana, bo := newEar(5000), newEar(1)
		ana.before = func() { time.Sleep(300 * time.Millisecond) }
		e := storming(b, s, ana, bo, nil)
		storm := stormOf("a", 5000)
		b.StartTimer()
		begun := time.Now()
		posted := make(chan error, 1)
		go func() { posted <- e.Receive(b.Context(), storm) }()
		time.Sleep(100 * time.Millisecond) // the engine is in the middle of it
		asked := time.Now()
		if err := e.Receive(b.Context(), stormOf("b", 1)); err != nil {
			b.Fatal(err)
		}
		answered = time.Since(asked)
		<-bo.all
		other = time.Since(asked)
		<-ana.all
		if err := <-posted; err != nil {
			b.Fatal(err)
		}
		whole, messages = time.Since(begun), ana.messages
	}
	b.ReportMetric(float64(messages), "messages")
	b.ReportMetric(float64(answered.Milliseconds()), "answer-ms")
	b.ReportMetric(float64(other.Milliseconds()), "other-ms")
	b.ReportMetric(float64(whole.Milliseconds()), "whole-ms")
}
