package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
}

// A Filter says which incidents are meant. The zero Filter means all.
type Filter struct {
	Status   []incident.Status
	Severity []string
	Policy   string
}

func (f Filter) match(i incident.Incident) bool {
	return (len(f.Status) == 0 || slices.Contains(f.Status, i.Status)) &&
		(len(f.Severity) == 0 || slices.Contains(f.Severity, i.Severity)) &&
		(f.Policy == "" || f.Policy == i.Policy)
}

// Incidents lists incidents, the newest first, from the one numbered below before (0: from the newest), at most so
// many. next is where the next page begins; 0: this was the last.
func (e *Engine) Incidents(ctx context.Context, f Filter, before, most int) (list []View, next int, err error) {
	e.mu.RLock()
	newest := e.core.last
	e.mu.RUnlock()
	if before <= 0 || before > newest {
		before = newest + 1
	}
	for n := before - 1; n >= 1; n-- {
		if len(list) == most {
			return list, n + 1, nil
		}
		v, err := e.Incident(ctx, n)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if f.match(v.Incident) {
			list = append(list, v)
		}
	}
	return list, 0, nil
}

// Incident is one incident, open or over; or store.ErrNotFound.
func (e *Engine) Incident(ctx context.Context, n int) (View, error) {
	e.mu.RLock()
	if l := e.core.live[n]; l != nil {
		defer e.mu.RUnlock()
		return e.core.view(l), nil
	}
	e.mu.RUnlock()
	i, err := ReadIncident(ctx, e.store, n)
	return View{Incident: i}, err
}

func (c *Core) view(l *live) View {
	v := View{
		Incident: l.incident, Urgency: string(l.ladder.Urgency()), NextAt: l.ladder.NextAt(), Paged: l.ladder.Paged(),
		Alerts: c.alertsOf(l, maxAlertsInMessage), Over: map[uint64]bool{},
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

// Timeline is what happened to one incident, in order.
func (e *Engine) Timeline(ctx context.Context, n int) ([]incident.Event, error) {
	e.mu.RLock()
	seqs := slices.Clone(e.history[n])
	e.mu.RUnlock()
	return e.events(ctx, n, seqs)
}

func (e *Engine) events(ctx context.Context, n int, seqs []uint64) ([]incident.Event, error) {
	events := make([]incident.Event, 0, len(seqs))
	for _, seq := range seqs {
		item, err := e.store.Get(ctx, eventKey(seq, n))
		if errors.Is(err, store.ErrNotFound) && e.Trouble() != "" {
			continue // held in memory until the disk takes writes again
		}
		if err != nil {
			return nil, fmt.Errorf("event %d of INC-%d: %w", seq, n, err)
		}
		var ev incident.Event
		if err := decode("event", item.Value, &ev); err != nil {
			return nil, err
		}
		events = append(events, ev)
	}
	return events, nil
}

// Audit is what happened after event seq, to whatever it was, at most so many events, in order.
func (e *Engine) Audit(ctx context.Context, after uint64, most int) ([]incident.Event, error) {
	_, to := store.Prefix(prefEvent)
	var events []incident.Event
	for item, err := range e.store.Scan(ctx, prefEvent+seqKey(after+1), to) {
		if err != nil {
			return nil, err
		}
		var ev incident.Event
		if err := decode("event", item.Value, &ev); err != nil {
			return nil, err
		}
		if events = append(events, ev); len(events) == most {
			break
		}
	}
	return events, nil
}

// Deliveries is the delivery log, the newest attempts first, at most so many, of one incident or (empty) of all.
func (e *Engine) Deliveries(ctx context.Context, incidentID string, before uint64, most int) (list []Attempt, next uint64, err error) {
	e.mu.RLock()
	newest := e.core.records
	e.mu.RUnlock()
	if before == 0 || before > newest {
		before = newest + 1
	}
	const stride = 256
	for to := before; to > 1; {
		from := max(to, stride+1) - stride
		var chunk []Attempt
		var keys []uint64
		for item, err := range e.store.Scan(ctx, prefAttempt+seqKey(from), prefAttempt+seqKey(to)) {
			if err != nil {
				return nil, 0, err
			}
			var a Attempt
			if err := decode("attempt", item.Value, &a); err != nil {
				return nil, 0, err
			}
			var seq uint64
			if _, err := fmt.Sscanf(strings.TrimPrefix(item.Key, prefAttempt), "%x", &seq); err != nil {
				return nil, 0, err
			}
			chunk, keys = append(chunk, a), append(keys, seq)
		}
		for i := len(chunk) - 1; i >= 0; i-- {
			if incidentID != "" && chunk[i].Incident != incidentID {
				continue
			}
			if list = append(list, chunk[i]); len(list) == most {
				return list, keys[i], nil
			}
		}
		to = from
	}
	return list, 0, nil
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

// record keeps track of which events belong to which incident.
func (e *Engine) record(events []incident.Event) {
	for _, ev := range events {
		if ev.Incident == "" {
			continue
		}
		if n, err := incident.ParseID(ev.Incident); err == nil {
			e.history[n] = append(e.history[n], ev.Seq)
		}
	}
}
