package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/notify"
)

const renewing = `
users:
  - name: ana
    contact_methods: {browser: {web_push: {private_services: true}}}
  - name: bo
    contact_methods: {browser: {web_push: {private_services: true}}}
route: {receiver: oncall, group_wait: 0s}
receivers: [{name: oncall, incident_configs: [{escalation_policy: first}]}]
escalation_policies: [{name: first, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
`

// A subscribed is a midwatch to which browsers are subscribed.
type subscribed struct{ *running }

// invite subscribes browsers of a push service to a user's pages.
func (r subscribed) invite(s *pushService, user string, browsers ...string) {
	r.Helper()
	var out, errs bytes.Buffer
	if code := run(r.Context(), []string{"push-link", user, "--by", "cy", "--url", r.url, "-o", "json"}, &out, &errs); code != exitOK {
		r.Fatalf("%d: %s", code, errs.String())
	}
	var link api.PushLink
	if err := json.Unmarshal(out.Bytes(), &link); err != nil {
		r.Fatal(err)
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		r.Fatal(err)
	}
	for _, b := range browsers {
		r.wants(200, "the pages of "+user, "POST", u.Path, s.subscription(b))
	}
}

func (r subscribed) wants(status int, text, method, path string, body ...string) string {
	r.Helper()
	resp, got := r.ask(method, path, body...)
	if resp.StatusCode != status || !strings.Contains(got, text) {
		r.Errorf("%s %s: %s %s, want %d %q", method, path, resp.Status, got, status, text)
	}
	return got
}

// browsers runs midwatch browsers.
func (r subscribed) browsers(args ...string) (code int, out string) {
	r.Helper()
	var said, errs bytes.Buffer
	code = run(r.Context(), append(append([]string{"browsers"}, args...), "--url", r.url), &said, &errs)
	return code, said.String() + errs.String()
}

// idOf is the ID of a service's browser.
func idOf(s *pushService, browser string) string {
	return notify.Browser{Endpoint: s.URL + "/secret-path/" + browser}.ID()
}

// Browsers are listed and removed by the command line.
func TestBrowsersByTheCommandLine(t *testing.T) {
	s := newPushService(t)
	r := subscribed{begin(t, renewing)}
	if code, out := r.browsers("ana"); code != exitNothing || out != "" {
		t.Errorf("nobody is subscribed: %d %s", code, out)
	}
	r.invite(s, "ana", "phone", "desk")
	phone, desk := idOf(s, "phone"), idOf(s, "desk")
	code, out := r.browsers("ana")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != exitOK || len(lines) != 3 || !strings.HasPrefix(lines[0], "ID ") ||
		!strings.Contains(out, phone+"  ") || !strings.Contains(out, desk+"  ") || !strings.Contains(out, "127.0.0.1") || !strings.Contains(out, "cy") {
		t.Errorf("%d %s", code, out)
	}
	if strings.Contains(out, "secret-path") {
		t.Errorf("the address is shown: %s", out)
	}
	if code, out := r.browsers("list", "ana", "-o", "json"); code != exitOK || !strings.Contains(out, `"id": "`+phone+`"`) {
		t.Errorf("%d %s", code, out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"zoe"}, exitNothing, `no user "zoe"`},
		{[]string{"remove", "bo", phone, "--by", "cy"}, exitNothing, "no such browser gets the pages of bo"},
		{[]string{"remove", "ana", phone, "--by", " "}, exitFailed, "say who you are"},
		{[]string{"remove", "ana", phone, "--by", "cy"}, exitOK, phone + " (unknown browser, 127.0.0.1) gets pages of ana no more"},
		{[]string{"remove", "ana", phone, "--by", "cy"}, exitNothing, "no such browser"},
	} {
		if code, out := r.browsers(c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("midwatch browsers %s: %d %s, want %d %q", strings.Join(c.args, " "), code, out, c.code, c.says)
		}
	}
	if _, out := r.browsers("ana"); strings.Contains(out, phone) || !strings.Contains(out, desk) {
		t.Errorf("after the removal: %s", out)
	}
	r.wants(200, `"by":"cy"`, "GET", "/api/midwatch/v1/audit")
}

