package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The channels are shown as they were given, in UTC, those that are asked for alone.
func TestChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lisbon := time.FixedZone("WET", 3600)
		at := time.Date(2026, 11, 22, 4, 0, 0, 0, lisbon)
		w := start(t, func(o *Options) {
			o.Channels = func() []Channel {
				return []Channel{
					{User: "ana", Via: "push", Integration: "ntfy", State: ChannelFailing, LastSuccess: at, LastFailure: at.Add(time.Minute), LastError: "403 Forbidden", Failures: 2, Waiting: 1, Busy: true},
					{User: "bo", Via: "push", Integration: "gotify", State: ChannelUnknown},
					{Receiver: "db", Integration: "slack", Index: 1, State: ChannelConnected, LastSuccess: at},
				}
			}
		})
		const path = "/api/midwatch/v1/channels"
		want := `{"channels":[{"user":"ana","via":"push","integration":"ntfy","state":"failing","last_success":"2026-11-22T03:00:00Z",` +
			`"last_failure":"2026-11-22T03:01:00Z","last_error":"403 Forbidden","failures":2,"waiting":1,"busy":true},` +
			`{"user":"bo","via":"push","integration":"gotify","state":"unknown","failures":0,"waiting":0},` +
			`{"receiver":"db","integration":"slack","index":1,"state":"connected","last_success":"2026-11-22T03:00:00Z","failures":0,"waiting":0}]}`
		if got := strings.TrimSpace(w.do("GET", path, "").Body.String()); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		for query, want := range map[string]int{
			"?user=ana": 1, "?receiver=db": 1, "?state=unknown": 1, "?user=ana&state=unknown": 0, "?user=nobody": 0, "": 3,
		} {
			var got Channels
			w.want(200, "GET", path+query, "", &got)
			if len(got.Channels) != want || got.Channels == nil {
				t.Errorf("%s: %+v", query, got)
			}
		}
		if e := w.refused(400, "GET", path+"?state=dead", ""); e.Field != "state" {
			t.Errorf("an unknown state: %+v", e)
		}
	})
}

// Where there are none, the list is empty and not absent.
func TestNoChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		if got := strings.TrimSpace(w.do("GET", "/api/midwatch/v1/channels", "").Body.String()); got != `{"channels":[]}` {
			t.Errorf("got %s", got)
		}
	})
}
