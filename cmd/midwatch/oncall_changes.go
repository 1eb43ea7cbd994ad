package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/oncall"
)

// overrideRow is what of an override a table shows.
type overrideRow struct {
	ID        string    `json:"id"`
	Take      string    `json:"take"`
	Add       string    `json:"add"`
	Remove    string    `json:"remove"`
	Replace   string    `json:"replace"`
	With      string    `json:"with"`
	Layer     string    `json:"layer"`
	StartsAt  time.Time `json:"starts_at"`
	EndsAt    time.Time `json:"ends_at"`
	FromFile  bool      `json:"from_file"`
	CreatedBy string    `json:"created_by"`
	Swap      string    `json:"swap"`
	Problem   string    `json:"problem"`
}

func overrideCommands(top *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	parent := top.Command("override", "Change who is on call for a time: make, list and remove overrides.")

	add := parent.Command("add", "Make an override, and print its ID. What to think of again (it leaves a gap, it changes nothing, …) is said on stderr.")
	addClient, addForm := serverFlags(add), formFlag(add)
	schedule := add.Flag("schedule", "The schedule.").Required().String()
	given := map[string]*string{
		"take":    add.Flag("take", "This user takes over, alone, also where nobody is on call.").PlaceHolder("USER").String(),
		"replace": add.Flag("replace", "This user is replaced by --with, wherever this user would be on call.").PlaceHolder("USER").String(),
		"add":     add.Flag("add", "This user is on call, too, beside whoever is.").PlaceHolder("USER").String(),
		"remove":  add.Flag("remove", "This user is not on call; nobody takes the place.").PlaceHolder("USER").String(),
		"with":    add.Flag("with", "Who replaces --replace.").PlaceHolder("USER").String(),
		"layer":   add.Flag("layer", "Only in this layer; others show as ever. Default: the result of all.").String(),
	}
	times := fromNowFlags(add, "the schedule's zone")
	addBy := actorFlag(add)
	commands[add.FullCommand()] = func(ctx context.Context) int {
		body, err := overrideBody(given)
		if err == nil {
			err = times.into(body)
		}
		if err != nil {
			return out.fail(exitUsage, err)
		}
		body["by"] = *addBy
		var raw json.RawMessage
		if err := addClient.call(ctx, http.MethodPost, "schedules/"+url.PathEscape(*schedule)+"/overrides", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var made struct {
			Override overrideRow `json:"override"`
		}
		return out.made(*addForm, raw, &made, func() string { return made.Override.ID })
	}

	list := parent.Command("list", "List overrides, those of the configuration and those made at run time.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	listSchedule := list.Flag("schedule", "Only of this schedule.").String()
	listPast := pastFlag(list)
	commands[list.FullCommand()] = func(ctx context.Context) int {
		names := []string{*listSchedule}
		if *listSchedule == "" {
			var err error
			if names, err = scheduleNames(ctx, listClient); err != nil {
				return out.failCall(err)
			}
		}
		pages := make([]json.RawMessage, len(names))
		rows := [][]string{{"ID", "WHAT", "FROM", "TO", "MADE BY"}}
		for i, name := range names {
			if err := listClient.call(ctx, http.MethodGet, "schedules/"+url.PathEscape(name)+"/overrides", listPast.query(), nil, &pages[i]); err != nil {
				return out.failCall(err)
			}
			var page struct {
				Overrides []overrideRow `json:"overrides"`
			}
			if err := json.Unmarshal(pages[i], &page); err != nil {
				return out.fail(exitFailed, err)
			}
			for _, o := range page.Overrides {
				rows = append(rows, []string{o.ID, o.what(), localMinute(o.StartsAt), localMinute(o.EndsAt), o.origin()})
			}
		}
		return out.rows(*listForm, pages, rows)
	}

	remove := parent.Command("remove", "Take back overrides made at run time, from now on. What has been stays as it was.")
	removeClient, removeBy := serverFlags(remove), actorFlag(remove)
	ids := remove.Arg("id", "The overrides, as db-primary-7.").Required().Strings()
	commands[remove.FullCommand()] = func(ctx context.Context) int {
		return out.removeEach(ctx, removeClient, *ids, *removeBy, func(schedule, id string) string {
			return "schedules/" + url.PathEscape(schedule) + "/overrides/" + url.PathEscape(id)
		})
	}
	return commands
}

// overrideBody reads what an override does.
func overrideBody(given map[string]*string) (map[string]any, error) {
	body := map[string]any{}
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if *given[name] == "" {
			continue
		}
		body[name] = *given[name]
		if name != "with" && name != "layer" {
			kinds = append(kinds, "--"+name)
		}
	}
	switch _, replaces := body["replace"]; {
	case len(kinds) != 1:
		return nil, fmt.Errorf("an override does one thing: give one of --take, --replace (and --with), --add and --remove, not %s", orElse(strings.Join(kinds, " and "), "none"))
	case replaces && body["with"] == nil:
		return nil, fmt.Errorf("replace %s with whom? Give --with", *given["replace"])
	case !replaces && body["with"] != nil:
		return nil, errors.New("--with goes with --replace")
	}
	return body, nil
}

func (o overrideRow) what() string {
	var text string
	switch {
	case o.Take != "":
		text = o.Take + " takes over"
	case o.Add != "":
		text = o.Add + " is added"
	case o.Remove != "":
		text = o.Remove + " is removed"
	default:
		text = o.With + " replaces " + o.Replace
	}
	if o.Layer != "" {
		text += " in layer " + o.Layer
	}
	if o.Problem != "" {
		text += " (does nothing: " + o.Problem + ")"
	}
	return text
}

func (o overrideRow) origin() string {
	switch {
	case o.FromFile:
		return "the configuration"
	case o.Swap != "":
		return o.CreatedBy + ", " + o.Swap
	}
	return orElse(o.CreatedBy, "somebody")
}

// scheduleNames asks the server which schedules there are.
func scheduleNames(ctx context.Context, c client) (names []string, err error) {
	var page struct {
		OnCall []struct {
			Schedule string `json:"schedule"`
		} `json:"oncall"`
	}
	err = c.call(ctx, http.MethodGet, "oncall", nil, nil, &page)
	for _, d := range page.OnCall {
		names = append(names, d.Schedule)
	}
	return names, err
}

// swapRow is what of a swap a table shows.
type swapRow struct {
	ID       string    `json:"id"`
	Schedule string    `json:"schedule"`
	User     string    `json:"user"`
	With     string    `json:"with"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	ForFrom  time.Time `json:"for_from"`
	ForTo    time.Time `json:"for_to"`
	State    string    `json:"state"`
}

func (s swapRow) row() []string {
	span := func(from, to time.Time) string {
		if from.IsZero() {
			return "nothing"
		}
		return localMinute(from) + " to " + localMinute(to)
	}
	return []string{s.ID, s.State, s.Schedule, s.User + ": " + span(s.From, s.To), s.With + ": " + span(s.ForFrom, s.ForTo)}
}

func swapCommands(top *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	parent := top.Command("swap", "Swap time on call: one asks, the other accepts.")

	request := parent.Command("request", "Ask somebody to take time on call, perhaps for some of theirs, and print the swap's ID.")
	requestClient, requestForm := serverFlags(request), formFlag(request)
	schedule := request.Flag("schedule", "The schedule.").Required().String()
	requestBy := actorFlag(request)
	user := request.Flag("from-user", "Who asks, and whose time it is. Default: $USER.").Default(os.Getenv("USER")).String()
	with := request.Flag("with", "Who is asked.").PlaceHolder("USER").Required().String()
	given := rangeFlags(request, "from", "to", "the schedule's zone")
	asked := optionalRange(request, "for-from", "for-to", "Time of the other's that is asked for in return.")
	commands[request.FullCommand()] = func(ctx context.Context) int {
		body := map[string]any{"by": *requestBy, "schedule": *schedule, "user": *user, "with": *with}
		if err := errors.Join(given.into(body), asked.into(body)); err != nil {
			return out.fail(exitUsage, err)
		}
		var raw json.RawMessage
		if err := requestClient.call(ctx, http.MethodPost, "swaps", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var s swapRow
		return out.made(*requestForm, raw, &s, func() string { return s.ID })
	}

	for _, v := range []struct{ verb, help string }{
		{"accept", "Accept a swap that you were asked for: it becomes overrides."},
		{"decline", "Decline a swap that you were asked for."},
		{"cancel", "Cancel a swap that you asked for."},
	} {
		cmd := parent.Command(v.verb, v.help)
		cl, form, by := serverFlags(cmd), formFlag(cmd), actorFlag(cmd)
		id := cmd.Arg("id", "The swap, as SWAP-1.").Required().String()
		commands[cmd.FullCommand()] = func(ctx context.Context) int {
			var raw json.RawMessage
			if err := cl.call(ctx, http.MethodPost, "swaps/"+url.PathEscape(*id)+"/"+v.verb, nil, map[string]any{"by": *by}, &raw); err != nil {
				return out.failCall(err)
			}
			var s swapRow
			return out.made(*form, raw, &s, func() string { return s.ID + " is " + s.State })
		}
	}

	list := parent.Command("list", "List swaps, the newest first.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	states := list.Flag("state", "Only those: open, accepted, declined, cancelled, expired. Repeatable. Default: open.").Default("open").Enums("open", "accepted", "declined", "cancelled", "expired", "all")
	listUser := list.Flag("user", "Only those that this user asks for or is asked in.").String()
	listSchedule := list.Flag("schedule", "Only those in this schedule.").String()
	commands[list.FullCommand()] = func(ctx context.Context) int {
		query := url.Values{}
		for name, value := range map[string]string{"user": *listUser, "schedule": *listSchedule} {
			if value != "" {
				query.Set(name, value)
			}
		}
		if !slices.Contains(*states, "all") {
			query["state"] = *states
		}
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, "swaps", query, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Swaps []swapRow `json:"swaps"`
		}
		return out.list(*listForm, raw, &page, func() int { return len(page.Swaps) }, func(w io.Writer) {
			rows := [][]string{{"ID", "STATE", "SCHEDULE", "GIVES", "FOR"}}
			for _, s := range page.Swaps {
				rows = append(rows, s.row())
			}
			columns(w, rows)
		})
	}
	return commands
}

// absenceRow is what of an absence a table shows.
type absenceRow struct {
	ID        string        `json:"id"`
	User      string        `json:"user"`
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	Reason    string        `json:"reason"`
	FromFile  bool          `json:"from_file"`
	CreatedBy string        `json:"created_by"`
	Conflicts []conflictRow `json:"conflicts"`
}

func absenceCommands(top *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	parent := top.Command("absence", "Say when somebody cannot be on call. It changes no schedule, and warns where they are all the same.")

	add := parent.Command("add", "Add an absence, print its ID, and say where somebody should stand in.")
	addClient, addForm := serverFlags(add), formFlag(add)
	user := add.Flag("user", "Who is away. Default: $USER.").Default(os.Getenv("USER")).String()
	times := fromNowFlags(add, "the user's zone")
	reason := add.Flag("reason", "Why; it is shown where somebody should stand in.").String()
	addBy := actorFlag(add)
	commands[add.FullCommand()] = func(ctx context.Context) int {
		body := map[string]any{"by": *addBy}
		if *reason != "" {
			body["reason"] = *reason
		}
		if err := times.into(body); err != nil {
			return out.fail(exitUsage, err)
		}
		var raw json.RawMessage
		if err := addClient.call(ctx, http.MethodPost, "users/"+url.PathEscape(*user)+"/absences", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var a absenceRow
		code := out.made(*addForm, raw, &a, func() string { return a.ID })
		for _, c := range a.Conflicts {
			out.warn(c.sentence())
		}
		return code
	}

	list := parent.Command("list", "List absences, those of the configuration and those made at run time.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	listUser := list.Flag("user", "Only this user's.").String()
	listPast := pastFlag(list)
	commands[list.FullCommand()] = func(ctx context.Context) int {
		path := "absences"
		if *listUser != "" {
			path = "users/" + url.PathEscape(*listUser) + "/absences"
		}
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, path, listPast.query(), nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Absences []absenceRow `json:"absences"`
		}
		return out.list(*listForm, raw, &page, func() int { return len(page.Absences) }, func(w io.Writer) {
			rows := [][]string{{"ID", "USER", "FROM", "TO", "MADE BY", "REASON"}}
			for _, a := range page.Absences {
				by := a.CreatedBy
				if a.FromFile {
					by = "the configuration"
				}
				rows = append(rows, []string{a.ID, a.User, localMinute(a.From), localMinute(a.To), by, a.Reason})
			}
			columns(w, rows)
		})
	}

	remove := parent.Command("remove", "Take back absences made at run time.")
	removeClient, removeBy := serverFlags(remove), actorFlag(remove)
	ids := remove.Arg("id", "The absences, as ana-8.").Required().Strings()
	commands[remove.FullCommand()] = func(ctx context.Context) int {
		return out.removeEach(ctx, removeClient, *ids, *removeBy, func(user, id string) string {
			return "users/" + url.PathEscape(user) + "/absences/" + url.PathEscape(id)
		})
	}
	return commands
}

// rangeArgs are two flags that say from when until when.
type rangeArgs struct {
	fromFlag, toFlag string
	from, to         *string
	length           *string // in place of to; nil: there is no such flag
	optional         bool    // both may be absent
}

// A placeholder for a time in help.
const timeHint = "TIME"

// rangeFlags are required; whose are the wall times that they take, in words.
func rangeFlags(cmd *kingpin.CmdClause, from, to, whose string) rangeArgs {
	return rangeArgs{
		fromFlag: from, toFlag: to,
		from: cmd.Flag(from, "When it begins: 2026-12-01T09:00:00Z, or \"2026-12-01 09:00\" in "+whose+".").PlaceHolder(timeHint).Required().String(),
		to:   cmd.Flag(to, "When it ends, in the same form.").PlaceHolder(timeHint).Required().String(),
	}
}

// fromNowFlags may leave out when it begins, which is now, and say how long it lasts.
func fromNowFlags(cmd *kingpin.CmdClause, whose string) rangeArgs {
	return rangeArgs{
		fromFlag: "from", toFlag: "to",
		from:   cmd.Flag("from", "When it begins: 2026-12-01T09:00:00Z, or \"2026-12-01 09:00\" in "+whose+". Default: now.").PlaceHolder(timeHint).String(),
		to:     cmd.Flag("to", "When it ends: as --from.").PlaceHolder(timeHint).String(),
		length: cmd.Flag("for", "Or how long it lasts, such as 2h or 1d.").PlaceHolder("DURATION").String(),
	}
}

// optionalRange may be left out, both flags together.
func optionalRange(cmd *kingpin.CmdClause, from, to, help string) rangeArgs {
	return rangeArgs{
		fromFlag: from, toFlag: to, optional: true,
		from: cmd.Flag(from, help+" When it begins.").PlaceHolder(timeHint).String(),
		to:   cmd.Flag(to, "When that ends.").PlaceHolder(timeHint).String(),
	}
}

// into checks the times and writes them into a body, where the flags' dashes are underscores.
func (r rangeArgs) into(body map[string]any) error {
	from, to := *r.from, *r.to
	if r.optional && from == "" && to == "" {
		return nil
	}
	if r.length != nil {
		if (to == "") == (*r.length == "") {
			return errors.New("say when it ends: give --to, or --for")
		}
		if *r.length != "" {
			var err error
			if from, to, err = lasting(from, *r.length, time.Now()); err != nil {
				return err
			}
		}
	}
	var instants, given int
	for _, f := range []struct{ flag, text string }{{r.fromFlag, from}, {r.toFlag, to}} {
		if f.text == "" && f.flag == r.fromFlag && r.length != nil {
			continue // now
		}
		given++
		if _, err := time.Parse(time.RFC3339, f.text); err == nil {
			instants++
		} else if _, err := oncall.ParseCivil(f.text); err != nil {
			return fmt.Errorf("--%s %q is no time; write 2026-12-01T09:00:00Z, or \"2026-12-01 09:00\"", f.flag, f.text)
		}
		body[strings.ReplaceAll(f.flag, "-", "_")] = f.text
	}
	if given == 2 && instants == 1 {
		return fmt.Errorf("--%s and --%s are both instants (2026-12-01T09:00:00Z) or both wall times (\"2026-12-01 09:00\")", r.fromFlag, r.toFlag)
	}
	return nil
}

// lasting is a range that begins at an instant, or now, and lasts so long. By a wall time it could not be said where
// clocks are changed meanwhile.
func lasting(from, length string, now time.Time) (start, end string, err error) {
	d, err := model.ParseDuration(length)
	if err != nil || d == 0 {
		return "", "", fmt.Errorf("--for %q is no length of time; write 30m, 2h or 1d", length)
	}
	begin := now.UTC().Truncate(time.Minute)
	if from != "" {
		if begin, err = time.Parse(time.RFC3339, from); err != nil {
			return "", "", fmt.Errorf("--for counts from an instant (--from 2026-12-01T09:00:00Z), or from now; with --from %q give --to", from)
		}
	}
	return begin.Format(time.RFC3339), begin.Add(time.Duration(d)).Format(time.RFC3339), nil
}

// actorFlag says who acts.
func actorFlag(cmd *kingpin.CmdClause) *string {
	return cmd.Flag("by", "Who you are. Default: $USER.").Default(os.Getenv("USER")).String()
}

// pastArg says whether a list has what is over, too.
type pastArg struct{ all *bool }

func pastFlag(cmd *kingpin.CmdClause) pastArg {
	return pastArg{cmd.Flag("past", "Also those that are over.").Bool()}
}

func (p pastArg) query() url.Values {
	if *p.all {
		return url.Values{"past": {"true"}}
	}
	return nil
}

// made prints what was made or changed as one line for people, and on stderr what the server warns of.
func (o *output) made(form string, raw json.RawMessage, into any, line func() string) int {
	var said struct {
		Warning  string   `json:"warning"`
		Warnings []string `json:"warnings"`
	}
	if err := errors.Join(json.Unmarshal(raw, into), json.Unmarshal(raw, &said)); err != nil {
		return o.fail(exitFailed, err)
	}
	o.warn(said.Warning)
	for _, text := range said.Warnings {
		o.warn(text)
	}
	return o.print(form, raw, func(w io.Writer) { fmt.Fprintln(w, line()) })
}

// rows prints several pages of one list, as a table or as an array.
func (o *output) rows(form string, pages []json.RawMessage, rows [][]string) int {
	code := o.print(form, pages, func(w io.Writer) {
		if len(rows) > 1 {
			columns(w, rows)
		}
	})
	if code == exitOK && len(rows) == 1 {
		return exitNothing
	}
	return code
}

// removeEach deletes things whose ID begins with whose they are, before the last dash.
func (o *output) removeEach(ctx context.Context, c client, ids []string, by string, path func(owner, id string) string) int {
	for _, id := range ids {
		i := strings.LastIndexByte(id, '-')
		if i < 1 {
			return o.fail(exitUsage, fmt.Errorf("%q is no ID; list shows them", id))
		}
		var raw json.RawMessage
		if err := c.call(ctx, http.MethodDelete, path(id[:i], id), url.Values{"by": {by}}, nil, &raw); err != nil {
			return o.failCall(err)
		}
		var gone struct{}
		if code := o.made("table", raw, &gone, func() string { return id + " is removed" }); code != exitOK {
			return code
		}
	}
	return exitOK
}
