package draw

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes in the SVG, in pixels.
const (
	svgEdge    = 16.0
	svgRow     = 34.0
	svgBar     = 24.0
	svgTop     = 84.0 // of the first row
	svgRuler   = 52.0 // between the parts
	svgLetter  = 7.3  // a letter of the fixed width in which bars are labelled
	svgPlot    = 850.0
	svgWidest  = 4000.0
	svgColours = 8

	svgTap       = 44.0  // bar that is tapped
	figureTop    = 34.0  // of the first row where a page has the heading
	svgNarrowest = 120.0 // plot
	svgPhone     = 480   // narrower figures leave less room for names
	shortName    = 10    // letters
)

// Listed in words for those who do not see the picture, at most.
const describedShifts = 100

// SVG draws the picture as one SVG document that needs nothing else, for light and for dark surroundings. The id
// tells several in one page apart; it is made of letters, digits, - and _, others are left out.
func (p Picture) SVG(id string) string {
	d := svg{id: "midwatch-" + identifier(id), plot: svgPlot, height: svgTop}
	d.draw(p)
	return d.document()
}

// Figure is the picture as an element of a page that has Style, has a heading of its own, and tells in words what is drawn:
// it is hidden from those who hear pages. It is about so many pixels wide, and bars with a Link lead there. Nothing in it
// needs what a strict Content-Security-Policy forbids.
func (p Picture) Figure(id string, width int) string {
	d := svg{id: "midwatch-" + identifier(id), plot: float64(width), height: figureTop, figure: true, narrow: width < svgPhone}
	d.plot = max(d.plot-d.margins(p), svgNarrowest)
	d.draw(p)
	return d.element()
}

// margins is what is left and right of the plot.
func (d *svg) margins(p Picture) float64 {
	letters := 0
	for _, r := range p.Rows {
		letters = max(letters, min(utf8.RuneCountInString(r.Name), d.longest()))
	}
	d.left = d.edge() + float64(letters)*svgLetter + 14
	return d.left + d.edge()
}

func (d *svg) edge() float64 {
	if d.figure {
		return 1
	}
	return svgEdge
}

// longest is how many letters of a row's name are shown.
func (d *svg) longest() int {
	if d.narrow {
		return shortName
	}
	return longestName
}

// draw draws all of it, part by part.
func (d *svg) draw(p Picture) {
	d.Picture, d.names = p, p.legend()
	d.full = d.plot
	d.margins(p)
	if p.From.Before(p.To) {
		parts, good := p.parts(func(p Picture) bool { return p.widthForLetters() > d.plot })
		if !good && !d.figure { // a figure stays in its page: what is too narrow has no letters
			d.full = min(p.widthForLetters(), svgWidest)
		}
		for _, part := range parts {
			d.Picture, d.width = part.Picture, d.full*part.share
			d.top = d.height
			d.height += svgRow*float64(len(d.Rows)) + d.tapRoom()
			d.grid()
			d.clocks()
			d.rows()
			d.now()
			d.height += svgRuler
		}
		d.Picture = p
		d.height -= svgRuler - 24
	}
	d.explain()
}

// tapRoom is how much higher the last row of a figure is: its bars are tapped.
func (d *svg) tapRoom() float64 {
	if d.figure && !d.narrow {
		return svgTap - svgBar
	}
	return 0
}

// now marks the present.
func (d *svg) now() {
	if d.Now.Before(d.From) || !d.Now.Before(d.To) {
		return
	}
	x := d.x(d.Now)
	d.put(`<g><title>%s: %s</title><line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="mw-now"/>`, nowText, d.instant(d.Now), x, d.top-8, x, d.height)
	d.put(`<path d="M%.1f %.1f h9 l-4.5 6 z" class="mw-here"/></g>`, x-4.5, d.top-9)
}

// widthForLetters is how wide the picture must be for most of its bars to have room for a letter.
func (p Picture) widthForLetters() float64 {
	var lengths []time.Duration
	for _, r := range p.Rows {
		for _, b := range r.Bars {
			lengths = append(lengths, b.End.Sub(b.Start))
		}
	}
	if len(lengths) == 0 {
		return 0
	}
	slices.Sort(lengths)
	return (svgLetter + 3) * float64(p.length()) / float64(lengths[len(lengths)/10])
}

