package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/midwatch/midwatch/router"
)

func TestAPanicIsAnAnswerAndALineInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.ErrorLevel)
		begun := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/half" {
				_, _ = w.Write([]byte("half of"))
			}
			panic("a fault of ours")
		})
		w := start(t, func(o *Options) { o.Pages, o.Log = begun, zap.New(core) })
		rec := w.do("GET", "/ack/secret-token", "")
		if rec.Code != 500 || rec.Header().Get("Content-Type") != "application/json" || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		lines := seen.TakeAll()
		if len(lines) != 1 || lines[0].ContextMap()["path"] != "/ack/{token}" || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["stack"]), "guard_test.go") {
			t.Errorf("log: %+v", lines)
		}
		defer func() {
			if why := recover(); why != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				t.Errorf("after half an answer: %v, want the connection cut", why)
			}
		}()
		w.do("GET", "/half", "")
	})
}

func TestOnlySoManyGETsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		enough := make(chan struct{})
		slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-enough })
		w := start(t, func(o *Options) { o.Concurrency, o.Pages, o.Metrics = 2, slow, NewMetrics(reg) })
		done := make(chan int, 2)
		for range 2 {
			go func() { done <- w.do("GET", "/", "").Code }()
		}
		synctest.Wait()
		rec := w.do("GET", "/api/v2/alerts", "")
		if rec.Code != 503 || rec.Body.String() != "Limit of concurrent GET requests reached (2), try again later.\n\n" {
			t.Errorf("%d %q", rec.Code, rec.Body)
		}
		if e := w.refused(503, "GET", incidents, ""); e.Code != "overloaded" {
			t.Errorf("%+v", e)
		}
		if rec := w.do("POST", "/api/v2/alerts", `[]`); rec.Code != 200 {
			t.Errorf("alerts are taken all the same: %d", rec.Code)
		}
		want := `
# HELP alertmanager_http_concurrency_limit_exceeded_total Total number of times an HTTP request failed because the concurrency limit was reached.
# TYPE alertmanager_http_concurrency_limit_exceeded_total counter
alertmanager_http_concurrency_limit_exceeded_total{method="get"} 2
# HELP alertmanager_http_requests_in_flight Current number of HTTP requests being processed.
# TYPE alertmanager_http_requests_in_flight gauge
alertmanager_http_requests_in_flight{method="get"} 2
`
		if got := exposed(reg, "alertmanager_http_concurrency_limit_exceeded_total", "alertmanager_http_requests_in_flight"); got != want[1:] {
			t.Errorf("got:\n%s\nwant:%s", got, want)
		}
		close(enough)
		<-done
		<-done
		if rec := w.do("GET", "/api/v2/alerts", ""); rec.Code != 200 {
			t.Errorf("afterwards: %d", rec.Code)
		}
	})
}

func TestARequestThatTakesTooLongIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		w := start(t, func(o *Options) { o.Timeout, o.Pages = 5*time.Second, slow })
		rec := w.do("GET", "/", "")
		if rec.Code != 503 || rec.Body.String() != "Exceeded configured timeout of 5s.\n" {
			t.Errorf("%d %q", rec.Code, rec.Body)
		}
		synctest.Wait()
	})
}

// TestRequestsAreMeasuredUnderFewNames: neither ids nor tokens may become labels.
func TestRequestsAreMeasuredUnderFewNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) })
		w := start(t, func(o *Options) { o.Metrics, o.Pages = NewMetrics(reg), page })
		for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/nope/1", "/api/v2/nope/2", incidents + "/INC-1", incidents + "/INC-2", own + "nope", "/ack/token-1", "/ack/token-2", "/", "/outbox", "/incidents/INC-1", "/favicon.ico"} {
			w.do("GET", path, "")
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var handlers []string
		for _, f := range families {
			if f.GetName() != "alertmanager_http_request_duration_seconds" {
				continue
			}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "handler" {
						handlers = append(handlers, l.GetValue())
					}
				}
			}
		}
		slices.Sort(handlers)
		want := []string{"/", "/ack/", own, incidents + "/{id}", "/api/v2/", "/api/v2/alerts", "/api/v2/alerts/groups", "/incidents/", "/outbox"}
		if got := slices.Compact(handlers); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestPagesAreSomebodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, path := range []string{"/", "/ack/x", "/outbox", "/nope", "/api/", "/api/v3/alerts"} {
			if rec := w.do("GET", path, ""); rec.Code != 404 {
				t.Errorf("%s without pages: %d", path, rec.Code)
			}
		}
		posted := ""
		pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posted = r.URL.Path
			_, _ = w.Write([]byte("page"))
		})
		w = start(t, func(o *Options) { o.Pages = pages })
		// A page that says Referrer-Policy: no-referrer posts its form with Origin: null, and over plain HTTP nothing
		// else tells where it came from. That must get through: the secret is the address.
		rec := w.do("POST", "http://midwatch.internal:9093/ack/token", "", "Origin", "null")
		if rec.Code != 200 || posted != "/ack/token" {
			t.Errorf("the acknowledge form: %d, reached %q", rec.Code, posted)
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &Cluster{Name: "01H", Status: "ready", Peers: []Peer{{Name: "01H", Address: "127.0.0.1:9094"}, {Name: "02H", Address: "h:1"}}}
		st := Status{Config: "url: <secret>\n", Started: time.Now(), Version: Version{Version: "0.34.2", GoVersion: "go1"}}
		w := start(t, func(o *Options) { o.Status = func() Status { return st } })
		rec := w.do("GET", "/api/v2/status", "")
		const tail = `"config":{"original":"url: <secret>\n"},"uptime":"2000-01-01T00:00:00.000Z","versionInfo":{"branch":"","buildDate":"","buildUser":"","goVersion":"go1","revision":"","version":"0.34.2"}}` + "\n"
		if want := `{"cluster":{"peers":[],"status":"disabled"},` + tail; rec.Body.String() != want {
			t.Errorf("got  %s\nwant %s", rec.Body, want)
		}
		st.Cluster = cluster
		rec = w.do("GET", "/api/v2/status", "")
		if want := `{"cluster":{"name":"01H","peers":[{"address":"127.0.0.1:9094","name":"01H"},{"address":"h:1","name":"02H"}],"status":"ready"},` + tail; rec.Body.String() != want {
			t.Errorf("got  %s\nwant %s", rec.Body, want)
		}
	})
}

