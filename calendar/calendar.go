// Package calendar reads and writes iCalendar (RFC 5545): the calendars that people keep elsewhere, and feeds of shifts
// that their calendars subscribe to.
//
// Read takes what Google Calendar, Outlook, Apple Calendar and Nextcloud export or share: holidays, absences, a rota.
// It returns the single occurrences within a stretch of time. Rules that recur are expanded on the wall clock of the
// event's zone, and only then become instants: a wall time that does not exist is the first instant after the gap; one
// that happens twice is the first for a start and the last for an end. So a shift from 22:00 to 06:00 ends at 06:00
// also in the nights in which clocks are changed.
//
// Write makes a feed: concrete shifts in UTC without rules, so that no client can expand them differently. Fetch gets a
// calendar from its address within limits, and keeps the address, which mostly holds a token, out of every error.
//
// An event that cannot be understood is left out with a warning: to guess would put the wrong people on call. What is
// no calendar, is cut off or goes beyond a limit is an error.
package calendar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Limits of Read, where Options say nothing else. A calendar comes from outside: nothing in it may cost more than this.
const (
	MaxBytes       = 1 << 20   // some thousands of events; shared calendars of people are far smaller
	MaxLine        = 256 << 10 // unfolded; Outlook writes the whole text of an invitation as HTML into one line
	MaxEvents      = 5_000     // VEVENTs in the file
	MaxRepeats     = 5_000     // occurrences of one event within the range: an hourly event for half a year
	MaxOccurrences = 20_000    // of all events within the range
)

const (
	// maxWork bounds the days and times that all rules of a file look at. A daily rule with a COUNT over twenty years
	// looks at 7,300; the bound is reached after one or two seconds.
	maxWork = 20_000_000

	// maxWarnings bounds what is said about a file of which every event is damaged.
	maxWarnings = 100

	// zoneReach is how far a zone's wall clock may be from UTC: Kiribati is 14 hours ahead, Baker Island 12 behind.
	zoneReach = 14 * 3600
)

// An Event is one occurrence in a calendar. It is half-open, and never empty.
type Event struct {
	UID string // the same for all occurrences of a recurring event; "" where the file has none

	// Instants, in UTC. For Civil events they are wall-clock readings held in UTC, to be read in the zone of whoever
	// asks.
	Start, End time.Time
	Civil      bool // whole days (VALUE=DATE) and floating times

	Summary string

	// Attendees are mail addresses, lower case, without mailto:, each once and in the order of the file. Rooms and other
	// resources are left out. Who merely organizes is none; an answer that says no does not strike anybody off.
	Attendees []string
}

// Options say what Read takes in.
type Options struct {
	// From and To bound the occurrences: those that end at From or before, or begin at To or after, are left out. To must
	// be later than From. Civil events stay in if they overlap the range in any zone.
	From, To time.Time

	// Limits; zero or less: the constant of the same name.
	MaxBytes, MaxLine, MaxEvents, MaxRepeats, MaxOccurrences int
}

// Read reads one or more VCALENDARs and returns the occurrences within the range, ordered by start, then UID. Warnings
// are sentences about what was left out, each with its line. The error is for a file that is no calendar, is not
// complete, or goes beyond a limit.
//
// Zones are found by their IANA name, by Windows' name, then by the rules in the file. Left out without a word are
// cancelled events, events without length, and those that a gap in the wall clock swallows.
func Read(r io.Reader, o Options) (events []Event, warnings []string, err error) {
	o = o.withDefaults()
	if !o.From.Before(o.To) {
		return nil, nil, errors.New("the range to read is empty; choose an end later than the start")
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(o.MaxBytes)+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the calendar: %w", err)
	}
	if len(data) > o.MaxBytes {
		return nil, nil, fmt.Errorf("the calendar is larger than %d bytes; share a calendar that holds only what is needed here, or one with less history", o.MaxBytes)
	}
	lines, err := unfold(data, o.MaxLine)
	if err != nil {
		return nil, nil, err
	}
	in := &reading{Options: o, work: maxWork}
	files, err := in.parse(lines)
	if err != nil {
		return nil, nil, err
	}
	if err := in.expand(files); err != nil {
		return nil, nil, err
	}
	return in.sorted(), in.said(), nil
}

