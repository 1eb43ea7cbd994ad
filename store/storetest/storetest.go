// Package storetest proves that a store keeps its contract.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/midwatch/midwatch/store"
)

// Run is the conformance suite that every store must pass. open returns an empty store; Run closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"AnAbsentKeyIsNotFound", anAbsentKeyIsNotFound},
		{"AnEmptyValueIsNotAbsent", anEmptyValueIsNotAbsent},
		{"ValuesAreCopies", valuesAreCopies},
		{"AnyBytesAreKept", anyBytesAreKept},
		{"ScanFollowsTheBytesOfTheKeys", scanFollowsTheBytesOfTheKeys},
		{"ScanIsHalfOpen", scanIsHalfOpen},
		{"APrefixStopsAtItsNeighbours", aPrefixStopsAtItsNeighbours},
		{"ALongScanMissesNothing", aLongScanMissesNothing},
		{"AScanCanBeLeftAndRepeated", aScanCanBeLeftAndRepeated},
		{"AScanMayCommit", aScanMayCommit},
		{"AScanIsSteadyAmongCommits", aScanIsSteadyAmongCommits},

		{"ABatchPutsAndDeletes", aBatchPutsAndDeletes},
		{"AnEmptyBatchDoesNothing", anEmptyBatchDoesNothing},
		{"DeletingAnAbsentKeyIsNoError", deletingAnAbsentKeyIsNoError},
		{"RevisionsGrow", revisionsGrow},
		{"ConditionsHoldOrNothingHappens", conditionsHoldOrNothingHappens},
		{"BoundsAreExact", boundsAreExact},
		{"BatchesOutOfBoundsAreRefused", batchesOutOfBoundsAreRefused},
		{"OneOfManyCreates", oneOfManyCreates},
		{"ConcurrentCountersLoseNothing", concurrentCountersLoseNothing},

		{"TheLeaseFences", theLeaseFences},
		{"ACancelledContextStopsIt", aCancelledContextStopsIt},
		{"AClosedStoreSaysSo", aClosedStoreSaysSo},
		{"CloseLeavesNobodyWaiting", closeLeavesNobodyWaiting},
		{"ItBehavesLikeAMap", itBehavesLikeAMap},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func put(pairs ...string) store.Batch {
	var b store.Batch
	for pair := range slices.Chunk(pairs, 2) {
		b.Put = append(b.Put, store.KeyValue{Key: pair[0], Value: []byte(pair[1])})
	}
	return b
}

func commit(t tester, s store.Store, b store.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func get(t tester, s store.Store, key string) store.Item {
	t.Helper()
	item, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return item
}

func scan(t tester, s store.Store, from, to string) []store.Item {
	t.Helper()
	var items []store.Item
	for item, err := range s.Scan(context.Background(), from, to) {
		if err != nil {
			t.Fatalf("scan [%q, %q): %v", from, to, err)
		}
		items = append(items, item)
	}
	return items
}

// contents is what a scan of everything finds, as "key=value".
func contents(t tester, s store.Store) []string {
	t.Helper()
	var found []string
	for _, item := range scan(t, s, "", "") {
		found = append(found, fmt.Sprintf("%s=%s", item.Key, item.Value))
	}
	return found
}

func keys(items []store.Item) []string {
	var found []string
	for _, item := range items {
		found = append(found, item.Key)
	}
	return found
}
