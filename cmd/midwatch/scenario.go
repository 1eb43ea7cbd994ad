package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"
	"go.yaml.in/yaml/v3"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/sim"
)

func testCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("test", "Run scenario files against their configuration in virtual time. Exits 1 if what happens is not what a file expects.")
	files := cmd.Arg("file", "Scenario file.").Required().Strings()
	form := cmd.Flag("output", "How to print what happened: table (only differences and verdicts), json or yaml.").Short('o').Default("table").Enum("table", "json", "yaml")
	junit := cmd.Flag("junit", "Also write a JUnit report here.").PlaceHolder("FILE").String()
	verbose := cmd.Flag("verbose", "Print every event in the table too.").Short('v').Bool()

	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		initMatchers(logging{}, featurecontrol.NoopFlags{})
		code := exitOK
		var results []scenarioResult
		var all []sim.Line
		for _, name := range *files {
			r := runScenario(name)
			results = append(results, r)
			all = append(all, r.lines...)
			if r.failed() {
				code = exitFailed
			}
			if *form == "table" {
				r.print(out.stdout, out.stderr, *verbose)
			} else if r.failed() {
				r.print(out.stderr, out.stderr, false)
			}
		}
		if *form == "json" {
			if _, err := out.stdout.Write(sim.JSON(all)); err != nil {
				return out.fail(exitFailed, err)
			}
		} else if *form == "yaml" {
			if c := out.print("yaml", all, nil); c != exitOK {
				return c
			}
		}
		if *junit != "" {
			if err := writeJUnit(*junit, results); err != nil {
				return out.fail(exitFailed, err)
			}
		}
		return code
	}}
}

// A scenarioResult is what became of one scenario file.
type scenarioResult struct {
	name  string
	lines []sim.Line
	diffs []string
	err   error // it could not be run, or not to its end
	took  time.Duration
	virt  time.Duration
}

func (r scenarioResult) failed() bool { return r.err != nil || len(r.diffs) > 0 }

func (r scenarioResult) print(stdout, stderr io.Writer, verbose bool) {
	if verbose {
		rows := make([][]string, 0, len(r.lines))
		for _, l := range r.lines {
			rows = append(rows, lineRow(l))
		}
		columns(stdout, rows)
	}
	for _, d := range r.diffs {
		fmt.Fprintf(stderr, "%s: %s\n", r.name, d)
	}
	switch {
	case r.err != nil:
		fmt.Fprintf(stderr, "%s: %s\n", r.name, r.err)
		fmt.Fprintf(stdout, "%s: could not be run\n", r.name)
	case len(r.diffs) > 0:
		fmt.Fprintf(stdout, "%s: failed: %s\n", r.name, count(len(r.diffs), "difference"))
	default:
		fmt.Fprintf(stdout, "%s: passed: %s in %s of virtual time\n", r.name, count(len(r.lines), "event"), sim.FormatElapsed(r.virt))
	}
}

func lineRow(l sim.Line) []string {
	who := l.User
	switch {
	case l.Receiver != "":
		who = l.Receiver
	case who == "":
		who = l.By
	}
	if l.Via != "" && l.User != "" {
		who += " by " + l.Via
	}
	return []string{l.At, l.Event, l.Incident, who, orElse(l.Reason, l.Text)}
}

func runScenario(name string) scenarioResult {
	r := scenarioResult{name: name}
	start := time.Now()
	defer func() { r.took = time.Since(start) }()
	f, err := os.Open(name)
	if err != nil {
		r.err = err
		return r
	}
	defer f.Close()
	s, err := sim.ParseScenario(f)
	if err != nil {
		r.err = err
		return r
	}
	r.virt = s.Until
	cfg, err := scenarioConfig(&s.Config, filepath.Dir(name))
	if err != nil {
		r.err = err
		return r
	}
	log, err := s.Play(cfg)
	r.lines, r.err = sim.Lines(log), err
	if err == nil {
		r.diffs = s.Compare(log)
	}
	return r
}

// scenarioConfig reads the configuration of a scenario: a file beside it, or the mapping that stands in it.
func scenarioConfig(n *yaml.Node, dir string) (*engine.Config, error) {
	var cfg *config.Config
	var faults config.Faults
	if n.Kind == yaml.ScalarNode {
		path := n.Value
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		cfg, faults = config.LoadFile(path)
	} else {
		text, err := yaml.Marshal(n)
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		cfg, faults = config.Load(text, config.Options{File: "config", Dir: dir})
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	out, err := dryConfig(cfg)
	if err != nil {
		return nil, err
	}
	for i := range out.Heartbeats { // a scenario that speaks of none expects none
		out.Heartbeats[i].Patient = true
	}
	return out, nil
}

// dryConfig compiles a configuration whose messages will never leave the process.
func dryConfig(cfg *config.Config) (*engine.Config, error) {
	tmpl, err := templates(cfg, mustURL("http://midwatch.invalid/"))
	if err != nil {
		return nil, err
	}
	endpoints, err := senders(cfg, notify.Options{Templates: tmpl}, nil, nil)
	if err != nil {
		return nil, err
	}
	return compile(cfg, tmpl, endpoints, router.Options{Retention: defaultRetention}), nil
}

// JUnit's report, as far as CI systems read it.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Seconds string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Error   *junitMessage `xml:"error,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(name string, results []scenarioResult) error {
	suite := junitSuite{Name: "midwatch test", Tests: len(results)}
	for _, r := range results {
		c := junitCase{Name: r.name, Seconds: fmt.Sprintf("%.3f", r.took.Seconds())}
		switch {
		case r.err != nil:
			suite.Errors++
			c.Error = &junitMessage{Message: "could not be run", Text: r.err.Error()}
		case len(r.diffs) > 0:
			suite.Failures++
			text := ""
			for _, d := range slices.Clone(r.diffs) {
				text += d + "\n"
			}
			c.Failure = &junitMessage{Message: r.diffs[0], Text: text}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append([]byte(xml.Header), append(text, '\n')...), 0o644)
}

// isScenario tells whether a file that is no configuration is one for midwatch test: it has a configuration, and what happens.
func isScenario(name string) bool {
	text, err := os.ReadFile(name)
	var top struct{ Config, Events, Route yaml.Node }
	return err == nil && yaml.Unmarshal(text, &top) == nil && !top.Config.IsZero() && !top.Events.IsZero() && top.Route.IsZero()
}

// runIt is what is said of a scenario where a configuration belongs.
func runIt(name string) string {
	return fmt.Sprintf("%s is a scenario and no configuration; midwatch test %[1]s runs it", name)
}
