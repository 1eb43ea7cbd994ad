package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// foldSoon makes folds so frequent that every test sees many.
func foldSoon(t *testing.T, bytes int) {
	t.Helper()
	old := foldAtLeast
	foldAtLeast = bytes
	t.Cleanup(func() { foldAtLeast = old })
}

// known is what the table holds, without what only repeats move.
func (w *world) known() map[string]string {
	all := map[string]string{}
	for a := range w.e.core.router.Alerts().All() {
		all[a.Labels.String()] = fmt.Sprint(a.Annotations, a.StartsAt.UTC(), a.Ended)
	}
	return all
}

// storm posts, changes and ends alerts at random for a while.
func (w *world) storm(r *rand.Rand, posts int) {
	for range posts {
		var post []*router.Alert
		for range 1 + r.IntN(5) {
			a := &router.Alert{
				Labels: set("alertname", "A", "team", "plain", "n", fmt.Sprint(r.IntN(40))), Annotations: set("v", fmt.Sprint(r.IntN(3))),
				StartsAt: night, EndsAt: w.wall().Add(time.Hour),
			}
			if r.IntN(3) == 0 {
				a.EndsAt = w.wall()
			}
			post = append(post, a)
		}
		if !w.post(post...) {
			return
		}
		w.elapsed += time.Duration(r.IntN(60)) * time.Second
		w.settle()
	}
}

// TestFoldsKeepWhatTheJournalSaid folds after every few alerts, and starts again and again on what that left.
func TestFoldsKeepWhatTheJournalSaid(t *testing.T) {
	foldSoon(t, 600)
	r := rand.New(rand.NewPCG(1, 1))
	w := newWorld(t, house(), 1)
	folds := uint64(0)
	for range 40 {
		w.storm(r, 20)
		want := w.known()
		folds = max(folds, w.e.core.journal.gen)
		w.crash(0)
		got := w.known()
		for labels, alert := range want {
			if got[labels] != alert {
				t.Fatalf("%s was %s, and after a restart %q", labels, alert, got[labels])
			}
		}
		for labels, alert := range got {
			if want[labels] == "" && !strings.HasSuffix(alert, "true") {
				t.Fatalf("%s fires out of nowhere: %s", labels, alert)
			}
		}
	}
	if folds < 20 {
		t.Errorf("only %d folds", folds)
	}
	// What folding made needless is gone.
	w.settle()
	j := &w.e.core.journal
	snapshots, records := 0, 0
	for key := range w.disk.all() {
		switch {
		case strings.HasPrefix(key, prefSnapshot):
			snapshots++
		case strings.HasPrefix(key, prefJournal):
			records++
		}
	}
	if snapshots != int(j.chunks) || records != int(j.seq-j.from) {
		t.Errorf("%d chunks of %d, %d records of %d are on the disk", snapshots, j.chunks, records, j.seq-j.from)
	}
}

// TestAFoldCutShort lets the power fail at every commit around a fold, and again in the fold after it.
func TestAFoldCutShort(t *testing.T) {
	foldSoon(t, 400)
	for cut := 1; cut < scaled(120); cut++ {
		r := rand.New(rand.NewPCG(uint64(cut), 1))
		w := newWorld(t, house(), 1)
		w.storm(r, 10)
		w.failures = []failure{{1 + cut%40, cut%2 == 0}, {1 + cut/40, cut%3 == 0}}
		want := w.known()
		w.plan()
		for w.e != nil && w.crashes == 0 {
			want = w.known()
			w.storm(r, 1)
		}
		for w.e == nil {
			w.run(w.back)
		}
		w.failures = nil
		w.plan()
		w.settle()
		got := w.known()
		for labels := range want {
			if got[labels] == "" {
				t.Fatalf("cut %d: %s is forgotten", cut, labels)
			}
		}
		// Nothing of a snapshot that counts is deleted later on.
		w.storm(r, 30)
		want = w.known()
		w.crash(0)
		if got := w.known(); !maps.Equal(firing(got), firing(want)) {
			t.Fatalf("cut %d: after all that fire %v, want %v", cut, firing(got), firing(want))
		}
	}
}

