package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/engine"
)

// Heartbeats are all that are watched, in the order of the configuration.
type Heartbeats struct {
	Heartbeats []Heartbeat `json:"heartbeats"`
}

// Heartbeat is somebody who is to be heard of every so often, as it stands. The address of one that is pinged is a secret
// and is not here.
type Heartbeat struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`           // new (not heard yet), fine, late or paused
	Since    time.Time `json:"since"`           // in that state
	Source   string    `json:"source"`          // alert or ping
	Alert    string    `json:"alert,omitempty"` // the matchers of the alert that is its beat
	Every    string    `json:"every"`           // it is expected at least so often
	Grace    string    `json:"grace"`           // and may be late by so much
	Last     time.Time `json:"last_beat,omitzero"`
	Due      time.Time `json:"due,omitzero"` // when it is late unless it is heard before
	Severity string    `json:"severity"`
	Policy   string    `json:"escalation_policy"`
	Reason   string    `json:"reason,omitempty"`   // why it is late
	Incident string    `json:"incident,omitempty"` // the open incident that speaks of it
}

func (a *API) getHeartbeats(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "state")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	state := v.Get("state")
	switch state {
	case "", "new", "fine", "late", "paused":
	default:
		a.fail(w, r, invalid("state", "state is new, fine, late or paused, not %q", shorten(state)))
		return
	}
	out := Heartbeats{Heartbeats: []Heartbeat{}}
	for _, h := range a.o.Engine.Heartbeats() {
		if matches(state, string(h.State)) {
			out.Heartbeats = append(out.Heartbeats, showHeartbeat(h))
		}
	}
	answer(w, r, http.StatusOK, out)
}

func showHeartbeat(h engine.HeartbeatView) Heartbeat {
	out := Heartbeat{
		Name: h.Name, State: string(h.State), Since: h.Since.UTC(), Source: "ping",
		Every: model.Duration(h.Every).String(), Grace: model.Duration(h.Grace).String(), Last: h.Last.UTC(), Due: h.Due.UTC(),
		Severity: h.Severity, Policy: h.Policy, Reason: h.Reason, Incident: h.Incident,
	}
	if h.Match != nil {
		out.Source, out.Alert = "alert", h.Source
	}
	return out
}

const (
	pingPath    = "/heartbeat/"
	maxPingBody = 16 << 10 // bytes that are read of what a job says; the timeline keeps a part of it
	maxExit     = 255      // the highest exit status of a process
)

// ping is the address of a heartbeat: called, it is heard; called with /fail or the exit status of a process behind it,
// it may tell of a failure. GET will do, since that is what cron's curl and wget do: nobody but the job's owner has the
// address. A wrong address and one that is no more look alike.
func (a *API) ping(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex")
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		h.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "A heartbeat is called by GET, HEAD or POST.", http.StatusMethodNotAllowed)
		return
	}
	p, known := engine.Ping{}, false
	if a.o.Heartbeat != nil {
		p.Name, known = a.o.Heartbeat(r.PathValue("key"))
	}
	if !known {
		http.Error(w, "There is no heartbeat at this address. `midwatch heartbeats urls` prints those there are.", http.StatusNotFound)
		return
	}
	said := ""
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxPingBody))
		if err != nil {
			http.Error(w, "The body could not be read; call again.", http.StatusBadRequest)
			return
		}
		said = strings.TrimSpace(string(body))
	}
	ok := true
	if p.Failed, p.Said, ok = verdict(r.PathValue("verdict"), said); !ok {
		http.Error(w, "After a heartbeat's address comes nothing, /fail, or /N with the exit status N of a process, 0 to 255.", http.StatusNotFound)
		return
	}
	err := a.o.Engine.Do(r.Context(), p).Err
	var refused *engine.Error
	switch {
	case err == nil:
		a.pong(w, http.StatusOK, "OK")
	case errors.Is(err, engine.ErrUnsaved):
		a.pong(w, http.StatusAccepted, "OK, but only in memory: the disk takes no writes.")
	case errors.As(err, &refused): // a reload has just dropped it
		http.Error(w, "There is no heartbeat at this address any more.", http.StatusNotFound)
	default:
		http.Error(w, "Midwatch could not take this in; call again: curl --retry 5.", http.StatusServiceUnavailable)
	}
}

func (a *API) pong(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// verdict is what a call says: whether the job failed, and in which words. The last part of the path says it; without
// one, a body that is nothing but an exit status or the word fail does.
func verdict(path, body string) (failed bool, said string, ok bool) {
	if path == "" && (strings.EqualFold(body, "fail") || isExit(body)) {
		path, body = strings.ToLower(body), ""
	}
	switch {
	case path == "":
		return false, "", true
	case path == "fail":
		return true, body, true
	case !isExit(path):
		return false, "", false
	}
	if n, _ := strconv.Atoi(path); n == 0 {
		return false, "", true
	}
	said = "exit status " + path
	if body != "" {
		said += ": " + body
	}
	return true, said, true
}

func isExit(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 0 && n <= maxExit && text[0] != '+' && text[0] != '-'
}
