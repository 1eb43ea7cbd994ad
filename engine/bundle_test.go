package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/store"
)

// gale lets so many incidents open at one instant, all for the ladder of receiver two.
func (w *world) gale(n int) {
	for i := range n {
		w.fire("alertname", fmt.Sprintf("Storm%02d", i))
	}
}

// outgoing writes down what leaves for people.
func (w *world) outgoing() *strings.Builder {
	var b strings.Builder
	w.watch = func(w *world, s Send) {
		d := s.Delivery
		if d.User == "" {
			return
		}
		fmt.Fprintf(&b, "%s %s %s by %s:", w.elapsed, d.Event, d.User, d.Via)
		switch {
		case len(d.Parts) > 0:
			fmt.Fprintf(&b, " %s, %d alerts", strings.Join(d.Incidents, " "), len(s.Alerts))
		default:
			fmt.Fprintf(&b, " %s", s.Incident.ID())
		}
		b.WriteByte('\n')
	}
	return &b
}

// TestMoreThanThreePagesAreOneMessage (SPEC §5.11), and up to three are as many messages. Each incident goes its own way.
func TestMoreThanThreePagesAreOneMessage(t *testing.T) {
	w := newWorld(t, house(), 1)
	said := w.outgoing()
	w.gale(3)
	w.run(time.Minute)
	same(t, said.String(), `
30s page ana by chat: INC-1
30s page ana by chat: INC-2
30s page ana by chat: INC-3`)

	w = newWorld(t, house(), 1)
	said = w.outgoing()
	w.gale(5)
	w.run(time.Minute)
	w.must(Action{Verb: Acknowledge, Incident: "INC-2", By: "ana"})
	w.run(6 * time.Minute)
	w.must(Action{Verb: Acknowledge, Incident: "INC-4", By: "bo"})
	w.run(7 * time.Minute)
	same(t, said.String(), `
30s page ana by chat: INC-1 INC-2 INC-3 INC-4 INC-5, 5 alerts
5m30s page bo by mail: INC-1 INC-3 INC-4 INC-5, 4 alerts`)
	same(t, w.story("page"), `
30s page INC-1+INC-2+INC-3+INC-4+INC-5 ana chat
5m30s page INC-1+INC-3+INC-4+INC-5 bo mail`)
	for n, want := range map[int]int{2: 1, 3: 2} {
		events, err := w.e.Timeline(ctx(), n)
		pages := 0
		for _, e := range events {
			if e.Kind == "page" {
				pages++
			}
		}
		if err != nil || pages != want {
			t.Errorf("the timeline of INC-%d has %d pages (%v)", n, pages, err)
		}
	}
	w.holdHistory()
}

// TestABundleThatFailsTriesTheNextChannelForEach of its incidents, as one message again.
func TestABundleThatFailsTriesTheNextChannelForEach(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		p := cfg.Policies["two"]
		p.Steps[0].Notify = []escalation.Target{{User: "cy"}}
		cfg.Policies["two"] = p
	}), 1)
	w.net.outcome = func(s Send, _ int) (Verdict, time.Duration) {
		if s.Delivery.Via == "chat" {
			return Verdict{Outcome: Failed, Answer: "no such channel"}, 0
		}
		return Verdict{Outcome: Delivered}, 0
	}
	said := w.outgoing()
	w.gale(4)
	w.run(time.Minute)
	same(t, said.String(), `
30s page cy by chat: INC-1 INC-2 INC-3 INC-4, 4 alerts
30s page cy by phone: INC-1 INC-2 INC-3 INC-4, 4 alerts`)
	same(t, w.story("page", "page_failed"), `
30s page_failed INC-1+INC-2+INC-3+INC-4 cy chat
30s page INC-1+INC-2+INC-3+INC-4 cy phone`)
}

