package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// roster is the world as a ladder may ask about it: who is on call, by which rules they are told, whose turn it is.
type roster struct{ *Core }

// OnCall says who is on call at the instant, and from which layers.
func (r roster) OnCall(schedule string, at time.Time) (users []string, why string) {
	s := r.schedules[schedule]
	if s == nil {
		return nil, fmt.Sprintf("schedule %s is no longer in the configuration", schedule)
	}
	answer := s.At(at)
	if len(answer.People) == 0 {
		if answer.Declared {
			return nil, fmt.Sprintf("nobody is meant to be on call in %s now", schedule)
		}
		return nil, fmt.Sprintf("nobody is on call in %s", schedule)
	}
	layers := map[string]bool{}
	for _, p := range answer.People {
		for _, layer := range p.Layers {
			layers[layer] = true
		}
	}
	return answer.Users(), fmt.Sprintf("on call in %s (%s)", schedule, strings.Join(slices.Sorted(maps.Keys(layers)), ", "))
}

// Rules are the user's notification rules for the urgency. A user who is no longer in the configuration has none.
func (r roster) Rules(user string, high bool) []escalation.Rule {
	u := r.cfg.Users[user]
	if high {
		return u.High
	}
	return u.Low
}

// Open tells whether support hours are open, and when that changes.
func (r roster) Open(h escalation.Hours, at time.Time) (open bool, next time.Time) {
	hours, err := r.cfg.Hours(h)
	if err != nil {
		return true, time.Time{} // hours that cannot be read must not let a page wait
	}
	return hours.Open(at), hours.NextChange(at)
}

// Turn is how many turns of a step's round robin were taken.
func (r roster) Turn(policy string, step int) int { return r.turns[fmt.Sprintf("%s/%d", policy, step)] }

// use takes a configuration and lays the overrides made at run time over its schedules.
func (c *Core) use(cfg *Config) {
	c.cfg = cfg
	c.schedules = map[string]*oncall.Schedule{}
	for name, s := range cfg.Schedules {
		c.schedules[name] = c.overrides[name].over(s)
	}
	c.indexSLOs()
}

// reload takes a new configuration. What is in flight keeps its policy (SPEC §5.9); groups keep their timers.
func (c *Core) reload(cfg *Config) {
	c.keepWatches() // by the schedules that held until now
	c.cause = cause{why: "the configuration was changed"}
	c.use(cfg)
	c.keepWatches()
	c.routed(c.router.SetRoutes(cfg.Routing, c.now))
	for _, key := range slices.Sorted(maps.Keys(c.deliveries)) {
		d := c.deliveries[key]
		if d != nil && d.Group != nil && !slices.ContainsFunc(cfg.Routing.Receivers[d.Receiver], d.is) {
			c.unit()
			c.withdraw(d) // nobody is left to send it
		}
	}
	for _, n := range c.liveNumbers() {
		c.remember(c.live[n]) // the window may be another
	}
	c.usePlans()
	c.useHeartbeats()
	c.useSLOs()
	c.tellLate()
}

// calendars takes what depends on shared calendars from a configuration read anew.
func (c *Core) calendars(read *Config) {
	cfg := *c.cfg
	cfg.Schedules, cfg.Hours, cfg.Users = read.Schedules, read.Hours, maps.Clone(c.cfg.Users)
	for name, u := range cfg.Users {
		u.Unavailable = read.Users[name].Unavailable
		cfg.Users[name] = u
	}
	c.keepWatches()
	c.cause = cause{why: "a shared calendar was changed"}
	c.use(&cfg)
	c.keepWatches()
}

// shift moves what waits along with a wall clock that was set (SPEC §5.12).
func (c *Core) shift(by time.Duration) {
	c.unit()
	c.clockSet(by)
	c.routed(c.router.Shifted(by))
	for _, key := range slices.Sorted(maps.Keys(c.deliveries)) {
		d := c.deliveries[key]
		d.shift(by)
		c.agenda.set("delivery/"+key, d.due())
		c.unit()
		c.putDelivery(d)
	}
	for _, n := range c.liveNumbers() {
		l := c.live[n]
		c.unit()
		if l.incident.Open() {
			c.climb(l, escalation.Shifted{By: by})
		} else {
			l.moved += by
			c.touch(l)
		}
	}
	if len(c.journal.stale) > 0 || c.journal.fold != nil {
		c.agenda.set("fold", c.now)
	}
	c.shiftHeartbeats(by)
	c.shiftSLOs(by)
	c.usePlans() // their windows stay with the wall clock
	c.keepWatches()
}

// closes is until when a closed incident may come back.
func (c *Core) closes(l *live) time.Time {
	window := c.cfg.ReopenWindow
	if s := c.ledger.rules[l.incident.Identity.SLO]; s != nil {
		window = max(window, s.Objective.Spec().ReopenWindow) // its budget says whether it comes back
	}
	return l.incident.ResolvedAt.Add(l.moved).Add(window)
}

// remember keeps a closed incident for as long as it may come back.
func (c *Core) remember(l *live) {
	name := forgetName(l.incident.Number)
	if l.incident.Open() || l.incident.Held {
		c.agenda.set(name, time.Time{})
		return
	}
	c.agenda.set(name, c.closes(l))
}

func forgetName(n int) string { return "forget/" + strconv.Itoa(n) }

// forget lets go of a closed incident. Its record and history stay.
func (c *Core) forget(n int) {
	c.agenda.set(forgetName(n), time.Time{})
	l := c.live[n]
	if l == nil {
		return
	}
	if c.identities[l.incident.Identity] == n {
		delete(c.identities, l.incident.Identity)
	}
	for fp := range l.members {
		if rest := slices.DeleteFunc(c.membership[fp], func(m int) bool { return m == n }); len(rest) > 0 {
			c.membership[fp] = rest
		} else {
			delete(c.membership, fp)
		}
	}
	c.dropMemos(n)
	delete(c.live, n)
	c.agenda.set(ladderName(n), time.Time{})
	for _, chunk := range l.chunks {
		c.put(memberKey(n, chunk), nil)
	}
	c.put(prefLadder+num(n), nil)
}

func newLive() *live {
	return &live{members: map[uint64]router.Labels{}, firing: map[uint64]bool{}, sends: map[string]bool{}, told: map[string]Notice{}}
}

func (c *Core) liveNumbers() []int { return slices.Sorted(maps.Keys(c.live)) }
