package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An entry is a VEVENT: one event, a series, or the changed occurrence of one.
type entry struct {
	c         *component
	zones     *zones
	uid       string
	who       string // names it in messages
	summary   string
	attendees []string
	cancelled bool

	start stamp
	until int64 // the end of the first occurrence, as start.instant()
	// The end of others: so many civil seconds on the wall clock after their start, then so many that pass.
	nominal civil
	exact   int64

	replaces *stamp // the RECURRENCE-ID: it stands for that occurrence of its series
}

// costOfInstant is the work of finding an instant, in days looked at.
const costOfInstant = 10

// An occasion is one start of a series. The key is the instant that tells it from others.
type occasion struct {
	key  int64
	wall civil
}

// expand fills in the occurrences of all calendars.
func (in *reading) expand(files []*component) error {
	groups := map[string][]*entry{}
	var order []string
	for _, f := range files {
		z := in.zones(f)
		for _, c := range f.parts {
			if c.name != "VEVENT" {
				continue
			}
			e := &entry{c: c, zones: z}
			if err := e.read(); err != nil {
				in.warn(c.line, e.who, "%v; the event is left out", err)
				continue
			}
			e.cancelled = e.cancelled || strings.EqualFold(f.text("METHOD"), "CANCEL")
			group := e.uid
			if group == "" { // without a UID nothing belongs together
				group = fmt.Sprintf("\x00%d", c.line)
			}
			if groups[group] == nil {
				order = append(order, group)
			}
			groups[group] = append(groups[group], e)
		}
	}
	for _, uid := range order {
		if err := in.group(groups[uid]); err != nil {
			return err
		}
	}
	return nil
}

// read takes an event apart, except for its rules.
func (e *entry) read() error {
	e.uid, e.summary = e.c.text("UID"), e.c.text("SUMMARY")
	e.who = "event " + quote(e.summary)
	if e.uid != "" {
		e.who += " (UID " + quote(e.uid) + ")"
	}
	if e.c.fault != nil {
		return e.c.fault
	}
	e.cancelled = strings.EqualFold(e.c.text("STATUS"), "CANCELLED")
	e.attendees = e.c.attendees()

	p, ok, err := e.c.one("DTSTART")
	if err == nil && !ok {
		err = errors.New("it has no DTSTART; give the event a start")
	}
	if err != nil {
		return err
	}
	if e.start, err = e.stamp(p, p.value); err != nil {
		return fmt.Errorf("DTSTART: %w", err)
	}
	if err := e.readEnd(); err != nil {
		return err
	}
	p, ok, err = e.c.one("RECURRENCE-ID")
	if err != nil || !ok {
		return err
	}
	s, err := e.stamp(p, p.value)
	if err != nil {
		return fmt.Errorf("RECURRENCE-ID: %w", err)
	}
	if e.uid == "" {
		return errors.New("it changes one occurrence of a series, but has no UID that says of which")
	}
	e.replaces = &s
	return nil
}

// readEnd finds the length: DTEND, DURATION, or what 3.6.1 says where neither is there. The RFC wants the occurrences
// of a series with DTEND to last equally long in elapsed time (3.8.5.3). Calendars do not do that, and nobody who
// writes 22:00 to 06:00 means 07:00 for one night of the year: the end keeps its wall time.
func (e *entry) readEnd() error {
	end, hasEnd, err := e.c.one("DTEND")
	if err != nil {
		return err
	}
	length, hasLength, err := e.c.one("DURATION")
	if err != nil {
		return err
	}
	switch {
	case hasEnd:
		to, err := e.stamp(end, end.value)
		switch {
		case err != nil:
			return fmt.Errorf("DTEND: %w", err)
		case to.date != e.start.date:
			return fmt.Errorf("DTSTART and DTEND: %w", errMixed)
		case to.zone == nil && e.start.zone != nil: // its TZID was forgotten
			to.zone = e.start.zone
		case to.zone != nil && e.start.zone == nil:
			return errors.New("DTSTART has no time zone, but DTEND has; give both the same")
		}
		if to.date && to.wall == e.start.wall { // a day that ends on itself: some mean the last day by DTEND
			to.wall += day
		}
		start := e.start.instant()
		e.until, e.nominal = int64(to.wall), to.wall-e.start.wall
		if to.zone != nil {
			e.until = last(to.zone, to.wall)
			e.nominal = wall(e.start.zone, e.until) - e.start.wall
		}
		switch {
		case to.instant() == start: // also at a time that comes twice
			e.until, e.nominal = start, 0
		case e.until < start:
			return errors.New("it ends before it starts; mend its end")
		case e.nominal <= 0: // it lies across the change of clocks that puts the wall back
			e.nominal, e.exact = 0, e.until-start
		}
	case hasLength:
		days, seconds, err := parseDuration(length.value)
		if err != nil {
			return fmt.Errorf("DURATION: %w", err)
		}
		if e.start.date && seconds != 0 {
			return fmt.Errorf("DTSTART and DURATION: %w", errMixed)
		}
		e.nominal, e.exact = civil(days*day), seconds
		e.until = e.end(occasion{e.start.instant(), e.start.wall})
	case e.start.date:
		e.nominal = day
		e.until = int64(e.start.wall + day)
	default:
		e.until = e.start.instant()
	}
	return nil
}

