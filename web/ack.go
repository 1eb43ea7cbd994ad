package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// Ack is the acknowledge page (SPEC §8), in all its states.
type Ack struct {
	Heading  string
	Title    string   // what is broken; empty where the link told us nothing
	Standing string   // severity and state, in words
	Told     []string // what just happened, or what is the case
	Button   string   // what the one button says; empty: there is none
	Do       string   // what the button sends
	Facts    []Fact   // the most important first: the last are left out where the page would grow too large
	Hints    []string // what to do next
	More     string   // the page of the incident, from this one; empty: there is none
}

// A Fact is one line of the page.
type Fact struct{ Name, Text, Link string }

// What the button may send, under the name "do". Nothing at all means to acknowledge.
const (
	doAcknowledge = "acknowledge"
	doUndo        = "undo"
)

// viaLink is by what way an action came, as the timeline names it.
const viaLink = "link"

// Limits of the page and of what it takes.
const (
	maxAckPage = 6 << 10 // bytes: it must load on a bad connection at night (SPEC §8)
	maxForm    = 4 << 10 // bytes of a posted form
)

// A visit is one request for the acknowledge page.
type visit struct {
	look
	grant Grant
}

// ack shows the incident, or acts on it. Nothing but POST changes anything: mail scanners open every link, and some
// press HEAD on them too.
func (p *Pages) ack(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		refuseMethod(w, "GET, HEAD, POST")
		return
	}
	status, page := p.answer(w, r)
	body := render("ack", page)
	for len(body) > maxAckPage && len(page.Facts) > 0 {
		page.Facts = page.Facts[:len(page.Facts)-1]
		body = render("ack", page)
	}
	write(w, r, status, body)
}

func (p *Pages) answer(w http.ResponseWriter, r *http.Request) (int, Ack) {
	v := &visit{look: look{Pages: p, now: p.Now(), zone: time.UTC}}
	var err error
	if v.grant, err = p.Redeem(r.PathValue("token"), v.now); errors.Is(err, ErrExpired) {
		return http.StatusGone, expired()
	} else if err != nil {
		return http.StatusNotFound, unknown()
	}
	if zone, err := time.LoadLocation(p.Engine.Config().Users[v.grant.User].TimeZone); err == nil {
		v.zone = zone
	}
	if v.grant.Test {
		return http.StatusOK, v.works()
	}
	if len(v.grant.Incidents) > 0 {
		return p.several(w, r, *v)
	}
	if err := v.load(r.Context(), v.grant.Incident); errors.Is(err, engine.ErrNotFound) {
		return http.StatusNotFound, unknown()
	} else if err != nil {
		p.Log.Error("an acknowledge page could not be made", zap.String("incident", v.grant.Incident), zap.Error(err))
		return http.StatusServiceUnavailable, unavailable()
	}
	if r.Method != http.MethodPost {
		return http.StatusOK, v.page(v.state(r.Context()))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return http.StatusBadRequest, v.page([]string{"Nothing was done: the form did not arrive whole. Press the button again."})
	}
	return v.act(r.Context(), r.PostForm.Get("do"))
}

// act does what the button says and tells what came of it.
func (v *visit) act(ctx context.Context, do string) (int, Ack) {
	var verb engine.Verb
	switch do {
	case "", doAcknowledge:
		verb = engine.Acknowledge
	case doUndo:
		verb = engine.Unacknowledge
	default:
		return http.StatusBadRequest, v.page([]string{"Nothing was done: this page has no such button. Press the one below."})
	}
	a := v.Engine.Do(ctx, engine.Action{Verb: verb, Incident: v.grant.Incident, By: v.grant.User, Via: viaLink})
	var told []string
	var refused *engine.Error
	switch {
	case errors.Is(a.Err, engine.ErrUnsaved):
		told = []string{"It is done, but in memory only: the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it."}
	case errors.As(a.Err, &refused):
		if err := v.load(ctx, v.grant.Incident); err != nil {
			return http.StatusServiceUnavailable, unavailable()
		}
		return http.StatusConflict, v.page([]string{"Nothing was done: " + refused.Message + "."})
	case a.Err != nil:
		v.Log.Warn("an acknowledge link could not act", zap.String("incident", v.grant.Incident), zap.Error(a.Err))
		return http.StatusServiceUnavailable, v.page([]string{"Nothing was done: Midwatch is overloaded or shutting down. Press the button again in a few seconds."})
	}
	if err := v.load(ctx, v.grant.Incident); err != nil {
		v.view.Incident = a.Incident
	}
	return http.StatusOK, v.page(append(v.outcome(ctx, verb), told...))
}

