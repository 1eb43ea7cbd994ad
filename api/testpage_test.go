package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
)

// A test page's answer is what became of it; it is in the delivery log and the audit log, and nothing opened.
func TestPostTestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var got Tested
		w.want(200, "POST", own+"test-page", `{"by":"bo","user":"ana"}`, &got)
		if len(got.Results) == 0 || got.User != "ana" {
			t.Fatalf("%+v", got)
		}
		for _, r := range got.Results {
			if r.Outcome != TestDelivered || r.Answer != "202 Accepted" || r.LatencyMS != 12 || !strings.HasPrefix(r.Key, "test/") || r.Retry {
				t.Errorf("%+v", r)
			}
		}
		var log Deliveries
		w.want(200, "GET", own+"deliveries?user=ana", "", &log)
		if len(log.Deliveries) != len(got.Results) || log.Deliveries[0].Event != "test" {
			t.Errorf("%+v", log)
		}
		var audit Audit
		w.want(200, "GET", own+"audit", "", &audit)
		if n := len(audit.Events); n != 2*len(got.Results) || audit.Events[0].By != "bo" || audit.Events[0].Text != "asked for a test page" {
			t.Errorf("%+v", audit)
		}
		var open Incidents
		if w.want(200, "GET", own+"incidents", "", &open); len(open.Incidents) != 0 {
			t.Errorf("%+v", open)
		}

		w.letters.says = func(engine.Send) engine.Verdict {
			return engine.Verdict{Outcome: engine.Retry, Answer: "503 Service Unavailable"}
		}
		w.want(200, "POST", own+"test-page", `{"by":"bo","user":"ana","via":"`+got.Results[0].Via+`"}`, &got)
		if len(got.Results) != 1 || got.Results[0].Outcome != TestFailed || !got.Results[0].Retry || got.Results[0].Answer != "503 Service Unavailable" {
			t.Errorf("%+v", got)
		}
		for query, want := range map[string]int{"outcome=failed": 1, "outcome=retry": 0, "outcome=retry&outcome=failed": 1, "user=bo": 0, "user=ana": len(log.Deliveries) + 1} {
			var some Deliveries
			if w.want(200, "GET", own+"deliveries?"+query, "", &some); len(some.Deliveries) != want {
				t.Errorf("%s: %d lines, want %d", query, len(some.Deliveries), want)
			}
		}
		if e := w.refused(400, "GET", own+"deliveries?outcome=lost", ""); e.Field != "outcome" {
			t.Errorf("%+v", e)
		}

		for _, c := range []struct {
			status      int
			body, field string
		}{
			{400, `{"by":"bo"}`, "user"},
			{400, `{"user":"ana"}`, "by"},
			{404, `{"by":"bo","user":"zoe"}`, "user"},
			{404, `{"by":"bo","user":"ana","via":"fax"}`, "via"},
			{400, `{"by":"bo","user":"ana","to":"x"}`, "to"},
		} {
			if e := w.refused(c.status, "POST", own+"test-page", c.body); e.Field != c.field {
				t.Errorf("%s: %+v", c.body, e)
			}
		}
	})
}

// How the process fares is told with its clock and with when alerts last came.
func TestGetDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *Options) {
			o.Daemon = func() Daemon { return Daemon{Version: "1.2.3", ExternalURL: "https://m.example.org", Policies: 2} }
		})
		var d Daemon
		w.want(200, "GET", own+"daemon", "", &d)
		if !d.Time.Equal(time.Now()) || d.Version != "1.2.3" || !d.LastAlertAt.IsZero() || d.Cluster.Peers == nil {
			t.Errorf("%+v", d)
		}
		w.lag()
		at := time.Now()
		w.pass(time.Minute)
		if w.want(200, "GET", own+"daemon", "", &d); d.LastAlertAt.IsZero() || d.LastAlertAt.After(at) || d.Store.LastCommitAt.IsZero() || d.Store.Trouble != "" {
			t.Errorf("%+v", d)
		}
		w.store.full.Store(true)
		w.want(202, "POST", own+"incidents/INC-1/note", `{"by":"ana","note":"x"}`, nil)
		if w.want(200, "GET", own+"daemon", "", &d); d.Store.Trouble == "" || d.Store.BacklogBytes == 0 {
			t.Errorf("%+v", d.Store)
		}
		w.store.full.Store(false)
	})
}
