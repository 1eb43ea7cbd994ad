package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
)

const rotaICS = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Rota//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Lisbon:20260302T090000
DTEND;TZID=Europe/Lisbon:20260309T090000
SUMMARY:Ana Duarte
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Lisbon:20260309T090000
DTEND;TZID=Europe/Lisbon:20260316T090000
SUMMARY:On call: bo & The Eva
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Lisbon:20260316T090000
DTEND;TZID=Europe/Lisbon:20260323T090000
SUMMARY:week 12
ATTENDEE;CN=Somebody:mailto:BO@example.org
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Lisbon:20260323T090000
DTEND;TZID=Europe/Lisbon:20260330T090000
SUMMARY:somebody else
END:VEVENT
BEGIN:VEVENT
UID:5
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260318
SUMMARY:bo: dentist
END:VEVENT
END:VCALENDAR
`

const holidaysICS = `BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//Holidays//EN
BEGIN:VEVENT
UID:h
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20260310
SUMMARY:Founders' day
END:VEVENT
END:VCALENDAR
`

var march = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// calendarsIn loads a file that stands beside the two calendars.
func calendarsIn(t *testing.T, text string, fetch func(Calendar) ([]byte, error)) (*Config, Faults) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"rota.ics": rotaICS, "holidays.ics": holidaysICS, "page.ics": "<html>", "leave.url": "webcal://calendar.example.org/secret/leave.ics\n", "midwatch.yml": text,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return LoadFileWith(filepath.Join(dir, "midwatch.yml"), Options{Now: march, Fetch: fetch})
}

const mailServer = `
global: {smtp_smarthost: "127.0.0.1:25", smtp_from: midwatch@example.org}
`

const sharedRota = mailServer + `
calendars:
  - {name: rota, file: rota.ics}
  - {name: holidays, file: holidays.ics}
users:
  - {name: ana, full_name: Ana Duarte, email: ana@example.org}
  - {name: bo, email: bo@example.org, unavailable: [{calendar: rota, only_mine: true}]}
  - {name: eva, email: eva@example.org, calendar_names: [The Eva], time_zone: America/New_York, unavailable: [{calendar: holidays}]}
schedules:
  - name: team
    time_zone: Europe/Lisbon
    layers: [{name: shared, calendar: rota, except: [holidays]}]
    uncovered: [holidays]
  - name: office
    time_zone: Asia/Tokyo
    layers: [{name: days, rotation: {users: [ana], start: 2026-01-01 00:00}, active: [holidays]}]
` + stock

// TestSharedCalendars: an event's title names users as people write them, or its guests do; holidays are whole days of
// whoever asks; absences are all events, or those that name the user.
func TestSharedCalendars(t *testing.T) {
	c, faults := calendarsIn(t, sharedRota, nil)
	if c == nil {
		t.Fatal(faults)
	}
	var got []string
	for _, name := range []string{"team", "office"} {
		for _, s := range c.Schedules[name].Shifts(march, march.AddDate(0, 1, 0)) {
			got = append(got, fmt.Sprintf("%s %s %s %s", name, s.Start.Format("2 15:04"), s.End.Format("2 15:04"), strings.Join(s.Users, "+")))
		}
		for _, g := range c.Schedules[name].Gaps(march.AddDate(0, 0, 8), march.AddDate(0, 0, 12)) {
			got = append(got, fmt.Sprintf("%s gap %s %s %v", name, g.Start.Format("2 15:04"), g.End.Format("2 15:04"), g.Declared))
		}
	}
	want := []string{
		"team 2 09:00 9 09:00 ana", "team 9 09:00 10 00:00 bo+eva", "team 11 00:00 16 09:00 bo+eva", "team 16 09:00 23 09:00 bo",
		"team gap 10 00:00 11 00:00 true",
		"office 9 15:00 10 15:00 ana",
		"office gap 9 00:00 9 15:00 false", "office gap 10 15:00 13 00:00 false",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var away []string
	for _, user := range []string{"bo", "eva"} {
		for _, a := range c.Users[user].Unavailable {
			away = append(away, fmt.Sprintf("%s %s %s %s", user, a.Start.Format("2 15:04"), a.End.Format("2 15:04"), a.Reason))
		}
	}
	want = []string{
		"bo 9 09:00 16 09:00 On call: bo & The Eva", "bo 16 09:00 23 09:00 week 12", "bo 18 00:00 19 00:00 bo: dentist",
		"eva 10 04:00 11 04:00 Founders' day",
	}
	if !reflect.DeepEqual(away, want) {
		t.Errorf("away are\n%s\nwant\n%s", strings.Join(away, "\n"), strings.Join(want, "\n"))
	}
	if text := faults.Error(); !strings.Contains(text, `events of calendar "rota" that name no user: "somebody else" on 2026-03-23; an event's title is`) {
		t.Error(text)
	}
	hours, err := c.Hours(escalation.Hours{TimeZone: "Asia/Tokyo", Active: []escalation.Window{{Named: "holidays"}}})
	if err != nil || hours.Open(march.AddDate(0, 0, 8)) || !hours.Open(march.AddDate(0, 0, 9)) {
		t.Errorf("support hours on holidays: %v", err)
	}
}

