package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

func TestRetriesOfOneDelivery(t *testing.T) {
	d := Delivery{Created: night, GiveUp: night.Add(time.Minute)}
	for attempt, want := range map[int]time.Duration{1: 500 * time.Millisecond, 2: 750 * time.Millisecond, 3: 1125 * time.Millisecond, 40: time.Minute} {
		d.Attempts = attempt - 1
		d.GiveUp = night.Add(time.Hour)
		next, ended, _, _ := d.Step(Verdict{Outcome: Retry}, night, 0.5)
		if ended || next.Due().Sub(night) != want || next.Attempts != attempt {
			t.Errorf("after attempt %d it waits %s (%v), want %s", attempt, next.Due().Sub(night), ended, want)
		}
	}
	for jitter, want := range map[float64]time.Duration{0: 250 * time.Millisecond, 0.5: 500 * time.Millisecond, 0.75: 625 * time.Millisecond} {
		next, _, _, _ := Delivery{Created: night, GiveUp: night.Add(time.Hour)}.Step(Verdict{Outcome: Retry}, night, jitter)
		if next.Due().Sub(night) != want {
			t.Errorf("with jitter %v it waits %s, want %s", jitter, next.Due().Sub(night), want)
		}
	}
	d = Delivery{Created: night, GiveUp: night.Add(time.Minute)}
	if next, ended, _, _ := d.Step(Verdict{Outcome: Retry, RetryAfter: 40 * time.Second}, night, 0); ended || next.Due().Sub(night) != 40*time.Second {
		t.Errorf("asked to wait 40s it waits %s", next.Due().Sub(night))
	}
	_, ended, final, why := d.Step(Verdict{Outcome: Retry, RetryAfter: 2 * time.Minute, Answer: "429 Too Many Requests"}, night.Add(time.Second), 0)
	if !ended || final != Failed || why != "gave up after 1 attempts in 1s: 429 Too Many Requests" {
		t.Errorf("asked to wait too long: %v, %s, %s", ended, final, why)
	}
}

// TestAnAcknowledgementStopsTheSlowHalfOfAChannel: the board had it at once, the hook is still being tried.
func TestAnAcknowledgementStopsTheSlowHalfOfAChannel(t *testing.T) {
	w := newWorld(t, house(channelFirst), 1)
	w.fates(map[string]string{"/hook/": "busy"})
	w.fire("alertname", "Lag")
	w.run(2 * time.Minute)
	w.must(Action{Verb: Acknowledge, By: "ana"})
	w.fates(nil)
	w.run(20 * time.Minute)
	same(t, untimed(w.story()), `
incident_opened INC-1 sev2
notification INC-1 board channel 1.1
acknowledged INC-1 ana`)
	if len(w.e.core.deliveries)+len(w.e.core.families) > 0 {
		t.Errorf("left over: %v", w.e.core.deliveries)
	}
}

func TestAChannelWithNothingToSendWith(t *testing.T) {
	w := newWorld(t, house(channelFirst, func(cfg *Config) { delete(cfg.Routing.Receivers, "channel") }), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	same(t, w.story(), `
30s incident_opened INC-1 sev2
30s step_skipped INC-1 1.1
30s page INC-1 ana chat 2.1`)
}

// TestEverybodyOfAStepBeforeItsFailureIsKnown: a channel without integrations beside a person; the person is paged, and
// the step is not left.
func TestEverybodyOfAStepBeforeItsFailureIsKnown(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		two := cfg.Policies["two"]
		two.Steps[0].Notify = []escalation.Target{{Receiver: "nothing"}, {User: "ana"}}
		cfg.Policies["two"] = two
	}), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	same(t, w.story(), `
30s incident_opened INC-1 sev2
30s page INC-1 ana chat 1.1`)
}

// TestAnIntegrationThatComesBack: a reload takes it away while it is being told, another brings it back. It hears again.
func TestAnIntegrationThatComesBack(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fates(map[string]string{"": "busy"})
	w.fire("alertname", "Lag", "team", "plain")
	w.run(time.Minute)
	none := house()
	none.Routing.Receivers = map[string][]router.Integration{}
	w.turn(Reload{Config: none})
	w.settle()
	if n := len(w.e.core.deliveries); n != 0 {
		t.Errorf("%d deliveries to nobody", n)
	}
	w.fates(nil)
	w.run(7 * time.Minute)
	w.turn(Reload{Config: house()})
	w.run(20 * time.Minute)
	same(t, w.story(incident.Notification), `
10m30s notification board plain
10m30s notification hook plain`)
}

// TestAReloadLeavesWhatIsOnItsWay: groups keep their time, pages their ladder, and what is being tried goes on.
func TestAReloadLeavesWhatIsOnItsWay(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fates(map[string]string{"ana.chat": "busy"})
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	other := house(func(cfg *Config) {
		cfg.Policies["two"] = escalation.Policy{Name: "two", Steps: []escalation.Step{{Notify: []escalation.Target{{User: "cy"}}}}}
		cfg.Users["ana"] = User{Name: "ana"}
		cfg.Paging.CatchAll = escalation.Target{User: "eva"}
	})
	w.turn(Reload{Config: other})
	w.fates(nil)
	w.run(16 * time.Minute)
	// The policy and the catch-all are those of the opening (SPEC §5.9).
	same(t, untimed(w.story(incident.Paged, incident.CatchAll)), `
page INC-1 ana chat 1.1
page INC-1 bo mail 2.1
catch_all INC-1
page INC-1 cto phone`)
}

