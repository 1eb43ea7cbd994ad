package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/router"
)

// answering is a target without a network: what it answers, by the path.
type answering func(path string) (status int, body string, err error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := a(r.URL.Path)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(body))}, nil
}

func well(string) (int, string, error) { return 200, `{"well":true,"problems":[]}`, nil }

// TestAWatchedMidwatch lets a target fail in every way, and watches what its watch says to its own engine.
func TestAWatchedMidwatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		target, every, after, token := "https://ops:secret@midwatch.example/base", 30*time.Second, 2*time.Minute, ""
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		var answer atomic.Pointer[answering]
		be := func(a answering) { answer.Store(&a) }
		be(well)
		var said []string
		fires, busy := false, atomic.Bool{}
		w := &watcher{
			flags: &watchFlags{target: &target, every: &every, after: &after, client: client{base: &target, token: &token}}, target: u, log: zap.NewNop(),
			client: &http.Client{Transport: answering(func(path string) (int, string, error) { return (*answer.Load())(path) })},
			fires:  func(router.Labels) bool { return fires },
			post: func(_ context.Context, alerts []*router.Alert) error {
				if busy.Load() {
					return errors.New("overloaded")
				}
				a := alerts[0]
				fires = a.EndsAt.After(time.Now())
				said = append(said, fmt.Sprintf("%s %s since %s until %s: %s", time.Since(begun), a.Labels.String(), a.StartsAt.Sub(begun), a.EndsAt.Sub(begun), a.Annotations.Get("description")))
				if strings.Contains(fmt.Sprint(a), "secret") {
					t.Errorf("a password is told: %v", a)
				}
				return nil
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.run(ctx); close(ended) }()
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

		pass(time.Minute + time.Second)
		be(func(string) (int, string, error) { return 0, "", errors.New("connection refused") })
		pass(time.Minute) // that is a restart
		be(well)
		pass(time.Minute)
		be(func(path string) (int, string, error) {
			if path == "/base/-/ready" {
				return 503, "midwatch is reading its state\n", nil
			}
			return well(path)
		})
		pass(3 * time.Minute)
		busy.Store(true)
		pass(30 * time.Second)
		busy.Store(false)
		be(func(path string) (int, string, error) {
			if path == "/base/api/midwatch/v1/health" {
				return 503, `{"well":false,"problems":["nothing is being kept: the disk is full"]}`, nil
			}
			return well(path)
		})
		pass(30 * time.Second)
		be(func(path string) (int, string, error) {
			if path == "/base/api/midwatch/v1/health" {
				return 404, "404 page not found", nil // an older one
			}
			return well(path)
		})
		pass(2 * time.Minute)
		stop()
		<-ended

		const labels = `{alertname="MidwatchDown", severity="critical", target="midwatch.example"}`
		const so = " While it is so, nobody may be paged about anything."
		want := []string{
			"5m30s " + labels + " since 3m30s until 7m40s: it is not ready: 503 midwatch is reading its state." + so,
			"6m0s " + labels + " since 3m30s until 8m10s: it is not ready: 503 midwatch is reading its state." + so,
			"7m0s " + labels + " since 3m30s until 9m10s: it says that it is not well: nothing is being kept: the disk is full." + so,
			"7m30s " + labels + " since 7m30s until 7m30s: It is well." + so,
		}
		if !slices.Equal(said, want) {
			t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestWatchWantsATargetAndAConfiguration(t *testing.T) {
	for args, want := range map[string]string{
		"watch":                                "required flag(s) '--target' not provided",
		"watch --target midwatch":              `--target "midwatch" is not an address`,
		"watch --target http://x --every 10ms": "--every is 10ms",
		"watch --target http://x":              "say whom to page: --config.file",
		"watch --target http://x --for=-1m --config.file=watch.yml":   "--for is negative",
		"watch --target http://x --config.file=testdata/nosuch.yml x": "unexpected x",
	} {
		var errs strings.Builder
		if code := run(t.Context(), strings.Fields(args), io.Discard, &errs); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("midwatch %s: %d %s", args, code, errs.String())
		}
	}
}

// TestASecondMidwatchPages runs both of them, and ends the first.
func TestASecondMidwatchPages(t *testing.T) {
	first := begin(t, "route: {receiver: none}\nreceivers: [{name: none}]\n")
	dir := t.TempDir()
	file := dir + "/watch.yml"
	second := &running{T: t, file: file, log: newJournal()}
	second.write(`
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: ops, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
route: {receiver: ops, group_wait: 0s}
receivers: [{name: ops, incident_configs: [{escalation_policy: ops, severity: sev1}]}]
`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"watch", "--target", first.url, "--every=1s", "--for=1s", "--config.file", file, "--storage.path", dir + "/data", "--web.listen-address=127.0.0.1:0",
		}, io.Discard, second.log)
		second.log.end()
	}()
	second.url = listening.in(second.log.await(t, "Listening on"))
	if strings.Contains(second.log.String(), "MidwatchDown") {
		t.Error("it pages while all is well")
	}
	first.stop()
	second.log.await(t, "event=page")
	if _, body := second.ask("GET", "/api/midwatch/v1/incidents"); !strings.Contains(body, "is not well") || !strings.Contains(body, `"severity":"sev1"`) {
		t.Errorf("%s", body)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("it ended with %d:\n%s", code, second.log)
	}
}
