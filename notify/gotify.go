package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	commoncfg "github.com/prometheus/common/config"

	"github.com/midwatch/midwatch/excerpt"
)

// Gotify posts to a Gotify server (https://gotify.net/docs/pushmsg).
type Gotify struct {
	URL          string // of the server
	Token        Secret // of an application
	Title        string // template; empty: ours
	Message      string // likewise, in Markdown
	SendResolved bool
	HTTP         *commoncfg.HTTPClientConfig // nil: the default
}

func (c *Gotify) resolved() bool { return c.SendResolved }

func (c *Gotify) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "gotify", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &gotify{w, c}, nil
}

type gotify struct {
	*wire
	conf *Gotify
}

type gotifyMessage struct {
	Title    string         `json:"title"`
	Message  string         `json:"message"`
	Priority int            `json:"priority"` // Android is silent at 0, makes a sound from 4 on, and rings from 8 on
	Extras   map[string]any `json:"extras"`
}

// Send implements Sender. A message that was sent cannot be changed with an application's token.
func (s *gotify) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	if m.Event == EventStandDown {
		return nothingToTakeBack
	}
	token, err := s.conf.Token.read("token")
	if err != nil {
		return s.fail(err)
	}
	page := viewOf(m)
	var why error
	msg := gotifyMessage{
		Title:    oneLine(excerpt.Bytes(s.wording(ctx, m, s.conf.Title, page.Subject, &why), titleLength)),
		Message:  s.wording(ctx, m, s.conf.Message, markdown.write(page, headline), &why),
		Priority: gotifyPriority(m),
		Extras:   map[string]any{"client::display": map[string]string{"contentType": "text/markdown"}},
	}
	if open := cmp.Or(page.ActionURL, m.Page.IncidentURL); link(open) {
		msg.Extras["client::notification"] = map[string]any{"click": map[string]string{"url": open}}
	}
	body, err := encode(msg)
	if err != nil {
		return s.fail(err)
	}
	_, v, _ = s.do(ctx, call{
		method: http.MethodPost, url: strings.TrimRight(s.conf.URL, "/") + "/message", kind: "application/json", body: body,
		header: map[string]string{"X-Gotify-Key": token}, secrets: []string{token},
	}, gotifyWords)
	return s.worded(m, v, why)
}

// gotifyWords is the message's number, or what the server says against it.
func gotifyWords(r reply) string {
	var a struct {
		ID          int64  `json:"id"`
		Error       string `json:"error"`
		Description string `json:"errorDescription"`
	}
	switch err := json.Unmarshal(r.body, &a); {
	case err != nil:
		return string(r.body)
	case a.ID != 0:
		return "message " + strconv.FormatInt(a.ID, 10)
	}
	return strings.TrimPrefix(a.Error+": "+a.Description, ": ")
}

func gotifyPriority(m Message) int {
	switch {
	case over(m.Event):
		return 2
	case m.Event == EventAckExpiring:
		return 8
	case pages(m.Event) && m.Page.urgent():
		return 10
	}
	return 5
}
