package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// since is the story of what happened after that line of the history, by the time that has passed whatever the clock
// was set to; back is by how much it was set.
func (w *world) since(seq uint64, back time.Duration) string {
	var b strings.Builder
	events, err := w.e.Audit(ctx(), seq, 1<<30)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	for _, e := range events {
		fmt.Fprintln(&b, e.At.Sub(w.start)-back, e.Kind, e.Incident, e.User, e.Via, e.Receiver, e.By, e.Severity, e.Step, e.Cycle)
	}
	return b.String()
}

// TestAClockThatIsSetBackWhileWeAreDown plays random nights with a few restarts, and each of them again with the clock
// set back at the first one, by two days, so that the same people are on call. Whatever waits waits as long.
func TestAClockThatIsSetBackWhileWeAreDown(t *testing.T) {
	const back = -48 * time.Hour
	for seed := range uint64(scaled(200)) {
		var stories [2]string
		for i := range stories {
			w := newWorld(t, house(withDelays), seed)
			fate := chance(seed)
			w.net.outcome = func(s Send, attempt int) (Verdict, time.Duration) {
				if g := s.Delivery.Group; g != nil { // its key tells the time
					s.Delivery.Key = fmt.Sprint(g.Notify().Entry.LogKey, w.elapsed)
				}
				return fate(s, attempt)
			}
			w.deeds = slices.DeleteFunc(w.anyNight(40*time.Minute), func(d deed) bool { return d.what == "override" || civil(d) })
			w.run(time.Duration(5+seed%30) * time.Minute)
			// Something is written right before; and nobody will hear of this one again.
			w.post(&router.Alert{Labels: set("alertname", "Once"), StartsAt: w.wall(), EndsAt: w.wall().Add(20 * time.Minute)})
			seq, by := w.e.core.seq, time.Duration(i)*back
			w.jumped += by
			w.crash(0)
			w.run(w.elapsed + 10*time.Second)
			w.crash(0)
			w.run(w.elapsed + 7*time.Minute)
			w.crash(time.Minute)
			w.run(70 * time.Minute)
			stories[i] = w.since(seq, by)
			w.holdAwake()
			w.holdAlerts()
			w.holdKeys()
		}
		if stories[0] != stories[1] {
			t.Fatalf("night %d: with the clock set back\n%s\nelse\n%s", seed, stories[1], stories[0])
		}
	}
}

// TestWhatNobodyKnowsOfAClock that was set while we were down: how long we were, and when nothing was written any more.
// The second step is due 5 minutes after the first, at 30s; we stop 3 minutes after it, and are down for 1.
func TestWhatNobodyKnowsOfAClock(t *testing.T) {
	for _, c := range []struct{ by, second, third time.Duration }{
		{0, 5*time.Minute + 30*time.Second, 15*time.Minute + 30*time.Second},
		{-time.Hour, 9*time.Minute + 30*time.Second, 19*time.Minute + 30*time.Second},       // as if no time had passed
		{-2 * time.Minute, 7*time.Minute + 30*time.Second, 17*time.Minute + 30*time.Second}, // as if it had been less
		{time.Hour, 4*time.Minute + 30*time.Second, 14*time.Minute + 30*time.Second},        // as if it had been more
	} {
		w := newWorld(t, house(), 1)
		w.fire("alertname", "Lag")
		w.run(3*time.Minute + 30*time.Second)
		seq := w.e.core.seq
		w.crash(time.Minute)
		w.jumped += c.by
		w.run(25 * time.Minute)
		same(t, w.since(seq, c.by), fmt.Sprintf(`
%s page INC-1 bo mail    2 1
%s policy_exhausted INC-1      0 0
%[2]s catch_all INC-1      0 0
%[2]s page INC-1 cto phone    0 0`, c.second, c.third))
	}
}

func TestClockRecords(t *testing.T) {
	for by, want := range map[time.Duration][]byte{
		-time.Second: {2, 0xff, 0xa7, 0xd6, 0xb9, 0x07},
		time.Hour:    {2, 0x80, 0x80, 0xc5, 0x8b, 0xc6, 0xd1, 0x01},
	} {
		record := clockRecord(by)
		if !bytes.Equal(record, want) {
			t.Errorf("%s is written as % x, want % x", by, record, want)
		}
		if got, ok := readClock(want); !ok || got != by {
			t.Errorf("% x is read as %s (%v), want %s", want, got, ok, by)
		}
		for _, bad := range [][]byte{nil, record[:1], record[:len(record)-1], append(record, 0), append([]byte{journalFormat}, record[1:]...)} {
			if got, ok := readClock(bad); ok {
				t.Errorf("% x is read as %s", bad, got)
			}
		}
	}
}

