package oncall

import (
	"slices"
	"time"
)

// A Shift is a stretch of time with the same people on call, adjacent ones being one: SPEC §4.11.
type Shift struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"` // they are not on call any more
	Users  []string  `json:"users"`
	Layers []string  `json:"layers"` // where they come from, in the schedule's order, "override" last
}

// A Gap is a stretch of time with nobody on call: SPEC §4.12.
type Gap struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Declared bool      `json:"declared"` // nobody is meant to be
}

// Shifts lists who is on call in [from, to), in order, cut to it. It is never nil.
func (s *Schedule) Shifts(from, to time.Time) []Shift {
	shifts := []Shift{}
	var origins []int // of the last shift
	for w := range s.span(from, to) {
		if len(w.users) == 0 {
			continue
		}
		if n := len(shifts); n > 0 && shifts[n-1].End.Unix() == w.at && slices.Equal(shifts[n-1].Users, w.users) {
			last, known := &shifts[n-1], len(origins)
			last.End = stamp(w.next)
			for _, o := range w.origins {
				origins = insert(origins, o)
			}
			if len(origins) > known {
				last.Layers = s.originNames(origins)
			}
			continue
		}
		origins = append(origins[:0], w.origins...)
		shifts = append(shifts, Shift{stamp(w.at), stamp(w.next), slices.Clone(w.users), s.originNames(origins)})
	}
	for i := range shifts {
		shifts[i].Start, shifts[i].End = clip(shifts[i].Start, shifts[i].End, from, to)
	}
	return shifts
}

// Gaps lists when nobody is on call in [from, to), in order, cut to it. It is never nil.
func (s *Schedule) Gaps(from, to time.Time) []Gap {
	gaps := []Gap{}
	for w := range s.span(from, to) {
		if len(w.users) > 0 {
			continue
		}
		for at := w.at; at < w.next; {
			declared, until := s.declared(w, at)
			until = min(until, w.next)
			if n := len(gaps); n > 0 && gaps[n-1].End.Unix() == at && gaps[n-1].Declared == declared {
				gaps[n-1].End = stamp(until)
			} else {
				gaps = append(gaps, Gap{stamp(at), stamp(until), declared})
			}
			at = until
		}
	}
	for i := range gaps {
		gaps[i].Start, gaps[i].End = clip(gaps[i].Start, gaps[i].End, from, to)
	}
	return gaps
}

// declared says whether a gap is meant at an instant, and until when that holds.
func (s *Schedule) declared(w *walk, at int64) (bool, int64) {
	if w.nobody {
		return true, never
	}
	n := now{at, w.now.zones}
	open := s.uncovered.hold(&n)
	return open, s.uncovered.next(&n, open)
}

// NextChange is the first instant after t at which the answer may be another; zero is never. The answer
// may turn out the same: ask At.
func (s *Schedule) NextChange(t time.Time) time.Time {
	w := s.walk(t.Unix())
	next := w.next
	if len(w.users) == 0 {
		_, until := s.declared(w, w.at)
		next = min(next, until)
	}
	if next == never {
		return time.Time{}
	}
	return stamp(next)
}

// A Change is a stretch of time in which two schedules answer differently.
type Change struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Was   []string  `json:"was"`
	Is    []string  `json:"is"`
}

// Diff lists where in [from, to) other people are on call than were.
func Diff(was, is *Schedule, from, to time.Time) []Change {
	changes := []Change{}
	a, b := was.Shifts(from, to), is.Shifts(from, to)
	for at := from; at.Before(to); {
		var old, new []string
		end := to
		old, a, end = front(a, at, end)
		new, b, end = front(b, at, end)
		if !slices.Equal(old, new) {
			n := len(changes)
			if n > 0 && changes[n-1].End.Equal(at) && slices.Equal(changes[n-1].Was, old) && slices.Equal(changes[n-1].Is, new) {
				changes[n-1].End = end
			} else {
				changes = append(changes, Change{at.UTC(), end.UTC(), old, new})
			}
		}
		at = end
	}
	return changes
}

// front is who the shifts have at an instant, what is left of them, and until when that holds, at most end.
func front(shifts []Shift, at, end time.Time) ([]string, []Shift, time.Time) {
	for len(shifts) > 0 && !shifts[0].End.After(at) {
		shifts = shifts[1:]
	}
	if len(shifts) == 0 {
		return []string{}, shifts, end
	}
	edge, users := shifts[0].End, shifts[0].Users
	if shifts[0].Start.After(at) {
		edge, users = shifts[0].Start, []string{}
	}
	if edge.Before(end) {
		end = edge
	}
	return users, shifts, end
}

// A walk goes through time from one possible change to the next, and asks again only those layers that may
// have changed.
type walk struct {
	now     now
	at      int64
	next    int64   // the first possible change after at
	turn    []int32 // of each layer: which shows, or hole, or intended
	until   []int64 // when that may change
	acting  []int32 // the overrides that act, in order of creation
	acts    int64   // until when
	places  []place
	users   []string
	origins []int // of all of them together, sorted
	nobody  bool  // there are none because of a Nobody turn
}

// span walks over [from, to).
func (s *Schedule) span(from, to time.Time) func(yield func(*walk) bool) {
	return func(yield func(*walk) bool) {
		if !from.Before(to) {
			return
		}
		end := to.Unix()
		if to.Nanosecond() > 0 {
			end++
		}
		for w := s.walk(from.Unix()); ; s.step(w, w.next) {
			w.next = min(w.next, end)
			if !yield(w) || w.next == end {
				return
			}
		}
	}
}

func (s *Schedule) walk(at int64) *walk {
	w := &walk{until: make([]int64, len(s.layers)), acts: -never}
	for i := range w.until {
		w.until[i] = -never
	}
	w.now.zones = appendZones(nil, s.zones)
	for range s.layers {
		w.turn = append(w.turn, hole)
	}
	s.step(w, at)
	return w
}

func (s *Schedule) step(w *walk, at int64) {
	w.at, w.now.at, w.next = at, at, never
	for i := range s.layers {
		if w.until[i] <= at {
			w.turn[i] = s.layers[i].at(&w.now)
			w.until[i] = s.layers[i].until(&w.now, w.turn[i])
		}
		w.next = min(w.next, w.until[i])
	}
	if w.acts <= at {
		w.acting = s.agenda.at(w.acting[:0], s.overrides, at)
		w.acts = s.agenda.next(at)
	}
	w.next = min(w.next, w.acts)
	w.places, w.nobody = s.places(w.places[:0], w.turn, w.acting)
	w.users, w.origins = w.users[:0], w.origins[:0]
	for _, p := range w.places {
		w.users = insert(w.users, p.who)
		w.origins = insert(w.origins, s.origin(p))
	}
}

// insert keeps a short list sorted and without repeats.
func insert[T int | string](list []T, v T) []T {
	i := len(list)
	for i > 0 && list[i-1] >= v {
		i--
	}
	if i < len(list) && list[i] == v {
		return list
	}
	return slices.Insert(list, i, v)
}

func (s *Schedule) originNames(origins []int) []string {
	names := make([]string, len(origins))
	for i, o := range origins {
		names[i] = s.originName(o)
	}
	return names
}

func stamp(u int64) time.Time { return time.Unix(u, 0).UTC() }

// clip cuts a stretch to the nanosecond asked for; the walk thinks in seconds.
func clip(start, end, from, to time.Time) (time.Time, time.Time) {
	if start.Before(from) {
		start = from.UTC()
	}
	if end.After(to) {
		end = to.UTC()
	}
	return start, end
}