// outcome tells what an action led to.
func (v *visit) outcome(ctx context.Context, verb engine.Verb) []string {
	i := v.view.Incident
	switch {
	case !i.Open():
		return append(v.state(ctx), "Your acknowledgement came after that; it is kept as a note.")
	case verb == engine.Unacknowledge && i.Status == incident.Triggered:
		return []string{"Undone. " + i.ID() + " is triggered again and escalation goes on."}
	case verb == engine.Acknowledge && i.Status == incident.Triggered:
		return []string{
			"Recorded: " + v.person(v.grant.User) + " acknowledged " + i.ID() + " at " + v.at(v.now) + " via " + viaWords(viaLink) + ". Your own paging has stopped.",
			"The policy asks for more than one person, so escalation goes on until enough have acknowledged.",
		}
	case verb == engine.Acknowledge && i.AckedBy != v.grant.User:
		return append(v.state(ctx), "Recorded: "+v.person(v.grant.User)+" acknowledged "+i.ID()+" too, at "+v.at(v.now)+" via "+viaWords(viaLink)+".")
	}
	return v.state(ctx)
}

// page is the incident as it stands, with what there is to tell, and the one thing to do about it.
func (v *visit) page(told []string) Ack {
	i := v.view.Incident
	p := Ack{
		Heading: i.ID() + " is " + string(i.Status), Title: short(i.Title, 160), Standing: standing(i), Told: told,
		Facts: v.facts(), More: "../incidents/" + i.ID(),
	}
	switch {
	case i.Status == incident.Triggered:
		p.Button, p.Do = "Acknowledge as "+v.person(v.grant.User), doAcknowledge
		p.Hints = []string{"Acknowledging tells the others that you have it. Until somebody presses the button, nothing changes."}
	case i.Status == incident.Acked && i.AckedBy == v.grant.User:
		p.Button, p.Do = "Undo the acknowledgement", doUndo
		p.Hints = []string{"Undo it if you cannot take care of this: then the others are paged again."}
	case i.Status == incident.Acked:
		p.Button, p.Do = "Acknowledge too, as "+v.person(v.grant.User), doAcknowledge
	default:
		p.Hints = []string{"There is nothing to acknowledge any more. If it comes back you are paged again, with a new link."}
	}
	return p
}

// works is what the link of a test page leads to. There is nothing that a button could do.
func (v *visit) works() Ack {
	return Ack{
		Heading: "The link works",
		Told:    []string{"This is the link of a test page to " + v.person(v.grant.User) + ". Nothing is wrong, and there is nothing to acknowledge."},
		Hints:   []string{"A real page leads to its incident here, with one button that acknowledges it."},
	}
}

func unknown() Ack {
	return Ack{
		Heading: "This link is not valid",
		Told:    []string{"Midwatch did not give out this link, or it was cut short on its way. Nothing was done."},
		Hints: []string{
			"Open the newest message about the incident and use its link, copied whole.",
			"Or, where you have the command line: midwatch incidents, then midwatch ack INC-1 --by you.",
		},
	}
}

func expired() Ack {
	return Ack{
		Heading: "This link has expired",
		Told:    []string{"An acknowledge link is good for 72 hours. Nothing was done."},
		Hints: []string{
			"Open the newest message about the incident and use its link.",
			"Or, where you have the command line: midwatch incidents, then midwatch ack INC-1 --by you.",
		},
	}
}

func unavailable() Ack {
	return Ack{
		Heading: "Midwatch cannot read this incident now",
		Told:    []string{"It is shutting down, or its disk is in trouble."},
		Hints:   []string{"Load this page again in a few seconds. If it stays so, call whoever else is on call."},
	}
}
