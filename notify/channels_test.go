package notify

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"pgregory.net/rapid"
)

// forEachOwn runs a test for each of our own integrations, and for Pushover, which is ours but for its config.
func forEachOwn(t *testing.T, test func(t *testing.T, w *world, e Endpoint)) {
	t.Helper()
	for integration := range own(&world{Server: &httptest.Server{}}) {
		t.Run(integration, func(t *testing.T) {
			w := newWorld(t)
			test(t, w, ownEndpoint(t, own(w)[integration], options(t)))
		})
	}
	t.Run("pushover", func(t *testing.T) {
		w := newWorld(t)
		e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, "pushover", methods["pushover"]), APIURL: w.URL + "/pushover/"}, options(t))
		if err != nil {
			t.Fatal(err)
		}
		test(t, w, e)
	})
}

// SPEC §8: 429, 5xx and a network that fails may work later, other refusals are final.
func TestVerdictsOfOurOwnChannels(t *testing.T) {
	forEachOwn(t, func(t *testing.T, w *world, e Endpoint) {
		for _, c := range []struct {
			code  int
			after string
			want  Outcome
			wait  time.Duration
		}{
			{400, "", Failed, 0},
			{401, "9", Failed, 0},
			{403, "", Failed, 0},
			{404, "", Failed, 0},
			{429, "7", Retry, 7 * time.Second},
			{429, "86400", Retry, maxRetryAfter},
			{429, "", Retry, 0},
			{500, "", Retry, 0},
			{503, "3", Retry, 3 * time.Second},
		} {
			w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
				if c.after != "" {
					rw.Header().Set("Retry-After", c.after)
				}
				http.Error(rw, "the provider's words", c.code)
				return true
			})
			v := e.Sender.Send(t.Context(), lag())
			if v.Outcome != c.want || v.RetryAfter != c.wait || !strings.Contains(v.Answer, fmt.Sprint(c.code)) || !strings.Contains(v.Answer, "the provider's words") {
				t.Errorf("%d: %+v", c.code, v)
			}
		}
		w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
			conn, _, err := rw.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return true
		})
		if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Retry {
			t.Errorf("a connection that breaks: %+v", v)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v := e.Sender.Send(ctx, lag()); v.Outcome != Retry {
			t.Errorf("no time left: %+v", v)
		}
		if v := e.Sender.Send(t.Context(), Message{}); v.Outcome != Failed || !strings.Contains(v.Answer, "without a page") {
			t.Errorf("a message without a page: %+v", v)
		}
		w.Close()
		if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Retry {
			t.Errorf("nobody listens: %+v", v)
		}
	})
}

var secretsThere = map[string][]string{
	"ntfy": {"ntfy-token", "Bearer ntfy-token"}, "gotify": {"gotify-token", "token: gotify-token"}, "matrix": {"matrix-token", "Bearer matrix-token"},
	"sms": {"twilio-token", "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0d2lsaW8tdG9rZW4="}, "voice": {"twilio-token", "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0d2lsaW8tdG9rZW4="}, "pushover": {"pushover-token", "pushover-user"},
}

// A provider that repeats what it was sent gives no secret away.
func TestOurOwnChannelsHideTheirSecrets(t *testing.T) {
	forEachOwn(t, func(t *testing.T, w *world, e Endpoint) {
		for _, code := range []int{200, 400, 500} {
			w.say(func(rw http.ResponseWriter, r *http.Request) bool {
				rw.WriteHeader(code)
				fmt.Fprintf(rw, "%s and %s, not with %v at %s", secretsThere[kindOf(e.Sender)][0], secretsThere[kindOf(e.Sender)][1], r.Header, r.URL)
				return true
			})
			v := e.Sender.Send(t.Context(), lag())
			for _, secret := range secretsThere[kindOf(e.Sender)] {
				if strings.Contains(v.Answer, secret) {
					t.Errorf("%d: the answer holds %q: %s", code, secret, v.Answer)
				}
			}
		}
	})
}

