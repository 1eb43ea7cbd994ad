package router

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// SetRoutes takes a new configuration. A group whose key and receiver are still there keeps its log, its notifications on
// their way, and, if there is anything to tell, its time. The alerts of the others go to the groups where they belong now, which speak no later
// than the old ones would have.
func (r *Router) SetRoutes(o Options, now time.Time) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	r.begin(now)

	old := slices.SortedFunc(maps.Values(r.groups), func(a, b *group) int { return cmp.Compare(a.ID, b.ID) })
	m := move{was: map[*entry][]membership{}, idle: map[*group]bool{}, routes: map[place][]*node{}}
	for _, n := range r.nodes {
		p := place{n.key, n.route.RouteOpts.Receiver}
		m.routes[p] = append(m.routes[p], n)
	}
	m.held = func(g *group, e *entry, _ *Alert) bool { return m.wasMember(e, g) }
	for _, g := range old {
		m.idle[g] = r.idle(g, now)
		for _, e := range g.members {
			if m.was[e] == nil {
				m.was[e] = slices.Collect(e.groups)
			}
		}
	}
	for e := range m.was {
		e.enrol(nil)
	}
	for _, g := range old {
		m.former = append(m.former, former{g, g.Group})
		g.members = nil
	}

	r.configure(o.withDefaults())
	r.forget.begin(now)
	r.sweep.begin(now)
	r.regroup(&m, now)
	for e := range m.was {
		r.table.release(e)
	}
	return r.effects()
}

// idle reports whether the group would tell nobody anything if it spoke now, but for repetitions. One of which nobody is
// told by an integration is not: who knows who waits for it.
func (r *Router) idle(g *group, now time.Time) bool {
	integrations := r.opts.Receivers[g.Receiver]
	if g.round != nil || len(integrations) == 0 {
		return false
	}
	var l Labels
	firing := make([]uint64, 0, len(g.members))
	hours := r.hours(g.node, now)
	for _, e := range g.members {
		p, fires := r.table.fires(e, now)
		if l = p.labels(l[:0]); !fires || r.muted(hours, e, l, now) != "" {
			return false
		}
		firing = append(firing, e.key)
	}
	slices.Sort(firing)
	return !slices.ContainsFunc(integrations, func(i Integration) bool {
		known := r.log.get(LogKey{g.Key, g.Receiver, i.Name, i.Index})
		reason := decide(known, firing, nil, i.SendResolved, 0, now)
		return reason != Nothing && reason != RepeatInterval
	})
}

// A State is what the store remembers of the groups and the log. The alerts are put back by Table.Load before.
type State struct {
	Groups   []Group
	Log      []LogEntry
	Silences []Silence
	InFlight []Notify // for which there was no Sent yet; they are to be sent again, under the same Ref

	// Stopped is the last instant at which we were surely running. Groups whose time came since then speak at once;
	// the others keep their time. Zero, where it is not known: all speak at once.
	Stopped time.Time
}

// Restore puts back what was stored, into a router that is new. Groups find their members by routing; where the
// configuration changed meanwhile it does what SetRoutes does.
func (r *Router) Restore(s State, now time.Time) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	r.table.restored(now, r.opts.ResolveTimeout)
	r.table.forgetBefore(s.Stopped.Truncate(r.opts.ForgetEvery))
	r.forget.begin(now)
	r.sweep.begin(now)
	for _, e := range s.Log {
		r.log.put(e)
	}
	r.silences.looked = s.Stopped
	for _, silence := range slices.SortedFunc(slices.Values(s.Silences), func(a, b Silence) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.ID, b.ID))
	}) {
		if c, err := compile(&silence); err == nil {
			// One that ended right before we stopped may have left nothing behind of what was to follow.
			c.held = !silence.StartsAt.After(s.Stopped) && silence.EndsAt.After(s.Stopped.Add(-time.Minute))
			r.silences.put(c)
			if c.obliging() && silence.State(now) != SilenceExpired {
				r.watch(c)
			}
		}
	}
	for _, n := range s.InFlight {
		r.launch(&flight{Notify: n})
	}
	m := move{held: func(g *group, _ *entry, a *Alert) bool { return g.holds(a) }}
	for _, g := range s.Groups {
		g = g.Step(s.Stopped.Add(-r.opts.LongestWait))
		if g.Next.Before(r.opts.HoldUntil) {
			g.Next = r.opts.HoldUntil
		}
		m.former = append(m.former, former{&group{Group: g}, g})
	}
	slices.SortFunc(m.former, func(a, b former) int { return cmp.Compare(a.before.ID, b.before.ID) })
	r.regroup(&m, now)
	for _, e := range r.table.sorted() {
		r.table.release(e)
	}
	return r.effects()
}