// end is the end of an occasion that is not the first.
func (e *entry) end(o occasion) int64 {
	to := o.wall + e.nominal
	switch {
	case e.start.zone == nil:
		return int64(to) + e.exact
	case e.nominal == 0:
		return o.key + e.exact
	case e.exact == 0:
		return last(e.start.zone, to)
	}
	return first(e.start.zone, to) + e.exact
}

// stamp reads a DATE or DATE-TIME of the event, in the zone of the property.
func (e *entry) stamp(p property, value string) (stamp, error) {
	w, date, utc, err := parseWall(value)
	if err != nil {
		return stamp{}, err
	}
	s := stamp{wall: w, date: date}
	switch id := p.param("TZID"); {
	case date: // a day is a day everywhere; some give it a TZID nonetheless
	case p.is("VALUE", "DATE"):
		return stamp{}, fmt.Errorf("%s should be a date, as VALUE=DATE says; write 20260105", quote(value))
	case utc:
		s.zone = fixed(0)
	case id != "":
		if s.zone, err = e.zones.find(id); err != nil {
			return stamp{}, err
		}
	}
	return s, nil
}

// attendees are the people's addresses: 3.8.4.1.
func (c *component) attendees() (list []string) {
	for _, p := range c.all("ATTENDEE") {
		if p.is("CUTYPE", "ROOM") || p.is("CUTYPE", "RESOURCE") {
			continue
		}
		address := strings.TrimSpace(p.value)
		if len(address) > 7 && strings.EqualFold(address[:7], "mailto:") {
			address, _, _ = strings.Cut(address[7:], "?")
			if plain, err := url.PathUnescape(address); err == nil {
				address = plain
			}
		} else if mail := p.param("EMAIL"); mail != "" { // RFC 7986, 6.2: where the value is no mail address
			address = mail
		}
		address = strings.ToLower(strings.TrimSpace(address))
		if strings.Count(address, "@") == 1 && !slices.Contains(list, address) {
			list = append(list, address)
		}
	}
	return list
}

// group expands what has one UID: mostly a series and its changed occurrences.
func (in *reading) group(all []*entry) error {
	var series, changed []*entry
	for _, e := range all {
		if e.replaces == nil {
			series = append(series, e)
		} else {
			changed = append(changed, e)
		}
	}
	// Of revisions the latest counts. Events that share a UID and a revision, against the RFC, are all kept: to drop
	// one could leave a shift without anybody.
	latest := 0
	for _, e := range series {
		latest = max(latest, e.c.sequence())
	}
	series = slices.DeleteFunc(series, func(e *entry) bool {
		old := e.c.sequence() < latest
		if old {
			in.warn(e.c.line, e.who, "the file has a later revision of this event (SEQUENCE:%d); this one is left out", latest)
		}
		return old
	})
	there := len(series)
	series = slices.DeleteFunc(series, func(e *entry) bool { return e.cancelled })
	if there > 0 && len(series) == 0 {
		return nil // with all that was changed about it
	}
	replaced := newMarks()
	var start stamp
	if len(series) > 0 {
		start = series[0].start
	}
	for _, e := range in.latest(changed, start.zone) {
		p, _, _ := e.c.one("RECURRENCE-ID")
		if p.is("RANGE", "THISANDFUTURE") {
			in.warn(e.c.line, e.who, "it changes this and all later occurrences (RANGE=THISANDFUTURE); only this one is changed here. End the series before it, and make a new one for the rest")
		}
		replaced.add(*e.replaces, start)
		if !e.cancelled {
			if err := in.add(e, occasion{e.start.instant(), e.start.wall}, new(int)); err != nil {
				return err
			}
		}
	}
	for _, e := range series {
		if err := in.series(e, replaced); err != nil {
			var skip *fault
			if !errors.As(err, &skip) {
				return err
			}
			in.warn(e.c.line, e.who, "%v; the event is left out", skip.error)
		}
	}
	return nil
}

