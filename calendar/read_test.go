package calendar

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	_ "time/tzdata" // the tests mean its zones, whatever the machine knows
)

var year2026 = Options{
	From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	To:   time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
}

// vcalendar frames lines; those of a test begin where the frame ends.
func vcalendar(body string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n" + strings.TrimSpace(body) + "\nEND:VCALENDAR\n"
}

func vevent(body string) string {
	return vcalendar("BEGIN:VEVENT\n" + strings.TrimSpace(body) + "\nEND:VEVENT")
}

// show prints an occurrence as the tests write them.
func show(e Event) string {
	layout := "2006-01-02T15:04:05Z"
	if e.Civil {
		layout = "2006-01-02 15:04:05"
	}
	s := e.Start.Format(layout) + " to " + e.End.Format(layout)
	s = strings.ReplaceAll(strings.ReplaceAll(s, ":00Z", "Z"), ":00 to", " to")
	return strings.TrimSuffix(s, ":00")
}

func shows(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintln(&b, show(e))
	}
	return b.String()
}

func read(t *testing.T, file string, o Options) ([]Event, []string) {
	t.Helper()
	events, warnings, err := Read(strings.NewReader(file), o)
	if err != nil {
		t.Fatal(err)
	}
	return events, warnings
}

func lines(s string) string {
	var b strings.Builder
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

func TestTimesOfAnEvent(t *testing.T) {
	for _, c := range []struct{ name, event, want string }{
		{"UTC", "DTSTART:20260105T090000Z\nDTEND:20260105T170000Z", "2026-01-05T09:00Z to 2026-01-05T17:00Z"},
		{"zone", "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=Europe/Berlin:20260105T170000", "2026-01-05T08:00Z to 2026-01-05T16:00Z"},
		{"quoted zone, lower-case names", "dtstart;tzid=\"Europe/Berlin\":20260105T090000\ndtend;tzid=\"Europe/Berlin\":20260105T170000", "2026-01-05T08:00Z to 2026-01-05T16:00Z"},
		{"Windows' zone", "DTSTART;TZID=W. Europe Standard Time:20260705T090000\nDTEND;TZID=W. Europe Standard Time:20260705T170000", "2026-07-05T07:00Z to 2026-07-05T15:00Z"},
		{"a registry's zone", "DTSTART;TZID=/freeassociation.sourceforge.net/Tzfile/Europe/Berlin:20260105T090000\nDTEND;TZID=/mozilla.org/20050126_1/America/Argentina/Buenos_Aires:20260105T170000", "2026-01-05T08:00Z to 2026-01-05T20:00Z"},
		{"two zones", "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=America/New_York:20260105T090000", "2026-01-05T08:00Z to 2026-01-05T14:00Z"},
		{"an end without its zone", "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND:20260105T170000", "2026-01-05T08:00Z to 2026-01-05T16:00Z"},
		{"floating", "DTSTART:20260105T090000\nDTEND:20260105T170000", "2026-01-05 09:00 to 2026-01-05 17:00"},
		{"a day", "DTSTART;VALUE=DATE:20260105", "2026-01-05 00:00 to 2026-01-06 00:00"},
		{"days", "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260110", "2026-01-05 00:00 to 2026-01-10 00:00"},
		{"days without VALUE, with a zone", "DTSTART;TZID=Europe/Moscow:20260105\nDTEND:20260106", "2026-01-05 00:00 to 2026-01-06 00:00"},
		{"a day that ends on itself", "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260105", "2026-01-05 00:00 to 2026-01-06 00:00"},
		{"days by length", "DTSTART;VALUE=DATE:20260105\nDURATION:P1W", "2026-01-05 00:00 to 2026-01-12 00:00"},
		{"length", "DTSTART:20260105T090000Z\nDURATION:P1DT2H3M4S", "2026-01-05T09:00Z to 2026-01-06T11:03:04Z"},
		{"a moment", "DTSTART:20260105T090000Z", ""},
		{"no length", "DTSTART:20260105T090000Z\nDTEND:20260105T090000Z", ""},
		{"no length, by length", "DTSTART:20260105T090000Z\nDURATION:PT0S", ""},
		{"leap second", "DTSTART:20260105T090000Z\nDTEND:20260105T235960Z", "2026-01-05T09:00Z to 2026-01-05T23:59:59Z"},
		{"cancelled", "DTSTART:20260105T090000Z\nDTEND:20260105T170000Z\nSTATUS:CANCELLED", ""},
		{"tentative, transparent", "DTSTART:20260105T090000Z\nDTEND:20260105T170000Z\nSTATUS:TENTATIVE\nTRANSP:TRANSPARENT", "2026-01-05T09:00Z to 2026-01-05T17:00Z"},

		// SPEC 4.2: Berlin, gap on 29 March at 02:00, fold on 25 October at 03:00.
		{"starts in the gap", "DTSTART;TZID=Europe/Berlin:20260329T023000\nDTEND;TZID=Europe/Berlin:20260329T060000", "2026-03-29T01:00Z to 2026-03-29T04:00Z"},
		{"ends in the gap", "DTSTART;TZID=Europe/Berlin:20260329T000000\nDTEND;TZID=Europe/Berlin:20260329T023000", "2026-03-28T23:00Z to 2026-03-29T01:00Z"},
		{"swallowed by the gap", "DTSTART;TZID=Europe/Berlin:20260329T021500\nDTEND;TZID=Europe/Berlin:20260329T024500", ""},
		{"starts and ends in the fold", "DTSTART;TZID=Europe/Berlin:20261025T021500\nDTEND;TZID=Europe/Berlin:20261025T024500", "2026-10-25T00:15Z to 2026-10-25T01:45Z"},
		{"no length in the fold", "DTSTART;TZID=Europe/Berlin:20261025T021500\nDTEND;TZID=Europe/Berlin:20261025T021500", ""},
		{"a moment in the fold", "DTSTART;TZID=Europe/Berlin:20261025T021500", ""},
		{"an end by UTC in the first of the fold", "DTSTART;TZID=Europe/Berlin:20261025T000000\nDTEND:20261025T003000Z", "2026-10-24T22:00Z to 2026-10-25T00:30Z"},
		{"ends in the fold", "DTSTART;TZID=Europe/Berlin:20261025T000000\nDTEND;TZID=Europe/Berlin:20261025T023000", "2026-10-24T22:00Z to 2026-10-25T01:30Z"},
		{"hours pass in the gap", "DTSTART;TZID=Europe/Berlin:20260328T220000\nDURATION:PT8H", "2026-03-28T21:00Z to 2026-03-29T05:00Z"},
		{"a day is one of the wall clock", "DTSTART;TZID=Europe/Berlin:20260328T220000\nDURATION:P1D", "2026-03-28T21:00Z to 2026-03-29T20:00Z"},
		{"a day that was never: Samoa, 2011", "DTSTART;TZID=Pacific/Apia:20260105T090000\nDTEND;TZID=Pacific/Apia:20260105T100000", "2026-01-04T20:00Z to 2026-01-04T21:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, warnings := read(t, vevent("UID:1\nSUMMARY:x\n"+c.event), year2026)
			if len(warnings) > 0 {
				t.Errorf("warnings %q", warnings)
			}
			if got := shows(events); got != lines(c.want) {
				t.Errorf("got %swant %s", got, c.want)
			}
		})
	}
}

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		name, events, want string
		warning            string
	}{
		{name: "nightly over the gap and the wall clock's end", events: `
			DTSTART;TZID=Europe/Berlin:20260327T220000
			DTEND;TZID=Europe/Berlin:20260328T060000
			RRULE:FREQ=DAILY;COUNT=3`, want: `
			2026-03-27T21:00Z to 2026-03-28T05:00Z
			2026-03-28T21:00Z to 2026-03-29T04:00Z
			2026-03-29T20:00Z to 2026-03-30T04:00Z`},
		{name: "hours pass", events: `
			DTSTART;TZID=Europe/Berlin:20260327T220000
			DURATION:PT8H
			RRULE:FREQ=DAILY;COUNT=2`, want: `
			2026-03-27T21:00Z to 2026-03-28T05:00Z
			2026-03-28T21:00Z to 2026-03-29T05:00Z`},
		{name: "an end in UTC follows the start's clock", events: `
			DTSTART;TZID=Europe/Berlin:20260327T220000
			DTEND:20260328T050000Z
			RRULE:FREQ=DAILY;COUNT=3`, want: `
			2026-03-27T21:00Z to 2026-03-28T05:00Z
			2026-03-28T21:00Z to 2026-03-29T04:00Z
			2026-03-29T20:00Z to 2026-03-30T04:00Z`},
		{name: "daily start in the gap", events: `
			DTSTART;TZID=Europe/Berlin:20260328T023000
			DTEND;TZID=Europe/Berlin:20260328T033000
			RRULE:FREQ=DAILY;COUNT=3`, want: `
			2026-03-28T01:30Z to 2026-03-28T02:30Z
			2026-03-29T01:00Z to 2026-03-29T01:30Z
			2026-03-30T00:30Z to 2026-03-30T01:30Z`},
		{name: "daily start in the fold", events: `
			DTSTART;TZID=Europe/Berlin:20261024T023000
			DTEND;TZID=Europe/Berlin:20261024T033000
			RRULE:FREQ=DAILY;COUNT=3`, want: `
			2026-10-24T00:30Z to 2026-10-24T01:30Z
			2026-10-25T00:30Z to 2026-10-25T02:30Z
			2026-10-26T01:30Z to 2026-10-26T02:30Z`},
		{name: "half hour of Lord Howe", events: `
			DTSTART;TZID=Australia/Lord_Howe:20261003T021500
			DTEND;TZID=Australia/Lord_Howe:20261003T040000
			RRULE:FREQ=DAILY;COUNT=2`, want: `
			2026-10-02T15:45Z to 2026-10-02T17:30Z
			2026-10-03T15:30Z to 2026-10-03T17:00Z`},
		{name: "hours that the gap makes one", events: `
			DTSTART;TZID=Europe/Berlin:20260329T010000
			DTEND;TZID=Europe/Berlin:20260329T013000
			RRULE:FREQ=HOURLY;COUNT=4`, want: `
			2026-03-29T00:00Z to 2026-03-29T00:30Z
			2026-03-29T01:00Z to 2026-03-29T01:30Z
			2026-03-29T02:00Z to 2026-03-29T02:30Z`},
		{name: "longer ones that overlap", events: `
			DTSTART;TZID=Europe/Berlin:20260329T010000
			DTEND;TZID=Europe/Berlin:20260329T023000
			RRULE:FREQ=HOURLY;COUNT=4`, want: `
			2026-03-29T00:00Z to 2026-03-29T01:00Z
			2026-03-29T01:00Z to 2026-03-29T02:30Z
			2026-03-29T02:00Z to 2026-03-29T03:30Z`},
		{name: "until an instant, included", events: `
			DTSTART;TZID=America/New_York:20260105T090000
			DTEND;TZID=America/New_York:20260105T100000
			RRULE:FREQ=DAILY;UNTIL=20260107T140000Z`, want: `
			2026-01-05T14:00Z to 2026-01-05T15:00Z
			2026-01-06T14:00Z to 2026-01-06T15:00Z
			2026-01-07T14:00Z to 2026-01-07T15:00Z`},
		{name: "until a second earlier", events: `
			DTSTART;TZID=America/New_York:20260105T090000
			DTEND;TZID=America/New_York:20260105T100000
			RRULE:FREQ=DAILY;UNTIL=20260107T135959Z`, want: `
			2026-01-05T14:00Z to 2026-01-05T15:00Z
			2026-01-06T14:00Z to 2026-01-06T15:00Z`},
		{name: "over before it began", events: `
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;UNTIL=20260104T090000Z`},
		{name: "two rules", events: `
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;COUNT=2
			RRULE:FREQ=WEEKLY;COUNT=2`, want: `
			2026-01-05T09:00Z to 2026-01-05T10:00Z
			2026-01-06T09:00Z to 2026-01-06T10:00Z
			2026-01-12T09:00Z to 2026-01-12T10:00Z`},
		{name: "EXRULE", events: `
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;COUNT=4
			EXRULE:FREQ=DAILY;INTERVAL=2`, want: `
			2026-01-06T09:00Z to 2026-01-06T10:00Z
			2026-01-08T09:00Z to 2026-01-08T10:00Z`},
		{name: "EXDATE in every manner", events: `
			DTSTART;TZID=Europe/Berlin:20260105T090000
			DTEND;TZID=Europe/Berlin:20260105T100000
			RRULE:FREQ=DAILY;COUNT=7
			EXDATE;TZID=Europe/Berlin:20260105T090000,20260106T090000
			EXDATE:20260107T080000Z
			EXDATE;VALUE=DATE:20260108
			EXDATE:20260109T090000
			EXDATE;TZID=America/New_York:20260110T030000
			EXDATE:20260111T090000Z`, want: `
			2026-01-11T08:00Z to 2026-01-11T09:00Z`},
		{name: "EXDATE of days", events: `
			DTSTART;VALUE=DATE:20260105
			RRULE:FREQ=DAILY;COUNT=4
			EXDATE;VALUE=DATE:20260105
			EXDATE:20260107T000000
			EXDATE:20260108T090000Z`, want: `
			2026-01-06 00:00 to 2026-01-07 00:00`},
		{name: "days until an instant", events: `
			DTSTART;VALUE=DATE:20260105
			RRULE:FREQ=DAILY;UNTIL=20260106T230000Z;BYHOUR=9`, want: `
			2026-01-05 00:00 to 2026-01-06 00:00
			2026-01-06 00:00 to 2026-01-07 00:00`},
		{name: "RDATE", events: `
			DTSTART;TZID=Europe/Berlin:20260105T090000
			DTEND;TZID=Europe/Berlin:20260105T100000
			RDATE;TZID=Europe/Berlin:20260107T120000,20260105T090000
			RDATE:20260108T120000Z
			RDATE;VALUE=PERIOD:20260109T120000Z/20260109T150000Z,20260110T120000Z/PT30M`, want: `
			2026-01-05T08:00Z to 2026-01-05T09:00Z
			2026-01-07T11:00Z to 2026-01-07T12:00Z
			2026-01-08T12:00Z to 2026-01-08T13:00Z
			2026-01-09T12:00Z to 2026-01-09T15:00Z
			2026-01-10T12:00Z to 2026-01-10T12:30Z`},
		{name: "periods by the wall clock", events: `
			DTSTART:20260328T220000
			DTEND:20260329T060000
			RDATE;VALUE=PERIOD:20260401T220000/20260402T060000,20260403T220000/P1DT1H`, want: `
			2026-03-28 22:00 to 2026-03-29 06:00
			2026-04-01 22:00 to 2026-04-02 06:00
			2026-04-03 22:00 to 2026-04-04 23:00`},
		{name: "an end that the fold puts before the start", events: `
			DTSTART;TZID=Europe/Berlin:20261025T024500
			DTEND:20261025T011500Z
			RRULE:FREQ=WEEKLY;COUNT=2`, want: `
			2026-10-25T00:45Z to 2026-10-25T01:15Z
			2026-11-01T01:45Z to 2026-11-01T02:15Z`},
		{name: "a day and hours", events: `
			DTSTART;TZID=Europe/Berlin:20260328T120000
			DURATION:P1DT2H
			RRULE:FREQ=DAILY;COUNT=2`, want: `
			2026-03-28T11:00Z to 2026-03-29T12:00Z
			2026-03-29T10:00Z to 2026-03-30T12:00Z`},
		{name: "moved, cancelled, moved without its series", events: `
			DTSTART;TZID=Europe/Berlin:20260105T090000
			DTEND;TZID=Europe/Berlin:20260105T100000
			RRULE:FREQ=WEEKLY;COUNT=4
			--
			RECURRENCE-ID;TZID=Europe/Berlin:20260112T090000
			DTSTART;TZID=Europe/Berlin:20260113T140000
			DTEND;TZID=Europe/Berlin:20260113T160000
			--
			RECURRENCE-ID:20260119T080000Z
			DTSTART;TZID=Europe/Berlin:20260119T090000
			DTEND;TZID=Europe/Berlin:20260119T100000
			STATUS:CANCELLED
			--
			RECURRENCE-ID;TZID=Europe/Berlin:20260302T090000
			DTSTART;TZID=Europe/Berlin:20260303T090000
			DTEND;TZID=Europe/Berlin:20260303T100000`, want: `
			2026-01-05T08:00Z to 2026-01-05T09:00Z
			2026-01-13T13:00Z to 2026-01-13T15:00Z
			2026-01-26T08:00Z to 2026-01-26T09:00Z
			2026-03-03T08:00Z to 2026-03-03T09:00Z`},
		{name: "moved out of and into the range", events: `
			DTSTART:20251229T090000Z
			DTEND:20251229T100000Z
			RRULE:FREQ=WEEKLY;COUNT=3
			--
			RECURRENCE-ID:20251229T090000Z
			DTSTART:20260102T090000Z
			DTEND:20260102T100000Z
			--
			RECURRENCE-ID:20260105T090000Z
			DTSTART:20271231T090000Z
			DTEND:20271231T100000Z`, want: `
			2026-01-02T09:00Z to 2026-01-02T10:00Z
			2026-01-12T09:00Z to 2026-01-12T10:00Z`},
		{name: "the override comes first and is revised", events: `
			RECURRENCE-ID:20260106T090000Z
			SEQUENCE:2
			DTSTART:20260106T120000Z
			DTEND:20260106T130000Z
			--
			RECURRENCE-ID:20260106T090000Z
			SEQUENCE:1
			DTSTART:20260106T150000Z
			DTEND:20260106T160000Z
			--
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;COUNT=2`, want: `
			2026-01-05T09:00Z to 2026-01-05T10:00Z
			2026-01-06T12:00Z to 2026-01-06T13:00Z`},
		{name: "a day moved", events: `
			DTSTART;VALUE=DATE:20260105
			RRULE:FREQ=DAILY;COUNT=2
			--
			RECURRENCE-ID;VALUE=DATE:20260106
			DTSTART;VALUE=DATE:20260110
			DTEND;VALUE=DATE:20260112`, want: `
			2026-01-05 00:00 to 2026-01-06 00:00
			2026-01-10 00:00 to 2026-01-12 00:00`},
		{name: "this and future", events: `
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;COUNT=3
			--
			RECURRENCE-ID;RANGE=THISANDFUTURE:20260106T090000Z
			DTSTART:20260106T120000Z
			DTEND:20260106T130000Z`, want: `
			2026-01-05T09:00Z to 2026-01-05T10:00Z
			2026-01-06T12:00Z to 2026-01-06T13:00Z
			2026-01-07T09:00Z to 2026-01-07T10:00Z`, warning: "RANGE=THISANDFUTURE"},
		{name: "a cancelled series with what was changed", events: `
			STATUS:CANCELLED
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			RRULE:FREQ=DAILY;COUNT=3
			--
			RECURRENCE-ID:20260106T090000Z
			DTSTART:20260106T120000Z
			DTEND:20260106T130000Z`},
		{name: "an old revision", events: `
			SEQUENCE:1
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			--
			SEQUENCE:2
			DTSTART:20260106T090000Z
			DTEND:20260106T100000Z`, want: `
			2026-01-06T09:00Z to 2026-01-06T10:00Z`, warning: "later revision"},
		{name: "one UID for two shifts, one of them twice", events: `
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z
			--
			DTSTART:20260106T090000Z
			DTEND:20260106T100000Z
			--
			DTSTART:20260105T090000Z
			DTEND:20260105T100000Z`, want: `
			2026-01-05T09:00Z to 2026-01-05T10:00Z
			2026-01-06T09:00Z to 2026-01-06T10:00Z`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body []string
			for e := range strings.SplitSeq(lines(c.events), "--\n") {
				body = append(body, "BEGIN:VEVENT\nUID:s\nSUMMARY:x\n"+e+"END:VEVENT")
			}
			events, warnings := read(t, vcalendar(strings.Join(body, "\n")), year2026)
			if got := shows(events); got != lines(c.want) {
				t.Errorf("got\n%swant\n%s", got, lines(c.want))
			}
			if c.warning == "" && len(warnings) > 0 || c.warning != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.warning)) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
		})
	}
}

