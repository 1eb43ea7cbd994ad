package router

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"
)

// An Ask says which alerts somebody wants to see, and at what time. An alert whose end has passed is never seen.
type Ask struct {
	Now    time.Time
	Labels *Filter // nil: any

	// Receivers are each to be true of one of the alert's receivers; of groups, all are to be true of the group's. They are
	// asked while nothing is locked.
	Receivers []func(name string) bool
}

// A Sight is an alert, with who hears of it and what keeps it quiet. It is what was true at one moment of the reading, and
// its memory is that of the next one: who wants to keep any of it takes a copy.
type Sight struct {
	Alert       Alert
	Receivers   []string // of its groups, in the order of their routes; seen in groups: sorted, and those that were asked for
	SilencedBy  []string // in the order in which we learned of them
	InhibitedBy []uint64 // the fingerprint of an alert, or none

	page     page
	silences []*silence
	touched  uint64 // what fetch read, so that it is read
}

// See yields the alerts that are asked for, by fingerprint. Between one and the next nothing is locked, however long the
// reader takes, and nothing is copied but one alert. It is weakly consistent: what changes meanwhile may be seen or not.
func (r *Router) See(ask Ask) iter.Seq[*Sight] {
	return func(yield func(*Sight) bool) {
		ask := ask.remembering()
		r.seeThese(r.asked(&ask), &ask, yield)
	}
}

// SeeGroups yields the groups that have members, by labels, then receiver, and with each those of its alerts that are asked
// for, in the order of a notification; View.Alerts is empty. The sequence of the alerts is to be read before the next
// group is asked for. Locks and consistency are those of See.
func (r *Router) SeeGroups(ask Ask) iter.Seq2[View, iter.Seq[*Sight]] {
	return func(yield func(View, iter.Seq[*Sight]) bool) {
		var (
			s       Sight
			members []*entry
			rows    []row
			room    Labels
		)
		alerts := func(yield func(*Sight) bool) {
			rows, room = r.rows(rows[:0], room[:0], members, &ask)
			for i := range rows {
				s.page.empty()
				rows[i].unpack(r.table, &s)
				if r.seeMember(&s, rows[i].entry, &ask) && !yield(&s) {
					return
				}
			}
		}
		ask := ask.remembering()
		for _, h := range r.heads(&ask) {
			r.mu.RLock()
			g := h.group
			v := View{Group: g.Group, RouteLabels: g.node.labels}
			members = append(members[:0], g.members...)
			r.mu.RUnlock()
			if len(members) == 0 {
				continue
			}
			if !yield(v, alerts) {
				return
			}
		}
	}
}

// see finds out about the entry's alert, and reports whether it is to be shown.
func (r *Router) see(s *Sight, e *entry, ask *Ask) bool {
	if s.Alert.over(ask.Now) {
		return false
	}
	r.mu.RLock()
	s.hear(e)
	if len(ask.Receivers) > 0 {
		r.mu.RUnlock()
		if !ask.hears(s.Receivers) {
			return false
		}
		r.mu.RLock()
	}
	r.stand(s, e, ask.Now)
	r.mu.RUnlock()
	return true
}

// seeMember is see for groups, whose receivers are asked for.
func (r *Router) seeMember(s *Sight, e *entry, ask *Ask) bool {
	if s.Alert.over(ask.Now) {
		return false
	}
	r.mu.RLock()
	s.hear(e)
	r.stand(s, e, ask.Now)
	r.mu.RUnlock()
	if len(ask.Receivers) > 0 {
		s.Receivers = slices.DeleteFunc(s.Receivers, func(name string) bool { return !ask.wants(name) })
	}
	if len(s.Receivers) > 1 {
		slices.Sort(s.Receivers)
	}
	return true
}

// hear fills in the receivers. The caller holds the lock.
func (s *Sight) hear(e *entry) {
	s.Receivers = s.Receivers[:0]
	for m := range e.groups {
		s.Receivers = append(s.Receivers, m.group.Receiver)
	}
}

// fetched is how many alerts are fetched at once: enough for the processor to wait for all of them together, and few enough
// to be still near when they are read.
const fetched = 32

// A looked is an alert whose text is still packed.
type looked struct {
	alert  Alert
	packed packed
}

