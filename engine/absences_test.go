package engine

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

func (w *world) away(user string, from, to time.Duration, reason string) Answer {
	w.t.Helper()
	return w.turn(AddAbsence{Absence: oncall.Absence{User: user, Start: night.Add(from), End: night.Add(to), Reason: reason, CreatedBy: "ana"}})[0]
}

func (w *world) conflicts(schedule string) []Conflict {
	w.t.Helper()
	found, err := w.e.Conflicts(ctx(), schedule, night, night.Add(10*day))
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return found
}

// TestAnAbsenceFromBeginningToEnd: it changes nobody's shift, warns while it is still to come, and survives restarts.
func TestAnAbsenceFromBeginningToEnd(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		cy := cfg.Users["cy"]
		cy.Unavailable = []oncall.Absence{{Start: night.Add(4 * day), End: night.Add(6 * day), Reason: "course"}}
		cfg.Users["cy"] = cy
		cfg.Schedules["other"] = rotaOf(24*30, "bo")
	}), 1)
	w.run(time.Minute)
	a := w.away("eva", 10*time.Hour, 60*time.Hour, "ill")
	want := oncall.Absence{ID: "eva-1", User: "eva", Start: night.Add(10 * time.Hour), End: night.Add(60 * time.Hour), Reason: "ill", CreatedBy: "ana", CreatedAt: night.Add(time.Minute)}
	if a.Err != nil || a.Absence != want {
		t.Fatalf("%+v, want %+v", a, want)
	}
	w.crash(0)
	clash := func(user, reason string, from, to time.Duration, substitute string) Conflict {
		return Conflict{"weekly", oncall.Conflict{User: user, Start: night.Add(from), End: night.Add(to), Reason: reason, Substitute: substitute}}
	}
	eva, course := clash("eva", "ill", 10*time.Hour, day, "cy"), clash("cy", "course", 5*day, 6*day, "eva")
	later := clash("eva", "ill", 2*day, 60*time.Hour, "cy")
	if got := w.conflicts("weekly"); !reflect.DeepEqual(got, []Conflict{eva, later, course}) {
		t.Errorf("got %+v", got)
	}
	if got := w.conflicts("other"); len(got) != 0 {
		t.Errorf("in the other schedule: %+v", got)
	}
	w.run(20 * time.Hour)
	if got := w.on(19 * time.Hour); got != "other: bo, weekly: eva" {
		t.Errorf("on call is %s", got)
	}
	eva.Start = night.Add(20 * time.Hour) // what has passed is nothing to warn of
	if got := w.conflicts(""); !reflect.DeepEqual(got, []Conflict{eva, later, course}) {
		t.Errorf("got %+v", got)
	}
	all := w.e.Absences(false)
	if len(all) != 2 || all[0] != want || all[1].ID != "cy-f1" || all[1].User != "cy" {
		t.Errorf("there are %+v", all)
	}
	w.run(61 * time.Hour)
	if now, all := w.e.Absences(false), w.e.Absences(true); len(now) != 1 || len(all) != 2 {
		t.Errorf("%d are still to come, of %d", len(now), len(all))
	}
	if a := w.turn(DropAbsence{User: "eva", ID: "eva-1", By: "bo"})[0]; a.Err != nil || a.Absence != want {
		t.Errorf("%+v", a)
	}
	w.crash(0)
	if all := w.e.Absences(true); len(all) != 1 {
		t.Errorf("there are %+v", all)
	}
}

func TestAbsencesThatAreRefused(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		cy := cfg.Users["cy"]
		cy.Unavailable = []oncall.Absence{{Start: night, End: night.Add(day)}}
		cfg.Users["cy"] = cy
	}), 1)
	w.run(time.Hour)
	refusal(t, w.away("nemo", 0, day, ""), "invalid", "user", `no user "nemo"`)
	refusal(t, w.away("eva", day, day, ""), "invalid", "to", "not after it starts")
	refusal(t, w.away("eva", 0, time.Hour, ""), "invalid", "to", "ended at 2026-11-22 04:00 UTC")
	refusal(t, w.away("eva", 0, day, strings.Repeat("é", maxAbsenceReason+1)), "invalid", "reason", "longer than 500")
	drop := func(user, id string) Answer { return w.turn(DropAbsence{User: user, ID: id, By: "eva"})[0] }
	refusal(t, drop("cy", "cy-f1"), "conflict", "id", "cy-f1 comes from unavailable of user cy in the configuration file")
	refusal(t, drop("cy", "cy-f2"), "not_found", "id", `user cy has no absence "cy-f2"`)
	refusal(t, drop("nemo", "nemo-1"), "not_found", "id", "no absence")
	if a := w.away("eva", 0, day, strings.Repeat("é", maxAbsenceReason)); a.Err != nil {
		t.Error(a.Err)
	}
	for range maxAbsences - 1 {
		w.away("eva", 0, day, "")
	}
	refusal(t, w.away("eva", 0, day, ""), "invalid", "user", "eva has 1000 absences")
	w.e.core.absences["eva"][7].End = night.Add(-keepOver)
	if a := w.away("eva", 0, day, ""); a.Err != nil || len(w.e.core.absences["eva"]) != maxAbsences {
		t.Errorf("%v; there are %d", a.Err, len(w.e.core.absences["eva"]))
	}
	if n := len(w.e.core.allAbsences()); n != maxAbsences+1 {
		t.Errorf("%d in all", n)
	}
}

// TestAnAbsenceOfSomebodyWhoIsGone counts for nothing, until they come back.
func TestAnAbsenceOfSomebodyWhoIsGone(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.away("eva", 0, day, "")
	w.reload(house(func(cfg *Config) { delete(cfg.Users, "eva") }))
	if n := len(w.e.Absences(true)); n != 0 {
		t.Errorf("there are %d", n)
	}
	w.reload(house())
	if n := len(w.e.Absences(true)); n != 1 {
		t.Errorf("there are %d", n)
	}
}
