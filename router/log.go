package router

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A LogKey names whom an entry of the notification log is about: one integration of one receiver, for one group key.
// It does not name the route: siblings with equal matchers and receiver share their entries, as in Alertmanager.
type LogKey struct {
	GroupKey    string `json:"group_key"`
	Receiver    string `json:"receiver"`
	Integration string `json:"integration"` // webhook, slack, …
	Index       int    `json:"index"`       // among the receiver's integrations of that name, from 0
}

// String is the key under which Alertmanager's log holds the entry.
func (k LogKey) String() string {
	return k.GroupKey + ":" + k.Receiver + "/" + k.Integration + "/" + strconv.Itoa(k.Index)
}

// A LogEntry says what an integration was last told of a group.
type LogEntry struct {
	LogKey
	Timestamp time.Time         `json:"timestamp"`          // when it had been told
	ExpiresAt time.Time         `json:"expires_at"`         // from here on, it was never told
	Firing    []uint64          `json:"firing,omitempty"`   // Labels.Hash of what fired, ascending
	Resolved  []uint64          `json:"resolved,omitempty"` // and of what had resolved
	State     map[string]string `json:"state,omitempty"`    // the integration's own memory, as Slack's message to update
}

// A logbook remembers the latest entry of each key. The zero value is empty and ready.
type logbook struct {
	entries map[LogKey]*LogEntry
}

// get returns the entry, or nil. What expired is there until gc takes it, as in Alertmanager.
func (l *logbook) get(k LogKey) *LogEntry { return l.entries[k] }

// len is the number of entries.
func (l *logbook) len() int { return len(l.entries) }

// all yields every entry, in no order.
func (l *logbook) all() iter.Seq[*LogEntry] { return maps.Values(l.entries) }

// merge takes an entry in, from ourselves or from a peer, and reports whether it was news: what has expired is not, nor
// is what is not newer than the entry that we have.
func (l *logbook) merge(e LogEntry, now time.Time) bool {
	if e.ExpiresAt.Before(now) {
		return false
	}
	if known := l.entries[e.LogKey]; known != nil && !known.Timestamp.Before(e.Timestamp) {
		return false
	}
	l.put(e)
	return true
}

func (l *logbook) put(e LogEntry) {
	if l.entries == nil {
		l.entries = map[LogKey]*LogEntry{}
	}
	e.Firing = ascending(e.Firing)
	e.Resolved = ascending(e.Resolved)
	l.entries[e.LogKey] = &e
}

// ascending returns the hashes in order. Those of a peer come in the order of its alerts.
func ascending(hashes []uint64) []uint64 {
	if slices.IsSorted(hashes) {
		return hashes
	}
	return slices.Sorted(slices.Values(hashes))
}

// gc removes the entries that expired by now, and returns them.
func (l *logbook) gc(now time.Time) []LogEntry {
	var gone []LogEntry
	for k, e := range l.entries {
		if !e.ExpiresAt.After(now) {
			gone = append(gone, *e)
			delete(l.entries, k)
		}
	}
	slices.SortFunc(gone, func(a, b LogEntry) int { return strings.Compare(a.LogKey.String(), b.LogKey.String()) })
	return gone
}

// shift moves every instant of the log. Entries that were handed out stay as they were.
func (l *logbook) shift(by time.Duration) {
	for k, e := range l.entries {
		moved := *e
		moved.Timestamp = e.Timestamp.Add(by)
		moved.ExpiresAt = e.ExpiresAt.Add(by)
		l.entries[k] = &moved
	}
}

// expiry is when an entry written at t is forgotten: after twice the repeat interval, but never after the retention.
func expiry(t time.Time, retention, repeat time.Duration) time.Time {
	if twice := 2 * repeat; twice > 0 && twice < retention {
		return t.Add(twice)
	}
	return t.Add(retention)
}

// A Reason says why a receiver is notified, in Alertmanager's words: templates may print it.
type Reason string

// The reasons. Nothing means no notification.
const (
	Nothing        Reason = "none"
	First          Reason = "first notification"
	NewAlerts      Reason = "new alerts added"
	NewResolved    Reason = "some alerts resolved"
	AllResolved    Reason = "all alerts resolved"
	RepeatInterval Reason = "repeat interval elapsed"
)

// decide says why an integration is to be told now of a group in which these fire and those have resolved, both as
// ascending hashes. known is its log entry, or nil.
//
// It compares subsets: an alert that leaves silently is no reason. That all resolved is one even for an integration
// that is not told of resolved alerts, for its entry must be cleared.
func decide(known *LogEntry, firing, resolved []uint64, sendResolved bool, repeat time.Duration, now time.Time) Reason {
	switch {
	case known == nil:
		if len(firing) > 0 {
			return First
		}
		return Nothing
	case !subset(firing, known.Firing):
		if len(known.Firing) == 0 {
			return First
		}
		return NewAlerts
	case len(firing) == 0:
		if len(known.Firing) > 0 {
			return AllResolved
		}
		return Nothing
	case sendResolved && !subset(resolved, known.Resolved):
		return NewResolved
	case known.Timestamp.Before(now.Add(-repeat)):
		return RepeatInterval
	}
	return Nothing
}

// subset reports whether all of a is in b; both ascend.
func subset(a, b []uint64) bool {
	for _, h := range a {
		for len(b) > 0 && b[0] < h {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != h {
			return false
		}
	}
	return true
}
