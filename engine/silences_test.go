package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// silence makes a silence of alerts with this label that begins now.
func (w *world) silence(name, value string, length time.Duration) router.Silence {
	w.t.Helper()
	return w.setSilence(router.Silence{
		Matchers: []router.MatcherSet{{{Name: name, Value: value}}}, StartsAt: w.wall(), EndsAt: w.wall().Add(length), CreatedBy: "eva", Comment: "deploy",
	})
}

func (w *world) setSilence(s router.Silence) router.Silence {
	w.t.Helper()
	answers := w.turn(SetSilence{Silence: s})
	if answers == nil || answers[0].Err != nil {
		w.t.Fatalf("the silence was not taken: %v", answers)
	}
	w.settle()
	return answers[0].Silence
}

func (w *world) expire(id string) error {
	answers := w.turn(ExpireSilence{ID: id})
	w.settle()
	return answers[0].Err
}

const silenceKinds = "incident_opened page note resolved"

func (w *world) told() string { return w.story(strings.Fields(silenceKinds)...) }

func TestNothingOpensWhileSilenced(t *testing.T) {
	for name, c := range map[string]struct {
		length time.Duration
		want   string
	}{
		"past the first flush": {10 * time.Minute, "10m0s incident_opened INC-1 sev2\n10m0s page INC-1 ana chat 1.1"},
		"before it":            {80 * time.Second, "1m30s incident_opened INC-1 sev2\n1m30s page INC-1 ana chat 1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, crashed := range []bool{false, true} {
				w := newWorld(t, house(), 1)
				w.silence("alertname", "Lag", c.length)
				w.run(time.Minute)
				w.fire("alertname", "Lag", "host", "a")
				if crashed {
					w.run(70 * time.Second)
					w.crash(0)
				}
				w.run(c.length + 4*time.Minute)
				same(t, w.told(), c.want)
			}
		})
	}
}

func TestWhatIsOverWhenTheSilenceEndsOpensNothing(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.silence("alertname", "Lag", 10*time.Minute)
	w.fire("alertname", "Lag", "host", "a")
	w.run(8 * time.Minute)
	w.resolve("alertname", "Lag", "host", "a")
	w.run(30 * time.Minute)
	same(t, w.told(), "")
}

func TestASilencePausesPaging(t *testing.T) {
	for name, down := range map[string]time.Duration{"running": -1, "restarted": 0, "away when it ended": 4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, house(), 1)
			w.fire("alertname", "Lag", "host", "a")
			w.run(2 * time.Minute)
			w.silence("alertname", "Lag", 6*time.Minute)
			w.run(5 * time.Minute) // step 2 is due at 5m30s
			if down >= 0 {
				w.crash(down)
			}
			w.run(12 * time.Minute)
			ends := "8m0s"
			if down > 3*time.Minute {
				ends = "9m0s" // when we are back
			}
			same(t, w.told(), fmt.Sprintf(`
30s incident_opened INC-1 sev2
30s page INC-1 ana chat 1.1
2m0s note INC-1
%[1]s note INC-1
%[1]s page INC-1 bo mail 2.1`, ends))
			reasons, err := w.e.Timeline(ctx(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(fmt.Sprint(reasons), "paging is paused: silenced until 2026-11-22 03:08 UTC by eva: deploy") {
				t.Errorf("the timeline does not say why paging was paused: %v", reasons)
			}
		})
	}
}

func TestAStepThatIsNotDueKeepsItsTime(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.run(time.Minute)
	s := w.silence("alertname", "Lag", time.Hour)
	w.run(3 * time.Minute)
	if err := w.expire(s.ID); err != nil {
		t.Fatal(err)
	}
	w.run(6 * time.Minute)
	same(t, w.story("page"), "30s page INC-1 ana chat 1.1\n5m30s page INC-1 bo mail 2.1")
}

// TestOneOfTwoAlertsSilenced pauses nothing; nor does it stay paused when one that is not silenced joins.
func TestOneOfTwoAlertsSilenced(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.fire("alertname", "Lag", "host", "b")
	w.run(time.Minute)
	w.silence("host", "a", time.Hour)
	w.run(6 * time.Minute)
	same(t, w.story("page"), "30s page INC-1 ana chat 1.1\n5m30s page INC-1 bo mail 2.1")
	w.resolve("alertname", "Lag", "host", "b")
	if !w.e.core.live[1].ladder.IsPaused() {
		t.Error("all that fires is silenced, and paging is not paused")
	}
	w.fire("alertname", "Lag", "host", "c")
	w.settle()
	if w.e.core.live[1].ladder.IsPaused() {
		t.Error("an alert that nobody silenced joined, and paging is still paused")
	}
}

