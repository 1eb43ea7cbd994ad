package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/api"
)

// bundled is a midwatch that has paged ana for five incidents with one message by each of two channels, and how it was asked to.
func bundled(t *testing.T) (*running, *switchboard) {
	t.Helper()
	b := newSwitchboard(t)
	r := begin(t, fmt.Sprintf(`
users:
  - name: ana
    contact_methods:
      push: {ntfy: {server: %q, topic: ana}}
      phone: {pushover: {user_key: pushover-user, token: pushover-token}, api_url: %q}
route: {receiver: oncall, group_wait: 0s, group_by: [alertname]}
receivers: [{name: oncall, incident_configs: [{escalation_policy: first}]}]
escalation_policies: [{name: first, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
`, b.URL+"/ntfy", b.URL+"/pushover"))
	var alerts []string
	for i := range 5 {
		alerts = append(alerts, fmt.Sprintf(`{"labels":{"alertname":"Lag%d","severity":"critical"}}`, i))
	}
	if resp, body := r.ask("POST", "/api/v2/alerts", "["+strings.Join(alerts, ",")+"]"); resp.StatusCode != 200 {
		t.Fatal(resp.Status, body)
	}
	b.hears(t, "ntfy 5 [5 incidents, sev2] Lag0, Lag1 and 3 more", "pushover messages.json 2")
	return r, b
}

// acked is who acknowledged each open incident, by its ID; empty: nobody has.
func (r *running) acked() map[string]string {
	r.Helper()
	var page struct {
		Incidents []struct {
			ID string `json:"id"`
			By string `json:"acknowledged_by"`
		} `json:"incidents"`
	}
	_, body := r.ask("GET", "/api/midwatch/v1/incidents")
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		r.Fatal(err, body)
	}
	by := map[string]string{}
	for _, i := range page.Incidents {
		by[i.ID] = i.By
	}
	return by
}

// One incident of a message about several is acknowledged elsewhere: Pushover's alarm, which is one, ends; what ntfy shows stays, with
// its button; the others wait on. The button then acknowledges those that wait, and takes nothing from who was first.
func TestOneOfABundleIsAcknowledged(t *testing.T) {
	r, b := bundled(t)
	if resp, body := r.ask("POST", "/api/midwatch/v1/incidents/INC-1/acknowledge", `{"by":"bo"}`); resp.StatusCode != 200 {
		t.Fatal(resp.Status, body)
	}
	const cancelled = "pushover receipts/rLqVuqTRh62UzxtmqiaLzQmVcPgiCy/cancel.json"
	b.hears(t, cancelled, "pushover receipts/cancel_by_tag")
	for id, by := range r.acked() {
		if (by == "bo") != (id == "INC-1") || by != "" && by != "bo" {
			t.Errorf("%s was acknowledged by %q", id, by)
		}
	}
	button, err := url.Parse(<-b.acks)
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := r.ask("POST", button.Path); resp.StatusCode/100 > 3 {
		t.Fatal(resp.Status, body)
	}
	all := r.acked()
	for id, by := range all {
		if want := map[bool]string{true: "bo", false: "ana"}[id == "INC-1"]; by != want {
			t.Errorf("%s was acknowledged by %q, want %s", id, by, want)
		}
	}
	if len(all) != 5 {
		t.Errorf("%v", all)
	}
	b.hears(t, cancelled, cancelled, cancelled, cancelled, "pushover receipts/cancel_by_tag", "pushover receipts/cancel_by_tag", "pushover receipts/cancel_by_tag", "pushover receipts/cancel_by_tag")
	if len(b.calls) != 0 { // ntfy was told nothing: what it shows is about several
		t.Errorf("heard %q too", <-b.calls)
	}
}

// Pushover's own acknowledgement is of the alarm, and so of all that its message is about.
func TestABundlesAlarmIsAcknowledged(t *testing.T) {
	r, b := bundled(t)
	b.acked.Store(true)
	for deadline := time.Now().Add(time.Minute); ; {
		missing := 0
		all := r.acked()
		for _, by := range all {
			if by != "ana" {
				missing++
			}
		}
		if missing == 0 && len(all) == 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("acknowledged: %v", all)
		}
	}
	if told := b.told.Load(); told > 2 { // once is enough; a second question may come while the answer to the first is acted on
		t.Errorf("it took %d answers to acknowledge five incidents", told)
	}
	var i api.Incident
	_, body := r.ask("GET", "/api/midwatch/v1/incidents/INC-5")
	if err := json.Unmarshal([]byte(body), &i); err != nil || !strings.Contains(body, `"via":"pushover"`) {
		t.Errorf("%v %s", err, body)
	}
}
