package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A clerk is a sender that takes its time, in the bubble's clock, and writes down what it did.
type clerk struct {
	name  string
	takes time.Duration // 0: at once; negative: never answers
}

// pass lets time pass in the bubble, and what it brought come to rest.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

type book struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func newBook() *book { return &book{start: time.Now()} }

func (b *book) write(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, fmt.Sprintf("%v ", time.Since(b.start))+fmt.Sprintf(format, args...))
}

func (b *book) read() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

func (c clerk) Send(ctx context.Context, m Message) Verdict {
	if c.takes != 0 {
		var ready <-chan time.Time
		if c.takes > 0 {
			ready = time.After(c.takes)
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return Verdict{Outcome: Retry, Answer: ctx.Err().Error()}
		}
	}
	return Verdict{Answer: c.name}
}

func (b *book) done(m Message, v Verdict) {
	b.write("%s to %s: %d %s", m.Key, m.Target, v.Outcome, v.Answer)
}

func to(user string, keys ...string) (ms []Message) {
	for _, k := range keys {
		ms = append(ms, Message{Key: k, Target: Target{User: user, Via: "x"}})
	}
	return ms
}

func enqueue(t *testing.T, q *Queues, b *book, ms ...Message) {
	t.Helper()
	for _, m := range ms {
		if err := q.Enqueue(m, b.done); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, b *book, want ...string) {
	t.Helper()
	if got := b.read(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// SPEC §8: each target has its own queue, so one slow or dead service delays nobody.
func TestOneDeadTargetDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{
			{User: "dead", Via: "x"}: clerk{"dead", -1},
			{User: "slow", Via: "x"}: clerk{"slow", 9 * time.Second},
			{User: "fast", Via: "x"}: clerk{"fast", time.Millisecond},
		})
		enqueue(t, q, b, slices.Concat(to("dead", "d1", "d2"), to("slow", "s1", "s2", "s3"), to("fast", "f1", "f2"))...)
		pass(61 * time.Second)
		expect(t, b,
			"1ms f1 to fast by x: 0 fast",
			"2ms f2 to fast by x: 0 fast",
			"9s s1 to slow by x: 0 slow",
			"18s s2 to slow by x: 0 slow",
			"27s s3 to slow by x: 0 slow",
			"30s d1 to dead by x: 1 context deadline exceeded",
			"1m0s d2 to dead by x: 1 context deadline exceeded",
		)
		if n := len(q.lines); n != 0 {
			t.Errorf("%d workers idle about", n)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A message may allow less time than AttemptTimeout, never more.
func TestTimeOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "dead", Via: "x"}: clerk{"dead", -1}})
		short, long := to("dead", "short")[0], to("dead", "long")[0]
		short.Timeout, long.Timeout = 5*time.Second, time.Hour
		enqueue(t, q, b, short, long)
		pass(time.Minute)
		expect(t, b,
			"5s short to dead by x: 1 context deadline exceeded",
			"35s long to dead by x: 1 context deadline exceeded",
		)
	})
}

// Resolve ends everything, also what is queued and unsent (SPEC §5.8). What is under way is finished.
func TestCancelDropsWhatIsUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{
			{User: "slow", Via: "x"}:  clerk{"slow", time.Second},
			{User: "other", Via: "x"}: clerk{"other", time.Second},
		})
		enqueue(t, q, b, slices.Concat(to("slow", "a", "b", "c", "b"), to("other", "z", "b"))...)
		synctest.Wait()
		if n := q.Waiting(); n != 4 {
			t.Errorf("%d wait, want 4", n)
		}
		if n := q.Cancel("b"); n != 3 {
			t.Errorf("dropped %d, want 3", n)
		}
		if n := q.Cancel("a"); n != 0 {
			t.Errorf("dropped %d that is being sent", n)
		}
		if n := q.Cancel("never seen"); n != 0 {
			t.Errorf("dropped %d", n)
		}
		pass(10 * time.Second)
		slices.Sort(b.lines)
		expect(t, b,
			"1s a to slow by x: 0 slow",
			"1s z to other by x: 0 other",
			"2s c to slow by x: 0 slow",
		)
		if len(q.waiting) != 0 {
			t.Errorf("remembers %v", q.waiting)
		}
	})
}

