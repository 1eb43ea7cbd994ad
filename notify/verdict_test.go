package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amnotify "github.com/prometheus/alertmanager/notify"

	"github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
)

// SPEC §8: 429, 5xx and network errors retry, other 4xx do not; mail's numbers mean the opposite.
func TestVerdicts(t *testing.T) {
	status := func(code int) error {
		_, err := (&amnotify.Retrier{}).Check(code, strings.NewReader("because"))
		return amnotify.NewErrorWithReason(amnotify.GetFailureReasonFromStatusCode(code), err)
	}
	post := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://chat.example.org/T/SECRET", Err: err}
	}
	for _, c := range []struct {
		name        string
		integration string
		retry       bool // upstream's opinion
		err         error
		want        Outcome
		answer      string
		wait        time.Duration
	}{
		{"taken", "slack", true, nil, Delivered, "", 0},
		{"bad request", "slack", false, status(400), Failed, "unexpected status code 400: because", 0},
		{"not allowed", "webhook", true, status(403), Failed, "unexpected status code 403: because", 0},
		{"too often", "webhook", false, status(429), Retry, "unexpected status code 429: because", 0},
		{"broken", "slack", true, status(502), Retry, "unexpected status code 502: because", 0},
		{"redirected", "slack", false, status(301), Failed, "unexpected status code 301: because", 0},
		{"PagerDuty's first API limits with 403", "pagerduty", true, status(403), Retry, "unexpected status code 403: because", 0},
		{"Telegram says no", "telegram", true, errors.New("telegram: chat not found (400)"), Failed, "telegram: chat not found (400)", 0},
		{"Telegram's limit", "telegram", true, errors.New("telegram: retry after 7 (429)"), Retry, "telegram: retry after 7 (429)", 7 * time.Second},
		{"Telegram is down", "telegram", true, errors.New("telegram: Bad Gateway (502)"), Retry, "telegram: Bad Gateway (502)", 0},
		{
			"refused", "jira", false, fmt.Errorf("look up: %w", post(&net.OpError{Op: "dial", Err: errors.New("connection refused")})), Retry,
			`look up: Post "https://chat.example.org/…": dial: connection refused`, 0,
		},
		{"hung up", "email", false, io.ErrUnexpectedEOF, Retry, "unexpected EOF", 0},
		{"no such name", "opsgenie", false, post(&net.DNSError{Err: "no such host", Name: "chat"}), Retry, `Post "https://chat.example.org/…": lookup chat: no such host`, 0},
		{"no URL", "webhook", true, post(errors.New(`unsupported protocol scheme "htp"`)), Failed, `Post "https://chat.example.org/…": unsupported protocol scheme "htp"`, 0},
		{"no mailbox", "email", true, fmt.Errorf("send RCPT command: %w", &textproto.Error{Code: 550, Msg: "no such user"}), Failed, `send RCPT command: 550 "no such user"`, 0},
		{"greylisted", "email", true, fmt.Errorf("send RCPT command: %w", &textproto.Error{Code: 451, Msg: "try later"}), Retry, `send RCPT command: 451 "try later"`, 0},
		{"no way to log in", "email", true, errors.New("find auth mechanism: unknown auth mechanism: X"), Failed, "find auth mechanism: unknown auth mechanism: X", 0},
		{"Slack says no", "slack", false, errors.New(`channel "x": error response from Slack: channel_not_found`), Failed, `channel "x": error response from Slack: channel_not_found`, 0},
		{"Slack says later", "slack", false, errors.New(`channel "x": error response from Slack: ratelimited`), Retry, `channel "x": error response from Slack: ratelimited`, 0},
		{"upstream would try again", "sns", true, errors.New("who knows"), Retry, "who knows", 0},
		{"upstream would not", "sns", false, errors.New("who knows"), Failed, "who knows", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verdict(t.Context(), c.integration, c.retry, c.err, nil)
			if v.Outcome != c.want || v.Answer != c.answer || v.RetryAfter != c.wait {
				t.Errorf("got  %+v\nwant {%v %q %v}", v, c.want, c.answer, c.wait)
			}
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := verdict(ctx, "slack", false, errors.New("x"), nil); v.Outcome != Retry || v.Answer != "no answer in the time given: x" {
		t.Errorf("a deadline: %+v", v)
	}
	if v := verdict(ctx, "slack", false, status(400), nil); v.Outcome != Failed {
		t.Errorf("an answer in the last moment is an answer: %+v", v)
	}
}

// TestFailuresHaveUpstreamsReasons, for its metric.
func TestFailuresHaveUpstreamsReasons(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	ended, end := context.WithCancel(t.Context())
	end()
	status := func(code int) error {
		return fmt.Errorf("sending: %w", amnotify.NewErrorWithReason(amnotify.GetFailureReasonFromStatusCode(code), fmt.Errorf("unexpected status code %d", code)))
	}
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), nil, ""},
		{t.Context(), status(401), "authError"},
		{t.Context(), status(404), "clientError"},
		{t.Context(), status(429), "rateLimited"},
		{t.Context(), status(503), "serverError"},
		{t.Context(), status(302), "other"},
		{t.Context(), io.ErrUnexpectedEOF, ""},
		{late, io.ErrUnexpectedEOF, "contextDeadlineExceeded"},
		{ended, io.ErrUnexpectedEOF, "contextCanceled"},
		{late, status(503), "serverError"},
	} {
		if got := verdict(c.ctx, "webhook", true, c.err, nil).Reason; got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := at("03:00:00")
	for header, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "-1": 0, "soon": 0, "99999999999999999999": 0, "99999999": maxRetryAfter,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestAnswersAreOneShortLineWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"ok\r\n\tthen\x00 more  ":                                "ok then more",
		`telebot: Post "https://api.telegram.org/bot1:TOK/send"`: `telebot: Post "https://api.telegram.org/…"`,
		"see http://user:pw@host:8080/a?token=x, please":         "see http://host:8080/… please",
		`{"password":"hunter2","a":1}`:                           `{"password":"<secret>","a":1}`,
		"api_key=abc&x=1, Authorization: Bearer abc.def":         "api_key=<secret>&x=1, Authorization: <secret>",
		"sent Bearer abcdefgh to you":                            "sent Bearer <secret> to you",
		"my-known-secret was wrong":                              "<secret> was wrong",
		"a\xffb":                                                 "a\uFFFDb",
	} {
		if got := answer(in, []string{"my-known-secret"}); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", in, got, want)
		}
	}
	for _, s := range []string{strings.Repeat("ж", 500), strings.Repeat("😀", 300), strings.Repeat("a", 201)} {
		if got := answer(s, nil); len(got) > AnswerLimit || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
	if got := answer(strings.Repeat("a", AnswerLimit), nil); len(got) != AnswerLimit || strings.Contains(got, "…") {
		t.Errorf("exactly %d bytes were cut: %q", AnswerLimit, got)
	}
}

