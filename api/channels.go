package api

import (
	"net/http"
	"time"
)

// Channels are all channels that the configuration has: people's contact methods first, then the receivers' integrations, then
// the chat services by which people speak back.
type Channels struct {
	Channels []Channel `json:"channels"`
}

// Channel is how one channel has fared since the process began.
type Channel struct {
	User        string `json:"user,omitempty"` // a contact method: whose,
	Via         string `json:"via,omitempty"`  // and what it is called
	Receiver    string `json:"receiver,omitempty"`
	Chat        string `json:"chat,omitempty"`  // a service of the section chat: last_success is since when it is connected
	Integration string `json:"integration"`     // such as slack
	Index       int    `json:"index,omitempty"` // among the receiver's integrations of that name

	State       string    `json:"state"` // connected, failing, or unknown while there was no attempt
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastFailure time.Time `json:"last_failure,omitzero"`
	LastError   string    `json:"last_error,omitempty"` // what was answered then
	Failures    int       `json:"failures"`             // since the last attempt that came through
	Waiting     int       `json:"waiting"`              // messages that were not begun
	Busy        bool      `json:"busy,omitempty"`       // an attempt is under way
}

// The states of a channel.
const (
	ChannelConnected = "connected"
	ChannelFailing   = "failing"
	ChannelUnknown   = "unknown"
)

func (a *API) getChannels(w http.ResponseWriter, r *http.Request) {
	v, err := params(r, "user", "receiver", "state")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	state := v.Get("state")
	switch state {
	case "", ChannelConnected, ChannelFailing, ChannelUnknown:
	default:
		a.fail(w, r, invalid("state", "state is %s, %s or %s, not %q", ChannelConnected, ChannelFailing, ChannelUnknown, shorten(state)))
		return
	}
	out := Channels{Channels: []Channel{}}
	if a.o.Channels != nil {
		for _, c := range a.o.Channels() {
			if matches(v.Get("user"), c.User) && matches(v.Get("receiver"), c.Receiver) && matches(state, c.State) {
				c.LastSuccess, c.LastFailure = c.LastSuccess.UTC(), c.LastFailure.UTC()
				out.Channels = append(out.Channels, c)
			}
		}
	}
	answer(w, r, http.StatusOK, out)
}

// matches says whether a value is the wanted one; an empty wish is for any.
func matches(wanted, is string) bool { return wanted == "" || wanted == is }
