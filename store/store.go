// Package store keeps what must outlive the process in one ordered key space.
package store

import (
	"context"
	"errors"
	"iter"
)

// A Store is an ordered key space with atomic, conditional commits. Keys are ordered by their bytes.
// All methods may be called at once from many goroutines. Values given and values returned are copies:
// changing either changes nothing in the store.
//
// After Close every method answers ErrClosed; with a context that is done, the context's error.
type Store interface {
	// Get returns the item at key, or ErrNotFound.
	Get(ctx context.Context, key string) (Item, error)

	// Scan walks the keys in [from, to) in order; to == "" means to the last key. An error is yielded
	// once, with a zero Item, and ends the walk. The body of the loop may call the store, Commit too.
	//
	// A walk is not a snapshot: it is read in chunks, each of one instant. A key that is there all the
	// while is seen exactly once; one that is put or deleted meanwhile may be seen or not. What must be
	// read together belongs in one value, or is guarded by a Condition.
	Scan(ctx context.Context, from, to string) iter.Seq2[Item, error]

	// Commit does all of b or nothing. When it returns nil, b is on disk. Otherwise nothing of b was
	// done, save after ErrBroken or the context's error, when a remote store may not know.
	//
	//   ErrConflict  a condition did not hold
	//   ErrFull      there is no room to write; try again later
	//   ErrBroken    the disk failed; the process must end
	//   ErrClosed    the store is closed
	Commit(ctx context.Context, b Batch) error

	// Lead blocks until the caller may write, and returns what proves it. See Lease.
	Lead(ctx context.Context) (Lease, error)

	// Close waits for the commits that were accepted, then lets go of everything. A second Close does
	// nothing.
	Close() error
}

// A Sequencer is a Store that does many batches in the time of one: those of one turn need not each wait for the disk.
type Sequencer interface {
	// CommitAll does the batches in order, as one Commit after the other would, and says how many it did. It stops at the
	// first that fails, with that one's error. Each is on disk whole or not at all, and never without those before it.
	CommitAll(ctx context.Context, bs []Batch) (done int, err error)
}

// An Item is a value at its key.
type Item struct {
	Key      string
	Value    []byte // never nil when the key is there; an empty value is not an absent one
	Revision int64  // grows with every commit that touches the key, also across deletion; 0 is absent
}

// These errors are wrapped with the detail; test for them with errors.Is.
var (
	ErrNotFound = errors.New("no such key")
	ErrConflict = errors.New("someone else has changed it")
	ErrClosed   = errors.New("the store is closed")

	// ErrFull wraps ENOSPC, EDQUOT, EROFS and EFBIG. Nothing was written and nothing is in doubt: keep
	// going from memory and commit again later.
	ErrFull = errors.New("the disk takes no more: it is full or read-only")

	// ErrBroken is a failed fsync, or any write error that is not ErrFull. What is on disk is no longer
	// known, a second fsync would lie, and so every later Commit gets the same answer. End the process:
	// the next one reads what is really there.
	ErrBroken = errors.New("the disk failed; what it holds is in doubt until a restart")
)

// Prefix returns the range of all keys that begin with p, for Scan. An empty p is every key.
func Prefix(p string) (from, to string) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			return p, p[:i] + string([]byte{p[i] + 1})
		}
	}
	return p, "" // nothing but 0xff: no key above is without the prefix
}
