package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/router"
)

// A bsilence is one that was answered for, or that may have been made.
type bsilence struct {
	id           string
	name, value  string
	from, to     time.Time
	ending, over bool
}

func (c *checker) silencedAlert(ls router.Labels) bool {
	wall := c.w.wall()
	for _, s := range c.silences {
		if !s.ending && !wall.Before(s.from) && wall.Before(s.to) && ls.Get(s.name) == s.value {
			return true
		}
	}
	for _, m := range c.w.cfg.Maintenance {
		if _, within := m.Windows.At(wall); within && ls.Get(m.Matchers[0][0].Name) == m.Matchers[0][0].Value {
			return true
		}
	}
	return false
}

// silenceEndsNow tells whether a silence might just have ended that the engine has not turned yet.
func (c *checker) silenceEndsNow() bool {
	return slices.ContainsFunc(c.silences, func(s bsilence) bool { return s.ending })
}

// weigh looks which incidents' paging is paused: those all of whose alerts that fire are silenced. One that has none
// and is not paused stays so; where it was, it is until none of its alerts is silenced any more.
func (c *checker) weigh() {
	for _, s := range c.w.sources {
		s.silenced = c.silencedAlert(s.labels)
		switch {
		case s.over || s.accepted < 0 || s.silenced:
			s.spoken = -1
		case s.spoken < 0:
			s.spoken = c.w.elapsed
		}
	}
	for _, l := range c.open {
		all, loud, hazy := 0, 0, false
		for _, s := range c.w.sources {
			if s.resend == forever || !c.belongs(s, l.identity) {
				continue
			}
			if s.over || s.accepted < 0 {
				// Nobody answered for the last that was said of it: the engine may take it to fire or not.
				hazy = hazy || s.told || s.posted
				continue
			}
			if !s.silenced {
				loud++
				s.joined = l.n
			} else if s.joined != l.n {
				continue // what is silenced joins nothing
			}
			if !slices.ContainsFunc(l.ever, s.labels.Equal) {
				l.ever = append(l.ever, s.labels)
			}
			if all++; all == 1 {
				l.fired = l.fired[:0]
			}
			l.fired = append(l.fired, s.labels)
		}
		if all == 0 && l.silent {
			l.held = true // one fired, silenced, when the history said so; and what ended the silence may not have been kept
		}
		if l.held = loud == 0 && (all > 0 || l.held && slices.ContainsFunc(l.ever, c.silencedAlert)); all > 0 {
			l.firedAt = c.w.elapsed
		} else if l.held {
			// It may have been only one of several that is silenced, or the start after a crash knows no more which it was.
			hazy = hazy || c.w.up > l.firedAt || slices.ContainsFunc(l.fired, func(ls router.Labels) bool { return !c.silencedAlert(ls) })
		}
		paused := l.held && !hazy
		l.hazy = hazy
		if hazy || l.paused && !paused {
			l.free = max(l.free, c.w.elapsed)
		}
		l.paused = paused
	}
}

func (c *checker) silenced(s router.Silence) {
	m := s.Matchers[0][0]
	c.silences = append(c.silences, bsilence{id: s.ID, name: m.Name, value: m.Value, from: s.StartsAt, to: s.EndsAt})
	c.weigh()
}

func (c *checker) ending(id string) { c.silenceAt(id).ending = true }

func (c *checker) ended(id string) {
	s := c.silenceAt(id)
	s.over, s.ending = true, false
	// It ended at an instant of the wall clock: where that is set back before it, it holds once more.
	if wall := c.w.wall(); wall.Before(s.to) {
		s.to = wall
	}
	c.weigh()
}

func (c *checker) silenceAt(id string) *bsilence {
	for i := range c.silences {
		if c.silences[i].id == id {
			return &c.silences[i]
		}
	}
	panic("no such silence: " + id)
}

// reconcile asks the API, after a start, what became of what nobody answered for, and holds what was answered for.
func (c *checker) reconcile() {
	there := map[string]router.Silence{}
	for _, s := range c.w.e.Router().Silences() {
		there[s.ID] = s
	}
	wall := c.w.wall()
	for i := range c.silences {
		s := &c.silences[i]
		is, known := there[s.id]
		if s.ending && known && is.EndsAt.Before(s.to) {
			s.over, s.to = true, is.EndsAt
		}
		s.ending = false
		if !s.over && wall.Before(s.to) && (!known || is.EndsAt.Before(s.to)) {
			c.fail("a silence holds from its 200 on", "silence %s of %s=%s is gone after a start", s.id, s.name, s.value)
		}
		delete(there, s.id)
	}
	for _, id := range slices.Sorted(maps.Keys(there)) {
		if s := there[id]; s.Comment == "breaker" {
			c.silences = append(c.silences, bsilence{id: id, name: s.Matchers[0][0].Name, value: s.Matchers[0][0].Value, from: s.StartsAt, to: s.EndsAt})
		}
	}
	c.reconcileOverrides()
}
