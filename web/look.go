package web

import (
	"context"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

// A look is one reader's view of one incident.
type look struct {
	*Pages
	view engine.View
	now  time.Time
	zone *time.Location // the reader's
}

// load reads the incident of that name; engine.ErrNotFound says that there is none.
func (l *look) load(ctx context.Context, id string) (err error) {
	n, err := incident.ParseID(id)
	if err != nil {
		return engine.ErrNotFound
	}
	l.view, err = l.Engine.Incident(ctx, n)
	return err
}

// state tells who has the incident, since when, and what that means.
func (l *look) state(ctx context.Context) []string {
	i := l.view.Incident
	switch i.Status {
	case incident.Acked:
		who := l.person(i.AckedBy)
		said := who + " acknowledged " + i.ID() + " at " + l.at(i.AckedAt)
		if via := viaWords(l.ackedVia(ctx)); via != "" {
			said += " via " + via
		}
		return []string{said + ".", "Escalation has stopped: nobody else is paged for it."}
	case incident.Resolved:
		said := i.ID() + " was resolved at " + l.at(i.ResolvedAt)
		if i.ResolvedBy != "" {
			return []string{said + " by " + l.person(i.ResolvedBy) + "."}
		}
		return []string{said + ", when its alerts ended."}
	}
	return nil
}

// ackedVia is by what way the acknowledgement that holds came, as far as the timeline knows.
func (l *look) ackedVia(ctx context.Context) string {
	events, err := l.Engine.Timeline(ctx, l.view.Number)
	if err != nil {
		return ""
	}
	for n := len(events) - 1; n >= 0; n-- {
		if e := events[n]; e.Kind == incident.Acknowledged && e.By == l.view.AckedBy {
			return e.Via
		}
	}
	return ""
}

// facts are what a reader needs to know, the most important first.
func (l *look) facts() []Fact {
	i := l.view.Incident
	opened := Fact{Name: "Open since", Text: l.at(i.OpenedAt) + ", " + ago(i.OpenedAt, l.now)}
	if !i.Open() {
		opened.Name = "Opened"
	}
	facts := []Fact{opened}
	if !l.view.NextAt.IsZero() {
		who := list(l.view.NextWho, 80)
		if who == "" {
			who = "nobody"
		}
		facts = append(facts, Fact{Name: "If nobody acknowledges", Text: "goes to " + who + " at " + l.at(l.view.NextAt)})
	}
	if len(l.view.Paged) > 0 {
		facts = append(facts, Fact{Name: "Paged so far", Text: list(l.view.Paged, 120)})
	}
	if url := i.Annotations["runbook_url"]; len(url) <= 300 && (strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")) {
		facts = append(facts, Fact{Name: "Runbook", Text: short(url, 60), Link: url})
	}
	if text := i.Annotations["description"]; text != "" {
		facts = append(facts, Fact{Name: "Description", Text: short(text, 240)})
	}
	if i.Policy != "" {
		facts = append(facts, Fact{Name: "Policy", Text: short(i.Policy, 60)})
	}
	for n, a := range l.view.Alerts {
		if n == 3 {
			break
		}
		text := short(a.Labels.String(), 120)
		if l.view.Over[a.Fingerprint()] {
			text += " (over)"
		}
		facts = append(facts, Fact{Name: "Alert", Text: text})
	}
	return facts
}

func (l *look) at(t time.Time) string { return clock(t, l.now, l.zone) }

// person is a user as people call them, with the name that the files and the timeline use.
func (l *look) person(name string) string {
	if full := l.Engine.Config().Users[name].FullName; full != "" && full != name {
		return short(full, 60) + " (" + short(name, 60) + ")"
	}
	return short(name, 60)
}
