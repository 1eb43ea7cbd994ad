package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/sim"
)

// A roster says who is on call: by the server, or by a configuration file.
type roster interface {
	// duties are those at an instant, of one schedule or, by "", of all.
	duties(ctx context.Context, schedule string, at time.Time) ([]duty, error)
	// shifts are those of a schedule in [from, to), cut to it.
	shifts(ctx context.Context, schedule string, from, to time.Time) ([]oncall.Shift, error)
}

// A duty is who is on call in a schedule, as the server says it.
type duty struct {
	Schedule    string    `json:"schedule"`
	Users       []string  `json:"users"`
	DeclaredGap bool      `json:"declared_gap"`
	Until       time.Time `json:"until"` // when that may change; zero: never

	Recorded    *bool         `json:"recorded"` // nil: it is not past
	Unavailable []conflictRow `json:"unavailable"`
}

// Next hand-offs are looked for in ever longer stretches. The last is what the server answers at most.
var lookAhead = []time.Duration{14 * 24 * time.Hour, 100 * 24 * time.Hour, 400 * 24 * time.Hour}

// A handoffLine is the next hand-off of a schedule. Who shares the turn before and after neither goes nor comes.
type handoffLine struct {
	Schedule    string    `json:"schedule"`
	OnCall      []string  `json:"on_call"` // none is a gap
	DeclaredGap bool      `json:"declared_gap,omitempty"`
	Handoff     time.Time `json:"handoff,omitzero"` // absent: none in the next 400 days
	Goes        []string  `json:"goes"`
	Comes       []string  `json:"comes"`
	Then        []string  `json:"then"` // who is on call from then on; none is a gap
	ThenGap     bool      `json:"then_declared_gap,omitempty"`
}

// A turnLine is a stretch of time in which a user is on call, whoever else is.
type turnLine struct {
	Schedule string    `json:"schedule"`
	User     string    `json:"user"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"`  // absent: not in the next 400 days
	Now      bool      `json:"now,omitempty"` // it has begun; start is the instant that was asked about
}

func oncallNext(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("next", "The next hand-off of every schedule: when, who goes and who comes. With --user, when that user is on call next. As the server says, or by a configuration file alone.")
	server, form := serverFlags(cmd), formFlag(cmd)
	file := cmd.Flag("config.file", "Configuration file, to be read in place of asking the server. Overrides made at run time are not in it.").String()
	schedule := cmd.Flag("schedule", "Only this schedule.").String()
	user := cmd.Flag("user", "This user's next shifts.").String()
	limit := cmd.Flag("limit", "At most so many shifts of the user.").Default("5").Int()
	at := cmd.Flag("at", "After this instant: 2026-11-22T03:00:00Z. Default: now.").String()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		after, err := atFlag(*at)
		if err != nil {
			return out.fail(exitUsage, err)
		}
		if *limit < 1 {
			return out.fail(exitUsage, fmt.Errorf("--limit %d shows nothing; the least is 1", *limit))
		}
		after = after.UTC().Truncate(time.Second)
		var rota roster = serverRoster{server}
		if *file != "" {
			cfg, ok := loadConfig(out, *file)
			if !ok {
				return exitFailed
			}
			if err := userOf(cfg, *user); err != nil {
				return out.fail(exitNothing, err)
			}
			if _, err := chosen(*schedule, cfg.ScheduleOrder); err != nil {
				return out.fail(exitNothing, err)
			}
			rota = fileRoster{cfg}
		}
		duties, err := rota.duties(ctx, *schedule, after)
		if err != nil {
			return out.failCall(err)
		}
		if *user != "" {
			lines, err := turns(ctx, rota, duties, *user, after, *limit)
			if err != nil {
				return out.failCall(err)
			}
			return printed(out.print(*form, lines, func(w io.Writer) { turnTable(w, *user, lines) }), len(lines))
		}
		lines, err := handoffs(ctx, rota, duties, after)
		if err != nil {
			return out.failCall(err)
		}
		return printed(out.print(*form, lines, func(w io.Writer) { handoffTable(w, after, lines) }), len(lines))
	}}
}

// printed says that nothing matched where n is 0 and all else went well.
func printed(code, n int) int {
	if code == exitOK && n == 0 {
		return exitNothing
	}
	return code
}

