package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const onePolicy = "escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]\n"

func TestHeartbeatsAreRead(t *testing.T) {
	c, faults := LoadFile("testdata/good/full.yml")
	if c == nil {
		t.Fatal(faults)
	}
	if len(c.Heartbeats) != 4 {
		t.Fatalf("%d heartbeats", len(c.Heartbeats))
	}
	main, backup := c.Heartbeats[0], c.Heartbeats[2]
	if got := main.Matchers.String(); got != `{alertname="Watchdog",cluster="main"}` {
		t.Errorf("it listens to %s", got)
	}
	main.Matchers = nil
	if want := (Heartbeat{Name: "prometheus-main", Every: time.Minute, Grace: 2 * time.Minute, Policy: "db", Severity: "sev2"}); !reflect.DeepEqual(main, want) {
		t.Errorf("%+v", main)
	}
	if want := (Heartbeat{
		Name: "backup", Key: "not-to-be-seen-0123456789", Every: 24 * time.Hour, Grace: time.Hour, Policy: "db", Severity: "sev3",
		Labels:      map[string]string{"team": "db"},
		Annotations: map[string]string{"summary": "The nightly backup did not end well", "runbook_url": "https://runbooks.example.org/backup"},
	}); !reflect.DeepEqual(backup, want) {
		t.Errorf("%+v", backup)
	}
	if !c.Heartbeats[1].Paused || c.Heartbeats[3].Grace != time.Hour || c.Heartbeats[3].Severity != "sev2" {
		t.Errorf("%+v", c.Heartbeats)
	}
	if c.BlindPolicy != "db" || *c.DeadMan != (DeadMan{URL: "https://dead.example.org/not-to-be-seen", Every: time.Minute, Method: "GET"}) {
		t.Errorf("blind %q, dead man %+v", c.BlindPolicy, c.DeadMan)
	}
}

// What a heartbeat does not say follows from how often it comes.
func TestAHeartbeatHasDefaults(t *testing.T) {
	c := load(t, people+catchAll+onePolicy+"heartbeats: [{name: a, ping: true, every: 5m, escalation_policy: db}]\n"+stock)
	if want := (Heartbeat{Name: "a", Every: 5 * time.Minute, Grace: 5 * time.Minute, Policy: "db", Severity: "sev2"}); !reflect.DeepEqual(c.Heartbeats[0], want) {
		t.Errorf("%+v", c.Heartbeats[0])
	}
	if c.DeadMan != nil || c.BlindPolicy != "" {
		t.Errorf("dead man %v, blind %q", c.DeadMan, c.BlindPolicy)
	}
}

func TestThereAreNotTooManyHeartbeats(t *testing.T) {
	one := "  - {name: NAME, ping: true, every: 1h, escalation_policy: db}\n"
	var b strings.Builder
	for i := range MaxHeartbeats + 1 {
		b.WriteString(strings.ReplaceAll(one, "NAME", "h"+strings.Repeat("x", i)))
	}
	_, faults := Load([]byte(people+catchAll+onePolicy+"heartbeats:\n"+b.String()+stock), Options{})
	if got := faults.Error(); !strings.Contains(got, "there are more than 500 heartbeats; watch the most important ones") {
		t.Errorf("%s", got)
	}
}

// A fault never shows a secret, nor does what a reload changed.
func TestHeartbeatsKeepTheirSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"short": "nottobeseen", "url": "nottobeseen://"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, faults := Load([]byte(people+"paging: {catch_all: {user: di}, dead_man: {url_file: url}}\n"+onePolicy+
		"heartbeats: [{name: a, ping: true, ping_key_file: short, every: 5m, escalation_policy: db}]\n"+stock), Options{Dir: dir})
	if text := faults.Error(); len(faults) != 2 || strings.Contains(text, "nottobeseen") {
		t.Errorf("%s", text)
	}
	with := func(key, url string) *Config {
		return load(t, people+"paging: {catch_all: {user: di}, dead_man: {url: 'https://"+url+"/'}}\n"+onePolicy+
			"heartbeats: [{name: a, ping: true, ping_key: "+key+", every: 5m, escalation_policy: db}]\n"+stock)
	}
	lines := Diff(with("secret-0123456789", "one"), with("secret-9876543210", "two"))
	if got := strings.Join(lines, "; "); got != "paging: changed; heartbeats: changed a" {
		t.Errorf("%s", got)
	}
}
