package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	apimetrics "github.com/prometheus/alertmanager/api/metrics"
	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// TestEveryMetricOfAlertmanagerIsThere from the start. The list was taken from a running Alertmanager 0.34.2.
func TestEveryMetricOfAlertmanagerIsThere(t *testing.T) {
	list, err := os.ReadFile("testdata/alertmanager-metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, plain)
	r.ask(http.MethodGet, "/metrics") // so that a request was measured
	_, text := r.ask(http.MethodGet, "/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	for _, name := range strings.Fields(string(list)) {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "net_conntrack_dialer_conn_failed_total", "promhttp_metric_handler_requests_total", "midwatch_build_info"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if !strings.Contains(text, "alertmanager_build_info{") || !strings.Contains(text, `version="0.34.2"`) {
		t.Error("alertmanager_build_info has not the version that clients look for")
	}
}

// TestMetricsAreLabelledAsUpstreams are, under every feature that changes labels: what both register is described alike,
// but for the help.
func TestMetricsAreLabelledAsUpstreams(t *testing.T) {
	for _, features := range []string{
		"", featurecontrol.FeatureAlertNamesInMetrics, featurecontrol.FeatureReceiverNameInMetrics, featurecontrol.FeatureGroupKeyInMetrics,
	} {
		ff, err := featurecontrol.NewFlags(promslog.NewNopLogger(), features)
		if err != nil {
			t.Fatal(err)
		}
		theirs, ours := upstreamMetrics(t, ff), ourMetrics(t, ff)
		if len(theirs) < 50 {
			t.Fatalf("upstream registered %d metrics only", len(theirs))
		}
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			if ours[name] != theirs[name] {
				t.Errorf("%s: %s has %s, want %s", features, name, ours[name], theirs[name])
			}
		}
	}
}

// upstreamMetrics are the label names of what Alertmanager's packages register, by the metric's name. Those of package app,
// which cannot be imported, are written out.
func upstreamMetrics(t *testing.T, ff featurecontrol.Flagger) descriptions {
	all := descriptions{
		"alertmanager_http_request_duration_seconds": "[code handler method]",
		"alertmanager_http_response_size_bytes":      "[handler method]",
		"alertmanager_cluster_enabled":               "[]",
		"alertmanager_receivers":                     "[]",
		"alertmanager_integrations":                  "[]",
		"alertmanager_inhibition_rules":              "[]",
	}
	log := promslog.NewNopLogger()
	all.must(versioncollector.NewCollector("alertmanager"))
	amnotify.NewMetrics(all, ff)
	dispatch.NewDispatcherMetrics(false, all, ff)
	amconfig.NewCoordinator("", all, log)
	apimetrics.NewAlerts(all)
	alerts, err := mem.NewAlerts(t.Context(), time.Hour, 0, nil, log, eventrecorder.NopRecorder(), all, ff)
	if err != nil {
		t.Fatal(err)
	}
	alerts.Close()
	if _, err := silence.New(silence.Options{Metrics: all}); err != nil {
		t.Fatal(err)
	}
	if _, err := nflog.New(nflog.Options{Metrics: all}); err != nil {
		t.Fatal(err)
	}
	return all
}

func ourMetrics(t *testing.T, ff featurecontrol.Flagger) descriptions {
	all := descriptions{}
	newDaemonMetrics(all, func() bool { return false })
	api.NewMetrics(all)
	newLogMetrics(all, func() []router.Silence { return nil }, false)
	root := dispatch.NewRoute(&amconfig.Route{Receiver: "hook"}, nil)
	e, err := engine.Start(t.Context(), engine.Options{
		Store: store.NewMemory(), Config: &engine.Config{Routing: router.Options{Root: root}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.MeasureUpstream(all, engine.MetricLabels{
		Receivers: ff.EnableReceiverNamesInMetrics(), GroupKeys: ff.EnableGroupKeyInMetrics(), AlertNames: ff.EnableAlertNamesInMetrics(),
	})
	return all
}

// descriptions are the label names of what was registered, sorted, by the metric's name.
type descriptions map[string]string

func (d descriptions) Register(c prometheus.Collector) error {
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		c.Describe(ch)
	}()
	for desc := range ch {
		parts := regexp.MustCompile(`^Desc{fqName: "(.*?)", help: ".*", constLabels: {(.*)}, variableLabels: {(.*)}}$`).FindStringSubmatch(desc.String())
		if parts == nil {
			return fmt.Errorf("%s cannot be read", desc)
		}
		var labels []string
		for _, l := range strings.Split(parts[2]+","+parts[3], ",") {
			if name, _, _ := strings.Cut(l, "="); name != "" {
				labels = append(labels, name)
			}
		}
		slices.Sort(labels)
		d[parts[1]] = fmt.Sprint(labels)
	}
	return nil
}

func (d descriptions) must(c prometheus.Collector) {
	if err := d.Register(c); err != nil {
		panic(err)
	}
}

func (d descriptions) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		d.must(c)
	}
}

func (d descriptions) Unregister(prometheus.Collector) bool { return false }

// TestTheHashOfAConfigurationIsUpstreams, so that peers with the same file agree.
func TestTheHashOfAConfigurationIsUpstreams(t *testing.T) {
	reg := prometheus.NewRegistry()
	conf, err := amconfig.Load(plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := amconfig.NewCoordinator("", reg, promslog.NewNopLogger()).ApplyConfig(conf); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "alertmanager_config_hash" {
			continue
		}
		want := f.GetMetric()[0].GetGauge().GetValue()
		if got := configHash(source{text: []byte(plain)}, nil); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		file := t.TempDir() + "/alertmanager.yml"
		if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := configHash(source{file: file}, []string{file}); got != want {
			t.Errorf("of a file: %v, want %v", got, want)
		}
		return
	}
	t.Fatal("upstream has no hash")
}

// TestTheConfigurationIsCounted as Alertmanager counts it: only receivers that some route names, and their integrations.
func TestTheConfigurationIsCounted(t *testing.T) {
	cfg, faults := config.Load([]byte(`
route: {receiver: a, routes: [{receiver: b, matchers: [team="b"]}, {receiver: a, matchers: [team="a"]}]}
receivers:
  - {name: a, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
  - {name: b, webhook_configs: [{url: "http://127.0.0.1:1/"}, {url: "http://127.0.0.1:2/"}]}
  - {name: nobodys, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
`), config.Options{})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	o := router.Options{
		Root: dispatch.NewRoute(cfg.Upstream.Route, nil), Inhibit: make([]router.InhibitRule, 4),
		Receivers: map[string][]router.Integration{"a": make([]router.Integration, 1), "b": make([]router.Integration, 2), "nobodys": make([]router.Integration, 1)},
	}
	reg := prometheus.NewRegistry()
	m := newDaemonMetrics(reg, func() bool { return true })
	m.loaded(o, 12, time.Unix(1000, 5e8))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	want := map[string]float64{
		"alertmanager_receivers": 2, "alertmanager_integrations": 3, "alertmanager_inhibition_rules": 4,
		"alertmanager_config_hash": 12, "alertmanager_config_last_reload_successful": 1,
		"alertmanager_config_last_reload_success_timestamp_seconds": 1000.5,
		"alertmanager_cluster_enabled":                              1, "alertmanager_build_info": 1, "midwatch_build_info": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSilencesAreCounted by their states, and the files that are written of them.
func TestSilencesAreCounted(t *testing.T) {
	now, dir := time.Now(), t.TempDir()
	one := func(from, until time.Duration) router.Silence {
		return router.Silence{StartsAt: now.Add(from), EndsAt: now.Add(until)}
	}
	all := []router.Silence{
		one(-time.Hour, time.Hour), one(-time.Hour, 2*time.Hour), one(time.Hour, 2*time.Hour),
		one(-2*time.Hour, -time.Hour), one(-3*time.Hour, -time.Hour), one(-4*time.Hour, -time.Hour),
	}
	reg := prometheus.NewRegistry()
	m := newLogMetrics(reg, func() []router.Silence { return all }, true)
	if err := os.WriteFile(dir+"/silences", make([]byte, 70), 0o600); err != nil {
		t.Fatal(err)
	}
	m.wrote(dir, 2*time.Second, nil)
	m.wrote(dir, time.Second, os.ErrPermission)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			name := f.GetName()
			for _, l := range one.GetLabel() {
				name += " " + l.GetValue()
			}
			v := one.GetGauge().GetValue() + one.GetCounter().GetValue() + one.GetSummary().GetSampleSum()
			if v != 0 {
				got[strings.TrimPrefix(name, "alertmanager_")] = v
			}
		}
	}
	want := map[string]float64{
		"silences active": 2, "silences pending": 1, "silences expired": 3,
		"silences_state_size": 6, "silences_matcher_index_size": 6, "silences_version_index_size": 6,
		"silences_maintenance_total": 2, "silences_maintenance_errors_total": 1, "silences_snapshot_duration_seconds": 2, "silences_snapshot_size_bytes": 70,
		"nflog_maintenance_total": 2, "nflog_maintenance_errors_total": 1, "nflog_snapshot_duration_seconds": 2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
