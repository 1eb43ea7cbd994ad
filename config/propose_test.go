package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretsOf are words that only secrets hold in this text.
const veiledText = `
global:
  slack_api_url: https://hooks.slack.com/services/T0/B0/hunter2hunter2
  smtp_smarthost: mail.example.org:587
  smtp_from: mw@example.org
  smtp_auth_password: hunter2-mail
  http_config:
    proxy_url: http://proxy:hunter2proxy@proxy.example.org:3128
    http_headers: {X-Key: {secrets: [hunter2-header]}, X-Api-Key: {values: [hunter2-value]}}
route: {receiver: db, group_by: [alertname]} # the old one was hunter2-comment
receivers:
  - name: db
    incident_configs: [{escalation_policy: db}]
    # webhook_configs: [{url: "https://example.org/hunter2-commented"}]
    webhook_configs: [{url: "https://example.org/hook?key=hunter2-hook", http_config: {basic_auth: {username: mw, password: hunter2-basic}}}]
users:
  - name: ana
    contact_methods:
      chat: {slack: {api_url: "https://hooks.slack.com/services/T0/B0/hunter2-ana", channel: "@ana"}}
      hook: {webhook: {url: "https://example.org/hunter2-page"}, signing_secret: whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==}
      note: {ntfy: {server: https://ntfy.example.org, topic: ana, token: hunter2-ntfy}}
      sms: {sms: {account_sid: AC00000000000000000000000000000000, auth_token: hunter2-twilio, from: "+46701234567", to: "+46701234568"}}
calendars: [{name: holidays, url: "https://calendar.example.org/hunter2-calendar.ics"}]
heartbeats:
  - {name: backup, ping: true, ping_key: hunter2hunter2hunter2, every: 1h, escalation_policy: db, annotations: {summary: "see hunter2hunter2hunter2"}}
escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}, dead_man: {url: "https://hc.example.org/hunter2-dead"}}
chat: {telegram: {bot_token: "123:hunter2-bot", chat: "-1001234567890"}}
`

func TestNoSecretIsShown(t *testing.T) {
	cfg, faults := Load([]byte(veiledText), Options{File: "page.yml"})
	if cfg == nil {
		t.Fatal(faults)
	}
	shown := cfg.Shown()
	if len(shown) != 1 || shown[0].File != "page.yml" || shown[0].Text == "" {
		t.Fatalf("shown %+v", shown)
	}
	text := shown[0].Text
	for _, part := range []string{"hunter2", "whsec", "aHVudG", "#"} {
		if strings.Contains(text, part) {
			t.Errorf("%q is in\n%s", part, text)
		}
	}
	for _, part := range []string{"api_url: <secret>", "http://proxy:xxxxx@proxy.example.org:3128", "summary: see <secret>", "username: mw", "topic: ana", "channel: \"@ana\"", "smtp_smarthost: mail.example.org:587"} {
		if !strings.Contains(strings.ReplaceAll(text, `"`, ""), strings.ReplaceAll(part, `"`, "")) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	// What is shown can be proposed again, and changes nothing.
	again, faults := cfg.Propose([]byte(text), Options{})
	if again == nil {
		t.Fatalf("what is shown is not taken: %v\n%s", faults, text)
	}
	twice, err := Conceal([]byte(text))
	if err != nil || string(twice) != text {
		t.Errorf("concealed twice (%v):\n%s", err, twice)
	}
	base, faults := cfg.Propose(twice, Options{})
	if base == nil {
		t.Fatal(faults)
	}
	if diff := Diff(base, again); len(diff) > 0 {
		t.Errorf("the same text differs: %v", diff)
	}
}

func TestEveryExampleCanBeShownAndProposed(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		cfg, _ := LoadFile(file)
		if cfg == nil {
			continue // a scenario
		}
		for _, s := range cfg.Shown()[:1] {
			got, faults := cfg.Propose([]byte(s.Text), Options{})
			if got == nil {
				t.Errorf("%s: %v\n%s", file, faults, s.Text)
				continue
			}
			if diff := Diff(got, got); len(diff) > 0 {
				t.Errorf("%s: %v", file, diff)
			}
		}
	}
}

