package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

const forever = time.Duration(1) << 62

// A breaker is a world that tries to make the engine break its promises. It has the real engine with its loop's order of
// work, on a disk that fails, with a network that loses, delays and doubles, with people, with a Prometheus, and with a
// wall clock that is set now and then. All its chance comes from one seed. What it finds out about is in check.
type breaker struct {
	t     testing.TB
	seed  uint64
	rand  *rand.Rand
	house *bhouse
	cfgs  [2]*engine.Config
	cfg   *engine.Config // what the file says now
	plant *plant         // a bug that is to be found; nil: none

	start   time.Time // the wall clock when elapsed was 0
	elapsed time.Duration
	jumped  time.Duration // by what the wall clock was set, in all
	length  time.Duration

	disk    *bdisk
	e       *engine.Engine // nil while it is down
	up      time.Duration  // since when it runs and is awake
	crashed time.Duration  // when it last crashed; -1: never
	back    time.Duration
	dozed   time.Duration // since then
	asleep  time.Duration // until then the machine is suspended
	away    time.Duration // until then Prometheus posts nothing
	dying   int           // the machine loses its power inside the so manieth send from now; 0: it does not

	sources []*bsource
	deeds   []bdeed
	order   int
	skip    map[int]bool // planned deeds that are left out, by their order
	mail    []*bletter
	sent    []engine.Send // let out in the turn under way

	check  *checker
	trace  []string
	counts bcounts
}

// bcounts are the figures of a world.
type bcounts struct {
	Turns, Crashes, Cut, Sends, Pages, Incidents, Actions, Jumps, Reloads, Silences, Overrides, Full, Suspended, Outages int
}

func (c *bcounts) add(o bcounts) {
	c.Turns += o.Turns
	c.Crashes += o.Crashes
	c.Cut += o.Cut
	c.Sends += o.Sends
	c.Pages += o.Pages
	c.Incidents += o.Incidents
	c.Actions += o.Actions
	c.Jumps += o.Jumps
	c.Reloads += o.Reloads
	c.Silences += o.Silences
	c.Overrides += o.Overrides
	c.Full += o.Full
	c.Suspended += o.Suspended
	c.Outages += o.Outages
}

// A bsource is an alert that Prometheus keeps sending.
type bsource struct {
	labels   router.Labels
	since    time.Time
	resend   time.Duration
	over     bool
	accepted time.Duration // when it was first answered with 200 that it fires; -1: never yet
	told     bool          // a post that it is over left
	posted   bool          // a post that it fires left
	joined   int           // the incident whose it is since it fires; 0: none's
	silenced bool
	receiver string // where it is routed to, and what makes its identity
	group    string
	alert    string
	spoken   time.Duration // since when it fires, is accepted and not silenced, and the engine was up; see checker.lost
}

type bdeed struct {
	at    time.Duration
	order int
	what  string
	do    func(w *breaker)
}

// A bletter is on the wire: its outcome becomes known at a time.
type bletter struct {
	key   string
	at    time.Duration
	order int
	v     engine.Verdict
	done  func(engine.Verdict)
	twice bool
}

// errPower is what the disk says when the machine loses its power.
var errPower = errors.New("the machine lost its power")

// powerLoss ends a turn inside a send.
type powerLoss struct{}

func (w *breaker) wall() time.Time { return w.start.Add(w.elapsed + w.jumped) }

func (w *breaker) instant() engine.Instant {
	switch {
	case w.plant == nil:
	case w.plant.clock != nil:
		return w.plant.clock(w)
	case w.plant.fast > 0:
		fast := time.Duration(float64(w.elapsed) * w.plant.fast)
		return engine.Instant{Wall: w.wall().Add(fast - w.elapsed), Elapsed: fast}
	}
	return engine.Instant{Wall: w.wall(), Elapsed: w.elapsed}
}

func (w *breaker) note(format string, args ...any) {
	const keep = 400
	if len(w.trace) >= 2*keep {
		w.trace = append(w.trace[:0], w.trace[keep:]...)
	}
	w.trace = append(w.trace, FormatElapsed(w.elapsed)+"  "+fmt.Sprintf(format, args...))
}

// newBreaker makes a world from its seed.
func newBreaker(t testing.TB, seed uint64, length time.Duration, p *plant) *breaker {
	w := &breaker{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0x627265616b)), length: length, plant: p, crashed: -1}
	w.house = randomHouse(w.rand)
	w.cfgs[0] = readHouse(t, w.house.text(false))
	w.cfg = w.cfgs[0]
	w.start = one(w.rand, breakerStarts...).Add(time.Duration(w.rand.IntN(24*3600)) * time.Second)
	w.disk = &bdisk{Memory: store.NewMemory(), w: w, written: map[uint64]time.Duration{}}
	w.check = newChecker(w)
	return w
}

