//go:build linux

package integration_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/bcrypt"
)

// webConfig has somebody on call at all times, and nobody else paged for an hour.
const webConfig = `
route:
  receiver: db-oncall
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 4h
  routes:
    - {receiver: checkout, matchers: ['service="checkout"'], group_by: [alertname, cluster]}
receivers:
  - name: db-oncall
    incident_configs: [{escalation_policy: db}]
  - name: checkout
    incident_configs: [{escalation_policy: checkout}]
users:
  - name: ana
    full_name: Ana Duarte
    email: ana@example.org
    time_zone: Europe/Lisbon
  - {name: bo, contact_methods: {log: {log: {}}}}
  - {name: cy, contact_methods: {log: {log: {}}}}
schedules:
  - name: db-primary
    time_zone: Europe/Lisbon
    layers:
      - {name: weekly, rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}}
escalation_policies:
  - name: db
    steps:
      - {notify: [{schedule: db-primary}], escalate_after: 1h}
      - {notify: [{user: bo}], escalate_after: 1h}
  - {name: checkout, steps: [{notify: [{user: cy}], escalate_after: 1h}]}
paging: {catch_all: {user: bo}}
`

// pages starts a daemon whose pages are looked at, and a mail server for what it sends.
func pages(t testing.TB, args ...string) (*midwatch, *postbox) {
	t.Helper()
	box := newPostbox(t)
	return serve(t, mailConfig(box.addr, box.cert)+webConfig, args...), box
}

// cookies are those that the pages gave the browser.
func (tb *tab) cookies() (names []string) {
	tb.t.Helper()
	tb.do("the cookies", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		got, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{tb.base + "/", tb.base + "/ack/x"}})
		for _, c := range got.Cookies {
			names = append(names, c.Name)
		}
		return err
	}))
	return names
}

// Somebody is woken, has a phone in one hand and bad signal: a mail, its link, one button. No login, no cookie, no script.
func TestNightOnAPhone(t *testing.T) {
	t.Parallel()
	m, box := pages(t)
	m.fire(critical("ReplicationLag"))
	link := ackPath(t, box.awaitLetters(t, "ana's mail", 1)[0].Text)

	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.narrow()
	tb.withoutScripts()
	tb.goTo(link)
	tb.shows("INC-1 is triggered", "ReplicationLag is wrong", "Acknowledge as Ana Duarte (ana)")
	if i := m.incident("INC-1"); i.Status != "triggered" || i.count("acknowledged") > 0 {
		t.Fatalf("opening the link did something: %s\n%s", i.Status, i.trace())
	}
	tb.click("text=Acknowledge as")
	tb.shows("INC-1 is acknowledged", "Ana Duarte (ana) acknowledged INC-1 at ", "Escalation has stopped")
	if i := m.incident("INC-1"); i.Status != "acknowledged" || i.AcknowledgedBy != "ana" || !i.NextAt.IsZero() {
		t.Errorf("after the button: %s by %q, pages on at %s; want acknowledged by ana, never", i.Status, i.AcknowledgedBy, i.NextAt)
	}
	tb.click("text=Undo")
	tb.shows("INC-1 is triggered again")
	if i := m.incident("INC-1"); i.Status != "triggered" || i.NextAt.IsZero() {
		t.Errorf("after Undo: %s, pages on at %s; want triggered, and some time", i.Status, i.NextAt)
	}
	if given := tb.cookies(); len(given) > 0 {
		t.Errorf("the way from the mail gives cookies: %v", given)
	}

	// What is not in the mail is one tap away, and works without scripts too. There she is asked once who she is.
	tb.click("text=Everything about it")
	tb.at("/incidents/INC-1")
	tb.click("main button[data-key=a]")
	tb.shows("Who are you?")
	tb.click("text=ana (Ana Duarte)")
	tb.at("/incidents/INC-1")
	tb.shows("acknowledged")
	if i := m.incident("INC-1"); i.AcknowledgedBy != "ana" {
		t.Errorf("acknowledged by %q, want ana", i.AcknowledgedBy)
	}
	tb.click("#said button")
	tb.comes("the incident triggered again", `!!document.querySelector("main button[data-key=a]")`)
	if i := m.incident("INC-1"); i.Status != "triggered" {
		t.Errorf("after Undo it is %s", i.Status)
	}
	tb.click("main button[data-key=a]")
	tb.shows("acknowledged")
	if tb.says("Who are you?") {
		t.Error("she is asked twice who she is")
	}
	if said := tb.complaints(); len(said) > 0 {
		t.Errorf("the browser says: %s", strings.Join(said, "\n"))
	}
}

