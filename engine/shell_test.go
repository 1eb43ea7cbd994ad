package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(800) // thousands of small worlds
	goleak.VerifyTestMain(m)
}

// A shell is an Engine with its loop, in a bubble where time passes by itself.
type shell struct {
	*testing.T
	e     *Engine
	disk  *gate
	post  *postOffice
	slept atomic.Int64 // nanoseconds: how long the machine was suspended: all clocks went on, but no timer did
	stop  context.CancelFunc
	ended chan error
}

// run starts an engine and its loop. What it left in the bubble must end with stop.
func run(t *testing.T, change ...func(*Config)) *shell {
	t.Helper()
	s := &shell{T: t, disk: &gate{Store: store.NewMemory()}, post: &postOffice{}, ended: make(chan error, 1)}
	s.start(house(change...))
	t.Cleanup(s.stop)
	return s
}

func (s *shell) start(cfg *Config) {
	s.Helper()
	from := time.Now()
	e, err := Start(s.Context(), Options{Store: s.disk, Config: cfg, Sender: s.post, Now: func() Instant {
		now := time.Now().Add(time.Duration(s.slept.Load()))
		return Instant{Wall: now, Elapsed: now.Sub(from)}
	}})
	if err != nil {
		s.Fatal(err)
	}
	s.e = e
	ctx, stop := context.WithCancel(s.Context())
	s.stop = stop
	go func() { s.ended <- e.Run(ctx) }()
	synctest.Wait()
}

// pass lets time pass.
func (s *shell) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// fire is a POST of an alert that fires for an hour.
func (s *shell) fire(pairs ...string) error {
	a := alerts(pairs...)
	a[0].StartsAt, a[0].EndsAt = time.Now(), time.Now().Add(time.Hour)
	return s.e.Receive(s.Context(), a)
}

// gate is a store that can be shut: commits wait before it.
type gate struct {
	store.Store
	mu    sync.Mutex
	shut  chan struct{} // nil: it is open
	fails error         // what every commit says; nil: it does its work
	lost  chan struct{} // the lease's Done
}

func (g *gate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := make(chan struct{})
	g.shut = shut
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	}
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = err
}

func (g *gate) Commit(ctx context.Context, b store.Batch) error {
	g.mu.Lock()
	shut, fails := g.shut, g.fails
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	if fails != nil {
		return fails
	}
	return g.Store.Commit(ctx, b)
}

func (g *gate) Lead(context.Context) (store.Lease, error) {
	return store.NewLease(store.Condition{}, g.lost), nil
}

// postOffice is a Sender that keeps what it is given until it is told what became of it.
type postOffice struct {
	mu     sync.Mutex
	auto   *Outcome // what becomes of everything at once; nil: nothing does
	sent   []string
	done   map[string]func(Verdict)
	cancel map[string]bool // keys that have not left yet
}

func (p *postOffice) Send(s Send, done func(Verdict)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, s.Delivery.Key)
	if p.auto != nil {
		v := Verdict{Outcome: *p.auto}
		go done(v)
		return
	}
	if p.done == nil {
		p.done = map[string]func(Verdict){}
	}
	p.done[s.Delivery.Key] = done
}

func (p *postOffice) Cancel(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancel[key]
}

func (p *postOffice) keys() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

func (p *postOffice) becomes(key string, o Outcome) {
	p.mu.Lock()
	done := p.done[key]
	delete(p.done, key)
	p.mu.Unlock()
	done(Verdict{Outcome: o})
	synctest.Wait()
}

func (s *shell) timeline(n int) string {
	s.Helper()
	events, err := s.e.Timeline(s.Context(), n)
	if err != nil {
		s.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, strings.TrimSpace(e.Kind+" "+e.User))
	}
	return strings.Join(kinds, ", ")
}

// TestCommitThenAnswerThenSend watches one turn from both ends: the store sees no answer given yet, the sender sees it
// given, and what is sent on the disk.
func TestCommitThenAnswerThenSend(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	w.run(time.Minute)

	var log []string
	r := request{in: Action{Verb: Escalate, Incident: "INC-1", By: "ana"}, answer: make(chan Answer, 1)}
	w.disk.judge = func(_ int, b store.Batch) (before, after error) {
		log = append(log, fmt.Sprintf("commit, answers given: %d", len(r.answer)))
		return nil, nil
	}
	w.watch = func(w *world, s Send) {
		_, err := w.disk.Get(ctx(), deliveryKey(s.Delivery.Key))
		log = append(log, fmt.Sprintf("send %s, answers given: %d, on disk: %v", s.Delivery.Key, len(r.answer), err == nil))
	}
	if err := w.e.turn([]request{r}); err != nil {
		t.Fatal(err)
	}
	same(t, strings.Join(log, "\n"), `
commit, answers given: 0
send INC-1/2.1/bo.mail/2, answers given: 1, on disk: true`)
}

func TestAPageInTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		if !s.e.Ready() {
			t.Error("not ready after the first turn")
		}
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(30*time.Second - time.Nanosecond)
		if sent := s.post.keys(); len(sent) > 0 {
			t.Errorf("sent too early: %v", sent)
		}
		s.pass(time.Nanosecond)
		if sent := s.post.keys(); !slices.Equal(sent, []string{"INC-1/1.1/ana.chat/1"}) {
			t.Errorf("sent %v", sent)
		}
		s.post.becomes("INC-1/1.1/ana.chat/1", Delivered)
		if got := s.timeline(1); got != "incident_opened, page ana" {
			t.Errorf("the timeline is %s", got)
		}
	})
}

func TestAFullQueueRefusesBeforeItAccepts(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag")
	for range queueLength {
		w.e.queue <- request{in: Result{Key: "INC-1/page/1"}}
	}
	for range peopleLength {
		w.e.people <- request{in: Action{Verb: AddNote, By: "ana", Text: "x"}}
	}
	if a := w.e.Do(ctx(), Action{Verb: Acknowledge, By: "ana"}); !errors.Is(a.Err, ErrBusy) {
		t.Errorf("an action: %v", a.Err)
	}
	if err := w.e.Receive(ctx(), alerts("alertname", "Disk")); !errors.Is(err, ErrBusy) {
		t.Errorf("a new alert: %v", err)
	}
	again := alerts("alertname", "Lag")
	again[0].EndsAt = again[0].EndsAt.Add(time.Minute)
	if err := w.e.Receive(ctx(), again); err != nil {
		t.Errorf("a mere repeat needs no queue, and got %v", err)
	}
}

// TestPeopleGoBeforeAFlood: what somebody does is in the next turn, however many alerts wait.
func TestPeopleGoBeforeAFlood(t *testing.T) {
	w := newWorld(t, house(), 1)
	for range 1000 {
		w.e.queue <- request{in: Alerts{Alerts: make([]*router.Alert, 1000)}}
	}
	w.e.people <- request{in: Action{Verb: Acknowledge, By: "ana"}}
	next, _ := w.e.next()
	if _, ok := next.in.(Action); !ok {
		t.Errorf("a %T goes first", next.in)
	}
	w.e.people <- request{in: Action{Verb: Acknowledge, By: "ana"}}
	turn := w.e.take(<-w.e.queue) // the loop had the POST in hand already
	if _, ok := turn[1].in.(Action); !ok {
		t.Errorf("a %T comes second", turn[1].in)
	}
}

// TestSendersWhoGoAwayLeaveNoHeap: their alerts are taken in all the same, so the loop has them until then, but never more than
// so many.
func TestSendersWhoGoAwayLeaveNoHeap(t *testing.T) {
	w := newWorld(t, house(), 1)
	gone, goAway := context.WithCancel(ctx())
	goAway()
	const many = 10_000
	post := func() error { return w.e.Do(gone, Alerts{Alerts: make([]*router.Alert, many)}).Err }
	for n := range mostWaiting / many {
		if err := post(); !errors.Is(err, context.Canceled) {
			t.Fatalf("POST %d: %v", n+1, err)
		}
	}
	if err := post(); !errors.Is(err, ErrBusy) {
		t.Errorf("past the limit: %v", err)
	}
	r, _ := w.e.next()
	w.e.leave([]request{r})
	if err := post(); !errors.Is(err, context.Canceled) {
		t.Errorf("with room again: %v", err)
	}
}

func TestShutdownAnswersWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		open := s.disk.close()
		answers := make(chan error, 100)
		for i := range 100 {
			go func() { answers <- s.fire("alertname", "Lag", "n", fmt.Sprint(i)) }()
		}
		synctest.Wait() // the first is before the gate, the others in the queue
		s.stop()
		synctest.Wait()
		open()
		if err := <-s.ended; err != nil {
			t.Errorf("the loop ended with %v", err)
		}
		for range 100 {
			if err := <-answers; err != nil {
				t.Errorf("what was accepted was answered %v", err)
			}
		}
		if n := s.e.Router().Alerts().Len(); n != 100 {
			t.Errorf("%d alerts were taken in", n)
		}
		if err := s.fire("alertname", "Late"); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v", err)
		}
		if s.e.Ready() {
			t.Error("still ready")
		}
	})
}

