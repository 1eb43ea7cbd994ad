package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// Routes is the page of the routing tree, with the way of one alert through it.
type Routes struct {
	Shell
	Text   string // the labels, as they were pasted
	Wrong  string
	Traced *Traced // nil: nothing is traced
	Rows   []RouteRow
	Paged  string
	First  string
	Next   string
}

// A RouteRow is one route.
type RouteRow struct {
	ID       string // of the element
	Depth    int    // as far as it is shown
	Deep     string // how deep it lies, for who hears the page
	Matchers []string
	Receiver string
	Alerts   string // the page of the receiver's alerts
	Policy   string // that incidents of the receiver page by
	Counts   string
	GroupBy  string
	Waits    string
	Hours    string // time intervals
	MutedBy  string // those that mute it now
	Continue bool
}

// A Traced is the way of one alert.
type Traced struct {
	Labels   []string
	Takes    []TakenBy
	Visits   []VisitRow
	Refused  string // how many routes do not want it
	Silenced []Link // the silences that mute it
	Inhibit  *Link  // the alert that inhibits it
	Fires    bool   // it fires now
	Only     string // the page with the alert
	Happens  []HappenRow
	Told     string // of what happens
	Made     string // the page that silences such alerts
}

// A TakenBy is a route that takes the alert.
type TakenBy struct {
	Receiver, Link string // to the route
	Group          []string
	Key            string
	Waits          string
	Next           Moment // when the group that there is speaks; zero: there is none
	MutedBy        string
	Policy         string
}

// A VisitRow is what one route did with the alert.
type VisitRow struct {
	Depth    int
	Receiver string
	Matchers []string
	Link     string
	Sign     string // ✓ → ✗ ·
	Verdict  string
}

// A HappenRow is one thing that would happen if nobody answered.
type HappenRow struct {
	After string
	At    Moment
	What  string
	Why   string
}

// A Foreseen is one line of a simulation.
type Foreseen struct {
	After string // since the alert fired, as 5m30s
	At    time.Time
	Event incident.Event
}

// Limits of the page.
const (
	maxSimulating = 2 // at once: each may cost a second of a core
	routesPerPage = 200
	routeDepth    = 6       // deeper ones are shown as if they were so deep
	visitsShown   = 40      // routes on the way of one alert
	maxTraceText  = 8 << 10 // bytes
	maxTraceSet   = 64      // labels
	happensShown  = 60
	traceWait     = 5 * time.Second // for those who simulate at the same time
)

func (p *Pages) routes(w http.ResponseWriter, r *http.Request) {
	v := &Routes{Shell: p.frame(r, "routes", "Routes")}
	status := http.StatusOK
	if v.Text = r.URL.Query().Get("trace"); strings.TrimSpace(v.Text) != "" {
		set, err := readLabels(v.Text)
		if err != nil {
			v.Wrong, status = upperFirst(err.Error())+".", http.StatusBadRequest
			v.Text = short(v.Text, maxTraceText)
		} else {
			v.Traced = p.traced(r.Context(), &v.Shell, set)
			v.Text = labelLines(set)
		}
	}
	p.fillRoutes(v, r)
	p.show(w, r, status, "routes", v)
}

// routeAnchor is the name of a route's place on the page of routes.
func routeAnchor(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return fmt.Sprintf("r-%08x", h.Sum32())
}

func (p *Pages) fillRoutes(v *Routes, r *http.Request) {
	all := p.Engine.Router().Routes(v.Now)
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from < 0 || from >= len(all) {
		from = 0
	}
	page := all[from:min(len(all), from+routesPerPage)]
	if from > 0 {
		v.First = "routes"
	}
	if rest := from + len(page); rest < len(all) {
		v.Next = fmt.Sprintf("routes?from=%d", rest)
	}
	v.Paged = figure(len(all), "route")
	if len(page) < len(all) {
		v.Paged = fmt.Sprintf("Routes %s to %s of %s", grouped(from+1), grouped(from+len(page)), grouped(len(all)))
	}
	seen := map[string]int{}
	for i := range page {
		row := p.routeRow(&page[i])
		if seen[row.ID]++; seen[row.ID] > 1 {
			row.ID += "-" + strconv.Itoa(seen[row.ID])
		}
		v.Rows = append(v.Rows, row)
	}
}

