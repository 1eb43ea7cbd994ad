package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// RecurringSilence is a silence that comes again and again, or a maintenance window of the configuration file. Each of
// its occurrences is a silence like any other.
type RecurringSilence struct {
	Name               string   `json:"name"`
	Matchers           []string `json:"matchers"`
	Cron               string   `json:"cron,omitempty"` // when it begins: five fields, in TimeZone
	For                string   `json:"for,omitempty"`  // how long it lasts
	TimeZone           string   `json:"time_zone,omitempty"`
	When               string   `json:"when,omitempty"` // of a window of the file that comes once, in place of Cron and For
	Comment            string   `json:"comment,omitempty"`
	CreatedBy          string   `json:"created_by,omitempty"`
	ExpireWhenResolved bool     `json:"expire_when_resolved"`
	FromFile           bool     `json:"from_file"`         // it is changed there
	Next               *Window  `json:"next,omitempty"`    // the occurrence under way, or the next; absent: there is none any more
	Silence            string   `json:"silence,omitempty"` // the ID of that one's silence
	Warning            string   `json:"warning,omitempty"` // it was done, but …
}

// Window is from when until when. Times are UTC.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// RecurringSilences is the list, by name.
type RecurringSilences struct {
	RecurringSilences []RecurringSilence `json:"recurring_silences"`
}

// Recurrence is the body of PUT recurring-silences/{name}.
type Recurrence struct {
	Matchers           []Condition `json:"matchers"`
	Cron               string      `json:"cron"`
	For                string      `json:"for"`
	TimeZone           string      `json:"time_zone"`
	Comment            string      `json:"comment,omitempty"`
	By                 string      `json:"by"` // who acts; the silences name them
	ExpireWhenResolved bool        `json:"expire_when_resolved,omitempty"`
}

func showPlan(p engine.PlanView) RecurringSilence {
	out := RecurringSilence{
		Name: p.Name, Matchers: []string{}, Cron: p.Cron, TimeZone: p.TimeZone, When: p.Text, Comment: p.Comment,
		CreatedBy: p.CreatedBy, ExpireWhenResolved: p.ExpireWhenResolved, FromFile: p.FromFile, Silence: p.Silence,
	}
	if len(p.Matchers) > 0 {
		out.Matchers = expressions(p.Matchers[0])
	}
	if p.For > 0 {
		out.For = printDuration(p.For)
	}
	if !p.Next.From.IsZero() {
		out.Next = &Window{p.Next.From.UTC(), p.Next.To.UTC()}
	}
	return out
}

// printDuration writes whole seconds as parseDuration reads them.
func printDuration(d time.Duration) string {
	var b strings.Builder
	for _, u := range []struct {
		span time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.span; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.span
		}
	}
	return b.String()
}

func (a *API) getRecurring(w http.ResponseWriter, r *http.Request) {
	if _, err := params(r); err != nil {
		a.fail(w, r, err)
		return
	}
	out := RecurringSilences{RecurringSilences: []RecurringSilence{}}
	for _, p := range a.o.Engine.Plans() {
		out.RecurringSilences = append(out.RecurringSilences, showPlan(p))
	}
	slices.SortStableFunc(out.RecurringSilences, func(x, y RecurringSilence) int { return strings.Compare(x.Name, y.Name) })
	answer(w, r, http.StatusOK, out)
}

// plan is the recurring silence of that name which was made at run time.
func (a *API) plan(name string) (RecurringSilence, bool) {
	plans := a.o.Engine.Plans()
	i := slices.IndexFunc(plans, func(p engine.PlanView) bool { return p.Name == name && !p.FromFile })
	if i < 0 {
		return RecurringSilence{}, false
	}
	return showPlan(plans[i]), true
}

// putRecurring makes or replaces a recurring silence. The occurrence under way changes with it.
func (a *API) putRecurring(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var body Recurrence
	if err := readAct(w, r, &body, []string{"matchers", "cron", "for", "time_zone", "comment", "by", "expire_when_resolved"}); err != nil {
		a.fail(w, r, err)
		return
	}
	p, err := body.plan(name)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if _, known := a.plan(name); !known {
		status = http.StatusCreated
	}
	err = a.o.Engine.Do(r.Context(), engine.SetPlan{Plan: p, By: body.By}).Err
	now, _ := a.plan(name)
	a.planned(w, r, status, now, err)
}

func (b Recurrence) plan(name string) (p engine.Plan, err error) {
	if err := signed(b.By); err != nil {
		return p, err
	}
	p = engine.Plan{
		Name: name, Cron: b.Cron, TimeZone: b.TimeZone, Comment: b.Comment, CreatedBy: b.By, ExpireWhenResolved: b.ExpireWhenResolved,
	}
	if p.Matchers, err = readMatchers(b.Matchers); err != nil {
		return p, err
	}
	if p.For, err = parseDuration(b.For); err != nil {
		return p, invalid("for", "for is how long each of them lasts, such as 30m or 2h: %s", err)
	}
	if p.For < oncall.MinOccurrence || p.For > oncall.MaxOccurrence || p.For%time.Minute != 0 {
		return p, invalid("for", "each of them lasts at least 1m and at most 31d, in whole minutes, not %q", shorten(b.For))
	}
	if _, err := oncall.ParseZone(b.TimeZone); err != nil {
		return p, invalid("time_zone", "%s", err)
	}
	if err := checkSize(&router.Silence{Matchers: p.Matchers, CreatedBy: p.CreatedBy, Comment: p.Comment}); err != nil {
		return p, invalid("", "%s", err)
	}
	return p, nil
}

// planned answers what became of a recurring silence.
func (a *API) planned(w http.ResponseWriter, r *http.Request, status int, out RecurringSilence, err error) {
	switch {
	case errors.Is(err, engine.ErrUnsaved):
		out.Warning = err.Error()
		answer(w, r, http.StatusAccepted, out)
	case err != nil:
		a.fail(w, r, err)
	default:
		answer(w, r, status, out)
	}
}

// deleteRecurring ends a recurring silence, and its occurrence under way. It answers what there was.
func (a *API) deleteRecurring(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	name := r.PathValue("name")
	was, _ := a.plan(name)
	a.planned(w, r, http.StatusOK, was, a.o.Engine.Do(r.Context(), engine.DropPlan{Name: name, By: by}).Err)
}
