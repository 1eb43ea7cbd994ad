package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/midwatch/midwatch/store"
)

func aBatchPutsAndDeletes(t *testing.T, s store.Store) {
	commit(t, s, put("incident/1", "triggered", "incident/2", "triggered", "outbox/1", "mail"))
	b := put("incident/1", "acked", "history/1", "ana acked")
	b.Delete = []string{"outbox/1"}
	commit(t, s, b)

	want := []string{"history/1=ana acked", "incident/1=acked", "incident/2=triggered"}
	if got := contents(t, s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func anEmptyBatchDoesNothing(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1"))
	before := get(t, s, "a")
	commit(t, s, store.Batch{})
	commit(t, s, store.Batch{If: []store.Condition{{Key: "a", Revision: before.Revision}}})
	if after := get(t, s, "a"); after.Revision != before.Revision {
		t.Errorf("revision %d became %d", before.Revision, after.Revision)
	}
}

func deletingAnAbsentKeyIsNoError(t *testing.T, s store.Store) {
	commit(t, s, store.Batch{Delete: []string{"nobody", "no/body"}})
	if got := contents(t, s); got != nil {
		t.Errorf("got %q, want nothing", got)
	}
}

// The revision must not come back after a delete: whoever holds the old one would overwrite the new value.
func revisionsGrow(t *testing.T, s store.Store) {
	commit(t, s, put("page/1", "a", "page/2", "b"))
	first, other := get(t, s, "page/1"), get(t, s, "page/2")

	commit(t, s, put("page/1", "a"))
	second := get(t, s, "page/1")
	commit(t, s, store.Batch{Delete: []string{"page/1"}})
	commit(t, s, put("page/1", "a"))
	third := get(t, s, "page/1")

	if !(0 < first.Revision && first.Revision < second.Revision && second.Revision < third.Revision) {
		t.Errorf("revisions %d, %d, %d do not grow from 1 on", first.Revision, second.Revision, third.Revision)
	}
	if now := get(t, s, "page/2"); now.Revision != other.Revision {
		t.Errorf("untouched, and revision %d became %d", other.Revision, now.Revision)
	}
}

func conditionsHoldOrNothingHappens(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1", "b/1", "1", "gone", "1"))
	a, b, gone := get(t, s, "a"), get(t, s, "b/1"), get(t, s, "gone")
	commit(t, s, store.Batch{Delete: []string{"gone"}})
	before := contents(t, s)

	for _, test := range []struct {
		name  string
		If    []store.Condition
		holds bool
	}{
		{"absent and is", []store.Condition{{Key: "c"}}, true},
		{"absent and was deleted", []store.Condition{{Key: "gone"}}, true},
		{"absent, in no bucket", []store.Condition{{Key: "no/such"}}, true},
		{"absent and is not", []store.Condition{{Key: "a"}}, false},
		{"exact", []store.Condition{{Key: "a", Revision: a.Revision}}, true},
		{"too old", []store.Condition{{Key: "a", Revision: a.Revision - 1}}, false},
		{"too new", []store.Condition{{Key: "a", Revision: a.Revision + 1}}, false},
		{"deleted", []store.Condition{{Key: "gone", Revision: gone.Revision}}, false},
		{"never there", []store.Condition{{Key: "c", Revision: 1}}, false},
		{"two hold", []store.Condition{{Key: "a", Revision: a.Revision}, {Key: "b/1", Revision: b.Revision}}, true},
		{"the first fails", []store.Condition{{Key: "a", Revision: 999}, {Key: "b/1", Revision: b.Revision}}, false},
		{"the last fails", []store.Condition{{Key: "a", Revision: a.Revision}, {Key: "b/1", Revision: 999}}, false},
		{"contradiction", []store.Condition{{Key: "a", Revision: a.Revision}, {Key: "a"}}, false},
	} {
		err := s.Commit(t.Context(), store.Batch{If: test.If, Put: put("new/1", "x").Put, Delete: []string{"new/2"}})
		if held := err == nil; held != test.holds || err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: commit = %v", test.name, err)
		}
		got := contents(t, s)
		if want := test.holds; slices.Contains(got, "new/1=x") != want {
			t.Errorf("%s: contents are %q", test.name, got)
		}
		commit(t, s, store.Batch{Delete: []string{"new/1"}})
		if got := contents(t, s); !slices.Equal(got, before) {
			t.Errorf("%s: got %q, want %q", test.name, got, before)
		}
	}
}

// full is a batch of n operations and size bytes.
func full(n, size int) store.Batch {
	var b store.Batch
	for i := range n {
		b.Put = append(b.Put, store.KeyValue{Key: fmt.Sprintf("big/%03d", i)})
	}
	b.Put[0].Value = make([]byte, size-b.Size())
	return b
}

func boundsAreExact(t *testing.T, s store.Store) {
	b := full(store.MaxOps, store.MaxBatch)
	commit(t, s, b)
	if got := scan(t, s, "", ""); len(got) != store.MaxOps || len(got[0].Value) != len(b.Put[0].Value) {
		t.Errorf("%d keys, first of %d bytes", len(got), len(got[0].Value))
	}
	long := strings.Repeat("k", store.MaxKey)
	commit(t, s, put(long, "v"))
	get(t, s, long)
}

func batchesOutOfBoundsAreRefused(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1"))
	mixed := full(store.MaxOps-1, 4096)
	mixed.If = []store.Condition{{Key: "x"}}
	mixed.Delete = []string{"y"}
	for _, test := range []struct {
		name string
		b    store.Batch
	}{
		{"129 puts", full(store.MaxOps+1, 4096)},
		{"129 operations", mixed},
		{"1 MiB + 1", full(2, store.MaxBatch+1)},
		{"put twice", put("a", "2", "a", "3")},
		{"delete twice", store.Batch{Delete: []string{"a", "a"}}},
		{"put and delete", store.Batch{Put: put("a", "2").Put, Delete: []string{"a"}}},
		{"put to no key", put("b", "2", "", "3")},
		{"delete no key", store.Batch{Put: put("b", "2").Put, Delete: []string{""}}},
		{"condition on no key", store.Batch{If: []store.Condition{{}}, Put: put("b", "2").Put}},
		{"revision below 0", store.Batch{If: []store.Condition{{Key: "b", Revision: -1}}, Put: put("b", "2").Put}},
		{"key too long", put(strings.Repeat("k", store.MaxKey+1), "2")},
	} {
		err := s.Commit(t.Context(), test.b)
		if err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: commit = %v, want it refused", test.name, err)
		}
	}
	if got := contents(t, s); !slices.Equal(got, []string{"a=1"}) {
		t.Errorf("refused batches left %.200q", got)
	}
}

