package main

import (
	"hash/fnv"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/router"
)

// upstreamVersion is the Alertmanager that clients believe to speak to: some of them look at the version.
const upstreamVersion = "0.34.2"

// daemonMetrics are those of the process itself.
type daemonMetrics struct {
	hash, success, when     prometheus.Gauge
	receivers, integrations prometheus.Gauge
}

func newDaemonMetrics(r prometheus.Registerer) *daemonMetrics {
	m := &daemonMetrics{
		hash: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_config_hash", Help: "Hash of the currently loaded configuration.",
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_config_last_reload_successful", Help: "Whether the last configuration reload attempt was successful.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "alertmanager_config_last_reload_success_timestamp_seconds", Help: "Timestamp of the last successful configuration reload.",
		}),
	}
	m.receivers = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_receivers", Help: "Number of configured receivers.",
	})
	m.integrations = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_integrations", Help: "Number of configured integrations.",
	})
	info := func(name, help, version string) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{
				"version": version, "revision": "", "branch": "", "goversion": runtime.Version(),
				"goos": runtime.GOOS, "goarch": runtime.GOARCH, "tags": "",
			},
		}, func() float64 { return 1 })
	}
	r.MustRegister(m.hash, m.success, m.when, m.receivers, m.integrations,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "alertmanager_cluster_enabled", Help: "Indicates whether the clustering is enabled or not.",
		}, func() float64 { return 0 }),
		info("alertmanager_build_info", "The Alertmanager whose interface this is; clients look at the version.", upstreamVersion),
		info("midwatch_build_info", "The version of Midwatch.", version))
	return m
}

// loaded says that a configuration was taken.
func (m *daemonMetrics) loaded(text string, receivers int, integrations map[string][]router.Integration, at time.Time) {
	n := 0
	for _, list := range integrations {
		n += len(list)
	}
	m.receivers.Set(float64(receivers))
	m.integrations.Set(float64(n))
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // never fails
	m.hash.Set(float64(h.Sum32()))
	m.success.Set(1)
	m.when.Set(float64(at.Unix()))
}

// refused says that one was not.
func (m *daemonMetrics) refused() { m.success.Set(0) }