func TestGroupsShowTheirLabelsAndWhatMutesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) {
			o.Muted = func(_, key string) []string {
				if strings.Contains(key, `"web`) {
					return []string{"weekends"}
				}
				return nil
			}
			o.RouteLabels = func(v router.View) map[string]string {
				return map[string]string{"owner": v.Group.Receiver + "-team"}
			}
		})
		w.want(200, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"WEB","team":"web"}},{"labels":{"alertname":"OTHER"}}]`, nil)
		type group struct {
			Alerts []struct {
				Status struct {
					State   string
					MutedBy []string
				}
			}
			Receiver    struct{ Name string }
			RouteLabels map[string]string
		}
		var all, loud []group
		w.want(200, "GET", "/api/v2/alerts/groups", "", &all)
		w.want(200, "GET", "/api/v2/alerts/groups?muted=false", "", &loud)
		if len(all) != 2 || len(loud) != 1 || loud[0].Receiver.Name != "default" {
			t.Fatalf("all %+v\nloud %+v", all, loud)
		}
		i := slices.IndexFunc(all, func(g group) bool { return g.Receiver.Name == "web" })
		if st := all[i].Alerts[0].Status; st.State != "suppressed" || !slices.Equal(st.MutedBy, []string{"weekends"}) {
			t.Errorf("muted: %+v", st)
		}
		if got := all[i].RouteLabels["owner"]; got != "web-team" {
			t.Errorf("route labels: %q", got)
		}
	})
}

func TestTooManyMatchersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for query, says := range map[string]string{
			strings.Repeat("filter=a%3D1&", maxFilters+1):      `"65 matchers; at most 64 are taken"`,
			"filter=a%3D" + strings.Repeat("x", maxFilterText): `"a matcher of 8194 bytes`,
			"receiver=" + strings.Repeat("x", maxFilterText+1): `"failed to parse receiver param: it has 8193 bytes`,
		} {
			if rec := w.do("GET", "/api/v2/alerts?"+query, ""); rec.Code != 400 || !strings.Contains(rec.Body.String(), says) {
				t.Errorf("%s: %d %s", shorten(query), rec.Code, rec.Body)
			}
		}
	})
}

// TestAGetStopsWhereItsClientDoes: an answer of a hundred thousand alerts must not be written for nobody.
func TestAGetStopsWhereItsClientDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var body strings.Builder
		for i := range 5000 {
			fmt.Fprintf(&body, `,{"labels":{"alertname":"A","i":"%d"},"annotations":{"a":"%s"}}`, i, strings.Repeat("x", 100))
		}
		w.want(200, "POST", "/api/v2/alerts", "["+body.String()[1:]+"]", nil)
		for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups"} {
			full := w.do("GET", path, "")
			if !json.Valid(full.Body.Bytes()) {
				t.Errorf("%s is no JSON", path)
			}
			gone := &hungUp{ResponseRecorder: httptest.NewRecorder(), after: 3}
			w.api.ServeHTTP(gone, httptest.NewRequestWithContext(context.Background(), "GET", path, nil))
			if gone.writes > 4 {
				t.Errorf("%s: %d writes after the client had gone", path, gone.writes-gone.after)
			}
		}
	})
}

// hungUp is a client that goes away.
type hungUp struct {
	*httptest.ResponseRecorder
	after, writes int
}

func (h *hungUp) Write(b []byte) (int, error) {
	if h.writes++; h.writes > h.after {
		return 0, http.ErrHandlerTimeout
	}
	return h.ResponseRecorder.Write(b)
}
