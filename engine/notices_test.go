package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// noticed is the house with everybody taking notices by their first method, and ladders that lead to the schedule.
func noticed(n Notices, change ...func(*Config)) *Config {
	return house(append([]func(*Config){func(cfg *Config) {
		for name, u := range cfg.Users {
			u.Notices = []string{u.Methods[0].Name}
			u.Digests = u.Notices
			cfg.Users[name] = u
		}
		cfg.Notices = map[string]Notices{"weekly": n}
	}}, change...)...)
}

// notices writes down what people are told about their time on call, as it leaves.
func (w *world) notices() *strings.Builder {
	var b strings.Builder
	since := func(t time.Time) string {
		if t.IsZero() {
			return "ever"
		}
		return t.Sub(night).String()
	}
	w.watch = func(w *world, s Send) {
		d := s.Delivery
		if d.Duty == nil {
			return
		}
		fmt.Fprintf(&b, "%s %s %s by %s", w.elapsed, d.Event, d.User, d.Via)
		if d.Duty.Schedule != "" {
			fmt.Fprintf(&b, ": %s %s to %s", d.Duty.Schedule, since(d.Duty.Start), since(d.Duty.End))
		}
		for _, c := range d.Duty.Changes {
			fmt.Fprintf(&b, ": %s %s to %s %v", c.Schedule, since(c.Start), since(c.End), c.On)
		}
		if d.Duty.Why != "" {
			fmt.Fprintf(&b, " (%s: %s)", d.Duty.By, d.Duty.Why)
		}
		for _, i := range s.Digest {
			fmt.Fprintf(&b, " %s %s", i.ID(), i.Status)
		}
		b.WriteByte('\n')
	}
	return &b
}

// TestWhoComesOnCallLearnsWhatIsOpen: a digest, once, of the incidents whose ladder leads to the schedule (SPEC §5.4);
// neither a restart nor a crash within the send says it again under another key.
func TestWhoComesOnCallLearnsWhatIsOpen(t *testing.T) {
	w := newWorld(t, noticed(Notices{}), 1)
	said := w.notices()
	w.run(23 * time.Hour)
	w.fire("alertname", "Ours", "team", "crew")
	w.fire("alertname", "TheirOwn")
	w.run(25 * time.Hour)
	w.crash(time.Minute)
	w.run(47 * time.Hour)
	w.resolve("alertname", "Ours", "team", "crew")
	w.run(49 * time.Hour)
	same(t, said.String(), `
24h0m0s digest cy by chat: weekly 24h0m0s to 48h0m0s INC-1 triggered`)
	if story := w.story("notification"); strings.Count(story, "24h0m0s notification cy chat\n") != 1 {
		t.Errorf("the history has\n%s", story)
	}
}

func TestWhoTakesOverAtOnceLearnsWhatIsOpen(t *testing.T) {
	w := newWorld(t, noticed(Notices{}), 1)
	w.fire("alertname", "Ours", "team", "crew")
	w.run(10 * time.Minute)
	said := w.notices()
	w.overrule(oncall.Take, "bo", "", 0, 2*time.Hour)
	w.run(3 * time.Hour)
	same(t, said.String(), `
10m0s digest bo by mail: weekly 10m0s to 2h0m0s INC-1 triggered
10m0s on_call_changed bo by mail: weekly 10m0s to 2h0m0s true (ana: bo takes over)
10m0s on_call_changed eva by chat: weekly 10m0s to 2h0m0s false (ana: bo takes over)
2h0m0s digest eva by chat: weekly 2h0m0s to 24h0m0s INC-1 triggered`)
}

func TestHandoffs(t *testing.T) {
	for how, want := range map[Handoff]string{
		HandoffOpen: "", HandoffNever: "",
		HandoffAlways: `
24h0m0s digest cy by chat: weekly 24h0m0s to 48h0m0s
48h0m0s digest eva by chat: weekly 48h0m0s to 72h0m0s`,
	} {
		w := newWorld(t, noticed(Notices{Handoff: how}), 1)
		said := w.notices()
		w.run(50 * time.Hour)
		same(t, said.String(), want)
	}
}

// TestBeforeAShift: each lead once. After an outage, or a start with shifts close by, once in all: of his first shift cy
// heard at the start.
func TestBeforeAShift(t *testing.T) {
	w := newWorld(t, noticed(Notices{Before: []time.Duration{30 * time.Hour, time.Hour}}), 1)
	said := w.notices()
	w.run(48 * time.Hour)
	w.crash(24 * time.Hour)
	w.run(96 * time.Hour)
	same(t, said.String(), `
18h0m0s on_call_soon eva by chat: weekly 48h0m0s to 72h0m0s
23h0m0s on_call_soon cy by chat: weekly 24h0m0s to 48h0m0s
42h0m0s on_call_soon cy by chat: weekly 72h0m0s to 96h0m0s
47h0m0s on_call_soon eva by chat: weekly 48h0m0s to 72h0m0s
72h0m0s on_call_soon eva by chat: weekly 96h0m0s to 120h0m0s
90h0m0s on_call_soon cy by chat: weekly 120h0m0s to 144h0m0s
95h0m0s on_call_soon eva by chat: weekly 96h0m0s to 120h0m0s`)
}

