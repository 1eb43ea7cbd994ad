package notify

import (
	"cmp"
	"container/list"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/excerpt"
)

const (
	// fewLetters may wait for one target and still go out one by one. More pages than that are one message when their turn
	// comes, as more than three that fall due together are (SPEC §5.11).
	fewLetters = 3

	// stormLetters is how many letters of a line are looked at, and so how many pages one message may stand for: enough for
	// 40,000 incidents in bundles of forty, and the outcome of one attempt does not swamp whoever waits for it.
	stormLetters = 1000

	// stormListed is how many incidents a summary lists, the worst first: a webhook's body stays below 200 kB, and a link
	// that acknowledges so many is done within a request.
	stormListed = 500
)

// A Storm is what a summary says of many pages that waited for one target (docs/decisions/storms.md).
type Storm struct {
	Count    int       // incidents in all; Page.Incidents lists the worst of them, at most 500
	Worst    int       // how many of Count have the worst severity
	From, To time.Time // when the first and the last of them were opened
	Acks     int       // how many of them the link acknowledges, the worst first
	Keys     []string  // idempotency keys of the pages that it stands for, sorted
}

// A Linker gives the page of a summary its links and says how many of the incidents, which are listed with the worst first, the
// one that acknowledges names. key is the summary's; at, from when on the links are good. It is called for one message at a
// time of each target, and must be safe for concurrent use.
type Linker func(p *Page, key string, at time.Time) (named int)

// Summarize lets pages that wait for one target go out as one message, if there are more than three. Without it every page
// goes out on its own. It is called before the first Enqueue.
func (q *Queues) Summarize(link Linker) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.link = link
}

// choose finds the letters that go out next, together. Pages come first: a storm that is over must not hold up a new page with
// its all-clears. But no page overtakes another word about its incident. Nil: the line is empty.
func (l *line) choose(join bool) (next []*list.Element) {
	held := map[string]bool{} // incidents of which something else is to be said first
	looked := 0
	for e := l.letters.Front(); e != nil && looked < stormLetters; e = e.Next() {
		looked++
		letter := e.Value.(*letter)
		about := incidentsOf(letter.Message)
		if letter.mayJoin() && !slices.ContainsFunc(about, func(id string) bool { return held[id] }) {
			next = append(next, e)
			continue
		}
		for _, id := range about {
			held[id] = true
		}
	}
	switch {
	case len(next) > fewLetters && join:
		return next
	case len(next) > 0:
		return next[:1]
	case l.letters.Len() > 0:
		return []*list.Element{l.letters.Front()}
	}
	return nil
}

func (m Message) mayJoin() bool { return m.Event == EventPage && m.Target.User != "" && m.Page != nil }

// incidentsOf are the incidents a message to a person speaks of.
func incidentsOf(m Message) (ids []string) {
	if m.Page == nil {
		return nil
	}
	if m.Page.Incident != "" {
		ids = append(ids, m.Page.Incident)
	}
	for _, b := range m.Page.Incidents {
		ids = append(ids, b.Incident)
	}
	return ids
}

// summary is one message for many pages to one target. Its key is made of theirs: the same pages make the same key, and
// others another, because whoever drops what comes twice under one key must not drop what is new in it.
func summary(letters []*letter, link Linker) Message {
	first := letters[0].Message
	m := Message{
		Event: EventPage, Target: first.Target, GroupKey: "midwatch/storm", At: first.At,
		Reason: fmt.Sprintf("%d pages waited and are one message", len(letters)),
	}
	p := &Page{
		User: first.Page.User, FullName: first.Page.FullName, TimeZone: first.Page.TimeZone, Method: first.Page.Method,
		Reason: m.Reason, Urgency: "low", Storm: &Storm{},
	}
	m.Page = p
	var all []Brief
	known := map[string]bool{}
	for _, l := range letters {
		p.Storm.Keys = append(p.Storm.Keys, l.Key)
		if l.Page.urgent() {
			p.Urgency = "high" // one that must wake somebody is enough
		}
		if l.At.After(m.At) {
			m.At = l.At
		}
		if at := l.Page.NextAt; !at.IsZero() && (p.NextAt.IsZero() || at.Before(p.NextAt)) {
			p.NextAt, p.NextWho = at, l.Page.NextWho
		}
		m.Alerts = append(m.Alerts, l.Alerts[:min(len(l.Alerts), stormAlertsOfEach, stormAlerts-len(m.Alerts))]...)
		briefs := l.Page.Incidents
		if len(briefs) == 0 {
			briefs = []Brief{{Incident: l.Page.Incident, Title: l.Page.Title, Severity: l.Page.Severity, OpenedAt: l.Page.OpenedAt}}
		}
		for _, b := range briefs {
			if !known[b.Incident] {
				known[b.Incident] = true
				all = append(all, b)
			}
		}
	}
	slices.Sort(p.Storm.Keys)
	m.Key = "storm/" + digest(strings.Join(p.Storm.Keys, "\n"))
	all = worstFirst(all)
	p.Incidents = all[:min(len(all), stormListed)]
	p.Storm.count(all)
	p.Storm.Acks = link(p, m.Key, m.At)
	return m
}

