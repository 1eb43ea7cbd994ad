package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

// silenceRow is what of a silence a table shows.
type silenceRow struct {
	ID                 string    `json:"id"`
	State              string    `json:"state"`
	Matchers           []string  `json:"matchers"`
	StartsAt           time.Time `json:"starts_at"`
	EndsAt             time.Time `json:"ends_at"`
	CreatedBy          string    `json:"created_by"`
	Comment            string    `json:"comment"`
	ExpireWhenResolved bool      `json:"expire_when_resolved"`
	Warning            string    `json:"warning"`
}

// planRow is what of a recurring silence a table shows.
type planRow struct {
	Name     string   `json:"name"`
	Matchers []string `json:"matchers"`
	Cron     string   `json:"cron"`
	For      string   `json:"for"`
	TimeZone string   `json:"time_zone"`
	When     string   `json:"when"`
	FromFile bool     `json:"from_file"`
	Next     *struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	} `json:"next"`
}

const wallTime = "2006-01-02 15:04"

// silenceCommands speak amtool's words, and one of ours: recur.
func silenceCommands(app *kingpin.Application, out *output) map[string]command {
	commands := map[string]command{}
	silence := app.Command("silence", "Keep alerts quiet: list, make, change and end silences.")

	query := silence.Command("query", "List silences.").Alias("list").Default()
	queryClient, queryForm := serverFlags(query), formFlag(query)
	states := query.Flag("state", "Only those: active, pending, expired. Repeatable. Default: active and pending.").Enums("active", "pending", "expired")
	expired := query.Flag("expired", "Those that are over, in place of the others.").Bool()
	queryMatchers := query.Arg("matcher", "Only silences with these matchers, as service=db.").Strings()
	commands[query.FullCommand()] = func(ctx context.Context) int {
		switch {
		case *expired:
			*states = []string{"expired"}
		case len(*states) == 0:
			*states = []string{"active", "pending"}
		}
		var raw json.RawMessage
		params := url.Values{"state": {strings.Join(*states, ",")}, "matcher": matchers(*queryMatchers)}
		if err := queryClient.call(ctx, http.MethodGet, "silences", params, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Silences []silenceRow `json:"silences"`
		}
		return out.list(*queryForm, raw, &page, func() int { return len(page.Silences) }, func(w io.Writer) {
			rows := [][]string{{"ID", "STATE", "ENDS", "BY", "MATCHERS", "COMMENT"}}
			for _, s := range page.Silences {
				rows = append(rows, []string{s.ID, s.State, s.EndsAt.Local().Format(wallTime), s.CreatedBy, strings.Join(s.Matchers, " "), s.Comment})
			}
			columns(w, rows)
		})
	}

	add := silence.Command("add", "Make a silence, and print its ID.")
	addClient, addForm := serverFlags(add), formFlag(add)
	made := newSilenceFlags(add, "1h")
	addMatchers := add.Arg("matcher", "Which alerts: all of these must match, as service=db severity=~'page|warn'. A word alone is an alertname.").Required().Strings()
	commands[add.FullCommand()] = func(ctx context.Context) int {
		body, err := made.body()
		if err != nil {
			return out.fail(exitUsage, err)
		}
		body["matchers"] = matchers(*addMatchers)
		return out.silenced(ctx, addClient, *addForm, body)
	}

	update := silence.Command("update", "Change a silence. Where that would rewrite history the old one ends and a new one takes its place.")
	updateClient, updateForm := serverFlags(update), formFlag(update)
	changed := newSilenceFlags(update, "")
	updateID := update.Arg("id", "The silence.").Required().String()
	commands[update.FullCommand()] = func(ctx context.Context) int {
		body, err := changed.body()
		if err != nil {
			return out.fail(exitUsage, err)
		}
		body["id"] = *updateID
		return out.silenced(ctx, updateClient, *updateForm, body)
	}

	expire := silence.Command("expire", "End silences now.")
	expireClient := serverFlags(expire)
	expireBy := byFlag(expire)
	ids := expire.Arg("id", "The silences.").Required().Strings()
	commands[expire.FullCommand()] = func(ctx context.Context) int {
		for _, id := range *ids {
			var s silenceRow
			if err := expireClient.call(ctx, http.MethodDelete, "silences/"+url.PathEscape(id), url.Values{"by": {*expireBy}}, nil, &s); err != nil {
				return out.failCall(err)
			}
			out.warn(s.Warning)
		}
		return exitOK
	}

	preview := silence.Command("preview", "Show which firing alerts a silence with these matchers would mute. Makes none.")
	previewClient, previewForm := serverFlags(preview), formFlag(preview)
	previewMatchers := preview.Arg("matcher", "As for add.").Required().Strings()
	commands[preview.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		body := map[string]any{"matchers": matchers(*previewMatchers)}
		if err := previewClient.call(ctx, http.MethodPost, "silences/preview", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var muted struct {
			Count  int `json:"count"`
			Alerts []struct {
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		return out.list(*previewForm, raw, &muted, func() int { return muted.Count }, func(w io.Writer) {
			fmt.Fprintf(w, "%d firing alerts would be muted\n", muted.Count)
			for _, a := range muted.Alerts {
				fmt.Fprintln(w, labelText(a.Labels))
			}
			if more := muted.Count - len(muted.Alerts); more > 0 {
				fmt.Fprintf(w, "and %d more\n", more)
			}
		})
	}

	for name, c := range recurCommands(silence, out) {
		commands[name] = c
	}
	for name, c := range alertCommands(app, out) {
		commands[name] = c
	}
	return commands
}

// recurCommands are those of recurring silences.
func recurCommands(silence *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	recur := silence.Command("recur", "Silences that come again and again. Those of the file's maintenance section are shown, too.")

	list := recur.Command("list", "List recurring silences and maintenance windows.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	commands[list.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, "recurring-silences", nil, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Plans []planRow `json:"recurring_silences"`
		}
		return out.list(*listForm, raw, &page, func() int { return len(page.Plans) }, func(w io.Writer) {
			rows := [][]string{{"NAME", "WHEN", "NEXT", "MATCHERS", "FROM"}}
			for _, p := range page.Plans {
				rows = append(rows, []string{p.Name, p.when(), p.next(), strings.Join(p.Matchers, " "), p.origin()})
			}
			columns(w, rows)
		})
	}

	set := recur.Command("add", "Make a recurring silence, or replace the one of that name.")
	setClient, setForm := serverFlags(set), formFlag(set)
	cron := set.Flag("cron", `When each begins: a cron expression, as "0 22 * * SUN".`).Required().String()
	length := set.Flag("duration", "How long each lasts, as 2h.").Short('d').Required().String()
	zone := set.Flag("time-zone", "The zone in which the cron expression is read, as Europe/Lisbon.").Default("UTC").String()
	comment := set.Flag("comment", "Why.").Short('c').String()
	by := byFlag(set)
	whenResolved := set.Flag("expire-when-resolved", "Each ends with the last of the alerts that it mutes.").Bool()
	name := set.Arg("name", "Its name.").Required().String()
	setMatchers := set.Arg("matcher", "As for silence add.").Required().Strings()
	commands[set.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		body := map[string]any{
			"matchers": matchers(*setMatchers), "cron": *cron, "for": *length, "time_zone": *zone, "comment": *comment, "by": *by,
			"expire_when_resolved": *whenResolved,
		}
		if err := setClient.call(ctx, http.MethodPut, "recurring-silences/"+url.PathEscape(*name), nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var p planRow
		if err := json.Unmarshal(raw, &p); err != nil {
			return out.fail(exitFailed, err)
		}
		return out.print(*setForm, raw, func(w io.Writer) { fmt.Fprintf(w, "%s: %s; next %s\n", p.Name, p.when(), p.next()) })
	}

	remove := recur.Command("remove", "Remove recurring silences, and end their windows that are under way or to come.")
	removeClient := serverFlags(remove)
	removeBy := byFlag(remove)
	names := remove.Arg("name", "Their names.").Required().Strings()
	commands[remove.FullCommand()] = func(ctx context.Context) int {
		for _, n := range *names {
			if err := removeClient.call(ctx, http.MethodDelete, "recurring-silences/"+url.PathEscape(n), url.Values{"by": {*removeBy}}, nil, nil); err != nil {
				return out.failCall(err)
			}
		}
		return exitOK
	}
	return commands
}

func (p planRow) when() string {
	if p.When != "" {
		return p.When
	}
	return fmt.Sprintf("%s for %s, %s", p.Cron, p.For, p.TimeZone)
}

func (p planRow) next() string {
	if p.Next == nil {
		return "-"
	}
	return p.Next.From.Local().Format(wallTime) + " to " + p.Next.To.Local().Format(wallTime)
}

func (p planRow) origin() string {
	if p.FromFile {
		return "file"
	}
	return "made at run time"
}

// alertRow is what of an alert a table shows.
type alertRow struct {
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	Status   struct {
		State string `json:"state"`
	} `json:"status"`
	Receivers []struct {
		Name string `json:"name"`
	} `json:"receivers"`
}

// alertCommands list alerts, as amtool alert query does.
func alertCommands(app *kingpin.Application, out *output) map[string]command {
	cmd := app.Command("alerts", "List firing alerts. Without --silenced and --inhibited, those that are told.").Alias("alert")
	cl, form := serverFlags(cmd), formFlag(cmd)
	silenced := cmd.Flag("silenced", "Also silenced ones.").Short('s').Bool()
	inhibited := cmd.Flag("inhibited", "Also inhibited ones.").Short('i').Bool()
	receiver := cmd.Flag("receiver", "Only those of receivers that this regular expression matches.").Short('r').String()
	filter := cmd.Arg("matcher", "Only those that these match, as service=db. A word alone is an alertname.").Strings()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		query := url.Values{
			"silenced": {strconv.FormatBool(*silenced)}, "inhibited": {strconv.FormatBool(*inhibited)}, "filter": matchers(*filter),
		}
		if *receiver != "" {
			query.Set("receiver", *receiver)
		}
		var raw json.RawMessage
		if err := cl.upstream(ctx, "alerts", query, &raw); err != nil {
			return out.failCall(err)
		}
		var alerts []alertRow
		return out.list(*form, raw, &alerts, func() int { return len(alerts) }, func(w io.Writer) {
			rows := [][]string{{"SINCE", "STATE", "RECEIVERS", "LABELS"}}
			for _, a := range alerts {
				var to []string
				for _, r := range a.Receivers {
					to = append(to, r.Name)
				}
				rows = append(rows, []string{a.StartsAt.Local().Format(wallTime), a.Status.State, strings.Join(to, ", "), labelText(a.Labels)})
			}
			columns(w, rows)
		})
	}}
}

// silenceFlags are what a silence may be made of or changed to.
type silenceFlags struct {
	length, start, end, comment, by *string
	whenResolved                    *bool
}

func newSilenceFlags(cmd *kingpin.CmdClause, length string) silenceFlags {
	d := cmd.Flag("duration", "How long, as 30m, 2h or 1d.").Short('d')
	if length != "" {
		d = d.Default(length)
	}
	return silenceFlags{
		length:       d.String(),
		start:        cmd.Flag("start", "When it begins, as 2026-11-22T03:00:00Z. Default: now.").String(),
		end:          cmd.Flag("end", "When it ends, in place of --duration.").String(),
		comment:      cmd.Flag("comment", "Why.").Short('c').String(),
		by:           byFlag(cmd),
		whenResolved: cmd.Flag("expire-when-resolved", "It ends with the last of the alerts that it mutes.").Bool(),
	}
}

// byFlag says who acts; --author is amtool's name for it.
func byFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("author", "Who you are. Default: your login name.").Short('a').Default(loginName()).String()
}

