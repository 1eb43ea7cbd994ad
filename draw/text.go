package draw

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Terminal is what a picture is drawn on.
type Terminal struct {
	Width  int  // columns; fewer than MinWidth are taken for MinWidth
	ASCII  bool // it shows nothing else
	Colour bool
}

// MinWidth is the least number of columns in which a picture says anything.
const MinWidth = 40

const longestName = 20 // of a row, in letters

// glyphs are what lines are made of.
type glyphs struct{ edge, fill, gap, declared, crowd, clocks, tick, base rune }

var (
	boxes = glyphs{'┃', '━', '╱', '·', '⋮', '◆', '┬', '─'}
	plain = glyphs{'|', '=', '/', '.', ':', '*', '+', '-'}
)

// Text draws the picture: a ruler, a line for each row, and below them what the signs mean. What would be too crowded in
// one stretch is drawn in several, one below the other, if a dozen will do.
func (p Picture) Text(on Terminal) string {
	d := drawing{Picture: p, Terminal: on, glyphs: boxes, names: p.legend(), seen: map[rune]bool{}}
	if on.ASCII {
		d.glyphs = plain
	}
	d.Width = max(d.Width, MinWidth)
	for _, r := range p.Rows {
		d.margin = max(d.margin, min(utf8.RuneCountInString(clean(r.Name)), longestName)+2)
	}
	d.columns = d.Width - d.margin
	d.line(p.heading())
	if p.From.Before(p.To) {
		full := d.columns
		parts, _ := p.parts(d.crowds)
		for _, part := range parts {
			d.Picture, d.columns = part.Picture, max(1, int(math.Round(float64(full)*part.share)))
			d.line("")
			d.ruler()
			for _, r := range part.Rows {
				d.row(r)
			}
		}
	}
	d.Picture = p
	d.explain()
	if on.ASCII {
		return ascii(d.String())
	}
	return d.String()
}

// A drawing is a picture half drawn.
type drawing struct {
	strings.Builder
	Picture
	Terminal
	glyphs
	names   legend
	margin  int           // columns of the rows' names
	columns int           // of the rest
	seen    map[rune]bool // which signs were drawn
}

func (d *drawing) crowds(p Picture) bool {
	on := *d
	on.Picture = p
	return slices.ContainsFunc(p.Rows, func(r Row) bool {
		_, crowded := on.owners(r.Bars)
		return slices.Contains(crowded, true)
	})
}

func (d *drawing) line(text string) { d.WriteString(strings.TrimRight(text, " ") + "\n") }

// at is the instant at which a column begins.
func (d *drawing) at(column int) time.Time {
	return d.From.Add(time.Duration(float64(d.length()) / float64(d.columns) * float64(column)))
}

// column is the one in which an instant lies.
func (d *drawing) column(t time.Time) int {
	c := int(float64(t.Sub(d.From)) / float64(d.length()) * float64(d.columns))
	for c+1 < d.columns && !d.at(c+1).After(t) { // rounding
		c++
	}
	return c
}

// ruler draws the labels, and below them the marks.
func (d *drawing) ruler() {
	labels := []rune(strings.Repeat(" ", d.columns))
	marks := []rune(strings.Repeat(string(d.base), d.columns))
	free := 0
	for _, t := range d.Picture.ruler(float64(d.columns), 2, 1) {
		c := d.column(t.at)
		marks[c] = d.tick
		if n := len(t.label); n > 0 && c >= free && c+n <= d.columns {
			copy(labels[c:], []rune(t.label))
			free = c + n + 1
		}
	}
	for _, c := range d.Clocks {
		marks[d.column(c.At)] = d.clocks
	}
	indent := strings.Repeat(" ", d.margin)
	d.line(indent + string(labels))
	d.line(indent + string(marks))
}

// row draws one, each column being the bar that has most of it.
func (d *drawing) row(r Row) {
	owner, crowded := d.owners(r.Bars)
	name := []rune(clean(r.Name))
	if len(name) > longestName {
		name = append(name[:longestName-1], '~')
	}
	var line strings.Builder
	line.WriteString(string(name) + strings.Repeat(" ", d.margin-len(name)))
	for c := 0; c < d.columns; {
		n := 1
		for c+n < d.columns && owner[c+n] == owner[c] && owner[c] >= 0 {
			n++
		}
		if owner[c] < 0 {
			line.WriteByte(' ')
		} else {
			d.bar(&line, r.Bars[owner[c]], n, crowded[c:c+n])
		}
		c += n
	}
	d.line(line.String())
}

