package slo_test

import (
	"fmt"
	"time"

	"github.com/midwatch/midwatch/slo"
)

// An alert fires for ten minutes. Nobody asks in between: the Budget says when it wants to be woken.
func Example() {
	o, err := slo.New(slo.Spec{
		Name: "checkout-availability", Objective: "99.9", Window: 30 * 24 * time.Hour,
		ClearFor: slo.DefaultClearFor, ReopenWindow: slo.DefaultReopenWindow,
		Thresholds: []slo.Threshold{
			{Name: "page-fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"},
			{Name: "budget-tenth", BudgetConsumed: "10%", Severity: "sev4"},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	end := noon.Add(10 * time.Minute)
	heard := []struct {
		at time.Time
		in slo.Input
	}{
		{noon, slo.Fired{Alert: "4bf5122f344554c5", StartsAt: noon}},
		{end, slo.Resolved{Alert: "4bf5122f344554c5", StartsAt: noon, EndsAt: end}},
	}
	var b slo.Budget
	for len(heard) > 0 || !b.Due().IsZero() {
		var in slo.Input = slo.Tick{}
		now := b.Due()
		if len(heard) > 0 && (now.IsZero() || !now.Before(heard[0].at)) {
			now, in = heard[0].at, heard[0].in
			heard = heard[1:]
		}
		var effects []slo.Effect
		b, effects = b.Step(in, now, o)
		for _, e := range effects {
			switch e := e.(type) {
			case slo.Opened:
				fmt.Println(e.At.Format("15:04:05.00"), "page:", e.Reason)
			case slo.Cleared:
				fmt.Println(e.At.Format("15:04:05.00"), "clear:", e.Reason)
			case slo.Crossed:
				fmt.Println(e.At.Format("15:04:05.00"), "ticket:", e.Reason)
			case slo.Rearmed:
				fmt.Println(e.At.Format("2 January"), "re-armed:", e.Reason)
			}
		}
	}
	// Output:
	// 12:00:51.84 page: the error budget burns at 14.4 times its rate or more: 51.84s of the last 1h and 51.84s of the last 5m were bad
	// 12:04:19.20 ticket: 10% of the error budget is consumed: 10%
	// 12:19:55.68 clear: no threshold was active for 5m
	// 22 December re-armed: what is consumed of the error budget fell 5 points below 10%
}