func (f silenceFlags) body() (map[string]any, error) {
	body := map[string]any{"by": *f.by}
	for field, text := range map[string]string{"starts_at": *f.start, "ends_at": *f.end} {
		if text == "" {
			continue
		}
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("%q is not an instant; write one as 2026-11-22T03:00:00Z", text)
		}
		body[field] = text
	}
	if *f.end == "" && *f.length != "" {
		body["for"] = *f.length
	}
	if *f.comment != "" {
		body["comment"] = *f.comment
	}
	if *f.whenResolved {
		body["expire_when_resolved"] = true
	}
	return body, nil
}

// silenced posts a silence and prints its ID.
func (o *output) silenced(ctx context.Context, c client, form string, body map[string]any) int {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodPost, "silences", nil, body, &raw); err != nil {
		return o.failCall(err)
	}
	var s silenceRow
	if err := json.Unmarshal(raw, &s); err != nil {
		return o.fail(exitFailed, err)
	}
	o.warn(s.Warning)
	return o.print(form, raw, func(w io.Writer) { fmt.Fprintln(w, s.ID) })
}

func (o *output) warn(text string) {
	if text != "" {
		fmt.Fprintln(o.stderr, "midwatch:", text)
	}
}

// list prints a list that was read from raw; its exit code says whether anything is in it.
func (o *output) list(form string, raw json.RawMessage, into any, size func() int, table func(io.Writer)) int {
	if err := json.Unmarshal(raw, into); err != nil {
		return o.fail(exitFailed, err)
	}
	code := o.print(form, raw, func(w io.Writer) {
		if size() > 0 {
			table(w)
		}
	})
	if code == exitOK && size() == 0 {
		return exitNothing
	}
	return code
}

// matchers are the arguments as they are sent: a word alone is an alertname, as in amtool.
func matchers(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if !strings.ContainsAny(a, "=~") {
			a = "alertname=" + strconv.Quote(a)
		}
		out[i] = a
	}
	return out
}

// upstream gets something of Alertmanager's API.
func (c client) upstream(ctx context.Context, path string, query url.Values, v any) error {
	return c.call(ctx, http.MethodGet, "../../v2/"+path, query, nil, v)
}

// labelText is a set of labels as it is written in the configuration, the alertname first.
func labelText(labels map[string]string) string {
	words := []string{}
	for _, name := range slices.SortedFunc(maps.Keys(labels), func(a, b string) int {
		return cmp.Or(-strings.Compare(strconv.FormatBool(a == "alertname"), strconv.FormatBool(b == "alertname")), cmp.Compare(a, b))
	}) {
		words = append(words, name+"="+strconv.Quote(labels[name]))
	}
	return strings.Join(words, " ")
}
