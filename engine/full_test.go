package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/store"
)

// fill makes the disk take no writes from now on.
func (w *world) fill() {
	w.disk.judge = func(int, store.Batch) (before, after error) {
		return fmt.Errorf("%w: no space left on device", store.ErrFull), nil
	}
}

// makeRoom lets it take writes again. The engine finds out within a second.
func (w *world) makeRoom() {
	w.disk.judge = nil
	w.elapsed += retryBacklog
	w.turn()
}

func TestAFullDiskStopsNoPage(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)
	w.fill()
	w.run(6 * time.Minute)

	for range 2 { // also the second time: it is still not on disk
		if answer := w.turn(Alerts{Alerts: alerts("alertname", "Lag", "host", "b")})[0]; !errors.Is(answer.Err, ErrUnsaved) {
			t.Errorf("a new alert on a full disk: %v", answer.Err)
		}
	}
	if w.e.core.router.Touch(alerts("alertname", "Lag", "host", "b")[0], w.wall()) {
		t.Error("an alert that is not on disk is answered for")
	}
	answer := w.act(Action{Verb: Acknowledge, Incident: "INC-1", By: "bo"})
	if !errors.Is(answer.Err, ErrUnsaved) || answer.Incident.Status != incident.Acked {
		t.Errorf("acknowledging on a full disk: %s, %v", answer.Incident.Status, answer.Err)
	}
	if why := w.e.Trouble(); why != "the disk takes no more: it is full or read-only: no space left on device" {
		t.Errorf("the trouble is said to be %q", why)
	}
	want := `
30s incident_opened INC-1 sev2
30s page INC-1 ana chat 1.1
5m30s page INC-1 bo mail 2.1
6m0s note INC-1
6m0s acknowledged INC-1 bo`
	same(t, w.story(), want)
	if timeline, _ := w.e.Timeline(ctx(), 1); len(timeline) != 5 {
		t.Errorf("the timeline has %d lines while the disk is full", len(timeline))
	}
	if got := strings.Count(fmt.Sprint(slices.Collect(maps.Keys(w.disk.all()))), prefEvent); got != 2 {
		t.Errorf("%d events are on the full disk", got)
	}

	w.makeRoom()
	if why := w.e.Trouble(); why != "" {
		t.Errorf("with room again, the trouble is said to be %q", why)
	}
	w.must(Action{Verb: AddNote, Incident: "INC-1", By: "bo", Text: "made room"})
	w.crash(0)
	same(t, w.story(), want+"\n6m1s note INC-1 bo")
	w.holdHistory()
}

// TestAfterAFullDiskNothingIsMissing plays the same night on two disks, of which one fills up again and again. When
// there is room in the end, both hold the same, byte for byte, and the same was sent at the same times.
func TestAfterAFullDiskNothingIsMissing(t *testing.T) {
	for seed := range uint64(scaled(60)) {
		play := func(full bool) (sent []string, all map[string]string) {
			w := newWorld(t, house(withDelays), seed)
			w.unsaved = true
			w.net.outcome = chance(seed)
			w.deeds = w.anyNight(40 * time.Minute)
			w.watch = func(w *world, s Send) { sent = append(sent, w.elapsed.String()+" "+s.Delivery.Key) }
			if full {
				r := rand.New(rand.NewPCG(seed, 99))
				until, room := time.Duration(0), false
				w.disk.judge = func(int, store.Batch) (before, after error) {
					if w.elapsed >= until {
						until, room = w.elapsed+time.Duration(r.IntN(int(5*time.Minute))), !room
					}
					if room || r.IntN(3) == 0 { // also in the middle of a turn, or of catching up
						return nil, nil
					}
					return store.ErrFull, nil
				}
			}
			w.run(50 * time.Minute)
			w.disk.judge = nil
			w.elapsed += retryBacklog
			w.turn()
			w.holdHistory()
			return sent, w.disk.all()
		}
		wantSent, want := play(false)
		gotSent, got := play(true)
		if !slices.Equal(wantSent, gotSent) {
			t.Fatalf("night %d: on a full disk went out\n%s\nwith room\n%s", seed, strings.Join(gotSent, "\n"), strings.Join(wantSent, "\n"))
		}
		if !maps.Equal(got, want) {
			t.Fatalf("night %d: %s", seed, firstDifference(got, want))
		}
	}
}

func firstDifference(got, want map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			return fmt.Sprintf("%s holds\n%s\nwant\n%s", key, got[key], want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			return fmt.Sprintf("%s is too much: %s", key, got[key])
		}
	}
	return "no difference"
}

// scaled is how often a random proof is repeated.
func scaled(n int) int {
	if raced {
		return max(n/20, 1)
	}
	return n
}

// TestACrashWhileFullLosesWhatWasNeverAnswered lets the power fail while the disk is full, or while the engine catches
// up. What was answered without a warning is still there, and everything hangs together.
func TestACrashWhileFullLosesWhatWasNeverAnswered(t *testing.T) {
	whole := maxOps
	defer func() { maxOps = whole }()
	maxOps = 6 // catching up takes many batches
	for seed := range uint64(scaled(150)) {
		r := rand.New(rand.NewPCG(seed, 5))
		w := newWorld(t, house(withDelays), seed)
		w.net.outcome = chance(seed)
		w.deeds = w.anyNight(40 * time.Minute)
		w.onStart = (*world).holdRestart
		w.run(time.Duration(r.IntN(20)) * time.Minute)
		w.fill()
		w.lossy = true
		w.run(w.elapsed + time.Duration(r.IntN(15))*time.Minute)
		if r.IntN(2) == 0 {
			// There is room again, and the power fails while what was held back is being written.
			w.failures = []failure{{1 + r.IntN(20), r.IntN(2) == 0}}
			w.plan()
			w.elapsed += retryBacklog
			w.turn()
			w.run(w.elapsed + time.Minute)
		}
		if w.e != nil && w.crashes == 0 {
			w.crash(time.Duration(r.IntN(10)) * time.Minute)
		}
		w.lossy = false
		w.run(70 * time.Minute)
		w.endOfNight()
	}
}

// forgetUnsaved makes the world expect no more of what was never written: such an incident's number is given again.
func (w *world) forgetUnsaved() {
	for n := range w.names {
		if _, err := w.disk.Get(ctx(), prefIncident+num(n)); err != nil {
			delete(w.names, n)
		}
	}
	clear(w.keys)
	clear(w.lastTold)
}

func TestABrokenDiskOrALostLeadIsTheEnd(t *testing.T) {
	for _, err := range []error{store.ErrBroken, store.ErrConflict, store.ErrClosed} {
		w := newWorld(t, house(), 1)
		w.disk.judge = func(int, store.Batch) (before, after error) { return err, nil }
		r := request{in: Action{Verb: AddNote, Incident: "INC-1", By: "ana", Text: "x"}, answer: make(chan Answer, 1)}
		got := w.e.turn([]request{{in: Alerts{Alerts: alerts("alertname", "Lag")}, answer: make(chan Answer, 1)}, r})
		if !errors.Is(got, err) || !strings.HasPrefix(got.Error(), "the store: ") {
			t.Errorf("%v became %v", err, got)
		}
		select {
		case a := <-r.answer:
			t.Errorf("after %v somebody was answered %+v", err, a)
		default:
		}
	}
}
