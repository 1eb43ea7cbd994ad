package chat

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// ServeHTTP takes what Slack posts where Socket Mode is not used: events, buttons and slash commands, all at one URL. A body
// that is not signed with the signing secret within five minutes does nothing; one that is posted twice acts once.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Slack posts here; there is nothing to see", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, slackFrame))
	if err != nil {
		http.Error(w, "the body is too large or was cut off", http.StatusRequestEntityTooLarge)
		return
	}
	if !s.signed(r.Header, body) {
		http.Error(w, "the signature is missing, wrong or old; check the signing secret and the clock", http.StatusUnauthorized)
		return
	}
	kind, payload, challenge := slackBody(r.Header.Get("Content-Type"), body)
	if kind == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, challenge)
		return
	}
	var mu sync.Mutex
	finished := false // a late acknowledgement must not touch w after we returned
	// Slack hangs up once it is answered; what it asked for goes on.
	s.serve(context.WithoutCancel(r.Context()), kind, payload, func(done bool) {
		mu.Lock()
		defer mu.Unlock()
		if finished {
			return
		}
		// An answer of known length is whole for Slack, though we go on and speak with people.
		w.Header().Set("Content-Length", "0")
		if !done && kind == string(socketmode.EventTypeEventsAPI) {
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			w.WriteHeader(http.StatusOK)
		}
		_ = http.NewResponseController(w).Flush()
	})
	mu.Lock()
	finished = true
	mu.Unlock()
}

// signed checks Slack's v0 signature: HMAC-SHA256 over time and body, at most five minutes old.
func (s *Slack) signed(h http.Header, body []byte) bool {
	if s.o.SigningSecret == "" {
		return false
	}
	v, err := slack.NewSecretsVerifier(h, s.o.SigningSecret)
	if err != nil {
		return false
	}
	_, _ = v.Write(body)
	return v.Ensure() == nil
}

// slackBody tells the three kinds of bodies apart. An empty kind asks for nothing but an answer: the challenge, by which Slack
// sees that the URL is ours.
func slackBody(contentType string, body []byte) (kind string, payload json.RawMessage, answer string) {
	if media, _, _ := mime.ParseMediaType(contentType); media == "application/json" {
		var e struct{ Type, Challenge string }
		if json.Unmarshal(body, &e) != nil || e.Type != "event_callback" {
			return "", nil, line(e.Challenge, valueLimit)
		}
		return string(socketmode.EventTypeEventsAPI), body, ""
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", nil, ""
	}
	switch {
	case form.Has("payload"):
		return string(socketmode.EventTypeInteractive), json.RawMessage(form.Get("payload")), ""
	case form.Has("command"):
		command, err := json.Marshal(slackCommand{
			UserID: form.Get("user_id"), UserName: form.Get("user_name"), ChannelID: form.Get("channel_id"), Command: form.Get("command"),
			Text: form.Get("text"), ResponseURL: form.Get("response_url"), TriggerID: form.Get("trigger_id"),
		})
		if err != nil {
			return "", nil, ""
		}
		return string(socketmode.EventTypeSlashCommand), command, ""
	}
	return "", nil, "" // ssl_check
}
