package notify

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	amnotify "github.com/prometheus/alertmanager/notify"
)

// maxRetryAfter is the longest wait we let a provider ask for: a page must not sleep for a day because a service says so.
const maxRetryAfter = 15 * time.Minute

var (
	// What upstream's Retrier and telebot write; they hand the number over in no other way.
	statusText   = regexp.MustCompile(`unexpected status code (\d{3})\b`)
	telegramText = regexp.MustCompile(`^telegram: .*\((\d{3})\)$`)
	retryText    = regexp.MustCompile(`\bretry after (\d+)\b`)
)

// hopeless are in faults that upstream would try again, though only a changed config can mend them.
var hopeless = []string{
	"find auth mechanism: ",
	"does not advertise the STARTTLS extension",
	"unsupported protocol scheme",
}

// passing are the words of Slack's API that come with status 200 and mean "not now".
var passing = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}

// verdict judges what one of upstream's notifiers returned (SPEC §8): 429, 5xx, network errors and deadlines may work
// later, other answers of a provider are final, and where there was no answer upstream's own opinion counts. SMTP has
// it the other way round: 4yz passes, 5yz stays.
func verdict(ctx context.Context, integration string, retry bool, err error, secrets []string) Verdict {
	if err == nil {
		return Verdict{Outcome: Delivered}
	}
	v := Verdict{Outcome: Failed, Answer: answer(err.Error(), secrets), Reason: failure(ctx, err)}
	later := func() Verdict { v.Outcome = Retry; return v }

	var smtp *textproto.Error
	if errors.As(err, &smtp) {
		if smtp.Code/100 == 4 {
			return later()
		}
		return v
	}
	if code := status(err); code != 0 {
		if s := retryText.FindStringSubmatch(err.Error()); s != nil {
			seconds, _ := strconv.Atoi(s[1])
			v.RetryAfter = clampRetry(time.Duration(seconds) * time.Second)
		}
		// PagerDuty's first events API says 403 where others say 429; upstream knows.
		if tooMuch(code) || integration == "pagerduty" && retry {
			return later()
		}
		return v
	}
	if ctx.Err() != nil {
		v.Answer = answer("no answer in the time given: "+err.Error(), secrets)
		return later()
	}
	for _, s := range hopeless {
		if strings.Contains(err.Error(), s) {
			return v
		}
	}
	if unreachable(err) {
		return later()
	}
	if integration == "slack" {
		for _, s := range passing {
			if strings.HasSuffix(err.Error(), "error response from Slack: "+s) {
				return later()
			}
		}
	}
	if retry {
		return later()
	}
	return v
}

// failure is why upstream's metric says that a notification failed; empty where it tells nothing apart.
func failure(ctx context.Context, err error) string {
	var reason *amnotify.ErrorWithReason
	switch {
	case errors.As(err, &reason):
		return reason.Reason.String()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return amnotify.ContextDeadlineExceededReason.String()
	case ctx.Err() != nil:
		return amnotify.ContextCanceledReason.String()
	}
	return ""
}

// tooMuch says whether an HTTP status means "again later": 429 or 5xx.
func tooMuch(code int) bool { return code == 429 || code/100 == 5 }

// status finds the HTTP status a notifier was answered with; 0 if none came.
func status(err error) int {
	for _, re := range []*regexp.Regexp{statusText, telegramText} {
		if s := re.FindStringSubmatch(err.Error()); s != nil {
			code, _ := strconv.Atoi(s[1])
			return code
		}
	}
	var reason *amnotify.ErrorWithReason
	if errors.As(err, &reason) && reason.Reason == amnotify.RateLimitedReason {
		return 429
	}
	return 0
}

// unreachable says whether err came from the network, a name server or TLS, not from the provider.
func unreachable(err error) bool {
	var netErr net.Error // url.Error is one, whatever it wraps
	var errno syscall.Errno
	switch {
	case errors.As(err, &netErr), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case errors.As(err, &errno):
		return errno == syscall.ECONNRESET || errno == syscall.ECONNREFUSED || errno == syscall.EPIPE
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// retryAfter reads an HTTP Retry-After header: seconds, or a date compared with now; 0 if it says nothing usable.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return clampRetry(time.Duration(min(seconds, 1<<20)) * time.Second)
	}
	if t, err := http.ParseTime(header); err == nil {
		return clampRetry(t.Sub(now))
	}
	return 0
}

func clampRetry(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }
