package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// feedRow is what of a calendar feed a table shows.
type feedRow struct {
	ID        string    `json:"id"`
	User      string    `json:"user"`
	Schedule  string    `json:"schedule"`
	Alarm     string    `json:"alarm"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url"`
}

func (f feedRow) of() string {
	if f.User != "" {
		return "user " + f.User
	}
	return "schedule " + f.Schedule
}

func feedCommands(top *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	parent := top.Command("feed", "Calendar feeds: shifts in the calendars that people have anyway. Make, list and revoke their secret addresses.")

	create := parent.Command("create", "Make a feed, and print its address. It is a secret, and is not shown again: who has it may read these shifts.")
	client, form := serverFlags(create), formFlag(create)
	user := create.Flag("user", "The shifts of this user, in all schedules.").String()
	schedule := create.Flag("schedule", "Or the shifts of everybody in this schedule.").String()
	alarm := create.Flag("alarm", "Calendars remind so long before each shift, such as 1h. Default: they do not.").PlaceHolder("DURATION").String()
	by := actorFlag(create)
	commands[create.FullCommand()] = func(ctx context.Context) int {
		if (*user == "") == (*schedule == "") {
			return out.fail(exitUsage, errors.New("a feed is of one user or of one schedule: give --user or --schedule"))
		}
		body := map[string]any{"by": *by}
		for name, value := range map[string]string{"user": *user, "schedule": *schedule, "alarm": *alarm} {
			if value != "" {
				body[name] = value
			}
		}
		var raw json.RawMessage
		if err := client.call(ctx, http.MethodPost, "feeds", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var made feedRow
		return out.made(*form, raw, &made, func() string { return made.URL })
	}

	list := parent.Command("list", "List the feeds, without their addresses.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	commands[list.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, "feeds", nil, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Feeds []feedRow `json:"feeds"`
		}
		return out.list(*listForm, raw, &page, func() int { return len(page.Feeds) }, func(w io.Writer) {
			rows := [][]string{{"ID", "OF", "REMINDS", "MADE BY", "MADE"}}
			for _, f := range page.Feeds {
				rows = append(rows, []string{f.ID, f.of(), orElse(f.Alarm, "-"), f.CreatedBy, localMinute(f.CreatedAt)})
			}
			columns(w, rows)
		})
	}

	revoke := parent.Command("revoke", "Take back addresses of feeds, at once and for good.")
	revokeClient, revokeBy := serverFlags(revoke), actorFlag(revoke)
	ids := revoke.Arg("id", "The feeds, as FEED-1.").Required().Strings()
	commands[revoke.FullCommand()] = func(ctx context.Context) int {
		for _, id := range *ids {
			var raw json.RawMessage
			if err := revokeClient.call(ctx, http.MethodDelete, "feeds/"+url.PathEscape(id), url.Values{"by": {*revokeBy}}, nil, &raw); err != nil {
				return out.failCall(err)
			}
			var gone feedRow
			if code := out.made("table", raw, &gone, func() string { return fmt.Sprintf("%s (%s) is revoked", gone.ID, gone.of()) }); code != exitOK {
				return code
			}
		}
		return exitOK
	}
	return commands
}
