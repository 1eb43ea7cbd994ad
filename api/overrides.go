package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// Override is the body of POST schedules/{name}/overrides, in the words of the configuration (SPEC §4). From and To are
// both instants (2026-03-01T09:00:00Z), or both wall times of the schedule's zone (2026-03-01 09:00). Without From it
// begins now, and To may be either.
type Override struct {
	By      string `json:"by"`
	Take    string `json:"take,omitempty"`
	Add     string `json:"add,omitempty"`
	Remove  string `json:"remove,omitempty"`
	Replace string `json:"replace,omitempty"`
	With    string `json:"with,omitempty"`
	Layer   string `json:"layer,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to"`
}

// StandingOverride is an override as it stands.
type StandingOverride struct {
	ID       string    `json:"id"`
	Take     string    `json:"take,omitempty"`
	Add      string    `json:"add,omitempty"`
	Remove   string    `json:"remove,omitempty"`
	Replace  string    `json:"replace,omitempty"`
	With     string    `json:"with,omitempty"`
	Layer    string    `json:"layer,omitempty"`
	From     string    `json:"from"` // as it was written: an instant, or a wall time of the schedule's zone
	To       string    `json:"to"`
	StartsAt time.Time `json:"starts_at"` // From and To as instants
	EndsAt   time.Time `json:"ends_at"`

	FromFile  bool      `json:"from_file"`            // it is changed there
	CreatedBy string    `json:"created_by,omitempty"` // of one made at run time, like the next two
	CreatedAt time.Time `json:"created_at,omitzero"`
	Swap      string    `json:"swap,omitempty"`    // the swap it came from
	Problem   string    `json:"problem,omitempty"` // why it does nothing at the moment: its layer is gone
}

// StandingOverrides is the list, the file's first, each in the order of their making: the order in which they act.
type StandingOverrides struct {
	Schedule  string             `json:"schedule"`
	Overrides []StandingOverride `json:"overrides"`
}

// Overridden is what making or removing an override answers.
type Overridden struct {
	Schedule string           `json:"schedule"`
	Override StandingOverride `json:"override"`
	Warning  string           `json:"warning,omitempty"`  // it was done, but …
	Warnings []string         `json:"warnings,omitempty"` // what to think of again: it changes nothing, leaves a gap, …
}

func showOverride(v engine.OverrideView) StandingOverride {
	out := StandingOverride{
		ID: v.ID, With: v.With, Layer: v.Layer, From: v.From.String(), To: v.To.String(), StartsAt: v.Begins.UTC(), EndsAt: v.Ends.UTC(),
		FromFile: v.FromFile, CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt.UTC(), Swap: v.Swap, Problem: v.Problem,
	}
	if v.From == 0 {
		out.From, out.To = v.Start.Format(time.RFC3339), v.End.Format(time.RFC3339)
	}
	switch v.Kind {
	case oncall.Take:
		out.Take = v.User
	case oncall.Add:
		out.Add = v.User
	case oncall.Remove:
		out.Remove = v.User
	default:
		out.Replace = v.User
	}
	return out
}

