package router

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
)

// clusterAlerts are alerts as a large cluster sends them: ten labels, three annotations, in groups of twenty, 200 names. Of the
// text of each, what is its own is an address, a pod, and a sentence in which only names and numbers differ.
func clusterAlerts(n int) []*Alert {
	alerts := make([]*Alert, n)
	for i := range alerts {
		group, member := i/20, i%20
		name, cluster := group%200, group/200%5
		service := group/1000*20 + name%20
		alerts[i] = &Alert{
			Labels: MakeLabels([]Label{
				{"alertname", fmt.Sprintf("KubeServiceAlert%03d", name)},
				{"cluster", fmt.Sprintf("eu-west-%d", cluster)},
				{"env", [...]string{"prod", "staging"}[cluster%2]},
				{"instance", fmt.Sprintf("10.%d.%d.%d:8443", group>>8&255, group&255, member)},
				{"job", "kube-state-metrics"},
				{"namespace", fmt.Sprintf("shop-%03d", service%100)},
				{"pod", fmt.Sprintf("svc-%03d-6b8f7c9d54-%06d-%02d", service, group, member)},
				{"service", fmt.Sprintf("svc-%03d", service)},
				{"severity", [...]string{"critical", "warning", "info", "warning", "page"}[name/20%5]},
				{"team", fmt.Sprintf("team-%d", name%10)},
			}),
			Annotations: MakeLabels([]Label{
				{"summary", fmt.Sprintf("svc-%03d burns its error budget in eu-west-%d", service, cluster)},
				{"description", fmt.Sprintf("More than 5%% of the requests to svc-%03d were answered with an error in the last ten minutes, "+
					"and the budget of a month is gone in %d hours if that goes on. Pod %06d-%02d is one of those.", service, member+2, group, member)},
				{"runbook_url", fmt.Sprintf("https://runbooks.example.com/services/svc-%03d/errors#%03d", service, name)},
			}),
			StartsAt:     began.Add(time.Duration(i/64) * time.Millisecond),
			EndsAt:       began.Add(time.Hour),
			GeneratorURL: "http://prometheus.example.com:9090/graph?g0.expr=sum+by%28service%29+%28rate%28http_errors_total%5B10m%5D%29%29+%3E+0.05&g0.tab=1",
		}
	}
	return alerts
}

