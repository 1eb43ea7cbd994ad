package web

import (
	"fmt"
	"net/http"
	"time"
)

// Outbox is the page of messages that were written but not sent, for the quick start and the demo.
type Outbox struct {
	Count    string
	Messages []OutboxMessage
}

// An OutboxMessage is one of them, ready to read.
type OutboxMessage struct {
	When, Stamp, To, Via, Subject, Body, Link string
}

// maxOutbox is how many messages one page shows, and maxOutboxBody how much of each, so that a phone can open it.
const (
	maxOutbox     = 100
	maxOutboxBody = 4000 // characters
)

func (p *Pages) outbox(w http.ResponseWriter, r *http.Request) {
	write(w, r, http.StatusOK, render("outbox", outbox(p.Outbox(), p.Now())))
}

func outbox(messages []Message, now time.Time) Outbox {
	view := Outbox{Count: fmt.Sprintf("%d messages", len(messages))}
	switch {
	case len(messages) == 1:
		view.Count = "1 message"
	case len(messages) > maxOutbox:
		view.Count = fmt.Sprintf("%d of %d messages", maxOutbox, len(messages))
		messages = messages[:maxOutbox]
	}
	for _, m := range messages {
		subject := m.Subject
		if subject == "" {
			subject = "(no subject)"
		}
		view.Messages = append(view.Messages, OutboxMessage{
			When: clock(m.At, now, time.UTC) + ", " + ago(m.At, now), Stamp: m.At.UTC().Format(time.RFC3339),
			To: m.To, Via: m.Via, Subject: short(subject, 200), Body: short(m.Body, maxOutboxBody), Link: m.Link,
		})
	}
	return view
}
