package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/midwatch/midwatch/slo"
)

// Shown at most in the table: more are for -o json.
const mostShown = 50

// A replayed is one budget that was replayed, and what of.
type replayed struct {
	slo.Result
	Labels map[string]string `json:"labels,omitempty"` // the values of by; absent: there are none

	objective *slo.Objective
	intervals []slo.Interval
	counts    []slo.Counted
	ofCounts  bool      // counts are what is replayed
	from      time.Time // since when anything is known; zero: nothing is
	to        time.Time // up to which; zero: the replay ends by itself
	sampled   []slo.Point
}

// run replays, and says how the budget stands at some instants; for a picture at many more.
func (r *replayed) run(at []time.Time, picture bool) (err error) {
	replay := func(at []time.Time) (slo.Result, error) {
		if r.ofCounts {
			return slo.ReplayCounts(r.objective, r.counts, at)
		}
		return slo.Replay(r.objective, r.intervals, at)
	}
	if r.Result, err = replay(at); err != nil || !picture {
		return err
	}
	from, to := r.stretch()
	all, err := replay(append(slices.Clone(at), samples(from, to, r.Result)...))
	if err != nil {
		return err
	}
	r.sampled = all.At[len(at):]
	return nil
}

// replayTable says it for people.
func replayTable(w io.Writer, r replayed) {
	spec := r.objective.Spec()
	fmt.Fprintf(w, "SLO %s: %s%% over %s, so %s may be bad.\n", r.SLO, spec.Objective, slo.Short(spec.Window), short(allowed(r.objective)))
	if len(r.Labels) > 0 {
		fmt.Fprintf(w, "The budget of %s.\n", slo.Identity(r.Labels, spec.By))
	}
	if len(r.At) > 0 {
		windows := r.objective.Windows()
		row := []string{"AT", "BAD", "CONSUMED"}
		for _, x := range windows {
			row = append(row, "BURN "+slo.Short(x))
		}
		rows := [][]string{row}
		for _, p := range r.At {
			row := []string{p.T.Format(time.RFC3339Nano), short(time.Duration(p.BadSeconds * float64(time.Second))), percent(p.Consumed)}
			for _, x := range windows {
				row = append(row, strconv.FormatFloat(p.Burn[slo.Short(x)], 'g', 4, 64))
			}
			rows = append(rows, row)
		}
		fmt.Fprintln(w)
		columns(w, rows)
	}
	type active struct {
		name string
		slo.Time
	}
	var all []active
	for _, t := range r.Thresholds {
		for _, x := range t.Active {
			all = append(all, active{t.Name, x})
		}
	}
	slices.SortStableFunc(all, func(a, b active) int { return a.From.Compare(b.From) })
	rows := [][]string{{"THRESHOLD", "ACTIVE FROM", "TO", "FOR"}}
	for i, x := range all {
		if i == mostShown {
			rows = append(rows, []string{fmt.Sprintf("and %d more", len(all)-mostShown)})
			break
		}
		rows = append(rows, []string{x.name, second(x.From), second(x.To), short(x.To.Sub(x.From))})
	}
	fmt.Fprintln(w)
	if len(all) == 0 {
		fmt.Fprintln(w, "No threshold is active at any time.")
	} else {
		columns(w, rows)
	}
	incidentRows(w, r)
}

func incidentRows(w io.Writer, r replayed) {
	fmt.Fprintln(w)
	if len(r.Incidents) == 0 {
		fmt.Fprintln(w, "No incident would have been opened.")
		return
	}
	rows := [][]string{{"INCIDENT OPENED", "RESOLVED", "FOR", "OF", "SEVERITY", "REOPENED"}}
	for i, x := range r.Incidents {
		if i == mostShown {
			rows = append(rows, []string{fmt.Sprintf("and %d more", len(r.Incidents)-mostShown)})
			break
		}
		severity := ""
		for j, c := range x.Changes {
			if j > 0 {
				severity += " → "
			}
			severity += c.Severity
		}
		rows = append(rows, []string{
			second(x.Opened), second(x.Resolved), short(x.Resolved.Sub(x.Opened)), cmp.Or(x.Threshold, "burn rates"), severity, times(len(x.Reopened)),
		})
	}
	columns(w, rows)
}

func times(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// allowed is how much of the window may be bad, for people.
func allowed(o *slo.Objective) time.Duration {
	f, _ := o.Allowed().Float64()
	return time.Duration(f)
}

// second writes an instant for people. What is finer is in the JSON.
func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// short writes a length for people, to the second; what is shorter to the millisecond.
func short(d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Second)
	}
	return slo.Short(d.Round(time.Millisecond))
}

func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) + "%" }
