package notify

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
)

// matrixHTML is the formatted body of a message; an event may have 64 KiB, both bodies together.
var matrixHTML = dialect{
	escape: func(s string) string { return noPings(html.EscapeString(s)) },
	strong: func(s string) string { return "<strong>" + s + "</strong>" },
	link: func(label, url string) string {
		return `<a href="` + html.EscapeString(url) + `">` + html.EscapeString(label) + "</a>"
	},
	eol: "<br>", limit: 16_000,
}

// matrixText is the plain body. A room-wide ping in it would ring everybody's phone.
var matrixText = dialect{escape: noPings, strong: same, link: plainLink, eol: "\n", limit: 16_000}

// Matrix sends to a room of a Matrix homeserver (https://spec.matrix.org, client-server API).
type Matrix struct {
	Homeserver   string // base URL
	Token        Secret // access_token of the user that speaks
	Room         string // its id: "!abc:example.org"
	Message      string // template of the plain body; empty: ours, in HTML too
	SendResolved bool
	HTTP         *commoncfg.HTTPClientConfig // nil: the default
}

func (c *Matrix) resolved() bool { return c.SendResolved }

func (c *Matrix) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "matrix", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &matrix{w, c}, nil
}

type matrix struct {
	*wire
	conf *Matrix
}

// matrixEvent is the member of Verdict.State that names the last page, so that it can be edited.
const matrixEvent = "matrix_event"

type matrixBody struct {
	Type      string          `json:"msgtype"`
	Body      string          `json:"body"`
	Format    string          `json:"format,omitempty"`
	Formatted string          `json:"formatted_body,omitempty"`
	Mentions  *struct{}       `json:"m.mentions"` // nobody is named: the text of an alert cannot ring somebody
	New       *matrixBody     `json:"m.new_content,omitempty"`
	Relates   *matrixRelation `json:"m.relates_to,omitempty"`
}

type matrixRelation struct {
	Type  string `json:"rel_type"`
	Event string `json:"event_id"`
}

// Send implements Sender. The transaction id is made of the idempotency key, so that the homeserver itself drops a repeated
// attempt. A page is a message; what is said when it is over edits the last one.
func (s *matrix) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	before := m.State[matrixEvent]
	if before == "" && (m.Event == EventStandDown || m.Event == EventResolved && !s.conf.SendResolved) {
		return Verdict{Outcome: Delivered, Answer: "nothing to edit"}
	}
	token, err := s.conf.Token.read("access_token")
	if err != nil {
		return s.fail(err)
	}
	page := viewOf(m)
	var why error
	body := matrixBody{Type: "m.text", Mentions: &struct{}{}, Body: s.wording(ctx, m, s.conf.Message, matrixText.write(page), &why)}
	if s.conf.Message == "" || why != nil {
		body.Format, body.Formatted = "org.matrix.custom.html", matrixHTML.write(page)
	}
	if !pages(m.Event) && m.Event != EventAckExpiring {
		body.Type = "m.notice" // clients need not ring for it
	}
	if before != "" && over(m.Event) {
		v, gone := s.put(ctx, m, token, "e", edited(body, before))
		if !gone || m.Event == EventStandDown {
			return s.worded(m, v, why)
		}
		// The message, or the right to edit it, is gone. That it is over is said all the same.
	}
	v, _ = s.put(ctx, m, token, "", body)
	return s.worded(m, v, why)
}

// edited replaces an event. Clients that know nothing of edits show the text with a star before it.
func edited(b matrixBody, event string) matrixBody {
	now := b
	b.Body = "* " + b.Body
	if b.Formatted != "" {
		b.Formatted = "* " + b.Formatted
	}
	b.New, b.Relates = &now, &matrixRelation{"m.replace", event}
	return b
}

// put sends one event. gone says that the homeserver knows the room, and refuses what the event relates to.
func (s *matrix) put(ctx context.Context, m Message, token, variant string, body matrixBody) (v Verdict, gone bool) {
	data, err := json.Marshal(body)
	if err != nil {
		return s.fail(err), false
	}
	r, v, ok := s.do(ctx, call{
		method: http.MethodPut,
		url: strings.TrimRight(s.conf.Homeserver, "/") + "/_matrix/client/v3/rooms/" + url.PathEscape(s.conf.Room) +
			"/send/m.room.message/midwatch-" + variant + digest(m.Key),
		kind: "application/json", body: data, header: map[string]string{"Authorization": "Bearer " + token}, secrets: []string{token},
	}, matrixWords)
	var a struct {
		Event string `json:"event_id"`
		Code  string `json:"errcode"`
		After int64  `json:"retry_after_ms"`
	}
	_ = json.Unmarshal(r.body, &a)
	switch {
	case ok && a.Event == "":
		return Verdict{Outcome: Failed, Answer: "the homeserver's answer names no event; is the address that of a homeserver?"}, false
	case ok:
		v.State = map[string]string{matrixEvent: a.Event}
		switch {
		case len(m.Page.Incidents) > 0:
			v.State = nil // that one of a bundle is over says nothing of the others
		case body.Relates != nil:
			v.State = nil // the message stays the one that was edited
		}
	case a.Code == "M_LIMIT_EXCEEDED":
		v.Outcome = Retry
		if v.RetryAfter == 0 {
			v.RetryAfter = clampRetry(time.Duration(min(a.After, 1<<30)) * time.Millisecond)
		}
	}
	return v, a.Code == "M_NOT_FOUND" || a.Code == "M_UNKNOWN" || a.Code == "M_INVALID_PARAM"
}

// matrixWords is the event, or the homeserver's error: {"errcode":"M_FORBIDDEN","error":"…"}.
func matrixWords(r reply) string {
	var a struct {
		Event string `json:"event_id"`
		Code  string `json:"errcode"`
		Error string `json:"error"`
	}
	switch err := json.Unmarshal(r.body, &a); {
	case err != nil:
		return string(r.body)
	case a.Event != "":
		return "event " + a.Event
	}
	return strings.TrimPrefix(a.Code+": "+a.Error, ": ")
}
