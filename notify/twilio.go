package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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

func (c *Twilio) resolved() bool { return c.SendResolved }

func (c *SMS) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "sms", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &sms{twilio{w, &c.Twilio}, c}, nil
}

type twilio struct {
	*wire
	account *Twilio
}

type sms struct {
	twilio
	conf *SMS
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
