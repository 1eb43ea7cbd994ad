package api

import (
	"net/http"

	"github.com/midwatch/midwatch/router"
)

// getAlerts answers GET /api/v2/alerts: what has not ended, by fingerprint.
func (a *API) getAlerts(w http.ResponseWriter, r *http.Request) {
	q, ok := a.query(w, r)
	if !ok {
		return
	}
	s := newStream(w)
	s.raw("[")
	first := true
	for al := range a.o.Engine.Router().See(a.ask(&q, a.o.Now())) {
		if !q.pass(al) {
			continue
		}
		if !first {
			s.raw(",")
		}
		first = false
		s.alert(al, nil)
		if s.lost() {
			return
		}
	}
	s.raw("]\n")
	s.end()
}

// alert writes one alert, its members in the order of Alertmanager's generated code, and escaped as there. mutedBy are the
// time intervals that mute its group.
func (s *stream) alert(al *router.Sight, mutedBy []string) {
	s.raw(`{"annotations":`)
	s.labels(al.Alert.Annotations, true)
	s.raw(`,"endsAt":`)
	s.instant(al.Alert.EndsAt)
	s.raw(`,"fingerprint":`)
	s.fingerprint(al.Alert.Fingerprint())
	s.raw(`,"receivers":[`)
	for i, name := range al.Receivers {
		if i > 0 {
			s.raw(",")
		}
		s.raw(`{"name":`)
		s.text(name, true)
		s.raw("}")
	}
	s.raw(`],"startsAt":`)
	s.instant(al.Alert.StartsAt)
	s.raw(`,"status":{"inhibitedBy":[`)
	for i, fp := range al.InhibitedBy {
		if i > 0 {
			s.raw(",")
		}
		s.fingerprint(fp)
	}
	s.raw(`],"mutedBy":`)
	s.texts(mutedBy, true)
	s.raw(`,"silencedBy":`)
	s.texts(al.SilencedBy, true)
	if len(al.SilencedBy)+len(al.InhibitedBy)+len(mutedBy) > 0 {
		s.raw(`,"state":"suppressed"},"updatedAt":`)
	} else {
		s.raw(`,"state":"active"},"updatedAt":`)
	}
	s.instant(al.Alert.UpdatedAt)
	if al.Alert.GeneratorURL != "" {
		s.raw(`,"generatorURL":`)
		s.text(al.Alert.GeneratorURL, true)
	}
	s.raw(`,"labels":`)
	s.labels(al.Alert.Labels, true)
	s.raw("}")
}

func (s *stream) labels(set router.Labels, escape bool) {
	s.raw("{")
	for i := range set {
		if i > 0 {
			s.raw(",")
		}
		s.text(set[i].Name, escape)
		s.raw(":")
		s.text(set[i].Value, escape)
	}
	s.raw("}")
}
