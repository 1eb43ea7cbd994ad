package engine

import (
	"fmt"
	"testing"

	"github.com/midwatch/midwatch/router"
)

// BenchmarkSurvey looks for the alerts of 20 heartbeats among 100,000: what a Prometheus that falls silent costs, once.
func BenchmarkSurvey(b *testing.B) {
	c := New(hearing(manyListeners(20)...), 1)
	c.useHeartbeats()
	for i := range 100_000 {
		c.router.Alerts().Load(&router.Alert{Labels: set("alertname", fmt.Sprintf("A%d", i%500), "instance", fmt.Sprint(i)), StartsAt: night, UpdatedAt: night})
	}
	b.ReportAllocs()
	for b.Loop() {
		c.now = c.now.Add(1)
		c.survey()
	}
}

// BenchmarkNewAlertIsNoBeat is what heartbeats cost each alert that is new and nobody's beat.
func BenchmarkNewAlertIsNoBeat(b *testing.B) {
	c := New(hearing(manyListeners(200)...), 1)
	c.useHeartbeats()
	e := router.Stored{Alert: &router.Alert{Labels: set("alertname", "Lag", "instance", "a"), StartsAt: night}, Change: router.FirstSeen}
	b.ReportAllocs()
	for b.Loop() {
		c.hearkens(e)
	}
}

func manyListeners(n int) (list []Heartbeat) {
	for i := range n {
		list = append(list, listening(fmt.Sprintf("prom-%d", i), fmt.Sprint(i)))
	}
	return list
}
