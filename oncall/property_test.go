package oncall

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAgreesWithTheReference(t *testing.T) {
	check(t, 60, 100_000/schedulesPerCheck, func(t *rapid.T) {
		st := drawStage(t)
		for range schedulesPerCheck {
			spec := drawSpec(t, st)
			s, err := New(spec)
			if err != nil {
				t.Fatalf("%s%v", describe(spec), err)
			}
			ref := newReference(spec, st.from.Unix()/60, st.to.Unix()/60)
			shifts, gaps := ref.walk()
			if got := s.Shifts(st.from, st.to); !reflect.DeepEqual(got, shifts) {
				t.Fatalf("shifts of\n%s%s", describe(spec), differ(got, shifts))
			}
			if got := s.Gaps(st.from, st.to); !reflect.DeepEqual(got, gaps) {
				t.Fatalf("gaps of\n%s%s", describe(spec), differ(got, gaps))
			}
			for u := ref.from; u < ref.to; u += 37 {
				users, layers, declared := ref.answer(u)
				got := s.At(asTime(u).Add(29 * time.Second))
				var from []string
				for _, p := range got.People {
					from = ref.union(from, p.Layers)
				}
				if !slices.Equal(got.Users(), users) || !slices.Equal(from, layers) || got.Declared != declared {
					t.Fatalf("at %v of\n%sgot %+v\nwant %v %v %v", asTime(u), describe(spec), got, users, layers, declared)
				}
			}
		}
	})
}

func differ[T any](got, want []T) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) {
			return fmt.Sprintf("%d: got nothing\nwant %+v", i, want[i])
		}
		if i >= len(want) {
			return fmt.Sprintf("%d: got %+v\nwant nothing", i, got[i])
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Sprintf("%d: got %+v\nwant   %+v", i, got[i], want[i])
		}
	}
	return "alike"
}

// drawSchedule is any schedule, and a stretch to ask about.
func drawSchedule(t *rapid.T) (*Schedule, stage, string) {
	st := drawStage(t)
	spec := drawSpec(t, st)
	s, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s, st, describe(spec)
}

func TestShiftsAndGapsTile(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		shifts, gaps := s.Shifts(st.from, st.to), s.Gaps(st.from, st.to)
		var users, before []string
		for at := st.from; at.Before(st.to); {
			var end time.Time
			switch {
			case len(shifts) > 0 && shifts[0].Start.Equal(at):
				end, users, shifts = shifts[0].End, shifts[0].Users, shifts[1:]
				if slices.Equal(users, before) {
					t.Fatalf("two adjacent shifts of %v at %v\n%s", users, at, spec)
				}
			case len(gaps) > 0 && gaps[0].Start.Equal(at):
				end, users, gaps = gaps[0].End, nil, gaps[1:]
			default:
				t.Fatalf("nothing starts at %v\n%s", at, spec)
			}
			if !end.After(at) {
				t.Fatalf("no length at %v\n%s", at, spec)
			}
			at, before = end, users
		}
		if len(shifts)+len(gaps) > 0 {
			t.Fatalf("left over: %v %v\n%s", shifts, gaps, spec)
		}
	})
}

func TestAnInstantAnswersAsItsInterval(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		check := func(at time.Time, want []string) {
			if got := s.At(at).Users(); !slices.Equal(got, want) {
				t.Fatalf("at %v %v, in the interval %v\n%s", at, got, want, spec)
			}
			for _, user := range cast {
				if on := slices.Contains(want, user); on != (s.Because(user, at) != "") {
					t.Fatalf("at %v %s is on call because %q, on call: %v\n%s", at, user, s.Because(user, at), on, spec)
				}
			}
		}
		for _, shift := range s.Shifts(st.from, st.to) {
			check(shift.Start, shift.Users)
			check(shift.End.Add(-1), shift.Users)
			check(shift.Start.Add(shift.End.Sub(shift.Start)/3), shift.Users)
		}
		for _, gap := range s.Gaps(st.from, st.to) {
			check(gap.Start, []string{})
			check(gap.End.Add(-1), []string{})
			if s.At(gap.Start).Declared != gap.Declared || s.At(gap.End.Add(-1)).Declared != gap.Declared {
				t.Fatalf("%v: declared otherwise at its ends\n%s", gap, spec)
			}
		}
	})
}

