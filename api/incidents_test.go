package api

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const incidents = "/api/midwatch/v1/incidents"

// TestAnIncidentIsToldFromBeginningToEnd follows one alert through our API: it pages, somebody takes it, and it ends.
func TestAnIncidentIsToldFromBeginningToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var list Incidents
		w.want(200, "GET", incidents, "", &list)
		if len(list.Incidents) != 0 || list.Incidents == nil || list.Next != "" {
			t.Errorf("before anything happened: %+v", list)
		}
		w.lag()
		opened := time.Date(2000, 1, 1, 0, 0, 30, 0, time.UTC)
		var got Incident
		w.want(200, "GET", incidents+"/INC-1", "", &got)
		timeline := got.Timeline
		got.Timeline = nil
		want := Incident{
			ID: "INC-1", Status: "triggered", Severity: "sev2", Urgency: "high", Title: "replica is behind", Policy: "db",
			OpenedAt:    opened,
			Labels:      map[string]string{"alertname": "ReplicationLag", "team": "db", "severity": "critical"},
			Annotations: map[string]string{"summary": "replica is behind"},
			Alerts:      got.Alerts, NextAt: opened.Add(5 * time.Minute), NextWho: []string{"cy"}, Paged: []string{"ana"},
			URL: "http://midwatch.test/incidents/INC-1",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if len(got.Alerts) != 1 || got.Alerts[0].Status != "firing" || !got.Alerts[0].EndsAt.IsZero() || len(got.Alerts[0].Fingerprint) != 16 {
			t.Errorf("alerts: %+v", got.Alerts)
		}
		if names := kinds(timeline); !slices.Equal(names, []string{"incident_opened", "page"}) {
			t.Errorf("timeline: %q", names)
		}
		page := timeline[1]
		if page.User != "ana" || page.Via != "chat" || page.Step != 1 || page.Cycle != 1 || page.Reason == "" {
			t.Errorf("page: %+v", page)
		}

		w.pass(time.Minute)
		w.want(200, "POST", incidents+"/inc-1/acknowledge", `{"by":"ana","note":"on it"}`, &got)
		if got.Status != "acknowledged" || got.AcknowledgedBy != "ana" || got.AcknowledgedAt.IsZero() || !got.NextAt.IsZero() || got.NextWho != nil {
			t.Errorf("acknowledged: %+v", got)
		}
		w.pass(time.Hour)
		if to := w.letters.to(); !slices.Equal(to, []string{"ana"}) {
			t.Errorf("paged %q, want nobody after the acknowledgement", to)
		}

		w.want(200, "POST", incidents+"/INC-1/resolve", `{"by":"ana","note":"restarted the replica"}`, &got)
		if got.Status != "resolved" || got.ResolvedBy != "ana" {
			t.Errorf("resolved: %+v", got)
		}
		w.want(200, "GET", incidents+"/INC-1", "", &got)
		if names := kinds(got.Timeline); !slices.Equal(names, []string{"incident_opened", "page", "acknowledged", "note", "resolved"}) {
			t.Errorf("timeline: %q", names)
		}
		if n := got.Timeline[3]; n.Text != "on it" || n.By != "ana" || n.Via != "api" {
			t.Errorf("the note: %+v", n)
		}
		if r := got.Timeline[4]; r.Reason != "restarted the replica" {
			t.Errorf("the end: %+v", r)
		}
	})
}

func kinds(events []Event) (names []string) {
	for _, e := range events {
		names = append(names, e.Event)
	}
	return names
}

// TestAbsentMeansAbsent holds the JSON, not the type: what does not apply must not be there.
func TestAbsentMeansAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.IncidentURL = nil })
		w.lag()
		var got map[string]any
		w.want(200, "GET", incidents+"/INC-1", "", &got)
		for _, name := range []string{"acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by", "reopened_at", "flapping", "url", "warning"} {
			if v, ok := got[name]; ok {
				t.Errorf("%s is there: %v", name, v)
			}
		}
		if at := got["opened_at"]; at != "2000-01-01T00:00:30Z" {
			t.Errorf("opened_at is %v, want UTC in RFC 3339", at)
		}
	})
}

func TestEveryActionDoesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		verb, body string
		status     string
		then       func(*testing.T, Incident)
	}{
		{"acknowledge", `{"by":"bo"}`, "acknowledged", func(t *testing.T, i Incident) {
			if i.AcknowledgedBy != "bo" {
				t.Errorf("by %q", i.AcknowledgedBy)
			}
		}},
		{"escalate", `{"by":"bo"}`, "triggered", func(t *testing.T, i Incident) {
			if !slices.Equal(i.Paged, []string{"ana", "cy"}) {
				t.Errorf("paged %q", i.Paged)
			}
		}},
		{"reassign", `{"by":"bo","to":{"user":"cy"}}`, "triggered", func(t *testing.T, i Incident) {
			if !slices.Equal(i.Paged, []string{"ana", "cy"}) {
				t.Errorf("paged %q", i.Paged)
			}
		}},
		{"reassign", `{"by":"bo","to":{"policy":"web"}}`, "triggered", func(t *testing.T, i Incident) {
			if i.Policy != "web" || !slices.Equal(i.Paged, []string{"ana", "bo"}) {
				t.Errorf("policy %q, paged %q", i.Policy, i.Paged)
			}
		}},
		{"reassign", `{"by":"bo","to":{"schedule":"db-primary"}}`, "triggered", func(t *testing.T, i Incident) {
			if !slices.Equal(i.Paged, []string{"ana"}) {
				t.Errorf("paged %q", i.Paged)
			}
		}},
		{"snooze", `{"by":"bo","for":"1h30m"}`, "triggered", func(t *testing.T, i Incident) {
			if want := time.Date(2000, 1, 1, 1, 30, 31, 0, time.UTC); !i.NextAt.Equal(want) {
				t.Errorf("next at %v, want %v", i.NextAt, want)
			}
		}},
		{"note", `{"by":"bo","note":"looking"}`, "triggered", func(t *testing.T, i Incident) {
			if e := i.Timeline[len(i.Timeline)-1]; e.Event != "note" || e.Text != "looking" || e.By != "bo" {
				t.Errorf("timeline ends with %+v", e)
			}
		}},
		{"responders", `{"by":"bo","user":"cy"}`, "triggered", func(t *testing.T, i Incident) {
			if !slices.Equal(i.Paged, []string{"ana", "cy"}) {
				t.Errorf("paged %q", i.Paged)
			}
		}},
		{"stop", `{"by":"ana"}`, "triggered", func(*testing.T, Incident) {}},
		{"resolve", `{"by":"bo"}`, "resolved", func(t *testing.T, i Incident) {
			if i.ResolvedBy != "bo" {
				t.Errorf("by %q", i.ResolvedBy)
			}
		}},
	} {
		t.Run(c.verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				w.lag()
				var answered, read Incident
				w.want(200, "POST", incidents+"/INC-1/"+c.verb, c.body, &answered)
				w.pass(time.Second)
				w.want(200, "GET", incidents+"/INC-1", "", &read)
				if answered.Status != c.status || read.Status != c.status || answered.ID != "INC-1" {
					t.Errorf("answered %s, then %s, want %s", answered.Status, read.Status, c.status)
				}
				c.then(t, read)
			})
		})
	}
}

func TestUndoTakesAnAcknowledgementBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		if e := w.refused(409, "POST", incidents+"/INC-1/unacknowledge", `{"by":"ana"}`); e.Code != "conflict" {
			t.Errorf("nothing to undo: %+v", e)
		}
		w.want(200, "POST", incidents+"/INC-1/acknowledge", `{"by":"ana"}`, nil)
		var got Incident
		w.want(200, "POST", incidents+"/INC-1/unacknowledge", `{"by":"ana"}`, &got)
		if got.Status != "triggered" || got.AcknowledgedBy != "" || got.NextAt.IsZero() {
			t.Errorf("undone: %+v", got)
		}
	})
}

func TestTheCommandLineIsNamedInTheTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.do("POST", incidents+"/INC-1/note", `{"by":"bo","note":"x"}`, "User-Agent", "midwatch/1.2.3")
		var got Incident
		w.want(200, "GET", incidents+"/INC-1", "", &got)
		if e := got.Timeline[len(got.Timeline)-1]; e.Via != "cli" {
			t.Errorf("%+v", e)
		}
	})
}

func TestWhatIsRefusedSaysHowToMendIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		for _, c := range []struct {
			status      int
			method      string
			path, body  string
			code, field string
			message     string // a part of it
		}{
			{404, "GET", "/INC-2", "", "not_found", "id", "there is no incident INC-2"},
			{404, "GET", "/postgres", "", "not_found", "id", "incidents are called INC-1"},
			{404, "GET", "/-1", "", "not_found", "id", ""},
			{404, "POST", "/INC-2/acknowledge", `{"by":"ana"}`, "not_found", "id", ""},
			{404, "POST", "/INC-1/explode", `{"by":"ana"}`, "not_found", "", "openapi.json"},
			{400, "POST", "/INC-1/acknowledge", ``, "invalid", "by", "who you are"},
			{400, "POST", "/INC-1/acknowledge", `{"by":""}`, "invalid", "by", ""},
			{400, "POST", "/INC-1/acknowledge", `{"by":" "}`, "invalid", "by", "say who you are"},
			{400, "POST", "/INC-1/acknowledge", `{"by":5}`, "invalid", "by", "by must be a string, not a number"},
			{400, "POST", "/INC-1/acknowledge", `{"by":"` + strings.Repeat("x", 300) + `"}`, "invalid", "by", "longer"},
			{400, "POST", "/INC-1/acknowledge", `{"bye":"ana"}`, "invalid", "bye", `did you mean "by"?`},
			{400, "POST", "/INC-1/acknowledge", `{"by":"ana","for":"5m"}`, "invalid", "for", "known are: by, note"},
			{400, "POST", "/INC-1/snooze", `{"by":"ana","fro":"5m"}`, "invalid", "fro", `did you mean "for"?`},
			{400, "POST", "/INC-1/snooze", `{"by":"ana"}`, "invalid", "for", "such as 30m"},
			{400, "POST", "/INC-1/snooze", `{"by":"ana","for":"soon"}`, "invalid", "for", `"soon" is no duration`},
			{400, "POST", "/INC-1/snooze", `{"by":"ana","for":"60d"}`, "invalid", "for", "snooze for between"},
			{400, "POST", "/INC-1/snooze", `{"by":"ana","for":"9999999999999y"}`, "invalid", "for", "too long"},
			{400, "POST", "/INC-1/reassign", `{"by":"ana"}`, "invalid", "to", "say to whom"},
			{400, "POST", "/INC-1/reassign", `{"by":"ana","to":{}}`, "invalid", "to", "say to whom"},
			{400, "POST", "/INC-1/reassign", `{"by":"ana","to":"bo"}`, "invalid", "to", "to must be an object, not a string"},
			{400, "POST", "/INC-1/reassign", `{"by":"ana","to":{"users":"bo"}}`, "invalid", "to.users", `did you mean "user"?`},
			{400, "POST", "/INC-1/reassign", `{"by":"ana","to":{"user":"bo","policy":"db"}}`, "invalid", "to", "name one of them"},
			{400, "POST", "/INC-1/reassign", `{"by":"ana","to":{"user":"nemo"}}`, "invalid", "to", `no user "nemo"`},
			{400, "POST", "/INC-1/responders", `{"by":"ana"}`, "invalid", "user", ""},
			{400, "POST", "/INC-1/note", `{"by":"ana"}`, "invalid", "note", "empty"},
			{400, "POST", "/INC-1/note", `{"by":"ana","note":"` + strings.Repeat("x", 20_000) + `"}`, "invalid", "note", "longer"},
			{400, "POST", "/INC-1/note", `[]`, "invalid", "", "no JSON object"},
			{400, "POST", "/INC-1/note", `{"by":"ana"} {}`, "invalid", "", "no JSON object"},
			{400, "POST", "/INC-1/note", strings.Repeat("[", 100), "invalid", "", "nests deeper"},
			{413, "POST", "/INC-1/note", `{"by":"ana","note":"` + strings.Repeat("x", 70_000) + `"}`, "too_large", "", "65536 bytes"},
			{405, "GET", "/INC-1/note", "", "method_not_allowed", "", "use POST"},
			{405, "DELETE", "/INC-1", "", "method_not_allowed", "", "use GET or HEAD"},
			{405, "DELETE", "", "", "method_not_allowed", "", "use GET or POST or HEAD"},
			{400, "GET", "?status=acked", "", "invalid", "status", `"acked" is no status`},
			{400, "GET", "?status=trigered", "", "invalid", "status", `did you mean "triggered"?`},
			{400, "GET", "?severity=critical", "", "invalid", "severity", "sev1 (highest) to sev5"},
			{400, "GET", "?severity=sev01", "", "invalid", "severity", ""},
			{400, "GET", "?limit=0", "", "invalid", "limit", "from 1 to 200"},
			{400, "GET", "?limit=many", "", "invalid", "limit", ""},
			{400, "GET", "?cursor=INC-1", "", "invalid", "cursor", "next"},
			{400, "GET", "?states=open", "", "invalid", "states", `did you mean "status"?`},
			{400, "GET", "?a=%zz", "", "invalid", "", "cannot be read"},
		} {
			e := w.refused(c.status, c.method, incidents+c.path, c.body)
			if e.Code != c.code || e.Field != c.field || !strings.Contains(e.Message, c.message) {
				t.Errorf("%s %s %s: %+v, want code %q, field %q, %q", c.method, c.path, shorten(c.body), e, c.code, c.field, c.message)
			}
		}
		if rec := w.do("POST", incidents+"/INC-1/note", `{"by":"ana","note":"x"}`, "Content-Type", "text/plain"); rec.Code != 415 {
			t.Errorf("text/plain: %d", rec.Code)
		}
		if rec := w.do("PUT", incidents+"/INC-1/note", `{}`); rec.Header().Get("Allow") != "POST" {
			t.Errorf("Allow: %q", rec.Header().Get("Allow"))
		}
		if to := w.letters.to(); !slices.Equal(to, []string{"ana"}) {
			t.Errorf("what was refused paged %q", to)
		}
	})
}

