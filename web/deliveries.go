package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// Deliveries is the delivery log.
type Deliveries struct {
	Shell
	To, Via, Outcome, Incident string // what is asked for
	Wrong                      string // what is wrong with it; empty: nothing
	Rows                       []Delivery
	Empty                      []string
	Older, Newest              string // from the root; empty: there is none, or this is it
	Short                      bool   // only so many lines were looked at, and older ones may match too
	Outcomes                   []Outcome
	Filtered                   bool
}

// A Delivery is one attempt, with what it was about.
type Delivery struct {
	Told
	ID        string
	Incidents []string
	More      int // incidents that are not named
}

// An Outcome is one to choose.
type Outcome struct {
	Value, Text string
	Chosen      bool
}

// Limits of the page.
const (
	deliveriesPerPage = 50
	deliveriesLook    = 5000 // lines of the log that a filter is asked of for one page: so many are read in some 20 ms
	deliveryIncidents = 5
)

func (p *Pages) deliveries(w http.ResponseWriter, r *http.Request) {
	v := &Deliveries{Shell: p.frame(r, "deliveries", "Deliveries")}
	v.Live = OfPages
	q := r.URL.Query()
	field := func(name string) string { return short(strings.TrimSpace(q.Get(name)), 200) }
	v.To, v.Via, v.Outcome, v.Incident = field("to"), field("via"), field("outcome"), field("incident")
	f := engine.AttemptFilter{To: v.To, Via: v.Via, Look: deliveriesLook}
	for _, o := range []Outcome{{Text: "any"}, {Value: "delivered", Text: "delivered"}, {Value: "failed", Text: "failed"}, {Value: "retry", Text: "tried again"}} {
		o.Chosen = o.Value == v.Outcome
		v.Outcomes = append(v.Outcomes, o)
	}
	if v.Outcome != "" {
		f.Outcomes = []string{v.Outcome}
		if !slices.ContainsFunc(v.Outcomes, func(o Outcome) bool { return o.Chosen }) {
			v.Wrong = "there is no outcome " + strconv.Quote(v.Outcome) + "; choose one of the list"
		}
	}
	if v.Incident != "" {
		if n, err := incident.ParseID(v.Incident); err != nil {
			v.Wrong = err.Error()
		} else {
			v.Incident = incident.ID(n)
			f.Incident = v.Incident
			if i, err := p.Engine.Incident(r.Context(), n); err == nil { // its own time is soon looked through
				f.From = i.OpenedAt
				if !i.ResolvedAt.IsZero() {
					f.Until = i.ResolvedAt.Add(afterTheEnd)
				}
			}
		}
	}
	v.Filtered = v.To+v.Via+v.Outcome+v.Incident != ""
	if v.Wrong != "" {
		p.show(w, r, http.StatusBadRequest, "deliveries", v)
		return
	}
	before, err := strconv.ParseUint(q.Get("before"), 10, 64)
	if err != nil {
		before = 0
	} else if before > 0 {
		v.Newest = v.link(0)
	}
	log, next, err := p.Engine.Attempts(r.Context(), f, before, deliveriesPerPage)
	if err != nil {
		p.broken(w, r, "deliveries", err)
		return
	}
	l := &look{Pages: p, now: v.Now, zone: v.Zone}
	for n, a := range log {
		d := Delivery{Told: l.told(&v.Shell, a), ID: "row-" + strconv.Itoa(n), Incidents: a.Incidents}
		if a.Incident != "" && !slices.Contains(d.Incidents, a.Incident) {
			d.Incidents = append([]string{a.Incident}, d.Incidents...)
		}
		if len(d.Incidents) > deliveryIncidents {
			d.More, d.Incidents = len(d.Incidents)-deliveryIncidents, d.Incidents[:deliveryIncidents]
		}
		v.Rows = append(v.Rows, d)
	}
	if next > 0 {
		v.Older, v.Short = v.link(next), len(log) < deliveriesPerPage
	}
	v.empty()
	p.show(w, r, http.StatusOK, "deliveries", v)
}

func (v *Deliveries) link(before uint64) string {
	q := url.Values{}
	for name, value := range map[string]string{"to": v.To, "via": v.Via, "outcome": v.Outcome, "incident": v.Incident} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatUint(before, 10))
	}
	return strings.TrimSuffix("deliveries?"+q.Encode(), "?")
}

func (v *Deliveries) empty() {
	switch {
	case len(v.Rows) > 0:
	case v.Short:
		v.Empty = []string{"None of these match.", "Older ones were not looked at yet: go on below."}
	case v.Filtered:
		v.Empty = []string{"No delivery matches.", "Take something out of the filter."}
	default:
		v.Empty = []string{"Nothing was sent yet.", "To try a channel: midwatch test-page NAME sends a real page, and tells what became of it."}
	}
}
