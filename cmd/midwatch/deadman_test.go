package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/midwatch/midwatch/config"
)

// A callee is the other end of a dead man's switch, without a network.
type callee struct {
	begun time.Time
	calls []string // when, how and where it was called
	says  atomic.Pointer[func() (*http.Response, error)]
}

func (c *callee) say(f func() (*http.Response, error)) { c.says.Store(&f) }

func (c *callee) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls = append(c.calls, time.Since(c.begun).String()+" "+r.Method+" "+r.URL.String())
	if says := c.says.Load(); says != nil && *says != nil {
		return (*says)()
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader("OK"))}, nil
}

func TestTheDeadManIsCalledWhileAllIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var man atomic.Pointer[config.DeadMan]
		man.Store(&config.DeadMan{URL: "https://dead.example/secret", Every: time.Minute, Method: "GET"})
		var unwell atomic.Pointer[[]string]
		unwell.Store(&[]string{})
		core, log := observer.New(zap.InfoLevel)
		d := newDeadMan(man.Load, func(context.Context) []string { return *unwell.Load() }, zap.New(core), prometheus.NewRegistry())
		to := &callee{begun: time.Now()}
		d.client.Transport = to
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { d.run(ctx); close(ended) }()

		time.Sleep(2*time.Minute + time.Second)
		unwell.Store(&[]string{"the engine did not answer within 10s", "nothing is being kept"})
		time.Sleep(2 * time.Minute)
		unwell.Store(&[]string{})
		to.say(func() (*http.Response, error) {
			return nil, errors.New("https://dead.example/secret: connection refused by /secret")
		})
		time.Sleep(time.Minute)
		to.say(func() (*http.Response, error) {
			return &http.Response{StatusCode: 404, Status: "404 Not Found", Body: http.NoBody}, nil
		})
		time.Sleep(time.Minute)
		to.say(nil)
		time.Sleep(time.Minute)
		man.Store(&config.DeadMan{URL: "https://dead.example/other", Every: 10 * time.Minute, Method: "POST"})
		d.reloaded()
		time.Sleep(time.Minute)
		man.Store(nil)
		d.reloaded()
		time.Sleep(time.Hour)
		stop()
		<-ended

		want := []string{
			"0s GET https://dead.example/secret", "1m0s GET https://dead.example/secret", "2m0s GET https://dead.example/secret",
			"5m0s GET https://dead.example/secret", "6m0s GET https://dead.example/secret", "7m0s GET https://dead.example/secret",
			"7m1s POST https://dead.example/other",
		}
		if !slices.Equal(to.calls, want) {
			t.Errorf("called\n%s\nwant\n%s", strings.Join(to.calls, "\n"), strings.Join(want, "\n"))
		}
		var lines []string
		for _, e := range log.All() {
			lines = append(lines, e.Message)
		}
		if want := []string{
			"Midwatch is not well and does not call its dead man's switch: the engine did not answer within 10s; nothing is being kept",
			"the dead man's switch could not be called: <secret>: connection refused by <secret>",
			"the dead man's switch could not be called: it answered 404 Not Found",
			"the dead man's switch is called again",
		}; !slices.Equal(lines, want) {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		if f, w := testutil.ToFloat64(d.failures), testutil.ToFloat64(d.withheld); f != 2 || w != 2 {
			t.Errorf("%v failures, %v withheld", f, w)
		}
		if got := d.last.Load(); got != to.begun.Add(7*time.Minute+time.Second).UnixMilli() {
			t.Errorf("last called at %d", got)
		}
	})
}

// A daemon calls once it is ready, and its answer about its health is what it calls by.
func TestADaemonCallsItsDeadMan(t *testing.T) {
	called := make(chan string, 10)
	man := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.Method + " " + r.URL.Path }))
	defer man.Close()
	r := begin(t, `
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}, dead_man: {url: "`+man.URL+`/not-to-be-seen", method: HEAD}}
route: {receiver: none}
receivers: [{name: none}]
`)
	if got := <-called; got != "HEAD /not-to-be-seen" {
		t.Errorf("called %q", got)
	}
	if resp, body := r.ask("GET", "/api/midwatch/v1/health"); resp.StatusCode != 200 || !strings.Contains(body, `"well":true`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	// It is counted when the answer has been read, which is after the man was called.
	_, body := r.ask("GET", "/metrics")
	for deadline := time.Now().Add(time.Minute); !strings.Contains(body, "midwatch_dead_man_last_success_timestamp_seconds 1.") && time.Now().Before(deadline); {
		<-time.After(5 * time.Millisecond)
		_, body = r.ask("GET", "/metrics")
	}
	if !strings.Contains(body, "midwatch_dead_man_failures_total 0") || !strings.Contains(body, "midwatch_dead_man_last_success_timestamp_seconds 1.") || strings.Contains(body, "not-to-be-seen") {
		t.Error("the metrics do not say so")
	}
	if strings.Contains(r.log.String(), "not-to-be-seen") {
		t.Error("the address is in the log")
	}
}
