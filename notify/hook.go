package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
)

// answerRead is how much of a webhook's answer is read: enough for the delivery log, and for the connection to be reused
// where the answer is short.
const answerRead = 4 << 10

// A hook is a person's webhook (SPEC §3): Alertmanager's body, version 4, with the member "midwatch".
type hook struct {
	Options
	name    string
	conf    *webhook.WebhookConfig
	client  *http.Client
	signing []Secret
	secrets []string
}

// Kind is the integration's name.
func (h *hook) Kind() string { return "webhook" }

func newHook(name string, conf *webhook.WebhookConfig, signing []Secret, o Options) (*hook, error) {
	httpConf := commoncfg.DefaultHTTPClientConfig
	if conf.HTTPConfig != nil {
		httpConf = *conf.HTTPConfig
	}
	client, err := amnotify.NewClientWithTracing(httpConf, "webhook", o.HTTP...)
	if err != nil {
		return nil, err
	}
	return &hook{Options: o, name: name, conf: conf, client: client, signing: signing, secrets: append(secretsOf(conf), secretsOf(signing)...)}, nil
}

// hookBody is what is posted. The embedded message keeps upstream's members, names and order.
type hookBody struct {
	*webhook.Message
	Midwatch hookPage `json:"midwatch"`
}

type hookPage struct {
	Event          string         `json:"event"`
	Incident       string         `json:"incident"`
	Severity       string         `json:"severity"`
	User           string         `json:"user"`
	Method         string         `json:"method"`
	Policy         string         `json:"policy"`
	Step           int            `json:"step"`
	Cycle          int            `json:"cycle"`
	Reason         string         `json:"reason"`
	AcknowledgeURL string         `json:"acknowledge_url"`
	IncidentURL    string         `json:"incident_url"`
	IdempotencyKey string         `json:"idempotency_key"`
	Incidents      []hookIncident `json:"incidents,omitempty"` // of a bundle or digest
	OnCall         *Duty          `json:"on_call,omitempty"`   // what it says about the user's time on call
	Storm          *hookStorm     `json:"storm,omitempty"`     // of many pages that waited and are this one message
}

