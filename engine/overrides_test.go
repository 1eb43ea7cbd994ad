package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// In these worlds cy and eva take days from 03:00 to 03:00 UTC; the night begins with eva's.

// overrule makes an override of the schedule that has to be taken.
func (w *world) overrule(kind oncall.Kind, user, with string, from, to time.Duration) Answer {
	w.t.Helper()
	a := w.turn(Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: kind, User: user, With: with, Start: night.Add(from), End: night.Add(to)}})
	if a == nil || a[0].Err != nil {
		w.t.Fatalf("the override was not taken: %v", a)
	}
	w.settle()
	return a[0]
}

// on is who is on call at an instant, as the engine tells it, and how it knows.
func (w *world) on(at time.Duration) string {
	w.t.Helper()
	duties, err := w.e.Duties(ctx(), night.Add(at))
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	var all []string
	for _, d := range duties {
		text := strings.Join(d.Users, "+")
		if text == "" {
			text = "nobody"
		}
		if d.Past && !d.Recorded {
			text += " computed"
		}
		if len(duties) > 1 {
			text = d.Schedule + ": " + text
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func (w *world) wantOn(want map[time.Duration]string) {
	w.t.Helper()
	for at, who := range want {
		if got := w.on(at); got != who {
			w.t.Fatalf("at %s: on call is %s, want %s", at, got, who)
		}
	}
}

func refusal(t *testing.T, a Answer, code, field, words string) {
	t.Helper()
	var mine *Error
	if !errors.As(a.Err, &mine) || mine.Code != code || mine.Field != field || !strings.Contains(mine.Message, words) {
		t.Errorf("answered %+v, want %s of %q with %q in it", a.Err, code, field, words)
	}
}

func TestAnOverrideTellsWhoMadeItAndWhen(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(time.Minute)
	got := w.overrule(oncall.Take, "bo", "", time.Hour, 2*time.Hour).Override
	want := oncall.Override{
		ID: "weekly-1", Kind: oncall.Take, User: "bo", Start: night.Add(time.Hour), End: night.Add(2 * time.Hour),
		CreatedBy: "ana", CreatedAt: night.Add(time.Minute),
	}
	if got != want {
		t.Errorf("made was %+v, want %+v", got, want)
	}
	w.crash(0)
	views := w.e.Overrides("weekly")
	if len(views) != 1 || views[0].Override != want || !views[0].Begins.Equal(want.Start) || !views[0].Ends.Equal(want.End) || views[0].FromFile || views[0].Problem != "" {
		t.Errorf("after a restart there are %+v", views)
	}
}

// TestAnOverrideOfAnEarlierVersion has no name and no maker, and can be removed all the same.
func TestAnOverrideOfAnEarlierVersion(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.disk.damage(prefOverride+"weekly/"+seqKey(7), `{"kind":"override","version":1,"value":{"kind":"take","user":"bo","start":"2026-11-22T04:00:00Z","end":"2026-11-22T05:00:00Z"}}`)
	w.crash(0)
	w.wantOn(map[time.Duration]string{time.Hour: "bo", 2 * time.Hour: "eva"})
	if v := w.e.Overrides("weekly"); len(v) != 1 || v[0].ID != "weekly-7" || v[0].CreatedBy != "" {
		t.Fatalf("there are %+v", v)
	}
	if a := w.turn(DropOverride{Schedule: "weekly", ID: "weekly-7", By: "ana"})[0]; a.Err != nil {
		t.Fatal(a.Err)
	}
	w.crash(0)
	w.wantOn(map[time.Duration]string{time.Hour: "eva"})
	if a := w.overrule(oncall.Take, "bo", "", time.Hour, 2*time.Hour); a.Override.ID != "weekly-8" {
		t.Errorf("the next is called %s", a.Override.ID)
	}
}

func TestNoNumberIsGivenTwice(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.overrule(oncall.Take, "bo", "", time.Hour, 2*time.Hour)
	w.turn(AddAbsence{Absence: oncall.Absence{User: "cy", Start: night, End: night.Add(time.Hour), CreatedBy: "cy"}})
	w.turn(DropOverride{Schedule: "weekly", ID: "weekly-1", By: "ana"}, DropAbsence{User: "cy", ID: "cy-2", By: "ana"})
	w.crash(0)
	if a := w.overrule(oncall.Take, "bo", "", time.Hour, 2*time.Hour); a.Override.ID != "weekly-3" {
		t.Errorf("the third thing that was made is %s", a.Override.ID)
	}
}

func TestWhatHasBeenIsNotOverridden(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(3 * time.Hour)
	take := Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: oncall.Take, User: "bo", Start: night, End: night.Add(3 * time.Hour)}}
	refusal(t, w.turn(take)[0], "invalid", "to", "ended at 2026-11-22 06:00 UTC")
	if n := len(w.e.Overrides("weekly")); n != 0 {
		t.Errorf("%d are kept", n)
	}
	w.overrule(oncall.Take, "bo", "", 0, 4*time.Hour) // it began before, and acts from now on
	w.run(5 * time.Hour)
	w.wantOn(map[time.Duration]string{time.Hour: "eva", 3*time.Hour - 1: "eva", 3 * time.Hour: "bo", 4*time.Hour - 1: "bo", 4 * time.Hour: "eva"})
}

// What a change of clocks skips as a whole is no time that anybody could have. The words are for whoever typed it: they
// name no place in a file.
func TestAnOverrideThatCannotBe(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		spec := cfg.Schedules["weekly"].Spec()
		spec.Zone, _ = oncall.ParseZone("Europe/Lisbon")
		cfg.Schedules["weekly"], _ = oncall.New(spec)
	}), 1)
	wall := func(text string) oncall.Civil {
		c, err := oncall.ParseCivil(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	try := func(o oncall.Override) Answer {
		return w.turn(Override{Schedule: "weekly", By: "ana", Override: o})[0]
	}
	skipped := oncall.Override{Kind: oncall.Take, User: "bo", From: wall("2027-03-28 01:10"), To: wall("2027-03-28 01:50")}
	refusal(t, try(skipped), "invalid", "to", "the clocks of Europe/Lisbon skip all of it")
	if err := try(oncall.Override{Kind: oncall.Take, User: "bo", From: skipped.To, To: skipped.From}).Err; err == nil || err.Error() != "ends at 2027-03-28 01:10, not after it starts at 2027-03-28 01:50" {
		t.Errorf("%v", err)
	}
}

func TestRemovingAnOverride(t *testing.T) {
	file := house(func(cfg *Config) {
		spec := cfg.Schedules["weekly"].Spec()
		spec.Overrides = []oncall.Override{{Kind: oncall.Add, User: "cto", Start: night.Add(-time.Hour), End: night.Add(time.Hour)}}
		s, err := oncall.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Schedules["weekly"] = s
	})
	w := newWorld(t, file, 1)
	w.overrule(oncall.Take, "bo", "", time.Hour, 4*time.Hour)
	w.overrule(oncall.Take, "ana", "", 5*time.Hour, 6*time.Hour)
	w.run(2 * time.Hour)
	drop := func(schedule, id string) Answer {
		return w.turn(DropOverride{Schedule: schedule, ID: id, By: "eva"})[0]
	}
	refusal(t, drop("weekly", "weekly-f1"), "conflict", "id", "override 1 of schedule weekly in the configuration file; change it there and reload")
	refusal(t, drop("weekly", "weekly-f2"), "not_found", "id", `no override "weekly-f2"`)
	refusal(t, drop("weekly", "weekly-9"), "not_found", "id", "no override")
	refusal(t, drop("nope", "nope-1"), "invalid", "schedule", "known are: weekly")
	if a := drop("weekly", "weekly-1"); a.Err != nil || a.Override.User != "bo" {
		t.Fatalf("%+v", a)
	}
	w.wantOn(map[time.Duration]string{0: "cto+eva", 90 * time.Minute: "bo", 2 * time.Hour: "eva", 3 * time.Hour: "eva"})
	w.crash(0)
	w.run(7 * time.Hour)
	w.wantOn(map[time.Duration]string{90 * time.Minute: "bo", 2 * time.Hour: "eva", 330 * time.Minute: "ana", 6 * time.Hour: "eva"})
	refusal(t, drop("weekly", "weekly-2"), "conflict", "id", "was over at 2026-11-22 09:00 UTC")
}

func TestAnOverrideIsDoubtedAndDone(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		bo := cfg.Users["bo"]
		bo.Unavailable = []oncall.Absence{{Start: night.Add(90 * time.Minute), End: night.Add(10 * time.Hour), Reason: "dentist"}}
		cfg.Users["bo"] = bo
	}), 1)
	if got := w.overrule(oncall.Add, "ana", "", time.Hour, 2*time.Hour).Warnings; len(got) != 0 {
		t.Errorf("there is nothing to doubt, and yet: %q", got)
	}
	got := w.overrule(oncall.Replace, "eva", "bo", time.Hour, 3*time.Hour).Warnings
	want := []string{
		"it overlaps weekly-1 (ana is added, from Sun 2026-11-22 04:00 to Sun 2026-11-22 05:00 UTC); the later one has the last word",
		"bo is unavailable from Sun 2026-11-22 04:30 to Sun 2026-11-22 06:00 UTC (dentist)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.wantOn(map[time.Duration]string{90 * time.Minute: "ana+bo"})
}

func TestOverridesThatAreLongOverMakeRoom(t *testing.T) {
	w := newWorld(t, house(), 1)
	old := oncall.Override{Kind: oncall.Take, User: "bo", Start: night.Add(-keepOver - 2*time.Hour), End: night.Add(-keepOver)}
	fresh := old
	fresh.End = night.Add(time.Hour)
	c := w.e.core
	list := slices.Repeat([]oncall.Override{fresh}, maxOverrides)
	for i := range list {
		list[i].ID = madeID("weekly", uint64(i+1))
	}
	c.overrides["weekly"], c.number = overrides{list}, maxOverrides
	o := Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: oncall.Take, User: "cy", Start: night, End: night.Add(time.Hour)}}
	refusal(t, w.turn(o)[0], "invalid", "schedule", "has 10000 overrides, the most there can be")
	list[17].Start, list[17].End = old.Start, old.End
	c.overrides["weekly"] = overrides{list}
	if a := w.turn(o)[0]; a.Err != nil {
		t.Fatal(a.Err)
	}
	if n := len(c.overrides["weekly"].list); n != maxOverrides || slices.ContainsFunc(c.overrides["weekly"].list, func(o oncall.Override) bool { return o.ID == "weekly-18" }) {
		t.Errorf("%d are left", n)
	}
}

