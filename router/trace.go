package router

import "time"

// A RouteView is one route of the tree, with what goes by it now.
type RouteView struct {
	ID       string // as groups name it
	Depth    int    // 0: the root
	Matchers []string
	Receiver string
	Continue bool

	GroupBy                []string // sorted; ["..."]: every label
	Wait, Interval, Repeat time.Duration
	MuteTimes, ActiveTimes []string // the names of time intervals
	Labels                 Labels   // as configured: templates

	Groups, Firing int // now; an alert that fires counts once for each of the route's groups
}

// Routes are all routes, in the order of the file, a parent before those below it. No lock is held for long.
func (r *Router) Routes(now time.Time) []RouteView {
	r.mu.RLock()
	root := r.root
	groups := make([]*group, 0, len(r.groups))
	for _, g := range r.groups {
		groups = append(groups, g)
	}
	r.mu.RUnlock()

	counts := map[string]Count{}
	numbers := map[string]int{}
	var members []*entry
	for _, g := range groups {
		r.mu.RLock()
		members = append(members[:0], g.members...)
		id := g.RouteID
		r.mu.RUnlock()
		c := counts[id]
		for _, e := range members {
			if _, fires := r.table.fires(e, now); fires {
				c.Firing++
			}
		}
		counts[id] = c
		numbers[id]++
	}
	var views []RouteView
	var visit func(n *node, depth int)
	visit = func(n *node, depth int) {
		v := n.view(depth)
		v.Groups, v.Firing = numbers[n.id], counts[n.id].Firing
		views = append(views, v)
		for _, child := range n.below {
			visit(child, depth+1)
		}
	}
	visit(root, 0)
	return views
}

func (n *node) view(depth int) RouteView {
	o := &n.route.RouteOpts
	v := RouteView{
		ID: n.id, Depth: depth, Receiver: o.Receiver, Continue: n.route.Continue, GroupBy: n.by,
		Wait: o.GroupWait, Interval: o.GroupInterval, Repeat: o.RepeatInterval, MuteTimes: o.MuteTimeIntervals, ActiveTimes: o.ActiveTimeIntervals,
		Labels: n.labels,
	}
	if o.GroupByAll {
		v.GroupBy = []string{"..."}
	}
	for _, m := range n.route.Matchers {
		v.Matchers = append(v.Matchers, m.String())
	}
	return v
}

// A Verdict is what a route does with an alert.
type Verdict string

const (
	Takes   Verdict = "takes"   // its receiver hears of the alert
	Passes  Verdict = "passes"  // it matches, and a route below takes the alert
	Refuses Verdict = "refuses" // a matcher does not hold; those below are not asked
	Skipped Verdict = "skipped" // a sibling before it matched, and lets none after it
)

// A Visit is what one route did with an alert on its way.
type Visit struct {
	Route   RouteView // without counts
	Verdict Verdict

	Failed string // of Refuses: the first matcher that does not hold,
	Has    string // and what the alert has of its label; empty: nothing

	// Of Takes: the group. Next is when it speaks; where there is no such group yet, it would be made, and speaks so long
	// after the route's Wait.
	Group Group
	There bool // the group exists
	Mute  Mute // what the route's time intervals say at this time
}

// Trace says what each route would do with an alert that has these labels, in the order of the file. It visits no more than
// are asked on the way, and at most so many.
func (r *Router) Trace(l Labels, now time.Time, most int) (visits []Visit) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.trace(r.root, l, 0, now, &visits)
	// Those that refuse or are skipped are the many; what takes the alert is never left out.
	if len(visits) <= most {
		return visits
	}
	kept := visits[:0]
	room := most
	for _, v := range visits {
		if v.Verdict == Takes || v.Verdict == Passes {
			room--
		}
	}
	for _, v := range visits {
		if v.Verdict == Refuses || v.Verdict == Skipped {
			if room--; room < 0 {
				continue
			}
		}
		kept = append(kept, v)
	}
	visits = kept
	return visits
}

// trace reports whether the route or one below takes the alert.
func (r *Router) trace(n *node, l Labels, depth int, now time.Time, visits *[]Visit) bool {
	v := Visit{Route: n.view(depth)}
	for i := range n.conds {
		if c := &n.conds[i]; !c.holds(l.Get(c.Name)) {
			v.Verdict, v.Failed, v.Has = Refuses, c.Matcher.String(), l.Get(c.Name)
			*visits = append(*visits, v)
			return false
		}
	}
	at := len(*visits)
	*visits = append(*visits, v)
	taken := false
	for i, child := range n.below {
		if !r.trace(child, l, depth+1, now, visits) {
			continue
		}
		taken = true
		if !child.route.Continue {
			for _, late := range n.below[i+1:] {
				*visits = append(*visits, Visit{Route: late.view(depth + 1), Verdict: Skipped})
			}
			break
		}
	}
	here := &(*visits)[at]
	if here.Verdict = Passes; taken {
		return true
	}
	here.Verdict = Takes
	labels := n.groupLabels(nil, l)
	here.Mute = r.hours(n, now)
	if g := n.groups[string(labels.appendKey(nil))]; g != nil {
		here.Group, here.There = g.Group, true
		return true
	}
	here.Group = Group{
		ID: groupID(n.id, here.Route.Receiver, labels), RouteID: n.id, Key: n.key + ":" + labels.String(), Receiver: here.Route.Receiver,
		Labels: labels, Interval: n.route.RouteOpts.GroupInterval,
	}
	return true
}

// WouldInhibit returns an alert that keeps, or would keep, one with these labels quiet at now, and the name of the rule by
// which it does; nil: none. It need not be in the table.
func (r *Router) WouldInhibit(l Labels, now time.Time) (by *Alert, rule string) {
	r.mu.RLock()
	in := &r.inhibition
	e := &entry{sides: &sides{source: in.sources.match(nil, l), target: in.targets.match(nil, l)}}
	source, rule := in.by(r.table, e, l, now)
	r.mu.RUnlock()
	if source == nil {
		return nil, ""
	}
	by = new(Alert)
	r.table.readTo(by, new(page), source)
	return by, rule
}
