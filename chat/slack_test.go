package chat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newTestSlack(t *testing.T, base string, client *http.Client, desk Desk, change func(*SlackOptions)) *Slack {
	t.Helper()
	o := SlackOptions{BotToken: testBotToken, AppToken: testAppToken, SigningSecret: testSigning, BaseURL: base + "/api/", HTTP: client}
	if change != nil {
		change(&o)
	}
	s, err := NewSlack(o, desk)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A whole night over a real websocket and TLS on loopback: a card, its button, a command, a mention, the thread.
func TestSlackBySocketMode(t *testing.T) {
	fake := newSlackd()
	server := httptest.NewTLSServer(fake)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	fake.base = server.URL
	acked := ackedCard()
	desk := newClerk(func(r Request) Reply {
		switch r.Verb {
		case Ack:
			return Reply{Text: "INC-12 is yours.", Card: &acked, Private: true}
		case Who:
			return Reply{Text: "ana until Monday 09:00 <ok>"}
		case Resolve:
			return Reply{Text: "There is no INC-99.", Err: true}
		}
		return Reply{Text: "noted"}
	})
	s := newTestSlack(t, server.URL, server.Client(), desk, nil)
	stop := run(t, s.Run)
	waitFor(t, "the socket", fake.online)

	at, err := s.Post(t.Context(), "C1", lagCard())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Ref{ServiceSlack, "C1", "1700.1"}); at != want {
		t.Fatalf("posted at %+v, want %+v", at, want)
	}
	drain(fake.calls)

	deliver := func(kind, id, payload string, calls ...string) {
		t.Helper()
		fake.push(kind, id, strings.ReplaceAll(payload, "RESPONSE", server.URL))
		ack := waitFor(t, "the acknowledgement of "+id, fake.acks)
		if ack != envelope(id) {
			t.Errorf("acknowledged %q, want %q", ack, id)
		}
		for _, want := range calls {
			if got := waitFor(t, want, fake.calls); got != want {
				t.Errorf("%s: called %s, want %s", id, got, want)
			}
		}
		fake.add("→ socket %s\n", ack) // when it comes, beside the calls, is by chance
	}
	button := lagCard().Actions[0].press("INC-12")
	deliver("interactive", "e1", slackPressed("t1", button), "/api/chat.update", "/response/1")
	deliver("interactive", "e2", slackPressed("t1", button)) // the same press in another envelope
	deliver("slash_commands", "e3", slackTyped("t2", "who db"), "/response/2")
	deliver("slash_commands", "e4", slackTyped("t3", "resolve 99 &amp; done"), "/response/2")
	deliver("events_api", "e5", slackSaid(`{"type":"app_mention","user":"U012","text":"<@U0BOT> note disks","ts":"1700.5","channel":"C1"}`), "/api/chat.postMessage")
	deliver("events_api", "e6", slackSaid(`{"type":"message","channel_type":"channel","user":"U012","text":"ack","ts":"1700.6","thread_ts":"1700.1","channel":"C1"}`), "/api/chat.postEphemeral")
	deliver("events_api", "e7", slackSaid(`{"type":"message","channel_type":"im","user":"U012","text":"what now","ts":"1700.7","channel":"D1"}`), "/api/chat.postMessage")
	deliver("events_api", "e8", slackSaid(`{"type":"message","channel_type":"channel","user":"U012","text":"who broke it?","ts":"1700.8","channel":"C1"}`))
	deliver("events_api", "e9", slackSaid(`{"type":"message","channel_type":"im","bot_id":"B1","user":"U0X","text":"ack","ts":"1700.9","channel":"D1"}`))
	deliver("events_api", "e10", slackSaid(`{"type":"message","channel_type":"channel","user":"U012","text":"<@U013> ack this?","ts":"1700.11","thread_ts":"1700.1","channel":"C1"}`))
	deliver("a_new_kind", "e11", `{}`)
	if err := s.Say(t.Context(), at, "03:05 bo <paged>"); err != nil {
		t.Error(err)
	}
	if h := s.Health(); !h.Connected() || h.LastError != "" {
		t.Errorf("health %+v", h)
	}
	stop()
	if s.Health().Connected() {
		t.Error("connected after its end")
	}

	ana, thread := Person{ServiceSlack, "U012", "ana"}, Ref{ServiceSlack, "C1", "1700.1"}
	want := []Request{
		{Command: Command{Verb: Ack, Incident: "INC-12"}, From: ana, Card: at, Token: "tok-ack", ID: "slack/t1"},
		{Command: Command{Verb: Who, Text: "db"}, From: ana, ID: "slack/t2"},
		{Command: Command{Verb: Resolve, Incident: "INC-99", Text: "& done"}, From: ana, ID: "slack/t3"},
		{Command: Command{Verb: Note, Text: "disks"}, From: Person{Service: ServiceSlack, ID: "U012"}, ID: "slack/C1/1700.5"},
		{Command: Command{Verb: Ack}, From: Person{Service: ServiceSlack, ID: "U012"}, Card: thread, ID: "slack/C1/1700.6"},
	}
	if got := desk.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("the desk was asked\n%+v\nwant\n%+v", got, want)
	}
	script := strings.ReplaceAll(fake.String(), server.URL, "https://slack")
	script = strings.ReplaceAll(script, strings.Replace(server.URL, "http", "ws", 1), "wss://slack")
	golden(t, "golden/slack.txt", script)
	for _, secret := range []string{testBotToken, testAppToken} {
		if strings.Contains(script, secret) {
			t.Errorf("%s is in the script", secret)
		}
	}
}

