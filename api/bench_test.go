package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// repeats is what a Prometheus sends once a minute: n alerts with ten labels and three annotations, about 760 bytes each.
func repeats(n int) []byte { return repeatsFrom(0, n) }

func repeatsFrom(first, n int) []byte {
	b := []byte{'['}
	for i := first; i < first+n; i++ {
		if i > first {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"annotations":{"description":"The error rate of service svc-%03d in region eu-central-1 has been above five percent for `+
			`ten minutes; its budget for the month is being used up.","runbook_url":"https://runbooks.example.com/alerts/HighErrorRate%d",`+
			`"summary":"High error rate on svc-%03d"},"endsAt":"2026-11-20T12:04:00.123Z","startsAt":"2026-11-20T11:00:00.123Z",`+
			`"generatorURL":"http://prometheus-%d.example.com:9090/graph?g0.expr=sum%%28rate%%28http_errors_total%%5B5m%%5D%%29%%29+%%3E+0.05\u0026g0.tab=1",`+
			`"labels":{"alertname":"HighErrorRate%d","cluster":"prod-%d","env":"production","instance":"10.0.%d.%d:9100","job":"node-exporter",`+
			`"namespace":"team-%02d","pod":"svc-%03d-7d9f8b6c5-x%04d","service":"svc-%03d","severity":"warning","team":"team-%02d"}}`,
			i/20%1000, i/20%50, i/20%1000, i/20%4, i/20%50, i/20%4, i/250%250, i%250, i/20%10, i/20%1000, i, i/20%1000, i/20%10)
	}
	return append(b, ']')
}

// perAlert reports how much time of processors the benchmark took, the collector's included, and no other program's. It is
// to be deferred; a repetition has so many alerts.
func perAlert(b *testing.B, alerts int) func() {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N*alerts), "cpu-ns/alert") }
}

// BenchmarkDecode reads 64 repeats: the library's way, and as the API does.
func BenchmarkDecode(b *testing.B) {
	body := repeats(64)
	b.Run("encoding/json", func(b *testing.B) {
		defer perAlert(b, 64)()
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, f := decodeAlerts(body); f != nil {
				b.Fatal(f)
			}
		}
	})
	b.Run("scan", func(b *testing.B) {
		defer perAlert(b, 64)()
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			p := newPosting()
			if !p.scan(body) {
				b.Fatal("not scanned")
			}
			p.drop()
		}
	})
}

// benchAPI is the API over an engine that runs, with n alerts in the table and on disk (in memory).
func benchAPI(b *testing.B, now time.Time, n int) *API {
	b.Helper()
	conf, err := config.Load("route:\n  receiver: r\n  group_by: [alertname, cluster, service]\nreceivers:\n  - name: r\n")
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.Start(b.Context(), engine.Options{
		Store: store.NewMemory(), Sender: &letters{},
		Config: &engine.Config{Routing: router.Options{Root: dispatch.NewRoute(conf.Route, nil), Receivers: map[string][]router.Integration{}}},
		Now:    func() engine.Instant { return engine.Instant{Wall: now} },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	a := New(Options{Engine: e, ValidName: func(name string) bool { return name != "" }, Now: func() time.Time { return now }})
	const batch = 1000
	for i := 0; i < n; i += batch {
		list, f := decodeAlerts(repeatsFrom(i, min(batch, n-i)))
		if f != nil {
			b.Fatal(f)
		}
		if got := a.take(b.Context(), list, "v2"); got != (receipt{}) {
			b.Fatalf("%+v", got)
		}
	}
	return a
}

// BenchmarkIngest takes in bodies of 64 alerts, of so many series in all: reports that say nothing new, and new alerts.
func BenchmarkIngest(b *testing.B) {
	const batch = 64
	now := time.Date(2026, 11, 20, 12, 1, 0, 0, time.UTC)
	take := func(b *testing.B, a *API, list []*router.Alert, f *fault) {
		if f != nil {
			b.Fatal(f)
		}
		if got := a.take(context.Background(), list, "v2"); got != (receipt{}) {
			b.Fatalf("%+v", got)
		}
	}
	decoded := func(b *testing.B, a *API, body []byte) {
		list, f := decodeAlerts(body)
		take(b, a, list, f)
	}
	scanned := func(b *testing.B, a *API, body []byte) {
		p := newPosting()
		p.body.Write(body)
		list, f := p.decode(p.body.Bytes())
		take(b, a, list, f)
		p.drop()
	}
	posted := func(b *testing.B, a *API, body []byte) {
		r := httptest.NewRequest("POST", "/api/v2/alerts", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		if a.ServeHTTP(rec, r); rec.Code != 200 {
			b.Fatal(rec.Code, rec.Body)
		}
	}
	for _, series := range []int{100 * batch, 1600 * batch} {
		a := benchAPI(b, now, series)
		var all [][]byte
		for i := 0; i < series; i += batch {
			all = append(all, repeatsFrom(i, batch))
		}
		for _, way := range []struct {
			name string
			do   func(*testing.B, *API, []byte)
		}{{"encoding-json", decoded}, {"scan", scanned}, {"HTTP", posted}} {
			b.Run(fmt.Sprintf("repeats of %d/%s", series, way.name), func(b *testing.B) {
				defer perAlert(b, batch)()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					way.do(b, a, all[i%len(all)])
				}
			})
		}
	}
	for _, way := range []struct {
		name string
		do   func(*testing.B, *API, []byte)
	}{{"encoding-json", decoded}, {"scan", scanned}} {
		b.Run("new/"+way.name, func(b *testing.B) {
			a := benchAPI(b, now, 0)
			defer perAlert(b, batch)()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				way.do(b, a, repeatsFrom(i*batch, batch))
			}
		})
	}
}
