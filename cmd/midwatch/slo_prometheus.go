package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/probe"
	"github.com/midwatch/midwatch/slo"
)

// Limits of what is asked of a Prometheus.
const (
	maxRange = slo.MaxWindow   // as far as any SLO looks back
	minStep  = 5 * time.Second // no rule is evaluated more often
	maxStep  = time.Hour

	// maxBudgets is how many budgets one replay has. More are a mistake in by.
	maxBudgets = 200
)

// past is how far back, and how finely.
type past struct{ span, step time.Duration }

func (a replayArgs) past() (p past, err error) {
	for _, f := range []struct {
		flag, text  string
		to          *time.Duration
		least, most time.Duration
	}{{"range", *a.span, &p.span, time.Hour, maxRange}, {"step", *a.step, &p.step, minStep, maxStep}} {
		d, err := model.ParseDuration(f.text)
		if err != nil {
			return p, fmt.Errorf("--%s %q is not a duration; write one such as 30d or 90m", f.flag, f.text)
		}
		if *f.to = time.Duration(d); *f.to < f.least || *f.to > f.most {
			return p, fmt.Errorf("--%s %s is not between %s and %s", f.flag, f.text, slo.Short(f.least), slo.Short(f.most))
		}
	}
	return p, nil
}

// fromPrometheus replays what a Prometheus remembers. It prints a list, an entry for each value of by.
func (a replayArgs) fromPrometheus(ctx context.Context, out *output, s config.SLO, p past, at []time.Time) int {
	source, err := probe.NewSource(*a.prometheus, nil)
	if err != nil {
		return out.fail(exitUsage, fmt.Errorf("--from-prometheus: %w", err))
	}
	to := time.Now().UTC().Truncate(p.step)
	if s.Prometheus != nil {
		to = to.Truncate(time.Minute) // counts are of whole minutes
	}
	from := to.Add(-p.span)
	all, err := remembered(ctx, out, source, s, from, to, p.step)
	switch {
	case errors.Is(err, probe.ErrUnreachable):
		return out.fail(exitUnreachable, err)
	case err != nil:
		return out.fail(exitFailed, err)
	case len(all) > maxBudgets:
		return out.fail(exitFailed, fmt.Errorf("SLO %q has %d budgets, one for each value of by, more than %d; replay it with fewer labels", s.Objective.Name(), len(all), maxBudgets))
	}
	if len(at) == 0 {
		at = []time.Time{to}
	}
	for i := range all {
		r := &all[i]
		r.objective, r.from, r.to = s.Objective, from, to
		if err := r.run(at, a.picture.wanted()); err != nil {
			return out.fail(exitFailed, err)
		}
	}
	if len(all) == 0 {
		fmt.Fprintf(out.stderr, "midwatch: %s knows nothing of SLO %q in the last %s\n", *a.prometheus, s.Objective.Name(), slo.Short(p.span))
		return exitNothing
	}
	if a.picture.wanted() {
		return a.picture.print(out, all)
	}
	return out.print(*a.form, all, func(w io.Writer) {
		for i, r := range all {
			if i > 0 {
				fmt.Fprintln(w)
			}
			replayTable(w, r)
		}
	})
}

// remembered asks for the past: the firing time of alerts, or counts.
func remembered(ctx context.Context, out *output, source *probe.Source, s config.SLO, from, to time.Time, step time.Duration) ([]replayed, error) {
	spec := s.Objective.Spec()
	progress := newProgress(out, "asking Prometheus")
	defer progress.end()
	switch spec.Source {
	case slo.FromBurnRates:
		return nil, fmt.Errorf("SLO %q is of burn-rate alerts, which count no bad time; replay one with sli: {alerts: [...]} or {prometheus: …}", spec.Name)
	case slo.FromRatio:
		return counted(ctx, source, s, from, to, progress)
	}
	var matchers []probe.Matcher
	for _, m := range s.Matchers {
		matchers = append(matchers, probe.Matcher{Name: m.Name, Op: m.Type.String(), Value: m.Value})
	}
	alerts, err := source.Firing(ctx, matchers, spec.By, from, to, step, progress.at)
	if err != nil {
		return nil, err
	}
	var all []replayed
	for _, x := range alerts {
		all = append(all, replayed{Labels: x.Labels, intervals: x.Intervals})
	}
	if len(all) == 0 && len(spec.By) == 0 {
		all = append(all, replayed{}) // it never fired: that is an answer
	}
	return all, nil
}

func counted(ctx context.Context, source *probe.Source, s config.SLO, from, to time.Time, progress *progress) ([]replayed, error) {
	spec := s.Objective.Spec()
	if to.Sub(from) > time.Duration(slo.MaxCounts)*time.Minute {
		return nil, fmt.Errorf("counts are replayed for %s at most; give a shorter --range", slo.Short(time.Duration(slo.MaxCounts)*time.Minute))
	}
	query := probe.Query{Bad: s.Prometheus.Bad, Total: s.Prometheus.Total, By: spec.By}
	var all []replayed
	place := map[string]int{}
	n := int((to.Sub(from)/time.Minute + probe.MaxPoints - 1) / probe.MaxPoints)
	for i := range n {
		first := from.Add(time.Duration(i*probe.MaxPoints+1) * time.Minute)
		readings, fault, err := source.Counts(ctx, query, first, earlierOf(first.Add((probe.MaxPoints-1)*time.Minute), to))
		if err != nil {
			return nil, err
		}
		if fault != nil {
			progress.say("warning: %v", fault)
		}
		for _, r := range readings {
			id := slo.Identity(r.Labels, spec.By)
			at, known := place[id]
			if !known {
				at = len(all)
				place[id] = at
				all = append(all, replayed{Labels: r.Labels, ofCounts: true})
			}
			for _, c := range r.Counts {
				if c.Total > 0 {
					all[at].counts = append(all[at].counts, c)
				}
			}
		}
		progress.at(i+1, n)
	}
	if len(spec.By) == 0 && len(all) > 0 && len(all[0].counts) == 0 {
		return nil, nil
	}
	return all, nil
}

// progress is a line on a terminal that says how far a long work is. Elsewhere it is silent.
type progress struct {
	out   *output
	what  string
	shown bool
}

func newProgress(out *output, what string) *progress { return &progress{out: out, what: what} }

func (p *progress) at(n, of int) {
	if of < 2 || !isTerminal(p.out.stderr) {
		return
	}
	p.shown = true
	fmt.Fprintf(p.out.stderr, "\r%s: %d of %d\x1b[K", p.what, n, of)
}

func (p *progress) say(format string, args ...any) {
	p.end()
	fmt.Fprintf(p.out.stderr, "midwatch: "+format+"\n", args...)
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.out.stderr, "\r\x1b[K")
		p.shown = false
	}
}
