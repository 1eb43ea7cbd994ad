package draw

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/oncall"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Picture
		on   Terminal
	}{
		{"days.txt", between(t, primary(t), "2026-10-21 00:00", "2026-10-28 00:00"), Terminal{Width: 100}},
		{"days-ascii.txt", between(t, primary(t), "2026-10-21 00:00", "2026-10-28 00:00"), Terminal{Width: 100, ASCII: true}},
		{"hours.txt", between(t, primary(t), "2026-10-24 18:00", "2026-10-25 12:00"), Terminal{Width: 80}},
		{"month-in-parts.txt", between(t, primary(t), "2026-10-05 00:00", "2026-11-05 00:00"), Terminal{Width: 80}},
		{"year.txt", between(t, weekly(t), "2026-01-01 00:00", "2027-01-01 00:00"), Terminal{Width: 80}},
		{"crowded-year.txt", between(t, primary(t), "2026-01-01 00:00", "2027-01-01 00:00"), Terminal{Width: 60}},
		{"narrow.txt", between(t, weekly(t), "2026-03-23 00:00", "2026-04-06 00:00"), Terminal{Width: 1}},
		{"colour.txt", between(t, primary(t), "2026-10-24 00:00", "2026-10-26 00:00"), Terminal{Width: 80, Colour: true}},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, c.p.Text(c.on)) })
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestColourChangesNoLetter(t *testing.T) {
	p := between(t, primary(t), "2026-10-05 00:00", "2026-11-05 00:00")
	bare, coloured := p.Text(Terminal{Width: 90}), p.Text(Terminal{Width: 90, Colour: true})
	if got := sgr.ReplaceAllString(coloured, ""); got != bare {
		t.Errorf("got\n%s\nwant\n%s", got, bare)
	}
	if coloured == bare || sgr.MatchString(bare) {
		t.Error("colour where there should be none, or none where there should be")
	}
}

func TestNamesSteerNoTerminal(t *testing.T) {
	evil := "x\x1b[31m\u009b2J\n<&\"é"
	s := schedule(t, oncall.Spec{Name: evil, Zone: time.UTC, Layers: []oncall.Layer{{Name: evil, Rotation: rotation(t, evil, "2026-01-05 09:00", "1w")}}})
	p := between(t, s, "2026-02-01 00:00", "2026-02-03 00:00")
	text := p.Text(Terminal{Width: 80})
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			t.Fatalf("a control character %U in\n%q", r, text)
		}
	}
	for _, r := range p.Text(Terminal{Width: 80, ASCII: true}) {
		if r > '~' {
			t.Fatalf("%q in a picture for a terminal of ASCII", r)
		}
	}
}

