package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// Gaps of the past are those that were recorded, whatever the schedule says by now.
func TestGapsThatWere(t *testing.T) {
	w := newWorld(t, rota(24, oncall.Nobody, "eva"), 1)
	w.run(30 * time.Hour) // night is a turn of eva's
	w.overrule(oncall.Remove, "eva", "", 48*time.Hour, 50*time.Hour)
	w.run(60 * time.Hour)
	w.reload(rota(24, "ana")) // who never lets anybody be missing
	w.run(61 * time.Hour)
	gaps, ok, err := w.e.Gaps(ctx(), "weekly", night.Add(-time.Hour), night.Add(90*time.Hour))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	covered := map[string]bool{}
	shifts, _, _, err := w.e.Shifts(ctx(), "weekly", night, night.Add(90*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range gaps {
		got = append(got, fmt.Sprint(g.Start.Sub(night), " ", g.End.Sub(night), " ", g.Declared))
		covered[g.Start.String()] = true
	}
	want := []string{"24h0m0s 48h0m0s true", "48h0m0s 50h0m0s false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	// Shifts and gaps together are all of the time.
	var length time.Duration
	for _, s := range shifts {
		length += s.End.Sub(s.Start)
	}
	for _, g := range gaps {
		length += g.End.Sub(g.Start)
	}
	if length != 90*time.Hour {
		t.Errorf("%s of 90h are told of", length)
	}
	if _, ok, _ := w.e.Gaps(ctx(), "none", night, night.Add(time.Hour)); ok {
		t.Error("a schedule that is not there has gaps")
	}
}

// Turns of a round robin are counted as they are taken.
func TestTurnsAreTold(t *testing.T) {
	w := newWorld(t, house(), 1)
	if n := w.e.Turn("db", 1); n != 0 {
		t.Errorf("%d turns were taken", n)
	}
	w.e.core.turns["db/2"] = 3
	if n := w.e.Turn("db", 2); n != 3 {
		t.Errorf("%d turns were taken, want 3", n)
	}
}
