package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	commoncfg "github.com/prometheus/common/config"

	"github.com/midwatch/midwatch/excerpt"
)

// How long a push service keeps a message for a browser that it cannot reach.
const (
	// DefaultPushTTL is long enough for a tunnel and too short for a page to come when others have long had it.
	DefaultPushTTL = time.Hour
	// MaxPushTTL is as long as push services keep anything.
	MaxPushTTL = 28 * 24 * time.Hour
)

// maxPush is how large a message may be before it is sealed, in bytes. Push services take 4096 in all; Apple's and Mozilla's
// documents ask for some less.
const maxPush = 3 << 10

// pushWords is how many bytes of each push service's words are in the answer: the reason, and room for the others'.
const pushWords = 120

// pushText is for a notification, of which a telephone shows some lines and a computer some more.
var pushText = dialect{escape: same, strong: same, link: plainLink, eol: "\n", bullet: "- ", limit: 1500}

// WebPush shows notifications in the browsers that the user subscribed (RFC 8030, sealed by RFC 8291, signed by RFC 8292).
type WebPush struct {
	TTL             time.Duration // how long a push service keeps it; 0: DefaultPushTTL
	Title           string        // template; empty: ours
	Message         string        // likewise
	SendResolved    bool
	PrivateServices bool                        // push services may be in a private network
	HTTP            *commoncfg.HTTPClientConfig // nil: the default
}

// A Push is what web push needs of the process. It is safe for concurrent use.
type Push struct {
	Key     *VAPID
	Contact string // whom a push service can reach: mailto: or https:; empty: nobody
	// Browsers are those that a user subscribed, at most MaxBrowsers, in an order that stays.
	Browsers func(user string) ([]Browser, error)
	// Forget drops one, because its push service knows it no more.
	Forget func(ctx context.Context, user string, b Browser) error
}

func (c *WebPush) resolved() bool { return c.SendResolved }

func (c *WebPush) build(name string, o Options) (Sender, error) {
	conf := commoncfg.DefaultHTTPClientConfig
	if c.HTTP != nil {
		conf = *c.HTTP
	}
	conf.FollowRedirects = false // to where nobody checked
	// Behind a proxy it is the proxy that connects, and that may lie in a private network; then only the address is checked.
	if proxied := conf.ProxyURL.URL != nil || conf.ProxyFromEnvironment; !proxied && !c.PrivateServices {
		o.HTTP = append([]commoncfg.HTTPClientOption{commoncfg.WithDialContextFunc(pushDial)}, o.HTTP...)
	}
	w, err := newWire(name, "web_push", &conf, c, o)
	if err != nil {
		return nil, err
	}
	return &webPush{w, c}, nil
}

type webPush struct {
	*wire
	conf *WebPush
}

// pushTag is the member of Verdict.State by which the notification can be replaced.
const pushTag = "web_push_tag"

// A pushMessage is what the service worker gets.
type pushMessage struct {
	Title       string `json:"title"`
	Body        string `json:"body"`
	Incident    string `json:"incident,omitempty"`
	AckURL      string `json:"ack_url,omitempty"` // takes POST
	Action      string `json:"action,omitempty"`  // what that does: "Acknowledge"
	IncidentURL string `json:"incident_url,omitempty"`
	Event       string `json:"event"`
	Tag         string `json:"tag"` // a notification takes the place of the one with the same
}

// Send implements Sender. Every page is a notification of its own, because a replaced one might make no sound; what is said
// when it is over takes the place of the last page, in the browser and in the push service's queue.
//
// It is delivered when one browser's push service took it: another attempt would show it twice there.
func (s *webPush) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	tag := "mw-" + digest(m.Key) // 27 of the 32 characters that a topic may have
	before := m.State[pushTag]
	switch {
	case over(m.Event) && before != "":
		tag = before
	case m.Event == EventStandDown, m.Event == EventResolved && !s.conf.SendResolved:
		return Verdict{Outcome: Delivered, Answer: "nothing to replace"}
	}
	if s.Push == nil {
		return s.fail(errors.New("web push needs a running midwatch"))
	}
	browsers, err := s.Push.Browsers(m.Page.User)
	if err != nil {
		return Verdict{Outcome: Retry, Answer: answer("the subscribed browsers cannot be read: "+err.Error(), s.hidden(nil))}
	}
	if len(browsers) == 0 {
		return s.fail(errors.New("no browser is subscribed: open the link of midwatch push-link " + m.Page.User))
	}
	var why error
	body, err := s.body(ctx, m, tag, &why)
	if err != nil {
		return s.fail(err)
	}
	attempts := make([]pushed, min(len(browsers), MaxBrowsers))
	var all sync.WaitGroup
	for i := range attempts {
		all.Go(func() { attempts[i] = s.push(ctx, m, browsers[i], tag, body) })
	}
	all.Wait()
	v = judged(attempts, m.Page.User)
	if v.Outcome == Delivered && len(m.Page.Incidents) == 0 { // that one of a bundle is over says nothing of the others
		v.State = map[string]string{pushTag: tag}
	}
	return s.worded(m, v, why)
}

