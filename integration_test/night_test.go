//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const nightConfig = `
  slack_api_url: CHAT
route:
  receiver: db-oncall
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: db-oncall
    incident_configs: [{escalation_policy: db}]
users:
  - name: ana
    full_name: Ana Duarte
    email: ana@example.org
    time_zone: Europe/Lisbon
    contact_methods:
      chat: {slack: {channel: "@ana", send_resolved: true}}
    notification_rules:
      high: [{via: [chat]}, {via: [email], after: 1s}]
  - name: bo
    contact_methods:
      hook: {webhook: {url: "HOOK"}}
schedules:
  - name: db-primary
    time_zone: Europe/Lisbon
    layers:
      - {name: weekly, rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}}
escalation_policies:
  - name: db
    steps:
      - {notify: [{schedule: db-primary}], escalate_after: 4s}
      - {notify: [{user: bo}], escalate_after: 1h}
paging: {catch_all: {user: bo}}
`

// The whole night, by the real things: Prometheus sees the replica lag, ana sleeps through chat and mail, bo is paged,
// ana acknowledges by the link in her mail, changes her mind, acknowledges again, and the replica catches up.
func TestNight(t *testing.T) {
	t.Parallel()
	chat, hook, post := chatter(t), chatter(t), newExim(t)
	m := serve(t, mailConfig(post.addr, post.cert)+fill(nightConfig, "CHAT", chat.URL, "HOOK", hook.URL))
	db := newDatabase(t)
	watch(t, db, m.addr)

	evening := time.Now()
	db.lag.Store(93)

	// ana is on call: chat first, a mail a second later.
	toAna := chat.awaitHits(t, "ana's chat", 1)[0].slack(t)
	opened := m.incident("INC-1")
	checkChat(t, toAna)
	letters := post.awaitLetters(t, "ana's mail", 1)
	checkLetter(t, letters[0])

	// Nobody answers: bo.
	atBo := hook.awaitHits(t, "bo's page", 1)[0]
	checkHook(t, atBo, opened)

	// Mail scanners and link previews open every link. Nothing may come of it.
	link := ackPath(t, letters[0].Text)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		s := m.browse(method, link, nil)
		if s.status != http.StatusOK {
			t.Errorf("%s of the link: %d", method, s.status)
		}
		if n := len(s.html); n > 6<<10 {
			t.Errorf("the page to acknowledge has %d bytes, more than 6 KB", n)
		}
	}
	before := m.incident("INC-1")
	if before.Status != "triggered" || before.count("acknowledged") != 0 {
		t.Fatalf("opening the link did something: %s\n%s", before.Status, before.trace())
	}
	if before.NextAt.IsZero() {
		t.Error("bo has an hour, but nothing is announced for its end")
	}

	// ana wakes up and presses the one button.
	open := m.browse(http.MethodGet, link, nil)
	open.shows(t, "INC-1", "Replication of db-1 is 93 s behind")
	if n := len(open.buttons()); n != 1 {
		t.Errorf("the page to acknowledge has %d buttons, want one", n)
	}
	done := m.browse(http.MethodPost, link, nil)
	if done.status != http.StatusOK {
		t.Errorf("POST to the link: %d", done.status)
	}
	done.shows(t, "INC-1 is acknowledged", "Ana Duarte (ana) acknowledged INC-1 at ", "via the link in the page", "Escalation has stopped", "Undo")
	acked := m.incident("INC-1")
	if acked.Status != "acknowledged" || acked.AcknowledgedBy != "ana" || !acked.NextAt.IsZero() {
		t.Errorf("after the button: %s by %q, pages on at %s; want acknowledged by ana, never", acked.Status, acked.AcknowledgedBy, acked.NextAt)
	}

	// She pressed too soon.
	undone := done.press("Undo")
	if undone.status != http.StatusOK {
		t.Errorf("Undo: %d", undone.status)
	}
	if i := m.incident("INC-1"); i.Status != "triggered" || i.AcknowledgedBy != "" || !i.NextAt.Equal(before.NextAt) {
		t.Errorf("after Undo: %s by %q, pages on at %s; want triggered and %s as before", i.Status, i.AcknowledgedBy, i.NextAt, before.NextAt)
	}
	m.browse(http.MethodPost, link, nil)
	if i := m.incident("INC-1"); i.Status != "acknowledged" || !i.NextAt.IsZero() {
		t.Errorf("acknowledged again: %s, pages on at %s", i.Status, i.NextAt)
	}

	// The replica catches up. Who was paged learns it, by what has send_resolved: mail has not.
	db.lag.Store(0)
	over := m.awaitIncident("INC-1", "its end", func(i incident) bool { return i.count("notification") == 2 })
	if over.Status != "resolved" || !over.NextAt.IsZero() {
		t.Errorf("at the end it is %s and pages on at %s", over.Status, over.NextAt)
	}
	if got := chat.got(); len(got) != 2 || !strings.Contains(got[1].slack(t).Attachments[0].Title, "resolved") {
		t.Errorf("ana's chat got %d messages, want a page and that it is over: %s", len(got), pretty(got))
	}
	if got := hook.got(); len(got) != 2 || got[1].page(t).Midwatch.Event != "resolved" || got[1].page(t).Status != "resolved" {
		t.Errorf("bo's hook got %d messages, want a page and that it is over: %s", len(got), pretty(got))
	}
	if n := len(post.got(t)); n != 1 {
		t.Errorf("ana got %d mails, want one", n)
	}

	const story = `incident_opened severity=sev2 policy=db "Replication of db-1 is 93 s behind": 1 alert fires, routed to db-oncall: {alertname="ReplicationLag", instance="db-1", job="postgres", service="db", severity="critical"}
