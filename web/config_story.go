package web

import (
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

const storyConfig = `route:
  receiver: db
  group_by: [alertname]

receivers:
  - name: db
    incident_configs: [{escalation_policy: db}]
  - name: chat
    slack_configs: [{api_url: <secret>, channel: "#larm-åäö"}]

users:
  - name: ana
    full_name: Ana Duarte
    contact_methods: {chat: {slack: {api_url: <secret>, channel: "@ana"}}}

schedules:
  - name: db-primary
    time_zone: Europe/Lisbon
    layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
`

func configStories() []Story {
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		lisbon = time.UTC
	}
	page := func(change func(*ConfigPage)) func() framed {
		return func() framed {
			v := &ConfigPage{
				Shell: storyShell("config", "Configuration"), Text: storyConfig,
				Running: Running{File: "/etc/midwatch/midwatch.yml", Since: storyNow.Add(-26 * time.Hour)},
			}
			change(v)
			if v.Verdict != nil {
				v.Verdict.Shell = v.Shell
				if v.Verdict.Proposal != nil {
					v.Verdict.rows()
				}
			}
			return v
		}
	}
	good := Proposal{Good: true, Holds: "It has 2 receivers, 3 users, 1 schedule, 1 escalation policy and 0 SLOs.", From: storyNow, To: storyNow.AddDate(0, 0, 14), Since: storyNow.AddDate(0, 0, -7)}
	return []Story{
		{"config", "usual", page(func(v *ConfigPage) {
			p := good
			p.Changes = []ConfigChange{
				{"Routes", []string{`added service="checkout", to checkout`, "the root route: receiver db → everybody, group_wait 30s → 1m"}},
				{"Users", []string{"added cy", "changed ana"}},
				{"Schedules", []string{"changed db-primary"}},
			}
			p.Rota = []RotaChange{{Said: "Schedule db-primary, times of Europe/Lisbon: 2 stretches with others on call, ana 7 days less, cy 7 days more.", Zone: lisbon, Changes: []oncall.Change{
				{Start: time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Was: []string{"ana"}, Is: []string{"cy"}},
				{Start: time.Date(2026, 11, 7, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 8, 0, 0, 0, 0, time.UTC), Was: []string{"bo"}},
			}, More: 3}, {Said: "Schedule checkout is new (UTC). On call at the beginning: cy.", Zone: time.UTC}}
			p.Looked = 1412
			p.Moves = []Move{
				{Was: []string{"db (pages by db)"}, Is: []string{"checkout"}, Alerts: 37, Examples: []string{`{alertname="HighErrorRate", service="checkout", cluster="eu1"}`, `{alertname="SlowPayments", service="checkout", cluster="us1"}`}},
				{Was: []string{"db (pages by db)", "chat"}, Alerts: 1, Examples: []string{`{alertname="قاعدة البيانات بطيئة", team="överlevnad", mood="🔥"}`}},
			}
			p.Faults = []ConfigFault{{Line: 23, Column: 5, What: `schedule "db-primary": nobody is on call from 2026-11-07 00:00 to 2026-11-08 00:00`, Mend: "add a layer, or declare it under uncovered", Warning: true, Source: "  - name: db-primary"}}
			v.Verdict = &Verdict{Proposal: &p}
		})},
		{"config", "running", page(func(v *ConfigPage) {
			v.Running.Warnings = []ConfigFault{{File: "/etc/midwatch/midwatch.yml", Line: 14, Column: 9, What: "user bo is paged by nothing", Warning: true}}
			v.Included = []ConfigPart{{"/etc/midwatch/teams/checkout.yml", "users:\n  - name: cy\n"}, {"/etc/midwatch/teams/" + strings.Repeat("lång-", 30) + ".yml", ""}}
		})},
		{"config", "faulty", page(func(v *ConfigPage) {
			v.Verdict = &Verdict{Proposal: &Proposal{Faults: []ConfigFault{
				{Line: 4, Column: 14, What: `undefined receiver "dbb" used in route`, Mend: `did you mean "db"?`, Source: "  receiver: dbb"},
				{Line: 19, Column: 3, What: `user "ana": contact method "чат": "чат" is not a name`, Mend: "use letters, digits, _ . and -", Source: `    contact_methods: {чат: {slack: {}}} # ` + strings.Repeat("long ", 30)},
				{File: "/etc/midwatch/teams/checkout.yml", Line: 2, Column: 5, What: "a second user of this name", Mend: "rename or remove one"},
				{What: `include: "more/*.yml" is not looked at`, Warning: true},
			}}}
		})},
		{"config", "same", page(func(v *ConfigPage) { p := good; v.Verdict = &Verdict{Proposal: &p} })},
		{"config", "nobody-moves", page(func(v *ConfigPage) {
			p := good
			p.Changes, p.Looked = []ConfigChange{{"Global settings", []string{"changed"}}}, 20
			v.Verdict = &Verdict{Proposal: &p}
		})},
		{"config", "not-all", page(func(v *ConfigPage) {
			p := good
			p.Doubt, p.Changes = "Not all was looked at: that took longer than 5s. What is told below is true, but not the whole.", []ConfigChange{{"Users", []string{"added cy"}}}
			v.Verdict = &Verdict{Proposal: &p}
		})},
		{"config", "no-text", page(func(v *ConfigPage) { v.Text, v.Verdict = "", &Verdict{Empty: true} })},
		{"config", "too-large", page(func(v *ConfigPage) { v.Text, v.Large = "", true })},
	}
}
