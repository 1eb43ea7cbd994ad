//go:build linux

package integration_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/mail"
	"net/smtp"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// chatConfig pages ana first and bo an hour later.
const chatConfig = `
route:
  receiver: oncall
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: oncall
    incident_configs: [{escalation_policy: two}]
users:
  - name: ana
    MAILcontact_methods: {ANA}
    chat: {slack: U024BE7LH, telegram: "123456789", phone: "+351912345678"}
  - {name: bo, contact_methods: {hook: {webhook: {url: "HOOK"}}}, chat: {slack: U0BO00001}}
schedules:
  - name: db
    time_zone: UTC
    layers: [{rotation: {users: [ana], start: "2026-01-05 09:00", every: 1w}}]
escalation_policies:
  - name: two
    steps:
      - {notify: [{user: ana}], escalate_after: 1h}
      - {notify: [{user: bo}], escalate_after: 1h}
paging: {catch_all: {user: bo}}
`

// ackedBy waits until an incident is acknowledged, and says by whom and via what.
func (m *midwatch) ackedBy(id string) string {
	m.t.Helper()
	i := m.awaitIncident(id, "its acknowledgement", func(i incident) bool { return i.Status == "acknowledged" })
	for _, e := range i.Timeline {
		if e.Event == "acknowledged" {
			return e.By + " via " + e.Via
		}
	}
	return i.trace()
}

func (m *midwatch) wantAck(id, want string) {
	m.t.Helper()
	if got := m.ackedBy(id); got != want {
		m.t.Errorf("%s was acknowledged by %s, want %s", id, got, want)
	}
}

func (m *midwatch) wantStatus(id, what, want string) {
	m.t.Helper()
	if i := m.incident(id); i.Status != want {
		m.t.Errorf("%s: %s is %s, want %s:\n%s", what, id, i.Status, want, i.trace())
	}
}

