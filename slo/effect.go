package slo

import "time"

// An Effect is what has become of a Budget, in its own words. They stand in order.
//
// At is when it took effect: now, but for what was over before: after a late wake-up things became clear when they did.
type Effect interface{ effect() }

// A Reading is a window and what it holds.
type Reading struct {
	Window time.Duration `json:"window"`
	Bad    time.Duration `json:"bad"`  // rounded down
	Burn   float64       `json:"burn"` // for people; nothing is decided by it
}

// A Verdict is why something happened. Where the alerts are burn-rate alerts it has a severity, Since and a reason only.
type Verdict struct {
	Threshold string    `json:"threshold,omitempty"`
	Severity  string    `json:"severity"`
	Since     time.Time `json:"since"`            // when the threshold became active, as is known now; not before what is remembered
	Long      Reading   `json:"long,omitzero"`    // of a budget threshold: the objective's window
	Short     Reading   `json:"short,omitzero"`   // zero of a budget threshold
	Consumed  float64   `json:"consumed"`         // share of the budget; for people
	Reason    string    `json:"reason"`           // in words
	Others    []string  `json:"others,omitempty"` // thresholds of the same severity that are active too
}

type (
	// Opened says that a burn rate breached: page.
	Opened struct {
		At time.Time
		Verdict
	}
	// Reopened says that it did again within the reopen window, or got worse after a person resolved it: page.
	Reopened struct {
		At time.Time
		Verdict
	}
	// Raised says that a threshold of a higher severity became active: page.
	Raised struct {
		At time.Time
		Verdict
		From string // the severity it had
	}
	// Lowered says that the worst class is clear and another is not: quietly.
	Lowered struct {
		At       time.Time
		From, To string
		Reason   string
	}
	// Cleared says that all classes are clear: the incident is over. ByHand says that a person had resolved it before; then
	// it only means that the next breach is a new one again.
	Cleared struct {
		At     time.Time
		ByHand bool
		Reason string
	}
	// Crossed says that a budget threshold was crossed upward: an incident of its own.
	Crossed struct {
		At time.Time
		Verdict
	}
	// Rearmed says that consumption fell five points below a budget threshold, or the threshold is gone: that incident is over.
	Rearmed struct {
		At        time.Time
		Threshold string
		Reason    string
	}
	// Annotated says that something became known late that changes what was known of the time From then on, while an
	// incident is there to be annotated. Was and Is are the bad time in the objective's window before and after.
	Annotated struct {
		At, From time.Time
		Was, Is  time.Duration
		Reason   string
	}
	// Refused says that something was not taken in, because a limit is reached. What was taken in before stays.
	Refused struct {
		At     time.Time
		What   string // the alert, or the correction's ID
		Reason string
	}
)

func (Opened) effect()    {}
func (Reopened) effect()  {}
func (Raised) effect()    {}
func (Lowered) effect()   {}
func (Cleared) effect()   {}
func (Crossed) effect()   {}
func (Rearmed) effect()   {}
func (Annotated) effect() {}
func (Refused) effect()   {}