func firing(known map[string]string) map[string]string {
	out := maps.Clone(known)
	maps.DeleteFunc(out, func(_, alert string) bool { return strings.HasSuffix(alert, "true") })
	return out
}

// TestASnapshotOfUnknownAge: without the record that says which snapshot is whole, all of them are read, and none is
// thrown away.
func TestASnapshotOfUnknownAge(t *testing.T) {
	foldSoon(t, 600)
	w := newWorld(t, house(), 1)
	w.storm(rand.New(rand.NewPCG(1, 1)), 60)
	want := w.known()
	problems := w.found()
	w.disk.damage(keyGeneration, `}`)
	w.crash(0)
	if len(*problems) != 1 || !strings.HasPrefix((*problems)[0], "alert/current: a stored current cannot be read") {
		t.Errorf("problems: %q", *problems)
	}
	got := w.known()
	for _, labels := range slices.Sorted(maps.Keys(want)) {
		if got[labels] == "" {
			t.Errorf("%s is forgotten", labels)
		}
	}
}

// TestAJournalRecordIsNeverTooLarge: alerts as large as they may be, many at once.
func TestAJournalRecordIsNeverTooLarge(t *testing.T) {
	var many []*router.Alert
	for i := range 30 {
		many = append(many, &router.Alert{
			Labels: set("alertname", "A", "n", fmt.Sprint(i)), Annotations: set("v", strings.Repeat(string(rune('A'+i)), 250<<10)), StartsAt: night, EndsAt: night.Add(time.Hour),
		})
	}
	w := newWorld(t, house(), 1)
	if !w.post(many...) {
		t.Fatal("not taken in")
	}
	w.crash(0)
	if n := w.e.Router().Alerts().Len(); n != 30 {
		t.Errorf("%d alerts are known after a restart", n)
	}
	records := 0
	for item := range w.disk.Scan(ctx(), prefJournal, prefJournal+"~") {
		if records++; len(item.Value) > store.MaxBatch {
			t.Errorf("%s has %d bytes", item.Key, len(item.Value))
		}
	}
	if records != 30 {
		t.Errorf("%d records, want one for each", records)
	}
}

// TestAClockThatWasSetBackAndARestart: what had ended long ago is no news after it, though the clock says that it will
// end in an hour; and a fold that was under way when the clock was set does not keep its old times.
func TestAClockThatWasSetBackAndARestart(t *testing.T) {
	for _, foldAt := range []int{1, 8 << 20} {
		foldSoon(t, foldAt)
		w := newWorld(t, house(), 1)
		w.fire("alertname", "Lag", "team", "plain", "host", "a")
		w.run(time.Minute)
		w.resolve("alertname", "Lag", "team", "plain", "host", "a")
		w.run(6 * time.Minute)
		w.fire("alertname", "Lag", "team", "plain", "host", "b")
		w.run(12 * time.Minute)
		w.jump(-time.Hour)
		w.run(13 * time.Minute)
		before := w.story()
		w.crash(0)
		w.run(30 * time.Minute)
		if after := w.story(); after != before {
			t.Errorf("folding at %d bytes, a restart made news of old ends:\n%s", foldAt, strings.TrimPrefix(after, before))
		}
	}
}

// TestAFoldSharesItsTurns: a turn writes one chunk of it and no more, however large the table is.
func TestAFoldSharesItsTurns(t *testing.T) {
	foldSoon(t, 1)
	w := newWorld(t, house(), 1)
	var many []*router.Alert
	for i := range 3 * alertsAChunk {
		many = append(many, &router.Alert{Labels: set("alertname", "A", "n", fmt.Sprint(i)), StartsAt: night, EndsAt: night.Add(time.Hour)})
	}
	if !w.post(many...) {
		t.Fatal("not taken in")
	}
	f := w.e.core.journal.fold
	if f == nil || f.part != 0 {
		t.Fatalf("no fold began: %+v", f)
	}
	// A part has a dozen alerts, more or less.
	for turn := 1; turn <= 3; turn++ {
		w.turn(Hello{})
		if want := turn * router.Parts / 3; f.part < want-router.Parts/20 || f.part > want+router.Parts/20 {
			t.Fatalf("%d parts are written in turn %d, want about %d", f.part, turn, want)
		}
		w.elapsed += foldPause
	}
}
