package slo

import (
	"fmt"
	"slices"
	"time"
)

// MaxCounts is how many minutes one replay takes: two of the longest windows that counts may have.
const MaxCounts = int(2 * MaxRatioWindow / time.Minute)

// ReplayCounts is Replay for an objective whose source is a ratio. Each minute is heard of when it is over. The
// counts may come in any order; of two for one minute the later in the list counts.
func ReplayCounts(o *Objective, counts []Counted, at []time.Time) (Result, error) {
	r := Result{SLO: o.Name(), At: []Point{}, Thresholds: []Actives{}, Incidents: []Outcome{}}
	if !o.ratio() {
		return r, fmt.Errorf("slo %q counts no events; replay one with sli: {prometheus: …}", o.Name())
	}
	if len(counts) > MaxCounts {
		return r, fmt.Errorf("%d minutes are more than %d; replay a part of them", len(counts), MaxCounts)
	}
	counts = slices.Clone(counts)
	for i := range counts {
		c := &counts[i]
		if year := c.Minute.UTC().Year(); year < firstYear || year > lastYear {
			return r, fmt.Errorf("minute %d: %s is not between the years %d and %d", i+1, c.Minute.Format(time.RFC3339), firstYear, lastYear)
		}
		if c.Bad > MaxCount || c.Total > MaxCount {
			return r, fmt.Errorf("minute %d: more than %d events; count in thousands, both bad and all", i+1, uint64(MaxCount))
		}
		c.Minute = instant(floorDiv(nanos(c.Minute), minute) * minute)
	}
	slices.SortStableFunc(counts, func(a, b Counted) int { return a.Minute.Compare(b.Minute) })
	var known Slices
	lessons := make([]lesson, len(counts))
	for i, c := range counts {
		known, _ = known.set(nanos(c.Minute), cell{min(c.Bad, c.Total), c.Total})
		lessons[i] = lesson{c.Minute.Add(time.Minute), c}
	}
	from := int64(0)
	if len(counts) > 0 {
		from = nanos(counts[0].Minute)
	}
	r.look(o, newRatio(known, nil), from, at)
	var err error
	r.Incidents, err = live(o, lessons)
	return r, err
}
