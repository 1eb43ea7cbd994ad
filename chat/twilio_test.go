package chat

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	testAuthToken = "auth-token-secret"
	smsURL        = "https://mw.example.org/chat/twilio/sms"
	voiceURL      = "https://mw.example.org/chat/twilio/voice"
)

// twilioSign signs as Twilio's documents say it does.
func twilioSign(token, full string, form url.Values) string {
	h := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(h, full)
	for _, k := range slices.Sorted(maps.Keys(form)) {
		_, _ = io.WriteString(h, k+form.Get(k))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func newTestTwilio(t *testing.T, desk Desk) *Twilio {
	t.Helper()
	w, err := NewTwilio(TwilioOptions{AuthTokens: []string{"new-token", testAuthToken}, AccountSID: "AC1", SMSURL: smsURL, VoiceURL: voiceURL, Voice: "Polly.Amy", Language: "en-GB"}, desk)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The example of Twilio's own libraries, by which their signatures are tested.
func TestTwilioSignatureOfTheDocuments(t *testing.T) {
	form := url.Values{"Digits": {"1234"}, "CallSid": {"CA1234567890ABCDE"}, "To": {"+18005551212"}, "Caller": {"+14158675309"}, "From": {"+14158675309"}}
	w, err := NewTwilio(TwilioOptions{AuthTokens: []string{"12345"}}, newClerk(nil))
	if err != nil {
		t.Fatal(err)
	}
	const at = "https://mycompany.com/myapp.php?foo=1&bar=2"
	for _, c := range [][2]string{
		{at, "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		{"https://mycompany.com:1234/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		{at, "kvajT1Ptam85bY51eRf/AJRuM3w="}, // made with the port 443
	} {
		if !w.signed(c[0], form, c[1]) {
			t.Errorf("%s: %s is refused", c[0], c[1])
		}
	}
	for name, signature := range map[string]string{"none": "", "another": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		if w.signed(at, form, signature) {
			t.Errorf("%s is taken", name)
		}
	}
	form.Set("Digits", "1235")
	if w.signed(at, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=") {
		t.Error("the signature of other values is taken")
	}
}

// twilioPost posts as Twilio does to a real server; the conversation goes on tape.
func twilioPost(t *testing.T, tape *tape, server *httptest.Server, external string, form url.Values) (int, string) {
	t.Helper()
	form.Set("AccountSid", "AC1")
	path := strings.TrimPrefix(external, "https://mw.example.org")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	r.Header.Set("X-Twilio-Signature", twilioSign(testAuthToken, external, form))
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := readAll(resp.Body)
	if resp.StatusCode == http.StatusOK {
		if err := xml.Unmarshal([]byte(body), new(struct{ XMLName xml.Name })); err != nil || resp.Header.Get("Content-Type") != "text/xml; charset=utf-8" {
			t.Errorf("no TwiML: %v in %s", err, body)
		}
	}
	tape.add("← POST %s\n%s", external, strings.ReplaceAll(form.Encode(), "&", "\n"))
	tape.add("→ %d\n%s\n", resp.StatusCode, strings.TrimSpace(body))
	return resp.StatusCode, body
}

// Text messages and calls, signed, over loopback.
func TestTwilio(t *testing.T) {
	desk := newClerk(func(r Request) Reply {
		switch r.Verb {
		case Ack:
			return Reply{Text: "INC-12 is yours. <Replication lag> & \"more\""}
		case Show:
			return Reply{Text: "INC-12, sev2: Replication lag on *db-1*\nsince 03:00"}
		}
		return Reply{Text: "There is no INC-99.", Err: true}
	})
	w := newTestTwilio(t, desk)
	mux := http.NewServeMux()
	mux.Handle("/chat/twilio/sms", w.SMS())
	mux.Handle("/chat/twilio/voice", w.Voice())
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	var tape tape
	if w.Health().Connected() {
		t.Error("connected before anybody called")
	}

	sms := func(sid, text string) url.Values {
		return url.Values{"MessageSid": {sid}, "From": {"+351910000000"}, "To": {"+15550100"}, "Body": {text}, "NumMedia": {"0"}}
	}
	twilioPost(t, &tape, server, smsURL, sms("SM1", "ack 12"))
	twilioPost(t, &tape, server, smsURL, sms("SM1", "ack 12")) // posted again: Twilio had no answer
	twilioPost(t, &tape, server, smsURL, sms("SM2", "resolve 99"))
	twilioPost(t, &tape, server, smsURL, sms("SM3", "who are you"))
	twilioPost(t, &tape, server, smsURL, sms("SM4", "call me"))
	stopped := sms("SM5", "STOP")
	stopped.Set("OptOutType", "STOP")
	twilioPost(t, &tape, server, smsURL, stopped)

	call := func(sid, digits string) url.Values {
		v := url.Values{"CallSid": {sid}, "From": {"+15550100"}, "To": {"+351910000000"}, "Direction": {"outbound-api"}, "CallStatus": {"in-progress"}}
		if digits != "" {
			v.Set("Digits", digits)
		}
		return v
	}
	at := w.CallURL("INC-12", "tok&1")
	twilioPost(t, &tape, server, at, call("CA1", ""))
	twilioPost(t, &tape, server, at+"&round=1", call("CA1", "2"))
	twilioPost(t, &tape, server, at+"&round=2", call("CA1", "3"))
	twilioPost(t, &tape, server, at+"&round=2", call("CA1", "1"))
	twilioPost(t, &tape, server, at+"&round=2", call("CA1", "1")) // replayed
	twilioPost(t, &tape, server, at+"&round=5", call("CA2", ""))  // a voice mail that has listened long enough
	inbound := call("CA3", "1")
	inbound.Set("Direction", "inbound")
	inbound.Set("From", "+351910000000")
	inbound.Set("To", "+15550100")
	twilioPost(t, &tape, server, voiceURL, inbound)

	golden(t, "golden/twilio.txt", tape.String())
	texts, calls := Person{Service: ServiceSMS, ID: "+351910000000"}, Person{Service: ServiceVoice, ID: "+351910000000"}
	show, ack := Command{Verb: Show, Incident: "INC-12"}, Command{Verb: Ack, Incident: "INC-12"}
	want := []Request{
		{Command: ack, From: texts, ID: "sms/SM1"},
		{Command: Command{Verb: Resolve, Incident: "INC-99"}, From: texts, ID: "sms/SM2"},
		{Command: Command{Verb: Who, Text: "are you"}, From: texts, ID: "sms/SM3"},
		{Command: show, From: calls, Token: "tok&1", ID: "voice/CA1/show/INC-12/0"},
		{Command: show, From: calls, Token: "tok&1", ID: "voice/CA1/show/INC-12/1"},
		{Command: Command{Verb: Escalate, Incident: "INC-12"}, From: calls, Token: "tok&1", ID: "voice/CA1/escalate/INC-12"},
		{Command: ack, From: calls, Token: "tok&1", ID: "voice/CA1/ack/INC-12"},
		{Command: show, From: calls, Token: "tok&1", ID: "voice/CA2/show/INC-12/5"},
		{Command: Command{Verb: Ack}, From: calls, ID: "voice/CA3/ack/"},
	}
	if got := desk.requests(); !reflect.DeepEqual(got, want) {
		t.Errorf("the desk was asked\n%+v\nwant\n%+v", got, want)
	}
	if !w.Health().Connected() {
		t.Error("not connected though Twilio posted")
	}
}

func TestTwilioRefusesWhatIsNotTwilios(t *testing.T) {
	desk := newClerk(nil)
	w := newTestTwilio(t, desk)
	form := url.Values{"MessageSid": {"SM1"}, "From": {"+351910000000"}, "Body": {"ack 12"}, "AccountSid": {"AC1"}}
	const typ = "application/x-www-form-urlencoded"
	signed := func(token, at string, f url.Values) map[string]string {
		return map[string]string{"X-Twilio-Signature": twilioSign(token, at, f)}
	}
	other := maps.Clone(form)
	other["AccountSid"] = []string{"AC2"}
	for name, c := range map[string]struct {
		typ, body string
		header    map[string]string
		want      int
	}{
		"not signed":      {typ, form.Encode(), nil, 403},
		"another token":   {typ, form.Encode(), signed("x", smsURL, form), 403},
		"another URL":     {typ, form.Encode(), signed(testAuthToken, voiceURL, form), 403},
		"another query":   {typ, form.Encode(), signed(testAuthToken, smsURL+"?a=1", form), 403},
		"more than that":  {typ, form.Encode() + "&Body=resolve+12", signed(testAuthToken, smsURL, form), 403},
		"another account": {typ, other.Encode(), signed(testAuthToken, smsURL, other), 403},
		"no form":         {"application/json", `{}`, nil, 415},
		"too large":       {typ, "Body=" + strings.Repeat("x", twilioBody), nil, 413},
		"broken":          {typ, "Body=%zz", nil, 400},
	} {
		if got := post(w.SMS(), "/chat/twilio/sms", c.typ, c.body, c.header); got.Code != c.want {
			t.Errorf("%s: %d, want %d", name, got.Code, c.want)
		}
	}
	get := httptest.NewRecorder()
	q := "?" + form.Encode()
	r := httptest.NewRequest(http.MethodGet, "/chat/twilio/sms"+q, nil)
	r.Header.Set("X-Twilio-Signature", twilioSign(testAuthToken, smsURL+q, nil))
	w.SMS().ServeHTTP(get, r)
	if get.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", get.Code)
	}
	if got := desk.requests(); len(got) != 0 {
		t.Errorf("acted: %+v", got)
	}
	if h := w.Health(); h.Connected() || !strings.Contains(h.LastError, "check the auth token") {
		t.Errorf("health %+v", h)
	}
}

// What cannot be done now is answered so that Twilio's fallback takes over, and is not taken for done.
func TestTwilioAgain(t *testing.T) {
	desk := newClerk(func(Request) Reply { return Reply{Again: true} })
	w := newTestTwilio(t, desk)
	form := url.Values{"MessageSid": {"SM1"}, "From": {"+351910000000"}, "Body": {"ack 12"}, "AccountSid": {"AC1"}}
	for range 2 {
		got := post(w.SMS(), "/", "application/x-www-form-urlencoded", form.Encode(), map[string]string{"X-Twilio-Signature": twilioSign(testAuthToken, smsURL, form)})
		if got.Code != http.StatusServiceUnavailable {
			t.Errorf("got %d", got.Code)
		}
	}
	if n := len(desk.requests()); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestTwilioOptions(t *testing.T) {
	for _, o := range []TwilioOptions{{}, {AuthTokens: []string{""}}, {AuthTokens: []string{"secret-x"}, SMSURL: "mw.example.org/sms"}, {AuthTokens: []string{"secret-x"}, VoiceURL: voiceURL + "?a=1"}} {
		if _, err := NewTwilio(o, newClerk(nil)); err == nil || strings.Contains(err.Error(), "secret-x") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
