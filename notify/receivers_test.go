package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/webhook"
)

// instanceDown is the alert of which the files alertmanager-webhook-v4-*.json tell. They were captured from Alertmanager
// 0.34.2.
func instanceDown(ends time.Time, reason string) Message {
	return Message{
		Key: "k", Event: EventReceiver, GroupKey: `{}:{alertname="InstanceDown", cluster="eu1"}`,
		GroupLabels: map[string]string{"alertname": "InstanceDown", "cluster": "eu1"}, Reason: reason, RepeatInterval: time.Hour,
		At: time.Date(2026, 11, 20, 15, 33, 16, 0, time.UTC),
		Alerts: []Alert{{
			Labels:       map[string]string{"alertname": "InstanceDown", "cluster": "eu1", "instance": "web-01:9100", "job": "node", "severity": "critical"},
			Annotations:  map[string]string{"description": "node exporter unreachable for 5m", "runbook_url": "https://rb.example.org/InstanceDown", "summary": "web-01 down"},
			StartsAt:     time.Date(2026, 11, 20, 15, 33, 11, 0, time.UTC),
			EndsAt:       ends,
			GeneratorURL: "http://prom.example.org/graph?g0.expr=up%3D%3D0",
		}},
	}
}

func receivers(t *testing.T, o Options, rs ...amconfig.Receiver) []Endpoint {
	t.Helper()
	es, err := Receivers(rs, o)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

// A service that reads Alertmanager's webhooks reads ours: byte for byte what Alertmanager 0.34.2 was recorded to send.
func TestWebhookIsAlertmanagers(t *testing.T) {
	for _, c := range []struct{ file, reason string }{
		{"alertmanager-webhook-v4-firing.json", "first notification"},
		{"alertmanager-webhook-v4-resolved.json", "all alerts resolved"},
	} {
		t.Run(c.file, func(t *testing.T) {
			recorded, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			var shape struct {
				Alerts []struct{ StartsAt, EndsAt time.Time }
			}
			if err := json.Unmarshal(recorded, &shape); err != nil {
				t.Fatal(err)
			}
			m := instanceDown(shape.Alerts[0].EndsAt, c.reason)
			m.Alerts[0].StartsAt = shape.Alerts[0].StartsAt
			w, o := newWorld(t), options(t)
			o.Templates.ExternalURL = &url.URL{Scheme: "http", Host: "vm:27093"}
			r := load(t, "webhook", "url: "+w.URL+"/hook")
			r.Name = "all"
			if v := receivers(t, o, r)[0].Sender.Send(t.Context(), m); v.Outcome != Delivered {
				t.Fatal(v)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, recorded); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(string(w.last(t).Body), "\n"); got != want.String() {
				t.Errorf("got  %s\nwant %s", got, want.String())
			}
		})
	}
}

// The same, beside upstream's own notifier in a context filled as its dispatcher and stages fill it.
func TestWebhookBesideUpstreamsNotifier(t *testing.T) {
	w, o := newWorld(t), options(t)
	r := load(t, "webhook", "{url: '"+w.URL+"/hook', max_alerts: 3}")
	m := instanceDown(time.Time{}, "new alerts added")
	for _, instance := range []string{"a", "b<c>", "ø", "😀"} {
		a := m.Alerts[0]
		a.Labels = maps.Clone(a.Labels)
		a.Labels["instance"] = instance
		m.Alerts = append(m.Alerts, a)
	}
	m.Alerts[2].EndsAt = m.At.Add(-time.Second)
	m.RouteLabels = map[string]string{
		"team":   "{{ .CommonLabels.job }}-team",
		"chat":   `#{{ routeLabels "team" }}`,
		"loop":   `{{ routeLabels "loop" }}`,
		"reason": "{{ .NotificationReason }}",
	}
	if v := receivers(t, o, r)[0].Sender.Send(t.Context(), m); v.Outcome != Delivered {
		t.Fatal(v)
	}

	theirs, err := webhook.New(r.WebhookConfigs[0], o.Templates, promslog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	ctx := amnotify.WithGroupKey(t.Context(), m.GroupKey)
	ctx = amnotify.WithGroupLabels(ctx, model.LabelSet{"alertname": "InstanceDown", "cluster": "eu1"})
	ctx = amnotify.WithRouteLabels(ctx, model.LabelSet{"team": "node-team", "chat": "#node-team", "reason": "unknown"})
	ctx = amnotify.WithReceiverName(ctx, "r")
	ctx = amnotify.WithNotificationReason(ctx, amnotify.ReasonNewAlertsInGroup)
	var alerts []*alert.Alert
	for _, a := range m.Alerts {
		alerts = append(alerts, &alert.Alert{Alert: model.Alert{
			Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations), StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL,
		}})
	}
	if _, err := theirs.Notify(ctx, alerts...); err != nil {
		t.Fatal(err)
	}
	got := w.got()
	if !bytes.Equal(got[0].Body, got[1].Body) {
		t.Errorf("ours   %s\ntheirs %s", got[0].Body, got[1].Body)
	}
	for _, h := range []string{"User-Agent", "Content-Type", "Content-Length", "Accept-Encoding", "Idempotency-Key"} {
		if a, b := got[0].Header.Get(h), got[1].Header.Get(h); a != b {
			t.Errorf("%s: ours %q, theirs %q", h, a, b)
		}
	}
}

// Upstream's retry stage leaves resolved alerts out where they are not wanted, and says nothing if nothing is left.
func TestWithoutSendResolved(t *testing.T) {
	w := newWorld(t)
	e := receivers(t, options(t), load(t, "webhook", "{url: '"+w.URL+"/hook', send_resolved: false}"))[0]
	if e.SendResolved {
		t.Error("send_resolved is off")
	}
	over := instanceDown(at("01:00:00"), "all alerts resolved")
	if v := e.Sender.Send(t.Context(), over); v.Outcome != Delivered || len(w.got()) != 0 {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}

	mixed := over
	mixed.Alerts = append(slices.Clone(over.Alerts), instanceDown(time.Time{}, "").Alerts...)
	if v := e.Sender.Send(t.Context(), mixed); v.Outcome != Delivered {
		t.Error(v)
	}
	var body struct{ Alerts []struct{ Status string } }
	if err := json.Unmarshal(w.last(t).Body, &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Alerts) != 1 || body.Alerts[0].Status != "firing" {
		t.Errorf("sent %+v", body.Alerts)
	}
}

// Slack's thread is remembered from message to message, and forgotten when the group fires anew.
func TestSlackUpdatesItsMessage(t *testing.T) {
	w := newWorld(t)
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"ok":true,"ts":"1700.5","channel":"C7"}`)
		return true
	})
	r := load(t, "slack", "{api_url: 'https://slack.com/api/chat.postMessage', channel: '#db', update_message: true}")
	o := options(t)
	o.HTTP = toWorld(w)
	s := receivers(t, o, r)[0].Sender

	m := instanceDown(time.Time{}, "first notification")
	v := s.Send(t.Context(), m)
	want := map[string]string{"threadTs": "1700.5", "channelId": "C7"}
	if v.Outcome != Delivered || !maps.Equal(v.State, want) {
		t.Fatalf("%+v, want the state %v", v, want)
	}
	m.State, m.Reason = v.State, "new alerts added"
	if v = s.Send(t.Context(), m); v.State != nil {
		t.Errorf("the state is as before, yet %v came", v.State)
	}
	if got := w.last(t); got.Path != "/api/chat.update" || !bytes.Contains(got.Body, []byte(`"ts":"1700.5"`)) {
		t.Errorf("not an update: %s %s", got.Path, got.Body)
	}
	m.Reason = "first notification"
	s.Send(t.Context(), m)
	if got := w.last(t); got.Path != "/api/chat.postMessage" {
		t.Errorf("a group that fires anew went to %s", got.Path)
	}
}

// Every fault of a configuration's receivers is told, with the receiver's name.
func TestReceiversNameEveryFault(t *testing.T) {
	missing := "{url: 'http://127.0.0.1/', alert_source_token_file: /nowhere/token}"
	a, b := load(t, "incidentio", missing), load(t, "incidentio", missing)
	a.Name, b.Name = "first", "second"
	_, err := Receivers([]amconfig.Receiver{a, load(t, "webhook", "url: http://127.0.0.1/"), b}, options(t))
	if err == nil || !strings.Contains(err.Error(), `receiver "first"`) || !strings.Contains(err.Error(), `receiver "second"`) {
		t.Errorf("got %v", err)
	}
}

// What we leave out of the context, and of the state, nobody in upstream's notifiers asks for. A newer upstream may.
func TestNotifiersAskForNoMoreThanWeGive(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	if err != nil {
		t.Skipf("no go command here: %v", err)
	}
	asked := regexp.MustCompile(`notify\.(FiringAlerts|ResolvedAlerts|MutedAlerts|RouteID|FlushID|AggrGroupID|GroupMatchers|MuteTimeIntervalNames|ActiveTimeIntervalNames)\(`)
	kept := regexp.MustCompile(`\.Set(?:Str|Int|Float)\("?(\w+)`)
	var keys []string
	root := filepath.Join(strings.TrimSpace(string(out)), "notify")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Dir(path) == root || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if s := asked.Find(source); s != nil {
			t.Errorf("%s asks for %s", path, s)
		}
		for _, m := range kept.FindAllSubmatch(source, -1) {
			keys = append(keys, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(keys, stateKeys) {
		t.Errorf("upstream keeps %v, we carry %v", keys, stateKeys)
	}
}

func TestReasonsByTheirWords(t *testing.T) {
	for words, want := range map[string]amnotify.NotifyReason{
		"none": amnotify.ReasonDoNotNotify, "first notification": amnotify.ReasonFirstNotification,
		"repeat interval elapsed": amnotify.ReasonRepeatIntervalElapsed, "": amnotify.ReasonUnknown, "because": amnotify.ReasonUnknown,
	} {
		if got := reasonOf(words); got != want {
			t.Errorf("%q is %v, want %v", words, got, want)
		}
	}
}

// The wall clock was set back: what is over stays over, though its end now lies ahead.
func TestResolvedStaysResolvedWhenTheClockWentBack(t *testing.T) {
	w := newWorld(t)
	s := receivers(t, options(t), load(t, "webhook", "url: "+w.URL+"/hook"))[0].Sender
	s.Send(t.Context(), instanceDown(time.Now().Add(time.Hour), "all alerts resolved"))
	if body := w.last(t).Body; !bytes.Contains(body, []byte(`"status":"resolved","alerts":[{"status":"resolved"`)) {
		t.Errorf("sent %s", body)
	}
}

// A service that answers nothing costs one attempt's time, no more.
func TestSilentServiceIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	w.say(func(http.ResponseWriter, *http.Request) bool {
		cancel()  // the time is over while the service is silent, however slow the way there was
		<-release // and not until we hang up: the 200 that it would say then comes through before the connection is closed, now and then
		return true
	})
	s := receivers(t, options(t), load(t, "webhook", "url: "+w.URL+"/hook"))[0].Sender
	v := s.Send(ctx, instanceDown(time.Time{}, "first notification"))
	if v.Outcome != Retry || !strings.HasPrefix(v.Answer, "no answer in the time given") {
		t.Errorf("got %+v", v)
	}
}
