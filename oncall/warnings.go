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
			warn(".rotation.users", "layer %q has no users; it is a hole for ever", l.Name)
			continue
		case !slices.ContainsFunc(l.turns.who, func(who []string) bool { return len(who) > 0 }):
			warn(".rotation.users", "every turn of layer %q is nobody's", l.Name)
			continue
		}
		if l.drifts() {
			warn(".rotation.every", "%s", l.drift())
		}
		if !s.opens(l) {
			warn("", "layer %q never shows: its windows do not open between its start and its end", l.Name)
		} else if by := s.hiddenBy(i); by != "" {
			warn("", "layer %q never shows: there is always somebody above it, in %s; later layers win, so put it last, or give the other mode: add", l.Name, by)
		}
	}
	for i := range s.spec.Overrides {
		o := &s.overrides[i]
		if (o.Kind == Replace || o.Kind == Remove) && s.idle(i) {
			ps = append(ps, Problem{
				fmt.Sprintf("overrides[%d]", i),
				fmt.Sprintf("changes nothing: %s is not on call then", o.User),
			})
		}
	}
	return ps
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
		if l.Mode == ModeAdd || l.Shared != nil || len(l.turns.who) == 0 || someNobody ||
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
