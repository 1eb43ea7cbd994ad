//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ics "github.com/emersion/go-ical"
)

const calendarConfig = `
route: {receiver: db, group_wait: 0s, group_by: [alertname]}
receivers: [{name: db, incident_configs: [{escalation_policy: db}]}]
calendars: [{name: rota, url: "ADDRESS/not-to-be-seen/rota.ics"}]
users:
  - {name: ana, full_name: Ana Duarte, email: ana@example.org}
  - {name: bo, full_name: Bo Ek, email: bo@example.org}
schedules:
  - {name: db, time_zone: Europe/Lisbon, layers: [{name: team, calendar: rota}]}
escalation_policies: [{name: db, steps: [{notify: [{schedule: db}]}]}]
paging: {catch_all: {user: bo}}
`

// A wall is where a team's calendar hangs.
type wall struct {
	*httptest.Server
	mu    sync.Mutex
	turns []string // of an hour each, the first began half an hour ago
	away  bool
	begin time.Time
}

func newWall(t testing.TB, turns ...string) *wall {
	w := &wall{turns: turns, begin: time.Now().UTC().Truncate(time.Minute).Add(-30 * time.Minute)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.away {
			http.Error(rw, "try again later", http.StatusServiceUnavailable)
			return
		}
		const form = "20060102T150405Z"
		fmt.Fprint(rw, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Team//EN\r\n")
		for i, who := range w.turns {
			at := w.begin.Add(time.Duration(i) * time.Hour)
			fmt.Fprintf(rw, "BEGIN:VEVENT\r\nUID:%d@example.org\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:%s\r\nDTEND:%s\r\nSUMMARY:%s\r\nEND:VEVENT\r\n",
				i, at.Format(form), at.Add(time.Hour).Format(form), who)
		}
		fmt.Fprint(rw, "END:VCALENDAR\r\n")
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *wall) hang(away bool, turns ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.turns = away, turns
}

// TestARotaKeptInASharedCalendar: who is on call is what the calendar says, also while its service is away and after a
// kill -9; an exchange of turns is told to both by mail, and who takes over at once gets what is open; and their own
// calendars show their shifts until the address is revoked.
func TestARotaKeptInASharedCalendar(t *testing.T) {
	t.Parallel()
	team, box := newWall(t, "Ana Duarte", "Bo Ek", "Ana Duarte"), newPostbox(t)
	m := serve(t, mailConfig(box.addr, box.cert)+fill(calendarConfig, "ADDRESS", team.URL))
	m.fire(critical("Lag"))
	first := box.awaitLetters(t, "ana's page", 1)[0]
	if !strings.Contains(first.To, "ana@") || !strings.Contains(first.Subject, "Lag") {
		t.Errorf("%q to %s", first.Subject, first.To)
	}

	feed := strings.TrimSpace(m.wants(0, []string{"oncall", "feed", "create", "--user", "ana", "--by", "ana"}, publicURL+"/calendar/").out)
	shifts := func() (starts []string) {
		status, text, err := m.ask(http.MethodGet, strings.TrimPrefix(feed, publicURL), "")
		if err != nil || status != http.StatusOK {
			t.Fatalf("the feed: %d, %v", status, err)
		}
		c, err := ics.NewDecoder(strings.NewReader(text)).Decode()
		if err != nil {
			t.Fatalf("another library cannot read the feed: %v\n%s", err, text)
		}
		for _, e := range c.Events() {
			at, err := e.DateTimeStart(time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			starts = append(starts, at.Sub(team.begin).String())
		}
		return starts
	}
	if got := shifts(); !slices.Equal(got, []string{"0s", "2h0m0s"}) {
		t.Errorf("ana's calendar has %v", got)
	}

	team.hang(true)
	m.kill()
	m.start()
	if now := m.wants(0, []string{"oncall", "now"}).out; !strings.Contains(now, "ana") {
		t.Errorf("while the calendar is away:\n%s", now)
	}
	team.hang(false, "Bo Ek", "Ana Duarte", "Ana Duarte")
	m.kill() // a start asks at once; else it would be a quarter of an hour
	m.start()
	letters := box.awaitLetters(t, "the notices", 4)[1:]
	said := map[string]bool{}
	for _, l := range letters {
		who, _, _ := strings.Cut(l.To, "@")
		said[who+": "+l.Subject] = true
		if l.Header.Get("Importance") == "high" {
			t.Errorf("%q is no page and yet important", l.Subject)
		}
	}
	for _, want := range []string{
		"ana: [on call] Your time on call has changed in db", "bo: [on call] Your time on call has changed in db", "bo: [on call, 1 open incident, sev2] Lag is wrong",
	} {
		if !said[want] {
			t.Errorf("not told: %s\ntold: %v", want, said)
		}
	}
	if got := shifts(); !slices.Contains(got, "1h0m0s") {
		t.Errorf("ana's calendar has %v", got)
	}
	m.wants(0, []string{"oncall", "feed", "revoke", "FEED-1", "--by", "ana"}, "FEED-1 (user ana) is revoked")
	if status, _, err := m.ask(http.MethodGet, strings.TrimPrefix(feed, publicURL), ""); err != nil || status != http.StatusNotFound {
		t.Errorf("revoked: %d, %v", status, err)
	}
	for _, line := range m.process.log.with("") {
		if strings.Contains(line, "not-to-be-seen") {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
	if copies, _ := filepath.Glob(filepath.Join(m.dir, "data", "calendars", "rota-*.ics")); len(copies) != 1 {
		t.Errorf("copies: %q", copies)
	}
}
