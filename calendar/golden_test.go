package calendar

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func TestWhatProductsWrite(t *testing.T) {
	o := Options{From: year2026.From, To: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	for _, name := range []string{"google", "outlook", "apple", "nextcloud"} {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("testdata", name+".ics"))
			if err != nil {
				t.Fatal(err)
			}
			render := func(text string) string {
				events, warnings := read(t, text, o)
				var b strings.Builder
				for _, e := range events {
					fmt.Fprintf(&b, "%s %q %q %q\n", show(e), e.Summary, e.Attendees, e.UID)
				}
				for _, w := range warnings {
					fmt.Fprintln(&b, w)
				}
				return b.String()
			}
			golden(t, name+".golden", render(string(file)))
			if lf, crlf := render(string(file)), render(strings.ReplaceAll(string(file), "\n", "\r\n")); lf != crlf {
				t.Errorf("CRLF reads as\n%s", crlf)
			}
		})
	}
}
