package router

import "time"

// A Change says what a report changed about an alert.
type Change string

// The changes. Only Refreshed needs no record: the source repeats it.
const (
	Refreshed Change = "refreshed" // nothing, or only until when it fires
	FirstSeen Change = "new"       // it was not known; it may be resolved already
	Resolved  Change = "resolved"  // it fired, and its source says that it ended
	Expired   Change = "expired"   // it fired, and EndsAt came without a word
	Refired   Change = "refired"   // it had ended, and fires again
	Changed   Change = "changed"   // annotations, start, link, or the end of what had ended
	Regrouped Change = "regrouped" // a reload moved it; nothing about the alert itself
	Refusal   Change = "refused"   // too many alerts of its name fire; it was not taken in
)

// put takes in a report of an alert, complete but for UpdatedAt, which becomes now. It returns where the table keeps
// it, nil if it was refused, and what changed. The text of a is copied.
//
// A report that overlaps the firing period that is known is merged with it, any other replaces it, as in Alertmanager.
func (t *Table) put(a *Alert, now time.Time) (*entry, Change) {
	in := *a
	in.UpdatedAt, in.StartsAt, in.EndsAt = now.Round(0), a.StartsAt.Round(0), a.EndsAt.Round(0)
	key := t.hash(in.Labels)
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()

	e := s.find(key, in.Labels)
	known := e != nil && !e.forgotten
	fired := known && !e.alert.Ended
	if !fired && t.limit > 0 && t.named[in.Name()] >= t.limit {
		return nil, Refusal
	}
	next := in
	if known {
		next = succeed(&e.alert, &in, now)
	}
	next.Ended = next.ResolvedAt(now)

	if !known {
		if e == nil {
			e = &entry{key: key}
			e.alert = next.copied(t.texts.text, t.texts.link)
			t.add(s, e)
		} else {
			e.alert, e.forgotten = next.copied(t.texts.text, t.texts.link), false
		}
		t.size.Add(1)
		e.alert.fingerprint, e.alert.hash = in.Fingerprint(), in.Hash()
		t.changed(s, e, fired, FirstSeen)
		return e, FirstSeen
	}

	change := Refreshed
	switch {
	case fired && next.Ended:
		change = Resolved
	case !fired && !next.Ended:
		change = Refired
	case next.differs(&e.alert), next.Ended && !next.EndsAt.Equal(e.alert.EndsAt):
		change = Changed
	}
	e.alert.update(&next, &t.texts)
	t.changed(s, e, fired, change)
	return e, change
}

// update takes over everything but the identity, and the text that has not changed.
func (a *Alert) update(next *Alert, own *interner) {
	if !a.Annotations.Equal(next.Annotations) {
		a.Annotations = next.Annotations.copied(own.text)
	}
	if a.GeneratorURL != next.GeneratorURL {
		a.GeneratorURL = own.link(next.GeneratorURL)
	}
	a.StartsAt, a.EndsAt, a.UpdatedAt = next.StartsAt, next.EndsAt, next.UpdatedAt
	a.Timeout, a.Ended = next.Timeout, next.Ended
}

// changed keeps the books after the entry took a report in; fired says whether it fired before. The caller holds the
// lock.
func (t *Table) changed(s *shard, e *entry, fired bool, change Change) {
	fires := !e.alert.Ended
	if change != Refreshed {
		e.committed = false
		t.fresh = append(t.fresh, e)
	}
	if fires != fired {
		t.count(e, fires)
	}
	if fires {
		t.appoint(e)
	}
}

// count notes that the entry began to fire, or ended.
func (t *Table) count(e *entry, fires bool) {
	if t.limit <= 0 {
		return
	}
	name := e.alert.Name()
	switch {
	case fires:
		t.named[name]++
	case t.named[name] > 1:
		t.named[name]--
	default:
		delete(t.named, name)
	}
}

// committed says that all that put changed so far is on disk: from here on, Touch may answer for it.
func (t *Table) committed() {
	for i, e := range t.fresh {
		s := t.shard(e.key)
		s.mu.Lock()
		e.committed = true
		s.mu.Unlock()
		t.fresh[i] = nil
	}
	t.fresh = t.fresh[:0]
}
