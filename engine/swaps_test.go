package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// ask asks for a swap in the one schedule: user's time from hour to hour, and with's in return where there are two more.
func (w *world) ask(user, with string, hours ...int) Answer {
	w.t.Helper()
	at := func(i int) time.Time {
		if i >= len(hours) {
			return time.Time{}
		}
		return night.Add(time.Duration(hours[i]) * time.Hour)
	}
	return w.turn(RequestSwap{Swap: Swap{
		Schedule: "weekly", User: user, With: with, From: at(0), To: at(1), ForFrom: at(2), ForTo: at(3), CreatedBy: user,
	}})[0]
}

func (w *world) answer(verb SwapVerb, id, by string) Answer {
	w.t.Helper()
	a := w.turn(SettleSwap{ID: id, Verb: verb, By: by})[0]
	w.settle()
	return a
}

func (w *world) states() string {
	var words []string
	for _, s := range w.e.Swaps() {
		words = append(words, s.ID()+" "+string(s.State))
	}
	return strings.Join(words, ", ")
}

// TestASwapFromAskingToAnswering: cy's day for half of eva's, as one thing, across restarts.
func TestASwapFromAskingToAnswering(t *testing.T) {
	w := newWorld(t, house(), 1)
	asked := w.ask("cy", "eva", 24, 48, 48, 60)
	if asked.Err != nil || asked.Swap.ID() != "SWAP-1" || len(asked.Warnings) > 0 {
		t.Fatalf("%+v", asked)
	}
	stretch := func(from, to int) oncall.Stretch {
		return oncall.Stretch{Start: night.Add(time.Duration(from) * time.Hour), End: night.Add(time.Duration(to) * time.Hour)}
	}
	if got := asked.Swap; !slices.Equal(got.Gives, []oncall.Stretch{stretch(24, 48)}) || !slices.Equal(got.Takes, []oncall.Stretch{stretch(48, 60)}) {
		t.Errorf("it is about %v and %v", got.Gives, got.Takes)
	}
	w.wantOn(map[time.Duration]string{25 * time.Hour: "cy", 50 * time.Hour: "eva"})
	w.crash(0)
	w.run(10 * time.Hour)
	done := w.answer(AcceptSwap, "swap-1", "eva")
	if done.Err != nil || done.Swap.State != SwapAccepted || !slices.Equal(done.Swap.Overrides, []string{"weekly-1", "weekly-2"}) || !done.Swap.ClosedAt.Equal(w.wall()) {
		t.Fatalf("%+v", done)
	}
	w.crash(0)
	want := map[time.Duration]string{25 * time.Hour: "eva", 50 * time.Hour: "cy", 61 * time.Hour: "eva", 73 * time.Hour: "cy"}
	w.wantOn(want)
	for _, o := range w.e.Overrides("weekly") {
		if o.Swap != "SWAP-1" || o.CreatedBy != "eva" || o.Kind != oncall.Replace {
			t.Errorf("%+v", o)
		}
	}
	w.run(80 * time.Hour)
	w.wantOn(want)
	same(t, w.states(), "SWAP-1 accepted")
}

func TestWhatCannotBeSwapped(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.run(time.Hour)
	for _, c := range []struct {
		a                  Answer
		code, field, words string
	}{
		{w.turn(RequestSwap{Swap: Swap{Schedule: "x", User: "cy", With: "eva"}})[0], "invalid", "schedule", "known are: weekly"},
		{w.ask("nemo", "eva", 24, 48), "invalid", "user", `no user "nemo"`},
		{w.ask("cy", "nemo", 24, 48), "invalid", "with", `no user "nemo"`},
		{w.ask("cy", "cy", 24, 48), "invalid", "with", "somebody else"},
		{w.ask("cy", "eva", 48, 24), "invalid", "to", "not after it starts"},
		{w.ask("cy", "eva", 24, 48, 70, 60), "invalid", "for_to", "must end after it starts"},
		{w.ask("cy", "eva", 24, 48, 70), "invalid", "for_to", "needs both ends"},
		{w.ask("cy", "eva", 24, 24+24*400), "invalid", "to", "at most 366 days"},
		{w.ask("cy", "eva", 24, 96, 48, 72), "invalid", "for_from", "overlap"},
		{w.ask("cy", "eva", 48, 72), "invalid", "from", "cy is not on call in weekly between 2026-11-24 03:00 UTC and 2026-11-25 03:00 UTC"},
		{w.ask("cy", "eva", 24, 48, 72, 96), "invalid", "for_from", "eva is not on call"},
		{w.ask("eva", "cy", 0, 72), "invalid", "from", "has begun"},
		{w.ask("cy", "eva", 24, 24+48*(maxStretches+1)), "invalid", "from", fmt.Sprintf("%d shifts of cy", maxStretches+1)},
	} {
		refusal(t, c.a, c.code, c.field, c.words)
	}
	if len(w.e.Swaps()) > 0 || w.e.core.lastSwap != 0 {
		t.Errorf("what was refused is there: %s", w.states())
	}
}