// anyPicture is of some layers and overrides somewhere in the world.
func anyPicture(t *rapid.T) (Picture, *oncall.Schedule) {
	z, err := oncall.ParseZone(rapid.SampledFrom([]string{"Europe/Lisbon", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "UTC"}).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(rapid.IntRange(2010, 2030).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 20, 0, 0, 0, 0, time.UTC)
	start := oncall.WallTime(begin, z)
	minutes := func(what string, most int) oncall.Civil { return oncall.Civil(rapid.IntRange(0, most).Draw(t, what)) }
	people := []string{"ana", "bo", "cyril-with-a-long-name", "di", oncall.Nobody}
	spec := oncall.Spec{Name: "db", Zone: z}
	for i := range rapid.IntRange(0, 3).Draw(t, "layers") {
		l := oncall.Layer{Name: fmt.Sprintf("layer-%d", i), Rotation: oncall.Rotation{
			Start: start - minutes("start", 20_000) + 2000,
			Every: oncall.Every{N: rapid.IntRange(1, 40).Draw(t, "n"), Unit: rapid.SampledFrom([]oncall.Unit{oncall.Hour, oncall.Day, oncall.Week}).Draw(t, "unit")},
		}}
		for range rapid.IntRange(0, 3).Draw(t, "turns") {
			l.Rotation.Turns = append(l.Rotation.Turns, []string{rapid.SampledFrom(people).Draw(t, "who")})
		}
		if rapid.Bool().Draw(t, "windows") {
			l.Active = []oncall.Window{{From: int(minutes("from", 1439)), To: int(minutes("to", 1440))}}
		}
		spec.Layers = append(spec.Layers, l)
	}
	for range rapid.IntRange(0, 4).Draw(t, "overrides") {
		from := start + minutes("override", 20_000)
		spec.Overrides = append(spec.Overrides, oncall.Override{Kind: oncall.Take, User: "eva", From: from, To: from + 1 + minutes("long", 3000)})
	}
	s, err := oncall.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	from := begin.Add(time.Duration(minutes("begin", 10_000)) * time.Minute)
	return Of(s, from, from.Add(time.Duration(1+minutes("length", 100_000))*time.Minute), z), s
}

// What is drawn of the last row is at each column's middle what the schedule says of it, or a gap or a shift that
// is shorter than two columns; no gap is lost, and no line is wider than the terminal.
func TestThePictureIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, s := anyPicture(t)
		width := rapid.IntRange(MinWidth, 200).Draw(t, "width")
		d := drawing{Picture: p, Terminal: Terminal{Width: width}, glyphs: boxes, names: p.legend(), seen: map[rune]bool{}, columns: width}
		bars := p.Rows[len(p.Rows)-1].Bars
		owner, crowded := d.owners(bars)
		column := p.length() / time.Duration(width)
		for c, i := range owner {
			middle := d.at(c).Add(column / 2)
			if i < 0 {
				t.Fatalf("column %d is nobody's, not even a gap's", c)
			}
			if b := bars[i]; b.Start.After(d.at(c+1)) || b.End.Before(d.at(c)) {
				t.Fatalf("column %d from %v is of %+v", c, d.at(c), b)
			}
			if got, want := bars[i].Users, s.At(middle).Users(); !slices.Equal(got, want) && len(got) > 0 && !crowded[c] && owner[max(c-1, 0)] == i && owner[min(c+1, width-1)] == i {
				t.Fatalf("column %d at %v is within %v, on call are %v", c, middle, got, want)
			}
		}
		for i, b := range bars {
			c := d.column(b.Start)
			if !slices.Contains(owner, i) && (b.undeclared() && !bars[owner[c]].undeclared() || !crowded[c] && !bars[owner[c]].undeclared()) {
				t.Fatalf("%+v is lost", b)
			}
		}
		text := p.Text(d.Terminal)
		for line := range strings.Lines(text[strings.Index(text, "\n")+1:]) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(line, "  ") {
				t.Fatalf("a line of %d letters on %d columns:\n%s", n, width, text)
			}
		}
	})
}

func TestRulersCountTheDaysThatThereAre(t *testing.T) {
	labels := func(p Picture, width float64) string {
		var out []string
		for _, tick := range p.ruler(width, 3, 1) {
			if tick.label != "" {
				out = append(out, tick.at.Format("02T15:04 ")+tick.label)
			}
		}
		return strings.Join(out, ", ")
	}
	at := func(in, from, to string) Picture {
		z := zone(t, in)
		return Picture{Zone: z, From: wall(t, from).First(z), To: wall(t, to).First(z)}
	}
	for _, c := range []struct {
		what  string
		p     Picture
		width float64
		want  string
	}{
		{"in Beirut the 29th begins at 01:00", at("Asia/Beirut", "2026-03-28 00:00", "2026-03-31 00:00"), 40, "27T22:00 Sat 28 Mar, 28T22:00 Sun 29 Mar, 29T21:00 Mon 30 Mar"},
		{"in Apia there is no 30th", at("Pacific/Apia", "2011-12-29 00:00", "2012-01-02 00:00"), 30, "29T10:00 Thu 29 Dec, 30T10:00 Sat 31, 31T10:00 Sun 1"},
		{"01:00 does not come in Lisbon", at("Europe/Lisbon", "2026-03-29 00:00", "2026-03-29 04:00"), 40, "29T00:00 Sun 29 Mar, 29T01:00 02:00, 29T02:00 03:00"},
		{"01:00 comes twice in Lisbon, and is marked once", at("Europe/Lisbon", "2026-10-25 00:00", "2026-10-25 04:00"), 60, "24T23:00 Sun 25 Oct, 25T00:00 01:00, 25T02:00 02:00, 25T03:00 03:00"},
		{"weeks", at("UTC", "2026-10-01 00:00", "2026-11-01 00:00"), 60, "05T00:00 5 Oct, 12T00:00 12 Oct, 19T00:00 19 Oct, 26T00:00 26 Oct"},
		{"quarters", at("UTC", "2025-11-01 00:00", "2027-01-01 00:00"), 30, "01T00:00 Jan 2026, 01T00:00 Apr, 01T00:00 Jul, 01T00:00 Oct"},
	} {
		if got := labels(c.p, c.width); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

func TestWrapBreaksAtSpaces(t *testing.T) {
	if got, want := wrap("a bb   ccc a-long-word d", 6), []string{"a bb", "ccc", "a-long-word", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
