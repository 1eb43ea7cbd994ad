//go:build linux

package integration_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	slackBot     = "xoxb-123-chat-secret"
	slackApp     = "xapp-1-chat-secret"
	slackSigning = "8f742231b10e8888abcd99yyyzzz85a5"
	slackChannel = "C024BE91L"
)

// A slackd is Slack for one app: the Web API, and Socket Mode over TLS. It refuses what Slack refuses: another's token, a
// channel that it is no member of, a message that it did not post, words without end.
type slackd struct {
	URL  string
	cert certificate

	mu     sync.Mutex
	socket *websocket.Conn
	calls  []slackCall
	posted map[string]bool // timestamps of messages in the channel
	acks   map[string]bool // envelopes that were acknowledged
}

// A slackCall is one call of the Web API, or of a response URL.
type slackCall struct {
	Method, Channel, TS, Thread, Text, Blocks string
}

func newSlackd(t testing.TB) *slackd {
	t.Helper()
	s := &slackd{cert: newCertificate(t), posted: map[string]bool{}, acks: map[string]bool{}}
	server := httptest.NewUnstartedServer(s)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert.pair}}
	server.StartTLS()
	s.URL = server.URL
	t.Cleanup(func() {
		s.mu.Lock()
		if s.socket != nil {
			s.socket.Close()
		}
		s.mu.Unlock()
		server.Close()
	})
	return s
}