func TestAProposalReadsNoFiles(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("team.yml", "users: [{name: bo, contact_methods: {l: {log: {}}}}]\n")
	secret := put("secret", "hunter2hunter2hunter2")
	put("other.yml", "users: [{name: hunter2, contact_methods: {l: {log: {}}}}]\n")
	main := put("page.yml", `
route: {receiver: db}
receivers: [{name: db, incident_configs: [{escalation_policy: db}]}]
include: [team.yml]
heartbeats: [{name: backup, ping: true, ping_key_file: secret, every: 1h, escalation_policy: db}]
escalation_policies: [{name: db, steps: [{notify: [{user: bo}]}]}]
paging: {catch_all: {user: bo}}
`)
	cfg, faults := LoadFile(main)
	if cfg == nil {
		t.Fatal(faults)
	}
	base := string(cfg.Main())
	for name, c := range map[string]struct {
		text string
		good bool
		says string // one of the faults
	}{
		"itself":                     {base, true, ""},
		"another include":            {strings.Replace(base, "team.yml", "other.yml", 1), true, `include: "other.yml" is not looked at`},
		"every include":              {strings.Replace(base, "team.yml", `"*.yml"`, 1), true, `include: "*.yml" is not looked at`},
		"an include beyond":          {strings.Replace(base, "team.yml", "/etc/passwd", 1), true, `include: "/etc/passwd" is not looked at`},
		"SLOs beyond":                {base + "slo_files: [/etc/*]\n", true, `slo_files: "/etc/*" is not looked at`},
		"a calendar":                 {base + "calendars: [{name: x, file: /etc/passwd}]\n", true, "file /etc/passwd is not looked at"},
		"a secret as a calendar":     {base + "calendars: [{name: x, file: " + secret + "}]\n", true, "is not looked at"},
		"a calendar's address":       {base + "calendars: [{name: x, url_file: " + secret + "}]\n", true, "is not looked at"},
		"another key":                {strings.Replace(base, "ping_key_file: secret", "ping_key_file: page.yml", 1), true, "ping_key_file page.yml is not looked at"},
		"a dead man's switch":        {strings.Replace(base, "user: bo}}\n", "user: bo}, dead_man: {url_file: secret}}\n", 1), true, "url_file secret is not looked at"},
		"a key that is not shown":    {strings.Replace(base, "ping_key_file: secret", "ping_key: <secret>", 1), true, ""},
		"a calendar that is fetched": {base + "calendars: [{name: x, url: \"http://127.0.0.1:1/\"}]\n", true, "is not asked"},
		"a fault of its own":         {strings.Replace(base, "user: bo}]", "user: bob}]", 1), false, `did you mean "bo"?`},
	} {
		got, faults := cfg.Propose([]byte(c.text), Options{})
		if (got != nil) != c.good || !strings.Contains(faults.Error(), c.says) || c.says == "" && len(faults) > 0 {
			t.Errorf("%s: taken %v, with %v; want %v, with %q", name, got != nil, faults, c.good, c.says)
		}
		if strings.Contains(faults.Error(), "hunter2") {
			t.Errorf("%s: a fault says what a file holds: %v", name, faults)
		}
	}
	// A file is not what it was read as: where it is a proposal, <secret> is no key.
	if got, _ := LoadFile(put("veiled.yml", strings.Replace(base, "ping_key_file: secret", "ping_key: <secret>", 1))); got != nil {
		t.Error("a file with <secret> for a key is taken")
	}
}

func TestAProposalMayNotRepeatWithoutEnd(t *testing.T) {
	base, faults := Load([]byte("route: {receiver: x}\nreceivers: [{name: x}]\n"), Options{})
	if base == nil {
		t.Fatal(faults)
	}
	const head, route, tail = "route:\n  receiver: x\n  routes:\n", "    - {receiver: x, matchers: ['a=~\"(a|b|c){900}\"']}\n", "receivers: [{name: x}]\n"
	if cfg, faults := base.Propose([]byte(head+strings.Repeat(route, 10)+tail), Options{}); cfg == nil {
		t.Errorf("ten of them are refused: %v", faults)
	}
	if cfg, faults := base.Propose([]byte(head+strings.Repeat(route, 100)+tail), Options{}); cfg != nil || !strings.Contains(faults.Error(), "repeat so much") {
		t.Errorf("a hundred: taken %v, %v", cfg != nil, faults)
	}
	many := strings.Repeat("    - {receiver: x, matchers: ['ip=~\"[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}\"']}\n", 50)
	if cfg, faults := base.Propose([]byte(head+many+tail), Options{}); cfg == nil {
		t.Errorf("addresses are refused: %v", faults)
	}
	var faulty strings.Builder
	for i := range 3 * maxPlaced {
		fmt.Fprintf(&faulty, "k%d: 1\n", i)
	}
	if cfg, faults := base.Propose([]byte(faulty.String()), Options{}); cfg != nil || len(faults) == 0 || len(faults) > 2*maxPlaced+1 {
		t.Errorf("of %d faults, %d are told", 3*maxPlaced, len(faults))
	}
}

func FuzzConceal(f *testing.F) {
	f.Add([]byte(veiledText))
	f.Add([]byte("a: &x {b: *x}\n"))
	f.Add([]byte("users: [{name: a, contact_methods: {c: &m {webhook: {url: x}}}}]\nglobal: {slack_api_url: &u https://hunter2}\nroute: {receiver: *u}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := Conceal(text)
		if err != nil {
			return
		}
		if _, err := Conceal(once); err != nil && len(once) > 0 {
			t.Errorf("what was concealed cannot be read: %v\n%s", err, once)
		}
	})
}
