package notify

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The member midwatch is the contract of SPEC §3: these names, in this order, whatever the event.
func TestHookSpeaksTheContract(t *testing.T) {
	w := newWorld(t)
	s := personal(t, "webhook", "url: "+w.URL+"/ana").Sender
	for event, name := range map[string]string{EventPage: "page", EventAckExpiring: "expiring", EventResolved: "resolved", EventDigest: "digest"} {
		m := stories()[name]
		v := s.Send(t.Context(), m)
		if v.Outcome != Delivered || v.Answer != "200 OK {}" {
			t.Fatalf("%s: %+v", event, v)
		}
		r := w.last(t)
		if got := r.Header.Get("Idempotency-Key"); got != m.Key {
			t.Errorf("%s: Idempotency-Key is %q, want %q", event, got, m.Key)
		}
		var body struct {
			Version  string
			Midwatch json.RawMessage
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatal(err)
		}
		var page struct{ Event string }
		if err := json.Unmarshal(body.Midwatch, &page); err != nil {
			t.Fatal(err)
		}
		if body.Version != "4" || page.Event != event {
			t.Errorf("%s: version %q, event %q", event, body.Version, page.Event)
		}
		at := 0
		for _, member := range []string{"event", "incident", "severity", "user", "method", "policy", "step", "cycle", "reason", "acknowledge_url", "incident_url", "idempotency_key"} {
			i := strings.Index(string(body.Midwatch), `"`+member+`":`)
			if i < at {
				t.Errorf("%s: %q is missing or out of order in %s", event, member, body.Midwatch)
			}
			at = i
		}
	}
}

// A consumer of version 4 finds in it what Alertmanager would have sent of the alerts, also where there are many or none.
func TestHookCarriesTheRealAlerts(t *testing.T) {
	w := newWorld(t)
	s := personal(t, "webhook", "{url: '"+w.URL+"/ana', max_alerts: 7}").Sender
	type body struct {
		Status          string
		GroupKey        string
		TruncatedAlerts int
		Alerts          []struct {
			Status string
			Labels map[string]string
		}
		RouteLabels map[string]string
		Midwatch    struct{ Incidents []hookIncident }
	}
	send := func(m Message) (b body) {
		t.Helper()
		if v := s.Send(t.Context(), m); v.Outcome != Delivered {
			t.Fatal(v)
		}
		if err := json.Unmarshal(w.last(t).Body, &b); err != nil {
			t.Fatal(err)
		}
		return b
	}

	hundred := with(stories()["hundred"], func(m *Message) { m.RouteLabels = map[string]string{"team": "{{ .CommonLabels.job }}s"} })
	if b := send(hundred); len(b.Alerts) != 7 || b.TruncatedAlerts != 93 || b.RouteLabels["team"] != "nodes" || len(b.RouteLabels) != 1 {
		t.Errorf("a hundred alerts: %d, truncated %d, route labels %v", len(b.Alerts), b.TruncatedAlerts, b.RouteLabels)
	}
	byHand := with(lag(), func(m *Message) { m.Event = EventResolved })
	if b := send(byHand); b.Status != "firing" || b.GroupKey != lag().GroupKey {
		t.Errorf("resolved by hand, but the alerts fire: %+v", b)
	}
	slo := with(lag(), func(m *Message) { m.Alerts, m.GroupKey = nil, "" })
	if b := send(slo); b.Status != "firing" || b.Alerts[0].Labels["alertname"] != "Replication lag" || b.GroupKey != "midwatch/INC-1" {
		t.Errorf("an incident without alerts: %+v", b)
	}
	if b := send(stories()["bundle"]); len(b.Midwatch.Incidents) != 4 || b.Midwatch.Incidents[2].Severity != "sev1" || !b.Midwatch.Incidents[2].OpenedAt.Equal(at("03:04:00")) {
		t.Errorf("the bundle's incidents: %+v", b.Midwatch.Incidents)
	}
}

