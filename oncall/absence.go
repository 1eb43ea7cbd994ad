package oncall

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// An Absence is a time in which a user cannot be on call. It changes no schedule; see Conflicts.
type Absence struct {
	ID        string    `json:"id"`
	User      string    `json:"user"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Reason    string    `json:"reason,omitempty"`
	CreatedBy string    `json:"created_by,omitempty"` // empty: the file's, as CreatedAt
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// A Conflict is a stretch of time in which somebody is on call and unavailable.
type Conflict struct {
	User   string
	Start  time.Time
	End    time.Time
	Reason string // of the absences, joined
	// Substitute is who might stand in for the whole of it: of the other users of the schedule's layers who are neither
	// unavailable nor on call anywhere then, the one who was on call here least recently. Empty: there is nobody.
	Substitute string
}

// lookBack is how far into the past "least recently on call" looks. Who was not on call in all that time comes first.
const lookBack = 400 * 24 * time.Hour

// Conflicts lists when somebody is on call in [from, to) who is unavailable then, by start and name. absences are those
// of everybody, others the other schedules. It is never nil.
func (s *Schedule) Conflicts(from, to time.Time, absences []Absence, others []*Schedule) []Conflict {
	conflicts := []Conflict{}
	var users []string
	for _, a := range absences {
		users = insert(users, a.User)
	}
	if len(users) == 0 || !from.Before(to) {
		return conflicts
	}
	shifts := s.Shifts(from, to)
	for _, user := range users {
		conflicts = append(conflicts, meet(user, times(shifts, user), away(absences, user, from, to))...)
	}
	slices.SortStableFunc(conflicts, func(a, b Conflict) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.User, b.User))
	})
	for i := range conflicts {
		conflicts[i].Substitute = s.substitute(conflicts[i], absences, others)
	}
	return conflicts
}

// substitute finds who might stand in for the user of a conflict; empty: nobody.
func (s *Schedule) substitute(c Conflict, absences []Absence, others []*Schedule) string {
	free := s.people()
	drop := func(who ...string) {
		free = slices.DeleteFunc(free, func(u string) bool { return slices.Contains(who, u) })
	}
	drop(c.User)
	for _, a := range absences {
		if a.Start.Before(c.End) && c.Start.Before(a.End) {
			drop(a.User)
		}
	}
	for _, o := range append([]*Schedule{s}, others...) {
		if len(free) == 0 {
			return ""
		}
		for _, shift := range o.Shifts(c.Start, c.End) {
			drop(shift.Users...)
		}
	}
	if len(free) < 2 {
		return strings.Join(free, "")
	}
	last := map[string]time.Time{} // when they were on call here, before
	for _, shift := range s.Shifts(c.Start.Add(-lookBack), c.Start) {
		for _, user := range shift.Users {
			last[user] = shift.End
		}
	}
	return slices.MinFunc(free, func(a, b string) int {
		return cmp.Or(last[a].Compare(last[b]), cmp.Compare(a, b))
	})
}

// people are the users of the layers, by name.
func (s *Schedule) people() (users []string) {
	for i := range s.layers {
		for _, turn := range s.layers[i].turns.who {
			for _, user := range turn {
				users = insert(users, user)
			}
		}
	}
	return users
}

// away is when a user is unavailable in [from, to), cut to it, in order, with the reasons. Absences that touch are one.
func away(absences []Absence, user string, from, to time.Time) (out []Conflict) {
	var theirs []Absence
	for _, a := range absences {
		if a.User == user && a.Start.Before(to) && from.Before(a.End) && a.Start.Before(a.End) {
			a.Start, a.End = clip(a.Start, a.End, from, to)
			theirs = append(theirs, a)
		}
	}
	slices.SortStableFunc(theirs, func(a, b Absence) int { return a.Start.Compare(b.Start) })
	for _, a := range theirs {
		if n := len(out); n > 0 && !a.Start.After(out[n-1].End) {
			last := &out[n-1]
			if a.End.After(last.End) {
				last.End = a.End
			}
			if a.Reason != "" && !slices.Contains(strings.Split(last.Reason, "; "), a.Reason) {
				last.Reason = strings.Trim(last.Reason+"; "+a.Reason, "; ")
			}
			continue
		}
		out = append(out, Conflict{User: user, Start: a.Start.UTC(), End: a.End.UTC(), Reason: a.Reason})
	}
	return out
}

// meet is where a user's time on call and absences meet.
func meet(user string, on []Stretch, away []Conflict) (out []Conflict) {
	for _, t := range on {
		for _, a := range away {
			if t.Start.Before(a.End) && a.Start.Before(t.End) {
				start, end := clip(t.Start, t.End, a.Start, a.End)
				out = append(out, Conflict{User: user, Start: start, End: end, Reason: a.Reason})
			}
		}
	}
	return out
}