// A secret in a file may be replaced while we run; one that is not there ends the attempt, and with it the wait for the
// person's next channel.
func TestSecretsInFiles(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "token")
	c := own(w)["ntfy"].(*Ntfy)
	c.Token = Secret{File: path}
	e := ownEndpoint(t, c, options(t))
	if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "read token_file: ") {
		t.Errorf("no file: %+v", v)
	}
	for text, want := range map[string]Outcome{"  ntfy-token\n": Delivered, "\n": Failed, "another-token": Failed} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		v := e.Sender.Send(t.Context(), lag())
		if v.Outcome != want || strings.Contains(v.Answer, "another-token") {
			t.Errorf("%q: %+v", text, v)
		}
	}
}

func TestNtfyByNameAndPassword(t *testing.T) {
	w := newWorld(t)
	c := own(w)["ntfy"].(*Ntfy)
	c.Token, c.Username, c.Password = Secret{}, "bo", Secret{Value: "ntfy-password"}
	w.say(func(rw http.ResponseWriter, r *http.Request) bool {
		if user, pass, ok := r.BasicAuth(); !ok || user != "bo" || pass != "ntfy-password" {
			t.Errorf("logged in as %q", user)
		}
		io.WriteString(rw, `{"id":"x"}`)
		return true
	})
	if v := ownEndpoint(t, c, options(t)).Sender.Send(t.Context(), lag()); v.Outcome != Delivered {
		t.Error(v)
	}
}

// Ntfy explains a refusal in JSON, and so do the others; the code of Twilio's errors is what one looks up.
func TestProvidersWords(t *testing.T) {
	for integration, c := range map[string]struct {
		body, want string
	}{
		"ntfy":     {`{"code":40301,"http":403,"error":"forbidden","link":"https://ntfy.sh/docs/publish/#authentication"}`, "forbidden"},
		"gotify":   {`{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}`, "Unauthorized: you need to provide a valid access token"},
		"matrix":   {`{"errcode":"M_FORBIDDEN","error":"User not in room"}`, "M_FORBIDDEN: User not in room"},
		"sms":      {`{"code":21211,"message":"The 'To' number is not a valid phone number.","more_info":"https://www.twilio.com/docs/errors/21211","status":400}`, "Twilio error 21211: The 'To' number is not a valid phone number."},
		"voice":    {`{"code":20003,"detail":"","message":"Authenticate","status":401}`, "Twilio error 20003: Authenticate"},
		"pushover": {`{"user":"invalid","errors":["user identifier is invalid","and more"],"status":0,"request":"5042853c"}`, "user identifier is invalid; and more"},
	} {
		forEachOwn(t, func(t *testing.T, w *world, e Endpoint) {
			if kindOf(e.Sender) != integration {
				return
			}
			w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
				rw.WriteHeader(403)
				io.WriteString(rw, c.body)
				return true
			})
			if v := e.Sender.Send(t.Context(), lag()); v.Answer != "403 Forbidden "+c.want {
				t.Errorf("answer %q, want %q", v.Answer, c.want)
			}
		})
	}
}

// A repeated attempt is recognised where the service can: the same key is the same transaction, or the same notification.
func TestRepeatedAttemptsAreRecognised(t *testing.T) {
	for _, integration := range []string{"ntfy", "matrix"} {
		w := newWorld(t)
		e := ownEndpoint(t, own(w)[integration], options(t))
		mark := func(key string) string {
			e.Sender.Send(t.Context(), with(lag(), func(m *Message) { m.Key = key }))
			var n struct {
				Sequence string `json:"sequence_id"`
			}
			_ = json.Unmarshal(w.last(t).Body, &n)
			return w.last(t).Path + n.Sequence
		}
		if a, b, c := mark("INC-1/1/bo/1"), mark("INC-1/1/bo/1"), mark("INC-1/1/bo/2"); a != b || a == c {
			t.Errorf("%s: %q, %q, %q", integration, a, b, c)
		}
	}
}

