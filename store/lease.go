package store

import "slices"

// A Lease is the right to write: a key and the revision it has while the right lasts. The zero Lease
// lasts as long as the store is open and adds no condition; a file lock and memory need none.
type Lease struct {
	condition Condition
	done      <-chan struct{}
}

// NewLease returns the lease that holds while c holds. done is closed when the lease is known to be lost;
// nil is never.
func NewLease(c Condition, done <-chan struct{}) Lease {
	return Lease{condition: c, done: done}
}

// Done is closed when the lease is lost: stop, and Lead again. Nil, which blocks for ever, is never.
//
// Done may come late: between the loss and the news somebody else may write. Fence is what keeps us from
// writing over them.
func (l Lease) Done() <-chan struct{} { return l.done }

// Fence returns b with the lease as a further condition, so that it gets ErrConflict once the lease is
// lost, however late we hear of it. b itself is left as it is.
func (l Lease) Fence(b Batch) Batch {
	if l.condition.Key == "" {
		return b
	}
	b.If = append(slices.Clip(b.If), l.condition)
	return b
}
