package web

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
)

// Incident is the page of one incident.
type Incident struct {
	Shell
	Row         IncidentRow
	Told        []string // who has it and what that means
	Open        bool
	MineToUndo  bool // my acknowledgement stands
	AckToo      bool // somebody else's does
	Paged       bool // I was paged
	Expires     Moment
	PagedSoFar  string
	Description template.HTML
	Runbook     string // where it is; empty: there is none
	Links       []Labelled
	SLO         *IncidentSLO
	Why         *Chain // why the last page went out; nil: there was none yet
	Deliveries  []Told // who was told by what, the newest first
	MoreLog     string // where the delivery log has more, from the root; empty: this is all
	Common      []Labelled
	Alerts      []IncidentAlert
	AlertCount  string
	MoreAlerts  string // from the root; empty: these are all
	Annotations []Labelled
	Lines       []Line
	Order       string // newest or oldest: what is first
	OtherOrder  string // from the root
	MoreLines   string // from the root; empty: these are all
	Naps        []Nap
	Targets     []Targets // whom it can be given to; none: there are too many to choose from
	People      []Person  // who can be paged as well; likewise
}

// Labelled is a name with a text, and where it leads.
type Labelled struct{ Name, Text, Link string }

// Targets are those of one kind.
type Targets struct {
	Kind  string
	Names []Labelled // Link: what to send
}

// A Chain is why somebody was paged, from the route to the layer, each with where it is shown.
type Chain struct {
	Who    string
	When   Moment
	Via    string
	Links  []Labelled
	Reason string
}

// Told is one attempt to tell somebody.
type Told struct {
	When                     Moment
	Who, Via, What           string
	Outcome, Answer, Latency string
	Again                    Moment // when it is tried again
}

// IncidentSLO is the budget that an incident is about.
type IncidentSLO struct {
	Name, Link, Left, Objective string
	Spent                       bool // more than there was
	Burn                        []Labelled
	Active                      []string
}

// An IncidentAlert is one alert, but for what it shares with the others.
type IncidentAlert struct {
	Name   string
	Labels []Labelled
	Text   string // its own summary or description
	Since  Moment
	Over   bool
	Source string // where it comes from; empty: it does not say, or nothing that one should open
}

// A Line is one event of the timeline.
type Line struct {
	ID     string
	When   Moment
	What   string        // what happened, to whom or by whom
	Text   template.HTML // a note's words
	Why    string
	Links  []Labelled // what leads to it: step, schedule, layer
	Answer string     // what was answered
	Bad    bool
	Human  bool
}

// Limits of the page.
const (
	alertsPerPage   = 50
	linesPerPage    = 50
	toldPerIncident = 30
	toldLook        = 5000   // lines of the delivery log that are looked at: so many are read in some 20 ms
	notesPerPage    = 20_000 // letters of all notes together; what is past it is cut
	noteAtLeast     = 300    // letters of each that are shown in any case
	descriptionMost = 6000   // letters
	labelMost       = 300    // letters of a label's value
	alertLabels     = 24     // labels of one alert
	maxChoice       = 200    // names in a list to choose from; where there are more, one is typed
)

func (p *Pages) incident(w http.ResponseWriter, r *http.Request) {
	l := &look{Pages: p, now: p.Now()}
	if err := l.load(r.Context(), r.PathValue("id")); errors.Is(err, engine.ErrNotFound) {
		p.noIncident(w, r)
		return
	} else if err != nil {
		p.broken(w, r, "an incident", err)
		return
	}
	i := l.view.Incident
	v := &Incident{Shell: p.frame(r, "incidents", i.ID()+" "+short(i.Title, 60)), Open: i.Open()}
	l.zone = v.Zone
	v.Live = OfIncidents + " " + OfPages
	v.Row = p.row(&v.Shell, l.view)
	v.Row.Title = cmp.Or(short(i.Title, 500), v.Row.Title)
	v.Told = l.state(r.Context())
	l.facing(v)
	l.words(v)
	p.budget(v, i)
	q := r.URL.Query()
	l.alerts(v, q)
	events, err := p.Engine.Timeline(r.Context(), i.Number)
	if err != nil {
		p.Log.Error("a timeline could not be read", zap.String("incident", i.ID()), zap.Error(err))
		v.Trouble = append(v.Trouble, "The timeline cannot be read now; load this page again in a few seconds.")
	}
	attempts, more := l.attempts(r, v)
	if more {
		v.MoreLog = "deliveries?" + url.Values{"incident": {i.ID()}}.Encode()
	}
	l.why(v, events)
	l.timeline(v, events, attempts, q)
	l.choices(v)
	p.show(w, r, http.StatusOK, "incident", v)
}