// TestAnswersThatComeTwice, for what is no longer known, and a sender that gives back what it was not asked to.
func TestAnswersThatComeTwice(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.deaf = true
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	const key = "INC-1/1.1/ana.chat/1"
	w.turn(Result{Key: key, Verdict: Verdict{Outcome: NotSent}})
	if d := w.e.core.deliveries[key]; d == nil || d.Next.IsZero() {
		t.Fatalf("a page that was given back unasked is not tried again: %+v", d)
	}
	w.run(time.Minute + 2*time.Second)
	for range 3 {
		w.turn(Result{Key: key, Verdict: Verdict{Outcome: Delivered}})
		w.turn(Result{Key: "nothing", Verdict: Verdict{Outcome: Failed}})
	}
	same(t, untimed(w.story()), "incident_opened INC-1 sev2\npage INC-1 ana chat 1.1\n")
	attempts, _, _ := w.e.Deliveries(ctx(), "", 0, 10)
	var outcomes []string
	for _, a := range attempts {
		outcomes = append(outcomes, fmt.Sprint(a.Attempt, " ", a.Outcome))
	}
	if !slices.Equal(outcomes, []string{"2 delivered", "1 retry"}) {
		t.Errorf("the delivery log says %q", outcomes)
	}
}

// TestAPageIsTriedForHalfAnHour, while the ladder goes on beside it.
func TestAPageIsTriedForHalfAnHour(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fates(map[string]string{"ana.chat": "busy"})
	w.fire("alertname", "Lag")
	w.run(time.Hour)
	attempts, _, _ := w.e.Deliveries(ctx(), "INC-1", 0, 1000)
	var ana []Attempt
	for _, a := range attempts {
		if a.User == "ana" {
			ana = append(ana, a)
		}
	}
	first, last := ana[len(ana)-1], ana[0]
	if first.At.Sub(night) != 30*time.Second || last.At.Sub(first.At) > pageRetryFor || last.At.Sub(first.At) < pageRetryFor-2*maxBackoff {
		t.Errorf("tried from %s to %s", first.At, last.At)
	}
	if !strings.Contains(w.story(incident.PageFailed), "page_failed INC-1 ana chat 1.1") {
		t.Errorf("the timeline does not say that it failed:\n%s", w.story())
	}
}

// TestAClockThatIsSetMovesRetriesAndDeadlines: what was to be tried in ten seconds still is, and has as long to live.
func TestAClockThatIsSetMovesRetriesAndDeadlines(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		w := newWorld(t, house(), 1)
		w.fates(map[string]string{"": "busy"})
		w.fire("alertname", "Lag", "team", "both")
		w.run(time.Minute)
		type wait struct{ next, end, deadline time.Duration }
		waits := func() map[string]wait {
			m := map[string]wait{}
			for key, d := range w.e.core.deliveries {
				at := wait{next: d.Next.Sub(w.wall()), end: d.GiveUp.Sub(w.wall())}
				if d.Group != nil {
					at.deadline = d.Group.Notify().Deadline.Sub(w.wall())
				}
				m[key] = at
			}
			return m
		}
		before := waits()
		w.jump(by)
		after := waits()
		if fmt.Sprint(before) != fmt.Sprint(after) || len(before) != 3 {
			t.Errorf("the clock was set by %s: before\n%v\nafter\n%v", by, before, after)
		}
		w.crash(0)
		for key, d := range w.e.core.deliveries {
			if d.GiveUp.Sub(w.wall()) != before[key].end {
				t.Errorf("%s may live for %s after a restart, and had %s", key, d.GiveUp.Sub(w.wall()), before[key].end)
			}
		}
	}
}

// TestAChannelLearnsThatItIsOver when none of its alerts fires any more, by those of its integrations that want to know.
func TestAChannelLearnsThatItIsOver(t *testing.T) {
	w := newWorld(t, house(channelFirst), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.fire("alertname", "Disk", "host", "a")
	w.run(time.Minute)
	var over []string
	w.watch = func(_ *world, s Send) {
		if s.Delivery.Event == deliverResolved {
			over = append(over, fmt.Sprint(s.Delivery.Key, " to ", s.Delivery.Integration, ", ", len(s.Over), " of ", len(s.Alerts), " over"))
		}
	}
	w.resolve("alertname", "Lag", "host", "a")
	w.run(2 * time.Minute)
	w.must(Action{Verb: Resolve, Incident: "INC-2", By: "ana"})
	w.run(3 * time.Minute)
	if want := []string{"INC-1/1.1/channel/1/board/0/resolved to board, 1 of 1 over"}; !slices.Equal(over, want) {
		t.Errorf("told were %q, want %q", over, want)
	}
	w.crash(0)
	w.resolve("alertname", "Disk", "host", "a") // resolved by hand before; now it has ended, too
	w.run(4 * time.Minute)
	if want := "INC-2/1.1/channel/1/board/0/resolved to board, 1 of 1 over"; len(over) != 2 || over[1] != want {
		t.Errorf("told were %q, want %s at last", over, want)
	}
}
