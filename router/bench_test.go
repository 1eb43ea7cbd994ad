package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// benchAlerts are alerts as Prometheus sends them: eight labels, three annotations, and groups of ten.
func benchAlerts(n int) []*Alert {
	alerts := make([]*Alert, n)
	for i := range alerts {
		alerts[i] = &Alert{
			Labels: MakeLabels([]Label{
				{"alertname", fmt.Sprintf("Alert%d", i%50)},
				{"cluster", fmt.Sprintf("cluster-%d", i/10)},
				{"instance", fmt.Sprintf("10.0.%d.%d:9100", i/256, i%256)},
				{"job", "node-exporter"},
				{"namespace", fmt.Sprintf("team-%d", i%20)},
				{"pod", fmt.Sprintf("app-%08x", i)},
				{"prometheus", "monitoring/k8s"},
				{"severity", "critical"},
			}),
			Annotations: MakeLabels([]Label{
				{"description", "The filesystem on this instance has less than 5% of its space left, and will be full within the hour."},
				{"runbook_url", "https://runbooks.example.org/node/filesystem"},
				{"summary", "Filesystem almost full"},
			}),
			StartsAt:     began,
			EndsAt:       began.Add(4 * time.Minute),
			GeneratorURL: "http://prometheus.example.org/graph?g0.expr=node_filesystem_avail_bytes",
		}
	}
	return alerts
}

func benchRouter(b *testing.B, groupBy ...model.LabelName) *Router {
	b.Helper()
	hour := model.Duration(time.Hour)
	root := &config.Route{Receiver: "db", GroupBy: groupBy, RepeatInterval: &hour}
	return New(Options{
		Root:      dispatch.NewRoute(root, nil),
		Receivers: map[string][]Integration{"db": {{"webhook", 0, true}}},
	})
}

func BenchmarkTouch(b *testing.B) {
	const n = 100_000
	r := benchRouter(b, "cluster")
	alerts := benchAlerts(n)
	r.Receive(benchAlerts(n), began)
	r.Committed()
	now := began.Add(time.Minute)
	for _, a := range alerts {
		a.EndsAt = now.Add(4 * time.Minute)
		r.Touch(a, now)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if !r.Touch(alerts[i%n], now) {
				b.Fatal("not touched")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				r.Touch(alerts[i%n], now)
			}
		})
	})
	b.Run("while read", func(b *testing.B) {
		stop := make(chan struct{})
		go func() {
			for {
				for range r.Alerts().All() {
					select {
					case <-stop:
						return
					default:
					}
				}
			}
		}()
		for i := 0; b.Loop(); i++ {
			r.Touch(alerts[i%n], now)
		}
		close(stop)
	})
}

func BenchmarkHash(b *testing.B) {
	l := benchAlerts(1)[0].Labels
	b.ReportAllocs()
	for b.Loop() {
		l.Hash()
	}
}

func BenchmarkReceiveNew(b *testing.B) {
	for _, c := range []struct {
		name string
		by   []model.LabelName
	}{{"groups of ten", []model.LabelName{"cluster"}}, {"one group", []model.LabelName{}}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			r := benchRouter(b, c.by...)
			batch := benchAlerts(b.N)
			b.ResetTimer()
			for i := 0; i < b.N; i += 64 {
				r.Receive(batch[i:min(i+64, b.N)], began)
				r.Committed()
			}
		})
	}
}

// One alert that joins a group of ten thousand must cost what it costs to join one of ten.
func BenchmarkJoin(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := benchRouter(b, []model.LabelName{}...)
			r.Receive(benchAlerts(size), began)
			a := benchAlerts(size + 1)[size]
			b.ReportAllocs()
			for b.Loop() {
				a.EndsAt = began.Add(time.Hour)
				r.Receive([]*Alert{a}, began)
				e := r.table.lookup(a.Labels)
				e.groups[0].group.leave(e)
				e.alert.Ended = true
			}
		})
	}
}

func BenchmarkFlush(b *testing.B) {
	for _, size := range []int{10, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := benchRouter(b, []model.LabelName{}...)
			alerts := benchAlerts(size)
			for _, a := range alerts {
				a.EndsAt = began.Add(1e6 * time.Hour)
			}
			r.Receive(alerts, began)
			now := r.Due()
			for _, n := range effectsOf[Notify](r.Elapsed(now)) {
				r.Sent(n.Ref, true, now, nil)
			}
			var g *group
			for _, g = range r.groups {
			}
			b.ReportAllocs()
			for b.Loop() { // nothing changed, nobody is told
				r.flush(g, now)
				r.effects()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/alert")
		})
	}
}

func BenchmarkMemory(b *testing.B) {
	b.ReportAllocs()
	alerts := benchAlerts(b.N)
	r := benchRouter(b, "cluster")
	b.ResetTimer()
	for _, a := range alerts {
		r.table.put(a, began)
	}
}
