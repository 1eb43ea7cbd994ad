package notify

import (
	"fmt"
	"strings"
	"time"
)

// A Duty is what a person is told about their time on call. Such a message asks for nothing.
type Duty struct {
	Schedule string       `json:"schedule,omitempty"`
	Start    time.Time    `json:"start,omitzero"`
	End      time.Time    `json:"end,omitzero"` // zero: no end is in sight
	With     []string     `json:"with,omitempty"`
	Changes  []DutyChange `json:"changes,omitempty"` // for EventOnCallChanged
	More     int          `json:"more,omitempty"`    // changes that are not listed
	Why      string       `json:"why,omitempty"`
	By       string       `json:"by,omitempty"`
}

// A DutyChange is a stretch of time in which the person is on call and was not to be, or the other way round.
type DutyChange struct {
	Schedule string    `json:"schedule"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	On       bool      `json:"on"`
}

// duty words a message about time on call that is about no incident.
func (v *view) duty(m Message, loc *time.Location) {
	d := m.Page.Duty
	schedule := said(d.Schedule, valueLength)
	v.Color, v.Urgent, v.ActionURL, v.Action = indigo, false, "", ""
	v.Severity, v.Next = "none", "to nobody; this is for your information"
	v.Since = sinceWords(d.Start, loc)
	switch m.Event {
	case EventOnCallSoon:
		v.Headline = "You are on call soon: " + schedule
		v.Subject = fmt.Sprintf("[on call] %s from %s", schedule, instant(d.Start, loc))
		v.Lead = stretchWords("You are on call in "+schedule, d.Start, d.End, loc)
	case EventOnCallChanged:
		v.Headline = "Your time on call has changed"
		v.Subject = "[on call] Your time on call has changed" + schedulesWords(d.Changes)
		v.Lead = said(d.Why, valueLength)
		if d.By != "" {
			v.Lead = said(d.By, valueLength) + ": " + v.Lead
		}
		v.changes("What is different now", d, loc)
	case EventSwapRequested:
		swap, by := said(d.Why, valueLength), said(d.By, valueLength)
		v.Headline = by + " asks to swap time on call with you"
		v.Subject = "[" + swap + "] " + v.Headline + schedulesWords(d.Changes)
		v.Lead = "It counts when you accept it: midwatch oncall swap accept " + swap + ". Or decline it: midwatch oncall swap decline " + swap + "."
		v.changes("What it would mean for you", d, loc)
	default:
		v.Headline = "You are on call: " + schedule
		v.Subject = "[on call] You are on call in " + schedule
		v.Lead = stretchWords("You are on call in "+schedule, d.Start, d.End, loc) + "; no incident is open"
	}
}

// changes lists when the person is on call and was not to be, and the other way round.
func (v *view) changes(head string, d *Duty, loc *time.Location) {
	v.ItemsHead = head
	for _, c := range d.Changes[:min(len(d.Changes), shownIncidents)] {
		v.Items = append(v.Items, item{
			Name: pick(c.On, "on call", "not on call"), Note: said(c.Schedule, valueLength), Details: stretchWords("", c.Start, c.End, loc),
		})
	}
	v.More = max(0, len(d.Changes)-shownIncidents) + d.More
}

// dutyRows are the facts of a message about time on call.
func (v *view) dutyRows(p *Page) {
	if with := enumerate(names(p.Duty.With), shownNames); with != "" {
		v.Rows = append(v.Rows, row{Name: "With you", Text: with})
	}
	if link := oneLine(p.IncidentURL); link != "" {
		v.Rows = append(v.Rows, row{Name: "Midwatch", URL: link})
	}
}

// stretchWords says from when to when, in the person's zone.
func stretchWords(what string, start, end time.Time, loc *time.Location) string {
	words := strings.TrimSpace(what + " from " + instant(start, loc))
	if end.IsZero() {
		return words + " on"
	}
	return words + " to " + instant(end, loc)
}

// schedulesWords names the schedules of changes, once each: " in db-primary and web".
func schedulesWords(changes []DutyChange) string {
	var seen []string
	for _, c := range changes {
		name := said(c.Schedule, 60)
		if len(seen) == 0 || seen[len(seen)-1] != name {
			seen = append(seen, name)
		}
	}
	if len(seen) == 0 {
		return ""
	}
	return " in " + enumerate(seen, 2)
}
