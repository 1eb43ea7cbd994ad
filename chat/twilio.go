package chat

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// twilioBody is the largest body taken. Twilio posts some thirty short values.
	twilioBody = 64 << 10

	// smsLimit keeps an answer to two text messages of the large alphabet, or three of the small one.
	smsLimit = 320

	// callRounds is how often a call reads the incident out before it hangs up: a voice mail must not be talked to for hours.
	callRounds = 5

	// spokenLimit is how much is read out, in bytes: about half a minute.
	spokenLimit = 500

	// gatherWait is how many seconds a call waits for a key.
	gatherWait = 8
)

// TwilioOptions are how Twilio's requests are known to be Twilio's.
type TwilioOptions struct {
	// AuthTokens verify the signature; any one may have made it, so that a token can be replaced. Required.
	AuthTokens []string
	// AccountSID is checked if it is not empty.
	AccountSID string
	// SMSURL and VoiceURL are where Twilio posts to, as configured there, without a query: the signature covers them. A proxy in
	// front of us may make them differ from what we are asked for.
	SMSURL, VoiceURL string
	// Voice and Language are Twilio's names, "Polly.Joanna-Neural" and "en-GB"; empty is Twilio's default.
	Voice, Language string

	Logger *slog.Logger
}

// Twilio hears text messages and the keys pressed in calls. SMS and Voice are its handlers; it has nothing to run, and is
// connected since Twilio first posted what it had signed: before, nothing is known.
type Twilio struct {
	o    TwilioOptions
	desk Desk
	log  *slog.Logger
	seen seen
	pulse
}

// NewTwilio checks the options.
func NewTwilio(o TwilioOptions, desk Desk) (*Twilio, error) {
	if len(o.AuthTokens) == 0 || slices.Contains(o.AuthTokens, "") {
		return nil, errors.New("twilio: the auth token is missing; it is on the console's first page, and signs what Twilio posts")
	}
	for _, s := range []string{o.SMSURL, o.VoiceURL} {
		if u, err := url.Parse(s); s != "" && (err != nil || !web(s) || u.RawQuery != "") {
			return nil, fmt.Errorf("twilio: %q is not where Twilio can post to; give the external URL, with scheme and without a query", s)
		}
	}
	return &Twilio{o: o, desk: desk, log: logger(o.Logger).With("service", "twilio")}, nil
}

// CallURL is where a call's Gather posts the keys pressed: VoiceURL, with the incident and the signed claim of the person called.
func (t *Twilio) CallURL(incident, token string) string {
	q := url.Values{}
	if incident != "" {
		q.Set("incident", incident)
	}
	if token != "" {
		q.Set("token", token)
	}
	if len(q) == 0 {
		return t.o.VoiceURL
	}
	return t.o.VoiceURL + "?" + q.Encode()
}

// SMS handles a text message that somebody sent: the webhook "A message comes in" of a number or messaging service.
func (t *Twilio) SMS() http.Handler {
	return t.handler(t.o.SMSURL, func(w http.ResponseWriter, r *http.Request, form url.Values) {
		sid := cmp.Or(form.Get("MessageSid"), form.Get("SmsSid"))
		who := Person{Service: ServiceSMS, ID: form.Get("From"), Name: line(form.Get("ProfileName"), valueLimit)}
		if sid == "" || who.ID == "" || form.Get("OptOutType") != "" { // STOP, START and HELP: Twilio has answered those
			t.twiml(w, verbs{})
			return
		}
		id := "sms/" + sid
		if !t.seen.first(id) {
			t.twiml(w, verbs{})
			return
		}
		c, ok := Parse(form.Get("Body"))
		if !ok {
			t.twiml(w, verbs{Message: "Not understood. Reply ACK 12, RESOLVE 12, ESCALATE 12, WHO or COMMANDS."})
			return
		}
		reply := ask(r.Context(), t.desk, t.log, Request{Command: c, From: who, ID: id})
		if reply.Again {
			t.seen.forget(id)
			again(w)
			return
		}
		t.twiml(w, verbs{Message: lines(reply.Text, smsLimit)})
	})
}

