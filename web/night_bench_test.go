package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store/bolt"
)

// BenchmarkNight shows the pages of whoever was woken while 5,000 incidents are open, some thousand are over, and all are on
// disk. It reports the time below which 95 of 100 pages are made.
func BenchmarkNight(b *testing.B) {
	const open, alerts = 5000, 20
	s, err := bolt.Open(filepath.Join(b.TempDir(), "store"), bolt.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	cfg := engineConfig(b)
	cfg.Routing.Root.RouteOpts.GroupWait = time.Second
	e, err := engine.Start(context.Background(), engine.Options{
		Store: s, Sender: nobodyHears{}, Config: cfg,
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(began)} },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
		_ = s.Close()
	}()
	var batch []*router.Alert
	for n := range open * alerts {
		batch = append(batch, &router.Alert{
			Labels:      router.LabelsOf(map[string]string{"alertname": fmt.Sprintf("Alert%d", n/alerts), "service": []string{"db", "shop"}[n/alerts%2], "instance": fmt.Sprintf("node-%d.example.org:9100", n%alerts), "severity": "critical"}),
			Annotations: router.LabelsOf(map[string]string{"summary": fmt.Sprintf("something is wrong with thing %d", n/alerts), "description": "**look** at it"}),
			StartsAt:    began, EndsAt: began.Add(time.Hour), UpdatedAt: began,
		})
		if len(batch) == 1000 {
			if err := e.Receive(ctx, batch); err != nil {
				b.Fatal(err)
			}
			batch = nil
		}
	}
	for {
		if triggered, acked := e.OpenCount(); triggered+acked >= open && e.Pulse().Pending == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	p := New(Options{Engine: e, Channels: func() []Channel { return nil }})
	for _, path := range []string{
		"/", "/incidents", "/incidents?filter=service%3D%22db%22", "/incidents?filter=nowhere", "/incidents?show=all&filter=nowhere", "/incidents/INC-1", "/incidents/INC-4999", "/deliveries", "/deliveries?to=zoe",
		"/deliveries?incident=INC-1",
	} {
		b.Run(path, func(b *testing.B) {
			var took []time.Duration
			size := 0
			for b.Loop() {
				r := httptest.NewRequest("GET", path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				r.Header.Set("Cookie", meCookie+"=ana")
				rec := httptest.NewRecorder()
				at := time.Now()
				p.ServeHTTP(rec, r)
				took = append(took, time.Since(at))
				if size = rec.Body.Len(); rec.Code != 200 {
					b.Fatal(rec.Code)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
