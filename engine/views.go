package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// What is read here is on disk: a turn is seen whole, and only after its commit.

// A View is an incident as it stands, with what its ladder will do next.
type View struct {
	incident.Incident
	Urgency string
	NextAt  time.Time // when the ladder goes on; zero: it does not
	NextWho []string  // whom it would page then
	Paged   []string  // who was paged so far
	Alerts  []*router.Alert
	Over    map[uint64]bool // which of Alerts no longer fire

	Snoozed    time.Time // until when nothing pages; zero: it is not snoozed
	SnoozedBy  string
	Paused     bool      // a silence or maintenance holds its paging back
	Acks       []string  // whose acknowledgements stand; while it is triggered they are too few
	AckExpires time.Time // when it is triggered again unless somebody does something; zero: never
}

// A Filter says which incidents are meant. The zero Filter means all.
type Filter struct {
	Status   []incident.Status
	Severity []string
	Policy   string
	User     string                       // only those that this user was paged for or acknowledged, and that may still page; empty: any
	Others   string                       // only those that are not so of this user; empty: any
	Match    func(incident.Incident) bool // nil: any; nothing is locked meanwhile
	Look     int                          // how many closed ones are looked at for one page of the list at most; 0: lookAtMost
}

func (f Filter) match(i incident.Incident, theirs func(user string) bool) bool {
	return (len(f.Status) == 0 || slices.Contains(f.Status, i.Status)) &&
		(len(f.Severity) == 0 || slices.Contains(f.Severity, i.Severity)) &&
		(f.Policy == "" || f.Policy == i.Policy) && (f.User == "" || theirs(f.User)) && (f.Others == "" || !theirs(f.Others)) &&
		(f.Match == nil || f.Match(i))
}

// lookAtMost is how many closed incidents, or lines of the delivery log, one page of a list looks at. A page that a
// filter left short of its length has a next one all the same.
const lookAtMost = 20_000

// Incidents lists incidents, the newest first, from the one numbered below before (0: from the newest), at most so
// many. next is where the next page begins; 0: this was the last.
func (e *Engine) Incidents(ctx context.Context, f Filter, before, most int) (list []View, next int, err error) {
	e.mu.RLock()
	newest := e.core.last
	open := e.core.openBelow(before)
	e.mu.RUnlock()
	if before <= 0 || before > newest {
		before = newest + 1
	}
	if len(f.Status) > 0 && !slices.Contains(f.Status, incident.Resolved) {
		return e.list(ctx, f, open, most) // they are all in memory
	}
	all := func(yield func(int) bool) {
		for n := before - 1; n >= 1; n-- {
			if !yield(n) {
				return
			}
		}
	}
	return e.list(ctx, f, all, most)
}

// openBelow are the numbers of the open incidents below before (0: of all), the newest first.
func (c *Core) openBelow(before int) iter.Seq[int] {
	var open []int
	for n, l := range c.live {
		if l.incident.Open() && (before <= 0 || n < before) {
			open = append(open, n)
		}
	}
	slices.Sort(open)
	slices.Reverse(open)
	return slices.Values(open)
}

// list takes those of the numbers that match, at most so many. What is in memory costs little until it matches.
func (e *Engine) list(ctx context.Context, f Filter, numbers iter.Seq[int], most int) (list []View, next int, err error) {
	looked := 0
	for n := range numbers {
		if len(list) >= most || looked >= cmp.Or(f.Look, lookAtMost) {
			return list, n + 1, nil
		}
		i, theirs, open := e.glance(n, f.User, f.Others)
		if !open {
			looked++
		} else if !f.match(i, func(user string) bool { return theirs[user] }) {
			continue
		}
		v, err := e.Incident(ctx, n)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if open || f.match(v.Incident, func(string) bool { return false }) {
			list = append(list, v)
		}
	}
	return list, 0, nil
}

