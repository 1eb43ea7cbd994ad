package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// Incidents is the page at /incidents.
type Incidents struct {
	Shell
	Show   string // open, resolved or all
	Tabs   []Tab
	Filter string
	Wrong  string // what is wrong with the filter; empty: nothing
	Rows   []IncidentRow
	Empty  []string // what is the case, and what to do next, where there are no rows
	Older  string   // where the next page is, from the root; empty: there is none
	Short  bool     // the filter was asked of only so many incidents, and older ones may match too
	Newest string   // where the first page is; empty: this is it
	Naps   []Nap
	Try    []Example
}

// A Tab leads to the same page with another part of what there is.
type Tab struct {
	Link, Text string
	Here       bool
}

// An Example is a filter that leads further.
type Example struct{ Link, Text string }

// An IncidentRow is one incident in a list.
type IncidentRow struct {
	ID, Link, Title string
	Severity        string // sev1
	How             string // "critical", in a word
	Status          string // triggered, acknowledged, resolved
	Standing        string // where it stands, in a few words
	Opened          Moment
	Ended           Moment // zero: it is open
	Next            Moment // when the ladder goes on; zero: it does not
	Who             string // whom it pages then
	Asleep          Moment // until when it is snoozed; zero: it is not
	Paused, Back    bool   // a silence holds its paging back; it came back within the reopen window
	CanAck          bool
}

// Limits of the list.
const (
	incidentsPerPage = 50
	incidentsLook    = 1500 // how many closed ones a filter is asked of for one page: so many are read in some 20 ms
	maxFilterText    = 1000 // bytes
	maxBulk          = 200  // incidents that one form acts on
)

// nightPaths are the pages of whoever was woken.
func (p *Pages) nightPaths() {
	p.read("/{$}", p.now)
	p.read("/incidents", p.incidents)
	p.act("/incidents", p.actOnSeveral)
	p.read("/incidents/{id}", p.incident)
	p.act("/incidents/{id}/{verb}", p.actOnOne)
	p.read("/deliveries", p.deliveries)
	if p.Options.Outbox != nil {
		p.read("/outbox", p.outbox)
	}
}

func (p *Pages) incidents(w http.ResponseWriter, r *http.Request) {
	v := &Incidents{Shell: p.frame(r, "incidents", "Incidents")}
	v.Live = OfIncidents
	q := r.URL.Query()
	v.Show, v.Filter = q.Get("show"), strings.TrimSpace(q.Get("filter"))
	var f engine.Filter
	switch v.Show {
	case "resolved":
		f.Status = []incident.Status{incident.Resolved}
	case "all":
	default:
		v.Show = "open"
		f.Status = []incident.Status{incident.Triggered, incident.Acked}
	}
	triggered, acked := p.Engine.OpenCount()
	v.tabs(triggered + acked)
	v.Naps = v.naps()
	before, err := strconv.Atoi(q.Get("before"))
	if err != nil || before < 1 {
		before = 0
	} else {
		v.Newest = incidentsLink(v.Show, v.Filter, 0)
	}
	f.Look = incidentsLook
	status := http.StatusOK
	if f.Match, err = sought(v.Filter); err != nil {
		v.Wrong = err.Error()
		if r.Header.Get("HX-Request") == "" {
			status = http.StatusBadRequest // htmx shows no page of such a status
		}
		p.show(w, r, status, "incidents", v)
		return
	}
	list, next, err := p.Engine.Incidents(r.Context(), f, before, incidentsPerPage)
	if err != nil {
		p.broken(w, r, "incidents", err)
		return
	}
	for _, i := range list {
		v.Rows = append(v.Rows, p.row(&v.Shell, i))
	}
	if next > 0 {
		v.Older, v.Short = incidentsLink(v.Show, v.Filter, next), len(list) < incidentsPerPage
	}
	v.empty(triggered + acked)
	p.show(w, r, status, "incidents", v)
}

