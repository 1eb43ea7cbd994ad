package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	commoncfg "github.com/prometheus/common/config"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zaptest/observer"

	amconfig "github.com/prometheus/alertmanager/config"
)

// methods are the seventeen integrations that speak HTTP, as a person would write them; %s is where they lead.
var methods = map[string]string{
	"slack":      "{api_url: '%s/slack', channel: '@bo'}",
	"webhook":    "{url: '%s/hook'}",
	"telegram":   "{api_url: '%s', bot_token: '123:telegram-token', chat_id: 42}",
	"pushover":   "{user_key: pushover-user, token: pushover-token}",
	"pagerduty":  "{url: '%s/v2/enqueue', routing_key: pagerduty-key}",
	"opsgenie":   "{api_url: '%s/', api_key: opsgenie-key}",
	"victorops":  "{api_url: '%s/', api_key: victorops-key, routing_key: bo}",
	"discord":    "{webhook_url: '%s/discord'}",
	"msteams":    "{webhook_url: '%s/teams'}",
	"msteamsv2":  "{webhook_url: '%s/teams2'}",
	"mattermost": "{webhook_url: '%s/mattermost'}",
	"rocketchat": "{api_url: '%s', token: rocket-token, token_id: rocket-id, channel: '@bo'}",
	"webex":      "{api_url: '%s/webex', room_id: room, http_config: {authorization: {credentials: webex-token}, tls_config: {insecure_skip_verify: true}}}",
	"sns":        "{api_url: '%s/sns', topic_arn: 'arn:aws:sns:eu-north-1:1:bo', sigv4: {region: eu-north-1, access_key: AKIA, secret_key: sns-secret}}",
	"wechat":     "{api_url: '%s/', api_secret: wechat-secret, corp_id: corp, agent_id: '1', to_user: bo}",
	"jira":       "{api_url: '%s/rest/api/3', api_type: datacenter, project: OPS, issue_type: Incident}",
	"incidentio": "{url: '%s/incidentio', alert_source_token: incidentio-token}",
}

// aimed writes an integration's config so that it leads to w.
func aimed(w *world, integration string) string {
	return strings.ReplaceAll(methods[integration], "%s", w.URL)
}

// Every integration tells every story in our words, and its provider takes it.
func TestEveryIntegrationTellsEveryStory(t *testing.T) {
	for integration := range methods {
		t.Run(integration, func(t *testing.T) {
			w := newWorld(t)
			e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, integration, aimed(w, integration)), APIURL: w.URL + "/pushover"}, options(t))
			if err != nil {
				t.Fatal(err)
			}
			conversation(t, w, integration, e)
		})
	}
}

// own are the integrations that are ours, as the configuration has them.
func own(w *world) map[string]Own {
	insecure := &commoncfg.HTTPClientConfig{TLSConfig: commoncfg.TLSConfig{InsecureSkipVerify: true}}
	twilio := Twilio{
		APIURL: w.URL + "/twilio/", AccountSID: account, AuthToken: Secret{Value: "twilio-token"}, From: "+12025550123",
		To: "+46701234567", SendResolved: true, HTTP: insecure,
	}
	return map[string]Own{
		"ntfy":   &Ntfy{Server: w.URL + "/ntfy", Topic: "bo-7Jx", Token: Secret{Value: "ntfy-token"}, Tags: []string{"ship"}, SendResolved: true, HTTP: insecure},
		"gotify": &Gotify{URL: w.URL + "/gotify/", Token: Secret{Value: "gotify-token"}, SendResolved: true, HTTP: insecure},
		"matrix": &Matrix{Homeserver: w.URL + "/matrix", Token: Secret{Value: "matrix-token"}, Room: "!ops:example.org", SendResolved: true, HTTP: insecure},
		"sms":    &SMS{Twilio: twilio},
		"voice":  &Voice{Twilio: twilio, Language: "en-GB"},
	}
}

