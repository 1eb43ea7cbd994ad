package draw

import (
	"slices"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A tick is a mark on the ruler, at a round wall time. Its label may be empty.
type tick struct {
	at    time.Time
	label string
	short string // where the label does not fit before the next
}

// A grain is how far ticks lie apart, and what is written at them.
type grain struct {
	hours, days, months int // one of them
	label               string
	first               string // instead, where a larger unit begins
	begin               string // instead, at the first of all
}

// wide is a date that is as long as any, however it is written.
var wide = time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)

// grains from fine to coarse.
var grains = []grain{
	{hours: 1, label: "15:04", first: "Mon 2 Jan", begin: "Mon 2 Jan 15:04"},
	{hours: 3, label: "15:04", first: "Mon 2 Jan", begin: "Mon 2 Jan 15:04"},
	{hours: 6, label: "15:04", first: "Mon 2 Jan", begin: "Mon 2 Jan 15:04"},
	{hours: 12, label: "15:04", first: "Mon 2", begin: "Mon 2 Jan 15:04"},
	{days: 1, label: "Mon 2 Jan", begin: "Mon 2 Jan"},
	{days: 1, label: "Mon 2", begin: "Mon 2 Jan"},
	{days: 1, label: "2", first: "Jan", begin: "2 Jan"},
	{days: 7, label: "2 Jan", begin: "2 Jan"},
	{months: 1, label: "Jan", first: "2006", begin: "Jan 2006"},
	{months: 3, label: "Jan", first: "2006", begin: "Jan 2006"},
	{months: 12, label: "2006", begin: "2006"},
	{months: 120, label: "2006", begin: "2006"},
}

// ruler are the ticks of a stretch drawn so wide: unlabelled ones as fine as `apart` allows, labelled ones so that
// their labels, each letter so wide, do not touch; but the first may be longer.
func (p Picture) ruler(width, apart, letter float64) []tick {
	var all []tick
	for _, fine := range []bool{true, false} {
		for _, g := range grains {
			room := apart
			if !fine {
				room = float64(1+max(len(wide.Format(g.label)), len(wide.Format(g.first)))) * letter
			}
			if g.length().Seconds()/p.length().Seconds()*width < room {
				continue
			}
			all = append(all, p.ticks(g, !fine)...)
			break
		}
	}
	slices.SortStableFunc(all, func(a, b tick) int { return a.at.Compare(b.at) })
	merged := all[:0]
	for _, t := range all {
		if n := len(merged); n > 0 && merged[n-1].at.Equal(t.at) {
			merged[n-1].label += t.label // one of them has none
			merged[n-1].short += t.short
			continue
		}
		merged = append(merged, t)
	}
	p.shorten(merged, width, letter)
	return merged
}

// shorten shortens the first label where it would run into the second.
func (p Picture) shorten(ticks []tick, width, letter float64) {
	var first *tick
	for i := range ticks {
		t := &ticks[i]
		switch {
		case t.label == "":
		case first == nil:
			first = t
		default:
			room := t.at.Sub(first.at).Seconds() / p.length().Seconds() * width
			if first.short != "" && float64(len(first.label)+1)*letter > room {
				first.label = first.short
			}
			return
		}
	}
}

// length is about how long it is between two ticks.
func (g grain) length() time.Duration {
	return time.Duration(g.hours)*time.Hour + time.Duration(g.days)*24*time.Hour + time.Duration(g.months)*28*24*time.Hour
}

// ticks are those of a grain within the stretch. An hour or a day that the clocks skip has none; a day whose midnight
// they skip begins later.
func (p Picture) ticks(g grain, labelled bool) (ticks []tick) {
	for day := g.floor(date(oncall.WallTime(p.From, p.Zone))); ; day = g.next(day) {
		c := oncall.WallTime(day, time.UTC)
		at := c.First(p.Zone)
		if !at.Before(p.To) {
			return ticks
		}
		shown := oncall.WallTime(at, p.Zone)
		if at.Before(p.From) || g.hours > 0 && shown != c || date(shown).YearDay() != day.YearDay() {
			continue
		}
		t := tick{at: at}
		if labelled {
			t.label = day.Format(g.format(day, len(ticks) == 0))
			if g.hours > 0 {
				t.short = day.Format(g.format(day, false))
			}
		}
		ticks = append(ticks, t)
	}
}

func (g grain) format(day time.Time, begin bool) string {
	if begin && (g.hours == 0 || day.Hour() > 0) {
		return g.begin
	}
	if g.first == "" || g.hours > 0 && day.Hour() > 0 || g.days > 0 && day.Day() > 1 || g.months > 0 && day.Month() != time.January {
		return g.label
	}
	return g.first
}

// floor is the last round time up to a wall time. Weeks begin on Monday.
func (g grain) floor(t time.Time) time.Time {
	y, m, d := t.Date()
	switch {
	case g.hours > 0:
		return time.Date(y, m, d, t.Hour()/g.hours*g.hours, 0, 0, 0, time.UTC)
	case g.days == 7:
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case g.days > 0:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	months := y*12 + int(m) - 1
	return time.Date(0, time.Month(months/g.months*g.months+1), 1, 0, 0, 0, 0, time.UTC)
}

func (g grain) next(t time.Time) time.Time {
	return t.Add(time.Duration(g.hours)*time.Hour).AddDate(0, g.months, g.days)
}
