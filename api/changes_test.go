package api

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

// In this world ana and bo take weeks in db-primary, from Monday to Monday at 9:00 UTC; it is Saturday, 1 January 2000,
// in a week of ana's.

func jan(day, hour int) time.Time { return time.Date(2000, 1, day, hour, 0, 0, 0, time.UTC) }

const overridesPath = own + "schedules/db-primary/overrides"

func TestOverridesAreListedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.withFileOverride()
		w.pass(time.Minute)
		var made Overridden
		w.want(201, "POST", overridesPath, `{"by":"cy","replace":"ana","with":"cy","from":"2000-01-01T08:00:00+02:00","to":"2000-01-01T12:00:00Z"}`, &made)
		want := StandingOverride{
			ID: "db-primary-1", Replace: "ana", With: "cy", From: "2000-01-01T08:00:00+02:00", To: "2000-01-01T12:00:00Z",
			StartsAt: jan(1, 6), EndsAt: jan(1, 12), CreatedBy: "cy", CreatedAt: jan(1, 0).Add(time.Minute),
		}
		if !reflect.DeepEqual(made.Override, want) || len(made.Warnings) > 0 {
			t.Errorf("made %+v\nwant %+v", made, want)
		}
		w.want(201, "POST", overridesPath, `{"by":"ana","take":"bo","layer":"weekly","from":"2000-01-02 09:00","to":"2000-01-02 10:00"}`, &made)
		var got StandingOverrides
		w.want(200, "GET", overridesPath, "", &got)
		file := StandingOverride{ID: "db-primary-f1", Add: "cy", From: "2000-01-01 03:00", To: "2000-01-01 04:00", StartsAt: jan(1, 3), EndsAt: jan(1, 4), FromFile: true}
		if !reflect.DeepEqual(got, StandingOverrides{Schedule: "db-primary", Overrides: []StandingOverride{file, want, made.Override}}) {
			t.Errorf("got %+v", got)
		}
		if o := made.Override; o.From != "2000-01-02 09:00" || !o.StartsAt.Equal(jan(2, 9)) || o.Layer != "weekly" {
			t.Errorf("by wall times: %+v", o)
		}
		if e := w.refused(409, "DELETE", overridesPath+"/db-primary-f1?by=ana", ""); !strings.Contains(e.Message, "override 1 of schedule db-primary in the configuration file; change it there") {
			t.Errorf("%+v", e)
		}
		w.refused(404, "DELETE", overridesPath+"/db-primary-9?by=ana", "")
		if e := w.refused(400, "DELETE", overridesPath+"/db-primary-1", ""); e.Field != "by" {
			t.Errorf("%+v", e)
		}
		w.refused(404, "DELETE", own+"schedules/nope/overrides/nope-1?by=ana", "")
		var gone Overridden
		w.want(200, "DELETE", overridesPath+"/db-primary-1?by=ana", "", &gone)
		if gone.Override.ID != "db-primary-1" || gone.Override.With != "cy" {
			t.Errorf("%+v", gone)
		}
		w.pass(5 * time.Hour)
		w.want(200, "GET", overridesPath, "", &got)
		if len(got.Overrides) != 1 || got.Overrides[0].ID != "db-primary-2" {
			t.Errorf("still to come are %+v", got)
		}
		w.want(200, "GET", overridesPath+"?past=true", "", &got)
		if len(got.Overrides) != 2 {
			t.Errorf("in all there are %+v", got)
		}
		if e := w.refused(400, "GET", overridesPath+"?past=maybe", ""); e.Field != "past" {
			t.Errorf("%+v", e)
		}
		w.refused(404, "GET", own+"schedules/nope/overrides", "")
		if e := w.refused(400, "POST", overridesPath, `{"by":"ana","take":"cy","from":"1999-12-31T06:00:00Z","to":"2000-01-01T05:00:00Z"}`); e.Field != "to" || !strings.Contains(e.Message, "ended at 2000-01-01 05:00 UTC") {
			t.Errorf("%+v", e)
		}
	})
}