// Slack by Socket Mode: a card, its button, a command, and somebody whom nobody knows.
func TestSlackSpeaksBack(t *testing.T) {
	t.Parallel()
	s, hook := newSlackd(t), chatter(t)
	m := prepare(t, t.TempDir(), fill(chatConfig, "ANA", `hook: {webhook: {url: "`+hook.URL+`"}}`, "HOOK", hook.URL, "MAIL", "")+fill(`
chat:
  slack: {bot_token: BOT, app_token: APP, api_url: "URL/api/", channel: CHANNEL}
`, "BOT", slackBot, "APP", slackApp, "URL", s.URL, "CHANNEL", slackChannel))
	m.env = []string{"SSL_CERT_FILE=" + s.cert.certFile}
	m.start()
	m.fire(critical("Lag"))
	card := s.awaitCall(t, "chat.postMessage", "INC-1")
	if card.Thread != "" || card.button("ack") == "" || card.button("escalate") == "" {
		t.Fatalf("the card: %s", pretty(card))
	}
	s.push(t, "interactive", "e1", s.press("U0EVIL001", card, "ack", "e1"))
	s.awaitCall(t, "/response/e1", `does not know you`, `chat: {slack: "U0EVIL001"}`)
	m.wantStatus("INC-1", "pressed by somebody unknown", "triggered")

	s.push(t, "interactive", "e2", s.press("U024BE7LH", card, "ack", "e2"))
	m.wantAck("INC-1", "ana via slack")
	if edited := s.awaitCall(t, "chat.update", "acknowledged"); edited.TS != card.TS || edited.button("ack") != "" || edited.button("undo") == "" {
		t.Errorf("the card was not edited in place: %s", pretty(edited))
	}
	if line := s.awaitCall(t, "chat.postMessage", "ana acknowledged"); line.Thread != card.TS {
		t.Errorf("the line is not below the card: %s", pretty(line))
	}
	if m.awaitIncident("INC-1", "", func(incident) bool { return true }).count("acknowledged") != 1 {
		t.Error("it was acknowledged more than once")
	}

	typed := func(id, user, text string) {
		s.push(t, "slash_commands", id, map[string]string{
			"command": "/mw", "text": text, "user_id": user, "user_name": "x", "channel_id": slackChannel, "trigger_id": id, "response_url": s.URL + "/response/" + id,
		})
	}
	typed("e3", "U024BE7LH", "oncall")
	s.awaitCall(t, "/response/e3", "db: ana")
	typed("e4", "U0EVIL001", "resolve 1")
	s.awaitCall(t, "/response/e4", "does not know you")
	typed("e5", "U0BO00001", "resolve 1 by hand")
	s.awaitCall(t, "/response/e5", "INC-1 resolved by bo")
	if i := m.incident("INC-1"); i.Status != "resolved" || i.ResolvedBy != "bo" {
		t.Errorf("after the command: %s by %s", i.Status, i.ResolvedBy)
	}
	if over := s.awaitCall(t, "chat.update", "resolved"); over.TS != card.TS || over.button("resolve") != "" {
		t.Errorf("the card of what is over: %s", pretty(over))
	}

	// After a crash the card is still the incident's, and nothing is posted again.
	m.kill()
	m.start()
	m.fire(critical("Later"))
	s.awaitCall(t, "chat.postMessage", "INC-2")
	s.mu.Lock()
	cards := 0
	for _, c := range s.calls {
		if c.Method == "chat.postMessage" && c.Blocks != "" {
			cards++
		}
	}
	s.mu.Unlock()
	if cards != 2 {
		t.Errorf("%d cards of two incidents", cards)
	}
	await(t, "the metric that says that Slack is connected", func() (string, bool) { // a card needs no connection to be posted
		metrics := m.get("/metrics")
		return metrics, strings.Contains(metrics, `midwatch_chat_connected{service="slack"} 1`)
	})
	if channels := m.get("/api/midwatch/v1/channels"); !strings.Contains(channels, `"chat":"slack"`) {
		t.Errorf("the API does not list the service: %s", channels)
	}
	log := m.process.log.tail(10_000) + m.before.log.tail(10_000)
	for _, secret := range []string{slackBot, slackApp} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// Slack by what it posts: only what is signed, and signed now, does anything.
func TestSlackPostsSigned(t *testing.T) {
	t.Parallel()
	hook := chatter(t)
	api := chatter(t)
	api.be(answering(http.StatusOK, `{"ok":true,"user_id":"U0BOT0001","channel":"C024BE91L","ts":"1.1"}`))
	m := serve(t, fill(chatConfig, "ANA", `hook: {webhook: {url: "`+hook.URL+`"}}`, "HOOK", hook.URL, "MAIL", "")+fill(`
chat:
  slack: {bot_token: BOT, signing_secret: SECRET, api_url: "URL/api/"}
`, "BOT", slackBot, "SECRET", slackSigning, "URL", api.URL))
	m.fire(critical("Lag"))
	awaitPage(t, hook, "INC-1")
	n := 0
	post := func(secret string, age time.Duration, text string) int {
		t.Helper()
		n++
		form := url.Values{"command": {"/mw"}, "text": {text}, "user_id": {"U024BE7LH"}, "channel_id": {slackChannel}, "trigger_id": {fmt.Sprint(n)}}.Encode()
		at := fmt.Sprint(time.Now().Add(-age).Unix())
		h := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(h, "v0:%s:%s", at, form)
		return m.form("/chat/slack", form, "X-Slack-Request-Timestamp", at, "X-Slack-Signature", "v0="+hex.EncodeToString(h.Sum(nil)))
	}
	if got := post("guess", 0, "ack 1"); got != http.StatusUnauthorized {
		t.Errorf("a bad signature is answered %d", got)
	}
	if got := post(slackSigning, 6*time.Minute, "ack 1"); got != http.StatusUnauthorized {
		t.Errorf("an old signature is answered %d", got)
	}
	if got := m.form("/chat/slack", "command=/mw&text=ack+1&user_id=U024BE7LH&trigger_id=0"); got != http.StatusUnauthorized {
		t.Errorf("no signature is answered %d", got)
	}
	m.wantStatus("INC-1", "nothing good was posted", "triggered")
	if got := post(slackSigning, 0, "ack 1"); got != http.StatusOK {
		t.Errorf("a good signature is answered %d", got)
	}
	m.wantAck("INC-1", "ana via slack")
}

// form posts a form with headers and returns the status.
func (m *midwatch) form(path, form string, header ...string) int {
	m.t.Helper()
	status, _ := m.formAnswer(path, form, header...)
	return status
}

func (m *midwatch) formAnswer(path, form string, header ...string) (int, string) {
	m.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+m.addr+path, strings.NewReader(form))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	status, answer, err := do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	return status, answer
}