// TestABundleTriedAgain is about those of its incidents that nobody has yet.
func TestABundleTriedAgain(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.outcome = func(_ Send, attempt int) (Verdict, time.Duration) {
		if attempt == 1 {
			return Verdict{Outcome: Retry, Answer: "busy", Latency: 10 * time.Second}, 10 * time.Second
		}
		return Verdict{Outcome: Delivered}, 0
	}
	said := w.outgoing()
	w.gale(5)
	w.run(35 * time.Second)
	w.must(Action{Verb: Acknowledge, Incident: "INC-2", By: "bo"})
	w.run(time.Minute)
	same(t, said.String(), `
30s page ana by chat: INC-1 INC-2 INC-3 INC-4 INC-5, 5 alerts
40s page ana by chat: INC-1 INC-3 INC-4 INC-5, 4 alerts`)
}

// TestABundleOnTheWire: who is taken care of meanwhile leaves it; when nobody is left, it is taken back; what arrived all the
// same is in the history of those that it was about.
func TestABundleOnTheWire(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.outcome = func(Send, int) (Verdict, time.Duration) {
		return Verdict{Outcome: Retry, Answer: "busy"}, 10 * time.Second
	}
	said := w.outgoing()
	w.gale(4)
	w.run(35 * time.Second)
	for n := range 3 {
		w.must(Action{Verb: Acknowledge, Incident: fmt.Sprintf("INC-%d", n+1), By: "bo"})
	}
	w.run(41 * time.Second)
	if got := strings.Count(said.String(), "bundle") + strings.Count(said.String(), "page ana"); got != 2 {
		t.Errorf("attempts:\n%s", said)
	}
	if b := w.e.core.deliveries["bundle/INC-1/1.1/ana.chat/1"]; b == nil || len(w.e.core.parts(b)) != 1 {
		t.Errorf("left are %v", w.e.core.deliveries)
	}
	w.must(Action{Verb: Acknowledge, Incident: "INC-4", By: "bo"})
	w.run(2 * time.Minute)
	if len(w.e.core.deliveries) > 0 {
		t.Errorf("left are %v", w.e.core.deliveries)
	}
	w.holdHistory()
}

// TestABundleIsSentAgainAfterACrash under its own key, and a page whose bundle was torn off leaves alone.
func TestABundleIsSentAgainAfterACrash(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.deaf = true
	var keys []string
	w.watch = func(_ *world, s Send) { keys = append(keys, s.Delivery.Key) }
	w.gale(4)
	w.run(31 * time.Second)
	w.net.deaf = false
	w.crash(time.Second)
	w.run(40 * time.Second)
	if len(keys) != 2 || keys[0] != keys[1] || !strings.HasPrefix(keys[0], "bundle/") {
		t.Errorf("keys: %q", keys)
	}
	same(t, w.story("page"), `32s page INC-1+INC-2+INC-3+INC-4 ana chat`)

	w = newWorld(t, house(), 1)
	w.net.deaf = true
	w.gale(4)
	w.run(31 * time.Second)
	if err := w.disk.Commit(ctx(), store.Batch{Delete: []string{deliveryKey("bundle/INC-1/1.1/ana.chat/1")}}); err != nil {
		t.Fatal(err)
	}
	w.net.deaf = false
	w.crash(time.Second)
	w.run(40 * time.Second)
	if got := strings.Count(w.story("page"), "ana chat"); got < 1 || len(w.e.core.deliveries) > 0 {
		t.Errorf("%s\nleft are %v", w.story("page"), w.e.core.deliveries)
	}
}

// TestAHundredPagesAreThreeMessages: a message is about forty incidents at most.
func TestAHundredPagesAreThreeMessages(t *testing.T) {
	w := newWorld(t, house(), 1)
	var sizes []int
	w.watch = func(_ *world, s Send) { sizes = append(sizes, len(s.Delivery.Parts)) }
	w.gale(100)
	w.run(time.Minute)
	if fmt.Sprint(sizes) != "[40 40 20]" {
		t.Errorf("messages about %v incidents", sizes)
	}
}
