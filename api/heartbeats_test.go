package api

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

const backupKey = "0123456789abcdef"

// hearing starts a world that watches a nightly job, which is pinged, and a Prometheus.
func hearing(t *testing.T) *world {
	t.Helper()
	w := start(t, func(o *Options) {
		o.Heartbeat = func(key string) (string, bool) { return "backup", key == backupKey }
	})
	cfg := engineConfig(t, w.conf)
	cfg.Heartbeats = []engine.Heartbeat{
		{Name: "backup", Every: time.Hour, Grace: 10 * time.Minute, Policy: "db", Severity: "sev3", Source: "ping"},
		{
			Name: "prom", Every: time.Minute, Grace: 2 * time.Minute, Policy: "db", Severity: "sev2", Source: `{alertname="Watchdog"}`, Alert: "Watchdog",
			Match: func(l router.Labels) bool { return l.Get("alertname") == "Watchdog" },
		},
	}
	if a := w.engine.Do(t.Context(), engine.Reload{Config: cfg}); a.Err != nil {
		t.Fatal(a.Err)
	}
	return w
}

func (w *world) heartbeats(query string) []Heartbeat {
	w.Helper()
	var got Heartbeats
	w.want(200, "GET", "/api/midwatch/v1/heartbeats"+query, "", &got)
	return got.Heartbeats
}

func TestHeartbeatsAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := hearing(t)
		began := time.Now()
		w.want(200, "POST", "/heartbeat/"+backupKey, "", nil)
		w.pass(5 * time.Minute)
		list := w.heartbeats("")
		if len(list) != 2 {
			t.Fatalf("%+v", list)
		}
		if got, want := list[0], (Heartbeat{
			Name: "backup", State: "fine", Since: began.UTC(), Source: "ping", Every: "1h", Grace: "10m", Last: began.UTC(), Due: began.Add(70 * time.Minute).UTC(),
			Severity: "sev3", Policy: "db",
		}); got != want {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
		late := w.heartbeats("?state=late")
		if len(late) != 1 || late[0].Name != "prom" || late[0].Incident != "INC-1" || late[0].Alert != `{alertname="Watchdog"}` ||
			!strings.HasPrefix(late[0].Reason, "it was never heard in 3m") || !late[0].Due.IsZero() {
			t.Errorf("late are %+v", late)
		}
		if e := w.refused(400, "GET", "/api/midwatch/v1/heartbeats?state=gone", ""); e.Field != "state" {
			t.Errorf("%+v", e)
		}
		if text := w.do("GET", "/api/midwatch/v1/heartbeats", "").Body.String(); strings.Contains(text, backupKey) {
			t.Errorf("the key is shown: %s", text)
		}
	})
}

func TestAHeartbeatIsPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := hearing(t)
		for _, c := range []struct {
			method, path, body string
			status             int
			state, reason      string // of the heartbeat afterwards
		}{
			{"GET", backupKey, "", 200, "fine", ""},
			{"HEAD", backupKey, "", 200, "fine", ""},
			{"POST", backupKey, "all is well: 3 files", 200, "fine", ""},
			{"GET", backupKey + "/fail", "", 200, "late", "it said that it failed: no words"},
			{"GET", backupKey + "/0", "", 200, "fine", ""},
			{"POST", backupKey + "/fail", " disk\nfull\x07 ", 200, "late", "it said that it failed: disk full"},
			{"POST", backupKey, "0", 200, "fine", ""},
			{"GET", backupKey + "/3", "", 200, "late", "it said that it failed: exit status 3"},
			{"POST", backupKey + "/0", "7", 200, "fine", ""},
			{"POST", backupKey + "/255", "killed", 200, "late", "it said that it failed: exit status 255: killed"},
			{"GET", backupKey, "", 200, "fine", ""},
			{"POST", backupKey, "Fail", 200, "late", "it said that it failed: no words"},
			{"GET", backupKey, "", 200, "fine", ""},
			{"POST", backupKey, "1", 200, "late", "it said that it failed: exit status 1"},
			{"GET", backupKey, "", 200, "fine", ""},
			{"GET", backupKey + "/256", "", 404, "fine", ""},
			{"GET", backupKey + "/-1", "", 404, "fine", ""},
			{"GET", backupKey + "/start", "", 404, "fine", ""},
			{"PUT", backupKey, "", 405, "fine", ""},
			{"GET", "another-key-0123456789", "", 404, "fine", ""},
			{"GET", "", "", 404, "fine", ""},
		} {
			w.pass(time.Second)
			rec := w.do(c.method, "/heartbeat/"+c.path, c.body)
			if rec.Code != c.status {
				t.Errorf("%s %s %q: %d %s, want %d", c.method, c.path, c.body, rec.Code, rec.Body, c.status)
			}
			if got := w.heartbeats("")[0]; got.State != c.state || got.Reason != c.reason {
				t.Errorf("after %s %s %q it is %s: %s", c.method, c.path, c.body, got.State, got.Reason)
			}
		}
		if rec := w.do("GET", "/heartbeat/"+backupKey, ""); rec.Body.String() != "OK\n" || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q, %v", rec.Body, rec.Header())
		}
	})
}

// A long story is cut, and one that is no text is not taken for a failure of ours.
func TestAPingMaySayAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := hearing(t)
		w.want(200, "POST", "/heartbeat/"+backupKey+"/fail", strings.Repeat("ä\xff", maxPingBody), nil)
		if got := w.heartbeats("")[0].Reason; len([]rune(got)) > 1100 || !strings.HasSuffix(got, "…") {
			t.Errorf("%d characters: %s", len([]rune(got)), got[len(got)-20:])
		}
	})
}

func TestAPingOnAFullDiskIsNotSaidToBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := hearing(t)
		w.store.full.Store(true)
		w.pass(time.Second)
		if rec := w.do("GET", "/heartbeat/"+backupKey, ""); rec.Code != 202 || !strings.Contains(rec.Body.String(), "only in memory") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

func TestAKeyIsNotLogged(t *testing.T) {
	if got := loggable("/heartbeat/" + backupKey + "/fail"); got != "/heartbeat/{key}" {
		t.Errorf("%s", got)
	}
	if rec := request(http.HandlerFunc((&API{}).ping), "GET", "/heartbeat/x", ""); rec.Code != 404 {
		t.Errorf("where nobody is pinged: %d", rec.Code)
	}
}
