package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// One transaction, one fsync; batches see those before them; a conflict disturbs nobody.
func TestAGroupIsOneTransaction(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
	s.quiesce(t)
	before := s.txid(t)
	create := func(key string) *request {
		b := one(key, "x")
		b.If = []store.Condition{{Key: key}}
		return &request{batch: b}
	}
	gone := store.Batch{Delete: []string{"a/1"}}

	answers := s.commit([]*request{create("a/1"), create("a/1"), create("b"), {batch: gone}, create("a/1"), create("b")})
	for i, conflict := range []bool{false, true, false, false, false, true} {
		if errors.Is(answers[i], store.ErrConflict) != conflict || !conflict && answers[i] != nil {
			t.Errorf("batch %d: %v, want conflict %v", i, answers[i], conflict)
		}
	}
	if n := s.txid(t) - before; n != 1 {
		t.Errorf("%d transactions, want 1", n)
	}
	if got := everything(s); !slices.Equal(got, []string{"a/1", "b"}) {
		t.Errorf("got %q", got)
	}

	if answers := s.commit([]*request{create("b"), {}}); !errors.Is(answers[0], store.ErrConflict) || answers[1] != nil {
		t.Errorf("answers %v", answers)
	}
	if n := s.txid(t) - before; n != 1 {
		t.Errorf("a group that changes nothing makes %d transactions", n-1)
	}
}

// quiesce ends the committer, so that the test can take its place.
func (s *Store) quiesce(t *testing.T) {
	s.queue.close()
	<-s.ended
	s.queue.mu.Lock()
	s.queue.closed = false
	s.queue.mu.Unlock()
}

func (s *Store) txid(t *testing.T) (id int) {
	t.Helper()
	if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAGroupHasBounds(t *testing.T) {
	var q queue
	q.init()
	for range maxGroup + 10 {
		q.add(&request{batch: one("a", "1")})
	}
	if n, m := len(q.take()), len(q.take()); n != maxGroup || m != 10 {
		t.Errorf("groups of %d and %d, want %d and 10", n, m, maxGroup)
	}
	for range 40 {
		q.add(&request{batch: one("a", string(make([]byte, 1<<20-1)))})
	}
	if n := len(q.take()); n != 16 {
		t.Errorf("a group of %d MiB, want 16", n)
	}
}

// While the disk is busy with A, B can still be called back; A cannot.
func TestACommitIsCalledBackUntilItIsTaken(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{})
	busy, err := s.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	ctxA, cancelA := context.WithCancel(t.Context())
	answerA, queuedA := make(chan error), newWatched(ctxA)
	go func() { answerA <- s.Commit(queuedA, one("a", "1")) }()
	<-queuedA.watched
	for !s.tookAll() {
		runtime.Gosched()
	}
	cancelA()

	ctxB, cancelB := context.WithCancel(t.Context())
	answerB, queuedB := make(chan error), newWatched(ctxB)
	go func() { answerB <- s.Commit(queuedB, one("b", "1")) }()
	<-queuedB.watched
	cancelB()
	if err := <-answerB; !errors.Is(err, context.Canceled) {
		t.Errorf("B = %v, want it called back", err)
	}
	if err := busy.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-answerA; err != nil {
		t.Errorf("A = %v, want it done", err)
	}
	if got := everything(s); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q", got)
	}
}

func (s *Store) tookAll() bool {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.waiting) == 0
}

// A watched context tells when somebody waits for its end: a commit does once it is queued.
type watched struct {
	context.Context
	once    *sync.Once
	watched chan struct{}
}

func newWatched(ctx context.Context) watched {
	return watched{ctx, new(sync.Once), make(chan struct{})}
}

func (w watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.watched) })
	return w.Context.Done()
}

func TestAScanHoldsNoTransaction(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{NoSync: true})
	for i := range 2 * scanItems {
		if err := s.Commit(t.Context(), one(fmt.Sprintf("h/%04d", i), "x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range s.Scan(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if n := s.db.Stats().OpenTxN; n != 0 {
			t.Fatalf("%d transactions are open while the reader works", n)
		}
	}
}

// What is only appended fills its pages; what is inserted anywhere leaves room for its neighbours.
func TestAppendedPagesAreFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{NoSync: true})
	for i := range 20 {
		var b store.Batch
		for j := range 100 {
			b.Put = append(b.Put, one(fmt.Sprintf("h/%06d", i*100+j), fmt.Sprintf("%0500d", j)).Put...)
		}
		if err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path)
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %q, %v", report.Problems, err)
	}
	if report.Keys != 2000 || report.Bytes != 2000*508 || report.Revision != 20 {
		t.Errorf("report %+v", report)
	}
	if report.Used > report.Bytes*5/4 {
		t.Errorf("%d bytes used for %d", report.Used, report.Bytes)
	}
}
