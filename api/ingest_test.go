package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/engine"
)

// names lists the alertnames that GET shows.
func (w *world) names() (names []string) {
	w.Helper()
	var list []struct{ Labels map[string]string }
	w.want(200, "GET", "/api/v2/alerts", "", &list)
	for _, a := range list {
		names = append(names, a.Labels["alertname"])
	}
	return names
}

func TestOneBadAlertDoesNotTakeTheOthersWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		rec := w.do("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A"}},{"labels":{}},{"labels":{"alertname":"B"},"startsAt":"2000-01-02T00:00:00Z","endsAt":"2000-01-01T00:00:00Z"}]`)
		if want := `"at least one label pair required\nstart time must be before end time"` + "\n"; rec.Code != 400 || rec.Body.String() != want {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if got := w.names(); len(got) != 1 || got[0] != "A" {
			t.Errorf("stored: %q", got)
		}
		if rec := w.do("POST", "/api/v2/alerts", `[{"labels":{"alertname":"C"}},{"annotations":{}}]`); rec.Code != 422 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if got := w.names(); len(got) != 1 {
			t.Errorf("a broken schema refuses the whole body, yet there is %q", got)
		}
	})
}

func TestLimitsAreToldNotGuessed(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"l%d":"x"`, i)
		}
		return b.String()
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, c := range []struct {
			name, body string
			status     int
			says       string
		}{
			{"labels at the limit", `[{"labels":{"alertname":"ok"` + many(maxLabels-1) + `}}]`, 200, ""},
			{"labels", `[{"labels":{"alertname":"x"` + many(maxLabels) + `}}]`, 400, "invalid label set: 257 of them; at most 256 are taken"},
			{"annotations", `[{"labels":{"alertname":"x"},"annotations":{"a":"b"` + many(maxLabels) + `}}]`, 400, "invalid annotations: 257 of them"},
			{"name", `[{"labels":{"` + long(maxNameBytes+1) + `":"x"}}]`, 400, "has 1025 bytes; at most 1024"},
			{"value", `[{"labels":{"alertname":"` + long(maxLabelBytes+1) + `"}}]`, 400, `the value of \"alertname\" has 16385 bytes; at most 16384`},
			{"annotation", `[{"labels":{"alertname":"x"},"annotations":{"a":"` + long(maxAnnotationBytes+1) + `"}}]`, 400, `the value of \"a\" has 131073 bytes`},
			{"all of it", `[{"labels":{"alertname":"x"},"annotations":{"a":"` + long(maxAnnotationBytes) + `","b":"` + long(maxAnnotationBytes) + `"}}]`, 400, "bytes of text; at most 262144"},
			{"URL", `[{"labels":{"alertname":"x"},"generatorURL":"http://` + long(maxURLBytes) + `"}]`, 400, "the generatorURL has 16391 bytes"},
			{"depth", `[{"labels":{"alertname":"x"},"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]`, 400, "nests deeper than 32 levels"},
			{"brackets in text", `[{"labels":{"alertname":"ok2"},"annotations":{"a":"\"` + strings.Repeat("[", 40) + `"}}]`, 200, ""},
			{"alerts", `[` + strings.Repeat(`{"labels":{}},`, maxAlerts) + `{"labels":{}}]`, 413, "the body holds 50001 alerts; at most 50000"},
			{"bytes", `[{"labels":{"alertname":"` + long(maxBody) + `"}}]`, 413, "the body is larger than 10485760 bytes; send fewer alerts at once"},
			{"null", `[null]`, 422, `{"code":602,"message":"0 in body is required"}`},
		} {
			rec := w.do("POST", "/api/v2/alerts", c.body)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
				t.Errorf("%s: %d %s, want %d %s", c.name, rec.Code, shorten(rec.Body.String()), c.status, c.says)
			}
			if rec.Body.Len() > 2000 {
				t.Errorf("%s: an error of %d bytes", c.name, rec.Body.Len())
			}
		}
		if got := w.names(); len(got) != 2 {
			t.Errorf("stored: %q", got)
		}
	})
}

func packed(body string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	return b.String()
}

func TestPackedBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		send := func(body, coding string) *httptest.ResponseRecorder {
			return w.do("POST", "/api/v2/alerts", body, "Content-Encoding", coding)
		}
		good := packed(`[{"labels":{"alertname":"packed"}}]`)
		for _, coding := range []string{"gzip", "GZIP", "x-gzip"} {
			if rec := send(good, coding); rec.Code != 200 {
				t.Errorf("%s: %d %s", coding, rec.Code, rec.Body)
			}
		}
		if rec := send(`[{"labels":{"alertname":"plain"}}]`, "identity"); rec.Code != 200 {
			t.Errorf("identity: %d %s", rec.Code, rec.Body)
		}
		if got := w.names(); len(got) != 2 {
			t.Errorf("stored: %q", got)
		}
		for _, c := range []struct {
			name, body, coding string
			status             int
			says               string
		}{
			{"not packed", `[]`, "gzip", 400, "says gzip, but the body is not"},
			{"cut short", good[:len(good)-6], "gzip", 400, "did not arrive whole"},
			{"flipped", good[:20] + "\xff\xff" + good[22:], "gzip", 400, "did not arrive whole"},
			{"a bomb", packed(strings.Repeat(" ", maxBody+1)), "gzip", 413, "larger than 10485760 bytes after decompression"},
			{"brotli", `[]`, "br", 415, `content encoding \"br\" is not supported; send gzip`},
			{"twice", good, "gzip, gzip", 415, "not supported"},
		} {
			rec := send(c.body, c.coding)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.says) {
				t.Errorf("%s: %d %s, want %d %s", c.name, rec.Code, rec.Body, c.status, c.says)
			}
			if c.status == 415 && rec.Header().Get("Accept-Encoding") != "gzip" {
				t.Errorf("%s: %v does not say what would do", c.name, rec.Header())
			}
		}
	})
}

func TestALengthThatIsTooLargeIsNotReadAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) { o.MaxBody = 100 })
		r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader("[]"))
		r.Header.Set("Content-Type", "application/json")
		r.ContentLength = 101
		rec := httptest.NewRecorder()
		w.api.ServeHTTP(rec, r)
		if rec.Code != 413 || !strings.Contains(rec.Body.String(), "100 bytes") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if rec := w.do("POST", "/api/v2/alerts", `[`+strings.Repeat(" ", 98)+`]`); rec.Code != 200 {
			t.Errorf("exactly the limit: %d %s", rec.Code, rec.Body)
		}
	})
}

// TestABodyWithoutALengthIsStillABody: chunked requests do not say how long they are.
func TestABodyWithoutALengthIsStillABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		send := func(body, media string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/api/v2/alerts", struct{ *strings.Reader }{strings.NewReader(body)})
			r.ContentLength = -1
			r.Header.Set("Content-Type", media)
			rec := httptest.NewRecorder()
			w.api.ServeHTTP(rec, r)
			return rec
		}
		if rec := send(`[{"labels":{"alertname":"chunked"}}]`, "application/json"); rec.Code != 200 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if rec := send(`[]`, "text/plain"); rec.Code != 415 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if rec := send(``, "text/plain"); rec.Code != 422 || rec.Body.String() != `{"code":602,"message":"alerts in body is required"}` {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

// TestTheOldAPIStillTakesAlerts speaks as ElastAlert 2 does.
func TestTheOldAPIStillTakesAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, media := range []string{"application/json", "text/plain", ""} {
			rec := w.do("POST", "/api/v1/alerts", `[{"annotations":{"summary":"s"},"labels":{"alertname":"Elastalert","source":"elastalert"},"generatorURL":""}]`, "Content-Type", media)
			if rec.Code != 200 || rec.Body.String() != `{"status":"success"}` {
				t.Errorf("%s: %d %s", media, rec.Code, rec.Body)
			}
		}
		if got := w.names(); len(got) != 1 || got[0] != "Elastalert" {
			t.Errorf("stored: %q", got)
		}
		for body, want := range map[string]string{
			`[{"labels":{}}]`: `{"status":"error","errorType":"bad_data","error":"at least one label pair required"}`,
			`[{}]`:            `{"status":"error","errorType":"bad_data","error":"0.labels in body is required"}`,
			`nope`:            `{"status":"error","errorType":"bad_data","error":"parsing alerts body from \"\" failed, because invalid character 'o' in literal null (expecting 'u')"}`,
		} {
			if rec := w.do("POST", "/api/v1/alerts", body); rec.Code != 400 || rec.Body.String() != want {
				t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
			}
		}
		gone := w.do("GET", "/api/v1/alerts", "")
		if gone.Code != http.StatusGone || !strings.HasPrefix(gone.Body.String(), `{"status":"deprecated","error":"The Alertmanager v1 API`) {
			t.Errorf("%d %s", gone.Code, gone.Body)
		}
		for path, want := range map[string]int{"silences": 410, "silence/x": 410, "status": 410, "receivers": 410, "query": 404} {
			if rec := w.do("GET", "/api/v1/"+path, ""); rec.Code != want {
				t.Errorf("%s: %d", path, rec.Code)
			}
		}
		if rec := w.do("POST", "/api/v1/alerts", `[]`, "Sec-Fetch-Site", "cross-site"); rec.Code != 403 {
			t.Errorf("a form on another site can post text: %d", rec.Code)
		}
	})
}

