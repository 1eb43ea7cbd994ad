package oncall

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// An Event is a stretch of time that somebody entered into a shared calendar: a holiday, an absence, a turn of a rota.
// From and To are wall times. They are read in UTC where Instant says so, and else in the zone of whoever asks, as whole
// days are. What is not before its end takes no time.
type Event struct {
	From, To Civil
	Instant  bool
	Title    string
	Who      []string // the users it names; in a layer, Nobody is an intended gap and no name a hole
}

// span is the event's time, in seconds since 1970: SPEC §4.2.
func (e Event) span(k *clock) (start, end int64) {
	if e.Instant {
		return e.From.unix(), e.To.unix()
	}
	return k.first(e.From), k.last(e.To)
}

// Stretch is the event's time as somebody in that zone means it.
func (e Event) Stretch(zone *time.Location) Stretch {
	start, end := e.span(&clock{zone: zone})
	return Stretch{Start: stamp(start), End: stamp(end)}
}

// stretches is the union of wall times from First to Last, sorted and apart from one another.
type stretches []struct{ First, Last Civil }

// newStretches takes the events that are instants, or those that are not.
func newStretches(events []Event, instant bool) (out stretches) {
	sorted := slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return e.Instant != instant || e.To <= e.From })
	slices.SortFunc(sorted, func(a, b Event) int { return cmp.Compare(a.From, b.From) })
	for _, e := range sorted {
		if n := len(out); n > 0 && e.From <= out[n-1].Last {
			out[n-1].Last = max(out[n-1].Last, e.To)
			continue
		}
		out = append(out, struct{ First, Last Civil }{e.From, e.To})
	}
	return out
}

// position is the index of the first stretch that ends after c, which may be one too many.
func (s stretches) position(c Civil) int {
	i, _ := slices.BinarySearchFunc(s, c, func(x struct{ First, Last Civil }, c Civil) int {
		if x.Last <= c {
			return -1
		}
		return 1
	})
	return i
}

func (s stretches) has(c Civil) bool {
	i := s.position(c)
	return i < len(s) && s[i].First <= c
}

func (s stretches) startAfter(c Civil) (Civil, bool) {
	i := s.position(c)
	if i < len(s) && s[i].First <= c {
		i++
	}
	if i >= len(s) {
		return 0, false
	}
	return s[i].First, true
}

func (s stretches) endAfter(c Civil) (Civil, bool) {
	i := s.position(c)
	if i >= len(s) {
		return 0, false
	}
	return s[i].Last, true
}

// eventDays are the civil days on which an event starts, in the zone of whoever asks, in order.
func eventDays(events []Event, home *time.Location) (days []int64) {
	k := clock{zone: home}
	for _, e := range events {
		if e.To <= e.From {
			continue
		}
		at := e.From
		if e.Instant {
			at = k.wall(e.From.unix())
		}
		days = append(days, at.day())
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// A turn of a shared calendar: who is on call from one of its instants to the next.
type entry struct {
	start, end int64
	who        []string // sorted, without Nobody; none is an intended gap
}

// newEntries makes the events of a layer ready: sorted, apart from one another. Where events overlap, all of their
// people are on call. An event that names nobody leaves the layer as it is.
func newEntries(events []Event, zone *time.Location) (out []entry) {
	type mark struct {
		at   int64
		open int // index into events, or its complement at the end
	}
	k := clock{zone: zone}
	var marks []mark
	for i, e := range events {
		if start, end := e.span(&k); start < end && len(e.Who) > 0 {
			marks = append(marks, mark{start, i}, mark{end, ^i})
		}
	}
	slices.SortFunc(marks, func(a, b mark) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.open, b.open)) })
	open := map[int]bool{}
	for i, m := range marks {
		if m.open >= 0 {
			open[m.open] = true
		} else {
			delete(open, ^m.open)
		}
		if i+1 == len(marks) || marks[i+1].at == m.at || len(open) == 0 {
			continue
		}
		e := entry{start: m.at, end: marks[i+1].at}
		for j := range open {
			for _, who := range events[j].Who {
				if who != Nobody {
					e.who = insert(e.who, who)
				}
			}
		}
		if n := len(out); n > 0 && out[n-1].end == e.start && slices.Equal(out[n-1].who, e.who) {
			out[n-1].end = e.end
			continue
		}
		out = append(out, e)
	}
	return out
}

// entryAt is the index of the entry that holds at an instant, or -1, and when that may be another.
func (t *turns) entryAt(at int64) (i int, next int64) {
	i, _ = slices.BinarySearchFunc(t.entries, at, func(e entry, at int64) int {
		if e.end <= at {
			return -1
		}
		return 1
	})
	switch {
	case i == len(t.entries):
		return -1, never
	case t.entries[i].start > at:
		return -1, t.entries[i].start
	}
	return i, t.entries[i].end
}

func newEventTurns(events []Event, zone *time.Location) turns {
	t := turns{kind: byEntry, entries: newEntries(events, zone)}
	for _, e := range t.entries {
		t.who = append(t.who, e.who)
	}
	return t
}

// checkEvents finds what no calendar can mean.
func checkEvents(events []Event) error {
	for _, e := range events {
		if slices.Contains(e.Who, "") {
			return fmt.Errorf("the event %q names a user without a name", e.Title)
		}
	}
	return nil
}
