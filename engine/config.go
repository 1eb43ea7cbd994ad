package engine

import (
	"slices"
	"time"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/oncall"
	"github.com/midwatch/midwatch/router"
)

// A Config is what the engine decides by: checked domain values, made by the caller from the file. It is never
// changed once handed over; a reload brings a new one.
type Config struct {
	Routing      router.Options
	Users        map[string]User
	Schedules    map[string]*oncall.Schedule
	Notices      map[string]Notices // by schedule; absent: the defaults
	Policies     map[string]escalation.Policy
	Paging       escalation.Paging
	ReopenWindow time.Duration
	Incidents    map[string]IncidentConfig                     // by receiver; one that is absent opens no incidents
	Severity     func(label string) string                     // maps an alert's severity label to ours
	Hours        func(escalation.Hours) (*oncall.Hours, error) // reads support hours
	Maintenance  []Plan                                        // with their Windows
	SLOs         []SLO
	Heartbeats   []Heartbeat // in the file's order
	BlindPolicy  string      // of the incident that no heartbeat is heard; empty: that of the first that fell silent
}

// A User is somebody who can be paged.
type User struct {
	Name, FullName, TimeZone string
	Methods                  []Method // in the file's order
	Digests                  []string // the methods by which they learn what is open when they come on call
	Notices                  []string // those by which they learn that a shift comes or moved
	High, Low                []escalation.Rule
	Unavailable              []oncall.Absence // in the file's order; ID and User are not set
}

// A Method is one way to reach a user.
type Method struct {
	Name         string
	SendResolved bool // those who were paged by it learn that it is over
	TakesBack    bool // what it sent rings or stands until it is told that nobody need answer any more
}

// method is the user's method of that name.
func (u User) method(name string) (Method, bool) {
	i := slices.IndexFunc(u.Methods, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return Method{}, false
	}
	return u.Methods[i], true
}

// An IncidentConfig is a receiver's entry of incident_configs (SPEC §6).
type IncidentConfig struct {
	Policy      string
	Scope       incident.Scope
	AutoResolve bool
	Severity    func(Subject) string // nil, or empty: by the severities table
	Title       func(Subject) string // never empty
}

// A Subject is what an incident's title and severity are made from.
type Subject struct {
	Receiver    string
	GroupLabels map[string]string
	Alerts      []*router.Alert

	why string // leads the reason of what opens
}
