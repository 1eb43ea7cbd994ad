package router

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// shardCount spreads the alerts over so many locks that a few dozen senders rarely meet at one.
const shardCount = 256

// A Table holds the latest report of every alert. Touch and the reads (Get, All, Len) may be called from anywhere at any
// time, and no read keeps a lock for longer than it takes to copy one alert, or the pointers of one shard. Everything
// else belongs to the one goroutine that is the engine.
type Table struct {
	shards [shardCount]shard
	hash   func(Labels) uint64 // spreads the alerts; two with the same hash are still two
	size   atomic.Int64        // without those that are forgotten
	index  index

	expiries agenda[*entry]
	fresh    []*entry       // changed since committed
	limit    int            // firing alerts of one name; 0: any number
	named    map[string]int // how many fire, by name; only kept under a limit
	texts    interner
}

// An entry is the place of one alert in the table. Groups point at it, so that what moves in the table has moved in
// every group.
type entry struct {
	key  uint64 // Table.hash of the labels
	next *entry // with the same key

	// Guarded by the shard's lock.
	alert     Alert
	committed bool // on disk: Touch may answer for it
	forgotten bool // as if it had never been known, but a group still has to tell of its end

	slot uint32 // in Table.index

	queued time.Time    // its latest appointment in Table.expiries; zero: none
	groups []membership // of which groups it is a member; guarded by Router.mu
	sides  *sides       // of which inhibition rules it is source or target; nil: of none; guarded by Router.mu
}

type shard struct {
	mu      sync.RWMutex
	entries map[uint64]*entry
}

// newTable returns an empty table. A positive limit is how many alerts of one alertname may fire at once; past it,
// put refuses more of them (Alertmanager's --alerts.per-alertname-limit).
func newTable(limit int, hash func(Labels) uint64) *Table {
	t := &Table{hash: hash, limit: limit, named: map[string]int{}}
	for i := range t.shards {
		t.shards[i].entries = map[uint64]*entry{}
	}
	return t
}

func (t *Table) shard(key uint64) *shard { return &t.shards[key%shardCount] }

// find returns the entry of these labels. The caller holds the lock.
func (s *shard) find(key uint64, l Labels) *entry {
	for e := s.entries[key]; e != nil; e = e.next {
		if e.alert.Labels.Equal(l) {
			return e
		}
	}
	return nil
}

func (s *shard) add(e *entry) {
	e.next = s.entries[e.key]
	s.entries[e.key] = e
}

func (s *shard) remove(e *entry) {
	var before *entry
	for at := s.entries[e.key]; at != e; at = at.next {
		before = at
	}
	switch {
	case before != nil:
		before.next = e.next
	case e.next != nil:
		s.entries[e.key] = e.next
	default:
		delete(s.entries, e.key)
	}
}

// add gives the entry its place; its labels are those of its alert from now on. The caller holds the lock.
func (t *Table) add(s *shard, e *entry) {
	s.add(e)
	t.index.add(e)
}

// remove takes the entry out. The caller holds the lock.
func (t *Table) remove(s *shard, e *entry) {
	s.remove(e)
	t.index.remove(e)
}

// Touch takes in a report that says nothing new: of an alert that is known, committed and firing, goes on firing, and
// changes in nothing but EndsAt and UpdatedAt. It then reports true, and no more is to be done. Else it has changed
// nothing, and the report is for Router.Receive. The table is left exactly as Receive would leave it.
//
// This is where nearly everything arrives, so it allocates nothing, and keeps nothing of a, whose memory may be reused.
// a must be complete.
func (t *Table) Touch(a *Alert, now time.Time) bool {
	key := t.hash(a.Labels)
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(key, a.Labels)
	return e != nil && e.touch(a, now)
}

func (e *entry) touch(a *Alert, now time.Time) bool {
	old := &e.alert
	if !e.committed || e.forgotten || old.Ended || old.ResolvedAt(now) {
		return false
	}
	in := *a
	in.UpdatedAt = now.Round(0)
	next := &in
	if overlaps(old, &in) {
		merged := merge(old, &in, now)
		next = &merged
	}
	switch {
	case next.ResolvedAt(now), next.differs(old):
		return false
	case next.EndsAt.Before(old.EndsAt), old.EndsAt.IsZero() && !next.EndsAt.IsZero():
		return false // it must end earlier than the agenda says
	}
	old.EndsAt, old.UpdatedAt = next.EndsAt.Round(0), next.UpdatedAt
	return true
}

// differs reports whether the two differ in more than EndsAt and UpdatedAt.
func (a *Alert) differs(o *Alert) bool {
	return a.Timeout != o.Timeout || a.GeneratorURL != o.GeneratorURL ||
		!sameTime(a.StartsAt, o.StartsAt) || !a.Annotations.Equal(o.Annotations)
}

// Get returns the alert with these labels, or nil.
func (t *Table) Get(l Labels) *Alert {
	key := t.hash(l)
	s := t.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.find(key, l); e != nil && !e.forgotten {
		a := e.alert
		return &a
	}
	return nil
}

// All yields every alert, in no order. It is weakly consistent: what changes meanwhile may be seen or not.
func (t *Table) All() iter.Seq[*Alert] {
	return func(yield func(*Alert) bool) {
		for e := range t.entries() {
			if a, ok := t.read(e); ok && !yield(a) {
				return
			}
		}
	}
}

// lookup returns the entry of these labels, or nil.
func (t *Table) lookup(l Labels) *entry {
	key := t.hash(l)
	s := t.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.find(key, l)
}

// sorted returns the entries in an order that depends on their labels alone.
func (t *Table) sorted() []*entry {
	return slices.SortedFunc(t.entries(), func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), a.alert.Labels.Compare(b.alert.Labels))
	})
}

// entries yields the entries of one shard after the other; no lock is held meanwhile.
func (t *Table) entries() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		var buf []*entry
		for i := range t.shards {
			s := &t.shards[i]
			buf = buf[:0]
			s.mu.RLock()
			for _, e := range s.entries {
				for ; e != nil; e = e.next {
					buf = append(buf, e)
				}
			}
			s.mu.RUnlock()
			for _, e := range buf {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// read returns a copy of what the entry holds now, and whether the table still knows of it.
func (t *Table) read(e *entry) (*Alert, bool) {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := e.alert
	return &a, !e.forgotten
}

// Len is the number of alerts, those that ended but were not yet forgotten included.
func (t *Table) Len() int { return int(t.size.Load()) }

// limitTo sets how many alerts of one name may fire.
func (t *Table) limitTo(limit int) {
	if limit == t.limit {
		return
	}
	t.limit = limit
	clear(t.named)
	t.each(func(e *entry) {
		if !e.alert.Ended {
			t.count(e, true)
		}
	})
}
