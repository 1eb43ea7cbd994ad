package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
)

// DefaultPushoverURL is where Pushover's API is.
const DefaultPushoverURL = "https://api.pushover.net"

// What Pushover takes (https://pushover.net/api#limits), in runes and bytes, and of an emergency in seconds.
const (
	pushoverTitle    = 250
	pushoverMessage  = 1024
	pushoverURL      = 512
	pushoverURLTitle = 100

	pushoverLeastRetry = 30 * time.Second
	pushoverMostExpire = 3 * time.Hour
)

// pushoverReceipts is the member of Verdict.State with the receipts of what still rings, separated by blanks.
const pushoverReceipts = "pushover_receipts"

// maxReceipts is how many of them are kept. They end by themselves within pushoverMostExpire.
const maxReceipts = 8

// receiptRE is the form of a receipt. What came from elsewhere must not become a part of a path.
var receiptRE = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// A pushover tells one person by Pushover, with upstream's config. Upstream's notifier throws the receipt away, without
// which an emergency cannot be ended: the phone would ring for an hour after somebody acknowledged.
type pushover struct {
	*wire
	base   string
	worded *amconfig.PushoverConfig // as the user words it
	plain  *amconfig.PushoverConfig // in our words
	own    bool                     // whether the two differ
}

func newPushover(name, base string, worded, plain *amconfig.PushoverConfig, own bool, o Options) (*pushover, error) {
	w, err := newWire(name, "pushover", worded.HTTPConfig, worded, o)
	if err != nil {
		return nil, err
	}
	if base == "" {
		base = DefaultPushoverURL
	}
	return &pushover{w, strings.TrimRight(base, "/"), worded, plain, own}, nil
}

// pushoverPriority rings until somebody acknowledges, for a page of high urgency. A test rings once, through quiet hours
// too: nothing would end its ringing.
func pushoverPriority(m Message) string {
	switch {
	case m.Event == EventPage && m.Page.urgent():
		return "2"
	case m.Event == EventAckExpiring, m.Event == EventTest && m.Page.urgent():
		return "1"
	}
	return "0"
}

// Send implements Sender.
func (s *pushover) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	token, err := s.token(ctx, m)
	if err != nil {
		return s.fail(err)
	}
	if over(m.Event) {
		if v := s.silence(ctx, m, token); v.Outcome != Delivered || m.Event == EventStandDown || !s.plain.SendResolved() {
			return v
		}
	}
	var why error
	if s.own {
		form, err := s.form(ctx, m, s.worded, token)
		if err == nil {
			if v = s.post(ctx, m, token, form); v.Outcome != Failed {
				return v
			}
			err = errors.New(v.Answer)
		}
		why = err
	}
	form, err := s.form(ctx, m, s.plain, token)
	if err != nil {
		return s.fail(err, token)
	}
	return s.wire.worded(m, s.post(ctx, m, token, form), why)
}

// token is the application's. Upstream lets it be a template.
func (s *pushover) token(ctx context.Context, m Message) (string, error) {
	text, err := Secret{s.worded.Token, s.worded.TokenFile}.read("token")
	if err != nil || !strings.Contains(text, "{{") {
		return text, err
	}
	data, err := s.data(ctx, m)
	if err != nil {
		return "", err
	}
	return s.Templates.ExecuteTextString(text, data)
}

func (s *pushover) data(ctx context.Context, m Message) (*template.Data, error) {
	p := personalSender{Options: s.Options, name: s.name}
	alerts := p.alerts(m)
	labels, err := p.labels(m, alerts)
	if err != nil {
		return nil, err
	}
	ctx = fill(ctx, m, s.name, incidentKey(m), labels, storeFor(m))
	return amnotify.GetTemplateData(ctx, s.Templates, alerts, s.logger()), nil
}