// latest keeps of several changes to one occurrence the last revision, or of equals the last in the file.
func (in *reading) latest(changed []*entry, zone zone) []*entry {
	type place struct {
		at   int64
		days bool
	}
	last := map[place]*entry{}
	of := func(e *entry) place { return place{e.replaces.in(zone).instant(), e.replaces.date} }
	for _, e := range changed {
		if o := last[of(e)]; o == nil || o.c.sequence() <= e.c.sequence() {
			last[of(e)] = e
		}
	}
	return slices.DeleteFunc(changed, func(e *entry) bool { return last[of(e)] != e })
}

// A fault leaves one event out.
type fault struct{ error }

func (f *fault) Unwrap() error { return f.error }

// series adds the occurrences of one event without those that are marked.
func (in *reading) series(e *entry, replaced marks) error {
	// The range on the wall clock, generously: add is exact. The longest occurrence that could reach into the range
	// begins its length before it, a day more for changes of clocks.
	lo, hi := civil(in.From.Unix()-zoneReach), civil(in.To.Unix()+zoneReach)
	lo -= max(0, e.nominal) + civil(e.exact) + 2*day
	hi += 2 * day

	occasions := map[int64]occasion{e.start.instant(): {e.start.instant(), e.start.wall}}
	dropped := replaced.copy()
	for _, name := range []string{"RRULE", "EXRULE"} {
		for _, p := range e.c.all(name) {
			r, err := parseRule(p.value, e.start.zone)
			if err == nil && e.start.date {
				err = r.wholeDays()
			}
			if err != nil {
				return &fault{fmt.Errorf("line %d: %s: %w", p.line, name, err)}
			}
			if name == "RRULE" && r.until < e.start.wall {
				delete(occasions, e.start.instant())
			}
			n := 0
			err = r.expand(e.start.wall, lo, hi, name == "RRULE", &in.work, func(c civil) error {
				if c < lo {
					return nil
				}
				if err := in.work.spend(costOfInstant); err != nil {
					return err
				}
				// What is kept in memory is bounded; the limits that users know come with what is within the range.
				if n++; n > 2*in.MaxRepeats+100 {
					return in.tooMany(e)
				}
				key := stamp{wall: c, zone: e.start.zone}.instant()
				if name == "RRULE" {
					if _, there := occasions[key]; !there { // at a gap several wall times are one instant
						occasions[key] = occasion{key, c}
					}
				} else {
					dropped.at[key] = true
				}
				return nil
			})
			if errors.Is(err, errWork) {
				return fmt.Errorf("line %d: %s: %w; give its rule a later start instead of a COUNT, or a lower frequency", p.line, e.who, err)
			}
			if err != nil {
				return err
			}
		}
	}
	ends := map[int64]int64{} // of occasions whose RDATE is a period
	if err := e.dates(occasions, ends, dropped); err != nil {
		return &fault{err}
	}
	within := 0
	for _, o := range ordered(occasions) {
		if dropped.has(o) {
			continue
		}
		if end, ok := ends[o.key]; ok {
			if err := in.put(e, o.key, end, &within); err != nil {
				return err
			}
			continue
		}
		if err := in.add(e, o, &within); err != nil {
			return err
		}
	}
	return nil
}

func ordered(m map[int64]occasion) []occasion {
	list := make([]occasion, 0, len(m))
	for _, o := range m {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b occasion) int { return cmp.Compare(a.key, b.key) })
	return list
}

