//go:build unix

package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/slo"
	"github.com/midwatch/midwatch/store/bolt"
)

// Budgets of a large house: as many SLOs as a file may have, each with a month of an alert that comes and goes.
const (
	manyBudgets   = 10_000
	manyIntervals = 1000
)

// spendthrift is a house with so many SLOs.
func spendthrift(t testing.TB, n int) *Config {
	return house(func(cfg *Config) {
		for i := range n {
			o, err := slo.New(slo.Spec{Name: fmt.Sprintf("slo-%05d", i), Objective: "99.9", Window: 30 * day, ClearFor: slo.DefaultClearFor, ReopenWindow: slo.DefaultReopenWindow})
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("Down%05d", i)
			cfg.SLOs = append(cfg.SLOs, SLO{Objective: o, Policy: "two", Alert: name, Match: func(ls router.Labels) bool { return ls.Get("alertname") == name }})
		}
	})
}

// aMonth is a budget with so many firing intervals up to now, of twenty alerts, as Prometheus tells of them.
func aMonth(t testing.TB, o *slo.Objective, now time.Time, intervals int) slo.Budget {
	step := 30 * day / time.Duration(intervals)
	var all slo.All
	for i := range intervals {
		start := now.Add(-time.Duration(intervals-i) * step).Truncate(time.Millisecond)
		end := start.Add(time.Second) // together less than half of the budget
		all = append(all, slo.Resolved{Alert: fmt.Sprintf("%016x", 0x9e3779b97f4a7c15*uint64(i%20+1)), StartsAt: start, EndsAt: end, Received: end.Add(1_234_567 * time.Nanosecond)})
	}
	b, _ := slo.Budget{}.Step(all, now, o)
	if b.Spans.Len() < intervals-2 {
		t.Fatalf("%d intervals are remembered, want %d", b.Spans.Len(), intervals)
	}
	return b
}

// keepMonths writes the record of such a budget for each SLO, and closes the store.
func keepMonths(t testing.TB, path string, cfg *Config, now time.Time, intervals int) {
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var months []slo.Budget // some that differ: to make each its own would take longer than all the rest
	for i := range 8 {
		months = append(months, aMonth(t, cfg.SLOs[0].Objective, now.Add(-time.Duration(i)*time.Minute), intervals))
	}
	var units []unit
	for i := range cfg.SLOs {
		name := cfg.SLOs[i].Objective.Name()
		var u unit
		u.put(prefSLO+accountKey(name, "{}"), encode("slo", accountRecord{SLO: name, By: "{}", Budget: months[i%len(months)]}))
		units = append(units, u)
	}
	for _, b := range batches(units) {
		if err := s.Commit(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRestartOfBudgets is a start of the engine on a real store with 10,000 budgets of 1,000 intervals each, until it
// is ready: the file is opened and checked, read, and the first turn is on disk.
func BenchmarkRestartOfBudgets(b *testing.B) {
	cfg := spendthrift(b, manyBudgets)
	path := filepath.Join(b.TempDir(), "midwatch.db")
	now := time.Now()
	keepMonths(b, path, cfg, now, manyIntervals)
	runtime.GC()
	ctx := context.Background()
	for b.Loop() {
		worked := processorTime(b)
		var parts [3]time.Duration
		at := time.Now()
		lap := func(i int) { parts[i], at = time.Since(at), time.Now() }
		s, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		lap(0)
		e, err := Start(ctx, Options{Store: s, Config: cfg, Sender: deafSender{}})
		if err != nil {
			b.Fatal(err)
		}
		lap(1)
		if _, err := e.Step(e.inherited); err != nil {
			b.Fatal(err)
		}
		lap(2)
		b.StopTimer()
		b.ReportMetric((processorTime(b) - worked).Seconds(), "cpu-s")
		if got := len(e.core.ledger.accounts); got != manyBudgets || len(e.problems) > 0 {
			b.Fatalf("%d budgets were read, with %d problems", got, len(e.problems))
		}
		for i, unit := range []string{"open-s", "read-s", "turn-s"} {
			b.ReportMetric(parts[i].Seconds(), unit)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		runtime.GC() // a start finds no gigabyte of an earlier life
		b.StartTimer()
	}
}

// processorTime is what this process has used of the processors, which tells more than the clock where others use them too.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A deafSender sends nothing.
type deafSender struct{}

func (deafSender) Send(Send, func(Verdict)) {}
func (deafSender) Cancel(string) bool       { return false }