func TestClippingChangesNothingInside(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		length := int64(st.to.Sub(st.from))
		from := st.from.Add(time.Duration(rapid.Int64Range(0, length-1).Draw(t, "from")))
		to := from.Add(time.Duration(rapid.Int64Range(1, int64(st.to.Sub(from))).Draw(t, "length")))
		type piece struct {
			start, end time.Time
			what       string
		}
		cut := func(ps []piece) (out []piece) {
			for _, p := range ps {
				p.start, p.end = clip(p.start, p.end, from, to)
				if p.start.Before(p.end) {
					out = append(out, p)
				}
			}
			return out
		}
		pieces := func(from, to time.Time) (out []piece) {
			for _, s := range s.Shifts(from, to) {
				out = append(out, piece{s.Start, s.End, fmt.Sprint(s.Users)})
			}
			for _, g := range s.Gaps(from, to) {
				out = append(out, piece{g.Start, g.End, fmt.Sprint(g.Declared)})
			}
			return out
		}
		if got, want := pieces(from, to), cut(pieces(st.from, st.to)); !reflect.DeepEqual(got, want) {
			t.Fatalf("in [%v, %v) of\n%s%s", from, to, spec, differ(got, want))
		}
	})
}

func TestNextChangeLeavesNothingOut(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		known := map[time.Time]bool{}
		at, steps := st.from, 0
		for ; !at.IsZero() && at.Before(st.to); at = s.NextChange(at) {
			if steps++; known[at] || steps > 100_000 {
				t.Fatalf("stuck at %v\n%s", at, spec)
			}
			known[at] = true
		}
		for _, shift := range s.Shifts(st.from, st.to) {
			if !known[shift.Start] || shift.End.Before(st.to) && !known[shift.End] {
				t.Fatalf("%v was not foretold\n%s", shift, spec)
			}
		}
		for _, gap := range s.Gaps(st.from, st.to) {
			if !known[gap.Start] {
				t.Fatalf("gap %v was not foretold\n%s", gap, spec)
			}
		}
	})
}

// Over whole rounds of a rotation everybody has as many turns, or one less where a gap swallowed one.
func TestTurnsAreFair(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		zone := loadZone(rapid.SampledFrom(zoneNames()).Draw(t, "zone"))
		start := Civil(dayOf(rapid.IntRange(2004, 2040).Draw(t, "year"), 1, 1)*dayMinutes) +
			Civil(rapid.IntRange(0, 365*dayMinutes).Draw(t, "start"))
		every := Every{rapid.IntRange(1, 3).Draw(t, "n"), rapid.SampledFrom([]Unit{Day, Week, Month}).Draw(t, "unit")}
		n := rapid.IntRange(2, len(cast)).Draw(t, "users")
		var turns [][]string
		for _, u := range cast[:n] {
			turns = append(turns, []string{u})
		}
		s := schedule(t, Spec{Zone: zone, Layers: []Layer{{Name: "l", Rotation: Rotation{Turns: turns, Start: start, Every: every}}}})
		const rounds = 20
		end := start
		switch per := int64(rounds * n * every.N); every.Unit {
		case Day:
			end += Civil(per * dayMinutes)
		case Week:
			end += Civil(per * weekMinutes)
		case Month:
			end = start.addMonths(per)
		}
		had := map[string]int{}
		total := 0
		for _, shift := range s.Shifts(start.First(zone), end.First(zone)) {
			had[shift.Users[0]]++
			total++
		}
		if total < rounds*n-2 {
			t.Fatalf("%d shifts of %d", total, rounds*n)
		}
		for _, u := range cast[:n] {
			if had[u] < rounds-1 || had[u] > rounds {
				t.Fatalf("%s had %d turns in %d rounds of %v from %s in %s", u, had[u], rounds, every, start, zone)
			}
		}
	})
}

func TestDiffIsWhereInstantsDiffer(t *testing.T) {
	check(t, 1000, 20_000, func(t *rapid.T) {
		st := drawStage(t)
		a, b := schedule(t, drawSpec(t, st)), schedule(t, drawSpec(t, st))
		changes := Diff(a, b, st.from, st.to)
		for at := st.from; at.Before(st.to); at = at.Add(97 * time.Minute) {
			was, is := a.At(at).Users(), b.At(at).Users()
			var in *Change
			for i, c := range changes {
				if !at.Before(c.Start) && at.Before(c.End) {
					in = &changes[i]
				}
			}
			if (in != nil) != !slices.Equal(was, is) || in != nil && (!slices.Equal(in.Was, was) || !slices.Equal(in.Is, is)) {
				t.Fatalf("at %v: was %v, is %v, change %v", at, was, is, in)
			}
		}
	})
}

func schedule(t interface{ Fatal(...any) }, spec Spec) *Schedule {
	s, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
