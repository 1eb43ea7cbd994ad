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
heartbeats:
  - {name: eu, alert: ['alertname="Watchdog"', 'cluster="eu"'], every: 1m, escalation_policy: db}
slos:
  - name: checkout
    objective: 99.9
    window: 30d
    sli: {alerts: ['alertname="CheckoutDown"']}
    escalation_policy: db
  - name: search
    objective: 99.5
    window: 28d
    sli: {prometheus: {url: "http://prometheus:9090", bad: "sum(rate(bad_total[2m]))", total: "sum(rate(all_total[2m]))"}}
    escalation_policy: db
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
		{"a schedule's notices", "name: db, time_zone: Europe/Lisbon, ", "name: db, time_zone: Europe/Lisbon, notices: {before: [1h]}, ", []string{"schedules: changed db"}},
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
		{"a heartbeat's patience", "every: 1m", "every: 2m", []string{"heartbeats: changed eu"}},
		{"another heartbeat's alert", `cluster="eu"`, `cluster="us"`, []string{"heartbeats: changed eu"}},
		{"a heartbeat's name", "name: eu", "name: europe", []string{"heartbeats: added europe, removed eu"}},
		{"a heartbeat in other words", "every: 1m", "every: 60s", nil},
		{"a stricter objective", "objective: 99.9", "objective: 99.95", []string{"slos: changed checkout", "slo checkout: changed objective"}},
		{"other alerts of an SLO", "CheckoutDown", "ShopDown", []string{"slos: changed checkout", "slo checkout: changed sli"}},
		{"another server", "prometheus:9090", "prometheus:9091", []string{"slos: changed search", "slo search: changed sli"}},
		{"another query and window", `window: 28d
    sli: {prometheus: {url: "http://prometheus:9090", bad: "sum(rate(bad_total[2m]))"`, `window: 14d
    by: [cluster]
    sli: {prometheus: {url: "http://prometheus:9090", bad: "sum by (cluster) (rate(bad_total[2m]))"`, []string{"slos: changed search", "slo search: changed window, sli, by"}},
		{"thresholds that were the default", "window: 30d", "window: 30d\n    thresholds: [{name: half-gone, budget_consumed: 50%, severity: sev4}]", []string{"slos: changed checkout", "slo checkout: changed thresholds"}},
		{"the default thresholds, written", "window: 30d", `window: 30d
    thresholds:
      - {name: page-fast,   burn_rate: 14.4, long: 1h, short: 5m,  severity: sev2}
      - {name: page-slow,   burn_rate: 6,    long: 6h, short: 30m, severity: sev2}
      - {name: ticket-fast, burn_rate: 3,    long: 1d, short: 2h,  severity: sev4}
      - {name: ticket-slow, burn_rate: 1,    long: 3d, short: 6h,  severity: sev4}
      - {name: half-gone, budget_consumed: 50%, severity: sev4}`, nil},
		{"an SLO's name", "name: search", "name: searching", []string{"slos: added searching, removed search"}},
		{"an SLO in other words", "window: 28d", "window: 4w", nil},
		{"an SLO's other words", "objective: 99.5", "objective: 99.5\n    service: shop\n    clear_for: 10m\n    reopen_window: 2h\n    runbook_url: https://x.example\n    description: Found", []string{"slos: changed search", "slo search: changed service, description, clear_for, reopen_window, runbook_url"}},
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
