package engine

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/store"
)

// fates says what becomes of attempts, by parts of their keys: "delivered", "failed", "busy" (tried again), "lost" (never
// heard of). What is not named is delivered.
func (w *world) fates(fates map[string]string) {
	w.net.outcome = func(s Send, _ int) (Verdict, time.Duration) {
		for part, fate := range fates {
			if strings.Contains(s.Delivery.Key, part) {
				switch fate {
				case "failed":
					return Verdict{Outcome: Failed, Answer: "404 Not Found"}, 0
				case "busy":
					return Verdict{Outcome: Retry, Answer: "503 Service Unavailable"}, 0
				case "lost":
					return Verdict{}, 1000 * time.Hour
				}
			}
		}
		return Verdict{Outcome: Delivered, Answer: "200 OK"}, 0
	}
}

// untimed is a story without its times, where they are up to chance.
func untimed(story string) string {
	var lines []string
	for line := range strings.Lines(story) {
		_, rest, _ := strings.Cut(line, " ")
		lines = append(lines, rest)
	}
	return strings.Join(lines, "")
}

// channelFirst is a ladder whose first step is a channel of two integrations.
func channelFirst(cfg *Config) {
	two := cfg.Policies["two"]
	two.Steps = append([]escalation.Step{{Notify: []escalation.Target{{Receiver: "channel"}}, EscalateAfter: 40 * time.Minute}}, two.Steps...)
	cfg.Policies["two"] = two
}

// TestARestartRemembersThatAChannelWasReached: its board had the page before the restart, its hook fails after it. The
// step has reached somebody.
func TestARestartRemembersThatAChannelWasReached(t *testing.T) {
	w := newWorld(t, house(channelFirst), 1)
	w.fates(map[string]string{"/hook/": "busy"})
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.crash(0)
	w.fates(map[string]string{"/hook/": "failed"})
	w.run(10 * time.Minute)
	same(t, untimed(w.story()), `
incident_opened INC-1 sev2
notification INC-1 board channel 1.1
page_failed INC-1 hook channel 1.1`)
}

func TestAChannelAllOfWhichFailsIsLeft(t *testing.T) {
	w := newWorld(t, house(channelFirst), 1)
	w.fates(map[string]string{"/hook/": "busy", "/board/": "failed"})
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.crash(0)
	w.fates(map[string]string{"/hook/": "failed"})
	w.run(2 * time.Minute)
	same(t, untimed(w.story()), `
incident_opened INC-1 sev2
page_failed INC-1 board channel 1.1
page_failed INC-1 hook channel 1.1
step_skipped INC-1 1.1
page INC-1 ana chat 2.1`)
}

// TestAnAllClearIsNotForgotten: it is still being tried when the reopen window is over and we are restarted.
func TestAnAllClearIsNotForgotten(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) { cfg.ReopenWindow = time.Minute }), 1)
	w.fates(map[string]string{"resolved": "busy"})
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.resolve("alertname", "Lag")
	w.run(5 * time.Minute)
	w.crash(time.Minute)
	w.fates(nil)
	w.run(10 * time.Minute)
	same(t, w.story(incident.Notification, incident.ResolvedEvent, incident.PageFailed), `
1m0s resolved INC-1
6m0s notification INC-1 ana chat`)
	if w.run(30 * time.Minute); len(w.e.core.live) != 0 {
		t.Error("the incident is remembered for ever")
	}
	w.holdKeys()
}

// TestANewIncidentBeforeTheOldOneHasToldItsEnd: the all-clear of the first goes on.
func TestANewIncidentBeforeTheOldOneHasToldItsEnd(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) { cfg.ReopenWindow = 0 }), 1)
	w.fates(map[string]string{"INC-1/1.1/ana.chat/1/resolved": "busy"})
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.resolve("alertname", "Lag")
	w.fire("alertname", "Lag", "host", "b")
	w.run(6 * time.Minute)
	w.fates(nil)
	w.run(12 * time.Minute)
	same(t, untimed(w.story(incident.Opened, incident.ResolvedEvent, incident.Notification)), `
incident_opened INC-1 sev2
resolved INC-1
incident_opened INC-2 sev2
notification INC-1 ana chat`)
}

