package web

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
)

// TestOneButtonForSeveralIncidents: it acknowledges those that are open and still wait, says how each stands, and takes back
// what ana herself did. Looking changes nothing.
func TestOneButtonForSeveralIncidents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for n := range 4 {
			w.fire(map[string]string{"summary": fmt.Sprintf("storm %d", n+1)}, "alertname", fmt.Sprintf("Storm%d", n+1), "severity", "critical")
		}
		status := func() (all []incident.Status) {
			list, _, err := w.engine.Incidents(t.Context(), engine.Filter{}, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range list {
				all = append(all, v.Status)
			}
			return all // the newest first
		}
		page := w.get("/ack/several")
		w.shows(page, 200, "4 incidents", "4 triggered", "Acknowledge all as Ana Duarte (ana)", "INC-1 sev2", "INC-4 sev2")
		golden(t, "ack_several", page.Body.String())
		w.engine.Do(t.Context(), engine.Action{Verb: engine.Resolve, Incident: "INC-2", By: "bo"})
		w.engine.Do(t.Context(), engine.Action{Verb: engine.Acknowledge, Incident: "INC-3", By: "bo"})
		w.pass(time.Minute)
		if got := fmt.Sprint(status()); got != "[triggered acknowledged resolved triggered]" {
			t.Fatal(got)
		}
		page = w.do("POST", "/ack/several", "")
		w.shows(page, 200, "Acknowledged: 3 of 4, at ", "via the link in the page.", "3 acknowledged, 1 resolved", "Undo the acknowledgements")
		if got := fmt.Sprint(status()); got != "[acknowledged acknowledged resolved acknowledged]" {
			t.Fatal(got)
		}
		golden(t, "ack_several_done", page.Body.String())
		page = w.do("POST", "/ack/several", "do=undo")
		w.shows(page, 200, "Triggered again: ", "2 triggered")
		w.shows(w.do("POST", "/ack/several", "do=dance"), 400, "Nothing was done")
	})
}

// TestTheLinkOfATestPage works, says so, and does nothing, however it is followed.
func TestTheLinkOfATestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		for _, method := range []string{"GET", "POST"} {
			page := w.do(method, "/ack/test", "")
			w.shows(page, 200, "The link works", "a test page to Ana Duarte (ana)", "nothing to acknowledge")
			w.hides(page, "<button")
		}
		events, err := w.engine.Audit(t.Context(), 0, 10)
		if err != nil || len(events) != 0 {
			t.Errorf("%v %v", events, err)
		}
	})
}

// TestOneButtonForAStorm: three hundred incidents are acknowledged by one press, and the page stays small.
func TestOneButtonForAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var all []*router.Alert
		for n := range 300 {
			labels := map[string]string{"alertname": fmt.Sprintf("Storm%d", n+1), "severity": "critical"}
			all = append(all, &router.Alert{Labels: router.LabelsOf(labels), StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)})
		}
		if err := w.engine.Receive(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		w.pass(31 * time.Second)
		page := w.get("/ack/storm")
		w.shows(page, 200, "300 incidents", "300 triggered", "Acknowledge all as Ana Duarte (ana)")
		if n := page.Body.Len(); n > maxAckPage {
			t.Errorf("the page has %d bytes", n)
		}
		w.shows(page, 200, "<dt>INC-1 sev2")
		w.shows(w.do("POST", "/ack/storm", ""), 200, "Acknowledged: 300 of 300, at ", "300 acknowledged")
	})
}
