// Package incident keeps what happened: an incident's life cycle, its severity and its history.
package incident

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Status is where an incident stands (SPEC §6).
type Status string

const (
	Triggered Status = "triggered"
	Acked     Status = "acknowledged"
	Resolved  Status = "resolved"
)

// Scope says what makes one incident (SPEC §6 `scope:`).
type Scope string

const (
	ScopeGroup Scope = "group"
	ScopeAlert Scope = "alert"
)

// An Identity is what makes two outages the same one: never a text (SPEC §6).
type Identity struct {
	Receiver string `json:"receiver"`
	GroupKey string `json:"group_key,omitempty"`
	Alert    string `json:"alert,omitempty"` // the fingerprint, for ScopeAlert

	// SLO is the objective whose budget burns, and By names the values of its labels; then there is no Receiver. Threshold is
	// that of the budget which was crossed; empty: the incident is that of the burn rates.
	SLO       string `json:"slo,omitempty"`
	By        string `json:"by,omitempty"`
	Threshold string `json:"threshold,omitempty"`

	// Manual numbers an incident that a person opened; then there is nothing else.
	Manual string `json:"manual,omitempty"`

	// Heartbeat is the heartbeat that is late; then there is no Receiver. AllHeartbeats: none is heard any more.
	Heartbeat string `json:"heartbeat,omitempty"`
}

// AllHeartbeats is the Heartbeat of the incident that none is heard any more. No single one can be called so.
const AllHeartbeats = "*"

// An Incident is one outage from its opening to its end. It is a value: Step returns the next one.
// The zero Incident is none; Open makes one.
type Incident struct {
	Number   int      `json:"number"` // INC-<Number>, from 1
	Identity Identity `json:"identity"`

	Title       string            `json:"title"`
	Severity    string            `json:"severity"` // sev1 (highest) to sev5; never falls while open
	Status      Status            `json:"status"`
	Policy      string            `json:"policy"`
	Labels      map[string]string `json:"labels,omitempty"`      // those its alerts had in common when it opened
	Annotations map[string]string `json:"annotations,omitempty"` // likewise
	AutoResolve bool              `json:"auto_resolve"`          // ends when its last alert does

	OpenedAt   time.Time `json:"opened_at"`
	AckedAt    time.Time `json:"acknowledged_at,omitzero"` // zero while triggered
	AckedBy    string    `json:"acknowledged_by,omitempty"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"` // zero while open
	ResolvedBy string    `json:"resolved_by,omitempty"`
	ReopenedAt time.Time `json:"reopened_at,omitzero"` // the last time; zero: never
	Flapping   bool      `json:"flapping,omitempty"`   // it came back within the reopen window

	// Firing is false once the last alert ended. An incident resolved by hand while Firing is held: it stays resolved
	// until its alerts were clear once, or severity rises (SPEC §6).
	Firing bool `json:"firing"`
	Held   bool `json:"held,omitempty"`
}

// ID is the incident's public name.
func (i Incident) ID() string { return ID(i.Number) }

// ID is the public name of incident n.
func ID(n int) string { return "INC-" + strconv.Itoa(n) }

// ParseID reads an incident's public name; the letters' case does not matter, and a bare number will do.
func ParseID(s string) (int, error) {
	digits := s
	if len(s) > 4 && strings.EqualFold(s[:4], "INC-") {
		digits = s[4:]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || digits[0] == '+' {
		return 0, fmt.Errorf("%q is not an incident; incidents are called INC-1, INC-2, …", s)
	}
	return n, nil
}

// Open reports whether somebody still has to deal with it.
func (i Incident) Open() bool { return i.Status == Triggered || i.Status == Acked }

const noRank = 1 << 30

// Rank orders severities: sev1 is 1, and a smaller rank is more severe. What is no severity ranks last.
func Rank(severity string) int {
	if n, ok := strings.CutPrefix(severity, "sev"); ok {
		if r, err := strconv.Atoi(n); err == nil && r >= 1 && strconv.Itoa(r) == n {
			return r
		}
	}
	return noRank
}

// Higher reports whether severity a is more severe than b.
func Higher(a, b string) bool { return Rank(a) < Rank(b) }

// clone gives Step maps of its own, so that a value once handed out never changes.
func (i Incident) clone() Incident {
	i.Labels, i.Annotations = maps.Clone(i.Labels), maps.Clone(i.Annotations)
	return i
}