// glance is an open incident alone, and which of these users it is about.
func (e *Engine) glance(n int, users ...string) (i incident.Incident, theirs map[string]bool, open bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := e.core.live[n]
	if l == nil || !l.incident.Open() {
		return i, nil, false
	}
	for _, user := range users {
		if user != "" && l.concerns(user) {
			if theirs == nil {
				theirs = map[string]bool{}
			}
			theirs[user] = true
		}
	}
	return l.incident, theirs, true
}

// concerns reports whether the incident was sent to the user, or is acknowledged by them.
func (l *live) concerns(user string) bool {
	return l.incident.AckedBy == user || slices.Contains(l.ladder.AckedBy, user) ||
		slices.ContainsFunc(l.ladder.Told, func(c escalation.Contact) bool { return c.User == user })
}

// OpenCount is how many incidents are open: those that nobody has, and those that somebody acknowledged.
func (e *Engine) OpenCount() (triggered, acked int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, l := range e.core.live {
		switch l.incident.Status {
		case incident.Triggered:
			triggered++
		case incident.Acked:
			acked++
		}
	}
	return triggered, acked
}

// AlertsOf are the alerts of an incident that is open or was until lately, firing ones first, past the first skip of them,
// at most so many; all counts them, and firing those that fire. One that is over for long has none any more.
func (e *Engine) AlertsOf(n, skip, most int) (alerts []*router.Alert, over map[uint64]bool, all, firing int) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := e.core.live[n]
	if l == nil {
		return nil, nil, 0, 0
	}
	over = map[uint64]bool{}
	var sign *router.Alert // is in no table
	if l.hasSign(l.incident.Identity) {
		sign = signOf(l.incident)
	}
	for _, fires := range []bool{true, false} {
		for _, fp := range l.order {
			labels := l.members[fp]
			if labels == nil || l.firing[fp] != fires {
				continue
			}
			all++
			if fires {
				firing++
			}
			if all <= skip || len(alerts) >= most {
				continue
			}
			if sign != nil && fp == sign.Fingerprint() {
				alerts = append(alerts, sign)
			} else if a := e.core.router.Alerts().Get(labels); a != nil {
				alerts = append(alerts, a)
			}
		}
	}
	for _, a := range alerts {
		if fp := a.Fingerprint(); !l.firing[fp] {
			over[fp] = true
		}
	}
	return alerts, over, all, firing
}

// Incident is one incident, open or over; or store.ErrNotFound.
func (e *Engine) Incident(ctx context.Context, n int) (View, error) {
	e.mu.RLock()
	if l := e.core.live[n]; l != nil {
		defer e.mu.RUnlock()
		return e.core.view(l), nil
	}
	held := e.unsaved.get(prefIncident + num(n))
	e.mu.RUnlock()
	if held == nil {
		i, err := readIncident(ctx, e.store, n)
		return View{Incident: i}, err
	}
	var i incident.Incident
	return View{Incident: i}, decode("incident", held, &i)
}

// past reads an incident that is not in memory any more, while a turn is under way.
func (e *Engine) past(n int) (incident.Incident, error) {
	if held := e.unsaved.get(prefIncident + num(n)); held != nil {
		var i incident.Incident
		return i, decode("incident", held, &i)
	}
	return readIncident(context.Background(), e.store, n)
}

func (c *Core) view(l *live) View {
	v := View{
		Incident: l.incident, Urgency: string(l.ladder.Urgency()), NextAt: l.ladder.NextAt(), Paged: l.ladder.Paged(),
		Alerts: c.alertsOf(l, maxAlertsInMessage), Over: map[uint64]bool{},
		Snoozed: l.ladder.SnoozedUntil(), SnoozedBy: l.ladder.SnoozedBy, Paused: l.ladder.IsPaused(), Acks: l.ladder.Acks(),
		AckExpires: l.ladder.AckExpires,
	}
	if !v.NextAt.IsZero() {
		v.NextWho = l.ladder.NextWho(roster{c})
	}
	for _, a := range v.Alerts {
		if fp := a.Fingerprint(); !l.firing[fp] {
			v.Over[fp] = true
		}
	}
	return v
}