func TestAnOverrideWhoseLayerIsGoneSaysSo(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.turn(Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: oncall.Take, User: "bo", Layer: "base", Start: night, End: night.Add(time.Hour)}})
	w.turn(Reload{Config: house(func(cfg *Config) { cfg.Schedules["weekly"] = weekly("weekly", "renamed") })})
	if v := w.e.Overrides("weekly"); len(v) != 1 || !strings.HasPrefix(v[0].Problem, `acts on layer "base", which does not exist`) {
		t.Errorf("%+v", v)
	}
}

// TestCrashesAroundChanges plays a day of changes by people, with a power failure before and after every commit of it.
// What was answered is there; what is there is whole: a swap has both its overrides or none.
func TestCrashesAroundChanges(t *testing.T) {
	commits := playChanges(t, 0, false)
	for cut := 1; cut <= commits && !t.Failed(); cut++ {
		playChanges(t, cut, true)
		playChanges(t, cut, false)
	}
	t.Logf("%d power failures", 2*commits)
}

func playChanges(t *testing.T, cut int, before bool) int {
	t.Helper()
	w := newWorld(t, noticed(Notices{Before: []time.Duration{time.Hour}}), uint64(cut)+1)
	w.onStart = (*world).holdChanges
	hour := func(n int) time.Time { return night.Add(time.Duration(n) * time.Hour) }
	inputs := []Input{
		AddAbsence{Absence: oncall.Absence{User: "eva", Start: hour(1), End: hour(60), CreatedBy: "eva"}},
		Override{Schedule: "weekly", By: "ana", Override: oncall.Override{Kind: oncall.Take, User: "bo", Start: hour(0), End: hour(6)}},
		RequestSwap{Swap: Swap{Schedule: "weekly", User: "cy", With: "eva", From: hour(24), To: hour(48), ForFrom: hour(50), ForTo: hour(60), CreatedBy: "cy"}},
		SettleSwap{ID: "SWAP-1", Verb: AcceptSwap, By: "eva"},
		DropOverride{Schedule: "weekly", ID: "weekly-2", By: "ana"},
		RequestSwap{Swap: Swap{Schedule: "weekly", User: "cy", With: "bo", From: hour(72), To: hour(90), CreatedBy: "cy"}},
		SettleSwap{ID: "SWAP-2", Verb: DeclineSwap, By: "bo"},
		DropAbsence{User: "eva", ID: "eva-1", By: "eva"},
	}
	if cut > 0 {
		w.failures = []failure{{cut, before}}
	}
	w.plan()
	start := w.disk.commits
	for i, in := range inputs {
		w.deeds = append(w.deeds, deed{time.Duration(i+1) * time.Hour, fmt.Sprintf("%T", in), func(w *world) {
			a := w.turn(in)
			if a == nil { // nobody heard: ask again, as people do
				w.run(w.back)
				a = w.turn(in)
			}
			w.holdAnswer(in, a[0])
		}})
	}
	w.run(30 * time.Hour)
	w.holdChanges(nil)
	w.holdRecord()
	if got := w.on(30 * time.Hour); got != "eva" {
		t.Errorf("cut at commit %d, before it: %v: on call is %s in cy's day that eva took", cut, before, got)
	}
	if w.on(26*time.Hour) != "eva" || w.on(2*time.Hour+30*time.Minute) != "bo" || w.on(7*time.Hour) != "eva" {
		t.Errorf("cut at commit %d, before it: %v: the record is wrong", cut, before)
	}
	if cut > 0 && w.crashes == 0 {
		t.Errorf("the crash at commit %d did not come", cut)
	}
	return w.disk.commits - start
}

