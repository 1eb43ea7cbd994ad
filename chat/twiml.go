package chat

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// again tells Twilio that it did not work; what it does then is configured there: its fallback URL.
func again(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "not now; another node leads, or this one is starting", http.StatusServiceUnavailable)
}

// verbs are what Twilio is told to do, in this order.
type verbs struct {
	Message        string
	Gather, Action string // said until a key is pressed, which is posted to Action
	Say            string
	Hangup         bool
}

// twiml answers Twilio. The text is escaped by the encoder; what XML cannot hold at all is replaced by it.
func (t *Twilio) twiml(w http.ResponseWriter, v verbs) {
	type say struct {
		Voice    string `xml:"voice,attr,omitempty"`
		Language string `xml:"language,attr,omitempty"`
		Loop     int    `xml:"loop,attr,omitempty"`
		Text     string `xml:",chardata"`
	}
	type gather struct {
		Action  string `xml:"action,attr"`
		Method  string `xml:"method,attr"`
		Digits  int    `xml:"numDigits,attr"`
		Timeout int    `xml:"timeout,attr"`
		Say     say
	}
	var response struct {
		XMLName xml.Name  `xml:"Response"`
		Message string    `xml:",omitempty"`
		Gather  *gather   `xml:",omitempty"`
		Say     *say      `xml:",omitempty"`
		Hangup  *struct{} `xml:",omitempty"`
	}
	response.Message = v.Message
	speak := func(text string, times int) say { return say{t.o.Voice, t.o.Language, times, text} }
	if v.Gather != "" {
		response.Gather = &gather{Action: v.Action, Method: http.MethodPost, Digits: 1, Timeout: gatherWait, Say: speak(v.Gather, 2)}
	}
	if v.Say != "" {
		s := speak(v.Say, 0)
		response.Say = &s
	}
	if v.Hangup {
		response.Hangup = &struct{}{}
	}
	body, err := xml.Marshal(response)
	if err != nil {
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, xml.Header)
	_, _ = w.Write(body)
}

// speech makes words fit to be read out: signs are left out, and an incident's name is said as a word and a number.
func speech(s string) string {
	s = strings.NewReplacer("INC-", "incident ", "`", "", "*", "", "_", " ", "/", " ", "<", " ", ">", " ", "\n", ". ").Replace(lines(s, spokenLimit))
	s = line(s, spokenLimit)
	if s != "" && !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}