func identifier(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, s)
}

// svg is a picture half drawn.
type svg struct {
	Picture
	body          strings.Builder
	id            string
	names         legend
	gap, declared bool    // some were drawn
	figure        bool    // it is a part of a page, see Figure
	narrow        bool    // names have less room
	plot          float64 // how wide the plot may be
	left, full    float64 // of the plot: where it begins, and how wide it is
	top, width    float64 // of the part being drawn
	height        float64 // so far
}

func (d *svg) put(format string, args ...any) { fmt.Fprintf(&d.body, format+"\n", args...) }

func (d *svg) text(x, y float64, class, text string) {
	d.put(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, escape(text))
}

// escape makes a text fit between tags and in attributes; what XML cannot hold is replaced.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(clean(s))) // a Builder does not fail
	return b.String()
}

func (d *svg) x(t time.Time) float64 {
	return d.left + float64(t.Sub(d.From))/float64(d.length())*d.width
}

// grid draws the ruler and its lines, which go down through all rows.
func (d *svg) grid() {
	bottom := d.height - (svgRow-svgBar)/2 + 4
	free := 0.0
	for _, t := range d.ruler(d.width, 12, svgLetter) {
		x := d.x(t.at)
		class, top := "mw-fine", d.top-12
		if t.label != "" {
			class, top = "mw-line", d.top-20
			if wide := float64(len(t.label)) * svgLetter; x >= free && x+4+wide <= d.left+d.width+d.edge() {
				d.text(x+4, d.top-14, "mw-tick", t.label)
				free = x + 8 + wide
			}
		}
		d.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x, top, x, bottom, class)
	}
}

func (d *svg) rows() {
	for i, r := range d.Rows {
		top := d.top + svgRow*float64(i)
		name, class := []rune(clean(r.Name)), "mw-name"
		if i == len(d.Rows)-1 {
			class = "mw-name mw-last"
			d.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="mw-sum"/>`, d.edge(), top, d.left+d.width, top)
		}
		if most := d.longest(); len(name) > most {
			name = append(name[:most-1], '~')
		}
		more := 0.0
		if i == len(d.Rows)-1 {
			more = d.tapRoom()
		}
		d.text(d.edge(), top+(svgRow+more)/2+4.5, class, string(name))
		for _, gaps := range []bool{false, true} { // on top, so that none is lost
			for _, b := range r.Bars {
				if b.undeclared() == gaps {
					d.bar(b, top+(svgRow-svgBar)/2, svgBar+more)
				}
			}
		}
	}
}

func (d *svg) bar(b Bar, y, high float64) {
	x := d.x(b.Start)
	w := max(d.x(b.End)-x, 1)
	class, fill, what := "", "", b.label()
	switch {
	case b.undeclared():
		class, fill, what, w, d.gap = "mw-gap", d.pattern("gap"), gapText, max(w, 4), true
	case len(b.Users) == 0:
		class, fill, what, d.declared = "mw-meant", d.pattern("meant"), declaredText, true
	default:
		class = svgFill(d.names.of[what].colour)
	}
	if b.Does != "" {
		class += " mw-change"
	}
	begin, end := "<g>", "</g>"
	if d.figure && b.Link != "" {
		begin, end = fmt.Sprintf(`<a href="%s" tabindex="-1">`, escape(b.Link)), "</a>"
	}
	d.put(`%s<title>%s, %s (%s)</title>`, begin, escape(what), d.span(b.Start, b.End), Length(b.End.Sub(b.Start)))
	inset := min(0.75, w/8) // a thin line of background between neighbours
	d.put(`<rect x="%.2f" y="%.1f" width="%.2f" height="%.0f" rx="%.1f" class="%s"%s/>`, x+inset, y, w-2*inset, high, min(3, w/4), class, fill)
	if len(b.Users) > 0 {
		d.caption(b, x, y+(high-svgBar)/2, w)
	}
	d.put("%s", end)
}

// pattern fills a shape with one of the patterns. It is an attribute: in a style sheet of its own file it would refer to that.
func (d *svg) pattern(name string) string { return fmt.Sprintf(` fill="url(#%s-%s)"`, d.id, name) }

// caption writes the name into a bar, or the key of its name, or where there is no room at all, nothing.
func (d *svg) caption(b Bar, x, y, w float64) {
	const baseline = 16.5
	label := b.label()
	if float64(utf8.RuneCountInString(label))*svgLetter+12 <= w {
		d.text(x+7, y+baseline, "mw-who", label)
		return
	}
	e := d.names.of[label]
	e.used = true // also where nothing fits, so that the colours are explained
	if w >= svgLetter+2 {
		d.put(`<text x="%.1f" y="%.1f" class="mw-who" text-anchor="middle">%s</text>`, x+w/2, y+baseline, escape(e.key))
	}
}

// clocks marks where clocks are changed.
func (d *svg) clocks() {
	for _, c := range d.Clocks {
		x := d.x(c.At)
		d.put(`<g><title>%s</title>`, escape(c.String()))
		d.put(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="mw-clocks"/>`, x, d.top-8, x, d.height)
		d.put(`<path d="M%.1f %.1f l5 6 l-5 6 l-5 -6 z" class="mw-mark"/></g>`, x, d.top-12)
	}
}

