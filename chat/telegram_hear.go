package chat

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/excerpt"
)

type telegramUpdate struct {
	ID      int64            `json:"update_id"`
	Message *telegramMessage `json:"message"`
	Press   *struct {
		ID      string           `json:"id"`
		From    telegramUser     `json:"from"`
		Message *telegramMessage `json:"message"`
		Data    string           `json:"data"`
	} `json:"callback_query"`
}

type telegramMessage struct {
	ID    int64 `json:"message_id"`
	Topic int64 `json:"message_thread_id"`
	Date  int64 `json:"date"` // 0: too old to be edited
	Chat  struct {
		ID   int64  `json:"id"`
		Type string `json:"type"`
	} `json:"chat"`
	From       *telegramUser    `json:"from"`
	SenderChat *struct{}        `json:"sender_chat"` // a channel or an anonymous admin speaks: nobody in particular
	Text       string           `json:"text"`
	ReplyTo    *telegramMessage `json:"reply_to_message"`
	InTopic    bool             `json:"is_topic_message"`
}

type telegramUser struct {
	ID       int64  `json:"id"`
	IsBot    bool   `json:"is_bot"`
	Username string `json:"username"`
	First    string `json:"first_name"`
}

func (u telegramUser) person() Person {
	return Person{ServiceTelegram, strconv.FormatInt(u.ID, 10), cmp.Or(u.Username, u.First)}
}

// telegramSpot is where an answer belongs.
type telegramSpot struct {
	press   string // the button's query
	card    Ref    // of the button
	place   string
	replyTo int64
}

func (m *telegramMessage) place() string {
	place := strconv.FormatInt(m.Chat.ID, 10)
	if m.InTopic && m.Topic != 0 {
		place += "/" + strconv.FormatInt(m.Topic, 10)
	}
	return place
}

func (m *telegramMessage) ref() Ref {
	return Ref{ServiceTelegram, m.place(), strconv.FormatInt(m.ID, 10)}
}

// hear reads an update; false if it asks for nothing. A request without a verb was meant for us and not understood.
func (t *Telegram) hear(u telegramUpdate) (r Request, spot telegramSpot, ok bool) {
	if p := u.Press; p != nil {
		r.Command, r.Token, ok = readPress(p.Data)
		if !ok || p.Message == nil {
			return r, spot, false
		}
		r.From, r.Card = p.From.person(), p.Message.ref()
		r.ID = "telegram/" + p.ID
		return r, telegramSpot{press: p.ID, card: r.Card, place: p.Message.place(), replyTo: p.Message.ID}, true
	}
	m := u.Message
	if m == nil || m.From == nil || m.From.IsBot || m.SenderChat != nil || m.Text == "" {
		return r, spot, false
	}
	t.mu.Lock()
	us, self := t.name, t.id
	t.mu.Unlock()
	answered := m.ReplyTo != nil && m.ReplyTo.From != nil && m.ReplyTo.From.ID == self
	var understood bool
	r.Command, understood = Parse(m.Text)
	private := m.Chat.Type == "private"
	first, _ := next(m.Text)
	_, bot, addressed := strings.Cut(first, "@")
	switch {
	case addressed && !strings.EqualFold(strings.TrimRight(bot, ",:"), us):
		return r, spot, false // "/ack@another_bot", "@somebody ack this?"
	case private, addressed:
	case !understood, !answered && !strings.HasPrefix(first, "/"), !meant(m.Text, r.Command):
		return r, spot, false // people among themselves, and other bots' commands
	}
	r.From = m.From.person()
	r.ID = "telegram/" + m.place() + "/" + strconv.FormatInt(m.ID, 10)
	if answered {
		r.Card = m.ReplyTo.ref()
	}
	return r, telegramSpot{place: m.place(), replyTo: m.ID}, true
}

// say answers a person. What fails here is only noted: the request itself is done.
func (t *Telegram) say(ctx context.Context, spot telegramSpot, reply Reply) {
	ctx, cancel := linger(ctx)
	defer cancel()
	noted := func(err error) {
		if err != nil {
			t.trouble(err)
			t.log.Warn("an answer in Telegram was not said", "err", err)
		}
	}
	text := lines(reply.Text, telegramText)
	if spot.press != "" {
		// A button turns until it is answered, with words or without. Only who pressed it sees them.
		toast := map[string]any{"callback_query_id": spot.press}
		if reply.Private || reply.Err || len(text) == 0 {
			if text != "" {
				toast["text"], toast["show_alert"] = excerpt.Bytes(text, telegramToast), reply.Err
			}
			text = ""
		}
		noted(insist(ctx, func() error { return t.call(ctx, "answerCallbackQuery", toast, nil, callTime) }))
		if reply.Card != nil {
			noted(t.Edit(ctx, spot.card, *reply.Card))
		}
	}
	if text != "" {
		_, err := t.send(ctx, spot.place, map[string]any{"text": text}, spot.replyTo)
		noted(err)
	}
}