func TestRangeIsHalfOpen(t *testing.T) {
	at := func(s string) time.Time {
		u, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, c := range []struct {
		name, event, from, to string
		in                    bool
	}{
		{"ends where it begins", "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z", "2026-01-05T10:00:00Z", "2026-01-06T00:00:00Z", false},
		{"a moment of it", "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z", "2026-01-05T09:59:59.9Z", "2026-01-06T00:00:00Z", true},
		{"begins where it ends", "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z", "2026-01-01T00:00:00Z", "2026-01-05T09:00:00Z", false},
		{"begins just before", "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z", "2026-01-01T00:00:00Z", "2026-01-05T09:00:00.1Z", true},
		{"a day in Kiribati", "DTSTART;VALUE=DATE:20260105", "2026-01-01T00:00:00Z", "2026-01-04T10:00:01Z", true},
		{"a day nowhere yet", "DTSTART;VALUE=DATE:20260105", "2026-01-01T00:00:00Z", "2026-01-04T10:00:00Z", false},
		{"long before, and still on", "DTSTART:19990105T090000Z\nDTEND:20260105T100000Z", "2026-01-05T09:00:00Z", "2026-01-06T00:00:00Z", true},
		{"a series of long ones", "DTSTART:20250101T000000Z\nDURATION:P60D\nRRULE:FREQ=YEARLY", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", true},
	} {
		events, _ := read(t, vevent(c.event), Options{From: at(c.from), To: at(c.to)})
		if (len(events) > 0) != c.in {
			t.Errorf("%s: got %d occurrences, want it in: %v", c.name, len(events), c.in)
		}
	}
	for _, o := range []Options{{}, {From: year2026.To, To: year2026.From}} {
		if _, _, err := Read(strings.NewReader(vevent("DTSTART:20260105T090000Z")), o); err == nil || !strings.Contains(err.Error(), "range") {
			t.Errorf("an empty range: %v", err)
		}
	}
	// Times that no calendar can write are taken for the ends of those that it can.
	events, _ := read(t, vevent("DTSTART:20260105T090000Z\nDTEND:20260105T100000Z\nRRULE:FREQ=YEARLY;COUNT=2"),
		Options{From: time.Unix(-1<<60, 0), To: time.Unix(1<<60, 0)})
	if len(events) != 2 {
		t.Errorf("got %d occurrences in all of time, want 2", len(events))
	}
}

func TestTextsAndPeople(t *testing.T) {
	file := "\ufeffBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\n b@exa\r\n\tmple\r\nSUMMARY;LANGUAGE=de:Gr\xc3\r\n \xbc\xc3\x9fe\\, an\\;\\nalle \\\\o/\r\n" +
		"DTSTART;VALUE=DATE:20260105\r\n" +
		"ORGANIZER;CN=Chef:mailto:boss@example.org\r\n" +
		"ATTENDEE;CN=\"Ana: A;B,C\";PARTSTAT=DECLINED;X-RESPONSE-COMMENT=\"weg\\, leider\\;\":MAILTO:Ana@Example.ORG\r\n" +
		"ATTENDEE:mailto:bo%2Bpager@example.org?subject=x\r\n" +
		"ATTENDEE:mailto:ana@example.org\r\n" +
		"ATTENDEE;CUTYPE=ROOM:mailto:room@example.org\r\n" +
		"ATTENDEE;CUTYPE=RESOURCE:mailto:beamer@example.org\r\n" +
		"ATTENDEE;EMAIL=cy@example.org:/principals/cy/\r\n" +
		"ATTENDEE;EMAIL=cy@example.org:invalid:nomail\r\n" +
		"ATTENDEE:invalid:nomail\r\n" +
		"BEGIN:VALARM\r\nSUMMARY:not this\r\nATTENDEE:mailto:alarm@example.org\r\nDURATION:PT5M\r\nEND:VALARM\r\n" +
		"END:VEVENT\r\nEND:VCALENDAR\r\n"
	events, warnings := read(t, file, year2026)
	if len(warnings) > 0 || len(events) != 1 {
		t.Fatalf("got %v, warnings %q", events, warnings)
	}
	e := events[0]
	if e.UID != "ab@example" || e.Summary != "Grüße, an;\nalle \\o/" {
		t.Errorf("got %q %q", e.UID, e.Summary)
	}
	if want := []string{"ana@example.org", "bo+pager@example.org", "cy@example.org"}; !slices.Equal(e.Attendees, want) {
		t.Errorf("got %q, want %q", e.Attendees, want)
	}
}

func TestOrderAndSeveralCalendars(t *testing.T) {
	one := func(uid, start string) string { return vevent("UID:" + uid + "\nDURATION:PT1H\nDTSTART:" + start) }
	events, _ := read(t, one("c", "20260106T090000Z")+"\n"+one("b", "20260105T090000Z")+"\ufeff"+one("a", "20260106T090000Z")+
		strings.Replace(one("d", "20260107T090000Z"), "VERSION:2.0", "METHOD:CANCEL", 1), year2026)
	var got []string
	for _, e := range events {
		got = append(got, e.UID)
	}
	if want := []string{"b", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDamagedEventsAreLeftOut(t *testing.T) {
	const good = "\nBEGIN:VEVENT\nUID:good\nDTSTART:20260105T090000Z\nDTEND:20260105T100000Z\nEND:VEVENT"
	for _, c := range []struct{ name, event, want string }{
		{"no start", "DTEND:20260105T100000Z", "no DTSTART"},
		{"two starts", "DTSTART:20260105T100000Z\nDTSTART:20260105T100000Z", "twice, in lines 7 and 8"},
		{"no time", "DTSTART:tomorrow", `DTSTART: "tomorrow" is no date`},
		{"no day", "DTSTART;VALUE=DATE:20260230", "is no date"},
		{"day 0", "DTSTART:00000101T000000Z", "is no date"},
		{"25 o'clock", "DTSTART:20260105T250000", "is no date"},
		{"should be a date", "DTSTART;VALUE=DATE:20260105T090000", "VALUE=DATE"},
		{"ends before", "DTSTART:20260105T100000Z\nDTEND:20260105T090000Z", "ends before it starts"},
		{"ends before, over zones", "DTSTART;TZID=America/New_York:20260105T100000\nDTEND;TZID=Europe/Berlin:20260105T110000", "ends before it starts"},
		{"date and time", "DTSTART;VALUE=DATE:20260105\nDTEND:20260105T090000Z", "mixed"},
		{"date and hours", "DTSTART;VALUE=DATE:20260105\nDURATION:PT1H", "mixed"},
		{"floating start", "DTSTART:20260105T090000\nDTEND:20260105T100000Z", "no time zone"},
		{"negative length", "DTSTART:20260105T090000Z\nDURATION:-PT1H", "negative"},
		{"no length", "DTSTART:20260105T090000Z\nDURATION:long", "no length"},
		{"unknown zone", "DTSTART;TZID=Mars/Olympus:20260105T090000", `"Mars/Olympus" is neither`},
		{"Go's own zone", "DTSTART;TZID=Local:20260105T090000", `"Local" is neither`},
		{"a path", "DTSTART;TZID=../../etc/passwd:20260105T090000", `is neither`},
		{"broken rule", "DTSTART:20260105T090000Z\nRRULE:FREQ=NEVER", "line 8: RRULE:"},
		{"broken EXRULE", "DTSTART:20260105T090000Z\nEXRULE:FREQ=NEVER", "line 8: EXRULE:"},
		{"hourly days", "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=HOURLY", "more often than DAILY"},
		{"broken EXDATE", "DTSTART:20260105T090000Z\nEXDATE:x", "EXDATE:"},
		{"RDATE of another kind", "DTSTART:20260105T090000Z\nRDATE;VALUE=DATE:20260105", "mixed"},
		{"broken end of a period", "DTSTART:20260105T090000Z\nRDATE;VALUE=PERIOD:20260105T100000Z/x", "no date"},
		{"two ends", "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z\nDTEND:20260105T100000Z", "DTEND is there twice"},
		{"two lengths", "DTSTART:20260105T090000Z\nDURATION:PT1H\nDURATION:PT1H", "DURATION is there twice"},
		{"no end", "DTSTART:20260105T090000Z\nDTEND:soon", "DTEND: \"soon\" is no date"},
		{"no occurrence", "DTSTART:20260105T090000Z\nRECURRENCE-ID:soon", "RECURRENCE-ID: \"soon\" is no date"},
		{"broken period", "DTSTART:20260105T090000Z\nRDATE;VALUE=PERIOD:20260105T100000Z/PTX", "no length"},
		{"override without UID", "DTSTART:20260105T090000Z\nRECURRENCE-ID:20260105T090000Z", ""},
		{"unfolded text", "DTSTART:20260105T090000Z\nDESCRIPTION:first\nsecond line", "line 9: this is not a line"},
		{"broken parameters", "DTSTART;TZID=\"Europe/Berlin:20260105T090000", "DTSTART has parameters"},
		{"wrong end", "DTSTART:20260105T090000Z\nEND:VTODO", `END:"VTODO"`},
		{"alarm not ended", "DTSTART:20260105T090000Z\nBEGIN:VALARM", "VALARM"},
		{"event not ended", "DTSTART:20260105T090000Z\nBEGIN:VEVENT\nUID:x\nDTSTART:20260105T090000Z", "END:VEVENT is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := "BEGIN:VEVENT\nUID:bad\nSUMMARY:broken\n"
			if c.name == "override without UID" {
				head, c.want = "BEGIN:VEVENT\nSUMMARY:broken\n\n", "no UID"
			}
			events, warnings := read(t, vcalendar(head+c.event+"\nEND:VEVENT"+good), year2026)
			if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "line 4: event \"broken\"") ||
				!strings.Contains(warnings[0], c.want) || !strings.HasSuffix(warnings[0], "left out") {
				t.Errorf("warnings %q, want one with %q", warnings, c.want)
			}
			if len(events) != 1 || events[0].UID != "good" {
				t.Errorf("got %v, want the good one alone", events)
			}
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	file := vcalendar(strings.Repeat("BEGIN:VEVENT\nUID:x\nEND:VEVENT\n", maxWarnings+7))
	_, warnings := read(t, file, year2026)
	if len(warnings) != maxWarnings+1 || warnings[maxWarnings] != "7 more warnings are not listed" {
		t.Errorf("got %d warnings, the last %q", len(warnings), warnings[len(warnings)-1])
	}
	long := vevent("SUMMARY:" + strings.Repeat("ä", 500))
	_, warnings = read(t, long, year2026)
	if len(warnings) != 1 || len([]rune(warnings[0])) > 200 {
		t.Errorf("a long summary is repeated: %q", warnings)
	}
	_, warnings = read(t, vcalendar("gibberish\nBEGIN:VTODO\nDTSTART:x\nEND:VTODO\nEND:VWHAT"), year2026)
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "line 4: ") {
		t.Errorf("lines outside of events: %q", warnings)
	}
}

func TestWhatIsNoCalendar(t *testing.T) {
	good := vevent("DTSTART:20260105T090000Z")
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "empty"},
		{"blank", "\r\n  \n\n", "empty"},
		{"web page", "\n<!DOCTYPE html>\n<html>secret", "line 2: this is no calendar but a web page"},
		{"JSON", `{"error":"x"}`, "JSON"},
		{"text", "hello: you", "BEGIN:VCALENDAR"},
		{"folded nothing", "  hello", "BEGIN:VCALENDAR"},
		{"bare event", "BEGIN:VEVENT\nEND:VEVENT", "BEGIN:VCALENDAR"},
		{"junk behind", good + "<html>", "web page"},
		{"cut off", strings.TrimSuffix(good, "END:VCALENDAR\n"), "no END:VCALENDAR"},
		{"cut off within", good[:len(good)/2], "not complete"},
		{"within itself", "BEGIN:VCALENDAR\n" + good, "line 2: a calendar begins before"},
		{"vCalendar", strings.Replace(good, "VERSION:2.0", "VERSION:1.0", 1), "vCalendar 1.0"},
		{"another calendar", strings.Replace(good, "PRODID:test", "CALSCALE:CHINESE", 1), "CALSCALE"},
		{"UTF-16", "\xff\xfeB\x00E\x00", "UTF-8"},
	} {
		_, _, err := Read(strings.NewReader(c.file), year2026)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the file: %v", c.name, err)
		}
	}
	if _, _, err := Read(iotest.ErrReader(io.ErrClosedPipe), year2026); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader's error: %v", err)
	}
}