// fetch copies the alerts of these entries. In the order of fingerprints the next alert is never near the last one, and a
// reader would wait for memory a dozen times for each, one time after the other. What is near each other here and does not
// depend on what was read right before is waited for once. fetch also touches what is to be read of them, text and groups;
// what it returns means nothing.
func (r *Router) fetch(to []looked, from []finding) (touched uint64) {
	for _, f := range from {
		touched += f.entry.key
	}
	var known bool
	for i, f := range from {
		to[i].packed = r.table.look(&to[i].alert, f.entry, &known)
	}
	r.mu.RLock()
	for _, f := range from {
		for m := range f.entry.groups {
			touched += uint64(len(m.group.Receiver))
		}
	}
	r.mu.RUnlock()
	for i := range from {
		const line = 64 // bytes that memory gives at once
		for text := to[i].packed.text; len(text) > 0; text = text[min(line, len(text)):] {
			touched += uint64(text[0])
		}
	}
	return touched
}

// stand fills in what keeps the alert quiet. The caller holds the lock.
func (r *Router) stand(s *Sight, e *entry, now time.Time) {
	s.SilencedBy, s.InhibitedBy = s.SilencedBy[:0], s.InhibitedBy[:0]
	s.silences = r.silences.active(s.silences[:0], s.Alert.Labels, now)
	for _, by := range s.silences {
		s.SilencedBy = append(s.SilencedBy, by.ID)
	}
	if source, _ := r.inhibition.by(r.table, e, s.Alert.Labels, now); source != nil {
		s.InhibitedBy = append(s.InhibitedBy, r.table.packed(source).fingerprint())
	}
}

// over reports whether the alert's end has passed: such are not shown.
func (a *Alert) over(now time.Time) bool { return !a.EndsAt.IsZero() && a.EndsAt.Before(now) }

// remembering asks about each name once: thousands of groups have few receivers.
func (ask Ask) remembering() Ask {
	all := make([]func(string) bool, len(ask.Receivers))
	for i, wanted := range ask.Receivers {
		verdicts := map[string]bool{}
		all[i] = func(name string) bool {
			verdict, known := verdicts[name]
			if !known {
				verdict = wanted(name)
				verdicts[name] = verdict
			}
			return verdict
		}
	}
	ask.Receivers = all
	return ask
}

// hears reports whether each of the receivers that are asked for is among these.
func (ask *Ask) hears(names []string) bool {
	for _, wanted := range ask.Receivers {
		if !slices.ContainsFunc(names, wanted) {
			return false
		}
	}
	return true
}

// wants reports whether this one receiver is all that are asked for.
func (ask *Ask) wants(name string) bool {
	for _, wanted := range ask.Receivers {
		if !wanted(name) {
			return false
		}
	}
	return true
}

// A finding is an alert by the fingerprint under which it is shown.
type finding struct {
	fingerprint uint64
	entry       *entry
}

// asked returns those whose labels are asked for, by fingerprint, each once. They may have ended, and their receivers are
// others where there was a filter to go by.
func (r *Router) asked(ask *Ask) []finding {
	entries, known := r.table.guess(ask)
	if !known && len(ask.Receivers) > 0 {
		entries, known = r.heardOf(ask), true
	}
	var all []finding
	if known {
		all = r.table.pick(make([]finding, 0, len(entries)), entries, ask.Labels)
	} else {
		all = r.table.pickAll(ask.Labels)
	}
	slices.SortFunc(all, func(a, b finding) int {
		if a.fingerprint != b.fingerprint {
			return cmp.Compare(a.fingerprint, b.fingerprint)
		}
		if a.entry == b.entry {
			return 0
		}
		return r.table.labels(a.entry).Compare(r.table.labels(b.entry))
	})
	if known { // one may have been guessed twice
		all = slices.CompactFunc(all, func(a, b finding) bool { return a.entry == b.entry })
	}
	return all
}

// guess returns entries among which are all that the filter matches, if there is a way to find them.
func (t *Table) guess(ask *Ask) (entries []*entry, known bool) {
	if ask.Labels == nil {
		return nil, false
	}
	return t.index.find(nil, ask.Labels.conds)
}

// heardOf returns the members of the groups whose receivers are asked for.
func (r *Router) heardOf(ask *Ask) (entries []*entry) {
	for _, g := range r.hearing(ask.Receivers[:1]) {
		r.mu.RLock()
		entries = append(entries, g.members...)
		r.mu.RUnlock()
	}
	return entries
}

// hearing returns the groups with such a receiver.
func (r *Router) hearing(receivers []func(name string) bool) []*group {
	type called struct {
		group *group
		name  string
	}
	r.mu.RLock()
	all := make([]called, 0, len(r.groups))
	for _, g := range r.groups {
		all = append(all, called{g, g.Receiver})
	}
	r.mu.RUnlock()
	ask := Ask{Receivers: receivers}
	groups := make([]*group, 0, len(all))
	for _, c := range all {
		if ask.wants(c.name) {
			groups = append(groups, c.group)
		}
	}
	return groups
}

// A head is a group by what it is shown by. What is here of the group is of one moment: a reload changes it.
type head struct {
	labels       Labels
	receiver, id string
	group        *group
}