func TestSecretsOfEveryIntegration(t *testing.T) {
	w := newWorld(t)
	for integration, secret := range map[string]string{
		"slack": w.URL + "/slack", "webhook": w.URL + "/hook", "telegram": "123:telegram-token", "pushover": "pushover-user",
		"pagerduty": "pagerduty-key", "opsgenie": "opsgenie-key", "victorops": "victorops-key", "discord": w.URL + "/discord",
		"msteamsv2": w.URL + "/teams2", "rocketchat": "rocket-token", "webex": "webex-token", "sns": "sns-secret",
		"wechat": "wechat-secret", "incidentio": "incidentio-token",
	} {
		if got := secretsOf(load(t, integration, aimed(w, integration))); !strings.Contains(strings.Join(got, " "), secret) {
			t.Errorf("%s: %d secrets, %q is not among them", integration, len(got), secret)
		}
	}
}

type notifierFunc func(context.Context) (bool, error)

func (f notifierFunc) Notify(ctx context.Context, _ ...*alert.Alert) (bool, error) { return f(ctx) }
func (f notifierFunc) SendResolved() bool                                          { return true }

func fake(name string, f notifierFunc) *integration {
	build := func() (amnotify.Integration, error) { return amnotify.NewIntegration(f, f, name, 0, "r"), nil }
	first, _ := build()
	return newIntegration(first, build, amconfig.Receiver{}, Options{}.logger())
}

func TestPanicBecomesAVerdict(t *testing.T) {
	i := fake("webex", func(context.Context) (bool, error) {
		var none []int
		return none[7] == 0, nil
	})
	want := "the webex notifier panicked: runtime error: index out of range [7] with length 0"
	for range 2 { // and the second attempt is not stuck behind the first
		if v := i.send(t.Context(), nil); v.Outcome != Failed || v.Answer != want {
			t.Errorf("got %+v", v)
		}
	}
}

// Mail, Telegram and OpsGenie do not listen to their context. They are left behind, a few of them, and no more.
func TestDeafNotifiersAreLeftBehind(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	i := fake("email", func(context.Context) (bool, error) {
		select {
		case inside <- struct{}{}:
			<-release
		case <-release:
		}
		return false, nil
	})
	for range maxHanging {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-inside
			cancel()
		}()
		if v := i.send(ctx, nil); v.Outcome != Retry || v.Answer != "no answer in the time given" {
			t.Fatalf("got %+v", v)
		}
	}
	v := i.send(t.Context(), nil)
	if v.Outcome != Retry || v.Answer != "4 earlier attempts were accepted and never answered; not adding another" {
		t.Errorf("got %+v", v)
	}
	close(release)
	for range maxHanging { // they end, and make room
		i.hanging <- struct{}{}
	}
	for range maxHanging {
		<-i.hanging
	}
	if v := i.send(t.Context(), nil); v.Outcome != Delivered {
		t.Errorf("after they came back: %+v", v)
	}
}

// Attempts of one integration do not overlap: some of upstream's notifiers write to themselves.
func TestAttemptsTakeTurns(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	i := fake("wechat", func(context.Context) (bool, error) {
		inside <- struct{}{}
		<-leave
		return false, nil
	})
	first := make(chan Verdict)
	go func() { first <- i.send(context.Background(), nil) }()
	<-inside
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if v := i.send(over, nil); v.Outcome != Retry || v.Answer != "waited for an earlier attempt until the time was over" {
		t.Errorf("the second: %+v", v)
	}
	leave <- struct{}{}
	if v := <-first; v.Outcome != Delivered {
		t.Errorf("the first: %+v", v)
	}
}
