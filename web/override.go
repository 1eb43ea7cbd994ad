package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// Overriding is the page that a tap on a shift leads to: who takes it, what that would change, and one button.
type Overriding struct {
	Shell
	Name     string
	ZoneName string
	ZoneKind string
	From, To typedTime
	Was      OnDuty // who is on call when it begins
	Whole    RotaSpan
	Who      []RotaChoice
	Other    bool // there are too many people for a list: a name can be written
	Place    []RotaChoice
	Layer    string

	Problem string       // why it cannot be made as it stands; empty: it can
	Changes []ChangeLine // what it would change
	More    int
	Doubts  []string

	Back   string // the schedule, from the root
	Asker  []RotaChoice
	Trades []RotaChoice // whom to ask for a swap, and for what in return
}

// A ChangeLine is a stretch of time in which other people would be on call.
type ChangeLine struct {
	RotaSpan
	Was, Is OnDuty
}

// What stands in a form in place of a user's name: the override acts on everybody, on nobody, or takes somebody off.
const (
	placeAll  = ""  // take: alone
	placeNone = "+" // add: beside whoever is there
	placeOff  = "-" // remove
)

// Limits of the page.
const (
	mostChoices   = 300 // people in a list
	changesShown  = 12  // lines of what would change
	tradesShown   = 40  // shifts to ask for in return
	tradesAhead   = 8 * 7 * 24 * time.Hour
	previewAtMost = 366 * 24 * time.Hour // what is looked at of a longer override
)

// choicePath is the page again with what was chosen.
func choicePath(name string, q url.Values) string {
	kept := url.Values{}
	for _, field := range []string{"from", "from_kept", "to", "to_kept", "who", "other", "place", "layer", "zone"} {
		if q.Has(field) {
			kept.Set(field, short(q.Get(field), 100))
		}
	}
	return "schedules/" + url.PathEscape(name) + "/override?" + kept.Encode()
}

// wanted is the override that a query or a form asks for, as far as it can be read.
func (p *Pages) wanted(q url.Values, zone *time.Location) (oncall.Override, error) {
	o := oncall.Override{Kind: oncall.Take, User: cmp.Or(strings.TrimSpace(q.Get("other")), q.Get("who")), Layer: q.Get("layer")}
	switch place := q.Get("place"); place {
	case placeAll:
	case placeNone:
		o.Kind = oncall.Add
	case placeOff:
		o.Kind = oncall.Remove
	default:
		o.Kind, o.User, o.With = oncall.Replace, place, o.User
	}
	var err error
	if o.Start, err = typedAt(q, "from", zone, false); err == nil {
		o.End, err = typedAt(q, "to", zone, true)
	}
	users := p.Engine.Config().Users
	for _, user := range []string{o.User, o.With} {
		if _, known := users[user]; user != "" && !known && err == nil {
			err = &engine.Error{Message: "there is no user “" + short(user, 60) + "”; write the name as the configuration has it"}
		}
	}
	if err == nil {
		err = emptyOverride(o)
	}
	return o, err
}

// emptyOverride says what is missing.
func emptyOverride(o oncall.Override) error {
	switch {
	case o.Kind == oncall.Replace && o.With == "" || o.Kind != oncall.Replace && o.User == "":
		return &engine.Error{Message: "choose who takes it"}
	case !o.End.After(o.Start):
		return &engine.Error{Message: "it ends before it begins; change one of the times"}
	}
	return nil
}

// overrideFields are the form that would make the override again.
func overrideFields(o oncall.Override) map[string]string {
	f := map[string]string{"from": o.Start.UTC().Format(time.RFC3339), "to": o.End.UTC().Format(time.RFC3339), "who": o.User, "place": placeAll, "layer": o.Layer}
	switch o.Kind {
	case oncall.Add:
		f["place"] = placeNone
	case oncall.Remove:
		f["place"] = placeOff
	case oncall.Replace:
		f["place"], f["who"] = o.User, o.With
	}
	return f
}

func (p *Pages) overriding(w http.ResponseWriter, r *http.Request) {
	s := p.Engine.Schedule(r.PathValue("name"))
	if s == nil {
		p.noSchedule(w, r)
		return
	}
	q := r.URL.Query()
	kind, zone := p.zoneFor(r, q.Get("zone"), s.Spec().Zone)
	v := &Overriding{Shell: p.frame(r, "oncall", "Change "+s.Name()), Name: s.Name(), ZoneKind: kind, ZoneName: zone.String(), Layer: q.Get("layer")}
	v.Zone, v.Back = zone, "schedules/"+url.PathEscape(s.Name())
	if q.Get("from") == "" && q.Get("to") == "" { // from the top of the schedule: the present shift
		from, to := v.Now, v.Now.Add(24*time.Hour)
		if shifts := s.Shifts(v.Now, v.Now.Add(thenAhead)); len(shifts) > 0 && !shifts[0].Start.After(v.Now) {
			to = shifts[0].End
		}
		q.Set("from", from.UTC().Format(time.RFC3339))
		q.Set("to", to.UTC().Format(time.RFC3339))
	}
	p.fillOverriding(v, s, q)
	p.show(w, r, http.StatusOK, "override", v)
}