// scan walks the keys of [from, to) with what is held back in memory laid over the store.
func (e *Engine) scan(ctx context.Context, from, to string) iter.Seq2[store.Item, error] {
	e.mu.RLock()
	held := e.unsaved.between(from, to)
	e.mu.RUnlock()
	return func(yield func(store.Item, error) bool) {
		rest := held
		give := func(until string, all bool) bool {
			for len(rest) > 0 && (all || rest[0].Key < until) {
				if rest[0].Value != nil && !yield(rest[0], nil) {
					return false
				}
				rest = rest[1:]
			}
			return true
		}
		for item, err := range e.store.Scan(ctx, from, to) {
			if err != nil {
				yield(item, err)
				return
			}
			if !give(item.Key, false) {
				return
			}
			if len(rest) > 0 && rest[0].Key == item.Key {
				continue // give has the newer one next
			}
			if !yield(item, nil) {
				return
			}
		}
		give("", true)
	}
}

// Timeline is what happened to one incident, in order.
func (e *Engine) Timeline(ctx context.Context, n int) ([]incident.Event, error) {
	from, to := store.Prefix(prefTimeline + num(n) + "/")
	events := []incident.Event{}
	for item, err := range e.scan(ctx, from, to) {
		if err != nil {
			return nil, err
		}
		seq, err := strconv.ParseUint(item.Key[len(from):], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", item.Key, err)
		}
		value, err := e.get(ctx, eventKey(seq, n))
		if errors.Is(err, store.ErrNotFound) {
			value, err = e.get(ctx, eventKey(seq, 0)) // it is about several
		}
		if errors.Is(err, store.ErrNotFound) {
			continue // it was pruned just now
		}
		if err != nil {
			return nil, fmt.Errorf("event %d of %s: %w", seq, incident.ID(n), err)
		}
		var ev incident.Event
		if err := decode("event", value, &ev); err != nil {
			return nil, err
		}
		if ev.Incident != incident.ID(n) && !slices.Contains(ev.Incidents, incident.ID(n)) {
			continue // the line that this one speaks of was never written, and its number given again
		}
		events = append(events, ev)
	}
	return events, nil
}

// get reads a key, as scan does.
func (e *Engine) get(ctx context.Context, key string) ([]byte, error) {
	e.mu.RLock()
	held := e.unsaved.get(key)
	e.mu.RUnlock()
	if held != nil {
		return held, nil
	}
	item, err := e.store.Get(ctx, key)
	return item.Value, err
}

