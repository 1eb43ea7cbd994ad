// Package oncall says who is on call at an instant.
//
// A Schedule is a pure function of its Spec: layers of rotations, cut by windows, changed by overrides. It
// reads no clock and keeps no state, so any number of goroutines may ask it anything. The rules it follows
// are the twelve of SPEC §4; where the code turns on one, the comment names it.
package oncall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Spec is a schedule as its owner writes it.
type Spec struct {
	Name      string
	Zone      *time.Location // for the layers that name none, the overrides and Uncovered
	Layers    []Layer        // later wins: SPEC §4.9
	Overrides []Override     // in order of creation
	Uncovered []Window       // when nobody is meant to be on call
}

// A Layer is a rotation that shows within limits and windows.
type Layer struct {
	Name           string
	Mode           Mode
	Rotation       Rotation
	Shared         *Calendar      // whose events say who is on call, in place of a Rotation
	Zone           *time.Location // absent: the schedule's
	EffectiveFrom  Civil          // absent: always was
	EffectiveUntil Civil          // absent: for ever
	Active         []Window       // their union; absent: always
	Except         []Window       // not then, whatever Active says; absent: never
}

// Mode is how a layer meets what is below it.
type Mode string

// A layer replaces what is below wherever it has somebody, unless it adds to it.
const (
	ModeReplace Mode = "replace" // also when absent
	ModeAdd     Mode = "add"
)

// A Problem is a fault or a doubt about a spec. Where is a path in its YAML: "layers[1].rotation.every".
type Problem struct{ Where, What string }

func (p Problem) String() string { return p.Where + ": " + p.What }

// Problems is the error of New: all of them.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// add notes an error, if there is one.
func (ps *Problems) add(err error, where string, args ...any) {
	if err != nil {
		*ps = append(*ps, Problem{fmt.Sprintf(where, args...), err.Error()})
	}
}

// A Schedule is a checked Spec, made ready to be asked. It does not change.
type Schedule struct {
	spec      Spec
	zones     []*time.Location
	layers    []layer
	overrides []override
	agenda    agenda
	scoped    bool // some override acts on a layer
	uncovered windows
}

// layer is a Layer made ready.
type layer struct {
	Layer
	zone    int
	turns   turns
	windows windows
	except  windows
}

// New checks a spec and makes it ready. The error is Problems.
func New(spec Spec) (*Schedule, error) {
	var ps Problems
	if spec.Zone == nil {
		ps.add(errors.New("absent; name an IANA zone such as Europe/Lisbon"), "time_zone")
		return nil, ps
	}
	s := &Schedule{spec: spec}
	s.zoneIndex(spec.Zone)
	names := map[string]bool{}
	for i, l := range spec.Layers {
		faults := len(ps)
		if l.Name == "" {
			ps.add(errors.New("absent; shifts and overrides refer to a layer by its name"), "layers[%d].name", i)
		} else if l.Name == overrideLayer {
			ps.add(fmt.Errorf("%q is what shifts call those who come from an override", l.Name), "layers[%d].name", i)
		} else if names[l.Name] {
			ps.add(fmt.Errorf("a second layer named %q", l.Name), "layers[%d].name", i)
		}
		names[l.Name] = true
		l.check(&ps, fmt.Sprintf("layers[%d]", i))
		if len(ps) == faults {
			s.layers = append(s.layers, s.newLayer(l))
		} else { // only its name is needed now, so that overrides of it are not faults too
			s.layers = append(s.layers, layer{Layer: l})
		}
	}
	checkWindows(&ps, spec.Uncovered, "uncovered")
	for i, o := range spec.Overrides {
		ready, err := newOverride(o, s.layers, spec.Zone)
		ps.add(err, "overrides[%d]", i)
		s.overrides = append(s.overrides, ready)
	}
	if len(ps) > 0 {
		return nil, ps
	}
	if len(spec.Uncovered) > 0 {
		s.uncovered = newWindows(spec.Uncovered, spec.Zone, s.zoneIndex)
	}
	s.schedule(s.overrides)
	return s, nil
}

// WithOverrides is the schedule with overrides made at run time, which come after the file's. One that no
// longer fits (its layer is gone) is left out and told in the error; the schedule is good all the same.
func (s *Schedule) WithOverrides(extra []Override) (*Schedule, error) {
	var ps Problems
	next := *s
	all := slices.Clip(s.overrides)
	for i, o := range extra {
		ready, err := newOverride(o, s.layers, s.spec.Zone)
		if err != nil {
			ps.add(err, "overrides[%d]", i)
			continue
		}
		all = append(all, ready)
	}
	next.schedule(all)
	if len(ps) > 0 {
		return &next, ps
	}
	return &next, nil
}

