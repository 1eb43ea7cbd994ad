package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"
	"pgregory.net/rapid"
)

func instant(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func write(t interface {
	Helper()
	Fatalf(string, ...any)
}, f Feed,
) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatalf("%v", err)
	}
	return b.String()
}

// unfixed makes a feed readable as a golden file: without CR, which git and editors lose.
func unfixed(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func TestFeed(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := Feed{
		Name: "On call: ana; db, web", Description: "All shifts of Ana.\nKept by Midwatch.", Refresh: 90 * time.Minute,
		Entries: []Entry{
			{
				UID: "db-primary/2@midwatch", Start: instant("2026-03-09 08:00"), End: instant("2026-03-16 08:00"),
				Summary: "On call: db-primary", Stamp: instant("2026-01-02 03:04"),
			},
			{
				UID: "db-primary/1@midwatch", Start: time.Date(2026, 3, 2, 9, 0, 0, 0, berlin), End: instant("2026-03-09 08:00"),
				Summary:     "On call: db-primary — Übergabe um neun, Rückfragen an Bo; \\o/",
				Description: "With Bo.\r\nÜbergabe: 日本語の説明は長いので折り返しが必要です、途中で文字を切ってはいけません。\x00",
				URL:         "https://midwatch.example.org/schedules/db-primary?at=2026-03-02T08:00:00Z,x;y",
				Stamp:       instant("2026-01-02 03:04"), Alarm: 36*time.Hour + 30*time.Minute,
			},
		},
	}
	got := write(t, f)
	golden(t, "feed.ics", unfixed(got))
	golden(t, "empty.ics", unfixed(write(t, Feed{Name: "Nobody's"})))
	if again := write(t, f); again != got {
		t.Error("the same feed is not the same bytes")
	}
	slices.Reverse(f.Entries)
	if again := write(t, f); again != got {
		t.Error("the order of the entries matters")
	}
	if strings.Count(got, "\n") != strings.Count(got, "\r\n") || !strings.HasSuffix(got, "END:VCALENDAR\r\n") {
		t.Error("lines do not end with CRLF")
	}
}

func TestFeedsThatCannotBe(t *testing.T) {
	good := Entry{UID: "1", Start: instant("2026-03-02 08:00"), End: instant("2026-03-09 08:00"), Stamp: instant("2026-01-01 00:00")}
	with := func(change func(*Entry)) Feed {
		e := good
		change(&e)
		return Feed{Name: "f", Entries: []Entry{e}}
	}
	for _, c := range []struct {
		name, want string
		f          Feed
	}{
		{"refresh", "whole minutes", Feed{Refresh: time.Second}},
		{"negative refresh", "whole minutes", Feed{Refresh: -time.Minute}},
		{"no UID", "no UID", with(func(e *Entry) { e.UID = "" })},
		{"UID of two lines", "no UID", with(func(e *Entry) { e.UID = "a\nEND:VEVENT" })},
		{"empty", "does not end after", with(func(e *Entry) { e.End = e.Start.Add(time.Second / 2) })},
		{"no stamp", "no stamp", with(func(e *Entry) { e.Stamp = time.Time{} })},
		{"year", "four digits", with(func(e *Entry) { e.End = e.End.AddDate(9000, 0, 0) })},
		{"late alarm", "reminder", with(func(e *Entry) { e.Alarm = -1 })},
		{"relative URL", "not an absolute", with(func(e *Entry) { e.URL = "/x" })},
		{"URL of two lines", "not an absolute", with(func(e *Entry) { e.URL = "https://x/\nEND:VEVENT" })},
		{"same UID", "two entries have the UID", Feed{Entries: []Entry{good, good}}},
	} {
		var b bytes.Buffer
		if err := Write(&b, c.f); err == nil || !strings.Contains(err.Error(), c.want) || b.Len() > 0 {
			t.Errorf("%s: %v with %d bytes, want %q", c.name, err, b.Len(), c.want)
		}
	}
	if err := Write(failing{}, Feed{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer's error: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// theirs reads a feed with another library. Its text goes through the escapes of RFC 5545, 3.3.11.
func theirs(t *rapid.T, feed string) (events []Event) {
	c, err := ical.NewDecoder(strings.NewReader(feed)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Events() {
		start, err1 := e.DateTimeStart(time.UTC)
		end, err2 := e.DateTimeEnd(time.UTC)
		uid, err3 := e.Props.Text(ical.PropUID)
		summary, err4 := e.Props.Text(ical.PropSummary)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		events = append(events, Event{UID: uid, Start: start, End: end, Summary: summary})
	}
	return events
}

// TestFeedsReadBack: both libraries find the shifts that were written, and the lines are as the RFC wants them.
func TestFeedsReadBack(t *testing.T) {
	words := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) })
	words = rapid.OneOf(words, rapid.StringOf(rapid.OneOf(
		rapid.RuneFrom([]rune(" \t,;:\\\"'\n<>=^ÄßÖ€日本🇵🇹\u00a0")), rapid.Rune(), rapid.RuneFrom([]rune("abc nN")),
	)))
	rapid.Check(t, func(t *rapid.T) {
		f := Feed{Name: words.Draw(t, "name"), Description: words.Draw(t, "about"), Refresh: time.Duration(rapid.IntRange(0, 3000).Draw(t, "refresh")) * time.Minute}
		var want []Event
		for i := range rapid.IntRange(0, 6).Draw(t, "entries") {
			start := year2026.From.Add(time.Duration(rapid.Int64Range(1, 300*86400).Draw(t, "start")) * time.Second)
			e := Entry{
				UID:   fmt.Sprintf("%d-%s", i, rapid.StringMatching(`[a-zA-Z0-9@/,;: \\äß-]{0,90}[a-z]`).Draw(t, "uid")),
				Start: start, End: start.Add(time.Duration(rapid.Int64Range(1, 60*86400).Draw(t, "length")) * time.Second),
				Summary: words.Draw(t, "summary"), Description: words.Draw(t, "description"),
				Stamp: instant("2026-01-01 00:00"), Alarm: time.Duration(rapid.Int64Range(0, 200000).Draw(t, "alarm")) * time.Second,
				URL: rapid.SampledFrom([]string{"", "https://example.org/a,b;c?d=e\\f"}).Draw(t, "url"),
			}
			f.Entries = append(f.Entries, e)
			want = append(want, Event{UID: e.UID, Start: e.Start, End: e.End, Summary: strings.TrimSpace(text(e.Summary))})
		}
		slices.SortFunc(want, func(a, b Event) int {
			return cmpOr(a.Start.Compare(b.Start), strings.Compare(a.UID, b.UID))
		})
		feed := write(t, f)
		for l := range strings.SplitSeq(strings.TrimSuffix(feed, "\r\n"), "\r\n") {
			if len(l) > 75 || !utf8.ValidString(l) || strings.ContainsAny(l, "\r\n") || l == "" {
				t.Fatalf("line %q of %d bytes", l, len(l))
			}
		}
		ours, warnings, err := Read(strings.NewReader(feed), year2026)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%q, %v in\n%s", warnings, err, feed)
		}
		others := theirs(t, feed)
		for i := range others {
			others[i].Summary = strings.TrimSpace(others[i].Summary)
		}
		for name, got := range map[string][]Event{"ours": ours, "theirs": others} {
			if !slices.EqualFunc(got, want, func(a, b Event) bool {
				return a.UID == b.UID && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Summary == b.Summary && !a.Civil && len(a.Attendees) == 0
			}) {
				t.Fatalf("%s: got\n%+v\nwant\n%+v\nin\n%s", name, got, want, feed)
			}
		}
	})
}

func cmpOr(values ...int) int {
	for _, v := range values {
		if v != 0 {
			return v
		}
	}
	return 0
}