// A move is how alerts come from their former groups to those of the present routes.
type move struct {
	former []former
	was    map[*entry][]membership           // before a reload; after a restart nobody knows
	routes map[place][]*node                 // before a reload, by their keys
	idle   map[*group]bool                   // before a reload: had nothing to tell
	held   func(*group, *entry, *Alert) bool // whether the alert was a member of the former group

	byID map[string]*group   // at the very same route
	free map[place][]*group  // those whose route is no longer there, by what receivers know
	kept map[*group]bool     // found a place
	born map[*group]struct{} // had no former self
}

type former struct {
	*group
	before Group
}

type place struct{ key, receiver string }

// regroup takes every alert to its groups: the former ones where they have a place among the present routes.
func (r *Router) regroup(m *move, now time.Time) {
	r.groups = map[string]*group{}
	r.agenda, r.throng = agenda[*group]{}, throng{}
	m.index(r)
	var a Alert
	var room page
	for _, e := range r.table.sorted() {
		room.empty()
		r.table.readTo(&a, &room, e)
		if r.inhibition.meet(e, a.Labels); !a.Ended {
			r.inhibition.began(e, a.Labels)
		}
		for _, n := range r.match(a.Labels) {
			r.resettle(m, n, e, &a, now)
		}
	}
	ids := map[string]string{}
	for _, f := range m.former {
		if !m.kept[f.group] {
			r.emit(GroupChanged{Group: f.before, Deleted: true})
			continue
		}
		if f.ID != f.before.ID {
			r.emit(GroupChanged{Group: f.before, Deleted: true})
			ids[f.before.ID] = f.ID
		}
		if f.ID != f.before.ID || !f.Anchor.Equal(f.before.Anchor) || f.Interval != f.before.Interval {
			r.keep(f.group)
		}
	}
	for _, g := range slices.SortedFunc(maps.Keys(m.born), func(a, b *group) int { return cmp.Compare(a.ID, b.ID) }) {
		r.keep(g)
	}
	r.reseat(ids)
	if m.was != nil {
		r.announce(m, now)
	}
	for _, f := range m.former {
		if m.kept[f.group] && f.round != nil {
			r.forgive(f.group)
		}
	}
}

// index prepares the search for former groups.
func (m *move) index(r *Router) {
	m.byID, m.free = map[string]*group{}, map[place][]*group{}
	m.kept, m.born = map[*group]bool{}, map[*group]struct{}{}
	routes := map[place]bool{}
	for _, n := range r.nodes {
		routes[place{n.id, n.route.RouteOpts.Receiver}] = true
	}
	for _, f := range m.former {
		if routes[place{f.RouteID, f.Receiver}] {
			m.byID[f.ID] = f.group
		} else {
			p := place{f.Key, f.Receiver}
			m.free[p] = append(m.free[p], f.group)
		}
	}
	for _, groups := range m.free {
		// Siblings with one key between them keep their order: "…/9" before "…/10".
		slices.SortFunc(groups, func(a, b *group) int {
			return cmp.Or(len(a.RouteID)-len(b.RouteID), cmp.Compare(a.RouteID, b.RouteID))
		})
	}
}

// heir returns the former group that goes on as the group of r.pairs at the route, or nil.
func (r *Router) heir(m *move, n *node) *group {
	receiver := n.route.RouteOpts.Receiver
	if g := m.byID[groupID(n.id, receiver, r.pairs)]; g != nil {
		return g
	}
	for _, g := range m.free[place{n.key + ":" + r.pairs.String(), receiver}] {
		if !m.kept[g] {
			return g
		}
	}
	return nil
}

// resettle makes the entry a member of its group at the route, if it is one.
func (r *Router) resettle(m *move, n *node, e *entry, a *Alert, now time.Time) {
	g := r.groupFor(n, a)
	heir := g
	if g == nil {
		heir = r.heir(m, n)
	}
	_, born := m.born[heir]
	switch {
	case !a.Ended:
	case heir != nil && !born:
		if !m.held(heir, e, a) {
			return
		}
	case len(m.was[e]) == 0, m.over(n, r.pairs, a):
		return // nobody waits for news of its end
	}
	switch {
	case g != nil:
	case heir != nil:
		g = heir
		g.Group = g.retime(n.route.RouteOpts.GroupInterval, now)
		if m.idle[g] && !r.opts.Steady[g.Receiver] {
			g.Group = g.rephase(now)
		}
		r.settle(g, n, r.pairs.copied(r.table.packer.words.own))
		m.kept[g] = true
	default:
		g = r.open(n, a, now)
		m.born[g] = struct{}{}
		born = true
	}
	if born {
		for _, f := range m.was[e] {
			r.hasten(g, f.group.Next, now)
		}
	}
	g.join(e)
}

