// Package chat takes in what people say to Midwatch from chat, mail and phone, and keeps an incident's card current there.
package chat

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

// The services a Person may speak from.
const (
	ServiceSlack    = "slack"
	ServiceTelegram = "telegram"
	ServiceMatrix   = "matrix"
	ServiceMail     = "mail"
	ServiceSMS      = "sms"
	ServiceVoice    = "voice"
	ServicePushover = "pushover"
)

// A Person is how a service names who speaks. The service vouches for it, mail excepted: anybody can write any sender, so
// what mail asks for rests on Request.Claim alone.
type Person struct {
	Service string
	ID      string // U012ABC, 12345, @ana:example.org, ana@example.org, +351910000000
	Name    string // as the service shows it; may be empty, and proves nothing
}

// String is for logs and timelines: "slack:U012ABC (ana)".
func (p Person) String() string {
	if p.Name == "" {
		return p.Service + ":" + p.ID
	}
	return fmt.Sprintf("%s:%s (%s)", p.Service, p.ID, p.Name)
}

// A Request is what one person wants done.
type Request struct {
	Command
	From Person

	// Card is the message that carries the button pressed, or that heads the thread written in; zero if neither. With an empty
	// Incident it says which one is meant. Where the desk knows no such card, somebody speaks below another message: then an
	// empty Incident is no incident, and an empty Reply leaves people alone.
	Card Ref

	// Token is the signed claim that came with a button or a call's address, as the card's maker gave it; the desk checks it.
	Token string

	// Claim is what a token that this package has checked itself says: replies to mail only, nil elsewhere.
	Claim *Claim

	// ID names the message on its service. A service drops what it delivers twice while it runs; a desk that remembers IDs
	// makes it hold over restarts too. Never empty.
	ID string
}

// A Reply is what the desk says to a request.
type Reply struct {
	Text    string // plain, short; may have several lines; empty says nothing
	Private bool   // for the eyes of who asked, where the service can do that
	Card    *Card  // the incident as it is now; put in place of the card whose button was pressed, ignored elsewhere
	Err     bool   // it was not done; Text says why, and what to do
	// Again says that nothing was done because it cannot be done now, say while another node leads. A service that can have
	// the request delivered again later does so.
	Again bool
}

// A Desk does what people ask for. What it answered is done and on disk. It is called from several goroutines, and gets a
// context that ends when the service that asks no longer waits.
type Desk interface {
	Handle(ctx context.Context, r Request) Reply
}

// DeskFunc is a function that is a Desk.
type DeskFunc func(ctx context.Context, r Request) Reply

// Handle calls f.
func (f DeskFunc) Handle(ctx context.Context, r Request) Reply { return f(ctx, r) }

// A Board is a service that shows incidents as cards. Errors name neither tokens nor addresses that are secret. A
// *TooSoon says when to try again; ErrGone, that the message or its place no longer exists.
type Board interface {
	// Post shows a card in a place, a channel by its ID, and returns where it is.
	Post(ctx context.Context, place string, c Card) (Ref, error)
	// Edit puts the card as it is now in the place of what was there.
	Edit(ctx context.Context, at Ref, c Card) error
	// Say adds a line to the thread below a card.
	Say(ctx context.Context, at Ref, line string) error
}

// A Ref is where a message is. It may be stored; zero is nowhere.
type Ref struct {
	Service string `json:"service,omitempty"`
	Place   string `json:"place,omitempty"` // the channel, chat or room
	ID      string `json:"id,omitempty"`    // the message
}

// A Card is an incident as a channel shows it: one message, edited in place.
type Card struct {
	Incident string // INC-12
	Title    string
	Severity string // sev2
	Status   string // triggered, acknowledged, resolved
	Team     string // or the policy's name; may be empty
	OpenedAt time.Time
	Who      []string // who has it or was paged
	Next     string   // what happens next if nobody answers; empty: nothing
	Labels   [][2]string
	Lines    []string // the latest of the timeline, oldest first
	Actions  []Action

	// Links; each may be empty. AckURL is the plain page that acknowledges in a browser: it is shown whatever else the
	// service can do.
	IncidentURL, AckURL, RunbookURL string

	Zone *time.Location // for OpenedAt; nil is UTC
}

// An Action is a button of a card: what it asks for is a Request like one that was typed.
type Action struct {
	Verb  Verb
	Label string
	For   time.Duration // of a snooze
	Token string        // handed back in Request.Token; left out where it does not fit the service
	// Confirm is asked before it counts, where the service can ask; empty asks nothing.
	Confirm string
}

// Health is how a service is. The zero value is one that was never connected.
type Health struct {
	Since       time.Time // connected since; zero: it is not
	LastError   string    // the latest trouble, fit to be shown; empty: none yet
	LastErrorAt time.Time
}

// Connected says whether the service can hear people.
func (h Health) Connected() bool { return !h.Since.IsZero() }

// What a card shows, in bytes and counts. A person who is woken reads a screen; the rest is behind the link.
const (
	titleLimit  = 250
	valueLimit  = 300
	labelsLimit = 10
	linesLimit  = 8
	whoLimit    = 8
	buttonLimit = 5 // what Slack and a phone show in one row or two
)

// headline is the card's first line: "INC-12 · sev2 · triggered".
func (c Card) headline() string {
	var parts []string
	for _, s := range []string{c.Incident, c.Severity, c.Status} {
		if s != "" {
			parts = append(parts, line(s, valueLimit))
		}
	}
	return cmp.Or(strings.Join(parts, " · "), "Incident")
}

// facts are the card's name and value pairs, in the order in which they help.
func (c Card) facts() [][2]string {
	zone := c.Zone
	if zone == nil {
		zone = time.UTC
	}
	var facts [][2]string
	add := func(name, value string) {
		if value = line(value, valueLimit); value != "" {
			facts = append(facts, [2]string{name, value})
		}
	}
	if !c.OpenedAt.IsZero() {
		add("Since", c.OpenedAt.In(zone).Format("Mon 2 Jan 15:04 MST"))
	}
	add("Team", c.Team)
	who := c.Who
	more := ""
	if len(who) > whoLimit {
		more, who = fmt.Sprintf(" and %d more", len(who)-whoLimit), who[:whoLimit]
	}
	add("Who", strings.Join(who, ", ")+more)
	add("Next", c.Next)
	return facts
}

// labels are at most labelsLimit labels as "name=value", and how many are left out.
func (c Card) labels() (shown []string, more int) {
	for _, l := range c.Labels[:min(len(c.Labels), labelsLimit)] {
		shown = append(shown, line(l[0], valueLimit)+"="+line(l[1], valueLimit))
	}
	return shown, len(c.Labels) - len(shown)
}

// latest are the last lines of the timeline.
func (c Card) latest() []string {
	var lines []string
	for _, l := range c.Lines[max(0, len(c.Lines)-linesLimit):] {
		lines = append(lines, line(l, valueLimit))
	}
	return lines
}

// links are the card's links that may be followed, named.
func (c Card) links() [][2]string {
	var links [][2]string
	for _, l := range [][2]string{{"Acknowledge by link", c.AckURL}, {"Incident", c.IncidentURL}, {"Runbook", c.RunbookURL}} {
		if web(l[1]) {
			links = append(links, l)
		}
	}
	return links
}
