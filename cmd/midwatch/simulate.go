package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/sim"
)

// Limits of a simulation: a ladder that is walked for ever is shown for so long, and so many lines of it.
const (
	simulateFor   = 24 * time.Hour
	simulateLines = 500
)

func simulateCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("simulate", "Say who would be paged for an alert, how, and when, if nobody answered. Nothing is sent, and no server is needed.")
	file := cmd.Flag("config.file", "Configuration file.").String()
	at := cmd.Flag("at", "When the alert fires: 2026-11-22T03:00:00Z. Default: now.").String()
	lasts := cmd.Flag("for", "How long to look ahead.").Default("24h").String()
	form := formFlag(cmd)
	labels := cmd.Arg("label=value", "The alert's labels, alertname among them.").Required().Strings()

	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		cfg, ok := loadConfig(out, *file)
		if !ok {
			return exitFailed
		}
		set, err := labelArgs(*labels)
		if err != nil {
			return out.fail(exitUsage, err)
		}
		start := time.Now().UTC().Truncate(time.Second)
		if *at != "" {
			if start, err = time.Parse(time.RFC3339, *at); err != nil {
				return out.fail(exitUsage, fmt.Errorf("--at %q is not an instant; write 2026-11-22T03:00:00Z", *at))
			}
		}
		until, err := sim.ParseElapsed(*lasts)
		if err != nil {
			return out.fail(exitUsage, fmt.Errorf("--for %w", err))
		}
		compiled, err := dryConfig(cfg)
		if err != nil {
			return out.fail(exitFailed, err)
		}
		lines, err := simulate(compiled, set, start, until)
		if err != nil {
			return out.fail(exitFailed, err)
		}
		if *form == "json" {
			if _, err := out.stdout.Write(sim.JSON(lines)); err != nil {
				return out.fail(exitFailed, err)
			}
		} else if code := out.print(*form, lines, func(w io.Writer) { simulationTable(w, start, lines) }); code != exitOK {
			return code
		}
		if len(lines) == 0 {
			return exitNothing
		}
		return exitOK
	}}
}

// simulate lets one alert fire in a world where nobody answers.
func simulate(cfg *engine.Config, labels map[string]string, start time.Time, until time.Duration) ([]sim.Line, error) {
	alone := *cfg
	alone.Heartbeats = nil // what they would do has nothing to do with this alert
	w, err := sim.NewWorld(&alone, start, 1)
	if err != nil {
		return nil, err
	}
	if err := w.Fire(router.LabelsOf(labels), nil); err != nil {
		return nil, err
	}
	for {
		due, ok := w.Due()
		if !ok || due > until || len(w.Log()) >= simulateLines {
			break
		}
		if err := w.Run(max(due, w.Elapsed()+1)); err != nil {
			return nil, err
		}
	}
	lines := sim.Lines(w.Log())
	return lines[:min(len(lines), simulateLines)], nil
}

func simulationTable(w io.Writer, start time.Time, lines []sim.Line) {
	if len(lines) == 0 {
		fmt.Fprintln(w, "nobody hears of this alert: no receiver on its route sends anything or opens incidents")
		return
	}
	fmt.Fprintf(w, "If it fired at %s and nobody answered:\n\n", start.UTC().Format("Mon 2006-01-02 15:04:05 MST"))
	rows := make([][]string, 0, len(lines))
	for _, l := range lines {
		if l.Event == incident.Note {
			continue
		}
		row := lineRow(l)
		rows = append(rows, append([]string{l.Time.Format("Mon 15:04:05")}, row...))
	}
	columns(w, rows)
}

func labelArgs(args []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is no label; write name=value", arg)
		}
		labels[name] = strings.Trim(value, `"`)
	}
	return labels, nil
}