// TestWhoMayAnswerASwap and what an answer that comes too late is told.
func TestWhoMayAnswerASwap(t *testing.T) {
	w := newWorld(t, house(), 1)
	for range 4 {
		w.ask("cy", "bo", 24, 48)
	}
	refusal(t, w.answer(AcceptSwap, "SWAP-1", "cy"), "conflict", "by", "bo is the one who was asked in SWAP-1, not cy")
	refusal(t, w.answer(DeclineSwap, "SWAP-1", "cy"), "conflict", "by", "bo is the one who was asked")
	refusal(t, w.answer(CancelSwap, "SWAP-1", "bo"), "conflict", "by", "cy asked for SWAP-1 and may cancel it, not bo")
	refusal(t, w.answer("eat", "SWAP-1", "bo"), "invalid", "verb", "nobody can")
	for _, id := range []string{"SWAP-9", "SWAP-0", "1x", ""} {
		refusal(t, w.answer(AcceptSwap, id, "bo"), "not_found", "id", "there is no swap")
	}
	if a := w.answer(DeclineSwap, "SWAP-1", "bo"); a.Err != nil || a.Swap.State != SwapDeclined {
		t.Errorf("%+v", a)
	}
	if a := w.answer(CancelSwap, "SWAP-2", "cy"); a.Err != nil || a.Swap.State != SwapCancelled {
		t.Errorf("%+v", a)
	}
	if a := w.answer(AcceptSwap, "SWAP-3", "bo"); a.Err != nil {
		t.Error(a.Err)
	}
	refusal(t, w.answer(AcceptSwap, "SWAP-1", "bo"), "conflict", "", "SWAP-1 is not open any more: declined by bo at 2026-11-22 03:00 UTC")
	refusal(t, w.answer(AcceptSwap, "SWAP-4", "bo"), "conflict", "", "the time of cy between 2026-11-23 03:00 UTC and 2026-11-24 03:00 UTC is no longer what it was when SWAP-4 was asked for; ask again")
	w.crash(0)
	same(t, w.states(), "SWAP-4 open, SWAP-3 accepted, SWAP-2 cancelled, SWAP-1 declined")
	if w.ask("cy", "ana", 72, 96).Swap.ID() != "SWAP-5" {
		t.Error("a number was given twice")
	}
}

func TestASwapExpiresWhenItBegins(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"running":                func(*world) {},
		"restarted":              func(w *world) { w.crash(0) },
		"away when it began":     func(w *world) { w.crash(20 * time.Hour) },
		"with a clock set ahead": func(w *world) { w.jump(20 * time.Hour) },
		"reloaded":               func(w *world) { w.reload(rota(7, "ana", "bo")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, house(), 1)
			w.ask("cy", "eva", 48+30, 96, 48, 50) // what is asked for in return comes first
			w.run(30 * time.Hour)
			change(w)
			w.run(47 * time.Hour)
			if w.e != nil && w.wall().Before(night.Add(48*time.Hour)) {
				same(t, w.states(), "SWAP-1 open")
				w.run(48 * time.Hour)
			} else {
				w.run(50 * time.Hour)
			}
			same(t, w.states(), "SWAP-1 expired")
			refusal(t, w.answer(AcceptSwap, "SWAP-1", "eva"), "conflict", "", "it expired at")
		})
	}
}

// TestAnAnswerThatOvertakesTheClock comes in the very turn in which the swap expires, and is too late.
func TestAnAnswerThatOvertakesTheClock(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.ask("cy", "eva", 24, 48)
	w.run(23 * time.Hour)
	w.elapsed = day
	refusal(t, w.answer(AcceptSwap, "SWAP-1", "eva"), "conflict", "", "SWAP-1 has expired: its time began at 2026-11-23 03:00 UTC")
	same(t, w.states(), "SWAP-1 expired")
}

