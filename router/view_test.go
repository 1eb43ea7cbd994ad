package router

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
)

func TestViewsShowWhoIsWhere(t *testing.T) {
	d := world(t, `{receiver: db, group_by: [alertname], labels: {tier: gold}, routes: [
		{matchers: ['alertname="A"'], receiver: dba, continue: true},
		{matchers: ['alertname=~"A|B"']}]}`, map[string]string{"db": "webhook", "dba": ""})
	d.hear("00:00", "A", "00:00", "00:30")
	d.hear("00:00", "B", "00:00", "00:30")
	d.hear("00:00", "C", "00:00", "00:30")
	d.clock("00:01")

	var lines []string
	for v := range d.Groups() {
		lines = append(lines, fmt.Sprintf("%s %s %s %d", v.Group.Receiver, v.Group.Key, v.RouteLabels, len(v.Alerts)))
	}
	slices.Sort(lines)
	expect(t, lines,
		`db {}/{alertname=~"A|B"}:{alertname="A"} {tier="gold"} 1`,
		`db {}/{alertname=~"A|B"}:{alertname="B"} {tier="gold"} 1`,
		`db {}:{alertname="C"} {tier="gold"} 1`,
		`dba {}/{alertname="A"}:{alertname="A"} {tier="gold"} 1`)

	var receivers []string
	for _, g := range d.GroupsOf(Labels{{"alertname", "A"}}) {
		receivers = append(receivers, g.Receiver)
		if v, ok := d.Group(g.ID); !ok || v.Alerts[0].Name() != "A" {
			t.Errorf("group %s shows %v", g.ID, v)
		}
	}
	expect(t, receivers, "dba", "db") // in the order of the file
	if got := d.GroupsOf(Labels{{"alertname", "Z"}}); len(got) != 0 {
		t.Errorf("an unknown alert is in %v", got)
	}
	if _, ok := d.Group("nobody's"); ok {
		t.Error("an unknown group was found")
	}
	for range d.Groups() {
		break // who has seen enough may stop
	}

	key := LogKey{`{}:{alertname="C"}`, "db", "webhook", 0}
	if e, ok := d.LogEntry(key); !ok || len(e.Firing) != 1 {
		t.Errorf("the log says %v", e)
	}
	if _, ok := d.LogEntry(LogKey{}); ok || len(d.LogEntries()) != 3 {
		t.Errorf("the log has %v", d.LogEntries())
	}
}

// Run with -race: the engine works, senders touch and people look, all at once.
func TestOneEngineManySendersAndReaders(t *testing.T) {
	const alerts = 200
	r := New(Options{
		Root:      dispatch.NewRoute(loadRoute(t, "{receiver: db, group_by: [n], group_wait: 1s, group_interval: 2s}", "db"), nil),
		Receivers: map[string][]Integration{"db": {{"webhook", 0, true}}},
		Inhibit:   rulesOf(t, `n="1" > n="2"`),
	})
	labelsOf := func(n int) Labels {
		return Labels{{"alertname", "A"}, {"i", fmt.Sprint(n)}, {"n", fmt.Sprint(n % 7)}}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r.Touch(&Alert{Labels: labelsOf(n % alerts), StartsAt: began, EndsAt: began.Add(time.Hour)}, began)
			}
		})
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for v := range r.Groups() {
					for _, a := range v.Alerts {
						if len(r.GroupsOf(a.Labels)) > 1 {
							t.Error("an alert is in two groups of one route")
						}
						r.Suppressed(a.Labels, began)
						r.IsSilenced(a.Labels, began)
						r.InhibitedBy(a.Labels, began)
					}
				}
				r.LogEntries()
				for _, s := range r.Silences() {
					r.Silence(s.ID)
				}
			}
		})
		wg.Go(func() {
			some := filterOf(t, `n=~"1|2|3"`)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ask := Ask{Now: began}
				if n%2 == 0 {
					ask.Labels = some
				}
				if n%3 == 0 {
					ask.Receivers = []func(string) bool{func(name string) bool { return name == "db" }}
				}
				last := uint64(0)
				for s := range r.See(ask) {
					if s.Alert.Fingerprint() < last || n%2 == 0 && !some.matches(s.Alert.Labels) {
						t.Errorf("%s is out of its place", s.Alert.Labels)
					}
					last = s.Alert.Fingerprint()
				}
				for v, alerts := range r.SeeGroups(ask) {
					for s := range alerts {
						if s.Alert.Labels.Get("n") != v.Group.Labels.Get("n") {
							t.Errorf("%s is in %s", s.Alert.Labels, v.Group.Labels)
						}
					}
				}
			}
		})
	}
	do := func(effects []Effect, now time.Time) {
		for _, n := range effectsOf[Notify](effects) {
			r.Sent(n.Ref, true, now, nil)
		}
	}
	for second := range 60 {
		now := began.Add(time.Duration(second) * time.Second)
		for n := second % 3; n < alerts; n += 3 {
			ends := now.Add(time.Minute)
			if n%5 == 0 && second%4 == 0 {
				ends = now
			}
			do(r.Receive([]*Alert{{Labels: labelsOf(n), StartsAt: began, EndsAt: ends, Timeout: true}}, now), now)
		}
		r.Committed()
		s := Silence{Matchers: []MatcherSet{{{Name: "n", Value: fmt.Sprint(second % 7)}}}, EndsAt: now.Add(5 * time.Second)}
		s.Annotations = map[string]string{ExpireWhenResolved: "true"}
		if _, effects, err := r.SetSilence(s, silenceID(second), now); err != nil {
			t.Error(err)
		} else {
			do(effects, now)
		}
		do(r.Elapsed(now), now)
		if second == 30 {
			do(r.SetRoutes(Options{
				Root:      dispatch.NewRoute(loadRoute(t, "{receiver: db, group_by: [n], group_wait: 1s, group_interval: 3s}", "db"), nil),
				Receivers: r.opts.Receivers,
				Inhibit:   rulesOf(t, `n="1" > n="3"`, `n="2" > n="4" by alertname`),
			}, now), now)
		}
	}
	close(stop)
	wg.Wait()
	audit(t, r)
}
