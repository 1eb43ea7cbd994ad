package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// A Sender attempts deliveries, each target's in order. Send returns at once and calls done once, later, from another
// goroutine. Cancel takes back what has not left, and reports whether it did; done is not called then.
type Sender interface {
	Send(s Send, done func(Verdict))
	Cancel(key string) bool
}

// Options are what an Engine is made of.
type Options struct {
	Store      store.Store
	Config     *Config
	Sender     Sender
	Seed       uint64         // of the jitter
	Now        func() Instant // reads the clocks; nil: the machine's
	Log        *zap.Logger    // nil: silent
	Registerer prometheus.Registerer

	// Observe sees what the router said in each turn, once it is on disk and answered: peers are told from here. It must
	// return at once and call nothing of the engine's that waits. nil: nobody watches.
	Observe func(effects []router.Effect)
	// Happened sees the events of each turn, likewise. nil: nobody watches.
	Happened func(events []incident.Event)
	// Peered says that there are peers: no group speaks before the first Peers input says that they have met.
	Peered bool
	// Inherited is taken in before anything else: what another Alertmanager left.
	Inherited Gossip
}

// Limits of the loop.
const (
	queueLength   = 4096    // inputs waiting; past that ErrBusy
	peopleLength  = 1024    // of them, what people do; they do not do more than that in a second
	mostWaiting   = 250_000 // alerts in inputs that wait, also those whose senders went away meanwhile: some 200 MB
	inputsPerTurn = 512     // see weightOf
	// The loop looks at the clock at least so often: timers stand still while a machine sleeps, the agenda does not
	// (SPEC §5.12).
	longestNap   = 500 * time.Millisecond
	retryBacklog = time.Second // how often a full store is tried again
)

var (
	// ErrBusy says that the queue before the engine is full: nothing was accepted, try again.
	ErrBusy = errors.New("midwatch is overloaded and accepted nothing; try again in a few seconds")
	// ErrStopped says that the engine is shutting down.
	ErrStopped = errors.New("midwatch is shutting down")
	// ErrUnsaved says that what was asked for is done, but only in memory: the disk is full or read-only.
	ErrUnsaved = errors.New("done in memory only: the disk takes no writes, and a restart would forget this")
)

// An Engine gives a Core the time, the store and the network.
type Engine struct {
	core  *Core
	store store.Store
	lease store.Lease
	send  Sender
	now   func() Instant
	log   *zap.Logger
	stats *metrics

	people  chan request  // what people do, and all else that is not in queue; it goes before
	queue   chan request  // alerts, and what became of deliveries
	waiting atomic.Int64  // alerts in queue
	stopped chan struct{} // closed when the loop ended
	ready   atomic.Bool

	received, committed atomic.Int64 // see Pulse; Unix time in nanoseconds

	mu      sync.RWMutex // held while a turn is stepped and committed: what is read is on disk
	unsaved backlog      // what is not, and is read all the same

	full    atomic.Pointer[string] // why nothing is being written; nil: all is well
	swamped atomic.Bool            // the backlog is past its limit
	lag     atomic.Int64           // by how many nanoseconds the last turn was late for what was due
	retryAt time.Duration          // elapsed
	crowd   crowd                  // who is likely to send again at once; the loop's alone
	looked  time.Duration          // elapsed; see wasAway
	tails   []tail

	observe   func([]router.Effect)
	happened  func([]incident.Event)
	tests     map[string]testWaiter // who waits for a test page, by its key; the loop's alone
	inherited Gossip

	problems []string // what could not be read at the start
}

type request struct {
	in     Input
	answer chan Answer // nil: nobody waits
}

// Start takes the lead, reads the store and returns an engine ready to Run. It blocks until this process may write.
func Start(ctx context.Context, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = Clock()
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	lease, err := o.Store.Lead(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for the right to write: %w", err)
	}
	e := &Engine{
		core: New(o.Config, o.Seed), store: o.Store, lease: lease, send: o.Sender, now: o.Now, log: o.Log,
		people: make(chan request, peopleLength), queue: make(chan request, queueLength), stopped: make(chan struct{}), tests: map[string]testWaiter{}, observe: o.Observe, happened: o.Happened, inherited: o.Inherited,
	}
	if o.Peered {
		e.core.router.Peered(false, 0)
	}
	if e.problems, err = e.core.Restore(ctx, o.Store, o.Now()); err != nil {
		return nil, err
	}
	for _, p := range e.problems {
		e.log.Error("a stored record cannot be read and was left out", zap.String("problem", p))
	}
	e.core.past, e.core.told = e.past, e.readLine
	if e.tails, err = findTails(ctx, o.Store); err != nil {
		return nil, err
	}
	e.stats = newMetrics(e, o.Registerer)
	return e, nil
}

