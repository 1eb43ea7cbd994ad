package web

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
)

func TestHomeSaysWhatIsOpenAndWhoIsOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.Outbox = func() []Message { return nil } })
		page := w.get("/")
		w.shows(page, 200, "Midwatch <small>1.2.3</small>", "<p>None.</p>", "db-primary: <strong>ana</strong> <small>until 01:00 UTC</small>", `href="outbox"`, `href="api/v2/alerts"`)
		w.fire(lag)
		page = w.get("/")
		w.shows(page, 200, `href="incidents/INC-1"`, "High severity (sev2), triggered, nobody has it yet", "replica is behind", "since 00:00 UTC", "next: cy, bo at 00:05 UTC")
		golden(t, "home", page.Body.String())
		w.do("POST", "/ack/ana", "")
		w.shows(w.get("/"), 200, "acknowledged by ana")
		w.store.full.Store(true)
		w.do("POST", "/ack/ana", "")
		w.shows(w.get("/"), 200, "Nothing is being written to disk")
		w.store.full.Store(false)
		w.pass(time.Hour)
		w.shows(w.get("/"), 200, "<p>None.</p>", "nobody, as planned")
	})
}

func TestHomeDoesNotGrowWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for i := range maxHome + 1 {
			w.fire(lag, "alertname", fmt.Sprintf("A%d", i))
		}
		page := w.get("/")
		w.shows(page, 200, "These are the newest 50")
		if n := strings.Count(page.Body.String(), `href="incidents/`); n != maxHome {
			t.Errorf("%d incidents are listed", n)
		}
	})
}

func TestAnIncidentsPageTellsItsStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.shows(w.get("/incidents/INC-1"), 200, "INC-1 is triggered", "midwatch ack INC-1 --by you", "goes to cy, bo at 00:05 UTC")
		w.do("POST", "/ack/ana", "")
		if a := w.engine.Do(context.Background(), engine.Action{Verb: engine.AddNote, Incident: "INC-1", By: "bo", Via: "cli", Text: "restarting <it>"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		page := w.get("/incidents/INC-1")
		w.shows(page, 200, "INC-1 is acknowledged", "Ana Duarte (ana) acknowledged INC-1 at 00:00 UTC via the link in the page.", "Incident opened", "Page to Ana Duarte (ana) by chat",
			"Acknowledged by Ana Duarte (ana) via the link in the page", "Note by bo via the command line", "restarting &lt;it&gt;")
		w.hides(page, "midwatch ack")
		golden(t, "incident", page.Body.String())
		if strings.Index(page.Body.String(), "Note by bo") > strings.Index(page.Body.String(), "Incident opened") {
			t.Error("the newest line should come first")
		}
		w.shows(w.get("/incidents/inc-1"), 200, "INC-1 is acknowledged")
		w.shows(w.get("/incidents/INC-2"), 404, "There is no such incident")
		w.shows(w.get("/incidents/postgres"), 404, "There is no such incident")
	})
}

func TestALongTimelineIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		for i := range maxTimeline {
			w.engine.Do(context.Background(), engine.Action{Verb: engine.AddNote, Incident: "INC-1", By: "bo", Text: fmt.Sprintf("note %d", i)})
		}
		page := w.get("/incidents/INC-1")
		w.shows(page, 200, "2 older lines are not shown", fmt.Sprintf("note %d<", maxTimeline-1))
		w.hides(page, "Incident opened")
	})
}

func TestTheOutboxIsReadableOnAPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []Message
		w := start(t, func(o *Options) { o.Outbox = func() []Message { return kept } })
		w.shows(w.get("/outbox"), 200, "Nothing was sent yet.", "api/v2/alerts")
		kept = []Message{
			{At: time.Now().Add(-90 * time.Second), To: "ana", Via: "email", Subject: "[sev2] replica is behind", Body: "INC-1\nsince 03:00", Link: "http://h/ack/ana"},
			{At: time.Now().Add(-26 * time.Hour), To: "db-leads", Body: "<b>not bold</b>"},
		}
		page := w.get("/outbox")
		w.shows(page, 200, "2 messages, the newest first", "[sev2] replica is behind", "23:58 UTC, 1 min ago</time> to ana via email", "Thu 30 Dec 22:00 UTC, 1 d 2 h ago",
			"<pre>INC-1\nsince 03:00</pre>", `href="http://h/ack/ana"`, "(no subject)", "&lt;b&gt;not bold&lt;/b&gt;")
		golden(t, "outbox", page.Body.String())
		kept = kept[:1]
		w.shows(w.get("/outbox"), 200, "1 message, the newest")
		for range maxOutbox + 20 {
			kept = append(kept, Message{Body: strings.Repeat("x", 2*maxOutboxBody)})
		}
		page = w.get("/outbox")
		w.shows(page, 200, "100 of 121 messages")
		if n := page.Body.Len(); n > 100*maxOutboxBody+50_000 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestPagesThatAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, path := range []string{"/outbox", "/nope", "/favicon.ico", "/incidents/", "/incidents"} {
			if rec := w.get(path); rec.Code != 404 {
				t.Errorf("%s: %d", path, rec.Code)
			}
		}
		for _, path := range []string{"/", "/incidents/INC-1"} {
			if rec := w.do("POST", path, ""); rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("POST %s: %d %v", path, rec.Code, rec.Header())
			}
		}
	})
}

func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 0: "0 s ago", 59 * time.Second: "59 s ago", 61 * time.Second: "1 min ago",
		3*time.Hour + 7*time.Minute: "3 h 7 min ago", 50 * time.Hour: "2 d 2 h ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for s, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abc…", "ab  e": "ab…", "äöüßé": "äöü…", "😀😀😀😀😀": "😀😀😀…"} {
		if got := short(s, 4); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	for severity, want := range map[string]string{"sev1": "critical severity (sev1)", "sev5": "notice severity (sev5)", "odd": "severity odd"} {
		if got := severityWords(severity); got != want {
			t.Errorf("%s: %q, want %q", severity, got, want)
		}
	}
	if got := viaWords("carrier pigeon"); got != "carrier pigeon" {
		t.Errorf("an unknown way: %q", got)
	}
}
