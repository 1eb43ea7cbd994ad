package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// scripted is a server that answers from a script: by path, and of deliveries page by page.
func scripted(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/midwatch/v1/")
		if cursor := r.URL.Query().Get("cursor"); cursor != "" {
			path += "#" + cursor
		}
		answer, known := answers[path]
		if !known {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// november is of a server whose record begins on the 3rd. Ana has the first half of primary, bo the second; both have
// office now and then.
var november = map[string]string{
	"oncall": `{"oncall":[{"schedule":"office","users":[]},{"schedule":"primary","time_zone":"Europe/Lisbon","users":["bo"]}]}`,
	"schedules/primary/shifts": `{"recorded_from":"2025-11-03T10:00:00.5Z","shifts":[
		{"start":"2025-11-01T00:00:00Z","end":"2025-11-16T00:00:00.7Z","users":["ana"]},
		{"start":"2025-11-16T00:00:00.7Z","end":"2025-12-01T00:00:00Z","users":["bo"]}]}`,
	"schedules/office/shifts": `{"shifts":[{"start":"2025-11-10T09:00:00Z","end":"2025-11-10T17:00:00Z","users":["ana","bo"]}]}`,
	"deliveries": `{"next":"7","deliveries":[
		{"at":"2025-12-01T00:00:00Z","event":"page","outcome":"delivered","user":"bo"},
		{"at":"2025-11-30T23:59:59Z","event":"page","outcome":"delivered","user":"bo"},
		{"at":"2025-11-20T03:00:00Z","event":"page","outcome":"delivered","user":"cto"},
		{"at":"2025-11-20T03:00:00Z","event":"page","outcome":"failed","user":"bo"},
		{"at":"2025-11-20T03:00:00Z","event":"page","outcome":"retry","user":"bo"},
		{"at":"2025-11-20T03:00:00Z","event":"resolved","outcome":"delivered","user":"bo"}]}`,
	"deliveries#7": `{"next":"","deliveries":[
		{"at":"2025-11-20T02:00:00Z","event":"notification","outcome":"delivered","receiver":"team"},
		{"at":"2025-11-10T10:00:00Z","event":"page","outcome":"delivered","user":"bo"},
		{"at":"2025-11-10T10:00:00Z","event":"page","outcome":"delivered","user":"ana"},
		{"at":"2025-11-02T10:00:00Z","event":"page","outcome":"delivered","user":"ana"}]}`,
}

// A page counts where its user was on call when it came, in each such schedule; others have a line of their own.
func TestAReportFromTheServerCountsPages(t *testing.T) {
	url := scripted(t, november)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"oncall", "report", "--month", "2025-11", "--url", url}, &stdout, &stderr); code != exitOK {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	// The last line of each table says when it was asked, which is now.
	lines := strings.Split(stdout.String(), "\n")
	for i, l := range lines {
		if from, _, ok := strings.Cut(l, " to "); ok && strings.HasPrefix(l, "Recorded") {
			lines[i] = from
		}
	}
	want := `Schedule office, 2025-11 in UTC, which has 720h. Night is 22:00 to 06:00, weekend is sat-sun and comes first.
USER       DAY  NIGHT  WEEKEND  TOTAL  PAGES
ana         8h     0h       0h     8h      1
bo          8h     0h       0h     8h      1
(nobody)  312h   160h     240h   712h      -

Nothing of it is recorded: these are the hours of the schedule as it stands.

Schedule primary, 2025-11 in Europe/Lisbon, which has 720h. Night is 22:00 to 06:00, weekend is sat-sun and comes first.
USER       DAY  NIGHT  WEEKEND  TOTAL  PAGES
ana       160h    80h     120h   360h      2
bo        160h    80h     120h   360h      1
(nobody)    0h     0h       0h     0h      -

Recorded from Mon 2025-11-03 10:00 UTC
The delivery log begins at Sun 2025-11-02 10:00 UTC: what was sent before is not in PAGES.
Pages to people who were on call in no schedule: cto 1.
`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Of one schedule, it is not known who was on call elsewhere.
func TestAReportFromTheServerForMachines(t *testing.T) {
	url := scripted(t, november)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"oncall", "report", "--month", "2025-11", "--schedule", "primary", "--url", url, "-o", "json"}, &stdout, &stderr); code != exitOK {
		t.Fatalf("%d: %s", code, stderr.String())
	}
	var got []map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0]["recorded_from"] != "2025-11-03T10:00:00Z" || got[0]["pages_from"] != "2025-11-02T10:00:00Z" || got[0]["pages_off_call"] != nil {
		t.Errorf("%s", stdout.String())
	}
	if ana := got[0]["users"].([]any)[0].(map[string]any); ana["pages"] != 2.0 || ana["total_seconds"] != 1296000.0 {
		t.Errorf("%v", ana)
	}
}
