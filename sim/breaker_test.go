package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/midwatch/midwatch/incident"
)

func (d *bdisk) incident(n int) (incident.Incident, error) {
	item, err := d.Get(context.Background(), fmt.Sprintf("incident/%010d", n))
	if err != nil {
		return incident.Incident{}, err
	}
	var record struct {
		Value incident.Incident `json:"value"`
	}
	return record.Value, json.Unmarshal(item.Value, &record)
}

// worldLength is how long each world lasts: a weekend, with a change of clocks in most of them.
const worldLength = 60 * time.Hour

// play lets one world pass. It returns the first promise that was broken, if any, and what led to it.
func playWorld(t testing.TB, seed uint64, length time.Duration, p *plant) (w *breaker, broken *violation) {
	w = newBreaker(t, seed, length, p)
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
	w.run()
	w.check.atTheEnd()
	return w, nil
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
		hours = 600
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
				mu.Lock()
				played++
				total.add(w.counts)
				if broken != nil {
					found++
					t.Errorf("world %d: %v\n%s\nreplay: MIDWATCH_SEED=%d go test ./sim -run 'TestBreaker$'", seed, broken, w.tail(map[bool]int{true: 400, false: 25}[worlds == 1]), seed)
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
