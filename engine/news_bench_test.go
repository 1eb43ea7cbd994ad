//go:build unix

package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store/bolt"
)

// newsConfig has fifty routes of two levels and twenty inhibit rules, as people write them.
func newsConfig(b *testing.B) *Config {
	b.Helper()
	var y strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&y, format+"\n", args...) }
	p("route:")
	p("  receiver: default")
	p("  group_by: [alertname, cluster, service]")
	p("  group_wait: 1h") // nobody is told yet: this is about what taking in costs
	p("  routes:")
	below := []string{`severity="page"`, `severity=~"critical|page"`, `env!="prod"`, `service=~"svc-0.*|svc-1.*"`}
	for team := range 10 {
		p("  - receiver: hook-%d\n    matchers: ['team=\"team-%d\"']\n    routes:", team, team)
		for k, m := range below {
			p("    - {receiver: hook-%d, matchers: ['%s'], continue: %t}", (team+k+1)%10, m, k == 0)
		}
	}
	p("receivers:\n- {name: default}")
	for team := range 10 {
		p("- {name: hook-%d}", team)
	}
	p("inhibit_rules:")
	for i := range 20 {
		switch i % 3 {
		case 0:
			p(`- {source_matchers: ['alertname="KubeServiceAlert%03d"', 'severity="critical"'], target_matchers: ['severity=~"warning|info"'], equal: [cluster, service]}`, i)
		case 1:
			p(`- {source_matchers: ['alertname="ClusterDown%02d"'], target_matchers: ['alertname!="ClusterDown%02d"'], equal: [cluster]}`, i, i)
		default:
			p(`- {source_matchers: ['severity="page"', 'team="team-%d"'], target_matchers: ['severity="info"', 'team="team-%d"'], equal: [cluster, namespace, service]}`, i%10, i%10)
		}
	}
	am, err := amconfig.Load(y.String())
	if err != nil {
		b.Fatal(err)
	}
	return house(func(cfg *Config) {
		cfg.Routing = router.Options{Root: dispatch.NewRoute(am.Route, nil), Receivers: map[string][]router.Integration{}}
		for _, r := range am.InhibitRules {
			cfg.Routing.Inhibit = append(cfg.Routing.Inhibit, router.InhibitRule{
				Name: r.Name, Source: labels.Matchers(r.SourceMatchers), Target: labels.Matchers(r.TargetMatchers), Equal: r.Equal,
			})
		}
	})
}

// A newsboy writes new alerts, in groups of twenty, with ten labels and three annotations. As in the API they are gone with
// the next: their text is in one buffer, and what many of them say is written once.
type newsboy struct {
	alerts [64]*router.Alert
	text   []byte
	said   map[string][]string
}

func newNewsboy(now time.Time) *newsboy {
	n := &newsboy{said: map[string][]string{}, text: make([]byte, 0, 64<<10)}
	for i := range 1000 {
		for name, format := range map[string]string{
			"alertname": "KubeServiceAlert%03d", "cluster": "eu-west-%d", "namespace": "shop-%03d", "service": "svc-%03d", "team": "team-%d",
			"runbook": "https://runbooks.example.com/services/svc-%03d/errors",
		} {
			n.said[name] = append(n.said[name], fmt.Sprintf(format, i))
		}
	}
	for i := range n.alerts {
		n.alerts[i] = &router.Alert{
			Labels: router.Labels{
				{Name: "alertname"},
				{Name: "cluster"},
				{Name: "env"},
				{Name: "instance"},
				{Name: "job", Value: "kube-state-metrics"},
				{Name: "namespace"},
				{Name: "pod"},
				{Name: "service"},
				{Name: "severity"},
				{Name: "team"},
			},
			Annotations: router.Labels{{Name: "description"}, {Name: "runbook_url"}, {Name: "summary"}},
			StartsAt:    now, EndsAt: now.Add(2 * time.Hour),
			GeneratorURL: "http://prometheus.example.com:9090/graph?g0.expr=sum+by%28service%29+%28rate%28http_errors_total%5B10m%5D%29%29+%3E+0.05&g0.tab=1",
		}
	}
	return n
}

// write appends to the buffer, whose size is never exceeded, and returns it as a string without a copy.
func (n *newsboy) write(parts ...string) string {
	from := len(n.text)
	for _, p := range parts {
		n.text = append(n.text, p...)
	}
	return unsafe.String(&n.text[from], len(n.text)-from)
}

// next are the alerts [from, to).
func (n *newsboy) next(from, to int) []*router.Alert {
	n.text = n.text[:0]
	for i := from; i < to; i++ {
		group, member := i/20, i%20
		name, cluster := group%200, group/200%5
		service := group/1000*20 + name%20
		of := func(what string, i int) string { return n.said[what][i] }
		a, which, who := n.alerts[i-from], strconv.Itoa(group), strconv.Itoa(member)
		for j, value := range [...]string{
			of("alertname", name), of("cluster", cluster), [...]string{"prod", "staging"}[cluster%2],
			n.write("10.", strconv.Itoa(group>>8&255), ".", strconv.Itoa(group&255), ".", who, ":8443"), "kube-state-metrics", of("namespace", service%100),
			n.write(of("service", service), "-6b8f7c9d54-", which, "-", who), of("service", service),
			[...]string{"critical", "warning", "info", "warning", "page"}[name/20%5], of("team", name%10),
		} {
			a.Labels[j].Value = value
		}
		a.Annotations[0].Value = n.write("More than 5% of the requests to ", of("service", service), " were answered with an error in the last ten minutes, and the budget of a month is gone in a few hours if that goes on. Pod ", which, "-", who, " is one of those.")
		a.Annotations[1].Value = of("runbook", service)
		a.Annotations[2].Value = n.write(of("service", service), " burns its error budget in ", of("cluster", cluster))
	}
	return n.alerts[:to-from]
}

// BenchmarkNews is what 100,000 new alerts cost, from what was read of a POST until they are on disk: 64 at a time, from
// four senders. Beside the time it says how much memory stays with each of them.
func BenchmarkNews(b *testing.B) {
	const n, batch, senders = 100_000, 64, 4
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as in the daemon
	var boys [senders]*newsboy
	for i := range boys {
		boys[i] = newNewsboy(time.Now())
	}
	for b.Loop() {
		b.StopTimer()
		s, err := bolt.Open(filepath.Join(b.TempDir(), "midwatch.db"), bolt.Options{})
		if err != nil {
			b.Fatal(err)
		}
		e, err := Start(b.Context(), Options{Store: s, Config: newsConfig(b), Sender: deafSender{}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		empty := heap()
		b.StartTimer()
		worked := processorTime(b)
		var next atomic.Int64
		var all sync.WaitGroup
		for _, boy := range boys {
			all.Go(func() {
				for {
					to := int(next.Add(batch))
					if to-batch >= n {
						return
					}
					if err := e.Receive(ctx, boy.next(to-batch, min(to, n))); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		b.ReportMetric(float64(processorTime(b)-worked)/n, "cpu-ns/alert")
		b.StopTimer()
		b.ReportMetric((heap()-empty)/n, "heap-B/alert")
		if got := e.Router().Alerts().Len(); got != n {
			b.Fatalf("%d alerts, want %d", got, n)
		}
		stop()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