func TestResolvingUnderASilence(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "host", "a")
	w.run(time.Minute)
	w.silence("alertname", "Lag", time.Hour)
	w.run(2 * time.Minute)
	w.resolve("alertname", "Lag", "host", "a")
	w.run(2 * time.Hour)
	same(t, w.story("page", "resolved"), "30s page INC-1 ana chat 1.1\n2m0s resolved INC-1")
}

// TestASilenceOutlivedByItsIncident: an incident whose alerts end under a silence, and which stays open all the same, is
// held back until the silence is over, and no longer.
func TestASilenceOutlivedByItsIncident(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := newWorld(t, house(), 1)
		w.fire("alertname", "Lag", "team", "manual")
		w.run(time.Minute)
		w.silence("alertname", "Lag", 30*time.Minute)
		w.run(3 * time.Minute)
		w.resolve("alertname", "Lag", "team", "manual")
		if w.run(20 * time.Minute); crashed {
			w.crash(0)
		}
		w.run(40 * time.Minute)
		same(t, w.story("page", "note"), `
30s page INC-1 ana chat 1.1
1m0s note INC-1
3m0s note INC-1
31m0s note INC-1
31m0s page INC-1 bo mail 2.1`)
	}
}

// TestASilenceHoldsBackWhatIsTriedAgain: a page that failed before the silence began is not tried again in it, nor is one
// that a crash held up; both leave when it ends.
func TestASilenceHoldsBackWhatIsTriedAgain(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := newWorld(t, house(), 1)
		w.net.outcome = func(Send, int) (Verdict, time.Duration) {
			if w.elapsed < 5*time.Minute {
				return Verdict{Outcome: Retry, Answer: "no answer", Latency: 30 * time.Second}, 30 * time.Second
			}
			return Verdict{Outcome: Delivered}, 0
		}
		said := w.outgoing()
		w.fire("alertname", "Lag")
		w.run(50 * time.Second)
		w.silence("alertname", "Lag", 45*time.Minute)
		if w.run(2 * time.Minute); crashed {
			w.crash(time.Minute)
		}
		w.run(46 * time.Minute)
		same(t, said.String(), `
30s page ana by chat: INC-1
45m50s page bo by mail: INC-1
45m50s page ana by chat: INC-1`)
	}
}

func TestSilencesOutliveACrash(t *testing.T) {
	w := newWorld(t, house(), 1)
	one := w.silence("alertname", "Lag", time.Hour)
	two := w.silence("alertname", "Disk", time.Hour)
	if err := w.expire(two.ID); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(w.e.Router().Silences())
	w.crash(0)
	if after := fmt.Sprint(w.e.Router().Silences()); after != before {
		t.Errorf("before the crash\n%s\nafter it\n%s", before, after)
	}
	if got, ok := w.e.Router().Silence(one.ID); !ok || got.State(w.wall()) != router.SilenceActive {
		t.Errorf("the silence is %v", got)
	}
	if err := w.expire("nobody"); !errors.Is(err, router.ErrNoSilence) {
		t.Errorf("ending a silence that is not there: %v", err)
	}
	var wrong *Error
	if got := w.turn(SetSilence{}); !errors.As(got[0].Err, &wrong) || wrong.Code != "invalid" {
		t.Errorf("an empty silence: %v", got[0].Err)
	}
	w.run(122 * time.Hour)
	if left := w.e.Router().Silences(); len(left) != 0 {
		t.Errorf("after the retention there are %v", left)
	}
	for key := range w.disk.all() {
		if strings.HasPrefix(key, prefSilence) {
			t.Errorf("%s is still on disk", key)
		}
	}
}

func every(name, cron string, length time.Duration) Plan {
	return Plan{Name: name, Matchers: []router.MatcherSet{{{Name: "alertname", Value: "Lag"}}}, Cron: cron, For: length, TimeZone: "UTC"}
}

// maintained adds maintenance windows to the configuration.
func maintained(plans ...Plan) func(*Config) {
	return func(cfg *Config) {
		for _, p := range plans {
			w, err := oncall.ParseRecurrence(p.Cron, p.For, p.TimeZone)
			if err != nil {
				panic(err)
			}
			p.Windows = w
			cfg.Maintenance = append(cfg.Maintenance, p)
		}
	}
}

