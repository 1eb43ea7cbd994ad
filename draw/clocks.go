package draw

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A ClockChange is an instant at which the clocks of a zone are set.
type ClockChange struct {
	At      time.Time
	Zone    *time.Location
	Was, Is oncall.Civil  // what the clocks would have shown, and show
	By      time.Duration // forward; back is negative
}

// ClockChanges are those of all the zones of a schedule, after from and before to, in order.
func ClockChanges(s *oncall.Schedule, from, to time.Time) []ClockChange {
	var changes []ClockChange
	for _, zone := range zonesOf(s.Spec()) {
		changes = append(changes, zoneChanges(zone, from, to)...)
	}
	slices.SortStableFunc(changes, func(a, b ClockChange) int { return a.At.Compare(b.At) })
	return changes
}

func zonesOf(spec oncall.Spec) []*time.Location {
	zones := []*time.Location{spec.Zone}
	add := func(zone *time.Location) {
		if zone != nil && !slices.ContainsFunc(zones, func(z *time.Location) bool { return same(z, zone) }) {
			zones = append(zones, zone)
		}
	}
	windows := slices.Clone(spec.Uncovered)
	for _, l := range spec.Layers {
		add(l.Zone)
		windows = append(windows, l.Active...)
	}
	for _, w := range windows {
		if w.Calendar == nil {
			continue
		}
		for _, v := range w.Calendar.Intervals {
			add(v.Zone)
		}
	}
	return zones
}

func same(a, b *time.Location) bool { return a.String() == b.String() }

func zoneChanges(zone *time.Location, from, to time.Time) (changes []ClockChange) {
	for at := from; ; {
		_, next := at.In(zone).ZoneBounds()
		if next.IsZero() || !next.Before(to) {
			return changes
		}
		if !next.After(at) {
			// Far in the future Go ends a stretch before it began, on the last day of a leap year. No clock is set then.
			at = at.Add(24 * time.Hour)
			continue
		}
		before, after := offset(next.Add(-1), zone), offset(next, zone)
		if before != after {
			changes = append(changes, ClockChange{
				At: next.UTC(), Zone: zone, By: after - before,
				Was: oncall.WallTime(next, time.FixedZone("", int(before/time.Second))), Is: oncall.WallTime(next, zone),
			})
		}
		at = next
	}
}

