package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
)

// subscribing makes pages with web push for ana by the link "ana"; what is asked of it is noted in asked.
func subscribing(asked *[]string, err *error) func(*Options) {
	return func(o *Options) {
		o.Push = &Push{
			Key: "BPubl_ic-key",
			Redeem: func(token string, _ time.Time) (string, string, error) {
				switch token {
				case "ana", "bo":
					return token, "cy", nil
				case "old":
					return "ana", "cy", ErrExpired
				}
				return "", "", errors.New("the signature is wrong")
			},
			Method: func(user string) string {
				if user == "ana" {
					return "chat"
				}
				return ""
			},
			Subscribe: func(_ context.Context, user, by string, s Subscription) error {
				*asked = append(*asked, fmt.Sprintf("%s for %s: %s %s %s %s", by, user, s.Endpoint, s.Keys.P256DH, s.Keys.Auth, s.Agent))
				return *err
			},
			Unsubscribe: func(_ context.Context, user, by, endpoint string) error {
				*asked = append(*asked, fmt.Sprintf("%s not for %s: %s", by, user, endpoint))
				return *err
			},
		}
	}
}

const subscription = `{"endpoint":"https://push.example.org/x","expirationTime":null,"keys":{"p256dh":"BKey","auth":"Auth"}}`

func TestTheLinkSubscribesABrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		var refused error
		w := start(t, subscribing(&asked, &refused))
		page := w.get("/push/ana")
		w.shows(page, 200, "Pages in this browser", "the pages of Ana Duarte (ana)", `data-key="BPubl_ic-key"`, `src="../push.js"`, `href="../manifest.webmanifest"`, "<noscript>", "Add to Home Screen")
		golden(t, "push", page.Body.String())
		golden(t, "push_expired", w.get("/push/old").Body.String())
		golden(t, "push_no_method", w.get("/push/bo").Body.String())
		if len(asked) != 0 {
			t.Fatalf("looking did %v", asked)
		}

		json := []string{"Content-Type", "application/json", "User-Agent", "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"}
		w.tells(w.do("POST", "/push/ana", subscription, json...), 200, "This browser gets the pages of ana from now on.")
		w.tells(w.do("DELETE", "/push/ana", `{"endpoint":"https://push.example.org/x"}`, json...), 200, "This browser gets no pages any more.")
		want := []string{"cy for ana: https://push.example.org/x BKey Auth Firefox on Android", "cy not for ana: https://push.example.org/x"}
		if fmt.Sprint(asked) != fmt.Sprint(want) {
			t.Errorf("asked %q, want %q", asked, want)
		}

		for _, c := range []struct {
			method, token, body, kind string
			status                    int
			says                      string
		}{
			{"POST", "old", subscription, "application/json", 410, "This link has expired."},
			{"POST", "x", subscription, "application/json", 404, "This link is not valid."},
			{"POST", "bo", subscription, "application/json", 409, "has no contact method web_push"},
			{"POST", "ana", subscription, "text/plain", 415, "application/json"},
			{"POST", "ana", "{", "application/json", 400, "did not arrive whole"},
			{"DELETE", "ana", "[]", "application/json", 400, "did not arrive whole"},
			{"POST", "ana", strings.Repeat(" ", maxSubscription+1), "application/json", 413, "larger"},
			{"POST", "x/test", "{}", "application/json", 404, "This link is not valid."},
		} {
			w.tells(w.do(c.method, "/push/"+c.token, c.body, "Content-Type", c.kind), c.status, c.says)
		}
		if len(asked) != 2 {
			t.Errorf("asked %q", asked)
		}
		for _, c := range []struct {
			err    error
			status int
			says   string
		}{
			{&engine.Error{Code: "conflict", Message: "10 browsers are enough"}, 409, "Nothing was done: 10 browsers are enough."},
			{&engine.Error{Code: "invalid", Message: "that is in a private network"}, 400, "Nothing was done: that is in a private network."},
			{engine.ErrBusy, 503, "in a few seconds"},
			{engine.ErrUnsaved, 202, "the disk of Midwatch takes no writes"},
		} {
			refused = c.err
			w.tells(w.do("POST", "/push/ana", subscription, json...), c.status, c.says)
		}
		for path, allow := range map[string]string{"/push/ana": "GET, HEAD, POST, DELETE", "/push/ana/test": "POST", "/sw.js": "GET, HEAD"} {
			if rec := w.do("PUT", path, ""); rec.Code != 405 || rec.Header().Get("Allow") != allow {
				t.Errorf("PUT %s: %d %v", path, rec.Code, rec.Header())
			}
		}
	})
}

// tells wants an answer to the page's script.
func (w *world) tells(rec *httptest.ResponseRecorder, status int, text string) {
	w.Helper()
	var said struct{ Message string }
	if err := json.Unmarshal(rec.Body.Bytes(), &said); err != nil || rec.Code != status || !strings.Contains(said.Message, text) {
		w.Errorf("status %d, want %d: %s, want %q", rec.Code, status, rec.Body, text)
	}
}

func TestThePageSendsATestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		var refused error
		w := start(t, subscribing(&asked, &refused))
		w.tells(w.do("POST", "/push/ana/test", "{}"), 200, "The test page is on its way")
		w.pages.pushTesting <- struct{}{}
		w.tells(w.do("POST", "/push/ana/test", "{}"), 429, "under way")
	})
}

// The page may run our script and nothing else; no other page may run any.
func TestOnlyThePushPageRunsAScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		var refused error
		w := start(t, subscribing(&asked, &refused))
		const strict = "default-src 'none'; style-src 'sha256-"
		got := w.get("/push/ana").Header().Get("Content-Security-Policy")
		for _, want := range []string{strict, "script-src 'self'", "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in %s", want, got)
			}
		}
		if h := w.get("/push/ana").Header(); h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}
		for _, path := range []string{"/ack/ana"} {
			if got := w.get(path).Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, strict) || strings.Contains(got, "script-src") {
				t.Errorf("%s: %s", path, got)
			}
		}
		for path, kind := range map[string]string{"/push.js": "text/javascript", "/sw.js": "text/javascript", "/manifest.webmanifest": "application/manifest+json"} {
			rec := w.get(path)
			if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), kind) || rec.Header().Get("Cache-Control") != "no-cache" || rec.Body.Len() == 0 {
				t.Errorf("%s: %d %v", path, rec.Code, rec.Header())
			}
			if strings.Contains(rec.Body.String(), `"/`+strings.TrimPrefix(path, "/")) || strings.Contains(rec.Body.String(), "innerHTML") {
				t.Errorf("%s has an absolute address, or writes HTML", path)
			}
		}
		if rec := start(t).get("/sw.js"); rec.Code != 404 {
			t.Errorf("without web push: %d", rec.Code)
		}
	})
}

func TestAgents(t *testing.T) {
	for header, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                        "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36":               "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148":                 "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":         "Safari on macOS",
		"curl/8": "", "": "",
	} {
		if got := agent(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}
