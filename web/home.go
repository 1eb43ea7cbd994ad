package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// Home is the page at /.
type Home struct {
	Version string
	Trouble string // why nothing is being written; empty: all is well
	Open    []HomeIncident
	More    string // that there are more; empty: there are not
	OnCall  []HomeDuty
	Links   []HomeLink
}

// A HomeIncident is one open incident, in two lines.
type HomeIncident struct{ ID, Link, Standing, Title, Since, Next string }

// A HomeDuty is who is on call in one schedule.
type HomeDuty struct{ Schedule, Who, Until string }

// A HomeLink leads on.
type HomeLink struct{ Text, Link string }

// maxHome is how many open incidents the page shows.
const maxHome = 50

func (p *Pages) home(w http.ResponseWriter, r *http.Request) {
	view, err := p.homeView(r.Context())
	if err != nil {
		p.Log.Error("the home page could not be made", zap.Error(err))
		http.Error(w, "The incidents cannot be read now; load this page again in a few seconds.", http.StatusServiceUnavailable)
		return
	}
	write(w, r, http.StatusOK, render("home", view))
}

func (p *Pages) homeView(ctx context.Context) (Home, error) {
	now := p.Now()
	view := Home{Version: p.Version, Links: p.links()}
	if why := p.Engine.Trouble(); why != "" {
		view.Trouble = "Nothing is being written to disk, and a restart would forget what happens meanwhile: " + why
	}
	open, next, err := p.Engine.Incidents(ctx, engine.Filter{Status: []incident.Status{incident.Triggered, incident.Acked}}, 0, maxHome)
	if err != nil {
		return Home{}, err
	}
	for _, v := range open {
		view.Open = append(view.Open, homeIncident(v, now))
	}
	if next > 0 {
		view.More = fmt.Sprintf("These are the newest %d; the API lists them all.", maxHome)
	}
	for _, d := range p.Engine.OnCall(now) {
		duty := HomeDuty{Schedule: d.Schedule, Who: list(d.Answer.Users(), 200)}
		if duty.Who == "" {
			duty.Who = "nobody"
			if d.Answer.Declared {
				duty.Who = "nobody, as planned"
			}
		}
		if !d.Until.IsZero() {
			duty.Until = "until " + clock(d.Until, now, time.UTC)
		}
		view.OnCall = append(view.OnCall, duty)
	}
	return view, nil
}

func homeIncident(v engine.View, now time.Time) HomeIncident {
	i := v.Incident
	h := HomeIncident{
		ID: i.ID(), Link: "incidents/" + i.ID(), Standing: standing(i), Title: short(i.Title, 200),
		Since: "since " + clock(i.OpenedAt, now, time.UTC) + ", " + ago(i.OpenedAt, now),
	}
	switch {
	case i.Status == incident.Acked:
		h.Next = "acknowledged by " + i.AckedBy
	case !v.NextAt.IsZero():
		h.Next = "next: " + list(v.NextWho, 80) + " at " + clock(v.NextAt, now, time.UTC)
	}
	return h
}

func (p *Pages) links() []HomeLink {
	links := []HomeLink{
		{"Incidents, as JSON", "api/midwatch/v1/incidents"},
		{"The API, described", "api/midwatch/v1/openapi.json"},
		{"Alerts, as JSON", "api/v2/alerts"},
		{"Status", "api/v2/status"},
		{"Metrics", "metrics"},
	}
	if p.Outbox != nil {
		links = append([]HomeLink{{"Outbox: what would have been sent", "outbox"}}, links...)
	}
	return links
}