// TestALateAcknowledgementIsANote: resolve beats it (SPEC §5.8), and it is no error.
func TestALateAcknowledgementIsANote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.want(200, "POST", incidents+"/INC-1/resolve", `{"by":"bo"}`, nil)
		var got Incident
		w.want(200, "POST", incidents+"/INC-1/acknowledge", `{"by":"ana"}`, &got)
		if got.Status != "resolved" || got.ResolvedBy != "bo" {
			t.Errorf("%+v", got)
		}
		if e := w.refused(409, "POST", incidents+"/INC-1/escalate", `{"by":"ana"}`); e.Code != "conflict" {
			t.Errorf("%+v", e)
		}
	})
}

func TestTheListIsFilteredAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for i := range 7 {
			severity := []string{"critical", "warning"}[i%2]
			w.want(200, "POST", "/api/v2/alerts", fmt.Sprintf(`[{"labels":{"alertname":"A%d","team":"db","severity":%q},"annotations":{"summary":"s"}}]`, i, severity), nil)
			w.pass(31 * time.Second)
		}
		w.want(200, "POST", incidents+"/INC-2/acknowledge", `{"by":"ana"}`, nil)
		w.want(200, "POST", incidents+"/INC-3/resolve", `{"by":"ana"}`, nil)
		ids := func(query string) (ids []string, next string) {
			var list Incidents
			w.want(200, "GET", incidents+query, "", &list)
			for _, i := range list.Incidents {
				ids = append(ids, strings.TrimPrefix(i.ID, "INC-"))
			}
			return ids, list.Next
		}
		for query, want := range map[string]string{
			"":                                     "7 6 5 4 3 2 1",
			"?status=resolved":                     "3",
			"?status=acknowledged":                 "2",
			"?status=open":                         "7 6 5 4 2 1",
			"?status=acknowledged&status=resolved": "3 2",
			"?status=acknowledged,resolved":        "3 2",
			"?severity=sev3":                       "6 4 2",
			"?severity=sev3&status=triggered":      "6 4",
			"?policy=db&severity=sev2,sev3":        "7 6 5 4 3 2 1",
			"?policy=web":                          "",
			"?cursor=3":                            "2 1",
			"?cursor=99999999999999":               "7 6 5 4 3 2 1",
		} {
			if got, next := ids(query); strings.Join(got, " ") != want || next != "" {
				t.Errorf("%s: %q, next %q; want %q", query, got, next, want)
			}
		}
		var all []string
		pages := 0
		for cursor := ""; ; pages++ {
			page, next := ids("?limit=2&cursor=" + cursor)
			all = append(all, page...)
			if cursor = next; next == "" {
				break
			}
		}
		if strings.Join(all, " ") != "7 6 5 4 3 2 1" || pages != 3 {
			t.Errorf("%d pages and one more: %q", pages, all)
		}
	})
}

func TestAFullDiskIsAWarningNotAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.store.full.Store(true)
		var got Incident
		w.want(202, "POST", incidents+"/INC-1/acknowledge", `{"by":"ana"}`, &got)
		if got.Status != "acknowledged" || !strings.Contains(got.Warning, "memory") {
			t.Errorf("%+v", got)
		}
		w.want(200, "GET", incidents+"/INC-1", "", &got)
		if got.Status != "acknowledged" {
			t.Errorf("read back: %+v", got)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
		got = Incident{}
		w.want(200, "POST", incidents+"/INC-1/note", `{"by":"ana","note":"disk is back"}`, &got)
		if got.Warning != "" {
			t.Errorf("a warning is left: %q", got.Warning)
		}
	})
}

func TestOtherSitesCannotActThroughABrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		ack := func(header ...string) int {
			return w.do("POST", "http://midwatch.test"+incidents+"/INC-1/acknowledge", `{"by":"ana"}`, header...).Code
		}
		if got := ack("Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
			t.Errorf("cross-site: %d", got)
		}
		if got := ack("Origin", "http://evil.test"); got != http.StatusForbidden {
			t.Errorf("an old browser's other origin: %d", got)
		}
		if got := ack("Sec-Fetch-Site", "same-origin"); got != http.StatusOK {
			t.Errorf("same origin: %d", got)
		}
		if got := ack(); got != http.StatusOK {
			t.Errorf("a program: %d", got)
		}
		if got := w.do("GET", incidents, "", "Sec-Fetch-Site", "cross-site").Code; got != http.StatusOK {
			t.Errorf("reading is harmless: %d", got)
		}
		if rec := w.do("OPTIONS", incidents, "", "Origin", "http://evil.test"); rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("CORS by default: %v", rec.Header())
		}
	})
}

func TestHeadIsGetWithoutTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		if rec := w.do("HEAD", incidents+"/INC-1", ""); rec.Code != 200 || rec.Body.Len() != 0 || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%d %q", rec.Code, rec.Body)
		}
		if rec := w.do("HEAD", incidents+"/INC-9", ""); rec.Code != 404 || rec.Body.Len() != 0 {
			t.Errorf("%d %q", rec.Code, rec.Body)
		}
	})
}

func TestDurationsAreWrittenAsPrometheusWritesThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"1y": 8760 * time.Hour, "1h0m5s": time.Hour + 5*time.Second, "250ms": 250 * time.Millisecond, "0": 0, "0s": 0, "1m5ms": time.Minute + 5*time.Millisecond,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "m", "m5", "-5m", "1.5h", "5m1h", "5m5m", " 5m", "5 m", "5M", "300y", "99999999999999999999s", "290y290y", "+5m"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestNearNamesAreSuggested(t *testing.T) {
	known := []string{"acknowledge", "resolve", "note"}
	for name, want := range map[string]string{
		"acknowlege": `(did you mean "acknowledge"?)`, "NOTE": `(did you mean "note"?)`, "ntoe": `(did you mean "note"?)`,
		"zebra": "known are: acknowledge, note, resolve", strings.Repeat("n", 1000): "known are",
	} {
		if got := suggest(name, known); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := suggest("x", nil); got != "" {
		t.Errorf("with nothing known: %q", got)
	}
}
