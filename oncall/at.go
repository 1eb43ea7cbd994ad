package oncall

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// overrideLayer is named as the origin of those whom an override put on call.
const overrideLayer = "override"

// An Answer is who is on call at an instant.
type Answer struct {
	People   []Person // sorted by name; none is a gap
	Declared bool     // the gap is meant
}

// A Person is on call because of these layers, in the schedule's order, "override" last among them.
type Person struct {
	Name   string
	Layers []string
}

// Users are the names alone.
func (a Answer) Users() []string {
	out := make([]string, len(a.People))
	for i, p := range a.People {
		out[i] = p.Name
	}
	return out
}

// At says who is on call at t.
func (s *Schedule) At(t time.Time) Answer {
	// Room for most schedules, so that only the answer is asked of the heap.
	var zones [4]zoneNow
	var turn [8]int32
	var acting [4]int32
	var room [8]place
	turns := turn[:0]
	n := now{t.Unix(), appendZones(zones[:0], s.zones)}
	for i := range s.layers {
		turns = append(turns, s.layers[i].at(&n))
	}
	places, nobody := s.places(room[:0], turns, s.agenda.at(acting[:0], s.overrides, n.at))
	if len(places) == 0 {
		return Answer{Declared: nobody || s.uncovered.hold(&n)}
	}
	return s.answer(places)
}

// answer sorts places into people.
func (s *Schedule) answer(places []place) Answer {
	slices.SortFunc(places, func(a, b place) int {
		if c := strings.Compare(a.who, b.who); c != 0 {
			return c
		}
		return s.origin(a) - s.origin(b)
	})
	people := make([]Person, 0, len(places))
	layers := make([]string, 0, len(places))
	for i, p := range places {
		if i == 0 || p.who != places[i-1].who {
			people = append(people, Person{p.who, layers[len(layers):len(layers):cap(layers)]})
		} else if s.origin(p) == s.origin(places[i-1]) {
			continue
		}
		layers = append(layers, s.originName(s.origin(p)))
		last := &people[len(people)-1]
		last.Layers = last.Layers[:len(last.Layers)+1]
	}
	for i := range people {
		people[i].Layers = slices.Clip(people[i].Layers)
	}
	return Answer{People: people}
}

// origin is the index of the layer a place comes from, or one more than the last for an override.
func (s *Schedule) origin(p place) int {
	if p.override >= 0 {
		return len(s.layers)
	}
	return p.layer
}

func (s *Schedule) originName(i int) string {
	if i == len(s.layers) {
		return overrideLayer
	}
	return s.layers[i].Name
}

// Because says in words why a user is on call at t; "" is not on call.
func (s *Schedule) Because(user string, t time.Time) string {
	w := s.walk(t.Unix())
	var why []string
	for _, p := range w.places {
		if p.who != user {
			continue
		}
		if p.override >= 0 {
			o := &s.overrides[p.override]
			reason := o.String()
			if o.ID != "" {
				reason = "override " + o.ID + ": " + reason
			}
			if o.Layer != "" {
				reason += fmt.Sprintf(" in layer %q", o.Layer)
			}
			why = append(why, reason+s.until(o.end, s.spec.Zone))
			continue
		}
		l := &s.layers[p.layer]
		reason := fmt.Sprintf("turn %d of %d in layer %q", w.turn[p.layer]+1, len(l.turns.who), l.Name)
		if l.Shared != nil {
			reason = fmt.Sprintf("calendar %q in layer %q", l.Shared.Name, l.Name)
		}
		why = append(why, reason+s.until(s.turnEnds(p.layer, w), l.Zone))
	}
	return strings.Join(why, "; ")
}

// turnEnds looks past instants at which the layer might change and does not.
func (s *Schedule) turnEnds(layer int, w *walk) int64 {
	l, now := &s.layers[layer], w.now
	now.zones = slices.Clone(now.zones)
	end := w.until[layer]
	for range 1000 {
		if end == never {
			break
		}
		now.at = end
		turn := l.at(&now)
		if turn != w.turn[layer] {
			break
		}
		end = l.until(&now, turn)
	}
	return end
}