// What nobody was told is not taken back, and a page after another is a message of its own: one that is changed in place
// may make no sound.
func TestWhatIsTakenBack(t *testing.T) {
	forEachOwn(t, func(t *testing.T, w *world, e Endpoint) {
		kind := kindOf(e.Sender)
		takes := kind == "ntfy" || kind == "matrix" || kind == "pushover"
		if e.TakesBack != takes {
			t.Errorf("it says it takes back: %v", e.TakesBack)
		}
		before := len(w.got())
		if v := e.Sender.Send(t.Context(), stories()["stand_down"]); v.Outcome != Delivered {
			t.Errorf("nothing to take back: %+v", v)
		}
		if n := len(w.got()) - before; n != 0 && kind != "pushover" {
			t.Errorf("%d requests about nothing", n)
		}
		first := e.Sender.Send(t.Context(), lag())
		second := e.Sender.Send(t.Context(), with(lag(), func(m *Message) { m.Key, m.State = "INC-1/2/bo-chat/2", first.State }))
		if takes && (len(first.State) != 1 || len(second.State) != 1) {
			t.Errorf("states %v, %v", first.State, second.State)
		}
		if kind != "pushover" && takes && fmt.Sprint(first.State) == fmt.Sprint(second.State) {
			t.Errorf("the second page took the place of the first: %v", second.State)
		}
	})
}

// Somebody who does not want to hear that it is over has the message taken back all the same, where it stands.
func TestWithoutSendResolvedOnlyWhatStandsIsChanged(t *testing.T) {
	w := newWorld(t)
	c := own(w)["matrix"].(*Matrix)
	c.SendResolved = false
	e := ownEndpoint(t, c, options(t))
	resolved := stories()["resolved"]
	if v := e.Sender.Send(t.Context(), resolved); v.Outcome != Delivered || len(w.got()) != 0 {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}
	resolved.State = map[string]string{matrixEvent: "$a"}
	if v := e.Sender.Send(t.Context(), resolved); v.Outcome != Delivered || !strings.Contains(string(w.last(t).Body), "m.replace") {
		t.Errorf("%+v: %s", v, w.last(t).Body)
	}
	p, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, "pushover", strings.TrimSuffix(methods["pushover"], "}")+", send_resolved: false}"), APIURL: w.URL + "/pushover"}, options(t))
	if err != nil {
		t.Fatal(err)
	}
	before := len(w.got())
	if v := p.Sender.Send(t.Context(), stories()["resolved"]); v.Outcome != Delivered || p.SendResolved {
		t.Errorf("%+v", v)
	}
	for _, r := range w.got()[before:] {
		if !strings.HasPrefix(r.Path, "/pushover/1/receipts/") {
			t.Errorf("it said that it is over: %s", r.Path)
		}
	}
}

// Where the message that is to be edited is gone, that it is over is said in a new one.
func TestMatrixEditsThatFail(t *testing.T) {
	w := newWorld(t)
	e := ownEndpoint(t, own(w)["matrix"], options(t))
	w.say(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/midwatch-e") {
			return false
		}
		rw.WriteHeader(404)
		io.WriteString(rw, `{"errcode":"M_NOT_FOUND","error":"Unknown event"}`)
		return true
	})
	resolved := with(stories()["resolved"], func(m *Message) { m.State = map[string]string{matrixEvent: "$gone"} })
	if v := e.Sender.Send(t.Context(), resolved); v.Outcome != Delivered || len(w.got()) != 2 || strings.Contains(string(w.last(t).Body), "m.replace") {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}
	down := with(stories()["stand_down"], func(m *Message) { m.State = map[string]string{matrixEvent: "$gone"} })
	if v := e.Sender.Send(t.Context(), down); v.Outcome != Failed || len(w.got()) != 3 {
		t.Errorf("%+v after %d requests", v, len(w.got()))
	}
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(429)
		io.WriteString(rw, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too many requests","retry_after_ms":4500}`)
		return true
	})
	if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Retry || v.RetryAfter != 4500*time.Millisecond {
		t.Errorf("%+v", v)
	}
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(rw, "<html>welcome to nginx")
		return true
	})
	if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Failed || !strings.Contains(v.Answer, "homeserver") {
		t.Errorf("an answer of something else: %+v", v)
	}
}

