package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// Silences is the page of silences in one state, or of the recurring ones.
type Silences struct {
	Shell
	Tabs  []SilenceTab
	Tab   string // active, pending, expired, recurring
	Rows  []SilenceRow
	Plans []PlanRow
	Plan  *PlanForm // to make a recurring one
	Paged string    // which of them are here, where that is not all
	First string
	Next  string
	Spans []Span // by which one can be extended
}

// A SilenceTab is one of several views of a page.
type SilenceTab struct {
	Text, Link string
	At         bool
}

// A SilenceRow is one silence.
type SilenceRow struct {
	ID       string
	Path     string
	State    string     // active, pending, expired
	Matchers [][]string // one set in nearly all
	Mutes    string     // how many alerts now, in words; empty: it mutes none now, see Alerts
	Few      []string   // the names of some
	Alerts   string     // the page with them; empty: several sets cannot be asked for
	By       string     // who
	Comment  string     // why
	From, To Moment
	Clears   bool   // it ends with the last of its alerts
	Plan     string // the recurring silence or maintenance that it belongs to
	Again    string // the page that makes one like it
	Named    string // its matchers in short, for who hears the page
}

// A PlanRow is a recurring silence, or a maintenance window of the file.
type PlanRow struct {
	Name     string
	Matchers []string
	When     string
	From, To Moment // of the window under way, or the next; zero: there is none any more
	Now      bool   // it is under way
	Silence  string // the page of that one's silence
	By       string
	Comment  string
	FromFile bool
	Clears   bool
}

// A PlanForm is what is asked for a recurring silence.
type PlanForm struct {
	Name, Matchers, Cron, For, Zone, Comment string
	Clears                                   bool
	Wrong                                    string
}

// A Span is a choice of how long.
type Span struct {
	Value, Text string
	At          bool
}

// Limits of the page.
const (
	silencesPerPage = 50
	scansPerPage    = 3      // silences on one page for which all alerts are looked at, because no index finds theirs
	countsMuted     = 10_000 // alerts that one silence mutes are counted so far
	fewMuted        = 5      // alerts that are named
	undoText        = 1500   // bytes of a silence for which its end can be undone: it must fit into a cookie
)

var longer = []Span{{Value: "30m", Text: "30 minutes"}, {Value: "1h", Text: "1 hour"}, {Value: "4h", Text: "4 hours"}, {Value: "24h", Text: "1 day"}, {Value: "168h", Text: "1 week"}}

// planMark is the annotation by which the engine marks the silences of plans.
const planMark = "midwatch_plan"

func (p *Pages) silences(w http.ResponseWriter, r *http.Request) {
	v := p.silencesView(r)
	p.show(w, r, http.StatusOK, "silences", v)
}

func (p *Pages) silencesView(r *http.Request) *Silences {
	v := &Silences{Shell: p.frame(r, "silences", "Silences"), Tab: r.URL.Query().Get("state"), Spans: longer}
	v.Live = OfSilences + " " + OfAlerts
	states := map[string][]router.Silence{}
	for _, s := range p.Engine.Router().Silences() {
		state := string(s.State(v.Now))
		states[state] = append(states[state], s)
	}
	plans := p.Engine.Plans()
	if v.Tab != string(router.SilencePending) && v.Tab != string(router.SilenceExpired) && v.Tab != "recurring" {
		v.Tab = string(router.SilenceActive)
	}
	for _, t := range []struct{ state, text string }{{"active", "Active"}, {"pending", "To come"}, {"expired", "Over"}} {
		v.Tabs = append(v.Tabs, SilenceTab{fmt.Sprintf("%s (%s)", t.text, grouped(len(states[t.state]))), "silences?state=" + t.state, v.Tab == t.state})
	}
	v.Tabs = append(v.Tabs, SilenceTab{fmt.Sprintf("Recurring (%d)", len(plans)), "silences?state=recurring", v.Tab == "recurring"})
	if v.Tab == "recurring" {
		v.Live = OfSilences
		for _, plan := range plans {
			v.Plans = append(v.Plans, planRow(&v.Shell, plan))
		}
		v.Plan = &PlanForm{Zone: v.Zone.String(), For: "2h"}
		return v
	}
	p.pageOfSilences(v, r, states[v.Tab])
	return v
}

