package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/sim"
)

// What became of a schedule.
const (
	scheduleSame    = "same" // the same people at every instant
	scheduleChanged = "changed"
	scheduleNew     = "new"
	scheduleRemoved = "removed"
)

// A rosterDiff says who is on call differently by another configuration.
type rosterDiff struct {
	From      time.Time      `json:"from"`
	To        time.Time      `json:"to"`
	Different bool           `json:"different"`
	Schedules []scheduleDiff `json:"schedules"` // in the new configuration's order, then what was removed
}

type scheduleDiff struct {
	Schedule string          `json:"schedule"`
	Zone     string          `json:"time_zone"`
	State    string          `json:"state"`
	OnCall   []string        `json:"on_call"` // at the beginning, by the new configuration, or where it was removed by the old one
	Changes  []oncall.Change `json:"changes"` // of a changed one, in order
	Hours    []hoursChange   `json:"hours"`   // in sum, by name; of a changed one
	Clocks   []clockLine     `json:"clock_changes"`

	zone *time.Location
}

// An hoursChange is how much longer somebody is on call in all; shorter is negative.
type hoursChange struct {
	User    string `json:"user"`
	Seconds int64  `json:"seconds"`
}

// markdownRows are shown of each schedule: a comment on a pull request shall be short.
const markdownRows = 20

const filesAlone = "From the files alone: overrides made at run time are not in them."

func oncallDiff(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("diff", "Who is on call differently by another configuration file, from the files alone: overrides made at run time are not in them. Exits 0 with and without a difference, unless --exit-code is given.")
	before := cmd.Arg("old", "The configuration file as it was.").Required().String()
	after := cmd.Arg("new", "The configuration file as it is to be.").Required().String()
	lasts := cmd.Flag("for", "How long to look ahead.").Default("30d").String()
	at := cmd.Flag("at", "From this instant on: 2026-11-22T03:00:00Z. Default: now.").String()
	schedule := cmd.Flag("schedule", "Only this schedule.").String()
	exitCode := cmd.Flag("exit-code", "Exit 1 if there is a difference.").Bool()
	form := cmd.Flag("output", "How to print: table, json, yaml or markdown, which makes a comment on a pull request.").
		Short('o').Default("table").Enum("table", "json", "yaml", "markdown")
	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		from, err := atFlag(*at)
		if err != nil {
			return out.fail(exitUsage, err)
		}
		ahead, err := sim.ParseElapsed(*lasts)
		if err != nil {
			return out.fail(exitUsage, fmt.Errorf("--for %w", err))
		}
		if ahead <= 0 {
			return out.fail(exitUsage, errors.New("--for is how long to look ahead; write one such as 30d"))
		}
		was, ok := loadConfig(out, *before)
		is, alsoOK := loadConfig(out, *after)
		if !ok || !alsoOK {
			return exitFailed
		}
		order, err := chosen(*schedule, unionOf(is.ScheduleOrder, was.ScheduleOrder))
		if err != nil {
			return out.fail(exitNothing, err)
		}
		d := diffRosters(was, is, order, from.UTC(), from.Add(ahead).UTC())
		table := d.table
		if *form == "markdown" {
			table = d.markdown
		}
		code := out.print(*form, d, table)
		if code == exitOK && d.Different && *exitCode {
			return exitFailed
		}
		return code
	}}
}

// unionOf are those of the first, then those of the second that are not in it.
func unionOf(first, second []string) []string {
	return slices.Concat(first, without(second, first))
}

func diffRosters(was, is *config.Config, schedules []string, from, to time.Time) rosterDiff {
	d := rosterDiff{From: from, To: to, Schedules: []scheduleDiff{}}
	for _, name := range schedules {
		one := diffSchedule(was.Schedules[name], is.Schedules[name], from, to)
		one.Schedule = name
		d.Different = d.Different || one.State != scheduleSame
		d.Schedules = append(d.Schedules, one)
	}
	return d
}

// diffSchedule compares a schedule with itself. One of them may be nil.
func diffSchedule(was, is *oncall.Schedule, from, to time.Time) scheduleDiff {
	d := scheduleDiff{State: scheduleSame, Changes: []oncall.Change{}, Hours: []hoursChange{}, Clocks: []clockLine{}}
	there := is
	switch {
	case was == nil:
		d.State = scheduleNew
	case is == nil:
		d.State, there = scheduleRemoved, was
	default:
		d.Changes = oncall.Diff(was, is, from, to)
		d.Hours = hoursChanged(d.Changes)
		if len(d.Changes) > 0 {
			d.State, d.Clocks = scheduleChanged, clockLines(is, from, to)
		}
	}
	d.OnCall = there.At(from).Users()
	d.zone = there.Spec().Zone
	d.Zone = d.zone.String()
	return d
}

func hoursChanged(changes []oncall.Change) []hoursChange {
	sum := map[string]time.Duration{}
	for _, c := range changes {
		for _, u := range c.Was {
			sum[u] -= c.End.Sub(c.Start)
		}
		for _, u := range c.Is {
			sum[u] += c.End.Sub(c.Start)
		}
	}
	out := []hoursChange{}
	for user, d := range sum {
		if d != 0 {
			out = append(out, hoursChange{user, int64(d / time.Second)})
		}
	}
	slices.SortFunc(out, func(a, b hoursChange) int { return strings.Compare(a.User, b.User) })
	return out
}