// withFileOverride reloads with an override in the file.
func (w *world) withFileOverride() {
	w.Helper()
	cfg := *w.engine.Config()
	spec := cfg.Schedules["db-primary"].Spec()
	from, to := civil(w.T, "2000-01-01 03:00"), civil(w.T, "2000-01-01 04:00")
	spec.Overrides = []oncall.Override{{Kind: oncall.Add, User: "cy", From: from, To: to}}
	s, err := oncall.New(spec)
	if err != nil {
		w.Fatal(err)
	}
	cfg.Schedules = map[string]*oncall.Schedule{"db-primary": s}
	if err := w.engine.Do(w.Context(), engine.Reload{Config: &cfg}).Err; err != nil {
		w.Fatal(err)
	}
}

func TestAnOverrideIsAnsweredWithWhatToThinkOfAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var made Overridden
		w.want(201, "POST", own+"users/cy/absences", `{"by":"cy","from":"2000-01-01T00:00:00Z","to":"2000-01-02T00:00:00Z","reason":"skiing"}`, nil)
		w.want(201, "POST", overridesPath, `{"by":"ana","replace":"bo","with":"ana","from":"2000-01-01T06:00:00Z","to":"2000-01-01T12:00:00Z"}`, &made)
		if len(made.Warnings) != 1 || !strings.Contains(made.Warnings[0], "changes nothing: bo is not on call then") {
			t.Errorf("%q", made.Warnings)
		}
		w.want(201, "POST", overridesPath, `{"by":"ana","take":"cy","from":"2000-01-01T06:00:00Z","to":"2000-01-01T12:00:00Z"}`, &made)
		if len(made.Warnings) != 2 || !strings.Contains(made.Warnings[0], "overlaps db-primary-2") || !strings.Contains(made.Warnings[1], "cy is unavailable from Sat 2000-01-01 06:00 to Sat 2000-01-01 12:00 UTC (skiing)") {
			t.Errorf("%q", made.Warnings)
		}
	})
}

func TestThePastIsAnsweredFromTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(2 * time.Hour)
		w.want(201, "POST", overridesPath, `{"by":"ana","take":"cy","from":"2000-01-01T00:00:00Z","to":"2000-01-01T06:00:00Z"}`, nil)
		w.pass(2 * time.Hour)
		w.want(200, "DELETE", overridesPath+"/db-primary-1?by=ana", "", nil)
		w.pass(time.Hour)
		at := func(instant string) Duty {
			var got OnCall
			w.want(200, "GET", own+"oncall?at="+instant, "", &got)
			return got.OnCall[0]
		}
		for instant, want := range map[string]string{
			"2000-01-01T01:00:00Z": "ana true", "2000-01-01T03:00:00Z": "cy true", "2000-01-01T04:30:00Z": "ana true",
			"1999-12-31T23:00:00Z": "ana false", "2000-01-01T04:59:59Z": "ana true", "2000-01-01T05:30:00Z": "ana", "2000-01-04T00:00:00Z": "bo",
		} {
			duty := at(instant)
			got := strings.Join(duty.Users, " ")
			if duty.Recorded != nil {
				got += fmt.Sprint(" ", *duty.Recorded)
			}
			if got != want {
				t.Errorf("at %s: %s, want %s", instant, got, want)
			}
		}
		if u := at("2000-01-01T01:00:00Z").Until; !u.Equal(jan(1, 2)) {
			t.Errorf("ana was on call until %s", u)
		}
		var got Shifts
		w.want(200, "GET", own+"schedules/db-primary/shifts?from=1999-12-31T00:00:00Z&to=2000-01-04T00:00:00Z", "", &got)
		shift := func(from, to time.Time, who, layer string) oncall.Shift {
			return oncall.Shift{Start: from, End: to, Users: []string{who}, Layers: []string{layer}}
		}
		want := []oncall.Shift{
			shift(jan(0, 0), jan(1, 2), "ana", "weekly"), shift(jan(1, 2), jan(1, 4), "cy", "override"),
			shift(jan(1, 4), jan(3, 9), "ana", "weekly"), shift(jan(3, 9), jan(4, 0), "bo", "weekly"),
		}
		if !reflect.DeepEqual(got.Shifts, want) || !got.RecordedFrom.Equal(jan(1, 0)) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		w.want(200, "GET", own+"schedules/db-primary/shifts?from=2000-01-02T00:00:00Z&to=2000-01-04T00:00:00Z", "", &got)
		if !got.RecordedFrom.IsZero() {
			t.Errorf("what is to come is recorded from %s on", got.RecordedFrom)
		}
	})
}

