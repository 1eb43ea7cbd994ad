package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// ladderRecord is a ladder's stored form.
type ladderRecord struct {
	Ladder escalation.Page   `json:"ladder"`
	Told   map[string]Notice `json:"told,omitempty"`
}

// restored is what was found in the store, before the Core takes it over.
type restored struct {
	router  router.State
	history map[int][]uint64 // incident → its events
}

// Restore reads everything back and gets ready for the first turn. Deadlines that passed meanwhile are due at once;
// deliveries without an outcome are sent again under their keys; alerts that fired when we stopped get at least
// resolve_timeout to be heard of again, so that nothing resolves because we were away (SPEC §5.8, §5.12).
// problems are records that could not be read, as sentences; they are left where they are.
func (c *Core) Restore(ctx context.Context, s store.Store, at Instant) (history map[int][]uint64, problems []string, err error) {
	c.clock.advance(at)
	c.now = at.Wall
	c.past = func(n int) (incident.Incident, error) { return ReadIncident(ctx, s, n) }
	r := restored{history: map[int][]uint64{}}

	if err := c.checkFormat(ctx, s); err != nil {
		return nil, nil, err
	}
	for _, read := range []struct {
		prefix string
		take   func(key, rest string, value []byte) error
	}{
		{prefIncident, func(_, rest string, value []byte) error { return c.restoreIncident(rest, value) }},
		{prefLadder, func(_, rest string, value []byte) error { return c.restoreLadder(rest, value) }},
		{prefMember, func(_, rest string, value []byte) error { return c.restoreMembers(rest, value) }},
		{prefDelivery, func(_, rest string, value []byte) error { return c.restoreDelivery(rest, value) }},
		{prefTurn, func(_, rest string, value []byte) error {
			var n int
			err := decode("turn", value, &n)
			c.turns[rest] = n
			return err
		}},
		{prefOverride, func(_, rest string, value []byte) error {
			var o oncall.Override
			schedule, _, _ := strings.Cut(rest, "/")
			if err := decode("override", value, &o); err != nil {
				return err
			}
			c.overrides[schedule] = append(c.overrides[schedule], o)
			return nil
		}},
		{prefGroup, func(_, _ string, value []byte) error {
			var g router.Group
			if err := decode("group", value, &g); err != nil {
				return err
			}
			r.router.Groups = append(r.router.Groups, g)
			return nil
		}},
		{prefLog, func(_, _ string, value []byte) error {
			e, err := router.DecodeLogEntry(value)
			if err != nil {
				return err
			}
			r.router.Log = append(r.router.Log, e)
			return nil
		}},
		{prefEvent, func(key, _ string, _ []byte) error {
			seq, n, err := parseEventKey(key)
			if err != nil {
				return err
			}
			c.seq = max(c.seq, seq)
			if n > 0 {
				r.history[n] = append(r.history[n], seq)
			}
			return nil
		}},
		{prefAttempt, func(_, rest string, _ []byte) error {
			n, err := strconv.ParseUint(rest, 16, 64)
			c.records = max(c.records, n)
			return err
		}},
	} {
		from, to := store.Prefix(read.prefix)
		for item, err := range s.Scan(ctx, from, to) {
			if err != nil {
				return nil, nil, fmt.Errorf("reading the store: %w", err)
			}
			if err := read.take(item.Key, strings.TrimPrefix(item.Key, read.prefix), item.Value); err != nil {
				problems = append(problems, fmt.Sprintf("%s: %s", item.Key, err))
			}
		}
	}
	if err := c.restoreAlive(ctx, s, &r); err != nil {
		return nil, nil, err
	}
	more, err := c.restoreJournal(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, more...)
	c.settleRestored(&r)
	return r.history, problems, nil
}

