package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// Incident is the page of one incident, to be read: acting needs the link of a message, the command line or the API.
type Incident struct {
	ID       string // empty: there is no such incident
	Heading  string
	Title    string
	Standing string
	Told     []string
	Facts    []Fact
	Timeline []Line // the newest first
	Older    string // that older lines were left out; empty: all are there
	Hints    []string
}

// A Line is one event of the timeline.
type Line struct{ When, Stamp, What, Why string }

// maxTimeline is how many events the page shows.
const maxTimeline = 200

func (p *Pages) incident(w http.ResponseWriter, r *http.Request) {
	l := &look{Pages: p, now: p.Now(), zone: time.UTC}
	id := r.PathValue("id")
	if err := l.load(r.Context(), id); errors.Is(err, engine.ErrNotFound) {
		write(w, r, http.StatusNotFound, render("incident", Incident{
			Heading: "There is no such incident",
			Hints:   []string{"Incidents are called INC-1, INC-2, and so on. The first page lists those that are open."},
		}))
		return
	} else if err != nil {
		p.Log.Error("an incident's page could not be made", zap.String("incident", short(id, 40)), zap.Error(err))
		write(w, r, http.StatusServiceUnavailable, render("incident", Incident{Heading: "This incident cannot be read now", Hints: []string{"Load this page again in a few seconds."}}))
		return
	}
	events, err := p.Engine.Timeline(r.Context(), l.view.Number)
	if err != nil {
		p.Log.Error("a timeline could not be read", zap.String("incident", l.view.ID()), zap.Error(err))
	}
	write(w, r, http.StatusOK, render("incident", l.record(r, events)))
}

func (l *look) record(r *http.Request, events []incident.Event) Incident {
	i := l.view.Incident
	page := Incident{
		ID: i.ID(), Heading: i.ID() + " is " + string(i.Status), Title: short(i.Title, 500), Standing: standing(i),
		Told: l.state(r.Context()), Facts: l.facts(),
	}
	if i.Status == incident.Triggered {
		page.Hints = []string{"To acknowledge it, use the link in your message, or: midwatch ack " + i.ID() + " --by you."}
	}
	if n := len(events); n > maxTimeline {
		page.Older = fmt.Sprintf("%d older lines are not shown; the API has them all.", n-maxTimeline)
		events = events[n-maxTimeline:]
	}
	for n := len(events) - 1; n >= 0; n-- {
		page.Timeline = append(page.Timeline, l.line(events[n]))
	}
	return page
}

// line says one event in words: what, to whom or by whom, by what way, and why.
func (l *look) line(e incident.Event) Line {
	what := upperFirst(strings.ReplaceAll(e.Kind, "_", " "))
	if who := e.User + e.Receiver; who != "" {
		what += " to " + l.person(who)
		if e.Via != "" {
			what += " by " + short(e.Via, 60)
		}
	} else if e.By != "" {
		what += " by " + l.person(e.By)
		if e.Via != "" {
			what += " via " + viaWords(short(e.Via, 60))
		}
	}
	why := e.Text
	switch {
	case why == "":
		why = e.Reason
	case e.Reason != "":
		why += " (" + e.Reason + ")"
	}
	return Line{When: clock(e.At, l.now, l.zone), Stamp: e.At.UTC().Format(time.RFC3339), What: what, Why: short(why, 1000)}
}
