package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/midwatch/midwatch/store"
)

func theLeaseFences(t *testing.T, s store.Store) {
	lease, err := s.Lead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-lease.Done():
		t.Fatal("the lease is lost at once")
	default:
	}
	commit(t, s, lease.Fence(put("a", "1")))

	// Whatever the backend's own lease is, a lost one must stop the batch.
	commit(t, s, put("leader", "ana"))
	held := store.NewLease(store.Condition{Key: "leader", Revision: get(t, s, "leader").Revision}, nil)
	commit(t, s, held.Fence(put("b", "2")))
	commit(t, s, put("leader", "bo"))
	if err := s.Commit(t.Context(), held.Fence(put("b", "3"))); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a lost lease commits: %v", err)
	}
	if got := get(t, s, "b"); string(got.Value) != "2" {
		t.Errorf("b is %q, want what the leader wrote", got.Value)
	}
}

func aCancelledContextStopsIt(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1", "b", "2", "c", "3"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	var seen []string
	for item, err := range s.Scan(ctx, "", "") {
		if err != nil {
			seen = append(seen, err.Error())
			continue
		}
		seen = append(seen, item.Key)
		cancel()
	}
	if want := []string{"a", context.Canceled.Error()}; !slices.Equal(seen, want) {
		t.Errorf("the scan yields %q, want %q", seen, want)
	}

	for name, err := range calls(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want the context's error", name, err)
		}
	}
	if got := contents(t, s); !slices.Equal(got, []string{"a=1", "b=2", "c=3"}) {
		t.Errorf("a cancelled commit left %q", got)
	}
}

func aClosedStoreSaysSo(t *testing.T, s store.Store) {
	commit(t, s, put("a", "1"))
	open := s.Scan(t.Context(), "", "")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for name, err := range calls(t.Context(), s) {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s = %v, want ErrClosed", name, err)
		}
	}
	for _, err := range open {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("an old scan = %v, want ErrClosed", err)
		}
	}
}

// calls is the outcome of every method.
func calls(ctx context.Context, s store.Store) map[string]error {
	outcome := make(map[string]error)
	_, outcome["get"] = s.Get(ctx, "a")
	_, outcome["lead"] = s.Lead(ctx)
	outcome["commit"] = s.Commit(ctx, put("a", "2"))
	for _, err := range s.Scan(ctx, "", "") {
		outcome["scan"] = err
	}
	return outcome
}

func closeLeavesNobodyWaiting(t *testing.T, s store.Store) {
	const writers = 16
	started := make(chan struct{}, writers)
	closed := make(chan error)
	go func() {
		for range writers {
			<-started
		}
		closed <- s.Close()
	}()
	together(writers, func(w int) {
		for i := 0; ; i++ {
			err := s.Commit(context.Background(), put(fmt.Sprintf("w/%d/%d", w, i), "x"))
			if i == 0 {
				started <- struct{}{}
			}
			if err == nil {
				continue
			}
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("commit = %v, want ErrClosed", err)
			}
			return
		}
	})
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}