// heads returns the groups that may have something to show, by labels, then receiver.
func (r *Router) heads(ask *Ask) []head {
	var groups []*group
	if entries, known := r.table.guess(ask); known {
		groups = r.groupsOf(entries)
	} else {
		groups = r.hearing(ask.Receivers)
	}
	heads := make([]head, 0, len(groups))
	for some := range slices.Chunk(groups, lockFor) {
		r.mu.RLock()
		for _, g := range some {
			heads = append(heads, head{g.Labels, g.Receiver, g.ID, g})
		}
		r.mu.RUnlock()
	}
	heads = slices.DeleteFunc(heads, func(h head) bool { return !ask.wants(h.receiver) })
	slices.SortFunc(heads, func(a, b head) int {
		return cmp.Or(a.labels.Compare(b.labels), strings.Compare(a.receiver, b.receiver), strings.Compare(a.id, b.id))
	})
	return heads
}

// groupsOf returns the groups of these, each once.
func (r *Router) groupsOf(entries []*entry) []*group {
	met := map[*group]struct{}{}
	var groups []*group
	for some := range slices.Chunk(entries, lockFor) {
		r.mu.RLock()
		for _, e := range some {
			for m := range e.groups {
				if _, known := met[m.group]; !known {
					met[m.group] = struct{}{}
					groups = append(groups, m.group)
				}
			}
		}
		r.mu.RUnlock()
	}
	return groups
}

// lockFor is how many alerts or groups are looked at under one lock, where little is looked at.
const lockFor = 256

// A row is a member by what orders it in a notification: compareAlerts, taken apart once.
type row struct {
	job, instance string
	has           uint8 // 2: a job, 1: an instance; more come first
	labels        Labels
	entry         *entry

	packed packed
	tail   int // where the labels end
}

// unpack makes the sight's alert that of the row. Its times are those of now.
func (w *row) unpack(t *Table, s *Sight) {
	var known bool
	t.look(&s.Alert, w.entry, &known)
	s.Alert.Labels = w.labels
	s.page.unpackRest(w.packed, w.tail, &s.Alert)
}

// rows appends those of the members that are asked for, in the order of a notification, and their labels to room.
func (r *Router) rows(rows []row, room Labels, members []*entry, ask *Ask) ([]row, Labels) {
	var (
		a     Alert
		known bool
	)
	for _, e := range members {
		p := r.table.look(&a, e, &known)
		if a.over(ask.Now) || !ask.Labels.meets(p) {
			continue
		}
		var tail int
		from := len(room)
		room, tail = p.labelsAndTail(room)
		a.Labels = room[from:len(room):len(room)]
		job, hasJob := a.Labels.lookup("job")
		instance, hasInstance := a.Labels.lookup("instance")
		w := row{job: job, instance: instance, labels: a.Labels, entry: e, packed: p, tail: tail}
		if hasJob {
			w.has |= 2
		}
		if hasInstance {
			w.has |= 1
		}
		rows = append(rows, w)
	}
	slices.SortFunc(rows, func(a, b row) int {
		if c := int(b.has&2) - int(a.has&2); c != 0 {
			return c
		}
		if c := strings.Compare(a.job, b.job); c != 0 {
			return c
		}
		if c := int(b.has&1) - int(a.has&1); c != 0 {
			return c
		}
		if c := strings.Compare(a.instance, b.instance); c != 0 {
			return c
		}
		return a.labels.Compare(b.labels)
	})
	return rows, room
}

// pick appends those of the entries that the filter matches and the table knows.
func (t *Table) pick(all []finding, entries []*entry, f *Filter) []finding {
	for _, e := range entries {
		s := t.shard(e.key)
		s.mu.RLock()
		p, forgotten := s.packed(e), e.forgotten
		s.mu.RUnlock()
		if !forgotten && f.meets(p) {
			all = append(all, finding{p.fingerprint(), e})
		}
	}
	return all
}

// pickAll picks from all entries. While the filter looks at labels, nothing is locked.
func (t *Table) pickAll(f *Filter) (all []finding) {
	if f == nil {
		all = make([]finding, 0, t.Len()+t.Len()/64)
	}
	type candidate struct {
		packed
		entry *entry
	}
	var some []candidate
	for i := range t.shards {
		s := &t.shards[i]
		some = some[:0]
		s.mu.RLock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				if !e.forgotten {
					some = append(some, candidate{s.packed(e), e})
				}
			}
		}
		s.mu.RUnlock()
		for _, c := range some {
			if f.meets(c.packed) {
				all = append(all, finding{c.fingerprint(), c.entry})
			}
		}
	}
	return all
}