// Run turns the loop until ctx is done, the lead is lost or the store breaks. What was accepted before ctx was done is
// still taken in.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.stopped)
	if err := e.turn([]request{{in: e.inherited}}); err != nil {
		return err
	}
	e.looked = e.now().Elapsed
	nap := time.NewTimer(0)
	defer nap.Stop()
	for {
		var requests []request
		select {
		case <-ctx.Done():
			return e.drain()
		case <-e.lease.Done():
			return errors.New("another midwatch took the lead; this one stops so that nobody is paged twice")
		case r := <-e.people:
			requests = e.take(r)
		case r := <-e.queue:
			requests = e.gather(e.take(r))
		case <-nap.C:
		}
		if e.wasAway() {
			e.log.Warn("nobody looked at the clock for a while: the machine was suspended, or the process stopped; alerts go on as after a restart")
			requests = slices.Insert(requests, 0, request{in: Resumed{}})
		}
		err := e.turn(requests)
		e.leave(requests)
		if err != nil {
			return err
		}
		if err := e.prune(); err != nil {
			return err
		}
		e.ready.Store(true)
		e.crowd.served(len(requests), e.Queued(), e.now().Elapsed)
		nap.Reset(e.nap())
	}
}

// drain answers what is queued, at the end.
func (e *Engine) drain() error {
	e.ready.Store(false)
	for {
		r, ok := e.next()
		if !ok {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.flush()
		}
		if err := e.turn(e.take(r)); err != nil {
			return err
		}
	}
}

// take adds to the first what waits, as much as fits in a turn. What people do goes before what machines send: whoever
// acknowledges in a flood of alerts does not wait for the flood.
func (e *Engine) take(first request) []request {
	requests := []request{first}
	for weight := weightOf(first.in); weight < inputsPerTurn; {
		r, ok := e.next()
		if !ok {
			return requests
		}
		requests = append(requests, r)
		weight += weightOf(r.in)
	}
	return requests
}

// next is the input that goes next; false: none waits.
func (e *Engine) next() (r request, ok bool) {
	select {
	case r = <-e.people:
		return r, true
	default:
	}
	select {
	case r = <-e.queue:
		return r, true
	default:
		return r, false
	}
}

// leave says that these inputs wait no longer.
func (e *Engine) leave(requests []request) {
	for _, r := range requests {
		if in, ok := r.in.(Alerts); ok {
			e.waiting.Add(-int64(len(in.Alerts)))
		}
	}
}

// weightOf is how many small inputs the input takes as much time as: nobody's page shall wait for what a thousand alerts or
// the pages of many bundles led to in one turn.
func weightOf(in Input) int {
	const alerts = 8 // weigh as much as one action or outcome
	switch in := in.(type) {
	case Alerts:
		return 1 + len(in.Alerts)/alerts
	case Result:
		if strings.HasPrefix(in.Key, bundlePrefix) {
			return maxBundle
		}
	}
	return 1
}

func (e *Engine) nap() time.Duration {
	due := e.core.Due()
	if due.IsZero() {
		return longestNap
	}
	return min(max(due.Sub(e.now().Wall), 0), longestNap)
}

// turn is the order of everything: step, commit, answer, send.
func (e *Engine) turn(requests []request) error {
	inputs := make([]Input, len(requests))
	for i, r := range requests {
		inputs[i] = r.in
	}
	at := e.now()
	due := e.core.Due()

	if late := at.Wall.Sub(due); !due.IsZero() && late > 0 {
		e.lag.Store(int64(late))
	} else {
		e.lag.Store(0)
	}
	e.mu.Lock()
	t := e.core.Turn(at, inputs)
	err := e.commit(t.Batches)
	if err == nil {
		e.core.Committed()
	}
	e.mu.Unlock()
	if !due.IsZero() && !due.After(at.Wall) {
		e.stats.lag.Observe(at.Wall.Sub(due).Seconds())
	}
	if err != nil && !errors.Is(err, ErrUnsaved) {
		return err
	}

	for i, r := range requests {
		e.sayWho(r.in, t.Answers[i])
		e.tested(r.in, t.Answers[i])
		if r.answer == nil {
			continue
		}
		a := t.Answers[i]
		if a.Err == nil && err != nil {
			a.Err = err
		}
		r.answer <- a
	}
	if e.observe != nil && len(t.Router) > 0 {
		e.observe(t.Router)
	}
	if e.happened != nil && len(t.Events) > 0 {
		e.happened(t.Events)
	}
	for _, key := range t.Cancels {
		if e.send.Cancel(key) {
			e.later(Result{Key: key, Verdict: Verdict{Outcome: NotSent}})
		}
	}
	for _, s := range t.Sends {
		key := s.Delivery.Key
		e.send.Send(s, func(v Verdict) {
			e.stats.delivered(s.Delivery, v)
			e.later(Result{Key: key, Verdict: v})
		})
	}
	e.say(t.Events)
	for _, key := range t.Unkept {
		e.log.Error("a record is too large to be stored; it is remembered until a restart", zap.String("key", key))
	}
	return nil
}

