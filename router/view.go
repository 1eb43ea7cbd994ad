package router

import (
	"iter"
	"slices"
)

// A View is a group as it is now: for the API, and for whoever asks what an incident is about.
type View struct {
	Group       Group
	RouteLabels Labels   // as configured: templates
	Alerts      []*Alert // its members, in the order of a notification; ended ones too, while somebody has to hear it
}

// Groups yields the groups, in no order. Nothing is locked between one and the next.
func (r *Router) Groups() iter.Seq[View] {
	return func(yield func(View) bool) {
		r.mu.RLock()
		groups := make([]*group, 0, len(r.groups))
		for _, g := range r.groups {
			groups = append(groups, g)
		}
		r.mu.RUnlock()
		for _, g := range groups {
			if v, ok := r.view(g); ok && !yield(v) {
				return
			}
		}
	}
}

// Group returns the group with this ID, and whether there is one.
func (r *Router) Group(id string) (View, bool) {
	r.mu.RLock()
	g := r.groups[id]
	r.mu.RUnlock()
	if g == nil {
		return View{}, false
	}
	return r.view(g)
}

func (r *Router) view(g *group) (View, bool) {
	r.mu.RLock()
	v := View{Group: g.Group, RouteLabels: g.node.labels}
	members := slices.Clone(g.members)
	r.mu.RUnlock()
	var c copies
	for _, e := range members {
		a := c.next()
		r.table.readTo(a, &c.page, e)
		v.Alerts = append(v.Alerts, a)
	}
	slices.SortFunc(v.Alerts, compareAlerts)
	return v, len(members) > 0
}

// GroupsOf returns the groups of which the alert with these labels is a member, in the order of their routes.
func (r *Router) GroupsOf(l Labels) []Group {
	e := r.table.lookup(l)
	if e == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	var groups []Group
	for m := range e.groups {
		groups = append(groups, m.group.Group)
	}
	return groups
}

// LogEntry returns what an integration was last told of a group, and whether it was told at all.
func (r *Router) LogEntry(k LogKey) (LogEntry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.log.get(k); e != nil {
		return *e, true
	}
	return LogEntry{}, false
}

// LogEntries returns the whole notification log, in no order.
func (r *Router) LogEntries() []LogEntry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	entries := make([]LogEntry, 0, r.log.len())
	for e := range r.log.all() {
		entries = append(entries, *e)
	}
	return entries
}
