package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

func numbersOf(all []incident.Incident) string {
	var ids []string
	for _, i := range all {
		ids = append(ids, i.ID())
	}
	return fmt.Sprint(ids)
}

func TestWhatASilenceWouldPause(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A", "host", "a")
	w.fire("alertname", "A", "host", "b") // of the same incident
	w.fire("alertname", "B", "host", "a")
	w.run(time.Minute)
	about := func(name, value string) func(router.Labels) bool {
		return func(l router.Labels) bool { return l.Get(name) == value }
	}
	for _, c := range []struct{ name, value, want string }{
		{"alertname", "A", "[INC-1]"}, {"host", "a", "[INC-2]"}, {"host", "b", "[]"}, {"alertname", "C", "[]"},
	} {
		if got := numbersOf(w.e.WouldPause(about(c.name, c.value))); got != c.want {
			t.Errorf("a silence of %s=%s would pause %s, want %s", c.name, c.value, got, c.want)
		}
	}

	// With another silence beside it, the half is enough; what is paused is so already.
	w.turn(SetSilence{Silence: router.Silence{Matchers: []router.MatcherSet{{{Name: "host", Value: "a"}}}, StartsAt: w.wall(), EndsAt: w.wall().Add(time.Hour)}})
	w.run(2 * time.Minute)
	if got := numbersOf(w.e.WouldPause(about("host", "b"))); got != "[INC-1]" {
		t.Errorf("beside another one it would pause %s", got)
	}
	if got := numbersOf(w.e.WouldPause(about("alertname", "B"))); got != "[]" {
		t.Errorf("what is paused already would be paused again: %s", got)
	}
}

func TestWhichIncidentAnAlertBelongsTo(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A", "host", "a")
	w.run(time.Minute)
	a, b := set("alertname", "A", "host", "a").Fingerprint(), set("alertname", "B").Fingerprint()
	got := w.e.IncidentsOf([]uint64{a, b})
	if len(got) != 1 || got[a].ID() != "INC-1" {
		t.Errorf("%v", got)
	}
	w.resolve("alertname", "A", "host", "a")
	w.run(2 * time.Minute)
	if got := w.e.IncidentsOf([]uint64{a}); len(got) != 0 {
		t.Errorf("it is over, and still %v", got)
	}
}
