package oncall

import (
	"math"
	"time"
)

// A clock maps between instants and a zone's wall time by SPEC §4.2, and remembers the stretch of constant
// offset it last stood in: most questions are about the same stretch.
type clock struct {
	zone     *time.Location
	from, to int64 // offset holds in [from, to); both zero: not looked at yet
	offset   int64 // seconds east of Greenwich
}

const (
	never = math.MaxInt64 // an instant that does not come

	// No offset is beyond 16 hours, and no change moved a clock by more than 24 (a day lost or repeated at
	// the date line), so a wall time this far from every change happens exactly once.
	reach     = 36 * 3600
	maxOffset = 16 * 3600
	forever   = math.MaxInt64 / 4
)

// look brings the clock to the stretch that holds at u.
func (k *clock) look(u int64) {
	if k.from <= u && u < k.to {
		return
	}
	t := time.Unix(u, 0).In(k.zone)
	from, to := t.ZoneBounds()
	_, offset := t.Zone()
	k.from, k.to, k.offset = -forever, forever, int64(offset)
	if !from.IsZero() {
		k.from = from.Unix()
	}
	if !to.IsZero() {
		k.to = to.Unix()
	}
	if k.to <= u {
		// Go takes every year past a zone's table for one of 365 days, so that on 31 December of a leap
		// year it ends the stretch before it began. No rule changes clocks on that day.
		k.to = (floorDiv(u, 24*3600) + 1) * 24 * 3600
	}
}

func (k *clock) steady(u int64) bool { return k.from+reach <= u && u < k.to-reach }

func (k *clock) wall(u int64) Civil {
	k.look(u)
	return civil(u + k.offset)
}

// first is the instant that a start at wall time c means.
func (k *clock) first(c Civil) int64 {
	u, _ := k.occurrences(c)
	return u
}

// last is the instant that an end at wall time c means.
func (k *clock) last(c Civil) int64 {
	_, u := k.occurrences(c)
	return u
}

// occurrences finds the first and the last instant at which the wall clock shows c, or for both the first
// instant after the gap that swallows it.
func (k *clock) occurrences(c Civil) (first, last int64) {
	w := c.unix()
	if u := w - k.offset; k.steady(u) {
		return u, u
	}
	k.look(w - k.offset)
	if u := w - k.offset; k.steady(u) {
		return u, u
	}
	gap, found := int64(never), false
	p := *k
	for p.look(w - maxOffset); ; {
		u := w - p.offset
		if p.from <= u && u < p.to {
			if !found {
				first, found = u, true
			}
			last = u
		}
		if p.to > w+maxOffset {
			break
		}
		change := p.to
		p.look(change)
		if u >= change && w-p.offset < change {
			gap = min(gap, change)
		}
	}
	if !found {
		return gap, gap
	}
	return first, last
}

// A moment is an instant as SPEC §4.2 sees it in a zone. Of a start at wall time c it knows whether it has
// come: c <= begun, which is first(c) <= at. Of an end at c it knows whether it is still to come: c > ended,
// which is last(c) > at. Outside folds both are simply the wall time.
//
// Everything else asks only these two, so rotations, windows and limits are civil arithmetic and no search.
type moment struct {
	at           int64
	begun, ended Civil
}

func (k *clock) moment(u int64) moment {
	wall := k.wall(u)
	m := moment{u, wall, wall}
	if k.steady(u) {
		return m
	}
	for p := *k; u-p.from < reach; { // a fold just past has shown later wall times already
		change := p.from
		p.look(change - 1)
		m.begun = max(m.begun, civil(change-1+p.offset))
	}
	for p := *k; p.to-u < reach; { // a fold just ahead will show earlier wall times again
		change := p.to
		p.look(change)
		m.ended = min(m.ended, civil(change+p.offset-1))
	}
	return m
}
