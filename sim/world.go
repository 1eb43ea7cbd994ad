// Package sim drives the real engine in virtual time.
package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// How a Prometheus behaves that evaluates its rules every minute: it repeats what fires, and each time promises to be
// heard of within four minutes.
const (
	resendEvery = time.Minute
	resendFor   = 4 * time.Minute
	resolvedFor = 15 * time.Minute // for so long it repeats, where nobody listens, that an alert is over
)

// Past so many turns at one instant something chases its own tail.
const maxTurnsAtOnce = 100_000

// A World is an engine, a store that forgets nothing, one Prometheus, and a network that answers at once. Time passes
// only in Run.
type World struct {
	cfg   *engine.Config
	store *store.Memory
	core  *engine.Core // nil while the daemon is down
	seed  uint64

	start   time.Time     // the wall clock when elapsed was 0, as the world began
	elapsed time.Duration // since then; clock jumps do not move it
	jumped  time.Duration // what the wall clock was set by, in all
	back    time.Duration // elapsed, when a daemon that is down is started again; 0: nobody starts it

	firing []*source
	fails  []failure
	log    []Entry
}

// A source is an alert that the world's Prometheus keeps sending.
type source struct {
	alert  router.Alert
	resend time.Duration // elapsed
	over   time.Duration // elapsed, until when it says that the alert is over; 0: it fires
}

// A failure makes a contact method fail for good until an instant.
type failure struct {
	user, via string
	until     time.Duration
}

// An Entry is one event with the time that passed until it.
type Entry struct {
	At time.Duration
	incident.Event
}

// NewWorld returns a world at its start, with a daemon that has just been started for the first time.
func NewWorld(cfg *engine.Config, start time.Time, seed uint64) (*World, error) {
	w := &World{cfg: cfg, store: store.NewMemory(), start: start, seed: seed}
	if err := w.boot(); err != nil {
		return nil, err
	}
	return w, nil
}

// Log is what happened so far, in the order of cause.
func (w *World) Log() []Entry { return slices.Clone(w.log) }

// Elapsed is the time that passed since the start.
func (w *World) Elapsed() time.Duration { return w.elapsed }

func (w *World) boot() error {
	w.core = engine.New(w.cfg, w.seed)
	problems, err := w.core.Restore(context.Background(), w.store, w.instant())
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("after a restart: %s", problems[0])
	}
	return w.look()
}

// Restart kills the daemon, and starts it again on what the store kept when so much time has passed.
func (w *World) Restart(downFor time.Duration) error {
	w.core = nil
	if downFor <= 0 {
		return w.boot()
	}
	w.back = w.elapsed + downFor
	return nil
}

// Jump sets the wall clock; the time that passes goes on as before.
func (w *World) Jump(by time.Duration) error {
	w.jumped += by
	return w.look()
}

// look is what the loop does a few times a second though nothing is due: it reads the clocks.
func (w *World) look() error {
	if w.core == nil {
		return nil
	}
	if _, err := w.turn(nil); err != nil {
		return err
	}
	return w.settle()
}

// Fail makes a contact method fail for good until so much time has passed.
func (w *World) Fail(user, via string, until time.Duration) {
	w.fails = append(w.fails, failure{user, via, until})
}

// Fire makes the world's Prometheus send an alert, now and every minute until Resolve.
func (w *World) Fire(labels, annotations router.Labels) error {
	i := w.find(labels)
	if i < 0 || w.firing[i].over > 0 {
		if i >= 0 {
			w.firing = slices.Delete(w.firing, i, i+1)
		}
		i = len(w.firing)
		w.firing = append(w.firing, &source{alert: router.Alert{Labels: labels, StartsAt: w.wall()}})
	}
	w.firing[i].alert.Annotations = annotations
	return w.resend(w.firing[i])
}

// Resolve makes the source of an alert say that it is over. Resolving what never fired is no error.
func (w *World) Resolve(labels router.Labels) error {
	i := w.find(labels)
	if i < 0 || w.firing[i].over > 0 {
		return nil
	}
	w.firing[i].over = w.elapsed + resolvedFor
	w.firing[i].alert.EndsAt = w.wall()
	return w.resend(w.firing[i])
}

// Vanish ends the source of an alert without a word: it says no more of it, not even that it is over.
func (w *World) Vanish(labels router.Labels) {
	w.firing = slices.DeleteFunc(w.firing, func(s *source) bool { return s.alert.Labels.Equal(labels) })
}

// Do hands the engine an input and lets everything follow that follows at once.
func (w *World) Do(in engine.Input) (engine.Answer, error) {
	if w.core == nil {
		return engine.Answer{}, fmt.Errorf("the daemon is down at %s", FormatElapsed(w.elapsed))
	}
	answers, err := w.turn([]engine.Input{in})
	if err != nil {
		return engine.Answer{}, err
	}
	return answers[0], w.settle()
}