func TestASwapFromAskingToAccepting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		const ask = `{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","from":"2000-01-01 09:00","to":"2000-01-02 09:00","for_from":"2000-01-04T09:00:00Z","for_to":"2000-01-05T09:00:00Z"}`
		var got Swap
		w.want(201, "POST", own+"swaps", ask, &got)
		want := Swap{
			ID: "SWAP-1", Schedule: "db-primary", User: "ana", With: "bo", From: jan(1, 9), To: jan(2, 9), ForFrom: jan(4, 9), ForTo: jan(5, 9),
			Gives: []oncall.Stretch{{Start: jan(1, 9), End: jan(2, 9)}}, Takes: []oncall.Stretch{{Start: jan(4, 9), End: jan(5, 9)}},
			State: "open", CreatedBy: "ana", CreatedAt: jan(1, 0),
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if e := w.refused(409, "POST", own+"swaps/SWAP-1/accept", `{"by":"ana"}`); e.Field != "by" || !strings.Contains(e.Message, "bo is the one who was asked") {
			t.Errorf("%+v", e)
		}
		w.refused(409, "POST", own+"swaps/SWAP-1/cancel", `{"by":"bo"}`)
		w.refused(404, "POST", own+"swaps/SWAP-2/accept", `{"by":"bo"}`)
		if e := w.refused(400, "POST", own+"swaps/SWAP-1/accept", `{}`); e.Field != "by" {
			t.Errorf("%+v", e)
		}
		w.want(200, "POST", own+"swaps/SWAP-1/accept", `{"by":"bo"}`, &got)
		if got.State != "accepted" || got.ClosedBy != "bo" || !slices.Equal(got.Overrides, []string{"db-primary-1", "db-primary-2"}) {
			t.Errorf("%+v", got)
		}
		var overrides StandingOverrides
		w.want(200, "GET", overridesPath, "", &overrides)
		if len(overrides.Overrides) != 2 || overrides.Overrides[0].Swap != "SWAP-1" || overrides.Overrides[1].With != "ana" {
			t.Errorf("%+v", overrides)
		}
		w.refused(409, "POST", own+"swaps/swap-1/decline", `{"by":"bo"}`)
		w.want(201, "POST", own+"swaps", `{"by":"eva","schedule":"db-primary","user":"bo","with":"cy","from":"2000-01-06 09:00","to":"2000-01-07 09:00"}`, &got)
		for query, want := range map[string]string{
			"": "SWAP-2 SWAP-1", "?state=open": "SWAP-2", "?state=accepted,expired": "SWAP-1", "?user=cy": "SWAP-2", "?user=bo": "SWAP-2 SWAP-1", "?schedule=other": "",
		} {
			var list Swaps
			w.want(200, "GET", own+"swaps"+query, "", &list)
			var ids []string
			for _, s := range list.Swaps {
				ids = append(ids, s.ID)
			}
			if strings.Join(ids, " ") != want {
				t.Errorf("%s: %v, want %s", query, ids, want)
			}
		}
		if e := w.refused(400, "GET", own+"swaps?state=eaten", ""); e.Field != "state" {
			t.Errorf("%+v", e)
		}
		w.want(200, "POST", own+"swaps/SWAP-2/cancel", `{"by":"bo"}`, nil)
	})
}

func TestWhatIsWrongWithASwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, c := range []struct{ body, field, message string }{
			{`{}`, "by", "who you are"},
			{`{"by":"ana","schedule":"db-primry"}`, "schedule", `did you mean "db-primary"?`},
			{`{"by":"ana","schedule":"db-primary","user":"anna"}`, "user", "no user"},
			{`{"by":"ana","schedule":"db-primary","user":"ana","with":"boo"}`, "with", `did you mean "bo"?`},
			{`{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","from":"noon"}`, "from", "from and to are both instants"},
			{`{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","from":"2000-01-01 09:00","to":"2000-01-02 09:00","for_from":"2000-01-01 09:00"}`, "for_to", "for_from and for_to are both"},
			{`{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","from":"2000-01-01 09:00","to":"2000-01-01 09:00"}`, "to", "not after it starts"},
			{`{"by":"ana","schedule":"db-primary","user":"bo","with":"ana","from":"2000-01-01 09:00","to":"2000-01-01 19:00"}`, "from", "bo is not on call in db-primary"},
			{`{"by":"ana","schedule":"db-primary","user":"ana","wiht":"bo"}`, "wiht", `did you mean "with"?`},
		} {
			if e := w.refused(400, "POST", own+"swaps", c.body); e.Field != c.field || !strings.Contains(e.Message, c.message) {
				t.Errorf("%s: %+v", c.body, e)
			}
		}
	})
}

func TestAbsencesAndWhoStandsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var made Absence
		// Ana reads times in Lisbon, which has UTC's in winter.
		w.want(201, "POST", own+"users/ana/absences", `{"by":"bo","from":"2000-01-02 12:00","to":"2000-01-10 12:00","reason":"ill"}`, &made)
		want := Absence{
			ID: "ana-1", User: "ana", From: jan(2, 12), To: jan(10, 12), Reason: "ill", CreatedBy: "bo", CreatedAt: jan(1, 0),
			Conflicts: []Conflict{
				{Schedule: "db-primary", User: "ana", Start: jan(2, 12), End: jan(3, 9), Reason: "ill", Substitute: "bo"},
				{Schedule: "db-primary", User: "ana", Start: jan(10, 9), End: jan(10, 12), Reason: "ill", Substitute: "bo"},
			},
		}
		if !reflect.DeepEqual(made, want) {
			t.Errorf("got %+v\nwant %+v", made, want)
		}
		var conflicts Conflicts
		w.want(200, "GET", own+"schedules/db-primary/conflicts?from=1999-12-01T00:00:00Z&to=2000-01-05T00:00:00Z", "", &conflicts)
		if !reflect.DeepEqual(conflicts.Conflicts, want.Conflicts[:1]) {
			t.Errorf("%+v", conflicts)
		}
		var now OnCall
		w.want(200, "GET", own+"oncall", "", &now)
		if got := now.OnCall[0].Unavailable; !reflect.DeepEqual(got, want.Conflicts[:1]) {
			t.Errorf("%+v", now)
		}
		w.want(200, "GET", own+"oncall?at=2000-01-04T00:00:00Z", "", &now)
		if got := now.OnCall[0]; got.Unavailable != nil || got.Users[0] != "bo" {
			t.Errorf("it is bo's week: %+v", now)
		}
		w.want(201, "POST", own+"users/cy/absences", `{"by":"cy","from":"2000-01-01T00:00:00Z","to":"2000-01-01T01:00:00Z"}`, &made)
		if made.Conflicts != nil {
			t.Errorf("%+v", made)
		}
		w.pass(2 * time.Hour)
		count := func(path string) (n int) {
			var list Absences
			w.want(200, "GET", own+path, "", &list)
			return len(list.Absences)
		}
		if a, b, c, d := count("absences"), count("absences?past=true"), count("users/cy/absences"), count("users/cy/absences?past=true"); a != 1 || b != 2 || c != 0 || d != 1 {
			t.Errorf("%d, %d, %d and %d absences", a, b, c, d)
		}
		w.want(200, "DELETE", own+"users/ana/absences/ana-1?by=ana", "", nil)
		w.want(200, "GET", own+"oncall", "", &now)
		if now.OnCall[0].Unavailable != nil {
			t.Errorf("%+v", now)
		}
		w.refused(404, "DELETE", own+"users/ana/absences/ana-1?by=ana", "")
		w.refused(404, "GET", own+"users/nemo/absences", "")
		w.refused(404, "POST", own+"users/nemo/absences", `{}`)
		w.refused(404, "GET", own+"schedules/nope/conflicts", "")
		for body, field := range map[string]string{
			`{}`: "by", `{"by":"ana"}`: "to", `{"by":"ana","from":"2000-01-02 12:00"}`: "to", `{"by":"ana","to":"1999-12-31T00:00:00Z"}`: "to", `{"by":"ana","for":"2h"}`: "for",
			`{"by":"ana","from":"2000-01-02 12:00","to":"2000-01-02 12:00"}`: "to", `{"by":"ana","from":"1999-01-02 12:00","to":"1999-01-03 12:00"}`: "to",
		} {
			if e := w.refused(400, "POST", own+"users/ana/absences", body); e.Field != field {
				t.Errorf("%s: %+v", body, e)
			}
		}
	})
}

