package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"

	"github.com/midwatch/midwatch/config"
)

func configCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("config", "Look at configuration files.")

	check := top.Command("check", "Report every fault of configuration files, with its place and how to mend it. Exits 1 if there is any. Warns of what is doubtful, and of the next 90 days: gaps in schedules, and users on call who are unavailable.")
	files := check.Arg("file", "Configuration file.").Required().Strings()
	checkAt := check.Flag("at", "Warn as of this instant: 2026-11-22T03:00:00Z. Default: now.").String()
	against := check.Flag("against", "An older configuration: warn where others are on call now than by it.").PlaceHolder("FILE").String()

	schema := top.Command("schema", "Print the JSON Schema of the configuration, for editors.")

	return map[string]command{
		check.FullCommand(): func(context.Context) int {
			now, err := atFlag(*checkAt)
			if err != nil {
				return out.fail(exitUsage, err)
			}
			initMatchers(logging{}, featurecontrol.NoopFlags{})
			var old *config.Config
			if *against != "" {
				var ok bool
				if old, ok = loadConfig(out, *against); !ok {
					return exitFailed
				}
			}
			code := exitOK
			for _, name := range *files {
				if !checkFile(out, name, old, now) {
					code = exitFailed
				}
			}
			return code
		},
		schema.FullCommand(): func(context.Context) int {
			if _, err := out.stdout.Write(config.Schema()); err != nil {
				return out.fail(exitFailed, err)
			}
			return exitOK
		},
	}
}

// checkFile prints what is wrong with a file, or what is in it and what is doubtful about it now. A nil old is no older
// file.
func checkFile(out *output, name string, old *config.Config, now time.Time) bool {
	cfg, faults := config.LoadFileWith(name, config.Options{Fetch: fetchNow, Now: now})
	if cfg != nil {
		faults = append(faults, cfg.Ahead(now)...)
		if old != nil {
			faults = append(faults, cfg.Against(old, now)...)
		}
		slices.SortStableFunc(faults, func(a, b config.Fault) int {
			return cmp.Or(slices.Index(cfg.Files, a.File)-slices.Index(cfg.Files, b.File), a.Line-b.Line, a.Column-b.Column)
		})
	}
	if len(faults.Errors()) > 0 && isScenario(name) {
		fmt.Fprintln(out.stderr, runIt(name))
		return false
	}
	for _, f := range faults {
		fmt.Fprintln(out.stderr, f)
	}
	if len(faults.Errors()) > 0 || cfg == nil {
		fmt.Fprintf(out.stdout, "%s: %s\n", name, count(len(faults.Errors()), "error"))
		return false
	}
	fmt.Fprintf(out.stdout, "%s: good: %s, %s, %s, %s, %s\n", name,
		count(len(cfg.Upstream.Receivers), "receiver"), count(len(cfg.Users), "user"), count(len(cfg.Schedules), "schedule"),
		plural(len(cfg.Policies), "escalation policy", "escalation policies"), count(len(faults), "warning"))
	return true
}

func count(n int, noun string) string { return plural(n, noun, noun+"s") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// loadConfig reads a configuration for a command that needs it whole, and prints the faults where it is not.
func loadConfig(out *output, name string) (*config.Config, bool) {
	initMatchers(logging{}, featurecontrol.NoopFlags{})
	if name == "" {
		name = findConfig()
	}
	if name == "" {
		fmt.Fprintln(out.stderr, "midwatch: no configuration: give --config.file")
		return nil, false
	}
	cfg, faults := config.LoadFileWith(name, config.Options{Fetch: fetchOrSay(out)})
	if errs := faults.Errors(); len(errs) > 0 {
		if isScenario(name) {
			fmt.Fprintln(out.stderr, runIt(name))
			return nil, false
		}
		for _, f := range errs {
			fmt.Fprintln(out.stderr, f)
		}
		return nil, false
	}
	return cfg, true
}

// findConfig is the configuration file at hand, empty if there is none.
func findConfig() string {
	for _, name := range []string{"midwatch.yml", "alertmanager.yml"} {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return ""
}
