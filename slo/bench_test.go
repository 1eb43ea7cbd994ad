package slo

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// month is a Budget with n firing intervals over 30 days, of so many alerts, each in the way that Prometheus tells of
// them: starts and ends at milliseconds, received some nanoseconds later.
func month(t testing.TB, o *Objective, n, alerts int) (Budget, time.Time) {
	var b Budget
	step := 30 * 24 * time.Hour / time.Duration(n)
	start := noon
	var all All
	for i := range n {
		alert := fmt.Sprintf("%016x", 0x9e3779b97f4a7c15*uint64(i%alerts+1))
		end := start.Add(min(time.Second, step/3)) // together less than half of the budget
		all = append(all, Resolved{Alert: alert, StartsAt: start, EndsAt: end, Received: end.Add(1_234_567 * time.Nanosecond)})
		start = start.Add(step)
	}
	b, _ = b.Step(all, start, o)
	if b.Spans.Len() < n-1 {
		t.Fatalf("%d spans, want %d", b.Spans.Len(), n)
	}
	return b, start
}

// BenchmarkUpdate is one alert that begins to fire, with so many intervals in the window. Each update also forgets one.
func BenchmarkUpdate(b *testing.B) {
	o := objective(b, checkout)
	for _, n := range []int{10, 100, 1000, MaxSpans - 1} {
		for _, alerts := range []int{20, n} {
			b.Run(fmt.Sprintf("%d intervals of %d alerts", n, alerts), func(b *testing.B) {
				budget, now := month(b, o, n, alerts)
				b.ReportAllocs()
				for b.Loop() {
					next, _ := budget.Step(Fired{Alert: "4bf5122f344554c5", StartsAt: now, Received: now}, now, o)
					if next.Due().IsZero() {
						b.Fatal("never due")
					}
				}
			})
		}
	}
}

// BenchmarkResolve is the same alert that ends.
func BenchmarkResolve(b *testing.B) {
	o := objective(b, checkout)
	budget, now := month(b, o, 1000, 20)
	budget, _ = budget.Step(Fired{Alert: "4bf5122f344554c5", StartsAt: now, Received: now}, now, o)
	end := now.Add(10 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		budget.Step(Resolved{Alert: "4bf5122f344554c5", StartsAt: now, EndsAt: end, Received: end}, end, o)
	}
}

// BenchmarkRestart reads 10,000 Budgets of 1,000 intervals each back, and makes each ready.
func BenchmarkRestart(b *testing.B) {
	o := objective(b, checkout)
	for _, alerts := range []int{20, 1000} {
		budget, now := month(b, o, 1000, alerts)
		data, err := json.Marshal(budget)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("1,000 intervals of %d alerts", alerts), func(b *testing.B) {
			b.ReportMetric(float64(len(data))/1000, "B/interval")
			for b.Loop() {
				kept := make([]Budget, 10_000)
				for i := range kept {
					if err := json.Unmarshal(data, &kept[i]); err != nil {
						b.Fatal(err)
					}
					kept[i].Step(Tick{}, now, o)
				}
				runtime.KeepAlive(kept)
			}
		})
	}
}

func BenchmarkStore(b *testing.B) {
	o := objective(b, checkout)
	budget, _ := month(b, o, 1000, 20)
	for b.Loop() {
		if _, err := json.Marshal(budget); err != nil {
			b.Fatal(err)
		}
	}
}

// memory is how much each of n intervals takes in a Budget that was read back and is ready.
func memory(t testing.TB, n, alerts int) float64 {
	o := objective(t, checkout)
	const budgets = 20
	one, now := month(t, o, n, alerts)
	data, err := json.Marshal(one)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	kept := make([]Budget, budgets)
	for i := range kept {
		if err := json.Unmarshal(data, &kept[i]); err != nil {
			t.Fatal(err)
		}
		kept[i], _ = kept[i].Step(Reloaded{}, now, o)
	}
	after := heap()
	runtime.KeepAlive(kept)
	return float64(after-before) / budgets / float64(n)
}

func TestAnIntervalTakesLessThan200Bytes(t *testing.T) {
	for _, alerts := range []int{20, 1000} {
		if got := memory(t, 1000, alerts); got > 200 {
			t.Errorf("of %d alerts: %.0f bytes an interval, want less than 200", alerts, got)
		} else {
			t.Logf("of %d alerts: %.0f bytes an interval", alerts, got)
		}
	}
}
