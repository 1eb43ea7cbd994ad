package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/router"
)

// setSilence makes or changes a silence as somebody asked for.
func (c *Core) setSilence(in SetSilence) Answer {
	fresh := c.uuid()
	for _, taken := c.router.Silence(fresh); taken; _, taken = c.router.Silence(fresh) {
		fresh = c.uuid()
	}
	s, effects, err := c.router.SetSilence(in.Silence, fresh, c.now)
	if err != nil {
		return Answer{Err: refused(err)}
	}
	c.routed(effects)
	return Answer{Silence: s}
}

// expireSilence ends one.
func (c *Core) expireSilence(in ExpireSilence) Answer {
	effects, err := c.router.ExpireSilence(in.ID, c.now)
	if err != nil {
		return Answer{Err: refused(err)}
	}
	c.routed(effects)
	s, _ := c.router.Silence(in.ID)
	return Answer{Silence: s}
}

// refused makes of what the router says an error for the client. router.ErrNoSilence stays itself.
func refused(err error) error {
	if errors.Is(err, router.ErrNoSilence) {
		return err
	}
	return refuse("invalid", "silence", "%s", err)
}

// uuid is a random one (RFC 9562, version 4).
func (c *Core) uuid() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(c.rand.Uint32()) //nolint:gosec // its low byte
	}
	return uuidText(b, 4)
}