func envelope(id string) string { return `{"envelope_id":"` + id + `"}` }

func drain[T any](c chan T) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

// inSlackBubble runs f in virtual time with a Slack that runs.
func inSlackBubble(t *testing.T, answer func(Request) Reply, f func(t *testing.T, fake *slackd, s *Slack, desk *clerk)) {
	synctest.Test(t, func(t *testing.T) {
		fake, desk := newSlackd(), newClerk(answer)
		fake.base = "http://slack.test"
		client, end := inBubble(fake)
		s := newTestSlack(t, "http://slack.test", client, desk, nil)
		stop := run(t, s.Run)
		synctest.Wait()
		f(t, fake, s, desk)
		stop()
		fake.mu.Lock()
		if fake.conn != nil {
			fake.conn.Close()
		}
		fake.mu.Unlock()
		end()
	})
}

// Slack tells people after 3 s that it did not work: an envelope is acknowledged before, and not before the desk has done it.
func TestSlackAcknowledgesInTime(t *testing.T) {
	for name, c := range map[string]struct{ takes, want time.Duration }{
		"a quick desk": {100 * time.Millisecond, 100 * time.Millisecond},
		"a slow desk":  {6 * time.Second, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			slow := func(Request) Reply { time.Sleep(c.takes); return Reply{} }
			inSlackBubble(t, slow, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
				begin := time.Now()
				fake.push("interactive", "e1", slackPressed("t1", "ack INC-12"))
				<-fake.acks
				if got := time.Since(begin); got != c.want {
					t.Errorf("acknowledged after %v, want %v", got, c.want)
				}
				<-desk.told
			})
		})
	}
}

// What cannot be done now is left to Slack to bring again, which it does with events.
func TestSlackBringsItAgain(t *testing.T) {
	n := 0
	notAtFirst := func(Request) Reply { n++; return Reply{Again: n == 1} }
	inSlackBubble(t, notAtFirst, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		said := slackSaid(`{"type":"message","channel_type":"im","user":"U012","text":"ack 12","ts":"1700.7","channel":"D1"}`)
		fake.push("events_api", "e1", said)
		synctest.Wait()
		time.Sleep(time.Minute)
		if len(fake.acks) != 0 {
			t.Fatal("acknowledged what was not done")
		}
		fake.push("events_api", "e2", said)
		synctest.Wait()
		if got := len(desk.requests()); got != 2 || <-fake.acks != envelope("e2") {
			t.Errorf("%d requests", got)
		}
		fake.push("events_api", "e3", said)
		synctest.Wait()
		if got := len(desk.requests()); got != 2 {
			t.Errorf("%d requests after it was done", got)
		}
	})
}