func TestASuspendedMachinePagesWithinASecondOfWaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.post.becomes("INC-1/1.1/ana.chat/1", Delivered)
		// Ten minutes of sleep: the clocks went on, the timer for the next step has more than four minutes to go.
		s.slept.Store(int64(10 * time.Minute))
		s.pass(longestNap)
		want := []string{"INC-1/1.1/ana.chat/1", "INC-1/2.1/bo.mail/2"}
		if sent := s.post.keys(); !slices.Equal(sent, want) {
			t.Errorf("half a second after waking up, sent is %v, want %v", sent, want)
		}
	})
}

// TestNothingEndsBecauseTheMachineWasSuspended: nobody could repeat what fires.
func TestNothingEndsBecauseTheMachineWasSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.slept.Store(int64(2 * time.Hour)) // past the end that its sender gave it
		s.pass(longestNap)
		if v, err := s.e.Incident(t.Context(), 1); err != nil || v.Status != incident.Triggered || !v.Firing {
			t.Fatalf("right after waking up: %+v, %v", v.Incident, err)
		}
		s.pass(5*time.Minute + time.Second) // resolve_timeout, and nobody repeats it
		if v, err := s.e.Incident(t.Context(), 1); err != nil || v.Status != incident.Resolved {
			t.Errorf("five minutes after waking up, with no repeat: %+v, %v", v.Incident, err)
		}
	})
}

// TestASilenceThatBeganWhileTheMachineWasSuspendedHolds: the step was due before it, and is not begun within it.
func TestASilenceThatBeganWhileTheMachineWasSuspendedHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.post.becomes("INC-1/1.1/ana.chat/1", Delivered)
		from := time.Now().Add(20 * time.Minute)
		a := s.e.Do(t.Context(), SetSilence{Silence: router.Silence{
			Matchers: []router.MatcherSet{{{Name: "alertname", Type: labels.MatchEqual, Value: "Lag"}}}, StartsAt: from, EndsAt: from.Add(30 * time.Minute), CreatedBy: "ana", Comment: "tonight",
		}})
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		s.slept.Store(int64(30 * time.Minute))
		s.pass(longestNap)
		if sent := s.post.keys(); len(sent) != 1 {
			t.Errorf("within the silence, sent is %v", sent)
		}
		s.pass(21 * time.Minute)
		if sent := s.post.keys(); len(sent) < 2 || sent[1] != "INC-1/2.1/bo.mail/2" {
			t.Errorf("after the silence, sent is %v", sent)
		}
	})
}

func TestAnAlertIsNotAnsweredForBeforeItIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		open := s.disk.close()
		answered := make(chan error, 2)
		go func() { answered <- s.fire("alertname", "Lag") }()
		synctest.Wait()
		go func() { answered <- s.fire("alertname", "Lag") }() // a second Prometheus of the pair
		synctest.Wait()
		select {
		case err := <-answered:
			t.Errorf("answered %v while the first POST was not on disk", err)
		default:
		}
		open()
		for range 2 {
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestAPageThatWasOnTheWireWhenAllWasOver: it is in the history, and who got it learns that it is over.
func TestAPageThatWasOnTheWireWhenAllWasOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		if a := s.e.Do(t.Context(), Action{Verb: Resolve, Incident: "INC-1", By: "bo"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		if sent := s.post.keys(); len(sent) != 1 {
			t.Errorf("somebody was told that it is over who did not know of it: %v", sent)
		}
		s.post.becomes("INC-1/1.1/ana.chat/1", Delivered)
		want := []string{"INC-1/1.1/ana.chat/1", "INC-1/1.1/ana.chat/1/resolved"}
		if sent := s.post.keys(); !slices.Equal(sent, want) {
			t.Errorf("sent %v, want %v", sent, want)
		}
		s.post.becomes("INC-1/1.1/ana.chat/1/resolved", Delivered)
		if got, want := s.timeline(1), "incident_opened, resolved, page ana, notification ana"; got != want {
			t.Errorf("the timeline is %s, want %s", got, want)
		}
	})
}

func TestAPageThatIsTakenBackInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		s.post.cancel = map[string]bool{"INC-1/1.1/ana.chat/1": true}
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		if a := s.e.Do(t.Context(), Action{Verb: Resolve, Incident: "INC-1", By: "bo"}); a.Err != nil {
			t.Fatal(a.Err)
		}
		s.pass(time.Second)
		if got, want := s.timeline(1), "incident_opened, resolved"; got != want {
			t.Errorf("the timeline is %s, want %s", got, want)
		}
		if from, to := store.Prefix(prefDelivery); true {
			for item := range s.disk.Scan(t.Context(), from, to) {
				t.Errorf("%s is left over", item.Key)
			}
		}
		if sent := s.post.keys(); len(sent) != 1 {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestALostLeadEndsTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shell{T: t, disk: &gate{Store: store.NewMemory(), lost: make(chan struct{})}, post: &postOffice{}, ended: make(chan error, 1)}
		s.start(house())
		close(s.disk.lost)
		if err := <-s.ended; err == nil || err.Error() != "another midwatch took the lead; this one stops so that nobody is paged twice" {
			t.Errorf("the loop ended with %v", err)
		}
		if err := s.fire("alertname", "Lag"); !errors.Is(err, ErrStopped) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestWhatTheStoreSaysEndsTheLoop(t *testing.T) {
	for _, bad := range []error{store.ErrBroken, store.ErrConflict} {
		synctest.Test(t, func(t *testing.T) {
			s := run(t)
			s.disk.fail(bad)
			if err := s.fire("alertname", "Lag"); !errors.Is(err, ErrStopped) {
				t.Errorf("whoever waited was told %v", err)
			}
			if err := <-s.ended; !errors.Is(err, bad) {
				t.Errorf("the loop ended with %v, want %v", err, bad)
			}
		})
	}
}

func TestTheLoopFindsOutThatThereIsRoomAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		s.disk.fail(fmt.Errorf("%w: no space left on device", store.ErrFull))
		if err := s.fire("alertname", "Lag"); !errors.Is(err, ErrUnsaved) {
			t.Errorf("on a full disk: %v", err)
		}
		s.pass(time.Minute)
		if sent := s.post.keys(); len(sent) != 1 {
			t.Errorf("on a full disk went out %v", sent)
		}
		s.disk.fail(nil)
		s.pass(retryBacklog + longestNap)
		if why := s.e.Trouble(); why != "" {
			t.Errorf("still in trouble: %s", why)
		}
		if err := s.fire("alertname", "Lag"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		s.stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestAFullDiskAtTheEndIsSaid: whoever stops Midwatch then should know what is lost.
func TestAFullDiskAtTheEndIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		s.disk.fail(store.ErrFull)
		_ = s.fire("alertname", "Lag")
		s.stop()
		if err := <-s.ended; !errors.Is(err, ErrUnsaved) {
			t.Errorf("the loop ended with %v", err)
		}
	})
}

// TestEverybodyAtOnce is for the race detector: people, two Prometheus, reloads, readers and a sender that answers.
func TestEverybodyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := run(t)
		ok := Delivered
		s.post.auto = &ok
		cfg := house()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 40 {
					host := fmt.Sprint(i, "-", j%5)
					if err := s.fire("alertname", "Lag", "host", host, "team", []string{"", "each", "plain"}[i%3]); err != nil {
						t.Error(err)
					}
					<-time.After(time.Duration(i+1) * 700 * time.Millisecond)
				}
			})
			all.Go(func() {
				for j := range 30 {
					a := s.e.Do(t.Context(), Action{Verb: []Verb{Acknowledge, AddNote, Escalate, Resolve}[(i+j)%4], Incident: incident.ID(1 + j%5), By: "ana", Text: "x"})
					var mine *Error
					if a.Err != nil && !errors.As(a.Err, &mine) {
						t.Error(a.Err)
					}
					<-time.After(time.Duration(i+1) * 900 * time.Millisecond)
				}
			})
			all.Go(func() {
				for range 30 {
					list, _, err := s.e.Incidents(t.Context(), Filter{}, 0, 10)
					if err != nil {
						t.Error(err)
					}
					for _, v := range list {
						if _, err := s.e.Timeline(t.Context(), v.Number); err != nil {
							t.Error(err)
						}
					}
					if _, _, err := s.e.Deliveries(t.Context(), "", 0, 10); err != nil {
						t.Error(err)
					}
					s.e.OnCall(time.Time{})
					s.e.Config()
					for range s.e.Router().Groups() {
					}
					<-time.After(800 * time.Millisecond)
				}
			})
		}
		all.Go(func() {
			for range 10 {
				if a := s.e.Do(t.Context(), Reload{Config: cfg}); a.Err != nil {
					t.Error(a.Err)
				}
				<-time.After(3 * time.Second)
			}
		})
		all.Wait()
		s.stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
}
