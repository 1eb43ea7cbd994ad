package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func load(t interface {
	Helper()
	Fatal(...any)
}, name string,
) located {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return located{l}
}

// TestWallTimes is SPEC 4.2 by table: a gap is its first instant after, a fold the first for a start and the last for
// an end.
func TestWallTimes(t *testing.T) {
	for _, c := range []struct{ zone, wall, first, last string }{
		{"Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29T00:59:59Z", "2026-03-29T00:59:59Z"},
		{"Europe/Berlin", "2026-03-29 02:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 02:59:59", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z", "2026-10-24T23:59:59Z"},
		{"Europe/Berlin", "2026-10-25 02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25T00:59:59Z", "2026-10-25T01:59:59Z"},
		{"Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-03-08 02:30", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"},
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"Africa/Casablanca", "2026-02-15 02:30", "2026-02-15T01:30:00Z", "2026-02-15T02:30:00Z"},
		{"Europe/Berlin", "9999-12-31 23:00", "9999-12-31T22:00:00Z", "9999-12-31T22:00:00Z"},
		{"Europe/Berlin", "2400-12-31 23:59", "2400-12-31T22:59:00Z", "2400-12-31T22:59:00Z"},
		{"Asia/Kathmandu", "2026-06-01 12:00", "2026-06-01T06:15:00Z", "2026-06-01T06:15:00Z"},
	} {
		z := load(t, c.zone)
		at := func(u int64) string { return time.Unix(u, 0).UTC().Format(time.RFC3339) }
		if a, b := at(first(z, wallAt(c.wall))), at(last(z, wallAt(c.wall))); a != c.first || b != c.last {
			t.Errorf("%s %s: %s and %s, want %s and %s", c.zone, c.wall, a, b, c.first, c.last)
		}
	}
}

// TestWallTimesAreThoseOfTheClock: the instant shows the wall time, or the wall time is in the gap that ends there; no
// earlier instant shows it, and no later one.
func TestWallTimesAreThoseOfTheClock(t *testing.T) {
	names := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Gaza", "Antarctica/Troll", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		z := load(t, rapid.SampledFrom(names).Draw(t, "zone"))
		u := rapid.Int64Range(0, 2_500_000_000).Draw(t, "at")
		if rapid.Bool().Draw(t, "near a change") {
			if _, to, _ := z.stretch(u); to < ever {
				u = to + rapid.Int64Range(-7200, 7200).Draw(t, "off")
			}
		}
		c := wall(z, u)
		a, b := first(z, c), last(z, c)
		if wall(z, a) != c || wall(z, b) != c || a > u || b < u {
			t.Fatalf("%v at %d shows %v, which is found at %d to %d", z, u, c, a, b)
		}
		for probe := u - 5*3600; probe <= u+5*3600; probe += 900 {
			if wall(z, probe) == c && (probe < a || probe > b) {
				t.Fatalf("%v shows %v also at %d, outside of %d to %d", z, c, probe, a, b)
			}
		}
		gap := c + civil(rapid.Int64Range(-90_000, 90_000).Draw(t, "gap"))
		if a := first(z, gap); wall(z, a) != gap && (wall(z, a) < gap || wall(z, a-1) >= gap) {
			t.Fatalf("%v: %v is taken for %v, which is not the end of its gap", z, gap, wall(z, a))
		}
	})
}

func TestWindowsNames(t *testing.T) {
	if len(windows) < 135 {
		t.Errorf("only %d names", len(windows))
	}
	for name, id := range windows {
		if iana(id) == nil {
			t.Errorf("%s: the zone database does not know %s", name, id)
		}
		if iana(name) != nil && name != "UTC" {
			t.Errorf("%s is a name of the zone database's own", name)
		}
	}
	for name, want := range map[string]string{
		"W. Europe Standard Time": "Europe/Berlin", "GMT Standard Time": "Europe/London", "Romance Standard Time": "Europe/Paris",
		"Pacific Standard Time": "America/Los_Angeles", "AUS Eastern Standard Time": "Australia/Sydney", "FLE Standard Time": "Europe/Kyiv",
	} {
		if windows[name] != want {
			t.Errorf("%s is %s, want %s", name, windows[name], want)
		}
	}
}

const customZone = `
BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
`