// pageOfSilences lists those that hold by their end, those to come by their start, those that are over the latest first.
func (p *Pages) pageOfSilences(v *Silences, r *http.Request, all []router.Silence) {
	slices.SortStableFunc(all, func(a, b router.Silence) int {
		switch v.Tab {
		case string(router.SilenceActive):
			return a.EndsAt.Compare(b.EndsAt)
		case string(router.SilencePending):
			return a.StartsAt.Compare(b.StartsAt)
		}
		return b.EndsAt.Compare(a.EndsAt)
	})
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from < 0 || from > len(all) {
		from = 0
	}
	page := all[from:min(len(all), from+silencesPerPage)]
	if from > 0 {
		v.First = "silences?state=" + v.Tab
	}
	if rest := from + len(page); rest < len(all) {
		v.Next = fmt.Sprintf("silences?state=%s&from=%d", v.Tab, rest)
	}
	if len(page) < len(all) {
		v.Paged = fmt.Sprintf("%s to %s of %s", grouped(from+1), grouped(from+len(page)), figure(len(all), "silence"))
	}
	scans := scansPerPage
	for i := range page {
		v.Rows = append(v.Rows, p.silenceRow(&v.Shell, &page[i], &scans))
	}
}

// silenceRow is one silence, with what it mutes now. scans is for how many more all alerts may be looked at.
func (p *Pages) silenceRow(s *Shell, sil *router.Silence, scans *int) SilenceRow {
	row := SilenceRow{
		ID: sil.ID, Path: "silences/" + url.PathEscape(sil.ID), State: string(sil.State(s.Now)), By: short(sil.CreatedBy, 60), Comment: short(sil.Comment, 500),
		From: s.moment(sil.StartsAt), To: s.moment(sil.EndsAt), Clears: sil.Annotations[router.ExpireWhenResolved] == "true",
	}
	if _, name, ok := strings.Cut(sil.Annotations[planMark], "/"); ok {
		row.Plan = short(name, 120)
	}
	for _, set := range sil.Matchers {
		var texts []string
		for _, m := range set {
			texts = append(texts, short(m.String(), labelLetters))
		}
		row.Matchers = append(row.Matchers, texts)
		row.Named = cmp.Or(row.Named, list(texts, 80))
	}
	if len(sil.Matchers) == 1 {
		row.Alerts = alertsLink(sil.Matchers[0])
		row.Again = "silences/new?" + url.Values{"matchers": {matchersText(sil.Matchers[0])}, "comment": {sil.Comment}}.Encode()
	}
	if row.State == string(router.SilenceActive) {
		row.Mutes, row.Few = p.mutes(sil, s.Now, scans)
	}
	return row
}

// mutes says how many alerts the silence mutes at now, and names some.
func (p *Pages) mutes(sil *router.Silence, now time.Time, scans *int) (words string, few []string) {
	n := 0
	for _, set := range sil.Matchers {
		f, err := router.FilterOf(set)
		if err != nil {
			return "", nil
		}
		if !p.Engine.Router().ByIndex(f) {
			if *scans <= 0 {
				return "Open it to see what it mutes", nil
			}
			*scans--
		}
		all, alerts := p.Engine.Router().SeeFrom(router.Ask{Now: now, Labels: f}, 0)
		n += all
		if len(few) > 0 {
			continue
		}
		for a := range alerts {
			if name := short(a.Alert.Name(), 60); name != "" && !slices.Contains(few, name) {
				few = append(few, strings.Clone(name)) // the alert's memory is that of the next one
			}
			if len(few) == fewMuted {
				break
			}
		}
	}
	if n == 0 {
		return "Mutes nothing now", nil
	}
	return "Mutes " + figure(n, "alert") + " now", few
}

func planRow(s *Shell, p engine.PlanView) PlanRow {
	row := PlanRow{
		Name: p.Name, When: p.Text, By: short(p.CreatedBy, 60), Comment: short(p.Comment, 500), FromFile: p.FromFile, Clears: p.ExpireWhenResolved,
		Silence: "silences/" + url.PathEscape(p.Silence),
	}
	if row.When == "" && p.Cron != "" {
		row.When = fmt.Sprintf("%s for %s, in %s", p.Cron, length(p.For), cmp.Or(p.TimeZone, "UTC"))
	}
	for _, set := range p.Matchers {
		for _, m := range set {
			row.Matchers = append(row.Matchers, short(m.String(), labelLetters))
		}
	}
	if !p.Next.From.IsZero() {
		row.From, row.To, row.Now = s.moment(p.Next.From), s.moment(p.Next.To), !p.Next.From.After(s.Now)
	}
	return row
}