// The calendar can write these years and no others: RFC 5545, 3.3.4.
var (
	dawn = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	dusk = time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (o Options) withDefaults() Options {
	if o.From.Before(dawn) {
		o.From = dawn
	}
	if o.To.After(dusk) {
		o.To = dusk
	}
	for _, limit := range []struct {
		value *int
		def   int
	}{
		{&o.MaxBytes, MaxBytes},
		{&o.MaxLine, MaxLine},
		{&o.MaxEvents, MaxEvents},
		{&o.MaxRepeats, MaxRepeats},
		{&o.MaxOccurrences, MaxOccurrences},
	} {
		if *limit.value <= 0 {
			*limit.value = limit.def
		}
	}
	return o
}

// A reading is one call of Read.
type reading struct {
	Options
	work     work
	events   []Event
	warnings []warning
	unsaid   int // warnings beyond the bound
}

type warning struct {
	line int
	text string
}

// warn notes a fault. Who names the event; "" where the line belongs to none.
func (in *reading) warn(line int, who, format string, args ...any) {
	if len(in.warnings) == maxWarnings {
		in.unsaid++
		return
	}
	text := fmt.Sprintf(format, args...)
	if who != "" {
		text = who + ": " + text
	}
	in.warnings = append(in.warnings, warning{line, text})
}

// said is the warnings in the order of the file.
func (in *reading) said() (list []string) {
	slices.SortStableFunc(in.warnings, func(a, b warning) int { return cmp.Compare(a.line, b.line) })
	for _, w := range in.warnings {
		list = append(list, fmt.Sprintf("line %d: %s", w.line, w.text))
	}
	if in.unsaid > 0 {
		list = append(list, fmt.Sprintf("%d more warnings are not listed", in.unsaid))
	}
	return list
}

// sorted orders the occurrences, and drops those that are there twice in every detail: calendars that were merged hold
// the same event twice.
func (in *reading) sorted() []Event {
	slices.SortStableFunc(in.events, func(a, b Event) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.UID, b.UID), a.End.Compare(b.End),
			cmp.Compare(a.Summary, b.Summary), slices.Compare(a.Attendees, b.Attendees))
	})
	return slices.CompactFunc(in.events, func(a, b Event) bool {
		return a.UID != "" && a.UID == b.UID && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Civil == b.Civil &&
			a.Summary == b.Summary && slices.Equal(a.Attendees, b.Attendees)
	})
}

// work is what may still be looked at.
type work int

var errWork = errors.New("the rules of this calendar take too long to expand")

func (w *work) spend(n int) error {
	if *w -= work(n); *w < 0 {
		return errWork
	}
	return nil
}

var bom = []byte("\ufeff")

// unfold joins folded lines (RFC 5545, 3.1) and drops empty ones. Folds may cut a character in two, so they are taken
// out of bytes.
func unfold(data []byte, limit int) ([]line, error) {
	var lines []line
	number := 0
	for raw := range bytes.Lines(data) {
		number++
		raw = bytes.TrimPrefix(bytes.TrimRight(raw, "\r\n"), bom)
		switch {
		case len(raw) == 0:
			continue
		case raw[0] != ' ' && raw[0] != '\t':
			lines = append(lines, line{number: number, text: raw[:len(raw):len(raw)]})
		case len(lines) > 0:
			last := &lines[len(lines)-1]
			last.text = append(last.text, raw[1:]...)
		case len(bytes.TrimSpace(raw)) > 0:
			return nil, notACalendar(number, raw)
		}
		if n := len(lines); n > 0 && len(lines[n-1].text) > limit {
			return nil, fmt.Errorf("line %d: longer than %d bytes when unfolded; take the long text or the attachment out of the event there", lines[n-1].number, limit)
		}
	}
	return lines, nil
}

// notACalendar says what the file seems to be instead. It does not repeat the line, which may hold a secret.
func notACalendar(number int, text []byte) error {
	text = bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return fmt.Errorf("line %d: this is no calendar but a web page, maybe one to log in; use the address of the calendar in iCal format, which needs no login", number)
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return fmt.Errorf("line %d: this is no calendar but JSON; use the address of the calendar in iCal format", number)
	}
	return fmt.Errorf("line %d: this is no calendar: it should begin with BEGIN:VCALENDAR; export it as iCalendar (.ics) in UTF-8", number)
}
