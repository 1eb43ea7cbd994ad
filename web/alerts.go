package web

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/router"
)

// Alerts is the page of what fires: in groups, or one after the other.
type Alerts struct {
	Shell
	Query     string // matchers
	Wrong     string // what is the matter with them; empty: nothing
	Try       *Link  // what was probably meant
	Receiver  string
	Receivers []string
	Flat      bool
	Shows     []Toggle
	Groups    []AlertGroup
	Rows      []AlertRow
	Count     string // how many there are
	Paged     string // which of them are here, where that is not all
	Hidden    string // what was left out, and how it is shown; empty: nothing
	Empty     []string
	Links     []Link // what to do where there is nothing
	First     string // links to other pages; empty: there are none
	Next      string
	Silence   string // the page that silences all that are asked for; empty: the filter says nothing
}

// A Toggle is one box of several.
type Toggle struct {
	Name, Text string
	On         bool
}

// A Link leads somewhere, from the root.
type Link struct{ Text, Link string }

// An AlertGroup is the alerts that are told together.
type AlertGroup struct {
	ID       string // of the element
	Labels   []Link // a tap adds one to the filter
	Receiver string
	Only     string // the page with this receiver's alerts alone
	Count    string
	Next     Moment // when it speaks
	MutedBy  string // the time intervals that mute it
	Rows     []AlertRow
	More     *Link // to the others
	Silence  string
	Route    string // its route
}

// An AlertRow is one alert.
type AlertRow struct {
	ID       string // of the element
	Name     string
	Only     string // the page with the alerts of that name
	Since    Moment
	Labels   []Link // but for the name, and what its group has already
	More     int    // labels that are not shown
	Summary  string
	Notes    []Fact // the other annotations
	Quiet    []Link // why nobody hears of it
	Severity string // the label
	Source   string // where it comes from: http or https
	Runbook  string
	Silence  string
	Trace    string
	Incident *Link
}

// Limits of the page.
const (
	alertsAPage     = 100
	groupsPerPage   = 50
	alertsPerGroup  = 2      // while there are many groups
	alertsFewGroups = 20     // while there are few
	fewGroups       = 5      // so many
	countedPerGroup = 500    // alerts of one group that are counted exactly
	alertsSeen      = 20_000 // that are looked at for one page, however many of them are hidden
	labelsShown     = 24     // of one alert
	notesShown      = 12
	noteLetters     = 1000 // of one annotation
	labelLetters    = 120  // of one label
	maxMatchersText = 8 << 10
)

// The states that can be shown and hidden.
var alertStates = []Toggle{{"active", "Active", true}, {"silenced", "Silenced", false}, {"inhibited", "Inhibited", false}, {"muted", "Muted by time", false}}

func (p *Pages) alertPaths() {
	p.read("/alerts", p.alerts)
	p.read("/silences", p.silences)
	p.read("/silences/new", p.newSilence)
	p.read("/silences/{id}", p.silence)
	p.act("/silences/make", p.makeSilence)
	p.act("/silences/{id}/end", p.endSilence)
	p.act("/silences/{id}/until", p.moveSilence)
	p.act("/recurring/make", p.makePlan)
	p.act("/recurring/drop", p.dropPlan)
	p.read("/routes", p.routes)
	p.read("/status", p.status)
}

// alertsAsk is what the address asks for.
type alertsAsk struct {
	text     string
	set      router.MatcherSet
	receiver string
	flat     bool
	show     map[string]bool
	from     uint64 // a fingerprint, or the number of a group
}

func readAlertsAsk(v url.Values) (a alertsAsk, err error) {
	a = alertsAsk{receiver: v.Get("receiver"), flat: v.Get("view") == "flat", show: map[string]bool{}}
	for _, name := range v["show"] {
		a.show[name] = true
	}
	if len(v["show"]) == 0 {
		a.show["active"] = true
	}
	base := 10
	if a.flat {
		base = 16
	}
	a.from, _ = strconv.ParseUint(v.Get("from"), base, 64) // nonsense is the beginning
	a.text = strings.TrimSpace(strings.Join(v["filter"], ", "))
	if a.set, err = readMatchers(a.text); err == nil {
		a.text = matchersText(a.set)
	}
	return a, err
}

