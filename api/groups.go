package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/midwatch/midwatch/router"
)

// A shown is a group with those of its alerts that are asked for.
type shown struct {
	router.View
	standings []standing // of View.Alerts
	mutedBy   []string
}

// getGroups answers GET /api/v2/alerts/groups: by labels, then receiver; the alerts of each in the order of a
// notification. A group none of whose alerts is asked for is left out.
func (a *API) getGroups(w http.ResponseWriter, r *http.Request) {
	q, ok := a.query(w, r)
	if !ok {
		return
	}
	groups, receivers := a.groups(&q, a.o.Now())

	s := newStream(w)
	s.raw("[")
	first := true
	for _, g := range groups {
		if len(g.mutedBy) > 0 && !q.muted {
			continue
		}
		if !first {
			s.raw(",")
		}
		first = false
		s.group(&g, a.routeLabels(g.View), receivers)
		if s.lost() {
			return
		}
	}
	s.raw("]\n")
	s.end()
}

// groups gathers what is asked for, and who hears of each alert by way of the groups that were gathered.
func (a *API) groups(q *query, now time.Time) (groups []shown, receivers map[uint64][]string) {
	var labels router.Labels
	value := lookup(&labels)
	receiverLabels := a.receiverLabels()
	receivers = map[uint64][]string{}
	for v := range a.o.Engine.Router().Groups() {
		receiver := v.Group.Receiver
		if q.receiver != nil && !q.receiver.MatchString(receiver) || q.receivers != nil && !q.labelled(receiverLabels, receiver) {
			continue
		}
		g := shown{View: v}
		g.Alerts = g.Alerts[:0]
		for _, al := range v.Alerts {
			if labels = al.Labels; ended(al, now) || !q.labels(value) {
				continue
			}
			st := a.standing(al, now)
			if !q.pass(st) {
				continue
			}
			g.Alerts, g.standings = append(g.Alerts, al), append(g.standings, st)
			fp := al.Fingerprint()
			receivers[fp] = append(receivers[fp], receiver)
		}
		if len(g.Alerts) == 0 {
			continue
		}
		if a.o.Muted != nil {
			g.mutedBy = a.o.Muted(v.Group.RouteID, v.Group.Key)
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(x, y shown) int {
		return cmp.Or(x.Group.Labels.Compare(y.Group.Labels), cmp.Compare(x.Group.Receiver, y.Group.Receiver), cmp.Compare(x.Group.ID, y.Group.ID))
	})
	for _, names := range receivers {
		slices.Sort(names)
	}
	return groups, receivers
}

// routeLabels are the route's, with their templates rendered where somebody can.
func (a *API) routeLabels(v router.View) router.Labels {
	if a.o.RouteLabels == nil || len(v.RouteLabels) == 0 {
		return v.RouteLabels
	}
	return router.LabelsOf(a.o.RouteLabels(v))
}

func (s *stream) group(g *shown, routeLabels router.Labels, receivers map[uint64][]string) {
	s.raw(`{"alerts":[`)
	for i, al := range g.Alerts {
		if i > 0 {
			s.raw(",")
		}
		st := g.standings[i]
		st.mutedBy = g.mutedBy
		s.alert(al, st, receivers[al.Fingerprint()])
	}
	s.raw(`],"labels":`)
	s.labels(g.Group.Labels, false)
	s.raw(`,"receiver":{"name":`)
	s.text(g.Group.Receiver, false)
	s.raw(`},"routeLabels":`)
	s.labels(routeLabels, false)
	s.raw("}")
}
