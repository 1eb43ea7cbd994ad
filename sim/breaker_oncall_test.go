package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/oncall"
)

// A seat is whom to page, and by what rules; a channel has none.
type seat struct {
	user, receiver string
	rules          []escalation.Rule
}

// A boverride is one that was answered for, or that may have been made.
type boverride struct {
	schedule string
	oncall.Override
	sure     bool // it was answered for
	dropping bool // somebody asked to take it back, and nobody answered
}

// onCall is who is on call by the file's schedule and the overrides that were answered for, in their order.
func (c *checker) onCall(schedule string, at time.Time) []string {
	s := c.w.cfg.Schedules[schedule]
	if s == nil {
		return nil
	}
	users := slices.Clone(s.At(at).Users())
	type place struct{ user string }
	var places []place
	for _, u := range users {
		places = append(places, place{u})
	}
	for _, o := range c.overrides {
		if o.schedule != schedule || at.Before(o.Start) || !at.Before(o.End) {
			continue
		}
		switch o.Kind {
		case oncall.Take:
			places = []place{{o.User}}
		case oncall.Add:
			places = append(places, place{o.User})
		case oncall.Remove:
			places = slices.DeleteFunc(places, func(p place) bool { return p.user == o.User })
		case oncall.Replace:
			for i := range places {
				if places[i].user == o.User {
					places[i].user = o.With
				}
			}
		}
	}
	users = nil
	for _, p := range places {
		if !slices.Contains(users, p.user) {
			users = append(users, p.user)
		}
	}
	return users
}

func (c *checker) overriding(schedule string, o oncall.Override) {
	c.overrides = append(c.overrides, boverride{schedule: schedule, Override: o})
}

// overridden is the answer to the override before; an empty id is a refusal.
func (c *checker) overridden(schedule, id string) {
	last := len(c.overrides) - 1
	if id == "" {
		c.overrides = c.overrides[:last]
		return
	}
	c.overrides[last].ID, c.overrides[last].sure = id, true
}

func (c *checker) dropping(id string) {
	for i := range c.overrides {
		if c.overrides[i].ID == id {
			c.overrides[i].dropping = true
		}
	}
}

func (c *checker) dropped(id string, ok bool) {
	c.overrides = slices.DeleteFunc(c.overrides, func(o boverride) bool { return ok && o.ID == id })
	for i := range c.overrides {
		if c.overrides[i].ID == id {
			c.overrides[i].dropping = false
		}
	}
}

// swapped is a swap that was accepted: the other has the places in that time.
func (c *checker) swapped(schedule string, s engine.Swap, is engine.Swap) {
	for i, id := range is.Overrides {
		o := oncall.Override{ID: id, Kind: oncall.Replace, User: s.User, With: s.With, Start: s.From, End: s.To}
		if len(is.Overrides) > 1 { // one for each stretch
			o.Start, o.End = is.Gives[i].Start, is.Gives[i].End
		} else if len(is.Gives) > 0 {
			o.Start, o.End = is.Gives[0].Start, is.Gives[len(is.Gives)-1].End
		}
		c.overrides = append(c.overrides, boverride{schedule: schedule, Override: o, sure: true})
	}
}

func (c *checker) reconcileOverrides() {
	for i := range 4 {
		name := fmt.Sprintf("s%d", i)
		var is []oncall.Override
		for _, o := range c.w.e.Overrides(name) {
			if !o.FromFile {
				is = append(is, o.Override)
			}
		}
		for _, o := range c.overrides {
			there := slices.ContainsFunc(is, func(p oncall.Override) bool { return p.ID == o.ID })
			if o.schedule == name && o.sure && !o.dropping && !there {
				c.fail("an override holds from its 200 on", "%s of %s is gone after a start", o.ID, name)
			}
		}
		c.overrides = slices.DeleteFunc(c.overrides, func(o boverride) bool { return o.schedule == name })
		for _, o := range is {
			c.overrides = append(c.overrides, boverride{schedule: name, Override: o, sure: true})
		}
	}
}

// resolve finds whom a target means now.
func (c *checker) resolve(high bool, targets ...escalation.Target) (who []seat) {
	add := func(user, receiver string) {
		if slices.ContainsFunc(who, func(s seat) bool { return s.user == user && s.receiver == receiver }) {
			return
		}
		s := seat{user: user, receiver: receiver}
		if user != "" {
			u := c.w.cfg.Users[user]
			if s.rules = u.Low; high {
				s.rules = u.High
			}
			if len(s.rules) == 0 {
				return
			}
		}
		who = append(who, s)
	}
	for _, t := range targets {
		switch {
		case t.User != "":
			add(t.User, "")
		case t.Receiver != "":
			add("", t.Receiver)
		default:
			for _, u := range c.onCall(t.Schedule, c.w.wall().Add(-c.ago)) {
				add(u, "")
			}
		}
	}
	return who
}

