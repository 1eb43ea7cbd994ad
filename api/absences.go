package api

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// Absence is a time in which a user cannot be on call. It changes no schedule; where the user is on call all the same,
// that is a conflict.
type Absence struct {
	ID        string     `json:"id"`
	User      string     `json:"user"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Reason    string     `json:"reason,omitempty"`
	FromFile  bool       `json:"from_file"`            // it is changed there
	CreatedBy string     `json:"created_by,omitempty"` // of one made at run time, like the next
	CreatedAt time.Time  `json:"created_at,omitzero"`
	Conflicts []Conflict `json:"conflicts,omitempty"` // in the answer to POST
	Warning   string     `json:"warning,omitempty"`   // it was done, but …
}

// Absences is the list, by start.
type Absences struct {
	Absences []Absence `json:"absences"`
}

// Leave is the body of POST users/{name}/absences. From and To are both instants, or both wall times of the user's zone.
// Without From it begins now, and To may be either.
type Leave struct {
	By     string `json:"by"`
	From   string `json:"from,omitempty"`
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// Conflict is a stretch of time in which somebody is on call and unavailable.
type Conflict struct {
	Schedule   string    `json:"schedule"`
	User       string    `json:"user"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	Reason     string    `json:"reason,omitempty"`     // of the absence
	Substitute string    `json:"substitute,omitempty"` // who might stand in; absent: nobody can
}

// Conflicts are those of one schedule, by start.
type Conflicts struct {
	Schedule  string     `json:"schedule"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Conflicts []Conflict `json:"conflicts"`
}

func showConflict(c engine.Conflict) Conflict {
	return Conflict{Schedule: c.Schedule, User: c.User, Start: c.Start.UTC(), End: c.End.UTC(), Reason: c.Reason, Substitute: c.Substitute}
}

func showAbsence(a oncall.Absence) Absence {
	return Absence{
		ID: a.ID, User: a.User, From: a.Start.UTC(), To: a.End.UTC(), Reason: a.Reason, FromFile: a.CreatedAt.IsZero(),
		CreatedBy: a.CreatedBy, CreatedAt: a.CreatedAt.UTC(),
	}
}

func (a *API) checkUser(field, name string) *Problem {
	users := a.o.Engine.Config().Users
	if _, known := users[name]; known {
		return nil
	}
	return invalid(field, "there is no user %q%s", shorten(name), suggest(name, slices.Collect(maps.Keys(users))))
}

// getConflicts lists where somebody unavailable will be on call.
func (a *API) getConflicts(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if a.o.Engine.Schedule(name) == nil {
		a.fail(w, r, a.noSchedule("name", name))
		return
	}
	from, to, err := a.span(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	found, err := a.o.Engine.Conflicts(r.Context(), name, from, to)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	out := Conflicts{Schedule: name, From: from.UTC(), To: to.UTC(), Conflicts: []Conflict{}}
	for _, c := range found {
		out.Conflicts = append(out.Conflicts, showConflict(c))
	}
	answer(w, r, http.StatusOK, out)
}

// getAbsences lists those of everybody, or, at users/{name}/absences, of one user; with past=true also those that are
// over.
func (a *API) getAbsences(w http.ResponseWriter, r *http.Request) {
	past, err := pastToo(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	name := r.PathValue("name")
	if name != "" {
		if p := a.checkUser("name", name); p != nil {
			a.fail(w, r, missing("name", "%s", p))
			return
		}
	}
	out := Absences{Absences: []Absence{}}
	for _, one := range a.o.Engine.Absences(past) {
		if name == "" || one.User == name {
			out.Absences = append(out.Absences, showAbsence(one))
		}
	}
	answer(w, r, http.StatusOK, out)
}

func (a *API) postAbsence(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if p := a.checkUser("name", name); p != nil {
		a.fail(w, r, missing("name", "%s", p))
		return
	}
	var body Leave
	if err := readAct(w, r, &body, []string{"by", "from", "to", "reason"}); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := signed(body.By); err != nil {
		a.fail(w, r, err)
		return
	}
	zone := a.zoneOf(name)
	t, err := a.readFromNow(body.From, body.To, zone, "the user's zone")
	if err == nil {
		err = t.check(zone)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	absence := oncall.Absence{User: name, Reason: body.Reason, CreatedBy: body.By}
	absence.Start, absence.End = t.in(zone)
	absence.Start, absence.End = absence.Start.UTC(), absence.End.UTC()
	done := a.o.Engine.Do(r.Context(), engine.AddAbsence{Absence: absence})
	out := showAbsence(done.Absence)
	if done.Absence.ID != "" {
		// What it means is a help beside: it is made, whatever becomes of this.
		conflicts, _ := a.o.Engine.Conflicts(r.Context(), "", absence.Start, earliest(absence.End, absence.Start.Add(maxSpan)))
		for _, c := range conflicts {
			if c.User == name {
				out.Conflicts = append(out.Conflicts, showConflict(c))
			}
		}
	}
	a.changed(w, r, http.StatusCreated, &out, &out.Warning, done.Err)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// zoneOf is where a user reads times; UTC where the configuration does not say.
func (a *API) zoneOf(user string) *time.Location {
	zone, err := time.LoadLocation(a.o.Engine.Config().Users[user].TimeZone)
	if err != nil {
		return time.UTC // the configuration was checked
	}
	return zone
}

// deleteAbsence takes back one that was made at run time, and answers what it was.
func (a *API) deleteAbsence(w http.ResponseWriter, r *http.Request) {
	by, err := who(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	done := a.o.Engine.Do(r.Context(), engine.DropAbsence{User: r.PathValue("name"), ID: r.PathValue("id"), By: by})
	out := showAbsence(done.Absence)
	a.changed(w, r, http.StatusOK, &out, &out.Warning, done.Err)
}
