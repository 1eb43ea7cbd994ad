package notify

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"

	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
)

// A Secret is a value of the configuration that nobody may see, or the file that holds it. The zero value is none.
type Secret struct {
	Value commoncfg.Secret
	File  string // read at every attempt, so that a new secret needs no reload
}

// Set says whether there is one.
func (s Secret) Set() bool { return s.Value != "" || s.File != "" }

// Read returns the secret without the white space around it. key names it in the error.
func (s Secret) Read(key string) (string, error) { return s.read(key) }

// read returns the secret without the white space around it. key names it in the error.
func (s Secret) read(key string) (string, error) {
	if s.File == "" {
		return strings.TrimSpace(string(s.Value)), nil
	}
	content, err := os.ReadFile(s.File)
	if err != nil {
		return "", fmt.Errorf("read %s_file: %w", key, err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("%s_file is empty", key)
	}
	return text, nil
}

// An Own is the configuration of an integration that Alertmanager does not have: Ntfy, Gotify, Matrix, SMS, Voice or WebPush.
type Own interface {
	build(name string, o Options) (Sender, error)
	resolved() bool // whether those who were paged by it want to hear that it is over
}

// A wire is what our own senders share: one HTTP client, and how a provider's answer becomes a verdict.
type wire struct {
	Options
	name        string // "bo/push"
	integration string // "ntfy"
	client      *http.Client
	secrets     []string
}

// newWire makes the client. config is searched for secrets, which no answer may show.
func newWire(name, integration string, httpConf *commoncfg.HTTPClientConfig, config any, o Options) (*wire, error) {
	conf := commoncfg.DefaultHTTPClientConfig
	if httpConf != nil {
		conf = *httpConf
	}
	client, err := amnotify.NewClientWithTracing(conf, integration, o.HTTP...)
	if err != nil {
		return nil, err
	}
	return &wire{Options: o, name: name, integration: integration, client: client, secrets: secretsOf(config)}, nil
}

// Kind is the integration's name.
func (w *wire) Kind() string { return w.integration }

// begin checks what every Send checks first; where it is not ok, v is what Send returns.
func (w *wire) begin(m Message) (v Verdict, ok bool) {
	if m.Page == nil {
		return Verdict{Outcome: Failed, Answer: "a message to " + w.name + " without a page"}, false
	}
	return Verdict{}, true
}

// fail is the verdict on what cannot be sent as it is. secrets are those read from files for this attempt.
func (w *wire) fail(err error, secrets ...string) Verdict {
	return Verdict{Outcome: Failed, Answer: answer(err.Error(), w.hidden(secrets))}
}

// hidden are the secrets to blot out, the longest first.
func (w *wire) hidden(more []string) []string {
	all := slices.Clone(w.secrets)
	for _, s := range more {
		if len(s) >= shortestSecret {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// A reply is what a provider answered.
type reply struct {
	status int
	header http.Header
	body   []byte // at most answerRead of it
}

// A call is one request.
type call struct {
	method, url string
	kind        string // Content-Type; empty: there is no body
	body        []byte
	header      map[string]string
	user, pass  string // basic auth, if user is set
	secrets     []string
}

// do makes the call. ok is false where there was no answer, or one that is no success; then v says what follows from it.
// words finds the provider's own words in its answer; nil: the whole of it.
func (w *wire) do(ctx context.Context, c call, words func(reply) string) (r reply, v Verdict, ok bool) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
	if err != nil {
		return r, w.fail(errors.New("the address cannot be called: "+amnotify.RedactURL(err).Error()), c.secrets...), false
	}
	req.Header.Set("User-Agent", amnotify.UserAgentHeader)
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, c.pass)
		c.secrets = append(c.secrets, base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.pass)))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return r, verdict(ctx, w.integration, true, amnotify.RedactURL(err), w.hidden(c.secrets)), false
	}
	defer resp.Body.Close()
	r = reply{status: resp.StatusCode, header: resp.Header}
	r.body, _ = io.ReadAll(io.LimitReader(resp.Body, answerRead))
	said := string(r.body)
	if words != nil {
		said = words(r)
	}
	v = Verdict{Outcome: Delivered, Answer: answer(strings.TrimSpace(said), w.hidden(c.secrets))}
	if r.status/100 == 2 {
		return r, v, true
	}
	v.Outcome, v.Answer = Failed, answer(strings.TrimSpace(resp.Status+" "+said), w.hidden(c.secrets))
	v.Reason = amnotify.GetFailureReasonFromStatusCode(r.status).String()
	if tooMuch(r.status) {
		v.Outcome, v.RetryAfter = Retry, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return r, v, false
}

// wording executes the templates of an owner's own words over the page, as upstream's data has it. Where one fails, or says
// nothing, ours are used, and why says so: no page is lost to a template.
func (w *wire) wording(ctx context.Context, m Message, own, ours string, why *error) string {
	if own == "" || m.Event == EventStandDown {
		return ours // what words a page would make of a page's end another page
	}
	s := personalSender{Options: w.Options, name: w.name}
	alerts := s.alerts(m)
	labels := asLabels(facts(m), s.routeLabels(m, w.name, alerts))
	ctx = fill(ctx, m, w.name, incidentKey(m), labels, storeFor(m))
	data := amnotify.GetTemplateData(ctx, w.Templates, alerts, w.logger())
	template.MarkRouteLabelsRendered(data)
	text, err := w.Templates.ExecuteTextString(own, data)
	if err == nil && strings.TrimSpace(text) == "" {
		err = errors.New("it says nothing")
	}
	if err != nil {
		*why = errors.Join(*why, err)
		return ours
	}
	return text
}

// worded notes in a verdict, and in the log, that a page went out in the built-in words because the owner's failed.
func (w *wire) worded(m Message, v Verdict, why error) Verdict {
	if why == nil {
		return v
	}
	w.logger().Warn("a page goes out in the built-in words", "to", w.name, "key", m.Key, "why", answer(why.Error(), w.secrets))
	if v.Outcome == Delivered {
		v.Answer = answer("in the built-in words: "+why.Error(), w.secrets)
	}
	return v
}

// over says whether the event tells that somebody takes care, or that nothing needs care any more.
func over(event string) bool { return event == EventResolved || event == EventStandDown }
