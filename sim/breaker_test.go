package sim

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// worldLength is how long each world lasts: a weekend, with a change of clocks in most of them.
const worldLength = 60 * time.Hour

// play lets one world pass. It returns the first promise that was broken, if any, and what led to it.
func playWorld(t testing.TB, seed uint64, length time.Duration, p *plant) (w *breaker, broken *violation) {
	return playPart(t, seed, length, length, p, nil)
}

// playPart is playWorld without some of what is planned, until a time.
func playPart(t testing.TB, seed uint64, length, until time.Duration, p *plant, skip map[int]bool) (w *breaker, broken *violation) {
	w = newBreaker(t, seed, length, p)
	w.skip = skip
	defer func() {
		if r := recover(); r != nil {
			v, ok := r.(violation)
			if !ok {
				t.Logf("world %d, at %s:\n%s", seed, FormatElapsed(w.elapsed), w.tail(60))
				panic(r)
			}
			broken = &v
		}
	}()
	w.fill()
	w.length = until
	w.run()
	w.check.atTheEnd()
	return w, nil
}

// mostTries is how many smaller worlds shrink plays.
const mostTries = 200

// shrink looks for a smaller world that breaks the same promise: it leaves out what is planned, a half at first, then less.
func shrink(t testing.TB, seed uint64, p func() *plant, broken *violation) (w *breaker, smaller *violation, kept int) {
	until := broken.at + time.Hour
	w = newBreaker(t, seed, worldLength, nil)
	w.fill()
	var planned []int
	for _, d := range w.deeds {
		if d.at <= until {
			planned = append(planned, d.order)
		}
	}
	skip := map[int]bool{}
	w, smaller = playPart(t, seed, worldLength, until, p(), skip)
	tries := 0
	for size := (len(planned) + 1) / 2; smaller != nil && size > 0; size /= 2 {
		for chunk := range slices.Chunk(slices.Clone(planned), size) {
			if tries++; tries > mostTries {
				return w, smaller, len(planned)
			}
			try := maps.Clone(skip)
			for _, order := range chunk {
				try[order] = true
			}
			if v, still := playPart(t, seed, worldLength, until, p(), try); still != nil && still.rule == broken.rule {
				w, smaller, skip = v, still, try
				planned = slices.DeleteFunc(planned, func(order int) bool { return try[order] })
			}
		}
	}
	return w, smaller, len(planned)
}

// TestTheShrinkerShrinks shows it on a planted bug.
func TestTheShrinkerShrinks(t *testing.T) {
	plant := func() *plant { return &plant{late: 2 * time.Second} }
	_, broken := playWorld(t, 1, worldLength, plant())
	if broken == nil {
		t.Fatal("the planted bug does not show")
	}
	_, smaller, kept := shrink(t, 1, plant, broken)
	if smaller == nil || smaller.rule != broken.rule || kept > 5 {
		t.Errorf("%d deeds are left of a world that breaks %q: %v", kept, broken.rule, smaller)
	}
}

func (w *breaker) tail(n int) string { return strings.Join(w.trace[max(0, len(w.trace)-n):], "\n") }

// TestBreaker plays random worlds and holds the engine to its promises. MIDWATCH_LONG=1 plays a million hours, MIDWATCH_HOURS
// so many, MIDWATCH_SEED=n one world.
func TestBreaker(t *testing.T) {
	hours := 10_000
	switch {
	case os.Getenv("MIDWATCH_HOURS") != "":
		hours, _ = strconv.Atoi(os.Getenv("MIDWATCH_HOURS"))
	case os.Getenv("MIDWATCH_LONG") != "":
		hours = 1_000_000
	case testing.Short():
		hours = 300
	}
	first, worlds := uint64(1), uint64(hours)/uint64(worldLength.Hours())
	if seed := os.Getenv("MIDWATCH_SEED"); seed != "" {
		first, _ = strconv.ParseUint(seed, 10, 64)
		worlds = 1
	}
	if from := os.Getenv("MIDWATCH_FROM"); from != "" {
		first, _ = strconv.ParseUint(from, 10, 64)
	}
	start := time.Now()
	var mu sync.Mutex
	var total bcounts
	played, found := 0, 0
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := range seeds {
				w, broken := playWorld(t, seed, worldLength, nil)
				small := ""
				if broken != nil && worlds == 1 {
					less, _, kept := shrink(t, seed, func() *plant { return nil }, broken)
					small = fmt.Sprintf("\n%d planned deeds are enough for it:\n%s", kept, less.tail(200))
				}
				mu.Lock()
				played++
				total.add(w.counts)
				if broken != nil {
					found++
					t.Errorf("world %d: %v\n%s%s\nreplay: MIDWATCH_SEED=%d go test ./sim -run 'TestBreaker$'", seed, broken, w.tail(40), small, seed)
				}
				mu.Unlock()
			}
		})
	}
	for seed := first; seed < first+worlds; seed++ {
		mu.Lock()
		enough := found >= 3
		mu.Unlock()
		if enough {
			break
		}
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	spent := time.Since(start).Seconds()
	simulated := float64(played) * worldLength.Hours()
	t.Logf("%d worlds, %.0f simulated hours in %.0f s, %.0f hours a second; %+v", played, simulated, spent, simulated/spent, total)
}
