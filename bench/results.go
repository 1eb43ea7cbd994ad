//go:build linux

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A row is one thing that is measured of both.
type row struct {
	name string
	unit string // empty: what is said is words
	more bool   // more is better; else less is
}

// results are what was measured, row by row in the order of their first figures.
type results struct {
	o       options
	rows    []row
	figures map[string]*[2][]float64 // by row
	words   map[string]*[2]string
	counts  map[string]*[2]int // what both must agree on
	faults  []string           // what was not as it must be
	machine string             // where it was measured
	program [2]string          // what: names and versions
}

func newResults(o options) *results {
	return &results{o: o, figures: map[string]*[2][]float64{}, words: map[string]*[2]string{}, counts: map[string]*[2]int{}}
}

func (r *results) know(w row) {
	if !slices.ContainsFunc(r.rows, func(x row) bool { return x.name == w.name }) {
		r.rows = append(r.rows, w)
		r.figures[w.name], r.words[w.name] = &[2][]float64{}, &[2]string{}
	}
}

// add adds figures to a row.
func (r *results) add(w row, s side, values ...float64) {
	r.know(w)
	r.figures[w.name][s] = append(r.figures[w.name][s], values...)
}

// say puts words in a row.
func (r *results) say(name string, s side, format string, args ...any) {
	r.know(row{name: name})
	r.words[name][s] = fmt.Sprintf(format, args...)
}

// must notes a fault where something does not hold.
func (r *results) must(holds bool, format string, args ...any) {
	if !holds {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// mustInTime notes a fault where something does not hold because the machine is too slow for the figures to mean what they say. With
// -quick they mean nothing anyway.
func (r *results) mustInTime(holds bool, format string, args ...any) {
	r.must(holds || r.o.quick, format, args...)
}

// count is a number that both must agree on.
func (r *results) count(what string, s side, n int) {
	if r.counts[what] == nil {
		r.counts[what] = &[2]int{-1, -1}
	}
	r.counts[what][s] = n
}

// agree notes a fault where the two do not.
func (r *results) agree() {
	const close = 0.01 // of bytes: times are written with as many digits as they have
	for what, n := range r.counts {
		if n[theirs] < 0 || n[ours] < 0 {
			continue // one of them was not asked
		}
		apart := math.Abs(float64(n[theirs] - n[ours]))
		allowed := 0.0
		if what == bytesOfAlerts || what == bytesOfGroups {
			allowed = close * float64(n[theirs])
		}
		r.must(apart <= allowed, "%s: %d of Alertmanager and %d of Midwatch", what, n[theirs], n[ours])
	}
	slices.Sort(r.faults)
}

const (
	bytesOfAlerts = "bytes of GET alerts"
	bytesOfGroups = "bytes of GET groups"
)

// median is the middle of some figures, or the mean of the two in the middle. NaN: there are none.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	switch n := len(v); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}

// percentile is the smallest figure that so many of a hundred do not exceed. NaN: there are none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	n := int(math.Ceil(p / 100 * float64(len(v))))
	return v[min(max(n, 1), len(v))-1]
}

// better is how many times better we are; below 1, we are worse. NaN: that cannot be said.
func better(theirs, ours float64, more bool) float64 {
	if more {
		theirs, ours = ours, theirs
	}
	if ours <= 0 || theirs < 0 {
		return math.NaN()
	}
	return theirs / ours
}

// spread is the median, and the least and the most where there are several.
func spread(values []float64, unit string) string {
	if len(values) == 0 {
		return "–"
	}
	figure := figure
	if unit == "" { // it is a number of things
		figure = func(f float64) string { return fmt.Sprintf("%.0f", f) }
	}
	text := figure(median(values))
	if least, most := slices.Min(values), slices.Max(values); len(values) > 1 && cmp.Compare(figure(least), figure(most)) != 0 {
		text += " (" + figure(least) + "–" + figure(most) + ")"
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// figure writes a number with three digits, or all of its whole ones.
func figure(f float64) string {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return "–"
	case a >= 100 || a == 0:
		return fmt.Sprintf("%.0f", f)
	case a >= 10:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.2f", f)
	}
}