// Run lets time pass until so much of it has passed since the start.
func (w *World) Run(until time.Duration) error {
	for {
		next, ok := w.next()
		if !ok || next > until {
			w.elapsed = max(w.elapsed, until)
			return nil
		}
		w.elapsed = max(w.elapsed, next)
		if w.core == nil && w.back > 0 && w.back <= w.elapsed {
			w.back = 0
			if err := w.boot(); err != nil {
				return err
			}
		}
		for _, s := range slices.Clone(w.firing) {
			if s.resend <= w.elapsed {
				if err := w.resend(s); err != nil {
					return err
				}
			}
		}
		if err := w.settle(); err != nil {
			return err
		}
	}
}

// next is when something happens by itself.
func (w *World) next() (next time.Duration, ok bool) {
	sooner := func(at time.Duration) {
		if !ok || at < next {
			next, ok = at, true
		}
	}
	for _, s := range w.firing {
		sooner(s.resend)
	}
	switch {
	case w.core != nil:
		if at, waits := w.Due(); waits {
			sooner(at)
		}
	case w.back > 0:
		sooner(w.back)
	}
	return next, ok
}

// Due tells whether the engine waits for anything.
func (w *World) Due() (at time.Duration, ok bool) {
	if w.core == nil || w.core.Due().IsZero() {
		return 0, false
	}
	return w.core.Due().Sub(w.start) - w.jumped, true
}

// Open are the incidents that nobody has resolved.
func (w *World) Open() bool { return w.core != nil && w.core.OpenIncidents() > 0 }

func (w *World) wall() time.Time { return w.start.Add(w.elapsed + w.jumped) }

func (w *World) instant() engine.Instant { return engine.Instant{Wall: w.wall(), Elapsed: w.elapsed} }

func (w *World) find(labels router.Labels) int {
	return slices.IndexFunc(w.firing, func(s *source) bool { return s.alert.Labels.Equal(labels) })
}

// resend is what Prometheus says of the alert now. That it is over need be heard only once.
func (w *World) resend(s *source) error {
	s.resend = w.elapsed + resendEvery
	a := s.alert
	if s.over == 0 {
		a.EndsAt = w.wall().Add(resendFor)
	} else if w.core != nil || w.elapsed >= s.over {
		w.firing = slices.DeleteFunc(w.firing, func(o *source) bool { return o == s })
	}
	return w.post(a)
}

// post is what the API does with a posted alert. While the daemon is down the post is lost.
func (w *World) post(a router.Alert) error {
	if w.core == nil {
		return nil
	}
	a.UpdatedAt = w.wall()
	if w.core.Router().Touch(&a, w.wall()) {
		return nil
	}
	if _, err := w.turn([]engine.Input{engine.Alerts{Alerts: []*router.Alert{&a}}}); err != nil {
		return err
	}
	return w.settle()
}

// settle lets everything happen that is due now.
func (w *World) settle() error {
	if w.core == nil {
		return nil
	}
	for range maxTurnsAtOnce {
		due := w.core.Due()
		if due.IsZero() || due.After(w.wall()) {
			return nil
		}
		if _, err := w.turn(nil); err != nil {
			return err
		}
	}
	return fmt.Errorf("the engine does not come to rest at %s", FormatElapsed(w.elapsed))
}

// turn is one turn of the engine with all that follows in the same instant: commit, answer, send, and what became of
// the sends.
func (w *World) turn(inputs []engine.Input) ([]engine.Answer, error) {
	t := w.core.Turn(w.instant(), inputs)
	for _, b := range t.Batches {
		if err := w.store.Commit(context.Background(), b); err != nil {
			return nil, err
		}
	}
	w.core.Committed()
	for _, e := range t.Events {
		w.log = append(w.log, Entry{At: w.elapsed, Event: e})
	}
	for _, s := range t.Sends {
		if _, err := w.turn([]engine.Input{engine.Result{Key: s.Delivery.Key, Verdict: w.answer(s.Delivery)}}); err != nil {
			return nil, err
		}
	}
	return t.Answers, nil
}

func (w *World) answer(d engine.Delivery) engine.Verdict {
	for _, f := range w.fails {
		if f.user == d.User && (f.via == d.Via || f.via == "") && w.elapsed < f.until {
			return engine.Verdict{Outcome: engine.Failed, Answer: fmt.Sprintf("%s of %s fails until %s", d.Via, d.User, FormatElapsed(f.until))}
		}
	}
	return engine.Verdict{Outcome: engine.Delivered, Answer: "delivered"}
}
