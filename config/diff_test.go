package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const before = `
global: {smtp_smarthost: localhost:25, smtp_from: midwatch@example.org, smtp_auth_password: not-to-be-seen}
users: [{name: ana, email: ana@example.org}, {name: bo, email: bo@example.org}]
schedules: [{name: db, time_zone: Europe/Lisbon, layers: [{rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]}]
escalation_policies: [{name: db, steps: [{notify: [{schedule: db}]}]}]
paging: {catch_all: {user: ana}}
route: {receiver: none}
receivers: [{name: none}, {name: db, incident_configs: [{escalation_policy: db}]}]
maintenance:
  - {name: weekly, matchers: [service="batch"], time_zone: Europe/Lisbon, cron: 0 22 * * SUN, for: 2h}
  - {name: move, matchers: [service="db"], time_zone: Europe/Lisbon, from: 2026-12-01 22:00, to: 2026-12-02 02:00}
`

// A reload's log says in a few lines what changed, and nothing when the same file is read again.
func TestDiffSaysWhatAReloadChanged(t *testing.T) {
	for _, c := range []struct {
		name, was, is string
		want          []string
	}{
		{"nothing", "", "", nil},
		{"a contact method", "ana@example.org", "ana@example.com", []string{"users: changed ana"}},
		{"a person more", "{name: bo,", "{name: cy}, {name: bo,", []string{"users: added cy"}},
		{"a rotation", "every: 1w", "every: 2w", []string{"schedules: changed db"}},
		{"a schedule's name", "name: db, time_zone", "name: dba, time_zone", []string{"schedules: added dba, removed db", "escalation_policies: changed db"}},
		{"a step", "[{schedule: db}]", "[{schedule: db}, {user: bo}]", []string{"escalation_policies: changed db"}},
		{"paging", "paging: {", "paging: {reopen_window: 1h, ", []string{"paging: changed"}},
		{"severities", "paging:", "severities: {page: sev1, wake: sev1}\npaging:", []string{"severities: added wake, changed page"}},
		{"incidents", "{escalation_policy: db}", "{escalation_policy: db, scope: alert}", []string{"incident_configs: changed db"}},
		{"a longer window", "for: 2h", "for: 240m", []string{
			"maintenance: changed weekly",
			`maintenance weekly: was {service="batch"}, cron "0 22 * * SUN" for 2h, Europe/Lisbon; is {service="batch"}, cron "0 22 * * SUN" for 4h, Europe/Lisbon`,
		}},
		{"another window", `[service="db"], time_zone: Europe/Lisbon, from: 2026-12-01`, `[service="db", env="prod"], time_zone: UTC, from: 2026-11-30`, []string{
			"maintenance: changed move",
			`maintenance move: was {service="db"}, 2026-12-01 22:00 to 2026-12-02 02:00, Europe/Lisbon; is {service="db",env="prod"}, 2026-11-30 22:00 to 2026-12-02 02:00, UTC`,
		}},
		{"another window's name", "name: move", "name: moving", []string{"maintenance: added moving, removed move"}},
		{"a window's comment", "for: 2h", "for: 2h, comment: the vacuum", []string{"maintenance: changed weekly"}},
		{"a window in other words", "for: 2h", "for: 120m", nil},
		{"dispatch", "paging:", "dispatch: {resolved_under_silence: notify}\npaging:", []string{"dispatch: changed"}},
		{"the default of dispatch", "paging:", "dispatch: {resolved_under_silence: drop}\npaging:", nil},
		{"a secret", "not-to-be-seen", "not-to-be-shown", []string{"users: changed ana bo", "global: changed"}},
		{"a route", "receiver: none}", "receiver: none, group_by: [a]}", []string{"route: changed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := before
			if c.was != "" {
				is = strings.Replace(before, c.was, c.is, 1)
				if c.name == "a schedule's name" {
					is = strings.Replace(is, "{schedule: db}", "{schedule: dba}", 1)
				}
			}
			got := Diff(load(t, before), load(t, is))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDiffNamesAFewOfMany(t *testing.T) {
	many := "users: ["
	for i := range 20 {
		many += fmt.Sprintf("{name: u%02d}, ", i)
	}
	got := Diff(load(t, stock), load(t, many+"]\n"+stock))
	if want := []string{"users: added u00 u01 u02 u03 u04 u05 u06 u07 and 12 more"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