// TestOverloadIsAnsweredBeforeAnythingIsAccepted fills the engine's queue while the engine does not run.
func TestOverloadIsAnsweredBeforeAnythingIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		waiting := 0
		for w.engine.Do(gone, engine.Result{}).Err != engine.ErrBusy {
			if waiting++; waiting > 1_000_000 {
				t.Fatal("the queue has no end")
			}
		}
		for _, version := range []string{"v2", "v1"} {
			rec := w.do("POST", "/api/"+version+"/alerts", lag)
			if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "overloaded and accepted nothing") {
				t.Errorf("%s: %d %v %s", version, rec.Code, rec.Header(), rec.Body)
			}
		}
		if got := w.names(); got != nil {
			t.Errorf("stored all the same: %q", got)
		}
	})
}

func TestAlertsOnAFullDiskAreTakenButNotPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.pass(time.Second)
		w.store.full.Store(true)
		rec := w.do("POST", "/api/v2/alerts", lag)
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "in memory only") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		if got := w.names(); len(got) != 1 {
			t.Errorf("in memory: %q", got)
		}
		w.pass(31 * time.Second)
		if to := w.letters.to(); len(to) != 1 || to[0] != "ana" {
			t.Errorf("paged %q, though paging goes on from memory", to)
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

func TestWhoeverHangsUpIsNotPromisedAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		ctx, hangUp := context.WithCancel(context.Background())
		r := httptest.NewRequestWithContext(ctx, "POST", "/api/v2/alerts", strings.NewReader(lag))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		go func() {
			synctest.Wait()
			hangUp()
		}()
		w.api.ServeHTTP(rec, r)
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "send them again") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

func TestAlertsAreCountedAsUpstreamCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		w := start(t, func(o *Options) { o.Metrics = NewMetrics(reg) })
		w.do("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A"}},{"labels":{}},{"labels":{"alertname":"B"},"endsAt":"1999-12-31T00:00:00Z"}]`)
		w.do("POST", "/api/v2/alerts", `[{"labels":{"alertname":"A"}},{}]`) // refused whole: never counted
		w.do("POST", "/api/v1/alerts", `[{"labels":{"alertname":"C"}}]`)
		want := `
# HELP alertmanager_alerts_invalid_total The total number of received alerts that were invalid.
# TYPE alertmanager_alerts_invalid_total counter
alertmanager_alerts_invalid_total{version="v1"} 0
alertmanager_alerts_invalid_total{version="v2"} 1
# HELP alertmanager_alerts_received_total The total number of received alerts.
# TYPE alertmanager_alerts_received_total counter
alertmanager_alerts_received_total{status="firing",version="v1"} 1
alertmanager_alerts_received_total{status="firing",version="v2"} 2
alertmanager_alerts_received_total{status="resolved",version="v1"} 0
alertmanager_alerts_received_total{status="resolved",version="v2"} 1
`
		if got := exposed(reg, "alertmanager_alerts_received_total", "alertmanager_alerts_invalid_total"); got != want[1:] {
			t.Errorf("got:\n%s\nwant:%s", got, want)
		}
	})
}
