package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store/bolt"
)

// harbour is a house where each team's alerts are incidents of their own: those of team a, for ana, open at once and those of
// team b, for bo, after 600 ms; those of team old page eva first and cy two seconds later.
func harbour() *Config {
	wait, interval, repeat := model.Duration(0), model.Duration(5*time.Minute), model.Duration(4*time.Hour)
	root := &amconfig.Route{
		Receiver: "a", GroupBy: []model.LabelName{"alertname"}, GroupWait: &wait, GroupInterval: &interval, RepeatInterval: &repeat,
	}
	for _, r := range []struct {
		team string
		wait model.Duration
	}{{"b", model.Duration(600 * time.Millisecond)}, {"old", 0}} {
		m, err := labels.NewMatcher(labels.MatchEqual, "team", r.team)
		if err != nil {
			panic(err)
		}
		root.Routes = append(root.Routes, &amconfig.Route{Receiver: r.team, Matchers: amcommon.Matchers{m}, GroupBy: root.GroupBy, GroupWait: &r.wait})
	}
	return house(func(c *Config) {
		c.Routing.Root = dispatch.NewRoute(root, nil)
		for name, users := range map[string][]string{"a": {"ana", "cto"}, "b": {"bo"}, "old": {"eva", "cy"}} {
			p := escalation.Policy{Name: name}
			for _, u := range users {
				p.Steps = append(p.Steps, escalation.Step{Notify: []escalation.Target{{User: u}}, EscalateAfter: 2 * time.Second})
			}
			c.Policies[name] = p
			c.Incidents[name] = opens(name, incident.ScopeGroup, true)
		}
	})
}

func of(team string, n int, at time.Time) (all []*router.Alert) {
	for i := range n {
		all = append(all, &router.Alert{
			Labels: set("alertname", fmt.Sprintf("Storm%05d", i), "team", team), StartsAt: at, EndsAt: at.Add(time.Hour),
		})
	}
	return all
}

// TestAFloodHoldsUpNobodyElse: in the midst of thousands of groups that fall due at once, and later of thousands of steps of their
// ladders, somebody else's group falls due, and a step of somebody else's ladder. They are let out with the first turn after
// that, though the flood takes a dozen.
func TestAFloodHoldsUpNobodyElse(t *testing.T) {
	const n, turn = 3000, 100 * time.Millisecond
	w := newWorld(t, harbour(), 1)
	w.net.deaf = true
	first := map[string]time.Duration{} // page → when the first left
	opened, climbed := map[string]bool{}, map[string]bool{}
	w.watch = func(w *world, s Send) {
		d := s.Delivery
		ids := d.Incidents
		if len(d.Parts) == 0 {
			ids = []string{s.Incident.ID()}
		}
		for _, id := range ids {
			switch d.User {
			case "ana":
				opened[id] = true
			case "cto":
				climbed[id] = true
			}
		}
		if _, known := first[d.User]; !known {
			first[d.User] = w.elapsed
		}
	}
	leaves := func(user string, due time.Duration, flood map[string]bool) {
		t.Helper()
		for len(flood) < n || w.elapsed < due {
			w.turn()
			if at, left := first[user]; left {
				if at-due >= turn {
					t.Errorf("%s was to be paged at %s, and was at %s", user, due, at)
				}
				if len(flood) == n {
					t.Errorf("%s was paged when all of the flood was done", user)
				}
				return
			}
			w.elapsed += turn
		}
		t.Errorf("%s was to be paged at %s, and was not by %s", user, due, w.elapsed)
	}

	w.post(of("old", 1, w.wall())...) // cy's turn is at 2s
	w.elapsed = 1500 * time.Millisecond
	w.post(of("b", 1, w.wall())...) // bo's at 2.1s
	w.post(of("a", n, w.wall())...)
	leaves("cy", 2*time.Second, opened)
	leaves("bo", 2100*time.Millisecond, opened)

	// The flood's second step begins two seconds after each opened, from 3.5s on. Something new for bo joins in.
	delete(first, "bo")
	for len(opened) < n {
		w.turn()
		w.elapsed += turn
	}
	w.elapsed = max(w.elapsed, 6*time.Second) // late, as after a suspension: all of them are due
	b := of("b", 1, w.wall())
	b[0].Labels = set("alertname", "Another", "team", "b")
	w.post(b...)
	leaves("bo", w.elapsed+600*time.Millisecond, climbed)
	for len(climbed) < n {
		w.turn()
		w.elapsed += turn
	}
}