// TestASwapIsAcceptedAsItWasAskedFor or not at all.
func TestASwapIsAcceptedAsItWasAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		words  string // of the refusal; empty: it is accepted
	}{
		"nothing changed":                 {func(*world) {}, ""},
		"another file with the same days": {func(w *world) { w.reload(house()) }, ""},
		"somebody took some of it": {func(w *world) {
			w.overrule(oncall.Take, "ana", "", 30*time.Hour, 31*time.Hour)
		}, "the time of cy between"},
		"what was asked for is somebody else's": {func(w *world) {
			w.overrule(oncall.Replace, "eva", "ana", 48*time.Hour, 72*time.Hour)
		}, "the time of eva between"},
		"an override elsewhere": {func(w *world) {
			w.overrule(oncall.Take, "ana", "", 73*time.Hour, 74*time.Hour)
		}, ""},
		"another rota": {func(w *world) { w.reload(rota(24, "ana", "bo")) }, "the time of cy between"},
		"no schedule": {func(w *world) {
			w.reload(house(func(cfg *Config) { delete(cfg.Schedules, "weekly") }))
		}, "schedule weekly is no longer in the configuration"},
		"no user": {func(w *world) {
			w.reload(house(func(cfg *Config) { delete(cfg.Users, "eva") }))
		}, "user eva is no longer in the configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, house(), 1)
			w.ask("cy", "eva", 24, 48, 48, 72)
			c.change(w)
			a := w.answer(AcceptSwap, "SWAP-1", "eva")
			if c.words == "" {
				if a.Err != nil || w.on(30*time.Hour) != "eva" || w.on(50*time.Hour) != "cy" {
					t.Errorf("%v; on call are %s, then %s", a.Err, w.on(30*time.Hour), w.on(50*time.Hour))
				}
				return
			}
			refusal(t, a, "conflict", "", c.words)
			same(t, w.states(), "SWAP-1 open")
		})
	}
}

func TestASwapIsDoubtedAndDone(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.turn(AddAbsence{Absence: oncall.Absence{User: "bo", Start: night.Add(40 * time.Hour), End: night.Add(50 * time.Hour)}})
	w.ask("cy", "eva", 24, 48)
	want := []string{
		"bo is unavailable from 2026-11-23 19:00 UTC to 2026-11-24 05:00 UTC",
		"SWAP-1 asks eva for some of the same time; the first to be accepted counts",
	}
	if got := w.ask("cy", "bo", 30, 48).Warnings; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if a := w.answer(AcceptSwap, "SWAP-2", "bo"); a.Err != nil || !slices.Equal(a.Warnings, want) {
		t.Errorf("%+v", a)
	}
}

func TestHalfASwapCanBeRemoved(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.ask("cy", "eva", 24, 48, 48, 72)
	w.answer(AcceptSwap, "SWAP-1", "eva")
	a := w.turn(DropOverride{Schedule: "weekly", ID: "weekly-1", By: "ana"})[0]
	if want := []string{"it was part of SWAP-1, of which weekly-2 stays; remove the rest, too, if the swap is off"}; a.Err != nil || !slices.Equal(a.Warnings, want) {
		t.Errorf("%+v, want %q", a, want)
	}
	if a := w.turn(DropOverride{Schedule: "weekly", ID: "weekly-2", By: "ana"})[0]; a.Err != nil || a.Warnings != nil {
		t.Errorf("%+v", a)
	}
	w.wantOn(map[time.Duration]string{30 * time.Hour: "cy", 50 * time.Hour: "eva"})
}