page user=ana via=chat policy=db step=1 cycle=1: step 1 of policy db began
page user=ana via=email policy=db step=1 cycle=1: no acknowledgement in 1s
page user=bo via=hook policy=db step=2 cycle=1: no acknowledgement of step 1 in 4s
acknowledged by=ana via=link: acknowledged by ana
note by=ana via=link: acknowledgement taken back by ana
acknowledged by=ana via=link: acknowledged by ana
resolved: its last firing alert ended
notification user=ana via=chat policy=db: the incident was resolved
notification user=bo via=hook policy=db: the incident was resolved
`
	if got := over.trace(); got != story {
		t.Errorf("the timeline is\n%s\nwant\n%s", got, story)
	}
	if !slices.IsSortedFunc(over.Timeline, func(a, b event) int { return a.At.Compare(b.At) }) {
		t.Errorf("the timeline is not in the order of time: %s", pretty(over.Timeline))
	}
	if n := len(m.incidents()); n != 1 {
		t.Errorf("%d incidents, want one", n)
	}
	checkDeliveries(t, m.deliveries(), evening, []string{
		"page INC-1 ana/chat attempt 1: delivered",
		"page INC-1 ana/email attempt 1: delivered",
		"page INC-1 bo/hook attempt 1: delivered",
		"resolved INC-1 ana/chat attempt 1: delivered",
		"resolved INC-1 bo/hook attempt 1: delivered",
	})
	m.stop()
}

func checkChat(t *testing.T, s slackBody) {
	t.Helper()
	a := s.Attachments[0]
	if s.Channel != "@ana" || a.Title != "[INC-1 sev2] Replication of db-1 is 93 s behind" {
		t.Errorf("%s is told %q", s.Channel, a.Title)
	}
	for _, w := range []string{"step 1 of policy db began", "https://runbooks.example.org/replication-lag", "ReplicationLag"} {
		if !strings.Contains(a.Text, w) {
			t.Errorf("ana's chat does not say %q:\n%s", w, a.Text)
		}
	}
	if len(a.Actions) != 1 || a.Actions[0].Text != "Acknowledge" {
		t.Fatalf("ana's chat has the buttons %v, want Acknowledge", a.Actions)
	}
	ackPath(t, a.Actions[0].URL)
}

func checkLetter(t *testing.T, l letter) {
	t.Helper()
	if l.To != "ana@example.org" || l.Subject != "[INC-1 sev2] Replication of db-1 is 93 s behind" {
		t.Errorf("the mail to %s says %q", l.To, l.Subject)
	}
	for part, text := range map[string]string{"text": l.Text, "html": l.HTML} {
		for _, w := range []string{"Replication of db-1 is 93 s behind", "https://runbooks.example.org/replication-lag", "to bo at", "UTC"} {
			if !strings.Contains(text, w) {
				t.Errorf("the mail's %s does not say %q:\n%s", part, w, text)
			}
		}
	}
	if a, b := ackPath(t, l.Text), ackPath(t, l.HTML); a != b {
		t.Errorf("the mail's text links to %s, its HTML to %s", a, b)
	}
	if l.MessageID == "" || l.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("the mail's headers are %s", pretty(l.Header))
	}
}

// checkHook looks at bo's page: what it says, and that it came when step 2 was due, 4 s after step 1.
func checkHook(t *testing.T, h hit, i incident) {
	t.Helper()
	p := h.page(t)
	if got, want := p.String(), "page INC-1 bo/hook step 2 cycle 1: no acknowledgement of step 1 in 4s"; got != want {
		t.Errorf("bo's hook got %q, want %q", got, want)
	}
	m := p.Midwatch
	if p.Version != "4" || p.Status != "firing" || len(p.Alerts) != 1 || p.Alerts[0].Labels["alertname"] != "ReplicationLag" {
		t.Errorf("the body is not Alertmanager's version 4 about one alert: %s", h.Body)
	}
	if m.Severity != "sev2" || m.Policy != "db" || !strings.Contains(m.IncidentURL, "INC-1") {
		t.Errorf("the page says %+v", m)
	}
	if m.IdempotencyKey == "" || h.Key != m.IdempotencyKey {
		t.Errorf("the idempotency key is %q in the header and %q in the body", h.Key, m.IdempotencyKey)
	}
	ackPath(t, m.AcknowledgeURL)
	due := i.OpenedAt.Add(4 * time.Second)
	if late := h.At.Sub(due); late < 0 || late > time.Second {
		t.Errorf("bo was paged %s after step 2 was due, want within a second", late)
	}
}

// checkDeliveries compares the delivery log with what is wanted, as a set: what goes out at once has no order.
func checkDeliveries(t *testing.T, log []delivery, since time.Time, want []string) {
	t.Helper()
	var got []string
	for _, d := range log {
		got = append(got, fmt.Sprintf("%s %s %s%s/%s attempt %d: %s", d.Event, d.Incident, d.User, d.Receiver, d.Via, d.Attempt, d.Outcome))
		if d.At.Before(since) || d.At.After(time.Now()) || d.LatencyMS <= 0 || d.Key == "" {
			t.Errorf("the delivery log has an attempt at %s that took %v ms with key %q", d.At, d.LatencyMS, d.Key)
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("the delivery log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
