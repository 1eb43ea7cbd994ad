package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// NewSilence is the page that makes a silence: first what it would do, then it does it.
type NewSilence struct {
	Shell
	Matchers, From, Comment string
	Spans                   []Span
	Until                   string // in place of a span
	Clears                  bool
	ZoneName                string // of From and Until
	Wrong                   string
	Sees                    *Foresight // nil: nothing was asked yet
	Keep                    []Hidden   // what the button makes
	Button                  string
	When                    string // from when until when, in words
}

// A Foresight is what a silence mutes, and what it would have muted.
type Foresight struct {
	Count     int
	Now       string // how many alerts
	Alerts    []AlertRow
	All       string // the page with all of them
	More      string // how many are not listed
	Incidents []Link // open ones that would pause
	Paused    string // how many
	Warnings  []string

	Past    string // what it would have muted in the last week
	Names   []PastName
	Unnamed string // how many names are not listed
	Kept    string // the incidents and pages that would not have been
}

// A PastName is the alerts of one name that a silence would have muted.
type PastName struct {
	Name  string
	Times string // how often one fired
	For   string // for how long, all together
	fired time.Duration
	times int
}

// Limits of what is foreseen, and of a silence.
const (
	mutedListed     = 20
	incidentsListed = 20
	namesListed     = 20
	pastNames       = 10_000               // names that are told apart
	pastIncidents   = 2000                 // incidents of the past that are looked at
	pastStories     = 50                   // of which the pages are counted
	longSilence     = 30 * 24 * time.Hour  // from here on there is a warning
	longestSilence  = 366 * 24 * time.Hour // nobody means more
	morningHour     = 8                    // o'clock
	mostReason      = 2000                 // letters of a reason
)

// spans are for how long a silence holds.
var spans = []Span{
	{Value: "30m", Text: "30 minutes"},
	{Value: "1h", Text: "1 hour"},
	{Value: "4h", Text: "4 hours"},
	{Value: "morning", Text: "until the morning, 08:00"},
	{Value: "1d", Text: "1 day"},
	{Value: "1w", Text: "1 week"},
}

// A wish is a silence that somebody asks for.
type wish struct {
	set       router.MatcherSet
	from, to  time.Time
	now       bool // from now on
	comment   string
	clears    bool
	spanText  string
	matchers  string
	fromText  string
	untilText string
	zone      *time.Location
}

// readWish reads the fields of the form. Texts of instants are of the reader's zone, or with one of their own.
func readWish(v url.Values, now time.Time, zone *time.Location) (w wish, err error) {
	w = wish{
		matchers: strings.TrimSpace(v.Get("matchers")), comment: short(strings.TrimSpace(v.Get("comment")), mostReason), clears: v.Get("clears") != "", zone: zone,
		spanText: cmp.Or(v.Get("for"), "1h"), fromText: strings.TrimSpace(v.Get("from")), untilText: strings.TrimSpace(v.Get("until")),
	}
	if w.set, err = readMatchers(w.matchers); err != nil {
		return w, err
	}
	w.from, w.now = now, w.fromText == ""
	if !w.now {
		if w.from, err = readInstant(w.fromText, zone); err != nil {
			return w, err
		}
		if !w.from.After(now) {
			w.from, w.now = now, true
		}
	}
	if w.untilText != "" {
		if w.to, err = readInstant(w.untilText, zone); err != nil {
			return w, err
		}
	} else if w.to, err = spanFrom(w.from, w.spanText, zone); err != nil {
		return w, err
	}
	switch {
	case !w.to.After(w.from):
		return w, errors.New("it would end before it begins; choose a later end")
	case w.to.Sub(w.from) > longestSilence:
		return w, errors.New("it would hold for more than a year; take the alert away instead, or choose an earlier end")
	}
	return w, nil
}

// readInstant reads what a field for date and time holds, or an instant of the API.
func readInstant(text string, zone *time.Location) (time.Time, error) {
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s is no time; write 2026-11-22T03:00", short(text, 60))
	}
	return t, nil
}