func ownEndpoint(t *testing.T, c Own, o Options) Endpoint {
	t.Helper()
	e, err := Personal(Method{User: "bo", Via: "chat", Own: c}, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// So do ours.
func TestOurOwnIntegrationsTellEveryStory(t *testing.T) {
	for integration := range own(&world{Server: &httptest.Server{}}) {
		t.Run(integration, func(t *testing.T) {
			w := newWorld(t)
			conversation(t, w, integration, ownEndpoint(t, own(w)[integration], options(t)))
		})
	}
}

// toldStories are those whose requests are kept, in their order; what is told of later goes by what the earlier one left.
var toldStories = []string{"page", "low", "bundle", "digest", "expiring", "stand_down", "resolved"}

// conversation tells every story, and compares what the provider is asked with testdata/requests.
func conversation(t *testing.T, w *world, integration string, e Endpoint) {
	t.Helper()
	if want := (Target{User: "bo", Via: "chat"}); e.Target != want {
		t.Errorf("target %v, want %v", e.Target, want)
	}
	if got := kindOf(e.Sender); got != integration {
		t.Errorf("it says it is %q", got)
	}
	var b strings.Builder
	var state map[string]string
	all := stories()
	for _, name := range toldStories {
		m := all[name]
		m.State = state
		before := len(w.got())
		v := e.Sender.Send(t.Context(), m)
		if v.Outcome != Delivered {
			t.Errorf("%s: %+v", name, v)
		}
		if name == "page" {
			state = v.State
		}
		fmt.Fprintf(&b, "===== %s\n", name)
		asked := w.got()[before:]
		for _, r := range asked {
			b.WriteString(r.script())
		}
		fmt.Fprintf(&b, "----- %s\n", v.Answer)
		for _, k := range slices.Sorted(maps.Keys(v.State)) {
			fmt.Fprintf(&b, "state %s = %s\n", k, v.State[k])
		}
		if name == "page" && integration != "incidentio" && !strings.Contains(b.String(), m.Page.AckURL) && !strings.Contains(b.String(), m.Page.CallURL) {
			t.Error("there is no way to acknowledge")
		}
	}
	golden(t, "requests/"+integration+".txt", strings.ReplaceAll(b.String(), w.URL, "https://provider"))
	for name, m := range all {
		if v := e.Sender.Send(t.Context(), m); v.Outcome != Delivered {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// PagerDuty and its like must see one incident from the first page to the last word, and its end when it ends.
func TestOneIncidentFromPageToResolve(t *testing.T) {
	w := newWorld(t)
	s := personal(t, "pagerduty", aimed(w, "pagerduty")).Sender
	byHand := with(lag(), func(m *Message) { m.Event, m.At = EventResolved, at("04:00:00") }) // its alerts still fire
	slo := with(lag(), func(m *Message) { m.Alerts = nil })
	stillOpen := with(lag(), func(m *Message) {
		m.Alerts = slices.Clone(m.Alerts)
		m.Alerts[0].EndsAt = at("03:01:00")
	})
	for i, c := range []struct {
		m      Message
		action string
	}{{lag(), "trigger"}, {slo, "trigger"}, {stillOpen, "trigger"}, {byHand, "resolve"}, {stories()["resolved"], "resolve"}} {
		if v := s.Send(t.Context(), c.m); v.Outcome != Delivered {
			t.Fatal(v)
		}
		var event struct {
			Action string `json:"event_action"`
			Key    string `json:"dedup_key"`
		}
		if err := json.Unmarshal(w.last(t).Body, &event); err != nil {
			t.Fatal(err)
		}
		if event.Action != c.action {
			t.Errorf("message %d: %+v, want %s", i, event, c.action)
		}
		if i > 0 && !strings.Contains(string(w.got()[0].Body), event.Key) {
			t.Errorf("message %d has another dedup key", i)
		}
	}
}

// A bundle stands for its worst incident; SNS, which drops repeats of a key, gets one for each message.
func TestKeysOfBundlesAndOfSNS(t *testing.T) {
	if got := incidentKey(stories()["bundle"]); got != "midwatch/INC-3" {
		t.Errorf("the bundle's key is %q", got)
	}
	if got := incidentKey(stories()["bare"]); got != "midwatch/test/1" {
		t.Errorf("a page without incident has the key %q", got)
	}
	w := newWorld(t)
	s := personal(t, "sns", strings.Replace(aimed(w, "sns"), ":bo'", ":bo.fifo'", 1)).Sender
	seen := map[string]bool{}
	for _, key := range []string{"INC-1/1/bo/1", "INC-1/1/bo/2", "INC-1/1/bo/1"} {
		if v := s.Send(t.Context(), with(lag(), func(m *Message) { m.Key = key })); v.Outcome != Delivered {
			t.Fatal(v)
		}
		form, err := url.ParseQuery(string(w.last(t).Body))
		if err != nil {
			t.Fatal(err)
		}
		seen[form.Get("MessageDeduplicationId")] = true
	}
	if len(seen) != 2 {
		t.Errorf("%d keys for two messages, one of them repeated", len(seen))
	}
}

// What the user words himself is sent as he worded it, and he finds the page in .RouteLabels.
func TestOwnWords(t *testing.T) {
	w := newWorld(t)
	config := `{api_url: '` + w.URL + `/slack', channel: '@bo', title: 'Hej {{ .RouteLabels.midwatch_full_name }}', text: '{{ .RouteLabels.midwatch_incident }} {{ .CommonLabels.service }}'}`
	s := personal(t, "slack", config, "title", "text").Sender
	if v := s.Send(t.Context(), lag()); v.Outcome != Delivered || v.Answer != "" {
		t.Errorf("got %+v", v)
	}
	a := attachment(t, w.last(t))
	if a.Title != "Hej Bo Ek" || a.Text != "INC-1 db" || len(a.Fields) != 4 || len(a.Actions) != 1 {
		t.Errorf("sent %+v", a)
	}
}

type slackAttachment struct {
	Title, Text, Footer string
	Fields              []struct{ Title, Value string }
	Actions             []struct{ Text, URL string }
}

func attachment(t *testing.T, r request) slackAttachment {
	t.Helper()
	var body struct{ Attachments []slackAttachment }
	if err := json.Unmarshal(r.Body, &body); err != nil || len(body.Attachments) != 1 {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return body.Attachments[0]
}

// A page is never lost to a template: whatever way it fails, the built-in page goes out in its place.
func TestFailingTemplatesFallBack(t *testing.T) {
	for name, own := range map[string]string{
		"calls what does not exist":   `{{ .Nonsense.Deeper }}`,
		"panics in a function":        `{{ reReplaceAll "(" "" "x" }}`,
		"asks for a missing template": `{{ template "nowhere" . }}`,
		"does not parse":              `{{ if }}`,
		"errs in a function":          `{{ tz "Mars/Olympus" (index .Alerts 0).StartsAt }}`,
		"never ends":                  `{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}`,
		"indexes past the end":        `{{ (index .Alerts 7).Labels.a }}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			quoted, _ := json.Marshal(own)
			config := fmt.Sprintf(`{api_url: '%s/slack', channel: '@bo', text: %s, footer: %s}`, w.URL, quoted, quoted)
			v := personal(t, "slack", config, "text", "footer").Sender.Send(t.Context(), lag())
			if v.Outcome != Delivered || !strings.HasPrefix(v.Answer, "in the built-in words: ") || len(v.Answer) > AnswerLimit {
				t.Errorf("got %+v", v)
			}
			if n := len(w.got()); n != 1 {
				t.Fatalf("%d requests, want 1", n)
			}
			if a := attachment(t, w.last(t)); !strings.Contains(a.Text, lag().Page.AckURL) || a.Footer != "" {
				t.Errorf("sent %+v", a)
			}
		})
	}
}

// Nor is it lost to a provider who refuses the user's words: Telegram, for one, reads markup.
func TestRefusedWordsFallBack(t *testing.T) {
	w := newWorld(t)
	w.say(func(rw http.ResponseWriter, r *http.Request) bool {
		if n := len(w.requests); n > 1 { // the second request takes the providers' usual answer
			return false
		}
		io.WriteString(rw, `{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: unclosed tag"}`)
		return true
	})
	config := strings.TrimSuffix(aimed(w, "telegram"), "}") + `, parse_mode: MarkdownV2, message: '*{{ .RouteLabels.midwatch_title }}'}`
	v := personal(t, "telegram", config, "message", "parse_mode").Sender.Send(t.Context(), lag())
	if v.Outcome != Delivered || !strings.Contains(v.Answer, "unclosed tag") {
		t.Errorf("got %+v", v)
	}
	if got := w.last(t).script(); !strings.Contains(got, `"parse_mode": "HTML"`) || !strings.Contains(got, lag().Page.AckURL) {
		t.Errorf("sent %s", got)
	}
}

// A service that is down gets no second message in other words: the same is tried again later.
func TestTroubleIsNotBlamedOnTheWords(t *testing.T) {
	w := newWorld(t)
	w.sayStatus(503, "come back later")
	v := personal(t, "slack", `{api_url: '`+w.URL+`/slack', title: mine}`, "title").Sender.Send(t.Context(), lag())
	if v.Outcome != Retry || len(w.got()) != 1 {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}
}

// Who words nothing himself is refused once: the same words would be refused again.
func TestRefusalOfTheBuiltInWordsIsFinal(t *testing.T) {
	w := newWorld(t)
	w.sayStatus(404, "no such hook")
	v := personal(t, "slack", aimed(w, "slack")).Sender.Send(t.Context(), lag())
	if v.Outcome != Failed || !strings.Contains(v.Answer, "404: no such hook") || len(w.got()) != 1 {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}
}

// Not a token, not a link that acts, not a key reaches the log, however much goes wrong.
func TestLogsHoldNoSecrets(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	for integration := range methods {
		w, o := newWorld(t), options(t)
		o.HTTP = toWorld(w)
		o.Logger = slog.New(zapslog.NewHandler(core))
		config := strings.TrimSuffix(aimed(w, integration), "}")
		if integration != "webhook" && integration != "incidentio" && integration != "jira" {
			config += ", send_resolved: true"
		}
		e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, integration, config+"}")}, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []int{200, 400, 500} {
			w.say(func(rw http.ResponseWriter, r *http.Request) bool {
				if code == 200 {
					return false
				}
				rw.WriteHeader(code)
				fmt.Fprintf(rw, "no, not with %s and %s and %s", r.Header.Get("Authorization"), r.URL, methods[integration])
				return true
			})
			if integration == "sns" && code == 500 { // Amazon's client itself tries again, for seconds
				continue
			}
			v := e.Sender.Send(t.Context(), lag())
			noSecrets(t, integration+"'s answer", v.Answer)
			if code != 200 && (integration == "telegram" || integration == "wechat") { // they look at JSON, not at the status
				continue
			}
			if want := map[int]Outcome{200: Delivered, 400: Failed, 500: Retry}[code]; v.Outcome != want {
				t.Errorf("%s, %d: %+v", integration, code, v)
			}
		}
	}
	for _, entry := range logs.All() {
		noSecrets(t, "the log", fmt.Sprint(entry.Message, entry.ContextMap()))
	}
}

func noSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{
		"telegram-token", "pushover-user", "pushover-token", "pagerduty-key", "opsgenie-key", "victorops-key", "rocket-token",
		"webex-token", "sns-secret", "wechat-secret", "wechat-access", "incidentio-token", "AQx5hT0",
	} {
		if strings.Contains(text, secret) {
			t.Errorf("%s holds %q: %s", where, secret, text)
		}
	}
}

func TestMethodsThatAreNone(t *testing.T) {
	two := load(t, "webhook", "url: http://127.0.0.1/")
	two.WebhookConfigs = append(two.WebhookConfigs, two.WebhookConfigs[0])
	for name, r := range map[string]amconfig.Receiver{
		"one integration is wanted, there are 0": {},
		"one integration is wanted, there are 2": two,
		"no such file":                           load(t, "incidentio", "{url: 'http://127.0.0.1/', alert_source_token_file: /nowhere/token}"),
	} {
		_, err := Personal(Method{User: "bo", Via: "chat", Receiver: r}, options(t))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `contact method "chat" of "bo"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if v := personal(t, "slack", "{api_url: 'http://127.0.0.1:1/'}").Sender.Send(t.Context(), Message{}); v.Outcome != Failed {
		t.Errorf("a message without a page: %+v", v)
	}
}

// A panic of our own is a verdict too: the process goes on paging others.
func TestOurOwnPanicsAreVerdicts(t *testing.T) {
	broken := Options{} // no templates
	for _, s := range []Sender{&personalSender{Options: broken, name: "bo/chat"}, &hook{Options: broken, name: "bo/hook"}} {
		if v := s.Send(t.Context(), lag()); v.Outcome != Failed || !strings.HasPrefix(v.Answer, "sending panicked: ") {
			t.Errorf("%T: %+v", s, v)
		}
	}
}

// A text message is short and keeps its link. Its letters are the small alphabet's, if the alert's are.
func TestTextMessageByAmazon(t *testing.T) {
	w := newWorld(t)
	config := strings.Replace(aimed(w, "sns"), "topic_arn: 'arn:aws:sns:eu-north-1:1:bo'", "phone_number: '+46700000000'", 1)
	if v := personal(t, "sns", config).Sender.Send(t.Context(), stories()["hundred"]); v.Outcome != Delivered {
		t.Fatal(v)
	}
	form, err := url.ParseQuery(string(w.last(t).Body))
	if err != nil {
		t.Fatal(err)
	}
	if text := form.Get("Message"); len(text) > 1000 || !strings.Contains(text, lag().Page.AckURL) || !strings.HasSuffix(text, " more") {
		t.Errorf("%d bytes: %s", len(text), text)
	} else if ascii(text) != strings.ReplaceAll(text, "\n", "?") {
		t.Errorf("letters of the large alphabet: %s", text)
	}
	swedish := stories()["languages"]
	f, err := forms(swedish, &url.URL{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f["subject_ascii"], "[INC-1 sev2] St?rning i k?hanteringen ?"; got != want {
		t.Errorf("Amazon takes ASCII subjects only: %q, want %q", got, want)
	}
}

// The configuration stays as its loader made it: other senders may be built from it.
func TestTheGivenReceiverIsNotChanged(t *testing.T) {
	r := load(t, "email", "{to: bo@example.org, headers: {X-Mine: '1'}}")
	if _, err := Personal(Method{User: "bo", Via: "chat", Receiver: r}, options(t)); err != nil {
		t.Fatal(err)
	}
	c := r.EmailConfigs[0]
	if c.HTML != amconfig.DefaultEmailConfig.HTML || len(c.Headers) != 1 || r.Name != "r" {
		t.Errorf("changed to %+v", c)
	}
}
