package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
)

var update = flag.Bool("update", false, "write the pages under testdata anew")

// hashed finds what the names of assets change by when what is in them does.
var hashed = regexp.MustCompile(`(static/[a-z.]+\.)[0-9a-f]{12}\.`)

// golden compares a page with the one kept, so that a reviewer sees what people will see.
func golden(t *testing.T, name, page string) {
	t.Helper()
	page = hashed.ReplaceAllString(page, "${1}0.")
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil { //nolint:gosec // test data
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("%s has changed (-update if it should):\n%s", file, page)
	}
}

// TestANightWithALink: ana is woken, opens the link, presses the button, changes her mind, and presses again.
func TestANightWithALink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		page := w.get("/ack/ana")
		w.shows(page, 200, "INC-1 is triggered", "replica is behind", "High severity (sev2)", "Acknowledge as Ana Duarte (ana)",
			"05:30 IST, 1 s ago", // ana's clock is India's
			"goes to cy, bo at 05:35 IST", `href="https://runbooks.example.org/lag?a=1&amp;b=2"`)
		golden(t, "ack_triggered", page.Body.String())
		if got := w.incident(); got.Status != incident.Triggered {
			t.Fatalf("looking at it made it %s", got.Status)
		}

		w.pass(time.Minute)
		page = w.do("POST", "/ack/ana", "do=acknowledge")
		w.shows(page, 200, "INC-1 is acknowledged", "Ana Duarte (ana) acknowledged INC-1 at 05:31 IST via the link in the page.", "Escalation has stopped", `value="undo"`, "Undo")
		golden(t, "ack_acknowledged", page.Body.String())
		if got := w.incident(); got.Status != incident.Acked || got.AckedBy != "ana" || !got.NextAt.IsZero() {
			t.Errorf("after the button: %+v", got.Incident)
		}
		again := w.get("/ack/ana")
		w.shows(again, 200, "Ana Duarte (ana) acknowledged INC-1 at 05:31 IST via the link in the page.", "Undo")

		page = w.do("POST", "/ack/ana", "do=undo")
		w.shows(page, 200, "Undone. INC-1 is triggered again and escalation goes on.", "Acknowledge as Ana")
		if got := w.incident(); got.Status != incident.Triggered || got.NextAt.IsZero() {
			t.Errorf("undone: %+v", got.Incident)
		}
		page = w.do("POST", "/ack/ana", "") // the button's name was lost on its way: it still means to acknowledge
		w.shows(page, 200, "INC-1 is acknowledged")
	})
}

// TestLookingChangesNothing: mail scanners open every link with GET and HEAD, whatever they add to it.
func TestLookingChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		before, err := w.engine.Timeline(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			for _, path := range []string{"/ack/ana", "/ack/ana?do=acknowledge", "/ack/bo?do=undo"} {
				rec := w.do(method, path, "do=acknowledge")
				switch {
				case method == "HEAD" && (rec.Code != 200 || rec.Body.Len() != 0):
					t.Errorf("HEAD %s: %d, %d bytes", path, rec.Code, rec.Body.Len())
				case method != "GET" && method != "HEAD" && (rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD, POST"):
					t.Errorf("%s %s: %d %v", method, path, rec.Code, rec.Header())
				}
			}
		}
		after, err := w.engine.Timeline(context.Background(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.incident(); got.Status != incident.Triggered || len(after) != len(before) {
			t.Errorf("it is %s with %d events, and was triggered with %d", got.Status, len(after), len(before))
		}
	})
}

func TestSomebodyElseHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		if a := w.engine.Do(context.Background(), engine.Action{Verb: engine.Acknowledge, Incident: "INC-1", By: "bo", Via: "api"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		page := w.get("/ack/ana")
		w.shows(page, 200, "bo acknowledged INC-1 at 05:30 IST via the API.", "Acknowledge too, as Ana Duarte (ana)")
		w.hides(page, "Undo")
		w.shows(w.do("POST", "/ack/ana", "do=acknowledge"), 200, "bo acknowledged INC-1 at", "Recorded: Ana Duarte (ana) acknowledged INC-1 too")
	})
}

// TestOneIsNotEnough: the second step wants two people, so after the first the ladder goes on, and the page says so.
func TestOneIsNotEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.pass(6 * time.Minute)
		page := w.do("POST", "/ack/bo", "")
		w.shows(page, 200, "INC-1 is triggered", "Recorded: bo acknowledged INC-1 at 00:06 UTC via the link in the page.", "escalation goes on until enough have acknowledged")
		w.hides(page, "Escalation has stopped")
		w.shows(w.do("POST", "/ack/ana", ""), 200, "Escalation has stopped")
	})
}

func TestAfterItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		if a := w.engine.Do(context.Background(), engine.Action{Verb: engine.Resolve, Incident: "INC-1", By: "bo"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		page := w.get("/ack/ana")
		w.shows(page, 200, "INC-1 is resolved", "INC-1 was resolved at 05:30 IST by bo.", "nothing to acknowledge any more", "paged again, with a new link")
		w.hides(page, "<button")
		golden(t, "ack_resolved", page.Body.String())
		page = w.do("POST", "/ack/ana", "do=acknowledge")
		w.shows(page, 200, "INC-1 was resolved at 05:30 IST by bo.", "kept as a note")
		w.shows(w.do("POST", "/ack/ana", "do=undo"), http.StatusConflict, "Nothing was done: INC-1 is resolved")
		if got := w.incident(); got.Status != incident.Resolved || got.ResolvedBy != "bo" {
			t.Errorf("%+v", got.Incident)
		}
	})
}

func TestAnEndByItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.pass(time.Hour)
		w.shows(w.get("/ack/bo"), 200, "INC-1 was resolved at 00:30 UTC, when its alerts ended.", "Opened<dd>00:00 UTC, 1 h 0 min ago")
	})
}

func TestLinksThatOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		for path, c := range map[string]struct {
			status int
			texts  []string
		}{
			"/ack/forged":       {404, []string{"This link is not valid", "newest message", "midwatch ack"}},
			"/ack/gone":         {404, []string{"This link is not valid"}},
			"/ack/":             {404, []string{"This link is not valid"}},
			"/ack/ana/bo":       {404, []string{"This link is not valid"}},
			"/ack/old":          {410, []string{"This link has expired", "72 hours", "newest message"}},
			"/ack/%3Cscript%3E": {404, []string{"This link is not valid"}},
		} {
			for _, method := range []string{"GET", "POST"} {
				page := w.do(method, path, "")
				w.shows(page, c.status, c.texts...)
				w.hides(page, "replica is behind", "INC-99", "<button", "signature")
			}
		}
		if got := w.incident(); got.Status != incident.Triggered {
			t.Errorf("it is %s", got.Status)
		}
		golden(t, "ack_unknown", w.get("/ack/forged").Body.String())
		golden(t, "ack_expired", w.get("/ack/old").Body.String())
		none := start(t, func(o *Options) { o.Redeem = nil })
		none.shows(none.get("/ack/ana"), 404, "This link is not valid")
	})
}

func TestWhatTheButtonCannotMean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.shows(w.do("POST", "/ack/ana", "do=resolve"), 400, "Nothing was done", "Acknowledge as Ana")
		w.shows(w.do("POST", "/ack/ana", "do="+strings.Repeat("x", maxForm)), 400, "Nothing was done", "Press the button again")
		w.shows(w.do("POST", "/ack/ana", "do=undo"), http.StatusConflict, "Nothing was done: INC-1 is not acknowledged", "Acknowledge as Ana")
		if got := w.incident(); got.Status != incident.Triggered {
			t.Errorf("it is %s", got.Status)
		}
	})
}

func TestWhenMidwatchIsInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.store.full.Store(true)
		w.shows(w.do("POST", "/ack/ana", ""), 200, "INC-1 is acknowledged", "in memory only")
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.fire(lag)
		w.pass(time.Hour) // closed for good, and no longer in memory
		w.store.unreadable.Store(true)
		page := w.get("/ack/ana")
		w.shows(page, 503, "cannot read this incident now", "Load this page again")
		w.hides(page, "input/output")
		w.shows(w.get("/incidents/INC-1"), 503, "cannot be shown now")
		w.store.unreadable.Store(false)
	})
}

func TestABusyMidwatchSaysThatNothingWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { _ = w.engine.Run(ctx) }()
		w.fire(lag)
		cancel()
		synctest.Wait()
		w.shows(w.do("POST", "/ack/ana", ""), 503, "Nothing was done", "Press the button again in a few seconds", "<button")
	})
}