// A connection that Slack ends after an hour is opened anew at once; one that never holds is tried less and less often, and
// still every two minutes.
func TestSlackReconnects(t *testing.T) {
	inSlackBubble(t, nil, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		alive := func() {
			fake.mu.Lock()
			defer fake.mu.Unlock()
			_ = fake.conn.WriteControl(9, nil, time.Now().Add(time.Second))
		}
		for range 6 * 60 {
			time.Sleep(10 * time.Second)
			alive()
		}
		before := time.Now()
		fake.hangUp()
		synctest.Wait()
		fake.mu.Lock()
		if last := fake.opens[len(fake.opens)-1]; len(fake.opens) != 2 || !last.Equal(before) {
			t.Errorf("opened at %v after the end at %v", fake.opens, before)
		}
		fake.opens = nil
		down := func(w http.ResponseWriter, _ string) bool { w.WriteHeader(503); return true }
		for range 100 {
			fake.refuse = append(fake.refuse, down)
		}
		fake.mu.Unlock()
		time.Sleep(5 * time.Second)
		fake.hangUp()
		time.Sleep(time.Hour)
		synctest.Wait()
		if h := s.Health(); h.Connected() || !strings.Contains(h.LastError, "apps.connections.open: ") {
			t.Errorf("health %+v", h)
		}
		fake.mu.Lock()
		defer fake.mu.Unlock()
		for i := 1; i < len(fake.opens); i++ {
			gap := fake.opens[i].Sub(fake.opens[i-1])
			limit := min(firstWait<<min(i, 10), lastWait)
			if gap > limit || gap < firstWait*3/4 || i > 8 && gap < lastWait*3/4 {
				t.Errorf("attempt %d after %v", i, gap)
			}
		}
		if n := len(fake.opens); n < 30 || n > 45 {
			t.Errorf("%d attempts in an hour", n)
		}
	})
}

// A socket that is silent is dead, though nothing said so.
func TestSlackNoticesSilence(t *testing.T) {
	inSlackBubble(t, nil, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		time.Sleep(2*slackSilence + time.Minute)
		fake.mu.Lock()
		defer fake.mu.Unlock()
		if len(fake.opens) < 2 {
			t.Errorf("%d connections", len(fake.opens))
		}
	})
}

// "Too many" is waited for where the wait is short, and handed on where it is long.
func TestSlackLimits(t *testing.T) {
	limited := func(after string) func(http.ResponseWriter, string) bool {
		return func(w http.ResponseWriter, _ string) bool {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
	}
	inSlackBubble(t, nil, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		fake.refuse = append(fake.refuse, limited("7"), limited("5"))
		begin := time.Now()
		if _, err := s.Post(t.Context(), "C1", lagCard()); err != nil || time.Since(begin) != 12*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		fake.refuse = append(fake.refuse, limited("300"))
		_, err := s.Post(t.Context(), "C1", lagCard())
		var soon *TooSoon
		if !errors.As(err, &soon) || soon.After != 5*time.Minute {
			t.Errorf("got %v", err)
		}
	})
}

func TestSlackErrorsSayWhatToDo(t *testing.T) {
	inSlackBubble(t, nil, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		for code, want := range map[string]string{
			"not_in_channel":    "slack: chat.update in C1: not_in_channel; invite the app",
			"message_not_found": "slack: chat.update in C1: the message or its channel is gone: message_not_found",
		} {
			fake.refuse = append(fake.refuse, func(w http.ResponseWriter, _ string) bool {
				fmt.Fprintf(w, `{"ok":false,"error":"%s"}`, code)
				return true
			})
			err := s.Edit(t.Context(), Ref{ServiceSlack, "C1", "1.2"}, lagCard())
			if err == nil || !strings.HasPrefix(err.Error(), want) || errors.Is(err, ErrGone) != (code == "message_not_found") {
				t.Errorf("%s: got %v", code, err)
			}
		}
	})
}

func TestSlackTokens(t *testing.T) {
	for _, o := range []SlackOptions{{}, {BotToken: "xoxp-user"}, {BotToken: testBotToken, AppToken: "xoxb-mixed-up"}, {BotToken: testBotToken, BaseURL: "::"}} {
		if _, err := NewSlack(o, newClerk(nil)); err == nil || strings.Contains(err.Error(), "mixed-up") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		fake := newSlackd()
		client, end := inBubble(fake)
		s := newTestSlack(t, "http://slack.test", client, newClerk(nil), func(o *SlackOptions) { o.BotToken = "xoxb-old-secret" })
		stop := run(t, s.Run)
		time.Sleep(time.Hour)
		if h := s.Health(); h.Connected() || h.LastError != "slack: auth.test: invalid_auth; the bot token is wrong or was revoked; take it anew from the app's page" {
			t.Errorf("health %+v", h)
		}
		stop()
		end()
	})
}

