package notify

import "time"

// The least time between the beginnings of two attempts at one target, by integration. They are what the services allow to
// one chat, channel or number for long; what they let through for a moment does not count. An integration that is not here
// takes what comes.
//
// Sources: Telegram's bot FAQ (one message a second to a chat, 20 a minute to a group), Slack's rate limits (one a second to
// a channel), Twilio's default for a long number (one segment a second; one call a second), Discord's webhooks (five in two
// seconds), Teams' incoming webhooks (four a second), ntfy.sh (one in five seconds after 60 at once, so a fifth of a second
// is for servers of one's own), Matrix' usual rc_message (one in five seconds after ten at once).
const (
	telegramPace = time.Second
	slackPace    = time.Second
	twilioPace   = time.Second
	discordPace  = 400 * time.Millisecond
	teamsPace    = 250 * time.Millisecond
	matrixPace   = 200 * time.Millisecond
	ntfyPace     = 200 * time.Millisecond
	pushoverPace = 500 * time.Millisecond // not more than two connections at once are asked for
)

var paces = map[string]time.Duration{
	"telegram": telegramPace, "slack": slackPace, "sms": twilioPace, "voice": twilioPace, "discord": discordPace,
	"msteams": teamsPace, "msteamsv2": teamsPace, "matrix": matrixPace, "ntfy": ntfyPace, "pushover": pushoverPace,
}

// kindOf is the integration a sender speaks, such as "slack"; empty where it does not say.
func kindOf(s Sender) string {
	if k, ok := s.(interface{ Kind() string }); ok {
		return k.Kind()
	}
	return ""
}