// windows are the silences that are there, by their starts.
func (w *world) windows() string {
	var lines []string
	for _, s := range w.e.Router().Silences() {
		lines = append(lines, fmt.Sprintf("%s-%s %s", s.StartsAt.Sub(w.start), s.EndsAt.Sub(w.start), s.State(w.wall())))
	}
	return strings.Join(lines, "\n")
}

func TestAWindowRecurs(t *testing.T) {
	for name, begin := range map[string]func() *world{
		"of the file": func() *world { return newWorld(t, house(maintained(every("hourly", "10 * * * *", 20*time.Minute))), 1) },
		"made at run time": func() *world {
			w := newWorld(t, house(), 1)
			if a := w.turn(SetPlan{Plan: every("hourly", "10 * * * *", 20*time.Minute)}); a[0].Err != nil {
				t.Fatal(a[0].Err)
			}
			w.settle()
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin()
			same(t, w.windows(), "10m0s-30m0s pending")
			w.run(15 * time.Minute)
			w.crash(0)
			same(t, w.windows(), "10m0s-30m0s active")
			w.fire("alertname", "Lag", "host", "a")
			w.run(40 * time.Minute)
			same(t, w.windows(), "10m0s-30m0s expired\n1h10m0s-1h30m0s pending")
			same(t, w.story("incident_opened"), "30m0s incident_opened INC-1 sev2")

			w.run(75 * time.Minute)
			views := w.e.Plans()
			if len(views) != 1 || views[0].Next.From.Sub(w.start) != 70*time.Minute {
				t.Errorf("the plans are %+v", views)
			}
			if err := w.expire(views[0].Silence); err != nil {
				t.Fatal(err)
			}
			w.run(80 * time.Minute)
			w.crash(0)
			w.turn(Reload{Config: w.cfg})
			same(t, w.windows(), "10m0s-30m0s expired\n1h10m0s-1h15m0s expired") // this one was ended by hand, and stays so
			w.run(95 * time.Minute)
			same(t, w.windows(), "10m0s-30m0s expired\n1h10m0s-1h15m0s expired\n2h10m0s-2h30m0s pending")
		})
	}
}

func TestAWindowThatLeavesTheFile(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		w := newWorld(t, house(maintained(every("hourly", "10 * * * *", 20*time.Minute))), 1)
		w.run(15 * time.Minute)
		w.cfg = house()
		if crashed {
			w.crash(0)
		} else {
			w.turn(Reload{Config: w.cfg})
			w.settle()
		}
		w.run(3 * time.Hour)
		same(t, w.windows(), "10m0s-15m0s expired")
	}
}

func TestARecurringSilenceIsReplacedAndDropped(t *testing.T) {
	w := newWorld(t, house(maintained(every("file", "0 12 * * *", time.Hour))), 1)
	for _, p := range []Plan{every("hourly", "10 * * * *", 20*time.Minute), every("hourly", "20 * * * *", 20*time.Minute)} {
		if a := w.turn(SetPlan{Plan: p}); a[0].Err != nil {
			t.Fatal(a[0].Err)
		}
		w.settle()
	}
	same(t, w.windows(), "9h0m0s-10h0m0s pending\n0s-0s expired\n20m0s-40m0s pending")
	for name, want := range map[string]string{"file": "conflict", "nobody": "not_found"} {
		var refusal *Error
		if a := w.turn(DropPlan{Name: name}); !errors.As(a[0].Err, &refusal) || refusal.Code != want {
			t.Errorf("dropping %s: %v", name, a[0].Err)
		}
	}
	if a := w.turn(DropPlan{Name: "hourly"}); a[0].Err != nil {
		t.Fatal(a[0].Err)
	}
	w.settle()
	w.crash(0)
	w.run(2 * time.Hour)
	same(t, w.windows(), "9h0m0s-10h0m0s pending\n0s-0s expired\n0s-0s expired")
	if len(w.e.Plans()) != 1 {
		t.Errorf("the plans are %+v", w.e.Plans())
	}
}