// holdAnswer: what was answered is so, or was already.
func (w *world) holdAnswer(in Input, a Answer) {
	w.t.Helper()
	var mine *Error
	if a.Err == nil || errors.As(a.Err, &mine) && (mine.Code == "conflict" || mine.Code == "not_found") && w.crashes > 0 {
		return
	}
	w.t.Fatalf("%+v: %v", in, a.Err)
}

// holdChanges holds what the engine knows of changes against itself.
func (w *world) holdChanges(problems []string) {
	w.t.Helper()
	if len(problems) > 0 {
		w.t.Fatalf("after a start: %s", problems[0])
	}
	c := w.e.core
	seen := map[uint64]bool{}
	take := func(id string) {
		n := numberOf(id)
		if n == 0 || n > c.number || seen[n] {
			w.t.Fatalf("%s: the newest number is %d", id, c.number)
		}
		seen[n] = true
	}
	bySwap := map[string]int{}
	for _, o := range c.overrides["weekly"].list {
		take(o.ID)
		if o.Swap != "" {
			bySwap[o.Swap]++
		}
	}
	for _, a := range c.allAbsences() {
		take(a.ID)
	}
	for n, s := range c.swaps {
		want := 0
		if s.State == SwapAccepted {
			want = len(s.Overrides)
		}
		if n > c.lastSwap || bySwap[s.ID()] != want || s.State == SwapAccepted && want == 0 {
			w.t.Fatalf("%s is %s, and has %d overrides, want %d", s.ID(), s.State, bySwap[s.ID()], want)
		}
	}
}

// holdRecord: the lines on the disk are in order, none says what the one before says, and the last is what is known.
func (w *world) holdRecord() {
	w.t.Helper()
	for name, b := range w.e.core.bills {
		var last Watch
		for n := b.First; n <= b.Last && b.Last > 0; n++ {
			got, ok := readWatch(ctx(), w.disk, name, n)
			switch {
			case !ok:
				w.t.Fatalf("line %d of %s cannot be read", n, name)
			case n > b.First && !got.At.After(last.At) && !got.At.Equal(last.At):
				w.t.Fatalf("line %d of %s is of %s, after one of %s", n, name, got.At, last.At)
			case n > b.First && got.same(last):
				w.t.Fatalf("line %d of %s says again %+v", n, name, got)
			}
			last = got
		}
		if b.Last > 0 && (!last.same(b.Now) || !last.At.Equal(b.Now.At)) {
			w.t.Fatalf("the last line of %s is %+v, and believed to be %+v", name, last, b.Now)
		}
	}
}
