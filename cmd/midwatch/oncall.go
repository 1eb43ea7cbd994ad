package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/oncall"
)

// shiftLine and gapLine are printed as SPEC §9 says.
type (
	shiftLine struct {
		Start  time.Time `json:"start"`
		End    time.Time `json:"end"`
		Users  []string  `json:"users"`
		Layers []string  `json:"layers"`
	}
	gapLine struct {
		Start    time.Time `json:"start"`
		End      time.Time `json:"end"`
		Declared bool      `json:"declared"`
	}
)

func oncallCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("oncall", "Who is on call.")

	now := top.Command("now", "Who is on call now, in every schedule, as the server says.")
	nowClient, nowForm := serverFlags(now), formFlag(now)
	at := now.Flag("at", "At this instant: 2026-11-22T03:00:00Z.").String()

	shifts := top.Command("shifts", "Print the final schedule, from the configuration file alone.")
	shiftsForm, shiftsArgs := formFlag(shifts), scheduleFlags(shifts)
	gaps := top.Command("gaps", "Print when nobody is on call, declared gaps too, from the configuration file alone.")
	gapsForm, gapsArgs := formFlag(gaps), scheduleFlags(gaps)

	return map[string]command{
		now.FullCommand(): func(ctx context.Context) int {
			query := url.Values{}
			if *at != "" {
				query.Set("at", *at)
			}
			var raw json.RawMessage
			if err := nowClient.call(ctx, http.MethodGet, "oncall", query, nil, &raw); err != nil {
				return out.failCall(err)
			}
			var answer struct {
				OnCall []struct {
					Schedule string    `json:"schedule"`
					Users    []string  `json:"users"`
					Until    time.Time `json:"until"`
				} `json:"oncall"`
			}
			if err := json.Unmarshal(raw, &answer); err != nil {
				return out.fail(exitFailed, err)
			}
			code := out.print(*nowForm, raw, func(w io.Writer) {
				rows := [][]string{{"SCHEDULE", "ON CALL", "UNTIL"}}
				for _, d := range answer.OnCall {
					until := "-"
					if !d.Until.IsZero() {
						until = d.Until.Local().Format("Mon Jan 02 15:04")
					}
					rows = append(rows, []string{d.Schedule, orElse(strings.Join(d.Users, ", "), "nobody"), until})
				}
				columns(w, rows)
			})
			if code == exitOK && len(answer.OnCall) == 0 {
				return exitNothing
			}
			return code
		},
		shifts.FullCommand(): func(context.Context) int {
			s, from, to, code := shiftsArgs.read(out)
			if code != exitOK {
				return code
			}
			lines := []shiftLine{}
			for _, sh := range s.Shifts(from, to) {
				lines = append(lines, shiftLine{sh.Start.UTC(), sh.End.UTC(), sh.Users, sh.Layers})
			}
			return out.print(*shiftsForm, lines, func(w io.Writer) {
				rows := [][]string{{"FROM", "TO", "ON CALL", "LAYERS"}}
				for _, l := range lines {
					rows = append(rows, []string{stamp(l.Start), stamp(l.End), strings.Join(l.Users, ", "), strings.Join(l.Layers, ", ")})
				}
				columns(w, rows)
			})
		},
		gaps.FullCommand(): func(context.Context) int {
			s, from, to, code := gapsArgs.read(out)
			if code != exitOK {
				return code
			}
			lines := []gapLine{}
			for _, g := range s.Gaps(from, to) {
				lines = append(lines, gapLine{g.Start.UTC(), g.End.UTC(), g.Declared})
			}
			return out.print(*gapsForm, lines, func(w io.Writer) {
				rows := [][]string{{"FROM", "TO", "DECLARED"}}
				for _, l := range lines {
					rows = append(rows, []string{stamp(l.Start), stamp(l.End), map[bool]string{true: "yes", false: "no"}[l.Declared]})
				}
				columns(w, rows)
			})
		},
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// scheduleArgs say which schedule and which time.
type scheduleArgs struct{ file, schedule, from, to *string }

func scheduleFlags(c *kingpin.CmdClause) scheduleArgs {
	return scheduleArgs{
		file:     c.Flag("config.file", "Configuration file.").String(),
		schedule: c.Flag("schedule", "Name of the schedule.").Required().String(),
		from:     c.Flag("from", "Beginning of the range: 2026-11-22T03:00:00Z.").Required().String(),
		to:       c.Flag("to", "End of the range.").Required().String(),
	}
}

func (a scheduleArgs) read(out *output) (s *oncall.Schedule, from, to time.Time, code int) {
	var err error
	if from, err = time.Parse(time.RFC3339, *a.from); err != nil {
		return nil, from, to, out.fail(exitUsage, fmt.Errorf("--from %q is not an instant; write 2026-11-22T03:00:00Z", *a.from))
	}
	if to, err = time.Parse(time.RFC3339, *a.to); err != nil {
		return nil, from, to, out.fail(exitUsage, fmt.Errorf("--to %q is not an instant; write 2026-11-22T03:00:00Z", *a.to))
	}
	if to.Before(from) {
		return nil, from, to, out.fail(exitUsage, fmt.Errorf("--to %s lies before --from %s", *a.to, *a.from))
	}
	cfg, ok := loadConfig(out, *a.file)
	if !ok {
		return nil, from, to, exitFailed
	}
	s = cfg.Schedules[*a.schedule]
	if s == nil {
		known := slices.Clone(cfg.ScheduleOrder)
		return nil, from, to, out.fail(exitNothing, fmt.Errorf("there is no schedule %q; known are: %s", *a.schedule, strings.Join(known, ", ")))
	}
	return s, from, to, exitOK
}
