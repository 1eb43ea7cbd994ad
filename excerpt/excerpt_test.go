package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 0, ""},
		{"disk", 4, "disk"},
		{"disk full", 4, "d…"},
		{"disk full", 8, "disk…"}, // no space before the ellipsis
		{"disk full", 3, "…"},
		{"disk full", 2, ""},
		{"disk full", -1, ""},
		{"öööö", 8, "öööö"},
		{"öööö", 7, "öö…"},
		{"öööö", 6, "ö…"},
		{"🔥🔥", 7, "🔥…"},
		{"🔥🔥", 6, "…"},
		{"e\u0301e\u0301e\u0301", 8, "e\u0301…"}, // after the second e an accent would be left out
		{"\x80\x80\x80\x80\x80\x80\x80\x80", 7, "\x80…"},
	} {
		if got := Bytes(c.text, c.most); got != c.want {
			t.Errorf("%q in %d bytes: %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

func TestLetters(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 0, ""},
		{"disk", 4, "disk"},
		{"disk full", 4, "dis…"},
		{"disk full", 6, "disk…"},
		{"disk full", 1, "…"},
		{"disk full", 0, ""},
		{"öööö", 4, "öööö"},
		{"öööö", 3, "öö…"},
		{"a👩🏽\u200d🚒bc", 3, "a…"}, // a firefighter is a woman, her skin, a joiner and an engine
		{"a👩🏽\u200d🚒bc", 5, "a…"},
		{"a👩🏽\u200d🚒bc", 6, "a👩🏽\u200d🚒…"},
		{"🇵🇹🇸🇪🇩🇪", 4, "🇵🇹…"},
		{"🇵🇹🇸🇪🇩🇪", 5, "🇵🇹🇸🇪…"},
		{"a🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007Fb", 4, "a…"},
		{"می\u200dخواهم", 4, "می\u200d…"},
		{"می\u200dخواهم", 3, "م…"},
	} {
		if got := Letters(c.text, c.most); got != c.want {
			t.Errorf("%q in %d letters: %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// Marks without end do not eat up the text, and cost no more than others.
func TestPiledUpMarks(t *testing.T) {
	pile := "a" + strings.Repeat("\u0301", 1_000_000)
	if got := Bytes(pile, 1000); len(got) < 900 || len(got) > 1000 || !utf8.ValidString(got) {
		t.Errorf("%d bytes are left", len(got))
	}
	flags := strings.Repeat("\U0001F1F5", 1_000_000)
	if got := Letters(flags, 1000); utf8.RuneCountInString(got) < 900 {
		t.Errorf("%d flags are left", utf8.RuneCountInString(got))
	}
}

// Whatever the text: what is short stays; what is not becomes a beginning of it with an ellipsis, within the limit, and ends where a
// letter does. Where every letter is one byte, it fills the limit.
func TestExcerpts(t *testing.T) {
	letters := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune(" \tab\u0301\u200d\ufe0f🔥👩🏽🇵🇹"))))
	rapid.Check(t, func(t *rapid.T) {
		text := letters.Draw(t, "text")
		plain := rapid.StringMatching(`[a-z]*`).Draw(t, "plain")
		for what, f := range map[string]struct {
			short func(string, int) string
			size  func(string) int
		}{"bytes": {Bytes, func(s string) int { return len(s) }}, "letters": {Letters, utf8.RuneCountInString}} {
			most := rapid.IntRange(0, f.size(text)+1).Draw(t, "most "+what)
			got := f.short(text, most)
			if f.size(text) <= most {
				if got != text {
					t.Fatalf("%q has %d %s and became %q", text, f.size(text), what, got)
				}
				continue
			}
			start, ended := strings.CutSuffix(got, ellipsis)
			if f.size(got) > most || ended != (most >= f.size(ellipsis)) || !strings.HasPrefix(text, start) || !utf8.ValidString(got) {
				t.Fatalf("%q in %d %s: %q", text, most, what, got)
			}
			if within(text, len(start)) && len(text) <= maxCluster {
				t.Fatalf("%q in %d %s: %q ends within a letter", text, most, what, got)
			}
			if most >= f.size(ellipsis) && most < len(plain) && f.size(f.short(plain, most)) != most {
				t.Fatalf("%q in %d %s: %q", plain, most, what, f.short(plain, most))
			}
		}
	})
}