// TestThePageIsSafe: what an alert says is text, whatever it tries to be, and nothing but our style sheet and our form
// may act.
func TestThePageIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.Outbox = func() []Message { return nil } })
		evil := `"><script>alert(1)</script><img src=x onerror=alert(2)>'`
		w.fire(map[string]string{"summary": evil, "description": evil, "runbook_url": `javascript:alert(3)`}, "x", evil)
		for _, path := range []string{"/", "/incidents", "/deliveries", "/outbox", "/incidents/INC-1", "/incidents/nope"} {
			page := w.get(path)
			w.hides(page, "<script>", "<img", `href="javascript:`, `onerror="`, " style=", "<style", "http-equiv", "<iframe")
			if got := page.Header().Get("Content-Security-Policy"); got != sitePolicy {
				t.Errorf("%s: policy %q", path, got)
			}
		}
		for _, path := range []string{"/ack/ana", "/ack/forged"} {
			page := w.get(path)
			body := page.Body.String()
			w.hides(page, "<script", "<img", "javascript:", `onerror="`, " style=", "http-equiv", "<input", "<link", "<iframe")
			h := page.Header()
			style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)
			if style == nil {
				t.Fatalf("%s: no style sheet in %s", path, body)
			}
			sum := sha256.Sum256([]byte(style[1]))
			want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
			if got := h.Get("Content-Security-Policy"); got != want {
				t.Errorf("%s: policy %q\nwant %q", path, got, want)
			}
			for name, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
				"X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", path, name, got, want)
				}
			}
			if h.Get("Set-Cookie") != "" {
				t.Errorf("%s sets a cookie", path)
			}
		}
	})
}

// TestThePageWorksBelowAPrefix: no address in a page may begin with a slash, and the form names none at all.
func TestThePageWorksBelowAPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) {
			o.Outbox = func() []Message { return []Message{{Subject: "s", Body: "b", Link: "http://h/midwatch/ack/ana"}} }
		})
		w.fire(lag)
		for path, pages := range map[string][]string{
			"/":                {"/midwatch/", "/midwatch/outbox", "/midwatch/incidents/INC-1", "/midwatch/incidents/INC-1/acknowledge", "/midwatch/schedules/db-primary"},
			"/outbox":          {"/midwatch/", "/midwatch/ack/ana"},
			"/incidents/INC-1": {"/midwatch/", "/midwatch/api/midwatch/v1/incidents/INC-1"},
			"/ack/ana":         {"/midwatch/incidents/INC-1"},
		} {
			body := w.get(path).Body.String()
			base, err := url.Parse("http://h/midwatch" + path)
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]bool{"/midwatch/": path == "/"}
			for _, m := range regexp.MustCompile(`(href|action|src)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if (m[1] != "href" && path == "/ack/ana") || strings.HasPrefix(m[2], "/") {
					t.Errorf("%s: %s", path, m[0])
				}
				to, err := base.Parse(m[2])
				if err != nil {
					t.Fatal(err)
				}
				found[to.Path] = true
			}
			for _, want := range pages {
				if !found[want] {
					t.Errorf("%s does not lead to %s: %v", path, want, found)
				}
			}
		}
		w.shows(w.get("/ack/ana"), 200, `<form method="post"><button name="do" value="acknowledge">`)
	})
}

// TestThePageIsSmallWhateverIsInIt keeps the promise of 6 KB for the largest texts that there can be, escaped.
func TestThePageIsSmallWhateverIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		long := strings.Repeat(`'"<&+😀`, 4000)
		w.fire(map[string]string{"summary": long, "description": long, "runbook_url": "https://example.org/" + strings.Repeat("'", 280)}, "x", long)
		for i := range 5 {
			w.fire(map[string]string{"summary": long}, "x", long, "i", string(rune('a'+i)))
		}
		for _, rec := range []interface{ Len() int }{w.get("/ack/ana").Body, w.do("POST", "/ack/ana", "").Body, w.do("POST", "/ack/ana", "do=undo").Body, w.do("POST", "/ack/ana", "do=x").Body} {
			if rec.Len() > 6*1024 {
				t.Errorf("a page of %d bytes", rec.Len())
			}
		}
		w.shows(w.get("/ack/ana"), 200, "Acknowledge as Ana Duarte (ana)", "Open since")
	})
}

// TestThePageReads: large enough to press, without colour alone, in the dark, on a small screen. This is as much of it as
// text can show.
func TestThePageReads(t *testing.T) {
	css := string(style)
	for _, want := range []string{"prefers-color-scheme:dark", "color-scheme:light dark", "min-height:44px", "focus-visible", "overflow-wrap:anywhere", "max-width:42rem"} {
		if !strings.Contains(css, want) {
			t.Errorf("the style sheet lacks %q", want)
		}
	}
	head := string(render("ack", unknown()))
	for _, want := range []string{`<!doctype html>`, `<html lang="en">`, `width=device-width`, `<title>This link is not valid</title>`, "<h1>"} {
		if !strings.Contains(head, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