// How many alerts a summary carries, for services that are given alerts.
const (
	stormAlerts       = 50
	stormAlertsOfEach = 3
)

// count notes how many there are, since when, and how bad. all is sorted, the worst first, and not empty.
func (s *Storm) count(all []Brief) {
	s.Count = len(all)
	for _, b := range all {
		if b.Severity == all[0].Severity {
			s.Worst++
		}
		if b.OpenedAt.IsZero() {
			continue
		}
		if s.From.IsZero() || b.OpenedAt.Before(s.From) {
			s.From = b.OpenedAt
		}
		if b.OpenedAt.After(s.To) {
			s.To = b.OpenedAt
		}
	}
}

// within is what the outcome of a summary is called for each of its pages.
func within(v Verdict, letters int) Verdict {
	others := count(letters-1, "other")
	v.Answer = strings.TrimSpace(excerpt.Bytes(v.Answer, answerLength) + " (in one message with " + others + ")")
	return v
}

// answerLength is how much of a provider's words is kept beside ours: the delivery log takes 1000 bytes in all.
const answerLength = 900

// storm words a summary: how many, how fast, and the worst of them by name.
func (v *view) storm(m Message, loc *time.Location) {
	s, incidents := m.Page.Storm, worstFirst(m.Page.Incidents)
	worst := cmp.Or(said(incidents[0].Severity, valueLength), "of no severity")
	var titles []string
	for i, b := range incidents {
		if i < s.Worst {
			titles = append(titles, said(b.Title, 60))
		}
		if i < shownIncidents {
			v.Items = append(v.Items, item{
				Name: strings.TrimSpace(b.Incident + " " + b.Severity), Note: said(b.Title, titleLength), Details: "since " + sinceWords(b.OpenedAt, loc),
			})
		}
	}
	if more := s.Worst - len(titles); more > 0 { // those that are not listed are counted all the same
		titles = append(titles, make([]string, more)...)
	}
	v.ItemsHead, v.More = "The worst of them", max(0, s.Count-len(v.Items))
	if v.More == 0 {
		v.ItemsHead = "Incidents"
	}
	many := count(s.Count, "incident") + " " + paceWords(s.To.Sub(s.From))
	which := "these " + fmt.Sprint(s.Worst) + " are " + worst
	switch {
	case s.Worst == 1:
		which = "this one is " + worst
	case s.Worst == s.Count:
		which = "all are " + worst
	}
	v.Headline = many
	v.Subject = "[" + many + "] " + upperFirst(which) + ": " + enumerate(titles, 3)
	v.Lead = upperFirst(which) + ": " + enumerate(titles, 3) + ". The oldest since " + sinceWords(s.From, loc)
	v.Severity, v.Since, v.AlsoPaged = worst+" at worst", sinceWords(s.From, loc), "each incident says whom"
	v.Action = fmt.Sprintf("Acknowledge all %d", s.Count)
	if s.Acks < s.Count {
		v.Action = fmt.Sprintf("Acknowledge the worst %d", s.Acks)
		v.Notice = fmt.Sprintf("The link acknowledges the worst %d of them. The other %d are in the list and go on paging.", s.Acks, s.Count-s.Acks)
	}
}

// paceWords says in how much time something happened, rounded up: "in 2 minutes".
func paceWords(d time.Duration) string {
	up := func(unit time.Duration) int { return int(math.Ceil(float64(d) / float64(unit))) }
	switch {
	case d < time.Second:
		return "at once"
	case d <= 90*time.Second:
		return "in " + count(up(time.Second), "second")
	case d <= 90*time.Minute:
		return "in " + count(up(time.Minute), "minute")
	default:
		return "in " + count(up(time.Hour), "hour")
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