func (p *Pages) fillOverriding(v *Overriding, s *oncall.Schedule, q url.Values) {
	from, errFrom := typedAt(q, "from", v.Zone, false)
	to, errTo := typedAt(q, "to", v.Zone, true)
	if err := cmp.Or(errFrom, errTo); err != nil {
		v.Problem = upperFirst(err.Error()) + "."
		from, to = v.Now, v.Now.Add(24*time.Hour)
	}
	if now := v.Now.UTC().Truncate(time.Minute); from.Before(now) && to.After(now) {
		from = now // what has been stays
	}
	if to.Sub(from) > tradesAhead && !q.Has("who") { // a shift without an end in sight
		to = from.Add(7 * 24 * time.Hour)
	}
	v.From, v.To, v.Whole = typed(from, v.Zone), typed(to, v.Zone), v.span(from, to)
	q.Set("from", v.From.Kept)
	q.Set("to", v.To.Kept)
	at := s.At(from)
	users := at.Users()
	v.Was = p.duty(users, at.Declared)
	if !q.Has("place") && len(users) > 1 {
		q.Set("place", users[0])
		if slices.Contains(users, v.Me) {
			q.Set("place", v.Me)
		}
	}
	if q.Get("who") == "" && q.Get("other") == "" {
		q.Set("who", p.firstChoice(s, v.Me, cmp.Or(q.Get("place"), strings.Join(users[:min(len(users), 1)], "")), to))
	}
	p.fillChoices(v, s, q, users)
	p.fillTrades(v, s, users, from, to)
	if v.Problem != "" {
		return
	}
	o, err := p.wanted(q, v.Zone)
	if err != nil {
		v.Problem = upperFirst(err.Error()) + "."
		return
	}
	next, err := s.WithOverrides([]oncall.Override{o})
	if err != nil {
		v.Problem = upperFirst(plainProblem(err)) + "."
		return
	}
	p.preview(v, s, next, o)
}

// plainProblem is what is wrong without its place in a file that nobody wrote.
func plainProblem(err error) string {
	if ps, ok := err.(oncall.Problems); ok && len(ps) > 0 { //nolint:errorlint // WithOverrides returns no other
		return ps[0].What
	}
	return err.Error()
}

// preview says what an override would change.
func (p *Pages) preview(v *Overriding, was, is *oncall.Schedule, o oncall.Override) {
	start, end := o.Start, o.End
	if start.Before(v.Now) {
		start = v.Now
	}
	if !end.After(v.Now) {
		v.Problem = "All of it has passed, and what has been stays as it was recorded. Choose a time that is still to come."
		return
	}
	if end.Sub(start) > previewAtMost {
		end = start.Add(previewAtMost)
	}
	changes := oncall.Diff(was, is, start, end)
	v.More = max(0, len(changes)-changesShown)
	for _, c := range changes[:len(changes)-v.More] {
		v.Changes = append(v.Changes, ChangeLine{
			v.span(c.Start, c.End), p.duty(c.Was, was.At(c.Start).Declared), p.duty(c.Is, is.At(c.Start).Declared),
		})
	}
	var made []oncall.Override
	for _, other := range p.Engine.Overrides(v.Name) {
		if !other.FromFile {
			made = append(made, other.Override)
		}
	}
	for _, d := range oncall.Doubts(was, is, o, v.Now, made, p.Engine.Absences(false)) {
		v.Doubts = append(v.Doubts, upperFirst(d)+".")
	}
}

// firstChoice is who probably takes a shift: the reader, or where it is theirs, whoever comes next.
func (p *Pages) firstChoice(s *oncall.Schedule, me, from string, end time.Time) string {
	if _, known := p.Engine.Config().Users[me]; known && me != from {
		return me
	}
	for _, next := range s.Shifts(end, end.Add(thenAhead)) {
		for _, u := range next.Users {
			if u != from {
				return u
			}
		}
	}
	for _, u := range append(members(s), slices.Sorted(maps.Keys(p.Engine.Config().Users))...) {
		if u != from {
			return u
		}
	}
	return ""
}

// fillChoices lists who may take it: the reader first, then those of the schedule, then the others.
func (p *Pages) fillChoices(v *Overriding, s *oncall.Schedule, q url.Values, users []string) {
	cfg := p.Engine.Config()
	seen := map[string]bool{}
	add := func(name string) {
		u, known := cfg.Users[name]
		if !known || seen[name] || len(v.Who) >= mostChoices {
			v.Other = v.Other || known && !seen[name]
			return
		}
		seen[name] = true
		text := name
		if u.FullName != "" {
			text += " (" + short(u.FullName, 60) + ")"
		}
		if name == v.Me {
			text = "me: " + text
		}
		v.Who = append(v.Who, RotaChoice{name, text, name == q.Get("who")})
	}
	add(v.Me)
	add(q.Get("who"))
	for _, name := range members(s) {
		add(name)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Users)) {
		add(name)
	}
	place := q.Get("place")
	choose := func(value, text string) { v.Place = append(v.Place, RotaChoice{value, text, value == place}) }
	if len(users) > 1 {
		choose(placeAll, "everybody: they take it alone")
	} else {
		choose(placeAll, "whoever is on call: they take it alone")
	}
	if place != placeAll && place != placeNone && place != placeOff && !slices.Contains(users, place) {
		users = append(slices.Clone(users), place)
	}
	for _, u := range users {
		choose(u, u+", wherever that is on call")
	}
	choose(placeNone, "nobody: they join whoever is on call")
	choose(placeOff, "nobody: they are taken off")
}

