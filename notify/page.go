package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// How much of a message is shown. A person who is woken reads a screen; the rest is behind the link.
const (
	shownAlerts    = 10
	shownIncidents = 10
	shownNames     = 6

	titleLength = 200 // bytes
	valueLength = 300
	labelLength = 240
)

// The colours of an event, as the chats show them beside it.
const (
	red    = "#d92c2c"
	amber  = "#d98e04"
	green  = "#2f9e44"
	indigo = "#3b5bdb"
)

// A view is a page in words, the same for mail, chat and push; dialects only dress it.
type view struct {
	Subject  string // one line that says what is broken: "[INC-1 sev2] Replication lag"
	Headline string
	Lead     string // what, how bad, since when
	Notice   string // what is special about this message; often empty
	Action   string // what ActionURL does: "Acknowledge"
	// ActionURL may be empty: then there is no button.
	ActionURL string
	Rows      []row
	Items     []item // alerts, or the incidents of a bundle
	ItemsHead string
	More      int // items not shown
	Color     string
	Urgent    bool // whether the mail is marked important

	// Words that are never empty, for services whose message has fixed fields.
	Since, Severity, AlsoPaged, Next string
}

// A row is one fact: a name, and a text or a URL.
type row struct {
	Name, Text, URL string
	Field           bool // also among the view's fixed fields
}

// An item is one alert or one incident: what it is, what it says, and details.
type item struct{ Name, Note, Details string }

// viewOf puts a message to a person into words.
func viewOf(m Message) view {
	p := m.Page
	loc := zoneOf(p.TimeZone)
	title := said(cmp.Or(p.Title, "untitled"), titleLength)
	v := view{
		Headline: title, Color: red, Urgent: p.urgent(), Action: "Acknowledge", ActionURL: p.AckURL,
		Severity:  cmp.Or(said(p.Severity, valueLength), "none given"),
		Since:     sinceWords(p.OpenedAt, loc),
		AlsoPaged: cmp.Or(enumerate(names(p.AlsoPaged), shownNames), "nobody else so far"),
		Next:      nextWords(m, loc),
	}
	switch {
	case m.Event == EventTest:
		v.testPage(m, loc)
		return v
	case len(p.Incidents) > 0 && p.Storm != nil:
		v.storm(m, loc)
	case len(p.Incidents) > 0:
		v.bundle(m, loc)
	case p.Duty != nil:
		v.duty(m, loc)
		v.dutyRows(p)
		return v
	default:
		v.Subject = tag(p.Incident, p.Severity) + title
		v.Lead = lead(p.Incident, p.Severity, "since "+v.Since, lastingWords(m.At.Sub(p.OpenedAt)))
		v.alerts(m.Alerts)
	}

	switch m.Event {
	case EventAckExpiring:
		v.Color, v.Action = amber, "Acknowledge again"
		v.Notice = "Your acknowledgement runs out. Acknowledge again, or it is triggered again and pages from the first step."
		if !p.NextAt.IsZero() {
			at := clock(p.NextAt, m.At, loc)
			v.Notice = fmt.Sprintf("Your acknowledgement runs out at %s. Acknowledge again, or it is triggered again and pages from the first step.", at)
			v.Subject = tag(p.Incident, p.Severity) + "Acknowledgement ends " + p.NextAt.In(loc).Format("15:04 MST") + ": " + title
		}
	case EventStandDown:
		word := "stood down"
		if p.Status == "acknowledged" {
			word = p.Status
		}
		v.Color, v.Urgent, v.ActionURL = indigo, false, ""
		v.Headline = strings.ToUpper(word[:1]) + word[1:] + ": " + title
		v.Subject = tag(p.Incident, word) + title
	case EventDigest:
		v.Color, v.Urgent = indigo, false
		v.Next = "to nobody; this is for your information"
	case EventResolved:
		v.Color, v.Urgent, v.ActionURL = green, false, ""
		v.Headline = "Resolved: " + title
		v.Subject = tag(p.Incident, "resolved") + title
		v.Next = "to nobody; it is over"
		v.Lead = lead(p.Incident, p.Severity, "from "+v.Since, strings.Replace(lastingWords(m.At.Sub(p.OpenedAt)), "for", "lasted", 1))
	}
	v.rows(m)
	return v
}

// rows collects the facts below the lead, in the order in which they help.
func (v *view) rows(m Message) {
	p := m.Page
	add := func(r row) {
		if r.Text+r.URL != "" {
			v.Rows = append(v.Rows, r)
		}
	}
	switch m.Event {
	case EventResolved:
		add(row{Name: "Ended by", Text: said(p.ResolvedBy, valueLength)})
	case EventStandDown:
		add(row{Name: "Why", Text: said(p.Reason, valueLength)})
	default:
		add(row{Name: "Why you", Text: whyWords(p)})
		add(row{Name: "Goes on", Text: v.Next, Field: true})
	}
	if m.Event != EventDigest {
		add(row{Name: "Also paged", Text: v.AlsoPaged, Field: true})
	}
	add(row{Name: "Runbook", URL: oneLine(p.RunbookURL)})
	name := "Incident"
	if len(p.Incidents) > 0 {
		name = "Incidents"
	}
	add(row{Name: name, URL: p.IncidentURL})
}

