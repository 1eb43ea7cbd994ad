package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	commoncfg "github.com/prometheus/common/config"
)

// DefaultTwilioURL is where Twilio's REST API is.
const DefaultTwilioURL = "https://api.twilio.com"

const (
	// smsLetters is the length of two text messages in one; a third would hold little more than what the page itself says,
	// and each is paid for.
	smsLetters = 306

	// smsTitle is how much of the title a text message shows at least, before the link gives way to a shorter one.
	smsTitle = 40

	// callRings is how long a phone rings, in seconds: less than most mailboxes wait, so that no page is told to a machine.
	callRings = 25

	// callWaits is how long a call waits for a key after it has spoken, in seconds.
	callWaits = 8

	// twimlLimit is the longest instruction that Twilio takes with a call, in characters.
	twimlLimit = 4000
)

// Twilio is an account that sends text messages and makes calls (https://www.twilio.com/docs/usage/api).
type Twilio struct {
	APIURL       string
	AccountSID   string
	AuthToken    Secret // of the account, or
	APIKeySID    string // a key of it
	APIKeySecret Secret
	From         string // the number it comes from, or a sender's name
	To           string // a number such as +46701234567
	SendResolved bool
	HTTP         *commoncfg.HTTPClientConfig // nil: the default
}

// SMS sends text messages by Twilio.
type SMS struct {
	Twilio
	MessagingServiceSID string // in place of From
	Message             string // template; empty: ours
}

// Voice calls by Twilio, and speaks.
type Voice struct {
	Twilio
	Language string // of the voice, such as en-GB; empty: Twilio's default
	Voice    string // Twilio's name of one; empty: its default
}

func (c *Twilio) resolved() bool { return c.SendResolved }

func (c *SMS) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "sms", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &sms{twilio{w, &c.Twilio}, c}, nil
}

func (c *Voice) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "voice", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &voice{twilio{w, &c.Twilio}, c}, nil
}

type twilio struct {
	*wire
	account *Twilio
}

type sms struct {
	twilio
	conf *SMS
}

type voice struct {
	twilio
	conf *Voice
}

// Send implements Sender. Twilio knows no idempotency key: an attempt that was cut off may come twice.
func (s *sms) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	if m.Event == EventStandDown {
		return nothingToTakeBack
	}
	var why error
	text := s.wording(ctx, m, s.conf.Message, "", &why)
	if text == "" {
		text = smsText(m)
	} else {
		text = gsmCut(gsm(strings.TrimSpace(text)), smsLetters)
	}
	form := url.Values{"To": {s.account.To}, "Body": {text}}
	if s.conf.MessagingServiceSID != "" {
		form.Set("MessagingServiceSid", s.conf.MessagingServiceSID)
	} else {
		form.Set("From", s.account.From)
	}
	return s.worded(m, s.post(ctx, "Messages.json", form), why)
}

// Send implements Sender. What can wait until somebody looks (a digest, a change of time on call) is no reason for a call.
func (s *voice) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	switch m.Event {
	case EventPage, EventAckExpiring, EventResolved:
	case EventStandDown:
		return nothingToTakeBack
	default:
		return Verdict{Outcome: Delivered, Answer: "nobody is called for what is only good to know"}
	}
	text, err := s.twiml(m)
	if err != nil {
		return s.fail(err)
	}
	return s.post(ctx, "Calls.json", url.Values{
		"To": {s.account.To}, "From": {s.account.From}, "Twiml": {text}, "Timeout": {strconv.Itoa(callRings)},
	})
}

var nothingToTakeBack = Verdict{Outcome: Delivered, Answer: "nothing to take back"}

func (s *twilio) post(ctx context.Context, resource string, form url.Values) Verdict {
	user, secret, key := s.account.AccountSID, s.account.AuthToken, "auth_token"
	if s.account.APIKeySID != "" {
		user, secret, key = s.account.APIKeySID, s.account.APIKeySecret, "api_key_secret"
	}
	pass, err := secret.read(key)
	if err != nil {
		return s.fail(err)
	}
	_, v, _ := s.do(ctx, call{
		method: http.MethodPost,
		url:    strings.TrimRight(s.account.APIURL, "/") + "/2010-04-01/Accounts/" + url.PathEscape(s.account.AccountSID) + "/" + resource,
		kind:   "application/x-www-form-urlencoded", body: []byte(form.Encode()),
		user: user, pass: pass, secrets: []string{pass},
	}, twilioWords)
	return v
}

