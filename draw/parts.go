package draw

import (
	"slices"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A part is a stretch of a picture, drawn below the one before to the same scale.
type part struct {
	Picture
	share float64 // of the width of the longest
}

const mostParts = 12

// parts cuts the picture into the longest stretches of whole days of which none is crowded. Where that takes too many,
// it stays whole, and crowded.
func (p Picture) parts(crowded func(Picture) bool) (parts []part, good bool) {
	whole := []Picture{p}
	pictures := whole
	for _, days := range []int{0, 28, 14, 7, 3, 1} {
		if days > 0 {
			pictures = p.every(days)
		}
		if len(pictures) > mostParts {
			break
		}
		if good = !slices.ContainsFunc(pictures, crowded); good {
			break
		}
	}
	if !good {
		pictures = whole
	}
	longest := slices.MaxFunc(pictures, func(a, b Picture) int { return int(a.length() - b.length()) }).length()
	for _, picture := range pictures {
		parts = append(parts, part{picture, float64(picture.length()) / float64(longest)})
	}
	return parts, good
}

// every cuts the picture at some midnights of its zone, into so many parts at most that it is clear that they are too
// many.
func (p Picture) every(days int) (parts []Picture) {
	for from := p.From; from.Before(p.To) && len(parts) <= mostParts; {
		midnight := date(oncall.WallTime(from, p.Zone)).Truncate(24*time.Hour).AddDate(0, 0, days)
		to := earlier(oncall.WallTime(midnight, time.UTC).First(p.Zone), p.To)
		parts = append(parts, p.cut(from, to))
		from = to
	}
	return parts
}

// cut is the part of the picture in [from, to), without overrides that are not in it.
func (p Picture) cut(from, to time.Time) Picture {
	part := p
	part.From, part.To, part.Rows, part.Clocks = from, to, nil, nil
	for _, r := range p.Rows {
		row := Row{Name: r.Name}
		for _, b := range r.Bars {
			b.Start, b.End = later(b.Start, from), earlier(b.End, to)
			if b.Start.Before(b.End) {
				row.Bars = append(row.Bars, b)
			}
		}
		if len(row.Bars) > 0 || r.Name != overridesRow {
			part.Rows = append(part.Rows, row)
		}
	}
	for _, c := range p.Clocks {
		if !c.At.Before(from) && c.At.Before(to) {
			part.Clocks = append(part.Clocks, c)
		}
	}
	return part
}

func (p Picture) length() time.Duration { return p.To.Sub(p.From) }
