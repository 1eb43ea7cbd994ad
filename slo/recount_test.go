package slo

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// search is an objective of counts: 1% may be bad, so 14.4 is reached where 14.4% are.
var search = Spec{
	Name: "search", Objective: "99", Window: 30 * 24 * time.Hour, Source: FromRatio,
	Thresholds: []Threshold{{Name: "fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"}},
	ClearFor:   DefaultClearFor, ReopenWindow: DefaultReopenWindow,
}

// hourly is 100 events in each minute from 11:00 on, of which some are bad between 12:00 and 12:20.
func hourly(bad uint64) (counts []Counted) {
	for m := at("11:00"); m.Before(at("14:00")); m = m.Add(time.Minute) {
		c := Counted{Minute: m, Total: 100}
		if !m.Before(at("12:00")) && m.Before(at("12:20")) {
			c.Bad = bad
		}
		counts = append(counts, c)
	}
	return counts
}

func TestReplayCounts(t *testing.T) {
	o := objective(t, search)
	r, err := ReplayCounts(o, hourly(90), []time.Time{at("12:10")})
	if err != nil {
		t.Fatal(err)
	}
	// After 10 minutes 900 of 6,000 events of the hour are bad, 15%; after 9 it is 13.5%. In the five minutes to 12:24 one
	// minute of five is bad, 18%; in those to 12:25 none is.
	if got := r.At[0].Burn["1h"]; got != 15 {
		t.Errorf("burn over 1h is %v, want 15", got)
	}
	want := []Time{{at("12:10"), at("12:25")}}
	if got := r.Thresholds[0].Active; !slices.Equal(got, want) {
		t.Errorf("active %v, want %v", got, want)
	}
	if len(r.Incidents) != 1 || !r.Incidents[0].Opened.Equal(at("12:10")) || !r.Incidents[0].Resolved.Equal(at("12:30")) {
		t.Errorf("incidents %+v, want one from 12:10 to 12:30", r.Incidents)
	}
	// In any order, and with a minute said twice, it is the same.
	other := hourly(90)
	slices.Reverse(other)
	other = append([]Counted{{Minute: at("12:00"), Bad: 1, Total: 1}}, other...)
	again, err := ReplayCounts(o, other, nil)
	if err != nil || len(again.Incidents) != 1 || !again.Incidents[0].Opened.Equal(r.Incidents[0].Opened) {
		t.Errorf("in another order: %+v, %v", again, err)
	}
}

func TestReplayCountsOfNothing(t *testing.T) {
	r, err := ReplayCounts(objective(t, search), nil, nil)
	if err != nil || len(r.Incidents) != 0 || len(r.Thresholds) != 1 || len(r.Thresholds[0].Active) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReplayCountsRefuses(t *testing.T) {
	for _, c := range []struct {
		spec   Spec
		counts []Counted
		want   string
	}{
		{checkout, nil, "counts no events"},
		{search, make([]Counted, MaxCounts+1), "are more than 129600"},
		{search, []Counted{{}}, "not between the years 1900 and 2100"},
		{search, []Counted{{Minute: noon, Total: MaxCount + 1}}, "minute 1: more than"},
	} {
		if _, err := ReplayCounts(objective(t, c.spec), c.counts, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// A month of one minute after the other is replayed while somebody waits for it.
func BenchmarkReplayCounts(b *testing.B) {
	o := objective(b, Spec{Name: "search", Objective: "99", Window: 30 * 24 * time.Hour, Source: FromRatio, ClearFor: DefaultClearFor, ReopenWindow: DefaultReopenWindow})
	var counts []Counted
	for i := range 30 * 24 * 60 {
		counts = append(counts, Counted{Minute: noon.Add(time.Duration(i) * time.Minute), Bad: uint64(i % 3), Total: 100})
	}
	for b.Loop() {
		if _, err := ReplayCounts(o, counts, nil); err != nil {
			b.Fatal(err)
		}
	}
}
