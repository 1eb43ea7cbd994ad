package sim

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

var update = flag.Bool("update", false, "write the traces in testdata anew")

// The line of a story under which its trace stands: all that happened, in the order of cause, with the reasons.
const traceBelow = "\n---\n"

// TestStories plays every scenario in testdata and holds all that happens against the trace below it. What a story is
// about stands in its first lines. `midwatch test` plays the same files.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		if name == "config" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			scenario, want, _ := strings.Cut(string(text), traceBelow)
			s, err := ParseScenario(strings.NewReader(scenario))
			if err != nil {
				t.Fatal(err)
			}
			log, err := s.Play(storyConfig(t, &s.Config))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range s.Compare(log) {
				t.Error(d)
			}
			got := trace(log)
			if *update {
				text := strings.TrimRight(scenario, "\n") + traceBelow + got
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// trace is what happened, an event a line.
func trace(log []Entry) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, e := range log {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", FormatElapsed(e.At), e.Kind, strings.Join(particulars(e), ", "), because(e))
	}
	w.Flush()
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func particulars(e Entry) (words []string) {
	add := func(format string, value any) { words = append(words, fmt.Sprintf(format, value)) }
	if e.Incident != "" {
		words = append(words, e.Incident)
	}
	switch {
	case e.User != "" && e.Via != "" && e.By == "":
		words = append(words, e.User+" by "+e.Via)
	case e.Receiver != "":
		words = append(words, strings.TrimSpace(e.Receiver+" "+e.Via))
	case e.User != "":
		words = append(words, e.User)
	}
	if e.By != "" {
		add("by %s", e.By)
	}
	if e.Severity != "" {
		words = append(words, e.Severity)
	}
	if e.Policy != "" && e.Kind != incident.ResolvedEvent {
		add("policy %s", e.Policy)
	}
	if e.Step > 0 {
		words = append(words, fmt.Sprintf("step %d of walk %d", e.Step, e.Cycle))
	}
	return words
}

func because(e Entry) string {
	switch {
	case e.Text != "" && e.Reason != "":
		return fmt.Sprintf("%q: %s", e.Text, e.Reason)
	case e.Text != "":
		return fmt.Sprintf("%q", e.Text)
	case e.Reason != "":
		return ": " + e.Reason
	}
	return ""
}

// storyConfig reads a story's configuration as the daemon does, and makes of it what the engine decides by.
func storyConfig(t testing.TB, n *yaml.Node) *engine.Config {
	t.Helper()
	compat.InitFromFlags(promslog.NewNopLogger(), featurecontrol.NoopFlags{})
	var cfg *config.Config
	var faults config.Faults
	if n.Kind == yaml.ScalarNode {
		cfg, faults = config.LoadFile(filepath.Join("testdata", n.Value))
	} else {
		text, err := yaml.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		cfg, faults = config.Load(text, config.Options{File: "config", Dir: "testdata"})
	}
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	out := &engine.Config{
		Routing: router.Options{
			Root: dispatch.NewRoute(cfg.Upstream.Route, nil), Receivers: map[string][]router.Integration{},
			ResolveTimeout: time.Duration(cfg.Upstream.Global.ResolveTimeout),
		},
		Users: map[string]engine.User{}, Schedules: cfg.Schedules, Policies: cfg.Policies, Paging: cfg.Paging,
		ReopenWindow: cfg.ReopenWindow, Incidents: map[string]engine.IncidentConfig{},
		Severity: cfg.Severities.Of, Hours: cfg.Hours,
	}
	for _, r := range cfg.Upstream.Receivers {
		for i, w := range r.WebhookConfigs {
			out.Routing.Receivers[r.Name] = append(out.Routing.Receivers[r.Name], router.Integration{Name: "webhook", Index: i, SendResolved: w.SendResolved()})
		}
	}
	for name, u := range cfg.Users {
		user := engine.User{Name: name, FullName: u.FullName, TimeZone: u.TimeZone, High: u.High, Low: u.Low}
		for _, m := range u.Methods {
			hooks := m.Receiver.WebhookConfigs
			user.Methods = append(user.Methods, engine.Method{Name: m.Name, SendResolved: len(hooks) > 0 && hooks[0].SendResolved()})
		}
		out.Users[name] = user
	}
	for receiver, ic := range cfg.Incidents {
		made := engine.IncidentConfig{
			Policy: ic.Policy, Scope: incident.Scope(ic.Scope), AutoResolve: ic.AutoResolve,
			Title: func(s engine.Subject) string { return s.Alerts[0].Name() },
		}
		if ic.Severity != "" {
			made.Severity = func(engine.Subject) string { return ic.Severity }
		}
		out.Incidents[receiver] = made
	}
	for _, h := range cfg.Heartbeats {
		made := engine.Heartbeat{Name: h.Name, Every: h.Every, Grace: h.Grace, Policy: h.Policy, Severity: h.Severity, Patient: true, Source: "ping"}
		if len(h.Matchers) > 0 {
			made.Source = h.Matchers.String()
			made.Match = func(l router.Labels) bool {
				for _, m := range h.Matchers {
					if !m.Matches(l.Get(m.Name)) {
						return false
					}
				}
				return true
			}
		}
		out.Heartbeats = append(out.Heartbeats, made)
	}
	return out
}

// TestEveryStoryTellsItsRule keeps the stories readable: each begins by saying what it shows.
func TestEveryStoryTellsItsRule(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.yml")
	if len(files) < 30 {
		t.Errorf("only %d stories", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if !strings.HasPrefix(first, "# ") || !slices.ContainsFunc(strings.Fields(first), func(w string) bool { return strings.HasSuffix(w, ".") }) {
			t.Errorf("%s begins with %q; say in a sentence what it shows", file, first)
		}
	}
}