func svgFill(colour int) string {
	if colour < 0 {
		return "mw-plain"
	}
	return fmt.Sprintf("mw-c%d", colour%svgColours)
}

// explain says what keys, patterns and marks mean.
func (d *svg) explain() {
	x := d.edge()
	place := func(width float64) float64 {
		if x > d.edge() && x+width > d.left+d.plot {
			x, d.height = d.edge(), d.height+24
		}
		at := x
		x += width + 16
		return at
	}
	for _, e := range d.names.explained() {
		if room := []rune(e.label); d.figure && float64(len(room))*svgLetter+26 > d.left+d.plot {
			e.label = string(room[:int((d.left+d.plot-26)/svgLetter)-1]) + "~"
		}
		at := place(26 + float64(utf8.RuneCountInString(e.label))*svgLetter)
		d.put(`<rect x="%.1f" y="%.1f" width="18" height="18" rx="3" class="%s"/>`, at, d.height-13, svgFill(e.colour))
		d.put(`<text x="%.1f" y="%.1f" class="mw-who" text-anchor="middle">%s</text>`, at+9, d.height, escape(e.key))
		d.text(at+25, d.height, "mw-note", e.label)
	}
	for _, s := range []struct {
		seen              bool
		class, fill, text string
	}{{d.gap, "mw-gap", "gap", gapText}, {d.declared, "mw-meant", "meant", declaredText}} {
		if !s.seen {
			continue
		}
		at := place(46 + float64(len(s.text))*6.5)
		d.put(`<rect x="%.1f" y="%.1f" width="36" height="18" rx="3" class="%s"%s/>`, at, d.height-13, s.class, d.pattern(s.fill))
		d.text(at+43, d.height, "mw-note", s.text)
	}
	if x > d.edge() {
		d.height += 24
	}
	if d.figure {
		return // the page says what clocks do
	}
	for _, r := range d.Remarks {
		d.put(`<path d="M%.1f %.1f l5 6 l-5 6 l-5 -6 z" class="mw-mark"/>`, svgEdge+6, d.height-10.5)
		for _, line := range wrap(r, int((d.left+svgPlot)/6.6)) {
			d.text(svgEdge+18, d.height, "mw-note", line)
			d.height += 18
		}
		d.height += 4
	}
}

