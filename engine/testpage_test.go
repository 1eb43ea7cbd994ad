package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/incident"
)

// TestATestPageIsDelivered like a page: recorded, sent, logged and in the history; and it opens nothing.
func TestATestPageIsDelivered(t *testing.T) {
	w := newWorld(t, house(), 1)
	var sent []Send
	w.watch = func(_ *world, s Send) { sent = append(sent, s) }
	answers := w.turn(TestPage{User: "cy", Via: "phone", By: "ana"})
	w.settle()
	if answers[0].Err != nil || len(answers[0].Tests) != 1 || len(sent) != 1 {
		t.Fatalf("%+v, sent %v", answers[0], sent)
	}
	d := sent[0].Delivery
	if d.Event != deliverTest || d.User != "cy" || d.Via != "phone" || d.By != "ana" || d.Key != answers[0].Tests[0].Key || d.Incident != 0 {
		t.Errorf("%+v", d)
	}
	same(t, w.story(), `
0s note cy phone ana
0s notification cy phone ana`)
	log, _, err := w.e.Deliveries(ctx(), "", 0, 10)
	if err != nil || len(log) != 1 || log[0].Event != deliverTest || log[0].Outcome != "delivered" || log[0].Incident != "" {
		t.Errorf("%+v %v", log, err)
	}
	if w.e.core.OpenIncidents() != 0 || len(w.e.core.deliveries) != 0 {
		t.Errorf("left are %v", w.e.core.deliveries)
	}
	w.holdHistory()
}

// TestATestPageIsAttemptedOnce: what fails for now has failed, and the words are the provider's.
func TestATestPageIsAttemptedOnce(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.outcome = func(Send, int) (Verdict, time.Duration) {
		return Verdict{Outcome: Retry, Answer: "503 come back later"}, time.Second
	}
	w.turn(TestPage{User: "cy", By: "ana"})
	w.run(time.Hour)
	same(t, w.story(incident.PageFailed), `
1s page_failed cy chat ana
1s page_failed cy phone ana`)
	log, _, _ := w.e.Deliveries(ctx(), "", 0, 10)
	if len(log) != 2 || log[0].Outcome != "failed" || log[0].Answer != "503 come back later" || !log[0].NextAt.IsZero() {
		t.Errorf("%+v", log)
	}
}

// TestWhatIsNoTestPage is refused in words, and sends nothing.
func TestWhatIsNoTestPage(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		u := cfg.Users["eva"]
		u.Methods = nil
		cfg.Users["eva"] = u
	}), 1)
	w.net.deaf = true
	for _, c := range []struct {
		in                TestPage
		code, field, want string
	}{
		{TestPage{User: "zoe", By: "ana"}, "not_found", "user", `there is no user "zoe"; known are: `},
		{TestPage{User: "cy", Via: "fax", By: "ana"}, "not_found", "via", `cy has no contact method "fax"; they have: chat, phone`},
		{TestPage{User: "eva", By: "ana"}, "not_found", "user", "eva has no contact method; add email or contact_methods to the user and reload"},
		{TestPage{User: "cy"}, "invalid", "by", "say who asks"},
		{TestPage{User: "cy", By: " "}, "invalid", "by", "say who asks"},
		{TestPage{User: "cy", By: strings.Repeat("x", maxName+1)}, "invalid", "by", "longer than"},
	} {
		var refused *Error
		if err := w.turn(c.in)[0].Err; !errors.As(err, &refused) || refused.Code != c.code || refused.Field != c.field || !strings.Contains(refused.Message, c.want) {
			t.Errorf("%+v: %+v", c.in, err)
		}
	}
	if err := w.turn(TestPage{User: "cy", Via: "chat", By: "ana"})[0].Err; err != nil {
		t.Error(err)
	}
	if err := w.turn(TestPage{User: "cy", By: "bo"})[0].Err; err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second one: %v", err)
	}
	if err := w.turn(TestPage{User: "cy", Via: "phone", By: "bo"})[0].Err; err != nil {
		t.Errorf("by another method: %v", err)
	}
}

// TestATestPageSurvivesACrash: it is sent again, under its own key.
func TestATestPageSurvivesACrash(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.net.deaf = true
	var keys []string
	w.watch = func(_ *world, s Send) { keys = append(keys, s.Delivery.Key) }
	w.turn(TestPage{User: "cy", Via: "chat", By: "ana"})
	w.net.deaf = false
	w.crash(time.Second)
	w.run(10 * time.Second)
	if len(keys) != 2 || keys[0] != keys[1] {
		t.Errorf("keys %q", keys)
	}
	if len(w.e.core.deliveries) != 0 {
		t.Errorf("left are %v", w.e.core.deliveries)
	}
	w.turn(TestPage{User: "cy", Via: "chat", By: "ana"})
	w.settle()
	if len(keys) != 3 || keys[2] == keys[0] {
		t.Errorf("keys %q", keys)
	}
	w.endOfNight()
}

// TestWaitingForATestPage: who asks hears each outcome, or after a time that there is none yet.
func TestWaitingForATestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		type heard struct {
			outcomes []TestOutcome
			err      error
			after    time.Duration
		}
		ask := func() <-chan heard {
			told, begun := make(chan heard, 1), time.Now()
			go func() {
				outcomes, err := s.e.TestPage(t.Context(), TestPage{User: "cy", By: "ana"})
				told <- heard{outcomes, err, time.Since(begun)}
			}()
			synctest.Wait()
			return told
		}
		told := ask()
		keys := s.post.keys()
		if len(keys) != 2 {
			t.Fatalf("sent %q", keys)
		}
		s.post.becomes(keys[1], Failed)
		s.pass(3 * time.Second)
		s.post.becomes(keys[0], Delivered)
		h := <-told
		if h.err != nil || h.after != 3*time.Second || len(h.outcomes) != 2 ||
			!h.outcomes[0].Ended || h.outcomes[0].Via != "chat" || h.outcomes[0].Verdict.Outcome != Delivered ||
			!h.outcomes[1].Ended || h.outcomes[1].Via != "phone" || h.outcomes[1].Verdict.Outcome != Failed {
			t.Errorf("%+v", h)
		}

		told = ask()
		keys = s.post.keys()
		s.post.becomes(keys[2], Delivered)
		h = <-told
		if h.err != nil || h.after != TestPatience || !h.outcomes[0].Ended || h.outcomes[1].Ended || h.outcomes[1].Key != keys[3] {
			t.Errorf("%+v", h)
		}
		s.post.becomes(keys[3], Delivered) // nobody listens any more
		if len(s.e.core.deliveries) != 0 || len(s.e.tests) != 0 {
			t.Errorf("left are %v and %v", s.e.core.deliveries, s.e.tests)
		}
	})
}
