package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/oncall"
)

// A Watch is who is on call in a schedule from an instant on. Written into the history as it happens, it is not changed
// by what becomes of the schedule later (SPEC §4.11).
type Watch struct {
	At       time.Time `json:"at"`
	Users    []string  `json:"users,omitempty"`    // sorted; none is a gap
	Layers   []string  `json:"layers,omitempty"`   // where they come from, in the schedule's order
	Declared bool      `json:"declared,omitempty"` // the gap is meant
	Gone     bool      `json:"gone,omitempty"`     // the configuration has no such schedule any more
}

func (w Watch) same(o Watch) bool {
	return slices.Equal(w.Users, o.Users) && slices.Equal(w.Layers, o.Layers) && w.Declared == o.Declared && w.Gone == o.Gone
}

// watchAt is what a schedule says of an instant.
func watchAt(s *oncall.Schedule, at time.Time) Watch {
	w := Watch{At: at.UTC()}
	for _, shift := range s.Shifts(at, at.Add(1)) {
		w.Users, w.Layers = shift.Users, shift.Layers
	}
	w.Declared = len(w.Users) == 0 && s.At(at).Declared
	return w
}

// A bill is what is known of who was, is and will be on call in one schedule. The lines of the history from First to
// Last are stored one by one, in the order of their instants.
//
// While a daemon is down it records nothing. What it will find in Planned when it comes back is what the schedule as it
// was then said of that time; an edit made meanwhile holds from the start on and changes nothing before.
type bill struct {
	First   uint64    `json:"first"` // 0: no lines
	Last    uint64    `json:"last"`
	Now     Watch     `json:"now"`               // line Last
	Planned []Watch   `json:"planned,omitempty"` // what comes after
	Until   time.Time `json:"until,omitzero"`    // Planned is whole before this; zero: for ever
	// When the shift began of which a user ("ana now") was told, or begins ("ana 24h0m0s").
	Told map[string]time.Time `json:"told,omitempty"`

	looked time.Time        // up to here everything is recorded; zero: ask Planned first
	made   *oncall.Schedule // what Planned was made of
}

// How much is recorded and planned. Time that passed unseen (downtime, or a clock that was set) is recorded as long as
// it is no more than so much; of a longer one, only what holds at its end.
const (
	keepWatches  = 100_000 // lines of one schedule, the oldest go first: more than ten years of hand-offs each hour
	planAhead    = 30 * 24 * time.Hour
	maxPlanned   = 64
	fillAtMost   = 400 * 24 * time.Hour
	maxFillSteps = 5000
)

// keepWatches sees to it that who is on call in every schedule is recorded up to now.
func (c *Core) keepWatches() {
	names := map[string]bool{}
	for name := range c.schedules {
		names[name] = true
	}
	for name := range c.bills {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c.unit()
		c.keepWatch(name)
	}
}

// keepWatch records who is on call in a schedule up to now, as it stands, and puts its next change on the agenda. Before
// a schedule is changed, and after it, it is called too.
func (c *Core) keepWatch(name string) {
	b, s := c.bills[name], c.schedules[name]
	if b == nil {
		if s == nil {
			return
		}
		b = &bill{}
		c.bills[name] = b
	}
	before, were := b.Last, b.Now.Users
	changed := c.unwind(name, b)
	b.forgetTold(c.now)
	if s == nil {
		c.agenda.set("watch/"+name, zeroTime)
		c.remind(name, b, nil)
		if !b.Now.Gone {
			c.fill(name, b, nil)
			c.compare(name, b.expected(c.now), b.Until, nil, zeroTime)
			c.tell(name, b, Watch{At: c.now.UTC(), Gone: true})
			b.Planned, b.Until = nil, zeroTime
		}
	} else {
		c.fill(name, b, s)
		expected, until := b.expected(c.now), b.Until
		c.tell(name, b, watchAt(s, c.now))
		if before > 0 && b.made != s {
			is, isUntil := planOf(s, c.now)
			c.compare(name, expected, until, append([]Watch{b.Now}, is...), isUntil)
		}
		changed = b.plan(s, c.now) || changed
		if before > 0 && b.Last != before {
			c.welcome(name, b, s, were)
		}
		changed = c.remind(name, b, s) || changed
		c.agenda.set("watch/"+name, s.NextChange(c.now))
	}
	b.looked = c.now
	if changed || b.Last != before {
		c.put(prefBill+name, encode("bill", b))
	}
}

// expected is who is on call now and later by what was planned; never empty.
func (b *bill) expected(now time.Time) []Watch {
	w := b.Now
	if w.Gone {
		w.Users = nil
	}
	all := []Watch{w}
	for _, p := range b.Planned {
		if p.At.After(now) {
			all = append(all, p)
		}
	}
	return all
}

// unwind takes out what was recorded for a time that is yet to come, because the clock was set back. It will be recorded
// when it comes. It reports whether there was such.
func (c *Core) unwind(name string, b *bill) (changed bool) {
	for b.Last > 0 && b.Now.At.After(c.now) {
		changed = true
		c.put(watchKey(name, b.Last), nil)
		if b.Last--; b.Last < b.First {
			b.First, b.Last, b.Now = 0, 0, Watch{}
			break
		}
		if b.Now = (Watch{}); c.told != nil {
			b.Now, _ = c.told(name, b.Last) // one that cannot be read is like no other, and stays
		}
	}
	if changed || b.looked.After(c.now) {
		b.looked, b.made = c.now, nil
	}
	return changed
}