// fillTrades lists whom the one who has the shift may ask for a swap.
func (p *Pages) fillTrades(v *Overriding, s *oncall.Schedule, users []string, from, to time.Time) {
	cfg := p.Engine.Config()
	for _, u := range users {
		if _, known := cfg.Users[u]; known {
			v.Asker = append(v.Asker, RotaChoice{u, u, u == v.Me})
		}
	}
	if len(v.Asker) == 0 || !from.After(v.Now.Truncate(time.Minute)) {
		v.Asker = nil // of a shift that has begun, the rest cannot be swapped
		return
	}
	others := func(u string) bool { _, known := cfg.Users[u]; return known && !slices.Contains(users, u) }
	for _, sh := range s.Shifts(v.Now, v.Now.Add(tradesAhead)) {
		for _, u := range sh.Users {
			apart := !sh.Start.Before(to) || !sh.End.After(from)
			if others(u) && apart && sh.Start.After(v.Now) && len(v.Trades) < tradesShown {
				v.Trades = append(v.Trades, RotaChoice{
					Value: u + "|" + sh.Start.Format(time.RFC3339) + "|" + sh.End.Format(time.RFC3339),
					Text:  u + ", for " + v.span(sh.Start, sh.End).Day() + " to " + v.span(sh.Start, sh.End).End(),
				})
			}
		}
	}
	for _, u := range members(s) {
		if others(u) {
			v.Trades = append(v.Trades, RotaChoice{Value: u + "||", Text: u + ", for nothing in return"})
		}
	}
}

// override makes one.
func (p *Pages) override(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	s := p.Engine.Schedule(name)
	if s == nil {
		p.noSchedule(w, r)
		return
	}
	kind, zone := p.zoneFor(r, r.PostForm.Get("zone"), s.Spec().Zone)
	r.PostForm.Set("zone", kind)
	good, bad := returning(r, "schedules/"+url.PathEscape(name)), choicePath(name, r.PostForm)
	o, err := p.wanted(r.PostForm, zone)
	if err != nil {
		p.back(w, r, bad, Said{Wrong: true, Text: upperFirst(err.Error()) + "."})
		return
	}
	done := p.Engine.Do(r.Context(), engine.Override{Schedule: name, Override: o, By: by})
	when := (&Shell{Now: p.Now(), Zone: zone}).span(o.Start, o.End)
	p.rotaSettled(w, r, done, good, bad, Said{
		Text: o.String() + " in " + name + ", " + when.Day() + " to " + when.End() + " (" + zone.String() + ").",
		Undo: "schedules/" + url.PathEscape(name) + "/drop", Fields: map[string]string{"id": done.Override.ID},
	})
}

// requestSwap asks somebody to swap.
func (p *Pages) requestSwap(w http.ResponseWriter, r *http.Request) {
	if !p.form(w, r) {
		return
	}
	by, ok := p.acting(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	s := p.Engine.Schedule(name)
	if s == nil {
		p.noSchedule(w, r)
		return
	}
	kind, zone := p.zoneFor(r, r.PostForm.Get("zone"), s.Spec().Zone)
	r.PostForm.Set("zone", kind)
	bad := choicePath(name, r.PostForm)
	swap := engine.Swap{Schedule: name, User: cmp.Or(r.PostForm.Get("user"), by), CreatedBy: by}
	var err error
	if swap.From, err = typedAt(r.PostForm, "from", zone, false); err == nil {
		swap.To, err = typedAt(r.PostForm, "to", zone, true)
	}
	parts := strings.Split(r.PostForm.Get("with"), "|")
	swap.With = parts[0]
	if err == nil && len(parts) == 3 && parts[1] != "" {
		if swap.ForFrom, err = time.Parse(time.RFC3339, parts[1]); err == nil {
			swap.ForTo, err = time.Parse(time.RFC3339, parts[2])
		}
	}
	if err != nil {
		p.back(w, r, bad, Said{Wrong: true, Text: upperFirst(err.Error()) + "."})
		return
	}
	done := p.Engine.Do(r.Context(), engine.RequestSwap{Swap: swap})
	p.rotaSettled(w, r, done, returning(r, "schedules/"+url.PathEscape(name)), bad, Said{
		Text: done.Swap.ID() + ": " + done.Swap.With + " is asked. Nothing changes until they accept, on the page On call or in their message.",
		Undo: "oncall/swaps/" + done.Swap.ID() + "/cancel",
	})
}
