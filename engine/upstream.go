package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// MetricLabels say by what Alertmanager's metrics are told apart beyond the usual: its feature flags.
type MetricLabels struct {
	Receivers  bool // receiver_name, where receivers are told
	GroupKeys  bool // group_key, of alertmanager_alerts
	AlertNames bool // alertname, of what is past the limit of its name
}

// upstreamMetrics are those of Alertmanager's that mean the same here, under its names, so that its dashboards and alerts
// go on working. They speak of what receivers are told; what people are told has names of ours.
type upstreamMetrics struct {
	labels MetricLabels

	notifications  *prometheus.CounterVec
	failed         *prometheus.CounterVec
	requests       *prometheus.CounterVec
	requestsFailed *prometheus.CounterVec
	latency        *prometheus.HistogramVec
	suppressed     *prometheus.CounterVec
	limited        *prometheus.CounterVec

	mu  sync.Mutex
	why map[string]string // why the latest attempt failed, by the delivery's key, until it arrives or is given up
}

// integrations are the labels that exist from the start, as in Alertmanager: a rate over what was never counted is no 0.
var integrations = []string{
	"discord", "email", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "opsgenie", "pagerduty", "pushover",
	"rocketchat", "slack", "sns", "telegram", "victorops", "webex", "webhook", "wechat",
}

// reasons are Alertmanager's for a receiver that was not told. failedOther is for what it does not tell apart.
var reasons = []string{
	failedOther, "clientError", "serverError", "contextCanceled", "contextDeadlineExceeded", "authError", "rateLimited",
}

const (
	failedOther = "other"
	maxReasons  = 10_000 // that are remembered
)

// MeasureUpstream registers Alertmanager's metrics of alerts, groups and notifications. It is to be called once, after
// Start and before Run, with Receivers after it.
func (e *Engine) MeasureUpstream(r prometheus.Registerer, l MetricLabels) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	to := []string{"integration"}
	if l.Receivers {
		to = append(to, "receiver_name")
	}
	m := &upstreamMetrics{
		labels:         l,
		why:            map[string]string{},
		notifications:  counter("alertmanager_notifications_total", "The total number of attempted notifications.", to...),
		failed:         counter("alertmanager_notifications_failed_total", "The total number of failed notifications.", append(to, "reason")...),
		requests:       counter("alertmanager_notification_requests_total", "The total number of attempted notification requests.", to...),
		requestsFailed: counter("alertmanager_notification_requests_failed_total", "The total number of failed notification requests.", to...),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alertmanager_notification_latency_seconds", Help: "The latency of notifications in seconds.",
			Buckets:                         []float64{1, 5, 10, 15, 20},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, to),
		suppressed: counter("alertmanager_notifications_suppressed_total",
			"The total number of alerts of which a flush did not tell because of silences, inhibition or time intervals.", "reason"),
		limited: counter("alertmanager_alerts_limited_total", "Alerts that were not taken in, because too many of their name fire already.", named(l)...),
	}
	for _, mute := range []router.Mute{router.Inhibited, router.OutsideHours, router.MutedByHours, router.Silenced} {
		m.suppressed.WithLabelValues(string(mute))
	}
	if !l.AlertNames {
		m.limited.WithLabelValues()
	}
	r.MustRegister(m.notifications, m.failed, m.requests, m.requestsFailed, m.latency, m.suppressed, m.limited, newAlertCollector(e, l))
	r.MustRegister(dispatching(e.core.cfg.Routing.AlertnameLimit)...)
	e.stats.upstream = m
	next := e.observe
	e.observe = func(effects []router.Effect) {
		m.observe(effects)
		if next != nil {
			next(effects)
		}
	}
}

func named(l MetricLabels) []string {
	if l.AlertNames {
		return []string{"alertname"}
	}
	return nil
}

// dispatching are Alertmanager's metrics of what cannot happen here: a new group needs no luck, has no limit, and what
// routing an alert takes is a part of the turn.
func dispatching(alertnameLimit int) []prometheus.Collector {
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_alerts_per_alert_limit", Help: "How many alerts of one name may fire; 0 is any number.",
	})
	limit.Set(float64(alertnameLimit))
	writes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "alertmanager_alerts_subscriber_channel_writes_total", Help: "Alerts that were handed to those who listen: none, nobody has to.",
	}, []string{"subscriber"})
	for _, who := range []string{"dispatcher", "inhibitor"} {
		writes.WithLabelValues(who)
	}
	never := func(name, help string) prometheus.Collector {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "alertmanager_dispatcher_aggregation_group_" + name, Help: help})
	}
	return []prometheus.Collector{
		limit, writes,
		never("limit_reached_total", "Groups that were not made because there were too many: none, there is no limit."),
		never("creation_retries_total", "Groups that were made at the second try: none."),
		never("creation_given_up_total", "Alerts that were lost because their group could not be made: none."),
		prometheus.NewSummary(prometheus.SummaryOpts{
			Name: "alertmanager_dispatcher_alert_processing_duration_seconds",
			Help: "What routing each alert took. Not measured; see midwatch_timer_lag_seconds.",
		}),
	}
}

