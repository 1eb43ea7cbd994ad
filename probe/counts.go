package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/midwatch/midwatch/slo"
)

// A Query is what counts are read with: two queries for rates, evaluated at the end of each minute. With By, each gives a
// series for each set of values of these labels, and no other label; without, one series.
type Query struct {
	Bad, Total string
	By         []string
}

// A Reading is the counts of one set of values of By.
type Reading struct {
	Labels map[string]string // of By alone; nil without
	Counts []slo.Counted     // in order; a Total of 0 is no data
}

// perUnit is how finely a rate is kept: one event in three hours is seen, and three million a second are not too many. Each
// minute of an objective is counted in the same unit, so that busy minutes weigh more than quiet ones.
const perUnit = 10_000

// count is two rates as counts. Where there are too many, both are made smaller, so that their share stays.
func count(bad, total float64) (uint64, uint64) {
	scale := float64(perUnit)
	if most := max(bad, total); most*scale > slo.MaxCount {
		scale = slo.MaxCount / most
	}
	round := func(v float64) uint64 { return min(uint64(math.Round(v*scale)), slo.MaxCount) }
	return round(bad), round(total)
}

// A point is what both queries say of one minute; NaN where one says nothing.
type point struct{ bad, total float64 }

// A table is what queries say: by the values of By, then by the end of the minute.
type table struct {
	by     []string
	labels map[string]map[string]string
	points map[string]map[int64]point
	fault  error // the first value that is no rate
}

func newTable(by []string) *table {
	return &table{by: by, labels: map[string]map[string]string{}, points: map[string]map[int64]point{}}
}

// seat is whose a series is.
func (t *table) seat(m model.Metric) string {
	labels := make(map[string]string, len(t.by))
	for _, name := range t.by {
		labels[name] = string(m[model.LabelName(name)])
	}
	id := slo.Identity(labels, t.by)
	if t.points[id] == nil {
		t.points[id] = map[int64]point{}
		if len(t.by) > 0 {
			t.labels[id] = labels
		}
	}
	return id
}

// put notes a value. Prometheus answers to the millisecond.
func (t *table) put(id string, at model.Time, v float64, total bool) {
	what := "bad"
	if total {
		what = "total"
	}
	if v < 0 || math.IsInf(v, 0) {
		if t.fault == nil {
			t.fault = fmt.Errorf("%s is %s at %s, which is no rate of events; that minute has no data", what, strconv.FormatFloat(v, 'g', 4, 64), at.Time().UTC().Format(time.RFC3339))
		}
		v = math.NaN()
	}
	minute := at.Time().Round(time.Minute).Unix()
	p, known := t.points[id][minute]
	if !known {
		p = point{math.NaN(), math.NaN()}
	}
	if total {
		p.total = v
	} else {
		p.bad = v
	}
	t.points[id][minute] = p
}

var errTwo = errors.New(`two of its series have the same values of by; sum them up, as in sum by (cluster) (rate(…))`)

// readings are the counts of the minutes that end from first to last. A minute without a total has no data; where there is
// a total and nothing is said of bad, nothing was bad, for Prometheus has no series of what never happened.
func (t *table) readings(first, last time.Time) (all []Reading) {
	if len(t.by) == 0 && len(t.points) == 0 {
		t.points[slo.Identity(nil, nil)] = nil // its minutes have no data
	}
	ids := make([]string, 0, len(t.points))
	for id := range t.points {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r := Reading{Labels: t.labels[id]}
		for at := first; !at.After(last); at = at.Add(time.Minute) {
			c := slo.Counted{Minute: at.Add(-time.Minute).UTC()}
			if p, known := t.points[id][at.Unix()]; known && !math.IsNaN(p.total) {
				if math.IsNaN(p.bad) {
					p.bad = 0
				}
				c.Bad, c.Total = count(p.bad, p.total)
			}
			r.Counts = append(r.Counts, c)
		}
		all = append(all, r)
	}
	return all
}

// take notes what one of the queries says.
func (t *table) take(v model.Value, total bool) error {
	seen := map[string]bool{}
	again := func(id string) error {
		if seen[id] {
			if len(t.by) == 0 {
				return errors.New("it gives several series, and the SLO has no by; sum them up, as in sum(rate(…))")
			}
			return errTwo
		}
		seen[id] = true
		return nil
	}
	switch v := v.(type) {
	case *model.Scalar:
		t.put(t.seat(nil), v.Timestamp, float64(v.Value), total)
	case model.Vector:
		if len(v) > MaxSeries {
			return fmt.Errorf("it gives %d series, more than %d; sum them up", len(v), MaxSeries)
		}
		for _, s := range v {
			id := t.seat(s.Metric)
			if err := again(id); err != nil {
				return err
			}
			if s.Histogram != nil {
				return errors.New("it gives histograms; take their count, as in histogram_count(…)")
			}
			t.put(id, s.Timestamp, float64(s.Value), total)
		}
	case model.Matrix:
		for _, s := range v {
			id := t.seat(s.Metric)
			if err := again(id); err != nil {
				return err
			}
			if len(s.Histograms) > 0 {
				return errors.New("it gives histograms; take their count, as in histogram_count(…)")
			}
			for _, p := range s.Values {
				t.put(id, p.Timestamp, float64(p.Value), total)
			}
		}
	default:
		return fmt.Errorf("it gives a %s, not rates", v.Type())
	}
	return nil
}

// at asks for the minute that ends at an instant.
func (s *Source) at(ctx context.Context, q Query, end time.Time) ([]Reading, error, error) {
	return q.both(end, end, func(query string) (model.Value, error) { return s.instant(ctx, query, end) })
}

// Counts asks for the minutes that end from first to last, which are whole minutes, no more than MaxPoints of them. The
// second error is about single minutes, which have no data then.
func (s *Source) Counts(ctx context.Context, q Query, first, last time.Time) (readings []Reading, fault, err error) {
	if n := last.Sub(first) / time.Minute; n >= MaxPoints {
		return nil, nil, fmt.Errorf("%d minutes are more than %d; ask for them in parts", n+1, MaxPoints)
	}
	return q.both(first, last, func(query string) (model.Value, error) { return s.between(ctx, query, first, last, time.Minute) })
}

func (q Query) both(first, last time.Time, ask func(query string) (model.Value, error)) (readings []Reading, fault, err error) {
	t := newTable(q.By)
	for _, one := range []struct {
		name, query string
		total       bool
	}{{"total", q.Total, true}, {"bad", q.Bad, false}} {
		v, err := ask(one.query)
		if err == nil {
			err = t.take(v, one.total)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the query %s: %w", one.name, err)
		}
	}
	return t.readings(first, last), t.fault, nil
}
