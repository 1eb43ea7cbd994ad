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
	telegramURL = "https://api.telegram.org"

	// telegramPoll is how long Telegram keeps a poll open, in seconds; below what proxies cut.
	telegramPoll = 50

	// telegramTries is how often a message is put to a desk that cannot act now before it is given up: about two minutes. Those
	// behind it wait meanwhile.
	telegramTries = 8

	telegramText   = 4096 // characters of a message; ours are counted in bytes, which are never fewer
	telegramButton = 64   // bytes of what a button carries
	telegramToast  = 200  // characters of an answer to a button
)

// TelegramOptions are how a Telegram bot is spoken with.
type TelegramOptions struct {
	Token string // of the bot, "123456:ABC…", from @BotFather. Required.
	// Offset is the update to begin with, as Save last got it; 0 takes what Telegram still has.
	Offset int64
	// Save keeps the offset after each update that is done with. An error is trouble, not the end: the update may come again
	// after a restart, under the same Request.ID. Nil keeps nothing.
	Save func(offset int64) error

	BaseURL string       // of the Bot API; empty is https://api.telegram.org
	HTTP    *http.Client // nil is one of ours; its Timeout must leave room for a poll of 50 s
	Logger  *slog.Logger
}

// Telegram is a Telegram bot: it hears buttons, commands and replies by long polling, and shows cards.
type Telegram struct {
	o    TelegramOptions
	desk Desk
	log  *slog.Logger
	seen seen
	pulse

	mu   sync.Mutex
	name string // the bot's, once Telegram has said
	id   int64
}

// NewTelegram checks the options; nothing is connected before Run.
func NewTelegram(o TelegramOptions, desk Desk) (*Telegram, error) {
	if id, secret, ok := strings.Cut(o.Token, ":"); !ok || secret == "" || !digits(id) || strings.ContainsAny(secret, "/?#% ") {
		return nil, errors.New(`telegram: the bot token looks like "123456:ABC…"; @BotFather gives it`)
	}
	o.BaseURL = strings.TrimSuffix(cmp.Or(o.BaseURL, telegramURL), "/")
	if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("telegram: the base URL %q is none; the usual one is %s", o.BaseURL, telegramURL)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	return &Telegram{o: o, desk: desk, log: logger(o.Logger).With("service", ServiceTelegram)}, nil
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// telegramFault is what Telegram says instead of a result.
type telegramFault struct {
	code       int
	text       string
	migratedTo int64
}

func (f *telegramFault) Error() string {
	switch f.code {
	case http.StatusUnauthorized, http.StatusNotFound:
		return f.text + "; the bot token is wrong or was revoked, ask @BotFather"
	case http.StatusConflict:
		return f.text + "; somebody else takes this bot's messages: end the other program, or delete the bot's webhook, or use a bot of its own"
	case http.StatusForbidden:
		return f.text + "; the person must write to the bot first, or the bot be a member of the group"
	}
	return f.text
}

// call asks the Bot API for one thing.
func (t *Telegram) call(ctx context.Context, method string, in, out any, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	fault := func(err error) error { return plain("telegram: "+method, err, t.o.Token) }
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.o.BaseURL+"/bot"+t.o.Token+"/"+method, bytes.NewReader(body))
	if err != nil {
		return fault(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := t.o.HTTP.Do(r)
	if err != nil {
		return fault(err)
	}
	defer resp.Body.Close()
	var answer struct {
		OK          bool            `json:"ok"`
		Result      json.RawMessage `json:"result"`
		ErrorCode   int             `json:"error_code"`
		Description string          `json:"description"`
		Parameters  struct {
			RetryAfter int   `json:"retry_after"`
			MigrateTo  int64 `json:"migrate_to_chat_id"`
		} `json:"parameters"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&answer); err != nil {
		return fault(fmt.Errorf("answered %s with what is no JSON", resp.Status))
	}
	if answer.OK {
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(answer.Result, out); err != nil {
			return fault(fmt.Errorf("answered with what is not understood: %w", err))
		}
		return nil
	}
	text := line(answer.Description, errorLimit)
	switch {
	case answer.ErrorCode == http.StatusTooManyRequests:
		return &TooSoon{Service: ServiceTelegram, After: time.Duration(answer.Parameters.RetryAfter) * time.Second}
	case strings.Contains(text, "message is not modified"):
		return nil
	case strings.Contains(text, "message to edit not found"), strings.Contains(text, "message can't be edited"),
		strings.Contains(text, "chat not found"), strings.Contains(text, "message to be replied not found"):
		return fault(fmt.Errorf("%w: %s", ErrGone, text))
	}
	f := &telegramFault{code: answer.ErrorCode, text: text, migratedTo: answer.Parameters.MigrateTo}
	shown := fault(f)
	return &telegramError{shown, f}
}

// telegramError is an error that may be shown and still tells what it was.
type telegramError struct {
	error
	fault *telegramFault
}

func (e *telegramError) Unwrap() []error { return []error{e.error, e.fault} }

// Run polls until ctx ends, and then returns nil. Trouble is in Health.
func (t *Telegram) Run(ctx context.Context) error {
	t.keep(ctx, "Telegram", t.log, t.poll)
	return nil
}

// poll asks who we are, once, and then for what people said.
func (t *Telegram) poll(ctx context.Context, b *backoff) error {
	if t.id == 0 {
		var me struct {
			ID       int64  `json:"id"`
			Username string `json:"username"`
		}
		if err := t.call(ctx, "getMe", struct{}{}, &me, callTime); err != nil {
			return err
		}
		t.mu.Lock()
		t.id, t.name = me.ID, me.Username
		t.mu.Unlock()
	}
	patience := 0 // an answer at once tells that we are connected
	if t.Health().Connected() {
		patience = telegramPoll
	}
	ask := map[string]any{"timeout": patience, "allowed_updates": []string{"message", "callback_query"}}
	if t.o.Offset != 0 {
		ask["offset"] = t.o.Offset
	}
	var updates []telegramUpdate
	if err := t.call(ctx, "getUpdates", ask, &updates, telegramPoll*time.Second+callTime); err != nil {
		return err
	}
	t.up()
	b.reset()
	for _, u := range updates {
		if !t.take(ctx, u) {
			return nil // we are asked to end; Telegram keeps it
		}
		t.o.Offset = max(t.o.Offset, u.ID+1)
		if t.o.Save != nil {
			if err := t.o.Save(t.o.Offset); err != nil {
				err = plain("telegram: keeping the offset", err, t.o.Token)
				t.trouble(err)
				t.log.Warn("Telegram's offset was not kept", "err", err)
			}
		}
	}
	return nil
}

// take acts on one update. False: it is not done, and shall come again.
func (t *Telegram) take(ctx context.Context, u telegramUpdate) bool {
	r, spot, ok := t.hear(u)
	if !ok || !t.seen.first(r.ID) {
		return true
	}
	if r.Verb == "" {
		t.say(ctx, spot, Reply{Text: notUnderstood, Err: true})
		return true
	}
	var b backoff
	for try := 1; ; try++ {
		reply := ask(ctx, t.desk, t.log, r)
		if !reply.Again || try == telegramTries {
			t.say(ctx, spot, reply)
			return true
		}
		if !wait(ctx, b.next()) {
			t.seen.forget(r.ID)
			return false
		}
	}
}

// place splits what names a chat and, after a slash, a topic of it.
func telegramPlace(place string) (chat string, topic int64) {
	chat, number, _ := strings.Cut(place, "/")
	topic, _ = strconv.ParseInt(number, 10, 64)
	return chat, topic
}
