package oncall

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Limits of windows that recur. What lasts longer is no exception any more.
const (
	MinOccurrence = time.Minute
	MaxOccurrence = 31 * 24 * time.Hour // also of windows that touch, as one
)

// A Recurrence is windows of time that are known beforehand: those that begin whenever a cron expression says so and
// last so long, or a single one. It does not change.
//
// A window that recurs begins by SPEC §4.2: at the first occurrence of its wall time, or at the first instant after
// the gap. It lasts in elapsed time: for two hours, also in a night in which clocks are changed.
//
// Windows that touch or overlap are one, as those of SPEC §4.8 are, from the first start until the last one's length
// has passed. So nothing ends and begins again in the middle, and an hour that comes twice leaves no hole between two
// that touch on the wall clock. Overlap is no fault for that: at a gap it comes about where there was none. But windows
// that run into one another for more than MaxOccurrence are a fault, since they may never end.
type Recurrence struct {
	once   Occurrence // or the rest:
	zone   *time.Location
	length Civil
	firsts Handoff // the starts of each day, without those that fall into, or touch, the day's window before
	lasts  []int   // for each first the last of those that were left out, or itself: minutes of the day
	back   Civil   // what begins so long before an instant, on the wall clock, is over by then
}

// An Occurrence is one of the windows. It is half-open, and never empty.
type Occurrence struct{ From, To time.Time }

// ParseRecurrence reads windows that recur: a cron expression of five fields, read in the zone, and how long each
// lasts, in whole minutes from MinOccurrence to MaxOccurrence.
func ParseRecurrence(cron string, length time.Duration, zone string) (*Recurrence, error) {
	where, err := ParseZone(zone)
	if err != nil {
		return nil, err
	}
	starts, err := ParseHandoff(cron)
	if err != nil {
		return nil, err
	}
	switch {
	case length < MinOccurrence || length > MaxOccurrence:
		return nil, errors.New("a window that recurs lasts at least 1m and at most 31d; write a duration such as 2h")
	case length%time.Minute != 0:
		return nil, errors.New("a window lasts whole minutes; leave out what is finer")
	}
	r := &Recurrence{zone: where, length: Civil(length / time.Minute), firsts: starts}
	r.firsts.minutes = nil
	for _, m := range starts.minutes {
		if i := len(r.lasts) - 1; i >= 0 && r.touches(Civil(r.lasts[i]), Civil(m)) {
			r.lasts[i] = m
			continue
		}
		r.firsts.minutes, r.lasts = append(r.firsts.minutes, m), append(r.lasts, m)
	}
	longest := r.longest()
	if longest > maxRun {
		return nil, fmt.Errorf("windows that touch are one, and those of %q then last longer than 31d, or for ever; write a shorter duration", starts)
	}
	r.back = 4*longest + 3*dayMinutes // clocks can push some together, and move by a day
	return r, nil
}

// Once is a single window. It begins with the first occurrence of one wall time and ends with the last of another:
// SPEC §4.2.
func Once(from, to Civil, zone string) (*Recurrence, error) {
	where, err := ParseZone(zone)
	if err != nil {
		return nil, err
	}
	if to <= from {
		return nil, fmt.Errorf("%s is not after %s; a window ends after it begins", to, from)
	}
	w := Occurrence{from.First(where), to.Last(where)}
	if !w.From.Before(w.To) {
		return nil, fmt.Errorf("%s to %s is skipped by the clocks of %s; write times that they show", from, to, zone)
	}
	return &Recurrence{once: w}, nil
}

// ParseZone finds a time zone by its IANA name.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone; write an IANA name such as Europe/Lisbon or UTC", name)
	}
	return zone, nil
}

// At is the window that holds at t; false: none does.
func (r *Recurrence) At(t time.Time) (Occurrence, bool) {
	for w := range r.around(t) {
		if t.Before(w.From) {
			break
		}
		if t.Before(w.To) {
			return w, true
		}
	}
	return Occurrence{}, false
}

// Next is the first window that begins after t; false: none ever does.
func (r *Recurrence) Next(t time.Time) (Occurrence, bool) {
	for w := range r.around(t) {
		if w.From.After(t) {
			return w, true
		}
	}
	return Occurrence{}, false
}

// around are the windows in their order, apart from one another, from some that are over long before t.
func (r *Recurrence) around(t time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		if !r.once.From.IsZero() {
			yield(r.once)
			return
		}
		k := clock{zone: r.zone}
		first, last := r.run(k.wall(t.Unix()) - r.back)
		for {
			from, to := k.first(first), k.first(last)+int64(r.length)*60
			first, last = r.run(last)
			for k.first(first) <= to { // a gap brought it forward
				to = k.first(last) + int64(r.length)*60
				first, last = r.run(last)
			}
			if !yield(Occurrence{stamp(from), stamp(to)}) {
				return
			}
		}
	}
}

const maxRun = Civil(MaxOccurrence / time.Minute)

// run is the first and the last start of a window on the wall clock, the next one to begin after c. There always is
// one: ParseHandoff knows no other expressions.
func (r *Recurrence) run(c Civil) (first, last Civil) {
	first = r.firsts.Next(c)
	last = r.last(first)
	for last-first <= maxRun {
		next := r.firsts.Next(last)
		if !r.touches(last, next) {
			break
		}
		last = r.last(next)
	}
	return first, last
}

// touches says whether a start is not after the end of the window that another one began.
func (r *Recurrence) touches(start, next Civil) bool { return next-start <= r.length }

func (r *Recurrence) last(first Civil) Civil {
	i, _ := slices.BinarySearch(r.firsts.minutes, first.minute())
	return first + Civil(r.lasts[i]-r.firsts.minutes[i])
}

// longest is no less than the length of any window on the wall clock; or more than maxRun, and one is longer than it.
func (r *Recurrence) longest() (longest Civil) {
	overnight := Civil(r.firsts.minutes[0] + dayMinutes)
	if len(r.lasts) > 1 || !r.touches(Civil(r.lasts[0]), overnight) {
		return 2 * dayMinutes // every day has a time at which none holds
	}
	// After 28 years weekdays and leap days fall alike.
	for c, end := Civil(dayOf(2000, 1, 1)*dayMinutes), Civil(dayOf(2029, 1, 1)*dayMinutes); c < end && longest <= maxRun; {
		first, last := r.run(c)
		longest = max(longest, last-first+r.length)
		c = last
	}
	return longest
}
