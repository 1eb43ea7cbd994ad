package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
)

// viaWeb is by what way an action came from a page, as the timeline names it.
const viaWeb = "web"

// Sure is the page that asks once more, before what cannot be undone and is likely a slip: an incident that is resolved by
// hand while its alerts fire pages nobody until they were clear once.
type Sure struct {
	Shell
	Heading string
	Told    []string
	Post    string   // where the answer goes, from the root
	Keep    []Hidden // what was asked for
	Button  string
	Back    string // where it leads if not, from the root
}

// actOnOne does what a form of an incident's page asks for.
func (p *Pages) actOnOne(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	n, err := incident.ParseID(r.PathValue("id"))
	if err != nil {
		p.noIncident(w, r)
		return
	}
	id := incident.ID(n)
	page := "incidents/" + id
	a := engine.Action{Verb: engine.Verb(r.PathValue("verb")), Incident: id, Via: viaWeb}
	if !slices.Contains(verbs, a.Verb) {
		p.lost(w, r, "Nothing was done", "There is no such button. Go back to "+id+", load it again, and use one that it shows.")
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	a.By = by
	before, err := p.Engine.Incident(r.Context(), n)
	if errors.Is(err, engine.ErrNotFound) {
		p.noIncident(w, r)
		return
	}
	if err != nil {
		p.broken(w, r, "an action", err)
		return
	}
	if err := p.fill(&a, r); err != nil {
		p.back(w, r, returning(r, page), notDone(err))
		return
	}
	if a.Verb == engine.Resolve && r.PostForm.Get("sure") == "" && stillFires(before.Incident) {
		v := &Sure{
			Shell: p.frame(r, "incidents", "Resolve "+id+"?"), Heading: "Resolve " + id + " while its alerts fire?", Post: page + "/resolve",
			Keep: kept(r), Button: "Resolve it all the same", Back: returning(r, page), Told: []string{
				"An alert of it still fires. Resolved by hand, it stays resolved until its alerts were clear once or its severity rises: nobody is paged meanwhile, and this cannot be undone.",
				"To have quiet while you work, acknowledge or snooze it. It resolves by itself when its alerts end.",
			},
		}
		if !before.AutoResolve {
			v.Told[1] = "To have quiet while you work, acknowledge or snooze it."
		}
		p.show(w, r, http.StatusOK, "sure", v)
		return
	}
	done := p.Engine.Do(r.Context(), a)
	if done.Err != nil && !errors.Is(done.Err, engine.ErrUnsaved) {
		p.back(w, r, returning(r, page), p.undone(a, done.Err))
		return
	}
	now, err := p.Engine.Incident(r.Context(), n)
	if err != nil {
		now = engine.View{Incident: done.Incident}
	}
	zone := time.UTC
	if z, err := time.LoadLocation(p.Engine.Config().Users[by].TimeZone); err == nil {
		zone = z
	}
	s := did(a, before, now, p.Now(), zone)
	if done.Err != nil {
		s.Text += " " + inMemoryOnly
	}
	p.back(w, r, returning(r, page), s)
}

const inMemoryOnly = "It is done in memory only: the disk of Midwatch takes no writes, and a restart would forget it. Tell whoever runs it."

// verbs are what forms may ask for.
var verbs = []engine.Verb{
	engine.Acknowledge, engine.Unacknowledge, engine.Resolve, engine.Escalate, engine.Reassign, engine.Snooze, engine.AddNote,
	engine.AddResponder, engine.StopMine,
}

// stillFires reports whether resolving the incident by hand would be a surprise when it fires on. What a person opened has
// nothing that fires.
func stillFires(i incident.Incident) bool { return i.Open() && i.Firing && i.Identity.Manual == "" }

// kept is the form as hidden fields, but for who acts, who is known by now.
func kept(r *http.Request) (fields []Hidden) {
	for _, name := range slices.Sorted(keysOf(r.PostForm)) {
		for _, value := range r.PostForm[name] {
			if name != "as" && name != "sure" {
				fields = append(fields, Hidden{name, value})
			}
		}
	}
	return fields
}

// fill takes from the form what the verb wants.
func (p *Pages) fill(a *engine.Action, r *http.Request) (err error) {
	form := r.PostForm
	switch a.Verb {
	case engine.Snooze:
		a.For, err = nap(strings.TrimSpace(form.Get("for")), p.Now())
	case engine.AddNote:
		a.Text = strings.TrimSpace(strings.ReplaceAll(form.Get("note"), "\r\n", "\n"))
	case engine.AddResponder:
		a.User = strings.TrimSpace(form.Get("user"))
	case engine.Reassign:
		return p.address(a, strings.TrimSpace(form.Get("to")))
	}
	return err
}

// address reads to whom an incident goes: user:bo, schedule:db, policy:db; or a name alone, which is a user's, a schedule's or
// a policy's.
func (p *Pages) address(a *engine.Action, to string) error {
	kind, name, said := strings.Cut(to, ":")
	if !said {
		kind, name = "", to
	}
	cfg := p.Engine.Config()
	_, user := cfg.Users[name]
	_, policy := cfg.Policies[name]
	schedule := p.Engine.Schedule(name) != nil
	switch {
	case name == "":
		return &engine.Error{Code: "invalid", Field: "to", Message: "choose to whom it goes"}
	case kind == "user", kind == "" && user:
		a.To = &escalation.Target{User: name}
	case kind == "schedule", kind == "" && schedule:
		a.To = &escalation.Target{Schedule: name}
	case kind == "policy", kind == "" && policy:
		a.Policy = name
	default:
		return &engine.Error{Code: "invalid", Field: "to", Message: fmt.Sprintf("there is no user, schedule or policy %q; look at its spelling", short(to, 60))}
	}
	return nil
}

// notDone tells a refusal in its own words.
func notDone(err error) Said {
	return Said{Wrong: true, Text: "Nothing was done: " + strings.TrimSuffix(err.Error(), ".") + "."}
}

// undone tells why an action did not happen, and logs what is no fault of whoever acts.
func (p *Pages) undone(a engine.Action, err error) Said {
	var refused *engine.Error
	if errors.As(err, &refused) {
		return notDone(err)
	}
	p.Log.Warn("an action of a page was not done", zap.String("incident", a.Incident), zap.String("verb", string(a.Verb)), zap.Error(err))
	return Said{Wrong: true, Text: "Nothing was done: Midwatch is overloaded or shutting down. Press the button again in a few seconds."}
}

// did says what an action led to, and how it is undone.
func did(a engine.Action, before, now engine.View, at time.Time, zone *time.Location) Said {
	id, next := a.Incident, ""
	if !now.NextAt.IsZero() {
		who := list(now.NextWho, 80)
		if who == "" {
			who = "nobody"
		}
		next = " Next: " + who + " at " + clock(now.NextAt, at, zone) + "."
	}
	switch a.Verb {
	case engine.Acknowledge:
		undo := Said{Undo: "incidents/" + id + "/unacknowledge"}
		switch {
		case !now.Open():
			return Said{Text: id + " was resolved already. Your acknowledgement is kept as a note."}
		case now.Status == incident.Triggered:
			undo.Text = "You acknowledged " + id + ", and you are not paged for it any more. The policy asks for more than one person, so it goes on." + next
		case now.AckedBy != a.By:
			undo.Text = "You acknowledged " + id + " too. " + short(now.AckedBy, 60) + " had it first."
		default:
			undo.Text = "You have " + id + ". Nobody else is paged for it."
		}
		return undo
	case engine.Unacknowledge:
		if now.Status == incident.Acked {
			return Said{Text: "You do not have " + id + " any more. " + short(now.AckedBy, 60) + " has it."}
		}
		return Said{Text: "Undone: nobody has " + id + ", and escalation goes on." + next}
	case engine.Resolve:
		if !before.Open() {
			return Said{Text: id + " was resolved already."}
		}
		return Said{Text: id + " is resolved."}
	case engine.Escalate:
		return Said{Text: "The next step of " + id + " begins now." + next}
	case engine.Reassign:
		to := a.Policy
		if a.To != nil {
			to = a.To.String()
		}
		return Said{Text: id + " goes to " + to + " now." + next}
	case engine.Snooze:
		return Said{Text: id + " pages nobody until " + clock(at.Add(a.For), at, zone) + ". Then its escalation begins again, unless somebody has it."}
	case engine.AddResponder:
		return Said{Text: a.User + " is paged for " + id + " too."}
	case engine.StopMine:
		return Said{Text: "You are not paged for " + id + " any more, until it starts anew. It goes on for the others."}
	}
	return Said{Text: "Your note is with " + id + "."}
}

func (p *Pages) noIncident(w http.ResponseWriter, r *http.Request) {
	v := &Wrong{
		Shell: p.frame(r, "incidents", "There is no such incident"), Heading: "There is no such incident",
		Told:  []string{"Incidents are called INC-1, INC-2, and so on. What was closed long ago may have been deleted."},
		Links: []MenuEntry{{"incidents", "Open incidents", ""}},
	}
	p.show(w, r, http.StatusNotFound, "wrong", v)
}

// actOnSeveral does one thing to all incidents that were ticked, or to the one whose button was pressed.
func (p *Pages) actOnSeveral(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	a := engine.Action{Verb: engine.Verb(r.PostForm.Get("do")), Via: viaWeb}
	wanted := append(slices.Clone(r.PostForm["id"]), strings.Fields(r.PostForm.Get("ids"))...)
	if one := r.PostForm.Get("only"); one != "" {
		a.Verb, wanted = engine.Acknowledge, []string{one}
	}
	ids, err := distinct(wanted)
	switch {
	case err != nil:
	case !slices.Contains([]engine.Verb{engine.Acknowledge, engine.Unacknowledge, engine.Snooze, engine.Resolve}, a.Verb):
		err = errors.New("there is no such button; load the page again, and use one that it shows")
	case len(ids) == 0:
		err = errors.New("no incident is ticked; tick those that are meant")
	case len(ids) > maxBulk:
		err = fmt.Errorf("%d incidents are too many at once; at most %d are taken", len(ids), maxBulk)
	default:
		err = p.fill(&a, r)
	}
	if err != nil {
		p.back(w, r, returning(r, "incidents"), notDone(err))
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	a.By = by
	if a.Verb == engine.Resolve && r.PostForm.Get("sure") == "" && p.askedIfSure(w, r, ids) {
		return
	}
	p.back(w, r, returning(r, "incidents"), p.onAll(r.Context(), a, ids))
}

// distinct reads names of incidents; each counts once.
func distinct(names []string) (ids []string, err error) {
	for _, name := range names {
		n, err := incident.ParseID(name)
		if err != nil {
			return nil, err
		}
		if id := incident.ID(n); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		if len(ids) > maxBulk {
			break
		}
	}
	return ids, nil
}

// askedIfSure asks before some are resolved whose alerts fire; false: none does.
func (p *Pages) askedIfSure(w http.ResponseWriter, r *http.Request, ids []string) bool {
	var firing []string
	for _, id := range ids {
		n, _ := incident.ParseID(id) // it is one
		if v, err := p.Engine.Incident(r.Context(), n); err == nil && stillFires(v.Incident) {
			firing = append(firing, id)
		}
	}
	if len(firing) == 0 {
		return false
	}
	heading := "Resolve " + count(len(ids), "incident") + " while alerts fire?"
	v := &Sure{
		Shell: p.frame(r, "incidents", heading), Heading: heading, Post: "incidents", Keep: kept(r),
		Button: "Resolve them all the same", Back: returning(r, "incidents"), Told: []string{
			fmt.Sprintf("Alerts of %s still fire: %s.", count(len(firing), "incident"), list(firing, 300)),
			"Resolved by hand, they stay resolved until their alerts were clear once or their severity rises: nobody is paged meanwhile, and this cannot be undone. To have quiet while you work, acknowledge or snooze them.",
		},
	}
	p.show(w, r, http.StatusOK, "sure", v)
	return true
}

// onAll acts on all of them together, and tells what came of it.
func (p *Pages) onAll(ctx context.Context, a engine.Action, ids []string) Said {
	answers := make([]engine.Answer, len(ids))
	var hands sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for i, id := range ids {
		turn <- struct{}{}
		hands.Go(func() {
			defer func() { <-turn }()
			one := a
			one.Incident = id
			answers[i] = p.Engine.Do(ctx, one)
		})
	}
	hands.Wait()
	var done, late []string
	var unsaved bool
	var failed []string
	var why Said
	for i, answer := range answers {
		switch {
		case answer.Err != nil && !errors.Is(answer.Err, engine.ErrUnsaved):
			failed = append(failed, ids[i])
			if why.Text == "" {
				a.Incident = ids[i]
				why = p.undone(a, answer.Err)
			}
			continue
		case answer.Err != nil:
			unsaved = true
		}
		if a.Verb == engine.Acknowledge && !answer.Incident.Open() {
			late = append(late, ids[i])
			continue
		}
		done = append(done, ids[i])
	}
	said := Said{Wrong: len(done)+len(late) == 0}
	var parts []string
	if len(done) > 0 {
		parts = append(parts, doneTo(a, done))
	}
	if len(late) > 0 {
		parts = append(parts, "Resolved already: "+list(late, 80)+".")
	}
	if len(failed) > 0 {
		parts = append(parts, "Not "+list(failed, 80)+". "+why.Text)
	}
	if unsaved {
		parts = append(parts, inMemoryOnly)
	}
	said.Text = strings.Join(parts, " ")
	if a.Verb == engine.Acknowledge && len(done) > 0 {
		said.Undo, said.Fields = "incidents", map[string]string{"do": string(engine.Unacknowledge), "ids": strings.Join(done, " ")}
	}
	return said
}

func doneTo(a engine.Action, ids []string) string {
	which := list(ids, 80)
	if len(ids) > 6 {
		which = count(len(ids), "incident")
	}
	switch a.Verb {
	case engine.Unacknowledge:
		return "Undone: you do not have " + which + " any more."
	case engine.Snooze:
		return "Snoozed for " + length(a.For) + ": " + which + "."
	case engine.Resolve:
		return "Resolved: " + which + "."
	}
	return "You have " + which + ". Nobody else is paged for what you have."
}
