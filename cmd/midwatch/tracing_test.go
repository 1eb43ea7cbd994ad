package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestRequestsMakeSpansWhileTracingIsConfigured, and a reload turns that on and off.
func TestRequestsMakeSpansWhileTracingIsConfigured(t *testing.T) {
	var mu sync.Mutex
	var spans strings.Builder // what was exported
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		spans.Write(body)
	}))
	defer collector.Close()
	traced := plain + fmt.Sprintf(`
tracing: {client_type: http, endpoint: %q, insecure: true, sampling_fraction: 1}
`, strings.TrimPrefix(collector.URL, "http://"))

	r := begin(t, plain)
	r.ask(http.MethodGet, "/api/v2/receivers")
	r.write(traced)
	r.ask(http.MethodPost, "/-/reload")
	r.ask(http.MethodGet, "/api/v2/status")
	r.write(plain)
	r.ask(http.MethodPost, "/-/reload") // sends what there is, before it answers
	r.ask(http.MethodGet, "/api/v2/alerts")
	r.stop()

	mu.Lock()
	got := spans.String()
	mu.Unlock()
	if !strings.Contains(got, "GET /api/v2/status") {
		t.Error("the request left no span")
	}
	for _, path := range []string{"/api/v2/receivers", "/api/v2/alerts"} {
		if strings.Contains(got, path) {
			t.Errorf("%s left a span, though nobody asked for it then", path)
		}
	}
	r.log.await(t, `msg="Successfully installed a new tracer provider." component=tracing`)
	r.log.await(t, `msg="Tracing provider uninstalled." component=tracing`)
}

// TestTracingThatCannotBeIsRefused, at a reload too, and the old configuration stays.
func TestTracingThatCannotBeIsRefused(t *testing.T) {
	r := begin(t, plain)
	r.write(plain + "tracing: {client_type: http, endpoint: '127.0.0.1:1', tls_config: {ca_file: nowhere.pem}}\n")
	resp, body := r.ask(http.MethodPost, "/-/reload")
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "nowhere.pem") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, status := r.ask(http.MethodGet, "/api/v2/status"); strings.Contains(status, "nowhere.pem") {
		t.Error("the configuration was taken all the same")
	}
}
