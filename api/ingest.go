package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/excerpt"
	"github.com/midwatch/midwatch/router"
)

// receipt is what became of one posted body.
type receipt struct {
	invalid error // what was wrong with some of the alerts; the others were taken in
	err     error // why none was taken in, or that they are in memory only
}

// postAlerts answers POST /api/v2/alerts. A body that breaks the schema is refused whole; of one that does not, the
// valid alerts are stored, and the others are named.
func (a *API) postAlerts(w http.ResponseWriter, r *http.Request) {
	if !peekBody(r) {
		missingBody("alerts").serve(w, r)
		return
	}
	p := newPosting()
	defer p.drop()
	alerts, f := a.read(p, w, r)
	if f != nil {
		f.serve(w, r)
		return
	}
	switch got := a.take(r.Context(), alerts, "v2"); {
	case got.err != nil:
		a.unwell(got.err, sendAgain).serve(w, r)
	case got.invalid != nil:
		sayBare(w, r, http.StatusBadRequest, got.invalid.Error())
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// postAlertsV1 answers POST /api/v1/alerts as Alertmanager did up to 0.26: the same body, whatever its content type,
// and answers in an envelope. ElastAlert 2 still speaks it.
func (a *API) postAlertsV1(w http.ResponseWriter, r *http.Request) {
	p := newPosting()
	defer p.drop()
	alerts, f := a.read(p, w, r)
	if f != nil {
		status, kind := f.status(), "bad_data"
		switch status {
		case http.StatusUnprocessableEntity:
			status = http.StatusBadRequest
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", retryAfter)
			kind = "server_error"
		}
		sayV1(w, r, status, kind, f.message)
		return
	}
	switch got := a.take(r.Context(), alerts, "v1"); {
	case got.err != nil:
		f := a.unwell(got.err, sendAgain)
		if f.code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
		sayV1(w, r, f.status(), "server_error", f.message)
	case got.invalid != nil:
		sayV1(w, r, http.StatusBadRequest, "bad_data", got.invalid.Error())
	default:
		writeJSON(w, r, http.StatusOK, []byte(`{"status":"success"}`))
	}
}

func sayV1(w http.ResponseWriter, r *http.Request, status int, kind, message string) {
	body := []byte(`{"status":"error","errorType":"` + kind + `","error":`)
	writeJSON(w, r, status, append(appendString(body, message, true), '}'))
}

// read reads the posted alerts into p, on whose memory they are.
func (a *API) read(p *posting, w http.ResponseWriter, r *http.Request) ([]*router.Alert, *fault) {
	if !p.room.enter(&a.intake, r.ContentLength) {
		return nil, a.overloaded()
	}
	end := hurry(w)
	body, f := readBodyInto(&p.body, &p.room, w, r, a.o.MaxBody, "; send fewer alerts at once")
	end()
	if p.room.full {
		return nil, a.overloaded()
	}
	if f != nil {
		return nil, f
	}
	return p.decode(body)
}

const sendAgain = "the request ended before its alerts were on disk; send them again"

// unwell says why what was posted was not taken in, or not written down; interrupted is what to say where the request
// ended before that was known. Prometheus sends alerts again anyway.
func (a *API) unwell(err error, interrupted string) *fault {
	switch {
	case errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrStopped):
	case errors.Is(err, engine.ErrUnsaved):
		a.o.Log.Debug("what was posted was taken in but not written", zap.Error(err)) // the engine has said so, once
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &fault{http.StatusServiceUnavailable, interrupted}
	default:
		a.o.Log.Error("what was posted was not taken in", zap.Error(err))
		return &fault{http.StatusInternalServerError, err.Error()}
	}
	return &fault{http.StatusServiceUnavailable, err.Error()}
}

// take fills in what the senders left out, and hands over what is valid. It keeps nothing of the alerts.
func (a *API) take(ctx context.Context, alerts []*router.Alert, version string) receipt {
	now := a.o.Now()
	timeout := a.o.Engine.Config().Routing.ResolveTimeout
	if timeout <= 0 {
		timeout = defaultResolveTimeout
	}
	valid := alerts[:0]
	var invalid []error
	firing, before := 0, &router.Alert{}
	for _, al := range alerts {
		al.Complete(now, timeout)
		if al.EndsAt.After(now) {
			firing++
		}
		al.Labels = al.Labels.WithoutEmpty()
		if err := a.validate(al, before); err != nil {
			a.o.Metrics.invalid(version)
			invalid = append(invalid, err)
			continue
		}
		valid = append(valid, al)
		before = al
	}
	a.o.Metrics.received(version, firing, len(alerts)-firing)
	got := receipt{invalid: errors.Join(invalid...)}
	if len(valid) > 0 {
		got.err = a.o.Engine.Receive(ctx, valid)
	}
	return got
}

const defaultResolveTimeout = 5 * time.Minute

// validate is Alertmanager's, in its words, and then our limits. before is the last alert that was valid: most of a rule's
// alerts have the same names, which need be looked at once.
func (a *API) validate(al, before *router.Alert) error {
	switch {
	case al.StartsAt.IsZero():
		return errors.New("start time missing")
	case al.EndsAt.Before(al.StartsAt):
		return errors.New("start time must be before end time")
	case len(al.Labels) == 0:
		return errors.New("at least one label pair required")
	}
	if err := a.validateSet(al.Labels, before.Labels, maxLabelBytes); err != nil {
		return fmt.Errorf("invalid label set: %w", err)
	}
	if err := a.validateSet(al.Annotations, before.Annotations, maxAnnotationBytes); err != nil {
		return fmt.Errorf("invalid annotations: %w", err)
	}
	if len(al.GeneratorURL) > maxURLBytes {
		return fmt.Errorf("the generatorURL has %d bytes; at most %d are taken", len(al.GeneratorURL), maxURLBytes)
	}
	size := len(al.GeneratorURL)
	for _, set := range [...]router.Labels{al.Labels, al.Annotations} {
		for _, l := range set {
			size += len(l.Name) + len(l.Value)
		}
	}
	if size > maxAlertBytes {
		return fmt.Errorf("the alert has %d bytes of text; at most %d are taken", size, maxAlertBytes)
	}
	return nil
}

// validateSet does not ask, as Alertmanager does, whether values are UTF-8: decoded JSON always is.
func (a *API) validateSet(set, before router.Labels, maxValue int) error {
	for i, l := range set {
		if i >= len(before) || l.Name != before[i].Name {
			if !a.o.ValidName(l.Name) {
				return fmt.Errorf("invalid name %q", shorten(l.Name))
			}
			if len(l.Name) > maxNameBytes {
				return fmt.Errorf("name %q has %d bytes; at most %d are taken", shorten(l.Name), len(l.Name), maxNameBytes)
			}
		}
		if len(l.Value) > maxValue {
			return fmt.Errorf("the value of %q has %d bytes; at most %d are taken", l.Name, len(l.Value), maxValue)
		}
	}
	if len(set) > maxLabels {
		return fmt.Errorf("%d of them; at most %d are taken", len(set), maxLabels)
	}
	return nil
}

// shorten keeps a message readable that quotes what was sent.
func shorten(s string) string { return excerpt.Bytes(s, maxQuoted) }

const maxQuoted = 200 // bytes: a line and a half of a terminal
