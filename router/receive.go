package router

import (
	"slices"
	"time"
)

// Receive takes in the alerts of one POST: those that Touch would not answer for. It completes them, and keeps nothing of
// them. What already ended is taken in too, and may begin a group again, as in Alertmanager.
func (r *Router) Receive(alerts []*Alert, now time.Time) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	r.out = slices.Grow(r.out, 3*len(alerts)) // a new alert is stored, joins a group, and may begin it
	r.begin(now)
	r.reserve(alerts)
	for _, a := range alerts {
		a.Complete(now, r.opts.ResolveTimeout)
		e, change := r.table.put(a, now)
		if change == Refusal {
			r.emit(Refused{a.Clone(), r.opts.AlertnameLimit})
			continue
		}
		r.place(e, change, now)
	}
	r.turned(now) // a silence may have ended with the last of its alerts
	return r.effects()
}

// reserve makes room for the alerts of the effects of these reports.
func (r *Router) reserve(alerts []*Alert) {
	var pairs, text int
	for _, a := range alerts {
		p, t := a.room()
		pairs, text = pairs+p, text+t
	}
	r.copies.reserve(len(alerts), pairs, text)
}

// room is what the alert takes of a page, or a little more: how many pairs, and how much text.
func (a *Alert) room() (pairs, text int) {
	for i := range a.Annotations {
		if n := len(a.Annotations[i].Value); n >= longSentence {
			text += n
		}
	}
	return len(a.Labels) + len(a.Annotations), text
}

// begin is what comes before all news: ends that are overdue, and the rhythms' finding their place.
func (r *Router) begin(now time.Time) {
	r.forget.begin(now)
	r.sweep.begin(now)
	r.expire(now)
	r.turned(now)
}

// place takes the entry to the groups of its routes.
func (r *Router) place(e *entry, change Change, now time.Time) {
	a := r.read(e)
	if change != Refreshed {
		r.emit(Stored{a, change})
	} else if !a.Ended {
		return // what fires has its places already
	}
	switch change {
	case FirstSeen, Refired:
		if change == FirstSeen {
			r.inhibition.meet(e, a.Labels)
		}
		if !a.Ended {
			r.fires(e, a.Labels)
		}
	case Resolved:
		r.ended(e, a.Labels, now)
	}
	for _, n := range r.match(a.Labels) {
		g := r.groupFor(n, a)
		if g == nil {
			g = r.open(n, a, now)
			r.keep(g)
		}
		entered := g.join(e)
		switch {
		case !a.Ended && (entered || change != Refreshed):
			r.emit(Joined{g.Group, a, change, r.muted(r.hours(n, now), e, a.Labels, now)})
		case change == Resolved:
			r.emit(Left{g.Group, a, change})
		}
	}
}

// match returns the routes of an alert, in the order of the file, until it is called again.
func (r *Router) match(l Labels) []*node {
	r.found = r.root.match(l, r.found[:0])
	return r.found
}

// groupFor returns the group of the route to which the alert belongs, or nil. It leaves the group's labels in r.pairs
// and their key in r.key.
func (r *Router) groupFor(n *node, a *Alert) *group {
	r.pairs = n.groupLabels(r.pairs[:0], a.Labels)
	r.key = r.pairs.appendKey(r.key[:0])
	return n.groups[string(r.key)]
}

// open begins the group that groupFor did not find. It waits for more of its kind; but where the alert started so long
// ago that the wait is over, it speaks at once. Nobody who joins later moves its time.
func (r *Router) open(n *node, a *Alert, now time.Time) *group {
	o := &n.route.RouteOpts
	at := now.Add(o.GroupWait)
	if a.StartsAt.Add(o.GroupWait).Before(now) {
		at = now
	}
	if at.Before(r.opts.HoldUntil) {
		at = r.opts.HoldUntil
	}
	g := &group{Group: Group{
		Anchor:   at,
		Next:     at,
		Interval: o.GroupInterval,
		Cleared:  now,
	}}
	r.settle(g, n, r.pairs.copied(r.table.packer.words.own))
	return g
}

// settle gives the group its place at the route.
func (r *Router) settle(g *group, n *node, l Labels) {
	g.node = n
	g.RouteID = n.id
	g.Receiver = n.route.RouteOpts.Receiver
	g.ID = groupID(g.RouteID, g.Receiver, l)
	g.Key = n.key + ":" + l.String()
	g.Labels = l
	n.groups[string(l.appendKey(nil))] = g
	r.groups[g.ID] = g
	r.agenda.add(g.Next, g)
}

// keep has the group stored.
func (r *Router) keep(g *group) { r.emit(GroupChanged{Group: g.Group}) }

// close ends a group without members.
func (r *Router) close(g *group) {
	delete(g.node.groups, string(g.Labels.appendKey(nil)))
	delete(r.groups, g.ID)
	r.emit(GroupChanged{Group: g.Group, Deleted: true})
}