func slackSign(secret, body string, at time.Time) map[string]string {
	ts := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "v0:%s:%s", ts, body)
	return map[string]string{"X-Slack-Request-Timestamp": ts, "X-Slack-Signature": "v0=" + hex.EncodeToString(h.Sum(nil))}
}

// Without Socket Mode Slack posts the same to us, signed.
func TestSlackByCallbacks(t *testing.T) {
	fake := newSlackd()
	server := httptest.NewServer(fake)
	defer server.Close()
	acked := ackedCard()
	desk := newClerk(func(Request) Reply { return Reply{Text: "INC-12 is yours.", Card: &acked, Private: true} })
	s := newTestSlack(t, server.URL, server.Client(), desk, func(o *SlackOptions) { o.AppToken = "" })
	stop := run(t, s.Run)
	ours := httptest.NewServer(s)
	defer ours.Close()
	send := func(contentType, body string, header map[string]string) (int, string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, ours.URL, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		resp, err := ours.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, readAll(resp.Body)
	}
	const form = "application/x-www-form-urlencoded"
	press := "payload=" + url.QueryEscape(strings.ReplaceAll(slackPressed("t1", "ack INC-12 ~tok-ack"), "RESPONSE", server.URL))
	now := time.Now()

	for name, header := range map[string]map[string]string{
		"not signed":        {},
		"another secret":    slackSign("x", press, now),
		"another body":      slackSign(testSigning, press+"&x=1", now),
		"six minutes old":   slackSign(testSigning, press, now.Add(-6*time.Minute)),
		"six minutes ahead": slackSign(testSigning, press, now.Add(6*time.Minute)),
		"cut off":           {"X-Slack-Request-Timestamp": strconv.FormatInt(now.Unix(), 10), "X-Slack-Signature": "v0=00"},
	} {
		if code, _ := send(form, press, header); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, code)
		}
	}
	if got := desk.requests(); len(got) != 0 {
		t.Fatalf("acted on what is not Slack's: %+v", got)
	}
	if r, err := ours.Client().Get(ours.URL); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", r, err)
	} else {
		r.Body.Close()
	}

	challenge := `{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}`
	if code, body := send("application/json", challenge, slackSign(testSigning, challenge, now)); code != 200 || body != "3eZbrw1a" {
		t.Errorf("the challenge: %d %q", code, body)
	}
	for range 2 { // the second is a replay
		if code, body := send(form, press, slackSign(testSigning, press, now)); code != 200 || body != "" {
			t.Errorf("%d %q", code, body)
		}
	}
	typed := url.Values{"command": {"/mw"}, "text": {"ack 12"}, "user_id": {"U012"}, "user_name": {"ana"}, "channel_id": {"C1"}, "trigger_id": {"t9"}, "response_url": {server.URL + "/response/3"}}.Encode()
	if code, _ := send(form, typed, slackSign(testSigning, typed, now)); code != 200 {
		t.Errorf("a command: %d", code)
	}
	said := slackSaid(`{"type":"app_mention","user":"U012","text":"<@U0BOT> ack 12","ts":"1700.5","channel":"C1"}`)
	if code, _ := send("application/json", said, slackSign(testSigning, said, now)); code != 200 {
		t.Errorf("a mention: %d", code)
	}
	ours.Close() // and waits for what is still being said
	stop()
	var ids []string
	for _, r := range desk.requests() {
		ids = append(ids, r.ID)
	}
	if want := []string{"slack/t1", "slack/t9", "slack/C1/1700.5"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("asked %v, want %v", ids, want)
	}
}