func (d *svg) document() string {
	width, height := d.left+d.full+svgEdge, d.height
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-title %s-desc">`+"\n",
		width, height, width, height, d.id, d.id)
	fmt.Fprintf(&b, "<title id=\"%s-title\">Who is on call: %s</title>\n<desc id=\"%s-desc\">%s</desc>\n", d.id, escape(d.heading()), d.id, escape(d.description()))
	fmt.Fprintf(&b, "<style>%s</style>\n", svgStyle)
	fmt.Fprintf(&b, svgPatterns, d.id, d.id)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" class="mw-back"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%.0f" y="28" class="mw-title">%s</text>`+"\n", svgEdge, escape(d.Title))
	fmt.Fprintf(&b, `<text x="%.0f" y="46" class="mw-note">%s, %s</text>`+"\n", svgEdge, d.span(d.From, d.To), escape(d.Zone.String()))
	b.WriteString(d.body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// element is a part of a page.
func (d *svg) element() string {
	width, height := d.left+d.full+d.edge(), d.height-8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" class="mw" aria-hidden="true" focusable="false">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, svgPatterns, d.id, d.id)
	b.WriteString(d.body.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// description is the last row in words.
func (d *svg) description() string {
	var says []string
	if n := len(d.Rows); n > 0 {
		for i, b := range d.Rows[n-1].Bars {
			if i == describedShifts {
				says = append(says, fmt.Sprintf("and %d more", len(d.Rows[n-1].Bars)-i))
				break
			}
			who := people(b.Users)
			switch {
			case b.undeclared():
				who = "nobody"
			case len(b.Users) == 0:
				who = "nobody, as declared,"
			}
			says = append(says, who+" from "+d.span(b.Start, b.End))
		}
	}
	return strings.Join(append(says, d.Remarks...), "; ") + "."
}

// Style is what Figures want in the style sheet of their page, for light and for dark.
func Style() string {
	return svgStyle + budgetStyle + ".mw{display:block}\n.mw a{cursor:pointer}.mw a:hover rect{stroke:currentColor;stroke-width:2}\n"
}

// The people's colours are pale under dark letters, or deep under light ones.
const svgStyle = `
.mw-back{fill:#fff}
.mw-title,.mw-name,.mw-note{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1f2937}
.mw-title{font-size:17px;font-weight:600}.mw-name{font-size:13px}.mw-note{font-size:12.5px}.mw-last{font-weight:700}
.mw-who,.mw-tick{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12px}
.mw-who{fill:#111827}.mw-tick{fill:#4b5563}
.mw-fine{stroke:#f0f1f4}.mw-line{stroke:#d1d5db}.mw-sum{stroke:#6b7280}
.mw-clocks{stroke:#7c2d12;stroke-width:1.5;stroke-dasharray:4 3}.mw-mark{fill:#7c2d12}
.mw-gap{stroke:#b91c1c}.mw-meant{stroke:#9ca3af}.mw-plain{fill:#e5e7eb}
.mw-change{stroke:#111827;stroke-width:1.25;stroke-dasharray:3 2}
.mw-hatch{stroke:#b91c1c}.mw-dot{fill:#6b7280}
.mw-now{stroke:#7c2d12;stroke-width:1.5;stroke-dasharray:4 3}.mw-here{fill:#7c2d12}
.mw-c0{fill:#bfdbfe}.mw-c1{fill:#bbf7d0}.mw-c2{fill:#fde68a}.mw-c3{fill:#ddd6fe}.mw-c4{fill:#fbcfe8}.mw-c5{fill:#a5f3fc}.mw-c6{fill:#d9f99d}.mw-c7{fill:#fed7aa}
@media (prefers-color-scheme:dark){
.mw-back{fill:#111827}
.mw-title,.mw-name,.mw-note{fill:#f3f4f6}.mw-who{fill:#fff}.mw-tick{fill:#9ca3af}
.mw-fine{stroke:#1c2533}.mw-line{stroke:#374151}.mw-sum{stroke:#9ca3af}
.mw-clocks{stroke:#fdba74}.mw-mark{fill:#fdba74}
.mw-gap{stroke:#f87171}.mw-meant{stroke:#6b7280}.mw-plain{fill:#374151}.mw-change{stroke:#f9fafb}
.mw-hatch{stroke:#f87171}.mw-dot{fill:#9ca3af}
.mw-now{stroke:#fdba74}.mw-here{fill:#fdba74}
.mw-c0{fill:#1e40af}.mw-c1{fill:#166534}.mw-c2{fill:#854d0e}.mw-c3{fill:#5b21b6}.mw-c4{fill:#9d174d}.mw-c5{fill:#155e75}.mw-c6{fill:#3f6212}.mw-c7{fill:#9a3412}
}
`

const svgPatterns = `<defs>
<pattern id="%s-gap" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><line x1="1" y1="0" x2="1" y2="7" stroke-width="2" class="mw-hatch"/></pattern>
<pattern id="%s-meant" width="6" height="6" patternUnits="userSpaceOnUse"><circle cx="3" cy="3" r="1" class="mw-dot"/></pattern>
</defs>
`
