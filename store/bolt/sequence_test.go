package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/midwatch/midwatch/store"
)

func letters(from, to byte) (bs []store.Batch) {
	for c := from; c <= to; c++ {
		bs = append(bs, one(string(c), "1"))
	}
	return bs
}

// A sequence waits for the disk once, and each of its batches sees those before it.
func TestASequenceIsOneTransaction(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
	before := s.txid(t)
	bs := append(letters('a', 'y'), store.Batch{Delete: []string{"a"}})
	again := one("a", "2")
	again.If = []store.Condition{{Key: "a"}} // it was deleted
	bs = append(bs, again)
	if done, err := s.CommitAll(t.Context(), bs); done != len(bs) || err != nil {
		t.Errorf("did %d of %d: %v", done, len(bs), err)
	}
	if n := s.txid(t) - before; n != 1 {
		t.Errorf("%d transactions, want 1", n)
	}
	if got := everything(s); len(got) != 25 {
		t.Errorf("got %q", got)
	}
	if done, err := s.CommitAll(t.Context(), nil); done != 0 || err != nil {
		t.Errorf("nothing: %d, %v", done, err)
	}
}

// What stands behind a batch that fails is not done, whatever is wrong with that one.
func TestASequenceEndsWhereOneFails(t *testing.T) {
	conflict := one("m", "1")
	conflict.If = []store.Condition{{Key: "m", Revision: 7}}
	for name, c := range map[string]struct {
		bad  store.Batch
		want error
	}{
		"conflict":      {conflict, store.ErrConflict},
		"out of bounds": {one("", "1"), nil},
	} {
		s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
		bs := slices.Concat(letters('a', 'c'), []store.Batch{c.bad}, letters('n', 'p'), []store.Batch{{Delete: []string{"a"}}})
		done, err := s.CommitAll(t.Context(), bs)
		if done != 3 || err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: did %d: %v", name, done, err)
		}
		if got := everything(s); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("%s: got %q", name, got)
		}
		if err := s.Commit(t.Context(), one("z", "1")); err != nil {
			t.Errorf("%s: and then: %v", name, err)
		}
	}
}

// More than one group takes is done all the same, in order, and a failure in one group ends those after it.
func TestALongSequenceIsManyGroups(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{NoSync: true})
	var bs []store.Batch
	for i := range 2*maxGroup + 10 {
		bs = append(bs, one(fmt.Sprintf("a/%05d", i), "1"))
	}
	bs[maxGroup+5].If = []store.Condition{{Key: "none", Revision: 1}}
	if done, err := s.CommitAll(t.Context(), bs); done != maxGroup+5 || !errors.Is(err, store.ErrConflict) {
		t.Errorf("did %d, want %d: %v", done, maxGroup+5, err)
	}
	if err := s.Commit(t.Context(), one("b", "1")); err != nil { // by now the last group is over
		t.Fatal(err)
	}
	if n := len(everything(s)); n != maxGroup+6 {
		t.Errorf("%d keys, want %d", n, maxGroup+6)
	}
}

// While the disk is busy a sequence can be called back, as far as it was not taken; what was taken is said to be done.
func TestASequenceIsCalledBackUntilItIsTaken(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
	busy, err := s.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		done int
		err  error
	}
	begin := func(ctx context.Context, bs []store.Batch) (chan answer, watched) {
		got, queued := make(chan answer, 1), newWatched(ctx)
		go func() {
			done, err := s.CommitAll(queued, bs)
			got <- answer{done, err}
		}()
		<-queued.watched
		return got, queued
	}
	taken, call := context.WithCancel(t.Context())
	first, _ := begin(taken, letters('a', 'c'))
	for !s.tookAll() {
		runtime.Gosched()
	}
	call()
	waiting, callBack := context.WithCancel(t.Context())
	second, _ := begin(waiting, letters('x', 'z'))
	callBack()
	if got := <-second; got.done != 0 || !errors.Is(got.err, context.Canceled) {
		t.Errorf("the second did %d: %v, want it called back", got.done, got.err)
	}
	if err := busy.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := <-first; got.done != 3 || got.err != nil {
		t.Errorf("the first did %d: %v, want it done", got.done, got.err)
	}
	if got := everything(s); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
}

func TestAClosedStoreTakesNoSequence(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := s.CommitAll(t.Context(), letters('a', 'c')); done != 0 || !errors.Is(err, store.ErrClosed) {
		t.Errorf("did %d: %v", done, err)
	}
}
