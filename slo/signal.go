package slo

import "math/big"

// A signal is what a Budget knows of good and bad, as a function of time: past, present, and the future as it will be if
// nothing more is heard.
type signal interface {
	// holds tells whether c is so at t.
	holds(c condition, t int64) bool
	// change is the first instant after t, and not after limit, at which c is no longer what it is at t; else never.
	change(c condition, t, limit int64) int64
	// bad is how much of [t−w, t) was bad, in nanoseconds. For output.
	bad(t, w int64) *big.Rat
	// horizon is how far beyond t changes are worth solving for. At that instant it must be looked again; never: all are.
	horizon(t int64) int64
}

// A condition holds at t where every need is met, or, where the alerts are burn-rate alerts, while one of the rank fires.
type condition struct {
	needs []need
	rank  int
}

// A need is met at t where at least so much of [t−window, t) is bad.
type need struct {
	window int64
	bad    int64    // in whole nanoseconds: exact, rounded up
	exact  *big.Rat // in nanoseconds, for what does not come in whole ones
	about  float64  // the float nearest to exact
	above  bool     // exact itself is not enough
}
