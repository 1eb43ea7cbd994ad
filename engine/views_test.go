package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/store"
)

// manyIncidents opens an incident for each severity in turn and resolves all but every tenth.
func manyIncidents(t *testing.T, n int) *world {
	w := newWorld(t, house(func(cfg *Config) { cfg.ReopenWindow = 0 }), 1)
	for i := range n {
		w.fire("alertname", fmt.Sprintf("%03d", i), "severity", []string{"page", "critical", "warning"}[i%3])
	}
	w.run(time.Minute)
	for i := range n {
		if i%10 != 9 {
			w.resolve("alertname", fmt.Sprintf("%03d", i), "severity", []string{"page", "critical", "warning"}[i%3])
		}
	}
	w.run(4 * time.Minute)
	return w
}

// pages reads a list page by page.
func pages(t *testing.T, w *world, f Filter, most int) (numbers []int, pages int) {
	t.Helper()
	for before := 0; ; pages++ {
		list, next, err := w.e.Incidents(ctx(), f, before, most)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > most {
			t.Fatalf("a page of %d has %d", most, len(list))
		}
		for _, v := range list {
			numbers = append(numbers, v.Number)
		}
		if next == 0 {
			return numbers, pages + 1
		}
		if before > 0 && next >= before {
			t.Fatalf("after %d comes %d", before, next)
		}
		before = next
	}
}

func TestListsOfIncidents(t *testing.T) {
	const all = 60
	w := manyIncidents(t, all)
	var want []int
	for n := all; n >= 1; n-- {
		want = append(want, n)
	}
	for _, most := range []int{1, 7, 30, 60, 61, 1000} {
		if got, _ := pages(t, w, Filter{}, most); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v", most, got)
		}
	}
	open := Filter{Status: []incident.Status{incident.Triggered, incident.Acked}}
	if got, n := pages(t, w, open, 4); !slices.Equal(got, []int{60, 50, 40, 30, 20, 10}) || n != 2 {
		t.Errorf("open are %v, on %d pages", got, n)
	}
	if got, _ := pages(t, w, Filter{Severity: []string{"sev1"}, Status: []incident.Status{incident.Resolved}}, 5); len(got) != 18 || got[0] != 58 {
		t.Errorf("resolved sev1 are %v", got)
	}
	if got, _ := pages(t, w, Filter{Policy: "crew"}, 5); len(got) != 0 {
		t.Errorf("of another policy are %v", got)
	}
	if list, next, err := w.e.Incidents(ctx(), Filter{}, 0, 0); len(list) != 0 || next != 61 || err != nil {
		t.Errorf("a page of none has %v, and next comes %d, %v", list, next, err)
	}
}