func incidentsLink(show, filter string, before int) string {
	q := url.Values{}
	if show != "open" {
		q.Set("show", show)
	}
	if filter != "" {
		q.Set("filter", filter)
	}
	if before > 0 {
		q.Set("before", strconv.Itoa(before))
	}
	if len(q) == 0 {
		return "incidents"
	}
	return "incidents?" + q.Encode()
}

func (v *Incidents) tabs(open int) {
	for _, t := range []struct{ show, text string }{{"open", fmt.Sprintf("Open (%d)", open)}, {"resolved", "Resolved"}, {"all", "All"}} {
		v.Tabs = append(v.Tabs, Tab{incidentsLink(t.show, v.Filter, 0), t.text, t.show == v.Show})
	}
	for _, e := range []Example{{`status="triggered"`, "nobody has it"}, {`severity=~"sev[12]"`, "critical and high"}} {
		if v.Filter == "" {
			v.Try = append(v.Try, Example{incidentsLink(v.Show, e.Link, 0), e.Text})
		}
	}
	if v.Me != "" && v.Filter == "" {
		v.Try = append(v.Try, Example{incidentsLink(v.Show, (&matcher{"owner", v.Me}).String(), 0), "mine"})
	}
}

type matcher struct{ name, value string }

func (m *matcher) String() string { return m.name + "=" + strconv.Quote(m.value) }

func (v *Incidents) empty(open int) {
	switch {
	case len(v.Rows) > 0:
	case v.Short:
		v.Empty = []string{"None of these match.", "Older ones were not looked at yet: go on below."}
	case v.Filter != "" && open > 0 && v.Show == "open":
		v.Empty = []string{fmt.Sprintf("None of the %d open incidents matches.", open), "Take something out of the filter, or look at all."}
	case v.Filter != "":
		v.Empty = []string{"No incident matches.", "Take something out of the filter, or look at all."}
	case v.Show == "open":
		v.Empty = []string{"Nothing is open.", "New incidents appear here by themselves."}
	default:
		v.Empty = []string{"There is none yet.", "An incident opens when alerts reach a receiver with incident_configs; Routes shows which do."}
	}
}

// row is one incident as a list shows it.
func (p *Pages) row(s *Shell, v engine.View) IncidentRow {
	i := v.Incident
	row := IncidentRow{
		ID: i.ID(), Link: "incidents/" + i.ID(), Title: short(i.Title, 200), Severity: short(i.Severity, 40), How: severityWord(i.Severity),
		Status: string(i.Status), Opened: s.moment(i.OpenedAt), Ended: s.moment(i.ResolvedAt), Paused: v.Paused, Back: i.Flapping,
		CanAck: i.Status == incident.Triggered,
	}
	if row.Title == "" {
		row.Title = "(no title)"
	}
	switch i.Status {
	case incident.Triggered:
		row.Standing = "nobody has it"
		if len(v.Acks) > 0 {
			row.Standing = "not enough have it: " + list(v.Acks, 60)
		}
	case incident.Acked:
		row.Standing = list([]string{i.AckedBy}, 60) + " has it"
	case incident.Resolved:
		row.Standing = "resolved"
		if i.ResolvedBy != "" {
			row.Standing = "resolved by " + list([]string{i.ResolvedBy}, 60)
		}
	}
	switch {
	case !v.Snoozed.IsZero():
		row.Asleep = s.moment(v.Snoozed)
	case !v.NextAt.IsZero():
		row.Next, row.Who = s.moment(v.NextAt), list(v.NextWho, 80)
		if row.Who == "" {
			row.Who = "nobody"
		}
	}
	return row
}

