// Package config reads the configuration file into checked values.
//
// The file is Alertmanager's, with sections of our own beside Alertmanager's (SPEC §2). What is Alertmanager's goes
// through Alertmanager's loader; what is ours becomes values of the packages that act on it. Either a Config comes
// out, or every fault with its place.
//
// Matchers are parsed by alertmanager/matcher/compat, whose mode belongs to the process: whoever calls Load must
// have called compat.InitFromFlags before.
package config

import (
	"time"

	amconfig "github.com/prometheus/alertmanager/config"

	"github.com/midwatch/midwatch/escalation"
	"github.com/midwatch/midwatch/notify"
	"github.com/midwatch/midwatch/oncall"
)

// A Config is a checked configuration. It is not changed after it was loaded.
type Config struct {
	Upstream *amconfig.Config // Alertmanager's part, paths resolved, included routes appended; for its packages
	Original string           // Upstream as YAML with secrets as <secret>, for /api/v2/status; amtool reads it again

	Users         map[string]User
	UserOrder     []string // names in the order of the files, as all orders here
	Schedules     map[string]*oncall.Schedule
	ScheduleOrder []string
	Notices       map[string]Notices // by schedule
	Calendars     []Calendar         // in the order of the files
	Policies      map[string]escalation.Policy
	PolicyOrder   []string

	Paging       escalation.Paging // CatchAll is empty only where there is no policy
	ReopenWindow time.Duration     // how long a closed incident is reopened rather than opened anew

	SLOs     map[string]SLO
	SLOOrder []string

	Chat Chat // how people speak back

	Heartbeats  []Heartbeat   // in the order of the files
	BlindPolicy string        // of the incident that no heartbeat is heard; empty: that of the first that fell silent
	DeadMan     *DeadMan      // nil: nobody is called
	Maintenance []Maintenance // in the order of the files
	// ResolvedUnderSilence tells those who were told that an alert fires that it resolved, also if it did while it was
	// silenced; else, as in Alertmanager, they never learn.
	ResolvedUnderSilence bool

	Severities Severities
	Incidents  map[string]IncidentConfig // by receiver; one that is absent opens no incidents

	Files    []string // the file and those it includes, in the order of reading
	Warnings Faults

	dir     string
	texts   *texts
	marks   map[string]mark             // see loader.mark
	windows map[string]*oncall.Calendar // time intervals and shared calendars
}

// Defaults of `paging:` (SPEC §5).
const (
	DefaultCatchAllEvery = 4 * time.Hour
	DefaultReopenWindow  = 15 * time.Minute
)

// A User is somebody who can be paged (SPEC §3).
type User struct {
	Name     string
	FullName string // empty: Name will do
	Email    string // empty: none given
	TimeZone string // IANA name; empty is UTC
	Methods  []Method
	// What is done at a page of high and of low urgency. Where the file gives no rules: every method at once. Empty
	// only for a user without methods, who is in no schedule, step or catch_all.
	High, Low        []escalation.Rule
	Chat             map[string]string // the IDs by which slack, telegram, matrix and phone name them
	CalendarNames    []string          // further names by which shared calendars know them
	Digests, Notices []string          // the methods by which they are told what is no page; see docs/oncall.md
	// When they cannot be on call, in the file's order. Only Start, End and Reason are set.
	Unavailable []oncall.Absence
	entries     []int // from which entry of the list each of them comes: a calendar makes many
}

// The integrations of contact methods that are ours and need nothing of Alertmanager's.
const (
	IntegrationLog    = "log"    // a line in the daemon's log
	IntegrationOutbox = "outbox" // the page of messages of `midwatch --demo`
)

// A Method is one way to reach a user.
type Method struct {
	Name        string
	Integration string // Alertmanager's name, such as "slack", or one of ours: "ntfy", …, IntegrationLog, IntegrationOutbox
	// Receiver holds exactly one integration, with the defaults of the file's `global` applied by Alertmanager's
	// loader. It is empty for our own integrations. Its name says whose it is and routes cannot use it.
	Receiver amconfig.Receiver
	// Own is the config of an integration that Alertmanager does not have; nil for the others.
	Own notify.Own
	// Signing has the secrets that sign the messages of a webhook, the one that counts first; none: they are not signed.
	Signing []notify.Secret
	// APIURL is where Pushover's API is; empty: where it usually is.
	APIURL string
	// Set has the keys the file gives, nested ones with dots ("headers", "headers.Subject"): what is not set gets our
	// templates for pages in place of Alertmanager's for groups.
	Set map[string]bool
}

// Severities map the value of an alert's `severity` label to ours, sev1 (the worst) to sev5 (SPEC §6).
type Severities map[string]string

// Of is the severity of an alert whose `severity` label has this value; empty where it has no such label.
func (s Severities) Of(label string) string {
	if sev, ok := s[label]; ok && label != "default" {
		return sev
	}
	return s["default"]
}

// DefaultSeverities is the table where the file says nothing; the file replaces single rows of it.
func DefaultSeverities() Severities {
	return Severities{"page": "sev2", "critical": "sev2", "error": "sev3", "warning": "sev3", "info": "sev4", "default": "sev2"}
}

// Scope says what makes one incident.
type Scope string

const (
	ScopeGroup Scope = "group" // one for each alert group
	ScopeAlert Scope = "alert" // one for each alert
)

// An IncidentConfig makes a receiver open incidents (SPEC §6). Templates are Alertmanager's, over the same data.
type IncidentConfig struct {
	Policy      string
	Severity    string // one of ours or a template that yields one; empty: the table of Severities
	Title       string // template
	Scope       Scope
	AutoResolve bool // it ends with its last firing alert
}

// DefaultTitle titles an incident by its summary, or by what its alerts have in common.
const DefaultTitle = `{{ with .CommonAnnotations.summary }}{{ . }}{{ else }}` +
	`{{ with .CommonLabels.alertname }}{{ . }}{{ else }}{{ .GroupLabels.SortedPairs.Values | join " " }}{{ end }}{{ end }}`
