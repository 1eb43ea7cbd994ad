package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"

	"github.com/midwatch/midwatch/config"
)

// initMatchers sets how matchers are parsed. It is a setting of the process and must come before any parsing.
func initMatchers(log logging, flags featurecontrol.Flagger) {
	if log.slog == nil {
		log.slog = promslog.NewNopLogger()
	}
	compat.InitFromFlags(log.slog, flags)
}

func configCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("config", "Look at configuration files.")

	check := top.Command("check", "Report every fault of configuration files, with its place and how to mend it. Exits 1 if there is any.")
	files := check.Arg("file", "Configuration file.").Required().Strings()

	schema := top.Command("schema", "Print the JSON Schema of the configuration, for editors.")

	return map[string]command{
		check.FullCommand(): func(context.Context) int {
			initMatchers(logging{}, featurecontrol.NoopFlags{})
			code := exitOK
			for _, name := range *files {
				if !checkFile(out, name) {
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

// checkFile prints what is wrong with a file, or what is in it.
func checkFile(out *output, name string) bool {
	cfg, faults := config.LoadFile(name)
	for _, f := range faults {
		fmt.Fprintln(out.stderr, f)
	}
	if len(faults.Errors()) > 0 || cfg == nil {
		fmt.Fprintf(out.stdout, "%s: %s\n", name, count(len(faults.Errors()), "error"))
		return false
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(out.stderr, w)
	}
	fmt.Fprintf(out.stdout, "%s: good: %s, %s, %s, %s, %s\n", name,
		count(len(cfg.Upstream.Receivers), "receiver"), count(len(cfg.Users), "user"), count(len(cfg.Schedules), "schedule"),
		plural(len(cfg.Policies), "escalation policy", "escalation policies"), count(len(cfg.Warnings), "warning"))
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
	cfg, faults := config.LoadFile(name)
	if errs := faults.Errors(); len(errs) > 0 {
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
