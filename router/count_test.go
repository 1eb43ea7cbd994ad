package router

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// TestCountsAgreeWithWhatIsSaidOfEachAlert, however many there are in a shard.
func TestCountsAgreeWithWhatIsSaidOfEachAlert(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	o := d.options()
	o.Inhibit = []InhibitRule{{
		Source: labels.Matchers{{Type: labels.MatchEqual, Name: "role", Value: "source"}},
		Target: labels.Matchers{{Type: labels.MatchEqual, Name: "role", Value: "target"}},
		Equal:  []string{"n"},
	}}
	r := New(o)
	now := began
	var all []*Alert
	for i := range 3000 {
		l := Labels{{"alertname", fmt.Sprint("A", i%7)}, {"i", fmt.Sprint(i)}, {"n", fmt.Sprint(i % 50)}, {"role", []string{"source", "target", "none"}[i%3]}}
		a := &Alert{Labels: l, StartsAt: now, EndsAt: now.Add(time.Duration(i%5) * time.Hour)}
		all = append(all, a)
	}
	r.Receive(all, now)
	if _, _, err := r.SetSilence(Silence{
		Matchers: []MatcherSet{{{Name: "n", Type: labels.MatchRegexp, Value: "1.*"}}}, StartsAt: now, EndsAt: now.Add(2 * time.Hour),
	}, "s", now); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 90 * time.Minute, 3 * time.Hour, 9 * time.Hour} {
		at := now.Add(after)
		r.Elapsed(at)
		var want Count
		groups := map[string]Count{}
		for a := range r.Alerts().All() {
			if a.ResolvedAt(at) {
				continue
			}
			silenced, inhibited := r.Suppressed(a.Labels, at)
			n := 0
			if len(silenced)+len(inhibited) > 0 {
				n = 1
			}
			want = Count{want.Firing + 1, want.Suppressed + n}
			for _, g := range r.GroupsOf(a.Labels) {
				groups[g.Key] = Count{groups[g.Key].Firing + 1, groups[g.Key].Suppressed + n}
			}
		}
		if got := r.CountAlerts(at); got != want {
			t.Errorf("after %s: %+v, want %+v", after, got, want)
		}
		got := map[string]Count{}
		for key, n := range r.CountGroups(at) {
			if n.Firing > 0 {
				got[key] = n
			}
		}
		if !maps.Equal(got, groups) {
			t.Errorf("after %s: %v, want %v", after, got, groups)
		}
		if after == 0 && (want.Firing == 0 || want.Suppressed == 0 || want.Firing == want.Suppressed) {
			t.Errorf("%+v proves nothing", want)
		}
	}
}

// TestWhoKeepsAnAlertQuiet is known with its labels.
func TestWhoKeepsAnAlertQuiet(t *testing.T) {
	d := world(t, plainRoute, map[string]string{"db": "webhook"})
	o := d.options()
	o.Inhibit = []InhibitRule{{
		Source: labels.Matchers{{Type: labels.MatchEqual, Name: "alertname", Value: "Node"}},
		Target: labels.Matchers{{Type: labels.MatchEqual, Name: "alertname", Value: "Disk"}},
	}}
	r := New(o)
	disk, node := Labels{{"alertname", "Disk"}}, Labels{{"alertname", "Node"}}
	r.Receive([]*Alert{
		{Labels: disk, StartsAt: began, EndsAt: began.Add(time.Hour)}, {Labels: node, StartsAt: began, EndsAt: began.Add(time.Minute)},
	}, began)
	if by := r.InhibitedBy(disk, began); by == nil || !by.Labels.Equal(node) {
		t.Errorf("by %v", by)
	}
	for _, c := range []struct {
		l  Labels
		at time.Time
	}{{node, began}, {disk, began.Add(time.Minute)}, {Labels{{"alertname", "Unknown"}}, began}} {
		if by := r.InhibitedBy(c.l, c.at); by != nil {
			t.Errorf("%s is kept quiet by %s at %s", c.l, by.Labels, c.at)
		}
	}
}

func BenchmarkCountAlerts(b *testing.B) {
	r := benchRouter(b, "cluster")
	r.Receive(benchAlerts(100_000), began)
	if _, _, err := r.SetSilence(Silence{
		Matchers: []MatcherSet{{{Name: "alertname", Value: "Alert7"}}}, StartsAt: began, EndsAt: began.Add(2 * time.Hour),
	}, "s", began); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.CountAlerts(began)
	}
}
