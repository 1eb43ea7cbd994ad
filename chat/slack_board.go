package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"github.com/midwatch/midwatch/excerpt"
)

// Slack's limits of a message's parts (its reference of blocks), and ours below them.
const (
	slackText     = 3000 // of a section
	slackHeader   = 150
	slackValue    = 2000 // what a button carries
	slackFields   = 10
	slackDialogue = 300 // of a question before a button counts
	slackButton   = 75
)

// hints are what to do about errors that only people can mend.
var hints = map[string]string{
	"not_in_channel":       "invite the app to the channel: /invite @midwatch",
	"channel_not_found":    "name the channel by its ID, and invite the app where it is private",
	"invalid_auth":         "the bot token is wrong or was revoked; take it anew from the app's page",
	"not_authed":           "the bot token is missing",
	"token_revoked":        "the bot token was revoked; install the app again",
	"account_inactive":     "the app was removed; install it again",
	"missing_scope":        "add the scope to the app and install it again",
	"not_allowed_token":    "Socket Mode wants the app token (xapp-…) with the scope connections:write",
	"socket_mode_disabled": "switch Socket Mode on, on the app's page",
}

var gone = map[string]bool{
	"message_not_found": true, "channel_not_found": true, "is_archived": true, "cant_update_message": true, "edit_window_closed": true,
}

// error words what the library returned. It holds no secret: neither tokens nor response URLs.
func (s *Slack) error(doing, place string, err error) error {
	if err == nil {
		return nil
	}
	what := "slack: " + doing
	if place != "" {
		what += " in " + place
	}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		return &TooSoon{Service: ServiceSlack, After: limited.RetryAfter}
	}
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", ErrGone, err)
	}
	var said slack.SlackErrorResponse
	if errors.As(err, &said) {
		text := said.Err
		if hint := hints[said.Err]; hint != "" {
			text += "; " + hint
		}
		if said.Needed != "" {
			text += " (" + said.Needed + ")"
		}
		err = errors.New(text)
		if gone[said.Err] {
			err = fmt.Errorf("%w: %s", ErrGone, text)
		}
	}
	return plain(what, err, s.o.BotToken, s.o.AppToken, s.o.SigningSecret)
}

// Post shows a card in a channel, given by its ID or by "#name".
func (s *Slack) Post(ctx context.Context, place string, c Card) (Ref, error) {
	var at Ref
	err := insist(ctx, func() error {
		channel, ts, err := s.api.PostMessageContext(ctx, place, slackCard(c)...)
		at = Ref{Service: ServiceSlack, Place: channel, ID: ts}
		return s.error("chat.postMessage", place, err)
	})
	if err != nil {
		return Ref{}, err
	}
	return at, nil
}

// Edit brings a card up to date.
func (s *Slack) Edit(ctx context.Context, at Ref, c Card) error {
	return insist(ctx, func() error {
		_, _, _, err := s.api.UpdateMessageContext(ctx, at.Place, at.ID, slackCard(c)...)
		return s.error("chat.update", at.Place, err)
	})
}

// Say adds a line to a card's thread.
func (s *Slack) Say(ctx context.Context, at Ref, words string) error {
	return insist(ctx, func() error {
		_, _, err := s.api.PostMessageContext(ctx, at.Place, s.thread(at.ID, escapeSlack(lines(words, slackText)))...)
		return s.error("chat.postMessage", at.Place, err)
	})
}

func escapeSlack(s string) string {
	return noPings(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s))
}

// lamps show a status at a glance, in colours that most of the colour-blind tell apart by their brightness, and in words.
var lamps = map[string]string{"triggered": "🔴", "acknowledged": "🟡", "resolved": "🟢", "snoozed": "💤"}

// slackCard is a card in Block Kit, and as text for notifications and readers that show no blocks.
func slackCard(c Card) []slack.MsgOption {
	mrkdwn := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
	}
	text := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, true, false)
	}

	title := line(c.Title, titleLimit)
	head := strings.TrimSpace(lamps[c.Status] + " " + c.headline())
	blocks := []slack.Block{slack.NewHeaderBlock(text(excerpt.Bytes(noPings(head), slackHeader)))}
	if title != "" {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn("*"+escapeSlack(title)+"*"), nil, nil))
	}
	var fields []*slack.TextBlockObject
	for _, f := range c.facts() {
		fields = append(fields, mrkdwn("*"+f[0]+"*\n"+escapeSlack(f[1])))
	}
	if len(fields) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(nil, fields[:min(len(fields), slackFields)], nil))
	}
	if shown, more := c.labels(); len(shown) > 0 {
		words := strings.Join(shown, "  ")
		if more > 0 {
			words += fmt.Sprintf("  and %d more", more)
		}
		blocks = append(blocks, slack.NewContextBlock("", text(excerpt.Bytes(noPings(words), slackText/2))))
	}
	if latest := c.latest(); len(latest) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(excerpt.Bytes(escapeSlack(strings.Join(latest, "\n")), slackText)), nil, nil))
	}
	var buttons []slack.BlockElement
	for i, a := range c.Actions[:min(len(c.Actions), buttonLimit)] {
		value := a.press(c.Incident)
		if len(value) > slackValue {
			continue
		}
		b := slack.NewButtonBlockElement(fmt.Sprintf("%s%s_%d", pressPrefix, a.Verb, i), value, text(excerpt.Bytes(line(a.Label, valueLimit), slackButton)))
		if a.Verb == Ack {
			b.WithStyle(slack.StylePrimary)
		}
		if a.Confirm != "" {
			b.WithConfirm(slack.NewConfirmationBlockObject(text("Are you sure?"), text(line(a.Confirm, slackDialogue)), text("Yes"), text("No")))
		}
		buttons = append(buttons, b)
	}
	if len(buttons) > 0 {
		blocks = append(blocks, slack.NewActionBlock("midwatch", buttons...))
	}
	var links []string
	for _, l := range c.links() {
		links = append(links, "<"+strings.ReplaceAll(l[1], "&", "&amp;")+"|"+l[0]+">")
	}
	if len(links) > 0 {
		blocks = append(blocks, slack.NewContextBlock("links", mrkdwn(strings.Join(links, "  ·  "))))
	}
	return []slack.MsgOption{
		slack.MsgOptionText(escapeSlack(strings.TrimSuffix(head+": "+title, ": ")), false), slack.MsgOptionBlocks(blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}
