package main

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

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
	text := `
# HELP midwatch_channel_connected 1 if the last attempt to send by this channel came through, 0 if it did not; absent while there was none.
# TYPE midwatch_channel_connected gauge
midwatch_channel_connected{index="0",integration="gotify",receiver="",user="ana",via="push"} 1
midwatch_channel_connected{index="1",integration="slack",receiver="team",user="",via=""} 0
# HELP midwatch_channel_failures Attempts that failed since the last that came through.
# TYPE midwatch_channel_failures gauge
midwatch_channel_failures{index="0",integration="gotify",receiver="",user="ana",via="push"} 0
midwatch_channel_failures{index="0",integration="gotify",receiver="",user="bo",via="push"} 0
midwatch_channel_failures{index="1",integration="slack",receiver="team",user="",via=""} 1
`
	if err := testutil.CollectAndCompare(channelCollector{q}, strings.NewReader(text), "midwatch_channel_connected", "midwatch_channel_failures"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(channelCollector{q}, "midwatch_channel_waiting", "midwatch_channel_last_success_timestamp_seconds", "midwatch_channel_last_failure_timestamp_seconds"); n != 5 {
		t.Errorf("%d series, want 5", n)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
