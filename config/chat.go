package config

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/midwatch/midwatch/notify"
)

// Chat is how people speak back: the section `chat:`. A service that is nil is not listened to.
type Chat struct {
	Slack    *ChatSlack
	Telegram *ChatTelegram
	Matrix   *ChatMatrix
	Mail     *ChatMail
	Twilio   *ChatTwilio
}

// ChatSlack is a Slack app.
type ChatSlack struct {
	Bot, App, Signing notify.Secret // App and Signing are how it hears: by a socket, by what Slack posts; either may be unset
	APIURL            string        // empty: Slack's
	Channel           string        // where each incident has its card; empty: nowhere
}

// ChatTelegram is a Telegram bot.
type ChatTelegram struct {
	Token  notify.Secret
	APIURL string // empty: Telegram's
	Chat   string // the group where each incident has its card; empty: nowhere
}

// ChatMatrix is an account of Matrix.
type ChatMatrix struct {
	Homeserver string
	Token      notify.Secret
	Room       string // where each incident has its card, and people are heard
}

// ChatMail takes replies to pages by mail.
type ChatMail struct {
	Listen, Mailbox, Domain string
	CertFile, KeyFile       string // empty: no TLS
	RequireTLS              bool
}

// ChatTwilio hears text messages and the keys pressed in calls.
type ChatTwilio struct {
	AccountSID      string
	AuthToken       notify.Secret
	Language, Voice string
}

// The services that name people by IDs of their own.
var chatServices = []string{"slack", "telegram", "matrix", "phone"}

var chatForm = mapping("chat",
	may("slack", (&form{fields: slices.Concat(
		withSecret("bot_token", "The app's bot token, xoxb-…."),
		withSecret("app_token", "The app's token for Socket Mode, xapp-…: nothing of ours need be reachable."),
		withSecret(keySigning, "Or the app's signing secret: Slack posts to /chat/slack."),
		[]field{
			may(keyAPIURL, single("The Web API; default Slack's.", webURL)),
			may("channel", single("The id of the channel where every incident has a message.", matching("a channel's id such as C024BE91L", `^[CGD][A-Z0-9]{6,}$`,
				"copy it from the channel's details, at the bottom"))),
		})}).described("A Slack app with buttons and commands.")),
	may("telegram", (&form{fields: slices.Concat(
		withSecret("bot_token", "The bot's token, from @BotFather."),
		[]field{
			may(keyAPIURL, single("The Bot API; default Telegram's.", webURL)),
			may("chat", single("The id of the group where every incident has a message, such as -1001234567890.", matching("a chat's id such as -1001234567890", `^-?[0-9]{5,}$`,
				"write the number"))),
		})}).described("A Telegram bot with buttons and commands.")),
	may("matrix", (&form{fields: slices.Concat(
		[]field{need("homeserver", single("The homeserver's address.", webURL))},
		withSecret("access_token", "The access token of the account that speaks and listens."),
		[]field{need("room", single("The room where every incident has a message; not encrypted.", matrixRoom))},
	)}).described("An account of Matrix.")),
	may("mail", (&form{fields: []field{
		need("listen", single("Where a mail server is run that takes replies to pages, such as :2525.", text)),
		need("domain", single("The domain whose mail comes here.", text)),
		may("mailbox", single("The part before the @; default ack.", name)),
		may("cert_file", single("A certificate for STARTTLS.", text)),
		may("key_file", single("Its key.", text)),
		may("require_tls", single("Whether mail in the clear is refused; default false.", boolean)),
	}}).described("Replies to pages by mail.")),
	may("twilio", (&form{fields: slices.Concat(
		[]field{need("account_sid", single("The account.", accountSID))},
		withSecret("auth_token", "The account's token: it signs what Twilio posts."),
		[]field{
			may("language", single("The voice's language, such as en-GB; default Twilio's.", text)),
			may("voice", single("Twilio's name of a voice; default Twilio's.", text)),
		})}).described("Text messages, and the keys pressed in calls.")))