// A wire notes when the first page to each user was let out, and delivers all.
type wire struct {
	mu    sync.Mutex
	first map[string]time.Time
	rang  map[string]chan struct{}
	told  int // of how many incidents ana was
	want  int
	all   chan struct{}
	done  time.Time // when ana was told of all
}

func (w *wire) Cancel(string) bool { return false }

func (w *wire) Send(s Send, done func(Verdict)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := s.Delivery
	if _, known := w.first[d.User]; !known {
		w.first[d.User] = time.Now()
		if c := w.rang[d.User]; c != nil {
			close(c)
		}
	}
	if d.User == "ana" {
		if w.told += max(1, len(d.Parts)); w.told == w.want {
			w.done = time.Now()
			close(w.all)
		}
	}
	go done(Verdict{Outcome: Delivered, Answer: "ok"})
}

// BenchmarkOthersInAStorm is a storm of 5,000 incidents on a disk, in the midst of which somebody else's group falls due, and a
// step of an older incident's ladder. It tells how late these leave, and when all of the storm has been let out.
func BenchmarkOthersInAStorm(b *testing.B) {
	const n = 5000
	var answered, group, ladder, whole time.Duration
	for b.Loop() {
		b.StopTimer()
		s, err := bolt.Open(filepath.Join(b.TempDir(), "midwatch.db"), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		w := &wire{first: map[string]time.Time{}, rang: map[string]chan struct{}{"bo": make(chan struct{}), "cy": make(chan struct{})}, all: make(chan struct{}), want: n}
		e, err := Start(b.Context(), Options{Store: s, Config: harbour(), Sender: w, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		run, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(run) }()
		receive := func(alerts []*router.Alert) {
			if err := e.Receive(b.Context(), alerts); err != nil {
				b.Fatal(err)
			}
		}
		old := time.Now()
		receive(of("old", 1, old))
		<-time.After(time.Until(old.Add(1300 * time.Millisecond)))

		b.StartTimer()
		begun := time.Now()
		receive(of("b", 1, begun))
		receive(of("a", n, begun))
		answered = time.Since(begun)
		<-w.rang["bo"]
		<-w.rang["cy"]
		<-w.all
		b.StopTimer()
		whole = w.done.Sub(begun)
		group = w.first["bo"].Sub(begun.Add(600 * time.Millisecond))
		ladder = w.first["cy"].Sub(old.Add(2 * time.Second))
		stop()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(answered.Milliseconds()), "answer-ms")
	b.ReportMetric(float64(group.Milliseconds()), "group-late-ms")
	b.ReportMetric(float64(ladder.Milliseconds()), "ladder-late-ms")
	b.ReportMetric(float64(whole.Milliseconds()), "whole-ms")
}

// TestATurnTakesInNoMoreThanItCanDoSoon: many small things at once, but few that each lead to many.
func TestATurnTakesInNoMoreThanItCanDoSoon(t *testing.T) {
	for _, c := range []struct {
		what string
		in   Input
		want int // of them in a turn
	}{
		{"actions", Action{Verb: Acknowledge}, inputsPerTurn},
		{"outcomes of pages", Result{Key: "INC-1/page/1"}, inputsPerTurn},
		{"outcomes of bundles", Result{Key: bundlePrefix + "INC-1/page/1"}, 13},
		{"posts of 64 alerts", Alerts{Alerts: make([]*router.Alert, 64)}, 57},
		{"posts of 10,000 alerts", Alerts{Alerts: make([]*router.Alert, 10_000)}, 1},
	} {
		e := &Engine{queue: make(chan request, queueLength)}
		for range 1000 {
			e.queue <- request{in: c.in}
		}
		if got := len(e.take(<-e.queue)); got != c.want {
			t.Errorf("a turn takes in %d %s, want %d", got, c.what, c.want)
		}
	}
}
