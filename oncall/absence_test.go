package oncall

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rota has these users take days from 9:00 to 9:00 UTC, beginning on Monday, 5 January 2026; turn after turn.
func rota(t *testing.T, name string, turns ...[]string) *Schedule {
	t.Helper()
	return schedule(t, Spec{Name: name, Zone: time.UTC, Layers: []Layer{{Name: "days", Rotation: Rotation{
		Turns: turns, Start: wall(t, "2026-01-05 09:00"), Every: Every{1, Day},
	}}}})
}

func january(day, hour int) time.Time { return time.Date(2026, 1, day, hour, 0, 0, 0, time.UTC) }

// solo are turns of one each.
func solo(users ...string) (turns [][]string) {
	for _, u := range users {
		turns = append(turns, []string{u})
	}
	return turns
}

func TestConflicts(t *testing.T) {
	away := func(user, reason string, from, to time.Time) Absence {
		return Absence{User: user, Reason: reason, Start: from, End: to}
	}
	one := func(user, reason string, from, to time.Time, substitute string) Conflict {
		return Conflict{User: user, Start: from, End: to, Reason: reason, Substitute: substitute}
	}
	for name, c := range map[string]struct {
		turns    [][]string
		absences []Absence
		others   []*Schedule
		want     []Conflict
	}{
		"nobody is away": {solo("ana", "bo"), nil, nil, []Conflict{}},
		"who is away is not on call": {
			solo("ana", "bo"), []Absence{away("bo", "", january(13, 9), january(14, 9)), away("cy", "", january(1, 0), january(30, 0))}, nil, []Conflict{},
		},
		"cut to what was asked, one for each shift": {
			solo("ana", "bo"),
			[]Absence{away("ana", "holiday", january(1, 0), january(30, 0))},
			nil,
			[]Conflict{one("ana", "holiday", january(13, 12), january(14, 9), "bo"), one("ana", "holiday", january(15, 9), january(16, 9), "bo")},
		},
		"absences that touch are one": {
			solo("ana", "bo"),
			[]Absence{away("ana", "ill", january(13, 18), january(14, 0)), away("ana", "ill", january(13, 12), january(13, 13)), away("ana", "holiday", january(13, 13), january(13, 18))},
			nil,
			[]Conflict{one("ana", "ill; holiday", january(13, 12), january(14, 0), "bo")},
		},
		"the substitute is who was on call least recently": {
			solo("ana", "bo", "cy", "di"),
			[]Absence{away("ana", "", january(13, 9), january(14, 9))},
			nil,
			[]Conflict{one("ana", "", january(13, 12), january(14, 9), "bo")},
		},
		"but nobody who is away, too": {
			solo("ana", "bo", "cy", "di"),
			[]Absence{away("ana", "", january(13, 9), january(14, 9)), away("bo", "", january(13, 8), january(14, 9))},
			nil,
			[]Conflict{one("ana", "", january(13, 12), january(14, 9), "cy")},
		},
		"nor who is on call elsewhere": {
			solo("ana", "bo", "cy", "di"),
			[]Absence{away("ana", "", january(13, 9), january(14, 9))},
			[]*Schedule{rota(t, "b", solo("bo")...), rota(t, "c", solo("cy")...)},
			[]Conflict{one("ana", "", january(13, 12), january(14, 9), "di")},
		},
		"nor who shares the turn": {
			[][]string{{"ana", "bo"}, {"cy"}, {"cy"}},
			[]Absence{away("ana", "", january(14, 9), january(15, 9))},
			nil,
			[]Conflict{one("ana", "", january(14, 9), january(15, 9), "cy")},
		},
		"there may be nobody": {
			solo("ana"), []Absence{away("ana", "", january(13, 9), january(14, 9))}, nil, []Conflict{one("ana", "", january(13, 12), january(14, 9), "")},
		},
		"of those who never were, the first by name": {
			append(solo("ana", "ana", "ana", "ana", "ana", "ana", "ana", "ana", "ana"), []string{"eva"}, []string{"di"}),
			[]Absence{away("ana", "", january(13, 9), january(13, 13))},
			nil,
			[]Conflict{one("ana", "", january(13, 12), january(13, 13), "di")},
		},
		"both of two": {
			[][]string{{"ana", "bo"}, {"cy"}},
			[]Absence{away("bo", "", january(13, 13), january(13, 15)), away("ana", "", january(13, 13), january(13, 14))},
			nil,
			[]Conflict{one("ana", "", january(13, 13), january(13, 14), "cy"), one("bo", "", january(13, 13), january(13, 15), "cy")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := rota(t, "a", c.turns...)
			if got := s.Conflicts(january(13, 12), january(17, 0), c.absences, c.others); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got\n%v\nwant\n%v", got, c.want)
			}
		})
	}
}

