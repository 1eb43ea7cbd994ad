package chat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	matrixPoll  = 30 * time.Second // how long the homeserver keeps a sync open
	matrixBatch = 50               // events of a room in one sync; more at once and the oldest are missed, which is logged
	matrixTries = 8                // as telegramTries

	// matrixMark is the member of a card's event that names its incident: a reaction to any other message does nothing.
	matrixMark = "org.midwatch.incident"
)

// MatrixOptions are how a Matrix account is spoken with.
type MatrixOptions struct {
	Homeserver string   // https://matrix.example.org
	Token      string   // the account's access token
	Rooms      []string // "!room:example.org", what is heard; the account must be a member, and they must not be encrypted

	// Since is where to go on, as Save last got it; empty begins with what is said from now on.
	Since string
	Save  func(since string) error // as TelegramOptions.Save

	HTTP   *http.Client // nil is one of ours; its Timeout must leave room for a sync of 30 s
	Logger *slog.Logger
}

// Matrix is an account of Matrix: it hears commands, replies and reactions (👍, ✅) to cards, and shows cards.
type Matrix struct {
	o    MatrixOptions
	desk Desk
	log  *slog.Logger
	seen seen
	pulse

	mu   sync.Mutex
	self string
}

// NewMatrix checks the options; nothing is connected before Run.
func NewMatrix(o MatrixOptions, desk Desk) (*Matrix, error) {
	o.Homeserver = strings.TrimSuffix(o.Homeserver, "/")
	if u, err := url.Parse(o.Homeserver); err != nil || u.Host == "" {
		return nil, fmt.Errorf("matrix: the homeserver %q is none; give its URL, such as https://matrix.example.org", o.Homeserver)
	}
	if o.Token == "" {
		return nil, errors.New("matrix: the access token is missing; log the account in once and take it from there")
	}
	for _, r := range o.Rooms {
		if !strings.HasPrefix(r, "!") {
			return nil, fmt.Errorf("matrix: %q is no room's ID; it begins with an exclamation mark and stands in the room's settings, under Advanced", r)
		}
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	return &Matrix{o: o, desk: desk, log: logger(o.Logger).With("service", ServiceMatrix)}, nil
}

var matrixHints = map[string]string{
	"M_UNKNOWN_TOKEN": "the access token is wrong or was logged out",
	"M_MISSING_TOKEN": "the access token is missing",
	"M_FORBIDDEN":     "invite the account to the room, and let it write there",
}

// call asks the homeserver for one thing.
func (m *Matrix) call(ctx context.Context, method, path string, q url.Values, in, out any, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	doing := "matrix: " + path
	if i := strings.IndexByte(path, '/'); i > 0 {
		doing = "matrix: " + path[:i]
	}
	fault := func(err error) error { return plain(doing, err, m.o.Token) }
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fault(err)
		}
		body = bytes.NewReader(b)
	}
	to := m.o.Homeserver + "/_matrix/client/v3/" + path
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return fault(err)
	}
	r.Header.Set("Authorization", "Bearer "+m.o.Token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := m.o.HTTP.Do(r)
	if err != nil {
		return fault(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return fault(err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, out); err != nil {
			return fault(errors.New("answered with what is not understood"))
		}
		return nil
	}
	var e struct {
		Code  string `json:"errcode"`
		Error string `json:"error"`
		After int    `json:"retry_after_ms"`
	}
	_ = json.Unmarshal(answer, &e)
	if resp.StatusCode == http.StatusTooManyRequests {
		after := time.Duration(e.After) * time.Millisecond
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
			after = time.Duration(s) * time.Second
		}
		return &TooSoon{Service: ServiceMatrix, After: after}
	}
	text := strings.TrimSpace(fmt.Sprintf("answered %s %s %s", resp.Status, e.Code, line(e.Error, errorLimit)))
	if hint := matrixHints[e.Code]; hint != "" {
		text += "; " + hint
	}
	if e.Code == "M_NOT_FOUND" {
		return fault(fmt.Errorf("%w: %s", ErrGone, text))
	}
	return fault(errors.New(text))
}

// Run syncs until ctx ends, and then returns nil. Trouble is in Health.
func (m *Matrix) Run(ctx context.Context) error {
	m.keep(ctx, "Matrix", m.log, m.sync)
	return nil
}

type matrixEvent struct {
	ID      string `json:"event_id"`
	Type    string `json:"type"`
	Sender  string `json:"sender"`
	Content struct {
		Kind     string `json:"msgtype"`
		Body     string `json:"body"`
		Incident string `json:"org.midwatch.incident"`
		Relates  struct {
			Type    string `json:"rel_type"`
			EventID string `json:"event_id"`
			Key     string `json:"key"`
			ReplyTo struct {
				EventID string `json:"event_id"`
			} `json:"m.in_reply_to"`
			FallingBack bool `json:"is_falling_back"`
		} `json:"m.relates_to"`
	} `json:"content"`
}

