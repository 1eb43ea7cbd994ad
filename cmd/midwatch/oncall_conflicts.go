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
)

// A conflictRow is what of a conflict a table shows: somebody is on call who is unavailable.
type conflictRow struct {
	Schedule   string    `json:"schedule"`
	User       string    `json:"user"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	Reason     string    `json:"reason"`
	Substitute string    `json:"substitute"`
}

// sentence has no full stop.
func (c conflictRow) sentence() string {
	why := ""
	if c.Reason != "" {
		why = " (" + c.Reason + ")"
	}
	who := "nobody of the schedule is free to stand in"
	if c.Substitute != "" {
		who = c.Substitute + " could stand in"
	}
	return fmt.Sprintf("%s is on call in %s from %s to %s, and unavailable%s; %s", c.User, c.Schedule, localMinute(c.Start), localMinute(c.End), why, who)
}

// mend is the command that puts the substitute there.
func (c conflictRow) mend() string {
	return fmt.Sprintf("midwatch oncall override add --schedule %s --replace %s --with %s --from %s --to %s",
		c.Schedule, c.User, c.Substitute, c.Start.UTC().Format(time.RFC3339), c.End.UTC().Format(time.RFC3339))
}

// conflictsAhead is how far ahead conflicts are looked for, as far as config check looks.
const conflictsAhead = 90 * 24 * time.Hour

func oncallConflicts(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("conflicts", "When somebody is on call who is unavailable, and who could stand in. Exits 3 where there is no such time.")
	server, form := serverFlags(cmd), formFlag(cmd)
	schedule := cmd.Flag("schedule", "Only this schedule.").String()
	from := cmd.Flag("from", "From this instant: 2026-11-22T03:00:00Z. Default: now.").String()
	to := cmd.Flag("to", "Until this one. Default: 90 days later.").String()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		start, err := atFlag(*from)
		if err != nil {
			return out.fail(exitUsage, fmt.Errorf("--from %q is not an instant; write 2026-11-22T03:00:00Z", *from))
		}
		end := start.Add(conflictsAhead)
		if *to != "" {
			if end, err = instantFlag("to", *to); err != nil {
				return out.fail(exitUsage, err)
			}
		}
		names := []string{*schedule}
		if *schedule == "" {
			if names, err = scheduleNames(ctx, server); err != nil {
				return out.failCall(err)
			}
		}
		query := url.Values{"from": {start.Format(time.RFC3339)}, "to": {end.Format(time.RFC3339)}}
		pages := make([]json.RawMessage, len(names))
		var all []conflictRow
		for i, name := range names {
			if err := server.call(ctx, http.MethodGet, "schedules/"+url.PathEscape(name)+"/conflicts", query, nil, &pages[i]); err != nil {
				return out.failCall(err)
			}
			var page struct {
				Conflicts []conflictRow `json:"conflicts"`
			}
			if err := json.Unmarshal(pages[i], &page); err != nil {
				return out.fail(exitFailed, err)
			}
			all = append(all, page.Conflicts...)
		}
		slices.SortStableFunc(all, func(a, b conflictRow) int { return a.Start.Compare(b.Start) })
		return printed(out.print(*form, pages, func(w io.Writer) { conflictTable(w, all) }), len(all))
	}}
}

func conflictTable(w io.Writer, all []conflictRow) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"FROM", "TO", "SCHEDULE", "ON CALL", "REASON", "COULD STAND IN"}}
	for _, c := range all {
		rows = append(rows, []string{localMinute(c.Start), localMinute(c.End), c.Schedule, c.User, orElse(strings.TrimSpace(c.Reason), "-"), orElse(c.Substitute, "nobody")})
	}
	columns(w, rows)
	if i := slices.IndexFunc(all, func(c conflictRow) bool { return c.Substitute != "" }); i >= 0 {
		fmt.Fprintf(w, "\nTo have %s stand in:\n%s\n", all[i].Substitute, all[i].mend())
	}
}