// owners finds whose each column is: a gap's, however little of it, since a gap is what people look for; else that of
// the bar with most of it; else nobody's, -1. Bars that are left with none make a column of another crowded.
func (d *drawing) owners(bars []Bar) (owner []int, crowded []bool) {
	owner, crowded = make([]int, d.columns), make([]bool, d.columns)
	most := make([]time.Duration, d.columns)
	for c := range owner {
		owner[c] = -1
	}
	for i, b := range bars {
		for c := d.column(b.Start); c < d.columns && d.at(c).Before(b.End); c++ {
			part := earlier(b.End, d.at(c+1)).Sub(later(b.Start, d.at(c)))
			if b.undeclared() {
				part = d.length()
			}
			if part > most[c] {
				owner[c], most[c] = i, part
			}
		}
	}
	has := make([]bool, len(bars))
	for c := range owner {
		if i := owner[c]; i >= 0 {
			has[i] = true
		}
	}
	for i, b := range bars {
		if c := d.column(b.Start); !has[i] && c < d.columns && !bars[owner[c]].undeclared() {
			crowded[c] = true
		}
	}
	return owner, crowded
}

func (b Bar) undeclared() bool { return len(b.Users) == 0 && !b.Declared }

// bar draws n columns of one.
func (d *drawing) bar(line *strings.Builder, b Bar, n int, crowded []bool) {
	text := make([]rune, n)
	fill := d.fill
	switch {
	case b.undeclared():
		fill = d.gap
	case len(b.Users) == 0:
		fill = d.declared
	}
	for i := range text {
		text[i] = fill
	}
	if len(b.Users) > 0 {
		copy(text, d.caption(b, n))
	} else {
		d.seen[fill] = true
	}
	for i, c := range crowded {
		if c {
			text[i], d.seen[d.crowd] = d.crowd, true
		}
	}
	line.WriteString(d.paint(b, string(text)))
}

// caption is the beginning of a bar: its edge and its name, or the key of its name where that does not fit.
func (d *drawing) caption(b Bar, n int) []rune {
	label := []rune(b.label())
	if n > len(label) {
		return append([]rune{d.edge}, label...)
	}
	e := d.names.of[b.label()]
	e.used = true
	key := []rune(e.key)
	if n < 3 { // an edge would be all there is to see
		return key
	}
	return append([]rune{d.edge}, key...)
}

// paint colours a bar, if the terminal has colours.
func (d *drawing) paint(b Bar, text string) string {
	if !d.Colour {
		return text
	}
	colours := []int{32, 34, 35, 36, 33, 92, 94, 95, 96, 93}
	switch {
	case b.undeclared():
		return fmt.Sprintf("\x1b[1;31m%s\x1b[0m", text)
	case len(b.Users) == 0:
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[d.names.of[b.label()].colour%len(colours)], text)
}

// explain says what the signs mean that were drawn.
func (d *drawing) explain() {
	var signs []string
	for _, e := range d.names.explained() {
		signs = append(signs, e.key+" "+e.label)
	}
	for _, s := range []struct {
		sign rune
		text string
	}{{d.gap, gapText}, {d.declared, declaredText}, {d.crowd, "several shifts"}} {
		if d.seen[s.sign] {
			signs = append(signs, string(s.sign)+" "+s.text)
		}
	}
	if len(signs)+len(d.Remarks) > 0 {
		d.line("")
	}
	for i, s := range signs {
		signs[i] = strings.ReplaceAll(s, " ", "\u00a0") // an entry stays in one line
	}
	d.wrapped(strings.Join(signs, "   "), "")
	for _, r := range d.Remarks {
		d.wrapped(string(d.clocks)+" "+r, "  ")
	}
}

// wrapped writes a text in as many lines as it needs.
func (d *drawing) wrapped(text, indent string) {
	for i, line := range wrap(text, d.Width-len(indent)) {
		if i > 0 {
			line = indent + line
		}
		d.line(strings.ReplaceAll(line, "\u00a0", " "))
	}
}

// wrap breaks a text at spaces, into lines of at most so many letters where words allow it.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, strings.TrimSpace(line))
			line = ""
		}
		if line != "" || word == "" {
			line += " "
		}
		line += word
	}
	if line = strings.TrimSpace(line); line != "" {
		lines = append(lines, line)
	}
	return lines
}

// ascii replaces what the terminal does not have.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, strings.ReplaceAll(s, "→", "->"))
}
