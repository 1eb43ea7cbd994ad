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

	silences []*silence
	touched  uint64 // what fetch read, so that it is read
}

// See yields the alerts that are asked for, by fingerprint. Between one and the next nothing is locked, however long the
// reader takes, and nothing is copied but one alert. It is weakly consistent: what changes meanwhile may be seen or not.
func (r *Router) See(ask Ask) iter.Seq[*Sight] {
	return func(yield func(*Sight) bool) {
		var s Sight
		ask := ask.remembering()
		near := make([]Alert, fetched)
		for some := range slices.Chunk(r.asked(&ask), fetched) {
			s.touched += r.fetch(near, some)
			for i, f := range some {
				s.Alert = near[i]
				if r.see(&s, f.entry, &ask) && !yield(&s) {
					return
				}
			}
		}
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
		)
		alerts := func(yield func(*Sight) bool) {
			rows = r.rows(rows[:0], members, &ask)
			for i := range rows {
				r.table.copyTo(&s.Alert, rows[i].entry)
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
	for _, m := range e.groups {
		s.Receivers = append(s.Receivers, m.group.Receiver)
	}
}

// fetched is how many alerts are fetched at once: enough for the processor to wait for all of them together, and few enough
// to be still near when they are read.
const fetched = 32

// fetch copies the alerts of these entries. In the order of fingerprints the next alert is never near the last one, and a
// reader would wait for memory a dozen times for each, one time after the other. What is near each other here and does not
// depend on what was read right before is waited for once. fetch also touches what is to be read of them, text and groups;
// what it returns means nothing.
func (r *Router) fetch(to []Alert, from []finding) (touched uint64) {
	for _, f := range from {
		touched += f.entry.key
	}
	for i, f := range from {
		r.table.copyTo(&to[i], f.entry)
	}
	r.mu.RLock()
	for _, f := range from {
		for _, m := range f.entry.groups {
			touched += uint64(len(m.group.Receiver))
		}
	}
	r.mu.RUnlock()
	for i := range from {
		touched += to[i].Labels.touch() + to[i].Annotations.touch()
	}
	return touched
}

// touch reads a little of every text.
func (l Labels) touch() (sum uint64) {
	for i := range l {
		if v := l[i].Value; v != "" {
			sum += uint64(v[0]) + uint64(v[len(v)-1])
		}
	}
	return sum
}

// stand fills in what keeps the alert quiet. The caller holds the lock.
func (r *Router) stand(s *Sight, e *entry, now time.Time) {
	s.SilencedBy, s.InhibitedBy = s.SilencedBy[:0], s.InhibitedBy[:0]
	s.silences = r.silences.active(s.silences[:0], s.Alert.Labels, now)
	for _, by := range s.silences {
		s.SilencedBy = append(s.SilencedBy, by.ID)
	}
	if source, _ := r.inhibition.by(r.table, e, now); source != nil {
		s.InhibitedBy = append(s.InhibitedBy, source.alert.Fingerprint())
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
		x, _ := r.table.read(a.entry)
		y, _ := r.table.read(b.entry)
		return x.Labels.Compare(y.Labels)
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
			for _, m := range e.groups {
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
}

// rows appends those of the members that are asked for, in the order of a notification.
func (r *Router) rows(rows []row, members []*entry, ask *Ask) []row {
	var a Alert
	for _, e := range members {
		r.table.copyTo(&a, e)
		if a.over(ask.Now) || !ask.Labels.matches(a.Labels) {
			continue
		}
		job, hasJob := a.Labels.lookup("job")
		instance, hasInstance := a.Labels.lookup("instance")
		w := row{job: job, instance: instance, labels: a.Labels, entry: e}
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
	return rows
}

// copyTo copies what the entry holds now, and reports whether the table has forgotten it.
func (t *Table) copyTo(a *Alert, e *entry) (forgotten bool) {
	s := t.shard(e.key)
	s.mu.RLock()
	*a, forgotten = e.alert, e.forgotten
	s.mu.RUnlock()
	return forgotten
}

// pick appends those of the entries that the filter matches and the table knows.
func (t *Table) pick(all []finding, entries []*entry, f *Filter) []finding {
	for _, e := range entries {
		s := t.shard(e.key)
		s.mu.RLock()
		fingerprint, labels, forgotten := e.alert.Fingerprint(), e.alert.Labels, e.forgotten
		s.mu.RUnlock()
		if !forgotten && f.matches(labels) {
			all = append(all, finding{fingerprint, e})
		}
	}
	return all
}

// pickAll picks from all entries. While the filter looks at labels, nothing is locked.
func (t *Table) pickAll(f *Filter) (all []finding) {
	if f == nil {
		all = make([]finding, 0, t.Len()+t.Len()/64)
	}
	var (
		some   []finding
		labels []Labels
	)
	for i := range t.shards {
		s := &t.shards[i]
		some, labels = some[:0], labels[:0]
		s.mu.RLock()
		for _, e := range s.entries {
			for ; e != nil; e = e.next {
				if !e.forgotten {
					some, labels = append(some, finding{e.alert.Fingerprint(), e}), append(labels, e.alert.Labels)
				}
			}
		}
		s.mu.RUnlock()
		for n, found := range some {
			if f.matches(labels[n]) {
				all = append(all, found)
			}
		}
	}
	return all
}
