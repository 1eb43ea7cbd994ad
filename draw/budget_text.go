package draw

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// budgetLines is how many lines the plot has in a terminal. Each can be filled by eighths.
const budgetLines = 8

// levels are what a column of one line may hold, from nothing to all.
var (
	boxLevels   = []rune(" ▁▂▃▄▅▆▇█")
	plainLevels = []rune(" .:-=+*##")
)

const (
	overSign      = '▒' // the line below zero: overspent
	plainOverSign = 'x'
)

// Text draws the budget: what is left as columns, a last line where it is overspent, and a row for each threshold.
func (b Budget) Text(on Terminal) string {
	d := drawing{Picture: b.picture(), Terminal: on, glyphs: boxes, seen: map[rune]bool{}}
	eighths, over := boxLevels, overSign
	if on.ASCII {
		d.glyphs, eighths, over = plain, plainLevels, plainOverSign
	}
	d.Width = max(d.Width, MinWidth)
	d.margin = len("100% ")
	for _, r := range b.Breaches {
		d.margin = max(d.margin, min(utf8.RuneCountInString(r.label()), longestName)+2)
	}
	d.columns = max(1, d.Width-d.margin)
	d.line(budgetWhat + ": " + d.heading())
	if b.From.Before(b.To) {
		d.line("")
		d.ruler()
		b.columns(&d, eighths, over)
		for _, r := range b.Breaches {
			b.row(&d, r)
		}
	}
	d.line("")
	d.wrapped(upper(b.summary())+".", "")
	if d.seen[over] {
		d.wrapped(string(over)+" overspent", "")
	}
	if d.seen[d.clocks] {
		d.wrapped(string(d.clocks)+" "+nowText, "")
	}
	if on.ASCII {
		return ascii(d.String())
	}
	return d.String()
}

// columns draws what is left. A column shows the least within it that is known, so that none is lost.
func (b Budget) columns(d *drawing, eighths []rune, over rune) {
	left := make([]float64, d.columns)
	for c := range left {
		left[c] = math.NaN()
		if v, known := b.at(d.at(c)); known {
			left[c] = v
		}
	}
	for _, l := range b.Left {
		if l.At.Before(b.From) || !l.At.Before(b.To) {
			continue
		}
		if c := d.column(l.At); math.IsNaN(left[c]) || l.Left < left[c] {
			left[c] = l.Left
		}
	}
	now := -1
	if b.marked() {
		now = min(d.column(b.Now), d.columns-1)
	}
	for row := range budgetLines {
		line := make([]rune, d.columns)
		for c, v := range left {
			line[c] = ' '
			if fill := math.Round((v*budgetLines - float64(budgetLines-1-row)) * 8); !math.IsNaN(v) {
				line[c] = eighths[int(min(max(fill, 0), 8))]
			}
		}
		name := ""
		switch row {
		case 0:
			name = "100%"
		case budgetLines / 2:
			name = "50%"
		}
		d.line(fmt.Sprintf("%*s ", d.margin-1, name) + d.coloured(string(line), 34))
	}
	foot := []rune(strings.Repeat(string(d.base), d.columns))
	for c, v := range left {
		if v < 0 {
			foot[c], d.seen[over] = over, true
		}
	}
	if now >= 0 {
		foot[now], d.seen[d.clocks] = d.clocks, true
	}
	d.line(fmt.Sprintf("%*s ", d.margin-1, "0%") + string(foot))
}

// row draws when a threshold is active. What is shorter than a column has one all the same.
func (b Budget) row(d *drawing, r Breaches) {
	name := []rune(r.label())
	if len(name) > longestName {
		name = append(name[:longestName-1], '~')
	}
	line, drawn := []rune(strings.Repeat(" ", d.columns)), false
	for _, t := range r.Times {
		from, to := later(t.From, b.From), earlier(t.To, b.To)
		for c := d.column(later(from, d.From)); from.Before(to) && c < d.columns && d.at(c).Before(to); c++ {
			line[c], drawn = d.fill, true
		}
	}
	if !drawn {
		copy(line, []rune(nothingText))
		d.line(string(name) + strings.Repeat(" ", d.margin-len(name)) + string(line))
		return
	}
	d.line(string(name) + strings.Repeat(" ", d.margin-len(name)) + d.coloured(string(line), severityColour(r.Severity)))
}

func (d *drawing) coloured(text string, colour int) string {
	if !d.Colour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}

// severityColour is the terminal's colour for a severity.
func severityColour(severity string) int {
	switch severity {
	case "sev1":
		return 91
	case "sev2":
		return 31
	case "sev3":
		return 33
	}
	return 36
}
