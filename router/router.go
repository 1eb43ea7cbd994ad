package router

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
)

// Options are what the configuration says.
type Options struct {
	Root      *dispatch.Route          // the routing tree; required
	Receivers map[string][]Integration // by name; a receiver that is absent has no integrations

	// Intervals says whether the route is silent at this time because of its time intervals, OutsideHours or
	// MutedByHours; "": it is not. It must not call the Router. nil: no route ever is.
	Intervals func(route *dispatch.Route, now time.Time) Mute

	Inhibit []InhibitRule // in the order of the file

	// TellResolvedSilenced lets integrations that were told that an alert fires hear that it resolved though a silence
	// holds by then. Alertmanager does not tell them, and takes the alert for firing when it comes back (#226).
	TellResolvedSilenced bool

	MaxSilences    int                  // how many there may be, those that are over included (--silences.max-silences); 0: any number
	MaxSilenceSize int                  // bytes of one (--silences.max-silence-size-bytes); 0: any size
	SilenceSize    func(s *Silence) int // measures one; nil: there is no such limit

	// LongestWait bounds what Peered will say. After a restart groups that spoke so shortly before speak again: what
	// waited for its turn among the peers left no record.
	LongestWait time.Duration

	// Steady are receivers whose groups keep their times over a reload in any case: somebody is woken by them.
	Steady map[string]bool

	ResolveTimeout time.Duration // how long an alert without an end fires; 0 means 5m
	Retention      time.Duration // longest life of a log entry, and of a silence that is over (--data.retention); 0 means 120h
	ForgetEvery    time.Duration // how often ended alerts are forgotten (--alerts.gc-interval); 0 means 30m
	SweepEvery     time.Duration // how often log entries and silences are forgotten (--data.maintenance-interval); 0 means 15m
	HoldUntil      time.Time     // no group speaks before (start plus --dispatch.start-delay); zero: no such wait
	AlertnameLimit int           // how many alerts of one name may fire (--alerts.per-alertname-limit); 0: any number
}

// An Integration is one way in which a receiver is told.
type Integration struct {
	Name         string // webhook, slack, …
	Index        int    // among the receiver's integrations of that name, from 0
	SendResolved bool
}

func (o Options) withDefaults() Options {
	for _, d := range [...]struct {
		span *time.Duration
		zero time.Duration
	}{
		{&o.ResolveTimeout, 5 * time.Minute},
		{&o.Retention, 120 * time.Hour},
		{&o.ForgetEvery, 30 * time.Minute},
		{&o.SweepEvery, 15 * time.Minute},
	} {
		if *d.span <= 0 {
			*d.span = d.zero
		}
	}
	return o
}

// A Router takes alerts in and says when which receiver is to hear of them. Touch, Alerts and the views may be used from
// anywhere; all else belongs to the one goroutine that is the engine.
//
// The engine gives it the time with every call, calls Elapsed when Due has come, and answers every Notify with Sent.
type Router struct {
	opts           Options
	resolveTimeout atomic.Int64 // of opts, for Touch
	table          *Table

	// mu is held by every call that changes what follows, and by the views while they copy. Touch does not want it.
	mu      sync.RWMutex
	nodes   map[*dispatch.Route]*node
	root    *node
	groups  map[string]*group // by Group.ID
	log     logbook
	flights map[Ref]*flight
	busy    map[seat]*flight

	silences   silences
	inhibition inhibition

	unready bool          // the peers have not met yet: no group speaks
	wait    time.Duration // how long peers before us have to tell, before we do
	turns   agenda[*round]

	agenda        agenda[*group]
	throng        throng // those of the agenda whose time has come
	forget, sweep grid
	flown         uint64 // notifications so far
	out           []Effect
	copies        copies // of the alerts in out

	// Reused from call to call.
	found []*node
	pairs Labels
	key   []byte
}

// New returns a router without alerts.
func New(o Options) *Router {
	o = o.withDefaults()
	r := &Router{
		table:   newTable(o.AlertnameLimit, Labels.Hash),
		groups:  map[string]*group{},
		flights: map[Ref]*flight{},
		busy:    map[seat]*flight{},

		silences: newSilences(),
	}
	r.configure(o)
	return r
}

func (r *Router) configure(o Options) {
	r.opts = o
	r.resolveTimeout.Store(int64(o.ResolveTimeout))
	r.table.limitTo(o.AlertnameLimit)
	r.forget, r.sweep = grid{every: o.ForgetEvery}, grid{every: o.SweepEvery}
	r.inhibition = newInhibition(o.Inhibit)
	r.nodes = map[*dispatch.Route]*node{}
	r.root = plant(o.Root, func(n *node) { r.nodes[n.route] = n })
}

// Alerts is the table of all alerts.
func (r *Router) Alerts() *Table { return r.table }

// Touch completes the report and takes it in if it says nothing new, see Table.Touch. It keeps nothing of a.
func (r *Router) Touch(a *Alert, now time.Time) bool {
	in := *a
	in.Complete(now, time.Duration(r.resolveTimeout.Load()))
	return r.table.Touch(&in, now)
}

// Committed says that every Stored so far is on disk. Until then, repetitions of those alerts are not Touch's to
// answer: a 200 means that it is on disk.
func (r *Router) Committed() { r.table.committed() }