// Pushover's receipts are remembered while they may ring, and no more than that.
func TestPushoverReceipts(t *testing.T) {
	w := newWorld(t)
	e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, "pushover", methods["pushover"]), APIURL: w.URL + "/pushover"}, options(t))
	if err != nil {
		t.Fatal(err)
	}
	state := map[string]string{}
	for i := range maxReceipts + 3 {
		w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprintf(rw, `{"status":1,"request":"r","receipt":"receipt%d"}`, i)
			return true
		})
		v := e.Sender.Send(t.Context(), with(lag(), func(m *Message) { m.State = state }))
		state = v.State
	}
	if got := Receipts(state); len(got) != maxReceipts || got[0] != "receipt3" || got[maxReceipts-1] != "receipt10" {
		t.Errorf("kept %v", got)
	}
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		io.WriteString(rw, `{"status":1,"receipt":"../../users"}`)
		return true
	})
	if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Delivered || v.State != nil {
		t.Errorf("a receipt that is none: %+v", v)
	}

	down := with(stories()["stand_down"], func(m *Message) { m.State = state })
	for code, want := range map[int]Outcome{404: Delivered, 503: Retry, 429: Retry} {
		w.sayStatus(code, "no")
		if v := e.Sender.Send(t.Context(), down); v.Outcome != want || (want == Delivered) != (v.State != nil && len(v.State) == 0) {
			t.Errorf("%d: %+v", code, v)
		}
	}
}

// The owner's own words and priority count, also with Pushover's sender of ours.
func TestPushoverInOnesOwnWords(t *testing.T) {
	w := newWorld(t)
	send := func(fields string, set ...string) url.Values {
		t.Helper()
		config := strings.TrimSuffix(methods["pushover"], "}") + ", " + fields + "}"
		e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, "pushover", config), APIURL: w.URL + "/pushover", SetByUser: func(f string) bool {
			return strings.Contains(" "+strings.Join(set, " ")+" ", " "+f+" ")
		}}, options(t))
		if err != nil {
			t.Fatal(err)
		}
		if v := e.Sender.Send(t.Context(), lag()); v.Outcome != Delivered {
			t.Fatal(v)
		}
		form, err := url.ParseQuery(string(w.last(t).Body))
		if err != nil {
			t.Fatal(err)
		}
		return form
	}
	if f := send("priority: '1', title: 'Hej {{ .RouteLabels.midwatch_full_name }}', retry: 5s, sound: siren", "priority", "title", "sound"); f.Get("priority") != "1" || f.Get("title") != "Hej Bo Ek" || f.Get("sound") != "siren" || f.Has("retry") {
		t.Errorf("sent %v", f)
	}
	if f := send("retry: 5s, expire: 24h"); f.Get("priority") != "2" || f.Get("retry") != "30" || f.Get("expire") != "10800" {
		t.Errorf("sent %v", f)
	}
	if f := send("html: true, message: '<b>{{ .RouteLabels.midwatch_title }}</b>'", "message", "html"); f.Get("html") != "1" || f.Get("message") != "<b>Replication lag</b>" {
		t.Errorf("sent %v", f)
	}
	if f := send("title: '{{ template \"nowhere\" . }}'", "title"); f.Get("title") != Subject(lag()) {
		t.Errorf("a failing template: %v", f)
	}
	if f := send("priority: '7'", "priority"); f.Get("priority") != "2" {
		t.Errorf("a priority that Pushover refuses: %v", f)
	}
}

