package router

import "time"

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
		e.alert = a.copied(t.texts.text, t.texts.link)
		t.add(s, e)
		t.size.Add(1)
	} else {
		e.alert.update(a, &t.texts)
	}
	e.alert.fingerprint, e.alert.hash = e.alert.Labels.Fingerprint(), e.alert.Labels.Hash()
	e.committed = true
	if fires := !e.alert.Ended; fires != fired {
		t.count(e, fires)
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
