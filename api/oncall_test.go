package api

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/oncall"
)

const own = "/api/midwatch/v1/"

func TestWhoIsOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var got OnCall
		w.want(200, "GET", own+"oncall", "", &got)
		want := OnCall{At: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), OnCall: []Duty{{
			Schedule: "db-primary", TimeZone: "UTC", Users: []string{"ana"}, Layers: []string{"weekly"}, Until: time.Date(2000, 1, 3, 9, 0, 0, 0, time.UTC),
		}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		w.want(200, "GET", own+"oncall?at=2000-01-03T10:00:00%2B01:00&schedule=db-primary", "", &got)
		if !slices.Equal(got.OnCall[0].Users, []string{"bo"}) {
			t.Errorf("at the hand-off the new person is on call: %+v", got)
		}
		var gap map[string]any
		w.want(200, "GET", own+"oncall?at=1990-01-01T00:00:00Z", "", &gap)
		if duty := gap["oncall"].([]any)[0].(map[string]any); !reflect.DeepEqual(duty["users"], []any{}) || duty["recorded"] != false {
			t.Errorf("a gap is an empty list, and one of before the record is computed: %v", duty)
		}
		if e := w.refused(400, "GET", own+"oncall?at=tomorrow", ""); e.Field != "at" {
			t.Errorf("%+v", e)
		}
		if e := w.refused(404, "GET", own+"oncall?schedule=db-primry", ""); !strings.Contains(e.Message, `did you mean "db-primary"?`) {
			t.Errorf("%+v", e)
		}
	})
}

func TestShiftsAreCutToWhatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		var got Shifts
		w.want(200, "GET", own+"schedules/db-primary/shifts?from=2000-01-02T00:00:00Z&to=2000-01-04T00:00:00Z", "", &got)
		day := func(d, h int) time.Time { return time.Date(2000, 1, d, h, 0, 0, 0, time.UTC) }
		want := []oncall.Shift{
			{Start: day(2, 0), End: day(3, 9), Users: []string{"ana"}, Layers: []string{"weekly"}},
			{Start: day(3, 9), End: day(4, 0), Users: []string{"bo"}, Layers: []string{"weekly"}},
		}
		if !reflect.DeepEqual(got.Shifts, want) || got.Schedule != "db-primary" {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		w.want(200, "GET", own+"schedules/db-primary/shifts", "", &got)
		if got.To.Sub(got.From) != 14*24*time.Hour || !got.From.Equal(day(1, 0)) {
			t.Errorf("from %v to %v", got.From, got.To)
		}
		for query, field := range map[string]string{
			"?from=2000-01-02T00:00:00Z&to=2000-01-02T00:00:00Z": "to", "?from=x": "from", "?to=x": "to",
			"?from=2000-01-01T00:00:00Z&to=2002-01-01T00:00:00Z": "to", "?until=2000-01-01T00:00:00Z": "until",
		} {
			if e := w.refused(400, "GET", own+"schedules/db-primary/shifts"+query, ""); e.Field != field {
				t.Errorf("%s: %+v", query, e)
			}
		}
		w.refused(404, "GET", own+"schedules/nope/shifts", "")
	})
}

func TestAnOverrideChangesWhoIsOnCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		onCall := func(at string) []string {
			var got OnCall
			w.want(200, "GET", own+"oncall?at="+at, "", &got)
			return got.OnCall[0].Users
		}
		var made Overridden
		w.want(201, "POST", own+"schedules/db-primary/overrides", `{"by":"ana","replace":"ana","with":"cy","from":"2000-01-01T06:00:00Z","to":"2000-01-01T12:00:00Z"}`, &made)
		if made.Schedule != "db-primary" || made.Override.With != "cy" || made.Warning != "" {
			t.Errorf("%+v", made)
		}
		w.want(201, "POST", own+"schedules/db-primary/overrides", `{"by":"ana","add":"bo","from":"2000-01-01 18:00","to":"2000-01-01 20:00"}`, nil)
		for at, want := range map[string]string{
			"2000-01-01T05:59:00Z": "ana", "2000-01-01T06:00:00Z": "cy", "2000-01-01T12:00:00Z": "ana", "2000-01-01T19:00:00Z": "ana bo",
		} {
			if got := strings.Join(onCall(at), " "); got != want {
				t.Errorf("at %s: %s, want %s", at, got, want)
			}
		}
		for _, c := range []struct{ body, field, message string }{
			{`{}`, "by", "who you are"},
			{`{"by":"ana"}`, "", "what the override does"},
			{`{"by":"ana","take":"bo","add":"cy"}`, "", "one thing"},
			{`{"by":"ana","take":"boo","from":"2000-01-01T06:00:00Z","to":"2000-01-01T12:00:00Z"}`, "take", `did you mean "bo"?`},
			{`{"by":"ana","replace":"ana","with":"nemo"}`, "with", "no user"},
			{`{"by":"ana","take":"bo","from":"2000-01-01T06:00:00Z","to":"2000-01-01 12:00"}`, "from", "both instants"},
			{`{"by":"ana","take":"bo","from":"2000-01-01 06:00"}`, "to", "both instants"},
			{`{"by":"ana","take":"bo","form":"2000-01-01 06:00"}`, "form", `did you mean "from"?`},
			{`{"by":"ana","take":"bo","from":"2000-01-02 06:00","to":"2000-01-01 06:00"}`, "to", "not after"},
			{`{"by":"ana","take":"bo","layer":"nightly","from":"2000-01-01 06:00","to":"2000-01-02 06:00"}`, "layer", "no layer"},
			{`{"by":"ana","replace":"ana"}`, "with", "with whom"},
			{`{"by":"ana","take":"ana","with":"bo"}`, "with", "belongs to replace"},
			{`{"by":"ana","replace":"ana","with":"ana"}`, "with", "changes nothing"},
			{`{"by":"ana","take":"bo"}`, "to", "an instant"},
		} {
			if e := w.refused(400, "POST", own+"schedules/db-primary/overrides", c.body); e.Field != c.field || !strings.Contains(e.Message, c.message) {
				t.Errorf("%s: %+v", c.body, e)
			}
		}
		w.refused(404, "POST", own+"schedules/nope/overrides", `{}`)
		w.store.full.Store(true)
		w.want(202, "POST", own+"schedules/db-primary/overrides", `{"by":"ana","take":"bo","from":"2000-01-05 06:00","to":"2000-01-05 07:00"}`, &made)
		if made.Warning == "" {
			t.Error("nothing says that it is in memory only")
		}
		w.store.full.Store(false)
		w.pass(2 * time.Second)
	})
}

func TestTheDeliveryLogTellsOfEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.pass(10 * time.Minute)
		var got Deliveries
		w.want(200, "GET", own+"deliveries?incident=inc-1&limit=1", "", &got)
		if len(got.Deliveries) != 1 || got.Next == "" {
			t.Fatalf("%+v", got)
		}
		d := got.Deliveries[0]
		if d.User != "cy" || d.Via != "chat" || d.Outcome != "delivered" || d.Answer != "202 Accepted" || d.LatencyMS != 12 || d.Attempt != 1 || d.Incident != "INC-1" {
			t.Errorf("the newest: %+v", d)
		}
		w.want(200, "GET", own+"deliveries?cursor="+got.Next, "", &got)
		if len(got.Deliveries) != 1 || got.Deliveries[0].User != "ana" || got.Next != "" {
			t.Errorf("the rest: %+v", got)
		}
		if e := w.refused(400, "GET", own+"deliveries?incident=x", ""); e.Field != "incident" {
			t.Errorf("%+v", e)
		}
	})
}

func TestTheAuditLogIsReadInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.lag()
		w.want(200, "POST", incidents+"/INC-1/acknowledge", `{"by":"ana"}`, nil)
		var names []string
		for cursor := ""; ; {
			var got Audit
			w.want(200, "GET", own+"audit?limit=2&cursor="+cursor, "", &got)
			names = append(names, kinds(got.Events)...)
			if cursor = got.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(names, []string{"incident_opened", "page", "acknowledged"}) {
			t.Errorf("%q", names)
		}
	})
}

func TestSimulateAsksWithWhatWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked Simulation
		var fail error
		w := start(t, func(o *Options) {
			o.Simulate = func(_ context.Context, s Simulation) (Simulated, error) {
				asked = s
				return Simulated{Events: []SimulatedEvent{{At: "30s", Event: "page", User: "ana", Via: "chat"}}}, fail
			}
		})
		var got Simulated
		w.want(200, "POST", own+"simulate", `{"labels":{"alertname":"X"},"at":"2000-02-02T00:00:00Z","for":"2h"}`, &got)
		if asked.Labels["alertname"] != "X" || asked.Ahead != 2*time.Hour || asked.At.Month() != time.February || got.Events[0].User != "ana" {
			t.Errorf("asked %+v, got %+v", asked, got)
		}
		w.want(200, "POST", own+"simulate", `{"labels":{"alertname":"X"}}`, nil)
		if !asked.At.Equal(time.Now()) || asked.Ahead != 24*time.Hour {
			t.Errorf("defaults: %+v", asked)
		}
		for body, field := range map[string]string{
			`{}`: "labels", `{"labels":{"a":1}}`: "labels", `{"labels":{"":"x"}}`: "labels", `{"labels":{"a":"b"},"for":"1y"}`: "for",
			`{"labels":{"a":"b"},"for":"x"}`: "for", `{"label":{}}`: "label", `{"labels":{"a":"b"},"at":"noon"}`: "",
		} {
			if e := w.refused(400, "POST", own+"simulate", body); e.Field != field {
				t.Errorf("%s: %+v", body, e)
			}
		}
		fail = errors.New("no receiver on its route opens incidents")
		if e := w.refused(422, "POST", own+"simulate", `{"labels":{"a":"b"}}`); e.Message != fail.Error() {
			t.Errorf("%+v", e)
		}
		fail = &engine.Error{Code: "invalid", Field: "labels", Message: "no"}
		w.refused(400, "POST", own+"simulate", `{"labels":{"a":"b"}}`)
	})
}

func TestOnlySoManySimulationsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := make(chan struct{})
		w := start(t, func(o *Options) {
			o.Simulate = func(context.Context, Simulation) (Simulated, error) { <-enough; return Simulated{}, nil }
		})
		done := make(chan int, maxSimulating)
		for range maxSimulating {
			go func() { done <- w.do("POST", own+"simulate", `{"labels":{"a":"b"}}`).Code }()
		}
		synctest.Wait()
		rec := w.do("POST", own+"simulate", `{"labels":{"a":"b"}}`)
		if rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v", rec.Code, rec.Header())
		}
		close(enough)
		for range maxSimulating {
			if code := <-done; code != 200 {
				t.Errorf("one that ran: %d", code)
			}
		}
	})
}

func TestWithoutASimulatorThereIsNoSuchPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start(t).refused(404, "POST", own+"simulate", `{}`)
	})
}

// TestGapsAreListed: those that a removal makes, with what is declared.
func TestGapsAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		path := own + "schedules/db-primary/gaps?from=2000-01-01T00:00:00Z&to=2000-01-10T00:00:00Z"
		var got Gaps
		w.want(200, "GET", path, "", &got)
		if got.Schedule != "db-primary" || got.Gaps == nil || len(got.Gaps) != 0 {
			t.Errorf("%+v", got)
		}
		w.want(201, "POST", overridesPath, `{"by":"cy","remove":"ana","from":"2000-01-02T00:00:00Z","to":"2000-01-02T06:00:00Z"}`, nil)
		w.want(200, "GET", path, "", &got)
		if len(got.Gaps) != 1 || !got.Gaps[0].Start.Equal(jan(2, 0)) || !got.Gaps[0].End.Equal(jan(2, 6)) || got.Gaps[0].Declared {
			t.Errorf("%+v", got)
		}
		w.refused(404, "GET", own+"schedules/nope/gaps", "")
	})
}