// dates reads RDATE and EXDATE: 3.8.5.1 and 3.8.5.2.
func (e *entry) dates(occasions map[int64]occasion, ends map[int64]int64, dropped marks) error {
	for _, p := range e.c.properties {
		if p.name != "RDATE" && p.name != "EXDATE" {
			continue
		}
		wrong := func(err error) error { return fmt.Errorf("line %d: %s: %w", p.line, p.name, err) }
		for v := range strings.SplitSeq(p.value, ",") {
			if strings.TrimSpace(v) == "" {
				continue
			}
			from, to, period := strings.Cut(v, "/")
			s, err := e.stamp(p, from)
			if err != nil {
				return wrong(err)
			}
			if p.name == "EXDATE" {
				dropped.add(s, e.start)
				continue
			}
			if s = s.in(e.start.zone); s.date != e.start.date || s.zone != nil && e.start.zone == nil {
				return wrong(errMixed)
			}
			o := occasion{s.instant(), s.wall}
			if s.zone != nil {
				o.wall = wall(e.start.zone, o.key)
			}
			occasions[o.key] = o
			if period {
				end, err := e.periodEnd(p, s, to)
				if err != nil {
					return wrong(err)
				}
				ends[o.key] = end
			}
		}
	}
	return nil
}

// periodEnd reads what follows the slash of a PERIOD: 3.3.9.
func (e *entry) periodEnd(p property, from stamp, s string) (int64, error) {
	if strings.ContainsAny(s, "P") {
		days, seconds, err := parseDuration(s)
		if err != nil {
			return 0, err
		}
		span := entry{start: from, nominal: civil(days * day), exact: seconds}
		return span.end(occasion{from.instant(), from.wall}), nil
	}
	to, err := e.stamp(p, s)
	if err != nil {
		return 0, err
	}
	if to = to.in(from.zone); to.zone == nil {
		return int64(to.wall), nil
	}
	return last(to.zone, to.wall), nil
}

// in gives a floating time the zone of its series: who writes EXDATE without TZID means the event's own clock.
func (s stamp) in(z zone) stamp {
	if s.zone == nil && !s.date {
		s.zone = z
	}
	return s
}

// marks are occasions that do not take place as the rule says. Some name only the day.
type marks struct{ at, days map[int64]bool }

func newMarks() marks { return marks{map[int64]bool{}, map[int64]bool{}} }

func (m marks) copy() marks {
	c := newMarks()
	for k := range m.at {
		c.at[k] = true
	}
	for k := range m.days {
		c.days[k] = true
	}
	return c
}

// add marks what s names in a series that starts so. Of whole days any time marks the day.
func (m marks) add(s, start stamp) {
	if s.date || start.date {
		m.days[s.wall.day()] = true
		return
	}
	m.at[s.in(start.zone).instant()] = true
}

func (m marks) has(o occasion) bool { return m.at[o.key] || m.days[o.wall.day()] }

// add puts one occasion of an entry in, if it is within the range.
func (in *reading) add(e *entry, o occasion, within *int) error {
	end := e.until
	if o.key != e.start.instant() {
		end = e.end(o)
	}
	return in.put(e, o.key, end, within)
}

func (in *reading) put(e *entry, start, end int64, within *int) error {
	reach := int64(0)
	if e.start.zone == nil {
		reach = zoneReach
	}
	switch {
	case end <= start, start-reach >= ceil(in.To), end+reach <= in.From.Unix():
		return nil
	case *within == in.MaxRepeats:
		return in.tooMany(e)
	case len(in.events) == in.MaxOccurrences:
		return fmt.Errorf("line %d: %s: with it there are more than %d occurrences from %s to %s; share a calendar that holds only what is needed here",
			e.c.line, e.who, in.MaxOccurrences, in.From.Format(time.DateOnly), in.To.Format(time.DateOnly))
	}
	*within++
	in.events = append(in.events, Event{
		UID: e.uid, Start: time.Unix(start, 0).UTC(), End: time.Unix(end, 0).UTC(), Civil: e.start.zone == nil,
		Summary: e.summary, Attendees: slices.Clone(e.attendees),
	})
	return nil
}

func (in *reading) tooMany(e *entry) error {
	return fmt.Errorf("line %d: %s: it recurs more than %d times from %s to %s; make it recur less often, or take it out of the calendar",
		e.c.line, e.who, in.MaxRepeats, in.From.Format(time.DateOnly), in.To.Format(time.DateOnly))
}

// ceil is the first whole second that is not before t.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 && t.Unix() < math.MaxInt64 {
		return t.Unix() + 1
	}
	return t.Unix()
}
