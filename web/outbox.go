package web

import (
	"fmt"
	"net/http"
)

// Outbox is the page of messages that were written but not sent, for the quick start and the demo.
type Outbox struct {
	Shell
	Count    string
	Messages []OutboxMessage
}

// An OutboxMessage is one of them, ready to read.
type OutboxMessage struct {
	ID                           string
	When                         Moment
	To, Via, Subject, Body, Link string
}

// maxOutbox is how many messages one page shows, maxOutboxBody how much of each, and maxOutboxText how much of all together,
// so that a phone can open it.
const (
	maxOutbox     = 40
	maxOutboxBody = 2000   // characters
	maxOutboxText = 40_000 // characters; past it a message shows its subject alone
)

func (p *Pages) outbox(w http.ResponseWriter, r *http.Request) {
	v := &Outbox{Shell: p.frame(r, "outbox", "Outbox")}
	v.Live = OfPages
	v.fill(p.Outbox())
	p.show(w, r, http.StatusOK, "outbox", v)
}

func (v *Outbox) fill(messages []Message) {
	v.Count = count(len(messages), "message")
	if len(messages) > maxOutbox {
		v.Count = fmt.Sprintf("%d of %d messages", maxOutbox, len(messages))
		messages = messages[:maxOutbox]
	}
	room := maxOutboxText
	for _, m := range messages {
		subject := m.Subject
		if subject == "" {
			subject = "(no subject)"
		}
		out := OutboxMessage{
			ID: "m-" + m.At.UTC().Format("20060102T150405.000000"), When: v.moment(m.At), To: m.To, Via: m.Via, Subject: short(subject, 200), Link: m.Link,
		}
		if room > 0 {
			out.Body = short(m.Body, min(room, maxOutboxBody))
			room -= len(out.Body)
		}
		v.Messages = append(v.Messages, out)
	}
}
