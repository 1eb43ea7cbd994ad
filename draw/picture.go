// Package draw shows a schedule over a stretch of time, or an error budget: drawn for a terminal, drawn as SVG, and in
// words, those of changes of clocks among them.
//
// It is pure: a Picture is made of a schedule and two instants, a Budget of levels, and drawing one returns a text. What tells people
// apart is always written, colour only helps.
package draw

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A Picture is a schedule over a stretch of time, ready to be drawn.
type Picture struct {
	Title    string
	Zone     *time.Location // whose days the ruler shows
	From, To time.Time      // half-open
	Now      time.Time      // is marked in SVG; zero, or outside: it is not
	Rows     []Row          // from top to bottom; the last is who is on call
	Clocks   []ClockChange  // within the stretch, in order
	Remarks  []string       // what each of Clocks does, in words
}

// A Row is a layer, some overrides, or who is on call in the end.
type Row struct {
	Name string
	Bars []Bar // in order, apart from one another; where there is none, the row has nothing to say
}

// A Bar is a stretch of time in a row.
type Bar struct {
	Start, End time.Time
	Users      []string // sorted; none is a gap
	Declared   bool     // the gap is meant
	Does       string   // of an override: what it does to Users, in words
	Link       string   // where a tap on it leads, in a Figure; empty: nowhere
}

// The names of the rows that are not layers.
const (
	overridesRow = "overrides"
	finalRow     = "on call"
)

// How gaps are called.
const (
	gapText      = "a gap: nobody is on call"
	declaredText = "a declared gap"
)

// Of is the picture of a schedule in [from, to). Its layers are drawn as their rotations and windows have them, each
// for itself; then the overrides; then what comes of it all. Overrides made at run time are in the last row if the
// schedule has them, and among the overrides if they are given here too.
func Of(s *oncall.Schedule, from, to time.Time, zone *time.Location, made ...oncall.Override) Picture {
	spec := s.Spec()
	p := Picture{Title: spec.Name, Zone: zone, From: from.UTC(), To: to.UTC(), Clocks: ClockChanges(s, from, to)}
	for _, c := range p.Clocks {
		p.Remarks = append(p.Remarks, c.Sentence(s))
	}
	for _, l := range spec.Layers {
		p.Rows = append(p.Rows, Row{l.Name, layerBars(spec, l, from, to)})
	}
	p.Rows = append(p.Rows, overrideRows(append(slices.Clone(spec.Overrides), made...), spec.Zone, from, to)...)
	p.Rows = append(p.Rows, Row{finalRow, resultBars(s, from, to, true)})
	return p
}

// layerBars shows a layer as if it were alone. Its holes are empty, a turn of nobody's is a declared gap.
func layerBars(spec oncall.Spec, l oncall.Layer, from, to time.Time) []Bar {
	alone, err := oncall.New(oncall.Spec{Name: spec.Name, Zone: spec.Zone, Layers: []oncall.Layer{l}})
	if err != nil {
		panic(fmt.Sprintf("draw: layer %q of a checked schedule is not good on its own: %v", l.Name, err))
	}
	return resultBars(alone, from, to, false)
}

// resultBars are the shifts and the gaps between them; without gaps, only those that are declared.
func resultBars(s *oncall.Schedule, from, to time.Time, gaps bool) []Bar {
	var bars []Bar
	for _, sh := range s.Shifts(from, to) {
		bars = append(bars, Bar{Start: sh.Start, End: sh.End, Users: sh.Users})
	}
	for _, g := range s.Gaps(from, to) {
		if gaps || g.Declared {
			bars = append(bars, Bar{Start: g.Start, End: g.End, Declared: g.Declared})
		}
	}
	slices.SortFunc(bars, func(a, b Bar) int { return a.Start.Compare(b.Start) })
	return bars
}

// overrideRows puts overrides into as few rows as they need to lie apart.
func overrideRows(overrides []oncall.Override, zone *time.Location, from, to time.Time) []Row {
	var bars []Bar
	for _, o := range overrides {
		b := Bar{Start: o.Start.UTC(), End: o.End.UTC(), Users: []string{o.User}, Does: does(o)}
		if o.From != 0 {
			b.Start, b.End = o.From.First(zone), o.To.Last(zone)
		}
		if o.Kind == oncall.Replace {
			b.Users = []string{o.With}
		}
		b.Start, b.End = later(b.Start, from), earlier(b.End, to)
		if b.Start.Before(b.End) {
			bars = append(bars, b)
		}
	}
	slices.SortStableFunc(bars, func(a, b Bar) int { return a.Start.Compare(b.Start) })
	var rows []Row
	for _, b := range bars {
		i := slices.IndexFunc(rows, func(r Row) bool { return !r.Bars[len(r.Bars)-1].End.After(b.Start) })
		if i < 0 {
			i, rows = len(rows), append(rows, Row{Name: overridesRow})
		}
		rows[i].Bars = append(rows[i].Bars, b)
	}
	return rows
}

func does(o oncall.Override) string {
	if o.Layer != "" {
		return o.String() + " in " + o.Layer
	}
	return o.String()
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b.UTC()
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b.UTC()
	}
	return a
}

// label is what a bar with room for it says.
func (b Bar) label() string {
	if b.Does != "" {
		return clean(b.Does)
	}
	return clean(strings.Join(b.Users, "+"))
}

// clean keeps a name from steering a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// span says when, in the picture's zone.
func (p Picture) span(start, end time.Time) string {
	return p.instant(start) + " to " + p.instant(end)
}

func (p Picture) instant(t time.Time) string { return t.In(p.Zone).Format("Mon 2 Jan 2006 15:04") }

// heading says what is drawn.
func (p Picture) heading() string {
	return clean(p.Title) + ", " + p.span(p.From, p.To) + ", " + p.Zone.String()
}
