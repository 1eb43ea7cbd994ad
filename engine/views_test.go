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
