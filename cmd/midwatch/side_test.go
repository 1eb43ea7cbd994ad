package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

const plain = `
route: {receiver: hook, group_by: [alertname]}
receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:1/"}]}]
`

// TestSidePathsAreAlertmanagers compares with what Alertmanager 0.34.2 answered.
func TestSidePathsAreAlertmanagers(t *testing.T) {
	r := begin(t, plain)
	for _, c := range []struct{ request, answer string }{
		{"GET /-/healthy", "200 OK"},
		{"HEAD /-/healthy", "200 "},
		{"POST /-/healthy", "405 GET, HEAD, OPTIONS: Method Not Allowed"},
		{"PUT /-/ready", "405 GET, HEAD, OPTIONS: Method Not Allowed"},
		{"OPTIONS /-/ready", "200 GET, HEAD, OPTIONS: "},
		{"GET /-/reload", "405 OPTIONS, POST: Method Not Allowed"},
		{"HEAD /-/reload", "405 OPTIONS, POST: "},
		{"OPTIONS /-/reload", "200 OPTIONS, POST: "},
		{"POST /-/reload", "200 "},
		{"GET /-/healthy/?a=b", "301 to /-/healthy?a=b"},
		{"POST /-/reload/", "307 to /-/reload"},
		{"GET /metrics/", "301 to /metrics"},
		{"HEAD /metrics", "405 GET, OPTIONS: "},
		{"POST /metrics", "405 GET, OPTIONS: Method Not Allowed"},
		{"GET /debug/", "404 404 page not found"},
		{"GET /debug/pprof", "307 to /debug/pprof/"},
		{"GET /debug/pprof/", "200 …"},
		{"GET /debug/pprof/nope", "404 Unknown profile"},
		{"HEAD /debug/pprof/", "405 GET, OPTIONS, POST: "},
		{"PUT /debug/pprof/heap", "405 GET, OPTIONS, POST: Method Not Allowed"},
		{"POST /debug/pprof/heap", "405 GET, HEAD: Method Not Allowed"},
		{"GET /debug/pprof/symbol", "200 num_symbols: 1"},
		{"GET /debug/pprof/heap", "200 …"},
		{"GET /debug/pprof/goroutine", "200 …"},
		{"GET /debug/pprof/allocs", "200 …"},
		{"GET /debug/pprof/block", "200 …"},
		{"GET /debug/pprof/mutex", "200 …"},
		{"GET /debug/pprof/threadcreate", "200 …"},
		{"GET /debug/pprof/cmdline", "200 …"},
		{"GET /debug/vars", "200 …"},
		{"GET /nope", "404 404 page not found"},

		{"POST /debug/pprof/symbol", "200 num_symbols: 1"}, // Alertmanager built with Go 1.22 or later: 405
		{"GET /favicon.ico", "200 …"},
	} {
		if got := r.answer(c.request); got != c.answer && !(strings.HasSuffix(c.answer, "…") && strings.HasPrefix(got, strings.TrimSuffix(c.answer, "…"))) {
			t.Errorf("%s: %.200s; want %s", c.request, got, c.answer)
		}
	}
}

func TestEverythingLiesBelowTheRoutePrefix(t *testing.T) {
	r := begin(t, plain, "--web.route-prefix=/foo/bar/")
	for _, c := range []struct{ request, answer string }{
		{"GET /", "302 to /foo/bar"},
		{"POST /", "405 GET, OPTIONS: Method Not Allowed"},
		{"GET /foo/bar", "301 to /foo/bar/"},
		{"GET /foo/bar/-/healthy", "200 OK"},
		{"GET /foo/bar/-/ready/?a=b", "301 to /foo/bar/-/ready?a=b"},
		{"GET /foo/bar/debug/pprof", "307 to /foo/bar/debug/pprof/"}, // Alertmanager leads out of the prefix
		{"GET /foo/bar/debug/pprof/nope", "404 Unknown profile"},
		{"GET /-/ready", "404 404 page not found"},
		{"GET /foo", "404 404 page not found"},
		{"GET /metrics", "404 404 page not found"},
		{"GET /api/v2/status", "404 404 page not found"},
		{"GET /foo/bar/api/v2/nope", `404 {"code":404,"message":"path /api/v2/nope was not found"}`},
	} {
		if got := r.answer(c.request); got != c.answer {
			t.Errorf("%s: %s; want %s", c.request, got, c.answer)
		}
	}
	if _, metrics := r.ask(http.MethodGet, "/foo/bar/metrics"); !strings.Contains(metrics, `handler="/-/healthy",method="get"`) {
		t.Error("a handler's name has the prefix in it")
	}
}

// answer is a line about the answer: its status, what is allowed or where it leads, and the body.
func (r *running) answer(request string) string {
	r.Helper()
	method, path, _ := strings.Cut(request, " ")
	resp, body := r.ask(method, path)
	if to := resp.Header.Get("Location"); to != "" {
		return fmt.Sprintf("%d to %s", resp.StatusCode, to)
	}
	allow := resp.Header.Get("Allow")
	if allow != "" {
		allow += ": "
	}
	return fmt.Sprintf("%d %s%s", resp.StatusCode, allow, strings.TrimSpace(body))
}

// TestBadReloadsAreAnsweredWithTheReason, and the old configuration stays.
func TestBadReloadsAreAnsweredWithTheReason(t *testing.T) {
	r := begin(t, plain)
	r.write("route: {receiver: nobody}")
	resp, body := r.ask(http.MethodPost, "/-/reload")
	if resp.StatusCode != http.StatusInternalServerError || !strings.HasPrefix(body, "failed to reload config: ") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	r.log.await(t, `msg="Loading configuration file failed" component=configuration file=`)
	if _, metrics := r.ask(http.MethodGet, "/metrics"); !strings.Contains(metrics, "\nalertmanager_config_last_reload_successful 0\n") {
		t.Error("the metric says that the reload was taken")
	}
	if _, status := r.ask(http.MethodGet, "/api/v2/status"); !strings.Contains(status, "receiver: hook") {
		t.Errorf("the old configuration is gone: %s", status)
	}
}

// TestReadinessWaitsForState: 503 until the engine's first turn is over (SPEC §10).
func TestReadinessWaitsForState(t *testing.T) {
	root := dispatch.NewRoute(&amconfig.Route{Receiver: "hook"}, nil)
	e, err := engine.Start(t.Context(), engine.Options{
		Store: store.NewMemory(), Config: &engine.Config{Routing: router.Options{Root: root}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{engine: e}
	ask := func() int {
		w := httptest.NewRecorder()
		d.ready(w, httptest.NewRequest(http.MethodGet, "/-/ready", nil))
		return w.Code
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("%d before the state is loaded", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for ctx.Err() == nil && !e.Ready() {
		_ = e.Do(ctx, engine.Alerts{}) // a turn
	}
	if got := ask(); got != http.StatusOK {
		t.Errorf("%d after it", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