func TestWhoseIncidentsAreListed(t *testing.T) {
	w := newWorld(t, house(), 1)
	for _, name := range []string{"A", "B", "C"} {
		w.fire("alertname", name)
	}
	w.run(2 * time.Minute) // ana is paged for all
	w.must(Action{Verb: Acknowledge, Incident: "INC-2", By: "cy"})
	w.must(Action{Verb: Resolve, Incident: "INC-3", By: "cy"})
	for name, c := range map[string]struct {
		f    Filter
		want []int
	}{
		"paged":        {Filter{User: "ana"}, []int{2, 1}},
		"acknowledged": {Filter{User: "cy"}, []int{2}},
		"others":       {Filter{Others: "cy"}, []int{3, 1}},
		"nobody's":     {Filter{User: "zoe"}, nil},
		"asked for":    {Filter{Match: func(i incident.Incident) bool { return i.Labels["alertname"] != "B" }}, []int{3, 1}},
	} {
		if got, _ := pages(t, w, c.f, 1); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if triggered, acked := w.e.OpenCount(); triggered != 1 || acked != 1 {
		t.Errorf("%d and %d are open", triggered, acked)
	}
}

func TestAListLooksAtSoManyAndGoesOn(t *testing.T) {
	w := manyIncidents(t, 60) // every tenth is open
	none := Filter{Match: func(incident.Incident) bool { return false }, Look: 20}
	list, next, err := w.e.Incidents(ctx(), none, 0, 5)
	if len(list) != 0 || next != 38 || err != nil { // 20 closed ones down to 38, between which open ones cost nothing
		t.Errorf("%d, and next comes %d, %v", len(list), next, err)
	}
	one := Filter{Match: func(i incident.Incident) bool { return i.Number == 3 }, Look: 7}
	if got, n := pages(t, w, one, 5); !slices.Equal(got, []int{3}) || n < 8 {
		t.Errorf("%v on %d pages", got, n)
	}
}

func TestAlertsOfAnIncidentPageByPage(t *testing.T) {
	w := newWorld(t, house(), 1)
	hosts := []string{"a", "b", "c", "d", "e"}
	for _, host := range hosts {
		w.fire("alertname", "Lag", "host", host)
	}
	w.run(2 * time.Minute)
	w.resolve("alertname", "Lag", "host", "a")
	w.settle()
	var got []string
	for skip := 0; skip < len(hosts); skip += 2 {
		alerts, over, all, firing := w.e.AlertsOf(1, skip, 2)
		if all != 5 || firing != 4 {
			t.Errorf("%d alerts, %d of them firing", all, firing)
		}
		for _, a := range alerts {
			got = append(got, fmt.Sprint(a.Labels.Get("host"), over[a.Fingerprint()]))
		}
	}
	if !slices.Equal(got, []string{"bfalse", "cfalse", "dfalse", "efalse", "atrue"}) {
		t.Errorf("they are %q", got)
	}
	if alerts, _, all, _ := w.e.AlertsOf(2, 0, 10); len(alerts) != 0 || all != 0 {
		t.Errorf("INC-2 has %d alerts", all)
	}
}

func TestTheDeliveryLogOfATime(t *testing.T) {
	w := manyIncidents(t, 300)
	all, _, err := w.e.Attempts(ctx(), AttemptFilter{}, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	within := func(from, until time.Time) (want []Attempt) {
		for _, a := range all {
			if !a.At.Before(from) && (until.IsZero() || !a.At.After(until)) {
				want = append(want, a)
			}
		}
		return want
	}
	first, last := all[len(all)-1].At, all[0].At
	for _, from := range []time.Time{{}, first, first.Add(1), first.Add(last.Sub(first) / 3), last, last.Add(1)} {
		for _, until := range []time.Time{{}, first.Add(-1), first, first.Add(last.Sub(first) / 2), last, last.Add(time.Hour)} {
			got, next, err := w.e.Attempts(ctx(), AttemptFilter{From: from, Until: until}, 0, 1000)
			if want := within(from, until); err != nil || next != 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("%s to %s: %d lines, want %d (%v)", from, until, len(got), len(want), err)
			}
		}
	}
	for _, f := range []AttemptFilter{{To: all[0].User}, {Via: all[0].Via}, {To: "zoe"}, {Via: "pigeon"}} {
		want := 0
		for _, a := range all {
			if (f.To == "" || f.To == a.User || f.To == a.Receiver) && (f.Via == "" || f.Via == a.Via) {
				want++
			}
		}
		if got, _, _ := w.e.Attempts(ctx(), f, 0, 1000); len(got) != want {
			t.Errorf("%+v: %d lines, want %d", f, len(got), want)
		}
	}
	if got, next, _ := w.e.Attempts(ctx(), AttemptFilter{To: "zoe", Look: 10}, 0, 5); len(got) != 0 || next == 0 {
		t.Errorf("having looked at 10 there are %d lines, and next comes %d", len(got), next)
	}
}

func TestOneIncident(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.fire("alertname", "Lag", "host", "b")
	w.run(2 * time.Minute)
	w.resolve("alertname", "Lag", "host", "a")
	w.settle()
	v, err := w.e.Incident(ctx(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, a := range v.Alerts {
		alerts = append(alerts, fmt.Sprint(a.Labels.Get("host"), " over: ", v.Over[a.Fingerprint()]))
	}
	if !slices.Equal(alerts, []string{"b over: false", "a over: true"}) {
		t.Errorf("its alerts are %q", alerts)
	}
	if !v.NextAt.Equal(night.Add(5*time.Minute+30*time.Second)) || !slices.Equal(v.NextWho, []string{"bo"}) || !slices.Equal(v.Paged, []string{"ana"}) || v.Urgency != "high" {
		t.Errorf("next %v at %s, paged %v, urgency %s", v.NextWho, v.NextAt, v.Paged, v.Urgency)
	}
	if _, err := w.e.Incident(ctx(), 2); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("INC-2: %v", err)
	}
	if got, err := w.e.Timeline(ctx(), 2); len(got) != 0 || got == nil || err != nil {
		t.Errorf("the timeline of INC-2 is %v, %v", got, err)
	}
}

func TestTheDeliveryLogPageByPage(t *testing.T) {
	w := manyIncidents(t, 300) // more than one stride, with gaps where members were recorded
	all, next, err := w.e.Deliveries(ctx(), "", 0, 1000)
	if err != nil || next != 0 {
		t.Fatal(next, err)
	}
	for _, most := range []int{1, 99, len(all), len(all) + 1} {
		var got []Attempt
		for before := uint64(0); ; {
			list, next, err := w.e.Deliveries(ctx(), "", before, most)
			if err != nil || len(list) > most {
				t.Fatal(len(list), err)
			}
			got = append(got, list...)
			if next == 0 {
				break
			}
			before = next
		}
		if !reflect.DeepEqual(got, all) {
			t.Errorf("in pages of %d there are %d lines, want %d", most, len(got), len(all))
		}
	}
	if !slices.IsSortedFunc(all, func(a, b Attempt) int { return b.At.Compare(a.At) }) {
		t.Error("the newest does not come first")
	}
	one, _, err := w.e.Deliveries(ctx(), "INC-7", 0, 10)
	if err != nil || len(one) != 2 || one[0].Incident != "INC-7" {
		t.Errorf("of INC-7: %v, %v", one, err)
	}
}

func TestTheAuditLog(t *testing.T) {
	w := manyIncidents(t, 5)
	all, err := w.e.Audit(ctx(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []incident.Event
	for len(got) < len(all) {
		more, err := w.e.Audit(ctx(), uint64(len(got)), 3)
		if err != nil || len(more) == 0 || len(more) > 3 {
			t.Fatal(len(more), err)
		}
		got = append(got, more...)
	}
	if fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("in pieces %v\nwhole %v", got, all)
	}
	if none, _ := w.e.Audit(ctx(), 0, 0); len(none) != 0 {
		t.Errorf("of nothing there is %v", none)
	}
}

// TestOldHistoryGoes a few lines at a time, and with it its place in timelines; what is open keeps all of its own.
func TestOldHistoryGoes(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) { cfg.ReopenWindow = 0 }), 1)
	w.fire("alertname", "Open", "team", "manual")
	w.run(time.Minute)
	for i := range 100 {
		w.fire("alertname", fmt.Sprint(i))
	}
	w.run(2 * time.Minute)
	for i := range 100 {
		w.resolve("alertname", fmt.Sprint(i))
	}
	w.run(3 * time.Minute)
	events, attempts := w.e.core.seq, w.e.core.records
	for i := range w.e.tails {
		w.e.tails[i].keep = 50
	}
	for range 20 {
		before := w.disk.commits
		w.turn()
		if w.disk.commits > before+len(w.e.tails) {
			t.Fatalf("a turn took %d commits", w.disk.commits-before)
		}
	}
	left, err := w.e.Audit(ctx(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var own, others int
	for _, e := range left {
		if e.Incident == "INC-1" {
			own++
		} else if others++; e.Seq <= events-50 {
			t.Errorf("event %d of %d is still there", e.Seq, events)
		}
	}
	if own != 2 || others != 50 {
		t.Errorf("of INC-1 %d events are left, of the others %d", own, others)
	}
	if log, _, _ := w.e.Deliveries(ctx(), "", 0, 1000); len(log) == 0 || len(log) > 50 {
		t.Errorf("%d attempts are left of %d", len(log), attempts)
	}
	if timeline, _ := w.e.Timeline(ctx(), 1); len(timeline) != 2 {
		t.Errorf("the timeline of INC-1 is %v", timeline)
	}
	for key := range w.disk.all() {
		if rest, ok := strings.CutPrefix(key, prefTimeline); ok {
			number, _, _ := strings.Cut(rest, "/")
			if timeline, _ := w.e.Timeline(ctx(), owner(prefIncident+number)); len(timeline) == 0 {
				t.Errorf("%s leads nowhere", key)
			}
		}
	}
	// Once it is over, its lines go too, after the next start at the latest.
	w.must(Action{Verb: Resolve, Incident: "INC-1", By: "ana"})
	w.crash(0)
	for i := range w.e.tails {
		w.e.tails[i].keep = 50
	}
	w.turn()
	if timeline, _ := w.e.Timeline(ctx(), 1); len(timeline) != 2 || timeline[0].Kind != incident.ResolvedEvent {
		t.Errorf("of the timeline of INC-1 is left %v", timeline)
	}
}

func TestPruningWaitsForRoom(t *testing.T) {
	w := manyIncidents(t, 100)
	w.e.tails[0].keep = 10
	w.disk.judge = func(_ int, b store.Batch) (before, after error) {
		if len(b.Delete) > 0 {
			return store.ErrFull, nil
		}
		return nil, nil
	}
	w.turn()
	if w.e.Trouble() != "" || w.e.tails[0].first != 1 {
		t.Errorf("no room to delete is trouble: %q, and it goes on at %d", w.e.Trouble(), w.e.tails[0].first)
	}
	w.disk.judge = nil
	w.turn()
	if w.e.tails[0].first == 1 {
		t.Errorf("with room it goes on at %d", w.e.tails[0].first)
	}
}
