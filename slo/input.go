package slo

import "time"

// An Input is something that a Budget hears of. One that comes late, twice or in another order than it happened is
// harmless: of two about the same thing, the one that was received later counts.
type Input interface{ input() }

// Fired says that an alert fires since StartsAt. With a zero EndsAt it does until it is said to be Resolved or Expired; else
// it counts to EndsAt, unless a later Fired moves it. Alert names the alert among those of this Budget: its fingerprint,
// or more. StartsAt is kept as given, for it tells firing intervals apart; what counts of it is clamped to
// [Received − window, Received]. A zero StartsAt or Received is now.
type Fired struct {
	Alert    string
	StartsAt time.Time
	EndsAt   time.Time
	Received time.Time
	Severity string // where the alerts are burn-rate alerts: what Tool.Read says of it
}

// Resolved says that an alert ended at EndsAt; zero is Received. StartsAt says which firing interval it is, also one that
// was never heard of; zero: whatever is open of it.
type Resolved struct {
	Alert    string
	StartsAt time.Time
	EndsAt   time.Time
	Received time.Time
	Severity string // as in Fired
}

// Expired says that nobody spoke of an alert any more: it counts as resolved At.
type Expired struct {
	Alert    string
	StartsAt time.Time // as in Resolved
	At       time.Time
	Received time.Time
	Severity string // as in Fired
}

// Counted are the events of one minute, where the source is a ratio. Minute is its beginning; seconds are cut off. Bad and
// Total are in one unit, whichever it is, up to MaxCount; a Total of 0 is no data. The later word on a minute counts.
type Counted struct {
	Minute     time.Time
	Bad, Total uint64
}

// ResolvedByHand says that a person resolved the incident of the burn rates (SPEC §7.4). That of a budget threshold needs
// no word here: it is told of once for each crossing anyway.
type ResolvedByHand struct{}

// Correction excludes the bad time in [From, To), before or after now. One with the same ID replaces it; one that is
// empty takes it back.
type Correction struct {
	ID       string
	From, To time.Time
}

// Tick is the clock: time has passed, and nothing else.
type Tick struct{}

// Reloaded says that the objective may be another one than before.
type Reloaded struct{}

// Shifted moves all that is remembered By so much, because the clock was set.
type Shifted struct{ By time.Duration }

// All is what arrived at one instant. It is judged once, when all of it is taken in. ResolvedByHand in it comes last; Tick,
// Reloaded, Shifted and another All in it do nothing.
type All []Input

func (Fired) input()          {}
func (Resolved) input()       {}
func (Expired) input()        {}
func (Counted) input()        {}
func (ResolvedByHand) input() {}
func (Correction) input()     {}
func (Tick) input()           {}
func (Reloaded) input()       {}
func (Shifted) input()        {}
func (All) input()            {}
