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
	var d desk
	n := s.now(&d)
	n.at = t.Unix()
	for i := range s.layers {
		d.turn = append(d.turn, s.layers[i].at(&n))
	}
	d.acting = s.agenda.at(d.acting, s.overrides, n.at)
	nobody := s.fill(&d)
	if len(d.places) == 0 {
		return Answer{Declared: nobody || s.uncovered.hold(&n)}
	}
	return s.answer(d.places)
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

// desk is room to work in, enough for most schedules without asking the heap.
type desk struct {
	zones  []zoneNow
	turn   []int32 // of each layer: which shows, or hole, or intended
	acting []int32 // the overrides that act, in order of creation
	places []place

	zoneRoom  [4]zoneNow
	turnRoom  [8]int32
	actRoom   [4]int32
	placeRoom [8]place
}

const (
	hole     = -1 // the layer has nobody
	intended = -2 // the layer's turn is Nobody's
)

func (s *Schedule) now(d *desk) now {
	d.zones, d.turn, d.acting, d.places = d.zoneRoom[:0], d.turnRoom[:0], d.actRoom[:0], d.placeRoom[:0]
	for _, z := range s.zones {
		d.zones = append(d.zones, zoneNow{clock: clock{zone: z}})
	}
	return now{zones: d.zones}
}

// at says which turn of the layer shows.
func (l *layer) at(n *now) int32 {
	if len(l.turns.who) == 0 {
		return hole
	}
	m := n.moment(l.zone)
	if m.begun < l.EffectiveFrom || l.EffectiveUntil != 0 && l.EffectiveUntil <= m.ended || !l.windows.hold(n) {
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
	next = min(next, l.windows.next(n, open))
	if open {
		next = min(next, l.turns.next(n, l.zone, l.turns.number(n, l.zone)))
	}
	return next
}

// fill finds the places at an instant from the layers' turns and the overrides that act: SPEC §4.9, §4.10.
// Where there are none it says whether a Nobody turn means it so; a gap that an override makes is not meant.
func (s *Schedule) fill(d *desk) (nobody bool) {
	d.places = d.places[:0]
	somebody := false
	for i := range s.layers {
		l, from := &s.layers[i], len(d.places)
		switch turn := d.turn[i]; turn {
		case hole:
		case intended:
			nobody = true
		default:
			somebody = true
			for _, who := range l.turns.who[turn] {
				d.places = append(d.places, place{who: who, layer: i, override: -1})
			}
		}
		if s.scoped {
			d.places = s.override(d, i, from)
		}
		if l.Mode != ModeAdd && len(d.places) > from {
			d.places = append(d.places[:0], d.places[from:]...)
		}
	}
	d.places = s.override(d, -1, 0)
	return nobody && !somebody
}

// override applies the acting overrides of a layer, or of the result, to the places from i on.
func (s *Schedule) override(d *desk, layer, i int) []place {
	places := d.places
	for _, o := range d.acting {
		if s.overrides[o].layer == layer {
			places = s.overrides[o].apply(places, i, int(o))
		}
	}
	return places
}