// readMatchers reads matchers as somebody writes them: with commas or on lines of their own, with or without braces. None are
// an empty set.
func readMatchers(text string) (router.MatcherSet, error) {
	if len(text) > maxMatchersText {
		return nil, fmt.Errorf("the matchers have %d bytes; at most %d are read", len(text), maxMatchersText)
	}
	var all router.MatcherSet
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		if line == "" {
			continue
		}
		set, err := router.ParseMatchers([]string{line}, "web")
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %s. Write matchers such as service=\"db\", severity=~\"critical|page\" or env!=\"test\"", short(line, 120), cleanError(err))
		}
		all = append(all, set...)
	}
	if _, err := router.FilterOf(all); err != nil {
		return nil, err
	}
	return all, nil
}

// cleanError is what a parser says, in one line.
func cleanError(err error) string { return short(strings.Join(strings.Fields(err.Error()), " "), 300) }

// link leads to what is asked for, from its beginning.
func (a alertsAsk) link() string {
	v := url.Values{}
	if a.text != "" {
		v.Set("filter", a.text)
	}
	if a.receiver != "" {
		v.Set("receiver", a.receiver)
	}
	if a.flat {
		v.Set("view", "flat")
	}
	for _, s := range alertStates {
		if a.show[s.Name] && (s.Name != "active" || len(a.show) > 1) {
			v.Add("show", s.Name)
		}
	}
	if a.from > 0 && a.flat {
		v.Set("from", strconv.FormatUint(a.from, 16))
	} else if a.from > 0 {
		v.Set("from", strconv.FormatUint(a.from, 10))
	}
	if len(v) == 0 {
		return "alerts"
	}
	return "alerts?" + v.Encode()
}

// with is the question with one more matcher, from the first page on.
func (a alertsAsk) with(name, value string) alertsAsk {
	a.from = 0
	m := router.Matcher{Name: name, Value: value}
	if slices.Contains(a.set, m) {
		return a
	}
	if len(a.set) > 0 {
		a.text += ", "
	}
	a.set, a.text = append(slices.Clip(a.set), m), a.text+matcherText(m)
	return a
}

// matchersText writes matchers as one line.
func matchersText(set router.MatcherSet) string {
	texts := make([]string, len(set))
	for i := range set {
		texts[i] = matcherText(set[i])
	}
	return strings.Join(texts, ", ")
}

