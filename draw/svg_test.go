package draw

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/oncall"
)

func TestSVG(t *testing.T) {
	for name, p := range map[string]Picture{
		"days.svg": between(t, primary(t), "2026-10-21 00:00", "2026-10-28 00:00"),
		"year.svg": between(t, weekly(t), "2026-01-01 00:00", "2027-01-01 00:00"),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, p.SVG("db")) })
	}
}

// elements reads a document, which must be well formed, and returns its elements and its text.
func elements(t interface{ Fatalf(string, ...any) }, doc string) (all []xml.StartElement, text string) {
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all, text
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		switch e := token.(type) {
		case xml.StartElement:
			all = append(all, e.Copy())
		case xml.CharData:
			text += string(e)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func TestSVGIsSelfContainedAndWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := anyPicture(t)
		doc := p.SVG("db")
		all, _ := elements(t, doc)
		ids, titles := map[string]bool{}, 0
		for _, e := range all {
			if id := attribute(e, "id"); id != "" {
				if ids[id] {
					t.Fatalf("id %q twice", id)
				}
				ids[id] = true
			}
			if e.Name.Local == "title" {
				titles++
			}
			if slices.Contains([]string{"script", "image", "use", "a", "foreignObject"}, e.Name.Local) || attribute(e, "href") != "" {
				t.Fatalf("a %s", e.Name.Local)
			}
		}
		for _, ref := range regexp.MustCompile(`url\(#([^)]*)\)|aria-labelledby="(\S+) (\S+)"`).FindAllStringSubmatch(doc, -1) {
			for _, id := range ref[1:] {
				if id != "" && !ids[id] {
					t.Fatalf("refers to %q, which is not there", id)
				}
			}
		}
		if strings.Contains(strings.Replace(doc, `xmlns="http://www.w3.org/2000/svg"`, "", 1), "http") {
			t.Fatalf("refers to something outside:\n%s", doc)
		}
		bars := len(p.Clocks)
		for _, r := range p.Rows {
			bars += len(r.Bars)
		}
		if titles < bars+1 { // more where a bar runs over a cut
			t.Fatalf("%d titles for %d bars and clock changes, and the whole", titles, bars)
		}
	})
}

func TestSVGEscapesNames(t *testing.T) {
	evil := `</title><script>alert("1")</script>&amp;` + "\x00\x1b"
	s := schedule(t, oncall.Spec{Name: evil, Zone: time.UTC, Layers: []oncall.Layer{{Name: evil, Rotation: rotation(t, evil, "2026-01-05 09:00", "1w")}}})
	doc := between(t, s, "2026-02-01 00:00", "2026-02-03 00:00").SVG(`"><script>`)
	all, text := elements(t, doc)
	for _, e := range all {
		if e.Name.Local == "script" {
			t.Fatalf("a script came in:\n%s", doc)
		}
	}
	if want := `</title><script>alert("1")</script>&amp;??`; !strings.Contains(text, want) {
		t.Errorf("the name is not there as it is written:\n%s", doc)
	}
	if got := attribute(all[0], "aria-labelledby"); got != "midwatch-script-title midwatch-script-desc" {
		t.Errorf("ids %q", got)
	}
}

// Who sees no colours finds everybody by name: in the bar, or by a letter that the legend explains.
func TestSVGNeverTellsByColourAlone(t *testing.T) {
	p := between(t, primary(t), "2026-10-21 00:00", "2026-10-28 00:00")
	_, text := elements(t, p.SVG(""))
	lines := strings.Split(text, "\n")
	for _, e := range p.legend().entries {
		if !slices.Contains(lines, e.label) {
			t.Errorf("%q is written neither in a bar nor in the legend", e.label)
		}
	}
	for _, want := range []string{gapText, declaredText, "bo replaces ana", p.Remarks[0]} {
		if !strings.Contains(strings.Join(lines, " "), want) {
			t.Errorf("%q is not written", want)
		}
	}
}

func TestSVGDescribesTheShiftsInWords(t *testing.T) {
	doc := between(t, weekly(t), "2026-01-04 00:00", "2026-01-13 00:00").SVG("x")
	want := "<desc id=\"midwatch-x-desc\">nobody from Sun 4 Jan 2026 00:00 to Mon 5 Jan 2026 09:00; " +
		"ana from Mon 5 Jan 2026 09:00 to Mon 12 Jan 2026 09:00; bo from Mon 12 Jan 2026 09:00 to Tue 13 Jan 2026 00:00.</desc>"
	if !strings.Contains(doc, want) {
		t.Errorf("no %s in\n%s", want, doc)
	}
	if doc := between(t, primary(t), "2026-01-01 00:00", "2027-01-01 00:00").SVG("x"); !strings.Contains(doc, " more; ") {
		t.Error("a description of a year of nights does not end")
	}
}
