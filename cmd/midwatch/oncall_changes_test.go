package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Commands show times as the machine's owner reads them; here everybody reads UTC.
func init() { time.Local = time.UTC }

// changesConfig has ana and bo take weeks in primary, from Monday to Monday, 9:00 in Lisbon, of whom bo has the week of 14
// January 2036.
const changesConfig = `
route: {receiver: oncall}
receivers: [{name: oncall, incident_configs: [{escalation_policy: db}]}]
users:
  - {name: ana, contact_methods: {hook: {log: {}}}}
  - name: bo
    time_zone: Europe/Lisbon
    contact_methods: {hook: {log: {}}}
    unavailable: [{from: 2036-02-01 09:00, to: 2036-02-02 09:00, reason: course}]
  - {name: cto, contact_methods: {hook: {log: {}}}}
schedules:
  - name: primary
    time_zone: Europe/Lisbon
    layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
    overrides: [{take: cto, from: 2036-03-01 09:00, to: 2036-03-02 09:00}]
escalation_policies: [{name: db, steps: [{notify: [{schedule: primary}]}]}]
paging: {catch_all: {user: cto}}
`

// TestAConversationAboutWhoIsOnCall is what people type, and what comes back.
func TestAConversationAboutWhoIsOnCall(t *testing.T) {
	t.Setenv("USER", "ana")
	m := begin(t, changesConfig)
	moment := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`)
	for _, c := range []struct {
		args   string // words; an underscore is a space within one
		code   int
		stdout string
		stderr string
	}{
		{"override list", 0, "ID          WHAT            FROM              TO                MADE BY\nprimary-f1  cto takes over  2036-03-01 09:00  2036-03-02 09:00  the configuration\n", ""},
		{"override add --schedule primary --replace bo --with cto --from 2036-01-15_09:00 --to 2036-01-16_09:00", 0, "primary-1\n", ""},
		{
			"override add --schedule primary --remove bo --from 2036-01-16T00:00:00Z --to 2036-01-16T12:00:00Z --by cto", 0, "primary-2\n",
			"midwatch: it overlaps primary-1 (cto replaces bo, from Tue 2036-01-15 09:00 to Wed 2036-01-16 09:00 Europe/Lisbon); the later one has the last word\n" +
				"midwatch: it leaves nobody on call from Wed 2036-01-16 09:00 to Wed 2036-01-16 12:00 Europe/Lisbon\n",
		},
		{
			"override list --schedule primary", 0, "ID          WHAT             FROM              TO                MADE BY\n" +
				"primary-f1  cto takes over   2036-03-01 09:00  2036-03-02 09:00  the configuration\n" +
				"primary-1   cto replaces bo  2036-01-15 09:00  2036-01-16 09:00  ana\n" +
				"primary-2   bo is removed    2036-01-16 00:00  2036-01-16 12:00  cto\n", "",
		},
		{"override remove primary-2 primary-1", 0, "primary-2 is removed\nprimary-1 is removed\n", ""},
		{"override remove primary-1", 3, "", "midwatch: schedule primary has no override \"primary-1\"\n"},
		{"override remove primary-f1", 1, "", "midwatch: primary-f1 is override 1 of schedule primary in the configuration file; change it there and reload\n"},
		{"override list --schedule primry", 3, "", "midwatch: there is no schedule \"primry\" (did you mean \"primary\"?)\n"},
		{"override add --schedule primary --take cto --from 2006-01-15_09:00 --to 2006-01-16_09:00", 1, "", "midwatch: it would have ended at 2006-01-16 09:00 UTC; what has been stays as it was recorded, so make one that ends in the future\n"},

		{"swap list", 3, "", ""},
		{"swap request --schedule primary --from-user bo --with ana --from 2036-01-14_09:00 --to 2036-01-16_09:00 --for-from 2036-01-22_09:00 --for-to 2036-01-23_09:00", 0, "SWAP-1\n", ""},
		{"swap list", 0, "ID      STATE  SCHEDULE  GIVES                                     FOR\n" +
			"SWAP-1  open   primary   bo: 2036-01-14 09:00 to 2036-01-16 09:00  ana: 2036-01-22 09:00 to 2036-01-23 09:00\n", ""},
		{"swap accept SWAP-1 --by bo", 1, "", "midwatch: ana is the one who was asked in SWAP-1, not bo\n"},
		{"swap accept SWAP-1 --by ana", 0, "SWAP-1 is accepted\n", ""},
		{"swap cancel SWAP-1 --by bo", 1, "", "midwatch: SWAP-1 is not open any more: accepted by ana at WHEN\n"},
		{"swap request --schedule primary --with bo --from 2036-01-29_09:00 --to 2036-01-29_10:00", 1, "", "midwatch: ana is not on call in primary between 2036-01-29 09:00 UTC and 2036-01-29 10:00 UTC; midwatch oncall shifts shows when\n"},
		{"swap request --schedule primary --with cto --from 2036-02-05_09:00 --to 2036-02-05_10:00", 0, "SWAP-2\n", ""},
		{"swap decline SWAP-2 --by cto", 0, "SWAP-2 is declined\n", ""},
		{"swap list --state all --user cto", 0, "ID      STATE     SCHEDULE  GIVES                                      FOR\n" +
			"SWAP-2  declined  primary   ana: 2036-02-05 09:00 to 2036-02-05 10:00  cto: nothing\n", ""},
		{"override list", 0, "ID          WHAT             FROM              TO                MADE BY\n" +
			"primary-f1  cto takes over   2036-03-01 09:00  2036-03-02 09:00  the configuration\n" +
			"primary-3   ana replaces bo  2036-01-14 09:00  2036-01-16 09:00  ana, SWAP-1\n" +
			"primary-4   bo replaces ana  2036-01-22 09:00  2036-01-23 09:00  ana, SWAP-1\n", ""},
		{"override remove primary-3", 0, "primary-3 is removed\n", "midwatch: it was part of SWAP-1, of which primary-4 stays; remove the rest, too, if the swap is off\n"},

		{
			"absence add --user bo --from 2036-01-17_09:00 --to 2036-01-18_09:00 --reason dentist", 0, "bo-5\n",
			"midwatch: bo is on call in primary from 2036-01-17 09:00 to 2036-01-18 09:00; ana could stand in\n",
		},
		{"absence list", 0, "ID     USER  FROM              TO                MADE BY            REASON\n" +
			"bo-5   bo    2036-01-17 09:00  2036-01-18 09:00  ana                dentist\n" +
			"bo-f1  bo    2036-02-01 09:00  2036-02-02 09:00  the configuration  course\n", ""},
		{"absence remove bo-5", 0, "bo-5 is removed\n", ""},
		{"absence remove bo-f1", 1, "", "midwatch: bo-f1 is entry 1 of unavailable of user bo in the configuration file; change it there and reload\n"},
		{"absence list --user ana", 3, "", ""},
		{"absence list --user nemo", 3, "", "midwatch: there is no user \"nemo\"; known are: ana, bo, cto\n"},
	} {
		words := []string{"oncall"}
		for _, word := range strings.Fields(c.args) {
			words = append(words, strings.ReplaceAll(word, "_", " "))
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), append(words, "--url", m.url), &stdout, &stderr)
		said := stderr.String()
		if strings.Contains(c.stderr, "WHEN") {
			said = moment.ReplaceAllString(said, "WHEN")
		}
		if code != c.code || stdout.String() != c.stdout || said != c.stderr {
			t.Errorf("%s: %d\n%s%s\nwant %d\n%s%s", c.args, code, stdout.String(), said, c.code, c.stdout, c.stderr)
		}
	}
	// What machines read is what the server said; a list of several schedules is a list of their lists.
	var stdout bytes.Buffer
	if code := run(context.Background(), []string{"oncall", "override", "list", "-o", "json", "--url", m.url}, &stdout, &stdout); code != 0 || !strings.HasPrefix(stdout.String(), "[\n  {\n    \"schedule\": \"primary\",\n    \"overrides\": [") {
		t.Errorf("%d %s", code, stdout.String())
	}
}