// Ours too can be worded, and fall back where a template fails.
func TestOurOwnChannelsInOnesOwnWords(t *testing.T) {
	for integration, member := range map[string]string{"ntfy": "message", "gotify": "message", "matrix": "body", "sms": "Body"} {
		w := newWorld(t)
		send := func(own Own) (string, Verdict) {
			t.Helper()
			v := ownEndpoint(t, own, options(t)).Sender.Send(t.Context(), lag())
			var body map[string]any
			if json.Unmarshal(w.last(t).Body, &body) == nil {
				return fmt.Sprint(body[member]), v
			}
			form, _ := url.ParseQuery(string(w.last(t).Body))
			return form.Get(member), v
		}
		worded := func(text string) Own {
			switch c := own(w)[integration].(type) {
			case *Ntfy:
				c.Message = text
				return c
			case *Gotify:
				c.Message = text
				return c
			case *Matrix:
				c.Message = text
				return c
			case *SMS:
				c.Message = text
				return c
			}
			panic(integration)
		}
		ours, _ := send(own(w)[integration])
		if got, v := send(worded("{{ .RouteLabels.midwatch_incident }} for {{ .CommonLabels.service }}")); got != "INC-1 for db" || v.Outcome != Delivered || strings.Contains(v.Answer, "built-in") {
			t.Errorf("%s: %q, %+v", integration, got, v)
		}
		for _, text := range []string{"{{ .Nonsense.Deeper }}", "{{ if false }}x{{ end }}", `{{ (index .Alerts 7).Labels.a }}`} {
			if got, v := send(worded(text)); got != ours || v.Outcome != Delivered || !strings.HasPrefix(v.Answer, "in the built-in words: ") {
				t.Errorf("%s: %s: %q, %+v", integration, text, got, v)
			}
		}
	}
}

func TestTwilioByAPIKeyAndService(t *testing.T) {
	w := newWorld(t)
	c := own(w)["sms"].(*SMS)
	c.AuthToken, c.APIKeySID, c.APIKeySecret = Secret{}, "SK0123456789abcdef0123456789abcdef", Secret{Value: "twilio-secret"}
	c.From, c.MessagingServiceSID = "", "MG0123456789abcdef0123456789abcdef"
	if v := ownEndpoint(t, c, options(t)).Sender.Send(t.Context(), lag()); v.Outcome != Delivered {
		t.Fatal(v)
	}
	if form, _ := url.ParseQuery(string(w.last(t).Body)); form.Get("MessagingServiceSid") != c.MessagingServiceSID || form.Has("From") {
		t.Errorf("sent %v", form)
	}
}

// Without an address for the answer a call asks for no key, speaks twice and hangs up.
func TestACallThatTakesNoAnswer(t *testing.T) {
	w := newWorld(t)
	m := with(lag(), func(m *Message) { m.Page.CallURL = "" })
	if v := ownEndpoint(t, own(w)["voice"], options(t)).Sender.Send(t.Context(), m); v.Outcome != Delivered {
		t.Fatal(v)
	}
	form, _ := url.ParseQuery(string(w.last(t).Body))
	if text := form.Get("Twiml"); strings.Contains(text, "Gather") || strings.Contains(text, "Press") || strings.Count(text, "Replication lag") != 2 || !strings.Contains(text, "Goodbye") {
		t.Errorf("says %s", text)
	}
	m.Page.CallURL = "https://midwatch.example.org/" + strings.Repeat("a", 5000)
	if v := ownEndpoint(t, own(w)["voice"], options(t)).Sender.Send(t.Context(), m); v.Outcome != Failed || !strings.Contains(v.Answer, "too many for Twilio") {
		t.Errorf("an address that does not fit: %+v", v)
	}
}

// Whatever an alert is called, a call's instruction is XML that says it, and fits.
func TestCallsAreXML(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := with(lag(), func(m *Message) {
			m.Page.Title = rapid.String().Draw(t, "title")
			m.Page.Severity = rapid.SampledFrom([]string{"sev1", "", "<&>"}).Draw(t, "severity")
			m.Event = rapid.SampledFrom([]string{EventPage, EventAckExpiring, EventResolved}).Draw(t, "event")
		})
		text, err := (&voice{conf: &Voice{}}).twiml(m)
		if err != nil || len(text) > twimlLimit {
			t.Fatalf("%v, %d bytes", err, len(text))
		}
		var doc struct {
			XMLName xml.Name `xml:"Response"`
		}
		if err := xml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	})
}

