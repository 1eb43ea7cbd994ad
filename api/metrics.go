package api

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are those of Alertmanager that HTTP brings forth, under its names, so that dashboards keep working. They are
// made once for a process.
type Metrics struct {
	duration      *prometheus.HistogramVec
	size          *prometheus.HistogramVec
	inFlight      prometheus.Gauge
	limited       prometheus.Counter
	refused       prometheus.Counter
	receivedTotal *prometheus.CounterVec
	invalidTotal  *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them; a nil Registerer leaves them unregistered.
func NewMetrics(r prometheus.Registerer) *Metrics {
	get := prometheus.Labels{"method": "get"}
	m := &Metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alertmanager_http_request_duration_seconds", Help: "Histogram of latencies for HTTP requests.",
			Buckets:                         prometheus.DefBuckets,
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"handler", "method", "code"}),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "alertmanager_http_response_size_bytes", Help: "Histogram of response size for HTTP requests.",
			Buckets: prometheus.ExponentialBuckets(100, 10, 7),
		}, []string{"handler", "method"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_http_requests_in_flight", Help: "Current number of HTTP requests being processed.", ConstLabels: get,
		}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name:        "alertmanager_http_concurrency_limit_exceeded_total",
			Help:        "Total number of times an HTTP request failed because the concurrency limit was reached.",
			ConstLabels: get,
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "midwatch_posts_refused_total", Help: "Posts of alerts and silences that were not taken in, because too many were on their way to the disk.",
		}),
		receivedTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alertmanager_alerts_received_total", Help: "The total number of received alerts.",
		}, []string{"status", "version"}),
		invalidTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alertmanager_alerts_invalid_total", Help: "The total number of received alerts that were invalid.",
		}, []string{"version"}),
	}
	for _, version := range []string{"v1", "v2"} {
		m.receivedTotal.WithLabelValues("firing", version)
		m.receivedTotal.WithLabelValues("resolved", version)
		m.invalidTotal.WithLabelValues(version)
	}
	if r != nil {
		r.MustRegister(m.duration, m.size, m.inFlight, m.limited, m.refused, m.receivedTotal, m.invalidTotal)
	}
	return m
}

func (m *Metrics) received(version string, firing, resolved int) {
	m.receivedTotal.WithLabelValues("firing", version).Add(float64(firing))
	m.receivedTotal.WithLabelValues("resolved", version).Add(float64(resolved))
}

func (m *Metrics) invalid(version string) { m.invalidTotal.WithLabelValues(version).Inc() }

// Instrument measures the requests of one handler: how long they took and how large the answers were. name must be one
// of few; for a path with a variable part it is the pattern.
func (m *Metrics) Instrument(name string, h http.Handler) http.Handler {
	label := prometheus.Labels{"handler": name}
	return promhttp.InstrumentHandlerDuration(m.duration.MustCurryWith(label),
		promhttp.InstrumentHandlerResponseSize(m.size.MustCurryWith(label), h))
}