func (w *breaker) at(at time.Duration, what string, do func(w *breaker)) {
	w.order++
	d := bdeed{at, w.order, what, do}
	i, _ := slices.BinarySearchFunc(w.deeds, d, func(a, b bdeed) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	w.deeds = slices.Insert(w.deeds, i, d)
}

// boot starts an engine on what the disk holds.
func (w *breaker) boot() {
	w.back = 0
	w.note("start")
	e, err := engine.Start(context.Background(), engine.Options{Store: w.disk, Config: w.cfg, Sender: w, Seed: w.seed, Now: w.instant})
	if err != nil {
		w.check.fail("the engine starts", "%v", err)
	}
	w.e, w.up = e, w.elapsed
	w.check.booted()
	w.step()
	if w.e != nil {
		w.check.look()
	}
}

// crash ends the process where it stands.
func (w *breaker) crash(down time.Duration) {
	w.counts.Crashes++
	w.note("crash, down for %s", down)
	w.e, w.mail, w.dying, w.disk.failIn = nil, nil, 0, 0
	w.crashed, w.back = w.elapsed, w.elapsed+down
	if w.plant != nil && w.plant.crash != nil {
		w.plant.crash(w)
	}
	w.check.crashed(w.disk.events(w.check.seq), w.sent)
	w.sent = nil
}

// step is one turn of the engine, and what can be seen of it from outside. ok is false where nobody was there to answer.
func (w *breaker) step(in ...engine.Input) (answers []engine.Answer, ok bool) {
	if w.e == nil || w.elapsed < w.asleep {
		return nil, false
	}
	w.counts.Turns++
	w.sent = nil
	func() {
		defer func() {
			if lost := recover(); lost != nil {
				if _, power := lost.(powerLoss); !power {
					panic(lost)
				}
				ok = false
			}
		}()
		var err error
		answers, err = w.e.Step(in...)
		if err != nil && !errors.Is(err, errPower) {
			w.check.fail("the engine goes on", "%v", err)
		}
		ok = err == nil
	}()
	if !ok {
		w.counts.Cut++
		w.crash(one(w.rand, 0, 0, 5*time.Second, time.Minute, 4*time.Minute, 25*time.Minute))
		return nil, false
	}
	var events []incident.Event
	if w.disk.news || w.unsaved() {
		w.disk.news = false
		var err error
		if events, err = w.e.Audit(context.Background(), w.check.seq, 1<<20); err != nil {
			w.check.fail("the history can be read", "%v", err)
		}
	}
	sent := w.sent
	w.sent = nil
	w.check.seen(events, sent)
	return answers, true
}

// settle takes turns until nothing is due.
func (w *breaker) settle() {
	for range 10_000 {
		if w.e == nil || w.elapsed < w.asleep {
			return
		}
		due := w.e.Due()
		if w.plant != nil && w.plant.late > 0 && !due.IsZero() {
			due = due.Add(w.plant.late)
		}
		if w.e.Queued() == 0 && (due.IsZero() || due.After(w.instant().Wall)) {
			return
		}
		w.step()
	}
	w.check.fail("the engine comes to rest", "it is due at %s, and it is %s", w.e.Due(), w.wall())
}

// run lets the world's whole time pass.
func (w *breaker) run() {
	w.boot()
	w.settle()
	for {
		next := min(w.next(), w.length)
		if next > w.elapsed {
			w.elapsed = next
		}
		if w.elapsed >= w.length {
			return
		}
		if w.e == nil && w.back <= w.elapsed {
			w.boot()
		}
		if w.asleep > 0 && w.elapsed >= w.asleep {
			w.note("awake")
			w.asleep, w.up = 0, w.elapsed
			w.check.booted()
			if w.elapsed-w.dozed > 10*time.Second && (w.plant == nil || !w.plant.dozy) {
				w.step(engine.Resumed{}) // what its loop says when it looks at the clock again
			}
		}
		w.arrive()
		w.settle()
		if w.e != nil && w.disk.full {
			w.step()
		}
		for len(w.deeds) > 0 && w.deeds[0].at <= w.elapsed {
			d := w.deeds[0]
			w.deeds = w.deeds[1:]
			if d.what != "" {
				w.note("%s", d.what)
			}
			d.do(w)
			w.settle()
		}
		for i := 0; i < len(w.sources); i++ { // posting may drop one
			if s := w.sources[i]; s.resend <= w.elapsed {
				w.send(s)
				w.settle()
			}
		}
		w.sources = slices.DeleteFunc(w.sources, func(s *bsource) bool { return s.resend == forever })
		w.check.absent()
	}
}

// next is when something happens.
func (w *breaker) next() time.Duration {
	next := w.check.deadline()
	for _, s := range w.sources {
		next = min(next, s.resend)
	}
	if len(w.deeds) > 0 {
		next = min(next, w.deeds[0].at)
	}
	switch {
	case w.e == nil:
		return min(next, w.back)
	case w.elapsed < w.asleep:
		return min(next, w.asleep)
	}
	if due := w.e.Due(); !due.IsZero() {
		if w.plant != nil && w.plant.late > 0 {
			due = due.Add(w.plant.late)
		}
		wait := due.Sub(w.instant().Wall)
		if w.plant != nil && w.plant.fast > 0 {
			wait = time.Duration(float64(wait)/w.plant.fast) + 1
		}
		next = min(next, max(w.elapsed, wait+w.elapsed))
	}
	for _, l := range w.mail {
		next = min(next, l.at)
	}
	if w.disk.full {
		next = min(next, w.elapsed+time.Second)
	}
	return next
}

// arrive tells the outcomes that are known by now.
func (w *breaker) arrive() {
	if w.elapsed < w.asleep {
		return
	}
	for w.e != nil {
		i := -1
		for j, l := range w.mail {
			if l.at <= w.elapsed && (i < 0 || cmp.Or(cmp.Compare(l.at, w.mail[i].at), cmp.Compare(l.order, w.mail[i].order)) < 0) {
				i = j
			}
		}
		if i < 0 {
			return
		}
		l := w.mail[i]
		w.mail = slices.Delete(w.mail, i, i+1)
		w.note("%s of %s: %s", l.v.Outcome, l.key, l.v.Answer)
		w.check.verdict(l.key, l.v)
		l.done(l.v)
		if l.twice {
			l.done(l.v) // the sender's fault, and it must not matter
		}
		w.step()
	}
}

// Send is the engine's Sender.
func (w *breaker) Send(s engine.Send, done func(engine.Verdict)) {
	if w.plant != nil && w.plant.send != nil && w.plant.send(w, s, done) {
		return
	}
	w.attempt(s, done)
}

// attempt puts a message on the wire.
func (w *breaker) attempt(s engine.Send, done func(engine.Verdict)) {
	w.counts.Sends++
	w.sent = append(w.sent, s)
	w.note("send %s to %s%s", s.Delivery.Key, s.Delivery.User, s.Delivery.Receiver)
	v, latency := w.fate(s)
	w.order++
	w.mail = append(w.mail, &bletter{key: s.Delivery.Key, at: w.elapsed + latency, order: w.order, v: v, done: done, twice: chance(w.rand, 5)})
	if v.Outcome == engine.Delivered && s.Delivery.User != "" {
		w.ring(s, latency)
	}
	if w.dying > 0 {
		if w.dying--; w.dying == 0 {
			panic(powerLoss{})
		}
	}
}

// fate is what becomes of an attempt: most are delivered, some late, some hang and fail, some are refused.
func (w *breaker) fate(s engine.Send) (engine.Verdict, time.Duration) {
	r := w.rand
	late := time.Duration(0)
	if chance(r, 30) {
		late = time.Duration(r.IntN(20)) * time.Second
	}
	switch p := r.IntN(100); {
	case p < 82:
		return engine.Verdict{Outcome: engine.Delivered, Answer: "ok", Latency: late}, late
	case p < 91:
		return engine.Verdict{Outcome: engine.Retry, Answer: "busy", Latency: late}, late
	case p < 94: // it hangs
		late = time.Duration(20+r.IntN(40)) * time.Second
		return engine.Verdict{Outcome: engine.Retry, Answer: "no answer", Latency: late}, late
	default:
		return engine.Verdict{Outcome: engine.Failed, Answer: "no such number", Latency: late}, late
	}
}

// Cancel takes back what has not left.
func (w *breaker) Cancel(key string) bool {
	i := slices.IndexFunc(w.mail, func(l *bletter) bool { return l.key == key && l.at > w.elapsed+5*time.Second })
	if i < 0 {
		return false
	}
	w.mail = slices.Delete(w.mail, i, i+1)
	w.note("taken back: %s", key)
	return true
}

// ring lets somebody hear of a message; what they do about it is theirs.
func (w *breaker) ring(s engine.Send, latency time.Duration) {
	r := w.rand
	if s.Delivery.Event != "page" || !chance(r, 45) {
		return
	}
	who, via := s.Delivery.User, s.Delivery.Via
	ids := s.Delivery.Incidents
	if s.Delivery.Incident > 0 {
		ids = []string{incident.ID(s.Delivery.Incident)}
	}
	reaction := latency + time.Duration(5+r.IntN(one(r, 60, 600, 1500)))*time.Second
	for _, id := range ids {
		a := engine.Action{Verb: engine.Acknowledge, Incident: id, By: who, Via: via}
		if chance(r, 20) {
			a.Verb = one(r, engine.Resolve, engine.Snooze, engine.AddNote, engine.Escalate, engine.Reassign, engine.AddResponder, engine.StopMine)
			w.garnish(&a)
		}
		w.at(w.elapsed+reaction, "", func(w *breaker) { w.act(a, 2) })
	}
}

// garnish completes an action with what its verb needs.
func (w *breaker) garnish(a *engine.Action) {
	r := w.rand
	a.Text, a.For, a.User = "as far as I see", time.Duration(1+r.IntN(40))*time.Minute, one(r, breakerUsers...)
	switch r.IntN(3) {
	case 0:
		a.To = &escalation.Target{User: one(r, breakerUsers...)}
	case 1:
		a.To = &escalation.Target{Schedule: fmt.Sprintf("s%d", r.IntN(4))}
	default:
		a.Policy = fmt.Sprintf("p%d", r.IntN(w.house.teams))
	}
}

// act does what a person does; where nobody answers they may try again.
func (w *breaker) act(a engine.Action, tries int) {
	w.counts.Actions++
	w.note("%s by %s of %s", a.Verb, a.By, a.Incident)
	w.check.submitted(a)
	answers, ok := w.step(a)
	if !ok {
		if tries > 0 && chance(w.rand, 60) {
			w.at(w.elapsed+time.Duration(10+w.rand.IntN(90))*time.Second, "", func(w *breaker) { w.act(a, tries-1) })
		}
		return
	}
	answer := answers[0]
	if answer.Err != nil && !errors.Is(answer.Err, engine.ErrUnsaved) {
		w.note("refused: %v", answer.Err)
		return
	}
	w.check.answered(a, answer)
	if a.Verb == engine.Acknowledge && chance(w.rand, 30) {
		next := engine.Action{Verb: one(w.rand, engine.Resolve, engine.Unacknowledge, engine.AddNote, engine.Acknowledge), Incident: a.Incident, By: a.By, Via: a.Via}
		w.garnish(&next)
		w.at(w.elapsed+time.Duration(1+w.rand.IntN(60))*time.Minute, "", func(w *breaker) { w.act(next, 1) })
	}
}

// send is what Prometheus posts about a source now.
func (w *breaker) send(s *bsource) {
	if s.resend = w.elapsed + resendEvery; w.elapsed < w.away {
		s.resend = w.away + time.Duration(w.rand.IntN(60))*time.Second
		return
	}
	a := router.Alert{Labels: s.labels, StartsAt: s.since, EndsAt: w.wall().Add(resendFor), UpdatedAt: w.wall()}
	if s.over {
		a.EndsAt = w.wall()
		s.told = true
	}
	if w.e == nil || w.elapsed < w.asleep {
		return
	}
	s.posted = s.posted || !s.over
	accepted := w.e.Router().Touch(&a, w.wall())
	if !accepted {
		answers, ok := w.step(engine.Alerts{Alerts: []*router.Alert{&a}})
		accepted = ok && (answers[0].Err == nil || errors.Is(answers[0].Err, engine.ErrUnsaved))
	}
	switch {
	case accepted && s.over:
		s.resend = forever
	case accepted && s.accepted < 0:
		s.accepted = w.elapsed
	}
}

func (w *breaker) find(ls router.Labels) *bsource {
	for _, s := range w.sources {
		if s.resend != forever && s.labels.Equal(ls) {
			return s
		}
	}
	return nil
}

// fire makes Prometheus send an alert.
func (w *breaker) fire(ls router.Labels) {
	s := w.find(ls)
	switch {
	case s == nil:
		s = &bsource{labels: ls, since: w.wall(), accepted: -1, spoken: -1}
		w.sources = append(w.sources, s)
	case s.over:
		s.over, s.since, s.accepted, s.spoken = false, w.wall(), -1, -1 // the engine may still believe what it was told before
	default:
		return
	}
	w.note("fires: %v", ls)
	w.send(s)
}

func (w *breaker) resolve(ls router.Labels) {
	if s := w.find(ls); s != nil && !s.over {
		w.note("is over: %v", ls)
		s.over = true
		w.send(s)
	}
}