// damage puts other bytes where a key's value is.
func (d *disk) damage(key string, value string) {
	if err := d.Memory.Commit(ctx(), store.Batch{Put: []store.KeyValue{{Key: key, Value: []byte(value)}}}); err != nil {
		panic(err)
	}
}

// found makes the world accept problems at a start, and keeps them.
func (w *world) found() *[]string {
	var all []string
	w.onStart = func(_ *world, problems []string) { all = append(all, problems...) }
	return &all
}

func TestALadderThatCannotBeRead(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(3 * time.Minute)
	var keys []string
	w.watch = func(_ *world, s Send) { keys = append(keys, s.Delivery.Key) }
	w.keys = map[string]string{} // the page of step 1 goes out again, under another key
	problems := w.found()
	w.disk.damage(prefLadder+num(1), `{"kind":"ladder","version":7,"value":{}}`)
	w.crash(0)
	w.run(4 * time.Minute)
	want := "ladder/0000000001: a stored ladder has version 7, newer than this midwatch knows (1); start the newer one again"
	if !slices.Equal(*problems, []string{want}) {
		t.Errorf("problems: %q", *problems)
	}
	// Somebody must hear of it, from step 1, under a key that no receiver has seen.
	if !slices.Equal(keys, []string{"INC-1/1.1/ana.chat/5"}) {
		t.Errorf("sent %v", keys)
	}
}

func TestALadderThatCannotBeReadOfAnIncidentThatComesBack(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.resolve("alertname", "Lag")
	w.run(2 * time.Minute)
	w.keys = map[string]string{}
	w.found()
	w.disk.damage(prefLadder+num(1), `}`)
	w.crash(0)
	w.fire("alertname", "Lag")
	w.run(6 * time.Minute)
	same(t, w.story(incident.Reopened, incident.Paged), `
30s page INC-1 ana chat 1.1
5m30s incident_reopened INC-1 sev2
5m30s page INC-1 ana chat 1.1`)
}

// TestAnIncidentThatCannotBeRead: its records are left for a midwatch that can read them, and its alerts are somebody's
// all the same.
func TestAnIncidentThatCannotBeRead(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fates(map[string]string{"INC-1": "busy"})
	w.fire("alertname", "Lag")
	w.run(2 * time.Minute)
	problems := w.found()
	w.disk.damage(prefIncident+num(1), `{"kind":"incident","version":7,"value":{}}`)
	before := w.disk.all()
	w.crash(0)
	w.run(6 * time.Minute)
	if len(*problems) != 1 || !strings.HasPrefix((*problems)[0], "ladder/0000000001: a stored incident has version 7") {
		t.Errorf("problems: %q", *problems)
	}
	after := w.disk.all()
	for key, value := range before {
		if owner(key) == 1 && after[key] != value {
			t.Errorf("%s was %s and is %q", key, value, after[key])
		}
	}
	same(t, w.story(incident.Opened, incident.Paged), `
30s incident_opened INC-1 sev2
5m30s incident_opened INC-2 sev2
5m30s page INC-2 ana chat 1.1`)
}

// TestAPageThatCannotBeRead: what became of it nobody knows; so it failed, and the ladder goes on at once.
func TestAPageThatCannotBeRead(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.deaf = true
	w.fire("alertname", "Lag")
	w.run(2 * time.Minute)
	w.found()
	w.disk.damage(prefDelivery+"INC-1/1.1/ana.chat/1", `}`)
	w.net.deaf = false
	w.crash(0)
	w.run(3 * time.Minute)
	same(t, w.story(), `
30s incident_opened INC-1 sev2
2m0s step_skipped INC-1 1.1
2m0s page INC-1 bo mail 2.1`)
}

// TestAlertsThatCannotBeReadResolveNothing: whether they fire is not known until Prometheus speaks again.
func TestAlertsThatCannotBeReadResolveNothing(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(2 * time.Minute)
	problems := w.found()
	for key := range w.disk.all() {
		if strings.HasPrefix(key, prefJournal) {
			w.disk.damage(key, "\x07")
		}
	}
	w.crash(0)
	if len(*problems) != 1 || !strings.HasSuffix((*problems)[0], "a journal record of alerts cannot be read: it has version 7; this midwatch knows 3; Prometheus will repeat those that fire") {
		t.Errorf("problems: %q", *problems)
	}
	if i := w.is(1); !i.Open() {
		t.Errorf("INC-1 is %s", i.Status)
	}
	w.run(4 * time.Minute)
	w.resolve("alertname", "Lag")
	w.settle()
	if i := w.is(1); i.Open() {
		t.Errorf("INC-1 is %s after its alert ended", i.Status)
	}
}

