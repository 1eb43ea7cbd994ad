package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatFindsNoRoomIsRefusedBeforeItIsTakenIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		w := build(t, func(o *Options) { o.Metrics = NewMetrics(reg) })
		w.api.intake.room = 100 << 10
		body := func(name string) string {
			return `[{"labels":{"alertname":"` + name + `"},"annotations":{"long":"` + strings.Repeat("x", 60<<10) + `"}}]`
		}
		first := make(chan int, 1)
		go func() { first <- w.do("POST", "/api/v2/alerts", body("first")).Code }()
		synctest.Wait() // for the engine, which does not run

		// One says how long it is, one does not, one is short until it is unpacked.
		stream := func() *http.Request {
			r := httptest.NewRequest("POST", "/api/v2/alerts", io.MultiReader(strings.NewReader(body("second"))))
			r.Header.Set("Content-Type", "application/json")
			return r
		}
		asked := map[string]*http.Request{
			"long":   httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(body("second"))),
			"stream": stream(),
			"packed": httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(packed(body("second")))),
			"old":    httptest.NewRequest("POST", "/api/v1/alerts", strings.NewReader(body("second"))),
			// Silences come the same way.
			"silence": httptest.NewRequest("POST", "/api/v2/silences", strings.NewReader(body("second"))),
		}
		asked["packed"].Header.Set("Content-Encoding", "gzip")
		for name, r := range asked {
			r.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			w.api.ServeHTTP(rec, r)
			if rec.Code != 503 || rec.Header().Get("Retry-After") != retryAfter || !strings.Contains(rec.Body.String(), "accepted nothing") {
				t.Errorf("%s: %d %v %s", name, rec.Code, rec.Header(), rec.Body)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.engine.Run(ctx) }()
		if code := <-first; code != 200 {
			t.Errorf("the first is answered %d", code)
		}
		if rec := w.do("POST", "/api/v2/alerts", body("third")); rec.Code != 200 {
			t.Errorf("there is room again, but: %d %s", rec.Code, rec.Body)
		}
		if got := strings.Join(w.names(), " "); strings.Contains(got, "second") || !strings.Contains(got, "first") || !strings.Contains(got, "third") {
			t.Errorf("taken in: %s", got)
		}
		if n := w.api.intake.taken.Load(); n != 0 {
			t.Errorf("%d bytes are still held", n)
		}
		if got := exposed(reg, "midwatch_posts_refused_total"); !strings.HasSuffix(got, "midwatch_posts_refused_total 5\n") {
			t.Errorf("%s", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A body that does not come holds no room: neither that of a sender who promised much, nor after it was refused.
func TestAPromiseHoldsNoRoom(t *testing.T) {
	in := &intake{room: 24 << 10}
	var slow, other, third arrival
	if !slow.enter(in, 15<<10) || !other.enter(in, 15<<10) {
		t.Fatal("there is room for both until they come")
	}
	slow.from, other.from = strings.NewReader(strings.Repeat("x", 10<<10)), strings.NewReader(strings.Repeat("x", 10<<10))
	if n, err := io.Copy(io.Discard, &slow); n != 10<<10 || err != nil || slow.full {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := io.Copy(io.Discard, &other); err == nil || !other.full {
		t.Errorf("both were read: %v", err)
	}
	if third.enter(in, 10<<10) {
		t.Error("a third was let in")
	}
	slow.leave()
	other.leave()
	third.leave()
	if n := in.taken.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.set = append(d.set, t); return nil }

func TestABodyMustArriveInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{}
		hurry(d)()
		if len(d.set) != 2 || !d.set[0].Equal(time.Now().Add(bodyTime)) || !d.set[1].IsZero() {
			t.Errorf("deadlines: %v", d.set)
		}
		hurry(httptest.NewRecorder())() // it knows none
	})
}
