package calendar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
)

// A Feed is a calendar of concrete shifts for clients that subscribe.
type Feed struct {
	Name, Description string // either may be ""

	// Refresh is how often clients are asked to look again, in whole minutes; zero: as they like. Google Calendar looks
	// when it likes in any case, Outlook at least as seldom as this.
	Refresh time.Duration

	Entries []Entry
}

// An Entry is one shift. Times are to the second.
type Entry struct {
	// UID tells the shift from every other, in every feed and for ever. A client takes an entry with a known UID for
	// the same shift changed.
	UID        string
	Start, End time.Time

	Summary, Description string
	URL                  string // "" for none; absolute

	// Stamp is when what is written here was last changed. It must not be the time of writing: as long as nothing
	// changes, a feed is the same to the byte.
	Stamp time.Time

	Alarm time.Duration // a reminder so long before the start; zero: none
}

// productID names the writer: RFC 5545, 3.7.3.
const productID = "-//Midwatch//On call//EN"

// Write writes a feed: times in UTC, entries in the order of their start, lines folded at 75 octets and ended by CRLF.
//
// Outlook wants METHOD, and DTSTAMP and UID in every event; it looks for X-PUBLISHED-TTL where others follow RFC 7986's
// REFRESH-INTERVAL. Apple and Google take the name from X-WR-CALNAME. An iCalendar file without a component is not
// valid (RFC 5545, 3.4), and some clients refuse it, so a feed without shifts holds a description of UTC.
//
// An error names the entry at fault; then nothing was written.
func Write(w io.Writer, f Feed) error {
	if f.Refresh < 0 || f.Refresh%time.Minute != 0 {
		return fmt.Errorf("feed %s: the refresh interval %v is not in whole minutes; write one such as 1h", quote(f.Name), f.Refresh)
	}
	c := ics.NewCalendarFor("Midwatch")
	c.SetProductId(productID)
	c.SetCalscale("GREGORIAN")
	c.SetMethod(ics.MethodPublish)
	if name := text(f.Name); name != "" {
		c.SetName(name) // and X-WR-CALNAME
	}
	if about := text(f.Description); about != "" {
		c.SetDescription(about)
		c.SetXWRCalDesc(about)
	}
	if f.Refresh > 0 {
		c.SetRefreshInterval(duration(f.Refresh)) // with VALUE=DURATION, which the library adds
		c.SetXPublishedTTL(duration(f.Refresh))
	}
	entries := slices.SortedStableFunc(slices.Values(f.Entries), func(a, b Entry) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.UID, b.UID))
	})
	seen := map[string]bool{}
	for _, e := range entries {
		if err := e.check(); err != nil {
			return fmt.Errorf("feed %s: entry %s (UID %s): %w", quote(f.Name), quote(e.Summary), quote(e.UID), err)
		}
		if seen[e.UID] {
			return fmt.Errorf("feed %s: two entries have the UID %s; give each its own", quote(f.Name), quote(e.UID))
		}
		seen[e.UID] = true
		c.AddVEvent(e.event())
	}
	if len(entries) == 0 {
		zone := c.AddTimezone("UTC")
		standard := zone.AddStandard()
		standard.SetProperty(ics.ComponentPropertyDtStart, "19700101T000000")
		standard.SetProperty(ics.ComponentProperty(ics.PropertyTzoffsetfrom), "+0000")
		standard.SetProperty(ics.ComponentProperty(ics.PropertyTzoffsetto), "+0000")
		standard.SetProperty(ics.ComponentProperty(ics.PropertyTzname), "UTC")
	}
	// The library drops errors from writing; into memory there are none.
	var b bytes.Buffer
	if err := c.SerializeTo(&b, ics.WithLineLength(75), ics.WithNewLineWindows); err != nil {
		return fmt.Errorf("feed %s: %w", quote(f.Name), err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the feed %s: %w", quote(f.Name), err)
	}
	return nil
}

func (e Entry) check() error {
	link, err := url.Parse(e.URL)
	switch {
	case e.UID == "" || text(e.UID) != e.UID || strings.Contains(e.UID, "\n"):
		return errors.New("it has no UID, or one with control characters; give it one line of text")
	case !e.Start.Truncate(time.Second).Before(e.End.Truncate(time.Second)):
		return errors.New("it does not end after its start; leave it out")
	case e.Start.Year() < 1 || e.End.UTC().Year() > lastYear:
		return errors.New("its years have more than four digits; give it a time that a calendar can write")
	case e.Stamp.IsZero():
		return errors.New("it has no stamp; give the time of its last change")
	case e.Alarm < 0:
		return errors.New("its reminder would come after the start; give a length of time, not a negative one")
	case e.URL != "" && (err != nil || !link.IsAbs() || text(e.URL) != e.URL || strings.ContainsAny(e.URL, " \n")):
		return errors.New("its URL is not an absolute one; write one such as https://midwatch.example.org/")
	}
	return nil
}

func (e Entry) event() *ics.VEvent {
	v := ics.NewEvent(e.UID)
	v.SetDtStampTime(e.Stamp)
	v.SetStartAt(e.Start)
	v.SetEndAt(e.End)
	v.SetSummary(text(e.Summary))
	if about := text(e.Description); about != "" {
		v.SetDescription(about)
	}
	if e.URL != "" {
		v.SetURL(e.URL)
	}
	v.SetStatus(ics.ObjectStatusConfirmed)
	v.SetTimeTransparency(ics.TransparencyOpaque)
	if e.Alarm > 0 {
		a := v.AddAlarm()
		a.SetAction(ics.ActionDisplay)
		a.SetTrigger("-" + duration(e.Alarm))
		a.SetDescription(text(e.Summary)) // required: RFC 5545, 3.6.6
	}
	return v
}

// text makes a string fit for TEXT: line breaks as \n, no other control characters (3.3.11), and valid UTF-8, which the
// library's folding counts on; Map puts U+FFFD for what is not.
func text(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}

// duration writes RFC 5545, 3.3.6, to the second, in the largest units below the day.
func duration(d time.Duration) string {
	s := int64(d / time.Second)
	var b strings.Builder
	b.WriteString("PT")
	for _, u := range []struct {
		seconds int64
		letter  string
	}{{3600, "H"}, {60, "M"}, {1, "S"}} {
		if n := s / u.seconds; n > 0 || u.seconds == 1 && b.Len() == len("PT") {
			fmt.Fprintf(&b, "%d%s", n, u.letter)
			s %= u.seconds
		}
	}
	return b.String()
}
