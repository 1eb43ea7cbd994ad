package router

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever waits, and whenever it came: each receiver's groups speak in the order in which they fell due, all of them do, and
// while somebody waits nobody else speaks for longer than the others' shares. Where few wait the order is that of the times.
func TestAThrongIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type visitor struct {
			at    time.Time
			came  int // after how many others had spoken
			made  int
			ahead int // of its own receiver's, when it came
		}
		var (
			q         throng
			receivers = rapid.IntRange(1, 5).Draw(t, "receivers")
			now       = began
			waiting   = map[*group]visitor{}
			spoken    = 0
			last      = map[string]visitor{}
			ahead     = map[string]int{} // how many of a receiver's wait
			busy      = map[string]int{} // who came, since nobody waited
			before    = visitor{at: now}
		)
		speak := func() {
			at, g, ok := q.first()
			if ok != (len(waiting) > 0) {
				t.Fatalf("%d wait, and the first is there: %v", len(waiting), ok)
			}
			if !ok {
				return
			}
			q.drop()
			v, known := waiting[g]
			if !known || !v.at.Equal(at) {
				t.Fatalf("%s speaks at %s, and was to at %s", g.ID, at, v.at)
			}
			delete(waiting, g)
			ahead[g.Receiver]--
			if l, some := last[g.Receiver]; some && (v.at.Before(l.at) || v.at.Equal(l.at) && v.made < l.made) {
				t.Fatalf("%s speaks before one of its receiver that was due before", g.ID)
			}
			last[g.Receiver] = v
			// It waits for the round under way, and for those that its receiver's own before it fill.
			if most := (v.ahead/share + 2) * share * receivers; spoken-v.came > most {
				t.Fatalf("%s waited for %d others", g.ID, spoken-v.came)
			}
			few := true
			for _, n := range busy {
				few = few && n <= share
			}
			if few && (v.at.Before(before.at) || v.at.Equal(before.at) && v.made < before.made) {
				t.Fatalf("%s is not in the order of times though few wait", g.ID)
			}
			before = v
			spoken++
			if len(waiting) == 0 {
				busy, before, last = map[string]int{}, visitor{at: began}, map[string]visitor{}
			}
		}
		made := 0
		for range rapid.IntRange(1, 30).Draw(t, "times") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "later")) * time.Second)
			receiver := fmt.Sprint(rapid.IntRange(0, receivers-1).Draw(t, "receiver"))
			for range rapid.SampledFrom([]int{1, 1, 2, share, 3 * share, 20 * share}).Draw(t, "groups") {
				made++
				g := &group{Group: Group{ID: fmt.Sprint(receiver, "/", made), Receiver: receiver}}
				q.add(now, g)
				waiting[g] = visitor{now, spoken, made, ahead[receiver]}
				ahead[receiver]++
				busy[receiver]++
			}
			for range rapid.SampledFrom([]int{0, 1, 5, 70, 500}).Draw(t, "turns") {
				speak()
			}
		}
		for len(waiting) > 0 {
			speak()
		}
		if at := q.oldest(); !at.IsZero() {
			t.Fatalf("nobody waits, and somebody does since %s", at)
		}
	})
}

// A receiver's thousand groups hold up another's by a share of them, and by no more when they are flushed a few at a time.
func TestAFloodOfOneReceiverHoldsUpNoOther(t *testing.T) {
	const config = `{receiver: a, group_by: [alertname], group_wait: 30s, group_interval: 5m, routes: [{matchers: ['team="b"'], receiver: b, group_wait: 31s}]}`
	d := peered(t, config, 0, map[string]string{"a": "webhook", "b": "webhook"})
	hear := func(name, team string) {
		at := d.time()
		d.Receive([]*Alert{{Labels: LabelsOf(map[string]string{"alertname": name, "team": team}), StartsAt: at, EndsAt: at.Add(time.Hour)}}, at)
	}
	for i := range 1000 {
		hear(fmt.Sprintf("A%04d", i), "a")
	}
	hear("B", "b")
	d.now += 40 * time.Second
	var order []string
	for since := d.Overdue(d.time()); !since.IsZero(); since = d.Overdue(d.time()) {
		if due := d.Due(); due.After(since) {
			t.Fatalf("due at %s, and something is since %s", due, since)
		}
		for _, e := range d.ElapsedSome(d.time(), 1) {
			if f, ok := e.(Flushed); ok {
				order = append(order, f.Group.Labels.Get("alertname"))
			}
		}
	}
	if len(order) != 1001 {
		t.Fatalf("%d of 1001 groups spoke", len(order))
	}
	if b := slices.Index(order, "B"); b != share {
		t.Errorf("b's spoke behind %d of a's", b)
	}
	if a := slices.DeleteFunc(order, func(name string) bool { return name == "B" }); !slices.IsSorted(a) {
		t.Error("a's groups did not speak in their order")
	}
	if due := d.Due(); !due.After(d.time()) {
		t.Errorf("all have spoken, and it is due at %s", due)
	}
	audit(t, d.Router)
}
