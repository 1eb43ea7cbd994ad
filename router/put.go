package router

import (
	"strings"
	"time"
)

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
	key := in.hash
	if key == 0 {
		key = t.hash(in.Labels)
	}
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()

	e, tail := s.find(key, in.Labels)
	known := e != nil && !e.forgotten
	fired := known && !e.over
	if !fired && t.limit > 0 && t.named[in.Name()] >= t.limit {
		return nil, Refusal
	}
	if e == nil {
		in.Ended = in.ResolvedAt(now)
		e = t.add(s, key, &in)
		t.changed(e, fired, FirstSeen)
		return e, FirstSeen
	}
	if !known {
		in.Ended = in.ResolvedAt(now)
		t.say(s, e, tail, &in)
		e.take(in.period())
		e.over, e.forgotten = in.Ended, false
		t.size.Add(1)
		t.changed(e, fired, FirstSeen)
		return e, FirstSeen
	}

	old, report := e.period(), in.period()
	next, text := old.succeed(&report, now)
	ended := next.over(now)
	differs := next.shifts(&old)
	if text && t.say(s, e, tail, &in) {
		differs = true
	}
	change := Refreshed
	switch {
	case fired && ended:
		change = Resolved
	case !fired && !ended:
		change = Refired
	case differs, ended && !next.ends.Equal(old.ends):
		change = Changed
	}
	e.take(next)
	e.over = ended
	t.changed(e, fired, change)
	return e, change
}

// say takes over the text of an alert, whose labels are the entry's, and reports whether it is another. The caller holds the
// lock.
func (t *Table) say(s *shard, e *entry, tail int, a *Alert) bool {
	p := s.packed(e)
	if p.equalRest(tail, a) {
		return false
	}
	e.text = t.packer.repack(p, tail, a)
	return true
}

// changed keeps the books after the entry took a report in; fired says whether it fired before. The caller holds the
// lock.
func (t *Table) changed(e *entry, fired bool, change Change) {
	fires := !e.over
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
	name := packed{e.text, t.packer.words}.get("alertname")
	switch {
	case fires && t.named[name] == 0:
		t.named[strings.Clone(name)] = 1 // the text it is a view of may go
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
