package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/api"
)

// slash posts a slash command signed with a secret, as Slack does, and returns the status.
func (r *running) slash(secret, user, text string) int {
	r.Helper()
	form := url.Values{
		"command": {"/mw"}, "text": {text}, "user_id": {user}, "channel_id": {"C1"}, "trigger_id": {fmt.Sprint(time.Now().UnixNano())},
	}.Encode()
	at := fmt.Sprint(time.Now().Unix())
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "v0:%s:%s", at, form)
	req, err := http.NewRequest(http.MethodPost, r.url+"/chat/slack", strings.NewReader(form))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Slack-Request-Timestamp", at)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(h.Sum(nil)))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A reload takes people and secrets as they are then, secrets in files too; a bad one changes nothing; the API and the metrics
// say how each service fares; without the section nobody listens.
func TestChatThroughReloads(t *testing.T) {
	slack := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("token") != "xoxb-good" && r.Header.Get("Authorization") != "Bearer xoxb-good" {
			fmt.Fprint(w, `{"ok":false,"error":"invalid_auth"}`)
			return
		}
		fmt.Fprint(w, `{"ok":true,"user_id":"U0BOT01","channel":"C024BE91L","ts":"1.1"}`)
	}))
	defer slack.Close()
	dir := t.TempDir()
	secret, token := filepath.Join(dir, "signing"), filepath.Join(dir, "bot")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(secret, "first-secret")
	put(token, "xoxb-good")
	section := fmt.Sprintf(`
chat:
  slack: {bot_token_file: %s, signing_secret_file: %s, api_url: %q, channel: C024BE91L}
  twilio: {account_sid: AC0123456789abcdef0123456789abcdef, auth_token: twilio-token}
`, token, secret, slack.URL+"/api/")
	config := func(user, section string) string {
		return fmt.Sprintf(`
users: [{name: ana, contact_methods: {log: {log: {}}}, chat: {slack: %s}}]
route: {receiver: oncall, group_wait: 0s}
receivers: [{name: oncall, incident_configs: [{escalation_policy: first}]}]
escalation_policies: [{name: first, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
`, user) + section
	}
	r := begin(t, config("U0ANA01", section))
	reload := func(want int) {
		t.Helper()
		if resp, body := r.ask("POST", "/-/reload"); resp.StatusCode != want {
			t.Fatalf("reload: %s %s", resp.Status, body)
		}
	}
	notes := func() (n int) {
		t.Helper()
		_, body := r.ask("GET", "/api/midwatch/v1/incidents/INC-1")
		return strings.Count(body, `"via":"slack"`)
	}
	if resp, body := r.ask("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Lag"}}]`); resp.StatusCode != 200 {
		t.Fatal(resp.Status, body)
	}
	r.log.await(t, "incident_opened")

	said := 0
	says := func(what, secret, user string, status int, heard bool) {
		t.Helper()
		if got := r.slash(secret, user, "note 1 x"); got != status {
			t.Errorf("%s: answered %d, want %d", what, got, status)
		}
		if heard {
			said++
		}
		if got := notes(); got != said {
			t.Errorf("%s: %d notes, want %d", what, got, said)
			said = got
		}
	}
	says("as configured", "first-secret", "U0ANA01", 200, true)
	says("another secret", "second-secret", "U0ANA01", 401, false)
	says("somebody unknown", "first-secret", "U0EVIL1", 200, false)

	put(secret, "second-secret")
	reload(200)
	says("the old secret", "first-secret", "U0ANA01", 401, false)
	says("the new secret", "second-secret", "U0ANA01", 200, true)

	r.write(config("U0NEW01", strings.ReplaceAll(section, secret, secret+"-that-is-not-there")))
	reload(500)
	says("known before the bad reload", "second-secret", "U0ANA01", 200, true)
	says("known to the bad file only", "second-secret", "U0NEW01", 200, false)

	r.write(config("U0NEW01", section))
	reload(200)
	says("no longer known", "second-secret", "U0ANA01", 200, false)
	says("known now", "second-secret", "U0NEW01", 200, true)

	services := func() (out string) {
		_, body := r.ask("GET", "/api/midwatch/v1/channels")
		var all api.Channels
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			t.Fatal(err)
		}
		for _, c := range all.Channels {
			if c.Chat != "" {
				out += fmt.Sprintf("%s %s %s; ", c.Chat, c.State, c.LastError)
			}
		}
		return out
	}
	awaits := func(what, want string) {
		t.Helper()
		end := time.Now().Add(time.Minute)
		for services() != want {
			if time.Now().After(end) {
				t.Fatalf("%s: %q, want %q", what, services(), want)
			}
		}
	}
	awaits("connected", "slack connected ; twilio unknown ; ")
	if _, body := r.ask("GET", "/metrics"); !strings.Contains(body, `midwatch_chat_connected{service="slack"} 1`) || strings.Contains(body, `midwatch_chat_connected{service="twilio"}`) {
		t.Error("the metric is wrong")
	}
	put(token, "xoxb-revoked")
	reload(200)
	awaits("revoked", "slack failing slack: auth.test: invalid_auth; the bot token is wrong or was revoked; take it anew from the app's page; twilio unknown ; ")
	if _, body := r.ask("GET", "/metrics"); !strings.Contains(body, `midwatch_chat_connected{service="slack"} 0`) {
		t.Error("the metric does not say that nobody is heard")
	}

	r.write(config("U0NEW01", ""))
	reload(200)
	says("the section is gone", "second-secret", "U0NEW01", 404, false)
	for _, hidden := range []string{"first-secret", "second-secret", "xoxb-", "twilio-token"} {
		if strings.Contains(r.log.String(), hidden) {
			t.Errorf("%s is in the log", hidden)
		}
	}
}
