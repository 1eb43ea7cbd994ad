package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/api"
)

func browserCommands(app *kingpin.Application, out *output) map[string]command {
	commands := map[string]command{}
	parent := app.Command("browsers", "The browsers that get somebody's pages by web push. midwatch push-link adds one.")

	list := parent.Command("list", "List them, the longest subscribed first. Exits 3 if there are none, or no such user.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	listUser := list.Arg("user", "Whose pages.").Required().String()
	commands[list.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, browsersOf(*listUser), nil, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page api.Browsers
		return out.list(*listForm, raw, &page, func() int { return len(page.Browsers) }, func(w io.Writer) {
			rows := [][]string{{"ID", "BROWSER", "PUSH SERVICE", "INVITED BY", "SINCE"}}
			for _, b := range page.Browsers {
				rows = append(rows, []string{b.ID, orElse(b.Agent, "-"), b.Service, b.CreatedBy, localMinute(b.CreatedAt)})
			}
			columns(w, rows)
		})
	}

	remove := parent.Command("remove", "Send no pages to these browsers any more, at once. Exits 3 if there is no such browser.")
	removeClient, removeBy := serverFlags(remove), actorFlag(remove)
	removeUser := remove.Arg("user", "Whose pages.").Required().String()
	ids := remove.Arg("id", "The browsers, as midwatch browsers lists them.").Required().Strings()
	commands[remove.FullCommand()] = func(ctx context.Context) int {
		for _, id := range *ids {
			var raw json.RawMessage
			if err := removeClient.call(ctx, http.MethodDelete, browsersOf(*removeUser)+"/"+url.PathEscape(id), url.Values{"by": {*removeBy}}, nil, &raw); err != nil {
				return out.failCall(err)
			}
			var gone api.Browser
			code := out.made("table", raw, &gone, func() string {
				return fmt.Sprintf("%s (%s, %s) gets pages of %s no more", gone.ID, orElse(gone.Agent, "unknown browser"), gone.Service, gone.User)
			})
			if code != exitOK {
				return code
			}
		}
		return exitOK
	}
	return commands
}

func browsersOf(user string) string { return "users/" + url.PathEscape(user) + "/browsers" }