// Whatever an alert is called, a text message has two parts at most, and its link whole.
func TestTextMessagesKeepTheirLink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(0, 230).Draw(t, "length of the link")
		m := with(lag(), func(m *Message) {
			m.Page.Title = rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("abc {}€é")), 0, 400, -1)).Draw(t, "title")
			m.Page.AckURL = "https://midwatch.example.org/ack/" + strings.Repeat("x", length)
			m.Event = rapid.SampledFrom([]string{EventPage, EventAckExpiring, EventResolved, EventDigest}).Draw(t, "event")
			if m.Event == EventResolved {
				m.Page.AckURL = ""
			}
		})
		text := smsText(m)
		if n, _ := gsmLength(text); n > smsLetters {
			t.Fatalf("%d letters: %s", n, text)
		}
		if !strings.HasSuffix(text, " "+m.Page.IncidentURL) && (m.Page.AckURL == "" || !strings.HasSuffix(text, " "+m.Page.AckURL)) {
			t.Fatalf("no link: %q", text)
		}
		if length < 180 && m.Page.AckURL != "" && !strings.HasSuffix(text, m.Page.AckURL) {
			t.Fatalf("the link to acknowledge would have fitted: %q", text)
		}
	})
}

func TestTextMessages(t *testing.T) {
	for name, want := range map[string]string{
		"page":      "INC-1 sev2: Replication lag, since 04:00 CET. Reply ACK 1. https://midwatch.example.org/ack/AQx5hT0",
		"languages": "INC-1 sev2: Störning i köhanteringen ?, since 04:00 CET. Reply ACK 1. https://midwatch.example.org/ack/AQx5hT0",
		"expiring":  "INC-1 sev2: Replication lag. Your acknowledgement runs out at 05:01 CET. Reply ACK 1. https://midwatch.example.org/ack/AQx5hT0",
		"resolved":  "INC-1 resolved: Replication lag. https://midwatch.example.org/incidents/INC-1",
		"bundle":    "4 incidents at once: INC-3 sev1 Checkout burns its budget, INC-1 sev2 Replication lag, INC-2 sev3 Disk full on web-01 and 1 more. https://midwatch.example.org/ack/AQx5hT0",
		"bare":      "untitled.",

		"on_call_soon":    "You are on call soon: db-primary. You are on call in db-primary from Sun 23 Nov 09:00 CET (08:00 UTC) to Sun 23 Nov 21:00 CET (20:00 UTC). https://midwatch.example.org",
		"on_call_changed": "Your time on call has changed. ana: override: on call in db-primary from Sun 23 Nov 09:00 CET (08:00 UTC) to Sun 23 Nov 21:00 CET (20:00 UTC); not on call in web from Sun 23 Nov 10:00 CET (09:00 UTC) to Sun 23 Nov 11:00 CET (10:00 UTC). https://midwatch.example.org",
	} {
		if got := smsText(stories()[name]); got != want {
			t.Errorf("%s:\n%q, want\n%q", name, got, want)
		}
	}
}

