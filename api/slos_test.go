package api

import (
	"math/big"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhenABudgetRunsOut: at the present rate, from what is left; never, where it lasts for its window or is gone.
func TestWhenABudgetRunsOut(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		left, burn *big.Rat
		want       time.Time
	}{
		{big.NewRat(1, 2), big.NewRat(10, 1), now.Add(36 * time.Hour)},
		{big.NewRat(1, 1), big.NewRat(1, 1), time.Time{}},
		{big.NewRat(-1, 10), big.NewRat(10, 1), time.Time{}},
		{big.NewRat(1, 2), new(big.Rat), time.Time{}},
	} {
		if got := runsOut(c.left, c.burn, 30*24*time.Hour, now); !got.Equal(c.want) {
			t.Errorf("%s left at %s: %s, want %s", c.left, c.burn, got, c.want)
		}
	}
}

func TestThereAreNoSLOs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var got SLOs
		w.want(200, "GET", own+"slos", "", &got)
		if got.SLOs == nil || len(got.SLOs) > 0 {
			t.Errorf("%+v", got)
		}
		var none Corrections
		w.want(200, "GET", own+"slos/checkout/corrections", "", &none)
		if e := w.refused(400, "POST", own+"slos/checkout/corrections", `{"by":"ana","from":"2000-01-01T00:00:00Z","to":"2000-01-01T01:00:00Z","reason":"x"}`); e.Field != "slo" {
			t.Errorf("%+v", e)
		}
		w.refused(404, "DELETE", own+"slos/checkout/corrections/CORR-1?by=ana", "")
	})
}