func oneOfManyCreates(t *testing.T, s store.Store) {
	const tries = 20
	outcomes := make([]error, tries)
	together(tries, func(i int) {
		outcomes[i] = s.Commit(context.Background(), store.Batch{
			If:  []store.Condition{{Key: "lead/1"}},
			Put: put("lead/1", strconv.Itoa(i), fmt.Sprintf("mine/%d", i), "x").Put,
		})
	})
	winner := slices.Index(outcomes, nil)
	for i, err := range outcomes {
		if i != winner && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%d gets %v, and %d has won", i, err, winner)
		}
	}
	want := []string{fmt.Sprintf("lead/1=%d", winner), fmt.Sprintf("mine/%d=x", winner)}
	if got := contents(t, s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func concurrentCountersLoseNothing(t *testing.T, s store.Store) {
	const writers, rounds = 8, 25
	commit(t, s, put("count/shared", "0"))
	together(writers, func(w int) {
		for done := 0; done < rounds; {
			item, err := s.Get(context.Background(), "count/shared")
			if err != nil {
				t.Errorf("get: %v", err)
				return
			}
			n, _ := strconv.Atoi(string(item.Value))
			err = s.Commit(context.Background(), store.Batch{
				If:  []store.Condition{{Key: item.Key, Revision: item.Revision}},
				Put: put(item.Key, strconv.Itoa(n+1), fmt.Sprintf("count/%d", w), strconv.Itoa(done+1)).Put,
			})
			switch {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("commit: %v", err)
				return
			}
		}
	})
	want := []string{}
	for w := range writers {
		want = append(want, fmt.Sprintf("count/%d=%d", w, rounds))
	}
	want = append(want, fmt.Sprintf("count/shared=%d", writers*rounds))
	if got := contents(t, s); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// together runs f(0) to f(n-1) at once, and returns when all have.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
