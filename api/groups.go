package api

import (
	"iter"
	"net/http"

	"github.com/midwatch/midwatch/router"
)

// getGroups answers GET /api/v2/alerts/groups: by labels, then receiver; the alerts of each in the order of a
// notification. A group none of whose alerts is asked for is left out.
func (a *API) getGroups(w http.ResponseWriter, r *http.Request) {
	q, ok := a.query(w, r)
	if !ok {
		return
	}
	s := newStream(w)
	s.raw("[")
	first := true
	for v, alerts := range a.o.Engine.Router().SeeGroups(a.ask(&q, a.o.Now())) {
		if a.group(s, &q, v, alerts, first) {
			first = false
		}
		if s.lost() {
			return
		}
	}
	s.raw("]\n")
	s.end()
}

// group writes a group, and reports whether there was anything to write.
func (a *API) group(s *stream, q *query, v router.View, alerts iter.Seq[*router.Sight], first bool) bool {
	var mutedBy []string
	rendered := a.o.RouteLabels != nil && len(v.RouteLabels) > 0
	begun := false
	for al := range alerts {
		if !q.pass(al) {
			continue
		}
		if begun {
			s.raw(",")
		} else {
			if a.o.Muted != nil {
				mutedBy = a.o.Muted(v.Group.RouteID, v.Group.Key)
			}
			if len(mutedBy) > 0 && !q.muted {
				return false
			}
			if !first {
				s.raw(",")
			}
			s.raw(`{"alerts":[`)
			begun = true
		}
		s.alert(al, mutedBy)
		if rendered {
			shown := al.Alert
			v.Alerts = append(v.Alerts, &shown)
		}
		if s.lost() {
			return true
		}
	}
	if !begun {
		return false
	}
	routeLabels := v.RouteLabels
	if rendered { // the templates may speak of any alert that is shown
		routeLabels = router.LabelsOf(a.o.RouteLabels(v))
	}
	s.raw(`],"labels":`)
	s.labels(v.Group.Labels, false)
	s.raw(`,"receiver":{"name":`)
	s.text(v.Group.Receiver, false)
	s.raw(`},"routeLabels":`)
	s.labels(routeLabels, false)
	s.raw("}")
	return true
}
