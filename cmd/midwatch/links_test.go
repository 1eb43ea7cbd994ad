package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLinksNameIncidentsShortly(t *testing.T) {
	for _, c := range []struct{ ids, text string }{
		{"INC-7", "INC-7"},
		{"INC-7 INC-8", "INC-7,8"},
		{"INC-9 INC-7 INC-8", "INC-7-9"},
		{"INC-1 INC-2 INC-3 INC-5 INC-7 INC-8 INC-9 INC-10", "INC-1-3,5,7-10"},
	} {
		if got := joinIDs(strings.Fields(c.ids)); got != c.text {
			t.Errorf("%s is written %q, want %q", c.ids, got, c.text)
		}
	}
	// What earlier versions wrote is read, and what nobody wrote does no harm.
	for text, want := range map[string]string{
		"INC-7,8,9": "INC-7 INC-8 INC-9", "INC-7": "INC-7", "TEST": "INC-TEST", "INC-9-7": "INC-9-7", "INC-1-x": "INC-1-x",
	} {
		if got := strings.Join(splitIDs(text), " "); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
	if got := len(splitIDs("INC-1-99999999")); got != maxLinked {
		t.Errorf("a link names %d incidents, at most %d are allowed", got, maxLinked)
	}
}

// Whatever is linked, the link says exactly that, is short, and leaves out none that would fit.
func TestLinksSayWhatTheyMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.IntRange(1, 3000), 1, 800, rapid.ID[int]).Draw(t, "numbers")
		if rapid.Bool().Draw(t, "in a row") {
			for i := range numbers {
				numbers[i] = 1000 + i
			}
		}
		ids := make([]string, len(numbers))
		for i, n := range numbers {
			ids[i] = fmt.Sprintf("INC-%d", n)
		}
		n := linkable(ids)
		text := joinIDs(ids[:n])
		if n < 1 || n > maxLinked || len(text) > maxLinkText {
			t.Fatalf("%d incidents in %d bytes", n, len(text))
		}
		got, want := splitIDs(text), slices.Clone(ids[:n])
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q says %v, want %v", text, got, want)
		}
		if row := numbers[0] == 1000 && len(numbers) > 1 && numbers[len(numbers)-1] == 999+len(numbers); row && n != min(len(ids), maxLinked) {
			t.Fatalf("of %d in a row %d are linked", len(ids), n)
		}
	})
}
