package router

import "time"

// appoint sees to it that the agenda has the entry no later than its end. The caller holds the lock.
func (t *Table) appoint(e *entry) {
	end := e.alert.EndsAt
	if end.IsZero() || !e.queued.IsZero() && !end.Before(e.queued) {
		return
	}
	e.queued = end
	t.expiries.add(end, e)
}

// nextExpiry is when the next firing alert ends unless it is heard of before; zero is never.
func (t *Table) nextExpiry() time.Time {
	for {
		at, e, ok := t.expiries.first()
		if !ok || t.holds(at, e) {
			return at
		}
		t.expiries.drop()
		if e.queued.Equal(at) {
			t.again(e)
		}
	}
}

// holds reports whether the entry still ends at its appointment.
func (t *Table) holds(at time.Time, e *entry) bool {
	s := t.shard(e.key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return e.queued.Equal(at) && !e.alert.Ended && e.alert.EndsAt.Equal(at)
}

// again makes a new appointment for an entry whose last one has come up, if it still fires.
func (t *Table) again(e *entry) {
	s := t.shard(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.queued = time.Time{}
	if !e.alert.Ended {
		t.appoint(e)
	}
}

// expire ends the firing alerts whose EndsAt has come by now without news, and returns them in the order of their ends.
// Each is returned once for each time that it fired.
func (t *Table) expire(now time.Time) []*entry {
	var ended []*entry
	for at := t.nextExpiry(); !at.IsZero() && !at.After(now); at = t.nextExpiry() {
		_, e, _ := t.expiries.first()
		t.expiries.drop()
		s := t.shard(e.key)
		s.mu.Lock()
		e.queued = time.Time{}
		// It may have been touched since nextExpiry looked.
		if e.alert.ResolvedAt(now) {
			e.alert.Ended = true
			t.count(e, false)
			ended = append(ended, e)
		} else {
			t.appoint(e)
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
		if e.alert.Ended && !e.forgotten && e.alert.ResolvedAt(now) {
			n++
			e.forgotten = true
			t.size.Add(-1)
			if len(e.groups) == 0 {
				t.remove(s, e)
			}
		}
		s.mu.Unlock()
	}
	t.texts.clear() // so that those of alerts that are gone do not stay
	return n
}

// release removes an entry that was forgotten and has left its last group.
func (t *Table) release(e *entry) {
	s := t.shard(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.forgotten && len(e.groups) == 0 {
		t.remove(s, e)
	}
}
