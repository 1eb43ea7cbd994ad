//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const reloadConfig = `
route:
  receiver: oncall
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: oncall
    webhook_configs: [{url: "TEAM"}]
    incident_configs: [{escalation_policy: two}]
users:
  - {name: ana, contact_methods: {hook: {webhook: {url: "ANA"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "BO"}}}}
  - {name: cy, contact_methods: {hook: {webhook: {url: "CY"}}}}
escalation_policies:
  - name: two
    steps:
      - {notify: [{user: ana}], escalate_after: 2s}
      - {notify: [{user: SECOND}], escalate_after: 1h}
paging: {catch_all: {user: bo}}
`

// Both ways to reload do the same, with a good file and with a bad one.
func TestReload(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name   string
		reload func(m *midwatch) (refusal string)
	}{
		{"POST", func(m *midwatch) string {
			status, answer, err := m.ask(http.MethodPost, "/-/reload", "")
			switch {
			case err != nil:
				m.t.Fatal(err)
			case status == http.StatusOK:
				return ""
			}
			return answer
		}},
		{"SIGHUP", func(m *midwatch) string {
			// The files take turns, bad and good, so every reload turns the metric over.
			const metric = "alertmanager_config_last_reload_successful"
			before := m.metric(metric)
			m.process.signal(m.t, syscall.SIGHUP)
			await(m.t, "the reload", func() (string, bool) { return before, m.metric(metric) != before })
			if m.metric(metric) == "1" {
				return ""
			}
			return strings.ReplaceAll(strings.Join(m.process.log.with("level=ERROR"), "\n"), `\"`, `"`) // logfmt quotes
		}},
	} {
		t.Run(way.name, func(t *testing.T) { t.Parallel(); reload(t, way.reload) })
	}
}

func reload(t *testing.T, reload func(m *midwatch) (refusal string)) {
	h, team, cy := newHousehold(t), chatter(t), chatter(t)
	config := func(second string) string {
		return fill(h.config(reloadConfig), "TEAM", team.URL, "CY", cy.URL, "SECOND", second)
	}
	m := serve(t, config("bo"))
	m.fire(critical("Acknowledged"))
	awaitPage(t, h.ana, "INC-1")
	m.post("/api/midwatch/v1/incidents/INC-1/acknowledge", `{"by":"ana"}`)
	m.fire(critical("Climbing"))
	awaitPage(t, h.ana, "INC-2")
	team.awaitHits(t, "the team's notifications", 2)

	// A bad file: it says where and what, and changes nothing.
	m.configure(strings.Replace(config("bo"), "{user: ana}", "{user: anna}", 1))
	refusal := reload(m)
	line, column := position(t, config("bo"), "{user: ana}", len("{user: "))
	if place := fmt.Sprintf("midwatch.yml:%d:%d", line, column); !strings.Contains(refusal, place) || !strings.Contains(refusal, `did you mean "ana"`) {
		t.Errorf("the bad file is refused with\n%s\nwhich does not point at %s, or does not say what was meant", refusal, place)
	}
	if got := m.metric("alertmanager_config_last_reload_successful"); got != "0" {
		t.Errorf("after a bad file the last reload was successful: %s", got)
	}

	// A good one: who comes second is somebody else, for what opens from now on.
	m.configure(config("cy"))
	if refusal := reload(m); refusal != "" {
		t.Fatalf("the good file is refused: %s", refusal)
	}
	if got := m.metric("alertmanager_config_last_reload_successful"); got != "1" {
		t.Errorf("after a good file the last reload was not successful: %s", got)
	}
	awaitPage(t, h.bo, "INC-2")
	m.fire(critical("Later"))
	awaitPage(t, cy, "INC-3")

	// Two flushes of a new group took longer than one of every old group: if the reload made anybody hear of the old
	// ones again, it has happened by now.
	again := critical("Later")
	again.Labels["instance"] = "2"
	m.fire(again)
	await(t, "the second flush of the new group", func() (string, bool) {
		got := team.got()
		return fmt.Sprint(len(got)), len(got[len(got)-1].page(t).Alerts) == 2
	})
	if n := len(team.got()); n != 4 {
		t.Errorf("the team got %d notifications, want 4: one each for three groups, and one when a second alert came", n)
	}
	for _, c := range []struct {
		who  string
		at   *endpoint
		want string
	}{
		{"ana", h.ana, "INC-1 INC-2 INC-3"},
		{"bo", h.bo, "INC-2"},
		{"cy", cy, "INC-3"},
	} {
		var got []string
		for _, hit := range c.at.got() {
			got = append(got, hit.page(t).Midwatch.Incident)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s was paged for %s, want %s", c.who, got, c.want)
		}
	}
}

// position is the line and column of the offset'th letter of the first occurrence.
func position(t testing.TB, text, of string, offset int) (line, column int) {
	t.Helper()
	at := strings.Index(text, of)
	if at < 0 {
		t.Fatalf("no %q in the text", of)
	}
	before := text[:at+offset]
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndex(before, "\n")
}

// metric is the value of a metric without labels.
func (m *midwatch) metric(name string) string {
	m.t.Helper()
	for line := range strings.Lines(m.get("/metrics")) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	m.t.Errorf("there is no metric %s", name)
	return ""
}
