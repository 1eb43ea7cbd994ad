package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/config"
)

const proposedOver = `
route:
  receiver: db
  group_by: [alertname]
  group_wait: 1ms
  routes:
    - {receiver: checkout, matchers: ['service="checkout"']}
receivers:
  - {name: db, incident_configs: [{escalation_policy: db}]}
  - {name: checkout, webhook_configs: [{url: "http://127.0.0.1:1/hunter2"}]}
users:
  - {name: ana, contact_methods: {log: {log: {}}}}
  - {name: bo, contact_methods: {log: {log: {}}}}
schedules:
  - name: primary
    time_zone: UTC
    layers: [{name: weekly, rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]
escalation_policies:
  - {name: db, steps: [{notify: [{schedule: primary}]}]}
paging: {catch_all: {user: ana}}
`

// propose posts a text as the page does, and returns what is said of it, as words.
func (r *running) propose(text string) string {
	r.Helper()
	resp, err := http.PostForm(r.url+"/config", url.Values{"text": {text}})
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.Fatalf("%d %v\n%s", resp.StatusCode, err, page)
	}
	_, verdict, _ := strings.Cut(string(page), `<section id="verdict"`)
	verdict, _, _ = strings.Cut(verdict, "</section>")
	var words strings.Builder
	for part := range strings.SplitSeq(verdict, "<") {
		_, said, _ := strings.Cut(part, ">")
		words.WriteString(said + " ")
	}
	return strings.Join(strings.Fields(html.UnescapeString(words.String())), " ")
}

func TestAProposedConfigurationIsComparedWithTheRunningOne(t *testing.T) {
	r := begin(t, proposedOver)
	r.ask("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Slow","service":"checkout"}},{"labels":{"alertname":"Lag","service":"db"}},{"labels":{"alertname":"Lag2","service":"db"}}]`)
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(proposedOver) }
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"the same":        {proposedOver, []string{"This file is good.", "Nothing would change"}},
		"another secret":  {change("hunter2", "hunter3"), []string{"Nothing would change"}},
		"a route to all":  {change(`- {receiver: checkout, matchers: ['service="checkout"']}`, `[]`), []string{`removed service="checkout", which went to checkout`, "1 alert that went to checkout would go to db (pages by db)", `service="checkout"`, "Of 3 alerts"}},
		"a route away":    {change("    - {receiver: checkout", `    - {receiver: checkout, matchers: ['service="db"']}`+"\n    - {receiver: checkout"), []string{`added service="db", to checkout`, "2 alerts that went to db (pages by db) would go to checkout"}},
		"a slower root":   {change("group_wait: 1ms", "group_wait: 2m"), []string{"the root route: group_wait 1ms → 2m", "All 3 alerts that fired go where they went"}},
		"another rota":    {change("users: [ana, bo]", "users: [bo]"), []string{"changed primary", "Schedule primary, times of UTC", "bo", "more"}},
		"somebody new":    {change("users:\n", "users:\n  - {name: cy, contact_methods: {log: {log: {}}}}\n"), []string{"Users added cy", "Nobody would be on call differently", "It has 2 receivers, 3 users"}},
		"a receiver more": {change("receivers:\n", "receivers:\n  - {name: new}\n"), []string{"Receivers added new"}},
		"a fault":         {change("receiver: db\n", "receiver: bd\n"), []string{"This file would not be taken: 1 error", "line 3, column"}},
		"no YAML":         {"a: [\n", []string{"would not be taken"}},
		"an include":      {"include: [/etc/passwd]\n" + proposedOver, []string{"This file is good", `include: "/etc/passwd" is not looked at`}},
		"nothing of ours": {"route: {receiver: x}\nreceivers: [{name: x}]\n", []string{"This file is good", "removed ana, bo", "3 alerts", "would go to x"}},
	} {
		got := r.propose(c.text)
		for _, want := range c.want {
			want = strings.ReplaceAll(want, "ana, bo", "ana bo")
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in: %s", name, want, got)
			}
		}
		if strings.Contains(got, "root:x:0") || strings.Contains(got, "hunter") {
			t.Errorf("%s: it says what nobody may see: %s", name, got)
		}
	}
	if resp, page := r.ask("GET", "/config"); resp.StatusCode != http.StatusOK || strings.Contains(page, "hunter2") || !strings.Contains(page, "midwatch.yml") {
		t.Errorf("%d %s", resp.StatusCode, page)
	}
	if text, err := os.ReadFile(r.file); err != nil || string(text) != proposedOver {
		t.Errorf("the file was changed: %v", err)
	}
	if _, status := r.ask("GET", "/api/v2/status"); strings.Contains(status, "name: x") {
		t.Errorf("a proposal runs: %s", status)
	}
}

// What is proposed must not take the machine from those who are to be paged.
func TestAProposalIsBoundedInTime(t *testing.T) {
	cfg, faults := config.Load([]byte(proposedOver), config.Options{})
	if cfg == nil {
		t.Fatal(faults)
	}
	var b strings.Builder
	b.WriteString(proposedOver)
	b.WriteString("calendars:\n")
	for i := 0; b.Len() < 500<<10; i++ {
		fmt.Fprintf(&b, "  - {name: c%d, url: \"https://example.org/%d\"}\n", i, i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	is, _ := cfg.Propose([]byte(b.String()), config.Options{})
	t.Logf("500 KiB of calendars: %s, taken %v", time.Since(began), is != nil)
	if got := rotaChanges(ctx, cfg, &config.Config{}, began, began.Add(time.Hour)); len(got) > 0 {
		t.Errorf("it goes on when nobody waits any more: %v", got)
	}
}

func TestACalendarThatIsProposedIsNotAsked(t *testing.T) {
	a := newAlmanac(filepath.Join(t.TempDir(), "calendars"), nil)
	if data, err := a.known(config.Calendar{Name: "x", URL: "http://127.0.0.1:1/"}); data != nil || err != nil {
		t.Errorf("%q %v", data, err)
	}
	a.sheets["x"] = &sheet{address: "https://example.org/", data: []byte("kept")}
	if data, err := a.known(config.Calendar{Name: "x", URL: "<secret>"}); string(data) != "kept" || err != nil {
		t.Errorf("%q %v", data, err)
	}
}
