package notify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// OutboxSize is how many messages an Outbox keeps: more than one looks through, less than 1 MiB.
const OutboxSize = 200

// An Outbox is a Sender that sends nothing: it keeps the last OutboxSize messages in memory, for quick start and demo.
// The zero value is empty and ready. It is safe for concurrent use.
type Outbox struct {
	mu   sync.Mutex
	ring []Letter
	next int
}

// A Letter is a message as it would have been read.
type Letter struct {
	Key, Event      string
	Target          Target
	At              time.Time // Message.At
	Subject, Text   string
	HTML            string // a whole document, escaped; empty for a receiver's message
	AckURL          string
	IncidentURL     string
	Incident, Title string
}

// Kind is what the configuration calls it.
func (o *Outbox) Kind() string { return "outbox" }

// Send implements Sender. A repeated key replaces nothing: what would have been sent twice is shown twice.
func (o *Outbox) Send(_ context.Context, m Message) Verdict {
	l := Letter{Key: m.Key, Event: m.Event, Target: m.Target, At: m.At, Subject: Subject(m), Text: Text(m)}
	if p := m.Page; p != nil {
		l.AckURL, l.IncidentURL, l.Incident, l.Title = p.AckURL, p.IncidentURL, p.Incident, p.Title
		page, err := mailHTML(m, viewOf(m))
		if err != nil {
			return Verdict{Outcome: Failed, Answer: answer(err.Error(), nil)}
		}
		l.HTML = page
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.ring) < OutboxSize {
		o.ring = append(o.ring, l)
	} else {
		o.ring[o.next] = l
	}
	o.next = (o.next + 1) % OutboxSize
	return Verdict{Outcome: Delivered, Answer: "kept in the outbox"}
}

// Messages returns what is kept, newest first.
func (o *Outbox) Messages() []Letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := slices.Concat(o.ring[o.next:], o.ring[:o.next]) // while it is not full, next is its end
	slices.Reverse(out)
	return out
}

// Log is a Sender that writes each message as one line of the log, without its links: a token in a log is a secret in a
// log.
func Log(logger *zap.Logger) Sender { return logSender{logger} }

type logSender struct{ logger *zap.Logger }

func (s logSender) Kind() string { return "log" }

func (s logSender) Send(_ context.Context, m Message) Verdict {
	fields := []zap.Field{zap.String("event", m.Event), zap.String("key", m.Key), zap.String("subject", Subject(m))}
	if p := m.Page; p != nil {
		fields = append(fields, zap.String("user", p.User), zap.String("method", p.Method), zap.String("policy", p.Policy),
			zap.Int("step", p.Step), zap.Int("cycle", p.Cycle), zap.String("reason", p.Reason))
	} else {
		fields = append(fields, zap.String("receiver", m.Target.Receiver), zap.String("group", m.GroupKey))
	}
	s.logger.Info("message", fields...)
	return Verdict{Outcome: Delivered, Answer: "written to the log"}
}

// Subject says a message in one line.
func Subject(m Message) string {
	if m.Page != nil {
		return viewOf(m).Subject
	}
	firing := 0
	for _, a := range m.Alerts {
		if a.EndsAt.IsZero() {
			firing++
		}
	}
	state := fmt.Sprintf("%d firing", firing)
	if over := len(m.Alerts) - firing; over > 0 {
		state += fmt.Sprintf(", %d resolved", over)
	}
	var group []string
	for _, k := range slices.Sorted(maps.Keys(m.GroupLabels)) {
		group = append(group, k+"="+said(m.GroupLabels[k], valueLength))
	}
	return fmt.Sprintf("[%s] %s", state, cmp.Or(strings.Join(group, ", "), "all alerts"))
}

// Text says a message in full, in plain text.
func Text(m Message) string {
	if m.Page != nil {
		return plain.write(viewOf(m))
	}
	v := view{Headline: Subject(m), Lead: "receiver " + m.Target.Receiver + ", " + cmp.Or(m.Reason, "notification")}
	v.alerts(m.Alerts)
	return plain.write(v)
}