func (p *Pages) routeRow(r *router.RouteView) RouteRow {
	row := RouteRow{
		ID: routeAnchor(r.ID), Depth: min(r.Depth, routeDepth), Receiver: short(r.Receiver, labelLetters), Continue: r.Continue,
		Alerts:  alertsAsk{receiver: r.Receiver, show: map[string]bool{"active": true}}.link(),
		Policy:  p.Engine.Config().Incidents[r.Receiver].Policy,
		GroupBy: groupWords(r.GroupBy),
		Waits:   fmt.Sprintf("waits %s, then at least every %s, repeats after %s", span(r.Wait), span(r.Interval), span(r.Repeat)),
		Hours:   hoursWords(r), MutedBy: p.mutedRoute(r.ID),
	}
	switch r.Depth {
	case 0:
		row.Deep = "The first route"
	case 1:
		row.Deep = "Below the first route"
	default:
		row.Deep = fmt.Sprintf("%d levels below the first route", r.Depth)
	}
	for _, m := range r.Matchers {
		row.Matchers = append(row.Matchers, short(m, labelLetters))
	}
	if r.Groups > 0 {
		row.Counts = figure(r.Firing, "alert") + " in " + figure(r.Groups, "group") + " now"
	}
	return row
}

func (p *Pages) mutedRoute(id string) string {
	if p.Muted == nil {
		return ""
	}
	return list(p.Muted(id), 200)
}

func groupWords(by []string) string {
	switch {
	case len(by) == 0:
		return "all its alerts in one group"
	case len(by) == 1 && by[0] == "...":
		return "each alert for itself"
	}
	return "grouped by " + list(by, 200)
}

func hoursWords(r *router.RouteView) string {
	var parts []string
	if len(r.ActiveTimes) > 0 {
		parts = append(parts, "speaks only during "+list(r.ActiveTimes, 120))
	}
	if len(r.MuteTimes) > 0 {
		parts = append(parts, "is silent during "+list(r.MuteTimes, 120))
	}
	return strings.Join(parts, ", ")
}

// span is a length of time as the configuration writes it: 30s, 5m, 4h, 1d.
func span(d time.Duration) string {
	switch {
	case d > 0 && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d < time.Second:
		return d.String()
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// readLabels reads what somebody pastes: {a="b", c="d"}, lines of a=b, or JSON, also that of a whole alert.
func readLabels(text string) (router.Labels, error) {
	if len(text) > maxTraceText {
		return nil, fmt.Errorf("the labels have %d bytes; at most %d are read", len(text), maxTraceText)
	}
	text = strings.TrimSpace(text)
	set, isJSON := labelsOfJSON(text)
	if !isJSON {
		var err error
		if set, err = labelsOfText(text); err != nil {
			return nil, err
		}
	}
	if len(set) == 0 {
		return nil, errors.New(`there are no labels in it; write {alertname="Lag", service="db"}, or a label a line`)
	}
	if len(set) > maxTraceSet {
		return nil, fmt.Errorf("there are %d labels; at most %d are read", len(set), maxTraceSet)
	}
	return router.LabelsOf(set).WithoutEmpty(), nil
}

func labelsOfJSON(text string) (set map[string]string, ok bool) {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return nil, false
	}
	if json.Unmarshal([]byte(text), &set) == nil {
		return set, true
	}
	var one struct {
		Labels map[string]string `json:"labels"`
	}
	if json.Unmarshal([]byte(text), &one) == nil && len(one.Labels) > 0 {
		return one.Labels, true
	}
	many := []struct {
		Labels map[string]string `json:"labels"`
	}{}
	if json.Unmarshal([]byte(text), &many) == nil && len(many) > 0 {
		return many[0].Labels, true
	}
	return nil, false
}

// labelsOfText reads pairs that are separated by commas or lines. A value may be quoted, as Go and Prometheus do it.
func labelsOfText(text string) (map[string]string, error) {
	if name, rest, ok := strings.Cut(text, "{"); ok && strings.HasSuffix(text, "}") && !strings.ContainsAny(name, "=\n\"") {
		text = strings.TrimSuffix(rest, "}")
		if name = strings.TrimSpace(name); name != "" { // as Prometheus writes a series: up{job="x"}
			text = "alertname=" + strconv.Quote(name) + "," + text
		}
	}
	set := map[string]string{}
	for rest := strings.TrimLeft(text, " \t\r\n,"); rest != ""; rest = strings.TrimLeft(rest, " \t\r\n,") {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if !ok || name == "" || strings.ContainsAny(name, "\n,{}!~") || strings.HasPrefix(after, "~") {
			return nil, fmt.Errorf("%s is no label; write name=\"value\"", short(strings.TrimSpace(cutLine(rest)), 80))
		}
		after = strings.TrimLeft(after, " \t")
		if quoted, err := strconv.QuotedPrefix(after); err == nil && quoted[0] == '"' {
			value, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("the value of %s cannot be read", short(name, 80))
			}
			set[name], rest = value, after[len(quoted):]
			continue
		}
		if strings.HasPrefix(after, `"`) {
			return nil, fmt.Errorf("the value of %s has no end: a quotation mark is missing", short(name, 80))
		}
		end := strings.IndexAny(after, ",\n")
		if end < 0 {
			end = len(after)
		}
		set[name], rest = strings.TrimSpace(after[:end]), after[end:]
	}
	return set, nil
}

func cutLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// labelLines writes labels a line each, as the box shows them.
func labelLines(l router.Labels) string {
	lines := make([]string, len(l))
	for i := range l {
		lines[i] = l[i].Name + "=" + strconv.Quote(l[i].Value)
	}
	return strings.Join(lines, "\n")
}

// traced follows an alert with these labels.
func (p *Pages) traced(ctx context.Context, s *Shell, l router.Labels) *Traced {
	t := &Traced{Made: silenceLink(l)}
	for _, p := range l {
		t.Labels = append(t.Labels, short(p.Name+"="+strconv.Quote(p.Value), labelLetters))
	}
	rt := p.Engine.Router()
	refused := 0
	for _, v := range rt.Trace(l, s.Now, visitsShown) {
		row := VisitRow{Depth: min(v.Route.Depth, routeDepth), Receiver: short(v.Route.Receiver, labelLetters), Link: "routes#" + routeAnchor(v.Route.ID)}
		for _, m := range v.Route.Matchers {
			row.Matchers = append(row.Matchers, short(m, labelLetters))
		}
		switch v.Verdict {
		case router.Takes:
			row.Sign, row.Verdict = "✓", "takes it"
			t.Takes = append(t.Takes, p.takenBy(s, &v))
		case router.Passes:
			row.Sign, row.Verdict = "→", "matches, and a route below takes it"
		case router.Refuses:
			refused++
			row.Sign, row.Verdict = "✗", "does not match: wants "+short(v.Failed, 120)+", and the alert has "+hasWords(v.Has)
		case router.Skipped:
			row.Sign, row.Verdict = "·", "is not asked: a route before it matched, and has no continue"
		}
		t.Visits = append(t.Visits, row)
	}
	silenced, _ := rt.Suppressed(l, s.Now)
	for _, id := range silenced {
		sil, _ := rt.Silence(id)
		text := "A silence until " + s.moment(sil.EndsAt).Clock()
		if sil.CreatedBy != "" {
			text += " by " + short(sil.CreatedBy, 60)
		}
		if sil.Comment != "" {
			text += ": " + short(sil.Comment, 120)
		}
		t.Silenced = append(t.Silenced, Link{text, "silences/" + url.PathEscape(id)})
	}
	if by, rule := rt.WouldInhibit(l, s.Now); by != nil {
		set := make(router.MatcherSet, 0, len(by.Labels))
		for _, p := range by.Labels {
			set = append(set, router.Matcher{Name: p.Name, Value: p.Value})
		}
		text := short(by.Name(), 80)
		if rule != "" {
			text += ", by the rule " + short(rule, 80)
		}
		t.Inhibit = &Link{text, alertsLink(set)}
	}
	if a := rt.Alerts().Get(l); a != nil && !a.ResolvedAt(s.Now) {
		set := make(router.MatcherSet, 0, len(l))
		for _, p := range l {
			set = append(set, router.Matcher{Name: p.Name, Value: p.Value})
		}
		t.Fires, t.Only = true, alertsLink(set)
	}
	p.happens(ctx, s, t, l)
	return t
}

