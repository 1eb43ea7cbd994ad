package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	v2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/version"
)

// upstream is Alertmanager's own API over its own alert store and dispatcher: what ours must answer, to the byte.
func upstream(t *testing.T, w *world) http.Handler {
	t.Helper()
	log, reg := promslog.NewNopLogger(), prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	alerts, err := mem.NewAlerts(ctx, 30*time.Minute, 0, nil, log, eventrecorder.Recorder{}, reg, featurecontrol.NoopFlags{})
	if err != nil {
		t.Fatal(err)
	}
	silences, err := silence.New(silence.Options{Retention: 120 * time.Hour, Metrics: reg, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.ExternalURL = &url.URL{Scheme: "http", Host: "alertmanager.test"}
	groups := marker.NewGroupMarker()
	quiet := notify.StageFunc(func(ctx context.Context, _ *slog.Logger, as ...*alert.Alert) (context.Context, []*alert.Alert, error) {
		return ctx, as, nil
	})
	d := dispatch.NewDispatcher(alerts, dispatch.NewRoute(w.conf.Route, nil), quiet, groups,
		func(d time.Duration) time.Duration { return d }, time.Minute, nil, log, eventrecorder.Recorder{}, nil, tmpl)
	go d.Run(time.Now())
	silencer := silence.NewSilencer(silences, log, eventrecorder.Recorder{})
	inhibitor := inhibit.NewInhibitor(alerts, w.conf.InhibitRules, log, eventrecorder.Recorder{})
	go inhibitor.Run()
	t.Cleanup(func() {
		inhibitor.Stop()
		d.Stop()
		alerts.Close()
		cancel()
		synctest.Wait()
	})
	api, err := v2.NewAPI(alerts, d.Groups, groups.Muted, silences, nil, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	api.Update(w.conf, func(ctx context.Context, ls model.LabelSet) {
		inhibitor.Mutes(ctx, ls)
		silencer.Mutes(ctx, ls)
	})
	mux := http.NewServeMux() // as in the daemon: it cleans paths
	mux.Handle("/api/v2/", api.Handler)
	return mux
}

// TestWeAnswerAsAlertmanagerDoes asks both the same questions, in the same order, and compares status, headers and body.
// It also keeps testdata/conversation.txt, which TestConversation holds us to where this oracle is not built.
func TestWeAnswerAsAlertmanagerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		ours, theirs := side{handler: w.api}, side{handler: upstream(t, w)}
		w.pass(time.Second)
		var script strings.Builder
		version.Version = "0.34.2"
		status := question{method: "GET", target: "/api/v2/status"}
		for _, q := range append(conversation(), status) {
			want, got := theirs.ask(q), ours.ask(q)
			if a, b := transcript(got), transcript(want); a != b {
				t.Errorf("%s\n got: %s\nwant: %s", q, a, b)
			}
			if q.String() != status.String() {
				script.WriteString(q.scene(want))
			}
			w.pass(137 * time.Millisecond)
		}
		if t.Failed() {
			return
		}
		if err := os.WriteFile(conversationFile, []byte(script.String()), 0o644); err != nil { //nolint:gosec // test data
			t.Fatal(err)
		}
	})
}