// Voice handles a call: the action of a page's Gather, and the webhook "A call comes in" of a number. 1 acknowledges, 2 says it
// again, 3 escalates.
func (t *Twilio) Voice() http.Handler {
	return t.handler(t.o.VoiceURL, func(w http.ResponseWriter, r *http.Request, form url.Values) {
		// In a call that we made, the person is the one called.
		number := form.Get("To")
		if form.Get("Direction") == "inbound" {
			number = form.Get("From")
		}
		call, q := form.Get("CallSid"), r.URL.Query()
		round, _ := strconv.Atoi(q.Get("round"))
		if call == "" || number == "" || form.Get("CallStatus") == "completed" {
			t.twiml(w, verbs{})
			return
		}
		request := Request{From: Person{Service: ServiceVoice, ID: number}, Token: q.Get("token")}
		request.Incident = incidentOf(q.Get("incident"))
		pressed := form.Get("Digits")
		switch pressed {
		case "1":
			request.Verb = Ack
		case "3":
			request.Verb = Escalate
		default:
			request.Verb = Show
		}
		request.ID = "voice/" + call + "/" + string(request.Verb) + "/" + request.Incident
		if request.Verb == Show {
			request.ID += "/" + strconv.Itoa(round)
		} else if !t.seen.first(request.ID) {
			t.twiml(w, verbs{Say: "That was done already. Goodbye.", Hangup: true})
			return
		}
		reply := ask(r.Context(), t.desk, t.log, request)
		if reply.Again { // a person holds the line: they can press the key once more
			reply.Text, reply.Err = "That cannot be done just now.", true
		}
		if reply.Err {
			t.seen.forget(request.ID)
		}
		said := speech(reply.Text)
		if done := request.Verb != Show && !reply.Err; done || round >= callRounds || request.Verb == Show && reply.Err && !reply.Again {
			t.twiml(w, verbs{Say: said + " Goodbye.", Hangup: true})
			return
		}
		q.Set("round", strconv.Itoa(round+1))
		t.twiml(w, verbs{
			Gather: said + " Press 1 to acknowledge. Press 2 to hear this again. Press 3 to escalate.",
			Action: t.o.VoiceURL + "?" + q.Encode(), Say: "No key was pressed. Goodbye.", Hangup: true,
		})
	})
}

// handler lets through what Twilio posted and signed.
func (t *Twilio) handler(at string, act func(http.ResponseWriter, *http.Request, url.Values)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost { // signed or not, a GET changes nothing
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Twilio posts here; choose HTTP POST for the webhook in its console", http.StatusMethodNotAllowed)
			return
		}
		if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/x-www-form-urlencoded" {
			http.Error(w, "Twilio posts forms", http.StatusUnsupportedMediaType)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, twilioBody))
		if err != nil {
			http.Error(w, "the body is too large or was cut off", http.StatusRequestEntityTooLarge)
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			http.Error(w, "the body is no form", http.StatusBadRequest)
			return
		}
		full := at
		if r.URL.RawQuery != "" {
			full += "?" + r.URL.RawQuery
		}
		if !t.signed(full, form, r.Header.Get("X-Twilio-Signature")) || t.o.AccountSID != "" && form.Get("AccountSid") != t.o.AccountSID {
			t.trouble(errors.New("twilio: a request was not signed by Twilio for us; check the auth token and the external URL"))
			http.Error(w, "the signature is missing or wrong; check the auth token, and that the external URL is the one configured at Twilio", http.StatusForbidden)
			return
		}
		t.up()
		act(w, r, form)
	})
}

// signed checks Twilio's signature: HMAC-SHA1, in base64, over the URL followed by each value after its name, sorted by name.
// Whether a port is part of the URL Twilio itself is not sure about.
func (t *Twilio) signed(full string, form url.Values, signature string) bool {
	var values strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		all := slices.Clone(form[name])
		slices.Sort(all)
		for _, v := range slices.Compact(all) {
			values.WriteString(name)
			values.WriteString(v)
		}
	}
	ok := 0
	for _, token := range t.o.AuthTokens {
		for _, u := range ports(full) {
			h := hmac.New(sha1.New, []byte(token))
			_, _ = io.WriteString(h, u+values.String())
			ok |= subtle.ConstantTimeCompare([]byte(base64.StdEncoding.EncodeToString(h.Sum(nil))), []byte(signature))
		}
	}
	return ok == 1
}

// ports are the forms of a URL that may have been signed: as it is, without its port, and with the usual one.
func ports(full string) []string {
	all := []string{full}
	u, err := url.Parse(full)
	if err != nil {
		return all
	}
	scheme, rest, _ := strings.Cut(full, "://")
	with := func(host string) string { return scheme + "://" + strings.Replace(rest, u.Host, host, 1) }
	if port := u.Port(); port != "" {
		return append(all, with(strings.TrimSuffix(u.Host, ":"+port)))
	}
	return append(all, with(u.Host+map[string]string{"http": ":80"}[scheme]+map[string]string{"https": ":443"}[scheme]))
}
