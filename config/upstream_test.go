package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"
)

// upstreamFiles are the files of Alertmanager's own tests, good and bad, from the module in use.
func upstreamFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	if err != nil {
		t.Fatalf("where is the module: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	var files []string
	for _, pattern := range []string{"config/testdata/*.yml", "doc/examples/*.yml", "test/**/testdata/*.yml", "cli/testdata/*.yml", "examples/*/*.yml"} {
		more, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) < 45 {
		t.Fatalf("only %d files in %s", len(files), dir)
	}
	return files
}

// loadReference is upstream's LoadFile; a panic of its is a refusal.
func loadReference(path string) (cfg *amconfig.Config, err error) {
	defer func() {
		if recover() != nil {
			cfg, err = nil, errGaveUp
		}
	}()
	return amconfig.LoadFile(path)
}

// A file of Alertmanager's is accepted or refused as Alertmanager does it, in the same words, and means the same.
func TestAlertmanagersOwnFiles(t *testing.T) {
	good, bad := 0, 0
	for _, path := range upstreamFiles(t) {
		want, wantErr := loadReference(path)
		got, faults := LoadFile(path)
		name := filepath.Base(path)
		if (faults.Err() == nil) != (wantErr == nil) {
			t.Errorf("%s: we say %v, Alertmanager says %v", name, faults, wantErr)
			continue
		}
		if wantErr == nil {
			good++
			if !reflect.DeepEqual(got.Upstream, want) {
				t.Errorf("%s: loaded differently:\n%s\nwant\n%s", name, got.Upstream, want)
			}
			if len(faults) > 0 {
				t.Errorf("%s: %v", name, faults)
			}
			continue
		}
		bad++
		for _, want := range splitError(wantErr) {
			found := false
			for _, f := range faults {
				found = found || f.Message == want.text && (want.line == 0 || f.Line == want.line)
			}
			if !found {
				t.Errorf("%s: no fault says %q of line %d:\n%v", name, want.text, want.line, faults)
			}
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 || f.File != path {
				t.Errorf("%s: no place in %v", name, f)
			}
		}
	}
	t.Logf("%d good, %d bad", good, bad)
}

// What /api/v2/status shows is Alertmanager's part alone, without secrets, and amtool reads it again.
func TestOriginalIsReadAgain(t *testing.T) {
	c, faults := LoadFile("testdata/good/full.yml")
	if c == nil {
		t.Fatal(faults)
	}
	if strings.Contains(c.Original, "not-to-be-seen") {
		t.Error("a secret is shown")
	}
	for _, key := range []string{"users", "schedules", "escalation_policies", "paging", "maintenance", "dispatch", "severities", "incident_configs", "include"} {
		if strings.Contains(c.Original, key+":") {
			t.Errorf("%s is shown", key)
		}
	}
	again, err := amconfig.Load(c.Original)
	if err != nil {
		t.Fatalf("%v\n%s", err, c.Original)
	}
	if again.String() != c.Original {
		t.Errorf("got\n%s\nwant\n%s", again, c.Original)
	}
	if got := len(again.Route.Routes); got != 2 {
		t.Errorf("%d routes, want that of the file and that of the team", got)
	}
}

// Our sections do not change what the rest of a file means, or what is wrong with it.
func TestSectionsBesideAlertmanagersOwnFiles(t *testing.T) {
	const ours = "users:\n  - {name: ana, contact_methods: {log: {log: {}}}}\n"
	lines := strings.Count(ours, "\n")
	for _, path := range upstreamFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		want, wantFaults := Load(text, Options{File: "am.yml"})
		got, faults := Load([]byte(ours+string(text)), Options{File: "am.yml"})
		if name == "conf.bad.yml" { // no mapping: nothing can be added
			continue
		}
		if (got == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", name, faults, wantFaults)
			continue
		}
		if want != nil && got.Original != want.Original {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got.Original, want.Original)
		}
		for i := range faults {
			faults[i].Line -= lines
			faults[i].Hint = ""
			wantFaults[i].Hint = "" // may name lines
		}
		if faults.Error() != wantFaults.Error() {
			t.Errorf("%s: got\n%v\nwant\n%v", name, faults, wantFaults)
		}
	}
}