// getOverrides lists those that are not over; with past=true, all.
func (a *API) getOverrides(w http.ResponseWriter, r *http.Request) {
	past, err := pastToo(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	name := r.PathValue("name")
	if a.o.Engine.Schedule(name) == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	out := StandingOverrides{Schedule: name, Overrides: []StandingOverride{}}
	for _, v := range a.o.Engine.Overrides(name) {
		if past || v.Ends.After(a.o.Now()) {
			out.Overrides = append(out.Overrides, showOverride(v))
		}
	}
	answer(w, r, http.StatusOK, out)
}

// pastToo reads whether a list is to have what is over, too.
func pastToo(r *http.Request) (bool, error) {
	v, err := params(r, "past")
	if err != nil || v.Get("past") == "" {
		return false, err
	}
	past, err := strconv.ParseBool(v.Get("past"))
	if err != nil {
		return false, invalid("past", "past is true or false, not %q", shorten(v.Get("past")))
	}
	return past, nil
}

func (a *API) postOverride(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	schedule := a.o.Engine.Schedule(name)
	if schedule == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	var body Override
	if err := readAct(w, r, &body, []string{"by", "take", "add", "remove", "replace", "with", "layer", "from", "to"}); err != nil {
		a.fail(w, r, err)
		return
	}
	o, err := a.override(schedule, body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.overridden(w, r, http.StatusCreated, name, a.o.Engine.Do(r.Context(), engine.Override{Schedule: name, Override: o, By: body.By}))
}

// deleteOverride takes back one that was made at run time, and answers what it was.
func (a *API) deleteOverride(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	name := r.PathValue("name")
	if a.o.Engine.Schedule(name) == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	a.overridden(w, r, http.StatusOK, name, a.o.Engine.Do(r.Context(), engine.DropOverride{Schedule: name, ID: r.PathValue("id"), By: by}))
}

// overridden answers what became of an override.
func (a *API) overridden(w http.ResponseWriter, r *http.Request, status int, schedule string, done engine.Answer) {
	view := engine.OverrideView{Override: done.Override}
	if s := a.o.Engine.Schedule(schedule); s != nil {
		view.Begins, view.Ends = s.Span(done.Override)
	}
	out := Overridden{Schedule: schedule, Override: showOverride(view), Warnings: done.Warnings}
	a.changed(w, r, status, &out, &out.Warning, done.Err)
}

// changed answers what became of a change of who is on call. warning, a member of out, says where it is in memory only.
func (a *API) changed(w http.ResponseWriter, r *http.Request, status int, out any, warning *string, err error) {
	switch {
	case errors.Is(err, engine.ErrUnsaved):
		*warning = err.Error()
		answer(w, r, http.StatusAccepted, out)
	case err != nil:
		a.fail(w, r, err)
	default:
		answer(w, r, status, out)
	}
}

// override reads the body as an override of a schedule.
func (a *API) override(s *oncall.Schedule, b Override) (o oncall.Override, err error) {
	if err := signed(b.By); err != nil {
		return o, err
	}
	kinds := map[oncall.Kind]string{oncall.Take: b.Take, oncall.Add: b.Add, oncall.Remove: b.Remove, oncall.Replace: b.Replace}
	for kind, user := range kinds {
		if user == "" {
			continue
		}
		if o.Kind != "" {
			return o, invalid("", "an override does one thing: name one of take, add, remove and replace")
		}
		o.Kind, o.User = kind, user
	}
	if o.Kind == "" {
		return o, invalid("", "say what the override does: name a user in take, add, remove or replace")
	}
	o.With, o.Layer = b.With, b.Layer
	switch {
	case o.Kind == oncall.Replace && o.With == "":
		return o, invalid("with", "replace %s with whom? Name a user in with", shorten(o.User))
	case o.Kind != oncall.Replace && o.With != "":
		return o, invalid("with", "with belongs to replace, not to %s", o.Kind)
	case o.User == o.With:
		return o, invalid("with", "it replaces %s with %s, which changes nothing; name somebody else", shorten(o.User), shorten(o.With))
	}
	users := a.o.Engine.Config().Users
	for field, user := range map[string]string{string(o.Kind): o.User, "with": o.With} {
		if _, known := users[user]; user != "" && !known {
			return o, invalid(field, "there is no user %q%s", shorten(user), suggest(user, slices.Collect(maps.Keys(users))))
		}
	}
	if layers := layerNames(s); o.Layer != "" && !slices.Contains(layers, o.Layer) {
		return o, invalid("layer", "schedule %s has no layer %q%s", s.Name(), shorten(o.Layer), suggest(o.Layer, layers))
	}
	zone := s.Spec().Zone
	t, err := a.readFromNow(b.From, b.To, zone, "the schedule")
	if err != nil {
		return o, err
	}
	o.Start, o.End, o.From, o.To = t.start, t.end, t.from, t.to
	return o, t.check(zone)
}

func layerNames(s *oncall.Schedule) (names []string) {
	for _, l := range s.Spec().Layers {
		names = append(names, l.Name)
	}
	return names
}

// readFromNow is readRange, where from may be absent and is now.
func (a *API) readFromNow(from, to string, zone *time.Location, whose string) (s span, err error) {
	if from != "" {
		return readRange("from", from, "to", to, whose)
	}
	s.start = a.o.Now().UTC().Truncate(time.Minute)
	if s.end, err = time.Parse(time.RFC3339, to); err == nil {
		return s, nil
	}
	end, err := oncall.ParseCivil(to)
	if err != nil {
		return s, invalid("to", "to is an instant (2026-03-01T09:00:00Z) or a wall time of %s (2026-03-01 09:00), not %q", whose, shorten(to))
	}
	s.end = end.Last(zone).UTC()
	return s, nil
}

// A span is a stretch of time as somebody wrote it: two instants, or two wall times.
type span struct {
	start, end time.Time
	from, to   oncall.Civil
}

// in is the span as instants; wall times are those of the zone (SPEC §4.2).
func (s span) in(zone *time.Location) (start, end time.Time) {
	if s.from == 0 {
		return s.start, s.end
	}
	return s.from.First(zone), s.to.Last(zone)
}

// check says why a span is none.
func (s span) check(zone *time.Location) error {
	start, end := s.in(zone)
	switch {
	case end.After(start):
		return nil
	case s.from != 0 && s.to > s.from:
		return invalid("to", "the clocks of %s skip all of it, from %s to %s; name times that exist on that day", zone, s.from, s.to)
	case s.from != 0:
		return invalid("to", "it ends at %s, not after it starts at %s", s.to, s.from)
	}
	return invalid("to", "it ends at %s, not after it starts at %s", end.UTC().Format(time.RFC3339), start.UTC().Format(time.RFC3339))
}

// readRange reads two members of a body. whose are the wall times, in words.
func readRange(fromField, from, toField, to, whose string) (s span, err error) {
	var errFrom, errTo error
	s.start, errFrom = time.Parse(time.RFC3339, from)
	s.end, errTo = time.Parse(time.RFC3339, to)
	if errFrom == nil && errTo == nil {
		return s, nil
	}
	s = span{}
	for _, side := range []struct {
		name, text string
		civil      *oncall.Civil
	}{{fromField, from, &s.from}, {toField, to, &s.to}} {
		if *side.civil, err = oncall.ParseCivil(side.text); err != nil {
			return s, invalid(side.name, "%s and %s are both instants (2026-03-01T09:00:00Z) or both wall times of %s (2026-03-01 09:00), not %q", fromField, toField, whose, shorten(side.text))
		}
	}
	return s, nil
}
