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

func pushLinkCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("push-link", "Make a link that subscribes browsers to somebody's pages for 24 hours. It is a secret: who opens it can get them. Exits 3 if there is no such user.")
	client, form := serverFlags(cmd), formFlag(cmd)
	user := cmd.Arg("user", "Whose pages.").Required().String()
	by := actorFlag(cmd)
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		var raw json.RawMessage
		if err := client.call(ctx, http.MethodPost, "users/"+url.PathEscape(*user)+"/push-link", nil, api.Inviting{By: *by}, &raw); err != nil {
			return out.failCall(err)
		}
		var link api.PushLink
		if err := json.Unmarshal(raw, &link); err != nil {
			return out.fail(exitFailed, err)
		}
		return out.print(*form, raw, func(w io.Writer) {
			fmt.Fprintf(w, "%s\n\nOpen it in each browser that is to show the pages of %s, until %s.\n", link.URL, link.User, link.ExpiresAt.Local().Format("Mon 2006-01-02 15:04 MST"))
		})
	}}
}