// matcherText is Matcher.String, which is slow for a page with a thousand of them.
func matcherText(m router.Matcher) string {
	plain := func(r rune) bool {
		return r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	if m.Type != 0 || strings.ContainsAny(m.Value, "\\\"\n") || m.Name == "" || strings.TrimFunc(m.Name, plain) != "" || m.Name[0] <= '9' {
		return m.String()
	}
	return m.Name + `="` + m.Value + `"`
}

// alertsLink leads to the alerts that the matchers match, whatever keeps them quiet.
func alertsLink(set router.MatcherSet) string {
	a := alertsAsk{text: matchersText(set), flat: true, show: map[string]bool{}}
	for _, s := range alertStates {
		a.show[s.Name] = true
	}
	return a.link()
}

// silenceLink leads to a new silence of alerts that have these labels.
func silenceLink(l router.Labels) string {
	set := make(router.MatcherSet, 0, len(l))
	for _, p := range l {
		set = append(set, router.Matcher{Name: p.Name, Value: p.Value})
	}
	return "silences/new?" + url.Values{"matchers": {matchersText(set)}}.Encode()
}

func traceLink(l router.Labels) string {
	return "routes?" + url.Values{"trace": {l.String()}}.Encode() + "#trace"
}

// alerts shows the page.
func (p *Pages) alerts(w http.ResponseWriter, r *http.Request) {
	v := &Alerts{Shell: p.frame(r, "alerts", "Alerts")}
	v.Live = OfAlerts + " " + OfSilences
	a, err := readAlertsAsk(r.URL.Query())
	v.Query, v.Receiver, v.Flat = a.text, a.receiver, a.flat
	v.Receivers = p.receiverNames(a.receiver)
	v.Shows = slices.Clone(alertStates)
	for i := range v.Shows {
		v.Shows[i].On = a.show[v.Shows[i].Name]
	}
	if err != nil {
		v.Wrong = err.Error() + "."
		if word := strings.TrimSpace(a.text); !strings.ContainsAny(word, "=~!{}\"\n,") && len(word) < 100 {
			meant := a
			meant.text = "alertname=~" + strconv.Quote("(?i).*"+regexp.QuoteMeta(word)+".*")
			v.Try = &Link{meant.text, meant.link()}
		}
		p.show(w, r, http.StatusBadRequest, "alerts", v)
		return
	}
	if len(a.set) > 0 {
		v.Silence = "silences/new?" + url.Values{"matchers": {a.text}}.Encode()
	}
	if a.flat {
		p.listAlerts(v, a)
	} else {
		p.listGroups(v, a)
	}
	if a.from > 0 {
		first := a
		first.from = 0
		v.First = first.link()
	}
	v.explain(a)
	p.show(w, r, http.StatusOK, "alerts", v)
}

// receiverNames are those that the configuration has, and the one that is asked for.
func (p *Pages) receiverNames(asked string) (names []string) {
	cfg := p.Engine.Config()
	for name := range cfg.Routing.Receivers {
		names = append(names, name)
	}
	for name := range cfg.Incidents {
		names = append(names, name)
	}
	if asked != "" {
		names = append(names, asked)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// question is what the router is asked.
func (p *Pages) question(v *Alerts, a alertsAsk) router.Ask {
	ask := router.Ask{Now: v.Now}
	if len(a.set) > 0 {
		ask.Labels, _ = router.FilterOf(a.set) // it was read by it
	}
	if a.receiver != "" {
		ask.Receivers = []func(string) bool{func(name string) bool { return name == a.receiver }}
	}
	return ask
}

// shows reports whether an alert in this standing is wanted.
func (a alertsAsk) shows(s *router.Sight, muted bool) bool {
	quiet := len(s.SilencedBy) > 0 || len(s.InhibitedBy) > 0 || muted
	return (a.show["active"] || quiet) && (a.show["silenced"] || len(s.SilencedBy) == 0) && (a.show["inhibited"] || len(s.InhibitedBy) == 0) && (a.show["muted"] || !muted)
}

// listAlerts lists one page of the alerts.
func (p *Pages) listAlerts(v *Alerts, a alertsAsk) {
	all, alerts := p.Engine.Router().SeeFrom(p.question(v, a), a.from)
	v.Count = figure(all, "alert")
	looked, hidden := 0, 0
	var shown []uint64
	for s := range alerts {
		if looked++; len(v.Rows) == alertsAPage || looked > alertsSeen {
			next := a
			next.from = s.Alert.Fingerprint()
			v.Next = next.link()
			break
		}
		mutedBy := p.mutedAlert(s.Alert.Labels)
		if !a.shows(s, mutedBy != "") {
			hidden++
			continue
		}
		v.Rows = append(v.Rows, p.alertRow(&v.Shell, s, a, mutedBy, nil))
		shown = append(shown, s.Alert.Fingerprint())
	}
	if len(v.Rows) < all {
		v.Paged = figure(len(v.Rows), "alert") + " on this page"
	}
	v.Hidden = hiddenWords(hidden, v.Next != "")
	p.addIncidents(v, shown)
}

// mutedAlert names the time intervals that mute all groups of an alert; empty: some group speaks.
func (p *Pages) mutedAlert(l router.Labels) string {
	if p.Muted == nil {
		return ""
	}
	by := ""
	for _, g := range p.Engine.Router().GroupsOf(l) {
		names := p.Muted(g.RouteID)
		if len(names) == 0 {
			return ""
		}
		by = list(names, 200)
	}
	return by
}

func hiddenWords(hidden int, more bool) string {
	switch {
	case hidden == 0:
		return ""
	case more:
		return "At least " + figure(hidden, "alert") + " not shown: nobody hears of what is silenced, inhibited or muted. Tick the boxes to see it."
	case hidden == 1:
		return "1 alert is not shown: nobody hears of what is silenced, inhibited or muted. Tick the boxes to see it."
	}
	return figure(hidden, "alert") + " are not shown: nobody hears of what is silenced, inhibited or muted. Tick the boxes to see them."
}

// listGroups lists one page of the groups.
func (p *Pages) listGroups(v *Alerts, a alertsAsk) {
	at, looked, hidden := uint64(0), 0, 0
	var shown []uint64
	type kept struct {
		view   router.View
		muted  string
		alerts []router.Sight
		all    int
	}
	var groups []kept
	for view, alerts := range p.Engine.Router().SeeGroups(p.question(v, a)) {
		if at++; at <= a.from {
			continue
		}
		if len(groups) == groupsPerPage || looked > alertsSeen {
			next := a
			next.from = at - 1
			v.Next = next.link()
			break
		}
		k := kept{view: view}
		if p.Muted != nil {
			k.muted = list(p.Muted(view.Group.RouteID), 200)
		}
		for s := range alerts {
			if looked++; !a.shows(s, k.muted != "") {
				hidden++
				continue
			}
			if k.all++; len(k.alerts) < alertsFewGroups {
				k.alerts = append(k.alerts, copied(s))
			}
			if k.all > countedPerGroup {
				break
			}
		}
		if k.all > 0 {
			groups = append(groups, k)
		}
	}
	most := alertsPerGroup
	if len(groups) <= fewGroups {
		most = alertsFewGroups
	}
	for i, k := range groups {
		g := p.alertGroup(v, a, i, k.view, k.muted)
		g.Count = figure(k.all, "alert")
		if k.all > countedPerGroup {
			g.Count = fmt.Sprintf("more than %s", figure(countedPerGroup, "alert"))
		}
		for j := range k.alerts[:min(len(k.alerts), most)] {
			row := p.alertRow(&v.Shell, &k.alerts[j], a, "", k.view.Group.Labels)
			row.ID = fmt.Sprintf("g%d-%s", i, row.ID) // an alert may be in several groups
			g.Rows = append(g.Rows, row)
			shown = append(shown, k.alerts[j].Alert.Fingerprint())
		}
		if k.all > len(g.Rows) {
			g.More = &Link{"Show all " + g.Count, a.group(k.view.Group).link()}
			if k.all > countedPerGroup {
				g.More.Text = "Show them all"
			}
		}
		v.Groups = append(v.Groups, g)
	}
	v.Count = figure(len(groups), "group")
	if v.Next != "" || a.from > 0 {
		v.Count = fmt.Sprintf("Groups from the %s on", ordinal(int(a.from)+1)) //nolint:gosec // they are in memory
	}
	v.Hidden = hiddenWords(hidden, v.Next != "")
	p.addIncidents(v, shown)
}

// ordinal is a place in a row: 1st, 52nd.
func ordinal(n int) string {
	end := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		end = "st"
	case n%10 == 2:
		end = "nd"
	case n%10 == 3:
		end = "rd"
	}
	return grouped(n) + end
}

// copied is a sight that may be kept.
func copied(s *router.Sight) router.Sight {
	c := *s
	c.Alert = *s.Alert.Clone()
	c.Receivers, c.SilencedBy, c.InhibitedBy = slices.Clone(s.Receivers), slices.Clone(s.SilencedBy), slices.Clone(s.InhibitedBy)
	return c
}

// group asks for one group's alerts: as far as its labels tell, which is all of them but for those of other routes with the
// same receiver and labels.
func (a alertsAsk) group(g router.Group) alertsAsk {
	for _, l := range g.Labels {
		a = a.with(l.Name, l.Value)
	}
	a.receiver, a.flat, a.from = g.Receiver, true, 0
	return a
}

func (p *Pages) alertGroup(v *Alerts, a alertsAsk, i int, view router.View, muted string) AlertGroup {
	g := AlertGroup{
		ID: "group-" + view.Group.ID, Receiver: short(view.Group.Receiver, labelLetters), Next: v.moment(view.Group.Next), MutedBy: muted,
		Route: "routes#" + routeAnchor(view.Group.RouteID), Silence: silenceLink(view.Group.Labels),
	}
	if len(view.Group.Labels) == 0 {
		g.Silence = ""
	}
	only := a
	only.receiver, only.from = view.Group.Receiver, 0
	g.Only = only.link()
	for _, l := range view.Group.Labels {
		g.Labels = append(g.Labels, labelChip(l, a))
	}
	return g
}

func labelChip(l router.Label, a alertsAsk) Link {
	return Link{short(l.Name+"="+strconv.Quote(l.Value), labelLetters), a.with(l.Name, l.Value).link()}
}

// alertRow is one alert. What its group says already it does not say again.
func (p *Pages) alertRow(s *Shell, a *router.Sight, ask alertsAsk, muted string, group router.Labels) AlertRow {
	al := a.Alert.Clone() // the row outlives it
	row := AlertRow{
		ID: fmt.Sprintf("a-%016x", al.Fingerprint()), Name: short(al.Name(), 200), Since: s.moment(al.StartsAt), Source: webLink(al.GeneratorURL),
		Silence: silenceLink(al.Labels), Trace: traceLink(al.Labels), Severity: short(al.Labels.Get("severity"), 40),
	}
	if row.Name == "" {
		row.Name = "An alert without a name"
	} else {
		row.Only = ask.with("alertname", al.Name()).link()
	}
	for _, l := range al.Labels {
		if l.Name == "alertname" || group.Get(l.Name) == l.Value {
			continue
		}
		if len(row.Labels) == labelsShown {
			row.More++
			continue
		}
		row.Labels = append(row.Labels, labelChip(l, ask))
	}
	for _, n := range al.Annotations {
		switch {
		case n.Value == "":
		case n.Name == "summary" && row.Summary == "":
			row.Summary = short(n.Value, 300)
		case n.Name == "runbook_url" && webLink(n.Value) != "":
			row.Runbook = n.Value
		case len(row.Notes) < notesShown:
			row.Notes = append(row.Notes, Fact{Name: short(n.Name, labelLetters), Text: short(n.Value, noteLetters), Link: webLink(n.Value)})
		}
	}
	for _, id := range a.SilencedBy[:min(len(a.SilencedBy), 3)] {
		row.Quiet = append(row.Quiet, Link{"Silenced", "silences/" + url.PathEscape(id)})
	}
	if len(a.InhibitedBy) > 0 {
		row.Quiet = append(row.Quiet, p.inhibitedBy(al.Labels, s.Now))
	}
	if muted != "" {
		row.Quiet = append(row.Quiet, Link{Text: "Muted by time: " + muted})
	}
	return row
}

// inhibitedBy leads to the alert that keeps one with these labels quiet.
func (p *Pages) inhibitedBy(l router.Labels, now time.Time) Link {
	by := p.Engine.Router().InhibitedBy(l, now)
	if by == nil {
		return Link{Text: "Inhibited"}
	}
	set := make(router.MatcherSet, 0, len(by.Labels))
	for _, p := range by.Labels {
		set = append(set, router.Matcher{Name: p.Name, Value: p.Value})
	}
	return Link{"Inhibited by " + short(by.Name(), 80), alertsLink(set)}
}

// webLink is an address that a browser may be led to: http or https, and no other. Empty: it is none.
func webLink(text string) string {
	if len(text) > 2048 {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return text
}

// addIncidents says to which open incidents the rows belong, in the order in which they were listed.
func (p *Pages) addIncidents(v *Alerts, fps []uint64) {
	found := p.Engine.IncidentsOf(fps)
	i := 0
	for row := range v.rows() {
		if in, ok := found[fps[i]]; ok {
			row.Incident = &Link{in.ID(), "incidents/" + in.ID()}
		}
		i++
	}
}

// rows are all of the page.
func (v *Alerts) rows() iter.Seq[*AlertRow] {
	return func(yield func(*AlertRow) bool) {
		for g := range v.Groups {
			for i := range v.Groups[g].Rows {
				if !yield(&v.Groups[g].Rows[i]) {
					return
				}
			}
		}
		for i := range v.Rows {
			if !yield(&v.Rows[i]) {
				return
			}
		}
	}
}

// explain says why there is nothing, and what to do.
func (v *Alerts) explain(a alertsAsk) {
	if len(v.Groups)+len(v.Rows) > 0 || v.Next != "" {
		return
	}
	v.Count = ""
	switch {
	case v.Hidden != "":
		v.Empty = []string{"Nothing that is asked for fires, but for what is kept quiet."}
	case len(a.set) > 0 || a.receiver != "":
		v.Empty = []string{"No alert that fires is asked for here."}
		v.Links = []Link{{"Show all alerts", "alerts"}, {"See where such an alert would go", "routes"}}
	default:
		v.Empty = []string{"Nothing fires.", "If you expected alerts: see in the status when the last one came, and that Prometheus has this address under alerting."}
		v.Links = []Link{{"Status", "status"}}
	}
}

// figure is a number of things, as people write it: 12,345 alerts.
func figure(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped writes a number in groups of three.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
