package draw

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Budget is an error budget over a stretch of time, ready to be drawn: how much is left of it, and when thresholds are
// passed.
type Budget struct {
	Title    string
	Zone     *time.Location // whose days the ruler shows
	From, To time.Time      // half-open
	Now      time.Time      // what is after it is what will be if nothing more happens; zero, or outside: not marked
	Left     []Level        // in order; between two it goes in a straight line
	Breaches []Breaches     // from top to bottom
}

// A Level is the share of the budget that is left at an instant: 1 is all of it, 0 none, and below 0 it is overspent.
type Level struct {
	At   time.Time
	Left float64
}

// Breaches are the times in which one threshold is active, in order and apart.
type Breaches struct {
	Name     string
	Severity string // sev1 to sev5
	Times    []Stretch
}

// A Stretch is [From, To).
type Stretch struct{ From, To time.Time }

// deepest is how far below zero is drawn; what is worse lies at the edge and is written in words.
const deepest = -1.0

// Words of a budget's picture.
const (
	budgetWhat  = "Error budget left"
	nothingText = "not active"
	nowText     = "now"
)

// Sizes in the SVG, in pixels.
const (
	budgetHeight = 170.0 // of the line's plot
	budgetRow    = 26.0
	budgetBar    = 16.0
)

// describedBreaches are listed in words, at most.
const describedBreaches = 50

// picture is the same stretch of time, for its ruler.
func (b Budget) picture() Picture {
	zone := b.Zone
	if zone == nil {
		zone = time.UTC
	}
	return Picture{Title: b.Title, Zone: zone, From: b.From.UTC(), To: b.To.UTC()}
}

// at is what is left at an instant; false where nothing is known.
func (b Budget) at(t time.Time) (float64, bool) {
	i, exact := slices.BinarySearchFunc(b.Left, t, func(l Level, t time.Time) int { return l.At.Compare(t) })
	switch {
	case exact:
		return b.Left[i].Left, true
	case i == 0 || i == len(b.Left):
		return 0, false
	}
	before, after := b.Left[i-1], b.Left[i]
	part := float64(t.Sub(before.At)) / float64(after.At.Sub(before.At))
	return before.Left + part*(after.Left-before.Left), true
}

// least is the least that is left at any time, and last what is left at Now or in the end.
func (b Budget) least() (least Level, last float64) {
	least, last = Level{b.From, 1}, 1
	for _, l := range b.Left {
		if l.Left < least.Left {
			least = l
		}
		last = l.Left
	}
	if now, known := b.at(b.Now); known {
		last = now
	}
	return least, last
}

// floor is the lowest level that is drawn.
func (b Budget) floor() float64 {
	least, _ := b.least()
	if least.Left >= 0 {
		return 0
	}
	return max(deepest, math.Floor(least.Left*4)/4)
}

func (b Budget) marked() bool { return !b.Now.Before(b.From) && !b.Now.After(b.To) && !b.Now.IsZero() }

// summary says the numbers in words.
func (b Budget) summary() string {
	least, last := b.least()
	when := "in the end"
	if b.marked() {
		when = nowText
	}
	s := fmt.Sprintf("%s is left %s", share(last), when)
	if least.Left < 1 {
		s += fmt.Sprintf("; the least was %s at %s", share(least.Left), b.picture().instant(least.At))
	}
	return s
}

func share(left float64) string {
	s := fmt.Sprintf("%.1f%%", left*100)
	if s == "-0.0%" {
		return "0.0%"
	}
	return s
}

func (r Breaches) label() string { return clean(r.Name) + " " + clean(r.Severity) }

// description is the breaches in words.
func (b Budget) description() string {
	p, says, n := b.picture(), []string{b.summary()}, 0
	for _, r := range b.Breaches {
		for _, t := range r.Times {
			if n++; n <= describedBreaches {
				says = append(says, r.label()+" from "+p.span(t.From, t.To))
			}
		}
	}
	if n > describedBreaches {
		says = append(says, fmt.Sprintf("and %d more", n-describedBreaches))
	}
	if n == 0 {
		says = append(says, "no threshold is active")
	}
	return strings.Join(says, "; ") + "."
}