// handoffs is never nil.
func handoffs(ctx context.Context, rota roster, duties []duty, at time.Time) ([]handoffLine, error) {
	lines := []handoffLine{}
	for _, d := range duties {
		line := handoffLine{Schedule: d.Schedule, OnCall: []string{}, DeclaredGap: d.DeclaredGap, Goes: []string{}, Comes: []string{}}
		for _, ahead := range lookAhead {
			shifts, err := rota.shifts(ctx, d.Schedule, at, at.Add(ahead))
			if err != nil {
				return nil, err
			}
			line.OnCall, line.Handoff, line.Then = firstChange(shifts, at, at.Add(ahead))
			if !line.Handoff.IsZero() {
				break
			}
		}
		line.Goes, line.Comes = without(line.OnCall, line.Then), without(line.Then, line.OnCall)
		if !line.Handoff.IsZero() && len(line.Then) == 0 {
			then, err := rota.duties(ctx, d.Schedule, line.Handoff)
			if err != nil {
				return nil, err
			}
			line.ThenGap = len(then) == 1 && then[0].DeclaredGap
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// firstChange reads from the shifts of [at, end) who is on call at the beginning, when others are, and who these are.
// The time is zero where nothing changes; then those who are on call stay.
func firstChange(shifts []oncall.Shift, at, end time.Time) (now []string, change time.Time, then []string) {
	now = []string{}
	if len(shifts) == 0 {
		return now, change, now
	}
	first := shifts[0]
	if first.Start.After(at) {
		return now, first.Start, first.Users
	}
	now = first.Users
	switch {
	case !first.End.Before(end):
		return now, change, now
	case len(shifts) > 1 && shifts[1].Start.Equal(first.End):
		return now, first.End, shifts[1].Users
	}
	return now, first.End, []string{}
}

// without is never nil.
func without(users, others []string) []string {
	return slices.DeleteFunc(append([]string{}, users...), func(u string) bool { return slices.Contains(others, u) })
}

// turns are the user's next ones in all these schedules, by their start; never nil.
func turns(ctx context.Context, rota roster, duties []duty, user string, at time.Time, limit int) ([]turnLine, error) {
	lines := []turnLine{}
	for _, d := range duties {
		var theirs []turnLine
		for _, ahead := range lookAhead {
			end := at.Add(ahead)
			shifts, err := rota.shifts(ctx, d.Schedule, at, end)
			if err != nil {
				return nil, err
			}
			theirs = turnsIn(shifts, d.Schedule, user, at)
			n := len(theirs)
			if n > 0 && !theirs[n-1].End.Before(end) { // it was cut
				theirs[n-1].End = time.Time{}
			}
			if n > limit {
				break
			}
		}
		lines = append(lines, theirs...)
	}
	slices.SortStableFunc(lines, func(a, b turnLine) int { return a.Start.Compare(b.Start) })
	return lines[:min(len(lines), limit)], nil
}

// turnsIn joins adjacent shifts: whoever comes and goes beside the user changes nothing for the user.
func turnsIn(shifts []oncall.Shift, schedule, user string, at time.Time) (lines []turnLine) {
	for _, s := range shifts {
		if !slices.Contains(s.Users, user) {
			continue
		}
		if n := len(lines); n > 0 && lines[n-1].End.Equal(s.Start) {
			lines[n-1].End = s.End
			continue
		}
		lines = append(lines, turnLine{schedule, user, s.Start.UTC(), s.End.UTC(), !s.Start.After(at)})
	}
	return lines
}

func handoffTable(w io.Writer, at time.Time, lines []handoffLine) {
	rows := [][]string{{"SCHEDULE", "ON CALL", "NEXT HAND-OFF", "IN", "GOES", "COMES"}}
	for _, l := range lines {
		row := []string{l.Schedule, gapOr(l.OnCall, l.DeclaredGap), "-", "-", "-", "-"}
		if !l.Handoff.IsZero() {
			row[2], row[3] = localMinute(l.Handoff), sim.FormatElapsed(l.Handoff.Sub(at))
			row[4], row[5] = orElse(strings.Join(l.Goes, ", "), "-"), orElse(strings.Join(l.Comes, ", "), "-")
			if len(l.Then) == 0 {
				row[5] = gapOr(l.Then, l.ThenGap)
			}
		}
		rows = append(rows, row)
	}
	columns(w, rows)
}

// gapOr says who is on call, and of a gap whether it is declared.
func gapOr(users []string, declared bool) string {
	if len(users) == 0 && declared {
		return "nobody (declared)"
	}
	return names(users)
}

func turnTable(w io.Writer, user string, lines []turnLine) {
	if len(lines) == 0 {
		fmt.Fprintf(w, "%s is not on call in the next 400 days\n", user)
		return
	}
	rows := [][]string{{"FROM", "TO", "SCHEDULE", "LASTS"}}
	for _, l := range lines {
		row := []string{localMinute(l.Start), "-", l.Schedule, "-"}
		if l.Now {
			row[0] = "now"
		}
		if !l.End.IsZero() {
			row[1], row[3] = localMinute(l.End), draw.Length(l.End.Sub(l.Start))
		}
		if l.Now && !l.End.IsZero() {
			row[3] += " more"
		}
		rows = append(rows, row)
	}
	columns(w, rows)
}

func localMinute(t time.Time) string { return t.Local().Format("Mon 2006-01-02 15:04 MST") }

// fileRoster asks the schedules of a configuration.
type fileRoster struct{ cfg *config.Config }

func (r fileRoster) duties(_ context.Context, schedule string, at time.Time) (duties []duty, err error) {
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Schedules)) { // as the server sorts them
		if schedule != "" && schedule != name {
			continue
		}
		s := r.cfg.Schedules[name]
		answer := s.At(at)
		duties = append(duties, duty{Schedule: name, Users: answer.Users(), DeclaredGap: answer.Declared, Until: s.NextChange(at)})
	}
	return duties, nil
}

func (r fileRoster) shifts(_ context.Context, schedule string, from, to time.Time) ([]oncall.Shift, error) {
	return r.cfg.Schedules[schedule].Shifts(from, to), nil
}

// serverRoster asks the server.
type serverRoster struct{ server client }

func (r serverRoster) duties(ctx context.Context, schedule string, at time.Time) ([]duty, error) {
	query := url.Values{"at": {at.Format(time.RFC3339)}}
	if schedule != "" {
		query.Set("schedule", schedule)
	}
	var answer struct {
		OnCall []duty `json:"oncall"`
	}
	err := r.server.call(ctx, http.MethodGet, "oncall", query, nil, &answer)
	return answer.OnCall, err
}

func (r serverRoster) shifts(ctx context.Context, schedule string, from, to time.Time) ([]oncall.Shift, error) {
	query := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	var answer struct {
		Shifts []oncall.Shift `json:"shifts"`
	}
	err := r.server.call(ctx, http.MethodGet, "schedules/"+url.PathEscape(schedule)+"/shifts", query, nil, &answer)
	return answer.Shifts, err
}