// Tell hands the engine an input and waits for nothing. What is told is lost with the process until it is on disk.
func (e *Engine) Tell(in Input) { e.later(in) }

// later hands the loop an input that nobody waits for, from any goroutine, also the loop's own.
func (e *Engine) later(in Input) {
	select {
	case e.queue <- request{in: in}:
	default:
		go func() { // the queue is full: wait outside, the loop must not
			select {
			case e.queue <- request{in: in}:
			case <-e.stopped:
			}
		}()
	}
}

// commit writes the batches. A full store does not stop the paging: what could not be written is kept, and tried again
// every second; a broken one ends the process, since nobody knows what it holds (DESIGN §5).
func (e *Engine) commit(bs []store.Batch) error {
	if !e.unsaved.empty() {
		for _, b := range bs {
			e.unsaved.add(b)
		}
		e.swamped.Store(e.unsaved.size > maxBacklog)
		if e.now().Elapsed < e.retryAt {
			return ErrUnsaved
		}
		return e.flush()
	}
	done, err := e.writeAll(bs)
	if !errors.Is(err, store.ErrFull) {
		return err
	}
	for _, rest := range bs[done:] {
		e.unsaved.add(rest)
	}
	return e.hold(err)
}

// writeAll writes the batches in order, up to one that fails, and says how many it wrote. A turn of a storm has dozens, and
// a store that can do so writes them in one go.
func (e *Engine) writeAll(bs []store.Batch) (done int, err error) {
	s, ok := e.store.(store.Sequencer)
	if !ok || len(bs) < 2 {
		for _, b := range bs {
			if err := e.write(b); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
	fenced := make([]store.Batch, 0, len(bs))
	for _, b := range bs {
		fenced = append(fenced, e.lease.Fence(b))
	}
	err = e.written(func() error {
		done, err = s.CommitAll(context.Background(), fenced)
		return err
	})
	return done, err
}

// flush tries to write what a full store did not take.
func (e *Engine) flush() error {
	if e.unsaved.empty() {
		return nil
	}
	for _, b := range e.unsaved.batches() {
		if err := e.write(b); errors.Is(err, store.ErrFull) {
			return e.hold(err)
		} else if err != nil {
			return err
		}
	}
	e.unsaved = backlog{}
	e.full.Store(nil)
	e.swamped.Store(false)
	e.log.Info("the disk takes writes again; everything held in memory is on it now")
	return nil
}

func (e *Engine) hold(err error) error {
	e.retryAt = e.now().Elapsed + retryBacklog
	why := err.Error()
	if e.full.Swap(&why) == nil {
		e.log.Error("the disk takes no writes; paging goes on from memory, and a restart now would forget what happens meanwhile; make room", zap.Error(err))
	}
	return ErrUnsaved
}

func (e *Engine) write(b store.Batch) error {
	return e.written(func() error { return e.store.Commit(context.Background(), e.lease.Fence(b)) })
}

func (e *Engine) written(commit func() error) error {
	start := time.Now()
	err := commit()
	took := time.Since(start)
	e.crowd.committed(took)
	e.stats.commits.Observe(took.Seconds())
	if err == nil {
		e.committed.Store(e.now().Wall.UnixNano())
	}
	if err != nil && !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("the store: %w", err)
	}
	return err
}

// Do hands the engine an input and waits for the answer, which comes when what follows from it is on disk. An Error in
// the answer is the caller's to mend; ErrBusy means that nothing was done; ErrUnsaved that it was done in memory. After
// ctx's error it will be done all the same; after ErrStopped nobody may count on it.
func (e *Engine) Do(ctx context.Context, in Input) Answer {
	r := request{in: in, answer: make(chan Answer, 1)}
	select {
	case <-e.stopped:
		return Answer{Err: ErrStopped}
	default:
	}
	way := e.people
	switch in := in.(type) {
	case Result:
		way = e.queue
	case Alerts:
		way = e.queue
		if n := int64(len(in.Alerts)); e.waiting.Add(n) > mostWaiting {
			e.waiting.Add(-n)
			return Answer{Err: ErrBusy}
		}
	}
	select {
	case way <- r:
	default:
		e.leave([]request{r})
		return Answer{Err: ErrBusy}
	}
	select {
	case a := <-r.answer:
		return a
	case <-e.stopped:
		select {
		case a := <-r.answer:
			return a
		default:
			return Answer{Err: ErrStopped}
		}
	case <-ctx.Done():
		return Answer{Err: ctx.Err()}
	}
}

// Receive takes in alerts as they were posted: repeats only move their end in the table and cost nothing more; the
// others come back from here on disk. It keeps nothing of alerts, whose memory may be reused afterwards.
func (e *Engine) Receive(ctx context.Context, alerts []*router.Alert) error {
	now := e.now().Wall
	e.received.Store(now.UnixNano())
	news := e.news(alerts, now)
	if news == nil {
		return nil
	}
	if e.swamped.Load() {
		return ErrBusy
	}
	err := e.Do(ctx, Alerts{Alerts: news.Alerts()}).Err
	if err == nil { // else the loop may have them still
		news.Empty()
		parcels.Put(news)
	}
	return err
}

// parcels are empty ones.
var parcels = sync.Pool{New: func() any { return new(router.Parcel) }}

// news are copies of those of the alerts that are no mere repeats; nil: there are none. What follows news of an alert in the same
// POST is news too: it must not overtake.
func (e *Engine) news(alerts []*router.Alert, now time.Time) (rest *router.Parcel) {
	var seen map[uint64]bool // hashes of rest
	for i, a := range alerts {
		if (rest == nil || !seen[a.Hash()]) && e.core.router.Touch(a, now) {
			continue
		}
		if rest == nil {
			rest, _ = parcels.Get().(*router.Parcel)
			seen = make(map[uint64]bool, len(alerts)-i)
		}
		seen[a.Hash()] = true
		rest.Add(a)
	}
	return rest
}

// Ready reports whether the first turn is over: state is loaded, and what was overdue is on its way.
func (e *Engine) Ready() bool { return e.ready.Load() }

// Trouble says why nothing is being written to the store; empty: all is well.
func (e *Engine) Trouble() string {
	if why := e.full.Load(); why != nil {
		return *why
	}
	return ""
}

// sayWho logs who made, changed or ended a silence, where that is known: the silence itself tells of its maker only.
func (e *Engine) sayWho(in Input, a Answer) {
	switch in := in.(type) {
	case SetSilence:
		if a.Err == nil && in.By != "" {
			e.log.Info("a silence was set", zap.String("id", a.Silence.ID), zap.String("by", in.By))
		}
	case ExpireSilence:
		if a.Err == nil && in.By != "" {
			e.log.Info("a silence was ended", zap.String("id", in.ID), zap.String("by", in.By))
		}
	case SetPlan:
		if a.Err == nil {
			e.log.Info("a recurring silence was set", zap.String("name", in.Plan.Name), zap.String("by", in.By))
		}
	case DropPlan:
		if a.Err == nil {
			e.log.Info("a recurring silence was removed", zap.String("name", in.Name), zap.String("by", in.By))
		}
	default:
		e.sayChange(in, a)
	}
}

// say logs what happened.
func (e *Engine) say(events []incident.Event) {
	for _, ev := range events {
		e.stats.happened(ev)
		fields := []zap.Field{zap.String("event", ev.Kind)}
		for _, f := range []struct{ name, value string }{
			{"incident", ev.Incident},
			{"user", ev.User},
			{"receiver", ev.Receiver},
			{"via", ev.Via},
			{"by", ev.By},
			{"severity", ev.Severity},
			{"reason", ev.Reason},
			{"text", ev.Text},
		} {
			if f.value != "" {
				fields = append(fields, zap.String(f.name, f.value))
			}
		}
		if ev.Kind == incident.PageFailed {
			e.log.Warn("incident", fields...)
		} else {
			e.log.Info("incident", fields...)
		}
	}
}