// TestAgain reads the file as it was, and calendars as they are.
func TestAgain(t *testing.T) {
	content := strings.ReplaceAll(rotaICS, "Ana Duarte", "bo")
	var asked []string
	fetch := func(c Calendar) ([]byte, error) {
		asked = append(asked, c.URL)
		return []byte(content), nil
	}
	text := strings.Replace(sharedRota, "file: rota.ics", "url_file: leave.url, refresh: 2m", 1)
	c, faults := calendarsIn(t, text, fetch)
	if c == nil {
		t.Fatal(faults)
	}
	who := func(c *Config) []string { return c.Schedules["team"].At(march.AddDate(0, 0, 3)).Users() }
	if got := who(c); !reflect.DeepEqual(got, []string{"bo"}) {
		t.Errorf("before: %v", got)
	}
	if err := os.WriteFile(c.Files[0], []byte("not: [a"), 0o600); err != nil {
		t.Fatal(err)
	}
	content = rotaICS
	again, faults := c.Again(Options{Now: march, Fetch: fetch})
	if again == nil {
		t.Fatal(faults)
	}
	if got := who(again); !reflect.DeepEqual(got, []string{"ana"}) {
		t.Errorf("after: %v", got)
	}
	if len(asked) != 2 || asked[0] != "webcal://calendar.example.org/secret/leave.ics" || again.Calendars[0].Refresh != 2*time.Minute {
		t.Errorf("asked for %q, %+v", asked, again.Calendars)
	}
	_, faults = c.Again(Options{Now: march, Fetch: func(Calendar) ([]byte, error) { return nil, errors.New("no route to host") }})
	if text := faults.Error(); !strings.Contains(text, `calendar "rota": could not be fetched: no route to host; until it is, it has no events`) || faults.Err() != nil {
		t.Error(text)
	}
}