// OneSilence is the page of one silence.
type OneSilence struct {
	Shell
	Row   SilenceRow
	Sees  *Foresight // what it mutes; nil: it does not hold
	Spans []Span
}

func (p *Pages) silence(w http.ResponseWriter, r *http.Request) {
	sil, ok := p.Engine.Router().Silence(r.PathValue("id"))
	if !ok {
		p.noSilence(w, r)
		return
	}
	v := &OneSilence{Shell: p.frame(r, "silences", "Silence"), Spans: longer}
	v.Live = OfSilences + " " + OfAlerts
	scans := scansPerPage
	v.Row = p.silenceRow(&v.Shell, &sil, &scans)
	if v.Row.State == string(router.SilenceActive) && len(sil.Matchers) == 1 {
		v.Sees = &Foresight{}
		p.mutedNow(&v.Shell, v.Sees, sil.Matchers[0])
	}
	p.show(w, r, http.StatusOK, "silence", v)
}

func (p *Pages) noSilence(w http.ResponseWriter, r *http.Request) {
	v := &Wrong{
		Shell: p.frame(r, "silences", "No such silence"), Heading: "There is no such silence",
		Told: []string{"It ended so long ago that it was forgotten, or the address is misspelt."}, Links: []MenuEntry{{"silences", "All silences", ""}},
	}
	p.show(w, r, http.StatusNotFound, "wrong", v)
}

// silencing does what an action asks of the engine, and leads back.
func (p *Pages) silencing(w http.ResponseWriter, r *http.Request, in engine.Input, to string, done func(engine.Answer) Said) {
	a := p.Engine.Do(r.Context(), in)
	var refused *engine.Error
	switch {
	case a.Err == nil:
		p.back(w, r, to, done(a))
	case errors.Is(a.Err, engine.ErrUnsaved):
		s := done(a)
		s.Text += " But in memory only: the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it."
		p.back(w, r, to, s)
	case errors.As(a.Err, &refused):
		p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: " + strings.TrimSuffix(refused.Message, ".") + "."})
	case errors.Is(a.Err, router.ErrNoSilence):
		p.back(w, r, "silences", Said{Wrong: true, Text: "Nothing was done: there is no such silence any more. It ended, and was forgotten."})
	default:
		p.Log.Warn("an action of a page could not be done", zap.String("path", r.URL.Path), zap.Error(a.Err))
		p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: Midwatch is overloaded or shutting down. Press the button again in a few seconds."})
	}
}

// endSilence ends one, and offers to make it again.
func (p *Pages) endSilence(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	sil, known := p.Engine.Router().Silence(r.PathValue("id"))
	if !known {
		p.noSilence(w, r)
		return
	}
	to, now := returning(r, "silences"), p.Now()
	if sil.State(now) == router.SilenceExpired {
		p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: the silence is over already."})
		return
	}
	p.silencing(w, r, engine.ExpireSilence{ID: sil.ID, By: by}, to, func(engine.Answer) Said {
		s := Said{Text: "The silence is over. What fires is told again from here on."}
		if len(sil.Matchers) == 1 {
			text := matchersText(sil.Matchers[0])
			if len(text)+len(sil.Comment) <= undoText {
				s.Undo = "silences/make"
				s.Fields = map[string]string{"matchers": text, "comment": sil.Comment, "until": sil.EndsAt.UTC().Format(time.RFC3339)}
				if sil.StartsAt.After(now) {
					s.Fields["from"] = sil.StartsAt.UTC().Format(time.RFC3339)
				}
				if sil.Annotations[router.ExpireWhenResolved] == "true" {
					s.Fields["clears"] = "yes"
				}
			}
		}
		return s
	})
}

// moveSilence gives one another end: so much later, or a certain instant.
func (p *Pages) moveSilence(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	sil, known := p.Engine.Router().Silence(r.PathValue("id"))
	if !known {
		p.noSilence(w, r)
		return
	}
	to, now := returning(r, "silences"), p.Now()
	before := sil.EndsAt
	if sil.State(now) == router.SilenceExpired {
		p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: the silence is over. Make a new one like it."})
		return
	}
	if text := r.PostForm.Get("until"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: the new end cannot be read."})
			return
		}
		sil.EndsAt = at
	} else {
		d, err := time.ParseDuration(r.PostForm.Get("for"))
		if err != nil || d <= 0 || d > longestSilence {
			p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: say by how long the silence is extended."})
			return
		}
		sil.EndsAt = sil.EndsAt.Add(d)
	}
	if !sil.EndsAt.After(now) || !sil.EndsAt.After(sil.StartsAt) {
		p.back(w, r, to, Said{Wrong: true, Text: "Nothing was done: that end has passed. To end the silence now, press End."})
		return
	}
	s := p.frame(r, "", "")
	p.silencing(w, r, engine.SetSilence{Silence: sil, By: by}, to, func(a engine.Answer) Said {
		return Said{
			Text: "The silence holds until " + s.moment(a.Silence.EndsAt).Clock() + ".",
			Undo: "silences/" + url.PathEscape(a.Silence.ID) + "/until", Fields: map[string]string{"until": before.UTC().Format(time.RFC3339)},
		}
	})
}

