package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/incident"
)

// upstreamMetrics are those of Alertmanager's that mean the same here, under its names, so that its dashboards and alerts
// go on working. They speak of what receivers are told; what people are told has names of ours.
type upstreamMetrics struct {
	notifications  *prometheus.CounterVec
	failed         *prometheus.CounterVec
	requests       *prometheus.CounterVec
	requestsFailed *prometheus.CounterVec
	latency        *prometheus.HistogramVec
}

// integrations are the labels that exist from the start, as in Alertmanager: a rate over what was never counted is no 0.
var integrations = []string{
	"discord", "email", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "opsgenie", "pagerduty", "pushover",
	"rocketchat", "slack", "sns", "telegram", "victorops", "webex", "webhook", "wechat",
}

func newUpstreamMetrics(e *Engine, r prometheus.Registerer) *upstreamMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"integration"}, labels...))
	}
	m := &upstreamMetrics{
		notifications:  counter("alertmanager_notifications_total", "The total number of attempted notifications."),
		failed:         counter("alertmanager_notifications_failed_total", "The total number of failed notifications.", "reason"),
		requests:       counter("alertmanager_notification_requests_total", "The total number of attempted notification requests."),
		requestsFailed: counter("alertmanager_notification_requests_failed_total", "The total number of failed notification requests."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alertmanager_notification_latency_seconds", Help: "The latency of notifications in seconds.",
			Buckets: []float64{1, 5, 10, 15, 20},
		}, []string{"integration"}),
	}
	for _, name := range integrations {
		m.notifications.WithLabelValues(name)
		m.failed.WithLabelValues(name, failedOther)
		m.requests.WithLabelValues(name)
		m.requestsFailed.WithLabelValues(name)
		m.latency.WithLabelValues(name)
	}
	r.MustRegister(m.notifications, m.failed, m.requests, m.requestsFailed, m.latency, alertCollector{e})
	return m
}

// failedOther is Alertmanager's reason for failures that it does not tell apart; ours are told in the delivery log.
const failedOther = "other"

// attempted counts one attempt to tell a receiver.
func (m *upstreamMetrics) attempted(d Delivery, v Verdict) {
	if d.Integration == "" {
		return
	}
	if d.Attempts == 0 {
		m.notifications.WithLabelValues(d.Integration).Inc()
	}
	m.requests.WithLabelValues(d.Integration).Inc()
	m.latency.WithLabelValues(d.Integration).Observe(v.Latency.Seconds())
	if v.Outcome != Delivered {
		m.requestsFailed.WithLabelValues(d.Integration).Inc()
	}
}

// happened counts a receiver that was given up.
func (m *upstreamMetrics) happened(e incident.Event) {
	if e.Kind == incident.PageFailed && e.Receiver != "" && e.Via != "" {
		m.failed.WithLabelValues(e.Via, failedOther).Inc()
	}
}

// alertCollector counts alerts and groups when it is asked.
type alertCollector struct{ e *Engine }

var (
	alertsDesc = prometheus.NewDesc("alertmanager_alerts", "How many alerts by state.", []string{"state"}, nil)
	groupsDesc = prometheus.NewDesc("alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups.", nil, nil)
)

func (c alertCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- alertsDesc
	ch <- groupsDesc
}

func (c alertCollector) Collect(ch chan<- prometheus.Metric) {
	active := 0
	for a := range c.e.core.router.Alerts().All() {
		if !a.Ended {
			active++
		}
	}
	for state, n := range map[string]int{"active": active, "suppressed": 0, "unprocessed": 0} {
		ch <- prometheus.MustNewConstMetric(alertsDesc, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(groupsDesc, prometheus.GaugeValue, float64(c.e.core.router.GroupCount()))
}