func (s *slackd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/socket" {
		s.listen(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/response/") {
		var said struct{ Text, ResponseType string }
		if json.Unmarshal(body, &said) != nil || said.Text == "" {
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.calls = append(s.calls, slackCall{Method: r.URL.Path, Text: said.Text})
		s.mu.Unlock()
		io.WriteString(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	form, _ := url.ParseQuery(string(body))
	io.WriteString(w, s.answer(strings.TrimPrefix(r.URL.Path, "/api/"), form, r.Header.Get("Authorization")))
}

func (s *slackd) answer(method string, form url.Values, authorization string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := form.Get("token")
	if bearer, ok := strings.CutPrefix(authorization, "Bearer "); ok {
		token = bearer
	}
	want := slackBot
	if method == "apps.connections.open" {
		want = slackApp
	}
	if token != want {
		return `{"ok":false,"error":"invalid_auth"}`
	}
	call := slackCall{method, form.Get("channel"), form.Get("ts"), form.Get("thread_ts"), form.Get("text"), form.Get("blocks")}
	switch method {
	case "auth.test":
		return `{"ok":true,"user_id":"U0BOT0001","team_id":"T1"}`
	case "apps.connections.open":
		return fmt.Sprintf(`{"ok":true,"url":"wss://%s/socket"}`, strings.TrimPrefix(s.URL, "https://"))
	case "chat.postMessage", "chat.postEphemeral", "chat.update":
		switch {
		case call.Channel != slackChannel:
			return `{"ok":false,"error":"channel_not_found"}`
		case call.Text == "":
			return `{"ok":false,"error":"no_text"}`
		case method == "chat.update" && !s.posted[call.TS], call.Thread != "" && !s.posted[call.Thread]:
			return `{"ok":false,"error":"message_not_found"}`
		}
		if method == "chat.postMessage" {
			call.TS = fmt.Sprintf("1700000000.%06d", len(s.posted)+1)
			s.posted[call.TS] = true
		}
		s.calls = append(s.calls, call)
		return fmt.Sprintf(`{"ok":true,"channel":%q,"ts":%q}`, call.Channel, call.TS)
	}
	return `{"ok":false,"error":"unknown_method"}`
}

func (s *slackd) listen(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.mu.Lock()
	s.socket = c
	c.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","num_connections":1}`))
	s.mu.Unlock()
	for {
		var ack struct {
			ID string `json:"envelope_id"`
		}
		if c.ReadJSON(&ack) != nil {
			return
		}
		s.mu.Lock()
		s.acks[ack.ID] = true
		s.mu.Unlock()
	}
}

// push sends an envelope down the socket and waits until it is acknowledged, as Slack does for three seconds.
func (s *slackd) push(t testing.TB, kind, id string, payload any) {
	t.Helper()
	await(t, "the socket", func() (string, bool) { s.mu.Lock(); defer s.mu.Unlock(); return "closed", s.socket != nil })
	s.mu.Lock()
	err := s.socket.WriteJSON(map[string]any{"type": kind, "envelope_id": id, "accepts_response_payload": false, "payload": payload})
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the acknowledgement of "+id, func() (string, bool) { s.mu.Lock(); defer s.mu.Unlock(); return "none", s.acks[id] })
}

// press is what Slack sends when a member presses a button of a card.
func (s *slackd) press(user string, card slackCall, action string, id string) map[string]any {
	return map[string]any{
		"type": "block_actions", "trigger_id": "trigger-" + id, "response_url": s.URL + "/response/" + id,
		"user":      map[string]string{"id": user, "username": strings.ToLower(user)},
		"container": map[string]any{"type": "message", "channel_id": card.Channel, "message_ts": card.TS, "is_ephemeral": false},
		"message":   map[string]any{"ts": card.TS},
		"actions":   []any{map[string]string{"action_id": "mw_" + action + "_0", "value": card.button(action), "type": "button", "action_ts": "1"}},
	}
}

// button is what the button of a card carries; "" if it has none.
func (c slackCall) button(action string) string {
	var blocks []struct {
		Elements []struct {
			ActionID string `json:"action_id"`
			Value    string
		}
	}
	_ = json.Unmarshal([]byte(c.Blocks), &blocks)
	for _, b := range blocks {
		for _, e := range b.Elements {
			if strings.HasPrefix(e.ActionID, "mw_"+action+"_") {
				return e.Value
			}
		}
	}
	return ""
}

// awaitCall waits for a call of the method whose text has the words, and returns the first.
func (s *slackd) awaitCall(t testing.TB, method string, words ...string) (found slackCall) {
	t.Helper()
	await(t, method+" with "+strings.Join(words, ", "), func() (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
	next:
		for _, c := range s.calls {
			for _, w := range words {
				if c.Method != method || !strings.Contains(c.Text, w) {
					continue next
				}
			}
			found = c
			return "", true
		}
		return pretty(s.calls), false
	})
	return found
}

const telegramToken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

// A telegramd is Telegram's Bot API for one bot. As there, updates are kept until a poll asks for what comes after them, and
// only one poll at a time is served.
type telegramd struct {
	URL string

	mu      sync.Mutex
	updates []map[string]any
	next    int
	offsets []int // that polls began with
	calls   []telegramCall
	news    chan struct{}
	closed  chan struct{}
}

type telegramCall struct {
	Method string
	Text   string
	Alert  bool
	ID     int
	Data   map[string]string // of buttons, by their labels
}

func newTelegramd(t testing.TB) *telegramd {
	t.Helper()
	d := &telegramd{next: 700, news: make(chan struct{}, 1), closed: make(chan struct{})}
	s := httptest.NewServer(d)
	d.URL = s.URL
	t.Cleanup(func() { close(d.closed); s.Close() })
	return d
}

func (d *telegramd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, ok := strings.CutPrefix(r.URL.Path, "/bot"+telegramToken+"/")
	refuse := func(code int, why string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"ok":false,"error_code":%d,"description":%q}`, code, why)
	}
	if !ok {
		refuse(http.StatusNotFound, "Not Found")
		return
	}
	var in struct {
		Offset, Timeout int
		ChatID          any `json:"chat_id"`
		MessageID       int `json:"message_id"`
		Text            string
		ShowAlert       bool   `json:"show_alert"`
		QueryID         string `json:"callback_query_id"`
		Markup          struct {
			Rows [][]struct {
				Text string
				Data string `json:"callback_data"`
			} `json:"inline_keyboard"`
		} `json:"reply_markup"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(http.StatusBadRequest, "Bad Request: "+err.Error())
		return
	}
	switch method {
	case "getMe":
		fmt.Fprint(w, `{"ok":true,"result":{"id":110201543,"is_bot":true,"username":"midwatch_bot"}}`)
		return
	case "getUpdates":
		d.poll(w, r, in.Offset, in.Timeout)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	call := telegramCall{Method: method, Text: in.Text, Alert: in.ShowAlert, ID: in.MessageID, Data: map[string]string{}}
	for _, row := range in.Markup.Rows {
		for _, b := range row {
			if len(b.Data) > 64 {
				refuse(http.StatusBadRequest, "Bad Request: BUTTON_DATA_INVALID")
				return
			}
			call.Data[b.Text] = b.Data
		}
	}
	if call.ID == 0 {
		call.ID = 1000 + len(d.calls)
	}
	d.calls = append(d.calls, call)
	fmt.Fprintf(w, `{"ok":true,"result":{"message_id":%d,"date":1700000000,"chat":{"id":-1001234567890,"type":"supergroup"}}}`, call.ID)
}

func (d *telegramd) poll(w http.ResponseWriter, r *http.Request, offset, timeout int) {
	end := time.NewTimer(time.Duration(timeout) * time.Second)
	defer end.Stop()
	d.mu.Lock()
	d.offsets = append(d.offsets, offset)
	d.mu.Unlock()
	for {
		d.mu.Lock()
		for len(d.updates) > 0 && d.updates[0]["update_id"].(int) < offset {
			d.updates = d.updates[1:]
		}
		text, err := json.Marshal(d.updates)
		there := len(d.updates) > 0
		d.mu.Unlock()
		if err != nil {
			panic(err)
		}
		if there {
			fmt.Fprintf(w, `{"ok":true,"result":%s}`, text)
			return
		}
		select {
		case <-d.news:
		case <-end.C:
			fmt.Fprint(w, `{"ok":true,"result":[]}`)
			return
		case <-r.Context().Done():
			return
		case <-d.closed:
			return
		}
	}
}

// happens adds an update, and returns its number.
func (d *telegramd) happens(what string, of map[string]any) int {
	d.mu.Lock()
	d.next++
	n := d.next
	d.updates = append(d.updates, map[string]any{"update_id": n, what: of})
	d.mu.Unlock()
	select {
	case d.news <- struct{}{}:
	default:
	}
	return n
}

// pressed is a button of a card, pressed by a user.
func (d *telegramd) pressed(user int, card telegramCall, label string) int {
	return d.happens("callback_query", map[string]any{
		"id": fmt.Sprintf("q%d", time.Now().UnixNano()), "from": map[string]any{"id": user, "username": "somebody"}, "data": card.Data[label],
		"message": map[string]any{"message_id": card.ID, "date": 1700000000, "chat": map[string]any{"id": -1001234567890, "type": "supergroup"}},
	})
}

// awaitPoll waits for a poll that begins with an offset: what is before it is done with.
func (d *telegramd) awaitPoll(t testing.TB, offset int) {
	t.Helper()
	await(t, fmt.Sprintf("a poll from %d", offset), func() (string, bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return fmt.Sprint(d.offsets), len(d.offsets) > 0 && d.offsets[len(d.offsets)-1] == offset
	})
}

func (d *telegramd) awaitCall(t testing.TB, method, words string) (found telegramCall) {
	t.Helper()
	await(t, method+" with "+words, func() (string, bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, c := range d.calls {
			if c.Method == method && strings.Contains(c.Text, words) {
				found = c
				return "", true
			}
		}
		return pretty(d.calls), false
	})
	return found
}

// A pushoverd is Pushover: messages of priority 2 get a receipt, which rings until it is acknowledged or cancelled.
type pushoverd struct {
	URL string

	mu       sync.Mutex
	receipts []string          // in the order of their messages
	state    map[string]string // "ringing", "acknowledged", "cancelled"
	asked    map[string]int
}

const (
	pushoverApp  = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
	pushoverUser = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
)

var receiptPath = regexp.MustCompile(`^/1/receipts/([A-Za-z0-9]{30})(/cancel)?\.json$`)

func newPushoverd(t testing.TB) *pushoverd {
	t.Helper()
	p := &pushoverd{state: map[string]string{}, asked: map[string]int{}}
	s := httptest.NewServer(p)
	p.URL = s.URL
	t.Cleanup(s.Close)
	return p
}

func (p *pushoverd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.FormValue("token") != pushoverApp {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"token":"invalid","errors":["application token is invalid"],"status":0}`)
		return
	}
	m := receiptPath.FindStringSubmatch(r.URL.Path)
	switch {
	case r.URL.Path == "/1/messages.json" && r.Method == http.MethodPost && r.FormValue("user") == pushoverUser:
		id := fmt.Sprintf("r%029d", len(p.receipts)+1)
		if r.FormValue("priority") != "2" {
			fmt.Fprint(w, `{"status":1,"request":"x"}`)
			return
		}
		p.receipts = append(p.receipts, id)
		p.state[id] = "ringing"
		fmt.Fprintf(w, `{"status":1,"request":"x","receipt":%q}`, id)
	case m != nil && m[2] == "" && r.Method == http.MethodGet && p.state[m[1]] != "":
		p.asked[m[1]]++
		acked := 0
		if p.state[m[1]] == "acknowledged" {
			acked = 1
		}
		fmt.Fprintf(w, `{"status":1,"acknowledged":%d,"acknowledged_by":%q,"expired":0,"request":"x"}`, acked, pushoverUser)
	case m != nil && m[2] != "" && r.Method == http.MethodPost && p.state[m[1]] != "":
		if p.state[m[1]] == "ringing" {
			p.state[m[1]] = "cancelled"
		}
		fmt.Fprint(w, `{"status":1,"request":"x"}`)
	case strings.HasPrefix(r.URL.Path, "/1/receipts/cancel_by_tag/"):
		fmt.Fprint(w, `{"status":1,"canceled":0,"request":"x"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"status":0,"errors":["not found"]}`)
	}
}

// rings waits for the nth alarm and returns its receipt.
func (p *pushoverd) rings(t testing.TB, n int) (id string) {
	t.Helper()
	await(t, fmt.Sprintf("alarm %d", n), func() (string, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.receipts) < n {
			return fmt.Sprint(p.receipts), false
		}
		id = p.receipts[n-1]
		return "", true
	})
	return id
}

func (p *pushoverd) is(id string) string { p.mu.Lock(); defer p.mu.Unlock(); return p.state[id] }

func (p *pushoverd) become(id, state string) { p.mu.Lock(); defer p.mu.Unlock(); p.state[id] = state }

func (p *pushoverd) times(id string) int { p.mu.Lock(); defer p.mu.Unlock(); return p.asked[id] }
