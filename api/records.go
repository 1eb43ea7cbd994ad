package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// Delivery is one line of the delivery log: one attempt to send one message (SPEC §8).
type Delivery struct {
	At        time.Time `json:"at"`
	Key       string    `json:"key"` // the idempotency key: the same for all attempts of one message
	Event     string    `json:"event"`
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"` // of one message about several
	User      string    `json:"user,omitempty"`
	Receiver  string    `json:"receiver,omitempty"`
	Via       string    `json:"via"`
	Attempt   int       `json:"attempt"` // from 1
	Outcome   string    `json:"outcome"` // delivered, retry, failed
	Answer    string    `json:"answer,omitempty"`
	LatencyMS float64   `json:"latency_ms"`
	NextAt    time.Time `json:"next_at,omitzero"` // when it is tried again
}

// Deliveries is one page of the delivery log, the newest first.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       string     `json:"next"`
}

// knownOutcomes are those of an attempt.
var knownOutcomes = []string{engine.Delivered.String(), engine.Retry.String(), engine.Failed.String()}

func (a *API) getDeliveries(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "incident", "user", "outcome", "limit", "cursor")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	limit, before, err := page(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	id := v.Get("incident")
	if id != "" {
		n, err := incident.ParseID(id)
		if err != nil {
			a.fail(w, r, invalid("incident", "%s", err))
			return
		}
		id = incident.ID(n)
	}
	outcomes := v["outcome"]
	for _, o := range outcomes {
		if !slices.Contains(knownOutcomes, o) {
			a.fail(w, r, invalid("outcome", "outcome is %s, not %q", strings.Join(knownOutcomes, ", "), shorten(o)))
			return
		}
	}
	f := engine.AttemptFilter{Incident: id, User: v.Get("user"), Outcomes: outcomes}
	list, next, err := a.o.Engine.Attempts(r.Context(), f, before, limit)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Deliveries{Deliveries: []Delivery{}, Next: cursor(next)}
	for _, d := range list {
		out.Deliveries = append(out.Deliveries, Delivery{
			At: d.At.UTC(), Key: d.Key, Event: d.Event, Incident: d.Incident, Incidents: d.Incidents, User: d.User, Receiver: d.Receiver, Via: d.Via,
			Attempt: d.Attempt, Outcome: d.Outcome, Answer: d.Answer, LatencyMS: d.LatencyMS, NextAt: d.NextAt.UTC(),
		})
	}
	answer(w, r, http.StatusOK, out)
}

// Audit is one page of all that happened, in order.
type Audit struct {
	Events []Event `json:"events"`
	Next   string  `json:"next"`
}

func (a *API) getAudit(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "limit", "cursor")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	limit, after, err := page(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	list, err := a.o.Engine.Audit(r.Context(), after, limit)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Audit{Events: events(list)}
	if len(list) == limit {
		out.Next = cursor(list[limit-1].Seq)
	}
	answer(w, r, http.StatusOK, out)
}

// Simulation is the body of POST simulate: an alert that nobody sent.
type Simulation struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	At          time.Time         `json:"at,omitzero"`   // when it would fire; absent: now
	For         string            `json:"for,omitempty"` // how long to look ahead; absent: 24h

	Ahead time.Duration `json:"-"` // For, read
}

// Simulated is who would be paged, how and when, if nobody answered: events as scenario files print them (SPEC §11).
type Simulated struct {
	Events []SimulatedEvent `json:"events"`
}

// SimulatedEvent is one line of it.
type SimulatedEvent struct {
	At        string    `json:"at"` // elapsed since the alert fired, as 5m30s
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	Incident  string    `json:"incident,omitempty"`
	Incidents []string  `json:"incidents,omitempty"`
	User      string    `json:"user,omitempty"`
	Via       string    `json:"via,omitempty"`
	Receiver  string    `json:"receiver,omitempty"`
	By        string    `json:"by,omitempty"`
	Policy    string    `json:"policy,omitempty"`
	Step      int       `json:"step,omitempty"`
	Cycle     int       `json:"cycle,omitempty"`
	Severity  string    `json:"severity,omitempty"`
	Text      string    `json:"text,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// Limits of how far a simulation looks ahead.
const (
	simulateAhead    = 24 * time.Hour
	maxSimulateAhead = 7 * 24 * time.Hour
)

func (a *API) postSimulate(w http.ResponseWriter, r *http.Request) {
	select {
	case a.simulating <- struct{}{}:
		defer func() { <-a.simulating }()
	default:
		problem(http.StatusTooManyRequests, "too_many_requests", "", "two simulations run already; try again in a few seconds").serve(w, r)
		return
	}
	var s Simulation
	if err := readAct(w, r, &s, []string{"labels", "annotations", "at", "for"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := a.checkSimulation(&s); err != nil {
		a.fail(w, r, err)
		return
	}
	out, err := a.o.Simulate(r.Context(), s)
	if err != nil {
		var refused *engine.Error
		if !errors.As(err, &refused) {
			err = problem(http.StatusUnprocessableEntity, "cannot_simulate", "", err.Error())
		}
		a.fail(w, r, err)
		return
	}
	if out.Events == nil {
		out.Events = []SimulatedEvent{}
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) checkSimulation(s *Simulation) error {
	if len(s.Labels) == 0 {
		return invalid("labels", `say which alert: {"labels":{"alertname":"ReplicationLag","service":"db"}}`)
	}
	for name := range s.Labels {
		if !a.o.ValidName(name) {
			return invalid("labels", "%q is no name of a label", shorten(name))
		}
	}
	if s.At.IsZero() {
		s.At = a.o.Now()
	}
	s.Ahead = simulateAhead
	if s.For != "" {
		var err error
		if s.Ahead, err = parseDuration(s.For); err != nil {
			return invalid("for", "for is how long to look ahead, such as 24h: %s", err)
		}
	}
	if s.Ahead <= 0 || s.Ahead > maxSimulateAhead {
		return invalid("for", "a simulation looks at most %d days ahead", int(maxSimulateAhead.Hours())/24)
	}
	return nil
}