// spanFrom is when a silence ends that begins then.
func spanFrom(from time.Time, text string, zone *time.Location) (time.Time, error) {
	if text == "morning" {
		local := from.In(zone)
		at := time.Date(local.Year(), local.Month(), local.Day(), morningHour, 0, 0, 0, zone)
		if !at.After(from) {
			at = time.Date(local.Year(), local.Month(), local.Day()+1, morningHour, 0, 0, 0, zone)
		}
		return at, nil
	}
	d, err := readSpan(text)
	if err != nil {
		return from, errors.New("say for how long, such as 30m, 4h or 1d")
	}
	return from.Add(d), nil
}

func (p *Pages) newSilence(w http.ResponseWriter, r *http.Request) {
	v, status := p.newSilenceView(r, r.URL.Query())
	if r.Header.Get("HX-Request") != "" { // htmx shows nothing of another status, and what was foreseen before must not stay
		status = http.StatusOK
	}
	p.show(w, r, status, "newsilence", v)
}

func (p *Pages) newSilenceView(r *http.Request, form url.Values) (v *NewSilence, status int) {
	v = &NewSilence{Shell: p.frame(r, "silences", "New silence"), Spans: slices.Clone(spans)}
	v.ZoneName = v.Zone.String()
	ask, err := readWish(form, v.Now, v.Zone)
	v.Matchers, v.From, v.Until, v.Comment, v.Clears = ask.matchers, ask.fromText, ask.untilText, ask.comment, ask.clears
	v.Matchers = strings.ReplaceAll(v.Matchers, ", ", ",\n")
	if len(ask.set) > 0 {
		texts := make([]string, len(ask.set))
		for i, m := range ask.set {
			texts[i] = m.String()
		}
		v.Matchers = strings.Join(texts, "\n")
	}
	for i := range v.Spans {
		v.Spans[i].At = v.Spans[i].Value == ask.spanText
	}
	if err != nil {
		v.Wrong = upperFirst(strings.TrimSuffix(err.Error(), ".")) + "."
		return v, http.StatusBadRequest
	}
	if len(ask.set) == 0 {
		return v, http.StatusOK
	}
	probe := router.Silence{Matchers: []router.MatcherSet{ask.set}, StartsAt: ask.from, EndsAt: ask.to}
	if err := router.CheckSilence(&probe); err != nil {
		v.Wrong = "Such a silence cannot be made: " + cleanError(err) + "."
		return v, http.StatusBadRequest
	}
	if v.Sees, err = p.foreseeSilence(r.Context(), &v.Shell, ask); err != nil {
		v.Wrong = "What it would mute cannot be read now. Load this page again in a few seconds."
		return v, http.StatusServiceUnavailable
	}
	v.Keep = []Hidden{{"matchers", matchersText(ask.set)}, {"comment", ask.comment}}
	if ask.untilText == "" { // it is counted from when the button is pressed
		v.Keep = append(v.Keep, Hidden{"for", ask.spanText})
	} else {
		v.Keep = append(v.Keep, Hidden{"until", ask.to.UTC().Format(time.RFC3339)})
	}
	begins := "from now on"
	if !ask.now {
		begins = "from " + v.moment(ask.from).Clock()
		v.Keep = append(v.Keep, Hidden{"from", ask.from.UTC().Format(time.RFC3339)})
	}
	if ask.clears {
		v.Keep = append(v.Keep, Hidden{"clears", "yes"})
	}
	v.When = upperFirst(begins) + ", until " + v.moment(ask.to).Clock() + " (" + length(ask.to.Sub(ask.from)) + ")."
	switch {
	case v.Sees.Count == 0 || !ask.now:
		v.Button = "Make the silence"
	default:
		v.Button = "Silence " + figure(v.Sees.Count, "alert")
	}
	return v, http.StatusOK
}

