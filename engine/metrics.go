package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/incident"
)

// metrics are what the engine tells of itself (DESIGN §7).
type metrics struct {
	lag        prometheus.Histogram
	commits    prometheus.Histogram
	deliveries *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	events     *prometheus.CounterVec
	upstream   *upstreamMetrics // nil: nobody asked for Alertmanager's
}

func newMetrics(e *Engine, r prometheus.Registerer) *metrics {
	m := &metrics{
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "midwatch_timer_lag_seconds", Help: "How much later than planned what was due was begun.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30, 300},
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "midwatch_store_commit_duration_seconds", Help: "How long a commit to the store took.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .05, .25, 1, 5},
		}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "midwatch_delivery_attempts_total", Help: "Attempts to deliver a message, by kind of message, channel and outcome.",
		}, []string{"event", "channel", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "midwatch_delivery_duration_seconds", Help: "How long an attempt to deliver took, by channel.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"channel"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "midwatch_events_total", Help: "What happened to incidents, by the names of the timeline.",
		}, []string{"event"}),
	}
	for _, kind := range []string{incident.Opened, incident.Paged, incident.PageFailed, incident.StepSkipped, incident.CatchAll, incident.Acknowledged, incident.ResolvedEvent} {
		m.events.WithLabelValues(kind)
	}
	r.MustRegister(m.lag, m.commits, m.deliveries, m.latency, m.events, incidentCollector{e}, heartbeatCollector{e}, budgetCollector{e}, &coverageCollector{e: e, of: map[string]coverage{}},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "midwatch_store_writable", Help: "1 while the store takes writes, 0 while the daemon goes on from memory.",
		}, func() float64 {
			if e.Trouble() != "" {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "midwatch_queue_length", Help: "Inputs that wait for the engine.",
		}, func() float64 { return float64(e.Queued()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "midwatch_deliveries_pending", Help: "Messages that have no outcome yet.",
		}, func() float64 {
			e.mu.RLock()
			defer e.mu.RUnlock()
			return float64(len(e.core.deliveries))
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "midwatch_alerts_refused_total", Help: "Alerts that were not taken in, because too many of their name fire already.",
		}, func() float64 {
			e.mu.RLock()
			defer e.mu.RUnlock()
			return float64(e.core.refused)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "midwatch_store_backlog_bytes", Help: "What is held in memory until the disk takes writes again.",
		}, func() float64 {
			e.mu.RLock()
			defer e.mu.RUnlock()
			return float64(e.unsaved.size)
		}))
	return m
}

// channel names what a delivery goes by, with few values: the integration, or the name of the contact method.
func channel(d Delivery) string {
	if d.Integration != "" {
		return d.Integration
	}
	return d.Via
}

func (m *metrics) delivered(d Delivery, v Verdict) {
	m.upstream.attempted(d, v)
	m.deliveries.WithLabelValues(d.Event, channel(d), v.Outcome.String()).Inc()
	m.latency.WithLabelValues(channel(d)).Observe(v.Latency.Seconds())
}

func (m *metrics) happened(e incident.Event) {
	m.events.WithLabelValues(e.Kind).Inc()
	m.upstream.happened(e)
}

// incidentCollector counts the open incidents when it is asked.
type incidentCollector struct{ e *Engine }

var incidentsDesc = prometheus.NewDesc("midwatch_incidents", "Open incidents, by state and severity.", []string{"state", "severity"}, nil)

func (c incidentCollector) Describe(ch chan<- *prometheus.Desc) { ch <- incidentsDesc }

func (c incidentCollector) Collect(ch chan<- prometheus.Metric) {
	type key struct {
		status   incident.Status
		severity string
	}
	counts := map[key]int{}
	for _, status := range []incident.Status{incident.Triggered, incident.Acked} {
		for _, severity := range []string{"sev1", "sev2", "sev3", "sev4", "sev5"} {
			counts[key{status, severity}] = 0
		}
	}
	c.e.mu.RLock()
	for _, l := range c.e.core.live {
		if l.incident.Open() {
			counts[key{l.incident.Status, l.incident.Severity}]++
		}
	}
	c.e.mu.RUnlock()
	for k, n := range counts {
		ch <- prometheus.MustNewConstMetric(incidentsDesc, prometheus.GaugeValue, float64(n), string(k.status), k.severity)
	}
}
