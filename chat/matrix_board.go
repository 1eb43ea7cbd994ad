package chat

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// say answers a person below what they said. What fails here is only noted: the request itself is done.
func (m *Matrix) say(ctx context.Context, room, thread, to string, reply Reply, card Ref) {
	ctx, cancel := linger(ctx)
	defer cancel()
	if reply.Card != nil && card != (Ref{}) {
		if err := m.Edit(ctx, card, *reply.Card); err != nil {
			m.trouble(err)
			m.log.Warn("a card in Matrix was not brought up to date", "err", err)
		}
	}
	if text := lines(reply.Text, textLimit); text != "" {
		_, err := m.send(ctx, room, map[string]any{"msgtype": "m.notice", "body": noPings(text), "m.mentions": struct{}{}, "m.relates_to": inThread(thread, to)})
		if err != nil {
			m.trouble(err)
			m.log.Warn("an answer in Matrix was not said", "err", err)
		}
	}
}

func inThread(thread, to string) map[string]any {
	return map[string]any{"rel_type": "m.thread", "event_id": thread, "is_falling_back": thread == to, "m.in_reply_to": map[string]string{"event_id": to}}
}

// send puts an event into a room. It is sent under one name however often it is tried, so that it is there once.
func (m *Matrix) send(ctx context.Context, room string, content map[string]any) (Ref, error) {
	var sent struct {
		ID string `json:"event_id"`
	}
	path := "rooms/" + url.PathEscape(room) + "/send/m.room.message/" + rand.Text()
	err := insist(ctx, func() error { return m.call(ctx, http.MethodPut, path, nil, content, &sent, callTime) })
	if err != nil {
		return Ref{}, err
	}
	return Ref{ServiceMatrix, room, sent.ID}, nil
}

// Post shows a card in a room, given by its ID. Matrix has no buttons: it says by which reactions and words to answer.
func (m *Matrix) Post(ctx context.Context, place string, c Card) (Ref, error) {
	return m.send(ctx, place, matrixCard(c))
}

// Edit brings a card up to date.
func (m *Matrix) Edit(ctx context.Context, at Ref, c Card) error {
	content := matrixCard(c)
	edit := map[string]any{"m.new_content": content, "m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": at.ID}}
	for k, v := range content {
		edit[k] = v
	}
	edit["body"] = "* " + content["body"].(string)
	_, err := m.send(ctx, at.Place, edit)
	return err
}

// Say adds a line to a card's thread.
func (m *Matrix) Say(ctx context.Context, at Ref, words string) error {
	_, err := m.send(ctx, at.Place, map[string]any{"msgtype": "m.notice", "body": noPings(lines(words, textLimit)), "m.mentions": struct{}{}, "m.relates_to": inThread(at.ID, at.ID)})
	return err
}

func matrixCard(c Card) map[string]any {
	how := ""
	if slices.ContainsFunc(c.Actions, func(a Action) bool { return a.Verb == Ack }) {
		how = "React with 👍 to acknowledge, or answer in the thread: ack, resolve, escalate, snooze 30m."
	}
	parts := []string{strings.TrimSpace(lamps[c.Status] + " " + c.headline()), line(c.Title, titleLimit)}
	for _, l := range c.links() {
		parts = append(parts, l[0]+": "+l[1])
	}
	for _, f := range c.facts() {
		parts = append(parts, f[0]+": "+f[1])
	}
	parts = append(parts, c.latest()...)
	parts = append(parts, how)
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	rich := htmlCard(c, "<br>")
	if how != "" {
		rich += "<br>" + how
	}
	return map[string]any{
		"msgtype": "m.text", "body": noPings(strings.Join(parts, "\n")), "format": "org.matrix.custom.html", "formatted_body": rich,
		"m.mentions": struct{}{}, matrixMark: c.Incident,
	}
}
