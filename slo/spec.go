package slo

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Spec is an objective as its owner writes it.
type Spec struct {
	Name       string
	Service    string        // may be empty
	Objective  string        // percent, as written: "99.9"; read exactly. FromBurnRates needs none
	Window     time.Duration // over which the budget is counted. FromBurnRates needs none
	Source     Source
	By         []string    // labels: one Budget for each set of their values
	Thresholds []Threshold // nil: Defaults. FromBurnRates has none: there each alert is one

	ClearFor     time.Duration // how long a class is without an active threshold before it is clear; zero: not at all
	ReopenWindow time.Duration // how long a cleared incident is reopened rather than opened anew; zero: never
}

// A Source is what the bad time of an objective is read from: the key below `sli:`.
type Source string

const (
	FromAlerts    Source = "alerts"           // bad while any of its alerts fires; also when empty
	FromBurnRates Source = "burn_rate_alerts" // the alerts are burn-rate alerts already
	FromRatio     Source = "prometheus"       // counts of bad and of all events, by the minute
)

// A Threshold is reached by a burn rate over both of two windows, or by a share of the budget.
type Threshold struct {
	Name     string
	Severity string // sev1 (the worst) to sev5

	BurnRate    string // decimal, as written: "14.4"
	Long, Short time.Duration

	BudgetConsumed string // "50%"; then BurnRate, Long and Short are empty
}

// The defaults of SPEC §7. A zero in a Spec is a zero: whoever reads the file fills these in.
const (
	DefaultClearFor     = 5 * time.Minute
	DefaultReopenWindow = time.Hour
)

// Defaults are the thresholds of an objective that names none (SPEC §7).
func Defaults() []Threshold {
	const day = 24 * time.Hour
	return []Threshold{
		{Name: "page-fast", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"},
		{Name: "page-slow", BurnRate: "6", Long: 6 * time.Hour, Short: 30 * time.Minute, Severity: "sev2"},
		{Name: "ticket-fast", BurnRate: "3", Long: day, Short: 2 * time.Hour, Severity: "sev4"},
		{Name: "ticket-slow", BurnRate: "1", Long: 3 * day, Short: 6 * time.Hour, Severity: "sev4"},
		{Name: "half-gone", BudgetConsumed: "50%", Severity: "sev4"},
	}
}

// Limits of a spec.
const (
	MaxWindow     = 400 * 24 * time.Hour // a year with room to spare; longer budgets are nobody's to spend
	MaxThresholds = 32                   // of one objective: each is looked at in every Step
	MaxBy         = 16                   // labels; more make a budget of every alert
	MaxNameLength = 100                  // of an objective or a threshold; both stand in messages

	// MaxRatioWindow bounds what counts by the minute weigh: 45 days are at most 65,000 slices, which stay below one
	// batch of the store (1 MiB) even at MaxCount.
	MaxRatioWindow = 45 * 24 * time.Hour
)

// A Problem is a fault or a doubt about a spec. Where is a path in its YAML: "thresholds[1].short".
type Problem struct{ Where, What string }

func (p Problem) String() string { return p.Where + ": " + p.What }

// Problems is the error of New: all of them.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func (ps *Problems) add(where, format string, args ...any) {
	*ps = append(*ps, Problem{where, fmt.Sprintf(format, args...)})
}

var nameRE = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (ps *Problems) checkName(where, name string) {
	switch {
	case name == "":
		ps.add(where, "absent")
	case !nameRE.MatchString(name):
		ps.add(where, "%q is not a name; use letters, digits, _ . and -", name)
	case len(name) > MaxNameLength:
		ps.add(where, "%q is longer than %d letters", name, MaxNameLength)
	}
}

// checkDuration reports whether d is more than zero and no more than most.
func (ps *Problems) checkDuration(where string, d, most time.Duration) bool {
	switch {
	case d < 0:
		ps.add(where, "%s is negative", d)
	case d == 0:
		ps.add(where, "absent; write a duration such as 1h")
	case d > most:
		ps.add(where, "%s is longer than %s, which is the most", Short(d), Short(most))
	default:
		return true
	}
	return false
}

func (ps *Problems) checkBy(by []string) {
	if len(by) > MaxBy {
		ps.add("by", "%d labels are more than %d", len(by), MaxBy)
	}
	for i, label := range by {
		if label == "" {
			ps.add(fmt.Sprintf("by[%d]", i), "absent; name a label")
		} else if slices.Contains(by[:i], label) {
			ps.add(fmt.Sprintf("by[%d]", i), "%q stands there twice", label)
		}
	}
}

// ranks is how many severities there are.
const ranks = 5

// rank orders severities: sev1, the worst, is 1. What is no severity is 0.
func rank(severity string) int {
	digits, ok := strings.CutPrefix(severity, "sev")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > ranks || len(digits) != 1 {
		return 0
	}
	return n
}

func severity(rank int) string { return "sev" + strconv.Itoa(rank) }
