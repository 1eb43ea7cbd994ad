package oncall

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASwapOfWorkingDaysIsTwoOverrides(t *testing.T) {
	s := schedule(t, Spec{Name: "office", Zone: time.UTC, Layers: []Layer{{
		Name: "days", Rotation: Rotation{Turns: solo("ana", "bo"), Start: wall(t, "2026-01-05 09:00"), Every: Every{1, Week}},
		Active: []Window{{Days: 0b0011111, From: 9 * 60, To: 17 * 60}},
	}}})
	give, take := s.Times("ana", january(5, 0), january(12, 0)), s.Times("bo", january(12, 0), january(19, 0))
	if len(give) != 5 || len(take) != 5 {
		t.Fatalf("%v and %v", give, take)
	}
	os, err := s.Swap(Trade{User: "ana", With: "bo", Gives: give, Takes: take})
	if err != nil || len(os) != 2 {
		t.Fatalf("%v, %v", os, err)
	}
	want := []Override{
		{Kind: Replace, User: "ana", With: "bo", Start: january(5, 9), End: january(9, 17)},
		{Kind: Replace, User: "bo", With: "ana", Start: january(12, 9), End: january(16, 17)},
	}
	if !slices.Equal(os, want) {
		t.Errorf("got %v\nwant %v", os, want)
	}
}

// TestASwapReachesNobodyElse: between ana's days somebody has one of hers already, and keeps it.
func TestASwapReachesNobodyElse(t *testing.T) {
	s, err := rota(t, "a", solo("ana")...).WithOverrides([]Override{{Kind: Replace, User: "ana", With: "cy", Start: january(6, 9), End: january(7, 9)}})
	if err != nil {
		t.Fatal(err)
	}
	os, err := s.Swap(Trade{User: "ana", With: "bo", Gives: s.Times("ana", january(5, 9), january(8, 9))})
	if err != nil || len(os) != 2 {
		t.Fatalf("%v, %v", os, err)
	}
	next, _ := s.WithOverrides(os)
	for day, who := range map[int]string{5: "bo", 6: "cy", 7: "bo", 8: "ana"} {
		if got := next.At(january(day, 12)).Users(); !slices.Equal(got, []string{who}) {
			t.Errorf("on the %dth %v, want %s", day, got, who)
		}
	}
}

// TestASwapThatOverridesCannotDo: ana is on call in two layers, and has handed one of the places on.
func TestASwapThatOverridesCannotDo(t *testing.T) {
	layer := func(name string, mode Mode) Layer {
		return Layer{Name: name, Mode: mode, Rotation: Rotation{Turns: solo("ana"), Start: wall(t, "2026-01-05 09:00")}}
	}
	s := schedule(t, Spec{Name: "a", Zone: time.UTC, Layers: []Layer{layer("one", ""), layer("two", ModeAdd)}, Overrides: []Override{
		{Kind: Replace, User: "ana", With: "cy", Layer: "one", Start: january(6, 9), End: january(7, 9)},
	}})
	_, err := s.Swap(Trade{User: "ana", With: "bo", Gives: s.Times("ana", january(6, 9), january(7, 9))})
	if err == nil || !strings.Contains(err.Error(), "earlier overrides hand on the same places; remove those first") {
		t.Error(err)
	}
	if _, err := s.Swap(Trade{User: "ana", With: "bo"}); err == nil {
		t.Error("nothing at all was swapped")
	}
}

// TestASwapDoesWhatItSaysAndNothingElse for any schedule, instant by instant.
func TestASwapDoesWhatItSaysAndNothingElse(t *testing.T) {
	swapped, refused := 0, 0
	check(t, 400, 10_000, func(t *rapid.T) {
		s, st, spec := drawSchedule(t)
		user := rapid.SampledFrom(cast).Draw(t, "user")
		with := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(cast), func(u string) bool { return u == user })).Draw(t, "with")
		middle := st.from.Add(st.to.Sub(st.from) / 2)
		trade := Trade{User: user, With: with, Gives: s.Times(user, st.from, middle)}
		if rapid.Bool().Draw(t, "in return") {
			trade.Takes = s.Times(with, middle, st.to)
		}
		if len(trade.Gives)+len(trade.Takes) == 0 {
			return
		}
		os, err := s.Swap(trade)
		if err != nil {
			if refused++; len(s.overrides) == 0 {
				t.Fatalf("refused without any override: %v\n%s", err, spec)
			}
			return
		}
		swapped++
		next, err := s.WithOverrides(os)
		if err != nil {
			t.Fatal(err)
		}
		within := func(list []Stretch, at time.Time) bool {
			return slices.ContainsFunc(list, func(t Stretch) bool { return !at.Before(t.Start) && at.Before(t.End) })
		}
		for at := st.from.Add(-time.Hour); at.Before(st.to.Add(time.Hour)); at = at.Add(29 * time.Minute) {
			want, got := s.At(at).Users(), next.At(at).Users()
			from, to := "", ""
			if within(trade.Gives, at) {
				from, to = user, with
			} else if within(trade.Takes, at) {
				from, to = with, user
			}
			if from != "" {
				want = insert(slices.DeleteFunc(want, func(u string) bool { return u == from }), to)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("at %s %v, want %v\n%s%v", at, got, want, spec, os)
			}
		}
	})
	t.Logf("%d swapped, %d refused", swapped, refused)
	if swapped == 0 {
		t.Error("none was swapped: nothing is proved")
	}
}
