package draw

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/oncall"
)

func TestWhatAClockChangeDoesIsSaidInWords(t *testing.T) {
	one := func(in string, r oncall.Rotation, active ...oncall.Window) oncall.Spec {
		return oncall.Spec{Name: "db", Zone: zone(t, in), Layers: []oncall.Layer{{Name: "main", Rotation: r, Active: active}}}
	}
	const (
		lisbonSpring = "Europe/Lisbon sets its clocks forward on Sun 29 Mar 2026 01:00→02:00"
		lisbonAutumn = "Europe/Lisbon sets its clocks back on Sun 25 Oct 2026 02:00→01:00"
	)
	lisbon := func(spring, autumn string) string {
		return lisbonSpring + spring + "\n" + lisbonAutumn + autumn
	}
	for _, c := range []struct {
		what string
		spec oncall.Spec
		year int
		want string
	}{
		{
			"a week", one("Europe/Lisbon", rotation(t, "ana, bo", "2026-01-05 09:00", "1w")), 2026,
			lisbon("; the shift of bo is 1h shorter", "; the shift of bo is 1h longer"),
		},
		{
			"shared", one("Europe/Lisbon", rotation(t, "ana+bo+cy, di", "2026-01-05 09:00", "1d")), 2026,
			lisbon("; the shift of ana, bo and cy is 1h shorter", "; the shift of ana, bo and cy is 1h longer"),
		},
		{"one person for ever", one("Europe/Lisbon", rotation(t, "ana", "2026-01-05 09:00", "1w")), 2026, lisbon("", "")},
		{"nobody is on call then", one("Europe/Lisbon", rotation(t, "ana", "2026-01-05 09:00", "1w"), window(t, "09:00 17:00")), 2026, lisbon("", "")},
		{
			"a window over the change", one("Europe/Lisbon", rotation(t, "ana", "2026-01-05 09:00", "1w"), window(t, "22:00 06:00")), 2026,
			lisbon("; the shift of ana is 1h shorter", "; the shift of ana is 1h longer"),
		},
		{
			"a hand-off in the gap is put off, so that both shifts are half an hour short", one("Europe/Lisbon", rotation(t, "ana, bo", "2026-03-28 01:30", "1d")), 2026,
			lisbonSpring + "; the shift of ana is 30m shorter; the shift of bo is 30m shorter\n" + lisbonAutumn + "; the shift of bo is 1h longer",
		},
		{
			"a shift that the gap swallows", one("Europe/Lisbon", rotation(t, "ana, bo, cy", "2026-03-29 00:00", "1h")), 2026,
			lisbonSpring + "; the shift of bo is left out\n" + lisbonAutumn + "; the shift of bo is 1h longer",
		},
		{"elapsed time", one("Europe/Lisbon", rotation(t, "ana, bo", "2026-01-05 09:00", "48h")), 2026, lisbon(
			`; hand-offs of layer "main" come 1h later by the clock from then on, since 48h is elapsed time`,
			`; hand-offs of layer "main" come 1h earlier by the clock from then on, since 48h is elapsed time`)},
		{
			"what would have been over before the change", one("Europe/Lisbon", rotation(t, "ana", "2026-01-05 09:00", "1w"), window(t, "01:30 01:45")), 2026,
			lisbon("; the shift of ana is left out", "; the shift of ana is 1h longer"),
		},
		{
			"half an hour", one("Australia/Lord_Howe", rotation(t, "ana, bo", "2026-01-05 09:00", "1w")), 2026,
			"Australia/Lord_Howe sets its clocks back on Sun 5 Apr 2026 02:00→01:30; the shift of ana is 30m longer\n" +
				"Australia/Lord_Howe sets its clocks forward on Sun 4 Oct 2026 02:00→02:30; the shift of ana is 30m shorter",
		},
		{
			"a day that did not come", one("Pacific/Apia", rotation(t, "ana, bo, cy", "2011-12-29 00:00", "1d")), 2011,
			"Pacific/Apia sets its clocks back on Sat 2 Apr 2011 04:00→03:00\n" +
				"Pacific/Apia sets its clocks forward on Sat 24 Sep 2011 03:00→04:00\n" +
				"Pacific/Apia sets its clocks forward on Fri 30 Dec 2011 00:00→Sat 31 Dec 00:00; the shift of bo is left out",
		},
		{"no change", one("Asia/Kolkata", rotation(t, "ana, bo", "2026-01-05 09:00", "1w")), 2026, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := schedule(t, c.spec)
			var got []string
			for _, change := range ClockChanges(s, time.Date(c.year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(c.year+1, 1, 1, 0, 0, 0, 0, time.UTC)) {
				got = append(got, change.Sentence(s))
			}
			if got := strings.Join(got, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Each zone of a schedule is told of for itself, also one that only a window is read in.
func TestEveryZoneOfAScheduleCounts(t *testing.T) {
	night := &oncall.Calendar{Name: "night", Intervals: []oncall.Interval{{Times: []oncall.Span{{First: 0, Last: 360}}, Zone: zone(t, "Europe/Dublin")}}}
	s := schedule(t, oncall.Spec{Name: "db", Zone: zone(t, "Europe/Lisbon"), Layers: []oncall.Layer{
		{Name: "west", Rotation: rotation(t, "ana", "2026-01-05 09:00", "1w"), Zone: zone(t, "America/New_York"), Active: []oncall.Window{window(t, "00:00 06:00")}},
		{Name: "east", Rotation: rotation(t, "bo", "2026-01-05 09:00", "1w"), Active: []oncall.Window{{Calendar: night}}},
	}})
	var got []string
	for _, c := range ClockChanges(s, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		got = append(got, c.Sentence(s))
	}
	want := []string{
		"Europe/Lisbon sets its clocks back on Sun 25 Oct 2026 02:00→01:00",
		"Europe/Dublin sets its clocks back on Sun 25 Oct 2026 02:00→01:00; the shift of bo is 1h longer",
		"America/New_York sets its clocks back on Sun 1 Nov 2026 02:00→01:00; the shift of ana is 1h longer",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A change is where the offset is another than a minute before, and nowhere else.
func TestClockChangesAreWhereTheOffsetChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll",
			"Asia/Beirut", "America/Havana", "Europe/Dublin", "America/Caracas", "Asia/Pyongyang", "UTC", "Asia/Gaza",
		}).Draw(t, "zone")
		z, err := oncall.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		// To 2041 also years are drawn that Go's table of changes does not hold.
		from := time.Date(rapid.IntRange(2004, 2041).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(1, 0, 3)
		var want []string
		for at := from.Add(time.Minute); at.Before(to); at = at.Add(15 * time.Minute) {
			if by := offset(at, z) - offset(at.Add(-15*time.Minute), z); by != 0 {
				want = append(want, fmt.Sprint(at.Truncate(15*time.Minute), by))
			}
		}
		var got []string
		s, err := oncall.New(oncall.Spec{Name: "db", Zone: z})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range ClockChanges(s, from, to) {
			got = append(got, fmt.Sprint(c.At.Truncate(15*time.Minute), c.By))
			if gap := date(c.Is).Sub(date(c.Was)); gap != c.By {
				t.Fatalf("%s moves from %s to %s, by %s", c, c.Was, c.Is, c.By)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s in %d: got %v, want %v", name, from.Year(), got, want)
		}
	})
}

// The hours that are said are those by which a turn's length differs from all other turns' of the rotation.
func TestWhatIsLongerOrShorterIsTheLengthOfTheShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Antarctica/Troll"}).Draw(t, "zone")
		z, err := oncall.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		days := rapid.IntRange(1, 9).Draw(t, "days")
		start, _ := oncall.ParseCivil("2025-12-01 00:00")
		start += oncall.Civil(rapid.IntRange(0, 15*24*60).Draw(t, "start"))
		s, err := oncall.New(oncall.Spec{Name: "db", Zone: z, Layers: []oncall.Layer{{Name: "l", Rotation: oncall.Rotation{
			Turns: [][]string{{"ana"}, {"bo"}}, Start: start, Every: oncall.Every{N: days, Unit: oncall.Day},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		usual := time.Duration(days) * 24 * time.Hour
		var want []string
		for _, shift := range s.Shifts(from, to)[1:] {
			if shift.End.Before(to) {
				want = append(want, lasts(shift.Users, shift.End.Sub(shift.Start)-usual)...)
			}
		}
		var got []string
		for _, c := range ClockChanges(s, from, to) {
			got = append(got, c.lengths(s)...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("every %dd from %s in %s: got %q, want %q", days, start, name, got, want)
		}
	})
}

func TestLength(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0h": 0, "1h": time.Hour, "168h": 168 * time.Hour, "12h20m": 12*time.Hour + 20*time.Minute, "30m": 30 * time.Minute,
		"1h0m5s": time.Hour + 5*time.Second, "10h": 10 * time.Hour, "10m": 10 * time.Minute,
	} {
		if got := Length(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
