package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/midwatch/midwatch/store"
)

// RunDurable is the suite for a store that outlives its process. open opens the store in dir, an empty
// directory at first; a second open finds what the first has left.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	t.Run("WhatWasCommittedIsThereAgain", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		fillOdd(t, s)
		many(t, s, 1000)
		commit(t, s, store.Batch{Delete: []string{"a/1", "plain"}})
		before := scan(t, s, "", "")
		reopen(t, &s, dir, open)

		after := scan(t, s, "", "")
		same := func(a, b store.Item) bool {
			return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Revision == b.Revision
		}
		if !slices.EqualFunc(before, after, same) {
			t.Errorf("%d items before, %d after, or they differ", len(before), len(after))
		}
	})

	t.Run("RevisionsGrowAcrossRestarts", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		commit(t, s, put("a", "1"))
		old := get(t, s, "a")
		commit(t, s, store.Batch{Delete: []string{"a"}})
		reopen(t, &s, dir, open)
		commit(t, s, put("a", "2"))

		if now := get(t, s, "a"); now.Revision <= old.Revision {
			t.Errorf("revision is %d, and was %d before", now.Revision, old.Revision)
		}
		stale := put("a", "3")
		stale.If = []store.Condition{{Key: "a", Revision: old.Revision}}
		if err := s.Commit(t.Context(), stale); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a condition from before the restart: %v", err)
		}
	})

	t.Run("ARefusedBatchLeavesNothingBehind", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		commit(t, s, put("a", "1"))
		refused := put("b", "2")
		refused.If = []store.Condition{{Key: "a"}}
		if err := s.Commit(t.Context(), refused); !errors.Is(err, store.ErrConflict) {
			t.Errorf("commit = %v", err)
		}
		reopen(t, &s, dir, open)
		if got := contents(t, s); !slices.Equal(got, []string{"a=1"}) {
			t.Errorf("got %q", got)
		}
	})

	t.Run("ManyRestarts", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		var want []string
		for i := range 10 {
			commit(t, s, put(fmt.Sprintf("run/%d", i), "x"))
			want = append(want, fmt.Sprintf("run/%d=x", i))
			reopen(t, &s, dir, open)
		}
		if got := contents(t, s); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// reopen also sees to it that the last one is closed.
func reopen(t *testing.T, s *store.Store, dir string, open func(*testing.T, string) store.Store) {
	t.Helper()
	if err := (*s).Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	next := open(t, dir)
	t.Cleanup(func() { _ = next.Close() })
	*s = next
}
