package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// After a burst, ten thousand alerts at once or a list of all of them, Go keeps the memory that the burst took for two minutes
// or more, in case there is another. A pager rests nearly always, beside others on its machine, so it gives that back when the
// burst is over. It costs one collection, some tens of milliseconds for 100,000 alerts, and never while there is much to do.
const (
	thriftLook  = 5 * time.Second // how often it looks
	thriftEvery = time.Minute     // gives back at most so often
	thriftLeast = 16 << 20        // bytes that must be to give back, and a third of what is in use
	thriftQuiet = 1 << 20         // bytes a second of new memory at which there is not much to do, and a hundredth of what is in use
)

// A household is what Go's memory is used for.
type household struct {
	live  uint64 // in use, as the last collection found
	held  uint64 // of the heap, in our hands: in use, garbage and free
	taken uint64 // since the process started
}

var householdMetrics = []string{"/gc/heap/live:bytes", "/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes", "/gc/heap/allocs:bytes"}

func readHousehold() household {
	samples := make([]metrics.Sample, len(householdMetrics))
	for i, name := range householdMetrics {
		samples[i].Name = name
	}
	metrics.Read(samples)
	of := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0 // a later Go may not know it
		}
		return samples[i].Value.Uint64()
	}
	return household{live: of(0), held: of(1) + of(2) + of(3), taken: of(4)}
}

// wasteful reports whether much can be given back, and not much is going on since before.
func (h household) wasteful(before household, since time.Duration) bool {
	quiet := float64(h.taken-before.taken) <= since.Seconds()*float64(max(thriftQuiet, h.live/100))
	return quiet && h.held > h.live+max(thriftLeast, h.live/3)
}

// thrift gives memory back until ctx is done.
func thrift(ctx context.Context) {
	look := time.NewTicker(thriftLook)
	defer look.Stop()
	var gave time.Time
	for before := readHousehold(); ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := readHousehold()
		if time.Since(gave) >= thriftEvery && now.wasteful(before, thriftLook) {
			debug.FreeOSMemory()
			gave, now = time.Now(), readHousehold()
		}
		before = now
	}
}
