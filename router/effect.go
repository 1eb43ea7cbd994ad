package router

import (
	"time"
)

// An Effect is something that has become true or must now be done. The effects of one call stand in the order of cause.
type Effect interface{ effect() }

// Stored says that what is known of the alert changed in a way that must outlive us. Change is never Refreshed.
type Stored struct {
	Alert  *Alert
	Change Change
}

// Refused says that an alert was not taken in, because Limit alerts of its name fire already.
type Refused struct {
	Alert *Alert
	Limit int
}

// Joined says that a firing alert entered a group, or changed in it, between two flushes. Change is FirstSeen, Refired,
// Changed or Regrouped. Muted is why it would not be told now; empty: it would.
type Joined struct {
	Group  Group
	Alert  *Alert
	Change Change
	Muted  Mute
}

// Left says that a member of a group fires no longer, or not there. Change is Resolved, Expired or Regrouped. The group
// keeps what resolved until all its receivers have heard.
type Left struct {
	Group  Group
	Alert  *Alert
	Change Change
}

// GroupChanged says that the group must be stored under its ID, or is gone.
type GroupChanged struct {
	Group   Group
	Deleted bool
}

// LogChanged says that the entry must be stored under its key, or is gone. Unless it is gone, it is news to peers; Merged
// if it was a peer's.
type LogChanged struct {
	Entry   LogEntry
	Deleted bool
	Merged  bool
}

// Flushed says that a group's time came, whether or not anybody is notified. Its alerts are those that nothing mutes;
// in the order of a notification. Muted counts the others; nil: there are none. Others are they, in no order.
type Flushed struct {
	Group            Group
	At               time.Time
	Firing, Resolved []*Alert
	Muted            map[Mute]int
	Others           []*Alert
}

// Notify asks that an integration be told. The router waits for Router.Sent with its Ref: once, and in any case, for
// until then the integration hears no more of this group. It can be stored as JSON and given back to Router.Restore.
type Notify struct {
	Ref         Ref    `json:"ref"`
	Group       string `json:"group"` // Group.ID
	RouteID     string `json:"route_id"`
	GroupLabels Labels `json:"group_labels,omitempty"`
	RouteLabels Labels `json:"route_labels,omitempty"` // as configured: templates, to be rendered with Alerts
	Reason      Reason `json:"reason"`

	At             time.Time     `json:"at"`              // the flush that decided on it
	Deadline       time.Time     `json:"deadline"`        // when the next flush wants its turn: give up trying
	RepeatInterval time.Duration `json:"repeat_interval"` // of the route

	// Alerts is the whole group but for what is muted, in order; where the integration is not told of resolved alerts,
	// only what fires. A firing alert has a zero EndsAt, a resolved one has not.
	Alerts []*Alert `json:"alerts"`

	// Entry is what the log will say once this was sent, but for its times. It names receiver, integration and index.
	// Its State is the integration's own memory from last time; Sent gives back the new one.
	Entry LogEntry `json:"entry"`
}

// A Ref names one notification. It stays the same over restarts and is never used twice.
type Ref string

func (Stored) effect()       {}
func (Refused) effect()      {}
func (Joined) effect()       {}
func (Left) effect()         {}
func (GroupChanged) effect() {}
func (LogChanged) effect()   {}
func (Flushed) effect()      {}
func (Notify) effect()       {}
