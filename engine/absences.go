package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/oncall"
)

// Limits of absences.
const (
	maxAbsences      = 1000 // of one user, made at run time
	maxAbsenceReason = 500  // characters
)

// addAbsence takes in that a user is unavailable for a time.
func (c *Core) addAbsence(in AddAbsence) Answer {
	a := in.Absence
	a.CreatedAt = c.now
	if _, known := c.cfg.Users[a.User]; !known {
		return Answer{Err: c.noUser("user", a.User)}
	}
	switch {
	case utf8.RuneCountInString(a.CreatedBy) > maxName:
		return Answer{Err: refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)}
	case utf8.RuneCountInString(a.Reason) > maxAbsenceReason:
		return Answer{Err: refuse("invalid", "reason", "the reason is longer than %d characters", maxAbsenceReason)}
	case !a.End.After(a.Start):
		return Answer{Err: refuse("invalid", "to", "it ends at %s, not after it starts at %s", instantText(a.End), instantText(a.Start))}
	case !a.End.After(c.now):
		return Answer{Err: refuse("invalid", "to", "it ended at %s; an absence warns of what is still to come", instantText(a.End))}
	}
	theirs := c.absences[a.User]
	if len(theirs) >= maxAbsences {
		if theirs = c.withoutOldAbsences(theirs); len(theirs) >= maxAbsences {
			return Answer{Err: refuse("invalid", "user", "%s has %d absences, the most there can be; remove some", a.User, maxAbsences)}
		}
	}
	n := c.numbered()
	a.ID = madeID(a.User, n)
	c.absences[a.User] = append(slices.Clip(theirs), a)
	c.put(absenceKey(a.User, n), encode("absence", a))
	return Answer{Absence: a}
}

func (c *Core) withoutOldAbsences(theirs []oncall.Absence) []oncall.Absence {
	return slices.DeleteFunc(slices.Clone(theirs), func(a oncall.Absence) bool {
		old := !a.End.Add(keepOver).After(c.now)
		if old {
			c.put(absenceKey(a.User, numberOf(a.ID)), nil)
		}
		return old
	})
}

// dropAbsence takes back an absence made at run time.
func (c *Core) dropAbsence(in DropAbsence) Answer {
	theirs := c.absences[in.User]
	i := slices.IndexFunc(theirs, func(a oncall.Absence) bool { return a.ID == in.ID })
	if i < 0 {
		for j := range c.cfg.Users[in.User].Unavailable {
			if in.ID == fileID(in.User, j) {
				return Answer{Err: refuse("conflict", "id", "%s comes from unavailable of user %s in the configuration file; change it there, or in the calendar it names, and reload", in.ID, in.User)}
			}
		}
		return Answer{Err: refuse("not_found", "id", "user %s has no absence %q", cut(in.User, maxName), cut(in.ID, maxName))}
	}
	a := theirs[i]
	c.absences[in.User] = slices.Delete(slices.Clone(theirs), i, i+1)
	c.put(absenceKey(in.User, numberOf(in.ID)), nil)
	c.keepNumber()
	return Answer{Absence: a}
}

// allAbsences are the file's and those made at run time, of every user of the configuration, by user.
func (c *Core) allAbsences() (all []oncall.Absence) {
	for _, user := range slices.Sorted(maps.Keys(c.cfg.Users)) {
		for i, a := range c.cfg.Users[user].Unavailable {
			a.ID, a.User = fileID(user, i), user
			all = append(all, a)
		}
		all = append(all, c.absences[user]...)
	}
	return all
}

func (c *Core) noUser(field, name string) error {
	return c.unknown("user", field, cut(name, maxName), slices.Collect(maps.Keys(c.cfg.Users)))
}

func absenceKey(user string, n uint64) string { return prefAbsence + user + "/" + seqKey(n) }

// restoreChanges reads absences, swaps, and the newest number of what was made at run time.
func (r *restorer) restoreChanges() error {
	var newest uint64
	if _, err := r.get(keyNumber, "number", &newest); err != nil {
		return err
	}
	r.c.number = max(r.c.number, newest)
	if err := r.scan(prefAbsence, func(rest string, value []byte) error {
		user, number, _ := strings.Cut(rest, "/")
		n, err := strconv.ParseUint(number, 16, 64)
		if err != nil {
			return err
		}
		r.c.number = max(r.c.number, n)
		var a oncall.Absence
		if err = decode("absence", value, &a); err == nil {
			r.c.absences[user] = append(r.c.absences[user], a)
		}
		return err
	}); err != nil {
		return err
	}
	return r.scan(prefSwap, func(rest string, value []byte) error {
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		r.c.lastSwap = max(r.c.lastSwap, n)
		s := &Swap{}
		if err = decode("swap", value, s); err == nil {
			r.c.swaps[n] = s
			r.c.awaitSwap(s)
		}
		return err
	})
}

// Absences are all of them, the file's too, by start, user and ID. Those that are over are left out unless past.
func (e *Engine) Absences(past bool) []oncall.Absence {
	e.mu.RLock()
	all := e.core.allAbsences()
	e.mu.RUnlock()
	now := e.now().Wall
	all = slices.DeleteFunc(all, func(a oncall.Absence) bool { return !past && !a.End.After(now) })
	slices.SortStableFunc(all, func(a, b oncall.Absence) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.User, b.User))
	})
	return all
}

// A Conflict is one of a schedule.
type Conflict struct {
	Schedule string
	oncall.Conflict
}

// Conflicts lists when in [from, to) somebody is on call in the schedule (empty: in any) who is unavailable then, by
// start. It looks at what is still to come, and at no more than that.
func (e *Engine) Conflicts(ctx context.Context, schedule string, from, to time.Time) ([]Conflict, error) {
	if now := e.now().Wall; from.Before(now) {
		from = now
	}
	e.mu.RLock()
	schedules, absences := maps.Clone(e.core.schedules), e.core.allAbsences()
	e.mu.RUnlock()
	absences = slices.DeleteFunc(absences, func(a oncall.Absence) bool { return !a.End.After(from) || !a.Start.Before(to) })
	conflicts := []Conflict{}
	if len(absences) == 0 {
		return conflicts, nil
	}
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		if schedule != "" && name != schedule {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, c := range schedules[name].Conflicts(from, to, absences, others(schedules, name)) {
			conflicts = append(conflicts, Conflict{name, c})
		}
	}
	slices.SortStableFunc(conflicts, func(a, b Conflict) int { return a.Start.Compare(b.Start) })
	return conflicts, nil
}

// others are all schedules but one, by name.
func others(schedules map[string]*oncall.Schedule, but string) (list []*oncall.Schedule) {
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		if name != but {
			list = append(list, schedules[name])
		}
	}
	return list
}