func TestLimits(t *testing.T) {
	with := func(change func(*Options)) Options {
		o := year2026
		change(&o)
		return o
	}
	event := "BEGIN:VEVENT\nUID:%d\nSUMMARY:hourly\nDTSTART:20260105T090000Z\nDURATION:PT1H\n%sEND:VEVENT\n"
	var many strings.Builder
	for i := range 5 {
		fmt.Fprintf(&many, event, i, "RRULE:FREQ=DAILY;COUNT=4\n")
	}
	file := vcalendar(many.String())
	for _, c := range []struct {
		name, file, want string
		o                Options
	}{
		{"bytes", file, "larger than 100 bytes", with(func(o *Options) { o.MaxBytes = 100 })},
		{"line", vevent("DESCRIPTION:" + strings.Repeat("x\n ", 100)), "line 5: longer than 90 bytes", with(func(o *Options) { o.MaxLine = 90 })},
		{"events", file, "line 32: more than 4 events", with(func(o *Options) { o.MaxEvents = 4 })},
		{"repeats", file, `line 4: event "hourly" (UID "0"): it recurs more than 3 times`, with(func(o *Options) { o.MaxRepeats = 3 })},
		{"occurrences", file, `line 32: event "hourly" (UID "4"): with it there are more than 19`, with(func(o *Options) { o.MaxOccurrences = 19 })},
		{"every second", vevent("DTSTART:20260105T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY"), "recurs more than 5000 times", year2026},
		{"RDATEs", vevent("DTSTART:20260105T090000Z\nDURATION:PT1S\nRDATE:20260106T090000Z,20260107T090000Z"), "recurs more than 2", with(func(o *Options) { o.MaxRepeats = 2 })},
		{"EXRULE", vevent("DTSTART:20260105T090000Z\nDURATION:PT1S\nEXRULE:FREQ=SECONDLY"), "recurs more than 5000 times", year2026},
		{"work", vevent("DTSTART:19700105T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;COUNT=2000000000"), "line 7: event \"\": the rules", year2026},
	} {
		_, _, err := Read(strings.NewReader(c.file), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// At the limits all is well.
	events, warnings, err := Read(strings.NewReader(file), with(func(o *Options) {
		o.MaxBytes, o.MaxEvents, o.MaxRepeats, o.MaxOccurrences = len(file), 5, 4, 20
	}))
	if err != nil || len(warnings) > 0 || len(events) != 20 {
		t.Errorf("at the limits: %d occurrences, %q, %v", len(events), warnings, err)
	}
	// What lies outside of the range counts for nothing, be it a second away.
	events, _, err = Read(strings.NewReader(vevent("DTSTART:20260101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY;INTERVAL=3")),
		Options{From: year2026.From.Add(time.Hour), To: year2026.From.Add(time.Hour + time.Minute), MaxRepeats: 40})
	if err != nil || len(events) != 40 {
		t.Errorf("a minute of seconds: %d occurrences, %v", len(events), err)
	}
	events, _, err = Read(strings.NewReader(vevent("DTSTART:19960105T090000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY")),
		Options{From: year2026.From, To: year2026.From.AddDate(0, 1, 0)})
	if err != nil || len(events) != 31*24 {
		t.Errorf("thirty years of hours: %d occurrences, %v", len(events), err)
	}
}

func TestLengths(t *testing.T) {
	for _, c := range []struct {
		s             string
		days, seconds int64
		ok            bool
	}{
		{"P1D", 1, 0, true},
		{"+P2W", 14, 0, true},
		{"P1DT12H", 1, 43200, true},
		{"PT1H30M10S", 0, 5410, true},
		{"PT0S", 0, 0, true},
		{"P", 0, 0, false},
		{"PT", 0, 0, false},
		{"P1DT", 0, 0, false},
		{"P1H", 0, 0, false},
		{"PT1D", 0, 0, false},
		{"PTH", 0, 0, false},
		{"P1", 0, 0, false},
		{"P999999999W", 0, 0, false},
		{"P36525D", 36525, 0, true},
		{"P36525DT1S", 0, 0, false},
		{"PT1HT1M", 0, 0, false},
		{"1D", 0, 0, false},
		{"-P1D", 0, 0, false},
	} {
		days, seconds, err := parseDuration(c.s)
		if days != c.days && c.ok || seconds != c.seconds && c.ok || (err == nil) != c.ok {
			t.Errorf("%s: %d days, %d seconds, %v", c.s, days, seconds, err)
		}
	}
}