// TestWhatBeginsNow needs no beginning: whoever is ill now says until when.
func TestWhatBeginsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(90 * time.Second)
		var made Overridden
		w.want(201, "POST", overridesPath, `{"by":"ana","take":"cy","to":"2000-01-01 06:00"}`, &made)
		if o := made.Override; o.From != "2000-01-01T00:01:00Z" || o.To != "2000-01-01T06:00:00Z" || !o.EndsAt.Equal(time.Date(2000, 1, 1, 6, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", o)
		}
		w.want(201, "POST", overridesPath, `{"by":"ana","add":"bo","to":"2000-01-01T06:00:00Z"}`, &made)
		if made.Override.To != "2000-01-01T06:00:00Z" {
			t.Errorf("%+v", made.Override)
		}
		var now OnCall
		w.want(200, "GET", own+"oncall", "", &now)
		if got := strings.Join(now.OnCall[0].Users, " "); got != "bo cy" {
			t.Errorf("%s is on call", got)
		}
		var away Absence
		w.want(201, "POST", own+"users/ana/absences", `{"by":"ana","to":"2000-01-02 00:00"}`, &away)
		if !away.From.Equal(time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)) {
			t.Errorf("%+v", away)
		}
		w.refused(400, "POST", overridesPath, `{"by":"ana","take":"cy","to":"noon"}`)
		w.refused(400, "POST", own+"swaps", `{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","to":"2000-01-01 06:00"}`)
	})
}

// TestChangesOnAFullDisk are done, and say that a restart would forget them.
func TestChangesOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.store.full.Store(true)
		var swap Swap
		w.want(202, "POST", own+"swaps", `{"by":"ana","schedule":"db-primary","user":"ana","with":"bo","from":"2000-01-01 09:00","to":"2000-01-02 09:00"}`, &swap)
		var absence Absence
		w.want(202, "POST", own+"users/cy/absences", `{"by":"cy","from":"2000-01-01T00:00:00Z","to":"2000-01-02T01:00:00Z"}`, &absence)
		var override Overridden
		w.want(202, "POST", overridesPath, `{"by":"ana","take":"bo","from":"2000-01-01 00:00","to":"2000-01-05 07:00"}`, &override)
		if swap.ID != "SWAP-1" || swap.Warning == "" || absence.ID != "cy-1" || absence.Warning == "" || override.Override.ID != "db-primary-2" || override.Warning == "" {
			t.Errorf("%+v\n%+v\n%+v", swap, absence, override)
		}
		w.pass(time.Hour)
		var got OnCall
		w.want(200, "GET", own+"oncall?at=2000-01-01T00:30:00Z", "", &got)
		if d := got.OnCall[0]; !*d.Recorded || d.Users[0] != "bo" {
			t.Errorf("the record is not read from memory: %+v", d)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}
