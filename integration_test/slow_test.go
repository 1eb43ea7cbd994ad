//go:build linux

package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const slowConfig = `
  slack_api_url: CHAT
route:
  receiver: channels
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: channels
    slack_configs: [{channel: "#db"}]
    webhook_configs: [{url: "TEAM"}]
    incident_configs: [{escalation_policy: one}]
users:
  - name: ana
    email: ana@example.org
    contact_methods:
      chat: {slack: {channel: "@ana"}}
      hook: {webhook: {url: "ANA"}}
escalation_policies:
  - name: one
    steps: [{notify: [{user: ana}], escalate_after: 1h}]
paging: {catch_all: {user: ana}}
`

// Slack takes connections and answers nothing. Nobody else waits for it, and it gets what it missed when it is back.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	chat, team, ana, box := chatter(t), chatter(t), chatter(t), newPostbox(t)
	healthy := chat.mood
	chat.be(chat.hanging())
	m := serve(t, mailConfig(box.addr, box.cert)+fill(slowConfig, "CHAT", chat.URL, "TEAM", team.URL, "ANA", ana.URL))

	const alerts = 5
	for n := range alerts {
		fired := time.Now()
		m.fire(critical(fmt.Sprintf("Slow-%d", n)))
		for who, e := range map[string]*endpoint{"the team": team, "ana": ana} {
			got := e.awaitHits(t, who, n+1)
			if took := got[n].At.Sub(fired); took > time.Second {
				t.Errorf("%s heard of alert %d after %s, want within a second", who, n, took)
			}
		}
		if letters := box.awaitLetters(t, "ana's mail", n+1); !strings.Contains(letters[n].Subject, fmt.Sprintf("Slow-%d is wrong", n)) {
			t.Errorf("mail %d is %q", n, letters[n].Subject)
		}
	}
	if took := chat.got(); len(took) == 0 {
		t.Fatal("nobody asked Slack, so nothing was shown")
	}
	for _, d := range m.deliveries() {
		if strings.HasPrefix(d.Via, "slack") && d.Outcome == "delivered" || d.Via == "chat" && d.Outcome == "delivered" {
			t.Errorf("a delivery to Slack, which never answered, is called delivered: %s", pretty(d))
		}
	}

	chat.be(healthy)
	for n := range alerts {
		m.awaitIncident(fmt.Sprintf("INC-%d", n+1), "Slack's page", func(i incident) bool { return i.count("page") == 3 })
	}
}