// body is the message, cut until it fits.
func (s *webPush) body(ctx context.Context, m Message, tag string, why *error) ([]byte, error) {
	page := viewOf(m)
	p := pushMessage{
		Title:    oneLine(excerpt.Bytes(s.wording(ctx, m, s.conf.Title, page.Subject, why), titleLength)),
		Incident: m.Page.Incident, Event: m.Event, Tag: tag,
	}
	if link(page.ActionURL) {
		p.AckURL, p.Action = page.ActionURL, page.Action
	}
	if link(m.Page.IncidentURL) {
		p.IncidentURL = m.Page.IncidentURL
	}
	text := s.wording(ctx, m, s.conf.Message, pushText.write(page, headline, action), why)
	for limit := pushText.limit; limit > 0; limit /= 2 {
		p.Body = excerpt.Bytes(text, limit)
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // it is no HTML, and would take six bytes for one
		if err := e.Encode(p); err != nil {
			return nil, err
		}
		if out := bytes.TrimSpace(b.Bytes()); len(out) <= maxPush {
			return out, nil
		}
	}
	return nil, fmt.Errorf("the page's links do not fit into %d bytes; give --web.external-url a shorter address", maxPush)
}

// A pushed is what became of an attempt at one browser.
type pushed struct {
	Verdict
	browser Browser
	gone    bool // its push service knows it no more, and it was forgotten
}

// push makes one attempt at one browser.
func (s *webPush) push(ctx context.Context, m Message, b Browser, tag string, body []byte) (p pushed) {
	p.browser = b
	defer mustNotPanic(&p.Verdict, s.logger())
	// It was checked when it came; since then the configuration may have changed.
	err := CheckEndpoint(b.Endpoint, s.conf.PrivateServices)
	if err != nil {
		p.Verdict = s.fail(err)
		return p
	}
	u, err := url.Parse(b.Endpoint)
	if err != nil {
		p.Verdict = s.fail(errors.New("the subscription's address cannot be read"))
		return p
	}
	sealed, err := seal(body, b)
	if err != nil {
		p.Verdict = s.fail(fmt.Errorf("the message cannot be sealed for it: %w", err))
		return p
	}
	header, token, err := s.Push.Key.authorization(u, s.Push.Contact, time.Now())
	if err != nil {
		p.Verdict = s.fail(err)
		return p
	}
	ttl := s.conf.TTL
	if ttl <= 0 {
		ttl = DefaultPushTTL
	}
	secrets := []string{b.Endpoint, token}
	for _, part := range []string{u.Path, u.RawQuery} {
		secrets = append(secrets, part, strings.TrimPrefix(part, "/"))
	}
	r, v, _ := s.do(ctx, call{
		method: http.MethodPost, url: b.Endpoint, kind: "application/octet-stream", body: sealed,
		header: map[string]string{
			"Authorization": header, "Content-Encoding": "aes128gcm", "TTL": strconv.Itoa(int(ttl / time.Second)),
			"Urgency": pushUrgency(m), "Topic": tag,
		},
		secrets: secrets,
	}, nil)
	p.Verdict = v
	if r.status != http.StatusNotFound && r.status != http.StatusGone {
		return p
	}
	p.gone = true
	if err := s.Push.Forget(ctx, m.Page.User, b); err != nil {
		p.gone, p.Answer = false, answer(p.Answer+"; it could not be forgotten: "+err.Error(), s.hidden(secrets))
	}
	return p
}

// judged is the verdict on all browsers together.
func judged(attempts []pushed, user string) (v Verdict) {
	v.Outcome = Failed
	var words []string
	delivered, gone := 0, 0
	var waits []time.Duration
	for _, p := range attempts {
		switch {
		case p.Outcome == Delivered:
			delivered++
			continue
		case p.gone:
			gone++
			words = append(words, p.browser.name()+" is forgotten: "+excerpt.Bytes(p.Answer, pushWords))
			continue
		case p.Outcome == Retry:
			waits = append(waits, p.RetryAfter)
		}
		if v.Reason == "" {
			v.Reason = p.Reason
		}
		words = append(words, p.browser.name()+": "+excerpt.Bytes(p.Answer, pushWords))
	}
	switch {
	case delivered > 0:
		v.Outcome, v.Reason = Delivered, ""
		words = slices.Insert(words, 0, fmt.Sprintf("taken for %d of %s", delivered, count(len(attempts), "browser")))
	case len(waits) > 0:
		v.Outcome, v.RetryAfter = Retry, slices.Min(waits)
	case gone == len(attempts):
		words = slices.Insert(words, 0, "no browser is subscribed any more: open the link of midwatch push-link "+user)
	}
	v.Answer = excerpt.Bytes(strings.Join(words, "; "), AnswerLimit)
	return v
}

// pushUrgency is how much of a battery the message is worth (RFC 8030 §5.3).
func pushUrgency(m Message) string {
	if m.Event == EventAckExpiring || pages(m.Event) && m.Page.urgent() {
		return "high"
	}
	return "normal"
}