// of are the schedules of one state.
func (d rosterDiff) of(state string) (out []scheduleDiff) {
	for _, s := range d.Schedules {
		if s.State == state {
			out = append(out, s)
		}
	}
	return out
}

// span says which time was compared.
func (d rosterDiff) span() string {
	return fmt.Sprintf("from %s to %s (%s)", stamp(d.From), stamp(d.To), sim.FormatElapsed(d.To.Sub(d.From)))
}

// nothing says that there is no difference, and of what.
func (d rosterDiff) nothing() string {
	which := "any schedule"
	if len(d.Schedules) == 1 {
		which = "schedule " + d.Schedules[0].Schedule
	}
	return fmt.Sprintf("No difference: nobody is on call differently in %s %s.", which, d.span())
}

// sentence says what became of a schedule that is not the same, and who has more and less of it.
func (s scheduleDiff) sentence() string {
	switch s.State {
	case scheduleNew:
		return fmt.Sprintf("Schedule %s is new (%s). On call at the beginning: %s.", s.Schedule, s.Zone, names(s.OnCall))
	case scheduleRemoved:
		return fmt.Sprintf("Schedule %s is removed (%s). On call at the beginning, were it still there: %s.", s.Schedule, s.Zone, names(s.OnCall))
	}
	parts := []string{plural(len(s.Changes), "stretch", "stretches") + " with others on call"}
	for _, h := range s.Hours {
		if h.Seconds < 0 {
			parts = append(parts, h.User+" "+draw.Length(time.Duration(-h.Seconds)*time.Second)+" less")
		} else {
			parts = append(parts, h.User+" "+draw.Length(time.Duration(h.Seconds)*time.Second)+" more")
		}
	}
	return fmt.Sprintf("Schedule %s, times of %s: %s.", s.Schedule, s.Zone, strings.Join(parts, ", "))
}

func (d rosterDiff) table(w io.Writer) {
	if !d.Different {
		fmt.Fprintf(w, "%s\n%s\n", d.nothing(), filesAlone)
		return
	}
	fmt.Fprintf(w, "Who is on call differently, %s:\n", d.span())
	for _, s := range d.Schedules {
		if s.State == scheduleSame {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", s.sentence())
		if s.State != scheduleChanged {
			continue
		}
		rows := [][]string{{"FROM", "TO", "LASTS", "WAS", "IS"}}
		for _, c := range s.Changes {
			rows = append(rows, s.row(c))
		}
		columns(w, rows)
		remarks(w, s.Clocks)
	}
	fmt.Fprintln(w)
	if same := d.of(scheduleSame); len(same) > 0 {
		fmt.Fprintf(w, "No difference in %s.\n", nameList(same))
	}
	fmt.Fprintln(w, filesAlone)
}

// row is a change in the schedule's zone.
func (s scheduleDiff) row(c oncall.Change) []string {
	const minute = "Mon 2006-01-02 15:04"
	return []string{c.Start.In(s.zone).Format(minute), c.End.In(s.zone).Format(minute), draw.Length(c.End.Sub(c.Start)), names(c.Was), names(c.Is)}
}

func nameList(schedules []scheduleDiff) string {
	var out []string
	for _, s := range schedules {
		out = append(out, s.Schedule)
	}
	return strings.Join(out, ", ")
}

// markdown is made for a comment on a pull request.
func (d rosterDiff) markdown(w io.Writer) {
	if !d.Different {
		fmt.Fprintf(w, "%s\n\n<sub>%s</sub>\n", inMarkdown(d.nothing()), filesAlone)
		return
	}
	fmt.Fprintf(w, "#### Who is on call differently\n\n%s:\n", upperFirst(d.span()))
	for _, s := range d.Schedules {
		if s.State == scheduleSame {
			continue
		}
		name := inMarkdown(s.Schedule)
		fmt.Fprintf(w, "\n%s\n", strings.Replace(inMarkdown(s.sentence()), name, "**"+name+"**", 1))
		if s.State != scheduleChanged {
			continue
		}
		fmt.Fprint(w, "\n| from | to | lasts | was | is |\n|---|---|---:|---|---|\n")
		for i, c := range s.Changes {
			if i == markdownRows {
				break
			}
			row := s.row(c)
			for j := range row {
				row[j] = inMarkdown(row[j])
			}
			fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		}
		if more := len(s.Changes) - markdownRows; more > 0 {
			fmt.Fprintf(w, "\nand %d more.\n", more)
		}
		for _, c := range s.Clocks {
			fmt.Fprintf(w, "\n%s.\n", inMarkdown(c.Text))
		}
	}
	if same := d.of(scheduleSame); len(same) > 0 {
		fmt.Fprintf(w, "\nNo difference in %s.\n", inMarkdown(nameList(same)))
	}
	fmt.Fprintf(w, "\n<sub>%s</sub>\n", filesAlone)
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "|", `\|`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`,
)

// inMarkdown writes a text so that it stays as it is.
func inMarkdown(s string) string { return markdownEscapes.Replace(s) }