// fill records the changes between the last look and now: what was planned, where the last look was another process's,
// and what the schedule says. A nil schedule says nothing.
func (c *Core) fill(name string, b *bill, s *oncall.Schedule) {
	from := b.looked
	switch {
	case b.Last == 0:
		return
	case from.IsZero():
		from = c.now
		if !b.Until.IsZero() && b.Until.Before(from) {
			from = b.Until.Add(-1)
		}
		for _, w := range b.Planned {
			if w.At.After(b.Now.At) && !w.At.After(c.now) {
				c.tell(name, b, w)
			}
		}
	}
	if s == nil {
		return
	}
	steps := 0
	for at := range changes(s, from) {
		if steps++; at.After(c.now) || c.now.Sub(at) > fillAtMost || steps > maxFillSteps {
			return
		}
		c.tell(name, b, watchAt(s, at))
	}
}

// changes are the instants after from at which a schedule's answer may be another.
func changes(s *oncall.Schedule, from time.Time) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		for at := s.NextChange(from); !at.IsZero() && yield(at); at = s.NextChange(at) {
		}
	}
}

// tell writes the next line, if it says anything new.
func (c *Core) tell(name string, b *bill, w Watch) {
	if b.Last > 0 && b.Now.same(w) {
		return
	}
	b.Last++
	b.First = max(b.First, 1)
	b.Now = w
	c.put(watchKey(name, b.Last), encode("watch", w))
	if b.Last-b.First >= keepWatches {
		c.put(watchKey(name, b.First), nil)
		b.First++
	}
}

// plan brings Planned up to date, and reports whether it is another now. It always reaches beyond the next change.
func (b *bill) plan(s *oncall.Schedule, now time.Time) bool {
	left := slices.DeleteFunc(slices.Clone(b.Planned), func(w Watch) bool { return !w.At.After(now) })
	ample := b.Until.IsZero() || b.Until.Sub(now) > planAhead/2 || len(left) > maxPlanned/2
	if b.made == s && ample {
		return false
	}
	planned, until := planOf(s, now)
	b.made = s
	if ample && covers(planned, until, left, b.Until) {
		return false
	}
	b.Planned, b.Until = planned, until
	return true
}

func planOf(s *oncall.Schedule, now time.Time) (planned []Watch, until time.Time) {
	last := watchAt(s, now)
	for at := range changes(s, now) {
		if at.Sub(now) > planAhead || len(planned) >= maxPlanned {
			return planned, at
		}
		if w := watchAt(s, at); !w.same(last) {
			planned, last = append(planned, w), w
		}
	}
	return planned, zeroTime
}

// covers reports whether one plan says the same as another for all the time that the other is whole for.
func covers(plan []Watch, until time.Time, other []Watch, otherUntil time.Time) bool {
	if !otherUntil.IsZero() {
		if i := slices.IndexFunc(plan, func(w Watch) bool { return !w.At.Before(otherUntil) }); i >= 0 {
			plan = plan[:i]
		}
	}
	short := !until.IsZero() && (otherUntil.IsZero() || otherUntil.After(until))
	return !short && slices.EqualFunc(plan, other, func(x, y Watch) bool { return x.At.Equal(y.At) && x.same(y) })
}

func watchKey(schedule string, n uint64) string { return prefWatch + schedule + "/" + seqKey(n) }

// restoreBills reads what comes next and what was recorded last, and no more of the past.
func (r *restorer) restoreBills() error {
	var damaged []string
	err := r.scan(prefBill, func(name string, value []byte) error {
		b := &bill{}
		err := decode("bill", value, b)
		if err == nil && (b.First > b.Last || (b.First == 0) != (b.Last == 0)) {
			err = fmt.Errorf("it says that its lines go from %d to %d", b.First, b.Last)
		}
		if err != nil {
			damaged = append(damaged, name)
		} else {
			r.c.bills[name] = b
		}
		return err
	})
	for _, name := range damaged {
		if err == nil {
			err = r.findBill(name)
		}
	}
	return err
}

// findBill makes a bill that could not be read from the lines of its history, so that none is written over.
func (r *restorer) findBill(name string) error {
	b := &bill{}
	var err error
	if b.Last, err = newest(r.ctx, r.s, prefWatch+name+"/", func(n uint64) string { return watchKey(name, n) }); err != nil || b.Last == 0 {
		return err
	}
	for item, err := range r.s.Scan(r.ctx, watchKey(name, 1), watchKey(name, b.Last+1)) {
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		b.First = numberOfKey(item.Key)
		break
	}
	b.Now, _ = readWatch(r.ctx, r.s, name, b.Last)
	b.looked = cmp.Or(b.Now.At, r.state.Stopped)
	r.c.bills[name] = b
	return nil
}

// numberOfKey is the number at the end of a line's key; 0: it has none.
func numberOfKey(key string) uint64 {
	n, _ := strconv.ParseUint(key[strings.LastIndexByte(key, '/')+1:], 16, 64)
	return n
}

// readWatch reads a line of history.
func readWatch(ctx context.Context, s reader, schedule string, n uint64) (w Watch, ok bool) {
	item, err := s.Get(ctx, watchKey(schedule, n))
	return w, err == nil && decode("watch", item.Value, &w) == nil
}

// readLine is a Core's told: it sees what is held back in memory, too.
func (e *Engine) readLine(schedule string, n uint64) (w Watch, ok bool) {
	if held := e.unsaved.get(watchKey(schedule, n)); held != nil {
		return w, decode("watch", held, &w) == nil
	}
	return readWatch(context.Background(), e.store, schedule, n)
}