func TestAnUnreadableOverrideIsNotWrittenOver(t *testing.T) {
	w := newWorld(t, house(), 1)
	take := func(user string) Answer {
		return w.turn(Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: oncall.Take, User: user, Start: night, End: night.Add(time.Hour)}})[0]
	}
	for _, user := range []string{"ana", "bo", "cy"} {
		if a := take(user); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	w.found()
	w.disk.damage(prefOverride+"weekly/"+seqKey(2), `}`)
	w.crash(0)
	take("eva")
	w.crash(0)
	if got := w.e.OnCall(night)[0].Answer.Users(); !slices.Equal(got, []string{"eva"}) {
		t.Errorf("on call is %v", got)
	}
	if got := len(w.e.core.overrides["weekly"].list); got != 3 {
		t.Errorf("%d overrides can be read", got)
	}
}

// TestADamagedDiskTakesNobodyDown plays nights, damages some records at random, and starts again. Nothing panics, all
// that fires is somebody's in the end, and what was not damaged goes on.
func TestADamagedDiskTakesNobodyDown(t *testing.T) {
	for seed := range uint64(scaled(300)) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t, house(withDelays), seed)
		w.net.outcome = chance(seed)
		w.deeds = w.anyNight(40 * time.Minute)
		w.found()
		w.run(time.Duration(r.IntN(40)) * time.Minute)
		all := w.disk.all()
		var keys []string
		for key := range all {
			if key != keyFormat {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for range 1 + r.IntN(3) {
			key := keys[r.IntN(len(keys))]
			value := []byte(all[key])
			switch r.IntN(4) {
			case 0:
				value = value[:r.IntN(len(value)+1)]
			case 1:
				if len(value) > 0 {
					value[r.IntN(len(value))] ^= 1 << r.IntN(8)
				}
			case 2:
				value = []byte(all[keys[r.IntN(len(keys))]])
			case 3:
				value = nil
			}
			w.disk.damage(key, string(value))
		}
		w.forgetUnsaved()
		clear(w.names)
		w.deeds, w.acks = nil, nil
		if w.e != nil {
			w.crash(0)
		}
		w.run(w.elapsed + 40*time.Minute)
		w.holdAlerts()
	}
}

// counting is a store that counts what is read of each kind of record.
type counting struct {
	store.Store
	read map[string]int
}

func (c *counting) Scan(ctx context.Context, from, to string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for item, err := range c.Store.Scan(ctx, from, to) {
			kind, _, _ := strings.Cut(item.Key, "/")
			c.read[kind]++
			if !yield(item, err) {
				return
			}
		}
	}
}

// TestAStartReadsWhatMayStillChange: not the thousand incidents that are over and done with.
func TestAStartReadsWhatMayStillChange(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) { cfg.ReopenWindow = 0 }), 1)
	const incidents = 200
	for i := range incidents {
		w.fire("alertname", fmt.Sprint(i))
	}
	w.run(time.Minute)
	for i := range incidents {
		w.resolve("alertname", fmt.Sprint(i))
	}
	w.run(10 * time.Minute)
	if all := w.disk.all(); all[prefIncident+num(incidents)] == "" {
		t.Fatal("there are not so many incidents")
	}
	c := &counting{Store: w.disk, read: map[string]int{}}
	if _, err := New(w.cfg, 1).Restore(ctx(), c, w.instant()); err != nil {
		t.Fatal(err)
	}
	for kind, most := range map[string]int{"incident": 20, "event": 20, "attempt": 20, "timeline": 0, "ladder": 0, "member": 0, "delivery": 0} {
		if c.read[kind] > most {
			t.Errorf("%d records of %s were read, want %d at most: the newest was sought", c.read[kind], kind, most)
		}
	}
}
