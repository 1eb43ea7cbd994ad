package calendar

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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
			if to.zone != e.start.zone {
				e.nominal = wall(e.start.zone, e.until) - e.start.wall
			}
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
		s.zone = greenwich
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
