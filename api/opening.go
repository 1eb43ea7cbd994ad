package api

import (
	"net/http"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
)

// Opening is the body of POST incidents: an incident that no alert tells of.
type Opening struct {
	By       string `json:"by"`
	Title    string `json:"title"`
	Text     string `json:"text,omitempty"`
	Severity string `json:"severity,omitempty"` // default sev2
	To       To     `json:"to"`                 // who is paged: one of the three
}

// postIncident opens an incident by hand, and answers it.
func (a *API) postIncident(w http.ResponseWriter, r *http.Request) {
	var body Opening
	if err := readAct(w, r, &body, []string{"by", "title", "text", "severity", "to"}); err != nil {
		a.fail(w, r, err)
		return
	}
	given := 0
	for _, name := range []string{body.To.User, body.To.Schedule, body.To.Policy} {
		if name != "" {
			given++
		}
	}
	if given != 1 {
		a.fail(w, r, invalid("to", `say who is paged: {"user": …}, {"schedule": …} or {"policy": …}`))
		return
	}
	done := a.o.Engine.Do(r.Context(), engine.Trigger{
		Title: body.Title, Text: body.Text, Severity: body.Severity, By: body.By, Via: via(r), Policy: body.To.Policy,
		To: escalation.Target{User: body.To.User, Schedule: body.To.Schedule},
	})
	a.done(w, r, http.StatusCreated, done)
}
