package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
)

// ringing is a house where phones ring until they are told to stop, and a world that writes down what phones hear.
func ringing(t *testing.T, heard *[]string) *world {
	t.Helper()
	w := newWorld(t, house(func(cfg *Config) {
		for name, u := range cfg.Users {
			u.Methods = slices.Clone(u.Methods)
			for i := range u.Methods {
				u.Methods[i].TakesBack = u.Methods[i].Name == "phone" || u.Methods[i].Name == "chat"
			}
			cfg.Users[name] = u
		}
	}), 1)
	n := 0
	w.net.outcome = func(s Send, _ int) (Verdict, time.Duration) {
		v := Verdict{Outcome: Delivered, Answer: "ok"}
		if s.Delivery.Event == deliverPage && s.Delivery.User != "" {
			n++
			v.State = map[string]string{"receipts": strings.TrimSpace(fmt.Sprint(s.State["receipts"], " r", n))}
		}
		return v, 0
	}
	w.watch = func(_ *world, s Send) {
		if s.Delivery.User != "" {
			*heard = append(*heard, fmt.Sprintf("%s %s %s %q %s", w.elapsed, s.Delivery.Event, s.Delivery.User+"."+s.Delivery.Via, s.State["receipts"], s.Delivery.Reason))
		}
	}
	return w
}

// TestAnAcknowledgementStopsWhatRings: everybody's phone that was paged is told, with what it needs to know to stop.
func TestAnAcknowledgementStopsWhatRings(t *testing.T) {
	var heard []string
	w := ringing(t, &heard)
	w.fire("alertname", "Lag")
	w.run(6 * time.Minute) // ana by chat; bo has mail only
	if got, want := fmt.Sprint(w.e.Standing()), "[{INC-1 ana chat map[receipts:r1]} {INC-1 bo mail map[receipts:r2]}]"; got != want {
		t.Errorf("standing are %s, want %s", got, want)
	}
	w.must(Action{Verb: Acknowledge, By: "bo"})
	w.run(7 * time.Minute)
	if got := w.e.Standing(); got != nil {
		t.Errorf("acknowledged, and standing are %v", got)
	}
	w.must(Action{Verb: Unacknowledge, By: "bo"})
	w.run(8 * time.Minute)
	w.crash(0) // what rings is remembered
	w.must(Action{Verb: Acknowledge, By: "ana"})
	w.run(9 * time.Minute)
	w.resolve("alertname", "Lag")
	w.run(10 * time.Minute)
	same(t, strings.Join(heard, "\n"), `
30s page ana.chat "" step 1 of policy two began
5m30s page bo.mail "" no acknowledgement of step 1 in 5m
6m0s stand_down ana.chat "r1" acknowledged by bo
8m0s stand_down ana.chat "r1" acknowledged by ana
9m0s resolved ana.chat "r1" the incident was resolved`)
	for _, line := range strings.Split(w.story(), "\n") {
		if strings.Contains(line, "stand_down") {
			t.Errorf("the timeline tells of it: %s", line)
		}
	}
}

// TestOneOfTwoAcknowledgementsStopsOnesOwnPhone: the others' go on until enough people acknowledged.
func TestOneOfTwoAcknowledgementsStopsOnesOwnPhone(t *testing.T) {
	var heard []string
	w := ringing(t, &heard)
	w.fire("alertname", "Lag", "team", "crew")
	w.run(3 * time.Minute)
	heard = nil
	w.must(Action{Verb: Acknowledge, By: "eva"})
	w.run(200 * time.Second)
	w.must(Action{Verb: Acknowledge, By: "bo"})
	w.run(4 * time.Minute)
	same(t, strings.Join(heard, "\n"), `
3m0s stand_down eva.chat "r3" acknowledged by eva; 1 of 2 acknowledgements of step 1
3m0s stand_down eva.phone "r4" acknowledged by eva; 1 of 2 acknowledgements of step 1
3m20s stand_down ana.chat "r1" acknowledged by bo
3m20s stand_down eva.chat "r3" acknowledged by bo
3m20s stand_down eva.phone "r4" acknowledged by bo`)
}

// TestSnoozingAndGivingAwayStopsWhatRings, and what rings anew does so after that.
func TestSnoozingAndGivingAwayStopsWhatRings(t *testing.T) {
	var heard []string
	w := ringing(t, &heard)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	heard = nil
	w.must(Action{Verb: Snooze, By: "cy", For: 10 * time.Minute})
	w.run(12 * time.Minute)
	w.must(Action{Verb: Reassign, By: "cy", To: &escalation.Target{User: "cto"}})
	w.run(13 * time.Minute)
	if len(heard) != 4 {
		t.Fatalf("heard %q", heard)
	}
	for i, want := range []string{`1m0s stand_down ana.chat "r1" snoozed`, `11m0s page ana.chat "r1"`, `12m0s stand_down ana.chat "r1 r2" `, `12m0s page cto.phone ""`} {
		if !strings.HasPrefix(heard[i], want) {
			t.Errorf("heard %q, want %q …", heard[i], want)
		}
	}
}

// TestAPageThatWasOnItsWayRingsNoLonger than until it is known that it arrived.
func TestAPageThatWasOnItsWayRingsNoLonger(t *testing.T) {
	var heard []string
	w := ringing(t, &heard)
	w.net.outcome = func(s Send, _ int) (Verdict, time.Duration) {
		if s.Delivery.Event == deliverPage {
			return Verdict{Outcome: Delivered, State: map[string]string{"receipts": "late"}}, 15 * time.Second
		}
		return Verdict{Outcome: Delivered}, 0
	}
	w.fire("alertname", "Lag")
	w.run(40 * time.Second)
	w.must(Action{Verb: Acknowledge, By: "bo"})
	w.run(2 * time.Minute)
	w.must(Action{Verb: AddResponder, By: "bo", User: "cto"})
	w.run(3 * time.Minute)
	same(t, strings.Join(heard, "\n"), `
30s page ana.chat "" step 1 of policy two began
45s stand_down ana.chat "late" the incident was acknowledged while this page was on its way
2m0s page cto.phone "" added as a responder by bo`)

	heard = nil
	w.must(Action{Verb: StopMine, By: "cto"})
	w.run(4 * time.Minute)
	same(t, strings.Join(heard, "\n"), `3m0s stand_down cto.phone "late" stopped by cto`)
}

// TestNobodyIsToldToStandDownWhoCannot: most channels have nothing to take back.
func TestNobodyIsToldToStandDownWhoCannot(t *testing.T) {
	w := newWorld(t, house(), 1)
	var heard []string
	w.watch = func(_ *world, s Send) { heard = append(heard, s.Delivery.Event) }
	w.fire("alertname", "Lag")
	w.run(6 * time.Minute)
	w.must(Action{Verb: Acknowledge, By: "ana"})
	w.run(7 * time.Minute)
	if slices.Contains(heard, deliverStandDown) {
		t.Errorf("heard %q", heard)
	}
}