func TestFaultsOfCalendars(t *testing.T) {
	_, faults := calendarsIn(t, mailServer+`
calendars:
  - {name: rota, file: rota.ics, url: "https://x.example/not-to-be-seen"}
  - {name: gone, file: gone.ics}
  - {name: page, file: page.ics}
  - {name: quick, url: "https://x.example/", refresh: 5s}
  - {name: odd, url: "ftp://x.example/not-to-be-seen"}
  - {name: nights, file: holidays.ics}
  - {name: fine, file: holidays.ics}
users:
  - {name: ana, email: ana@example.org, calendar_names: [Bo], unavailable: [{calendar: fine, from: 2026-01-01 00:00}, {reason: none}], notices: [mail]}
  - {name: bo, email: bo@example.org, calendar_names: [ana]}
  - name: cy
    contact_methods: {pd: {pagerduty: {routing_key: not-to-be-seen}}}
    notices: [pd]
schedules:
  - name: team
    time_zone: Europe/Lisbon
    layers:
      - {name: a, calendar: fin}
      - {name: b}
      - {name: c, calendar: fine, rotation: {users: [ana], start: 2026-01-01 00:00}}
      - {name: d, calendar: fine, active: [holiday]}
    notices: {before: [40d, 1d, 1d], handoff: sometimes}
time_intervals:
  - {name: nights, time_intervals: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}
`+stock, nil)
	got := faults.Error()
	for _, want := range []string{
		`:5:5: calendar "rota": has 2 of file, url and url_file; write exactly one`,
		`:6:24: calendar "gone": `,
		`cannot be read: no such file or directory; name a calendar file`,
		`:7:12: calendar "page": is not a calendar that can be read: `,
		`:8:55: calendar "quick": refresh 5s is shorter than 1m0s; write a longer time`,
		`:9:22: calendar "odd": url is not an address; write one that begins with https:// or webcal://`,
		`calendar "nights": there is a time interval "nights", too; it is at `,
		`:13:77: user "ana": unavailable: absence 1: has a calendar, and from, to or reason; make two entries`,
		`user "ana": unavailable: absence 2: has no from; add from: a local date and time such as 2026-01-05 09:00 or calendar: the name of a shared calendar`,
		`user "ana": notices: there is no contact method "mail"`,
		`user "bo": calendar_names: "ana" is what user "ana" is called, too; choose another`,
		`user "cy": notices: pd would open an incident in pagerduty; name mail or a chat`,
		`schedule "team": layer "a": calendar "fin" does not exist; did you mean "fine"?`,
		`schedule "team": layer "b": has no rotation; add rotation: `,
		`layer "d": active: window 1: time interval or calendar "holiday" does not exist`,
		`before: 40d is not between 1s and 30d`,
		`before has 1d twice; remove one`,
		`handoff: "sometimes" is not one of open, always, never`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nis not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "not-to-be-seen") {
		t.Errorf("a secret is in\n%s", got)
	}
}

// TestNoticesOfUsers: mail first, then what rings nobody; a webhook is told of digests only.
func TestNoticesOfUsers(t *testing.T) {
	c := load(t, mailServer+`
users:
  - {name: ana, email: ana@example.org, contact_methods: {hook: {webhook: {url: "http://127.0.0.1:1/"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "http://127.0.0.1:1/"}}}}
  - {name: cy, contact_methods: {pd: {pagerduty: {routing_key: k}}, screen: {log: {}}}}
  - {name: di, email: di@example.org, notices: []}
  - {name: eva, contact_methods: {pd: {pagerduty: {routing_key: k}}}}
  - {name: fin, email: fin@example.org, contact_methods: {hook: {webhook: {url: "http://127.0.0.1:1/"}}}, notices: [hook]}
schedules:
  - name: quiet
    time_zone: UTC
    layers: [{rotation: {users: [ana], start: 2026-01-01 00:00}}]
    notices: {before: [1h, 2d], handoff: never, changes: false}
  - {name: usual, time_zone: UTC, layers: [{rotation: {users: [ana], start: 2026-01-01 00:00}}]}
`+stock)
	for name, want := range map[string]string{
		"ana": "[email] [email]", "bo": "[hook] []", "cy": "[screen] [screen]", "di": "[] []", "eva": "[] []", "fin": "[hook] [hook]",
	} {
		if got := fmt.Sprint(c.Users[name].Digests, c.Users[name].Notices); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	want := map[string]Notices{
		"quiet": {Before: []time.Duration{48 * time.Hour, time.Hour}, Handoff: "never"},
		"usual": {Handoff: "open", Changes: true},
	}
	if !reflect.DeepEqual(c.Notices, want) {
		t.Errorf("got %+v", c.Notices)
	}
}