// A reload changes how messages go out, not whether.
func TestReloadLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		target := Target{User: "ana", Via: "x"}
		q := NewQueues(map[Target]Sender{target: clerk{"old", time.Second}})
		enqueue(t, q, b, to("ana", "1", "2", "3")...)
		synctest.Wait()
		q.SetSenders(map[Target]Sender{target: clerk{"new", time.Second}})
		pass(1500 * time.Millisecond)
		q.SetSenders(nil)
		pass(time.Minute)
		expect(t, b,
			"1s 1 to ana by x: 0 old",
			"2s 2 to ana by x: 0 new",
			"2s 3 to ana by x: 2 ana by x is not configured any more",
		)
	})
}

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "slow", Via: "x"}: clerk{"slow", 3 * time.Second}})
		enqueue(t, q, b, to("slow", "1", "2")...)
		synctest.Wait()
		if err := q.Close(t.Context()); err != nil {
			t.Error(err)
		}
		expect(t, b, "3s 1 to slow by x: 0 slow")
		if err := q.Enqueue(to("slow", "3")[0], b.done); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if err := q.Close(t.Context()); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "dead", Via: "x"}: clerk{"dead", -1}})
		enqueue(t, q, b, to("dead", "1")...)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := q.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		expect(t, b, "2s 1 to dead by x: 1 context canceled")
	})
}

// Past the limit the answer is an error, and what was taken is untouched.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "slow", Via: "x"}: clerk{"slow", time.Millisecond}})
		enqueue(t, q, b, to("slow", "first")...)
		synctest.Wait()
		for i := range QueueLimit {
			enqueue(t, q, b, to("slow", fmt.Sprint(i))...)
		}
		err := q.Enqueue(to("slow", "too much")[0], b.done)
		if !errors.Is(err, ErrQueueFull) || err.Error() != "slow by x: too many messages wait for this target" {
			t.Errorf("got %v", err)
		}
		if n := q.Cancel("7"); n != 1 {
			t.Errorf("dropped %d", n)
		}
		enqueue(t, q, b, to("slow", "there is room again")...)
		pass(time.Minute)
		if n := len(b.lines); n != QueueLimit+1 {
			t.Errorf("%d were sent, want %d", n, QueueLimit+1)
		}
	})
}

type panicking struct{}

func (panicking) Send(context.Context, Message) Verdict {
	panic("the token is https://x.example/T0KEN")
}

func TestPanickingSenderFailsItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		q := NewQueues(map[Target]Sender{{User: "bad", Via: "x"}: panicking{}})
		enqueue(t, q, b, to("bad", "1", "2")...)
		synctest.Wait()
		expect(t, b,
			"0s 1 to bad by x: 2 the sender of bad by x panicked: the token is https://x.example/…",
			"0s 2 to bad by x: 2 the sender of bad by x panicked: the token is https://x.example/…",
		)
	})
}

// Many hands at once; the race detector looks on.
func TestQueuesFromManySides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		senders := map[Target]Sender{}
		for i := range 8 {
			senders[Target{Receiver: "r", Integration: "slack", Index: i}] = clerk{"c", time.Duration(i) * time.Millisecond}
		}
		q := NewQueues(senders)
		var hands sync.WaitGroup
		for h := range 8 {
			hands.Go(func() {
				for i := range 50 {
					m := Message{Key: fmt.Sprintf("%d/%d", h, i), Target: Target{Receiver: "r", Integration: "slack", Index: i % 8}}
					if err := q.Enqueue(m, b.done); err != nil {
						t.Error(err)
					}
					if i%10 == 9 {
						q.SetSenders(senders)
						q.Waiting()
					}
				}
			})
		}
		hands.Wait()
		pass(time.Minute)
		if n := len(b.lines); n != 400 {
			t.Errorf("%d were sent, want 400", n)
		}
	})
}

func TestTargetsAsPeopleSayThem(t *testing.T) {
	for want, target := range map[string]Target{
		"ana by chat":       {User: "ana", Via: "chat"},
		"db-leads/slack[1]": {Receiver: "db-leads", Integration: "slack", Index: 1},
	} {
		if got := target.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