func (c *Core) checkFormat(ctx context.Context, s store.Store) error {
	item, err := s.Get(ctx, keyFormat)
	if errors.Is(err, store.ErrNotFound) {
		c.unit()
		c.put(keyFormat, encode("format", layout))
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

// ReadIncident reads the record of one incident, open or not.
func ReadIncident(ctx context.Context, s store.Store, n int) (incident.Incident, error) {
	var i incident.Incident
	item, err := s.Get(ctx, prefIncident+num(n))
	if err != nil {
		return i, err
	}
	return i, decode("incident", item.Value, &i)
}

func (c *Core) restoreIncident(rest string, value []byte) error {
	n, err := strconv.Atoi(rest)
	if err != nil {
		return err
	}
	c.last = max(c.last, n)
	var i incident.Incident
	if err := decode("incident", value, &i); err != nil {
		return err
	}
	// Most incidents of a store are over and done with; only what may still change comes to memory.
	if i.Open() || i.Held || c.now.Before(i.ResolvedAt.Add(c.cfg.ReopenWindow)) {
		l := newLive()
		l.incident = i
		c.live[n] = l
		if m := c.identities[i.Identity]; m < n {
			c.identities[i.Identity] = n
		}
	}
	return nil
}

func (c *Core) restoreLadder(rest string, value []byte) error {
	n, err := strconv.Atoi(rest)
	if err != nil {
		return err
	}
	l := c.live[n]
	if l == nil {
		c.unit()
		c.put(prefLadder+rest, nil)
		return nil
	}
	var r ladderRecord
	if err := decode("ladder", value, &r); err != nil {
		return err
	}
	l.ladder = r.Ladder
	for key, notice := range r.Told {
		l.told[key] = notice
	}
	return nil
}

func (c *Core) restoreMembers(rest string, value []byte) error {
	inc, piece, _ := strings.Cut(rest, "/")
	n, err := strconv.Atoi(inc)
	if err != nil {
		return err
	}
	seq, err := strconv.ParseUint(piece, 16, 64)
	if err != nil {
		return err
	}
	c.records = max(c.records, seq)
	l := c.live[n]
	if l == nil {
		return nil
	}
	var members []uint64
	if err := decode("member", value, &members); err != nil {
		return err
	}
	for _, fp := range members {
		if _, known := l.members[fp]; !known {
			l.members[fp] = nil // its labels come with the alert
			c.membership[fp] = append(c.membership[fp], n)
		}
	}
	return nil
}

func (c *Core) restoreDelivery(rest string, value []byte) error {
	var d Delivery
	if err := decode("delivery", value, &d); err != nil {
		return err
	}
	l := c.live[d.Incident]
	if d.Withdrawn || (d.Incident > 0 && l == nil) {
		c.unit()
		c.put(prefDelivery+rest, nil)
		return nil
	}
	if d.Next.IsZero() {
		d.Next = c.now // interrupted: again, under the same key
	}
	c.deliveries[d.Key] = &d
	if l != nil {
		l.sends[d.Key] = true
	}
	if d.Parent != "" {
		if c.families[d.Parent] == nil {
			c.families[d.Parent] = &family{}
		}
		c.families[d.Parent].pending++
	}
	return nil
}

// restoreJournal reads the last whole snapshot and the journal after it.
func (c *Core) restoreJournal(ctx context.Context, s store.Store) (problems []string, err error) {
	j := &c.journal
	var cur current
	switch item, err := s.Get(ctx, keyGeneration); {
	case err == nil:
		if err := decode("current", item.Value, &cur); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s; the alerts of the snapshot are lost until Prometheus repeats them", keyGeneration, err))
		}
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	j.gen, j.from, j.size, j.seq = cur.Generation, cur.From, cur.Bytes, cur.From
	whole := prefSnapshot + seqKey(j.gen) + "/"
	take := func(key string, value []byte) {
		alerts, err := readAlerts(value)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", key, err))
			return
		}
		for _, a := range alerts {
			c.router.Alerts().Load(a)
		}
	}
	from, to := store.Prefix(prefSnapshot)
	for item, err := range s.Scan(ctx, from, to) {
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading the store: %w", err)
		case !strings.HasPrefix(item.Key, whole):
			j.stale = append(j.stale, item.Key) // of a fold that a crash cut short
		default:
			j.chunks++
			take(item.Key, item.Value)
		}
	}
	from, to = store.Prefix(prefJournal)
	for item, err := range s.Scan(ctx, from, to) {
		if err != nil {
			return nil, fmt.Errorf("reading the store: %w", err)
		}
		seq, err := strconv.ParseUint(strings.TrimPrefix(item.Key, prefJournal), 16, 64)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s", item.Key, err))
			continue
		}
		if seq <= j.from {
			j.stale = append(j.stale, item.Key)
			continue
		}
		j.seq = max(j.seq, seq)
		j.bytes += len(item.Value)
		take(item.Key, item.Value)
	}
	if len(j.stale) > 0 {
		c.agenda.set("fold", c.now)
	}
	return problems, nil
}

// restoreAlive finds out when we were last known to run.
func (c *Core) restoreAlive(ctx context.Context, s store.Store, r *restored) error {
	item, err := s.Get(ctx, keyAlive)
	if errors.Is(err, store.ErrNotFound) {
		r.router.Stopped = c.now
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	return decode("alive", item.Value, &r.router.Stopped)
}

// settleRestored hands the router what is its own, and makes the agenda from what the values say of themselves.
func (c *Core) settleRestored(r *restored) {
	c.use(c.cfg)
	byFingerprint := c.wanted()
	for a := range c.router.Alerts().All() {
		if _, want := byFingerprint[a.Fingerprint()]; want {
			byFingerprint[a.Fingerprint()] = a
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.deliveries)) {
		if d := c.deliveries[key]; d.Group != nil {
			d.Group.revive(func(fp uint64) *router.Alert { return byFingerprint[fp] })
			r.router.InFlight = append(r.router.InFlight, d.Group.notify)
		}
	}
	for _, n := range c.liveNumbers() {
		l := c.live[n]
		for fp := range l.members {
			if a := byFingerprint[fp]; a != nil {
				l.members[fp] = a.Labels
				if !a.Ended {
					l.firing[fp] = true
				}
			}
		}
	}
	c.unit()
	c.routed(c.router.Restore(r.router, c.now))
	c.settle()
	for _, n := range c.liveNumbers() {
		l := c.live[n]
		c.unit()
		if len(l.firing) == 0 && l.incident.Firing {
			c.become(l, incident.Cleared{}) // it had ended, and the crash came before we could say so
		}
		c.touch(l)
		c.settle()
	}
	for key, d := range c.deliveries {
		c.agenda.set("delivery/"+key, d.Due())
	}
}

// wanted are the fingerprints of all alerts that incidents and deliveries speak of.
func (c *Core) wanted() map[uint64]*router.Alert {
	fps := map[uint64]*router.Alert{}
	for fp := range c.membership {
		fps[fp] = nil
	}
	for _, d := range c.deliveries {
		if d.Group != nil {
			for _, fp := range d.Group.stored.Alerts {
				fps[fp] = nil
			}
		}
	}
	return fps
}