// makeSilence makes one, and offers to end it at once.
func (p *Pages) makeSilence(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	s := p.frame(r, "", "")
	ask, err := readWish(r.PostForm, s.Now, s.Zone)
	if err == nil && len(ask.set) == 0 {
		err = errors.New("say which alerts: matchers such as service=\"db\"")
	}
	if err != nil {
		v, _ := p.newSilenceView(r, r.PostForm)
		v.Wrong = "Nothing was done: " + strings.TrimSuffix(err.Error(), ".") + "."
		v.Self, v.Sees = "silences/new", nil
		p.show(w, r, http.StatusBadRequest, "newsilence", v)
		return
	}
	sil := router.Silence{Matchers: []router.MatcherSet{ask.set}, StartsAt: ask.from, EndsAt: ask.to, CreatedBy: by, Comment: ask.comment}
	if ask.clears {
		sil.Annotations = map[string]string{router.ExpireWhenResolved: "true"}
	}
	to := returning(r, "silences")
	if strings.HasPrefix(to, "silences/new") { // where it was previewed: it is made now
		to = "silences"
		if !ask.now {
			to = "silences?state=pending"
		}
	}
	p.silencing(w, r, engine.SetSilence{Silence: sil, By: by}, to, func(a engine.Answer) Said {
		return Said{
			Text: "The silence is made, until " + s.moment(a.Silence.EndsAt).Clock() + ": " + short(matchersText(ask.set), 200),
			Undo: "silences/" + url.PathEscape(a.Silence.ID) + "/end",
		}
	})
}

// mutedNow fills in what a silence with these matchers mutes now.
func (p *Pages) mutedNow(s *Shell, f *Foresight, set router.MatcherSet) {
	filter, err := router.FilterOf(set)
	if err != nil {
		return
	}
	ask := alertsAsk{flat: true, show: map[string]bool{}}
	all, alerts := p.Engine.Router().SeeFrom(router.Ask{Now: s.Now, Labels: filter}, 0)
	f.Count, f.Now, f.All = all, figure(all, "alert"), alertsLink(set)
	for a := range alerts {
		if len(f.Alerts) == mutedListed {
			break
		}
		row := p.alertRow(s, a, ask, "", nil)
		row.Notes = nil
		f.Alerts = append(f.Alerts, row)
	}
	if more := all - len(f.Alerts); more > 0 {
		f.More = "and " + grouped(more) + " more"
	}
}

// foreseeSilence finds out what a silence would do, and would have done.
func (p *Pages) foreseeSilence(ctx context.Context, s *Shell, ask wish) (*Foresight, error) {
	f := &Foresight{}
	p.mutedNow(s, f, ask.set)
	sil := router.Silence{Matchers: []router.MatcherSet{ask.set}}
	about := sil.Matching()
	would := p.Engine.WouldPause(about)
	if len(would) > 0 {
		f.Paused = figure(len(would), "open incident")
	}
	for _, i := range would[:min(len(would), incidentsListed)] {
		f.Incidents = append(f.Incidents, Link{i.ID() + " " + short(i.Title, 120), "incidents/" + i.ID()})
	}
	if err := p.remember7(ctx, s, f, ask.set, about); err != nil {
		return nil, err
	}
	total := 0
	if rt := p.Engine.Router(); f.Count > rt.Alerts().Len()/2 { // the table has some that ended, too
		total, _ = rt.SeeFrom(router.Ask{Now: s.Now}, 0)
	}
	switch {
	case f.Count == 0 && f.Past == "":
		f.Warnings = append(f.Warnings, "It matches no alert that fires or fired in the last seven days. See that the names and values are right.")
	case f.Count == 0:
		f.Warnings = append(f.Warnings, "It matches no alert that fires now.")
	case f.Count == total && total > 1:
		f.Warnings = append(f.Warnings, "It matches every alert that fires: nobody would be told of anything.")
	}
	if about(router.Labels{}) || about(router.Labels{{Name: "alertname", Value: "any alert of any name"}}) {
		f.Warnings = append(f.Warnings, "It would also match alerts that have none of these labels, whatever they are about.")
	}
	if ask.to.Sub(ask.from) > longSilence {
		f.Warnings = append(f.Warnings, "It would hold for more than 30 days. By then nobody remembers it; change the alert's rule or its route instead.")
	}
	return f, nil
}