// Slack is answered within 3 s and then hangs up. What it asked for is done all the same, and told.
func TestSlackCallbackOfASlowDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newSlackd()
		client, end := inBubble(fake)
		var ended error
		desk := DeskFunc(func(ctx context.Context, _ Request) Reply {
			time.Sleep(6 * time.Second)
			ended = ctx.Err()
			return Reply{Text: "done"}
		})
		s := newTestSlack(t, "http://slack.test", client, desk, nil)
		ours, endOurs := inBubble(s)
		press := "payload=" + url.QueryEscape(strings.ReplaceAll(slackPressed("t1", "ack INC-12"), "RESPONSE", "http://slack.test"))
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://midwatch.test", strings.NewReader(press))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for k, v := range slackSign(testSigning, press, time.Now()) {
			r.Header.Set(k, v)
		}
		begin := time.Now()
		resp, err := ours.Do(r)
		if err != nil || resp.StatusCode != 200 || time.Since(begin) != slackAck {
			t.Fatalf("%v %v after %v", resp, err, time.Since(begin))
		}
		resp.Body.Close()
		ours.CloseIdleConnections()
		if got := <-fake.calls; got != "/api/chat.postMessage" || ended != nil || time.Since(begin) != 6*time.Second {
			t.Errorf("%s, %v after %v", got, ended, time.Since(begin))
		}
		endOurs()
		end()
	})
}

// What Slack posts and we cannot do now is answered 503, and Slack posts it again.
func TestSlackCallbackAgain(t *testing.T) {
	desk := newClerk(func(Request) Reply { return Reply{Again: true} })
	s := newTestSlack(t, "http://127.0.0.1:1", &http.Client{}, desk, nil)
	said := slackSaid(`{"type":"app_mention","user":"U012","text":"ack 12","ts":"1700.5","channel":"C1"}`)
	for range 2 {
		if w := post(s, "/", "application/json", said, slackSign(testSigning, said, time.Now())); w.Code != http.StatusServiceUnavailable {
			t.Errorf("got %d", w.Code)
		}
	}
	if n := len(desk.requests()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// An answer goes to Slack, or nowhere.
func TestSlackAnswersOnlySlack(t *testing.T) {
	s := newTestSlack(t, "https://slack.example", &http.Client{}, newClerk(nil), nil)
	for to, want := range map[string]bool{
		"https://hooks.slack.com/actions/T1/1/x": true, "https://hooks.slack-gov.com/x": true, "https://slack.example/x": true,
		"http://hooks.slack.com/x": false, "https://hooks.slack.com.evil.example/x": false, "https://169.254.169.254/latest": false, "": false, "::": false,
	} {
		if got := s.mayAnswer(to); got != want {
			t.Errorf("%q: %v", to, got)
		}
	}
}

func TestButtonsCarryCommands(t *testing.T) {
	for _, a := range lagCard().Actions {
		c, token, ok := readPress(a.press("INC-12"))
		if want := (Command{Verb: a.Verb, Incident: "INC-12", For: a.For}); !ok || c != want || token != a.Token {
			t.Errorf("%+v: read %+v %q", a, c, token)
		}
	}
	for _, forged := range []string{"", "hello", "note INC-1 words of mine", "page cto now", "~x"} {
		if c, _, ok := readPress(forged); ok {
			t.Errorf("%q: read %+v", forged, c)
		}
	}
}

// A desk that panics costs one request, not the process.
func TestADeskThatPanics(t *testing.T) {
	s := newTestSlack(t, "http://127.0.0.1:1", &http.Client{}, DeskFunc(func(context.Context, Request) Reply { panic("no") }), nil)
	if r := ask(t.Context(), s.desk, s.log, Request{ID: "1"}); !r.Err || r.Text == "" {
		t.Errorf("got %+v", r)
	}
}

// However wild a card's words, Slack takes it.
func TestSlackTakesEveryCard(t *testing.T) {
	inSlackBubble(t, nil, func(t *testing.T, fake *slackd, s *Slack, desk *clerk) {
		wild := lagCard()
		long := strings.Repeat("<&\u202e@here ö", 2000)
		wild.Title, wild.Next, wild.Team, wild.Status = long, long, long, long
		for range 100 {
			wild.Labels = append(wild.Labels, [2]string{long, long})
			wild.Lines = append(wild.Lines, long)
			wild.Who = append(wild.Who, long)
			wild.Actions = append(wild.Actions, Action{Verb: Ack, Label: long, Token: strings.Repeat("x", 3000)})
		}
		for _, c := range []Card{wild, {}, {Incident: "INC-1"}} {
			if _, err := s.Post(t.Context(), "C1", c); err != nil {
				t.Error(err)
			}
		}
	})
}
