package notify

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// A kindred is a clerk that speaks for an integration.
type kindred struct {
	clerk
	kind string
}

func (k kindred) Kind() string { return k.kind }

// The first message to a target goes out at once, however long the target's list of waiting ones; the next ones keep the
// distance that the service asks for, counted from beginning to beginning.
func TestAttemptsKeepTheirDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{
			{User: "tg", Via: "x"}:   kindred{clerk{"telegram", 300 * time.Millisecond}, "telegram"},
			{User: "slow", Via: "x"}: kindred{clerk{"sms", 1500 * time.Millisecond}, "sms"},
			{User: "mail", Via: "x"}: kindred{clerk{"email", time.Millisecond}, "email"},
		})
		for _, user := range []string{"tg", "slow", "mail"} {
			enqueue(t, q, b, to(user, user+"1", user+"2", user+"3")...)
		}
		pass(4900 * time.Millisecond)
		enqueue(t, q, b, to("tg", "tg4", "tg5")...)
		pass(5 * time.Second)
		expect(t, b,
			"1ms mail1 to mail by x: 0 email",
			"2ms mail2 to mail by x: 0 email",
			"3ms mail3 to mail by x: 0 email",
			"300ms tg1 to tg by x: 0 telegram",
			"1.3s tg2 to tg by x: 0 telegram",
			"1.5s slow1 to slow by x: 0 sms",
			"2.3s tg3 to tg by x: 0 telegram",
			"3s slow2 to slow by x: 0 sms",
			"4.5s slow3 to slow by x: 0 sms",
			"5.2s tg4 to tg by x: 0 telegram",
			"6.2s tg5 to tg by x: 0 telegram",
		)
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The distance outlives the queue: a line that was empty for a moment is no reason to go faster.
func TestTheDistanceOutlivesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "tg", Via: "x"}: kindred{clerk{"telegram", 0}, "telegram"}})
		for i, wait := range []time.Duration{0, 100 * time.Millisecond, 950 * time.Millisecond} {
			pass(wait)
			enqueue(t, q, b, to("tg", "tg"+string(rune('1'+i)))...)
		}
		pass(3 * time.Second)
		expect(t, b, "0s tg1 to tg by x: 0 telegram", "1s tg2 to tg by x: 0 telegram", "2s tg3 to tg by x: 0 telegram")
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What waits for its distance can be cancelled, and closing waits for none of it.
func TestWhoKeepsADistanceCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "tg", Via: "x"}: kindred{clerk{"telegram", 0}, "telegram"}})
		enqueue(t, q, b, to("tg", "a", "b", "c", "d")...)
		pass(500 * time.Millisecond)
		if n := q.Cancel("b"); n != 1 {
			t.Errorf("cancelled %d", n)
		}
		pass(600 * time.Millisecond)
		begun := time.Now()
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("closing took %s", waited)
		}
		expect(t, b, "0s a to tg by x: 0 telegram", "1s c to tg by x: 0 telegram")
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}

// A script answers with one verdict after the other.
type script struct{ verdicts *[]Verdict }

func (script) Kind() string { return "pagerduty" }

func (s script) Send(context.Context, Message) Verdict {
	v := (*s.verdicts)[0]
	*s.verdicts = (*s.verdicts)[1:]
	return v
}

// How a target fares can be seen at any time.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		bad, good := Target{User: "bad", Via: "x"}, Target{Receiver: "team", Integration: "slack", Index: 1}
		verdicts := []Verdict{{Outcome: Retry, Answer: "503 later"}, {Outcome: Failed, Answer: "404 no such chat"}, {Outcome: Delivered}, {Outcome: Retry, Answer: "429 too much"}}
		senders := map[Target]Sender{bad: script{&verdicts}, good: clerk{"slow", 2 * time.Second}, {User: "idle", Via: "x"}: clerk{}}
		q := NewQueues(senders)
		start := time.Now()
		at := func(d time.Duration) time.Time { return start.Add(d) }
		see := func(want ...Health) {
			t.Helper()
			if got := q.Health(); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, want)
			}
		}
		idle := Health{Target: Target{User: "idle", Via: "x"}}
		see(Health{Target: bad, Integration: "pagerduty"}, idle, Health{Target: good})

		enqueue(t, q, b, to("bad", "1", "2")...)
		enqueue(t, q, b, Message{Key: "3", Target: good}, Message{Key: "4", Target: good})
		synctest.Wait()
		failing := Health{Target: bad, Integration: "pagerduty", LastFailure: at(0), LastError: "404 no such chat", Failures: 2}
		see(failing, idle, Health{Target: good, Waiting: 1, Busy: true})
		if failing.Connected() || !failing.Known() || idle.Known() || idle.Connected() {
			t.Error("what is known, and connected, is wrong")
		}

		pass(time.Second)
		enqueue(t, q, b, to("bad", "5")...)
		synctest.Wait()
		failing.LastSuccess, failing.Failures = at(time.Second), 0
		see(failing, idle, Health{Target: good, Waiting: 1, Busy: true})
		if !failing.Connected() {
			t.Error("it came through, and is not connected")
		}
		pass(4 * time.Second)
		enqueue(t, q, b, to("bad", "6")...)
		synctest.Wait()
		failing.LastFailure, failing.LastError, failing.Failures = at(5*time.Second), "429 too much", 1
		see(failing, idle, Health{Target: good, LastSuccess: at(4 * time.Second)})

		delete(senders, good)
		q.SetSenders(senders)
		see(failing, idle)
		if n := len(q.health); n != 1 {
			t.Errorf("%d targets remembered", n)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