// remember7 tells what of the last seven days a silence would have kept quiet.
func (p *Pages) remember7(ctx context.Context, s *Shell, f *Foresight, set router.MatcherSet, about func(router.Labels) bool) error {
	since := s.Now.Add(-engine.KeepPast)
	names := map[string]*PastName{}
	var fired time.Duration
	times := 0
	add := func(l router.Labels, from, to time.Time) {
		if from.Before(since) {
			from = since
		}
		name := l.Get("alertname")
		n := names[name]
		if n == nil {
			if len(names) >= pastNames {
				name = "others"
			}
			if n = names[name]; n == nil {
				name = strings.Clone(name) // the alert's memory may be that of the next one
				n = &PastName{Name: short(name, 120)}
				names[name] = n
			}
		}
		d := max(to.Sub(from), 0)
		n.fired, n.times, fired, times = n.fired+d, n.times+1, fired+d, times+1
	}
	for a, err := range p.Engine.Past(ctx, since) {
		if err != nil {
			return err
		}
		if about(a.Labels) {
			add(a.Labels, a.StartsAt, a.EndsAt)
		}
	}
	filter, err := router.FilterOf(set)
	if err != nil {
		return err
	}
	_, firing := p.Engine.Router().SeeFrom(router.Ask{Now: s.Now, Labels: filter}, 0)
	for a := range firing {
		add(a.Alert.Labels, a.Alert.StartsAt, s.Now)
	}
	if times == 0 {
		return nil
	}
	f.Past = fmt.Sprintf("%s that fired for %s in all", figure(times, "alert"), length(fired))
	sorted := slices.SortedFunc(maps.Values(names), func(a, b *PastName) int {
		return cmp.Or(cmp.Compare(b.fired, a.fired), strings.Compare(a.Name, b.Name))
	})
	for _, n := range sorted[:min(len(sorted), namesListed)] {
		n.Name = cmp.Or(n.Name, "without a name")
		n.Times, n.For = grouped(n.times), length(n.fired)
		f.Names = append(f.Names, *n)
	}
	if more := len(sorted) - len(f.Names); more > 0 {
		f.Unnamed = "and " + figure(more, "more name")
	}
	return p.keptQuiet(ctx, since, f, about)
}

// keptQuiet counts the incidents that would not have paged. They are known by the labels that their alerts had in common.
func (p *Pages) keptQuiet(ctx context.Context, since time.Time, f *Foresight, about func(router.Labels) bool) error {
	match := engine.Filter{Look: pastIncidents, Match: func(i incident.Incident) bool {
		return i.OpenedAt.After(since) && i.Identity.Receiver != "" && about(router.LabelsOf(i.Labels))
	}}
	found, next, err := p.Engine.Incidents(ctx, match, 0, pastIncidents)
	if err != nil || len(found) == 0 {
		return err
	}
	pages := 0
	for _, i := range found[:min(len(found), pastStories)] {
		events, err := p.Engine.Timeline(ctx, i.Number)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Kind == incident.Paged {
				pages++
			}
		}
	}
	some := ""
	if len(found) > pastStories {
		some = fmt.Sprintf(" for the newest %d of them", pastStories)
	}
	least := ""
	if next > 0 && found[len(found)-1].OpenedAt.After(since) {
		least = "at least "
	}
	f.Kept = fmt.Sprintf("%s%s would have paged nobody: %s%s.", least, figure(len(found), "incident"), figure(pages, "page"), some)
	f.Kept = upperFirst(f.Kept)
	return nil
}
