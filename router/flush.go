package router

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"
)

// minTimeout is the least time a notification has, as in Alertmanager, however short the group_interval is.
const minTimeout = 10 * time.Second

// A round is one flush of a group, for as long as an outcome of it is awaited.
type round struct {
	group            *group
	at               time.Time
	from             time.Time // when it is our turn among the peers
	hushed           []*Alert  // what resolved and is silenced, where that is told all the same
	alerts           []*Alert  // what nothing mutes, frozen, in order
	firing, resolved []uint64  // their hashes, ascending
	ended            []ended   // all that had resolved, muted or not
	owed             []Integration
	open             int // outcomes awaited, those owed included
	failed           bool
}

// ended is a resolved member as the round saw it.
type ended struct {
	entry     *entry
	updatedAt time.Time
}

// A flight is a notification on its way.
type flight struct {
	Notify
	round *round // nil: of an earlier process, or of a round that a later one has replaced
}

// A seat is one integration of one group. It has one notification on its way at most.
type seat struct {
	group       string
	integration string
	index       int
}

func (f *flight) seat() seat { return seat{f.Group, f.Entry.Integration, f.Entry.Index} }

// flush lets the group speak. Like Alertmanager's, it tells of the whole group, and decides for every integration by
// what the log says that it knows. An integration that is still busy with the last time is passed over, and has its
// turn when that is done: it holds up nobody else.
func (r *Router) flush(g *group, now time.Time) {
	g.Group = g.Step(now)
	r.agenda.add(g.Next, g)
	rd, before := r.freeze(g, now), g.round
	g.round = rd
	if len(rd.alerts)+len(rd.hushed) > 0 {
		rd.owed = slices.Clone(r.opts.Receivers[g.Receiver])
		rd.open = len(rd.owed)
	}
	rd.from = now.Add(r.wait)
	if before != nil && before.from.After(now) {
		rd.from = before.from // who speaks oftener than its turn comes must have its turn all the same
	}
	if rd.from.After(now) && rd.open > 0 {
		r.turns.add(rd.from, rd)
		return
	}
	r.takeTurns(rd, now)
}

// takeTurns tells the integrations of the round that are not busy with an earlier one.
func (r *Router) takeTurns(rd *round, now time.Time) {
	turns := rd.owed
	rd.owed = nil
	for _, i := range turns {
		if r.busy[seat{rd.group.ID, i.Name, i.Index}] != nil {
			rd.owed = append(rd.owed, i)
			continue
		}
		rd.open--
		r.tell(rd.group, rd, i, now)
	}
	r.finish(rd.group)
}

// freeze fixes what fires and what has resolved, for an alert must not end in the middle of a flush.
func (r *Router) freeze(g *group, now time.Time) *round {
	rd := &round{group: g, at: now}
	flushed := Flushed{Group: g.Group, At: now}
	hours := r.hours(g.node, now)
	for i, e := range g.members {
		a := r.read(e)
		if others := len(g.members) - 1; i == 0 { // which are much like it
			pairs, text := a.room()
			r.copies.reserve(others, others*pairs, others*text)
		}
		fires := !a.ResolvedAt(now)
		if fires {
			a.EndsAt = time.Time{}
		} else {
			rd.ended = append(rd.ended, ended{e, a.UpdatedAt})
		}
		if mute := r.muted(hours, e, a.Labels, now); mute != "" {
			if flushed.Muted == nil {
				flushed.Muted = map[Mute]int{}
			}
			flushed.Muted[mute]++
			flushed.Others = append(flushed.Others, a)
			if mute == Silenced && !fires && r.opts.TellResolvedSilenced {
				rd.hushed = append(rd.hushed, a)
			}
			continue
		}
		rd.alerts = append(rd.alerts, a)
		if fires {
			rd.firing = append(rd.firing, a.Hash())
		} else {
			rd.resolved = append(rd.resolved, a.Hash())
		}
	}
	slices.Sort(rd.firing)
	slices.Sort(rd.resolved)
	slices.SortFunc(rd.alerts, compareAlerts)
	for _, a := range rd.alerts {
		if a.EndsAt.IsZero() {
			flushed.Firing = append(flushed.Firing, a)
		} else {
			flushed.Resolved = append(flushed.Resolved, a)
		}
	}
	r.emit(flushed)
	return rd
}

// tell decides whether the integration is to be told of the round, and sends it on its way.
func (r *Router) tell(g *group, rd *round, i Integration, now time.Time) {
	var (
		repeat = g.node.route.RouteOpts.RepeatInterval
		key    = LogKey{g.Key, g.Receiver, i.Name, i.Index}
		known  = r.log.get(key)
	)
	alerts, resolved := rd.heard(known)
	if len(alerts) == 0 {
		return // a silence hides what resolved, and it never heard that it fired
	}
	reason := decide(known, rd.firing, resolved, i.SendResolved, repeat, rd.at)
	if reason == Nothing {
		return
	}
	entry := LogEntry{LogKey: key, Firing: rd.firing, Resolved: resolved}
	if reason != First {
		entry.State = maps.Clone(known.State) // the integration may write to it
	}
	if !i.SendResolved {
		if len(rd.firing) == 0 {
			// There is nothing it may hear, but what it believes to fire must be cleared.
			r.record(entry, now, repeat)
			return
		}
		alerts = slices.DeleteFunc(slices.Clone(alerts), func(a *Alert) bool { return !a.EndsAt.IsZero() })
	}
	r.flown++
	f := &flight{round: rd, Notify: Notify{
		Group:          g.ID,
		RouteID:        g.RouteID,
		GroupLabels:    g.Labels,
		RouteLabels:    g.node.labels,
		Reason:         reason,
		At:             rd.at,
		Deadline:       now.Add(max(g.node.route.RouteOpts.GroupInterval, minTimeout)),
		RepeatInterval: repeat,
		Alerts:         alerts,
		Entry:          entry,
	}}
	f.Ref = r.ref(f)
	rd.open++
	r.emit(f.Notify)
	r.launch(f)
}