// twilioWords is what became of the message or call, or Twilio's error with its code, which its documentation explains at
// https://www.twilio.com/docs/api/errors/<code>.
func twilioWords(r reply) string {
	var a struct {
		SID, Status, Message string
		Code                 int
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(r.body, &raw) != nil {
		return string(r.body)
	}
	for name, to := range map[string]any{"sid": &a.SID, "status": &a.Status, "message": &a.Message, "code": &a.Code} {
		_ = json.Unmarshal(raw[name], to) // status is a word of a message and a number of an error
	}
	if r.status/100 == 2 {
		return strings.TrimSpace(a.Status + " " + a.SID)
	}
	if a.Code == 0 {
		return a.Message
	}
	return fmt.Sprintf("Twilio error %d: %s", a.Code, a.Message)
}

// smsText is the page as one short text: what, how bad, since when, how to answer, the link.
func smsText(m Message) string {
	p, page := m.Page, viewOf(m)
	if p.Duty != nil && len(p.Incidents) == 0 {
		return smsDuty(page, p.IncidentURL)
	}
	loc := zoneOf(p.TimeZone)
	title := gsm(said(cmp.Or(p.Title, page.Headline), titleLength))
	head := strings.TrimSpace(p.Incident + " " + p.Severity)
	tail := ""
	switch {
	case m.Event == EventResolved:
		head = strings.TrimSpace(p.Incident + " resolved")
	case len(p.Incidents) > 0:
		var names []string
		for _, b := range worstFirst(p.Incidents) {
			names = append(names, strings.TrimSpace(b.Incident+" "+b.Severity)+" "+said(b.Title, smsTitle))
		}
		head, title = gsm(page.Headline), gsm(enumerate(names, 3))
	case m.Event == EventAckExpiring:
		tail = " Your acknowledgement runs out"
		if !p.NextAt.IsZero() {
			tail += " at " + p.NextAt.In(loc).Format("15:04 MST")
		}
		tail += "."
	case !p.OpenedAt.IsZero():
		tail = ", since " + p.OpenedAt.In(loc).Format("15:04 MST") + "."
	}
	if number := incidentNumber(p.Incident); number != "" && page.ActionURL != "" {
		tail += " Reply ACK " + number + "."
	}
	write := func(title, url string) string {
		text := strings.TrimPrefix(head+": "+title, ": ")
		if !strings.HasPrefix(tail, ",") && !strings.HasSuffix(text, ".") {
			text += "."
		}
		return strings.TrimSpace(text + tail + " " + url)
	}
	for _, u := range []string{page.ActionURL, p.IncidentURL} {
		if u == "" {
			continue
		}
		rest, _ := gsmLength(write("", u))
		text := write(gsmCut(title, max(smsTitle, smsLetters-rest)), u)
		if n, _ := gsmLength(text); n <= smsLetters {
			return text
		}
	}
	return gsmCut(write(title, ""), smsLetters)
}

// smsDuty says something about time on call in one short text, and where the rest is.
func smsDuty(v view, url string) string {
	text := v.Headline + ". " + v.Lead
	for i, it := range v.Items {
		text += pick(i == 0, ": ", "; ") + it.Name + " in " + it.Note + " " + it.Details
	}
	if url = strings.TrimSpace(url); url != "" {
		url = " " + url
	}
	return gsmCut(gsm(strings.TrimSuffix(text, ".")), smsLetters-1-len(url)) + "." + url
}

// incidentNumber is 12 of INC-12: what a thumb can write.
func incidentNumber(id string) string {
	number := strings.TrimPrefix(id, "INC-")
	if _, err := strconv.Atoi(number); err != nil {
		return ""
	}
	return number
}

// twiml is what a call says. It says it twice, because nobody understands the first words of a call at night, and takes the
// key 1 where there is an address to tell of it.
func (s *voice) twiml(m Message) (string, error) {
	lines := spoken(m)
	say := func(text string) twimlSay {
		return twimlSay{Text: text, Language: s.conf.Language, Voice: s.conf.Voice}
	}
	if m.Page.CallURL != "" && viewOf(m).ActionURL != "" {
		lines += " Press 1 to acknowledge."
	}
	for {
		twice := []any{say("This is Midwatch. " + lines), twimlPause{Length: 1}, say("Again. " + lines)}
		response := twimlResponse{}
		if m.Page.CallURL != "" && viewOf(m).ActionURL != "" {
			response.Verbs = []any{
				twimlGather{Input: "dtmf", NumDigits: 1, Timeout: callWaits, Action: m.Page.CallURL, Method: http.MethodPost, Verbs: twice},
				say("No key was pressed. Goodbye."),
			}
		} else {
			response.Verbs = append(twice, say("Goodbye."))
		}
		text, err := xml.Marshal(response)
		if err != nil {
			return "", err
		}
		if len(text)+len(xmlHead) <= twimlLimit {
			return xmlHead + string(text), nil
		}
		// Only an address of thousands of letters comes here.
		if len(lines) <= smsTitle {
			return "", fmt.Errorf("the address for the answer to a call has %d letters, too many for Twilio", len(m.Page.CallURL))
		}
		lines = cut(lines, len(lines)/2)
	}
}

const xmlHead = `<?xml version="1.0" encoding="UTF-8"?>`

type twimlResponse struct {
	XMLName xml.Name `xml:"Response"`
	Verbs   []any
}

type twimlGather struct {
	XMLName   xml.Name `xml:"Gather"`
	Input     string   `xml:"input,attr"`
	NumDigits int      `xml:"numDigits,attr"`
	Timeout   int      `xml:"timeout,attr"`
	Action    string   `xml:"action,attr"`
	Method    string   `xml:"method,attr"`
	Verbs     []any
}

type twimlSay struct {
	XMLName  xml.Name `xml:"Say"`
	Language string   `xml:"language,attr,omitempty"`
	Voice    string   `xml:"voice,attr,omitempty"`
	Text     string   `xml:",chardata"`
}

type twimlPause struct {
	XMLName xml.Name `xml:"Pause"`
	Length  int      `xml:"length,attr"`
}

// spoken is the page as one says it on the phone: no addresses, no abbreviations.
func spoken(m Message) string {
	p := m.Page
	title := strings.TrimRight(said(cmp.Or(p.Title, viewOf(m).Headline), titleLength), ".")
	var b strings.Builder
	what := "Incident"
	if number := incidentNumber(p.Incident); number != "" {
		what += " " + number
	}
	if level, ok := strings.CutPrefix(p.Severity, "sev"); ok {
		what += ", severity " + level
	}
	switch {
	case len(p.Incidents) > 0:
		fmt.Fprintf(&b, "%s.", viewOf(m).Headline)
		for _, one := range worstFirst(p.Incidents)[:min(len(p.Incidents), 3)] {
			fmt.Fprintf(&b, " %s.", strings.TrimRight(said(one.Title, 60), "."))
		}
	case m.Event == EventResolved:
		fmt.Fprintf(&b, "%s, is resolved. %s.", what, title)
	case m.Event == EventAckExpiring:
		fmt.Fprintf(&b, "Your acknowledgement of %s, runs out. %s.", strings.ToLower(what[:1])+what[1:], title)
	default:
		fmt.Fprintf(&b, "%s. %s.", what, title)
	}
	if m.Event == EventPage && !p.OpenedAt.IsZero() && m.At.Sub(p.OpenedAt) >= time.Minute && len(p.Incidents) == 0 {
		fmt.Fprintf(&b, " It began %s ago.", count(int(m.At.Sub(p.OpenedAt)/time.Minute), "minute"))
	}
	return b.String()
}
