package main

import (
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/promslog"
)

// upstreamFlags are Alertmanager 0.34.2's, with their defaults.
const upstreamFlags = `
config.file = alertmanager.yml
storage.path = data/
data.retention = 120h
data.maintenance-interval = 15m
silences.max-silences = 0
silences.max-silence-size-bytes = 0
log.silences =
alerts.gc-interval = 30m
alerts.per-alertname-limit = 0
dispatch.maintenance-interval = 30s
dispatch.start-delay = 0s
web.listen-address = :9093
web.systemd-socket =
web.config.file =
web.external-url =
web.route-prefix =
web.cors.origin =
web.get-concurrency = 0
web.timeout = 0
auto-gomemlimit.ratio = 0.9
cluster.listen-address = 0.0.0.0:9094
cluster.advertise-address =
cluster.peer-name =
cluster.peer =
cluster.peer-timeout = 15s
cluster.peers-resolve-timeout = 15s
cluster.gossip-interval = 200ms
cluster.pushpull-interval = 1m0s
cluster.tcp-timeout = 10s
cluster.probe-timeout = 500ms
cluster.probe-interval = 1s
cluster.settle-timeout = 1m0s
cluster.reconnect-interval = 10s
cluster.reconnect-timeout = 6h0m0s
cluster.tls-config =
cluster.allow-insecure-public-advertise-address-discovery =
cluster.label =
enable-feature =
log.level = info
log.format = logfmt
`

// TestEveryFlagOfAlertmanager is there, with its default. Only the name of the configuration file is looked for.
func TestEveryFlagOfAlertmanager(t *testing.T) {
	app := kingpin.New("midwatch", "")
	serveCommand(app, &output{stdout: io.Discard, stderr: io.Discard})
	ours := map[string]*kingpin.FlagModel{}
	for _, c := range app.Model().Commands {
		for _, f := range c.Flags {
			ours[f.Name] = f
		}
	}
	for line := range strings.Lines(strings.TrimSpace(upstreamFlags)) {
		name, otherwise, _ := strings.Cut(strings.TrimSpace(line), " =")
		f := ours[name]
		if f == nil {
			t.Errorf("there is no --%s", name)
			continue
		}
		if got := strings.Join(f.Default, ","); got != strings.TrimSpace(otherwise) && name != "config.file" {
			t.Errorf("--%s is %q by default, want %q", name, got, strings.TrimSpace(otherwise))
		}
		if f.Help == "" {
			t.Errorf("--%s has no help", name)
		}
		if f.Hidden {
			t.Errorf("--%s is hidden", name)
		}
	}
}

// TestMemoryIsLimited to a part of what there is.
func TestMemoryIsLimited(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "") // so that it comes back
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
		t.Fatal(err)
	}
	log := newLogging(io.Discard, promslog.NewLevel(), promslog.NewFormat())
	for _, ratio := range []float64{0, -1, 1.1} {
		if err := limitMemory(log, ratio); err == nil {
			t.Errorf("a ratio of %v was taken", ratio)
		}
	}
	var limits []int64
	for _, ratio := range []float64{0.5, 1} {
		if err := limitMemory(log, ratio); err != nil {
			t.Fatal(err)
		}
		limits = append(limits, debug.SetMemoryLimit(-1))
	}
	if half := limits[1] / 2; limits[0] >= before || limits[0] < half-1 || limits[0] > half+1 {
		t.Errorf("half of the memory is %d, all of it %d", limits[0], limits[1])
	}
}