// ends are the times of every alert in the table.
func (w *world) ends() map[string]string {
	all := map[string]string{}
	for a := range w.e.core.router.Alerts().All() {
		all[a.Labels.String()] = fmt.Sprint("ends ", a.EndsAt.Sub(w.wall()), ", heard of ", a.UpdatedAt.Sub(w.wall()))
	}
	return all
}

// TestAlertsKeepTheirTimesThroughAClockThatWasSet and a restart: those of the journal before it and after it, and those
// of a fold that was under way.
func TestAlertsKeepTheirTimesThroughAClockThatWasSet(t *testing.T) {
	for _, c := range []struct {
		foldAt, steps int
		fold          string
	}{
		{8 << 20, 0, "no fold"},
		{1, 0, "a fold that has written nothing"},
		{1, 1, "a fold that has written several chunks, and needs but one anew"},
	} {
		foldSoon(t, c.foldAt)
		w := newWorld(t, house(), 1)
		post := func(size int, hosts ...string) {
			var alerts []*router.Alert
			for _, host := range hosts {
				alerts = append(alerts, &router.Alert{
					Labels: set("alertname", "Lag", "team", "plain", "host", host), Annotations: set("v", strings.Repeat("x", size)),
					StartsAt: night, EndsAt: w.wall().Add(20 * time.Minute),
				})
			}
			w.post(alerts...)
		}
		post(200<<10, "a", "b", "c", "d", "e")
		if (w.e.core.journal.fold != nil) != (c.foldAt == 1) {
			t.Fatalf("%s: %+v", c.fold, w.e.core.journal.fold)
		}
		for range c.steps {
			w.e.core.foldOn()
		}
		w.jumped -= time.Hour
		post(1, "c", "d", "e", "f")
		w.elapsed += time.Minute
		post(2, "e", "g")
		w.settle()
		before := w.ends()
		w.crash(0)
		if after := w.ends(); !maps.Equal(before, after) {
			t.Errorf("%s: before a restart\n%v\nafter it\n%v", c.fold, before, after)
		}
		chunks := uint64(0)
		for range w.disk.Scan(ctx(), prefSnapshot, prefSnapshot+"~") {
			chunks++
		}
		if j := &w.e.core.journal; chunks != j.chunks || (j.chunks > 0) != (c.foldAt == 1) {
			t.Errorf("%s: %d chunks are on the disk, the snapshot has %d", c.fold, chunks, j.chunks)
		}
	}
}

// TestASilenceIsStillToComeAgain: the clock is set back to before it began, while we run or while we are down. What it
// paused goes on, until it begins once more.
func TestASilenceIsStillToComeAgain(t *testing.T) {
	const back = -20 * time.Minute
	for _, down := range []bool{false, true} {
		w := newWorld(t, house(), 1)
		w.fire("alertname", "Lag")
		w.run(2 * time.Minute)
		w.silence("alertname", "Lag", time.Hour)
		w.run(4 * time.Minute)
		w.turn(Action{Verb: AddNote, Incident: "INC-1", By: "ana", Text: "so that something is written"})
		seq := w.e.core.seq
		if down {
			w.jumped += back
			w.crash(0)
			w.settle()
		} else {
			w.jump(back)
		}
		w.run(40 * time.Minute)
		same(t, w.since(seq, back), `
4m0s note INC-1      0 0
5m30s page INC-1 bo mail    2 1
15m30s policy_exhausted INC-1      0 0
15m30s catch_all INC-1      0 0
15m30s page INC-1 cto phone    0 0
22m0s note INC-1      0 0`)
	}
}

// TestAMachineThatBeginsIn1970, and learns the time from the network two minutes later. The last write was at 30s.
func TestAMachineThatBeginsIn1970(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.jumped = time.Unix(0, 0).Sub(w.start)
	w.crash(0)
	w.run(3 * time.Minute)
	w.jump(-w.jumped)
	w.run(10 * time.Minute)
	same(t, w.story(), `
30s incident_opened INC-1 sev2
30s page INC-1 ana chat 1.1
6m0s page INC-1 bo mail 2.1`)
}

// TestAStopThatCannotHaveBeen: a record of it that is damaged is told of and left alone; nothing waits for its day.
func TestAStopThatCannotHaveBeen(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	problems := w.found()
	w.disk.damage(keyAlive, string(encode("alive", night.AddDate(1000, 0, 0))))
	w.crash(0)
	if want := []string{"meta/alive: it says that midwatch ran at 3026-11-22 03:00:00 +0000 UTC, which cannot be"}; !slices.Equal(*problems, want) {
		t.Errorf("problems: %q, want %q", *problems, want)
	}
	w.run(6 * time.Minute)
	same(t, w.story(incident.Paged), "30s page INC-1 ana chat 1.1\n5m30s page INC-1 bo mail 2.1")
}