// A browser's new subscription takes the place of its old one, for each whose pages it gets; who does not know the old one's secrets
// replaces nothing.
func TestABrowserRenewsItsSubscription(t *testing.T) {
	s := newPushService(t)
	r := subscribed{begin(t, renewing)}
	r.invite(s, "ana", "phone", "desk")
	r.invite(s, "bo", "phone")
	renewal := func(old, now string) string { return fmt.Sprintf(`{"old":%s,"now":%s}`, old, now) }
	known, _, _ := strings.Cut(s.subscription("phone"), `"auth":"`)
	forged := known + `"auth":"AAAAAAAAAAAAAAAAAAAAAA"}}`
	for _, c := range []struct {
		body   string
		status int
		says   string
	}{
		{renewal(forged, s.subscription("evil")), 404, "knows no such subscription"},
		{renewal(s.subscription("nobody"), s.subscription("evil")), 404, "knows no such subscription"},
		{renewal(`{}`, s.subscription("evil")), 404, "knows no such subscription"},
		{renewal(s.subscription("phone"), `{"endpoint":"ftp://x"}`), 400, "https"},
		{`[]`, 400, "did not arrive whole"},
		{strings.Repeat(" ", 9<<10), 413, "larger"},
	} {
		r.wants(c.status, c.says, "POST", "/push/renew", c.body)
	}
	r.wants(405, "", "GET", "/push/renew")
	if _, out := r.browsers("ana"); strings.Contains(out, idOf(s, "evil")) || !strings.Contains(out, idOf(s, "phone")) {
		t.Errorf("after forgeries: %s", out)
	}
	r.wants(200, "new address", "POST", "/push/renew", renewal(s.subscription("phone"), s.subscription("phone2")))
	for user, want := range map[string]int{"ana": 3, "bo": 2} {
		_, out := r.browsers(user)
		if strings.Contains(out, idOf(s, "phone")) || !strings.Contains(out, idOf(s, "phone2")) || strings.Count(out, "\n") != want {
			t.Errorf("%s: %s", user, out)
		}
	}
	r.wants(200, "a browser gets pages under a new address", "GET", "/api/midwatch/v1/audit")
	r.wants(404, "knows no such", "POST", "/push/renew", renewal(s.subscription("phone"), s.subscription("phone3")))
	r.wants(200, "taken for 2 of 2 browsers", "POST", "/api/midwatch/v1/test-page", `{"by":"cy","user":"ana"}`)
	got := map[string]bool{s.next(t).Browser: true, s.next(t).Browser: true}
	if !got["phone2"] || !got["desk"] {
		t.Errorf("paged %v", got)
	}
	if strings.Contains(r.log.String(), "secret-path") {
		t.Error("an address is in the log")
	}
}

// The browsers of somebody who leaves the configuration are forgotten, by a reload and at the next start; the others' are not.
func TestBrowsersOfThoseWhoLeft(t *testing.T) {
	s := newPushService(t)
	r := subscribed{begin(t, renewing)}
	r.invite(s, "ana", "phone")
	r.invite(s, "bo", "desk", "tablet")
	without := strings.Replace(renewing, "name: bo", "name: cy", 1)
	r.write(without)
	r.wants(200, "", "POST", "/-/reload")
	r.write(renewing)
	r.wants(200, "", "POST", "/-/reload")
	if code, out := r.browsers("bo"); code != exitNothing {
		t.Errorf("bo's after he left and came back: %s", out)
	}
	if _, out := r.browsers("ana"); !strings.Contains(out, idOf(s, "phone")) {
		t.Errorf("ana's: %s", out)
	}
	r.wants(200, "a browser gets pages no more, because its user is not in the configuration", "GET", "/api/midwatch/v1/audit")

	r.invite(s, "bo", "desk")
	if code := r.stop(); code != exitOK {
		t.Fatalf("ended with %d", code)
	}
	again := subscribed{beginIn(t, filepath.Dir(r.file), without)}
	again.log.await(t, "its user is not in the configuration")
	again.write(renewing)
	again.wants(200, "", "POST", "/-/reload")
	if code, out := again.browsers("bo"); code != exitNothing {
		t.Errorf("bo's after a start without him: %s", out)
	}
	if _, out := again.browsers("ana"); !strings.Contains(out, idOf(s, "phone")) {
		t.Errorf("ana's: %s", out)
	}
}

// The service worker as it is served, run by node against a real Midwatch: whatever a browser tells it, the new subscription takes the
// old one's place, or the person is told that it could not.
func TestTheServiceWorkerRenews(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node here to run the service worker")
	}
	s := newPushService(t)
	r := subscribed{begin(t, renewing)}
	worker := r.wants(200, "pushsubscriptionchange", "GET", "/sw.js")
	key := strings.TrimSpace(r.wants(200, "", "GET", "/push/key"))
	r.invite(s, "ana", "phone")
	type happened struct {
		Shown, Made []string
		Kept        string
	}
	change := func(event map[string]string) (out happened) {
		t.Helper()
		var fields []string
		for name, browser := range event {
			fields = append(fields, fmt.Sprintf("%q:%s", name, s.subscription(browser)))
		}
		cmd := exec.CommandContext(t.Context(), node, "testdata/worker.js", r.url+"/", "{"+strings.Join(fields, ",")+"}")
		cmd.Stdin = strings.NewReader(worker)
		text, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(text, &out)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return out
	}
	has := func(browser string) {
		t.Helper()
		if _, out := r.browsers("ana"); !strings.Contains(out, idOf(s, browser)) || strings.Count(out, "\n") != 2 {
			t.Errorf("want %s: %s", browser, out)
		}
	}
	for _, c := range []struct {
		what  string
		event map[string]string
		made  bool
		has   string
	}{
		{"a browser that says all", map[string]string{"old": "phone", "now": "b"}, false, "b"},
		{"one that says nothing, and has another already", map[string]string{"kept": "b", "have": "c"}, false, "c"},
		{"one that says nothing, and has none", map[string]string{"kept": "c", "makes": "d"}, true, "d"},
		{"one that says what it had, and has none", map[string]string{"old": "d", "kept": "phone", "makes": "e"}, true, "e"},
	} {
		got := change(c.event)
		if len(got.Shown) != 0 || !strings.Contains(got.Kept, "/secret-path/"+c.has) || (len(got.Made) == 1 && got.Made[0] == key) != c.made {
			t.Errorf("%s: %+v", c.what, got)
		}
		has(c.has)
	}
	for what, event := range map[string]map[string]string{
		"what it had is not known":   {"now": "f"},
		"what it had is not ours":    {"old": "phone", "now": "f"},
		"it has none and makes none": {"old": "e"},
	} {
		if got := change(event); len(got.Shown) != 1 || !strings.Contains(got.Shown[0], "midwatch push-link") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	has("e")
}
