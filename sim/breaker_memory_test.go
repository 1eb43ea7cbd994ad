package sim

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/midwatch/midwatch/engine"
)

// heap is how much is held, after the garbage is gone.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers let go of
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAnEngineThatRanForLongHoldsNoMore compares one that has run for weeks with one that starts on the same disk: what the
// old one holds beside is a leak. The disk itself, which is in memory here, is held by both.
func TestAnEngineThatRanForLongHoldsNoMore(t *testing.T) {
	length := 300 * time.Hour
	for seed := uint64(1); seed <= 3; seed++ {
		w, broken := playWorld(t, seed, length, nil)
		if broken != nil {
			t.Fatalf("world %d: %v", seed, broken)
		}
		if w.e == nil {
			w.boot()
		}
		w.trace, w.mail, w.sent, w.check = nil, nil, nil, newChecker(w)
		old := heap()
		w.e = nil
		none := heap()
		e, err := engine.Start(context.Background(), engine.Options{Store: w.disk, Config: w.cfg, Sender: w, Seed: w.seed, Now: w.instant})
		if err != nil {
			t.Fatal(err)
		}
		fresh := heap()
		runtime.KeepAlive(e)
		t.Logf("world %d: after %s and %d incidents an engine holds %d KiB, a fresh one %d", seed, length, w.counts.Incidents, (old-none)>>10, (fresh-none)>>10)
		if had, has := old-none, fresh-none; had > has+has/4 {
			t.Errorf("world %d: the engine that ran for %s holds %d bytes, one that starts on its disk %d", seed, length, had, has)
		}
		runtime.KeepAlive(w)
	}
}
