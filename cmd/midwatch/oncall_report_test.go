package main

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/oncall"
)

var reportZones = []string{
	"Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "Asia/Beirut", "Antarctica/Troll", "Africa/Casablanca", "UTC",
}

func drawZone(t *rapid.T, what string) *time.Location {
	zone, err := oncall.ParseZone(rapid.SampledFrom(reportZones).Draw(t, what))
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// drawMonth is a month in which clocks are often changed; December 2011 lacks a day in Apia.
func drawMonth(t *rapid.T) time.Time {
	month := rapid.SampledFrom([]time.Month{2, 3, 4, 9, 10, 11, 12}).Draw(t, "month")
	return time.Date(rapid.IntRange(2010, 2030).Draw(t, "year"), month, 1, 0, 0, 0, 0, time.UTC)
}

func drawKinds(t *rapid.T) kinds {
	k, err := kindsOf(
		rapid.SampledFrom([]string{"22:00-06:00", "none", "01:30-02:15", "00:00-08:00", "20:00-20:00"}).Draw(t, "night"),
		rapid.SampledFrom([]string{"sat-sun", "none", "fri 18:00-mon 06:00", "sun", "fri,sat", "sun 01:15-sun 02:45"}).Draw(t, "weekend"),
		rapid.SliceOfN(rapid.SampledFrom([]string{"2026-03-29", "2026-10-25", "2011-12-30,2011-12-31", "2026-11-01"}), 0, 3).Draw(t, "holidays"),
		time.Time{}, // only calendar files ask for the month
	)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func drawRotation(t *rapid.T, month time.Time) oncall.Rotation {
	start := oncall.WallTime(month.AddDate(0, -3, 0), time.UTC) + oncall.Civil(rapid.IntRange(0, 80*24*60).Draw(t, "start"))
	unit := rapid.SampledFrom([]oncall.Unit{oncall.Hour, oncall.Day, oncall.Week}).Draw(t, "unit")
	return oncall.Rotation{Turns: [][]string{{"ana"}, {"bo"}, {"cy"}}, Start: start, Every: oncall.Every{N: rapid.IntRange(1, 13).Draw(t, "every"), Unit: unit}}
}

// Somebody is on call at every instant, and nobody shares a turn: then all hours together are the month's.
func TestTheHoursOfAReportAreTheMonths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		month, zone := drawMonth(t), drawZone(t, "of the schedule")
		where := zone
		if rapid.Bool().Draw(t, "elsewhere") {
			where = drawZone(t, "of the report")
		}
		s, err := oncall.New(oncall.Spec{Name: "db", Zone: zone, Layers: []oncall.Layer{{Name: "l", Rotation: drawRotation(t, month)}}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := reportMonth(s, month, where, drawKinds(t))
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, u := range r.Users {
			if u.Total != u.Day+u.Night+u.Weekend+u.Holiday {
				t.Fatalf("%+v does not add up", u)
			}
			sum += u.Total
		}
		elapsed := midnight(month.AddDate(0, 1, 0), where).Sub(midnight(month, where))
		if sum != r.Elapsed || r.Elapsed != int64(elapsed.Seconds()) || r.Unassigned != (hoursSeconds{}) {
			t.Fatalf("%s: %d seconds of %d, %+v unassigned", r.Month, sum, r.Elapsed, r.Unassigned)
		}
	})
}

// With shared turns and gaps: each who shares a turn has all of it, and what is nobody's is the rest.
func TestSharedTurnsCountForEachAndGapsForNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		month, zone := drawMonth(t), drawZone(t, "zone")
		main, more := drawRotation(t, month), drawRotation(t, month)
		main.Turns = [][]string{{"ana", "bo"}, {oncall.Nobody}, {"cy"}}
		s, err := oncall.New(oncall.Spec{Name: "db", Zone: zone, Layers: []oncall.Layer{
			{Name: "main", Rotation: main},
			{Name: "more", Mode: oncall.ModeAdd, Rotation: more, Active: []oncall.Window{{From: 1300, To: 200}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := reportMonth(s, month, zone, drawKinds(t))
		if err != nil {
			t.Fatal(err)
		}
		got, want := r.Unassigned.Total, r.Elapsed
		for _, u := range r.Users {
			got += u.Total
		}
		for _, shift := range s.Shifts(r.From, r.To) {
			want += int64(len(shift.Users)-1) * int64(shift.End.Sub(shift.Start).Seconds())
		}
		if got != want {
			t.Fatalf("%s in %s: %d seconds, want %d", r.Month, zone, got, want)
		}
	})
}

// Minute by minute, night and weekend are what their windows say.
func TestNightAndWeekendAreTheirWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, k := drawZone(t, "zone"), drawKinds(t)
		of, err := k.in(zone)
		if err != nil {
			t.Fatal(err)
		}
		from := drawMonth(t).Add(time.Duration(rapid.IntRange(0, 40*24*60).Draw(t, "from")) * time.Minute)
		to := from.Add(time.Duration(rapid.IntRange(0, 3*24*60).Draw(t, "length")) * time.Minute)
		var want hours
		for at := from; at.Before(to); at = at.Add(time.Minute) {
			switch {
			case of.holiday != nil && of.holiday.Open(at):
				want.holiday += time.Minute
			case of.weekend != nil && of.weekend.Open(at):
				want.weekend += time.Minute
			case of.night != nil && of.night.Open(at):
				want.night += time.Minute
			default:
				want.day += time.Minute
			}
		}
		if got := of.split(from, to); got != want {
			t.Fatalf("from %v to %v: got %+v, want %+v", from, to, got, want)
		}
	})
}

func TestASpreadsheetTakesNoNameForAFormula(t *testing.T) {
	for name, want := range map[string]string{"ana": "ana", "-ana": "'-ana", "=1+1": "'=1+1", "": ""} {
		if got := inSpreadsheet(name); got != want {
			t.Errorf("%q is written %q, want %q", name, got, want)
		}
	}
}

func TestDecimalHours(t *testing.T) {
	for seconds, want := range map[int64]string{0: "0", 3600: "1", 900: "0.25", 36000: "10", 1200: "0.3333", 745 * 3600: "745"} {
		if got := decimalHours(seconds); got != want {
			t.Errorf("%d seconds are %q, want %q", seconds, got, want)
		}
	}
}