// Audit is what happened after event seq, to whatever it was, at most so many events, in order.
func (e *Engine) Audit(ctx context.Context, after uint64, most int) ([]incident.Event, error) {
	_, to := store.Prefix(prefEvent)
	var events []incident.Event
	for item, err := range e.scan(ctx, prefEvent+seqKey(after+1), to) {
		if err != nil {
			return nil, err
		}
		if len(events) >= most {
			break
		}
		var ev incident.Event
		if err := decode("event", item.Value, &ev); err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

// An AttemptFilter says which lines of the delivery log are meant. The zero AttemptFilter means all.
type AttemptFilter struct {
	Incident string   // its ID
	User     string   // to whom
	To       string   // to whom: a user or a receiver
	Via      string   // by which contact method or integration
	Outcomes []string // delivered, retry, failed; none: any

	From, Until time.Time // only those of [From, Until]; zero: no such bound. Whoever asks for little time pays for little
	Look        int       // how many lines are looked at for one page of the list at most; 0: lookAtMost
}

func (f AttemptFilter) match(a Attempt) bool {
	return (f.Incident == "" || a.Incident == f.Incident || slices.Contains(a.Incidents, f.Incident)) &&
		(f.User == "" || a.User == f.User) && (f.To == "" || a.User == f.To || a.Receiver == f.To) && (f.Via == "" || a.Via == f.Via) &&
		(f.Until.IsZero() || !a.At.After(f.Until)) && (len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, a.Outcome))
}

// Deliveries is the delivery log, the newest attempts first, at most so many, of one incident or (empty) of all. next
// is where the next page begins; 0: this was the last.
func (e *Engine) Deliveries(ctx context.Context, incidentID string, before uint64, most int) (list []Attempt, next uint64, err error) {
	return e.Attempts(ctx, AttemptFilter{Incident: incidentID}, before, most)
}

// Attempts is the delivery log, likewise, of what the filter means.
func (e *Engine) Attempts(ctx context.Context, f AttemptFilter, before uint64, most int) (list []Attempt, next uint64, err error) {
	e.mu.RLock()
	newest := e.core.records
	e.mu.RUnlock()
	if before == 0 || before > newest {
		before = newest + 1
	}
	if !f.Until.IsZero() {
		if before, err = e.attemptsUntil(ctx, f.Until, before); err != nil {
			return nil, 0, err
		}
	}
	const stride = 256
	looked := 0
	for to := before; to > 1; {
		from := max(to, stride+1) - stride
		var chunk []Attempt
		var keys []uint64
		for item, err := range e.scan(ctx, prefAttempt+seqKey(from), prefAttempt+seqKey(to)) {
			if err != nil {
				return nil, 0, err
			}
			var a Attempt
			if err := decode("attempt", item.Value, &a); err != nil {
				return nil, 0, err
			}
			chunk, keys = append(chunk, a), append(keys, lineOf(item.Key))
		}
		for i := len(chunk) - 1; i >= 0; i-- {
			if looked++; len(list) >= most || looked > cmp.Or(f.Look, lookAtMost) {
				return list, keys[i] + 1, nil
			}
			if !f.From.IsZero() && chunk[i].At.Before(f.From) {
				return list, 0, nil
			}
			if f.match(chunk[i]) {
				list = append(list, chunk[i])
			}
		}
		to = from
	}
	return list, 0, nil
}

// attemptsUntil is the number past the last line of the delivery log, of those below before, that is not after the instant.
// The log is in the order of time, but for a clock that was set back: then a few lines more are looked at, or not found.
func (e *Engine) attemptsUntil(ctx context.Context, at time.Time, before uint64) (uint64, error) {
	low, high := uint64(1), before
	for low < high {
		middle := low + (high-low)/2
		after, line := true, high // of nothing below high
		for item, err := range e.scan(ctx, prefAttempt+seqKey(middle), prefAttempt+seqKey(high)) {
			if err != nil {
				return 0, err
			}
			var a Attempt
			if err := decode("attempt", item.Value, &a); err != nil {
				return 0, err
			}
			after, line = a.At.After(at), lineOf(item.Key)
			break
		}
		if after {
			high = middle
		} else {
			low = line + 1
		}
	}
	return low, nil
}

// Duty is who is on call in one schedule.
type Duty struct {
	Schedule string
	Answer   oncall.Answer
	Until    time.Time // when that may change; zero: never
}

// OnCall is who is on call in every schedule at the instant, by name; zero: now.
func (e *Engine) OnCall(at time.Time) []Duty {
	if at.IsZero() {
		at = e.now().Wall
	}
	e.mu.RLock()
	schedules := maps.Clone(e.core.schedules)
	e.mu.RUnlock()
	duties := make([]Duty, 0, len(schedules))
	for name, s := range schedules {
		duties = append(duties, Duty{Schedule: name, Answer: s.At(at), Until: s.NextChange(at)})
	}
	slices.SortFunc(duties, func(a, b Duty) int { return cmp.Compare(a.Schedule, b.Schedule) })
	return duties
}

// Schedule is a schedule as it stands, with the overrides made at run time; nil: there is none of that name.
func (e *Engine) Schedule(name string) *oncall.Schedule {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.schedules[name]
}

// ScheduleNames are the names of all schedules, sorted.
func (e *Engine) ScheduleNames() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.core.schedules))
}

// Router is the alert side, for the API's reads.
func (e *Engine) Router() *router.Router { return e.core.router }

// Config is what the engine decides by at the moment.
func (e *Engine) Config() *Config {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.core.cfg
}

// View runs read while no turn is under way, so that it sees the groups whole. It must be quick.
func (e *Engine) View(read func(*router.Router)) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	read(e.core.router)
}
