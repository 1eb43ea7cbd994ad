package draw

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFigures(t *testing.T) {
	p := between(t, primary(t), "2026-10-21 00:00", "2026-10-28 00:00")
	p.Now = wall(t, "2026-10-22 12:00").First(p.Zone)
	last := p.Rows[len(p.Rows)-1].Bars
	for i := range last {
		last[i].Link = "schedules/db?a=1&b=2"
	}
	golden(t, "figure.svg", p.Figure("wide", 900))
	golden(t, "figure-phone.svg", p.Figure("phone", 328))
}

// What a strict Content-Security-Policy forbids is not in a figure, nor anything that has no meaning without a style of its
// own; it is as wide as was asked for, hidden from those who hear the page, and its links are not in the way of the keyboard.
func TestFiguresFitTheirPage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := anyPicture(t)
		p.Now = p.From.Add(p.length() / 2)
		width := rapid.IntRange(320, 1400).Draw(t, "width")
		rows := p.Rows[len(p.Rows)-1].Bars
		for i := range rows {
			rows[i].Link = `x"><script>`
		}
		doc := p.Figure("a", width)
		all, _ := elements(t, doc)
		if got := attribute(all[0], "width"); len(rows) > 0 && got != strconv.Itoa(width) {
			t.Fatalf("%s wide, want %d", got, width)
		}
		if attribute(all[0], "aria-hidden") != "true" {
			t.Fatal("it is heard")
		}
		for _, e := range all {
			if e.Name.Local == "style" || e.Name.Local == "script" || attribute(e, "style") != "" {
				t.Fatalf("a %s", e.Name.Local)
			}
			if e.Name.Local == "a" && (attribute(e, "tabindex") != "-1" || attribute(e, "href") != `x"><script>`) {
				t.Fatalf("a link %v", e.Attr)
			}
		}
		for _, class := range regexp.MustCompile(`class="([^"]+)"`).FindAllStringSubmatch(doc, -1) {
			for name := range strings.FieldsSeq(class[1]) {
				if !strings.Contains(Style(), "."+name+"{") && !strings.Contains(Style(), "."+name+" ") {
					t.Fatalf("class %s has no style", name)
				}
			}
		}
		if strings.Contains(Style(), "url(") {
			t.Fatal("a style sheet of its own file cannot refer to the page's patterns")
		}
	})
}

func TestBudgetFigures(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	b := Budget{
		Title: "checkout", From: from, To: from.AddDate(0, 0, 37), Now: from.AddDate(0, 0, 30),
		Left:     []Level{{from, 1}, {from.AddDate(0, 0, 20), 0.9}, {from.AddDate(0, 0, 30), -0.2}, {from.AddDate(0, 0, 37), -0.2}},
		Breaches: []Breaches{{"page-fast", "sev2", []Stretch{{from.AddDate(0, 0, 20), from.AddDate(0, 0, 21)}}}, {Name: "half-gone-with-a-name-that-is-long", Severity: "sev4"}},
	}
	golden(t, "figure-budget.svg", b.Figure("wide", 900))
	doc := b.Figure("phone", 328)
	golden(t, "figure-budget-phone.svg", doc)
	if all, _ := elements(t, doc); attribute(all[0], "width") != "328" {
		t.Errorf("%s wide", attribute(all[0], "width"))
	}
}