// targetsOf are those whom a step may page now: of one that pages in turn, all whose turn it may be.
func (c *checker) targetsOf(l *bladder, step int) []seat {
	return c.resolve(l.high, l.policy.Steps[step-1].Notify...)
}

// takeTurn finds whose turn it is, and holds that the page goes there. Turns that were taken in one turn of the engine, or
// right before a crash, may be seen in any order: then the next one that is seen alone tells where the pointer is, as far
// as so many targets can tell.
func (c *checker) takeTurn(l *bladder, step int, p bpage) []seat {
	key := fmt.Sprintf("%s/%d", l.policy.Name, step)
	cut := c.w.e == nil // the turn died among its sends: some of them were not let out
	n := len(l.policy.Steps[step-1].Notify)
	unsure := c.modulo[key]%n != 0
	hard := c.crowd || cut || c.w.crashed >= 0 && c.w.up == c.w.elapsed
	for skip := 0; ; {
		who, i := c.whoseTurn(l, step, skip)
		if who == nil {
			break
		}
		hers := slices.ContainsFunc(who, func(s seat) bool { return s.user == p.user && s.receiver == p.receiver })
		if hers && (hard || unsure) {
			seen, all := c.together(p), names(who)
			hers = slices.Equal(seen, all) || cut && !slices.ContainsFunc(seen, func(s string) bool { return !slices.Contains(all, s) })
		}
		switch {
		case hers:
			c.turns[key] += i + 1
			if hard || unsure && c.mayBe(l, step, i+1, p) {
				c.modulo[key] = 1
			} else if unsure {
				c.modulo[key] = n
			}
			return who
		case !hard && !unsure:
			l.fail("round robin goes in turn", "step %d paged %s%s, and it is the turn of %v", step, p.user, p.receiver, who)
		}
		skip = i + 1
	}
	l.fail("round robin goes in turn", "step %d paged %s%s, who is none of its targets now", step, p.user, p.receiver)
	return nil
}

// mayBe tells whether the page may be one of a turn that comes after so many.
func (c *checker) mayBe(l *bladder, step, skip int, p bpage) bool {
	for {
		who, i := c.whoseTurn(l, step, skip)
		if who == nil || slices.Equal(c.together(p), names(who)) {
			return who != nil
		}
		skip = i + 1
	}
}

// together are all those whom the turn that is looked at paged by beginning the same step, sorted.
func (c *checker) together(p bpage) (who []string) {
	l := c.ladders[p.incident]
	for _, o := range c.left {
		name := o.user + o.receiver
		if o.incident != p.incident || o.place != p.place || l.keys[o.key] != nil || slices.Contains(who, name) {
			continue
		}
		if m, r := l.due(o, c.w.elapsed); m == nil || r.perhaps { // what was begun before has the same place where the ladder begins anew
			who = append(who, name)
		}
	}
	slices.Sort(who)
	return who
}

// newest tells whether nobody is paged in the same place, by the same method, after this page in the turn that is looked at.
func (c *checker) newest(p bpage) bool {
	return !slices.ContainsFunc(c.left, func(o bpage) bool {
		return o.number > p.number && o.incident == p.incident && o.place == p.place && o.user == p.user && o.via == p.via && o.receiver == p.receiver
	})
}

func names(seats []seat) (list []string) {
	for _, s := range seats {
		list = append(list, s.user+s.receiver)
	}
	slices.Sort(list)
	return list
}

// whoseTurn is the first of those whose turn it may be that is there, from the one skip places on, and how far on that is.
func (c *checker) whoseTurn(l *bladder, step, skip int) (who []seat, i int) {
	targets := l.policy.Steps[step-1].Notify
	for i := skip; i < len(targets); i++ {
		if who := c.resolve(l.high, targets[(c.turns[fmt.Sprintf("%s/%d", l.policy.Name, step)]+i)%len(targets)]); len(who) > 0 {
			return who, i
		}
	}
	return nil, 0
}

func (c *checker) hoursOpen(p escalation.Policy) bool {
	if p.SupportHours == nil {
		return true
	}
	hours, err := c.w.cfg.Hours(*p.SupportHours)
	if err != nil {
		panic(err)
	}
	return hours.Open(c.w.wall())
}