// TestAShiftThatMoves: by an override, its removal, a swap, a reload and an edit of the file while midwatch was down,
// everybody whose time is another learns it, but for whoever did it; and nobody when nothing moved.
func TestAShiftThatMoves(t *testing.T) {
	hour := func(n int) time.Time { return night.Add(time.Duration(n) * time.Hour) }
	w := newWorld(t, noticed(Notices{}), 1)
	said := w.notices()
	step := func(what string, do func(), want string) {
		t.Helper()
		said.Reset()
		do()
		w.settle()
		if got := strings.TrimSpace(said.String()); got != strings.TrimSpace(want) {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, strings.TrimSpace(want))
		}
	}
	w.run(time.Hour)
	step("an override", func() { w.overrule(oncall.Replace, "cy", "ana", 30*time.Hour, 40*time.Hour) }, `
1h0m0s on_call_changed cy by chat: weekly 30h0m0s to 40h0m0s false (ana: ana replaces cy)`)
	step("its end", func() { w.turn(DropOverride{Schedule: "weekly", ID: "weekly-1", By: "bo"}) }, `
1h0m0s on_call_changed ana by chat: weekly 30h0m0s to 40h0m0s false (bo: the override "ana replaces cy" was taken back)
1h0m0s on_call_changed cy by chat: weekly 30h0m0s to 40h0m0s true (bo: the override "ana replaces cy" was taken back)`)
	step("a swap", func() {
		w.turn(RequestSwap{Swap: Swap{Schedule: "weekly", User: "cy", With: "eva", From: hour(24), To: hour(30), ForFrom: hour(50), ForTo: hour(60), CreatedBy: "cy"}})
		w.turn(SettleSwap{ID: "SWAP-1", Verb: AcceptSwap, By: "eva"})
	}, `
1h0m0s swap_requested eva by chat: weekly 24h0m0s to 30h0m0s true: weekly 50h0m0s to 60h0m0s false (cy: SWAP-1)
1h0m0s on_call_changed cy by chat: weekly 24h0m0s to 30h0m0s false: weekly 50h0m0s to 60h0m0s true (eva: SWAP-1 was accepted)`)
	step("the same file again", func() { w.reload(noticed(Notices{})) }, "")
	step("a restart", func() { w.crash(time.Minute); w.run(2 * time.Hour) }, "")
	step("another file", func() {
		w.reload(noticed(Notices{}, func(cfg *Config) { cfg.Schedules["weekly"] = rotaOf(240, "eva", "bo") }))
	}, `
2h0m0s on_call_changed bo by mail: weekly 72h0m0s to 312h0m0s true (: the configuration was changed)
2h0m0s on_call_changed cy by chat: weekly 30h0m0s to 48h0m0s false: weekly 72h0m0s to 96h0m0s false: weekly 120h0m0s to 144h0m0s false: weekly 168h0m0s to 192h0m0s false: weekly 216h0m0s to 240h0m0s false: weekly 264h0m0s to 288h0m0s false: weekly 312h0m0s to 336h0m0s false (: the configuration was changed)
2h0m0s on_call_changed eva by chat: weekly 30h0m0s to 48h0m0s true: weekly 96h0m0s to 120h0m0s false: weekly 144h0m0s to 168h0m0s false: weekly 192h0m0s to 216h0m0s false: weekly 240h0m0s to 264h0m0s false: weekly 288h0m0s to 312h0m0s false: weekly 312h0m0s to 336h0m0s true (: the configuration was changed)`)
	step("a file without the schedule, read after a crash", func() {
		w.cfg = noticed(Notices{}, func(cfg *Config) { delete(cfg.Schedules, "weekly") })
		w.crash(time.Minute)
		w.run(3 * time.Hour)
	}, `
2h1m0s on_call_changed bo by mail: weekly 72h0m0s to 312h0m0s false (: the configuration was changed)
2h1m0s on_call_changed cy by chat: weekly 50h0m0s to 60h0m0s false (: the configuration was changed)
2h1m0s on_call_changed eva by chat: weekly 2h1m0s to 50h0m0s false: weekly 60h0m0s to 72h0m0s false: weekly 312h0m0s to 338h1m0s false (: the configuration was changed)`)
}

func TestASilentScheduleTellsNobodyOfChanges(t *testing.T) {
	w := newWorld(t, noticed(Notices{Silent: true}), 1)
	said := w.notices()
	w.overrule(oncall.Take, "bo", "", time.Hour, 2*time.Hour)
	w.run(3 * time.Hour)
	same(t, said.String(), "")
}

// TestANoticeIsTriedAgainAndSurvivesACrash under its own key.
func TestANoticeIsTriedAgainAndSurvivesACrash(t *testing.T) {
	w := newWorld(t, noticed(Notices{Handoff: HandoffAlways}), 1)
	var keys []string
	w.watch = func(_ *world, s Send) { keys = append(keys, s.Delivery.Key) }
	w.net.outcome = func(Send, int) (Verdict, time.Duration) { return Verdict{Outcome: Retry, Answer: "busy"}, 0 }
	w.run(24*time.Hour + 10*time.Second)
	tried := len(keys)
	w.crash(time.Second)
	w.net.outcome = nil
	w.run(25 * time.Hour)
	if tried < 2 || len(keys) != tried+1 {
		t.Errorf("tried %d times before the crash and %d after", tried, len(keys)-tried)
	}
	for _, k := range keys {
		if k != keys[0] {
			t.Errorf("keys are %q", keys)
		}
	}
	if len(w.e.core.deliveries) > 0 {
		t.Errorf("left over: %v", w.e.core.deliveries)
	}
}
