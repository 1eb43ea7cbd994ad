package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// What Slack delivers is read with small types of our own: the library's refuse a whole message for one block they do not
// know, and what is acted on is little.

type slackEvent struct {
	Event struct {
		Type        string `json:"type"`
		Subtype     string `json:"subtype"`
		User        string `json:"user"`
		BotID       string `json:"bot_id"`
		Text        string `json:"text"`
		TS          string `json:"ts"`
		ThreadTS    string `json:"thread_ts"`
		Channel     string `json:"channel"`
		ChannelType string `json:"channel_type"`
	} `json:"event"`
}

type slackPress struct {
	Type        string `json:"type"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	User        struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Name     string `json:"name"`
	} `json:"user"`
	Container struct {
		ChannelID   string `json:"channel_id"`
		MessageTS   string `json:"message_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message struct {
		ThreadTS string `json:"thread_ts"`
	} `json:"message"`
	Actions []struct {
		ActionID string `json:"action_id"`
		ActionTS string `json:"action_ts"`
		Value    string `json:"value"`
	} `json:"actions"`
}

type slackCommand struct {
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	ChannelID   string `json:"channel_id"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

// slackSpot is where an answer belongs.
type slackSpot struct {
	channel, thread, user string
	responseURL           string
	card                  Ref // of the button pressed; zero if none was
}

// serve acts on one delivery. ack is called once, as soon as the desk has answered and after slackAck at the latest, with
// whether the delivery is done with; what is said to people follows it.
func (s *Slack) serve(ctx context.Context, kind string, payload json.RawMessage, ack func(done bool)) {
	var once sync.Once
	late := time.AfterFunc(slackAck, func() { once.Do(func() { ack(true) }) })
	acked := func(done bool) (first bool) {
		late.Stop()
		once.Do(func() { ack(done); first = true })
		return first
	}
	r, spot, ok := s.hear(kind, payload)
	if !ok || !s.seen.first(r.ID) {
		acked(true)
		return
	}
	if r.Verb == "" {
		acked(true)
		s.say(ctx, spot, Reply{Text: notUnderstood, Private: true, Err: true})
		return
	}
	reply := ask(ctx, s.desk, s.log, r)
	if reply.Again {
		s.seen.forget(r.ID)
	}
	if acked(!reply.Again) && reply.Again && kind == string(socketmode.EventTypeEventsAPI) {
		return // it comes again by itself
	}
	s.say(ctx, spot, reply)
}

// hear reads a delivery; false if it asks for nothing. A request without a verb was meant for us and not understood.
func (s *Slack) hear(kind string, payload json.RawMessage) (Request, slackSpot, bool) {
	switch kind {
	case string(socketmode.EventTypeEventsAPI):
		return s.hearMessage(payload)
	case string(socketmode.EventTypeInteractive):
		return s.hearPress(payload)
	case string(socketmode.EventTypeSlashCommand):
		var c slackCommand
		if json.Unmarshal(payload, &c) != nil || c.UserID == "" || c.TriggerID == "" {
			return Request{}, slackSpot{}, false
		}
		command, _ := Parse(unslack(c.Text))
		if strings.TrimSpace(c.Text) == "" {
			command = Command{Verb: Help}
		}
		return Request{Command: command, From: Person{ServiceSlack, c.UserID, c.UserName}, ID: "slack/" + c.TriggerID},
			slackSpot{channel: c.ChannelID, user: c.UserID, responseURL: c.ResponseURL}, true
	}
	return Request{}, slackSpot{}, false
}

func (s *Slack) hearPress(payload json.RawMessage) (r Request, spot slackSpot, ok bool) {
	var p slackPress
	if json.Unmarshal(payload, &p) != nil || p.Type != "block_actions" || len(p.Actions) == 0 || p.User.ID == "" {
		return r, spot, false
	}
	a := p.Actions[0]
	r.Command, r.Token, ok = readPress(a.Value)
	if !ok || !strings.HasPrefix(a.ActionID, pressPrefix) {
		return r, spot, false // a link's button, or another app's idea
	}
	r.From = Person{ServiceSlack, p.User.ID, cmp.Or(p.User.Username, p.User.Name)}
	r.ID = "slack/" + cmp.Or(p.TriggerID, p.Container.ChannelID+"/"+p.Container.MessageTS+"/"+a.ActionTS)
	spot = slackSpot{
		channel: p.Container.ChannelID, thread: cmp.Or(p.Message.ThreadTS, p.Container.MessageTS),
		user: p.User.ID, responseURL: p.ResponseURL,
	}
	if !p.Container.IsEphemeral {
		r.Card = Ref{ServiceSlack, p.Container.ChannelID, p.Container.MessageTS}
		spot.card = r.Card
	}
	return r, spot, true
}

func (s *Slack) hearMessage(payload json.RawMessage) (r Request, spot slackSpot, ok bool) {
	var p slackEvent
	if json.Unmarshal(payload, &p) != nil {
		return r, spot, false
	}
	e := p.Event
	if e.User == "" || e.BotID != "" || e.Channel == "" || e.TS == "" || e.Subtype != "" && e.Subtype != "thread_broadcast" {
		return r, spot, false // a machine's, an edited one, somebody joining
	}
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	if e.User == self {
		return r, spot, false
	}
	text := unslack(e.Text)
	command, understood := Parse(text)
	switch {
	case e.Type == "app_mention", e.Type == "message" && e.ChannelType == "im":
	case e.Type == "message" && e.ThreadTS != "":
		if !understood || !meant(text, command) {
			return r, spot, false // people among themselves; whoever mentions us is heard as a mention
		}
	default:
		return r, spot, false
	}
	r = Request{Command: command, From: Person{Service: ServiceSlack, ID: e.User}, ID: "slack/" + e.Channel + "/" + e.TS}
	spot = slackSpot{channel: e.Channel, thread: e.ThreadTS, user: e.User}
	if e.ThreadTS != "" {
		r.Card = Ref{ServiceSlack, e.Channel, e.ThreadTS}
	}
	if spot.thread == "" && e.ChannelType != "im" {
		spot.thread = e.TS // an answer below the question, not one for the whole channel
	}
	return r, spot, true
}

// say answers a person. What fails here is only noted: the request itself is done.
func (s *Slack) say(ctx context.Context, spot slackSpot, reply Reply) {
	ctx, cancel := linger(ctx)
	defer cancel()
	if reply.Card != nil && spot.card != (Ref{}) {
		if err := s.Edit(ctx, spot.card, *reply.Card); err != nil {
			s.trouble(err)
			s.log.Warn("a card in Slack was not brought up to date", "err", err)
		}
	}
	text := escapeSlack(lines(reply.Text, slackText))
	if text == "" {
		return
	}
	private := reply.Private || reply.Err
	err := insist(ctx, func() error {
		var err error
		switch {
		case spot.responseURL != "" && (private || spot.card == (Ref{})) && s.mayAnswer(spot.responseURL):
			kind := slack.ResponseTypeInChannel
			if private {
				kind = slack.ResponseTypeEphemeral
			}
			_, _, err = s.api.PostMessageContext(ctx, "", slack.MsgOptionText(text, false), slack.MsgOptionResponseURL(spot.responseURL, kind))
		case private && !strings.HasPrefix(spot.channel, "D"):
			_, err = s.api.PostEphemeralContext(ctx, spot.channel, spot.user, s.thread(spot.thread, text)...)
		default:
			_, _, err = s.api.PostMessageContext(ctx, spot.channel, s.thread(spot.thread, text)...)
		}
		return s.error("an answer", spot.channel, err)
	})
	if err != nil {
		s.trouble(err)
		s.log.Warn("an answer in Slack was not said", "err", err)
	}
}

func (s *Slack) thread(ts, text string) []slack.MsgOption {
	options := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionDisableLinkUnfurl()}
	if ts != "" {
		options = append(options, slack.MsgOptionTS(ts))
	}
	return options
}

// mayAnswer says whether a response URL leads to Slack. It came from Slack; should that ever fail to be so, nothing inside our
// own network is posted to.
func (s *Slack) mayAnswer(to string) bool {
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	if base, err := url.Parse(s.o.BaseURL); err == nil && base.Scheme == u.Scheme && base.Host == u.Host {
		return true
	}
	host := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && (strings.HasSuffix(host, ".slack.com") || strings.HasSuffix(host, ".slack-gov.com"))
}

var (
	slackLink  = regexp.MustCompile(`<((?:https?|mailto|tel):[^|>]+)(?:\|([^>]*))?>`)
	slackGroup = regexp.MustCompile(`<[#!]([^|>]+)(?:\|([^>]*))?>`)
	slackUser  = regexp.MustCompile(`<@([A-Z0-9]+)\|[^>]*>`)
)

// unslack turns Slack's notation of links and channels into words. Mentions of users stay: they name somebody exactly.
func unslack(text string) string {
	text = slackUser.ReplaceAllString(text, "<@$1>")
	text = slackLink.ReplaceAllStringFunc(text, func(s string) string {
		m := slackLink.FindStringSubmatch(s)
		return cmp.Or(m[2], m[1])
	})
	text = slackGroup.ReplaceAllStringFunc(text, func(s string) string {
		m := slackGroup.FindStringSubmatch(s)
		return cmp.Or(m[2], m[1])
	})
	return html.UnescapeString(text)
}

func envelopeOf(message json.RawMessage) string {
	var e struct {
		ID string `json:"envelope_id"`
	}
	_ = json.Unmarshal(message, &e)
	return e.ID
}