// facing is what the reader can do, and has done.
func (l *look) facing(v *Incident) {
	i := l.view.Incident
	v.MineToUndo = v.Open && v.Me != "" && slices.Contains(l.view.Acks, v.Me)
	v.AckToo = i.Status == incident.Acked && !v.MineToUndo
	v.Paged = v.Open && slices.Contains(l.view.Paged, v.Me)
	v.Expires = v.moment(l.view.AckExpires)
	if i.Status != incident.Acked {
		v.Expires = Moment{}
	}
	var paged []string
	for _, who := range l.view.Paged {
		paged = append(paged, l.person(who))
	}
	v.PagedSoFar = list(paged, 300)
}

// words are what the alerts say of themselves: their common annotations.
func (l *look) words(v *Incident) {
	notes := l.view.Annotations
	v.Description = marked(cmp.Or(notes["description"], notes["message"]), descriptionMost)
	v.Runbook = webAddress(cmp.Or(notes["runbook_url"], notes["runbook"]))
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		text := notes[name]
		switch {
		case name == "description", name == "message" && notes["description"] == "":
		case name == "summary" && text == l.view.Title:
		case v.Runbook != "" && text == v.Runbook:
		case webAddress(text) != "":
			v.Links = append(v.Links, Labelled{name, short(text, 80), text})
		default:
			v.Annotations = append(v.Annotations, Labelled{Name: name, Text: short(text, labelMost)})
		}
	}
	policy := l.view.Policy
	if policy != "" {
		link := "policies/" + url.PathEscape(policy)
		if _, known := l.Engine.Config().Policies[policy]; !known {
			link = ""
		}
		v.Common = append(v.Common, Labelled{"policy", short(policy, 60), link})
	}
}

// webAddress is an address that may be a link: http or https, and not endless. Else it is empty.
func webAddress(text string) string {
	if len(text) > 1000 || !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://") {
		return ""
	}
	if u, err := url.Parse(text); err != nil || u.Host == "" {
		return ""
	}
	return text
}

// budget are the numbers of the budget that the incident is about.
func (p *Pages) budget(v *Incident, i incident.Incident) {
	if i.Identity.SLO == "" {
		return
	}
	for _, b := range p.Engine.SLOs() {
		o := b.Rule.Objective
		if o.Name() != i.Identity.SLO || cmp.Or(b.By, "{}") != cmp.Or(i.Identity.By, "{}") {
			continue
		}
		s := &IncidentSLO{Name: o.Name(), Link: "slos/" + url.PathEscape(o.Name()), Active: b.Budget.Active(o, b.Now)}
		if spec := o.Spec(); spec.Objective != "" {
			s.Objective = spec.Objective + "% over " + slo.Short(spec.Window)
		}
		if consumed := b.Budget.Consumed(o, b.Now); consumed != nil {
			spent, _ := consumed.Float64()
			s.Left, s.Spent = fmt.Sprintf("%.1f%% of the budget is left", 100*(1-spent)), spent > 1
			if s.Spent {
				s.Left = fmt.Sprintf("the budget is spent, and %.1f%% more", 100*(spent-1))
			}
			for _, w := range o.Windows() {
				rate, _ := b.Budget.Burn(o, b.Now, w).Float64()
				s.Burn = append(s.Burn, Labelled{Name: slo.Short(w), Text: fmt.Sprintf("%.1f×", rate)})
			}
		}
		v.SLO = s
		return
	}
}

