package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// eventful is the configuration of both sides in TestEventsAreUpstreams.
const eventful = `
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 2m
  routes: [{receiver: other, matchers: ['team=~"a|b"'], group_by: [team], repeat_interval: 4h}]
receivers: [{name: hook, webhook_configs: [{url: "http://x/"}]}, {name: other, webhook_configs: [{url: "http://x/"}]}]
inhibit_rules:
  - {name: never, source_matchers: [severity="none"], target_matchers: [severity="warning"], equal: [node]}
  - {source_matchers: [severity="critical"], target_matchers: [severity=~"warning|info"], equal: [node, zone]}
  - {source_matchers: [severity="critical"], target_matchers: [severity="warning"]}
`

// An eventWorld is one side: what can be done to it. It is ended by end.
type eventWorld struct {
	post    func(alerts ...*alert.Alert)
	silence func(id, comment string) string // makes or changes it, and returns its ID
	end     func()
}

// eventStory is what is done to both.
func eventStory(w eventWorld) {
	begun := time.Now()
	until := func(after time.Duration) { time.Sleep(time.Until(begun.Add(after))) }
	one := func(end time.Duration, pairs ...string) *alert.Alert {
		a := &alert.Alert{Alert: model.Alert{
			Labels: model.LabelSet{}, Annotations: model.LabelSet{"summary": "x < y"}, StartsAt: begun, EndsAt: begun.Add(end),
		}, UpdatedAt: time.Now()}
		for i := 0; i < len(pairs); i += 2 {
			a.Labels[model.LabelName(pairs[i])] = model.LabelValue(pairs[i+1])
		}
		return a
	}
	id := w.silence("", "first")
	until(time.Second)
	w.silence(id, "second")
	w.post(
		one(time.Hour, "alertname", "Node", "severity", "critical", "node", "1"),
		one(time.Hour, "alertname", "Disk", "severity", "warning", "node", "1"),
		one(time.Hour, "alertname", "Noise", "service", "quiet"),
		one(time.Hour, "alertname", "Lag", "host", "a"),
		one(time.Hour, "alertname", "Lag", "host", "b", "service", "quiet"),
		one(time.Hour, "alertname", "Team", "team", "a"),
		one(time.Hour, "alertname", "Team", "team", "a", "severity", "info", "node", "2"),
	)
	until(5 * time.Second)
	w.post(one(time.Hour, "alertname", "Lag", "host", "c"))
	until(90 * time.Second)
	w.post(one(85*time.Second, "alertname", "Lag", "host", "a"), one(80*time.Second, "alertname", "Noise", "service", "quiet"))
	until(150 * time.Second)
	w.post(one(145*time.Second, "alertname", "Lag", "host", "c"), one(140*time.Second, "alertname", "Team", "team", "a"))
	until(200 * time.Second)
	w.post(one(time.Hour, "alertname", "Lag", "host", "a"))
	until(5*time.Minute + time.Second)
	w.end()
}

// TestEventsAreUpstreams runs a story through Alertmanager's own dispatcher, inhibitor, silencer, provider and stages, each
// with its recorder, in virtual time, and through the engine: what is recorded must be the same, line by line. Only the
// UUIDs may differ, and the order at one instant.
func TestEventsAreUpstreams(t *testing.T) {
	cfg, faults := config.Load([]byte(eventful), config.Options{})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	theirs := recorded(t, func(t *testing.T, c eventrecorder.Config) { eventStory(upstreamEvents(t, cfg, c)) })
	ours := recorded(t, func(t *testing.T, c eventrecorder.Config) { eventStory(ourEvents(t, cfg, c)) })
	kinds := map[string]int{}
	for _, line := range theirs {
		kinds[regexp.MustCompile(`"data":{"([a-zA-Z]+)`).FindStringSubmatch(line)[1]]++
	}
	for _, kind := range []string{"alertCreated", "alertGrouped", "alertResolved", "notification", "silenceCreated", "silenceUpdated", "silenceMutedAlert", "inhibitionMutedAlert"} {
		if kinds[kind] == 0 {
			t.Errorf("upstream recorded no %s: nothing is proved about it", kind)
		}
	}
	// Alertmanager's package app, which cannot be imported, records its start; our chronicler does.
	ours = slices.DeleteFunc(ours, func(line string) bool { return strings.Contains(line, "alertmanagerStartupEvent") })
	for _, line := range missing(theirs, ours) {
		t.Errorf("only upstream recorded: %s", line)
	}
	for _, line := range missing(ours, theirs) {
		t.Errorf("only we recorded:       %s", line)
	}
}