// form is the message, in the fields that upstream sends.
func (s *pushover) form(ctx context.Context, m Message, c *amconfig.PushoverConfig, token string) (url.Values, error) {
	data, err := s.data(ctx, m)
	if err != nil {
		return nil, err
	}
	text := amnotify.TmplText(s.Templates, data, &err)
	user, userErr := Secret{c.UserKey, c.UserKeyFile}.read("user_key")
	if userErr != nil {
		return nil, userErr
	}
	form := url.Values{"token": {token}, "user": {text(user)}}
	message := ""
	if c.HTML {
		form.Set("html", "1")
		message = amnotify.TmplHTML(s.Templates, data, &err)(c.Message)
	} else {
		message = text(c.Message)
	}
	if c.Monospace {
		form.Set("monospace", "1")
	}
	message, _ = amnotify.TruncateInRunes(strings.TrimSpace(message), pushoverMessage)
	if message == "" {
		message = "(no details)" // an empty one is refused
	}
	form.Set("message", message)
	for name, field := range map[string]struct {
		text string
		most int
	}{"title": {c.Title, pushoverTitle}, "url": {c.URL, pushoverURL}, "url_title": {c.URLTitle, pushoverURLTitle}} {
		value, _ := amnotify.TruncateInRunes(text(field.text), field.most)
		form.Set(name, value)
	}
	for name, field := range map[string]string{"priority": c.Priority, "device": c.Device, "sound": c.Sound} {
		if value := text(field); value != "" {
			form.Set(name, value)
		}
	}
	if ttl := time.Duration(c.TTL); ttl >= time.Second {
		form.Set("ttl", seconds(ttl))
	}
	if form.Get("priority") == "2" {
		form.Set("retry", seconds(max(time.Duration(c.Retry), pushoverLeastRetry)))
		form.Set("expire", seconds(min(time.Duration(c.Expire), pushoverMostExpire)))
		form.Set("tags", s.tag(m))
		form.Del("ttl") // Pushover passes over it
	}
	return form, err
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// tag marks all emergencies of one incident to one person, so that they can be ended though a receipt was lost.
func (s *pushover) tag(m Message) string { return "midwatch_" + digest(s.name+" "+incidentKey(m)) }

func (s *pushover) post(ctx context.Context, m Message, token string, form url.Values) Verdict {
	r, v, ok := s.do(ctx, s.call(http.MethodPost, "/1/messages.json", form, token), pushoverWords)
	if !ok {
		return v
	}
	var a struct{ Receipt string }
	if json.Unmarshal(r.body, &a) == nil && receiptRE.MatchString(a.Receipt) {
		receipts := append(Receipts(m.State), a.Receipt)
		receipts = receipts[max(0, len(receipts)-maxReceipts):]
		v.State = map[string]string{pushoverReceipts: strings.Join(receipts, " ")}
	}
	return v
}

// Receipts are Pushover's receipts in what a message left to be known (Verdict.State): of alarms that may ring yet.
func Receipts(state map[string]string) []string { return strings.Fields(state[pushoverReceipts]) }

// silence ends what still rings about the incident: by its receipts, and by its tag where none is known. That there is
// nothing any more to be ended is as good.
func (s *pushover) silence(ctx context.Context, m Message, token string) Verdict {
	var paths []string
	for _, receipt := range Receipts(m.State) {
		if receiptRE.MatchString(receipt) {
			paths = append(paths, "/1/receipts/"+receipt+"/cancel.json")
		}
	}
	paths = append(paths, "/1/receipts/cancel_by_tag/"+s.tag(m)+".json")
	for _, path := range paths {
		_, v, ok := s.do(ctx, s.call(http.MethodPost, path, url.Values{"token": {token}}, token), pushoverWords)
		if !ok && v.Outcome == Retry {
			return v
		}
	}
	return Verdict{Outcome: Delivered, Answer: "it rings no more", State: map[string]string{}}
}

func (s *pushover) call(method, path string, form url.Values, token string) call {
	return call{
		method: method, url: s.base + path, kind: "application/x-www-form-urlencoded", body: []byte(form.Encode()),
		secrets: []string{token, form.Get("user")},
	}
}

// pushoverWords is the request's id, or what Pushover has against it: {"status":0,"errors":["user identifier is invalid"]}.
func pushoverWords(r reply) string {
	var a struct {
		Request, Receipt string
		Errors           []string
	}
	switch err := json.Unmarshal(r.body, &a); {
	case err != nil:
		return string(r.body)
	case len(a.Errors) > 0:
		return strings.Join(a.Errors, "; ")
	case a.Receipt != "":
		return "receipt " + a.Receipt
	case a.Request != "":
		return "request " + a.Request
	}
	return ""
}
