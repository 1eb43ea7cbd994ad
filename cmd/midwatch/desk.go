package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/chat"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/notify"
)

// A desk does what people ask for in chats, by mail and by phone. It is a chat.Desk.
type desk struct {
	engine *engine.Engine
	signer *notify.Signer
	link   func(parts ...string) string
	store  string // its name: buttons carry it, so that those of an earlier store do nothing to incidents of this one
	log    *zap.Logger
	now    func() time.Time

	mu     sync.RWMutex
	people map[string]string // "slack U024BE7LH" → user; "": several share it, and nobody is known by it
	users  map[string]config.User
}

const (
	deskTime   = 10 * time.Second // how long a request may wait for the engine
	openMost   = 1000             // open incidents that are looked at: past it nobody means one without its number
	shownOpen  = 10               // of them, in one answer
	shownDuty  = 20               // schedules in one answer
	cardLines  = 8                // of the timeline on a card
	phoneName  = "phone"          // how the configuration calls the number behind text messages
	showClock  = "Mon 15:04 MST"
	helpAnswer = `ack 12 · resolve 12 [how] · escalate 12 · snooze 12 30m · note 12 text · undo 12
page bo 12 · page bo the lights are out · oncall [schedule] · who · show [12] · help
The number can be left out where only one incident is meant.`
)

// use takes a configuration: who speaks under which ID. A number that several users are reached at, say the team's phone,
// tells nobody apart: it is known only where a user's own section says so.
func (d *desk) use(cfg *config.Config) {
	people := map[string]string{}
	for name, u := range cfg.Users {
		for _, m := range u.Methods {
			for _, number := range phonesOf(m) {
				key := phoneName + " " + number
				if other, taken := people[key]; taken && other != name {
					people[key] = ""
					continue
				}
				people[key] = name
			}
		}
	}
	for name, u := range cfg.Users {
		for service, id := range u.Chat {
			people[service+" "+id] = name
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.people, d.users = people, cfg.Users
}

// phonesOf are the numbers of a contact method: who answers from one of them is its user.
func phonesOf(m config.Method) []string {
	switch own := m.Own.(type) {
	case *notify.SMS:
		return []string{own.To}
	case *notify.Voice:
		return []string{own.To}
	}
	return nil
}

// Handle implements chat.Desk.
func (d *desk) Handle(ctx context.Context, r chat.Request) chat.Reply {
	ctx, cancel := context.WithTimeout(ctx, deskTime)
	defer cancel()
	if r.Verb == chat.Help {
		return chat.Reply{Text: helpAnswer, Private: true}
	}
	s := d.speaker(r)
	carded := ""
	if r.Card != (chat.Ref{}) {
		carded = d.incidentOf(r.Card)
		switch {
		case carded != "" || s.about != "" || !aboutIncident[r.Verb]:
		case r.Incident == "":
			return chat.Reply{} // somebody speaks of something else, below a message that is none of ours
		case r.From.Service == chat.ServiceMatrix:
			s.foreign = true // Matrix has no buttons: it was the card that named the incident
		}
	}
	switch {
	case s.user == "":
		return chat.Reply{Err: true, Private: true, Text: s.unknown}
	case s.foreign:
		return chat.Reply{Err: true, Private: true, Text: "Midwatch no longer knows the incident of this card: it is over for long, or of an earlier store. Write the number of the one you mean, outside of this thread."}
	}
	switch r.Verb {
	case chat.OnCall, chat.Who:
		return chat.Reply{Text: d.duty(ctx, r.Text)}
	case chat.Page:
		switch {
		case r.User == "" || r.Incident == "" && s.about == "" && carded == "" && r.Text == "":
			return chat.Reply{Err: true, Private: true, Text: "Page whom for what? Write: page bo 12, or: page bo the lights are out"}
		case r.Incident == "" && s.about == "" && carded == "":
			return d.trigger(ctx, r, s.user)
		}
	}
	ids, err := d.meant(ctx, r, s, carded)
	if err != nil {
		return chat.Reply{Err: true, Private: true, Text: err.Error()}
	}
	if r.Verb == chat.Show && len(ids) != 1 {
		return chat.Reply{Text: d.open(ctx), Private: true}
	}
	var texts []string
	out := chat.Reply{}
	for i, id := range ids {
		reply := d.act(ctx, r, s.user, id)
		if i < shownOpen || reply.Err {
			texts = append(texts, reply.Text)
		}
		out.Err, out.Again = out.Err || reply.Err, out.Again || reply.Again
	}
	if more := len(ids) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	out.Text = strings.Join(texts, "\n")
	if carded != "" && slices.Contains(ids, carded) {
		out.Card = d.cardOf(ctx, carded)
	}
	out.Private = out.Err || carded != "" // the thread below the card says it to everybody
	return out
}

// aboutIncident are the verbs that mean nothing without an incident.
var aboutIncident = map[chat.Verb]bool{
	chat.Ack: true, chat.Resolve: true, chat.Escalate: true, chat.Snooze: true, chat.Note: true, chat.Undo: true, chat.Page: true,
}

func keyOf(service string) string {
	if service == chat.ServiceSMS || service == chat.ServiceVoice {
		return phoneName
	}
	return service
}

// A speaker is who asks, and what the claim they came with is about.
type speaker struct {
	user    string // empty: nobody we know
	unknown string // then, what to do about it
	about   string // the incidents of the claim, as joinIDs writes them; empty: there is no claim
	foreign bool   // the card that names the incident is another store's
}

// speaker finds out who asks. A claim goes before the service's word: a phone that two people share says who was called.
func (d *desk) speaker(r chat.Request) speaker {
	d.mu.RLock()
	defer d.mu.RUnlock()
	claimed := func(user, about string) speaker {
		if _, ok := d.users[user]; !ok {
			return speaker{about: about, unknown: fmt.Sprintf("User %q, who was paged, is no longer in the configuration of Midwatch.", user)}
		}
		return speaker{user: user, about: about}
	}
	s := speaker{}
	switch {
	case r.Claim != nil:
		return claimed(r.Claim.User, r.Claim.Incident)
	case r.Token != "":
		claim, err := d.signer.Verify(r.Token, d.now())
		if err == nil && strings.HasSuffix(claim.Page, "/"+d.store) {
			return claimed(claim.User, claim.Incident)
		}
		s.foreign = r.Token != d.store && (r.From.Service != chat.ServiceVoice || err == nil)
	}
	if r.From.Service == chat.ServicePushover {
		return claimed(r.From.Name, "")
	}
	if s.user = d.people[keyOf(r.From.Service)+" "+r.From.ID]; s.user == "" {
		s.unknown = fmt.Sprintf("Midwatch does not know you here. Whoever runs it adds this to your user in the configuration: chat: {%s: %q}", keyOf(r.From.Service), r.From.ID)
	}
	return s
}

// trigger opens an incident by hand: the words say what no alert does. Who is named is a user, or a schedule.
func (d *desk) trigger(ctx context.Context, r chat.Request, by string) chat.Reply {
	in := engine.Trigger{Title: r.Text, By: by, Via: r.From.Service, To: escalation.Target{User: d.userOf(r.From.Service, r.User)}}
	if d.engine.Schedule(r.User) != nil {
		in.To = escalation.Target{Schedule: r.User}
	}
	answer := d.engine.Do(ctx, in)
	var refused *engine.Error
	switch {
	case errors.As(answer.Err, &refused):
		return chat.Reply{Err: true, Private: true, Text: refused.Message}
	case errors.Is(answer.Err, engine.ErrBusy), errors.Is(answer.Err, engine.ErrStopped):
		return chat.Reply{Err: true, Again: true, Private: true, Text: "Not done: Midwatch is overloaded or shutting down. Try again in a few seconds."}
	case answer.Err != nil && !errors.Is(answer.Err, engine.ErrUnsaved):
		// It was accepted: asked for again, there would be two.
		return chat.Reply{Err: true, Private: true, Text: "Midwatch is slow just now and has not answered yet; see whether it is open before you try again: " + d.link()}
	}
	id := answer.Incident.ID()
	return chat.Reply{Text: fmt.Sprintf("%s opened by %s: %s is paged. %s", id, by, cmp.Or(in.To.User, "whoever is on call in "+in.To.Schedule), d.link("incidents", id))}
}

// meant are the incidents that are asked about: the one named, that of the claim or the card, or the only one that waits for
// the user. The error says what to write.
func (d *desk) meant(ctx context.Context, r chat.Request, s speaker, carded string) ([]string, error) {
	switch all := splitIDs(s.about); {
	case s.about != "" && r.Incident != "" && !slices.Contains(all, r.Incident):
		return nil, fmt.Errorf("this answers a page about %s only; %s needs an answer of its own", strings.Join(all, ", "), r.Incident)
	case s.about != "":
		return all, nil // a call about several: one key acknowledges them
	case r.Incident != "":
		return []string{r.Incident}, nil
	case carded != "":
		return []string{carded}, nil
	case r.Verb == chat.Show:
		return nil, nil
	}
	list, _, err := d.engine.Incidents(ctx, openOnes, 0, openMost)
	if err != nil {
		return nil, errors.New("the incidents cannot be read now; try again in a few seconds")
	}
	var mine []string
	for _, v := range waiting(list, r.Verb, s.user) {
		mine = append(mine, v.ID())
	}
	switch {
	case len(mine) == 1:
		return mine, nil
	case len(mine) > 1:
		return nil, fmt.Errorf("several are open for you: %s. Which one? Write: %s %s", strings.Join(mine[:min(len(mine), shownOpen)], ", "), r.Verb, strings.TrimPrefix(mine[0], incidentPrefix))
	case len(list) == 0:
		return nil, errors.New("nothing is open")
	}
	return nil, fmt.Errorf("none of the open incidents has paged you. Which one? Write: %s %s", r.Verb, strings.TrimPrefix(list[0].ID(), incidentPrefix))
}

// openOnes are the incidents that somebody may speak of without a number.
var openOnes = engine.Filter{Status: []incident.Status{incident.Triggered, incident.Acked}}

// waiting are the open incidents that wait for a user: those that paged them, or that they have. Who is paged for a second one
// and writes ack means the one that they do not have yet; undo means one that they have.
func waiting(list []engine.View, verb chat.Verb, user string) (mine []engine.View) {
	var likely []engine.View
	for _, v := range list {
		if !slices.Contains(v.Paged, user) && v.AckedBy != user {
			continue
		}
		mine = append(mine, v)
		if verb == chat.Ack && v.Status == incident.Triggered || verb == chat.Undo && v.Status == incident.Acked {
			likely = append(likely, v)
		}
	}
	if len(likely) > 0 {
		return likely
	}
	return mine
}

// incidentOf is the incident whose card is at a place; empty: it is none of ours.
func (d *desk) incidentOf(at chat.Ref) string {
	for name, value := range d.engine.Memos(cardsPrefix) {
		var m cardMemo
		if json.Unmarshal([]byte(value), &m) == nil && m.Ref == at {
			number, _, _ := strings.Cut(strings.TrimPrefix(name, cardsPrefix), "/")
			return incidentPrefix + number
		}
	}
	return ""
}

// act does one thing to one incident, and says what came of it.
func (d *desk) act(ctx context.Context, r chat.Request, user, id string) chat.Reply {
	a := engine.Action{Incident: id, By: user, Via: r.From.Service, Text: r.Text}
	var done string
	switch r.Verb {
	case chat.Show:
		return d.shown(ctx, id)
	case chat.Ack:
		a.Verb, done = engine.Acknowledge, "acknowledged"
	case chat.Undo:
		a.Verb, done = engine.Unacknowledge, "triggered again"
	case chat.Resolve:
		a.Verb, done = engine.Resolve, "resolved"
	case chat.Escalate:
		a.Verb, done = engine.Escalate, "escalated"
	case chat.Snooze:
		if r.For == 0 {
			return chat.Reply{Err: true, Text: fmt.Sprintf("Snooze %s for how long? Write: snooze %s 30m", id, strings.TrimPrefix(id, incidentPrefix))}
		}
		a.Verb, a.For, done = engine.Snooze, r.For, "snoozed for "+spell(r.For)
	case chat.Note:
		a.Verb, done = engine.AddNote, "noted"
	case chat.Page:
		a.Verb, a.User, a.Text = engine.AddResponder, d.userOf(r.From.Service, r.User), ""
		done = "pages " + a.User + " as well, as asked"
	default:
		return chat.Reply{Err: true, Text: helpAnswer}
	}
	answer := d.engine.Do(ctx, a)
	var refused *engine.Error
	switch {
	case errors.As(answer.Err, &refused):
		return chat.Reply{Err: true, Text: id + ": " + refused.Message}
	case errors.Is(answer.Err, engine.ErrUnsaved):
		done += " in memory only (the disk of Midwatch takes no writes)"
	case errors.Is(answer.Err, engine.ErrBusy), errors.Is(answer.Err, engine.ErrStopped):
		return chat.Reply{Err: true, Again: true, Text: id + ": not done, Midwatch is overloaded or shutting down; try again in a few seconds"}
	case answer.Err != nil:
		// It was accepted, and is done as soon as its turn comes. To ask for it again would do it twice.
		return chat.Reply{Err: true, Text: id + ": Midwatch is slow just now and has not answered yet; see what became of it before you try again: " + d.link("incidents", id)}
	}
	if r.Text != "" && noted[r.Verb] {
		note := d.engine.Do(ctx, engine.Action{Verb: engine.AddNote, Incident: id, By: user, Via: a.Via, Text: r.Text})
		if note.Err != nil && !errors.Is(note.Err, engine.ErrUnsaved) {
			done += " (what you wrote with it was not kept)"
		}
	}
	d.log.Info("a person acted", zap.String("incident", id), zap.String("verb", string(a.Verb)), zap.String("by", user), zap.String("from", r.From.String()))
	return chat.Reply{Text: fmt.Sprintf("%s %s by %s", id, done, user)}
}

// noted are the verbs whose further words the engine does not keep itself.
var noted = map[chat.Verb]bool{chat.Ack: true, chat.Escalate: true, chat.Snooze: true, chat.Undo: true, chat.Page: true}

// spell writes a duration as people do: 1h30m, not 1h30m0s.
func spell(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = strings.TrimSuffix(text, zero[1:])
		}
	}
	return text
}