// alerts are a page of them: what all have in common is told once.
func (l *look) alerts(v *Incident, q url.Values) {
	i := l.view.Incident
	skip, err := strconv.Atoi(q.Get("alerts"))
	if err != nil || skip < 0 || skip > 1_000_000 {
		skip = 0
	}
	alerts, over, all, firing := l.Engine.AlertsOf(i.Number, skip, alertsPerPage)
	for _, name := range slices.Sorted(maps.Keys(i.Labels)) {
		v.Common = append(v.Common, Labelled{Name: name, Text: short(i.Labels[name], labelMost), Link: filterLink(name, i.Labels[name])})
	}
	switch {
	case all == 0 && !i.Open():
		v.AlertCount = "They are over, and no longer known one by one."
	case all == 0:
		v.AlertCount = "None is known."
	case firing == all:
		v.AlertCount = count(all, "alert") + ", firing"
	default:
		v.AlertCount = fmt.Sprintf("%s, %d firing", count(all, "alert"), firing)
	}
	if next := skip + alertsPerPage; next < all {
		v.MoreAlerts = "incidents/" + i.ID() + "?" + url.Values{"alerts": {strconv.Itoa(next)}}.Encode() + "#alerts"
	}
	for _, a := range alerts {
		v.Alerts = append(v.Alerts, l.alert(&v.Shell, a, over[a.Fingerprint()]))
	}
}

func filterLink(name, value string) string {
	if fields[name] != nil {
		name = "label_" + name
	}
	return incidentsLink("all", (&matcher{name, short(value, labelMost)}).String(), 0)
}

func (l *look) alert(s *Shell, a *router.Alert, over bool) IncidentAlert {
	i := l.view.Incident
	out := IncidentAlert{Since: s.moment(a.StartsAt), Over: over, Source: webAddress(a.GeneratorURL)}
	for _, label := range a.Labels {
		if common, ok := i.Labels[label.Name]; ok && common == label.Value {
			continue
		}
		if len(out.Labels) == alertLabels {
			out.Labels = append(out.Labels, Labelled{Name: "…", Text: "and more"})
			break
		}
		out.Labels = append(out.Labels, Labelled{Name: label.Name, Text: short(label.Value, labelMost)})
	}
	for _, name := range []string{"summary", "description", "message"} {
		if text := a.Annotations.Get(name); text != "" && text != i.Annotations[name] && text != i.Title {
			out.Text = short(text, labelMost)
			break
		}
	}
	if len(out.Labels) == 0 {
		out.Name = short(a.Labels.Get("alertname"), labelMost)
	}
	return out
}

// attempts are the lines of the delivery log about the incident, by the keys of their messages; more: the log may have
// others. It looks at the time of the incident alone.
func (l *look) attempts(r *http.Request, v *Incident) (by map[string]engine.Attempt, more bool) {
	i := l.view.Incident
	f := engine.AttemptFilter{Incident: i.ID(), From: i.OpenedAt, Look: toldLook}
	if !i.ResolvedAt.IsZero() {
		f.Until = i.ResolvedAt.Add(afterTheEnd)
	}
	log, next, err := l.Engine.Attempts(r.Context(), f, 0, 4*toldPerIncident)
	if err != nil {
		l.Log.Error("the delivery log could not be read", zap.String("incident", i.ID()), zap.Error(err))
		v.Trouble = append(v.Trouble, "The delivery log cannot be read now; load this page again in a few seconds.")
	}
	by = map[string]engine.Attempt{}
	for _, a := range log {
		if _, newer := by[a.Key]; !newer {
			by[a.Key] = a
		}
	}
	for _, a := range log[:min(len(log), toldPerIncident)] {
		v.Deliveries = append(v.Deliveries, l.told(&v.Shell, a))
	}
	return by, next > 0 || len(log) > toldPerIncident
}

