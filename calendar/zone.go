package calendar

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

const (
	maxOffset = 16 * 3600 // no clock has ever been farther from UTC
	ever      = math.MaxInt64 / 4

	// maxChanges bounds what a zone of the file does. Outlook's rules begin in the year 1601 and make 850 until today.
	maxChanges = 5_000
)

// A zone tells the stretch of constant offset that holds at an instant. Those of one VCALENDAR are equal if they have
// the same name.
type zone interface {
	// stretch is [from, to) in Unix seconds, with the offset in seconds east of Greenwich. u is in it.
	stretch(u int64) (from, to, offset int64)
}

// first is the instant that a start at wall time c means: the first occurrence, or the first instant after the gap.
func first(z zone, c civil) int64 {
	u, _ := occurrences(z, c)
	return u
}

// last is the instant that an end at wall time c means: the last occurrence, or the first instant after the gap.
func last(z zone, c civil) int64 {
	_, u := occurrences(z, c)
	return u
}

// occurrences looks through every stretch in which the wall clock could show c.
func occurrences(z zone, c civil) (first, last int64) {
	gap, found := int64(ever), false
	for at := int64(c) - maxOffset; ; {
		from, to, offset := z.stretch(at)
		u := int64(c) - offset
		if from <= u && u < to {
			if !found {
				first, found = u, true
			}
			last = u
		}
		if to > int64(c)+maxOffset {
			break
		}
		// The clock has not shown c before the change, and is past it after: c falls into the gap there.
		if _, _, next := z.stretch(to); u >= to && int64(c)-next < to {
			gap = min(gap, to)
		}
		at = to
	}
	if !found {
		return gap, gap
	}
	return first, last
}

// wall is what the clocks show at an instant.
func wall(z zone, u int64) civil {
	_, _, offset := z.stretch(u)
	return civil(u + offset)
}

// A located zone is one that the zone database knows.
type located struct{ *time.Location }

func (l located) stretch(u int64) (from, to, offset int64) {
	t := time.Unix(u, 0).In(l.Location)
	start, end := t.ZoneBounds()
	_, east := t.Zone()
	from, to = -ever, ever
	if !start.IsZero() {
		from = start.Unix()
	}
	if !end.IsZero() {
		to = end.Unix()
	}
	if to <= u {
		// Go takes every year past a zone's table for one of 365 days, so that on 31 December of a leap year it ends
		// the stretch before it began. No rule changes clocks on that day.
		to = (floorDiv(u, day) + 1) * day
	}
	return min(from, u), to, int64(east)
}

// A ruled zone is one that the file describes.
type ruled struct {
	before  int64 // the offset before the first change
	changes []change
}

type change struct{ at, offset int64 }

func (r *ruled) stretch(u int64) (from, to, offset int64) {
	i := sort.Search(len(r.changes), func(i int) bool { return r.changes[i].at > u })
	from, to, offset = -ever, ever, r.before
	if i > 0 {
		from, offset = r.changes[i-1].at, r.changes[i-1].offset
	}
	if i < len(r.changes) {
		to = r.changes[i].at
	}
	return from, to, offset
}

// zones finds the zones of one VCALENDAR by the names that its events use.
type zones struct {
	in    *reading
	rules map[string]*component // VTIMEZONEs
	found map[string]zone
	lost  map[string]error
}

func (in *reading) zones(file *component) *zones {
	z := &zones{in: in, rules: map[string]*component{}, found: map[string]zone{}, lost: map[string]error{}}
	for _, c := range file.parts {
		if id := c.text("TZID"); c.name == "VTIMEZONE" && id != "" && z.rules[id] == nil {
			z.rules[id] = c
		}
	}
	return z
}

func (z *zones) find(id string) (zone, error) {
	id = strings.TrimSpace(id)
	if found := z.found[id]; found != nil {
		return found, nil
	}
	if err := z.lost[id]; err != nil {
		return nil, err
	}
	found, err := z.look(id)
	if err != nil {
		z.lost[id] = err
		return nil, err
	}
	z.found[id] = found
	return found, nil
}