// userOf reads a mention, or a name as people write it.
func (d *desk) userOf(service, text string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id := strings.TrimSuffix(strings.TrimPrefix(text, "<@"), ">")
	id, _, _ = strings.Cut(id, "|")
	if user := d.people[keyOf(service)+" "+id]; user != "" {
		return user
	}
	name := strings.TrimPrefix(text, "@")
	if _, ok := d.users[name]; ok {
		return name
	}
	var named []string
	for user, u := range d.users {
		if strings.EqualFold(user, name) || strings.EqualFold(u.FullName, name) {
			named = append(named, user)
		}
	}
	if len(named) == 1 {
		return named[0]
	}
	return name // nobody, or several: the engine says who there is
}

// duty says who is on call: everywhere, or in the schedules that a word means.
func (d *desk) duty(ctx context.Context, word string) string {
	duties, err := d.engine.Duties(ctx, time.Time{})
	if err != nil {
		return "Midwatch cannot read its schedules now; try again in a few seconds."
	}
	word = strings.TrimSpace(word)
	wanted, people := map[string]bool{}, []string{}
	for name, p := range d.engine.Config().Policies {
		if !strings.EqualFold(name, word) {
			continue
		}
		for _, s := range p.Steps {
			for _, t := range s.Notify {
				if t.User != "" && !slices.Contains(people, t.User) {
					people = append(people, t.User)
				}
				wanted[t.Schedule] = t.Schedule != ""
			}
		}
	}
	var lines []string
	for _, v := range duties {
		if word != "" && !strings.EqualFold(v.Schedule, word) && !wanted[v.Schedule] {
			continue
		}
		who := strings.Join(v.Users, ", ")
		if who == "" {
			who = "nobody"
			if v.Declared {
				who = "nobody, as planned"
			}
		}
		line := v.Schedule + ": " + who
		if !v.Until.IsZero() {
			line += v.Until.In(d.zoneOf(v.Schedule)).Format(", until " + showClock)
		}
		lines = append(lines, line)
	}
	if len(people) > 0 {
		lines = append(lines, "policy "+word+" pages "+strings.Join(people, ", ")+" at any time")
	}
	switch {
	case len(lines) == 0 && word != "":
		return fmt.Sprintf("There is no schedule or policy %q. Write oncall for all of them.", word)
	case len(lines) == 0:
		return "There are no schedules."
	case len(lines) > shownDuty:
		lines = append(lines[:shownDuty], fmt.Sprintf("and %d more; write oncall and a schedule's name", len(lines)-shownDuty))
	}
	return strings.Join(lines, "\n")
}

