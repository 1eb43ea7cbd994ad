package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/engine"
)

func testPageCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("test-page", "Send somebody a page that is about nothing, by the real channels, and wait for what becomes of it. Exits 0 if it was delivered, 1 if not, 3 if there is no such user or contact method.")
	cl, form := serverFlags(cmd), formFlag(cmd)
	cl.wait = engine.TestPatience + clientTimeout // the server answers when it knows the outcome
	user := cmd.Arg("user", "Who is to get it.").Required().String()
	via := cmd.Flag("via", "By this contact method alone. Default: by each that the user has.").String()
	by := cmd.Flag("by", "Who you are. Default: your login name.").Default(loginName()).String()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		var raw json.RawMessage
		if err := cl.call(ctx, http.MethodPost, "test-page", nil, api.Testing{By: *by, User: *user, Via: *via}, &raw); err != nil {
			return out.failCall(err)
		}
		var tested api.Tested
		if err := json.Unmarshal(raw, &tested); err != nil {
			return out.fail(exitFailed, err)
		}
		if code := out.print(*form, raw, func(w io.Writer) { printTested(w, tested) }); code != exitOK {
			return code
		}
		for _, r := range tested.Results {
			if r.Outcome != api.TestDelivered {
				return exitFailed
			}
		}
		return exitOK
	}}
}

func printTested(w io.Writer, t api.Tested) {
	rows := [][]string{{"USER", "VIA", "OUTCOME", "TOOK", "ANSWER"}}
	for _, r := range t.Results {
		answer, took := r.Answer, latencyWords(r.LatencyMS)
		switch {
		case r.Outcome == api.TestWaiting:
			answer, took = "no outcome yet; the delivery log will have it: midwatch deliveries --user "+t.User, "-"
		case r.Retry:
			answer += " (a page would be tried again)"
		}
		rows = append(rows, []string{t.User, r.Via, r.Outcome, took, answer})
	}
	columns(w, rows)
}

// latencyWords says how long an attempt took: "12ms", "1.5s".
func latencyWords(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// deliveriesPage is how many lines of the delivery log are asked for at once, as many as the server gives.
const deliveriesPage = 200

func deliveriesCommand(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("deliveries", "The delivery log: every attempt to send a message, the newest first. Exits 3 if there is none.")
	cl, form := serverFlags(cmd), formFlag(cmd)
	of := cmd.Flag("incident", "Only of this one, as INC-1.").String()
	user := cmd.Flag("user", "Only to this user.").String()
	failed := cmd.Flag("failed", "Only attempts that did not come through, those that were tried again too.").Bool()
	limit := cmd.Flag("limit", "At most so many.").Default("50").Int()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		if *limit < 1 {
			return out.fail(exitUsage, fmt.Errorf("--limit is %d; ask for at least 1", *limit))
		}
		query := map[string][]string{}
		for name, value := range map[string]string{"incident": *of, "user": *user} {
			if value != "" {
				query[name] = []string{value}
			}
		}
		if *failed {
			query["outcome"] = []string{engine.Failed.String(), engine.Retry.String()}
		}
		all := api.Deliveries{Deliveries: []api.Delivery{}}
		for len(all.Deliveries) < *limit {
			query["limit"] = []string{fmt.Sprint(min(*limit-len(all.Deliveries), deliveriesPage))}
			var page api.Deliveries
			if err := cl.call(ctx, http.MethodGet, "deliveries", query, nil, &page); err != nil {
				return out.failCall(err)
			}
			all.Deliveries, all.Next = append(all.Deliveries, page.Deliveries...), page.Next
			if page.Next == "" {
				break
			}
			query["cursor"] = []string{page.Next}
		}
		code := out.print(*form, all, func(w io.Writer) { printDeliveries(w, all.Deliveries) })
		if code == exitOK && len(all.Deliveries) == 0 {
			return exitNothing
		}
		return code
	}}
}

func printDeliveries(w io.Writer, list []api.Delivery) {
	rows := [][]string{{"AT", "ABOUT", "EVENT", "TO", "VIA", "TRY", "OUTCOME", "TOOK", "ANSWER"}}
	for _, d := range list {
		about := orElse(d.Incident, "-")
		if len(d.Incidents) > 0 {
			about = d.Incidents[0]
			if more := len(d.Incidents) - 1; more > 0 {
				about += fmt.Sprintf(" +%d", more)
			}
		}
		answer := d.Answer
		if !d.NextAt.IsZero() {
			answer += "; again at " + d.NextAt.Local().Format("15:04:05")
		}
		rows = append(rows, []string{
			d.At.Local().Format("Jan 02 15:04:05"), about, d.Event, orElse(d.User, d.Receiver), d.Via, fmt.Sprint(d.Attempt), d.Outcome,
			latencyWords(d.LatencyMS), strings.TrimPrefix(answer, "; "),
		})
	}
	columns(w, rows)
}
