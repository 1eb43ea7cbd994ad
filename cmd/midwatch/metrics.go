package main

import (
	"crypto/md5" //nolint:gosec // see configHash
	"encoding/binary"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/router"
)

// upstreamVersion is the Alertmanager that clients believe to speak to: some of them look at the version.
const upstreamVersion = "0.34.2"

// daemonMetrics are those of the process itself.
type daemonMetrics struct {
	hash, success, when              prometheus.Gauge
	receivers, integrations, inhibit prometheus.Gauge
}

// newDaemonMetrics registers them. clustered says whether there is a cluster.
func newDaemonMetrics(r prometheus.Registerer, clustered func() bool) *daemonMetrics {
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
		Name: "alertmanager_receivers", Help: "Number of receivers that some route names.",
	})
	m.integrations = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_integrations", Help: "Number of their integrations.",
	})
	m.inhibit = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_inhibition_rules", Help: "Number of configured inhibition rules.",
	})
	info := func(name, help, version string) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: name, Help: help, ConstLabels: prometheus.Labels{
				"version": version, "revision": "", "branch": "", "goversion": runtime.Version(),
				"goos": runtime.GOOS, "goarch": runtime.GOARCH, "tags": "",
			},
		}, func() float64 { return 1 })
	}
	r.MustRegister(m.hash, m.success, m.when, m.receivers, m.integrations, m.inhibit,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "alertmanager_cluster_enabled", Help: "Indicates whether the clustering is enabled or not.",
		}, func() float64 {
			if clustered() {
				return 1
			}
			return 0
		}),
		info("alertmanager_build_info", "The Alertmanager whose interface this is; clients look at the version.", upstreamVersion),
		info("midwatch_build_info", "The version of Midwatch.", version))
	return m
}

// loaded says that a configuration was taken. hash is that of its text.
func (m *daemonMetrics) loaded(o router.Options, hash float64, at time.Time) {
	named := map[string]bool{}
	o.Root.Walk(func(r *dispatch.Route) { named[r.RouteOpts.Receiver] = true })
	n := 0
	for receiver := range named {
		n += len(o.Receivers[receiver])
	}
	m.receivers.Set(float64(len(named)))
	m.integrations.Set(float64(n))
	m.inhibit.Set(float64(len(o.Inhibit)))
	m.hash.Set(hash)
	m.success.Set(1)
	m.when.Set(float64(at.UnixNano()) / float64(time.Second))
}

// refused says that one was not.
func (m *daemonMetrics) refused() { m.success.Set(0) }

// configHash is Alertmanager's: 48 bits of the text's MD5, so that peers with the same file say the
// same. What the file includes counts after it.
func configHash(s source, files []string) float64 {
	h := md5.New() //nolint:gosec // it tells texts apart and guards nothing
	_, _ = h.Write(s.text)
	if s.file != "" {
		for _, name := range files {
			text, _ := os.ReadFile(name) // it was read a moment ago
			_, _ = h.Write(text)
		}
	}
	var b [8]byte
	copy(b[:6], h.Sum(nil))
	return float64(binary.LittleEndian.Uint64(b[:]))
}