// bundle words a message about several incidents: more than three pages that fell due together, or the digest for
// whoever comes on call (SPEC §5.4, §5.11). The worst come first.
func (v *view) bundle(m Message, loc *time.Location) {
	incidents := worstFirst(m.Page.Incidents)
	worst, oldest := incidents[0].Severity, incidents[0].OpenedAt
	var titles []string
	for i, b := range incidents {
		if b.OpenedAt.Before(oldest) {
			oldest = b.OpenedAt
		}
		titles = append(titles, said(b.Title, 60))
		if i < shownIncidents {
			v.Items = append(v.Items, item{
				Name:    b.Incident + " " + b.Severity,
				Note:    said(b.Title, titleLength),
				Details: "since " + sinceWords(b.OpenedAt, loc),
			})
		}
	}
	n := len(incidents)
	v.More = max(0, n-shownIncidents)
	v.Severity, v.Since = worst+" at worst", sinceWords(oldest, loc)
	v.Headline = count(n, "incident") + " at once"
	if m.Event == EventDigest {
		v.Headline = "You are on call: " + count(n, "open incident")
	}
	v.Subject = fmt.Sprintf("[%s, %s] %s", count(n, "incident"), worst, enumerate(titles, 2))
	v.Lead = "Severity " + v.Severity + ", the oldest since " + v.Since
	if d := m.Page.Duty; d != nil {
		v.Subject = fmt.Sprintf("[on call, %s, %s] %s", count(n, "open incident"), worst, enumerate(titles, 2))
		v.Lead += ". " + stretchWords("You are on call in "+said(d.Schedule, valueLength), d.Start, d.End, loc)
	}
	v.ItemsHead = "Incidents"
}

// worstFirst sorts by severity: sev1 is worse than sev2.
func worstFirst(incidents []Brief) []Brief {
	sorted := slices.Clone(incidents)
	slices.SortStableFunc(sorted, func(a, b Brief) int { return cmp.Compare(a.Severity, b.Severity) })
	return sorted
}

// alerts lists what fires; alerts that are over are only counted.
func (v *view) alerts(alerts []Alert) {
	var firing []Alert
	for _, a := range alerts {
		if a.EndsAt.IsZero() {
			firing = append(firing, a)
		}
	}
	over := len(alerts) - len(firing)
	switch {
	case len(alerts) == 0:
		return
	case over == 0:
		v.ItemsHead = count(len(firing), "alert") + " firing"
	case len(firing) == 0:
		v.ItemsHead = count(over, "alert") + " resolved"
		firing = alerts
	default:
		v.ItemsHead = fmt.Sprintf("%s firing, %d resolved", count(len(firing), "alert"), over)
	}
	v.More = max(0, len(firing)-shownAlerts)
	for _, a := range firing[:min(len(firing), shownAlerts)] {
		note := cmp.Or(a.Annotations["summary"], a.Annotations["description"], a.Annotations["message"])
		var details []string
		for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
			if k != "alertname" {
				details = append(details, oneLine(k)+"="+said(a.Labels[k], valueLength))
			}
		}
		v.Items = append(v.Items, item{
			Name:    cmp.Or(said(a.Labels["alertname"], titleLength), "alert"),
			Note:    said(note, valueLength),
			Details: cutDetails(details),
		})
	}
}

// cutDetails joins whole labels while they fit: half a label tells nothing.
func cutDetails(details []string) string {
	var b strings.Builder
	for i, d := range details {
		if b.Len()+len(d) > labelLength && i > 0 {
			return b.String() + fmt.Sprintf(" and %d more", len(details)-i)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(d)
	}
	return b.String()
}

// tag begins a subject: "[INC-1 sev2] ".
func tag(parts ...string) string {
	words := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
	if words == "" {
		return ""
	}
	return "[" + said(words, valueLength) + "] "
}

func lead(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func sinceWords(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return instant(t, loc)
}

// lastingWords says "for 5m30s"; nothing for what has just begun, or has no known beginning.
func lastingWords(d time.Duration) string {
	if d < time.Second || d > 10*365*24*time.Hour {
		return ""
	}
	return "for " + lasting(d)
}

// nextWords says when it goes to whom, if nobody acknowledges (SPEC §3).
func nextWords(m Message, loc *time.Location) string {
	p := m.Page
	if p.NextAt.IsZero() {
		return "to nobody else"
	}
	return fmt.Sprintf("to %s at %s, unless somebody acknowledges", cmp.Or(said(p.NextWho, valueLength), "the next step"), clock(p.NextAt, m.At, loc))
}

// whyWords says why this person is told, and where on the ladder that is.
func whyWords(p *Page) string {
	var place []string
	if p.Policy != "" {
		place = append(place, "policy "+p.Policy)
	}
	if p.Step > 0 {
		place = append(place, fmt.Sprintf("step %d", p.Step))
	}
	if p.Cycle > 1 {
		place = append(place, fmt.Sprintf("walk %d", p.Cycle))
	}
	reason, where := said(p.Reason, valueLength), strings.Join(place, ", ")
	switch {
	case reason == "":
		return where
	case where == "":
		return reason
	}
	return reason + " (" + where + ")"
}

func names(raw []string) []string {
	out := make([]string, len(raw))
	for i, n := range raw {
		out[i] = said(n, valueLength)
	}
	return out
}
