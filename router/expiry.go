package router

import (
	"math"
	"time"
)

// A queue has appointments as an agenda does. It is for the table, which has one for each alert that fires: an appointment has
// sixteen bytes, and nothing for the collector to look for.
type queue struct {
	heap []turn
	made uint32
}

// A turn is the appointment of the entry in a slot of the index, in nanoseconds since 1970.
type turn struct {
	at   int64
	made uint32
	slot uint32
}

// notQueued is the time of no appointment: what ends in 2262 or later does not end by itself.
const notQueued = math.MaxInt64

// before is the order of time, and of one instant that in which they were made; made begins anew after four billion.
func (a turn) before(b turn) bool { return a.at < b.at || a.at == b.at && int32(a.made-b.made) < 0 } //nolint:gosec // it wraps

func (q *queue) add(at int64, slot uint32) {
	q.made++
	q.heap = append(q.heap, turn{at, q.made, slot})
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.heap[i].before(q.heap[parent]) {
			break
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// drop removes the next appointment.
func (q *queue) drop() {
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < last && q.heap[child].before(q.heap[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
	if most := cap(q.heap); most > 1024 && last < most/4 { // a flood's room is not kept for ever
		q.heap = append(make([]turn, 0, most/2), q.heap...)
	}
}

// appoint sees to it that the queue has the entry no later than its end. The caller holds the lock.
func (t *Table) appoint(e *entry) {
	if e.ends.zeroInstant() {
		return
	}
	if end := nanosOf(e.ends.time()); end < e.queued {
		e.queued = end
		t.expiries.add(end, e.slot)
	}
}

// nextExpiry is when the next firing alert ends unless it is heard of before; zero is never.
func (t *Table) nextExpiry() time.Time {
	at, e := t.nextEnd()
	if e == nil {
		return time.Time{}
	}
	return time.Unix(0, at).UTC()
}

// nextEnd returns the first appointment that holds, and whose it is; nil: there is none.
func (t *Table) nextEnd() (at int64, e *entry) {
	for len(t.expiries.heap) > 0 {
		next := t.expiries.heap[0]
		e := t.index.slots[next.slot] // the engine alone changes them
		if e != nil && t.holds(next.at, e) {
			return next.at, e
		}
		t.expiries.drop()
		if e != nil && e.queued == next.at {
			t.again(e)
		}
	}
	return 0, nil
}

// holds reports whether the entry still ends at its appointment.
func (t *Table) holds(at int64, e *entry) bool {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return e.queued == at && !e.over && !e.ends.zeroInstant() && nanosOf(e.ends.time()) == at
}

// again makes a new appointment for an entry whose last one has come up, if it still fires.
func (t *Table) again(e *entry) {
	s := t.shard(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.queued = notQueued
	if !e.over {
		t.appoint(e)
	}
}

// expire ends the firing alerts whose EndsAt has come by now without news, and returns them in the order of their ends.
// Each is returned once for each time that it fired.
func (t *Table) expire(now time.Time) []*entry {
	var ended []*entry
	until := nanosOf(now)
	for at, e := t.nextEnd(); e != nil && at <= until; at, e = t.nextEnd() {
		t.expiries.drop()
		s := t.shard(e.key)
		s.mu.Lock()
		e.queued = notQueued
		// It may have been touched since nextEnd looked.
		if e.firesAt(now) {
			t.appoint(e)
		} else {
			e.over = true
			t.count(e, false)
			ended = append(ended, e)
		}
		s.mu.Unlock()
	}
	return ended
}

// gc forgets the alerts that have ended, and returns how many. Those that a group has yet to tell of stay there, but
// are nowhere else, and what arrives about them finds them unknown.
func (t *Table) gc(now time.Time) int {
	var n int
	for e := range t.entries() {
		s := t.shard(e.key)
		s.mu.Lock()
		if e.over && !e.forgotten && !e.ends.zeroInstant() && !e.ends.time().After(now) {
			n++
			e.forgotten = true
			t.size.Add(-1)
			if e.group == nil {
				t.remove(s, e)
			}
		}
		s.mu.Unlock()
	}
	t.tidy()
	return n
}

// release removes an entry that was forgotten and has left its last group.
func (t *Table) release(e *entry) {
	s := t.shard(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.forgotten && e.group == nil {
		t.remove(s, e)
	}
}