func (s *Schedule) until(u int64, zone *time.Location) string {
	if u == never {
		return ""
	}
	return time.Unix(u, 0).In(zone).Format(", until Mon 2006-01-02 15:04 ") + zone.String()
}

// now is an instant and what the clocks of the schedule's zones make of it, found when first asked.
type now struct {
	at    int64
	zones []zoneNow
}

type zoneNow struct {
	clock clock
	known moment
	ready bool
}

func (n *now) clock(zone int) *clock { return &n.zones[zone].clock }

func (n *now) moment(zone int) moment {
	z := &n.zones[zone]
	if !z.ready || z.known.at != n.at {
		z.known, z.ready = z.clock.moment(n.at), true
	}
	return z.known
}

func appendZones(to []zoneNow, zones []*time.Location) []zoneNow {
	for _, z := range zones {
		to = append(to, zoneNow{clock: clock{zone: z}})
	}
	return to
}

const (
	hole     = -1 // the layer has nobody
	intended = -2 // the layer's turn is Nobody's
)

// at says which turn of the layer shows.
func (l *layer) at(n *now) int32 {
	if len(l.turns.who) == 0 {
		return hole
	}
	m := n.moment(l.zone)
	if m.begun < l.EffectiveFrom || l.EffectiveUntil != 0 && l.EffectiveUntil <= m.ended || !l.windows.hold(n) || l.except.hold(n) {
		return hole
	}
	number := l.turns.number(n, l.zone)
	if number < 0 {
		return hole
	}
	turn := int32(number % int64(len(l.turns.who)))
	if len(l.turns.who[turn]) == 0 {
		return intended
	}
	return turn
}

// until is the next instant at which the layer's turn may be another.
func (l *layer) until(n *now, turn int32) int64 {
	m, k := n.moment(l.zone), n.clock(l.zone)
	switch {
	case len(l.turns.who) == 0, l.EffectiveUntil != 0 && l.EffectiveUntil <= m.ended:
		return never
	case m.begun < l.EffectiveFrom:
		return k.first(l.EffectiveFrom)
	}
	next := int64(never)
	if l.EffectiveUntil != 0 {
		next = k.last(l.EffectiveUntil)
	}
	open := turn != hole || l.windows.hold(n)
	next = min(next, l.windows.next(n, open), l.except.next(n, l.except.hold(n)))
	if open {
		next = min(next, l.turns.next(n, l.zone, l.turns.number(n, l.zone)))
	}
	return next
}

// places finds who is on call from the layers' turns and the overrides that act: SPEC §4.9, §4.10. Where
// nobody is, it says whether a Nobody turn means it so; a gap that an override makes is not meant.
func (s *Schedule) places(out []place, turns, acting []int32) (places []place, nobody bool) {
	somebody := false
	for i := range s.layers {
		l, from := &s.layers[i], len(out)
		switch turn := turns[i]; turn {
		case hole:
		case intended:
			nobody = true
		default:
			somebody = true
			for _, who := range l.turns.who[turn] {
				out = append(out, place{who: who, layer: i, override: -1})
			}
		}
		if s.scoped {
			out = s.override(out, acting, i, from)
		}
		if l.Mode != ModeAdd && len(out) > from {
			out = append(out[:0], out[from:]...)
		}
	}
	return s.override(out, acting, -1, 0), nobody && !somebody
}

// override applies the acting overrides of a layer, or of the result, to the places from i on.
func (s *Schedule) override(places []place, acting []int32, layer, i int) []place {
	for _, o := range acting {
		if s.overrides[o].layer == layer {
			places = s.overrides[o].apply(places, i, int(o))
		}
	}
	return places
}
