package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/calendar"
)

const feedsPath = own + "feeds"

// fetch gets a feed as a calendar does.
func (w *world) fetch(address, etag string) *httptest.ResponseRecorder {
	w.Helper()
	r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(address, "http://midwatch.test"), nil)
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	return rec
}

func (w *world) entries(address string) (list []calendar.Event) {
	w.Helper()
	rec := w.fetch(address, "")
	if rec.Code != http.StatusOK {
		w.Fatalf("%s: %d %s", address, rec.Code, rec.Body)
	}
	list, warnings, err := calendar.Read(rec.Body, calendar.Options{From: jan(1, 0).AddDate(-1, 0, 0), To: jan(1, 0).AddDate(1, 0, 0)})
	if err != nil || len(warnings) > 0 {
		w.Fatalf("%v, %q", err, warnings)
	}
	return list
}

func withLinks(o *Options) {
	o.Link = func(parts ...string) string { return "http://midwatch.test/" + strings.Join(parts, "/") }
	o.Store = "00f1"
}

// TestAFeedHasTheShifts: those that the API tells, each under a name that stays, whatever becomes of others.
func TestAFeedHasTheShifts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, withLinks)
		var schedule, ana Feed
		w.want(201, "POST", feedsPath, `{"by":"bo","schedule":"db-primary","alarm":"1h"}`, &schedule)
		w.want(201, "POST", feedsPath, `{"by":"ana","user":"ana"}`, &ana)
		if ana.ID != "FEED-2" || ana.User != "ana" || ana.CreatedBy != "ana" || schedule.Alarm != "1h" || !strings.HasPrefix(ana.URL, "http://midwatch.test/calendar/2-") {
			t.Errorf("made %+v, %+v", schedule, ana)
		}
		var shifts Shifts
		w.want(200, "GET", own+"schedules/db-primary/shifts?from=1999-11-01T00:00:00Z&to=2000-08-01T00:00:00Z", "", &shifts)
		var want, wantAna []string
		for _, s := range shifts.Shifts {
			want = append(want, fmt.Sprintf("%s to %s %s: db-primary", s.Start.Format(time.RFC3339), s.End.Format(time.RFC3339), strings.Join(s.Users, ", ")))
			if s.Users[0] == "ana" {
				wantAna = append(wantAna, fmt.Sprintf("%s to %s On call: db-primary", s.Start.Format(time.RFC3339), s.End.Format(time.RFC3339)))
			}
		}
		show := func(list []calendar.Event) (out []string) {
			for _, e := range list {
				out = append(out, fmt.Sprintf("%s to %s %s", e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339), e.Summary))
			}
			return out
		}
		before := w.entries(ana.URL)
		for _, c := range []struct{ got, want []string }{{show(w.entries(schedule.URL)), want}, {show(before), wantAna}} {
			if fmt.Sprint(c.got) != fmt.Sprint(c.want) || len(c.want) < 15 {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(c.got, "\n"), strings.Join(c.want, "\n"))
			}
		}
		w.want(201, "POST", overridesPath, `{"by":"cy","take":"cy","from":"2000-01-12T00:00:00Z","to":"2000-01-13T00:00:00Z"}`, nil)
		uids := map[string]time.Time{}
		for _, e := range before {
			uids[e.UID] = e.Start
		}
		fresh := 0
		for _, e := range w.entries(ana.URL) {
			if at, known := uids[e.UID]; !known {
				fresh++
			} else if !at.Equal(e.Start) {
				t.Errorf("%s began at %s and begins at %s", e.UID, at, e.Start)
			}
		}
		if fresh != 1 { // what is left of her week after cy's day
			t.Errorf("%d shifts have a new name", fresh)
		}
	})
}

// TestAFeedStaysTheSame to the byte while nothing changes, so that clients need not read it again.
func TestAFeedStaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, withLinks)
		var feed Feed
		w.want(201, "POST", feedsPath, `{"by":"bo","schedule":"db-primary"}`, &feed)
		first := w.fetch(feed.URL, "")
		tag := first.Header().Get("ETag")
		if tag == "" || first.Header().Get("Content-Type") != "text/calendar; charset=utf-8" || !strings.Contains(first.Body.String(), "METHOD:PUBLISH") {
			t.Errorf("%v", first.Header())
		}
		w.pass(9 * 24 * time.Hour)
		if again := w.fetch(feed.URL, tag); again.Code != http.StatusNotModified {
			t.Errorf("nine days later: %d, %s", again.Code, again.Header().Get("ETag"))
		}
	})
}

// TestAFeedIsRevoked at once; its address is nowhere shown again.
func TestAFeedIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, withLinks)
		var feed, other Feed
		w.want(201, "POST", feedsPath, `{"by":"ana","user":"ana"}`, &feed)
		w.want(201, "POST", feedsPath, `{"by":"bo","user":"bo"}`, &other)
		list := w.do("GET", feedsPath, "").Body.String()
		secret := feed.URL[strings.LastIndexByte(feed.URL, '-')+1:]
		if strings.Contains(list, strings.TrimSuffix(secret, ".ics")) || strings.Contains(list, "hash") || strings.Count(list, "FEED-") != 2 {
			t.Error(list)
		}
		var gone Feed
		w.want(200, "DELETE", feedsPath+"/FEED-1?by=ana", "", &gone)
		for _, address := range []string{
			feed.URL, strings.Replace(feed.URL, "/1-", "/2-", 1), strings.TrimSuffix(other.URL, ".ics") + "x.ics", "/calendar/2-.ics", "/calendar/x", "/calendar/0-.ics",
		} {
			if rec := w.fetch(address, ""); rec.Code != http.StatusNotFound {
				t.Errorf("%s: %d", address, rec.Code)
			}
		}
		if rec := w.fetch(other.URL, ""); rec.Code != http.StatusOK {
			t.Errorf("the other: %d", rec.Code)
		}
		w.refused(404, "DELETE", feedsPath+"/FEED-1?by=ana", "")
		w.refused(404, "DELETE", feedsPath+"/one?by=ana", "")
		for field, body := range map[string]string{
			"by": `{"user":"ana"}`, "user": `{"by":"ana","user":"nemo"}`, "schedule": `{"by":"ana","schedule":"nemo"}`, "alarm": `{"by":"ana","user":"ana","alarm":"soon"}`,
		} {
			if e := w.refused(400, "POST", feedsPath, body); e.Field != field {
				t.Errorf("%s: %+v", body, e)
			}
		}
	})
}