// Telegram by long polling: a card, its button, and after kill -9 no update is taken twice or lost.
func TestTelegramSpeaksBack(t *testing.T) {
	t.Parallel()
	d, hook := newTelegramd(t), chatter(t)
	m := serve(t, fill(chatConfig, "ANA", `hook: {webhook: {url: "`+hook.URL+`"}}`, "HOOK", hook.URL, "MAIL", "")+fill(`
chat:
  telegram: {bot_token: "TOKEN", api_url: "URL", chat: "-1001234567890"}
`, "TOKEN", telegramToken, "URL", d.URL))
	m.fire(critical("Lag"))
	card := d.awaitCall(t, "sendMessage", "INC-1")
	last := d.pressed(666, card, "Acknowledge")
	if toast := d.awaitCall(t, "answerCallbackQuery", "does not know you"); !toast.Alert {
		t.Errorf("who is refused is not told so: %s", pretty(toast))
	}
	d.awaitPoll(t, last+1)
	m.wantStatus("INC-1", "pressed by somebody unknown", "triggered")
	last = d.pressed(123456789, card, "Acknowledge")
	m.wantAck("INC-1", "ana via telegram")
	if edited := d.awaitCall(t, "editMessageText", "acknowledged"); edited.ID != card.ID {
		t.Errorf("the card was not edited in place: %s", pretty(edited))
	}
	d.awaitPoll(t, last+1)
	m.kill()
	d.mu.Lock()
	polls := len(d.offsets)
	d.mu.Unlock()
	while := d.happens("message", map[string]any{
		"message_id": 50, "date": 1700000000, "chat": map[string]any{"id": 123456789, "type": "private"},
		"from": map[string]any{"id": 123456789, "username": "ana"}, "text": "resolve 1 while it was away",
	})
	m.start()
	m.awaitIncident("INC-1", "what was said while Midwatch was away", func(i incident) bool { return i.Status == "resolved" })
	d.awaitPoll(t, while+1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if first := d.offsets[polls]; first != last+1 {
		t.Errorf("after kill -9 it begins with %d, want %d", first, last+1)
	}
}

// Mail: a page says where to reply to; the reply acts, what machines answer does not, nor does mail without the page's token.
func TestMailSpeaksBack(t *testing.T) {
	t.Parallel()
	box, hook, cert, addr := newPostbox(t), chatter(t), newCertificate(t), "127.0.0.1:"+freePort(t)
	m := serve(t, mailConfig(box.addr, box.cert)+fill(chatConfig, "ANA", "", "HOOK", hook.URL, "MAIL", "email: ana@example.org\n    ")+fill(`
chat:
  mail: {listen: "ADDR", domain: mw.example.org, cert_file: CERT, key_file: KEY, require_tls: true}
`, "ADDR", addr, "CERT", cert.certFile, "KEY", cert.keyFile))
	m.fire(critical("Lag"))
	page := box.awaitLetters(t, "the page", 1)[0]
	to, err := mail.ParseAddress(page.Header.Get("Reply-To"))
	if err != nil || !strings.HasPrefix(to.Address, "ack+") || !strings.HasSuffix(to.Address, "@mw.example.org") {
		t.Fatalf("Reply-To: %q (%v)", page.Header.Get("Reply-To"), err)
	}
	reply := func(trust *certificate, to, header, text string) error {
		t.Helper()
		return deliver(addr, trust, to, "From: Ana <ana@example.org>\r\nTo: <"+to+">\r\nSubject: Re: "+page.Subject+"\r\nMessage-ID: <"+fmt.Sprint(time.Now().UnixNano())+
			"@example.org>\r\n"+header+"\r\n"+text+"\r\n\r\nOn Monday Midwatch wrote:\r\n> resolve\r\n")
	}
	if err := reply(nil, to.Address, "", "ack"); err == nil || !strings.HasPrefix(err.Error(), "530") {
		t.Errorf("in the clear: %v, want 530", err)
	}
	if err := reply(&cert, to.Address, "Auto-Submitted: auto-replied\r\n", "ack"); err != nil {
		t.Errorf("an auto-reply is taken and forgotten, or two machines would write for ever: %v", err)
	}
	if err := reply(&cert, "ack@mw.example.org", "", "ack 1"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("without the token: %v, want 550", err)
	}
	if err := reply(&cert, "ack+guess@mw.example.org", "", "ack 1"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("with a guess: %v, want 550", err)
	}
	if err := reply(&cert, "ana@example.org", "", "ack 1"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("mail for somebody else: %v, want 550", err)
	}
	m.wantStatus("INC-1", "no good reply came", "triggered")
	if err := reply(&cert, to.Address, "In-Reply-To: "+page.MessageID+"\r\n", "ack"); err != nil {
		t.Fatal(err)
	}
	m.wantAck("INC-1", "ana via mail")
}

// deliver brings a mail as a mail server does, with STARTTLS if a certificate is to be trusted.
func deliver(addr string, trust *certificate, to, text string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if trust != nil {
		roots := x509.NewCertPool()
		pem, err := os.ReadFile(trust.certFile)
		if err != nil {
			return err
		}
		roots.AppendCertsFromPEM(pem)
		if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: roots}); err != nil {
			return err
		}
	}
	if err := c.Mail("ana@example.org"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

const (
	twilioAccount = "AC0123456789abcdef0123456789abcdef"
	twilioToken   = "12345-twilio-secret"
)

// twilio posts a form to where Twilio was told to post, signed with a token.
func (m *midwatch) twilio(token, to string, form url.Values) (int, string) {
	m.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		m.t.Fatal(err)
	}
	form.Set("AccountSid", twilioAccount)
	var b bytes.Buffer
	b.WriteString(to)
	for _, k := range slices.Sorted(maps.Keys(form)) {
		b.WriteString(k + form.Get(k))
	}
	h := hmac.New(sha1.New, []byte(token))
	h.Write(b.Bytes())
	return m.formAnswer(u.RequestURI(), form.Encode(), "X-Twilio-Signature", base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// Twilio: a text message and a key pressed in the page's own call acknowledge, if Twilio signed them and the number is known.
func TestPhonesSpeakBack(t *testing.T) {
	t.Parallel()
	twilio, hook := chatter(t), chatter(t)
	twilio.be(answering(http.StatusCreated, `{"sid":"CA0123456789abcdef0123456789abcdef","status":"queued"}`))
	m := serve(t, fill(chatConfig, "ANA", fill(`call: {voice: {account_sid: ACCOUNT, auth_token: TOKEN, from: "+12025550123", to: "+351912345678", api_url: "URL"}}`,
		"ACCOUNT", twilioAccount, "TOKEN", twilioToken, "URL", twilio.URL), "HOOK", hook.URL, "MAIL", "")+fill(`
chat:
  twilio: {account_sid: ACCOUNT, auth_token: TOKEN}
`, "ACCOUNT", twilioAccount, "TOKEN", twilioToken))
	m.fire(critical("Lag"))
	called, err := url.ParseQuery(twilio.awaitHits(t, "the call", 1)[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	var call struct {
		Gather struct {
			Action string `xml:"action,attr"`
			Method string `xml:"method,attr"`
		}
	}
	if err := xml.Unmarshal([]byte(called.Get("Twiml")), &call); err != nil || !strings.HasPrefix(call.Gather.Action, publicURL+"/chat/twilio/voice?") || call.Gather.Method != "POST" {
		t.Fatalf("%v in the call: %s", err, called.Get("Twiml"))
	}
	pressed := url.Values{"CallSid": {"CA1"}, "Direction": {"outbound-api"}, "To": {"+351912345678"}, "From": {"+12025550123"}, "Digits": {"1"}}
	if status, _ := m.twilio("guess", call.Gather.Action, maps.Clone(pressed)); status != http.StatusForbidden {
		t.Errorf("a key that Twilio did not sign is answered %d", status)
	}
	m.wantStatus("INC-1", "a key that Twilio did not sign", "triggered")
	if status, said := m.twilio(twilioToken, call.Gather.Action, maps.Clone(pressed)); status != http.StatusOK || !strings.Contains(said, "incident 1 acknowledged by ana") {
		t.Errorf("the key is answered %d: %s", status, said)
	}
	m.wantAck("INC-1", "ana via voice")

	m.fire(critical("Disk"))
	twilio.awaitHits(t, "the second call", 2)
	text := func(token, from, body string) (int, string) {
		t.Helper()
		return m.twilio(token, publicURL+"/chat/twilio/sms", url.Values{"MessageSid": {fmt.Sprint("SM", time.Now().UnixNano())}, "From": {from}, "Body": {body}})
	}
	if status, _ := text("guess", "+351912345678", "ack 2"); status != http.StatusForbidden {
		t.Errorf("a text message that Twilio did not sign is answered %d", status)
	}
	if _, said := text(twilioToken, "+46700000000", "ack 2"); !strings.Contains(said, "does not know you") {
		t.Errorf("an unknown number is told %s", said)
	}
	m.wantStatus("INC-2", "nothing good was written", "triggered")
	if status, said := text(twilioToken, "+351912345678", "Ack"); status != http.StatusOK || !strings.Contains(said, "INC-2 acknowledged by ana") {
		t.Errorf("the text message is answered %d: %s", status, said)
	}
	m.wantAck("INC-2", "ana via sms")
}

// Pushover: acknowledging the alarm in its app acknowledges the incident, over a kill -9 too; acknowledging elsewhere ends the
// alarm, and nobody asks after it any more.
func TestPushoverSpeaksBack(t *testing.T) {
	t.Parallel()
	p, hook := newPushoverd(t), chatter(t)
	m := serve(t, fill(chatConfig, "ANA", fill(`phone: {pushover: {user_key: USER, token: APP}, api_url: "URL"}`, "USER", pushoverUser, "APP", pushoverApp, "URL", p.URL), "HOOK", hook.URL, "MAIL", ""))
	m.fire(critical("Lag"))
	first := p.rings(t, 1)
	m.awaitIncident("INC-1", "its page", func(i incident) bool { return i.count("page") == 1 })
	m.kill()
	m.start()
	p.become(first, "acknowledged")
	m.wantAck("INC-1", "ana via pushover")

	m.fire(critical("Disk"))
	second := p.rings(t, 2)
	await(t, "a question after the second alarm", func() (string, bool) { return p.is(second), p.times(second) > 0 })
	m.post("/api/midwatch/v1/incidents/INC-2/acknowledge", `{"by":"bo"}`)
	await(t, "the end of the alarm", func() (string, bool) { return p.is(second), p.is(second) == "cancelled" })
	m.fire(critical("Net"))
	third := p.rings(t, 3)
	before := p.times(second)
	await(t, "two questions after the third alarm", func() (string, bool) { return p.is(third), p.times(third) >= 2 })
	if after := p.times(second); after > before+1 { // one may have been under way
		t.Errorf("an alarm that was ended is still asked after: %d times, then %d", before, after)
	}
}