// heard is what an integration of which this is known hears of: what is muted by nothing, and the ends that a silence
// would hide from it, though it believes those alerts to fire.
func (rd *round) heard(known *LogEntry) (alerts []*Alert, resolved []uint64) {
	alerts, resolved = rd.alerts, rd.resolved
	if known == nil {
		return alerts, resolved
	}
	for _, a := range rd.hushed {
		if _, believed := slices.BinarySearch(known.Firing, a.Hash()); believed {
			alerts, resolved = append(slices.Clip(alerts), a), append(slices.Clip(resolved), a.Hash())
		}
	}
	if len(alerts) > len(rd.alerts) {
		slices.SortFunc(alerts, compareAlerts)
		slices.Sort(resolved)
	}
	return alerts, resolved
}

// launch waits for the outcome. The alerts are with who sends them.
func (r *Router) launch(f *flight) {
	f.Alerts = nil
	r.flights[f.Ref] = f
	r.busy[f.seat()] = f
}

// ref names the flight by what it is, when, and the how-manieth of this process it is: after the clock was set back,
// the same group may speak at the same time again.
func (r *Router) ref(f *flight) Ref {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\xff%s", f.Group, f.Entry.LogKey)
	return Ref(fmt.Sprintf("%016x-%x-%x", h.Sum64(), f.At.UnixNano(), r.flown))
}

// Sent is the outcome of one Notify: whether the integration has been told by `at`, with all that was tried. state is
// what it wants to remember; nil is as before. An outcome that nobody waits for is passed over.
func (r *Router) Sent(ref Ref, ok bool, at time.Time, state map[string]string) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	at = at.Round(0)
	f := r.flights[ref]
	if f == nil {
		return nil
	}
	delete(r.flights, ref)
	if r.busy[f.seat()] == f {
		delete(r.busy, f.seat())
	}
	if ok {
		entry := f.Entry
		if state != nil {
			entry.State = state
		}
		r.record(entry, at, f.RepeatInterval)
	}
	g := r.groups[f.Group]
	if g == nil || g.round == nil {
		return r.effects()
	}
	switch rd := g.round; {
	case f.round == rd:
		rd.open--
		rd.failed = rd.failed || !ok
	case at.Before(rd.from): // it waits for the peers, too
	default:
		i := slices.IndexFunc(rd.owed, func(i Integration) bool {
			return i.Name == f.Entry.Integration && i.Index == f.Entry.Index
		})
		if i >= 0 {
			turn := rd.owed[i]
			rd.owed = slices.Delete(rd.owed, i, i+1)
			rd.open--
			r.tell(g, rd, turn, at)
		}
	}
	r.finish(g)
	return r.effects()
}

// record writes to the log that an integration has been told. The time is when it had been, not when it was decided:
// so a repeat_interval that is a multiple of the group_interval comes one group_interval later, as in Alertmanager.
func (r *Router) record(e LogEntry, at time.Time, repeat time.Duration) {
	if known := r.log.get(e.LogKey); known != nil && known.Timestamp.After(at) {
		return // a peer told it since
	}
	e.Timestamp = at
	e.ExpiresAt = expiry(at, r.opts.Retention, repeat)
	r.log.put(e)
	r.emit(LogChanged{Entry: *r.log.get(e.LogKey)})
}

// MergeLog takes in what peers have logged. Where a peer has told an integration, we need not.
func (r *Router) MergeLog(entries []LogEntry, now time.Time) []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if r.log.merge(e, now) {
			r.emit(LogChanged{Entry: *r.log.get(e.LogKey), Merged: true})
		}
	}
	return r.effects()
}

// finish ends the round once every outcome is known. If all integrations have heard, or had no need to, the group lets
// go of what had resolved, unless it was heard of since; a group that is then empty ends. Else it keeps them, and tries
// again at its next flush; whoever has heard is not told twice.
func (r *Router) finish(g *group) {
	rd := g.round
	if rd.open > 0 {
		return
	}
	g.round = nil
	if rd.failed {
		return
	}
	let := false
	for _, m := range rd.ended {
		if r.table.updated(m.entry).Equal(m.updatedAt) && m.entry.member(g) {
			g.leave(m.entry)
			r.table.release(m.entry)
			let = true
		}
	}
	switch {
	case len(g.members) == 0:
		r.close(g)
	case let:
		g.Cleared = rd.at
		r.keep(g)
	}
}
