package calendar

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzRead: whatever the bytes, Read comes back soon, and what it returns keeps its word.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ics")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	for _, event := range []string{
		"UID:1\nDTSTART;TZID=Customized Time Zone:20260105T090000\nDURATION:P1DT2H\nRRULE:FREQ=MONTHLY;BYDAY=-1FR,2MO;BYSETPOS=-1;COUNT=9\nEXDATE:20260301T090000Z",
		"DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=YEARLY;BYWEEKNO=-1,53;BYYEARDAY=-366;UNTIL=20300101\nEXRULE:FREQ=DAILY;INTERVAL=3",
		"UID:1\nDTSTART:20260105T090000\nDTEND:20260105T100000Z\nRDATE;VALUE=PERIOD:20260105T090000Z/PT1H\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260105T090000Z",
		"DTSTART:20200105T090000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMINUTE=5,6;BYSECOND=60;BYMONTH=2",
	} {
		f.Add([]byte(vcalendar(customZone + "BEGIN:VEVENT\n" + event + "\nEND:VEVENT")))
	}
	o := Options{From: year2026.From, To: year2026.From.AddDate(0, 3, 0), MaxRepeats: 300, MaxOccurrences: 500}
	f.Fuzz(func(t *testing.T, file []byte) { keepsItsWord(t, file, o) })
}

// keepsItsWord checks what holds for every file and every answer.
func keepsItsWord(t interface{ Errorf(string, ...any) }, file []byte, o Options) {
	began := time.Now()
	events, warnings, err := Read(bytes.NewReader(file), o)
	if took := time.Since(began); took > time.Minute { // a hang, not a slow machine
		t.Errorf("took %v", took)
	}
	if err != nil {
		if events != nil || warnings != nil {
			t.Errorf("an error and something else")
		}
		return
	}
	if len(events) > o.MaxOccurrences || len(warnings) > maxWarnings+1 {
		t.Errorf("%d occurrences, %d warnings", len(events), len(warnings))
	}
	for i, e := range events {
		reach := time.Duration(0)
		if e.Civil {
			reach = zoneReach * time.Second
		}
		if !e.Start.Before(e.End) || !e.Start.Add(-reach).Before(o.To) || !e.End.Add(reach).After(o.From) {
			t.Errorf("%v to %v is empty or outside", e.Start, e.End)
		}
		if i > 0 && (events[i-1].Start.After(e.Start) || events[i-1].Start.Equal(e.Start) && events[i-1].UID > e.UID) {
			t.Errorf("%d is out of order", i)
		}
		if slices.Contains(e.Attendees, "") {
			t.Errorf("somebody without an address")
		}
	}
	again, _, err := Read(bytes.NewReader(file), o)
	if err != nil || !reflect.DeepEqual(events, again) {
		t.Errorf("the second reading differs: %v", err)
	}
}

// TestOddFiles puts together what is right in its place, and wrong elsewhere.
func TestOddFiles(t *testing.T) {
	times := []string{
		":20260105T090000Z", ":20260105T090000", ";VALUE=DATE:20260105", ";TZID=Europe/Berlin:20260329T023000", ";TZID=Z1:20260110T120000",
		";TZID=Customized Time Zone:20261025T023000", ";TZID=Nowhere:20260105T090000", ":20260106T100000Z", ":x", ":00010101T000000Z", ":99991231T235959Z",
		";TZID=Z1:99991231T235959", ";VALUE=PERIOD:20260105T090000Z/P1D", ":20260105T090000Z,20260106T090000,20260107",
	}
	rules := []string{
		":FREQ=DAILY", ":FREQ=WEEKLY;COUNT=5", ":FREQ=SECONDLY;BYHOUR=25", ":FREQ=MINUTELY;INTERVAL=1000000", ":FREQ=YEARLY;BYDAY=53MO,-53SU;BYSETPOS=-366",
		":FREQ=HOURLY;UNTIL=20260107", ":FREQ=MONTHLY;BYMONTHDAY=31,-31;UNTIL=99991231T235959Z", ":FREQ=YEARLY;INTERVAL=1000000;COUNT=2147483647", ":",
	}
	values := map[string][]string{
		"DTSTART": times, "DTEND": times, "RDATE": times, "EXDATE": times, "RECURRENCE-ID": append(times, ";RANGE=THISANDFUTURE:20260105T090000Z"),
		"DURATION": {":PT1H", ":P1D", ":-P1D", ":P99999999W", ":PT0S", ":"}, "RRULE": rules, "EXRULE": rules,
		"UID": {":1", ":2", ":"}, "SEQUENCE": {":1", ":-1", ":99999999999999999999"}, "STATUS": {":CANCELLED", ":CONFIRMED"},
		"ATTENDEE": {":mailto:a@b", ";CN=\"x:mailto:a@b", ":%", ":mailto:%zz@b"}, "BEGIN": {":VEVENT", ":VALARM", ":VTIMEZONE", ":STANDARD", ":DAYLIGHT"},
		"END": {":VEVENT", ":VALARM", ":VTIMEZONE", ":STANDARD"}, "TZID": {":Z1", ":Z2"},
		"TZOFFSETFROM": {":+0100", ":-1200", ":+9999"}, "TZOFFSETTO": {":+0100", ":-1200", ":+1559"},
	}
	names := slices.Sorted(maps.Keys(values))
	o := Options{From: year2026.From, To: year2026.From.AddDate(0, 3, 0), MaxRepeats: 300, MaxOccurrences: 500}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		if rapid.Bool().Draw(t, "zone") {
			b.WriteString(customZone)
		}
		for range rapid.IntRange(1, 5).Draw(t, "events") {
			start := rapid.SampledFrom(times).Draw(t, "start")
			b.WriteString("BEGIN:VEVENT\nDTSTART" + start + "\n")
			for range rapid.IntRange(0, 6).Draw(t, "lines") {
				name := rapid.SampledFrom(names).Draw(t, "name")
				b.WriteString(name + rapid.SampledFrom(values[name]).Draw(t, "value") + "\n")
			}
			b.WriteString("END:VEVENT\n")
		}
		keepsItsWord(t, []byte(vcalendar(b.String())), o)
	})
}