// MeasureReceivers says whom there is to tell. Where receivers are told apart, those that are gone are counted no more,
// and the others from zero, as in Alertmanager after each reload.
func (e *Engine) MeasureReceivers(receivers map[string][]router.Integration) {
	m := e.stats.upstream
	if m == nil {
		return
	}
	if !m.labels.Receivers {
		for _, name := range integrations {
			m.begin(name)
		}
		return
	}
	m.notifications.Reset()
	m.failed.Reset()
	m.requests.Reset()
	m.requestsFailed.Reset()
	m.latency.Reset()
	for receiver, list := range receivers {
		for _, i := range list {
			m.begin(m.to(i.Name, receiver)...)
		}
	}
}

// begin makes what is counted of a target exist.
func (m *upstreamMetrics) begin(to ...string) {
	m.notifications.WithLabelValues(to...)
	m.requests.WithLabelValues(to...)
	m.requestsFailed.WithLabelValues(to...)
	m.latency.WithLabelValues(to...)
	for _, reason := range reasons {
		m.failed.WithLabelValues(append(slices.Clip(to), reason)...)
	}
}

// to are the labels of whom is told.
func (m *upstreamMetrics) to(integration, receiver string) []string {
	if m.labels.Receivers {
		return []string{integration, receiver}
	}
	return []string{integration}
}

// attempted counts one attempt to tell a receiver.
func (m *upstreamMetrics) attempted(d Delivery, v Verdict) {
	if m == nil || d.Integration == "" {
		return
	}
	to := m.to(d.Integration, d.Receiver)
	if d.Attempts == 0 {
		m.notifications.WithLabelValues(to...).Inc()
	}
	m.requests.WithLabelValues(to...).Inc()
	m.latency.WithLabelValues(to...).Observe(v.Latency.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	if v.Outcome == Delivered {
		delete(m.why, d.Key)
		return
	}
	m.requestsFailed.WithLabelValues(to...).Inc()
	if len(m.why) >= maxReasons {
		clear(m.why) // what was withdrawn is never given up, and leaves its reason here
	}
	m.why[d.Key] = cmp.Or(v.Reason, failedOther)
}

// happened counts a receiver that was given up.
func (m *upstreamMetrics) happened(e incident.Event) {
	if m == nil || e.Kind != incident.PageFailed || e.Receiver == "" || e.Via == "" {
		return
	}
	m.mu.Lock()
	reason := cmp.Or(m.why[e.Key], failedOther)
	delete(m.why, e.Key)
	m.mu.Unlock()
	m.failed.WithLabelValues(append(m.to(e.Via, e.Receiver), reason)...).Inc()
}

// observe counts what the router kept from receivers, and what it did not take in.
func (m *upstreamMetrics) observe(effects []router.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case router.Flushed:
			for mute, n := range e.Muted {
				m.suppressed.WithLabelValues(string(mute)).Add(float64(n))
			}
		case router.Refused:
			if m.labels.AlertNames {
				m.limited.WithLabelValues(e.Alert.Name()).Inc()
			} else {
				m.limited.WithLabelValues().Inc()
			}
		}
	}
}

// alertCollector counts alerts and groups when it is asked. What is suppressed is so at this moment, as the API says it,
// and not at its group's last flush; so no alert is ever unprocessed.
type alertCollector struct {
	e              *Engine
	byGroup        bool
	alerts, groups *prometheus.Desc
}

func newAlertCollector(e *Engine, l MetricLabels) alertCollector {
	labels := []string{"state"}
	if l.GroupKeys {
		labels = append(labels, "group_key")
	}
	return alertCollector{
		e: e, byGroup: l.GroupKeys,
		alerts: prometheus.NewDesc("alertmanager_alerts", "How many alerts by state.", labels, nil),
		groups: prometheus.NewDesc("alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups.", nil, nil),
	}
}

func (c alertCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.alerts
	ch <- c.groups
}

func (c alertCollector) Collect(ch chan<- prometheus.Metric) {
	r, now := c.e.Router(), c.e.now().Wall
	if c.byGroup {
		counts := map[string]router.Count{}
		for key, n := range r.CountGroups(now) {
			sum := counts[key]
			counts[key] = router.Count{Firing: sum.Firing + n.Firing, Suppressed: sum.Suppressed + n.Suppressed}
		}
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			c.count(ch, counts[key], key)
		}
	} else {
		c.count(ch, r.CountAlerts(now))
	}
	ch <- prometheus.MustNewConstMetric(c.groups, prometheus.GaugeValue, float64(r.GroupCount()))
}

func (c alertCollector) count(ch chan<- prometheus.Metric, n router.Count, group ...string) {
	for _, s := range []struct {
		state string
		n     int
	}{{"active", n.Firing - n.Suppressed}, {"suppressed", n.Suppressed}, {"unprocessed", 0}} {
		ch <- prometheus.MustNewConstMetric(c.alerts, prometheus.GaugeValue, float64(s.n), append([]string{s.state}, group...)...)
	}
}
