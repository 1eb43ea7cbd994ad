package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midwatch/midwatch/api"
)

// A switchboard stands for ntfy and Pushover, and tells in words what it is asked.
type switchboard struct {
	*httptest.Server
	calls chan string
	acks  chan string  // addresses of buttons that acknowledge
	acked atomic.Bool  // the alarm was acknowledged in Pushover's app
	told  atomic.Int32 // how often that was said
}

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	b := &switchboard{calls: make(chan string, 100), acks: make(chan string, 10)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/ntfy/" {
			var n struct {
				Title    string
				Priority int
				Sequence string `json:"sequence_id"`
				Actions  []struct{ Action, URL, Method string }
			}
			if err := json.Unmarshal(body, &n); err != nil {
				t.Error(err)
			}
			b.calls <- fmt.Sprintf("ntfy %d %s", n.Priority, n.Title)
			for _, a := range n.Actions {
				if a.Action == "http" && a.Method == http.MethodPost {
					b.acks <- a.URL
				}
			}
			io.WriteString(w, `{"id":"a"}`)
			return
		}
		if r.Method == http.MethodGet { // it asks whether somebody acknowledged, every few seconds
			acknowledged := 0
			if b.acked.Load() {
				acknowledged = 1
				b.told.Add(1)
			}
			fmt.Fprintf(w, `{"status":1,"acknowledged":%d}`, acknowledged)
			return
		}
		form, _ := url.ParseQuery(string(body))
		b.calls <- strings.TrimSpace("pushover " + strings.TrimPrefix(r.URL.Path, "/pushover/1/") + " " + form.Get("priority"))
		io.WriteString(w, `{"status":1,"request":"b","receipt":"rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"}`)
	}))
	t.Cleanup(b.Close)
	return b
}

// hears waits for so many calls and compares them, in any order.
func (b *switchboard) hears(t *testing.T, want ...string) {
	t.Helper()
	missing := map[string]int{}
	for _, w := range want {
		missing[w]++
	}
	for range want {
		select {
		case got := <-b.calls:
			if cut, _, ok := strings.Cut(got, "cancel_by_tag/"); ok {
				got = cut + "cancel_by_tag"
			}
			if missing[got]--; missing[got] < 0 {
				t.Fatalf("heard %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("still missing: %v", missing)
		}
	}
}

// From the alert to the phone, from the button on the phone back to the phone: a page by two channels of ours, the button
// that acknowledges, and the end of the ringing.
func TestPhonesFromAlertToResolve(t *testing.T) {
	b := newSwitchboard(t)
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("ntfy-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := begin(t, fmt.Sprintf(`
users:
  - name: ana
    contact_methods:
      push: {ntfy: {server: %[1]q, topic: ana, token_file: %[2]q}}
      phone: {pushover: {user_key: pushover-user, token: pushover-token}, api_url: %[3]q}
route: {receiver: oncall, group_wait: 0s}
receivers: [{name: oncall, incident_configs: [{escalation_policy: first}]}]
escalation_policies: [{name: first, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
`, b.URL+"/ntfy", secret, b.URL+"/pushover"))
	post := func(end string) {
		t.Helper()
		if resp, body := r.ask("POST", "/api/v2/alerts", `[{"labels":{"alertname":"Lag","severity":"critical"}`+end+`}]`); resp.StatusCode != 200 {
			t.Fatal(resp.Status, body)
		}
	}
	post("")
	b.hears(t, "ntfy 5 [INC-1 sev2] Lag", "pushover messages.json 2")

	ack, err := url.Parse(<-b.acks)
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := r.ask("GET", ack.Path); resp.StatusCode != 200 || len(b.calls) != 0 {
		t.Fatalf("looking at the link: %s %s", resp.Status, body)
	}
	if resp, body := r.ask("POST", ack.Path); resp.StatusCode/100 > 3 {
		t.Fatalf("the button: %s %s", resp.Status, body)
	}
	b.hears(t, "ntfy 1 [INC-1 acknowledged] Lag", "pushover receipts/rLqVuqTRh62UzxtmqiaLzQmVcPgiCy/cancel.json", "pushover receipts/cancel_by_tag")

	var shown api.Channels
	for {
		resp, body := r.ask("GET", "/api/midwatch/v1/channels?user=ana")
		if err := json.Unmarshal([]byte(body), &shown); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp.Status, body)
		}
		if len(shown.Channels) == 2 && shown.Channels[0].State == api.ChannelConnected && shown.Channels[1].State == api.ChannelConnected {
			break
		}
	}
	for i, want := range []string{"phone pushover", "push ntfy"} {
		if got := shown.Channels[i].Via + " " + shown.Channels[i].Integration; got != want {
			t.Errorf("channel %d is %q, want %q", i, got, want)
		}
	}
	if _, body := r.ask("GET", "/metrics"); !strings.Contains(body, `midwatch_channel_connected{index="0",integration="ntfy",receiver="",user="ana",via="push"} 1`) {
		t.Error("the metric is not there")
	}

	post(fmt.Sprintf(`,"endsAt":%q`, time.Now().UTC().Format(time.RFC3339Nano)))
	b.hears(t, "ntfy 2 [INC-1 resolved] Lag", "pushover receipts/rLqVuqTRh62UzxtmqiaLzQmVcPgiCy/cancel.json", "pushover receipts/cancel_by_tag", "pushover messages.json 0")
	if log := r.log.String(); strings.Contains(log, "ntfy-token") || strings.Contains(log, "pushover-token") || strings.Contains(log, "pushover-user") {
		t.Error("a secret is in the log")
	}
	if resp, body := r.ask("GET", "/api/v2/status"); resp.StatusCode != 200 || strings.Contains(body, "pushover-token") || strings.Contains(body, "ntfy-token") {
		t.Errorf("a secret is in the status: %s", body)
	}
}
