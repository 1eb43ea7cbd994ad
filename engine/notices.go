package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
)

// Notices are what a schedule tells its people about their time on call. They are no pages: nobody need answer.
type Notices struct {
	Before  []time.Duration // so long before a shift begins, the longest first; none: nothing beforehand
	Handoff Handoff
	Silent  bool // nobody is told when their coming time on call changes
}

// Handoff says when whoever comes on call is told.
type Handoff string

// By default whoever comes on call learns which incidents are open, and nothing where none is (SPEC §5.4).
const (
	HandoffOpen   Handoff = "" // where incidents are open
	HandoffAlways Handoff = "always"
	HandoffNever  Handoff = "never"
)

// Deliveries' events that are about time on call.
const (
	deliverDigest  = "digest"
	deliverSoon    = "on_call_soon"
	deliverChanged = "on_call_changed"
	deliverSwap    = "swap_requested"
)

// Limits of notices.
const (
	dutyRetryFor  = 4 * time.Hour       // that time on call changed is worth knowing also after an outage
	maxDutyNotes  = 20                  // changes listed in one notice
	maxDigest     = 50                  // incidents listed in one digest
	keepTold      = 2 * 24 * time.Hour  // so long it is remembered who was welcomed, so that a clock set back doubles nothing
	noticeHorizon = 14 * 24 * time.Hour // changes further ahead than that are told by nobody: it will change again
)

// A DutyNote is what a user is told about their time on call.
type DutyNote struct {
	Schedule string       `json:"schedule,omitempty"`
	Start    time.Time    `json:"start,omitzero"`
	End      time.Time    `json:"end,omitzero"`   // zero: no end is in sight
	With     []string     `json:"with,omitempty"` // who shares it
	Changes  []DutyChange `json:"changes,omitempty"`
	More     int          `json:"more,omitempty"` // changes that are not listed
	Why      string       `json:"why,omitempty"`  // of a request: the swap
	By       string       `json:"by,omitempty"`   // who changed it, or asks; empty: nobody in person
}