// sync asks who we are, once, and then for what people said.
func (m *Matrix) sync(ctx context.Context, b *backoff) error {
	if m.self == "" {
		var me struct {
			User string `json:"user_id"`
		}
		if err := m.call(ctx, http.MethodGet, "account/whoami", nil, nil, &me, callTime); err != nil {
			return err
		}
		m.mu.Lock()
		m.self = me.User
		m.mu.Unlock()
	}
	none := map[string]any{"types": []string{}}
	filter, err := json.Marshal(map[string]any{
		"presence": none, "account_data": none,
		"room": map[string]any{
			"rooms": m.o.Rooms, "state": none, "ephemeral": none, "account_data": none,
			"timeline": map[string]any{"limit": matrixBatch, "types": []string{"m.room.message", "m.reaction", "m.room.encrypted"}, "not_senders": []string{m.self}},
		},
	})
	if err != nil {
		return err
	}
	q := url.Values{"filter": {string(filter)}, "set_presence": {"offline"}, "timeout": {"0"}}
	if m.o.Since != "" {
		q.Set("since", m.o.Since)
	}
	if m.o.Since != "" && m.Health().Connected() { // otherwise an answer at once tells that we are again
		q.Set("timeout", strconv.FormatInt(matrixPoll.Milliseconds(), 10))
	}
	var news struct {
		Next  string `json:"next_batch"`
		Rooms struct {
			Join map[string]struct {
				Timeline struct {
					Events  []matrixEvent `json:"events"`
					Limited bool          `json:"limited"`
				} `json:"timeline"`
			} `json:"join"`
		} `json:"rooms"`
	}
	if err := m.call(ctx, http.MethodGet, "sync", q, nil, &news, matrixPoll+callTime); err != nil {
		return err
	}
	m.up()
	b.reset()
	if m.o.Since != "" { // what was said before we ever came is nobody's wish now
		for _, room := range m.o.Rooms {
			t := news.Rooms.Join[room].Timeline
			if t.Limited {
				m.log.Warn("Matrix left out some of what was said", "room", room)
			}
			for _, e := range t.Events {
				if !m.take(ctx, room, e) {
					return nil
				}
			}
		}
	}
	if news.Next == m.o.Since || news.Next == "" {
		wait(ctx, firstWait) // a homeserver that answers at once and brings nothing
		return nil
	}
	m.o.Since = news.Next
	if m.o.Save != nil {
		if err := m.o.Save(news.Next); err != nil {
			err = plain("matrix: keeping the place", err, m.o.Token)
			m.trouble(err)
			m.log.Warn("Matrix' place was not kept", "err", err)
		}
	}
	return nil
}

// take acts on one event. False: it is not done, and shall come again.
func (m *Matrix) take(ctx context.Context, room string, e matrixEvent) bool {
	if e.Sender == "" || e.Sender == m.self || e.ID == "" {
		return true
	}
	if e.Type == "m.room.encrypted" {
		m.trouble(fmt.Errorf("matrix: the room %s is encrypted, and what is said there is not understood; use one that is not", room))
		return true
	}
	id := "matrix/" + room + "/" + e.ID
	if !m.seen.first(id) {
		return true
	}
	r, ours := m.hear(ctx, room, e)
	if !ours {
		return true
	}
	r.ID = id
	thread := e.ID
	switch relates := e.Content.Relates; {
	case r.Card != (Ref{}):
		thread = r.Card.ID
	case relates.Type == "m.thread": // homeservers refuse a thread that begins within another
		thread = relates.EventID
	}
	if r.Verb == "" {
		m.say(ctx, room, thread, e.ID, Reply{Text: notUnderstood, Err: true}, Ref{})
		return true
	}
	var b backoff
	for try := 1; ; try++ {
		reply := ask(ctx, m.desk, m.log, r)
		if !reply.Again || try == matrixTries {
			var card Ref
			if e.Type == "m.reaction" {
				card = r.Card
			}
			m.say(ctx, room, thread, e.ID, reply, card)
			return true
		}
		if !wait(ctx, b.next()) {
			m.seen.forget(id)
			return false
		}
	}
}

// hear reads an event; false if it asks for nothing. A request without a verb was meant for us and not understood.
func (m *Matrix) hear(ctx context.Context, room string, e matrixEvent) (r Request, ours bool) {
	r.From = Person{Service: ServiceMatrix, ID: e.Sender}
	relates := e.Content.Relates
	text := e.Content.Body
	target := ""
	switch {
	case e.Type == "m.reaction" && relates.Type == "m.annotation":
		text, target = relates.Key, relates.EventID
	case e.Type != "m.room.message" || e.Content.Kind != "m.text" || relates.Type == "m.replace":
		return r, false // a machine's notice, a picture, an edit of what was heard already
	case relates.Type == "m.thread":
		target = relates.EventID
	case relates.ReplyTo.EventID != "":
		target = relates.ReplyTo.EventID
	}
	command, understood := Parse(text)
	first, _ := next(strings.TrimSpace(text))
	name, _, _ := strings.Cut(strings.TrimPrefix(m.self, "@"), ":")
	called := strings.Trim(strings.ToLower(first), "@:,!/")
	addressed := called == strings.ToLower(name) || called == "mw" || called == "midwatch" || strings.HasPrefix(strings.ToLower(first), strings.ToLower(m.self))
	if !understood && addressed && e.Type != "m.reaction" {
		return r, true
	}
	if !understood || !addressed && target == "" && !strings.HasPrefix(first, "!") && !strings.HasPrefix(first, "/") {
		return r, false
	}
	r.Command = command
	if target != "" {
		incident := m.incidentAt(ctx, room, target)
		if !addressed && (incident == "" || e.Type != "m.reaction" && !meant(text, command)) {
			return r, false // people among themselves
		}
		if incident != "" {
			r.Card = Ref{ServiceMatrix, room, target}
			r.Incident = cmp.Or(r.Incident, incident)
		}
	}
	return r, true
}

// incidentAt says which incident an event is the card of; empty if it is not one of our cards.
func (m *Matrix) incidentAt(ctx context.Context, room, id string) string {
	var e matrixEvent
	if err := m.call(ctx, http.MethodGet, "rooms/"+url.PathEscape(room)+"/event/"+url.PathEscape(id), nil, nil, &e, callTime); err != nil {
		if !errors.Is(err, ErrGone) {
			m.trouble(err)
		}
		return ""
	}
	if e.Sender != m.self {
		return ""
	}
	return incidentOf(e.Content.Incident)
}