func uuidText(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// silencesTurned is about silences that began or ended to hold: paging of what they are about pauses and goes on, and
// what still fires when one ends opens its incident then, if its group has spoken before (SPEC §5.10).
func (c *Core) silencesTurned(e router.SilencesTurned) {
	for _, n := range c.liveNumbers() {
		c.weigh(c.live[n])
	}
	c.tellLate()
	if len(e.Ended) == 0 || len(c.cfg.Incidents) == 0 {
		return
	}
	opens := func(receiver string) bool { _, ok := c.cfg.Incidents[receiver]; return ok }
	for _, f := range c.router.Unsilenced(e.Ended, opens, c.now) {
		c.flushed(f, "a silence ended; ")
	}
}

// weigh pauses the paging of an open incident that silences hold back, and resumes it otherwise.
func (c *Core) weigh(l *live) {
	if !l.incident.Open() || l.ladder.State() == "" {
		return
	}
	silenced := c.isHeldBack(l)
	if silenced == l.ladder.IsPaused() {
		return
	}
	c.unit()
	if silenced {
		c.climb(l, escalation.Paused{Reason: c.silencedHow(l)})
	} else {
		c.letGo(l)
		c.climb(l, escalation.Resumed{})
	}
}

// lookAgain is how often a page that a silence holds back is looked at, though the end of the silence lets it go.
const lookAgain = time.Minute

// holdBack puts off a page that a silence came over since it was intended, because an attempt failed or a crash came
// between: what has not left waits for the silence to end. It reports whether it does. A bundle waits when all that it
// is about does.
func (c *Core) holdBack(d *Delivery) bool {
	pages := c.parts(d)
	if len(d.Parts) == 0 {
		pages = []*Delivery{d}
	}
	for _, p := range pages {
		if l := c.live[p.Incident]; p.Event != deliverPage || l == nil || !l.ladder.IsPaused() {
			return false
		}
	}
	d.held, d.Next = true, c.now.Add(lookAgain)
	c.agenda.set("delivery/"+d.Key, d.Next)
	return true
}

// letGo lets out the pages that a silence held back. The time they waited does not count against them.
func (c *Core) letGo(l *live) {
	for _, key := range slices.Sorted(maps.Keys(l.sends)) {
		d := c.deliveries[key]
		if b := c.deliveries[d.Bundle]; b != nil {
			d = b
		}
		if d.held {
			d.held, d.Next, d.GiveUp = false, c.now, c.now.Add(pageRetryFor)
			c.agenda.set("delivery/"+d.Key, d.Next)
		}
	}
}

// isHeldBack tells whether all of the incident's alerts that fire are silenced. While none fires, nothing begins to be
// held back, and what is stays so until no silence is about any of its alerts any more.
func (c *Core) isHeldBack(l *live) bool {
	if len(l.firing) > 0 {
		for fp := range l.firing {
			if labels := l.members[fp]; labels == nil || !c.router.IsSilenced(labels, c.now) {
				return false
			}
		}
		return true
	}
	if !l.ladder.IsPaused() {
		return false
	}
	known := false
	for _, labels := range l.members {
		if labels != nil && c.router.IsSilenced(labels, c.now) {
			return true
		}
		known = known || labels != nil
	}
	// A restart forgets the labels of alerts that are long over; what they had in common is left.
	return !known && c.router.IsSilenced(router.LabelsOf(l.incident.Labels), c.now)
}

// silencedHow says by which silence an incident's oldest firing alert is silenced.
func (c *Core) silencedHow(l *live) string {
	for _, fp := range l.order {
		if !l.firing[fp] {
			continue
		}
		ids, _ := c.router.Suppressed(l.members[fp], c.now)
		if len(ids) == 0 {
			continue
		}
		s, _ := c.router.Silence(ids[0])
		why := fmt.Sprintf("silenced until %s", s.EndsAt.UTC().Format("2006-01-02 15:04 UTC"))
		if s.CreatedBy != "" {
			why += " by " + cut(s.CreatedBy, maxName)
		}
		if s.Comment != "" {
			why += ": " + cut(s.Comment, maxNameText)
		}
		return why
	}
	return "silenced"
}

// merge takes in what peers say, and what a predecessor left.
func (c *Core) merge(in Gossip) {
	shown := len(c.routes)
	if len(in.Silences) > 0 {
		c.routed(c.router.MergeSilences(in.Silences, c.now))
	}
	if len(in.Log) > 0 {
		c.routed(c.router.MergeLog(in.Log, c.now))
	}
	if !in.Onward {
		c.routes = slices.DeleteFunc(c.routes, func(e router.Effect) bool {
			shown--
			return shown < 0 && isMerged(e)
		})
	}
}

func isMerged(e router.Effect) bool {
	switch e := e.(type) {
	case router.SilenceChanged:
		return e.Action == router.SilenceMerged
	case router.LogChanged:
		return e.Merged
	}
	return false
}

// usePlans takes the maintenance windows of the configuration beside the recurring silences that were made at run time,
// and sees to the silences of all of them.
func (c *Core) usePlans() {
	for key, p := range c.plans {
		if p.FromFile {
			delete(c.plans, key)
		}
	}
	for _, p := range c.cfg.Maintenance {
		p.FromFile = true
		c.plans[p.key()] = p
	}
	for _, key := range slices.Sorted(maps.Keys(c.plans)) {
		c.unit()
		c.keepPlan(c.plans[key])
	}
	c.dropOrphans()
}

// setPlan makes or replaces a recurring silence.
func (c *Core) setPlan(in SetPlan) Answer {
	p := in.Plan
	p.FromFile, p.Text = false, ""
	if err := p.check(); err != nil {
		return Answer{Err: err}
	}
	if old, known := c.plans[p.key()]; known {
		c.endPlan(old, &p)
	} else if len(c.plans) >= maxPlans {
		return Answer{Err: refuse("invalid", "name", "there are %d recurring silences, the most there can be; delete some", maxPlans)}
	}
	c.plans[p.key()] = p
	c.put(prefPlan+p.Name, encode("plan", p))
	c.keepPlan(p)
	return Answer{}
}

// dropPlan ends a recurring silence, and the one of its windows that is under way or to come.
func (c *Core) dropPlan(in DropPlan) Answer {
	p, known := c.plans[Plan{Name: in.Name}.key()]
	if !known {
		if _, file := c.plans[Plan{Name: in.Name, FromFile: true}.key()]; file {
			return Answer{Err: refuse("conflict", "name", "%s is a maintenance window of the configuration file; remove it there and reload", in.Name)}
		}
		return Answer{Err: refuse("not_found", "name", "no recurring silence is called %q", in.Name)}
	}
	delete(c.plans, p.key())
	c.put(prefPlan+p.Name, nil)
	c.agenda.set(planName(p), zeroTime)
	c.endPlan(p, nil)
	return Answer{}
}

// keepPlan sees to it that the window of the plan that is under way, or else the next one, has its silence.
func (c *Core) keepPlan(p Plan) {
	w, ok := p.window(c.now)
	if !ok {
		c.agenda.set(planName(p), zeroTime) // it never comes again
		return
	}
	c.agenda.set(planName(p), w.To)
	s := p.silence(w)
	if known, ok := c.router.Silence(s.ID); ok {
		if !known.EndsAt.After(c.now) || known.EndsAt.Before(w.To) {
			return // somebody ended this one window, or shortened it
		}
		if sameSilence(known, s) {
			return
		}
	}
	effects, err := c.router.PutSilence(s, c.now)
	if err == nil { // the plan was checked
		c.routed(effects)
	}
}

// endPlan ends the silence of a plan that is no more, or has become another one with the same window.
func (c *Core) endPlan(p Plan, next *Plan) {
	w, ok := p.window(c.now)
	if !ok {
		return
	}
	id := p.silence(w).ID
	if next != nil {
		if v, ok := next.window(c.now); ok && next.silence(v).ID == id {
			return
		}
	}
	if effects, err := c.router.ExpireSilence(id, c.now); err == nil {
		c.routed(effects)
	}
}

// dropOrphans ends the silences of windows that the configuration no longer has.
func (c *Core) dropOrphans() {
	for _, s := range c.router.Silences() {
		key := s.Annotations[planAnnotation]
		if key == "" || s.State(c.now) == router.SilenceExpired || s.ID[14] != '8' {
			continue
		}
		if p, known := c.plans[key]; known && (p.isOf(s, c.now) || p.isOf(s, s.StartsAt)) {
			continue // a clock set back brings the window before once more; the one that was to come stays
		}
		c.unit()
		if effects, err := c.router.ExpireSilence(s.ID, c.now); err == nil {
			c.routed(effects)
		}
	}
}

// isOf reports whether the silence is that of the plan's window at t, or of the next.
func (p Plan) isOf(s router.Silence, t time.Time) bool {
	w, ok := p.window(t)
	return ok && p.silence(w).ID == s.ID
}

func planName(p Plan) string { return "plan/" + p.key() }
