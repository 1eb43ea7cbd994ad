package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	commoncfg "github.com/prometheus/common/config"

	"github.com/midwatch/midwatch/excerpt"
)

// DefaultNtfyServer is the public server.
const DefaultNtfyServer = "https://ntfy.sh"

// ntfyText is for ntfy's message, which becomes an attachment beyond 4096 bytes.
var ntfyText = dialect{escape: same, strong: same, link: plainLink, eol: "\n", bullet: "- ", limit: 3500}

// Ntfy publishes to a topic of an ntfy server (https://docs.ntfy.sh/publish/).
type Ntfy struct {
	Server       string // base URL
	Topic        string
	Token        Secret // an access token, or
	Username     string // a user
	Password     Secret
	Tags         []string // in addition to ours
	Title        string   // template; empty: ours
	Message      string   // likewise
	SendResolved bool
	HTTP         *commoncfg.HTTPClientConfig // nil: the default
}

func (c *Ntfy) resolved() bool { return c.SendResolved }

func (c *Ntfy) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "ntfy", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &ntfy{w, c}, nil
}

type ntfy struct {
	*wire
	conf *Ntfy
}

// ntfySequence is the member of Verdict.State by which the notification can be replaced.
const ntfySequence = "ntfy_sequence"

type ntfyMessage struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title"`
	Message  string       `json:"message"`
	Priority int          `json:"priority"` // 1 silent, 3 default, 5 rings through
	Tags     []string     `json:"tags,omitempty"`
	Click    string       `json:"click,omitempty"`
	Actions  []ntfyAction `json:"actions,omitempty"` // at most three
	Sequence string       `json:"sequence_id"`       // 1 to 64 of A-Z a-z 0-9 _ -; servers before 2.16 pass over it
}

type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
	Method string `json:"method,omitempty"`
	Clear  bool   `json:"clear,omitempty"`
}

// Send implements Sender. Every page is a notification of its own, because a changed one might make no sound; what is said
// when it is over takes the place of the last page.
func (s *ntfy) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	sequence := "midwatch-" + digest(m.Key)
	if before := m.State[ntfySequence]; before != "" && over(m.Event) {
		sequence = before
	}
	switch {
	case m.Event == EventStandDown && m.State[ntfySequence] == "",
		m.Event == EventResolved && m.State[ntfySequence] == "" && !s.conf.SendResolved:
		return Verdict{Outcome: Delivered, Answer: "nothing to replace"}
	}
	token, err := s.conf.Token.read("token")
	if err != nil {
		return s.fail(err)
	}
	password, err := s.conf.Password.read("password")
	if err != nil {
		return s.fail(err)
	}
	page := viewOf(m)
	var why error
	body, err := json.Marshal(ntfyMessage{
		Topic:    s.conf.Topic,
		Title:    oneLine(excerpt.Bytes(s.wording(ctx, m, s.conf.Title, page.Subject, &why), titleLength)),
		Message:  excerpt.Bytes(s.wording(ctx, m, s.conf.Message, ntfyText.write(page, headline, action), &why), ntfyText.limit),
		Priority: ntfyPriority(m), Tags: append(ntfyTags(m), s.conf.Tags...),
		Click: m.Page.IncidentURL, Actions: ntfyActions(m, page), Sequence: sequence,
	})
	if err != nil {
		return s.fail(err)
	}
	c := call{
		method: http.MethodPost, url: strings.TrimRight(s.conf.Server, "/") + "/", kind: "application/json", body: body,
		user: s.conf.Username, pass: password, secrets: []string{token, password},
	}
	if token != "" {
		c.header = map[string]string{"Authorization": "Bearer " + token}
	}
	_, v, ok := s.do(ctx, c, ntfyWords)
	if ok && len(m.Page.Incidents) == 0 { // that one of a bundle is over says nothing of the others
		v.State = map[string]string{ntfySequence: sequence}
	}
	return s.worded(m, v, why)
}

// ntfyWords is the id of a message that was taken, or the reason of a refusal: {"code":40301,"http":403,"error":"forbidden"}.
func ntfyWords(r reply) string {
	var a struct{ ID, Error string }
	if json.Unmarshal(r.body, &a) != nil {
		return string(r.body)
	}
	if a.ID != "" {
		return "message " + a.ID
	}
	return a.Error
}

func ntfyPriority(m Message) int {
	switch {
	case m.Event == EventStandDown:
		return 1
	case m.Event == EventResolved:
		return 2
	case m.Event == EventAckExpiring:
		return 4
	case pages(m.Event) && m.Page.urgent():
		return 5
	}
	return 3
}

// ntfyTags are emoji beside the title.
func ntfyTags(m Message) []string {
	switch m.Event {
	case EventStandDown:
		return []string{"eyes"}
	case EventResolved:
		return []string{"white_check_mark"}
	case EventAckExpiring:
		return []string{"hourglass_flowing_sand"}
	case EventTest:
		return []string{"test_tube"}
	case EventPage:
		if m.Page.urgent() {
			return []string{"rotating_light"}
		}
		return []string{"warning"}
	}
	return []string{"clipboard"} // a digest, or somebody's time on call
}

// ntfyActions are the buttons: one acknowledges without leaving the notification, and clears it once that was done.
func ntfyActions(m Message, v view) (buttons []ntfyAction) {
	if link(v.ActionURL) {
		buttons = append(buttons, ntfyAction{Action: "http", Label: v.Action, URL: v.ActionURL, Method: http.MethodPost, Clear: true})
	}
	if link(m.Page.IncidentURL) {
		buttons = append(buttons, ntfyAction{Action: "view", Label: "Open", URL: m.Page.IncidentURL})
	}
	if link(m.Page.RunbookURL) {
		buttons = append(buttons, ntfyAction{Action: "view", Label: "Runbook", URL: m.Page.RunbookURL})
	}
	return slices.Clip(buttons)
}
