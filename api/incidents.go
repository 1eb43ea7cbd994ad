package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// Incident is an incident as our API shows it. Members that do not apply are absent. Times are UTC.
type Incident struct {
	ID             string            `json:"id"`
	Status         string            `json:"status"`            // triggered, acknowledged, resolved
	Severity       string            `json:"severity"`          // sev1 to sev5
	Urgency        string            `json:"urgency,omitempty"` // high, low; absent once it is closed for good
	Title          string            `json:"title"`
	Policy         string            `json:"policy,omitempty"`
	OpenedAt       time.Time         `json:"opened_at"`
	AcknowledgedAt time.Time         `json:"acknowledged_at,omitzero"`
	AcknowledgedBy string            `json:"acknowledged_by,omitempty"`
	ResolvedAt     time.Time         `json:"resolved_at,omitzero"`
	ResolvedBy     string            `json:"resolved_by,omitempty"` // absent: by its source
	ReopenedAt     time.Time         `json:"reopened_at,omitzero"`
	Flapping       bool              `json:"flapping,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"`
	Alerts         []Alert           `json:"alerts,omitempty"`   // at most 50, firing ones first
	NextAt         time.Time         `json:"next_at,omitzero"`   // when the ladder goes on if nobody acts
	NextWho        []string          `json:"next_who,omitempty"` // whom it pages then
	Paged          []string          `json:"paged,omitempty"`    // who was paged so far
	URL            string            `json:"url,omitempty"`
	Timeline       []Event           `json:"timeline,omitempty"` // only where one incident is asked for
	Warning        string            `json:"warning,omitempty"`  // an action was done, but …
}

// Alert is one alert: of an incident, or one that a silence mutes.
type Alert struct {
	Fingerprint  string        `json:"fingerprint"`
	Status       string        `json:"status"` // firing, resolved
	Labels       router.Labels `json:"labels"` // an object
	Annotations  router.Labels `json:"annotations,omitempty"`
	StartsAt     time.Time     `json:"starts_at"`
	EndsAt       time.Time     `json:"ends_at,omitzero"` // absent while it fires
	GeneratorURL string        `json:"generator_url,omitempty"`
}

// Event is one line of a timeline or of the audit log.
type Event struct {
	Seq       uint64    `json:"seq,omitempty"` // its place in the history
	At        time.Time `json:"at"`
	Event     string    `json:"event"`
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"`
	By        string    `json:"by,omitempty"`
	User      string    `json:"user,omitempty"`
	Via       string    `json:"via,omitempty"`
	Receiver  string    `json:"receiver,omitempty"`
	Policy    string    `json:"policy,omitempty"`
	Step      int       `json:"step,omitempty"`
	Cycle     int       `json:"cycle,omitempty"`
	Severity  string    `json:"severity,omitempty"`
	Text      string    `json:"text,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	OnCall    string    `json:"on_call,omitempty"` // why it was this user's turn
	Key       string    `json:"key,omitempty"`     // of the delivery it speaks of
}

func (a *API) incident(v engine.View) Incident {
	i := v.Incident
	out := Incident{
		ID: i.ID(), Status: string(i.Status), Severity: i.Severity, Urgency: v.Urgency, Title: i.Title, Policy: i.Policy,
		OpenedAt: i.OpenedAt.UTC(), AcknowledgedAt: i.AckedAt.UTC(), AcknowledgedBy: i.AckedBy,
		ResolvedAt: i.ResolvedAt.UTC(), ResolvedBy: i.ResolvedBy, ReopenedAt: i.ReopenedAt.UTC(), Flapping: i.Flapping,
		Labels: i.Labels, Annotations: i.Annotations, NextAt: v.NextAt.UTC(), NextWho: v.NextWho, Paged: v.Paged,
	}
	for _, al := range v.Alerts {
		out.Alerts = append(out.Alerts, showAlert(al, v.Over[al.Fingerprint()]))
	}
	if a.o.IncidentURL != nil {
		out.URL = a.o.IncidentURL(out.ID)
	}
	return out
}

func showAlert(al *router.Alert, over bool) Alert {
	out := Alert{
		Fingerprint: fmt.Sprintf("%016x", al.Fingerprint()), Status: "firing", Labels: al.Labels, Annotations: al.Annotations,
		StartsAt: al.StartsAt.UTC(), GeneratorURL: al.GeneratorURL,
	}
	if over {
		out.Status, out.EndsAt = "resolved", al.EndsAt.UTC()
	}
	return out
}

func events(from []incident.Event) []Event {
	to := make([]Event, 0, len(from))
	for _, e := range from {
		to = append(to, Event{
			Seq: e.Seq, At: e.At.UTC(), Event: e.Kind, Incident: e.Incident, Incidents: e.Incidents, By: e.By, User: e.User,
			Via: e.Via, Receiver: e.Receiver, Policy: e.Policy, Step: e.Step, Cycle: e.Cycle, Severity: e.Severity,
			Text: e.Text, Reason: e.Reason, OnCall: e.OnCall, Key: e.Key,
		})
	}
	return to
}

// Incidents is one page of the list, the newest first.
type Incidents struct {
	Incidents []Incident `json:"incidents"`
	Next      string     `json:"next"` // the cursor of the next page; empty: this was the last
}

func (a *API) getIncidents(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "status", "severity", "policy", "limit", "cursor")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	limit, before, err := page(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	f, err := filter(v["status"], v["severity"])
	if err != nil {
		a.fail(w, r, err)
		return
	}
	f.Policy = v.Get("policy")
	list, next, err := a.o.Engine.Incidents(r.Context(), f, int(min(before, 1<<31-1)), limit) //nolint:gosec // bounded
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Incidents{Incidents: []Incident{}, Next: cursor(uint64(next))} //nolint:gosec // never negative
	for _, view := range list {
		out.Incidents = append(out.Incidents, a.incident(view))
	}
	answer(w, r, http.StatusOK, out)
}

// filter reads statuses and severities: each may be given several times, or with commas.
func filter(statuses, severities []string) (f engine.Filter, err error) {
	known := []string{string(incident.Triggered), string(incident.Acked), string(incident.Resolved)}
	for _, s := range split(statuses) {
		if s == "open" {
			f.Status = append(f.Status, incident.Triggered, incident.Acked)
			continue
		}
		if !slices.Contains(known, s) {
			return f, invalid("status", "%q is no status%s", shorten(s), suggest(s, append(known, "open")))
		}
		f.Status = append(f.Status, incident.Status(s))
	}
	for _, s := range split(severities) {
		if n := incident.Rank(s); n > 5 || s != fmt.Sprintf("sev%d", n) {
			return f, invalid("severity", "%q is no severity; they are sev1 (highest) to sev5", shorten(s))
		}
		f.Severity = append(f.Severity, s)
	}
	return f, nil
}

func split(values []string) []string {
	return strings.FieldsFunc(strings.Join(values, ","), func(c rune) bool { return c == ',' || c == ' ' })
}

func (a *API) getIncident(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	v, err := a.view(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	timeline, err := a.o.Engine.Timeline(r.Context(), v.Number)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := a.incident(v)
	out.Timeline = events(timeline)
	answer(w, r, http.StatusOK, out)
}

// view reads the incident that the path names.
func (a *API) view(r *http.Request) (engine.View, error) {
	n, err := incident.ParseID(r.PathValue("id"))
	if err != nil {
		return engine.View{}, missing("id", "%s", err)
	}
	v, err := a.o.Engine.Incident(r.Context(), n)
	if errors.Is(err, engine.ErrNotFound) {
		return v, missing("id", "there is no incident %s", incident.ID(n))
	}
	return v, err
}
