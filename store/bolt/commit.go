package bolt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// Commit does all of b or nothing. Once the committer has taken b, a context that ends is too late, and
// Commit waits for the outcome.
func (s *Store) Commit(ctx context.Context, b store.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	r := &request{batch: b, answer: make(chan error, 1)}
	if !s.queue.add(r) {
		return store.ErrClosed
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		if s.queue.withdraw(r) {
			return ctx.Err()
		}
		return <-r.answer
	}
}

// CommitAll does the batches in order with as few fsyncs as the bounds of a group allow, see store.Sequencer.
func (s *Store) CommitAll(ctx context.Context, bs []store.Batch) (done int, err error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	var requests []*request
	var bad error // what is wrong with the first that no store takes
	for _, b := range bs {
		if bad = b.Check(); bad != nil {
			break
		}
		r := &request{batch: b, answer: make(chan error, 1)}
		if n := len(requests); n > 0 {
			r.after = requests[n-1]
		}
		requests = append(requests, r)
	}
	if !s.queue.add(requests...) {
		return 0, store.ErrClosed
	}
	for i, r := range requests {
		select {
		case err = <-r.answer:
		case <-ctx.Done():
			if s.queue.withdraw(requests[i:]...) {
				return i, ctx.Err()
			}
			err = <-r.answer
		}
		switch {
		case errors.Is(err, store.ErrFull) && len(requests) > 1:
			return s.oneByOne(ctx, bs, i)
		case err != nil:
			return i, err
		}
	}
	return len(requests), bad
}

// oneByOne goes on with the batches where there is no room for many at once: there may be for some.
func (s *Store) oneByOne(ctx context.Context, bs []store.Batch, done int) (int, error) {
	for _, b := range bs[done:] {
		if err := s.Commit(ctx, b); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// errAfter is for what was to come behind a batch that failed. Whoever asked for both hears of that one's error.
var errAfter = errors.New("what was to be done before failed")

// run is the committer: the only goroutine that writes, but for Compact at its end. While it waits for the disk, the next group
// gathers.
func (s *Store) run() {
	defer close(s.ended)
	for group := s.queue.take(); len(group) > 0; group = s.queue.take() {
		for i, err := range s.commit(group) {
			group[i].failed = err != nil
			group[i].answer <- err
		}
	}
}

// commit does the group in one transaction, with one fsync, and returns the answer to each. A batch whose
// conditions fail is left out. If the transaction fails, all get its error.
func (s *Store) commit(group []*request) []error {
	s.writing.Lock()
	defer s.writing.Unlock()
	answers := make([]error, len(group))
	if s.broken != nil {
		return fill(answers, s.broken)
	}
	err := s.reserve(group)
	if errors.Is(err, store.ErrFull) {
		s.makeRoom()
		// What only deletes still goes ahead: it makes room.
		group = slices.Clone(group)
		for i, r := range group {
			if len(r.batch.Put) > 0 {
				group[i], answers[i], r.failed = nil, err, true
			}
		}
		err = nil
	}
	if err == nil {
		err = s.update(group, answers)
	}
	if err == nil {
		s.note(group, answers)
		return answers
	}
	if errors.Is(err, store.ErrFull) {
		s.makeRoom()
	}
	if !errors.Is(err, store.ErrFull) {
		if !errors.Is(err, store.ErrBroken) {
			err = fmt.Errorf("%w: %w", store.ErrBroken, err)
		}
		s.broken = err
	}
	return fill(answers, err)
}

// update does one transaction, and sets the answers of those left out. Its error is for all of them.
func (s *Store) update(group []*request, answers []error) error {
	var tx *bbolt.Tx
	err := guarded(s.path, func() (err error) {
		if tx, err = s.db.Begin(true); err != nil {
			return err
		}
		w := newWriter(tx)
		w.records, s.records = slices.Grow(s.records[:0], recordsOf(group)), nil
		defer func() { // nobody looks into the transaction after that
			if cap(w.records) <= mostKept {
				s.records = w.records
			}
		}()
		for i, r := range group {
			if r == nil {
				continue
			}
			if r.after != nil && r.after.failed {
				answers[i], r.failed = errAfter, true
				continue
			}
			conflict, err := w.apply(r.batch)
			if err != nil {
				return err
			}
			if conflict != nil {
				answers[i], r.failed = conflict, true
			}
		}
		if !w.dirty {
			return tx.Rollback()
		}
		if err := w.finish(); err != nil {
			return err
		}
		before := tx.ID() - 1
		return s.settle(before, tx.Commit())
	})
	if err != nil && tx != nil {
		// The plain Rollback forgets the transaction and touches no page, unlike the one that bbolt's
		// Update does after a panic. After a Commit it does nothing.
		_ = tx.Rollback()
	}
	return err
}

// recordsOf is how many bytes the records of the group take, at most.
func recordsOf(group []*request) int {
	n := 0
	for _, r := range group {
		if r != nil {
			n += r.batch.Size() + len(r.batch.Put)*recordHeader
		}
	}
	return n
}

// settle looks at the file after a commit that ended with err. A commit said to have written nothing must
// have written nothing.
func (s *Store) settle(before int, err error) error {
	if err = classify(err); err != nil && !errors.Is(err, store.ErrFull) {
		return err
	}
	var now int
	viewErr := s.view(func(tx *bbolt.Tx) error {
		now, s.room.used = tx.ID(), tx.Size()
		return nil
	})
	switch {
	case viewErr != nil:
		return viewErr
	case err != nil && now != before:
		return fmt.Errorf("%w: a refused commit is there all the same: %v", store.ErrBroken, err)
	}
	return err
}

func fill(answers []error, err error) []error {
	for i := range answers {
		answers[i] = err
	}
	return answers
}