func (z *zones) look(id string) (zone, error) {
	if l := iana(id); l != nil {
		return located{l}, nil
	}
	if name := windows[id]; name != "" {
		if l := iana(name); l != nil {
			return located{l}, nil
		}
	}
	c := z.rules[id]
	if c == nil {
		return nil, fmt.Errorf("the time zone %s is neither an IANA name nor one of Windows', and the file does not describe it; choose a zone such as Europe/Berlin for the event", quote(id))
	}
	if l := iana(c.text("X-LIC-LOCATION")); l != nil {
		return located{l}, nil
	}
	r, err := z.in.ruled(c)
	if err != nil {
		return nil, fmt.Errorf("the time zone %s cannot be used: %w", quote(id), err)
	}
	return r, nil
}

// iana looks a name up in the zone database; nil where it is not there. Names such as
// /freeassociation.sourceforge.net/Europe/Berlin (3.2.19: a leading slash is somebody's registry) end in one.
func iana(name string) *time.Location {
	if registered, ok := strings.CutPrefix(name, "/"); ok {
		parts := strings.Split(registered, "/")
		for n := min(3, len(parts)); n > 0; n-- {
			if l := iana(strings.Join(parts[len(parts)-n:], "/")); l != nil {
				return l
			}
		}
		return nil
	}
	// "" and Local are names to Go, and mean something else here. No name is longer than 32 bytes.
	if name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	if name == "Z" {
		return time.UTC
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return l
}

// ruled follows a VTIMEZONE's own rules from their beginning until a year past the range: RFC 5545, 3.6.5.
func (in *reading) ruled(c *component) (zone, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	type onset struct{ at, from, to int64 }
	var onsets []onset
	until := civil(in.To.Unix() + 366*day)
	for _, part := range c.parts {
		if part.name != "STANDARD" && part.name != "DAYLIGHT" {
			continue
		}
		wrong := func(err error) error { return fmt.Errorf("%s in line %d: %w", part.name, part.line, err) }
		from, err := parseOffset(part.text("TZOFFSETFROM"))
		if err != nil {
			return nil, wrong(err)
		}
		to, err := parseOffset(part.text("TZOFFSETTO"))
		if err != nil {
			return nil, wrong(err)
		}
		start, _, _, err := parseWall(part.text("DTSTART"))
		if err != nil {
			return nil, wrong(err)
		}
		add := func(c civil) error {
			if len(onsets) == maxChanges {
				return fmt.Errorf("its clocks are changed more than %d times", maxChanges)
			}
			onsets = append(onsets, onset{int64(c) - from, from, to})
			return nil
		}
		if err := add(start); err != nil {
			return nil, wrong(err)
		}
		for _, p := range part.all("RRULE") {
			r, err := parseRule(p.value, fixed(from))
			if err != nil {
				return nil, wrong(err)
			}
			err = r.expand(start, start, until, true, &in.work, add)
			if err != nil {
				return nil, wrong(err)
			}
		}
		for _, p := range part.all("RDATE") {
			for v := range strings.SplitSeq(p.value, ",") {
				c, _, _, err := parseWall(v)
				if err == nil {
					err = add(c)
				}
				if err != nil {
					return nil, wrong(err)
				}
			}
		}
	}
	if len(onsets) == 0 {
		return nil, fmt.Errorf("its VTIMEZONE in line %d has neither STANDARD nor DAYLIGHT", c.line)
	}
	slices.SortStableFunc(onsets, func(a, b onset) int { return int(max(-1, min(1, a.at-b.at))) })
	r := &ruled{before: onsets[0].from}
	for _, o := range onsets {
		if n := len(r.changes); n > 0 && r.changes[n-1].at == o.at {
			r.changes[n-1].offset = o.to
			continue
		}
		r.changes = append(r.changes, change{o.at, o.to})
	}
	return r, nil
}

// fixed is a zone without changes.
func fixed(offset int64) zone { return &ruled{before: offset} }

// greenwich is UTC, as one value, so that zones can be compared.
var greenwich = fixed(0)
