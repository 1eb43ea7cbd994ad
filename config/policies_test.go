package config

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
)

const catchAll = "paging: {catch_all: {user: di}}\n"

// What a policy does not say is SPEC's default.
func TestAPolicyOfOneStepHasTheDefaults(t *testing.T) {
	c := load(t, people+catchAll+"escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]\n"+stock)
	want := escalation.Policy{
		Name:       "db",
		Steps:      []escalation.Step{{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute}},
		Repeat:     3,
		RepeatFrom: 1,
	}
	if got := c.Policies["db"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	paging := escalation.Paging{CatchAll: escalation.Target{User: "di"}, CatchAllEvery: 4 * time.Hour}
	if c.Paging != paging || c.ReopenWindow != 15*time.Minute {
		t.Errorf("paging %+v, reopen window %s", c.Paging, c.ReopenWindow)
	}
}

func TestAPolicyIsReadWhole(t *testing.T) {
	c := load(t, people+`
schedules: [{name: db, time_zone: UTC}]
escalation_policies:
  - name: db
    steps:
      - notify: [{schedule: db}]
        escalate_after: 90s
      - notify: [{user: ana}, {user: bo}]
        escalate_after: 1h30m
        assign: round_robin
        require_acks: 2
      - notify: [{receiver: leads}, {user: ana}]
        assign: all
        require_acks: all
    repeat: 0
    repeat_from: 3
    ack_timeout: {sev1: 10m, sev5: 1d}
    urgency: support_hours
    support_hours: {time_zone: Europe/Lisbon, active: [{days: [mon-fri, sun], from: "09:00", to: "18:00"}, {from: fri 18:00, to: mon 09:00}, nights]}
    low_urgency: notify_only
  - {name: for-ever, steps: [{notify: [{user: ana}], require_acks: 1}], repeat: forever, urgency: auto, low_urgency: escalate}
  - {name: loud, steps: [{notify: [{user: ana}]}], urgency: high}
paging: {catch_all: {schedule: db}, catch_all_every: 1d, reopen_window: 0s}
time_intervals: [{name: nights, time_intervals: [{times: [{start_time: "20:00", end_time: "24:00"}]}]}]
route: {receiver: leads}
receivers: [{name: leads, webhook_configs: [{url: 'http://127.0.0.1/'}]}]
`)
	want := map[string]escalation.Policy{
		"db": {
			Name: "db",
			Steps: []escalation.Step{
				{Notify: []escalation.Target{{Schedule: "db"}}, EscalateAfter: 90 * time.Second},
				{Notify: []escalation.Target{{User: "ana"}, {User: "bo"}}, EscalateAfter: 90 * time.Minute, Assign: escalation.AssignRoundRobin, RequireAcks: 2},
				{Notify: []escalation.Target{{Receiver: "leads"}, {User: "ana"}}, EscalateAfter: 5 * time.Minute, RequireAcks: escalation.AllAcks},
			},
			Repeat:     0,
			RepeatFrom: 3,
			AckTimeout: map[string]time.Duration{"sev1": 10 * time.Minute, "sev5": 24 * time.Hour},
			Urgency:    escalation.UrgencySupportHours,
			SupportHours: &escalation.Hours{TimeZone: "Europe/Lisbon", Active: []escalation.Window{
				{Days: []string{"mon-fri", "sun"}, From: "09:00", To: "18:00"},
				{From: "fri 18:00", To: "mon 09:00"},
				{Named: "nights"},
			}},
			LowUrgency: escalation.LowNotifyOnly,
		},
		"for-ever": {
			Name:       "for-ever",
			Steps:      []escalation.Step{{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute}},
			Repeat:     escalation.Forever,
			RepeatFrom: 1,
		},
		"loud": {
			Name:       "loud",
			Steps:      []escalation.Step{{Notify: []escalation.Target{{User: "ana"}}, EscalateAfter: 5 * time.Minute}},
			Repeat:     3,
			RepeatFrom: 1,
			Urgency:    escalation.UrgencyHigh,
		},
	}
	if !reflect.DeepEqual(c.Policies, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c.Policies, want)
	}
	if want := []string{"db", "for-ever", "loud"}; !slices.Equal(c.PolicyOrder, want) {
		t.Errorf("order %v, want %v", c.PolicyOrder, want)
	}
	paging := escalation.Paging{CatchAll: escalation.Target{Schedule: "db"}, CatchAllEvery: 24 * time.Hour}
	if c.Paging != paging || c.ReopenWindow != 0 {
		t.Errorf("paging %+v, reopen window %s", c.Paging, c.ReopenWindow)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

// Support hours beside another urgency are SPEC's own example: a warning, and not used.
func TestUnusedSupportHoursAreAWarning(t *testing.T) {
	c := load(t, people+catchAll+`
escalation_policies:
  - {name: db, steps: [{notify: [{user: ana}]}], support_hours: {time_zone: UTC, active: [{}]}}
`+stock)
	if c.Policies["db"].SupportHours != nil {
		t.Error("they are used")
	}
	want := Faults{
		{File: "am.yml", Line: 10, Column: 50, Warning: true, Message: `escalation policy "db": support_hours is not used, since urgency is auto`, Hint: "write urgency: support_hours, or remove it"},
		{File: "am.yml", Line: 10, Column: 91, Warning: true, Message: `escalation policy "db": support_hours: active: window 1: an empty window is all of every day`, Hint: "remove the list for always, or say days, from or to"},
	}
	if !reflect.DeepEqual(c.Warnings, want) {
		t.Errorf("got\n%v\nwant\n%v", c.Warnings, want)
	}
}

// What one broken section defines is not missed in the others.
func TestABrokenSectionCausesNoFurtherFaults(t *testing.T) {
	_, faults := Load([]byte(`
users: {name: ana}
schedules: [{time_zone: UTC}]
escalation_policies: [{name: db, steps: [{notify: [{user: ana}, {schedule: db}]}]}]
paging: {catch_all: {user: ana}}
`+stock), Options{})
	want := "2:8: users is a mapping; write a list such as [ … ]\n" +
		"3:13: schedule 1 has no name; add name: a name"
	if got := faults.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
