package oncall

import (
	"fmt"
	"slices"
	"time"
)

// A Stretch is a half-open stretch of time.
type Stretch struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Times are the stretches of [from, to) in which the user is on call, in order; those that touch are one.
func (s *Schedule) Times(user string, from, to time.Time) []Stretch {
	return times(s.Shifts(from, to), user)
}

func times(shifts []Shift, user string) (out []Stretch) {
	for _, shift := range shifts {
		if !slices.Contains(shift.Users, user) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End.Equal(shift.Start) {
			out[n-1].End = shift.End
			continue
		}
		out = append(out, Stretch{shift.Start, shift.End})
	}
	return out
}

// without is what is left of the stretches outside of others. Both are in order.
func without(list, others []Stretch) (out []Stretch) {
	for _, t := range list {
		for _, o := range others {
			if !o.Start.Before(t.End) || !t.Start.Before(o.End) {
				continue
			}
			if t.Start.Before(o.Start) {
				out = append(out, Stretch{t.Start, o.Start})
			}
			t.Start = o.End
		}
		if t.Start.Before(t.End) {
			out = append(out, t)
		}
	}
	return out
}

// A Trade is two users' time changing hands: User's time in Gives becomes With's, and With's in Takes User's. Both are
// as Times tells them, and do not overlap.
type Trade struct {
	User, With   string
	Gives, Takes []Stretch
}

// Swap returns the overrides that do the trade and nothing else, as few as will do: one for each side, or, where that
// would reach somebody else, one for each stretch. The error says that overrides cannot do it.
func (s *Schedule) Swap(t Trade) ([]Override, error) {
	for _, pieces := range []func([]Stretch) []Stretch{hull, slices.Clone[[]Stretch]} {
		var os []Override
		for _, side := range []struct {
			from, to string
			times    []Stretch
		}{{t.User, t.With, pieces(t.Gives)}, {t.With, t.User, pieces(t.Takes)}} {
			for _, at := range side.times {
				os = append(os, Override{Kind: Replace, User: side.from, With: side.to, Start: at.Start, End: at.End})
			}
		}
		next, err := s.WithOverrides(os)
		if err != nil {
			return nil, err
		}
		if s.traded(next, t) {
			return os, nil
		}
	}
	return nil, fmt.Errorf("the time of %s and %s cannot be swapped, because earlier overrides hand on the same places; remove those first, or ask somebody to make the overrides by hand", t.User, t.With)
}

// hull is all of the stretches as one, with what is between them.
func hull(list []Stretch) []Stretch {
	if len(list) == 0 {
		return nil
	}
	return []Stretch{{list[0].Start, list[len(list)-1].End}}
}

// traded reports whether the next schedule is this one after the trade: in its stretches the one user in the other's
// place, and all else as it was.
func (s *Schedule) traded(next *Schedule, t Trade) bool {
	all := hull(slices.SortedFunc(slices.Values(slices.Concat(t.Gives, t.Takes)), func(a, b Stretch) int { return a.Start.Compare(b.Start) }))
	if len(all) == 0 {
		return false
	}
	for _, c := range Diff(s, next, all[0].Start, all[0].End) {
		from, to := t.User, t.With
		if !inOne(c, t.Gives) {
			if from, to = to, from; !inOne(c, t.Takes) {
				return false
			}
		}
		want := insert(slices.DeleteFunc(slices.Clone(c.Was), func(u string) bool { return u == from }), to)
		if !slices.Contains(c.Was, from) || !slices.Equal(c.Is, want) {
			return false
		}
	}
	for _, at := range t.Gives {
		if len(next.Times(t.User, at.Start, at.End)) > 0 {
			return false
		}
	}
	for _, at := range t.Takes {
		if len(next.Times(t.With, at.Start, at.End)) > 0 {
			return false
		}
	}
	return true
}

func inOne(c Change, list []Stretch) bool {
	return slices.ContainsFunc(list, func(t Stretch) bool { return !c.Start.Before(t.Start) && !c.End.After(t.End) })
}
