package oncall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Override changes who is on call for a time: SPEC §4.10. From and To are wall times in the schedule's
// zone, as written in the file; or Start and End are instants, as made at run time.
type Override struct {
	ID    string    `json:"id,omitempty"`
	Kind  Kind      `json:"kind"`
	User  string    `json:"user"`            // who is replaced, takes it, is added or removed
	With  string    `json:"with,omitempty"`  // who replaces
	Layer string    `json:"layer,omitempty"` // acts on this layer alone; absent: on the result
	From  Civil     `json:"from,omitzero"`
	To    Civil     `json:"to,omitzero"`
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`

	// Of one made at run time; Swap is the swap it came from, as SWAP-3.
	CreatedBy string    `json:"created_by,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	Swap      string    `json:"swap,omitempty"`
}

// Kind is what an override does.
type Kind string

// Replace puts With into every place that User holds, or would hold but for earlier overrides. Take puts
// User there alone, and fills gaps too. Add and Remove add and remove User.
const (
	Replace Kind = "replace"
	Take    Kind = "take"
	Add     Kind = "add"
	Remove  Kind = "remove"
)

// String says it as a timeline would: "bo replaces ana".
func (o Override) String() string {
	switch o.Kind {
	case Replace:
		return o.With + " replaces " + o.User
	case Take:
		return o.User + " takes over"
	case Add:
		return o.User + " is added"
	}
	return o.User + " is removed"
}

// Span is from when until when an override acts in the schedule; zero where it says neither.
func (s *Schedule) Span(o Override) (start, end time.Time) {
	if o.From == 0 && o.To == 0 {
		return o.Start, o.End
	}
	return o.From.First(s.spec.Zone), o.To.Last(s.spec.Zone)
}

// override is one made ready; its index in the schedule is its order of creation.
type override struct {
	Override
	layer      int   // -1: the result
	start, end int64 // half-open
}

func newOverride(o Override, layers []layer, zone *time.Location) (override, error) {
	ready := override{Override: o, layer: -1}
	switch {
	case o.Kind != Replace && o.Kind != Take && o.Kind != Add && o.Kind != Remove:
		return ready, fmt.Errorf("%q is no kind of override; write replace, take, add or remove", o.Kind)
	case o.User == "":
		return ready, fmt.Errorf("%s whom? Name a user", o.Kind)
	case o.Kind == Replace && o.With == "":
		return ready, fmt.Errorf("replace %s with whom? Name a user in with", o.User)
	case o.Kind != Replace && o.With != "":
		return ready, fmt.Errorf("with belongs to replace, not to %s", o.Kind)
	case o.User == o.With:
		return ready, fmt.Errorf("replaces %s with %s, which changes nothing", o.User, o.With)
	case o.User == Nobody || o.With == Nobody:
		return ready, errors.New("nobody is no user here; to leave a place empty, remove the user")
	}
	if o.Layer != "" {
		ready.layer = slices.IndexFunc(layers, func(l layer) bool { return l.Name == o.Layer })
		if ready.layer < 0 {
			return ready, fmt.Errorf("acts on layer %q, which does not exist; the schedule's layers are: %s", o.Layer, layerNames(layers))
		}
	}
	switch {
	case o.From != 0 && o.To != 0 && o.Start.IsZero() && o.End.IsZero():
		if o.To <= o.From {
			return ready, fmt.Errorf("ends at %s, not after it starts at %s", o.To, o.From)
		}
		k := clock{zone: zone}
		ready.start, ready.end = k.first(o.From), k.last(o.To)
	case o.From == 0 && o.To == 0 && !o.Start.IsZero() && !o.End.IsZero():
		if !o.End.After(o.Start) {
			return ready, fmt.Errorf("ends at %s, not after it starts at %s", o.End.UTC().Format(time.RFC3339), o.Start.UTC().Format(time.RFC3339))
		}
		ready.start, ready.end = o.Start.Unix(), o.End.Unix()
	default:
		return ready, errors.New("needs both from and to")
	}
	return ready, nil
}

func layerNames(layers []layer) string {
	var names []string
	for i := range layers {
		if name := layers[i].Name; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// A place is somebody being on call. It remembers who held it before, because a replacement follows the
// place: SPEC §4.10.
type place struct {
	who      string
	before   []string
	layer    int // index of the layer it comes from
	override int // index of the override that put who there, or -1
}

func (p place) heldBy(user string) bool { return p.who == user || slices.Contains(p.before, user) }

// apply changes the places from i on. Who takes over is alone and follows nobody; who is removed leaves no
// place.
func (o *override) apply(places []place, i, index int) []place {
	switch o.Kind {
	case Replace:
		for j := i; j < len(places); j++ {
			if p := &places[j]; p.heldBy(o.User) {
				*p = place{o.With, append(slices.Clip(p.before), p.who), p.layer, index}
			}
		}
	case Take:
		places = append(places[:i], place{who: o.User, layer: o.layer, override: index})
	case Add:
		places = append(places, place{who: o.User, layer: o.layer, override: index})
	case Remove:
		kept := places[:i]
		for _, p := range places[i:] {
			if p.who != o.User {
				kept = append(kept, p)
			}
		}
		places = kept
	}
	return places
}

// agenda finds the overrides that act at an instant among thousands: sorted by start, and over each half of
// that order, and its halves, the latest end.
type agenda struct {
	byStart []int32
	latest  []int64 // a heap-ordered tree over byStart: latest end below each node
	edges   []int64 // every start and end, sorted
}

func newAgenda(os []override) agenda {
	var a agenda
	for i, o := range os {
		if o.start >= o.end {
			continue // a gap swallowed it
		}
		a.byStart = append(a.byStart, int32(i))
		a.edges = append(a.edges, o.start, o.end)
	}
	slices.SortStableFunc(a.byStart, func(i, j int32) int { return int(min(max(os[i].start-os[j].start, -1), 1)) })
	slices.Sort(a.edges)
	a.edges = slices.Compact(a.edges)
	a.latest = make([]int64, 4*len(a.byStart))
	a.build(os, 0, 0, len(a.byStart))
	return a
}

func (a *agenda) build(os []override, node, from, to int) int64 {
	switch to - from {
	case 0:
		return 0
	case 1:
		a.latest[node] = os[a.byStart[from]].end
	default:
		mid := (from + to) / 2
		a.latest[node] = max(a.build(os, 2*node+1, from, mid), a.build(os, 2*node+2, mid, to))
	}
	return a.latest[node]
}

// at appends the overrides that act at u, in order of creation.
func (a *agenda) at(out []int32, os []override, u int64) []int32 {
	if len(a.byStart) == 0 {
		return out
	}
	out = a.find(out, os, u, 0, 0, len(a.byStart))
	slices.Sort(out)
	return out
}

func (a *agenda) find(out []int32, os []override, u int64, node, from, to int) []int32 {
	if os[a.byStart[from]].start > u || a.latest[node] <= u {
		return out
	}
	if to-from == 1 {
		return append(out, a.byStart[from])
	}
	mid := (from + to) / 2
	out = a.find(out, os, u, 2*node+1, from, mid)
	return a.find(out, os, u, 2*node+2, mid, to)
}

// next is the first start or end after u.
func (a *agenda) next(u int64) int64 {
	if i, _ := slices.BinarySearch(a.edges, u+1); i < len(a.edges) {
		return a.edges[i]
	}
	return never
}
