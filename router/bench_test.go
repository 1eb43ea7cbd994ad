package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
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

func benchRouter(b testing.TB, groupBy ...model.LabelName) *Router {
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
				e.group.leave(e)
				e.over = true
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

// benchRules are n inhibit rules as people write them: of two severities of one thing the worse, and a cluster that is
// down. Most alerts are targets of some.
func benchRules(b *testing.B, n int) []InhibitRule {
	b.Helper()
	rules := rulesOf(b, `alertname="ClusterDown" > alertname!="ClusterDown" by cluster`, `severity="critical" > severity=~"warning|info" by alertname namespace`)
	for i := len(rules); i < n; i++ {
		rules = append(rules, rulesOf(b, fmt.Sprintf(`alertname="NodeDown%d" > alertname=~"Alert%d|Alert%d[0-9]" by instance`, i, i, i))...)
	}
	return rules
}

// benchSilences are n silences as people make them: of one alert of one cluster, of an instance, of a few namespaces by
// a pattern, and of all but something.
func benchSilences(n int) []Silence {
	var all []Silence
	for i := range n {
		all = append(all, benchSilence(i))
	}
	return all
}

func benchSilence(i int) Silence {
	var set MatcherSet
	switch i % 10 {
	default:
		set = MatcherSet{{"alertname", labels.MatchEqual, fmt.Sprintf("Alert%d", i%50)}, {"cluster", labels.MatchEqual, fmt.Sprintf("cluster-%d", i*10)}}
	case 5, 6:
		set = MatcherSet{{"instance", labels.MatchEqual, fmt.Sprintf("10.0.%d.%d:9100", i/256, i%256)}}
	case 7, 8:
		set = MatcherSet{{"alertname", labels.MatchEqual, fmt.Sprintf("Alert%d", i%50)}, {"namespace", labels.MatchRegexp, fmt.Sprintf("team-(%d|%d)", i%20, i%7)}}
	case 9:
		set = MatcherSet{{"pod", labels.MatchRegexp, fmt.Sprintf("app-%04x.*", i)}, {"job", labels.MatchNotEqual, "other"}}
	}
	return Silence{Matchers: []MatcherSet{set}, StartsAt: began, EndsAt: began.Add(time.Hour)}
}

// A thousand new silences over 100,000 alerts, and then somebody looks at all of them. Patterns alone are the worst case:
// there is nothing by which to find them.
func BenchmarkNewSilences(b *testing.B) {
	const n = 100_000
	var patterns []Silence
	for i := range 1000 {
		patterns = append(patterns, benchSilence(10*i+9))
	}
	for _, c := range []struct {
		name     string
		silences []Silence
	}{{"as people make them", benchSilences(1000)}, {"patterns", patterns}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchRouter(b, "cluster")
			alerts := benchAlerts(n)
			r.Receive(alerts, began)
			muted := 0
			b.ReportAllocs()
			for b.Loop() {
				for i, s := range c.silences {
					if _, _, err := r.SetSilence(s, silenceID(i), began); err != nil {
						b.Fatal(err)
					}
				}
				for _, a := range alerts {
					if by, _ := r.Suppressed(a.Labels, began); len(by) > 0 {
						muted++
					}
				}
				r.silences = newSilences()
			}
			b.ReportMetric(float64(muted)/float64(b.N), "silenced")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/op")
		})
	}
}

// A new alert under twenty inhibit rules, and what it would cost under none.
func BenchmarkReceiveNewInhibited(b *testing.B) {
	for _, rules := range []int{0, 20} {
		b.Run(fmt.Sprint(rules, " rules"), func(b *testing.B) {
			r := benchRouter(b, "cluster")
			o := r.opts
			if rules > 0 {
				o.Inhibit = benchRules(b, rules)
			}
			r = New(o)
			batch := benchAlerts(b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += 64 {
				r.Receive(batch[i:min(i+64, b.N)], began)
				r.Committed()
			}
		})
	}
}

// A flush of twenty alerts under twenty rules and a thousand silences, and under nothing.
func BenchmarkFlushMuted(b *testing.B) {
	for _, c := range []struct {
		name            string
		rules, silences int
	}{{"nothing", 0, 0}, {"20 rules", 20, 0}, {"1000 silences", 0, 1000}, {"both", 20, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			r := benchRouter(b, []model.LabelName{}...)
			o := r.opts
			if c.rules > 0 {
				o.Inhibit = benchRules(b, c.rules)
			}
			r = New(o)
			alerts := benchAlerts(20)
			for _, a := range alerts {
				a.EndsAt = began.Add(1e6 * time.Hour)
			}
			r.Receive(alerts, began)
			for i, s := range benchSilences(c.silences) {
				s.EndsAt = began.Add(1e6 * time.Hour)
				if _, _, err := r.SetSilence(s, silenceID(i), began); err != nil {
					b.Fatal(err)
				}
			}
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
		})
	}
}
