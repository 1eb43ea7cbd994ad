package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/midwatch/midwatch/router"
)

// getAlerts answers GET /api/v2/alerts: what has not ended, by fingerprint.
func (a *API) getAlerts(w http.ResponseWriter, r *http.Request) {
	q, ok := a.query(w, r)
	if !ok {
		return
	}
	now, rt := a.o.Now(), a.o.Engine.Router()
	var labels router.Labels
	value := lookup(&labels)
	var found []*router.Alert
	for al := range rt.Alerts().All() {
		if labels = al.Labels; !ended(al, now) && q.labels(value) {
			found = append(found, al)
		}
	}
	slices.SortFunc(found, func(x, y *router.Alert) int {
		return cmp.Or(cmp.Compare(x.Fingerprint(), y.Fingerprint()), x.Labels.Compare(y.Labels))
	})

	receiverLabels := a.receiverLabels()
	s := newStream(w)
	s.raw("[")
	first := true
	for _, al := range found {
		names := receiversOf(rt, al)
		if !q.receiversPass(names, receiverLabels) {
			continue
		}
		st := a.standing(al, now)
		if !q.pass(st) {
			continue
		}
		if !first {
			s.raw(",")
		}
		first = false
		s.alert(al, st, names)
		if s.lost() {
			return
		}
	}
	s.raw("]\n")
	s.end()
}

// ended reports whether an alert's end has passed: such are not shown.
func ended(al *router.Alert, now time.Time) bool { return !al.EndsAt.IsZero() && al.EndsAt.Before(now) }

// receiversOf names who hears of the alert, in the order of the routes.
func receiversOf(rt *router.Router, al *router.Alert) []string {
	groups := rt.GroupsOf(al.Labels)
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.Receiver
	}
	return names
}

// standing is what keeps an alert from being told.
type standing struct{ silencedBy, inhibitedBy, mutedBy []string }

func (a *API) standing(al *router.Alert, now time.Time) (st standing) {
	st.silencedBy, st.inhibitedBy = a.o.Engine.Router().Suppressed(al.Labels, now)
	return st
}

func (st standing) state() string {
	if len(st.silencedBy)+len(st.inhibitedBy)+len(st.mutedBy) > 0 {
		return "suppressed"
	}
	return "active"
}

// pass reports whether an alert in this standing is asked for. That its group is muted does not count here.
func (q *query) pass(st standing) bool {
	st.mutedBy = nil
	return (q.active || st.state() != "active") &&
		(q.silenced || len(st.silencedBy) == 0) &&
		(q.inhibited || len(st.inhibitedBy) == 0)
}

// alert writes one alert, its members in the order of Alertmanager's generated code, and escaped as there.
func (s *stream) alert(al *router.Alert, st standing, receivers []string) {
	s.raw(`{"annotations":`)
	s.labels(al.Annotations, true)
	s.raw(`,"endsAt":`)
	s.instant(al.EndsAt)
	s.raw(`,"fingerprint":`)
	s.fingerprint(al.Fingerprint())
	s.raw(`,"receivers":[`)
	for i, name := range receivers {
		if i > 0 {
			s.raw(",")
		}
		s.raw(`{"name":`)
		s.text(name, true)
		s.raw("}")
	}
	s.raw(`],"startsAt":`)
	s.instant(al.StartsAt)
	s.raw(`,"status":{"inhibitedBy":`)
	s.texts(st.inhibitedBy, true)
	s.raw(`,"mutedBy":`)
	s.texts(st.mutedBy, true)
	s.raw(`,"silencedBy":`)
	s.texts(st.silencedBy, true)
	s.raw(`,"state":"` + st.state() + `"},"updatedAt":`)
	s.instant(al.UpdatedAt)
	if al.GeneratorURL != "" {
		s.raw(`,"generatorURL":`)
		s.text(al.GeneratorURL, true)
	}
	s.raw(`,"labels":`)
	s.labels(al.Labels, true)
	s.raw("}")
}

func (s *stream) labels(set router.Labels, escape bool) {
	s.raw("{")
	for i, l := range set {
		if i > 0 {
			s.raw(",")
		}
		s.text(l.Name, escape)
		s.raw(":")
		s.text(l.Value, escape)
	}
	s.raw("}")
}