func TestHookVerdicts(t *testing.T) {
	w := newWorld(t)
	s := personal(t, "webhook", "url: "+w.URL+"/ana").Sender
	for _, c := range []struct {
		code    int
		after   string
		outcome Outcome
		wait    time.Duration
	}{
		{204, "", Delivered, 0},
		{429, "120", Retry, 2 * time.Minute},
		{503, "", Retry, 0},
		{503, "86400", Retry, maxRetryAfter},
		{500, "soon", Retry, 0},
		{429, "-5", Retry, 0},
		{400, "120", Failed, 0},
		{404, "", Failed, 0},
		{304, "", Failed, 0},
	} {
		w.say(func(rw http.ResponseWriter, _ *http.Request) bool {
			if c.after != "" {
				rw.Header().Set("Retry-After", c.after)
			}
			rw.WriteHeader(c.code)
			return true
		})
		v := s.Send(t.Context(), lag())
		if v.Outcome != c.outcome || v.RetryAfter != c.wait {
			t.Errorf("%d with Retry-After %q: %+v", c.code, c.after, v)
		}
	}
	w.Close()
	if v := s.Send(t.Context(), lag()); v.Outcome != Retry || strings.Contains(v.Answer, "/ana") {
		t.Errorf("nobody listens: %+v", v)
	}
}

// A body of one's own is sent as Alertmanager would send it; where it fails, the built-in one is.
func TestHookWithAPayloadOfItsOwn(t *testing.T) {
	w := newWorld(t)
	send := func(payload string) (Verdict, string) {
		s := personal(t, "webhook", "{url: '"+w.URL+"/{{ .RouteLabels.midwatch_user }}', payload: "+payload+"}", "payload").Sender
		v := s.Send(t.Context(), lag())
		r := w.last(t)
		if r.Path != "/bo" || r.Header.Get("Idempotency-Key") == "" {
			t.Errorf("sent to %s", r.Path)
		}
		return v, string(r.Body)
	}
	if v, got := send(`{text: '{{ .RouteLabels.midwatch_subject }}', size: '{{ len .Alerts }}', l: [a, '{{ .CommonLabels | toJson }}', 7]}`); v.Outcome != Delivered || got != `{"l":["a",{"alertname":"ReplicationLag","instance":"db-2:9187","service":"db","severity":"critical"},7],"size":1,"text":"[INC-1 sev2] Replication lag"}`+"\n" {
		t.Errorf("%+v, sent %s", v, got)
	}
	if v, got := send(`{text: '{{ .Nonsense.Deeper }}'}`); v.Outcome != Delivered || !strings.Contains(got, `"midwatch":{"event":"page"`) {
		t.Errorf("%+v, sent %s", v, got)
	}
}

func TestHookAddressInAFile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte(w.URL+"/from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := personal(t, "webhook", "url_file: "+path).Sender
	if v := s.Send(t.Context(), lag()); v.Outcome != Delivered || w.last(t).Path != "/from-file" {
		t.Errorf("%+v", v)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if v := s.Send(t.Context(), lag()); v.Outcome != Failed {
		t.Errorf("without the file: %+v", v)
	}
	for _, url := range []string{"{{ .Nonsense.Deeper }}", "{{ .RouteLabels.nothing }}", "http://[{{ 1 }}"} {
		if v := personal(t, "webhook", "url: '"+url+"'").Sender.Send(t.Context(), lag()); v.Outcome != Failed || v.Answer == "" {
			t.Errorf("%s: %+v", url, v)
		}
	}
}

// The method's own timeout is shorter than the attempt's.
func TestHookTimeout(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	w.say(func(http.ResponseWriter, *http.Request) bool {
		<-release // not until we hang up: what it would say then may come through all the same
		return true
	})
	s := personal(t, "webhook", "{url: '"+w.URL+"/ana', timeout: 20ms}").Sender
	if v := s.Send(t.Context(), lag()); v.Outcome != Retry {
		t.Errorf("%+v", v)
	}
	if v := s.Send(t.Context(), Message{}); v.Outcome != Failed {
		t.Errorf("a message without a page: %+v", v)
	}
}