// Behind a route prefix every page, link, form and stream of news stays below it.
func TestPagesBelowAPrefix(t *testing.T) {
	t.Parallel()
	box := newPostbox(t)
	m := prepare(t, t.TempDir(), mailConfig(box.addr, box.cert)+webConfig, "--web.route-prefix=/duty/mw", "--web.external-url="+publicURL+"/duty/mw")
	m.prefix = "/duty/mw"
	m.start()
	m.fire(critical("ReplicationLag"))
	link := ackPath(t, box.awaitLetters(t, "ana's mail", 1)[0].Text)
	if !strings.HasPrefix(link, "/duty/mw/ack/") {
		t.Errorf("the link leads to %s", link)
	}
	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.goTo("/duty/mw/")
	tb.comes("the page live", `document.getElementById("live").dataset.state === "live"`)
	tb.click(`#menu a[data-go="i"]`)
	tb.at("/duty/mw/incidents")
	tb.click("#row-INC-1 a")
	tb.at("/duty/mw/incidents/INC-1")
	tb.click("main button[data-key=a]")
	tb.shows("Who are you?")
	tb.click("text=ana (Ana Duarte)")
	tb.at("/duty/mw/incidents/INC-1")
	m.awaitIncident("INC-1", "acknowledged", func(i incident) bool { return i.AcknowledgedBy == "ana" })
	tb.click("text=Configuration")
	tb.at("/duty/mw/config")
	tb.click("text=Docs")
	tb.at("/duty/mw/docs")
	tb.click("main .rows a")
	tb.at("/duty/mw/docs/")
	tb.goTo(link)
	tb.shows("INC-1 is acknowledged")
	for _, path := range []string{"/", "/incidents", "/dutyx"} {
		r, err := http.NewRequest(http.MethodGet, "http://"+m.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, _ := m.open(r); res.StatusCode == http.StatusOK {
			t.Errorf("%s is answered outside of the prefix", path)
		}
	}
	if said := tb.complaints(); len(said) > 0 {
		t.Errorf("the browser says: %s", strings.Join(said, "\n"))
	}
}

// Where people log in, what they do is done in their name, and nobody is asked who they are.
func TestWhoLogsInIsWhoActs(t *testing.T) {
	t.Parallel()
	box := newPostbox(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(mailPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	logins := filepath.Join(dir, "web.yml")
	write(t, logins, "basic_auth_users:\n  bo: "+string(hash)+"\n")
	m := prepare(t, dir, mailConfig(box.addr, box.cert)+webConfig, "--web.config.file="+logins)
	m.user = "bo"
	m.start()
	m.fire(critical("ReplicationLag"))
	m.awaitIncident("INC-1", "its opening", func(incident) bool { return true })

	tb := newBrowser(t).open(t, "http://"+m.addr)
	tb.goTo("http://bo:" + mailPassword + "@" + m.addr + "/")
	tb.goTo("/incidents/INC-1")
	tb.shows("bo")
	tb.click("main button[data-key=a]")
	i := m.awaitIncident("INC-1", "acknowledged", func(i incident) bool { return i.Status == "acknowledged" })
	if i.AcknowledgedBy != "bo" {
		t.Errorf("acknowledged by %q, want bo, who logged in", i.AcknowledgedBy)
	}
	if tb.says("Who are you?") {
		t.Error("bo is asked who he is")
	}
	tb.goTo("/me")
	tb.shows("You are signed in as bo")
}
