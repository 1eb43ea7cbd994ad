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

// sloRow is what of a budget a table shows.
type sloRow struct {
	Name      string             `json:"name"`
	By        map[string]string  `json:"by"`
	Objective string             `json:"objective"`
	Window    string             `json:"window"`
	Remaining float64            `json:"remaining"`
	Burn      map[string]float64 `json:"burn"`
	Active    []string           `json:"active"`
	RunsOutAt time.Time          `json:"runs_out_at"`
	Incidents []string           `json:"incidents"`
	Doubts    []string           `json:"doubts"`
}

// counts says whether it counts time: a burn-rate alert of somebody else's is on or off.
func (s sloRow) counts() bool { return s.Window != "" && s.Objective != "" }

func (s sloRow) title() string {
	if len(s.By) == 0 {
		return s.Name
	}
	var pairs []string
	for _, name := range sortedKeys(s.By) {
		pairs = append(pairs, name+"="+s.By[name])
	}
	return s.Name + " (" + strings.Join(pairs, ", ") + ")"
}

// burns lists burn rates by window, the shortest first; those of a window that holds no bad time are left out.
func (s sloRow) burns() string {
	windows := slices.DeleteFunc(sortedKeysOf(s.Burn), func(w string) bool { return s.Burn[w] == 0 })
	slices.SortFunc(windows, func(a, b string) int { return int(lengthOf(a) - lengthOf(b)) })
	var parts []string
	for _, w := range windows {
		parts = append(parts, fmt.Sprintf("%.3g in %s", s.Burn[w], w))
	}
	return orElse(strings.Join(parts, ", "), "-")
}

func sortedKeysOf(m map[string]float64) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// lengthOf reads a window as the server writes it; 0 for what cannot be read, which comes first.
func lengthOf(window string) time.Duration {
	var total time.Duration
	number := time.Duration(0)
	for _, r := range window {
		switch unit := map[rune]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[r]; {
		case r >= '0' && r <= '9':
			number = number*10 + time.Duration(r-'0')
		case unit > 0:
			total, number = total+number*unit, 0
		}
	}
	return total
}

func sloStatus(top *kingpin.CmdClause, out *output) map[string]command {
	cmd := top.Command("status", "How much of each error budget is left, how fast it burns, when it runs out at this rate, and which incidents are open.")
	client, form := serverFlags(cmd), formFlag(cmd)
	name := cmd.Flag("slo", "Only this SLO.").String()
	return map[string]command{cmd.FullCommand(): func(ctx context.Context) int {
		query := url.Values{}
		if *name != "" {
			query.Set("name", *name)
		}
		var raw json.RawMessage
		if err := client.call(ctx, http.MethodGet, "slos", query, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			SLOs []sloRow `json:"slos"`
		}
		return out.list(*form, raw, &page, func() int { return len(page.SLOs) }, func(w io.Writer) {
			for _, s := range page.SLOs {
				for _, doubt := range s.Doubts {
					out.warn(s.title() + ": " + doubt)
				}
			}
			rows := [][]string{{"SLO", "OBJECTIVE", "LEFT", "BURNS", "GONE AT", "ACTIVE", "INCIDENTS"}}
			for _, s := range page.SLOs {
				objective, left, gone := "-", "-", "-"
				if s.counts() {
					objective, left = s.Objective+"% in "+s.Window, fmt.Sprintf("%.4g%%", s.Remaining*100)
				}
				if !s.RunsOutAt.IsZero() {
					gone = localMinute(s.RunsOutAt)
				}
				rows = append(rows, []string{
					s.title(), objective, left, s.burns(), gone, orElse(strings.Join(s.Active, ", "), "-"), orElse(strings.Join(s.Incidents, ", "), "-"),
				})
			}
			columns(w, rows)
		})
	}}
}

// correctionRow is what of a correction a table shows.
type correctionRow struct {
	ID        string    `json:"id"`
	SLO       string    `json:"slo"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Reason    string    `json:"reason"`
	CreatedBy string    `json:"created_by"`
}

func sloCorrect(top *kingpin.CmdClause, out *output) map[string]command {
	commands := map[string]command{}
	parent := top.Command("correct", "Exclude bad time from an SLO's budgets, with a reason: planned maintenance, say. The budget stays as large as it is.")
	path := func(name string) string { return "slos/" + url.PathEscape(name) + "/corrections" }

	add := parent.Command("add", "Exclude a time, and print the correction's ID.")
	addClient, addForm := serverFlags(add), formFlag(add)
	addName := add.Flag("slo", "The SLO.").Required().String()
	from := add.Flag("from", "When it begins: 2026-11-22T03:00:00Z.").Required().String()
	to := add.Flag("to", "When it ends.").Required().String()
	reason := add.Flag("reason", "Why.").Required().String()
	addBy := actorFlag(add)
	commands[add.FullCommand()] = func(ctx context.Context) int {
		for flag, text := range map[string]string{"from": *from, "to": *to} {
			if _, err := instantFlag(flag, text); err != nil {
				return out.fail(exitUsage, err)
			}
		}
		var raw json.RawMessage
		body := map[string]any{"by": *addBy, "from": *from, "to": *to, "reason": *reason}
		if err := addClient.call(ctx, http.MethodPost, path(*addName), nil, body, &raw); err != nil {
			return out.failCall(err)
		}
		var made correctionRow
		return out.made(*addForm, raw, &made, func() string { return made.ID })
	}

	list := parent.Command("list", "List the corrections of an SLO, the newest first.").Default()
	listClient, listForm := serverFlags(list), formFlag(list)
	listName := list.Flag("slo", "The SLO.").Required().String()
	commands[list.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := listClient.call(ctx, http.MethodGet, path(*listName), nil, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var page struct {
			Corrections []correctionRow `json:"corrections"`
		}
		return out.list(*listForm, raw, &page, func() int { return len(page.Corrections) }, func(w io.Writer) {
			rows := [][]string{{"ID", "FROM", "TO", "MADE BY", "WHY"}}
			for _, k := range page.Corrections {
				rows = append(rows, []string{k.ID, localMinute(k.From), localMinute(k.To), k.CreatedBy, k.Reason})
			}
			columns(w, rows)
		})
	}

	remove := parent.Command("remove", "Take a correction back: what it excluded counts again.")
	removeClient, removeBy := serverFlags(remove), actorFlag(remove)
	removeName := remove.Flag("slo", "The SLO.").Required().String()
	id := remove.Arg("id", "The correction, as CORR-1.").Required().String()
	commands[remove.FullCommand()] = func(ctx context.Context) int {
		var raw json.RawMessage
		if err := removeClient.call(ctx, http.MethodDelete, path(*removeName)+"/"+url.PathEscape(*id), url.Values{"by": {*removeBy}}, nil, &raw); err != nil {
			return out.failCall(err)
		}
		var gone correctionRow
		return out.made("table", raw, &gone, func() string { return gone.ID + " is removed" })
	}
	return commands
}
