package router

import "time"

// Load puts a stored alert back before Router.Restore, as it was stored. Of several records of one alert the last
// counts.
func (t *Table) Load(a *Alert) {
	key := t.hash(a.Labels)
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, tail := s.find(key, a.Labels)
	fired := e != nil && !e.over
	if e == nil {
		e = t.add(s, key, a)
	} else {
		t.say(s, e, tail, a)
		e.take(a.period())
		e.over = a.Ended
	}
	e.committed = true
	if fires := !e.over; fires != fired {
		t.count(e, fires)
	}
}

// restored lets every alert that fired when we stopped fire on for at least resolveTimeout from now: nothing ends
// because we were away (SPEC §5.8). It follows the last Load.
func (t *Table) restored(now time.Time, resolveTimeout time.Duration) {
	least := now.Add(resolveTimeout).Round(0)
	t.each(func(e *entry) {
		switch end := e.ends.time(); {
		case e.over && end.After(now):
			e.ends = momentOf(now) // what ended stays ended, though the clock came back behind
		case !e.over && !end.IsZero() && end.Before(least):
			e.ends = momentOf(least)
		}
		if !e.over {
			t.appoint(e)
		}
	})
}

// forgetBefore forgets what the table had forgotten by t when it was last asked to: the journal does not say so. What
// is still the member of a group stays there.
func (t *Table) forgetBefore(at time.Time) {
	t.each(func(e *entry) {
		if e.over && !e.ends.time().After(at) && e.updated.time().Before(at) && !e.forgotten {
			e.forgotten = true
			t.size.Add(-1)
		}
	})
}

// shift moves every instant that was measured by our clock, which was set by so much. What was left to fire of each
// alert is left after it.
func (t *Table) shift(by time.Duration) {
	t.expiries = queue{}
	t.each(func(e *entry) {
		if !e.ends.zeroInstant() {
			e.ends = momentOf(e.ends.time().Add(by))
		}
		e.updated = momentOf(e.updated.time().Add(by))
		e.queued = notQueued
		if !e.over {
			t.appoint(e)
		}
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
