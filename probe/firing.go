package probe

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/slo"
)

// A Matcher says which alerts are meant. Op is one of =, !=, =~ and !~.
type Matcher struct{ Name, Op, Value string }

// Alerts are when any alert fired that has one set of values of `by`.
type Alerts struct {
	Labels    map[string]string // of by alone; nil without
	Intervals []slo.Interval    // in order and apart
}

// bare are label names that PromQL takes without quotes.
var bare = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func label(name string) string {
	if bare.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

// firing is the query for whether any of the alerts fires, for each set of values of by.
func firing(matchers []Matcher, by []string) string {
	parts := []string{`alertstate="firing"`}
	for _, m := range matchers {
		parts = append(parts, label(m.Name)+m.Op+strconv.Quote(m.Value))
	}
	labels := make([]string, len(by))
	for i, name := range by {
		labels[i] = label(name)
	}
	return fmt.Sprintf("max by (%s) (ALERTS{%s})", strings.Join(labels, ", "), strings.Join(parts, ", "))
}

// Firing asks when alerts fired in [from, to), as the series ALERTS of the Prometheus has it, looked at every step: a
// beginning and an end are late by up to one step, and what is shorter than a step may be missed. Labels that are added to
// alerts only when they are sent, such as external labels, are not there. done is told how many queries of how many are
// answered; nil: nobody is.
func (s *Source) Firing(ctx context.Context, matchers []Matcher, by []string, from, to time.Time, step time.Duration, done func(n, of int)) ([]Alerts, error) {
	if step < time.Second {
		return nil, fmt.Errorf("a step of %s is shorter than a second", step)
	}
	query := firing(matchers, by)
	starts := chunks(from, to, step)
	times := map[string][]time.Time{}
	labels := map[string]map[string]string{}
	n := 0
	for i, start := range starts {
		last := start.Add((MaxPoints - 1) * step)
		if i+1 < len(starts) {
			last = starts[i+1].Add(-step)
		} else if !last.Before(to) {
			last = start.Add((to.Sub(start) - 1) / step * step)
		}
		m, err := s.between(ctx, query, start, last, step)
		if err != nil {
			return nil, err
		}
		for _, series := range m {
			t := newTable(by)
			id := t.seat(series.Metric)
			labels[id] = t.labels[id]
			for _, p := range series.Values {
				times[id] = append(times[id], p.Timestamp.Time().UTC())
			}
			if n += len(series.Values); len(times) > MaxSeries {
				return nil, fmt.Errorf("%s: the alerts have more than %d sets of values of by", s.name, MaxSeries)
			}
			if n > maxFiringPoints {
				return nil, fmt.Errorf("%s: the alerts fired at more than %d points; ask for a shorter range, or with a longer step", s.name, maxFiringPoints)
			}
		}
		if done != nil {
			done(i+1, len(starts))
		}
	}
	ids := make([]string, 0, len(times))
	for id := range times {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	all := make([]Alerts, 0, len(ids))
	for _, id := range ids {
		all = append(all, Alerts{labels[id], intervals(times[id], step, to)})
	}
	return all, nil
}

// maxFiringPoints bounds what is held of an answer: ten alerts that fire all the month, looked at every ten seconds.
const maxFiringPoints = 4_000_000

// chunks are where range queries begin that together look at [from, to), each at MaxPoints points at most.
func chunks(from, to time.Time, step time.Duration) (starts []time.Time) {
	for at := from; at.Before(to); at = at.Add(MaxPoints * step) {
		starts = append(starts, at)
	}
	return starts
}

// intervals makes stretches of instants a step apart.
func intervals(times []time.Time, step time.Duration, to time.Time) (all []slo.Interval) {
	slices.SortFunc(times, time.Time.Compare)
	for _, t := range times {
		end := t.Add(step)
		if end.After(to) {
			end = to
		}
		if n := len(all); n > 0 && !t.After(all[n-1].End) {
			all[n-1].End = end
			continue
		}
		all = append(all, slo.Interval{Start: t, End: end})
	}
	return all
}
