package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"

	"github.com/midwatch/midwatch/config"
)

// Limits of one examination.
const (
	doctorPatience = 25 * time.Second // for all of it
	checkPatience  = 10 * time.Second // for one check
	checksAtOnce   = 16
	maxPlaces      = 200 // addresses that are tried; a configuration with more has the rest named as not tried
)

// A finding is one line of midwatch doctor.
type finding struct {
	Check string `json:"check"` // clock, zones, config, …
	State string `json:"state"` // ok, warning, failed
	Text  string `json:"message"`
	Mend  string `json:"mend,omitempty"` // what to do about it; empty where all is well
}

// The states of a finding.
const (
	fine   = "ok"
	doubt  = "warning"
	broken = "failed"
)

func good(check, format string, args ...any) finding {
	return finding{Check: check, State: fine, Text: fmt.Sprintf(format, args...)}
}

func doubtful(check, mend, format string, args ...any) finding {
	return finding{Check: check, State: doubt, Text: fmt.Sprintf(format, args...), Mend: mend}
}

func failing(check, mend, format string, args ...any) finding {
	return finding{Check: check, State: broken, Text: fmt.Sprintf(format, args...), Mend: mend}
}

// diagnosis is what -o json prints.
type diagnosis struct {
	OK       bool      `json:"ok"` // nothing has failed
	Findings []finding `json:"findings"`
}

// A check looks at one thing. It ends with ctx, and sends nobody anything.
type check struct {
	name string
	run  func(ctx context.Context) []finding
}

// A doctor knows what there is to look at.
type doctor struct {
	file    string         // the configuration's; empty: there is none at hand
	cfg     *config.Config // nil: none, or it has faults
	faults  config.Faults
	storage string
	given   bool // somebody said where the state is
	client  client
	asked   bool // somebody said which server
	now     func() time.Time
}

func doctorCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("doctor", "Look for what would keep a page from arriving: clock, zones, disk, configuration, schedules, mail, chat and webhooks, external URL, and a running server. Nothing is sent. Exits 1 if something is broken.")
	d := &doctor{client: serverFlags(cmd), now: time.Now}
	form := formFlag(cmd)
	cmd.GetFlag("url").IsSetByUser(&d.asked)
	cmd.Flag("config.file", "Configuration file. Default: midwatch.yml or alertmanager.yml in the working directory.").StringVar(&d.file)
	cmd.Flag("storage.path", "Where the daemon on this machine keeps its state.").Default("data/").IsSetByUser(&d.given).StringVar(&d.storage)
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		d.asked = d.asked || os.Getenv("MIDWATCH_URL") != ""
		findings := d.examine(ctx)
		result := diagnosis{OK: true, Findings: findings}
		for _, f := range findings {
			result.OK = result.OK && f.State != broken
		}
		if code := out.print(*form, result, func(w io.Writer) { printFindings(w, findings) }); code != exitOK {
			return code
		}
		if !result.OK {
			return exitFailed
		}
		return exitOK
	}}
}

// examine runs every check, many at once, and gives what they found in the order of the checks.
func (d *doctor) examine(ctx context.Context) (all []finding) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	d.load()
	checks := append([]check{
		{"clock", d.clock},
		{"zones", d.zones},
		{"disk", d.disk},
		{"config", d.config},
		{"schedules", d.schedules},
	}, d.places()...)
	checks = append(checks, check{"server", d.server})

	found := make([][]finding, len(checks))
	var hands sync.WaitGroup
	turn := make(chan struct{}, checksAtOnce)
	for i, c := range checks {
		hands.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if ctx.Err() != nil {
				found[i] = []finding{doubtful(c.name, "run it again; what takes so long is said above", "not looked at within %s", doctorPatience)}
				return
			}
			mine, done := context.WithTimeout(ctx, checkPatience)
			defer done()
			found[i] = c.run(mine)
		})
	}
	hands.Wait()
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// load reads the configuration, if there is one.
func (d *doctor) load() {
	initMatchers(logging{}, featurecontrol.NoopFlags{})
	if d.file == "" {
		d.file = findConfig()
	}
	if d.file == "" {
		return
	}
	d.cfg, d.faults = config.LoadFileWith(d.file, config.Options{Fetch: fetchNow, Now: d.now()})
	if len(d.faults.Errors()) > 0 {
		d.cfg = nil
	}
}

// printFindings writes a line for each, and how to mend it below.
func printFindings(w io.Writer, all []finding) {
	marks := map[string]string{fine: "✓", doubt: "!", broken: "✗"}
	if !utf8Locale() {
		marks = map[string]string{fine: "ok", doubt: "!", broken: "x"}
	}
	colours := map[string]string{fine: "32", doubt: "33", broken: "31"}
	colourful := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
	counts := map[string]int{}
	for _, f := range all {
		counts[f.State]++
		mark := marks[f.State]
		if colourful {
			mark = "\x1b[" + colours[f.State] + "m" + mark + "\x1b[0m"
		}
		fmt.Fprintf(w, "%s %s: %s\n", mark, f.Check, f.Text)
		if f.Mend != "" {
			fmt.Fprintf(w, "    %s\n", f.Mend)
		}
	}
	fmt.Fprintf(w, "\n%s, %s, %d broken\n", plural(counts[fine], "thing is well", "things are well"), plural(counts[doubt], "is doubtful", "are doubtful"), counts[broken])
}