func hasWords(value string) string {
	if value == "" {
		return "no such label"
	}
	return strconv.Quote(short(value, 80))
}

func (p *Pages) takenBy(s *Shell, v *router.Visit) TakenBy {
	t := TakenBy{
		Receiver: short(v.Route.Receiver, labelLetters), Link: "routes#" + routeAnchor(v.Route.ID), Key: short(v.Group.Key, 400),
		MutedBy: p.mutedRoute(v.Route.ID), Policy: p.Engine.Config().Incidents[v.Route.Receiver].Policy,
		Waits: fmt.Sprintf("No such group yet: it would speak after %s, and then at least every %s while it has news.", span(v.Route.Wait), span(v.Route.Interval)),
	}
	for _, l := range v.Group.Labels {
		t.Group = append(t.Group, short(l.Name+"="+strconv.Quote(l.Value), labelLetters))
	}
	if v.There {
		t.Next, t.Waits = s.moment(v.Group.Next), ""
	}
	return t
}

// happens says who would be paged, how and when: it is `midwatch simulate`. Few may ask at once.
func (p *Pages) happens(ctx context.Context, s *Shell, t *Traced, l router.Labels) {
	if p.Simulate == nil {
		return
	}
	wait, done := context.WithTimeout(ctx, traceWait)
	defer done()
	select {
	case p.simulating <- struct{}{}:
		defer func() { <-p.simulating }()
	case <-wait.Done():
		t.Told = "Others trace alerts just now, so who would be paged is not told. Load this page again in a few seconds."
		return
	}
	set := map[string]string{}
	for _, p := range l {
		set[p.Name] = p.Value
	}
	lines, err := p.Simulate(ctx, set, s.Now)
	if err != nil {
		p.Log.Warn("an alert could not be traced to its end", zap.Error(err))
		t.Told = "Who would be paged cannot be told: " + cleanError(err) + "."
		return
	}
	for _, f := range lines {
		if f.Event.Kind == incident.Note {
			continue
		}
		if len(t.Happens) == happensShown {
			t.Told = fmt.Sprintf("These are the first %d things. With the command line: midwatch simulate.", happensShown)
			break
		}
		t.Happens = append(t.Happens, HappenRow{After: f.After, At: s.moment(f.At), What: p.foreseen(f.Event), Why: short(cmp.Or(f.Event.Reason, f.Event.Text), 240)})
	}
	if len(t.Happens) == 0 {
		t.Told = "Nobody hears of this alert: no receiver on its way sends anything or opens incidents."
	}
}

// foreseen says one event in words.
func (p *Pages) foreseen(e incident.Event) string {
	words := map[string]string{
		incident.Opened: "Incident opens", incident.Paged: "Pages", incident.PageFailed: "Cannot reach", incident.StepSkipped: "A step is left out",
		incident.PolicyExhausted: "The policy is at its end", incident.CatchAll: "Pages the last resort", incident.Notification: "Tells",
		incident.ResolvedEvent: "Resolves", incident.SeverityChanged: "Severity changes",
	}
	text, known := words[e.Kind]
	if !known {
		text = upperFirst(strings.ReplaceAll(e.Kind, "_", " "))
	}
	who := e.User
	if who != "" {
		who = (&look{Pages: p}).person(who)
	}
	who = cmp.Or(who, short(e.Receiver, labelLetters))
	if who != "" {
		text += " " + who
	}
	if e.Via != "" {
		text += " by " + short(e.Via, 60)
	}
	if e.Severity != "" && slices.Contains([]string{incident.Opened, incident.SeverityChanged}, e.Kind) {
		text += ", " + short(e.Severity, 20)
	}
	return text
}
