//go:build linux

package integration_test

import (
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	smtpd "github.com/emersion/go-smtp"
)

const failingConfig = `
  slack_api_url: CHAT
route:
  receiver: oncall
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: oncall
    incident_configs: [{escalation_policy: one}]
users:
  - name: ana
    email: ana@example.org
    contact_methods:
      chat: {slack: {channel: "@ana"}}
    notification_rules:
      high: [{via: [chat]}, {via: [email], after: 1h}]
  - name: bo
    contact_methods:
      hook: {webhook: {url: "BO"}}
escalation_policies:
  - name: one
    steps: [{notify: [{user: ana}, {user: bo}], escalate_after: 1h}]
paging: {catch_all: {user: ana}}
`

// bo's endpoint has a bad minute: he is paged again under the same key until it takes the page. ana's chat is gone for
// good: her mail, which was to follow in an hour, goes out at once, and takes two attempts itself.
func TestFailingReceivers(t *testing.T) {
	t.Parallel()
	chat, bo, box := chatter(t), chatter(t), newPostbox(t)
	chat.be(answering(http.StatusNotFound, "no_team"))
	var asked atomic.Int64
	bo.be(func(_ hit, w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			io.WriteString(w, "ok")
		}
	})
	box.refusing(&smtpd.SMTPError{Code: 451, EnhancedCode: smtpd.EnhancedCode{4, 7, 1}, Message: "greylisted"})
	m := serve(t, mailConfig(box.addr, box.cert)+fill(failingConfig, "CHAT", chat.URL, "BO", bo.URL))
	m.fire(critical("Disk"))

	await(t, "a mail that is refused", func() (string, bool) {
		log := m.deliveries()
		return pretty(log), slices.ContainsFunc(log, func(d delivery) bool { return d.Via == "email" && d.Outcome == "retry" })
	})
	box.refusing(nil)
	box.awaitLetters(t, "ana's mail", 1)
	i := m.awaitIncident("INC-1", "both pages", func(i incident) bool { return i.count("page") == 2 })

	keys := map[string]bool{}
	for _, h := range bo.got() {
		keys[h.Key] = true
	}
	if n := len(bo.got()); n != 3 || len(keys) != 1 {
		t.Errorf("bo's endpoint was asked %d times under the keys %v, want 3 times under one", n, keys)
	}
	if n := len(chat.got()); n != 1 {
		t.Errorf("ana's chat, which answers 404, was asked %d times, want once", n)
	}

	var lines []string
	for _, e := range i.Timeline {
		lines = append(lines, e.String())
	}
	slices.Sort(lines) // two people are paged side by side
	chatSaid := `channel "@ana": unexpected status code 404: no_team`
	want := []string{
		`incident_opened severity=sev2 policy=one "Disk is wrong": 1 alert fires, routed to oncall: {alertname="Disk", service="db", severity="critical"}`,
		`page user=ana via=email policy=one step=1 cycle=1: chat failed: ` + chatSaid,
		`page user=bo via=hook policy=one step=1 cycle=1: step 1 of policy one began`,
		`page_failed user=ana via=chat policy=one step=1 cycle=1: ` + chatSaid,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("the timeline has\n%s\nwant\n%s", pretty(lines), pretty(want))
	}

	var attempts []string
	for _, d := range m.deliveries() {
		attempts = append(attempts, d.User+"/"+d.Via+" "+d.Outcome)
	}
	slices.Sort(attempts)
	attempts = slices.CompactFunc(attempts, func(a, b string) bool { return a == b && a == "ana/email retry" }) // as often as greylisted
	wantAttempts := []string{"ana/chat failed", "ana/email delivered", "ana/email retry", "bo/hook delivered", "bo/hook retry", "bo/hook retry"}
	if !slices.Equal(attempts, wantAttempts) {
		t.Errorf("the delivery log has %q, want %q", attempts, wantAttempts)
	}
}