// A DutyChange is a stretch of time in which a user is on call and was not to be, or the other way round.
type DutyChange struct {
	Schedule string    `json:"schedule"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	On       bool      `json:"on,omitempty"`
}

// A cause is why schedules change, while they do.
type cause struct{ by, why string }

// noticesOf are a schedule's.
func (c *Core) noticesOf(schedule string) Notices { return c.cfg.Notices[schedule] }

// remind tells whoever will come on call soon, and puts the next time to look on the agenda. Each is told once for each
// lead; what is told late, since nobody knew of the shift or Midwatch was away, is told once in all.
func (c *Core) remind(name string, b *bill, s *oncall.Schedule) (changed bool) {
	appointment := "remind/" + name
	leads := c.noticesOf(name).Before
	if s == nil || len(leads) == 0 {
		c.agenda.set(appointment, zeroTime)
		return false
	}
	var next time.Time
	users, steps := watchAt(s, c.now).Users, 0
	first := b.Told == nil
	late := map[string]bool{}
	for at := range changes(s, c.now) {
		ahead := at.Sub(c.now)
		if steps++; steps > maxFillSteps || (ahead > leads[0] && !next.IsZero() && !at.Add(-leads[0]).Before(next)) {
			break
		}
		was := users
		users = watchAt(s, at).Users
		for _, user := range users {
			if slices.Contains(was, user) {
				continue
			}
			due := false
			for _, lead := range leads {
				key := user + " " + lead.String()
				switch when := at.Add(-lead); {
				case !b.Told[key].Before(at):
				case when.After(c.now):
					if next.IsZero() || when.Before(next) {
						next = when
					}
				default:
					b.tell(key, at)
					due, changed = true, true
				}
			}
			if due && !(first && late[user]) {
				late[user] = true
				c.notice(user, deliverSoon, fmt.Sprintf("%s/%s/%d", name, user, at.Unix()), shiftOf(name, s, user, at), at)
			}
		}
	}
	c.agenda.set(appointment, next)
	return changed
}

// shiftOf is a user's shift that begins at an instant.
func shiftOf(name string, s *oncall.Schedule, user string, at time.Time) DutyNote {
	n := DutyNote{Schedule: name, Start: at.UTC()}
	for _, other := range watchAt(s, at).Users {
		if other != user {
			n.With = append(n.With, other)
		}
	}
	for end := range changes(s, at) {
		if end.Sub(at) > planAhead {
			return n
		}
		if !slices.Contains(watchAt(s, end).Users, user) {
			n.End = end.UTC()
			return n
		}
	}
	return n
}

// tell remembers that a user was told of a shift that begins at an instant.
func (b *bill) tell(key string, at time.Time) {
	if b.Told == nil {
		b.Told = map[string]time.Time{}
	}
	b.Told[key] = at.UTC()
}

// forgetTold lets go of what can be told no more.
func (b *bill) forgetTold(now time.Time) {
	maps.DeleteFunc(b.Told, func(_ string, at time.Time) bool { return at.Add(keepTold).Before(now) })
}

// welcome tells those who come on call now which incidents are open. was is who was on call until now.
func (c *Core) welcome(name string, b *bill, s *oncall.Schedule, was []string) {
	how := c.noticesOf(name).Handoff
	if how == HandoffNever {
		return
	}
	var open []string
	for _, user := range b.Now.Users {
		key := user + " now"
		if slices.Contains(was, user) || !b.Told[key].Before(b.Now.At) {
			continue
		}
		if open == nil {
			open = c.concerns(name)
		}
		if len(open) == 0 && how != HandoffAlways {
			continue
		}
		b.tell(key, b.Now.At)
		c.notice(user, deliverDigest, fmt.Sprintf("%s/%s/%d", name, user, b.Now.At.Unix()), shiftOf(name, s, user, b.Now.At), c.now.Add(noticeRetryFor), open...)
	}
}

// concerns are the open incidents whose ladder leads to the schedule, the newest first. Never nil.
func (c *Core) concerns(schedule string) []string {
	ids := []string{}
	for n := range c.openBelow(0) {
		if len(ids) == maxDigest {
			break
		}
		for _, step := range c.live[n].ladder.Policy.Steps {
			if slices.ContainsFunc(step.Notify, func(t escalation.Target) bool { return t.Schedule == schedule }) {
				ids = append(ids, incident.ID(n))
				break
			}
		}
	}
	return ids
}

// compare collects whose coming time on call is another now. was is what the schedule said from now until a time, one
// watch after the other; is is what it says instead.
func (c *Core) compare(name string, was []Watch, until time.Time, is []Watch, isUntil time.Time) {
	if c.noticesOf(name).Silent || c.cause.why == "" {
		return
	}
	end := c.now.Add(noticeHorizon)
	for _, t := range []time.Time{until, isUntil} {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	for at := c.now; at.Before(end); {
		a, next := holds(was, at, end)
		b, next := holds(is, at, next)
		for _, user := range a {
			if !slices.Contains(b, user) {
				c.moves(user, DutyChange{Schedule: name, Start: at, End: next})
			}
		}
		for _, user := range b {
			if !slices.Contains(a, user) {
				c.moves(user, DutyChange{Schedule: name, Start: at, End: next, On: true})
			}
		}
		at = next
	}
}

// holds is who is on call at an instant, and until when that holds, at most end.
func holds(watches []Watch, at, end time.Time) (users []string, until time.Time) {
	for _, w := range watches {
		if w.At.After(at) {
			return users, earlier(w.At, end)
		}
		users = w.Users
	}
	return users, end
}

// moves notes a change for a user; one that goes on where the last one ended is the same.
func (c *Core) moves(user string, d DutyChange) {
	d.Start, d.End = d.Start.UTC(), d.End.UTC()
	list := c.moved[user]
	if n := len(list); n > 0 && list[n-1].Schedule == d.Schedule && list[n-1].On == d.On && list[n-1].End.Equal(d.Start) {
		list[n-1].End = d.End
		return
	}
	if c.moved == nil {
		c.moved = map[string][]DutyChange{}
	}
	c.moved[user] = append(list, d)
}

// tellMoved tells everybody whose coming time on call changed by what was just done, but for whoever did it.
func (c *Core) tellMoved() {
	why := c.cause
	c.cause = cause{}
	for _, user := range slices.Sorted(maps.Keys(c.moved)) {
		changes := c.moved[user]
		slices.SortStableFunc(changes, func(a, b DutyChange) int {
			return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Schedule, b.Schedule))
		})
		if user != why.by {
			n := DutyNote{Changes: changes, Why: why.why, By: why.by}
			if n.More = len(changes) - maxDutyNotes; n.More > 0 {
				n.Changes = changes[:maxDutyNotes]
			} else {
				n.More = 0
			}
			c.changes++
			c.notice(user, deliverChanged, fmt.Sprintf("%s/%d/%d", user, c.now.UnixNano(), c.changes), n, c.now.Add(dutyRetryFor))
		}
	}
	c.moved = nil
}

// notice makes the deliveries of a notice: one for each of the methods by which the user takes notices.
func (c *Core) notice(user, event, key string, n DutyNote, giveUp time.Time, incidents ...string) {
	methods := c.cfg.Users[user].Notices
	if event == deliverDigest {
		methods = c.cfg.Users[user].Digests
	}
	for _, via := range methods {
		c.intend(Delivery{
			Key: fmt.Sprintf("%s/%s/%s", event, key, via), Event: event, User: user, Via: via, Duty: &n, Incidents: incidents,
			Created: c.now, GiveUp: giveUp,
		})
	}
}

// noticeResult takes in the end of a notice. A digest is history; that a shift comes or moved is in the delivery log.
func (c *Core) noticeResult(d Delivery, final Outcome, why string) {
	if d.Event != deliverDigest {
		return
	}
	e := incident.Event{
		Kind: incident.Notification, User: d.User, Via: d.Via, Incidents: d.Incidents, Key: d.Key,
		Reason: "came on call in " + d.Duty.Schedule,
	}
	if final != Delivered {
		e.Kind, e.Reason = incident.PageFailed, why
	}
	c.happened(e)
}

// digestOf are the incidents that a delivery without one of its own speaks of, as they stand.
func (c *Core) digestOf(d Delivery) (list []incident.Incident) {
	for _, id := range d.Incidents {
		if n, err := incident.ParseID(id); err == nil && c.live[n] != nil {
			list = append(list, c.live[n].incident)
		}
	}
	return list
}