// sought reads a filter: matchers over an incident's fields and labels, or words that are looked for in its name, title and
// labels. The error says how to write it.
func sought(text string) (func(incident.Incident) bool, error) {
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // which is one that is true of everything
	case len(text) > maxFilterText:
		return nil, fmt.Errorf("the filter has %d bytes; at most %d are taken", len(text), maxFilterText)
	case !strings.ContainsAny(text, `=~!{}"`):
		words := strings.Fields(strings.ToLower(text))
		return func(i incident.Incident) bool { return spokenOf(i, words) }, nil
	}
	set, err := router.ParseMatchers([]string{text}, "web")
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if len(set) == 0 {
		return nil, errors.New("it has no matchers")
	}
	texts := make([]string, 0, len(set))
	for _, m := range set {
		texts = append(texts, m.String())
	}
	f, err := router.ParseFilter(texts, "web")
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return func(i incident.Incident) bool {
		return f.Matches(func(name string) (string, bool) { return fieldOf(i, name) })
	}, nil
}

// fields are what a filter may ask of an incident beside its labels. A label of such a name is asked for as label_NAME.
var fields = map[string]func(incident.Incident) string{
	"id":        incident.Incident.ID,
	"title":     func(i incident.Incident) string { return i.Title },
	"status":    func(i incident.Incident) string { return string(i.Status) },
	"severity":  func(i incident.Incident) string { return i.Severity },
	"policy":    func(i incident.Incident) string { return i.Policy },
	"owner":     func(i incident.Incident) string { return i.AckedBy },
	"receiver":  func(i incident.Incident) string { return i.Identity.Receiver },
	"slo":       func(i incident.Incident) string { return i.Identity.SLO },
	"heartbeat": func(i incident.Incident) string { return i.Identity.Heartbeat },
}

func fieldOf(i incident.Incident, name string) (string, bool) {
	if field := fields[name]; field != nil {
		if value := field(i); value != "" {
			return value, true
		}
	}
	if value, ok := i.Labels[name]; ok {
		return value, true
	}
	value, ok := i.Labels[strings.TrimPrefix(name, "label_")]
	return value, ok
}

// spokenOf reports whether all words are somewhere in the incident's name, title, policy or labels.
func spokenOf(i incident.Incident, words []string) bool {
	in := func(text, word string) bool { return strings.Contains(strings.ToLower(text), word) }
	return !slices.ContainsFunc(words, func(word string) bool {
		if in(i.ID(), word) || in(i.Title, word) || in(i.Policy, word) || in(i.AckedBy, word) {
			return false
		}
		for _, value := range i.Labels {
			if in(value, word) {
				return false
			}
		}
		return true
	})
}

// A Nap is for how long an incident can be snoozed.
type Nap struct{ Value, Text string }

// morning is the hour at which "until morning" ends, on the reader's clock.
const morning = 8

// naps are offered. The last is sent as an instant: it means the morning that was shown, however late the form arrives.
func (s *Shell) naps() []Nap {
	here := s.Now.In(s.Zone)
	until := time.Date(here.Year(), here.Month(), here.Day(), morning, 0, 0, 0, s.Zone)
	if !until.After(here) {
		until = until.AddDate(0, 0, 1)
	}
	text := "until " + until.Format("15:04 MST")
	if until.Day() != here.Day() {
		text += " tomorrow"
	}
	return []Nap{
		{"30m", "30 minutes"},
		{"1h", "1 hour"},
		{"4h", "4 hours"},
		{until.UTC().Format(time.RFC3339), text},
	}
}

// nap reads for how long to snooze.
func nap(value string, now time.Time) (time.Duration, error) {
	if until, err := time.Parse(time.RFC3339, value); err == nil {
		if d := until.Sub(now); d > 0 {
			return d, nil
		}
		return 0, &engine.Error{Code: "invalid", Field: "for", Message: "the time until which to snooze has passed; choose another"}
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, &engine.Error{Code: "invalid", Field: "for", Message: "say for how long to snooze, such as 30m or 4h"}
	}
	return d, nil
}

// rooted is a row with the way from its page to the first one.
type rooted struct {
	Root string
	Row  IncidentRow
}
