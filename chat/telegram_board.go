package chat

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
)

// send posts a message in a chat, in answer to another if replyTo is not 0, and follows a group that became a supergroup.
func (t *Telegram) send(ctx context.Context, place string, message map[string]any, replyTo int64) (Ref, error) {
	chat, topic := telegramPlace(place)
	message["chat_id"] = chat
	message["link_preview_options"] = map[string]bool{"is_disabled": true}
	if topic != 0 {
		message["message_thread_id"] = topic
	}
	if replyTo != 0 {
		message["reply_parameters"] = map[string]any{"message_id": replyTo, "allow_sending_without_reply": true}
	}
	var sent telegramMessage
	post := func() error {
		return insist(ctx, func() error { return t.call(ctx, "sendMessage", message, &sent, callTime) })
	}
	err := post()
	var fault *telegramFault
	if errors.As(err, &fault) && fault.migratedTo != 0 {
		chat = strconv.FormatInt(fault.migratedTo, 10)
		message["chat_id"] = chat
		err = post()
	}
	if err != nil {
		return Ref{}, err
	}
	if topic != 0 {
		chat += "/" + strconv.FormatInt(topic, 10)
	}
	return Ref{ServiceTelegram, chat, strconv.FormatInt(sent.ID, 10)}, nil
}

// Post shows a card in a chat: its number, "@channel", or "number/topic".
func (t *Telegram) Post(ctx context.Context, place string, c Card) (Ref, error) {
	return t.send(ctx, place, telegramCard(c), 0)
}

// Edit brings a card up to date. A card that is so already is no error.
func (t *Telegram) Edit(ctx context.Context, at Ref, c Card) error {
	message := telegramCard(c)
	message["chat_id"], _ = telegramPlace(at.Place)
	id, err := strconv.ParseInt(at.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("telegram: %q is no message; it was not posted here", at.ID)
	}
	message["message_id"] = id
	message["link_preview_options"] = map[string]bool{"is_disabled": true}
	return insist(ctx, func() error { return t.call(ctx, "editMessageText", message, nil, callTime) })
}

// Say answers a card with a line; Telegram shows it with what it answers.
func (t *Telegram) Say(ctx context.Context, at Ref, words string) error {
	id, err := strconv.ParseInt(at.ID, 10, 64)
	if err != nil {
		return fmt.Errorf("telegram: %q is no message; it was not posted here", at.ID)
	}
	_, err = t.send(ctx, at.Place, map[string]any{"text": lines(words, telegramText), "disable_notification": true}, id)
	return err
}

// telegramCard is a card as HTML of Telegram's small kind, with its buttons in rows of two.
func telegramCard(c Card) map[string]any {
	var rows [][]map[string]string
	shown := 0
	for _, a := range c.Actions {
		data := a.press(c.Incident)
		if len(data) > telegramButton {
			a.Token = "" // who presses is known to Telegram; the token says nothing more
			data = a.press(c.Incident)
		}
		label := line(a.Label, telegramButton)
		if len(data) > telegramButton || label == "" || shown == buttonLimit {
			continue
		}
		if shown%2 == 0 {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], map[string]string{"text": label, "callback_data": data})
		shown++
	}
	if rows == nil {
		rows = [][]map[string]string{} // takes the buttons of an earlier card away
	}
	return map[string]any{
		"text": htmlCard(c, "\n"), "parse_mode": "HTML", "reply_markup": map[string]any{"inline_keyboard": rows},
	}
}

// htmlLimit is for the whole card, below Telegram's 4096 characters.
const htmlLimit = 4000

// htmlCard writes a card with b, i and a, which Telegram and Matrix both know. Whole parts are left out from the end of what
// may be: half a tag would lose the message.
func htmlCard(c Card, eol string) string {
	bold := func(s string) string { return "<b>" + html.EscapeString(s) + "</b>" }
	parts := []string{strings.TrimSpace(lamps[c.Status] + " " + bold(noPings(c.headline())))}
	if title := line(c.Title, titleLimit); title != "" {
		parts = append(parts, bold(noPings(title)))
	}
	var links []string
	for _, l := range c.links() {
		if len(l[1]) <= htmlLimit/8 {
			links = append(links, `<a href="`+html.EscapeString(l[1])+`">`+l[0]+`</a>`)
		}
	}
	if len(links) > 0 {
		parts = append(parts, strings.Join(links, " · "))
	}
	for _, f := range c.facts() {
		parts = append(parts, bold(f[0])+": "+html.EscapeString(noPings(f[1])))
	}
	var optional []string
	if shown, more := c.labels(); len(shown) > 0 {
		words := "<i>" + html.EscapeString(noPings(strings.Join(shown, ", "))) + "</i>"
		if more > 0 {
			words += fmt.Sprintf(" and %d more", more)
		}
		optional = append(optional, words)
	}
	if latest := c.latest(); len(latest) > 0 {
		optional = append(optional, "")
		for _, l := range latest {
			optional = append(optional, html.EscapeString(noPings(l)))
		}
	}
	size := len(strings.Join(parts, eol))
	for _, o := range optional {
		if size += len(eol) + len(o); size > htmlLimit {
			break
		}
		parts = append(parts, o)
	}
	return strings.Join(parts, eol)
}
