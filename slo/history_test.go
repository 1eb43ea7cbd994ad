package slo

import (
	"slices"
	"testing"
	"time"
)

// What a Budget tells of its past is what a replay of the same intervals says, to the nanosecond.
func TestActivesAreThoseOfAReplay(t *testing.T) {
	spec := checkout
	spec.Thresholds = nil
	o := objective(t, spec)
	b, intervals := Budget{}, []Interval{}
	for i, x := range []struct{ from, to string }{{"12:00", "12:10"}, {"13:00:51.84", "13:01"}, {"15:00", "15:40"}, {"15:20", "15:30"}} {
		name := string(rune('a' + i))
		b, _ = b.Step(Resolved{Alert: name, StartsAt: at(x.from), EndsAt: at(x.to), Received: at(x.to)}, at(x.to), o)
		intervals = append(intervals, Interval{Start: at(x.from), End: at(x.to)})
	}
	want, err := Replay(o, intervals, nil)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Actives) bool {
		return a.Name == b.Name && slices.EqualFunc(a.Active, b.Active, func(x, y Time) bool { return x.From.Equal(y.From) && x.To.Equal(y.To) })
	}
	got := b.Actives(o, at("11:00"), at("+9d 12:00").Add(30*24*time.Hour))
	if !slices.EqualFunc(got, want.Thresholds, same) {
		t.Errorf("got\n%v\nwant\n%v", got, want.Thresholds)
	}
	// Cut to what is asked for, also in the midst of one.
	cut := b.Actives(o, at("15:15"), at("15:20"))
	for _, a := range cut {
		if len(a.Active) != 1 || !a.Active[0].From.Equal(at("15:15")) || !a.Active[0].To.Equal(at("15:20")) {
			t.Errorf("%s is active in %v", a.Name, a.Active)
		}
	}
	if got := b.Actives(o, at("12:00"), at("12:00")); len(got) != 0 {
		t.Errorf("of no time: %v", got)
	}
	levels := objective(t, Spec{Name: "sloth", Source: FromBurnRates})
	if got := (Budget{}).Actives(levels, at("12:00"), at("13:00")); len(got) != 0 {
		t.Errorf("of alerts that are burn-rate alerts: %v", got)
	}
}

// Counts are looked at in steps, each a minute here.
func TestActivesOfCounts(t *testing.T) {
	spec := checkoutRatio()
	spec.Thresholds = []Threshold{{Name: "page-fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"}}
	o := objective(t, spec)
	var b Budget
	var reached, over time.Time
	now := noon
	for i := range 300 {
		bad := uint64(0)
		if 60 <= i && i < 100 {
			bad = 500
		}
		b, _ = b.Step(Counted{Minute: now, Bad: bad, Total: 1000}, now.Add(time.Minute), o)
		now = now.Add(time.Minute)
		switch active := len(b.Active(o, now)) > 0; {
		case active && reached.IsZero():
			reached = now
		case !active && !reached.IsZero() && over.IsZero():
			over = now
		}
	}
	got := b.Actives(o, noon, now)
	if len(got) != 1 || len(got[0].Active) != 1 {
		t.Fatalf("got %v", got)
	}
	if x := got[0].Active[0]; x.From.Sub(reached).Abs() > time.Minute || x.To.Sub(over).Abs() > time.Minute {
		t.Errorf("active from %s to %s, want %s to %s", x.From, x.To, reached, over)
	}
}