// afterTheEnd is how long after an incident its last messages may still be under way.
const afterTheEnd = time.Hour

func (l *look) told(s *Shell, a engine.Attempt) Told {
	t := Told{
		When: s.moment(a.At), Who: cmp.Or(a.User, a.Receiver), Via: a.Via, What: messageWord(a.Event), Outcome: a.Outcome,
		Answer: short(a.Answer, 200), Latency: latency(a.LatencyMS), Again: s.moment(a.NextAt),
	}
	if a.Attempt > 1 {
		t.What += fmt.Sprintf(", attempt %d", a.Attempt)
	}
	return t
}

// messageWord says what a message was.
func messageWord(event string) string {
	switch event {
	case "page":
		return "page"
	case "acknowledgement_expiring":
		return "warning that the acknowledgement ends"
	case "resolved":
		return "all-clear"
	case "stand_down":
		return "taken back"
	case "receiver":
		return "notification"
	}
	return strings.ReplaceAll(event, "_", " ")
}

func latency(ms float64) string {
	switch {
	case ms <= 0:
		return ""
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", max(1, ms))
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// why tells why the last page went out: to me, if I was paged.
func (l *look) why(v *Incident, events []incident.Event) {
	var last *incident.Event
	for n := range events {
		if e := &events[n]; e.Kind == incident.Paged && e.User != "" && (last == nil || last.User != v.Me || e.User == v.Me) {
			last = e
		}
	}
	if last == nil {
		return
	}
	c := &Chain{Who: l.person(last.User), When: v.moment(last.At), Via: last.Via, Reason: short(last.Reason, 300)}
	if last.User == v.Me {
		c.Who = "you"
	}
	c.Links = append(append(l.origin(), l.rung(*last)...), l.turn(*last)...)
	v.Why = c
}

// origin leads from what happened to the receiver.
func (l *look) origin() (links []Labelled) {
	i := l.view.Incident
	switch id := i.Identity; {
	case id.Manual != "":
		return []Labelled{{"opened by", "a person", ""}}
	case id.SLO != "":
		return []Labelled{{"SLO", id.SLO, "slos/" + url.PathEscape(id.SLO)}}
	case id.Heartbeat == incident.AllHeartbeats:
		return []Labelled{{"heartbeats", "none is heard", "status"}}
	case id.Heartbeat != "":
		return []Labelled{{"heartbeat", id.Heartbeat, "status"}}
	}
	trace := "routes?" + url.Values{"trace": {l.labels()}}.Encode()
	if text, id, ok := l.route(); ok && id != "" {
		links = append(links, Labelled{"route", text, "routes#" + routeAnchor(id)})
	} else if ok {
		links = append(links, Labelled{"route", text, trace})
	}
	return append(links, Labelled{"receiver", short(i.Identity.Receiver, 80), trace})
}

// labels are some by which the alerts of the incident are routed, as the trace box takes them.
func (l *look) labels() string {
	if len(l.view.Alerts) > 0 {
		return short(l.view.Alerts[0].Labels.String(), 2000)
	}
	return short(router.LabelsOf(l.view.Labels).String(), 2000)
}

// route is the route that led here, by what it matches; and its ID, while an alert is with it.
func (l *look) route() (text, id string, ok bool) {
	key := l.view.Identity.GroupKey
	for _, a := range l.view.Alerts[:min(1, len(l.view.Alerts))] {
		for _, g := range l.Engine.Router().GroupsOf(a.Labels) {
			if g.Receiver == l.view.Identity.Receiver && (key == "" || key == g.Key) { // without a key, each alert is an incident
				key, id = g.Key, g.RouteID
			}
		}
	}
	cut := strings.LastIndex(key, ":{")
	if cut < 0 {
		return "", "", false
	}
	path := strings.TrimPrefix(strings.TrimPrefix(key[:cut], "{}"), "/")
	if path == "" {
		return "the first, which takes all", id, true
	}
	return short(strings.ReplaceAll(path, "}/{", "} › {"), 200), id, true
}

// rung leads from the policy to the layer, for one page.
func (l *look) rung(e incident.Event) (links []Labelled) {
	if e.Policy != "" {
		known := false
		if _, known = l.Engine.Config().Policies[e.Policy]; known {
			links = append(links, Labelled{"policy", e.Policy, "policies/" + url.PathEscape(e.Policy)})
		} else {
			links = append(links, Labelled{"policy", e.Policy, ""})
		}
		if e.Step > 0 {
			step := Labelled{Name: "step", Text: strconv.Itoa(e.Step)}
			if known {
				step.Link = "policies/" + url.PathEscape(e.Policy) + "#step-" + step.Text
			}
			if e.Cycle > 1 {
				step.Text += fmt.Sprintf(" of walk %d", e.Cycle)
			}
			links = append(links, step)
		}
	}
	m := onCallIn.FindStringSubmatch(e.OnCall)
	if m == nil {
		if e.OnCall != "" {
			links = append(links, Labelled{"because", short(e.OnCall, 200), ""})
		}
		return links
	}
	link := "schedules/" + url.PathEscape(m[1])
	if l.Engine.Schedule(m[1]) == nil {
		link = ""
	}
	links = append(links, Labelled{"schedule", m[1], link})
	layer := Labelled{"layer", m[2], link}
	if strings.Contains(m[2], ", ") {
		layer.Name = "layers"
	}
	return append(links, layer)
}

// turn says whose turn it was in the layer, and until when, as the schedule stands now.
func (l *look) turn(e incident.Event) []Labelled {
	m := onCallIn.FindStringSubmatch(e.OnCall)
	if m == nil {
		return nil
	}
	s := l.Engine.Schedule(m[1])
	if s == nil {
		return nil
	}
	because := strings.ReplaceAll(s.Because(e.User, e.At), fmt.Sprintf(" in layer %q", m[2]), "")
	if because == "" {
		return nil // it was changed since
	}
	return []Labelled{{Text: short(because, 200)}}
}

// onCallIn reads why somebody was on call, as a ladder wrote it down.
var onCallIn = regexp.MustCompile(`^on call in ([A-Za-z0-9_.-]+) \((.*)\)$`)

// timeline is a page of what happened.
func (l *look) timeline(v *Incident, events []incident.Event, attempts map[string]engine.Attempt, q url.Values) {
	id := l.view.ID()
	v.Order = "newest"
	other := url.Values{"order": {"oldest"}}
	if q.Get("order") == "oldest" {
		v.Order, other = "oldest", url.Values{}
	} else {
		slices.Reverse(events)
	}
	v.OtherOrder = strings.TrimSuffix("incidents/"+id+"?"+other.Encode(), "?") + "#timeline"
	skip, err := strconv.Atoi(q.Get("lines"))
	if err != nil || skip < 0 || skip > len(events) {
		skip = 0
	}
	events = events[skip:]
	if len(events) > linesPerPage {
		q := url.Values{"lines": {strconv.Itoa(skip + linesPerPage)}}
		if v.Order == "oldest" {
			q.Set("order", "oldest")
		}
		v.MoreLines = "incidents/" + id + "?" + q.Encode() + "#timeline"
		events = events[:linesPerPage]
	}
	room := notesPerPage
	for n, e := range events {
		line := l.line(&v.Shell, e, attempts)
		line.ID = fmt.Sprintf("line-%d", skip+n+1)
		if e.Seq > 0 {
			line.ID = fmt.Sprintf("line-%d", e.Seq)
		}
		if e.Text != "" && (e.Kind != incident.Opened || e.Text != l.view.Title) {
			line.Text = marked(e.Text, max(noteAtLeast, room))
			room -= len(e.Text)
		}
		v.Lines = append(v.Lines, line)
	}
}

// line says one event in words: what, to whom or by whom, by what way, and why.
func (l *look) line(s *Shell, e incident.Event, attempts map[string]engine.Attempt) Line {
	line := Line{When: s.moment(e.At), What: eventWord(e.Kind), Why: short(e.Reason, 600), Bad: e.Kind == incident.PageFailed, Human: e.By != ""}
	if e.Kind == incident.Note && e.By == "" {
		line.What = "Noted"
	}
	if who := e.User + e.Receiver; who != "" {
		line.What += " " + l.person(who)
		if e.Via != "" {
			line.What += " by " + short(e.Via, 60)
		}
	} else if e.By != "" {
		line.What += " by " + l.person(e.By)
		if e.Via != "" {
			line.What += " via " + viaWords(short(e.Via, 60))
		}
	}
	if e.Severity != "" && e.Kind != incident.Opened {
		line.What += ": " + short(e.Severity, 20)
	}
	if e.Kind == incident.Paged || e.Kind == incident.Notification {
		line.Links = l.rung(e)
	}
	if a, ok := attempts[e.Key]; ok && e.Key != "" {
		line.Answer = strings.Join(slices.DeleteFunc([]string{short(a.Answer, 160), latency(a.LatencyMS)}, func(s string) bool { return s == "" }), ", ")
	}
	if line.Why == "joined" || e.By != "" && line.Why == "acknowledged by "+e.By {
		line.Why = "" // it is said already
	}
	return line
}

// eventWord is an event's name as the timeline says it; whom it is about follows.
func eventWord(kind string) string {
	words := map[string]string{
		incident.Opened: "Opened", incident.Reopened: "Opened again", incident.SeverityChanged: "Severity changed",
		incident.Paged: "Paged", incident.PageFailed: "Could not reach", incident.StepSkipped: "Step left out",
		incident.PolicyExhausted: "Nobody answered: the policy is at its end", incident.CatchAll: "Everybody's last resort is paged",
		incident.Acknowledged: "Acknowledged", incident.AcknowledgementEnds: "Warned that the acknowledgement ends:",
		incident.AcknowledgementEnded: "The acknowledgement ended", incident.Escalated: "Escalated", incident.Reassigned: "Given away",
		incident.Snoozed: "Snoozed", incident.ResolvedEvent: "Resolved", incident.Notification: "Told", incident.Note: "Note",
		incident.SLOBreached: "The SLO is breached", incident.SLOCleared: "The SLO is clear",
	}
	if word, ok := words[kind]; ok {
		return word
	}
	return upperFirst(strings.ReplaceAll(kind, "_", " "))
}

// choices are whom the incident can be given to.
func (l *look) choices(v *Incident) {
	if !v.Open {
		return
	}
	v.Naps = v.naps()
	cfg := l.Engine.Config()
	if len(cfg.Users) <= maxChoice {
		for _, name := range slices.Sorted(maps.Keys(cfg.Users)) {
			v.People = append(v.People, Person{name, short(cfg.Users[name].FullName, 60)})
		}
	}
	schedules := l.Engine.ScheduleNames()
	if len(cfg.Users)+len(schedules)+len(cfg.Policies) > maxChoice {
		return
	}
	group := func(kind, key string, names []string) {
		t := Targets{Kind: kind}
		for _, name := range names {
			text := name
			if full := cfg.Users[name].FullName; key == "user" && full != "" {
				text += " (" + short(full, 60) + ")"
			}
			t.Names = append(t.Names, Labelled{Name: name, Text: text, Link: key + ":" + name})
		}
		if len(names) > 0 {
			v.Targets = append(v.Targets, t)
		}
	}
	group("People", "user", slices.Sorted(maps.Keys(cfg.Users)))
	group("Schedules", "schedule", schedules)
	group("Policies", "policy", slices.Sorted(maps.Keys(cfg.Policies)))
}