// The network's small alphabet: what is near to a letter of it is written so, and another script stays what it is.
func TestSmallAlphabet(t *testing.T) {
	for in, want := range map[string]string{
		"plain @£$":            "plain @£$",
		"“quoted” – dash…":     `"quoted" - dash...`,
		"Łódź, Příšerně":       "Lodz, Priserne",
		"ÅÄÖ åäö é ñ ü ß":      "ÅÄÖ åäö é ñ ü ß",
		"fire 🔥 in the server": "fire ? in the server",
		"توقفت قاعدة البيانات": "توقفت قاعدة البيانات",
		"数据库 down":             "数据库 down",
		"":                     "",
	} {
		if got := gsm(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]struct {
		n     int
		small bool
	}{"abc": {3, true}, "a[b]€": {8, true}, "数据": {2, false}, "a🔥": {3, false}, "": {0, true}} {
		if n, small := gsmLength(in); n != want.n || small != want.small {
			t.Errorf("%q: %d, %v", in, n, small)
		}
	}
	if got := gsmCut("one two, three", 11); got != "one two..." {
		t.Errorf("cut to %q", got)
	}
	if got := gsmCut("[[[[", 5); got != "[..." && got != "..." {
		t.Errorf("cut to %q", got)
	}
}

// A personal webhook that is signed verifies as the specification's own example does.
func TestStandardWebhooks(t *testing.T) {
	secret := func(s string) Secret { return Secret{Value: commoncfg.Secret("whsec_" + s)} }
	h := http.Header{}
	err := sign(h, []Secret{secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")}, "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if got := h.Get("webhook-signature"); err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%q, %v", got, err)
	}

	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(path, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := Method{User: "bo", Via: "chat", Receiver: load(t, "webhook", aimed(w, "webhook")), Signing: []Secret{{File: path}, secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")}}
	e, err := Personal(m, options(t))
	if err != nil {
		t.Fatal(err)
	}
	page := with(lag(), func(m *Message) { m.Key = "INC-1/2.1/bo.chat/4/00ff" })
	if v := e.Sender.Send(t.Context(), page); v.Outcome != Delivered {
		t.Fatal(v)
	}
	r := w.last(t)
	if id := r.Header.Get("webhook-id"); id != "INC-1/2_1/bo_chat/4/00ff" || r.Header.Get("Idempotency-Key") != page.Key {
		t.Errorf("id %q", id)
	}
	var at int64
	fmt.Sscan(r.Header.Get("webhook-timestamp"), &at)
	if age := time.Since(time.Unix(at, 0)); age < -time.Minute || age > time.Hour {
		t.Errorf("sent %s ago", age)
	}
	again := http.Header{}
	if err := sign(again, m.Signing, page.Key, r.Body, time.Unix(at, 0)); err != nil {
		t.Fatal(err)
	}
	if got := r.Header.Get("webhook-signature"); got != again.Get("webhook-signature") || strings.Count(got, "v1,") != 2 || !strings.Contains(got, " v1,") {
		t.Errorf("signatures %q, want %q", got, again.Get("webhook-signature"))
	}

	if err := os.WriteFile(path, []byte("whsec_short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := e.Sender.Send(t.Context(), page); v.Outcome != Failed || strings.Contains(v.Answer, "short") {
		t.Errorf("a bad secret: %+v", v)
	}
	for bad, want := range map[string]string{
		"plain": "begins with whsec_", "whsec_%%%": "is not base64", "whsec_c2hvcnQ=": "24 to 64 bytes, not 5",
		"whsec_" + strings.Repeat("YWFh", 30): "not 90",
	} {
		if err := CheckSigningSecret(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A clean dial error is not blamed on anybody: the address is in the log of whoever reads it, not in the answer.
func TestAddressesStayOutOfAnswers(t *testing.T) {
	o := options(t)
	o.HTTP = nil
	c := &Gotify{URL: "http://127.0.0.1:1/secret-path", Token: Secret{Value: "gotify-token"}}
	v := ownEndpoint(t, c, o).Sender.Send(t.Context(), lag())
	if v.Outcome != Retry || strings.Contains(v.Answer, "secret-path") {
		t.Errorf("%+v", v)
	}
}

// Slack's own way to change a message in place is for the end of an incident. A page that changed the one before it would
// make no sound.
func TestASlackPageIsNeverAnEdit(t *testing.T) {
	w, o := newWorld(t), options(t)
	o.HTTP = toWorld(w)
	w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"ok":true,"channel":"D7","ts":"1700.5"}`)
		return true
	})
	config := "{api_url: 'https://slack.com/api/chat.postMessage', channel: D7, update_message: true}"
	e, err := Personal(Method{User: "bo", Via: "chat", Receiver: load(t, "slack", config)}, o)
	if err != nil {
		t.Fatal(err)
	}
	first := e.Sender.Send(t.Context(), lag())
	if first.Outcome != Delivered || first.State["threadTs"] != "1700.5" {
		t.Fatalf("%+v", first)
	}
	for name, want := range map[string]string{"page": "/api/chat.postMessage", "resolved": "/api/chat.update"} {
		m := with(stories()[name], func(m *Message) { m.State = first.State })
		if v := e.Sender.Send(t.Context(), m); v.Outcome != Delivered || w.last(t).Path != want {
			t.Errorf("%s went to %s: %+v", name, w.last(t).Path, v)
		}
	}
}
