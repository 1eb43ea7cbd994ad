package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
)

// folder writes files, and answers with where the first is.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

const teamMain = `
include: [teams/*.yml, "*.yml", teams/a.yml]
users: [{name: ana, contact_methods: {log: {log: {}}}}]
paging: {catch_all: {user: ana}}
route:
  receiver: none
  routes: [{receiver: first}]
receivers: [{name: none}, {name: first}, {name: a}, {name: b}]
time_intervals: [{name: nights, time_intervals: [{times: [{start_time: "20:00", end_time: "24:00"}]}]}]
`

// Each team owns its file: its people, schedules, policies and routes join those of the main file, in the order of
// the files' names, each file once.
func TestTeamsIncludeTheirFiles(t *testing.T) {
	path := folder(t, "midwatch.yml", teamMain,
		"teams/b.yml", "{routes: [{receiver: b, routes: [{receiver: a}]}], severities: {info: sev5}}",
		"teams/a.yml", `
users: [{name: bo, contact_methods: {log: {log: {}}}}]
schedules: [{name: web, time_zone: UTC, layers: [{rotation: {users: [ana, bo], start: 2026-01-05 09:00, every: 1w}}]}]
escalation_policies: [{name: web, steps: [{notify: [{schedule: web}]}]}]
routes:
  - receiver: a
    matchers: [service="web"]
    group_by: [...]
    active_time_intervals: [nights]
`,
		"teams/empty.yml", "# nothing yet\n")
	c, faults := LoadFile(path)
	if c == nil {
		t.Fatal(faults)
	}
	if want := []string{"ana", "bo"}; !slices.Equal(c.UserOrder, want) {
		t.Errorf("users %v", c.UserOrder)
	}
	if c.Schedules["web"] == nil || len(c.Policies["web"].Steps) != 1 || c.Severities["info"] != "sev5" {
		t.Errorf("schedules %v, policies %v, severities %v", c.Schedules, c.Policies, c.Severities)
	}
	var files []string
	for _, f := range c.Files {
		files = append(files, filepath.Base(f))
	}
	if want := []string{"midwatch.yml", "a.yml", "b.yml", "empty.yml"}; !slices.Equal(files, want) {
		t.Errorf("read %v, want %v", files, want)
	}

	// The whole is what one Alertmanager file with those routes would be.
	want, err := amconfig.Load(`
route:
  receiver: none
  routes:
    - receiver: first
    - receiver: a
      matchers: [service="web"]
      group_by: [...]
      active_time_intervals: [nights]
    - {receiver: b, routes: [{receiver: a}]}
receivers: [{name: none}, {name: first}, {name: a}, {name: b}]
time_intervals: [{name: nights, time_intervals: [{times: [{start_time: "20:00", end_time: "24:00"}]}]}]
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Original != want.String() {
		t.Errorf("got\n%s\nwant\n%s", c.Original, want)
	}
	if !c.Upstream.Route.Routes[1].GroupByAll {
		t.Error("group_by of an included route is not read")
	}
}

// A fault in an included file names that file, and comes after those of the main file.
func TestFaultsOfIncludedFilesNameThem(t *testing.T) {
	path := folder(t, "midwatch.yml", "include: [teams/*.yml]\nroute: {receiver: nome}\nreceivers: [{name: none}]\n",
		"teams/a.yml", "users:\n  - name: ana\n    mail: ana@example.org\nroutes:\n  - receiver: none\n    matchers: ['a=\"b']\n    continue: maybe\n",
		"teams/b.yml", "routes: {receiver: none}\n",
		"teams/c.yml", "routes: &r [{receiver: none, routes: *r}]\n",
		"teams/d.yml", "users: [{name: &n bo}]\nroutes: [{receiver: *n}]\n",
		"teams/e.yml", "routes: [{receiver: none}]\n---\nusers: []\n")
	dir := filepath.Dir(path)
	_, faults := LoadFile(path)
	var got []string
	for _, f := range faults {
		f.File, _ = filepath.Rel(dir, f.File)
		got = append(got, f.String())
	}
	want := []string{
		`midwatch.yml:2:19: undefined receiver "nome" used in route; did you mean "none"?`,
		`teams/a.yml:3:5: user "ana": unknown key "mail"; did you mean "email"?`,
		`teams/a.yml:6:15: matcher value contains unescaped double quote: "b`,
		"teams/a.yml:7:15: cannot unmarshal !!str `maybe` into bool",
		`teams/b.yml:1:9: cannot unmarshal !!map into []*config.Route`,
		`teams/c.yml:1:38: anchor "r" contains itself; write it out`,
		`teams/d.yml:2:21: anchor "n" is defined inside a section of Midwatch, in line 1, and used in Alertmanager's part; define it where it is first used outside, and use the alias inside`,
		`teams/e.yml:3:1: warning: the file goes on after its first YAML document, and only that one is read; remove the --- or what follows it`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