// describe reads a VTIMEZONE as Read does.
func describe(t *testing.T, text, id string) (zone, error) {
	t.Helper()
	ls, err := unfold([]byte(vcalendar(text)), MaxLine)
	if err != nil {
		t.Fatal(err)
	}
	in := &reading{Options: year2026.withDefaults(), work: maxWork}
	files, err := in.parse(ls)
	if err != nil {
		t.Fatal(err)
	}
	return in.zones(files[0]).find(id)
}

func TestOutlooksRulesAreThoseOfTheZone(t *testing.T) {
	ours, err := describe(t, customZone, "Customized Time Zone")
	if err != nil {
		t.Fatal(err)
	}
	berlin := load(t, "Europe/Berlin")
	for u := time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC).Unix(); u < year2026.To.Unix(); u += 1800 {
		if wall(ours, u) != wall(berlin, u) {
			t.Fatalf("at %d: %v, want %v", u, wall(ours, u), wall(berlin, u))
		}
	}
}

func TestDescribedZones(t *testing.T) {
	at := func(s string) int64 { return int64(wallAt(s)) }
	for _, c := range []struct {
		name, text string
		offsets    map[string]int64
		err        string
	}{
		{
			name: "no changes", text: "BEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD",
			offsets: map[string]int64{"1500-01-01": 19800, "2026-01-01": 19800},
		},
		{name: "RDATEs, then a rule until", text: `
BEGIN:STANDARD
DTSTART:20000101T000000
RDATE:20050101T000000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20010601T000000
RRULE:FREQ=YEARLY;UNTIL=20040601T050000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT`, offsets: map[string]int64{"1999-01-01": -4 * 3600, "2000-06-01": -5 * 3600, "2002-01-01": -4 * 3600, "2004-12-31": -4 * 3600, "2026-01-01": -5 * 3600}},
		{
			name: "where it is", text: "X-LIC-LOCATION:Europe/Berlin\nBEGIN:STANDARD\nEND:STANDARD",
			offsets: map[string]int64{"2026-01-01": 3600, "2026-07-01": 7200},
		},
		{name: "nothing", err: "neither STANDARD nor DAYLIGHT"},
		{name: "no offset", text: "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nEND:STANDARD", err: "STANDARD in line 6: \"\" is no offset"},
		{name: "wide offset", text: "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+9900\nEND:STANDARD", err: "is no offset"},
		{name: "no start", text: "BEGIN:STANDARD\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:STANDARD", err: "is no date"},
		{name: "bad rule", text: "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=NEVER\nEND:STANDARD", err: "no frequency"},
		{name: "bad RDATE", text: "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRDATE:x\nEND:STANDARD", err: "is no date"},
		{name: "restless", text: "BEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=HOURLY\nEND:STANDARD", err: "more than 5000 times"},
		{name: "damaged", text: "BEGIN:STANDARD\nwhat\nEND:STANDARD", err: "not a line of the form"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z, err := describe(t, "BEGIN:VTIMEZONE\nTZID:Ours\n"+strings.TrimSpace(c.text)+"\nEND:VTIMEZONE", "Ours")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), `the time zone "Ours" cannot be used: `) {
					t.Fatalf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for when, want := range c.offsets {
				if _, _, got := z.stretch(at(when)); got != want {
					t.Errorf("%s: %d, want %d", when, got, want)
				}
			}
		})
	}
}

// TestEachCalendarHasItsOwnZones: two files in one may describe different zones by one name.
func TestEachCalendarHasItsOwnZones(t *testing.T) {
	one := func(uid, offset string) string {
		return vcalendar("BEGIN:VEVENT\nUID:" + uid + "\nDTSTART;TZID=Z1:20260105T090000\nDURATION:PT1H\nEND:VEVENT\n" +
			"BEGIN:VTIMEZONE\nTZID:Z1\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:" + offset + "\nTZOFFSETTO:" + offset + "\nEND:STANDARD\nEND:VTIMEZONE")
	}
	events, warnings := read(t, one("a", "+0300")+one("b", "-0300"), year2026)
	want := "2026-01-05T06:00Z to 2026-01-05T07:00Z\n2026-01-05T12:00Z to 2026-01-05T13:00Z\n"
	if got := shows(events); got != want || len(warnings) > 0 {
		t.Errorf("got\n%s%q, want\n%s", got, warnings, want)
	}
}