// missing are the lines of a that b lacks.
func missing(a, b []string) []string {
	b = slices.Clone(b)
	var out []string
	for _, line := range a {
		if i := slices.Index(b, line); i >= 0 {
			b = slices.Delete(b, i, i+1)
		} else {
			out = append(out, line)
		}
	}
	return out
}

// recorded runs a side in a bubble, and returns what it recorded: the lines of the standard output, for the file's output
// watches its folder, which no bubble can wait for. They are in one form, and their UUIDs are gone.
func recorded(t *testing.T, side func(*testing.T, eventrecorder.Config)) []string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "events"))
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	synctest.Test(t, func(t *testing.T) {
		side(t, eventrecorder.Config{StdoutOutputs: []eventrecorder.StdoutOutputConfig{{}}})
	})
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return eventLines(t, string(text))
}

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

func eventLines(t *testing.T, text string) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(text) {
		var event any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		form, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, anyUUID.ReplaceAllString(string(form), "UUID"))
	}
	return out
}

type deafNotifier struct{}

func (deafNotifier) Notify(context.Context, ...*alert.Alert) (bool, error) { return false, nil }

type resolvedToo struct{}

func (resolvedToo) SendResolved() bool { return true }

func upstreamEvents(t *testing.T, cfg *config.Config, to eventrecorder.Config) eventWorld {
	log, reg, ff := promslog.NewNopLogger(), prometheus.NewRegistry(), featurecontrol.NoopFlags{}
	host, _ := os.Hostname()
	rec := eventrecorder.NewRecorderFromConfig(to, host, log, nil)
	ctx := eventrecorder.WithEventRecording(t.Context())
	alerts, err := mem.NewAlerts(t.Context(), time.Hour, 0, nil, log, rec, reg, ff)
	if err != nil {
		t.Fatal(err)
	}
	silences, err := silence.New(silence.Options{Metrics: reg, Retention: time.Hour, EventRecorder: rec, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	told, err := nflog.New(nflog.Options{Metrics: reg, Retention: time.Hour, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	inhibitor := inhibit.NewInhibitor(alerts, cfg.Upstream.InhibitRules, log, rec)
	receivers := map[string][]amnotify.Integration{}
	for _, name := range []string{"hook", "other"} {
		receivers[name] = []amnotify.Integration{amnotify.NewIntegration(deafNotifier{}, resolvedToo{}, "webhook", 0, name)}
	}
	groups := marker.NewGroupMarker()
	stages := amnotify.NewPipelineBuilder(reg, ff, rec).New(receivers, func() time.Duration { return 0 }, inhibitor,
		silence.NewSilencer(silences, log, rec), timeinterval.NewIntervener(nil), groups, told, nil)
	dispatcher := dispatch.NewDispatcher(alerts, dispatch.NewRoute(cfg.Upstream.Route, nil), stages, groups,
		func(d time.Duration) time.Duration { return d }, time.Minute, nil, log, rec, dispatch.NewDispatcherMetrics(false, reg, ff), nil)
	go inhibitor.Run()
	inhibitor.WaitForLoading()
	go dispatcher.Run(time.Now())
	dispatcher.WaitForLoading()
	synctest.Wait()
	return eventWorld{
		post: func(all ...*alert.Alert) {
			for _, a := range all { // two of a new group at once may be recorded twice
				if err := alerts.Put(ctx, a); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}
		},
		silence: func(id, comment string) string {
			now := time.Now()
			s := &silencepb.Silence{
				Id: id, StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(quietUntil), CreatedBy: "ana", Comment: comment,
				MatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{
					{Type: silencepb.Matcher_REGEXP, Name: "service", Pattern: "quiet|still"}, {Type: silencepb.Matcher_NOT_EQUAL, Name: "env", Pattern: "prod"},
				}}},
			}
			if known, _, err := silences.Query(t.Context(), silence.QIDs(id)); id != "" && err == nil {
				s.StartsAt = known[0].StartsAt
			}
			if err := silences.Set(ctx, s); err != nil {
				t.Error(err)
			}
			return s.Id
		},
		end: func() {
			dispatcher.Stop()
			inhibitor.Stop()
			alerts.Close()
			if err := rec.Close(); err != nil {
				t.Error(err)
			}
		},
	}
}

// quietUntil is when the story's silence ends, on the clock of a bubble.
var quietUntil = time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)

// instantly is a sender whom everything reaches.
type instantly struct{}

func (instantly) Send(_ engine.Send, done func(engine.Verdict)) { go done(engine.Verdict{}) }
func (instantly) Cancel(string) bool                            { return false }

func ourEvents(t *testing.T, cfg *config.Config, to eventrecorder.Config) eventWorld {
	log := logging{slog: slog.New(slog.DiscardHandler)}
	c := newChronicler(to, log, nil)
	var endpoints []notify.Endpoint
	for _, name := range []string{"hook", "other"} {
		endpoints = append(endpoints, notify.Endpoint{Target: notify.Target{Receiver: name, Integration: "webhook"}, SendResolved: true})
	}
	o := routing(cfg, endpoints, router.Options{})
	began := time.Now()
	e, err := engine.Start(t.Context(), engine.Options{
		Store: store.NewMemory(), Config: &engine.Config{Routing: o}, Sender: c.watching(instantly{}), Observe: c.observe,
		Now: func() engine.Instant { return engine.Instant{Wall: time.Now(), Elapsed: time.Since(began)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Upstream.EventRecorder = to
	c.use(cfg, e.Router(), o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	return eventWorld{
		post: func(all ...*alert.Alert) {
			var in []*router.Alert
			for _, a := range all {
				in = append(in, &router.Alert{
					Labels: router.LabelsOf(a.Labels), Annotations: router.LabelsOf(a.Annotations), StartsAt: a.StartsAt, EndsAt: a.EndsAt,
				})
			}
			if err := e.Receive(t.Context(), in); err != nil {
				t.Error(err)
			}
		},
		silence: func(id, comment string) string {
			s, known := e.Router().Silence(id)
			if !known {
				s = router.Silence{
					StartsAt: time.Now(), EndsAt: quietUntil, CreatedBy: "ana",
					Matchers: []router.MatcherSet{{
						{Name: "service", Type: labels.MatchRegexp, Value: "quiet|still"}, {Name: "env", Type: labels.MatchNotEqual, Value: "prod"},
					}},
				}
			}
			s.Comment = comment
			a := e.Do(t.Context(), engine.SetSilence{Silence: s})
			if a.Err != nil {
				t.Error(a.Err)
			}
			return a.Silence.ID
		},
		end: func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			_ = c.out.Close()
		},
	}
}

// TestTheDaemonRecordsEventsInAFile, from its start to its end, and goes on in another after a reload.
func TestTheDaemonRecordsEventsInAFile(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	dir := t.TempDir()
	configured := func(file string) string {
		return fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname], group_wait: 0s}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
event_recorder: {file_outputs: [{path: %q}]}
`, hook.URL, filepath.Join(dir, file))
	}
	r := begin(t, configured("first.jsonl"), "--enable-feature=event-recorder")
	if resp, body := r.ask(http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"Lag"}}]`); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, body)
	}
	const recorded = `alertmanager_events_recorded_total{event_type="notification",output="file:`
	for deadline := time.Now().Add(time.Minute); ; {
		if _, metrics := r.ask(http.MethodGet, "/metrics"); strings.Contains(metrics, recorded) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no notification was recorded:\n%s", r.log)
		}
	}
	r.write(configured("second.jsonl"))
	r.ask(http.MethodPost, "/-/reload")
	r.stop()
	kinds := map[string][]string{}
	for _, file := range []string{"first.jsonl", "second.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range eventLines(t, string(text)) {
			var event struct {
				At       string `json:"@timestamp"`
				Instance string
				Data     map[string]any
			}
			if err := json.Unmarshal([]byte(line), &event); err != nil || event.At == "" || event.Instance == "" || len(event.Data) != 1 {
				t.Fatalf("%s: %v", line, err)
			}
			kinds[file] = append(kinds[file], slices.Collect(maps.Keys(event.Data))...)
		}
	}
	want := map[string][]string{
		"first.jsonl":  {"alertmanagerStartupEvent", "alertCreated", "alertGrouped", "notification"},
		"second.jsonl": {"alertmanagerShutdownEvent"},
	}
	if !maps.EqualFunc(kinds, want, slices.Equal) {
		t.Errorf("%v, want %v", kinds, want)
	}
}

// TestWithoutTheFeatureNothingIsRecorded, whatever the configuration says.
func TestWithoutTheFeatureNothingIsRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.jsonl")
	r := begin(t, plain+fmt.Sprintf("event_recorder: {file_outputs: [{path: %q}]}\n", file))
	r.ask(http.MethodPost, "/-/reload")
	r.stop()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("there is a file of events: %v", err)
	}
}
