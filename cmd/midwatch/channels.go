package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/notify"
)

// channels is how every channel has fared, as the API shows it: those that send, then the services by which people speak back.
func (d *daemon) channels() []api.Channel {
	var out []api.Channel
	for _, h := range d.queues.Health() {
		c := api.Channel{
			User: h.Target.User, Via: h.Target.Via, Receiver: h.Target.Receiver, Integration: orElse(h.Target.Integration, h.Integration),
			Index: h.Target.Index, State: api.ChannelUnknown, LastSuccess: h.LastSuccess, LastFailure: h.LastFailure,
			LastError: h.LastError, Failures: h.Failures, Waiting: h.Waiting, Busy: h.Busy,
		}
		switch {
		case h.Connected():
			c.State = api.ChannelConnected
		case h.Known():
			c.State = api.ChannelFailing
		}
		out = append(out, c)
	}
	if d.chatter != nil {
		out = append(out, d.chatter.channels()...)
	}
	return out
}

// A channelCollector measures the channels when it is asked. There are as many series as the configuration has channels.
type channelCollector struct{ queues *notify.Queues }

func channelDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("midwatch_channel_"+name, help, []string{"user", "via", "receiver", "integration", "index"}, nil)
}

var (
	channelConnected = channelDesc("connected", "1 if the last attempt to send by this channel came through, 0 if it did not; absent while there was none.")
	channelFailures  = channelDesc("failures", "Attempts that failed since the last that came through.")
	channelWaiting   = channelDesc("waiting", "Messages for this channel that were not begun.")
	channelSuccess   = channelDesc("last_success_timestamp_seconds", "When an attempt last came through.")
	channelFailure   = channelDesc("last_failure_timestamp_seconds", "When an attempt last failed.")
)

// Describe implements prometheus.Collector.
func (c channelCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{channelConnected, channelFailures, channelWaiting, channelSuccess, channelFailure} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c channelCollector) Collect(ch chan<- prometheus.Metric) {
	for _, h := range c.queues.Health() {
		labels := []string{
			h.Target.User, h.Target.Via, h.Target.Receiver, orElse(h.Target.Integration, h.Integration), strconv.Itoa(h.Target.Index),
		}
		gauge := func(d *prometheus.Desc, value float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
		}
		instant := func(d *prometheus.Desc, at time.Time) {
			if !at.IsZero() {
				gauge(d, float64(at.UnixMilli())/1000)
			}
		}
		if h.Known() {
			connected := 0.0
			if h.Connected() {
				connected = 1
			}
			gauge(channelConnected, connected)
		}
		gauge(channelFailures, float64(h.Failures))
		gauge(channelWaiting, float64(h.Waiting))
		instant(channelSuccess, h.LastSuccess)
		instant(channelFailure, h.LastFailure)
	}
}