// hookStorm tells how many incidents there are, where "incidents" lists the worst; and the keys of the pages that this one
// stands for, so that a receiver that knows some of them already can see it.
type hookStorm struct {
	Count        int       `json:"count"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Acknowledges int       `json:"acknowledges"`
	Pages        []string  `json:"idempotency_keys"`
}

type hookIncident struct {
	Incident string    `json:"incident"`
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	OpenedAt time.Time `json:"opened_at"`
}

// Send implements Sender.
func (h *hook) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, h.logger())
	if m.Page == nil {
		return Verdict{Outcome: Failed, Answer: "a message to " + h.name + " without a page"}
	}
	if m.Event == EventStandDown {
		return nothingToTakeBack
	}
	data := h.data(m)
	msg := h.message(m, data)
	url, err := h.url(data)
	if err != nil {
		return Verdict{Outcome: Failed, Answer: answer(err.Error(), h.secrets)}
	}
	body, err := encode(hookBody{Message: msg, Midwatch: pageOf(m)})
	if err != nil {
		return Verdict{Outcome: Failed, Answer: answer(err.Error(), h.secrets)}
	}
	if h.conf.Payload == nil {
		return h.post(ctx, m, url, body)
	}

	own, err := h.payload(data)
	if err == nil {
		if v = h.post(ctx, m, url, own); v.Outcome != Failed {
			return v
		}
		err = errors.New(v.Answer)
	}
	h.logger().Warn("a page goes out with the built-in body", "to", h.name, "key", m.Key, "why", answer(err.Error(), h.secrets))
	return h.post(ctx, m, url, body)
}

// data is what templates of the url and payload see: upstream's data with the page's facts among the route labels.
func (h *hook) data(m Message) *template.Data {
	alerts := amAlerts(m.Alerts)
	if len(m.Alerts) == 0 {
		alerts = amAlerts([]Alert{standIn(m)})
	}
	if limit := h.conf.MaxAlerts; limit > 0 && uint64(len(alerts)) > limit {
		alerts = alerts[:limit]
	}
	labels := asLabels(facts(m), h.routeLabels(m, h.name, alerts))
	data := h.Templates.Data(h.name, labelSet(m.GroupLabels), labels, reasonOf(m.Reason).String(), alerts...)
	template.MarkRouteLabelsRendered(data)
	return data
}

// message is upstream's body. The facts are not repeated in its routeLabels: the member "midwatch" has them.
func (h *hook) message(m Message, data *template.Data) *webhook.Message {
	shown := *data
	shown.RouteLabels = template.KV{}
	for name, value := range data.RouteLabels {
		if !strings.HasPrefix(name, "midwatch_") {
			shown.RouteLabels[name] = value
		}
	}
	return &webhook.Message{
		Data: &shown, Version: "4", GroupKey: cmp.Or(m.GroupKey, incidentKey(m)),
		TruncatedAlerts: uint64(max(0, len(m.Alerts)-len(data.Alerts))),
	}
}

func pageOf(m Message) hookPage {
	p := m.Page
	page := hookPage{
		Event: m.Event, Incident: p.Incident, Severity: p.Severity, User: p.User, Method: p.Method, Policy: p.Policy,
		Step: p.Step, Cycle: p.Cycle, Reason: p.Reason, AcknowledgeURL: p.AckURL, IncidentURL: p.IncidentURL, IdempotencyKey: m.Key,
		OnCall: p.Duty,
	}
	for _, b := range p.Incidents {
		page.Incidents = append(page.Incidents, hookIncident(b))
	}
	if s := p.Storm; s != nil {
		page.Storm = &hookStorm{Count: s.Count, From: s.From.UTC(), To: s.To.UTC(), Acknowledges: s.Acks, Pages: s.Keys}
	}
	return page
}

func (h *hook) url(data *template.Data) (string, error) {
	text := string(h.conf.URL)
	if text == "" {
		content, err := os.ReadFile(h.conf.URLFile)
		if err != nil {
			return "", fmt.Errorf("read url_file: %w", err)
		}
		text = strings.TrimSpace(string(content))
	}
	url, err := h.Templates.ExecuteTextString(text, data)
	if err != nil {
		return "", fmt.Errorf("template of \"url\": %w", err)
	}
	if url == "" {
		return "", errors.New("the url is empty after its template was executed")
	}
	return url, nil
}

// payload renders the user's own body as upstream does: a text that is YAML becomes what it means, so that toJson can be
// used. Upstream's parser overlooks what follows a bracket, and would make a list of "[INC-1 sev2] Replication lag".
func (h *hook) payload(data *template.Data) ([]byte, error) {
	rendered, err := h.render(h.conf.Payload, data)
	if err != nil {
		return nil, fmt.Errorf("template of \"payload\": %w", err)
	}
	return encode(rendered)
}

func (h *hook) render(value any, data *template.Data) (any, error) {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		text, err := h.Templates.ExecuteTextString(v.String(), data)
		if err != nil || !wholeYAML(text) {
			return text, err
		}
		return template.DeepCopyWithTemplate(text, func(s string) (string, error) { return s, nil })
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			var err error
			if list[i], err = h.render(v.Index(i).Interface(), data); err != nil {
				return nil, err
			}
		}
		return list, nil
	case reflect.Map:
		members := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			name, ok := it.Key().Interface().(string)
			if !ok {
				continue
			}
			name, err := h.Templates.ExecuteTextString(name, data)
			if err != nil {
				return nil, err
			}
			if members[name], err = h.render(it.Value().Interface(), data); err != nil {
				return nil, err
			}
		}
		return members, nil
	}
	return value, nil
}

// wholeYAML says whether text is YAML to its end, and one document.
func wholeYAML(text string) bool {
	d := yaml.NewDecoder(strings.NewReader(text))
	var first, more yaml.Node
	return d.Decode(&first) == nil && errors.Is(d.Decode(&more), io.EOF)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (h *hook) post(ctx context.Context, m Message, url string, body []byte) Verdict {
	if h.conf.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.conf.Timeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Verdict{Outcome: Failed, Answer: answer(err.Error(), h.secrets)}
	}
	req.Header.Set("User-Agent", amnotify.UserAgentHeader)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", ascii(m.Key))
	if err := sign(req.Header, h.signing, ascii(m.Key), body, time.Now()); err != nil {
		return Verdict{Outcome: Failed, Answer: answer(err.Error(), h.secrets)}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return verdict(ctx, "webhook", true, amnotify.RedactURL(err), h.secrets)
	}
	defer resp.Body.Close()
	words, _ := io.ReadAll(io.LimitReader(resp.Body, answerRead))

	v := Verdict{Outcome: Failed, Answer: answer(resp.Status+" "+string(words), h.secrets)}
	switch {
	case resp.StatusCode/100 == 2:
		v.Outcome = Delivered
	case tooMuch(resp.StatusCode):
		v.Outcome, v.RetryAfter = Retry, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return v
}
