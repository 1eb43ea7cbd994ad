package api

import (
	"maps"
	"net/http"
	"slices"
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
	TimeZone    string    `json:"time_zone,omitempty"`    // its zone; absent: the configuration has no such schedule any more
	Users       []string  `json:"users"`                  // sorted; none is a gap
	Layers      []string  `json:"layers,omitempty"`       // where they come from
	DeclaredGap bool      `json:"declared_gap,omitempty"` // nobody is meant to be on call
	Until       time.Time `json:"until,omitzero"`         // when that may change, or changed; absent: never

	// Of an instant that has passed: true if it was written down then, false if it is computed, because the record
	// begins later.
	Recorded *bool `json:"recorded,omitempty"`
	// Unavailable are those of the users, now or in the future, who cannot be on call before Until, and in two weeks.
	Unavailable []Conflict `json:"unavailable,omitempty"`
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
	duties, err := a.o.Engine.Duties(r.Context(), at)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if at.IsZero() {
		at = a.o.Now()
	}
	wanted := v.Get("schedule")
	conflicts, err := a.o.Engine.Conflicts(r.Context(), wanted, at, at.Add(defaultSpan))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := OnCall{At: at.UTC(), OnCall: []Duty{}}
	for _, d := range duties {
		if wanted == "" || d.Schedule == wanted {
			duty := showDuty(d, conflicts)
			if s := a.o.Engine.Schedule(d.Schedule); s != nil {
				duty.TimeZone = s.Spec().Zone.String()
			}
			out.OnCall = append(out.OnCall, duty)
		}
	}
	if wanted != "" && len(out.OnCall) == 0 {
		a.fail(w, r, a.noSchedule("schedule", wanted))
		return
	}
	answer(w, r, http.StatusOK, out)
}

func showDuty(d engine.DutyView, conflicts []engine.Conflict) Duty {
	duty := Duty{Schedule: d.Schedule, Users: d.Users, Layers: d.Layers, DeclaredGap: d.Declared, Until: d.Until.UTC()}
	if duty.Users == nil {
		duty.Users = []string{}
	}
	if d.Past {
		duty.Recorded = &d.Recorded
		return duty
	}
	for _, c := range conflicts {
		theirs := c.Schedule == d.Schedule && slices.Contains(d.Users, c.User)
		if theirs && (d.Until.IsZero() || c.Start.Before(d.Until)) {
			duty.Unavailable = append(duty.Unavailable, showConflict(c))
		}
	}
	return duty
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

	// RecordedFrom is from when on, up to now, the shifts are what was written down as it happened; what was before and
	// will be is computed. Absent: all of it is.
	RecordedFrom time.Time `json:"recorded_from,omitzero"`
}

func (a *API) getShifts(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	from, to, err := a.span(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	shifts, since, known, err := a.o.Engine.Shifts(r.Context(), name, from, to)
	switch {
	case err != nil:
		a.fail(w, r, err)
		return
	case !known:
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	for i := range shifts {
		shifts[i].Start, shifts[i].End = shifts[i].Start.UTC(), shifts[i].End.UTC()
	}
	answer(w, r, http.StatusOK, Shifts{Schedule: name, From: from.UTC(), To: to.UTC(), Shifts: shifts, RecordedFrom: since})
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

// Gaps are when nobody is on call, as the schedule stands, by start.
type Gaps struct {
	Schedule string       `json:"schedule"`
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Gaps     []oncall.Gap `json:"gaps"`
}

// getGaps lists gaps, declared ones too. What has passed is answered as the schedule stands now; who really was on call is
// what shifts tell.
func (a *API) getGaps(w http.ResponseWriter, r *http.Request) {
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
	answer(w, r, http.StatusOK, Gaps{Schedule: name, From: from.UTC(), To: to.UTC(), Gaps: s.Gaps(from, to)})
}
