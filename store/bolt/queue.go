package bolt

import (
	"slices"
	"sync"

	"github.com/midwatch/midwatch/store"
)

// What one group commit takes at most: more would only make the first in it wait for the last.
const (
	maxGroup      = 1024     // batches
	maxGroupOps   = 8192     // puts and deletes
	maxGroupBytes = 16 << 20 // of keys and values
)

// A request is a batch on its way to the disk.
type request struct {
	batch  store.Batch
	answer chan error // takes one without blocking
	after  *request   // not to be done if that one failed; nil: by itself
	failed bool       // the committer's own
}

// A queue holds the requests that the committer has not taken yet.
type queue struct {
	mu      sync.Mutex
	arrived sync.Cond
	waiting []*request
	closed  bool
}

func (q *queue) init() { q.arrived.L = &q.mu }

// add reports false if the queue is closed. Requests that are added together are taken in their order.
func (q *queue) add(rs ...*request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.waiting = append(q.waiting, rs...)
	q.arrived.Signal()
	return true
}

// withdraw takes back requests that stand one behind the other. It reports false if the first was taken: then its answer
// will come, and the others stay.
func (q *queue) withdraw(rs ...*request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, rs[0])
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+len(rs))
	return true
}

// take waits for requests, then takes all of them, in order, up to the bounds of a group. It returns none
// when the queue is closed and empty.
func (q *queue) take() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.arrived.Wait()
	}
	n, ops, size := 0, 0, 0
	for _, r := range q.waiting {
		ops += len(r.batch.Put) + len(r.batch.Delete)
		size += r.batch.Size()
		if n > 0 && (n == maxGroup || ops > maxGroupOps || size > maxGroupBytes) {
			break
		}
		n++
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return group
}

// close lets what is waiting be taken, and nothing more be added.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.arrived.Broadcast()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
