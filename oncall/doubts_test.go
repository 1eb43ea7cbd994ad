package oncall

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDoubts(t *testing.T) {
	s := rota(t, "db", solo("ana", "bo")...) // ana has the 13th, bo the 14th from 9:00 on
	noon := january(13, 12)
	over := func(kind Kind, user, with string, from, to time.Time) Override {
		return Override{Kind: kind, User: user, With: with, Start: from, End: to}
	}
	earlier := over(Take, "cy", "", january(13, 20), january(13, 22))
	earlier.ID = "db-3"
	for name, c := range map[string]struct {
		o        Override
		made     []Override
		absences []Absence
		want     []string
	}{
		"none": {o: over(Replace, "ana", "bo", january(13, 9), january(14, 9))},
		"it changes nothing: not on call": {
			o:    over(Replace, "bo", "ana", january(13, 9), january(14, 9)),
			want: []string{"it changes nothing: bo is not on call then"},
		},
		"it changes nothing any more": {
			o:    over(Remove, "bo", "", january(12, 9), january(14, 9)), // the 12th is past
			want: []string{"it changes nothing: bo is not on call then"},
		},
		"it changes nothing: on call anyway": {
			o:    over(Take, "ana", "", january(13, 9), january(14, 9)),
			want: []string{"it changes nothing: ana is on call then anyway, or another override decides"},
		},
		"it leaves gaps": {
			o: over(Remove, "ana", "", january(13, 9), january(22, 9)),
			want: []string{
				"it leaves nobody on call from Tue 2026-01-13 12:00 to Wed 2026-01-14 09:00 UTC",
				"it leaves nobody on call from Thu 2026-01-15 09:00 to Fri 2026-01-16 09:00 UTC",
				"it leaves nobody on call from Sat 2026-01-17 09:00 to Sun 2026-01-18 09:00 UTC",
				"it leaves 2 more gaps",
			},
		},
		"it overlaps others": {
			o:    over(Replace, "ana", "bo", january(13, 21), january(14, 9)),
			made: []Override{earlier, over(Add, "di", "", january(13, 9), january(13, 21))},
			want: []string{"it overlaps db-3 (cy takes over, from Tue 2026-01-13 20:00 to Tue 2026-01-13 22:00 UTC); the later one has the last word"},
		},
		"it overlaps many": {
			o:    over(Replace, "ana", "bo", january(13, 21), january(14, 9)),
			made: []Override{earlier, earlier, earlier, earlier, earlier},
			want: []string{"it overlaps " + strings.Repeat("db-3 (cy takes over, from Tue 2026-01-13 20:00 to Tue 2026-01-13 22:00 UTC), ", 2) +
				"db-3 (cy takes over, from Tue 2026-01-13 20:00 to Tue 2026-01-13 22:00 UTC) and 2 more; the later one has the last word"},
		},
		"who comes is away": {
			o: over(Replace, "ana", "cy", january(13, 9), january(14, 9)),
			absences: []Absence{
				{User: "cy", Start: january(13, 20), End: january(13, 21), Reason: "choir"},
				{User: "cy", Start: january(14, 8), End: january(15, 9)},
				{User: "bo", Start: january(13, 20), End: january(16, 0)},
			},
			want: []string{
				"cy is unavailable from Tue 2026-01-13 20:00 to Tue 2026-01-13 21:00 UTC (choir)",
				"cy is unavailable from Wed 2026-01-14 08:00 to Wed 2026-01-14 09:00 UTC",
			},
		},
		"who was to be on call anyway is not news": {
			o:        over(Take, "bo", "", january(14, 8), january(15, 9)),
			absences: []Absence{{User: "bo", Start: january(13, 9), End: january(16, 0)}},
			want:     []string{"bo is unavailable from Wed 2026-01-14 08:00 to Wed 2026-01-14 09:00 UTC"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is, err := s.WithOverrides([]Override{c.o})
			if err != nil {
				t.Fatal(err)
			}
			if got := Doubts(s, is, c.o, noon, c.made, c.absences); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestOverridesOfDifferentLayersDoNotCross; one of the whole schedule crosses both.
func TestOverridesOfDifferentLayersDoNotCross(t *testing.T) {
	day := func(id, layer string) Override {
		return Override{ID: id, Kind: Take, User: "cy", Layer: layer, Start: january(13, 9), End: january(14, 9)}
	}
	s := rota(t, "db", solo("ana")...)
	made := []Override{day("db-1", "days"), day("db-2", "nights"), day("db-3", "")}
	for layer, want := range map[string]string{"days": "db-1 db-3", "nights": "db-2 db-3", "": "db-1 db-2 db-3"} {
		text := s.crossed(day("", layer), january(13, 9), january(14, 9), made)
		var got []string
		for _, o := range made {
			if strings.Contains(text, o.ID) {
				got = append(got, o.ID)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("one of layer %q crosses %v, want %s", layer, got, want)
		}
	}
}

// TestDoubtsAreFounded: it is said that an override changes nothing, or leaves a gap, just where it does.
func TestDoubtsAreFounded(t *testing.T) {
	check(t, 300, 5000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		o := Override{
			Kind: rapid.SampledFrom([]Kind{Replace, Take, Add, Remove}).Draw(t, "kind"), User: rapid.SampledFrom(cast[:3]).Draw(t, "user"),
			From: drawCivil(t, st, 2, "override"),
		}
		if o.Kind == Replace {
			o.With = rapid.SampledFrom(cast[3:]).Draw(t, "with")
		}
		o.To = o.From + Civil(rapid.IntRange(1, 2*dayMinutes).Draw(t, "length"))
		is, err := s.WithOverrides([]Override{o})
		if err != nil {
			t.Fatal(err)
		}
		now := st.from.Add(time.Duration(rapid.Int64Range(0, int64(st.to.Sub(st.from))).Draw(t, "now"))).Truncate(time.Minute)
		changes, gaps := 0, 0
		start, end := s.Span(o)
		for at := start; at.Before(end); at = at.Add(time.Minute) {
			was, then := s.At(at).Users(), is.At(at).Users()
			if at.Before(now) || slices.Equal(was, then) {
				continue
			}
			if changes++; len(then) == 0 {
				gaps++
			}
		}
		text := strings.Join(Doubts(s, is, o, now, nil, nil), "\n")
		if strings.Contains(text, "changes nothing") != (changes == 0) || strings.Contains(text, "nobody on call") != (gaps > 0) {
			t.Fatalf("%d minutes change, %d become a gap, and it is said: %q\n%s%s from %s to %s, now %s", changes, gaps, text, spec, o, start, end, now)
		}
	})
}
