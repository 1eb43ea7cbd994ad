package oncall

import (
	"fmt"
	"slices"
	"time"
)

// Warnings are doubts about a spec that is not wrong.
func (s *Schedule) Warnings() []Problem {
	var ps []Problem
	for i := range s.layers {
		l := &s.layers[i]
		warn := func(what, format string, args ...any) {
			ps = append(ps, Problem{fmt.Sprintf("layers[%d]%s", i, what), fmt.Sprintf(format, args...)})
		}
		switch {
		case l.Shared != nil:
			if len(l.turns.who) == 0 {
				warn(".calendar", "calendar %q names nobody; layer %q is a hole for ever", l.Shared.Name, l.Name)
			}
			continue
		case len(l.turns.who) == 0:
			warn(".rotation.users", "has no users; the layer is a hole for ever: add somebody, or remove it")
			continue
		case !slices.ContainsFunc(l.turns.who, func(who []string) bool { return len(who) > 0 }):
			warn(".rotation.users", "every turn is nobody's; the layer is a hole for ever: add somebody, or remove it")
			continue
		}
		if l.drifts() {
			warn(".rotation.every", "%s", l.drift())
		}
		if !s.opens(l) {
			why := "its windows do not open between its start and its end; change them, or remove the layer"
			if l.windows.always {
				why = "there is no time between its start and its end; change start or effective_until, or remove the layer"
			}
			warn("", "never shows: %s", why)
		} else if by := s.hiddenBy(i); by != "" {
			warn("", "never shows: there is always somebody above it, in %s; later layers win, so put it last, or give the other mode: add", by)
		}
		if len(l.Active) > 1 {
			for j := range l.Active {
				if text := l.shut(l.Active[j], l.Zone); text != "" {
					warn(fmt.Sprintf(".active[%d]", j), "%s", text)
				}
			}
		}
	}
	for i := range s.spec.Overrides {
		o, text := &s.overrides[i], ""
		switch {
		case o.start >= o.end:
			text = fmt.Sprintf("has no time: the clocks of %s skip all of it; write times that exist on that day", s.spec.Zone)
		case !s.idle(i):
			continue
		case o.Kind == Replace || o.Kind == Remove:
			text = fmt.Sprintf("changes nothing: %s is not on call then, or a later override decides; remove it, or mend its times", o.User)
		default:
			text = fmt.Sprintf("changes nothing: %s is on call then anyway, or a later override decides; remove it, or mend its times", o.User)
		}
		ps = append(ps, Problem{fmt.Sprintf("overrides[%d]", i), text})
	}
	return ps
}

// shut says that a window of several never opens, such as one for a day that no month has. Weekly ones always do, and a
// shared calendar may have other events tomorrow.
func (l *layer) shut(w Window, home *time.Location) string {
	if w.Calendar == nil || len(w.Calendar.Intervals) == 0 || len(w.Calendar.Events) > 0 {
		return ""
	}
	hours, err := NewHours(home, []Window{w})
	if err != nil {
		return ""
	}
	k := clock{zone: home}
	start := stamp(k.first(max(l.turns.start, l.EffectiveFrom)))
	if hours.Open(start) {
		return ""
	}
	next := hours.NextChange(start)
	if next.IsZero() || l.EffectiveUntil != 0 && !next.Before(l.EffectiveUntil.Last(home)) {
		return fmt.Sprintf("time interval %q does not open while the layer lasts; mend it, or take it out here", w.Calendar.Name)
	}
	return ""
}

// drifts says whether a turn is elapsed time where clocks are changed: SPEC §4.3.
func (l *layer) drifts() bool {
	if l.turns.kind != byElapsed || l.turns.fixed {
		return false
	}
	k := clock{zone: l.Zone}
	start := k.first(l.turns.start)
	k.look(start)
	offset := k.offset
	for range 4 { // a year has at most two changes in most zones, four in Morocco's
		if k.to == forever {
			return false
		}
		k.look(k.to)
		if k.offset != offset {
			return true
		}
	}
	return false
}

func (l *layer) drift() string {
	e := l.Rotation.Every
	text := fmt.Sprintf("%s is elapsed time: the hand-off moves whenever the clocks of %s change", e, l.Zone)
	if e.N%24 == 0 {
		text += fmt.Sprintf("; write %s to keep it at %s", Every{e.N / 24, Day}, FormatClock(l.turns.start.minute()))
	}
	return text
}

// opens says whether there is an instant at which the layer could show.
func (s *Schedule) opens(l *layer) bool {
	n := now{zones: appendZones(nil, s.zones)}
	n.at = n.clock(l.zone).first(max(l.turns.start, l.EffectiveFrom))
	end := int64(never)
	if l.EffectiveUntil != 0 {
		end = n.clock(l.zone).last(l.EffectiveUntil)
	}
	if n.at < end && !l.windows.hold(&n) {
		n.at = l.windows.next(&n, false)
	}
	return n.at < end
}

// hiddenBy names what covers a layer for the whole of its life: one layer, or several weekly windows of one
// zone together. Only layers without a Nobody turn, an end or a later start can.
func (s *Schedule) hiddenBy(i int) string {
	below := &s.layers[i]
	k := clock{zone: below.Zone}
	start := k.first(max(below.turns.start, below.EffectiveFrom))
	together := map[int][]Window{} // by zone
	for j := i + 1; j < len(s.layers); j++ {
		l := &s.layers[j]
		above := clock{zone: l.Zone}
		someNobody := slices.ContainsFunc(l.turns.who, func(who []string) bool { return len(who) == 0 })
		if l.Mode == ModeAdd || l.Shared != nil || len(l.Except) > 0 || len(l.turns.who) == 0 || someNobody ||
			above.first(max(l.turns.start, l.EffectiveFrom)) > start {
			continue
		}
		if l.EffectiveUntil != 0 && (below.EffectiveUntil == 0 || above.last(l.EffectiveUntil) < k.last(below.EffectiveUntil)) {
			continue
		}
		if l.windows.always {
			return fmt.Sprintf("layer %q", l.Name)
		}
		together[l.zone] = append(together[l.zone], l.Active...)
		if newWeekly(together[l.zone]).whole() {
			return "the layers together"
		}
	}
	return ""
}

// idle says whether an override of the file changes nobody's time, in its first year.
func (s *Schedule) idle(i int) bool {
	o := &s.overrides[i]
	from, to := stamp(o.start), stamp(o.end)
	if year := from.AddDate(1, 0, 0); to.After(year) {
		to = year
	}
	without := *s
	without.schedule(slices.Delete(slices.Clone(s.overrides), i, i+1))
	return len(Diff(&without, s, from, to)) == 0
}

// Undeclared are the gaps in [from, to) that nobody meant: SPEC §4.12.
func (s *Schedule) Undeclared(from, to time.Time) []Gap {
	return slices.DeleteFunc(s.Gaps(from, to), func(g Gap) bool { return g.Declared })
}