// over reports whether the alert could have been in a group of this route and these labels before, since it had the same
// route; where no such group was found, or it was not in it, the group let go of it.
func (m *move) over(n *node, l Labels, a *Alert) bool {
	return slices.ContainsFunc(m.routes[place{n.key, n.route.RouteOpts.Receiver}], func(old *node) bool {
		return old.groupLabels(nil, a.Labels).Equal(l)
	})
}

// hasten lets a group that has not spoken yet speak by t.
func (r *Router) hasten(g *group, t, now time.Time) {
	for _, least := range [...]time.Time{now, r.opts.HoldUntil} {
		if t.Before(least) {
			t = least
		}
	}
	if t.Before(g.Next) {
		g.Anchor, g.Next = t, t
		r.agenda.add(t, g)
	}
}

// reseat leads the outcomes that are awaited to the groups that were given another ID.
func (r *Router) reseat(ids map[string]string) {
	if len(ids) == 0 {
		return
	}
	clear(r.busy)
	for _, f := range r.flights {
		if id, moved := ids[f.Group]; moved {
			f.Group = id
		}
		r.busy[f.seat()] = f
	}
}

// announce says which alerts fire in other groups than before.
func (r *Router) announce(m *move, now time.Time) {
	before := map[*group]Group{}
	for _, f := range m.former {
		before[f.group] = f.before
	}
	for _, e := range r.table.sorted() {
		if len(m.was[e]) == 0 || e.over || slices.EqualFunc(m.was[e], slices.Collect(e.groups), func(was, is membership) bool {
			return was.group == is.group
		}) {
			continue
		}
		a := r.read(e)
		for _, f := range m.was[e] {
			if !e.member(f.group) {
				r.emit(Left{before[f.group], a, Regrouped})
			}
		}
		for g := range e.groups {
			if !m.wasMember(e, g.group) {
				r.emit(Joined{g.group.Group, a, Regrouped, r.muted(r.hours(g.group.node, now), e, a.Labels, now)})
			}
		}
	}
}

// wasMember reports whether the entry was a member of g before the reload.
func (m *move) wasMember(e *entry, g *group) bool {
	return slices.ContainsFunc(m.was[e], func(m membership) bool { return m.group == g })
}

// forgive takes out of the round the turns of integrations that are gone.
func (r *Router) forgive(g *group) {
	rd := g.round
	present := r.opts.Receivers[g.Receiver]
	owed := rd.owed[:0]
	for _, o := range rd.owed {
		i := slices.IndexFunc(present, func(i Integration) bool { return i.Name == o.Name && i.Index == o.Index })
		if i >= 0 {
			owed = append(owed, present[i])
		} else {
			rd.open--
		}
	}
	rd.owed = owed
	r.finish(g)
}

// Resumed says that nobody could reach us for a while, until now: what fires does so for at least the resolve timeout
// from now, as after a restart (SPEC §5.8).
func (r *Router) Resumed(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table.restored(now.Round(0), r.opts.ResolveTimeout)
}

// Shifted says that the clock was set by so much: every instant that was measured by it moves along, so that what was
// to come in five minutes still does. Alerts fire on for as long as they would have (SPEC §5.8).
func (r *Router) Shifted(by time.Duration) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table.shift(by)
	r.log.shift(by)
	r.agenda, r.throng, r.turns = agenda[*group]{}, throng{}, agenda[*round]{}
	r.silences.again(by) // they stay with the wall clock
	for _, s := range r.silences.inOrder() {
		if s.obliging() && r.silences.watched[s.ID] == nil {
			r.watch(s) // it was over, and may not be any more
		}
	}
	r.forget.next, r.sweep.next = time.Time{}, time.Time{}
	for _, g := range slices.SortedFunc(maps.Values(r.groups), func(a, b *group) int { return cmp.Compare(a.ID, b.ID) }) {
		g.Group = g.Group.shift(by)
		r.agenda.add(g.Next, g)
		r.keep(g)
		if rd := g.round; rd != nil {
			rd.at, rd.from = rd.at.Add(by), rd.from.Add(by)
			r.turns.add(rd.from, rd) // passed over unless it waits
			for i := range rd.ended {
				rd.ended[i].updatedAt = rd.ended[i].updatedAt.Add(by)
			}
		}
	}
	for _, e := range slices.SortedFunc(r.log.all(), func(a, b *LogEntry) int {
		return cmp.Compare(a.LogKey.String(), b.LogKey.String())
	}) {
		r.emit(LogChanged{Entry: *e})
	}
	return r.effects()
}
