package router

import (
	"iter"
	"time"
)

// A Move says until when a known alert fires now: what Touch moved, for a record much smaller than the alert.
type Move struct {
	Hash, Fingerprint uint64 // of the labels, see Labels.Hash
	EndsAt, UpdatedAt time.Time
}

// Moves yields what moved since it was last called. Each move is yielded once.
func (t *Table) Moves() iter.Seq[Move] {
	return func(yield func(Move) bool) {
		for i := range t.shards {
			s := &t.shards[i]
			s.mu.Lock()
			list := s.moved
			s.moved, s.spare = s.spare[:0], nil
			s.mu.Unlock()
			for n, e := range list {
				s.mu.Lock()
				e.moved = false
				known := !e.forgotten // else it may be known anew by now, in another entry
				m := Move{e.alert.hash, e.alert.fingerprint, e.alert.EndsAt, e.alert.UpdatedAt}
				s.mu.Unlock()
				list[n] = nil
				if known && !yield(m) {
					t.moveLater(s, list[n+1:])
					return
				}
			}
			s.mu.Lock()
			s.spare = list[:0]
			s.mu.Unlock()
		}
	}
}

// moveLater puts back what was taken from the shard's list but not yielded.
func (t *Table) moveLater(s *shard, list []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = append(s.moved, list...)
}

// Load puts a stored alert back before Router.Restore, as it was stored. Of several records of one alert the last
// counts.
func (t *Table) Load(a *Alert) {
	key := t.hash(a.Labels)
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key, a.Labels)
	fired := e != nil && !e.alert.Ended
	if e == nil {
		e = &entry{key: key}
		e.alert = a.copied(t.texts.text)
		s.add(e)
		t.size.Add(1)
	} else {
		e.alert.update(a, t.texts.text)
	}
	e.alert.fingerprint, e.alert.hash = e.alert.Labels.Fingerprint(), e.alert.Labels.Hash()
	e.committed = true
	if fires := !e.alert.Ended; fires != fired {
		t.count(e, fires)
	}
}

// LoadMove does the same for a move. One of an alert that is not known is passed over.
func (t *Table) LoadMove(m Move) {
	// The moves of a table with a hash of its own are found by that hash: the labels are not in the record.
	s := t.shard(m.Hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.entries[m.Hash]; e != nil; e = e.next {
		if e.alert.fingerprint == m.Fingerprint {
			e.alert.EndsAt, e.alert.UpdatedAt = m.EndsAt, m.UpdatedAt
		}
	}
}

// restored lets every alert that fired when we stopped fire on for at least resolveTimeout from now: nothing ends
// because we were away (SPEC §5.8). It follows the last Load.
func (t *Table) restored(now time.Time, resolveTimeout time.Duration) {
	least := now.Add(resolveTimeout).Round(0)
	t.each(func(e *entry) {
		switch a := &e.alert; {
		case a.Ended && a.EndsAt.After(now):
			a.EndsAt = now.Round(0) // what ended stays ended, though the clock came back behind
		case !a.Ended && !a.EndsAt.IsZero() && a.EndsAt.Before(least):
			a.EndsAt = least
		}
		if !e.alert.Ended {
			t.appoint(e)
		}
	})
}

// forgetBefore forgets what the table had forgotten by t when it was last asked to: the journal does not say so. What
// is still the member of a group stays there.
func (t *Table) forgetBefore(at time.Time) {
	t.each(func(e *entry) {
		if a := &e.alert; a.Ended && !a.EndsAt.After(at) && a.UpdatedAt.Before(at) && !e.forgotten {
			e.forgotten = true
			t.size.Add(-1)
		}
	})
}

// shift moves every instant that was measured by our clock, which was set by so much. What was left to fire of each
// alert is left after it.
func (t *Table) shift(by time.Duration) {
	t.expiries = agenda[*entry]{}
	t.each(func(e *entry) {
		if !e.alert.EndsAt.IsZero() {
			e.alert.EndsAt = e.alert.EndsAt.Add(by)
		}
		e.alert.UpdatedAt = e.alert.UpdatedAt.Add(by)
		e.queued = time.Time{}
		if !e.alert.Ended {
			t.appoint(e)
		}
		t.shard(e.key).noteMoved(e)
	})
}

// each calls f with every entry, locked, in a steady order: the appointments that it makes must not depend on chance.
func (t *Table) each(f func(*entry)) {
	for _, e := range t.sorted() {
		s := t.shard(e.key)
		s.mu.Lock()
		f(e)
		s.mu.Unlock()
	}
}