// SVG draws the budget as one SVG document that needs nothing else, for light and for dark surroundings. The id is as
// that of Picture.SVG.
func (b Budget) SVG(id string) string {
	d := svg{id: "midwatch-" + identifier(id), plot: svgPlot, top: svgTop}
	b.draw(&d)
	d.height += 26
	d.text(svgEdge, d.height, "mw-note", upper(b.summary())+".")
	d.height += 16
	return b.document(&d)
}

// Figure is the budget as an element of a page, as Picture.Figure is: the page says the numbers.
func (b Budget) Figure(id string, width int) string {
	d := svg{id: "midwatch-" + identifier(id), plot: float64(width), top: figureTop, figure: true, narrow: width < svgPhone}
	d.plot = max(d.plot-b.margins(&d), svgNarrowest)
	b.draw(&d)
	d.height += 10
	return d.element()
}

// margins is what is left and right of the plot.
func (b Budget) margins(d *svg) float64 {
	letters := len("-100%")
	for _, r := range b.Breaches {
		letters = max(letters, min(utf8.RuneCountInString(r.name(d)), d.longest()+5))
	}
	d.left = d.edge() + float64(letters)*svgLetter + 14
	return d.left + d.edge()
}

// name is what stands before a row: where there is little room, the name alone.
func (r Breaches) name(d *svg) string {
	if d.narrow {
		return clean(r.Name)
	}
	return r.label()
}

// draw draws the line and the rows.
func (b Budget) draw(d *svg) {
	d.Picture, d.full, d.width = b.picture(), d.plot, d.plot
	b.margins(d)
	rows := d.top + budgetHeight + 18
	d.height = rows + budgetRow*float64(len(b.Breaches))
	if b.From.Before(b.To) {
		d.grid()
		b.line(d)
		b.breaches(d, rows)
		if b.marked() {
			x := d.x(b.Now)
			d.put(`<g><title>%s: %s</title><line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="mw-now"/>`, nowText, d.instant(b.Now), x, d.top-8, x, d.height)
			d.put(`<text x="%.1f" y="%.1f" class="mw-tick" text-anchor="end">%s</text></g>`, x-3, d.top+budgetHeight-5, nowText)
		}
	}
}

// line draws the scale and what is left, the part below zero once more in red.
func (b Budget) line(d *svg) {
	floor := b.floor()
	y := func(left float64) float64 {
		return d.top + (1-min(max(left, floor), 1))/(1-floor)*budgetHeight
	}
	for _, level := range []float64{1, 0.5, 0, -0.5, -1} {
		if level < floor {
			break
		}
		class := "mw-line"
		if level == 0 {
			class = "mw-sum"
		}
		d.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, d.left, y(level), d.left+d.width, y(level), class)
		d.put(`<text x="%.1f" y="%.1f" class="mw-tick" text-anchor="end">%.0f%%</text>`, d.left-8, y(level)+4, level*100)
	}
	var line, area strings.Builder
	var first, last float64
	for _, l := range b.Left {
		if l.At.Before(b.From) || l.At.After(b.To) {
			continue
		}
		x := d.x(l.At)
		if line.Len() == 0 {
			first = x
			fmt.Fprintf(&line, "M%.1f %.1f", x, y(l.Left))
			fmt.Fprintf(&area, "M%.1f %.1f L%.1f %.1f", x, y(0), x, y(l.Left))
		} else {
			fmt.Fprintf(&line, " L%.1f %.1f", x, y(l.Left))
			fmt.Fprintf(&area, " L%.1f %.1f", x, y(l.Left))
		}
		last = x
	}
	if line.Len() == 0 {
		return
	}
	fmt.Fprintf(&area, " L%.1f %.1f L%.1f %.1f z", last, y(0), first, y(0))
	d.put(`<path d="%s" class="mw-left"/>`, area.String())
	d.put(`<path d="%s" class="mw-level"/>`, line.String())
	if floor < 0 {
		d.put(`<clipPath id="%s-over"><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f"/></clipPath>`, d.id, d.left, y(0), d.width, d.top+budgetHeight-y(0)+2)
		d.put(`<g clip-path="url(#%s-over)"><title>overspent</title><path d="%s" class="mw-over"/></g>`, d.id, line.String())
	}
}

