package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
)

// oncallVerbs add the commands under `midwatch oncall`, in the order in which help lists them.
var oncallVerbs = []func(*kingpin.CmdClause, *output) map[string]command{
	oncallNow, oncallNext, oncallShifts, oncallGaps, oncallDiff, oncallReport, overrideCommands, swapCommands, absenceCommands, oncallConflicts, feedCommands,
}

func oncallCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("oncall", "Who is on call.")
	commands := map[string]command{}
	for _, add := range oncallVerbs {
		maps.Copy(commands, add(top, out))
	}
	return commands
}

func oncallNow(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("now", "Who is on call now, in every schedule, as the server says. With --at in the past, who was: from the record that it kept, as far back as that goes.")
	server, form := serverFlags(cmd), formFlag(cmd)
	schedule := cmd.Flag("schedule", "Only this schedule.").String()
	at := cmd.Flag("at", "At this instant, past or future: 2026-11-22T03:00:00Z.").String()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		query := url.Values{}
		if *at != "" {
			if _, err := instantFlag("at", *at); err != nil {
				return out.fail(exitUsage, err)
			}
			query.Set("at", *at)
		}
		if *schedule != "" {
			query.Set("schedule", *schedule)
		}
		var raw json.RawMessage
		if err := server.call(ctx, http.MethodGet, "oncall", query, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var answer struct {
			OnCall []duty `json:"oncall"`
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			return out.fail(exitFailed, err)
		}
		return printed(out.print(*form, raw, func(w io.Writer) { dutyTable(w, answer.OnCall) }), len(answer.OnCall))
	}}
}

// dutyTable says of the past how it is known, and of the rest who of those on call cannot be.
func dutyTable(w io.Writer, duties []duty) {
	rows := [][]string{{"SCHEDULE", "ON CALL", "UNTIL"}}
	past := slices.ContainsFunc(duties, func(d duty) bool { return d.Recorded != nil })
	if past {
		rows[0] = append(rows[0], "KNOWN FROM")
	}
	computed := false
	for _, d := range duties {
		until := "-"
		if !d.Until.IsZero() {
			until = localMinute(d.Until)
		}
		row := []string{d.Schedule, gapOr(d.Users, d.DeclaredGap), until}
		if d.Recorded != nil {
			row = append(row, map[bool]string{true: "the record", false: "the configuration"}[*d.Recorded])
			computed = computed || !*d.Recorded
		}
		rows = append(rows, row)
	}
	columns(w, rows)
	var notes []string
	for _, d := range duties {
		for _, c := range d.Unavailable {
			notes = append(notes, c.sentence()+".")
		}
	}
	if computed {
		notes = append(notes, "The record does not go back that far: this is what the configuration of today says of that time.")
	}
	for i, note := range notes {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, note)
	}
}

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

func oncallShifts(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("shifts", "Print or draw the final schedule, from the configuration file alone.")
	form, args, picture := formFlag(cmd), scheduleFlags(cmd), pictureFlags(cmd)
	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		s, from, to, code := args.read(out)
		if code != exitOK {
			return code
		}
		if picture.wanted() {
			return picture.print(out, *form, s, from, to)
		}
		lines := []shiftLine{}
		for _, sh := range s.Shifts(from, to) {
			lines = append(lines, shiftLine{sh.Start.UTC(), sh.End.UTC(), sh.Users, sh.Layers})
		}
		return out.print(*form, lines, func(w io.Writer) {
			rows := [][]string{{"FROM", "TO", "ON CALL", "LAYERS"}}
			for _, l := range lines {
				rows = append(rows, []string{stamp(l.Start), stamp(l.End), strings.Join(l.Users, ", "), strings.Join(l.Layers, ", ")})
			}
			columns(w, rows)
			remarks(w, clockLines(s, from, to))
		})
	}}
}

func oncallGaps(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("gaps", "Print when nobody is on call, declared gaps too, from the configuration file alone.")
	form, args := formFlag(cmd), scheduleFlags(cmd)
	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		s, from, to, code := args.read(out)
		if code != exitOK {
			return code
		}
		lines := []gapLine{}
		for _, g := range s.Gaps(from, to) {
			lines = append(lines, gapLine{g.Start.UTC(), g.End.UTC(), g.Declared})
		}
		return out.print(*form, lines, func(w io.Writer) {
			rows := [][]string{{"FROM", "TO", "DECLARED"}}
			for _, l := range lines {
				rows = append(rows, []string{stamp(l.Start), stamp(l.End), map[bool]string{true: "yes", false: "no"}[l.Declared]})
			}
			columns(w, rows)
		})
	}}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// names says who is on call, or that nobody is.
func names(users []string) string { return orElse(strings.Join(users, ", "), "nobody") }

// A clockLine says in words what a change of clocks does to a schedule.
type clockLine struct {
	At   time.Time `json:"at"`
	Zone string    `json:"time_zone"`
	Text string    `json:"text"`
}

// clockLines is never nil.
func clockLines(s *oncall.Schedule, from, to time.Time) []clockLine {
	lines := []clockLine{}
	for _, c := range draw.ClockChanges(s, from, to) {
		lines = append(lines, clockLine{c.At, c.Zone.String(), c.Sentence(s)})
	}
	return lines
}

// remarks prints them below a table, if there are any.
func remarks(w io.Writer, lines []clockLine) {
	for i, l := range lines {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, l.Text+".")
	}
}
