package router

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// A Group is a set of alerts that are told together: those of one route that agree in its group_by labels. This value
// says who it is and when it speaks; its members are in the table. It is stored when it begins, and again only when
// something other than the passing of time changes it.
type Group struct {
	ID       string `json:"id"`       // unique; made of RouteID, Receiver and Labels
	RouteID  string `json:"route_id"` // the route with its place among its siblings; unique
	Key      string `json:"key"`      // what receivers know it by; siblings with equal matchers share it
	Receiver string `json:"receiver"`
	Labels   Labels `json:"labels,omitempty"`

	// The group speaks at Anchor, and then at every Interval after it. Next is the next such time, and is not stored:
	// it follows from the time that has passed.
	Anchor   time.Time     `json:"anchor"`
	Interval time.Duration `json:"interval"` // the route's group_interval; 0 means 5m
	Next     time.Time     `json:"-"`

	// Cleared is when the group last let go of what had resolved. An alert that had ended by then, and was not heard of
	// since, is no longer a member; so a restart knows the members, though they are not stored.
	Cleared time.Time `json:"cleared"`
}

// Due is when the group speaks next; it is never zero for a group that has begun.
func (g Group) Due() time.Time { return g.Next }

// Step is the group after the times up to now have passed. A late step leaves the rhythm as it was.
func (g Group) Step(now time.Time) Group {
	g.Next = g.Anchor
	if !g.Anchor.After(now) {
		every := cmp.Or(g.Interval, 5*time.Minute)
		passed := now.Sub(g.Anchor) / every
		g.Next = g.Anchor.Add((passed + 1) * every)
	}
	return g
}

// retime gives the group the interval of its route after a reload. Nobody waits longer than was promised before, nor
// longer than the new interval.
func (g Group) retime(interval time.Duration, now time.Time) Group {
	if g.Interval == interval {
		return g
	}
	if soon := now.Add(interval); soon.Before(g.Next) {
		g.Next = soon
	}
	g.Anchor, g.Interval = g.Next, interval
	return g
}

// rephase lets a group that has nothing to tell begin its rhythm anew at a reload, as Alertmanager does with all of them.
// It does so once between two times that it speaks: however often the file is reloaded, it does speak.
func (g Group) rephase(now time.Time) Group {
	if g.Next.After(g.Anchor) {
		g.Anchor = now.Add(cmp.Or(g.Interval, 5*time.Minute))
		g.Next = g.Anchor
	}
	return g
}

// shift moves every instant of the group.
func (g Group) shift(by time.Duration) Group {
	g.Anchor = g.Anchor.Add(by)
	g.Next = g.Next.Add(by)
	g.Cleared = g.Cleared.Add(by)
	return g
}

// holds reports whether an alert that routes to the group is a member of it: all that fire, and what has resolved since
// the group last let go of such.
func (g *Group) holds(a *Alert) bool {
	return !a.Ended || a.EndsAt.After(g.Cleared) || !a.UpdatedAt.Before(g.Cleared)
}

func groupID(routeID, receiver string, l Labels) string {
	sum := sha256.Sum256(l.appendKey([]byte(routeID + "\x00" + receiver + "\x00")))
	return hex.EncodeToString(sum[:16])
}

// A group is a Group at work.
type group struct {
	Group
	node    *node
	members []*entry
	round   *round // the last flush, while an outcome of it is awaited; else nil
}

// A membership is an entry's side of belonging to a group.
type membership struct {
	group *group
	at    uint32 // where the entry stands among the group's members
}

// groups yields the memberships of the entry, in the order of the groups' routes. Nearly every alert is a member of one group,
// which stands in the entry itself.
func (e *entry) groups(yield func(membership) bool) {
	if e.group == nil || !yield(membership{e.group, e.at}) || e.more == nil {
		return
	}
	for _, m := range *e.more {
		if !yield(m) {
			return
		}
	}
}

// enrol makes the memberships those, which are in order.
func (e *entry) enrol(all []membership) {
	e.group, e.at, e.more = nil, 0, nil
	if len(all) > 0 {
		e.group, e.at = all[0].group, all[0].at
	}
	if len(all) > 1 {
		more := slices.Clone(all[1:])
		e.more = &more
	}
}

// place is where the entry stands among the members of g; nil: it is none.
func (e *entry) place(g *group) *uint32 {
	if e.group == g {
		return &e.at
	}
	if e.more != nil {
		for i := range *e.more {
			if m := &(*e.more)[i]; m.group == g {
				return &m.at
			}
		}
	}
	return nil
}

// member reports whether the entry is a member of g.
func (e *entry) member(g *group) bool { return e.place(g) != nil }

// join makes the entry a member, and reports whether it was none. It costs the same however large the group is.
func (g *group) join(e *entry) bool {
	if e.member(g) {
		return false
	}
	m := membership{g, uint32(len(g.members))} //nolint:gosec // four billion alerts do not fit
	g.members = append(g.members, e)
	if e.group == nil {
		e.group, e.at = m.group, m.at
		return true
	}
	all := slices.Collect(e.groups)
	at, _ := slices.BinarySearchFunc(all, g.node.route.Idx, func(m membership, idx int) int {
		return m.group.node.route.Idx - idx
	})
	e.enrol(slices.Insert(all, at, m))
	return true
}

// leave ends the entry's membership.
func (g *group) leave(e *entry) {
	at := e.place(g)
	if at == nil {
		return
	}
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[*at] = moved
	*moved.place(g) = *at
	g.members[last] = nil
	g.members = g.members[:last]
	if e.more == nil {
		e.enrol(nil)
		return
	}
	e.enrol(slices.DeleteFunc(slices.Collect(e.groups), func(m membership) bool { return m.group == g }))
}
