package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
)

// Limits of what people may write.
const (
	maxName = 200    // characters of who acts
	maxText = 10_000 // characters of a note
	minWait = time.Second
	maxWait = 30 * 24 * time.Hour // of a snooze
)

// act does what a person asked for (SPEC §5.5, §5.7).
func (c *Core) act(a Action) Answer {
	c.acting = a
	defer func() { c.acting = Action{} }()
	l, past, err := c.subject(a)
	if err != nil {
		return Answer{Err: err}
	}
	if l == nil || !l.incident.Open() {
		return c.actLate(l, past, a)
	}
	switch a.Verb {
	case Acknowledge:
		c.climb(l, escalation.Acked{By: a.By})
	case Unacknowledge:
		if err := c.takeBack(l, a); err != nil {
			return Answer{Incident: l.incident, Err: err}
		}
	case Resolve:
		c.become(l, incident.Ended{By: a.By, Via: a.Via, Reason: orElse(a.Text, "resolved by hand")})
		c.resolvedByHand(l)
		if l.incident.Identity.Manual != "" {
			c.overNow(l, "")
		}
	case Escalate:
		c.climb(l, escalation.Escalate{By: a.By})
	case Reassign:
		in, err := c.reassignment(a)
		if err != nil {
			return Answer{Incident: l.incident, Err: err}
		}
		if in.Policy != nil {
			c.become(l, incident.Renamed{Policy: in.Policy.Name})
		}
		c.climb(l, in)
	case Snooze:
		if a.For < minWait || a.For > maxWait {
			return Answer{Incident: l.incident, Err: refuse("invalid", "for", "snooze for between %s and %s, not %s", minWait, maxWait, a.For)}
		}
		c.climb(l, escalation.Snooze{By: a.By, For: a.For})
	case AddNote:
		if a.Text == "" {
			return Answer{Incident: l.incident, Err: refuse("invalid", "note", "the note is empty; write what you found")}
		}
		c.happened(incident.Event{Kind: incident.Note, Incident: l.incident.ID(), By: a.By, Via: a.Via, Text: a.Text})
		c.climb(l, escalation.Activity{By: a.By})
	case AddResponder:
		if _, ok := c.cfg.Users[a.User]; !ok {
			return Answer{Incident: l.incident, Err: c.unknown("user", "user", a.User, slices.Collect(maps.Keys(c.cfg.Users)))}
		}
		c.climb(l, escalation.AddResponder{By: a.By, User: a.User})
	case StopMine:
		c.climb(l, escalation.StopMine{By: a.By})
		if a.By != "" {
			c.standDown(l, a.By, "stopped by "+a.By)
		}
	default:
		return Answer{Err: refuse("invalid", "verb", "nobody can %q an incident", a.Verb)}
	}
	return Answer{Incident: l.incident}
}

// takeBack undoes an acknowledgement, by whoever gave it. Where others still have the incident, one of them has it now.
func (c *Core) takeBack(l *live, a Action) error {
	acks := l.ladder.Acks()
	switch {
	case len(acks) == 0:
		return refuse("conflict", "", "%s is not acknowledged; there is nothing to undo", l.incident.ID())
	case !slices.Contains(acks, a.By):
		return refuse("conflict", "by", "%s was acknowledged by %s, not by %s; only who acknowledged takes it back, or escalate it", l.incident.ID(), strings.Join(acks, ", "), a.By)
	}
	c.climb(l, escalation.Unacked{By: a.By})
	if acks = l.ladder.Acks(); l.incident.Status == incident.Acked && l.incident.AckedBy == a.By && len(acks) > 0 {
		c.become(l, incident.AckedNow{By: acks[len(acks)-1]})
	}
	return nil
}

// actLate is about an incident that is over: an acknowledgement becomes a note, a note is taken, resolving it again
// changes nothing, and the rest is refused (SPEC §5.8).
func (c *Core) actLate(l *live, past *incident.Incident, a Action) Answer {
	var i incident.Incident
	switch {
	case l != nil:
		i = l.incident
	case past != nil:
		i = *past
	}
	switch a.Verb {
	case Acknowledge:
		c.happened(incident.Event{Kind: incident.Note, Incident: i.ID(), By: a.By, Via: a.Via, Text: "acknowledged after it was resolved", Reason: "resolved at " + i.ResolvedAt.UTC().Format(time.RFC3339)})
	case AddNote:
		if a.Text == "" {
			return Answer{Incident: i, Err: refuse("invalid", "note", "the note is empty; write what you found")}
		}
		c.happened(incident.Event{Kind: incident.Note, Incident: i.ID(), By: a.By, Via: a.Via, Text: a.Text})
	case Resolve:
	default:
		return Answer{Incident: i, Err: refuse("conflict", "", "%s is resolved; it opens again only if its alerts fire again", i.ID())}
	}
	return Answer{Incident: i}
}

// subject finds the incident an action is about: by its id, or the only open one.
func (c *Core) subject(a Action) (*live, *incident.Incident, error) {
	switch {
	case strings.TrimSpace(a.By) == "":
		return nil, nil, refuse("invalid", "by", "say who you are: \"by\" is empty")
	case utf8.RuneCountInString(a.By) > maxName:
		return nil, nil, refuse("invalid", "by", "\"by\" is longer than %d characters", maxName)
	case utf8.RuneCountInString(a.Text) > maxText:
		return nil, nil, refuse("invalid", "note", "the text is longer than %d characters", maxText)
	}
	if a.Incident == "" {
		var open []*live
		for _, n := range c.liveNumbers() {
			if l := c.live[n]; l.incident.Open() {
				open = append(open, l)
			}
		}
		if len(open) != 1 {
			return nil, nil, refuse("invalid", "incident", "%d incidents are open; say which one", len(open))
		}
		return open[0], nil, nil
	}
	n, err := incident.ParseID(a.Incident)
	if err != nil {
		return nil, nil, refuse("invalid", "incident", "%s", err)
	}
	if l := c.live[n]; l != nil {
		return l, nil, nil
	}
	if n > c.last || c.past == nil {
		return nil, nil, refuse("not_found", "incident", "there is no incident %s", incident.ID(n))
	}
	past, err := c.past(n)
	if err != nil {
		return nil, nil, refuse("not_found", "incident", "there is no incident %s", incident.ID(n))
	}
	return nil, &past, nil
}

func (c *Core) reassignment(a Action) (escalation.Reassign, error) {
	in := escalation.Reassign{By: a.By}
	if a.To == nil {
		p, ok := c.cfg.Policies[a.Policy]
		if !ok {
			return in, c.unknown("policy", "to", a.Policy, slices.Collect(maps.Keys(c.cfg.Policies)))
		}
		in.Policy = &p
		return in, nil
	}
	in.Target = *a.To
	switch {
	case a.To.User != "":
		if _, ok := c.cfg.Users[a.To.User]; !ok {
			return in, c.unknown("user", "to", a.To.User, slices.Collect(maps.Keys(c.cfg.Users)))
		}
	case a.To.Schedule != "":
		if _, ok := c.schedules[a.To.Schedule]; !ok {
			return in, c.unknown("schedule", "to", a.To.Schedule, slices.Collect(maps.Keys(c.schedules)))
		}
	default:
		return in, refuse("invalid", "to", "reassign to a user, a schedule or a policy")
	}
	return in, nil
}

func (c *Core) unknown(noun, field, name string, known []string) error {
	slices.Sort(known)
	return refuse("invalid", field, "there is no %s %q; known are: %s", noun, name, strings.Join(known, ", "))
}

func refuse(code, field, format string, args ...any) error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