// TestConflictsAreWhereAbsenceAndDutyMeet holds any conflicts against the schedule and the absences, instant by instant,
// and their substitutes against what a substitute is.
func TestConflictsAreWhereAbsenceAndDutyMeet(t *testing.T) {
	found := 0
	check(t, 500, 10_000, func(t *rapid.T) {
		st := drawStage(t)
		s := schedule(t, drawSpec(t, st))
		var others []*Schedule
		for range rapid.IntRange(0, 2).Draw(t, "others") {
			others = append(others, schedule(t, drawSpec(t, st)))
		}
		var absences []Absence
		for range rapid.IntRange(1, 6).Draw(t, "absences") {
			from := st.from.Add(time.Duration(rapid.Int64Range(-int64(30*time.Hour), int64(st.to.Sub(st.from))).Draw(t, "from"))).Truncate(time.Second)
			absences = append(absences, Absence{
				User: rapid.SampledFrom(cast).Draw(t, "user"), Start: from, Reason: rapid.SampledFrom([]string{"", "ill", "holiday"}).Draw(t, "reason"),
				End: from.Add(time.Duration(rapid.Int64Range(1, int64(40*time.Hour)).Draw(t, "length"))),
			})
		}
		conflicts := s.Conflicts(st.from, st.to, absences, others)
		found += len(conflicts)
		away := func(user string, at time.Time) bool {
			return slices.ContainsFunc(absences, func(a Absence) bool { return a.User == user && !at.Before(a.Start) && at.Before(a.End) })
		}
		said := func(user string, at time.Time) bool {
			return slices.ContainsFunc(conflicts, func(c Conflict) bool { return c.User == user && !at.Before(c.Start) && at.Before(c.End) })
		}
		instants := []time.Time{}
		for at := st.from; at.Before(st.to); at = at.Add(53 * time.Minute) {
			instants = append(instants, at)
		}
		for _, c := range conflicts {
			instants = append(instants, c.Start, c.Start.Add(-1), c.End, c.End.Add(-1))
		}
		for _, at := range instants {
			if at.Before(st.from) || !at.Before(st.to) {
				continue
			}
			on := s.At(at).Users()
			for _, user := range cast {
				if want := slices.Contains(on, user) && away(user, at); said(user, at) != want {
					t.Fatalf("at %s %s is on call: %v, away: %v; conflicts %v", at, user, slices.Contains(on, user), away(user, at), conflicts)
				}
			}
		}
		for i, c := range conflicts {
			if !c.Start.Before(c.End) || i > 0 && c.Start.Before(conflicts[i-1].Start) {
				t.Fatalf("conflict %d of %v", i, conflicts)
			}
			holdSubstitute(t, s, c, absences, others)
		}
	})
	t.Logf("%d conflicts", found)
	if found == 0 {
		t.Error("no conflict was drawn: nothing is proved")
	}
}

// holdSubstitute: who is proposed is free, and nobody who is free was on call here longer ago.
func holdSubstitute(t *rapid.T, s *Schedule, c Conflict, absences []Absence, others []*Schedule) {
	var free []string
	for _, l := range s.Spec().Layers {
		turns := l.Rotation.Turns
		if l.Shared != nil {
			for _, e := range l.Shared.Events {
				zone := l.Zone
				if zone == nil {
					zone = s.Spec().Zone
				}
				if at := e.Stretch(zone); at.Start.Before(at.End) {
					turns = append(turns, e.Who)
				}
			}
		}
		for _, turn := range turns {
			for _, user := range turn {
				busy := user == Nobody || user == c.User || slices.ContainsFunc(absences, func(a Absence) bool {
					return a.User == user && a.Start.Before(c.End) && c.Start.Before(a.End)
				})
				for _, o := range append(slices.Clone(others), s) {
					busy = busy || len(o.Times(user, c.Start, c.End)) > 0
				}
				if !busy && !slices.Contains(free, user) {
					free = append(free, user)
				}
			}
		}
	}
	if len(free) == 0 {
		if c.Substitute != "" {
			t.Fatalf("%v: nobody is free", c)
		}
		return
	}
	slices.SortFunc(free, func(a, b string) int {
		x, y := s.Times(a, c.Start.Add(-lookBack), c.Start), s.Times(b, c.Start.Add(-lookBack), c.Start)
		last := func(list []Stretch) (at time.Time) {
			if len(list) > 0 {
				at = list[len(list)-1].End
			}
			return at
		}
		if order := last(x).Compare(last(y)); order != 0 {
			return order
		}
		return slices.Compare([]string{a}, []string{b})
	})
	if c.Substitute != free[0] {
		t.Fatalf("%v: free are %v, the first of them longest", c, free)
	}
}

func ExampleSchedule_Conflicts() {
	start, _ := ParseCivil("2026-01-05 09:00")
	s, _ := New(Spec{Name: "db", Zone: time.UTC, Layers: []Layer{{Name: "days", Rotation: Rotation{
		Turns: [][]string{{"ana"}, {"bo"}, {"cy"}}, Start: start, Every: Every{1, Day},
	}}}})
	holiday := Absence{User: "ana", Start: january(8, 0), End: january(9, 0), Reason: "holiday"}
	for _, c := range s.Conflicts(january(7, 0), january(14, 0), []Absence{holiday}, nil) {
		fmt.Println(c.User, c.Start.Format(time.DateTime), c.End.Format(time.DateTime), c.Reason, "- ask", c.Substitute)
	}
	// Output: ana 2026-01-08 09:00:00 2026-01-09 00:00:00 holiday - ask bo
}