// What is written for Alertmanager's loader in pieces says what the file said.
func TestEmittedFilesMeanTheSame(t *testing.T) {
	tricky := filepath.Join(t.TempDir(), "tricky.yml")
	err := os.WriteFile(tricky, []byte(`
route: {receiver: a, group_by: ['...'], labels: {a: 010, b: "010", c: yes, d: 'yes', e: 1_000, f: ~tilde, g: "", h: "a\tb\u2028\u0007 \" \\ \U0001F600", i: -x, j: .5, k: 2001-01-01, l: "~", m: "null"}}
receivers:
- name: a
  jira_configs:
  - project: x
    issue_type: y
    api_url: http://jira.example.org
    fields: {a: 010, b: "010", c: yes, d: 'yes', e: 1_000, f: ~, g: "", h: 0x1F, i: -1, j: .5, k: 2001-01-01, l: "~", m: [], n: {}, o: -.inf, p: 1e3, q: +1, r: !!str 5, s: !!float 5, t: null, u: NO, v: '>-'}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(upstreamFiles(t), "testdata/good/full.yml", tricky) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := readDocument(path, text)
		if err != nil {
			t.Fatal(err)
		}
		l := &loader{cfg: newConfig(path)}
		taken := l.take(d)
		gone := map[string]bool{}
		for _, e := range taken {
			gone[e.key().Value] = true
		}
		var f flattener
		root := f.flatten(d.root)
		if root.Kind == yaml.MappingNode {
			root = without(root, func(key string) bool { return gone[key] })
			if list := lookup(root, "receivers"); list != nil {
				for i := range list.Content {
					list.Content[i] = without(list.Content[i], isReceiverKey)
				}
			}
		}
		var e emitter
		e.node("", nil, root, "")
		rest := string(text)
		if len(taken) > 0 {
			cut, _ := l.cut(d, taken, text)
			rest = string(cut)
		}
		want, wantErr := loadSafely(rest, func(*amconfig.Config) {})
		got, gotErr := loadSafely(e.text(), func(*amconfig.Config) {})
		if (wantErr == nil) != (gotErr == nil) {
			t.Errorf("%s: %v, want %v\n%s", path, gotErr, wantErr, e.text())
			continue
		}
		if wantErr == nil {
			if !reflect.DeepEqual(got.Receivers, want.Receivers) || !reflect.DeepEqual(got.Route, want.Route) || got.String() != want.String() {
				t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
			}
		}
	}
}

// Files that make Alertmanager's loader panic are refused, with a place where there is one.
func TestWhatMakesAlertmanagerPanicIsRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{
			"global: {slack_api_url_file: a, slack_app_token: b}\nroute: {receiver: a}\nreceivers: [{name: a}]\n",
			"1:9: " + errGaveUp.Error(),
		},
		{
			"global: {slack_api_url: 'http://a.example.org/'}\nroute: {receiver: a}\nreceivers: [{name: a, slack_configs: [~]}]\n",
			"3:39: missing slack config",
		},
		{
			"route: {receiver: a, routes: [{receiver: a}, ~]}\nreceivers: [{name: a}]\n",
			"1:46: a route is empty; write its receiver, or remove it",
		},
	} {
		_, faults := Load([]byte(c.text), Options{})
		if got := faults.Error(); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// Relative paths are resolved as Alertmanager resolves them, from the folder of a file that is itself named relatively.
func TestPathsAreResolvedAsUpstream(t *testing.T) {
	path := folder(t, "conf/am.yml", `
global: {http_config: {basic_auth: {username: a, password_file: global.pass}}}
templates: [a.tmpl, /etc/b.tmpl, sub/*.tmpl]
route: {receiver: a}
receivers:
  - name: a
    webhook_configs: [{url: 'http://127.0.0.1/'}, {url_file: url, http_config: {tls_config: {ca_file: ca.pem}}}]
    pushover_configs: [{user_key_file: user.key, token_file: app.key}]
    incidentio_configs: [{url_file: url, alert_source_token_file: token, http_config: {tls_config: {ca_file: ca.pem}}}]
tracing: {endpoint: localhost:4317}
event_recorder:
  file_outputs: [{path: events.jsonl}]
  webhook_outputs: [{url: 'http://127.0.0.1/', http_config: {tls_config: {ca_file: ca.pem}}}]
`)
	t.Chdir(filepath.Dir(filepath.Dir(path)))
	want, err := amconfig.LoadFile("conf/am.yml")
	if err != nil {
		t.Fatal(err)
	}
	got, faults := LoadFile("conf/am.yml")
	if got == nil {
		t.Fatal(faults)
	}
	if !reflect.DeepEqual(got.Upstream, want) {
		t.Errorf("got\n%s\nwant\n%s", got.Upstream, want)
	}
	if want.Templates[0] != "conf/a.tmpl" || want.EventRecorder.FileOutputs[0].Path != "conf/events.jsonl" {
		t.Error("nothing was resolved")
	}
}