func offset(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// String is such as "Europe/Lisbon sets its clocks back on Sun 25 Oct 2026 02:00→01:00".
func (c ClockChange) String() string {
	direction := "forward"
	if c.By < 0 {
		direction = "back"
	}
	was, is := date(c.Was), date(c.Is)
	to := is.Format("15:04")
	if was.YearDay() != is.YearDay() {
		to = is.Format("Mon 2 Jan 15:04")
	}
	return fmt.Sprintf("%s sets its clocks %s on %s→%s", c.Zone, direction, was.Format("Mon 2 Jan 2006 15:04"), to)
}

// date is a wall time as if clocks were never set.
func date(c oncall.Civil) time.Time { return c.First(time.UTC) }

// Sentence says what the change does to the shifts of a schedule, too: who is on call for longer or shorter than at
// other times of the year, whose shift is left out, and which hand-offs move by the clock from then on.
func (c ClockChange) Sentence(s *oncall.Schedule) string {
	parts := append([]string{c.String()}, c.lengths(s)...)
	return strings.Join(append(parts, c.drifts(s.Spec())...), "; ")
}

// Shifts that last longer are not looked at: nobody plans by their hours.
const longestShift = 62 * 24 * time.Hour

// lengths compares the shifts before and after the change with those of worlds in which the zone's clocks are left
// alone: one where they go on as before, and one where they have always been as they are after.
func (c ClockChange) lengths(s *oncall.Schedule) (parts []string) {
	from, to := c.At.Add(-longestShift), c.At.Add(longestShift)
	actual := s.Shifts(from, to)
	before := c.unchanged(s, c.At.Add(-1)).Shifts(from, to)
	after := c.unchanged(s, c.At).Shifts(from, to)
	whole := func(s oncall.Shift) bool { return s.Start.After(from) && s.End.Before(to) }

	is := holding(actual, c.At.Add(-1))
	if was := holding(before, is.Start); whole(is) && whole(was) && slices.Equal(is.Users, was.Users) && is.Start.Equal(was.Start) {
		parts = append(parts, lasts(is.Users, is.End.Sub(was.End))...)
	}
	is = holding(actual, c.At)
	was := holding(before, c.At)
	for _, lost := range before { // those that the change skips
		if !lost.Start.Before(c.At) && !lost.End.After(c.At.Add(c.By)) && !slices.Equal(lost.Users, is.Users) {
			parts = append(parts, fmt.Sprintf("the shift of %s is left out", people(lost.Users)))
		}
	}
	then := holding(after, c.At)
	switch {
	case !whole(is) || !is.Start.Equal(c.At):
	case whole(was) && slices.Equal(is.Users, was.Users) && is.Start.Equal(was.Start):
		parts = append(parts, lasts(is.Users, is.End.Sub(was.End))...)
	case whole(then) && slices.Equal(is.Users, then.Users) && is.End.Equal(then.End):
		parts = append(parts, lasts(is.Users, then.Start.Sub(is.Start))...)
	}
	return parts
}

// lasts is a list, to be empty where there is nothing to say.
func lasts(users []string, longer time.Duration) []string {
	switch {
	case len(users) == 0 || longer == 0:
		return nil
	case longer < 0:
		return []string{fmt.Sprintf("the shift of %s is %s shorter", people(users), Length(-longer))}
	}
	return []string{fmt.Sprintf("the shift of %s is %s longer", people(users), Length(longer))}
}

// holding is the shift at an instant; none is zero.
func holding(shifts []oncall.Shift, at time.Time) oncall.Shift {
	for _, s := range shifts {
		if !at.Before(s.Start) && at.Before(s.End) {
			return s
		}
	}
	return oncall.Shift{}
}

// unchanged is the schedule in a world where the zone's clocks are always those of an instant.
func (c ClockChange) unchanged(s *oncall.Schedule, at time.Time) *oncall.Schedule {
	fixed := time.FixedZone(c.Zone.String(), int(offset(at, c.Zone)/time.Second))
	spec := s.Spec()
	spec.Layers = slices.Clone(spec.Layers)
	spec.Uncovered = nil // it is nobody's shift
	for i := range spec.Layers {
		l := &spec.Layers[i]
		l.Active = under(l.Active, fixed)
		if !same(zoneOf(*l, spec), c.Zone) {
			continue
		}
		if elapsed(l.Rotation) { // it begins at the same instant, and knows no clocks after that
			l.Rotation.Start = oncall.WallTime(l.Rotation.Start.First(c.Zone), fixed)
		}
		if l.Zone != nil {
			l.Zone = fixed
		}
	}
	if same(spec.Zone, c.Zone) {
		spec.Zone = fixed
	}
	world, err := oncall.New(spec)
	if err != nil {
		panic(fmt.Sprintf("draw: a checked schedule is not good under other clocks: %v", err))
	}
	return world
}

// under puts those windows that are read in a zone of their own under its fixed clocks, if they are its.
func under(windows []oncall.Window, fixed *time.Location) []oncall.Window {
	out := slices.Clone(windows)
	for i, w := range out {
		if w.Calendar == nil {
			continue
		}
		calendar := *w.Calendar
		calendar.Intervals = slices.Clone(calendar.Intervals)
		for j := range calendar.Intervals {
			if v := &calendar.Intervals[j]; v.Zone != nil && same(v.Zone, fixed) {
				v.Zone = fixed
			}
		}
		out[i].Calendar = &calendar
	}
	return out
}

func zoneOf(l oncall.Layer, spec oncall.Spec) *time.Location {
	if l.Zone != nil {
		return l.Zone
	}
	return spec.Zone
}

// elapsed says whether a turn is elapsed time: SPEC §4.3.
func elapsed(r oncall.Rotation) bool { return r.Every.Unit == oncall.Hour && 24%r.Every.N != 0 }

// drifts names the layers whose hand-offs move by the clock.
func (c ClockChange) drifts(spec oncall.Spec) (parts []string) {
	for _, l := range spec.Layers {
		if !elapsed(l.Rotation) || len(l.Rotation.Turns) < 2 || !same(zoneOf(l, spec), c.Zone) ||
			l.Rotation.Start > c.Was || l.EffectiveUntil != 0 && l.EffectiveUntil <= c.Was {
			continue
		}
		by, when := c.By, "later"
		if by < 0 {
			by, when = -by, "earlier"
		}
		parts = append(parts, fmt.Sprintf("hand-offs of layer %q come %s %s by the clock from then on, since %s is elapsed time",
			l.Name, Length(by), when, l.Rotation.Every))
	}
	return parts
}

// people says names: "ana", "ana and bo", "ana, bo and cy".
func people(users []string) string {
	if n := len(users); n > 1 {
		return strings.Join(users[:n-1], ", ") + " and " + users[n-1]
	}
	return strings.Join(users, "")
}

// Length says an elapsed time in hours, without loss: 168h, 12h20m, 0h.
func Length(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	if text == "0s" {
		return "0h"
	}
	return text
}
