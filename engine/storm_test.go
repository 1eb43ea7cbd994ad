package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/router"
)

// A storm opens so many incidents in one POST, all for one ladder, and lets the clock go to where they open.
func storm(w *world, n int) {
	var all []*router.Alert
	for i := range n {
		all = append(all, &router.Alert{Labels: set("alertname", fmt.Sprintf("Storm%05d", i)), StartsAt: w.wall(), EndsAt: w.wall().Add(time.Hour)})
	}
	if !w.post(all...) {
		w.t.Fatalf("the storm was not taken")
	}
	w.elapsed += 30 * time.Second
}

// TestAStormReachesItsPersonAndDelaysNobody: thousands of incidents at one instant are worked off in turns of bounded
// length. Every one of them is in one message, no message is about more than maxBundle, and what somebody else is paged for
// meanwhile leaves with the turn in which it is due.
func TestAStormReachesItsPersonAndDelaysNobody(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 1500
	}
	w := newWorld(t, house(), 1)
	// The wire keeps what it gets: outcomes come later.
	w.net.deaf = true
	told := map[string]int{}
	messages := 0
	w.watch = func(w *world, s Send) {
		d := s.Delivery
		if d.User != "ana" {
			return
		}
		messages++
		if len(d.Parts) == 0 {
			told[s.Incident.ID()]++
			return
		}
		for _, id := range d.Incidents {
			told[id]++
		}
	}
	storm(w, n)
	turns, largest := 0, 0
	for due := w.e.core.Due(); !due.After(w.wall()); due = w.e.core.Due() {
		before := len(told)
		w.turn()
		turns++
		largest = max(largest, len(told)-before)
		if turns == 3 { // in the middle of it, somebody asks for cy
			w.must2(Action{Verb: AddResponder, Incident: "INC-1", User: "cy", By: "bo"})
		}
	}
	if len(told) != n {
		t.Errorf("%d of %d incidents were told of", len(told), n)
	}
	for id, times := range told {
		if times != 1 {
			t.Fatalf("%s was told of %d times", id, times)
		}
	}
	if largest > maxDuePerTurn {
		t.Errorf("one turn opened %d", largest)
	}
	if most := n/maxBundle + 2*turns; messages > most {
		t.Errorf("%d messages, at most %d", messages, most)
	}
	t.Logf("%d incidents: %d turns, %d messages let out", n, turns, messages)
}

// must2 is must without coming to rest: the storm goes on.
func (w *world) must2(a Action) {
	w.t.Helper()
	var sent []string
	was := w.watch
	w.watch = func(w *world, s Send) {
		sent = append(sent, s.Delivery.User)
		was(w, s)
	}
	answers := w.turn(a)
	w.watch = was
	if answers == nil || answers[0].Err != nil || !slices.Contains(sent, a.User) {
		w.t.Fatalf("%s was not paged in the turn in which it was asked for: %v", a.User, sent)
	}
}

// BenchmarkStorm is a storm of 5,000 incidents for one person, from the flush to the last message let out and every outcome
// taken in. It tells the messages and the longest turn, in which everybody else waits.
func BenchmarkStorm(b *testing.B) {
	var messages, turns int
	var longest, whole time.Duration
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, house(), 1)
		messages, turns, longest = 0, 0, 0
		w.watch = func(_ *world, s Send) { messages++ }
		storm(w, 5000)
		b.StartTimer()
		begun := time.Now()
		for due := w.e.core.Due(); !due.After(w.wall()); due = w.e.core.Due() {
			at := time.Now()
			if err := w.e.turn(nil); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, time.Since(at))
			turns++
		}
		at := time.Now()
		w.results()
		whole = time.Since(begun)
		b.ReportMetric(float64(time.Since(at).Milliseconds()), "results-ms")
	}
	b.ReportMetric(float64(messages), "messages")
	b.ReportMetric(float64(turns), "turns")
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-turn-ms")
	b.ReportMetric(float64(whole.Milliseconds()), "whole-ms")
}
