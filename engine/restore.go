package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// ladderRecord is a ladder's stored form, with what else an incident has to remember until it is over and done with.
// Only incidents that may still change have one.
type ladderRecord struct {
	Ladder escalation.Page   `json:"ladder"`
	Told   map[string]Notice `json:"told,omitempty"`
	Moved  time.Duration     `json:"moved,omitempty"` // by how much the clock was set since it was resolved
}

// A restorer reads a store into a Core.
type restorer struct {
	c        *Core
	ctx      context.Context
	s        store.Store
	state    router.State
	problems []string
	doubt    bool          // some alerts could not be read: one that is missing may yet fire
	moved    time.Duration // by how much the clock was set since the snapshot of the alerts
}

// Restore reads everything back and gets ready for the first turn, which commits what follows from it. Deadlines that
// passed meanwhile are due at once; deliveries without an outcome are sent again under their keys; alerts that fired
// when we stopped get at least resolve_timeout to be heard of again, so that nothing resolves because we were away
// (SPEC §5.8, §5.12). It reads what may still change and nothing of the past, however long that is.
// problems are records that could not be read, as sentences; they are left where they are.
func (c *Core) Restore(ctx context.Context, s store.Store, at Instant) (problems []string, err error) {
	c.clock.advance(at)
	c.now = at.Wall.Round(0)
	c.past = func(n int) (incident.Incident, error) { return readIncident(ctx, s, n) }
	c.told = func(schedule string, line uint64) (Watch, bool) { return readWatch(ctx, s, schedule, line) }
	r := restorer{c: c, ctx: ctx, s: s}
	for _, step := range []func() error{
		r.checkFormat,
		r.restoreAlive,
		r.restoreCounters,
		r.restoreRoster,
		r.restoreChanges,
		r.restoreBills,
		r.restoreFeeds,
		r.restoreHeartbeats,
		r.restoreMemos,
		r.restorePast,
		r.restoreSLOs,
		r.restoreSilences,
		r.restoreGroups,
		r.restoreDeliveries,
		r.restoreIncidents,
		r.restoreMembers,
		r.restoreJournal,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	c.use(c.cfg)
	r.settle()
	return r.problems, nil
}

// scan hands take every record below the prefix. What take cannot read is a problem; only the store's own errors end it.
func (r *restorer) scan(prefix string, take func(rest string, value []byte) error) error {
	from, to := store.Prefix(prefix)
	for item, err := range r.s.Scan(r.ctx, from, to) {
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		if err := take(strings.TrimPrefix(item.Key, prefix), item.Value); err != nil {
			r.problem(item.Key, err)
		}
	}
	return nil
}

// get reads one record into v, and reports whether it could be. One that is absent leaves v as it is, and counts as read.
func (r *restorer) get(key, kind string, v any) (read bool, err error) {
	item, err := r.s.Get(r.ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading the store: %w", err)
	}
	if err := decode(kind, item.Value, v); err != nil {
		r.problem(key, err)
		return false, nil
	}
	return true, nil
}

func (r *restorer) problem(key string, err error) {
	r.problems = append(r.problems, fmt.Sprintf("%s: %s", key, err))
}

func (r *restorer) checkFormat() error {
	item, err := r.s.Get(r.ctx, keyFormat)
	if errors.Is(err, store.ErrNotFound) {
		r.c.put(keyFormat, encode("format", layout))
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	var version int
	if err := decode("format", item.Value, &version); err != nil {
		return err
	}
	if version > layout {
		return fmt.Errorf("the store has layout %d, newer than this midwatch knows (%d); start the newer one again", version, layout)
	}
	return nil
}

// restoreCounters finds the newest numbers without reading what they are of.
func (r *restorer) restoreCounters() error {
	last, err := newest(r.ctx, r.s, prefIncident, func(n uint64) string { return prefIncident + num(int(n)) })
	r.c.last = int(last)
	if err == nil {
		r.c.seq, err = newest(r.ctx, r.s, prefEvent, func(n uint64) string { return prefEvent + seqKey(n) })
	}
	if err == nil {
		r.c.records, err = newest(r.ctx, r.s, prefAttempt, func(n uint64) string { return prefAttempt + seqKey(n) })
	}
	return err
}

const maxNumber = 1 << 33 // centuries of incidents; and its ten digits are as many as num writes

// newest is the highest number of a key below the prefix, of those from 1 on that key writes in order; 0: there is none.
// A store can only walk forward, so it is asked a few dozen times whether anything comes after.
func newest(ctx context.Context, s store.Store, prefix string, key func(uint64) string) (uint64, error) {
	_, to := store.Prefix(prefix)
	isThere := func(n uint64) (bool, error) {
		for _, err := range s.Scan(ctx, key(n), to) {
			if err != nil {
				return false, fmt.Errorf("reading the store: %w", err)
			}
			return true, nil
		}
		return false, nil
	}
	low, high := uint64(0), uint64(1) // the answer is at least low; once found, it is below high
	for found := false; high-low > 1 || !found; {
		middle := low + (high-low)/2
		if !found {
			middle = high
		}
		there, err := isThere(middle)
		switch {
		case err != nil:
			return 0, err
		case there && middle >= maxNumber:
			return 0, fmt.Errorf("the store holds a key %s or above, and nobody comes so far; it is damaged", key(middle))
		case there:
			low, high = middle, max(high, 2*middle)
		default:
			high, found = middle, true
		}
	}
	return low, nil
}

// readIncident reads the record of one incident, open or not.
func readIncident(ctx context.Context, s reader, n int) (incident.Incident, error) {
	var i incident.Incident
	item, err := s.Get(ctx, prefIncident+num(n))
	if err != nil {
		return i, err
	}
	if err := decode("incident", item.Value, &i); err != nil {
		return i, err
	}
	if i.Number != n {
		return i, fmt.Errorf("the record of %s is that of %s", incident.ID(n), i.ID())
	}
	return i, nil
}

// A reader is the part of a store that looks up one key.
type reader interface {
	Get(ctx context.Context, key string) (store.Item, error)
}

func (r *restorer) restoreRoster() error {
	if err := r.scan(prefTurn, func(step string, value []byte) error {
		var n int
		err := decode("turn", value, &n)
		r.c.turns[step] = n
		return err
	}); err != nil {
		return err
	}
	return r.scan(prefOverride, func(rest string, value []byte) error {
		schedule, number, _ := strings.Cut(rest, "/")
		n, err := strconv.ParseUint(number, 16, 64)
		if err != nil {
			return err
		}
		r.c.number = max(r.c.number, n)
		var o oncall.Override
		if err = decode("override", value, &o); err == nil {
			o.ID = madeID(schedule, n) // those of old have none
			made := r.c.overrides[schedule]
			made.list = append(made.list, o)
			r.c.overrides[schedule] = made
		}
		return err
	})
}

func (r *restorer) restoreSilences() error {
	if err := r.scan(prefSilence, func(_ string, value []byte) error {
		var s router.Silence
		err := decode("silence", value, &s)
		if err == nil {
			r.state.Silences = append(r.state.Silences, s)
		}
		return err
	}); err != nil {
		return err
	}
	return r.scan(prefPlan, func(_ string, value []byte) error {
		var p Plan
		err := decode("plan", value, &p)
		if err == nil {
			err = p.check()
		}
		if err == nil {
			r.c.plans[p.key()] = p
		}
		return err
	})
}

// restoreGroups reads the groups and what is known of them. Of several records of one the last counts.
func (r *restorer) restoreGroups() error {
	if err := r.scan(prefGroup, func(rest string, value []byte) error {
		var g router.Group
		if err := decode("group", value, &g); err != nil {
			return err
		}
		if older := r.c.groups.found(g.ID, prefGroup+rest); older != "" {
			r.displace(older)
			r.state.Groups = slices.DeleteFunc(r.state.Groups, func(o router.Group) bool { return o.ID == g.ID })
		}
		r.state.Groups = append(r.state.Groups, g)
		return nil
	}); err != nil {
		return err
	}
	return r.scan(prefLog, func(rest string, value []byte) error {
		e, err := router.DecodeLogEntry(value)
		if err != nil {
			return err
		}
		if older := r.c.logged.found(e.LogKey, prefLog+rest); older != "" {
			r.displace(older)
			r.state.Log = slices.DeleteFunc(r.state.Log, func(o router.LogEntry) bool { return o.LogKey == e.LogKey })
		}
		r.state.Log = append(r.state.Log, e)
		return nil
	})
}

// displace deletes a record of which there is a later one.
func (r *restorer) displace(key string) {
	r.c.unit()
	r.c.put(key, nil)
}

// restoreDeliveries takes up what had no outcome when we stopped: again, under the same key.
func (r *restorer) restoreDeliveries() error {
	return r.scan(prefDelivery, func(rest string, value []byte) error {
		var d Delivery
		if err := decode("delivery", value, &d); err != nil {
			return err
		}
		if d.Withdrawn && d.Group != nil {
			r.c.put(prefDelivery+rest, nil)
			return nil
		}
		d.Withdrawn = false // what its ladder says of it counts, see rejoin
		if d.Next.IsZero() {
			d.Next = r.c.now
		}
		r.c.deliveries[d.Key] = &d
		return nil
	})
}

// restoreIncidents reads those that may still change: the ones that have a ladder.
func (r *restorer) restoreIncidents() error {
	sending := map[int]bool{}
	for _, d := range r.c.deliveries {
		sending[d.Incident] = true
	}
	var over []string
	err := r.scan(prefLadder, func(rest string, value []byte) error {
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		i, err := readIncident(r.ctx, r.s, n)
		if errors.Is(err, store.ErrNotFound) {
			over = append(over, prefLadder+rest)
			return nil
		}
		if err != nil {
			return err
		}
		l := newLive()
		l.incident = i
		if l.hasSign(i.Identity) {
			l.standIn(i.Firing)
		}
		var record ladderRecord
		err = decode("ladder", value, &record)
		l.ladder, l.moved = record.Ladder, record.Moved
		for key, notice := range record.Told {
			l.told[key] = notice
		}
		if !i.Open() && !i.Held && !sending[n] && !r.c.now.Before(r.c.closes(l)) {
			over = append(over, prefLadder+rest)
			return err
		}
		r.c.live[n] = l
		if m := r.c.identities[i.Identity]; m < n {
			r.c.identities[i.Identity] = n
		}
		return err
	})
	for _, key := range over {
		r.c.unit()
		r.c.put(key, nil)
	}
	return err
}

func (r *restorer) restoreMembers() error {
	return r.scan(prefMember, func(rest string, value []byte) error {
		number, piece, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		seq, err := strconv.ParseUint(piece, 16, 64)
		if err != nil {
			return err
		}
		r.c.records = max(r.c.records, seq)
		l := r.c.live[n]
		if l == nil {
			if r.isOver(n) {
				r.c.unit()
				r.c.put(prefMember+rest, nil)
			}
			return nil
		}
		l.chunks = append(l.chunks, seq)
		var members []uint64
		if err := decode("member", value, &members); err != nil {
			return err
		}
		for _, fp := range members {
			if _, known := l.members[fp]; !known {
				r.c.enlist(l, fp, nil) // its labels come with the alert
			}
		}
		return nil
	})
}

// isOver reports whether the incident is surely over and done with. One whose record cannot be read may not be.
func (r *restorer) isOver(n int) bool {
	i, err := readIncident(r.ctx, r.s, n)
	return err == nil && !i.Open() || errors.Is(err, store.ErrNotFound)
}

// restoreAlive finds out when we were last known to run. A clock that has not come so far was set back since: then we
// begin where we stopped, and the first turn finds that the clock was set.
func (r *restorer) restoreAlive() error {
	c := r.c
	r.state.Stopped = c.now
	if _, err := r.get(keyAlive, "alive", &r.state.Stopped); err != nil {
		return err
	}
	switch ahead := r.state.Stopped.Sub(c.now); {
	case ahead > maxAhead:
		r.problem(keyAlive, fmt.Errorf("it says that midwatch ran at %s, which cannot be", r.state.Stopped))
		r.state.Stopped = c.now
	case ahead > 0:
		c.clock.base = c.clock.base.Add(ahead)
		c.now = r.state.Stopped
	}
	return nil
}

const maxAhead = 100 * 365 * 24 * time.Hour // a machine that lost its clock begins in 1970

// settle hands the router what is its own, and makes the agenda from what the values say of themselves.
func (r *restorer) settle() {
	c := r.c
	r.rejoin()
	c.unit()
	c.routed(c.router.Restore(r.state, c.now))
	c.unweighed = true
	c.usePlans()
	for _, n := range c.liveNumbers() {
		c.unit()
		r.revive(c.live[n])
	}
	r.reviveHeartbeats()
	c.useSLOs()
	c.settle()
	r.rebundle()
	for _, d := range r.inOrder() {
		c.agenda.set("delivery/"+d.Key, d.due())
	}
	c.cause = cause{why: "the configuration was changed"}
	c.keepWatches()
	c.tellMoved()
}

// rejoin finds the alerts that incidents and deliveries speak of, and the deliveries that incidents wait for.
func (r *restorer) rejoin() {
	c := r.c
	wanted := map[uint64]*router.Alert{}
	for fp := range c.membership {
		wanted[fp] = nil
	}
	for _, d := range c.deliveries {
		if d.Group != nil {
			for _, fp := range d.Group.stored.fingerprints() {
				wanted[fp] = nil
			}
		}
	}
	for a := range c.router.Alerts().All() {
		if _, want := wanted[a.Fingerprint()]; want {
			wanted[a.Fingerprint()] = a
		}
	}
	for _, d := range r.inOrder() {
		l := c.live[d.Incident]
		switch {
		case d.Group != nil:
			d.Group.revive(func(fp uint64) *router.Alert { return wanted[fp] })
			r.state.InFlight = append(r.state.InFlight, d.Group.notify)
		case d.Duty != nil, len(d.Parts) > 0, d.Event == deliverTest:
		case l == nil:
			delete(c.deliveries, d.Key)
			if r.isOver(d.Incident) {
				c.unit()
				c.put(deliveryKey(d.Key), nil)
			}
		case d.Event != deliverResolved && !slices.Contains(awaited(l.ladder), cmp.Or(d.Parent, d.Key)) && l.ladder.State() != "":
			// The ladder has its outcome, or wants it no more, and a crash came before it was deleted.
			delete(c.deliveries, d.Key)
			c.unit()
			c.put(deliveryKey(d.Key), nil)
		default:
			l.sends[d.Key] = true
			if d.Parent != "" {
				f := c.families[d.Parent]
				if f == nil {
					f = &family{}
					c.families[d.Parent] = f
				}
				f.pending++
				f.reached = f.reached || d.Reached
			}
		}
	}
	for _, l := range c.live {
		for fp := range l.members {
			if a := wanted[fp]; a != nil {
				l.members[fp] = a.Labels
				// One that began to fire again without our noting it joins at the next flush.
				if !a.Ended && l.incident.Firing {
					l.firing[fp] = true
				}
			}
		}
	}
}

// revive sees to it that the incident waits for what there is.
func (r *restorer) revive(l *live) {
	c := r.c
	if l.incident.Open() && l.ladder.State() == "" {
		// Its ladder could not be read. Somebody must hear of it all the same, if need be again; who had it may be gone.
		c.become(l, incident.TriggeredAgain{})
		c.relay(l)
	}
	if len(l.firing) == 0 && l.incident.Firing && !r.doubt {
		c.cleared(l) // it had ended, and the crash came before we could say so
	}
	for _, key := range awaited(l.ladder) {
		if c.deliveries[key] == nil && c.families[key] == nil {
			c.climb(l, escalation.Outcome{Key: key, Reason: "its record could not be read"})
		}
	}
	c.agenda.set(ladderName(l.incident.Number), l.ladder.Due())
	c.remember(l)
}

// awaited are the keys of what the ladder sent and knows no outcome of.
func awaited(p escalation.Page) (keys []string) {
	for _, run := range p.Runs {
		for _, m := range run.Messages {
			if m.Done == escalation.InFlight {
				keys = append(keys, m.Key)
			}
		}
	}
	return keys
}

// inOrder are the deliveries, the oldest first.
func (r *restorer) inOrder() []*Delivery {
	all := make([]*Delivery, 0, len(r.c.deliveries))
	for _, d := range r.c.deliveries {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Delivery) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Key, b.Key))
	})
	return all
}
