package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/notify"
)

// A mouthpiece sends nothing and says what it is told to say.
type mouthpiece notify.Verdict

func (m mouthpiece) Send(context.Context, notify.Message) notify.Verdict { return notify.Verdict(m) }

// Kind is the integration's name.
func (mouthpiece) Kind() string { return "gotify" }

// How the channels fare is in the API and in the metrics, by the last attempt of each.
func TestChannelsAreShown(t *testing.T) {
	good, bad := notify.Target{User: "ana", Via: "push"}, notify.Target{Receiver: "team", Integration: "slack", Index: 1}
	q := notify.NewQueues(map[notify.Target]notify.Sender{
		good: mouthpiece{}, bad: mouthpiece{Outcome: notify.Failed, Answer: "404 no such chat"}, {User: "bo", Via: "push"}: mouthpiece{},
	})
	done := make(chan struct{}, 2)
	for _, target := range []notify.Target{good, bad} {
		if err := q.Enqueue(notify.Message{Key: "k", Target: target}, func(notify.Message, notify.Verdict) { done <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	<-done
	d := &daemon{queues: q}
	want := []api.Channel{
		{User: "ana", Via: "push", Integration: "gotify", State: api.ChannelConnected},
		{User: "bo", Via: "push", Integration: "gotify", State: api.ChannelUnknown},
		{Receiver: "team", Integration: "slack", Index: 1, State: api.ChannelFailing, LastError: "404 no such chat", Failures: 1},
	}
	got := d.channels()
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, c := range got {
		if c.LastSuccess.IsZero() == (c.State == api.ChannelConnected) || c.LastFailure.IsZero() == (c.State == api.ChannelFailing) {
			t.Errorf("%+v has the wrong times", c)
		}
		c.LastSuccess, c.LastFailure = want[i].LastSuccess, want[i].LastFailure
		if c != want[i] {
			t.Errorf("got %+v, want %+v", c, want[i])
		}
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(channelCollector{q})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			line := strings.TrimPrefix(f.GetName(), "midwatch_channel_")
			for _, l := range m.GetLabel() {
				line += "," + l.GetValue()
			}
			if !strings.Contains(line, "timestamp") {
				line += fmt.Sprintf(" = %v", m.GetGauge().GetValue())
			}
			lines = append(lines, line)
		}
	}
	const text = `
connected,0,gotify,,ana,push = 1
connected,1,slack,team,, = 0
failures,0,gotify,,ana,push = 0
failures,0,gotify,,bo,push = 0
failures,1,slack,team,, = 1
last_failure_timestamp_seconds,1,slack,team,,
last_success_timestamp_seconds,0,gotify,,ana,push
waiting,0,gotify,,ana,push = 0
waiting,0,gotify,,bo,push = 0
waiting,1,slack,team,, = 0`
	if got := "\n" + strings.Join(lines, "\n"); got != text {
		t.Errorf("got%s\nwant%s", got, text)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
