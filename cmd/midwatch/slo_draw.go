package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/draw"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/slo"
)

// drawnSamples is at how many instants a drawn budget is looked at, beside those at which it changes its course: more
// than a picture has columns.
const drawnSamples = 1000

// drawnEdges is how many beginnings and ends of breaches are looked at, too. With more the picture is full anyway.
const drawnEdges = 1000

// budgetPictureArgs say whether and how a budget is drawn.
type budgetPictureArgs struct {
	draw, inSVG *bool
	svg, zone   *string
	width       *int
}

func budgetPictureFlags(c *kingpin.CmdClause) budgetPictureArgs {
	inSVG := new(bool)
	return budgetPictureArgs{
		inSVG: inSVG,
		draw:  c.Flag("draw", "Draw the budget for the terminal instead: what is left of it, and when thresholds are active.").Bool(),
		svg:   c.Flag("svg", "Write the same drawing as SVG into this file; - is standard output.").PlaceHolder("FILE").IsSetByUser(inSVG).String(),
		width: c.Flag("width", "Width of the drawing in columns. Default: $COLUMNS, or 80.").PlaceHolder("COLUMNS").Int(),
		zone:  c.Flag("time-zone", "Zone whose days the drawing shows.").PlaceHolder("ZONE").Default("UTC").String(),
	}
}

func (a budgetPictureArgs) wanted() bool { return *a.draw || *a.inSVG }

// toStdout says whether the SVG goes where the terminal's drawing does.
func (a budgetPictureArgs) toStdout() bool { return *a.inSVG && (*a.svg == "" || *a.svg == "-") }

func (a budgetPictureArgs) check(form string) error {
	if _, err := oncall.ParseZone(*a.zone); err != nil {
		return fmt.Errorf("--time-zone %w", err)
	}
	switch {
	case *a.width != 0 && !*a.draw:
		return errors.New("--width is for a drawing; give --draw too")
	case *a.width != 0 && *a.width < draw.MinWidth:
		return fmt.Errorf("--width %d is too narrow; the least is %d", *a.width, draw.MinWidth)
	case a.wanted() && form != "table":
		return fmt.Errorf("a drawing is no %s; leave out -o, or --draw and --svg", form)
	case *a.draw && a.toStdout():
		return errors.New("--draw and --svg - both write to standard output; name a file")
	}
	return nil
}

// print draws each budget. Of several, the first has the file of that name, and the others have a number in theirs.
func (a budgetPictureArgs) print(out *output, all []replayed) int {
	zone, err := oncall.ParseZone(*a.zone)
	if err != nil {
		return out.fail(exitUsage, err)
	}
	if a.toStdout() && len(all) > 1 {
		return out.fail(exitUsage, fmt.Errorf("there are %d budgets, one for each value of by; name a file with --svg", len(all)))
	}
	for i, r := range all {
		picture := r.picture(zone)
		if *a.draw {
			if i > 0 {
				fmt.Fprintln(out.stdout)
			}
			if _, err = io.WriteString(out.stdout, picture.Text(terminal(out.stdout, *a.width))); err != nil {
				return out.fail(exitFailed, err)
			}
		}
		switch {
		case a.toStdout():
			_, err = io.WriteString(out.stdout, picture.SVG(r.SLO))
		case *a.inSVG:
			err = os.WriteFile(numbered(*a.svg, i), []byte(picture.SVG(r.SLO)), 0o644)
		}
		if err != nil {
			return out.fail(exitFailed, err)
		}
	}
	return exitOK
}

// numbered is the name of the file of the i-th picture: budget.svg, budget-2.svg.
func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i+1, ext)
}

// stretch is what is drawn: from the first that is known to the last that happens, but no less than an hour.
func (r *replayed) stretch() (from, to time.Time) {
	from, to = r.from, r.to
	if from.IsZero() {
		from = time.Unix(0, 0).UTC()
	}
	if !to.IsZero() {
		return from, to
	}
	to = from.Add(time.Hour)
	late := func(t time.Time) {
		if t.After(to) {
			to = t
		}
	}
	for _, x := range r.intervals {
		late(x.End)
	}
	for _, x := range r.Incidents {
		late(x.Resolved)
	}
	for _, p := range r.At {
		late(p.T)
	}
	// An interval said to end far off is drawn for a window; the command line has limits of its own for what it reads.
	return from, earlierOf(to, from.Add(2*r.objective.Spec().Window))
}

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// samples are the instants at which a drawn budget is looked at.
func samples(from, to time.Time, r slo.Result) []time.Time {
	var at []time.Time
	for i := range drawnSamples + 1 {
		at = append(at, from.Add(time.Duration(float64(to.Sub(from))*float64(i)/drawnSamples)))
	}
	for _, t := range r.Thresholds {
		for _, x := range t.Active {
			for _, e := range []time.Time{x.From, x.To} {
				if len(at) < drawnSamples+drawnEdges && e.After(from) && e.Before(to) {
					at = append(at, e)
				}
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return slices.CompactFunc(at, time.Time.Equal)
}

func (r *replayed) picture(zone *time.Location) draw.Budget {
	from, to := r.stretch()
	spec := r.objective.Spec()
	b := draw.Budget{Title: fmt.Sprintf("%s, %s%% over %s", r.SLO, spec.Objective, slo.Short(spec.Window)), Zone: zone, From: from, To: to, Now: r.to}
	if len(r.Labels) > 0 {
		b.Title += " " + slo.Identity(r.Labels, spec.By)
	}
	for _, p := range r.sampled {
		b.Left = append(b.Left, draw.Level{At: p.T, Left: 1 - p.Consumed})
	}
	severities := map[string]string{}
	for _, t := range r.objective.Thresholds() {
		severities[t.Name] = t.Severity
	}
	for _, t := range r.Thresholds {
		row := draw.Breaches{Name: t.Name, Severity: severities[t.Name]}
		for _, x := range t.Active {
			row.Times = append(row.Times, draw.Stretch{From: x.From, To: x.To})
		}
		b.Breaches = append(b.Breaches, row)
	}
	return b
}
