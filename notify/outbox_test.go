package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestOutboxShowsTheNewestFirst(t *testing.T) {
	var o Outbox
	if got := o.Messages(); len(got) != 0 {
		t.Errorf("a new outbox holds %v", got)
	}
	for i := range OutboxSize + 50 {
		m := with(lag(), func(m *Message) { m.Key = fmt.Sprint(i) })
		if v := o.Send(t.Context(), m); v.Outcome != Delivered {
			t.Fatal(v)
		}
		got := o.Messages()
		if len(got) != min(i+1, OutboxSize) || got[0].Key != m.Key {
			t.Fatalf("after message %d: %d messages, the first is %s", i, len(got), got[0].Key)
		}
	}
	for i, l := range o.Messages() {
		if want := fmt.Sprint(OutboxSize + 49 - i); l.Key != want {
			t.Fatalf("place %d holds %s, want %s", i, l.Key, want)
		}
	}
}

func TestOutboxShowsWhatWouldBeRead(t *testing.T) {
	var o Outbox
	o.Send(t.Context(), lag())
	l := o.Messages()[0]
	if l.Subject != "[INC-1 sev2] Replication lag" || l.Text != Text(lag()) || !strings.Contains(l.HTML, "<h1") || l.AckURL != lag().Page.AckURL || !l.At.Equal(lag().At) || l.Incident != "INC-1" {
		t.Errorf("got %+v", l)
	}

	group := instanceDown(at("03:00:00"), "some alerts resolved")
	group.Alerts = append(group.Alerts, lag().Alerts...)
	group.Target = Target{Receiver: "db-leads", Integration: "slack"}
	o.Send(t.Context(), group)
	golden(t, "receiver.txt", o.Messages()[0].Subject+"\n\n"+o.Messages()[0].Text+"\n")
	if got := Subject(Message{}); got != "[0 firing] all alerts" {
		t.Errorf("an empty message is %q", got)
	}
}

func TestOutboxFromManySides(t *testing.T) {
	var o Outbox
	var hands sync.WaitGroup
	for range 8 {
		hands.Go(func() {
			for range 50 {
				o.Send(context.Background(), lag())
				o.Messages()
			}
		})
	}
	hands.Wait()
	if n := len(o.Messages()); n != OutboxSize {
		t.Errorf("%d kept, want %d", n, OutboxSize)
	}
}

// The log says who was told what, and holds no link that acts.
func TestLogLine(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := Log(zap.New(core))
	for name, m := range stories() {
		if v := s.Send(t.Context(), m); v.Outcome != Delivered {
			t.Errorf("%s: %+v", name, v)
		}
	}
	s.Send(t.Context(), instanceDown(at("03:00:00"), ""))
	for _, e := range logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "/ack/") || !strings.Contains(line, "subject") {
			t.Errorf("logged %s", line)
		}
	}
	logs.TakeAll()
	s.Send(t.Context(), lag())
	line := logs.TakeAll()[0].ContextMap()
	if line["user"] != "bo" || line["reason"] != lag().Page.Reason || line["step"] != int64(2) || line["key"] != lag().Key {
		t.Errorf("logged %v", line)
	}
}