var chatIDs = mapping("chat",
	may("slack", single("The member's id, U024BE7LH.", matching("a member's id such as U024BE7LH", `^[UW][A-Z0-9]{6,}$`, "copy it from the profile"))),
	may("telegram", single("The user's id, a number.", matching("a number such as 123456789", `^[0-9]{3,}$`, "ask the bot: it says it to whom it does not know"))),
	may("matrix", single("The account, @ana:example.org.", matching("an account such as @ana:example.org", `^@[^:]+:.+$`, "write it whole"))),
	may("phone", single("The number from which text messages come.", phoneNumber)))

// chat reads the section.
func (l *loader) chat() {
	l.only("chat", func(o object) {
		if s := o.sub("slack"); s.node != nil {
			c := &ChatSlack{
				Bot: s.secretNeeded("bot_token", "it is on the app's page OAuth & Permissions"), App: s.secret("app_token"), Signing: s.secret(keySigning),
				APIURL: s.text(keyAPIURL), Channel: s.text("channel"),
			}
			if !c.App.Set() && !c.Signing.Set() {
				s.warn(s.node, "has neither app_token nor signing_secret: buttons and commands are not heard", "add one of them")
			}
			l.cfg.Chat.Slack = c
		}
		if s := o.sub("telegram"); s.node != nil {
			l.cfg.Chat.Telegram = &ChatTelegram{Token: s.secretNeeded("bot_token", "@BotFather gives it"), APIURL: s.text(keyAPIURL), Chat: s.text("chat")}
		}
		if s := o.sub("matrix"); s.node != nil {
			l.cfg.Chat.Matrix = &ChatMatrix{
				Homeserver: s.text("homeserver"), Token: s.secretNeeded("access_token", "a client shows it among its settings"), Room: s.text("room"),
			}
		}
		if s := o.sub("mail"); s.node != nil {
			l.cfg.Chat.Mail = s.chatMail()
		}
		if s := o.sub("twilio"); s.node != nil {
			l.cfg.Chat.Twilio = &ChatTwilio{
				AccountSID: s.text("account_sid"), AuthToken: s.secretNeeded("auth_token", "it is on the console's first page"),
				Language: s.text("language"), Voice: s.text("voice"),
			}
		}
	})
}

func (o object) chatMail() *ChatMail {
	c := &ChatMail{
		Listen: o.text("listen"), Mailbox: o.textOr("mailbox", "ack"), Domain: o.text("domain"),
		CertFile: o.text("cert_file"), KeyFile: o.text("key_file"), RequireTLS: o.boolean("require_tls", false),
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil && c.Listen != "" {
		o.fault(o.here("listen"), fmt.Sprintf("listen: %q is not an address", c.Listen), "write one such as :2525 or 127.0.0.1:2525")
	}
	if strings.ContainsAny(c.Domain, "@<> ") {
		o.fault(o.here("domain"), fmt.Sprintf("domain: %q is not a domain", c.Domain), "write one such as mw.example.org")
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		o.fault(o.node, "has one of cert_file and key_file", "add the other")
	case c.RequireTLS && c.CertFile == "":
		o.fault(o.here("require_tls"), "requires TLS and has no certificate", "add cert_file and key_file")
	}
	return c
}

// chatIDs reads how services name a user. Nobody shares an ID.
func (l *loader) chatIDs(o object, u *User) {
	s := o.sub("chat")
	if s.node == nil {
		return
	}
	for _, service := range chatServices {
		id := s.text(service)
		if id == "" {
			continue
		}
		key := service + " " + id
		if other := l.spoken[key]; other != "" {
			s.fault(s.get(service), fmt.Sprintf("%s is user %q, too", id, other), "one person has one user")
			continue
		}
		l.spoken[key] = u.Name
		if u.Chat == nil {
			u.Chat = map[string]string{}
		}
		u.Chat[service] = id
	}
}
