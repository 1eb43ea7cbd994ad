//go:build linux

package integration_test

import (
	"strings"
	"testing"
)

const cliConfig = smallConfig + `
schedules:
  - name: primary
    time_zone: Europe/Lisbon
    layers:
      - {rotation: {users: [ana], start: 2026-01-05 09:00, every: 1w}}
`

// What a person does at a terminal, against a running daemon, with the exit codes that scripts rely on.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	h := newHousehold(t)
	m := serve(t, h.config(cliConfig))

	if got := m.cli("incidents"); got.code != 3 {
		t.Errorf("no incidents: %+v, want exit code 3", got)
	}
	m.fire(critical("Disk"))
	awaitPage(t, h.ana, "INC-1")

	var page struct {
		Incidents []incident `json:"incidents"`
	}
	got := m.cli("incidents", "-o", "json")
	decode(t, got.out, &page)
	if got.code != 0 || got.errors != "" || len(page.Incidents) != 1 || page.Incidents[0].ID != "INC-1" || page.Incidents[0].Status != "triggered" {
		t.Errorf("incidents -o json: %+v", got)
	}
	if got := m.cli("incidents"); got.code != 0 || !strings.Contains(got.out, "INC-1") || !strings.Contains(got.out, "Disk is wrong") {
		t.Errorf("incidents: %+v", got)
	}
	if got := m.cli("oncall", "now"); got.code != 0 || !strings.Contains(got.out, "primary") || !strings.Contains(got.out, "ana") {
		t.Errorf("oncall now: %+v", got)
	}
	if got := m.cli("ack", "INC-1", "--by", "ana"); got.code != 0 || !strings.Contains(got.out, "acknowledged by ana") {
		t.Errorf("ack INC-1: %+v", got)
	}
	if i := m.incident("INC-1"); i.Status != "acknowledged" || !i.NextAt.IsZero() {
		t.Errorf("after ack INC-1 is %s and pages on at %s", i.Status, i.NextAt)
	}
	if got := m.cli("note", "INC-1", "the log partition", "--by", "ana"); got.code != 0 {
		t.Errorf("note: %+v", got)
	}
	if got := m.cli("incident", "show", "INC-1"); got.code != 0 || !strings.Contains(got.out, "the log partition") {
		t.Errorf("incident show: %+v", got)
	}
	if got := m.cli("resolve", "INC-1", "--by", "ana"); got.code != 0 || !strings.Contains(got.out, "resolved by ana") {
		t.Errorf("resolve: %+v", got)
	}

	for _, c := range []struct {
		what string
		args []string
		code int
	}{
		{"escalating what is resolved", []string{"escalate", "INC-1", "--by", "ana"}, 1},
		{"an unknown flag", []string{"incidents", "--upside-down"}, 2},
		{"an unknown command", []string{"incident", "paint", "INC-1"}, 2},
		{"ack without an incident", []string{"ack"}, 2},
		{"an incident that does not exist", []string{"ack", "INC-99", "--by", "ana"}, 3},
		{"a filter that matches nothing", []string{"incidents", "--status", "triggered"}, 3},
	} {
		got := m.cli(c.args...)
		if got.code != c.code {
			t.Errorf("%s: %+v, want exit code %d", c.what, got, c.code)
		}
		if c.code != 3 && (got.out != "" || got.errors == "") {
			t.Errorf("%s: an error is for stderr alone: %+v", c.what, got)
		}
	}
	m.stop()
	if got := m.cli("incidents"); got.code != 4 || got.errors == "" {
		t.Errorf("without a server: %+v, want exit code 4", got)
	}
}
