package web

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
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