// makePlan makes or replaces a recurring silence.
func (p *Pages) makePlan(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := &PlanForm{Name: get("name"), Matchers: get("matchers"), Cron: get("cron"), For: get("for"), Zone: get("zone"), Comment: get("comment"), Clears: get("clears") != ""}
	plan := engine.Plan{Name: f.Name, Cron: f.Cron, TimeZone: f.Zone, Comment: f.Comment, CreatedBy: by, ExpireWhenResolved: f.Clears}
	set, err := readMatchers(f.Matchers)
	if err == nil && len(set) == 0 {
		err = errors.New("say which alerts: matchers such as service=\"db\"")
	}
	if err == nil {
		plan.Matchers = []router.MatcherSet{set}
		if plan.For, err = readSpan(f.For); err != nil {
			err = errors.New("say how long each of them lasts, such as 30m or 2h")
		}
	}
	existed := slices.ContainsFunc(p.Engine.Plans(), func(o engine.PlanView) bool { return o.Name == plan.Name && !o.FromFile })
	if err == nil {
		var refused *engine.Error
		a := p.Engine.Do(r.Context(), engine.SetPlan{Plan: plan, By: by})
		if !errors.As(a.Err, &refused) {
			p.planned(w, r, a.Err, plan.Name, existed)
			return
		}
		err = refused
	}
	r.URL.RawQuery = "state=recurring"
	v := p.silencesView(r)
	f.Wrong = "Nothing was done: " + strings.TrimSuffix(err.Error(), ".") + "."
	v.Plan, v.Self, v.Root = f, "silences?state=recurring", rootOf(r.URL.Path)
	p.show(w, r, http.StatusBadRequest, "silences", v)
}

func (p *Pages) planned(w http.ResponseWriter, r *http.Request, err error, name string, existed bool) {
	s := Said{Text: "The recurring silence " + short(name, 80) + " is made.", Undo: "recurring/drop", Fields: map[string]string{"name": name}}
	if existed {
		s = Said{Text: "The recurring silence " + short(name, 80) + " is changed."}
	}
	switch {
	case errors.Is(err, engine.ErrUnsaved):
		s.Text += " But in memory only: the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it."
	case err != nil:
		s = Said{Wrong: true, Text: "Nothing was done: Midwatch is overloaded or shutting down. Press the button again in a few seconds."}
	}
	p.back(w, r, "silences?state=recurring", s)
}

// dropPlan ends a recurring silence, and offers to make it again.
func (p *Pages) dropPlan(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PostForm.Get("name")
	var was engine.PlanView
	for _, o := range p.Engine.Plans() {
		if o.Name == name && !o.FromFile {
			was = o
		}
	}
	p.silencing(w, r, engine.DropPlan{Name: name, By: by}, "silences?state=recurring", func(engine.Answer) Said {
		s := Said{Text: "The recurring silence " + short(name, 80) + " is gone, and its window under way with it."}
		if len(was.Matchers) == 1 {
			s.Fields = map[string]string{
				"name": name, "matchers": matchersText(was.Matchers[0]), "cron": was.Cron, "for": was.For.String(), "zone": was.TimeZone, "comment": was.Comment,
			}
			if was.ExpireWhenResolved {
				s.Fields["clears"] = "yes"
			}
			if len(s.Fields["matchers"])+len(was.Comment) <= undoText {
				s.Undo = "recurring/make"
			} else {
				s.Fields = nil
			}
		}
		return s
	})
}

// readSpan reads a length of time such as 30m, 2h, 1d or 1w.
func readSpan(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	for unit, span := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			if days, err := strconv.Atoi(n); err == nil && days > 0 && days < 1000 {
				return time.Duration(days) * span, nil
			}
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("it is nothing")
	}
	return d, err
}