// Due is when Elapsed next wants to be called; zero is never.
func (r *Router) Due() time.Time {
	due := r.nextChore()
	if r.unready {
		return due
	}
	if _, _, ok := r.nextSpeaker(); ok {
		due = sooner(due, r.throng.oldest())
	}
	return sooner(due, r.nextFlush())
}

// Overdue is since when the first thing has been due that ElapsedSome would do now; zero: there is nothing to do by now.
func (r *Router) Overdue(now time.Time) time.Time {
	due := r.nextChore()
	if due.After(now) {
		due = time.Time{}
	}
	if !due.IsZero() || r.unready {
		return due
	}
	r.gather(now)
	at, _, _ := r.nextSpeaker()
	if at.After(now) { // the clock was slewed back a little
		return time.Time{}
	}
	return at
}

// nextChore is when something is to be done beside letting groups speak; zero: never.
func (r *Router) nextChore() time.Time {
	due := sooner(r.nextTurn(), r.silences.nextTurn())
	due = sooner(due, r.table.nextExpiry())
	if r.table.Len() > 0 {
		due = sooner(due, r.forget.next)
	}
	if r.log.len() > 0 || len(r.silences.byID) > 0 {
		due = sooner(due, r.sweep.next)
	}
	return due
}

// sooner is the earlier one; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// nextTurn is when the next round has waited for the peers; zero: none waits.
func (r *Router) nextTurn() time.Time {
	for {
		at, rd, ok := r.turns.first()
		if !ok || r.groups[rd.group.ID] == rd.group && rd.group.round == rd && rd.from.Equal(at) {
			return at
		}
		r.turns.drop()
	}
}

// Peered says where we stand among the peers that hear of the same alerts: whether they have met, before which no group
// speaks, and how long those before us have to tell an integration before we do. Without peers it need not be called.
func (r *Router) Peered(ready bool, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unready, r.wait = !ready, wait
}

// nextFlush is when the next group speaks. Appointments of groups that are gone or were moved fall away here.
func (r *Router) nextFlush() time.Time {
	for {
		at, g, ok := r.agenda.first()
		if !ok || r.meant(at, g) {
			return at
		}
		r.agenda.drop()
	}
}

// meant reports whether the appointment still holds.
func (r *Router) meant(at time.Time, g *group) bool { return g.Next.Equal(at) && r.groups[g.ID] == g }

// gather lets all whose time has come by now wait for their turn.
func (r *Router) gather(now time.Time) {
	for at := r.nextFlush(); !at.IsZero() && !at.After(now); at = r.nextFlush() {
		_, g, _ := r.agenda.first()
		r.agenda.drop()
		r.throng.add(at, g)
	}
}

// nextSpeaker is whose turn it is of those whose time has come.
func (r *Router) nextSpeaker() (at time.Time, g *group, ok bool) {
	for {
		at, g, ok = r.throng.first()
		if !ok || r.meant(at, g) {
			return at, g, ok
		}
		r.throng.drop()
	}
}

// Elapsed does what has become due: it ends alerts, lets groups speak, and forgets. Early, late and repeated calls are
// harmless; what is overdue happens once.
func (r *Router) Elapsed(now time.Time) []Effect { return r.elapsed(now, math.MaxInt) }

// ElapsedSome is Elapsed for somebody who has more to do: at most so many groups are flushed, those that were due first; but
// where many wait no receiver's hold up another's, see throng. Due then says that the others still are.
func (r *Router) ElapsedSome(now time.Time, flushes int) []Effect { return r.elapsed(now, flushes) }

func (r *Router) elapsed(now time.Time, flushes int) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Round(0)
	r.begin(now)
	for at := r.nextTurn(); !at.IsZero() && !at.After(now); at = r.nextTurn() {
		_, rd, _ := r.turns.first()
		r.turns.drop()
		r.takeTurns(rd, now)
	}
	if !r.unready {
		r.gather(now)
		for ; flushes > 0; flushes-- {
			at, g, ok := r.nextSpeaker()
			if !ok || at.After(now) {
				break
			}
			r.throng.drop()
			r.flush(g, now)
		}
	}
	if r.forget.due(now) {
		r.table.gc(now)
	}
	if r.sweep.due(now) {
		for _, e := range r.log.gc(now) {
			r.emit(LogChanged{Entry: e, Deleted: true})
		}
		for _, s := range r.silences.gc(now) {
			r.emit(SilenceChanged{s, SilenceDropped})
		}
	}
	return r.effects()
}

// expire ends the alerts that nobody renewed.
func (r *Router) expire(now time.Time) {
	for _, e := range r.table.expire(now) {
		a := r.read(e)
		r.emit(Stored{a, Expired})
		r.ended(e, a.Labels, now)
		for m := range e.groups {
			r.emit(Left{m.group.Group, a, Expired})
		}
	}
}

// fires and ended say of an alert that it began to fire, or ceased, to what depends on it.
func (r *Router) fires(e *entry, l Labels) {
	r.inhibition.began(e, l)
	r.began(e, l)
}

func (r *Router) ended(e *entry, l Labels, now time.Time) {
	r.inhibition.ceased(e, l)
	r.ceased(e, now)
}

// read returns the alert as it is now, for the effects of this call.
func (r *Router) read(e *entry) *Alert {
	a := r.copies.next()
	r.table.readTo(a, &r.copies.page, e)
	return a
}

func (r *Router) emit(e Effect) { r.out = append(r.out, e) }

func (r *Router) effects() []Effect {
	out := r.out
	r.out, r.copies = nil, copies{}
	return out
}
