package draw

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// month is a budget that is overspent for a while, with breaches short and long.
func month() Budget {
	day := func(d float64) time.Time {
		return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(d * 24 * float64(time.Hour)))
	}
	return Budget{
		Title: "checkout, 99.9% over 30d", Zone: time.UTC, From: day(0), To: day(30), Now: day(24),
		Left: []Level{{day(0), 1}, {day(6), 1}, {day(6.1), 0.4}, {day(12), 0.4}, {day(12.2), -0.3}, {day(20), -0.3}, {day(24), 0.1}, {day(30), 0.1}},
		Breaches: []Breaches{
			{"page-fast", "sev2", []Stretch{{day(6), day(6.12)}, {day(12), day(12.3)}}},
			{"half-gone", "sev4", []Stretch{{day(6.08), day(40)}}},
			{"never", "sev1", nil},
		},
	}
}

func TestBudget(t *testing.T) {
	whole := month()
	whole.Now, whole.Left, whole.Breaches = time.Time{}, whole.Left[:2], whole.Breaches[2:]
	t.Run("budget.svg", func(t *testing.T) { golden(t, "budget.svg", month().SVG("checkout")) })
	t.Run("budget-whole.svg", func(t *testing.T) { golden(t, "budget-whole.svg", whole.SVG("checkout")) })
	for name, on := range map[string]Terminal{
		"budget.txt": {Width: 90}, "budget-ascii.txt": {Width: 60, ASCII: true}, "budget-colour.txt": {Width: 60, Colour: true},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, month().Text(on)) })
	}
	t.Run("budget-whole.txt", func(t *testing.T) { golden(t, "budget-whole.txt", whole.Text(Terminal{Width: 1})) })
}

// anyBudget may have anything in it, in an order.
func anyBudget(t *rapid.T) Budget {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	minutes := func(what string, most int) time.Time {
		return from.Add(time.Duration(rapid.IntRange(0, most).Draw(t, what)) * time.Minute)
	}
	b := Budget{Title: rapid.String().Draw(t, "title"), From: from, To: minutes("to", 100_000), Now: minutes("now", 100_000)}
	at := from
	for range rapid.IntRange(0, 20).Draw(t, "levels") {
		b.Left = append(b.Left, Level{at, rapid.Float64Range(-50, 1).Draw(t, "left")})
		at = at.Add(time.Duration(rapid.IntRange(1, 10_000).Draw(t, "after")) * time.Minute)
	}
	for range rapid.IntRange(0, 4).Draw(t, "thresholds") {
		r := Breaches{Name: rapid.String().Draw(t, "name"), Severity: rapid.SampledFrom([]string{"sev1", "sev2", "sev3", "sev4", "sev5", ""}).Draw(t, "severity")}
		for range rapid.IntRange(0, 4).Draw(t, "breaches") {
			start := minutes("from", 110_000)
			r.Times = append(r.Times, Stretch{start, start.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "long")) * time.Minute)})
		}
		b.Breaches = append(b.Breaches, r)
	}
	return b
}

// Whatever is drawn, the document is well formed and needs nothing else, and no line is wider than the terminal.
func TestBudgetPicturesAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBudget(t)
		all, _ := elements(t, b.SVG("x"))
		for _, e := range all {
			if e.Name.Local == "script" || attribute(e, "href") != "" {
				t.Fatalf("a %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Fatalf("%s=%q", a.Name.Local, a.Value)
				}
			}
		}
		width := rapid.IntRange(MinWidth, 200).Draw(t, "width")
		text := b.Text(Terminal{Width: width})
		for line := range strings.Lines(text[strings.Index(text, "\n")+1:]) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Fatalf("a line of %d letters on %d columns:\n%s", n, width, text)
			}
		}
		for _, r := range b.Text(Terminal{Width: width, ASCII: true}) {
			if r > '~' {
				t.Fatalf("%q for a terminal of ASCII", r)
			}
		}
	})
}

func TestNoBreachIsTooShortToBeSeen(t *testing.T) {
	b := month()
	b.Breaches = []Breaches{{"blink", "sev1", []Stretch{{b.From.Add(time.Hour), b.From.Add(time.Hour + time.Second)}}}}
	if !strings.Contains(b.Text(Terminal{Width: 60}), "━") {
		t.Error("a second of thirty days is lost")
	}
	if !strings.Contains(b.SVG("x"), "blink sev1, Sun 1 Nov 2026 01:00") {
		t.Error("it is not in the SVG")
	}
}

func TestWhatIsLeftBetweenTwoLevels(t *testing.T) {
	b := month()
	for at, want := range map[time.Duration]float64{0: 1, 6 * 24 * time.Hour: 1, 22 * 24 * time.Hour: -0.1, 24 * 24 * time.Hour: 0.1} {
		if got, ok := b.at(b.From.Add(at)); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("after %v: %g, %v, want %g", at, got, ok, want)
		}
	}
	if _, ok := b.at(b.From.Add(-1)); ok {
		t.Error("something is known of the time before")
	}
}
