//go:build linux

package main

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
)

// table is what was measured, in Markdown.
func (r *results) table() string {
	var b strings.Builder
	b.WriteString("| | Alertmanager | Midwatch | times better |\n|---|---|---|---|\n")
	for _, w := range r.rows {
		figures, words := r.figures[w.name], r.words[w.name]
		var cells [2]string
		for _, s := range sides {
			switch {
			case words[s] != "":
				cells[s] = words[s]
			case len(figures[s]) > 0:
				cells[s] = spread(figures[s], w.unit)
			default:
				cells[s] = "–"
			}
		}
		ratio := "–"
		if x := better(median(figures[theirs]), median(figures[ours]), w.more); !math.IsNaN(x) {
			ratio = figure(x) + "×"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", w.name, cells[theirs], cells[ours], ratio)
	}
	return b.String()
}

// page.md is the page without what is known only after a run.
//
//go:embed page.md
var pageText string

// page is the page of the documentation.
func (r *results) page() string {
	how := fmt.Sprintf("Each server was measured through %d lives where a life is short, and through one where it is long.", r.o.rounds)
	if r.o.quick {
		how = fmt.Sprintf("**This is from `-quick`: %d series in place of 100,000, one round. It shows that the comparison works, not how fast anything is.**", r.o.series)
	}
	faults := ""
	if len(r.faults) > 0 {
		faults = "\n**Not as it must be:**\n\n- " + strings.Join(r.faults, "\n- ") + "\n"
	}
	return strings.NewReplacer(
		"{{machine}}", r.machine, "{{how}}", how, "{{table}}", r.table(), "{{faults}}", faults,
		"{{theirs}}", r.program[theirs], "{{ours}}", r.program[ours],
		"{{rate}}", figure(r.o.rate), "{{runs}}", fmt.Sprint(loadedRuns), "{{probes}}", fmt.Sprint(r.o.probes), "{{silences}}", fmt.Sprint(r.o.silences),
		"{{rest}}", r.o.rest.String(), "{{tick}}", r.o.tick.String(), "{{incidents}}", fmt.Sprint(r.o.incidents),
		"{{repeats}}", fmt.Sprint(r.o.repeats), "{{enough}}", enough.String(), "{{changes}}", fmt.Sprint(r.o.changes), "{{overload}}", r.o.overload.String(),
		"{{times}}", fmt.Sprint(floodRate), "{{calm}}", fmt.Sprint(calmClients), "{{clients}}", fmt.Sprint(floodClients), "{{growth}}", fmt.Sprintf("%.0f %%", 100*growth), "{{page}}", pageTime.String(),
	).Replace(pageText)
}
