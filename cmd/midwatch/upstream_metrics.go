package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/router"
)

// measure registers Alertmanager's metrics of what the engine does and of what is kept. The engine must not be running
// yet.
func (d *daemon) measure() {
	d.engine.MeasureUpstream(d.registry, engine.MetricLabels{
		Receivers:  d.features.EnableReceiverNamesInMetrics(),
		GroupKeys:  d.features.EnableGroupKeyInMetrics(),
		AlertNames: d.features.EnableAlertNamesInMetrics(),
	})
	d.kept = newLogMetrics(d.registry, d.engine.Router().Silences, d.meshed())
}

// logMetrics are Alertmanager's of its two stores, silences and the notification log ("nflog"), as far as they mean
// something here: they are written to files for whoever goes back to Alertmanager.
type logMetrics struct {
	maintenance, failed map[string]prometheus.Counter
	took                map[string]prometheus.Summary
	size                map[string]prometheus.Gauge
}

// logFiles are the two stores, and their files within --storage.path.
var logFiles = []string{"silences", "nflog"}

// newLogMetrics registers them. silences are those that there are. meshed says that the mesh counts what it passes on.
func newLogMetrics(r prometheus.Registerer, silences func() []router.Silence, meshed bool) *logMetrics {
	m := &logMetrics{
		maintenance: map[string]prometheus.Counter{}, failed: map[string]prometheus.Counter{},
		took: map[string]prometheus.Summary{}, size: map[string]prometheus.Gauge{},
	}
	for _, file := range logFiles {
		name := func(rest string) string { return "alertmanager_" + file + "_" + rest }
		m.maintenance[file] = prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("maintenance_total"), Help: "How often the file of Alertmanager was to be written.",
		})
		m.failed[file] = prometheus.NewCounter(prometheus.CounterOpts{
			Name: name("maintenance_errors_total"), Help: "How often the file of Alertmanager could not be written.",
		})
		m.took[file] = prometheus.NewSummary(prometheus.SummaryOpts{
			Name: name("snapshot_duration_seconds"), Help: "How long writing Alertmanager's files took.",
		})
		m.size[file] = prometheus.NewGauge(prometheus.GaugeOpts{
			Name: name("snapshot_size_bytes"), Help: "Size of the file of Alertmanager that was written last.",
		})
		r.MustRegister(m.maintenance[file], m.failed[file], m.took[file], m.size[file])
		r.MustRegister(unasked(file)...)
		if !meshed {
			r.MustRegister(never(file, "gossip_messages_propagated_total", "Messages of peers that were passed on: none, there is no cluster."))
		}
	}
	r.MustRegister(silenceCollector{silences}, compileErrors(),
		never("silences", "gc_errors_total", "Silences that could not be forgotten: none."),
		never("silences", "query_silences_scanned_total", "Not counted."),
		never("silences", "query_silences_skipped_total", "Not counted."))
	return m
}

// unasked are metrics of a store that is asked: here it is memory that is read, and there is nothing to count.
func unasked(store string) []prometheus.Collector {
	return []prometheus.Collector{
		never(store, "queries_total", "Not counted."),
		never(store, "query_errors_total", "Queries that failed: none can."),
		prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "alertmanager_" + store + "_query_duration_seconds", Help: "Not measured.", Buckets: prometheus.DefBuckets,
		}),
		prometheus.NewSummary(prometheus.SummaryOpts{
			Name: "alertmanager_" + store + "_gc_duration_seconds", Help: "Not measured; it is a part of the turn.",
		}),
	}
}

func never(store, rest, help string) prometheus.Collector {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "alertmanager_" + store + "_" + rest, Help: help})
}

// compileErrors is 0: a silence that cannot be compiled is refused, or left out with a line in the log.
func compileErrors() prometheus.Collector {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "alertmanager_silences_matcher_compile_errors_total", Help: "Silences whose matchers could not be compiled: none is kept.",
	}, []string{"stage"})
	c.WithLabelValues("index")
	c.WithLabelValues("load_snapshot")
	return c
}

// wrote says that both files were written in dir, or that they could not be.
func (m *logMetrics) wrote(dir string, took time.Duration, err error) {
	for _, file := range logFiles {
		m.maintenance[file].Inc()
		if err != nil {
			m.failed[file].Inc()
			continue
		}
		m.took[file].Observe(took.Seconds())
		if info, err := os.Stat(filepath.Join(dir, file)); err == nil {
			m.size[file].Set(float64(info.Size()))
		}
	}
}

// silenceCollector counts the silences when it is asked. Alertmanager indexes each of them twice, hence the two sizes.
type silenceCollector struct{ all func() []router.Silence }

var (
	silencesDesc   = prometheus.NewDesc("alertmanager_silences", "How many silences by state.", []string{"state"}, nil)
	silenceIndexes = []*prometheus.Desc{
		prometheus.NewDesc("alertmanager_silences_state_size", "How many silences are known.", nil, nil),
		prometheus.NewDesc("alertmanager_silences_matcher_index_size", "How many silences are compiled.", nil, nil),
		prometheus.NewDesc("alertmanager_silences_version_index_size", "How many silences are known.", nil, nil),
	}
)

func (silenceCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- silencesDesc
	for _, d := range silenceIndexes {
		ch <- d
	}
}

func (c silenceCollector) Collect(ch chan<- prometheus.Metric) {
	counts := map[router.SilenceState]int{router.SilenceActive: 0, router.SilencePending: 0, router.SilenceExpired: 0}
	now, all := time.Now(), c.all()
	for i := range all {
		counts[all[i].State(now)]++
	}
	for state, n := range counts {
		ch <- prometheus.MustNewConstMetric(silencesDesc, prometheus.GaugeValue, float64(n), string(state))
	}
	for _, d := range silenceIndexes {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(len(all)))
	}
}
