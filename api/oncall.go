package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// OnCall is who is on call at an instant, in every schedule.
type OnCall struct {
	At     time.Time `json:"at"`
	OnCall []Duty    `json:"oncall"` // by the schedule's name
}

// Duty is who is on call in one schedule.
type Duty struct {
	Schedule    string    `json:"schedule"`
	Users       []string  `json:"users"`                  // sorted; none is a gap
	Layers      []string  `json:"layers,omitempty"`       // where they come from
	DeclaredGap bool      `json:"declared_gap,omitempty"` // nobody is meant to be on call
	Until       time.Time `json:"until,omitzero"`         // when that may change; absent: never
}

func (a *API) getOnCall(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "at", "schedule")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	at, err := instant(v, "at")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if at.IsZero() {
		at = a.o.Now()
	}
	out := OnCall{At: at.UTC(), OnCall: []Duty{}}
	wanted := v.Get("schedule")
	if wanted != "" && a.o.Engine.Schedule(wanted) == nil {
		a.fail(w, r, a.noSchedule("schedule", wanted))
		return
	}
	for _, d := range a.o.Engine.OnCall(at) {
		if wanted != "" && d.Schedule != wanted {
			continue
		}
		duty := Duty{Schedule: d.Schedule, Users: d.Answer.Users(), DeclaredGap: d.Answer.Declared, Until: d.Until.UTC()}
		for _, p := range d.Answer.People {
			for _, l := range p.Layers {
				if !slices.Contains(duty.Layers, l) {
					duty.Layers = append(duty.Layers, l)
				}
			}
		}
		out.OnCall = append(out.OnCall, duty)
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) noSchedule(field, name string) error {
	known := slices.Collect(maps.Keys(a.o.Engine.Config().Schedules))
	return missing(field, "there is no schedule %q%s", shorten(name), suggest(name, known))
}

// Shifts is the final schedule over a stretch of time, cut to it.
type Shifts struct {
	Schedule string         `json:"schedule"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Shifts   []oncall.Shift `json:"shifts"` // in order; gaps are absent
}

func (a *API) getShifts(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s := a.o.Engine.Schedule(name)
	if s == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	from, to, err := a.span(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	shifts := s.Shifts(from, to)
	for i := range shifts {
		shifts[i].Start, shifts[i].End = shifts[i].Start.UTC(), shifts[i].End.UTC()
	}
	answer(w, r, http.StatusOK, Shifts{Schedule: name, From: from.UTC(), To: to.UTC(), Shifts: shifts})
}

// span reads from and to; absent, they are now and two weeks later.
func (a *API) span(r *http.Request) (from, to time.Time, err error) {
	v, err := params(r, "from", "to")
	if err != nil {
		return from, to, err
	}
	if from, err = instant(v, "from"); err != nil {
		return from, to, err
	}
	if to, err = instant(v, "to"); err != nil {
		return from, to, err
	}
	if from.IsZero() {
		from = a.o.Now().Truncate(time.Minute)
	}
	if to.IsZero() {
		to = from.Add(defaultSpan)
	}
	switch {
	case !to.After(from):
		return from, to, invalid("to", "to (%s) must lie after from (%s)", to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	case to.Sub(from) > maxSpan:
		return from, to, invalid("to", "at most %d days are answered at once", int(maxSpan.Hours())/24)
	}
	return from, to, nil
}

// Override is the body of POST schedules/{name}/overrides, in the words of the configuration (SPEC §4). From and To are
// both instants (2026-03-01T09:00:00Z), or both wall times of the schedule's zone (2026-03-01 09:00).
type Override struct {
	By      string `json:"by"`
	Take    string `json:"take,omitempty"`
	Add     string `json:"add,omitempty"`
	Remove  string `json:"remove,omitempty"`
	Replace string `json:"replace,omitempty"`
	With    string `json:"with,omitempty"`
	Layer   string `json:"layer,omitempty"`
	From    string `json:"from"`
	To      string `json:"to"`
}

// Overridden is what POST schedules/{name}/overrides answers.
type Overridden struct {
	Schedule string   `json:"schedule"`
	Override Override `json:"override"`
	Warning  string   `json:"warning,omitempty"`
}

func (a *API) postOverride(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if a.o.Engine.Schedule(name) == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	var body Override
	if err := readAct(w, r, &body, []string{"by", "take", "add", "remove", "replace", "with", "layer", "from", "to"}); err != nil {
		a.fail(w, r, err)
		return
	}
	o, err := a.override(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Overridden{Schedule: name, Override: body}
	switch err := a.o.Engine.Do(r.Context(), engine.Override{Schedule: name, Override: o, By: body.By}).Err; {
	case errors.Is(err, engine.ErrUnsaved):
		out.Warning = err.Error()
		answer(w, r, http.StatusAccepted, out)
	case err != nil:
		a.fail(w, r, err)
	default:
		answer(w, r, http.StatusCreated, out)
	}
}

func (a *API) override(b Override) (o oncall.Override, err error) {
	if strings.TrimSpace(b.By) == "" {
		return o, invalid("by", `say who you are: "by" is empty`)
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
	users := a.o.Engine.Config().Users
	for field, user := range map[string]string{string(o.Kind): o.User, "with": o.With} {
		if _, known := users[user]; user != "" && !known {
			return o, invalid(field, "there is no user %q%s", shorten(user), suggest(user, slices.Collect(maps.Keys(users))))
		}
	}
	return o, readSpan(b, &o)
}

func readSpan(b Override, o *oncall.Override) error {
	from, errFrom := time.Parse(time.RFC3339, b.From)
	to, errTo := time.Parse(time.RFC3339, b.To)
	if errFrom == nil && errTo == nil {
		o.Start, o.End = from, to
		return nil
	}
	for _, side := range []struct {
		name, text string
		civil      *oncall.Civil
	}{{"from", b.From, &o.From}, {"to", b.To, &o.To}} {
		var err error
		if *side.civil, err = oncall.ParseCivil(side.text); err != nil {
			return invalid(side.name, "from and to are both instants (2026-03-01T09:00:00Z) or both wall times of the schedule (2026-03-01 09:00), not %q", shorten(side.text))
		}
	}
	return nil
}