func TestWindowsStayWithTheWallClock(t *testing.T) {
	w := newWorld(t, house(maintained(every("hourly", "10 * * * *", 20*time.Minute))), 1)
	w.run(5 * time.Minute)
	w.jump(time.Hour)
	same(t, w.windows(), "10m0s-30m0s expired\n1h10m0s-1h30m0s pending")
	w.jump(-time.Hour)
	w.run(10 * time.Minute)
	if !strings.Contains(w.windows(), "10m0s-30m0s active") {
		t.Errorf("at %s the windows are\n%s", w.wall(), w.windows())
	}
	w.run(75 * time.Minute) // the one that was to come before the clock was set back still comes
	if !strings.Contains(w.windows(), "1h10m0s-1h30m0s active") {
		t.Errorf("at %s the windows are\n%s", w.wall(), w.windows())
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	w := newWorld(t, house(), 1)
	for name, p := range map[string]Plan{
		"no name":        every("", "10 * * * *", time.Hour),
		"no cron":        every("x", "", time.Hour),
		"bad cron":       every("x", "61 * * * *", time.Hour),
		"no length":      every("x", "10 * * * *", 0),
		"no such zone":   {Name: "x", Matchers: every("x", "", 0).Matchers, Cron: "10 * * * *", For: time.Hour, TimeZone: "Mars/Olympus"},
		"no matchers":    {Name: "x", Cron: "10 * * * *", For: time.Hour, TimeZone: "UTC"},
		"matches at all": {Name: "x", Matchers: []router.MatcherSet{{{Name: "a", Value: ""}}}, Cron: "10 * * * *", For: time.Hour, TimeZone: "UTC"},
	} {
		var refusal *Error
		if a := w.turn(SetPlan{Plan: p}); !errors.As(a[0].Err, &refusal) || refusal.Code != "invalid" {
			t.Errorf("%s: %v", name, a[0].Err)
		}
	}
	if len(w.e.Router().Silences()) > 0 || len(w.e.Plans()) > 0 {
		t.Error("something of it was taken")
	}
}

// TestPeers: what is ours is shown to whoever tells peers, after it is on disk; what a peer said only if it is to go
// onward and was news.
func TestPeers(t *testing.T) {
	w := newWorld(t, house(), 1)
	var shown []string
	w.e.observe = func(effects []router.Effect) {
		for _, e := range effects {
			if e, ok := e.(router.SilenceChanged); ok {
				if _, stored := w.disk.all()[prefSilence+e.Silence.ID]; !stored {
					t.Errorf("%s is told before it is on disk", e.Silence.ID)
				}
				shown = append(shown, fmt.Sprint(e.Action, " ", e.Silence.Comment))
			}
		}
	}
	w.silence("alertname", "Lag", time.Hour)
	theirs := router.Silence{
		ID: "aaaaaaaa-0000-4000-8000-000000000000", Matchers: []router.MatcherSet{{{Name: "alertname", Value: "Disk"}}}, Comment: "theirs",
		StartsAt: w.wall(), EndsAt: w.wall().Add(time.Hour), UpdatedAt: w.wall(), ExpiresAt: w.wall().Add(9 * time.Hour),
	}
	later := theirs
	later.UpdatedAt, later.Comment = w.wall().Add(time.Second), "later"
	w.turn(SetSilence{Silence: router.Silence{Matchers: theirs.Matchers, EndsAt: w.wall().Add(time.Minute), Comment: "ours"}}, Gossip{Silences: []router.Silence{theirs}})
	w.turn(Gossip{Silences: []router.Silence{theirs}, Onward: true})
	w.turn(Gossip{Silences: []router.Silence{later}, Onward: true})
	if want := []string{"create deploy", "create ours", "merge later"}; !slices.Equal(shown, want) {
		t.Errorf("shown were %q, want %q", shown, want)
	}
	w.crash(0)
	if s, _ := w.e.Router().Silence(theirs.ID); s.Comment != "later" {
		t.Errorf("after a restart it is %q", s.Comment)
	}
}

// TestBeforeThePeersMetNobodyIsTold, and nothing spins meanwhile.
func TestBeforeThePeersMetNobodyIsTold(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.turn(Peers{})
	w.fire("alertname", "Lag", "host", "a")
	w.run(3 * time.Minute)
	same(t, w.told(), "")
	w.turn(Peers{Ready: true})
	w.settle()
	same(t, w.told(), "3m0s incident_opened INC-1 sev2\n3m0s page INC-1 ana chat 1.1")
}

// TestWhatWasInherited from an Alertmanager is taken in before anything speaks.
func TestWhatWasInherited(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "team", "plain", "host", "a")
	w.run(time.Minute)
	same(t, w.story("notification"), "30s notification board plain\n30s notification hook plain")
	log := w.e.Router().LogEntries()

	other := newWorld(t, house(), 1)
	other.e = nil
	e, err := Start(ctx(), Options{Store: newDisk(), Config: other.cfg, Sender: other, Now: other.instant, Inherited: Gossip{Log: log}})
	if err != nil {
		t.Fatal(err)
	}
	other.e = e
	other.turn(e.inherited)
	other.fire("alertname", "Lag", "team", "plain", "host", "a")
	other.run(10 * time.Minute)
	same(t, other.story("notification"), "")
}