func (d *desk) zoneOf(schedule string) *time.Location {
	if s := d.engine.Schedule(schedule); s != nil {
		return s.Spec().Zone
	}
	return time.UTC
}

// open lists what is open.
func (d *desk) open(ctx context.Context) string {
	list, _, err := d.engine.Incidents(ctx, openOnes, 0, openMost)
	if err != nil {
		return "Midwatch cannot read its incidents now; try again in a few seconds."
	}
	if len(list) == 0 {
		return "Nothing is open."
	}
	slices.SortStableFunc(list, func(a, b engine.View) int { return cmp.Compare(a.Severity, b.Severity) })
	var lines []string
	for i, v := range list {
		if i == shownOpen {
			lines = append(lines, fmt.Sprintf("and %d more: %s", len(list)-shownOpen, d.link()))
			break
		}
		lines = append(lines, lineOf(v))
	}
	return strings.Join(lines, "\n")
}

func lineOf(v engine.View) string {
	line := fmt.Sprintf("%s %s %s: %s", v.ID(), v.Severity, v.Status, v.Title)
	if v.AckedBy != "" && v.Status == incident.Acked {
		line += " (" + v.AckedBy + ")"
	}
	return line
}

// shown is one incident in words.
func (d *desk) shown(ctx context.Context, id string) chat.Reply {
	n, err := incident.ParseID(id)
	if err != nil {
		return chat.Reply{Err: true, Text: err.Error()}
	}
	v, err := d.engine.Incident(ctx, n)
	if err != nil {
		return chat.Reply{Err: true, Text: "There is no incident " + id}
	}
	text := lineOf(v)
	if next := nextOf(v); next != "" {
		text += "\n" + next
	}
	return chat.Reply{Text: text + "\n" + d.link("incidents", v.ID())}
}

