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

	expiries queue
	fresh    []*entry       // changed since committed
	limit    int            // firing alerts of one name; 0: any number
	named    map[string]int // how many fire, by name; only kept under a limit
	packer   packer
	useful   int // words that the dictionary had when it was last looked through; see tidy
}

// An entry is the place of one alert in the table. Groups point at it, so that what moves in the table has moved in
// every group. There are as many as alerts: it has 112 bytes, and the next size that memory comes in is 128.
type entry struct {
	key  uint64 // Table.hash of the labels
	next *entry // with the same key

	// Guarded by the shard's lock. The engine alone writes them, but for what Touch moves.
	text                  string // packed, in the shard's words
	starts, ends, updated moment
	timeout, over         bool // Alert.Timeout, Alert.Ended
	committed             bool // on disk: Touch may answer for it
	forgotten             bool // as if it had never been known, but a group still has to tell of its end

	slot   uint32 // in Table.index
	at     uint32 // in group.members
	queued int64  // its latest appointment in Table.expiries; notQueued: none

	// Of which groups it is a member, with at; guarded by Router.mu. See entry.groups.
	group *group
	more  *[]membership

	sides *sides // of which inhibition rules it is source or target; nil: of none; guarded by Router.mu
}

type shard struct {
	mu      sync.RWMutex
	entries map[uint64]*entry
	words   *dictionary // of the texts of its entries
}

// newTable returns an empty table. A positive limit is how many alerts of one alertname may fire at once; past it,
// put refuses more of them (Alertmanager's --alerts.per-alertname-limit). hash is Labels.Hash but where tests want alerts to
// collide: those that are read have it for their Hash.
func newTable(limit int, hash func(Labels) uint64) *Table {
	t := &Table{hash: hash, limit: limit, named: map[string]int{}, packer: packer{words: newDictionary()}}
	t.index.packed = t.packedHere
	for i := range t.shards {
		t.shards[i].entries, t.shards[i].words = map[uint64]*entry{}, t.packer.words
	}
	return t
}

func (t *Table) shard(key uint64) *shard { return &t.shards[key%shardCount] }

// find returns the entry of these labels, or nil, and where in its text they end. The caller holds the lock.
func (s *shard) find(key uint64, l Labels) (e *entry, tail int) {
	for e := s.entries[key]; e != nil; e = e.next {
		if tail, same := s.packed(e).equalLabels(l); same {
			return e, tail
		}
	}
	return nil, 0
}

// packed is the text of the entry as it is now; it may be read when the lock that the caller holds is let go.
func (s *shard) packed(e *entry) packed { return packed{e.text, s.words} }

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

// add gives an alert its place. The caller holds the lock.
func (t *Table) add(s *shard, key uint64, a *Alert) *entry {
	e := &entry{key: key, text: t.packer.pack(a), queued: notQueued}
	e.take(a.period())
	e.over = a.Ended
	s.add(e)
	t.index.add(e, a.Labels)
	t.size.Add(1)
	return e
}

// remove takes the entry out. The caller holds the lock.
func (t *Table) remove(s *shard, e *entry) {
	s.remove(e)
	t.index.remove(e)
}

func (e *entry) period() period {
	return period{e.starts.time(), e.ends.time(), e.updated.time(), e.timeout}
}

func (e *entry) take(p period) {
	e.starts, e.ends, e.updated, e.timeout = momentOf(p.starts), momentOf(p.ends), momentOf(p.updated), p.timeout
}

// copyTo makes the alert what the entry holds, but for its text.
func (e *entry) copyTo(a *Alert) {
	*a = Alert{Ended: e.over, hash: e.key}
	a.take(e.period())
}

// firesAt reports whether the alert fires at t.
func (e *entry) firesAt(t time.Time) bool {
	return !e.over && (e.ends.zeroInstant() || e.ends.time().After(t))
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
	e, tail := s.find(key, a.Labels)
	return e != nil && e.touch(s, tail, a, now)
}

func (e *entry) touch(s *shard, tail int, a *Alert, now time.Time) bool {
	if !e.committed || e.forgotten || e.over {
		return false
	}
	old := e.period()
	if old.over(now) {
		return false
	}
	in := period{a.StartsAt, a.EndsAt, now.Round(0), a.Timeout}
	next, text := old.succeed(&in, now)
	switch {
	case next.over(now), next.shifts(&old):
		return false
	case next.ends.Before(old.ends), old.ends.IsZero() && !next.ends.IsZero():
		return false // it must end earlier than the queue says
	case text && !s.packed(e).equalRest(tail, a):
		return false
	}
	e.ends, e.updated = momentOf(next.ends), momentOf(next.updated)
	return true
}

// Get returns the alert with these labels, or nil.
func (t *Table) Get(l Labels) *Alert {
	key := t.hash(l)
	s := t.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, _ := s.find(key, l); e != nil && !e.forgotten {
		a := new(Alert)
		e.copyTo(a)
		new(page).unpack(s.packed(e), a)
		return a
	}
	return nil
}

// All yields every alert, in no order. It is weakly consistent: what changes meanwhile may be seen or not.
func (t *Table) All() iter.Seq[*Alert] {
	return func(yield func(*Alert) bool) {
		for e := range t.entries() {
			a := new(Alert)
			if known := t.readTo(a, new(page), e); known && !yield(a) {
				return
			}
		}
	}
}

// Parts is in how many parts the table is read by who reads it piece by piece, see Part.
const Parts = shardCount

// Part yields the alerts of one part, from 0 to Parts-1, in no order. An alert is in the same part for as long as it is known,
// so that all parts have every alert that was known from the first to the last, though long times lie between them. Those of a
// part share their memory: who keeps one keeps it all.
func (t *Table) Part(n int) iter.Seq[*Alert] {
	return func(yield func(*Alert) bool) {
		var (
			c   copies
			all []*entry
		)
		s := &t.shards[n]
		s.mu.RLock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				all = append(all, e)
			}
		}
		s.mu.RUnlock()
		for _, e := range all {
			a := c.next()
			if known := t.readTo(a, &c.page, e); known && !yield(a) {
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
	e, _ := s.find(key, l)
	return e
}

// sorted returns the entries in an order that depends on their labels alone.
func (t *Table) sorted() []*entry {
	return slices.SortedFunc(t.entries(), func(a, b *entry) int {
		if a.key == b.key && a != b {
			return t.labels(a).Compare(t.labels(b))
		}
		return cmp.Compare(a.key, b.key)
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

// readTo copies what the entry holds now, its text to the page, and reports whether the table still knows of it.
func (t *Table) readTo(a *Alert, m *page, e *entry) (known bool) {
	p := t.look(a, e, &known)
	m.unpack(p, a)
	return known
}

// look copies what the entry holds now but for its text, which it returns.
func (t *Table) look(a *Alert, e *entry, known *bool) packed {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e.copyTo(a)
	*known = !e.forgotten
	return s.packed(e)
}

// updated is when the entry's alert was last heard of.
func (t *Table) updated(e *entry) time.Time {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return e.updated.time()
}

// packed is the text of the entry as it is now.
func (t *Table) packed(e *entry) packed {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.packed(e)
}

// packedHere is packed for the engine, which alone changes texts: it wants no lock, and may hold it.
func (t *Table) packedHere(e *entry) packed { return t.shard(e.key).packed(e) }

// labels are those of the entry, in memory of their own.
func (t *Table) labels(e *entry) Labels { return t.packed(e).labels(nil) }

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
		if !e.over {
			t.count(e, true)
		}
	})
}