// breaches draws a row for each threshold.
func (b Budget) breaches(d *svg, top float64) {
	for _, r := range b.Breaches {
		name, most := []rune(r.name(d)), d.longest()+5
		if len(name) > most {
			name = append(name[:most-1], '~')
		}
		d.text(d.edge(), top+budgetRow/2+4.5, "mw-name", string(name))
		y := top + (budgetRow-budgetBar)/2
		drawn := false
		for _, t := range r.Times {
			from, to := later(t.From, b.From), earlier(t.To, b.To)
			if !from.Before(to) {
				continue
			}
			drawn = true
			x := d.x(from)
			d.put(`<g><title>%s, %s (%s)</title><rect x="%.2f" y="%.1f" width="%.2f" height="%.0f" rx="2" class="%s"/></g>`,
				escape(r.label()), d.span(t.From, t.To), Length(t.To.Sub(t.From)), x, y, max(d.x(to)-x, 2), budgetBar, severityClass(r.Severity))
		}
		if !drawn {
			d.text(d.left+4, top+budgetRow/2+4.5, "mw-tick", nothingText)
		}
		top += budgetRow
	}
}

// severityClass is the style of a severity; what is none is drawn as the mildest.
func severityClass(severity string) string {
	for _, s := range []string{"sev1", "sev2", "sev3", "sev4"} {
		if severity == s {
			return "mw-" + s
		}
	}
	return "mw-sev5"
}

func (b Budget) document(d *svg) string {
	width, height := d.left+d.full+svgEdge, d.height
	var doc strings.Builder
	fmt.Fprintf(&doc, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-title %s-desc">`+"\n",
		width, height, width, height, d.id, d.id)
	fmt.Fprintf(&doc, "<title id=\"%s-title\">%s: %s</title>\n<desc id=\"%s-desc\">%s</desc>\n", d.id, budgetWhat, escape(d.heading()), d.id, escape(b.description()))
	fmt.Fprintf(&doc, "<style>%s%s</style>\n", svgStyle, budgetStyle)
	fmt.Fprintf(&doc, svgPatterns, d.id, d.id)
	fmt.Fprintf(&doc, `<rect width="%.0f" height="%.0f" class="mw-back"/>`+"\n", width, height)
	fmt.Fprintf(&doc, `<text x="%.0f" y="28" class="mw-title">%s: %s</text>`+"\n", svgEdge, budgetWhat, escape(b.Title))
	fmt.Fprintf(&doc, `<text x="%.0f" y="46" class="mw-note">%s, %s</text>`+"\n", svgEdge, d.span(d.From, d.To), escape(d.Zone.String()))
	doc.WriteString(d.body.String())
	doc.WriteString("</svg>\n")
	return doc.String()
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const budgetStyle = `
.mw-left{fill:#bfdbfe;opacity:.45}.mw-level{fill:none;stroke:#1d4ed8;stroke-width:1.75;stroke-linejoin:round}
.mw-over{fill:none;stroke:#b91c1c;stroke-width:2.5;stroke-linejoin:round}
.mw-sev1{fill:#b91c1c}.mw-sev2{fill:#ea580c}.mw-sev3{fill:#d97706}.mw-sev4{fill:#0284c7}.mw-sev5{fill:#6b7280}
@media (prefers-color-scheme:dark){
.mw-left{fill:#1e40af}.mw-level{stroke:#93c5fd}.mw-over{stroke:#f87171}
.mw-sev1{fill:#f87171}.mw-sev2{fill:#fb923c}.mw-sev3{fill:#fbbf24}.mw-sev4{fill:#38bdf8}.mw-sev5{fill:#9ca3af}
}
`