// TestOnlySoManySwapsAreKept: open ones are limited, and of those that are over the oldest go.
func TestOnlySoManySwapsAreKept(t *testing.T) {
	w := newWorld(t, house(), 1)
	for range maxOpenSwaps {
		if a := w.ask("cy", "eva", 24, 48); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	refusal(t, w.ask("cy", "eva", 24, 48), "conflict", "", "1000 swaps wait for an answer")
	for n := range maxClosedSwaps {
		if a := w.turn(SettleSwap{ID: fmt.Sprint(n + 1), Verb: DeclineSwap, By: "eva"})[0]; a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	for range 3 {
		w.ask("cy", "eva", 24, 48)
	}
	w.run(25 * time.Hour)
	if all := w.e.Swaps(); len(all) != maxClosedSwaps || all[0].Number != maxOpenSwaps+3 || all[len(all)-1].Number != 4 {
		t.Errorf("%d are kept, from %s to %s", len(all), all[0].ID(), all[len(all)-1].ID())
	}
	w.crash(0)
	if n := len(w.e.Swaps()); n != maxClosedSwaps {
		t.Errorf("after a restart there are %d", n)
	}
}

// TestSwapsKeepTheirPromises plays weeks of swaps and other changes at random: an accepted swap changes exactly what it says, and
// nothing that is refused leaves a trace.
func TestSwapsKeepTheirPromises(t *testing.T) {
	people := []string{"ana", "bo", "cy"}
	accepted := 0
	for seed := range nights(15) {
		r := rand.New(rand.NewPCG(seed, 31))
		w := newWorld(seeded{t, seed}, rota(5, "ana", "bo", "cy", "ana"), seed)
		hours := func() (from, to int) {
			from = int(w.elapsed.Hours()) + r.IntN(60)
			return from, from + 1 + r.IntN(30)
		}
		for range 60 {
			w.run(w.elapsed + time.Duration(r.IntN(3))*time.Hour)
			before := w.disk.all()
			var a Answer
			switch r.IntN(6) {
			case 0:
				from, to := hours()
				w.turn(Override{Schedule: "weekly", By: "ana", Override: oncall.Override{
					Kind: oncall.Replace, User: people[r.IntN(3)], With: "eva", Start: night.Add(time.Duration(from) * time.Hour), End: night.Add(time.Duration(to) * time.Hour),
				}})
				continue
			case 1, 2:
				from, to := hours()
				span := []int{from, to}
				if r.IntN(2) == 0 {
					again, until := hours()
					span = append(span, again, until)
				}
				a = w.ask(people[r.IntN(3)], people[r.IntN(3)], span...)
			case 3:
				w.crash(0)
				continue
			default:
				open := slices.DeleteFunc(w.e.Swaps(), func(s Swap) bool { return s.State != SwapOpen })
				if len(open) == 0 {
					continue
				}
				s := open[r.IntN(len(open))]
				was := w.e.Schedule("weekly")
				if a = w.turn(SettleSwap{ID: s.ID(), Verb: AcceptSwap, By: s.With})[0]; a.Err == nil {
					accepted++
					w.holdTrade(was, w.e.Schedule("weekly"), s)
				}
			}
			var mine *Error
			if errors.As(a.Err, &mine) {
				after := w.disk.all()
				delete(before, keyAlive)
				delete(after, keyAlive)
				if !maps.Equal(before, after) {
					w.t.Fatalf("what was refused (%s) left a trace: %s", mine, firstDifference(after, before))
				}
			}
		}
		w.holdChanges(nil)
	}
	t.Logf("%d swaps were accepted", accepted)
	if accepted == 0 {
		t.Error("no swap was accepted: nothing was proved")
	}
}

// holdTrade: minute by minute, in the swapped time the one is on call in place of the other, and nothing else is otherwise.
func (w *world) holdTrade(was, is *oncall.Schedule, s Swap) {
	w.t.Helper()
	within := func(list []oncall.Stretch, at time.Time) bool {
		return slices.ContainsFunc(list, func(t oncall.Stretch) bool { return !at.Before(t.Start) && at.Before(t.End) })
	}
	for at := s.From.Add(-40 * time.Hour); at.Before(s.From.Add(100 * time.Hour)); at = at.Add(20 * time.Minute) {
		before, after := was.At(at).Users(), is.At(at).Users()
		want := before
		for _, side := range []struct {
			list     []oncall.Stretch
			from, to string
		}{{s.Gives, s.User, s.With}, {s.Takes, s.With, s.User}} {
			if within(side.list, at) {
				want = slices.DeleteFunc(slices.Clone(before), func(u string) bool { return u == side.from || u == side.to })
				want = append(want, side.to)
				slices.Sort(want)
			}
		}
		if !slices.Equal(after, want) {
			w.t.Fatalf("%s: at %s on call were %v, and are %v, want %v", s.ID(), at.Sub(night), before, after, want)
		}
	}
}
