package chat

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	testBotToken = "xoxb-bot-secret"
	testAppToken = "xapp-app-secret"
	testSigning  = "signing-secret"
)

// slackd is Slack as far as we speak with it. It refuses what Slack refuses.
type slackd struct {
	tape
	mu     sync.Mutex
	base   string // what its socket's URL begins with
	conn   *websocket.Conn
	ts     int
	opens  []time.Time
	refuse []func(w http.ResponseWriter, path string) bool // each answers one request, in order; true: it did
	acks   chan string                                     // what came up the socket
	calls  chan string                                     // paths of requests, after they were answered
	online chan bool
}

func newSlackd() *slackd {
	return &slackd{acks: make(chan string, 100), calls: make(chan string, 1000), online: make(chan bool, 100)}
}

func (s *slackd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/socket" {
		s.socket(w, r)
		return
	}
	defer func() { s.calls <- r.URL.Path }()
	body := readAll(r.Body)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	form, _ := url.ParseQuery(body)
	if token == "" {
		token = form.Get("token")
	}
	form.Del("token")
	if r.URL.Path == "/api/apps.connections.open" {
		s.mu.Lock()
		s.opens = append(s.opens, time.Now())
		s.mu.Unlock()
	}
	s.add("→ %s %s", r.Method, r.URL.Path)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.add("%s", pretty(body))
	} else {
		for _, k := range slices.Sorted(maps.Keys(form)) {
			s.add("%s: %s", k, pretty(form.Get(k)))
		}
	}
	answer := func(v string) { s.add("← %s\n", v); fmt.Fprint(w, v) }
	s.mu.Lock()
	if len(s.refuse) > 0 {
		f := s.refuse[0]
		s.refuse = s.refuse[1:]
		s.mu.Unlock()
		if f(w, r.URL.Path) {
			s.add("← refused\n")
			return
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	want := testBotToken
	switch {
	case strings.HasPrefix(r.URL.Path, "/response/"):
		want = ""
	case r.URL.Path == "/api/apps.connections.open":
		want = testAppToken
	}
	if token != want {
		answer(`{"ok":false,"error":"invalid_auth"}`)
		return
	}
	if err := slackRules(form); err != "" {
		answer(fmt.Sprintf(`{"ok":false,"error":"%s"}`, err))
		return
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/api/"); path {
	case "auth.test":
		answer(`{"ok":true,"user_id":"U0BOT","bot_id":"B0BOT","team_id":"T1"}`)
	case "apps.connections.open":
		answer(fmt.Sprintf(`{"ok":true,"url":"%s/socket"}`, strings.Replace(s.base, "http", "ws", 1)))
	case "chat.postMessage", "chat.postEphemeral", "chat.update":
		s.ts++
		answer(fmt.Sprintf(`{"ok":true,"channel":"%s","ts":"1700.%d"}`, form.Get("channel"), s.ts))
	default:
		answer(`{"ok":true}`)
	}
}

// slackRules are those of Slack's limits that a card could break.
func slackRules(form url.Values) string {
	if !form.Has("blocks") {
		return ""
	}
	if form.Get("text") == "" {
		return "no_text"
	}
	var blocks []struct {
		Type     string
		Text     *struct{ Text string }
		Fields   []struct{ Text string }
		Elements []json.RawMessage
	}
	if json.Unmarshal([]byte(form.Get("blocks")), &blocks) != nil || len(blocks) > 50 {
		return "invalid_blocks"
	}
	for _, b := range blocks {
		limit := map[string]int{"header": 150, "section": 3000}[b.Type]
		if b.Text != nil && (len(b.Text.Text) > limit || b.Text.Text == "") {
			return "invalid_blocks"
		}
		if len(b.Fields) > 10 || b.Type == "context" && len(b.Elements) > 10 || b.Type == "actions" && len(b.Elements) > 25 {
			return "invalid_blocks"
		}
		seen := map[string]bool{}
		for _, e := range b.Elements {
			var button struct {
				Type     string
				Text     json.RawMessage
				ActionID string `json:"action_id"`
				Value    string
			}
			_ = json.Unmarshal(e, &button)
			if button.Type == "button" && (seen[button.ActionID] || len(button.Value) > 2000 || len(button.ActionID) > 255) {
				return "invalid_blocks"
			}
			seen[button.ActionID] = true
		}
	}
	return ""
}

func (s *slackd) socket(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.mu.Lock()
	s.conn = c
	_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","num_connections":1,"connection_info":{"app_id":"A1"}}`))
	s.mu.Unlock()
	s.online <- true
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			return
		}
		s.acks <- strings.TrimSpace(string(m))
	}
}

// push sends an envelope down the socket.
func (s *slackd) push(kind, envelope, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := fmt.Sprintf(`{"type":"%s","envelope_id":"%s","accepts_response_payload":false,"payload":%s}`, kind, envelope, payload)
	s.add("← socket %s\n", pretty(m))
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
		panic(err)
	}
}

// hangUp ends the connection as Slack does before it restarts a host.
func (s *slackd) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"disconnect","reason":"refresh_requested"}`))
}

// What Slack's documents show of a button, a command, a mention, and messages.
func slackPressed(trigger, value string) string {
	v, _ := json.Marshal(value)
	return fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U012","username":"ana","name":"ana"},"api_app_id":"A1","trigger_id":"%s",
		"container":{"type":"message","message_ts":"1700.1","channel_id":"C1","is_ephemeral":false},"channel":{"id":"C1","name":"db"},
		"message":{"type":"message","ts":"1700.1","blocks":[{"type":"new_kind_of_block"}]},"response_url":"RESPONSE/response/1",
		"actions":[{"action_id":"mw_ack_0","block_id":"midwatch","text":{"type":"plain_text","text":"Acknowledge"},"value":%s,"type":"button","action_ts":"1700.9"}]}`, trigger, v)
}

func slackTyped(trigger, text string) string {
	return fmt.Sprintf(`{"token":"x","team_id":"T1","channel_id":"C1","channel_name":"db","user_id":"U012","user_name":"ana","command":"/mw","text":"%s",
		"api_app_id":"A1","is_enterprise_install":"false","response_url":"RESPONSE/response/2","trigger_id":"%s"}`, text, trigger)
}

func slackSaid(event string) string {
	return `{"token":"x","team_id":"T1","api_app_id":"A1","type":"event_callback","event_id":"Ev1","event_time":1700,"event":` + event + `}`
}
