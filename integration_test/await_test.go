//go:build linux

package integration_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// patience is how long the machine may take for what it should do at once. It is no tolerance: what is awaited comes or
// does not, and how long it took is judged by what was recorded.
const patience = time.Minute

// await looks until what is looked for is there. look says what it sees, for the error.
func await(t testing.TB, what string, look func() (seen string, there bool)) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		seen, there := look()
		if there {
			return
		}
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("%s: not after %s; last seen: %s", what, patience, seen)
		}
	}
}

// long says whether the tests that can go on for long shall do so.
func long() bool { return os.Getenv("MIDWATCH_LONG") == "1" }

// seed is where chance begins, and says how to repeat it.
func seed(t testing.TB) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if given := os.Getenv("MIDWATCH_SEED"); given != "" {
		var err error
		if s, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("MIDWATCH_SEED: %s", err)
		}
	}
	fmt.Printf("%s: chance began at MIDWATCH_SEED=%d\n", t.Name(), s)
	return s
}