// clusterRouter has ten teams with five routes each, and twenty inhibit rules.
func clusterRouter(t testing.TB) *Router {
	t.Helper()
	var route strings.Builder
	names := []string{"default"}
	integrations := map[string][]Integration{"default": {{"webhook", 0, true}}}
	route.WriteString("{receiver: default, group_by: [alertname, cluster, service], group_wait: 1s, group_interval: 5m, repeat_interval: 24h, routes: [")
	for team := range 10 {
		name := fmt.Sprint("hook-", team)
		names, integrations[name] = append(names, name), []Integration{{"webhook", 0, true}}
		fmt.Fprintf(&route, `{receiver: %s, matchers: ['team="team-%d"'], routes: [`, name, team)
		for k, below := range []string{`severity="page"`, `severity=~"critical|page"`, `env!="prod"`, `service=~"svc-0.*|svc-1.*"`} {
			fmt.Fprintf(&route, `{receiver: hook-%d, matchers: ['%s'], continue: %t},`, (team+k+1)%10, below, k == 0)
		}
		route.WriteString("]},")
	}
	route.WriteString("]}")
	matcher := func(kind labels.MatchType, name, value string) *labels.Matcher {
		m, err := labels.NewMatcher(kind, name, value)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var rules []InhibitRule
	for i := range 20 {
		switch i % 3 {
		case 0:
			rules = append(rules, InhibitRule{
				Source: labels.Matchers{matcher(labels.MatchEqual, "alertname", fmt.Sprintf("KubeServiceAlert%03d", i)), matcher(labels.MatchEqual, "severity", "critical")},
				Target: labels.Matchers{matcher(labels.MatchRegexp, "severity", "warning|info")},
				Equal:  []string{"cluster", "service"},
			})
		case 1:
			rules = append(rules, InhibitRule{
				Source: labels.Matchers{matcher(labels.MatchEqual, "alertname", fmt.Sprintf("ClusterDown%02d", i))},
				Target: labels.Matchers{matcher(labels.MatchNotEqual, "alertname", fmt.Sprintf("ClusterDown%02d", i))},
				Equal:  []string{"cluster"},
			})
		default:
			team := matcher(labels.MatchEqual, "team", fmt.Sprint("team-", i%10))
			rules = append(rules, InhibitRule{
				Source: labels.Matchers{matcher(labels.MatchEqual, "severity", "page"), team},
				Target: labels.Matchers{matcher(labels.MatchEqual, "severity", "info"), team},
				Equal:  []string{"cluster", "namespace", "service"},
			})
		}
	}
	root := loadRoute(t, route.String(), names...)
	return New(Options{Root: dispatch.NewRoute(root, nil), Receivers: integrations, Inhibit: rules})
}

// settled has so many alerts of a cluster taken in and told.
func settled(t testing.TB, n int) *Router {
	t.Helper()
	r := clusterRouter(t)
	for _, some := range chunked(clusterAlerts(n), 64) {
		r.Receive(some, began)
		r.Committed()
	}
	now := began.Add(time.Minute)
	for _, fx := range effectsOf[Notify](r.Elapsed(now)) {
		r.Sent(fx.Ref, true, now, nil)
	}
	return r
}

func chunked[T any](all []T, n int) (chunks [][]T) {
	for ; len(all) > n; all = all[n:] {
		chunks = append(chunks, all[:n])
	}
	return append(chunks, all)
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What an alert may cost in memory that stays: its entry and text, its places in map, index, queue and group, and its share of
// the groups and of the log. Its text alone, as it is sent, is more. The bound is a quarter above what it is.
const mostHeap = 560

func TestAnAlertIsSmall(t *testing.T) {
	const n = 50_000
	sent := 0
	for _, a := range clusterAlerts(100) {
		sent += len(a.Encode(nil))
	}
	before := liveHeap()
	r := settled(t, n)
	each := float64(liveHeap()-before) / n
	t.Logf("%.0f bytes an alert, %d as it is sent", each, sent/100)
	if each > mostHeap {
		t.Errorf("an alert costs %.0f bytes; at most %d are expected", each, mostHeap)
	}
	if size := unsafe.Sizeof(entry{}); size > 112 {
		t.Errorf("an entry has %d bytes, and takes up 128", size)
	}
	runtime.KeepAlive(r)
}

func TestWhatATouchReadsTakesNoMemory(t *testing.T) {
	r := settled(t, 64)
	alerts := clusterAlerts(64)
	now := began.Add(2 * time.Minute)
	if n := testing.AllocsPerRun(20, func() {
		now = now.Add(time.Second)
		for _, a := range alerts {
			a.EndsAt = now.Add(time.Hour)
			if !r.Touch(a, now) {
				t.Fatal("not touched")
			}
		}
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// What a new alert may allocate, effects and growing included. It is a third above what it is.
const mostAllocations = 12

func TestANewAlertAllocatesLittle(t *testing.T) {
	const n = 20_000
	r, alerts := clusterRouter(t), chunked(clusterAlerts(n), 64)
	each := testing.AllocsPerRun(1, func() {
		r = clusterRouter(t)
		for _, some := range alerts {
			r.Receive(some, began)
			r.Committed()
		}
	}) / n
	t.Logf("%.1f allocations", each)
	if each > mostAllocations {
		t.Errorf("%.1f allocations for a new alert; at most %d are expected", each, mostAllocations)
	}
}

// processorTime reports what an operation takes of processors, the collector's work included, and no other program's.
func processorTime(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkClusterTouch(b *testing.B) {
	const n = 100_000
	r := settled(b, n)
	alerts := clusterAlerts(n)
	now := began.Add(2 * time.Minute)
	b.ReportAllocs()
	defer processorTime(b)()
	for i := 0; b.Loop(); i++ {
		a := alerts[i%n]
		a.EndsAt = now.Add(time.Hour)
		if !r.Touch(a, now) {
			b.Fatal("not touched")
		}
	}
}

func BenchmarkClusterNew(b *testing.B) {
	r := clusterRouter(b)
	alerts := clusterAlerts(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	defer processorTime(b)()
	for i := 0; i < b.N; i += 64 {
		r.Receive(alerts[i:min(i+64, b.N)], began)
		r.Committed()
	}
}

func BenchmarkClusterPut(b *testing.B) {
	t := newTable(0, Labels.Hash)
	alerts := clusterAlerts(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	defer processorTime(b)()
	for _, a := range alerts {
		t.put(a, began)
	}
}

func BenchmarkClusterFlush(b *testing.B) {
	r := settled(b, 100_000)
	var groups []*group
	for _, g := range r.groups {
		groups = append(groups, g)
	}
	now := began.Add(10 * time.Minute)
	b.ReportAllocs()
	defer processorTime(b)()
	for i := 0; b.Loop(); i++ {
		r.flush(groups[i%len(groups)], now)
		r.effects()
	}
}

func BenchmarkClusterSee(b *testing.B) {
	r := settled(b, 100_000)
	for _, c := range []struct{ name, filter string }{{"all", ""}, {"a name", `alertname="KubeServiceAlert007"`}, {"a pod", `pod="svc-003-6b8f7c9d54-000003-07"`}} {
		ask := Ask{Now: began.Add(2 * time.Minute)}
		if c.filter != "" {
			ask.Labels = filterOf(b, c.filter)
		}
		b.Run("alerts/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			defer processorTime(b)()
			for b.Loop() {
				for range r.See(ask) {
				}
			}
		})
		b.Run("groups/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			defer processorTime(b)()
			for b.Loop() {
				for _, alerts := range r.SeeGroups(ask) {
					for range alerts {
					}
				}
			}
		})
	}
}
