package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// golden compares a text with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// Each file under testdata/bad is refused with all that is wrong with it, a line each, as its .txt says.
func TestBadFilesAreRefusedWithAllFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, faults := LoadFile(path)
			if c != nil || faults.Err() == nil {
				t.Error("accepted")
			}
			if text := faults.Error(); strings.Contains(text, "not-to-be-seen") {
				t.Errorf("a secret is shown:\n%s", text)
			}
			golden(t, strings.TrimSuffix(path, ".yml")+".txt", faults.Error()+"\n")
		})
	}
}

// The example with every key is good: it is what the documentation shows.
func TestTheFullExampleIsGood(t *testing.T) {
	c, faults := LoadFile("testdata/good/full.yml")
	if c == nil || len(faults) > 0 {
		t.Fatal(faults)
	}
	counts := []int{len(c.Users), len(c.Schedules), len(c.Policies), len(c.Incidents), len(c.Files), len(c.Upstream.Receivers), len(c.Maintenance)}
	if want := []int{8, 3, 3, 2, 4, 3, 3}; !slices.Equal(counts, want) {
		t.Errorf("users, schedules, policies, incident configs, files, receivers, maintenance: %v, want %v", counts, want)
	}
	if got := c.Upstream.Receivers[0].SlackConfigs[0].Text; got != "Somebody look.\n\n" {
		t.Errorf("a text before our keys became %q", got)
	}
}

// And it has every key there is, so that nobody must look elsewhere.
func TestTheFullExampleHasEveryKey(t *testing.T) {
	given := map[string]bool{}
	for _, path := range []string{"testdata/good/full.yml", "testdata/good/teams/shop.yml", "testdata/good/channels.yml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := readDocument(path, text)
		if err != nil {
			t.Fatal(err)
		}
		spot(d.root, nil, func(n *yaml.Node, path []string, isKey bool) bool {
			if isKey {
				given[n.Value] = true
			}
			return true
		})
	}
	var want func(fs []field)
	seen := map[*form]bool{}
	var each func(f *form)
	each = func(f *form) {
		if f == nil || seen[f] {
			return
		}
		seen[f] = true
		want(f.fields)
		each(f.list)
		each(f.table)
	}
	want = func(fs []field) {
		for _, one := range fs {
			if !given[one.key] && !one.form.opaque {
				t.Errorf("the key %s is missing", one.key)
			}
			each(one.form)
		}
	}
	want(sections)
	want(receiverKeys)
}

func TestAFileThatIsNotThereIsAFault(t *testing.T) {
	_, faults := LoadFile("testdata/nosuch.yml")
	if got, want := faults.Error(), "testdata/nosuch.yml: no such file or directory; name a file that can be read"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A text needs no file: a scenario holds its config as a mapping.
func TestATextNeedsNoFile(t *testing.T) {
	c, faults := Load([]byte(`{"route":{"receiver":"none"},"receivers":[{"name":"none"}],"users":[{"name":"ana"}]}`), Options{})
	if c == nil {
		t.Fatal(faults)
	}
	if c.Users["ana"].Name != "ana" || !slices.Equal(c.Files, []string{""}) {
		t.Errorf("users %v, files %v", c.Users, c.Files)
	}
}

// A stock file has our defaults, and nothing to page with.
func TestAStockFile(t *testing.T) {
	c := load(t, stock)
	want := newConfig("am.yml")
	want.Upstream, want.Original = c.Upstream, c.Original
	want.texts = c.texts
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

func TestOnlyTheFirstDocumentIsRead(t *testing.T) {
	c := load(t, stock+"---\nusers: [{name: ana}]\n")
	if len(c.Users) != 0 {
		t.Errorf("users %v", c.Users)
	}
	want := "am.yml:4:1: warning: the file goes on after its first YAML document, and only that one is read; remove the --- or what follows it"
	if got := c.Warnings.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Where the two YAML parsers differ, a broken file is not blamed on our sections, and what follows the first document
// is nobody's business.
func TestBrokenYAML(t *testing.T) {
	for text, want := range map[string]string{
		"{users: [], route: {receiver: a}, receivers: [{name: a}]}<<: \n": "1:1: did not find expected key",
		"users: []\nroute: {receiver: a}\n b: c\n":                        "2:1: did not find expected key",
		"users: []\n" + stock + "---\n{ broken\n":                         "5:1: warning: the file goes on after its first YAML document, and only that one is read; remove the --- or what follows it",
	} {
		_, faults := Load([]byte(text), Options{})
		if got := faults.Error(); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// A large organisation's file is read in the blink of an eye: a reload holds nobody up.
func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("global: {smtp_smarthost: localhost:25, smtp_from: midwatch@example.org, slack_api_url: 'http://slack.example.org/'}\nusers:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - {name: u%d, email: u%d@example.org, contact_methods: {chat: {slack: {channel: '@u%d'}}, hook: {webhook: {url: 'http://127.0.0.1/%d'}}}}\n", i, i, i, i)
	}
	text.WriteString("schedules:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  - {name: s%d, time_zone: Europe/Lisbon, layers: [{rotation: {users: [u%d, u%d, u%d], start: 2026-01-05 09:00, every: 1w}}]}\n", i, i, i+1, i+2)
	}
	text.WriteString("escalation_policies:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  - {name: p%d, steps: [{notify: [{schedule: s%d}]}, {notify: [{user: u%d}]}]}\n", i, i, i)
	}
	text.WriteString("paging: {catch_all: {user: u0}}\nroute: {receiver: r0}\nreceivers:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  - {name: r%d, incident_configs: [{escalation_policy: p%d}]}\n", i, i)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if c, faults := Load([]byte(text.String()), Options{}); c == nil {
			b.Fatal(faults)
		}
	}
}