// Spec is what the schedule was made of, without the overrides made at run time.
func (s *Schedule) Spec() Spec { return s.spec }

// Name is the schedule's.
func (s *Schedule) Name() string { return s.spec.Name }

func (s *Schedule) schedule(os []override) {
	s.overrides, s.agenda = os, newAgenda(os)
	s.scoped = slices.ContainsFunc(os, func(o override) bool { return o.layer >= 0 })
}

// zoneIndex numbers the zones, so that one instant's wall time is found once in each.
func (s *Schedule) zoneIndex(zone *time.Location) int {
	for i, z := range s.zones {
		if z.String() == zone.String() {
			return i
		}
	}
	s.zones = append(s.zones, zone)
	return len(s.zones) - 1
}

func (s *Schedule) newLayer(l Layer) layer {
	if l.Zone == nil {
		l.Zone = s.spec.Zone
	}
	ready := layer{Layer: l, zone: s.zoneIndex(l.Zone), windows: windows{always: true}}
	if len(l.Active) > 0 {
		ready.windows = newWindows(l.Active, l.Zone, s.zoneIndex)
	}
	if len(l.Except) > 0 {
		ready.except = newWindows(l.Except, l.Zone, s.zoneIndex)
	}
	if l.Shared != nil {
		ready.turns = newEventTurns(l.Shared.Events, l.Zone)
		return ready
	}
	var active dates
	count := l.count()
	if count == ActiveDays {
		active = startDays(l.Active, l.Zone)
	}
	ready.turns = newTurns(l.Rotation, active, count)
	return ready
}

// count is the rotation's, or its default: SPEC §4.6.
func (l Layer) count() Count {
	named := slices.ContainsFunc(l.Active, func(w Window) bool { return w.Days != 0 })
	if l.Rotation.Count == "" && l.Rotation.Every.Unit == Day && named {
		return ActiveDays
	}
	return l.Rotation.Count
}

func (l Layer) check(ps *Problems, where string) {
	r := l.Rotation
	at := func(err error, what string) { ps.add(err, "%s.%s", where, what) }
	if l.Mode != "" && l.Mode != ModeReplace && l.Mode != ModeAdd {
		at(fmt.Errorf("%q is no mode; write replace or add", l.Mode), "mode")
	}
	if l.Shared != nil {
		if len(r.Turns) > 0 || r.Start != 0 || r.Every != (Every{}) || r.Handoff.text != "" || r.Count != "" {
			at(errors.New("a layer has a rotation or a calendar, not both"), "calendar")
		}
		at(checkEvents(l.Shared.Events), "calendar")
		l.checkLimits(ps, where)
		return
	}
	if r.Start == 0 {
		at(errors.New("absent; write the local time of the first turn, such as 2026-01-05 09:00"), "rotation.start")
	}
	timed := r.Handoff.text != ""
	switch {
	case timed && r.Every != Every{}:
		at(errors.New("turns change by every or by handoff, not by both"), "rotation.handoff")
	case r.Every != Every{}:
		switch r.Every.Unit {
		case Hour, Day, Week, Month:
			at(r.Every.check(), "rotation.every")
		default:
			at(fmt.Errorf("%q is no unit; write Nh, Nd, Nw or Nmonth", r.Every.Unit), "rotation.every")
		}
	case !timed && len(r.Turns) > 1:
		at(errors.New("says not when turns change; give every or handoff"), "rotation")
	}
	switch r.Count {
	case "", CalendarDays:
	case ActiveDays:
		if r.Every.Unit != Day {
			at(errors.New("active_days counts days; it goes only with every: Nd"), "rotation.count")
		}
	default:
		at(fmt.Errorf("%q is no way to count; write calendar or active_days", r.Count), "rotation.count")
	}
	for i, turn := range r.Turns {
		if slices.Contains(turn, "") {
			at(errors.New("a user without a name"), fmt.Sprintf("rotation.users[%d]", i))
		}
	}
	l.checkLimits(ps, where)
}

// checkLimits checks what holds for a layer whoever fills it.
func (l Layer) checkLimits(ps *Problems, where string) {
	if l.EffectiveFrom != 0 && l.EffectiveUntil != 0 && l.EffectiveUntil <= l.EffectiveFrom {
		ps.add(fmt.Errorf("%s is not after effective_from, %s", l.EffectiveUntil, l.EffectiveFrom), "%s.effective_until", where)
	}
	checkWindows(ps, l.Active, where+".active")
	checkWindows(ps, l.Except, where+".except")
}

func checkWindows(ps *Problems, ws []Window, where string) {
	for i, w := range ws {
		ps.add(w.check(), "%s[%d]", where, i)
	}
}
