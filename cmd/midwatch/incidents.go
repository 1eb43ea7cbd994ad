package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/sim"
)

// incidentRow is what of an incident a table shows; -o json prints all that the server said.
type incidentRow struct {
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Severity string    `json:"severity"`
	Title    string    `json:"title"`
	Policy   string    `json:"policy"`
	OpenedAt time.Time `json:"opened_at"`
	AckedBy  string    `json:"acknowledged_by"`
	Resolved string    `json:"resolved_by"`
	NextAt   time.Time `json:"next_at"`
	NextWho  []string  `json:"next_who"`
	Warning  string    `json:"warning"`
	Timeline []struct {
		At       time.Time `json:"at"`
		Event    string    `json:"event"`
		By       string    `json:"by"`
		User     string    `json:"user"`
		Receiver string    `json:"receiver"`
		Via      string    `json:"via"`
		Reason   string    `json:"reason"`
		Text     string    `json:"text"`
	} `json:"timeline"`
}

func incidentCommands(app *kingpin.Application, out *output) map[string]command {
	commands := map[string]command{}

	list := app.Command("incidents", "List incidents, the newest first.")
	listClient, listForm := serverFlags(list), formFlag(list)
	status := list.Flag("status", "Only those: triggered, acknowledged, resolved. Repeatable.").Enums("triggered", "acknowledged", "resolved")
	limit := list.Flag("limit", "At most so many.").Default("50").Int()
	commands[list.FullCommand()] = func(ctx context.Context) int {
		query := url.Values{"status": *status, "limit": {fmt.Sprint(*limit)}}
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, "incidents", query, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Incidents []incidentRow `json:"incidents"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return out.fail(exitFailed, err)
		}
		code := out.print(*listForm, raw, func(w io.Writer) {
			rows := [][]string{{"ID", "SEVERITY", "STATUS", "OPENED", "NEXT", "TITLE"}}
			for _, i := range page.Incidents {
				rows = append(rows, []string{i.ID, i.Severity, i.Status, i.OpenedAt.Local().Format("Jan 02 15:04"), i.next(), i.Title})
			}
			columns(w, rows)
		})
		if code == exitOK && len(page.Incidents) == 0 {
			return exitNothing
		}
		return code
	}

	show := app.Command("incident", "Look at one incident.").Command("show", "Show an incident with its timeline.")
	showClient, showForm := serverFlags(show), formFlag(show)
	showID := show.Arg("id", "The incident, as INC-1.").Required().String()
	commands[show.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := showClient.call(ctx, http.MethodGet, "incidents/"+*showID, nil, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var i incidentRow
		if err := json.Unmarshal(raw, &i); err != nil {
			return out.fail(exitFailed, err)
		}
		return out.print(*showForm, raw, i.table)
	}

	open := app.Command("open", "Open an incident by hand, for what no alert tells, and page somebody.")
	openClient, openForm := serverFlags(open), formFlag(open)
	title := open.Arg("title", "What is broken.").Required().String()
	openText := open.Flag("text", "More of it.").String()
	openSeverity := open.Flag("severity", "sev1 (highest) to sev5.").Default("sev2").String()
	openUser := open.Flag("user", "Page this user.").String()
	openSchedule := open.Flag("schedule", "Page whoever is on call there.").String()
	openPolicy := open.Flag("policy", "Page by this escalation policy.").String()
	openBy := open.Flag("by", "Who you are. Default: your login name.").Default(loginName()).String()
	commands[open.FullCommand()] = func(ctx context.Context) int {
		to := map[string]string{}
		for name, value := range map[string]string{"user": *openUser, "schedule": *openSchedule, "policy": *openPolicy} {
			if value != "" {
				to[name] = value
			}
		}
		if len(to) != 1 {
			return out.fail(exitUsage, errors.New("page whom? Give one of --user, --schedule and --policy"))
		}
		body := map[string]any{"by": *openBy, "title": *title, "to": to, "severity": *openSeverity}
		if *openText != "" {
			body["text"] = *openText
		}
		var raw json.RawMessage
		if err := openClient.call(ctx, http.MethodPost, "incidents", nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var i incidentRow
		if err := json.Unmarshal(raw, &i); err != nil {
			return out.fail(exitFailed, err)
		}
		return out.print(*openForm, raw, func(w io.Writer) { fmt.Fprintln(w, i.sentence()) })
	}

	for _, v := range []struct{ name, path, help string }{
		{"ack", "acknowledge", "Acknowledge an incident: paging stops."},
		{"unack", "unacknowledge", "Take an acknowledgement back: paging goes on."},
		{"resolve", "resolve", "Resolve an incident by hand."},
		{"escalate", "escalate", "Begin the next step of the ladder now."},
		{"reassign", "reassign", "Hand an incident to a user, schedule or policy."},
		{"snooze", "snooze", "Page nobody for a time; then the ladder starts again."},
		{"note", "note", "Write a note into the timeline."},
		{"page", "responders", "Page somebody beside the ladder."},
	} {
		cmd := app.Command(v.name, v.help)
		cl, form := serverFlags(cmd), formFlag(cmd)
		id := cmd.Arg("id", "The incident, as INC-1.").Required().String()
		by := cmd.Flag("by", "Who you are. Default: your login name.").Default(loginName()).String()
		body := map[string]any{}
		var fill []func() error
		text := func(field string, value *string) {
			fill = append(fill, func() error { body[field] = *value; return nil })
		}
		switch v.name {
		case "reassign":
			user := cmd.Flag("user", "To this user.").String()
			schedule := cmd.Flag("schedule", "To whoever is on call there.").String()
			policy := cmd.Flag("policy", "To this escalation policy.").String()
			fill = append(fill, func() error {
				to := map[string]string{}
				for name, value := range map[string]*string{"user": user, "schedule": schedule, "policy": policy} {
					if *value != "" {
						to[name] = *value
					}
				}
				if len(to) != 1 {
					return fmt.Errorf("give one of --user, --schedule and --policy")
				}
				body["to"] = to
				return nil
			})
		case "snooze":
			d := cmd.Flag("for", "How long, as 30m.").Required().String()
			fill = append(fill, func() error {
				if _, err := sim.ParseElapsed(*d); err != nil {
					return err
				}
				body["for"] = *d
				return nil
			})
		case "note":
			text("note", cmd.Arg("text", "What to write.").Required().String())
		case "page":
			text("user", cmd.Arg("user", "Whom to page.").Required().String())
		}
		commands[cmd.FullCommand()] = func(ctx context.Context) int {
			body["by"] = *by
			for _, f := range fill {
				if err := f(); err != nil {
					return out.fail(exitUsage, err)
				}
			}
			var raw json.RawMessage
			if err := cl.call(ctx, http.MethodPost, "incidents/"+*id+"/"+v.path, nil, body, &raw); err != nil {
				return out.failCall(err)
			}
			var i incidentRow
			if err := json.Unmarshal(raw, &i); err != nil {
				return out.fail(exitFailed, err)
			}
			if i.Warning != "" {
				fmt.Fprintln(out.stderr, "midwatch:", i.Warning)
			}
			return out.print(*form, raw, func(w io.Writer) { fmt.Fprintln(w, i.sentence()) })
		}
	}
	return commands
}

// next is when the ladder goes on, and to whom.
func (i incidentRow) next() string {
	if i.NextAt.IsZero() {
		return "-"
	}
	return strings.TrimSpace(i.NextAt.Local().Format("15:04:05") + " " + strings.Join(i.NextWho, ", "))
}

// sentence says where the incident stands.
func (i incidentRow) sentence() string {
	s := fmt.Sprintf("%s (%s) is %s", i.ID, i.Severity, i.Status)
	switch {
	case i.Status == "acknowledged" && i.AckedBy != "":
		s += " by " + i.AckedBy
	case i.Status == "resolved" && i.Resolved != "":
		s += " by " + i.Resolved
	}
	if !i.NextAt.IsZero() {
		s += "; next " + i.next()
	}
	return s
}

func (i incidentRow) table(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s\n\n", i.sentence(), i.Title)
	rows := make([][]string, 0, len(i.Timeline))
	for _, e := range i.Timeline {
		who := orElse(orElse(e.User, e.Receiver), e.By)
		if e.Via != "" {
			who += " by " + e.Via
		}
		rows = append(rows, []string{e.At.Local().Format("15:04:05"), e.Event, who, orElse(e.Text, e.Reason)})
	}
	columns(w, rows)
}