func nextOf(v engine.View) string {
	if v.NextAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s at %s, unless somebody acknowledges", orElse(strings.Join(v.NextWho, ", "), "nobody"), v.NextAt.UTC().Format("15:04 MST"))
}

// cardOf is an incident as chats show it; nil: there is none.
func (d *desk) cardOf(ctx context.Context, id string) *chat.Card {
	n, err := incident.ParseID(id)
	if err != nil {
		return nil
	}
	v, err := d.engine.Incident(ctx, n)
	if err != nil {
		return nil
	}
	events, err := d.engine.Timeline(ctx, n)
	if err != nil {
		return nil
	}
	c := d.card(v, events)
	return &c
}

func (d *desk) card(v engine.View, events []incident.Event) chat.Card {
	c := chat.Card{
		Incident: v.ID(), Title: v.Title, Severity: v.Severity, Status: string(v.Status), Team: v.Policy, OpenedAt: v.OpenedAt,
		Who: v.Paged, Next: nextOf(v), IncidentURL: d.link("incidents", v.ID()), RunbookURL: runbook(v.Incident, v.Alerts),
	}
	if v.Status == incident.Acked {
		c.Who = []string{v.AckedBy}
	}
	for _, name := range sortedKeys(v.Labels) {
		c.Labels = append(c.Labels, [2]string{name, v.Labels[name]})
	}
	for _, e := range events[max(0, len(events)-cardLines):] {
		c.Lines = append(c.Lines, said(e))
	}
	ack := chat.Action{Verb: chat.Ack, Label: "Acknowledge"}
	resolve := chat.Action{Verb: chat.Resolve, Label: "Resolve", Confirm: "Resolve " + v.ID() + "?"}
	switch v.Status {
	case incident.Triggered:
		c.Actions = []chat.Action{ack, {Verb: chat.Escalate, Label: "Escalate"}, {Verb: chat.Snooze, Label: "Snooze 1h", For: time.Hour}, resolve}
	case incident.Acked:
		c.Actions = []chat.Action{resolve, {Verb: chat.Undo, Label: "Undo acknowledgement"}, {Verb: chat.Escalate, Label: "Escalate"}}
	}
	for i := range c.Actions {
		c.Actions[i].Token = d.store
	}
	return c
}

// said is an event as one line of a thread.
func said(e incident.Event) string {
	who := orElse(e.By, "Midwatch")
	line := strings.ReplaceAll(e.Kind, "_", " ")
	switch e.Kind {
	case incident.Paged, incident.PageFailed:
		line = "paged " + e.User + " by " + e.Via
		if e.Kind == incident.PageFailed {
			line = "could not page " + orElse(e.User, e.Receiver) + " by " + e.Via
		}
	case incident.Acknowledged, incident.ResolvedEvent, incident.Escalated, incident.Reassigned, incident.Snoozed:
		line = who + " " + line
	case incident.Note:
		line = who + ": " + orElse(e.Text, e.Reason)
	case incident.Notification:
		line = "told " + orElse(e.User, e.Receiver)
	}
	if e.Reason != "" && e.Kind != incident.Note && !strings.HasSuffix(e.Reason, "by "+who) { // "ana acknowledged (acknowledged by ana)"
		line += " (" + e.Reason + ")"
	}
	return e.At.UTC().Format("15:04 ") + line
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
