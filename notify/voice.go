package notify

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/excerpt"
)

const (
	// callRings is how long a phone rings, in seconds: less than most mailboxes wait, so that no page is told to a machine.
	callRings = 25

	// callWaits is how long a call waits for a key after it has spoken, in seconds.
	callWaits = 8

	// twimlLimit is the longest instruction that Twilio takes with a call, in characters.
	twimlLimit = 4000
)

// Voice calls by Twilio, and speaks.
type Voice struct {
	Twilio
	Language string // of the voice, such as en-GB; empty: Twilio's default
	Voice    string // Twilio's name of one; empty: its default
}

func (c *Voice) build(name string, o Options) (Sender, error) {
	w, err := newWire(name, "voice", c.HTTP, c, o)
	if err != nil {
		return nil, err
	}
	return &voice{twilio{w, &c.Twilio}, c}, nil
}

type voice struct {
	twilio
	conf *Voice
}

// Send implements Sender. What can wait until somebody looks (a digest, a change of time on call) is no reason for a call.
func (s *voice) Send(ctx context.Context, m Message) (v Verdict) {
	defer mustNotPanic(&v, s.logger())
	if v, ok := s.begin(m); !ok {
		return v
	}
	switch m.Event {
	case EventPage, EventTest, EventAckExpiring, EventResolved:
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
		lines = excerpt.Bytes(lines, len(lines)/2)
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
	case m.Event == EventTest:
		fmt.Fprintf(&b, "%s.", title)
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
