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

const floodConfig = `
route:
  receiver: ana
  group_by: [alertname]
  group_wait: 1s
  routes:
    - {matchers: ['team="b"'], receiver: bo, group_wait: 1300ms}
    - {matchers: ['team="old"'], receiver: old, group_wait: 0s}
receivers:
  - {name: ana, incident_configs: [{escalation_policy: ana}]}
  - {name: bo, incident_configs: [{escalation_policy: bo}]}
  - {name: old, incident_configs: [{escalation_policy: old}]}
users:
  - {name: ana, contact_methods: {hook: {webhook: {url: "ANA"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "BO"}}}}
  - {name: cy, contact_methods: {hook: {webhook: {url: "CY"}}}}
escalation_policies:
  - {name: ana, steps: [{notify: [{user: ana}]}]}
  - {name: bo, steps: [{notify: [{user: bo}]}]}
  - {name: old, steps: [{notify: [{user: ana}], escalate_after: 4s}, {notify: [{user: cy}]}]}
paging: {catch_all: {user: bo}}
`

// Five thousand incidents open at once for ana. In the midst of it bo's group falls due, and a step of an older incident's
// ladder: neither waits for the flood to end.
func TestAFloodHoldsUpNobodyElse(t *testing.T) {
	const n = 5000
	ana, bo, cy := chatter(t), chatter(t), chatter(t)
	m := serve(t, fill(floodConfig, "ANA", ana.URL, "BO", bo.URL, "CY", cy.URL))
	m.fire(teamed("old", "Old"))
	ana.awaitHits(t, "the old incident's page", 1)
	step := m.opened("INC-1").Add(4 * time.Second)
	<-time.After(time.Until(step.Add(-1700 * time.Millisecond)))

	var flood []alert
	for i := range n {
		flood = append(flood, teamed("a", fmt.Sprintf("Flood%05d", i)))
	}
	begun := time.Now()
	for some := range slices.Chunk(flood, 1000) {
		m.fire(some...)
	}
	posted := time.Now()
	m.fire(teamed("b", "Other"))
	group := time.Now().Add(1300 * time.Millisecond)

	paged := bo.awaitHits(t, "bo's page", 1)[0]
	climbed := cy.awaitHits(t, "the page of the old incident's second step", 1)[0]
	var last string
	await(t, "the flood", func() (string, bool) {
		last = fmt.Sprintf("INC-%d", n+2)
		status, answer, err := m.ask(http.MethodGet, "/api/midwatch/v1/incidents/"+last, "")
		return fmt.Sprint(status, err, answer), status == http.StatusOK
	})
	end := m.opened(last)
	t.Logf("%d alerts posted in %s; all open %s after the first POST; bo's page was %s late, the ladder's step %s",
		n, posted.Sub(begun).Round(time.Millisecond), end.Sub(begun).Round(time.Millisecond),
		paged.At.Sub(group).Round(time.Millisecond), climbed.At.Sub(step).Round(time.Millisecond))
	for what, at := range map[string]struct{ due, left time.Time }{"bo's page": {group, paged.At}, "the ladder's step": {step, climbed.At}} {
		// A machine may be slow at everything. It must not be slow at this because of the flood.
		if at.left.Sub(at.due) > time.Second && at.left.After(end) {
			t.Errorf("%s was due at %s and left at %s, when all of the flood had opened", what, at.due, at.left)
		}
	}
	if i := slices.IndexFunc(ana.got(), func(h hit) bool { return strings.Contains(h.Body, "Other") }); i >= 0 {
		t.Errorf("ana got bo's page")
	}
	m.stop()
	t.Logf("the daemon took %s of CPU", m.process.cmd.ProcessState.UserTime()+m.process.cmd.ProcessState.SystemTime())
}

func teamed(team, name string) alert {
	a := critical(name)
	a.Labels["team"] = team
	return a
}

// opened is when an incident opened.
func (m *midwatch) opened(id string) time.Time {
	m.t.Helper()
	var i incident
	m.read("/api/midwatch/v1/incidents/"+id, &i)
	return i.OpenedAt
}
