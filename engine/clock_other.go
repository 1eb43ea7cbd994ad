//go:build !linux

package engine

import "time"

// Clock returns a reader of the machine's clocks: the wall clock, and Go's monotonic one, which on most systems other
// than Linux stands still while the machine sleeps; waking up then counts as the wall clock having been set.
func Clock() func() Instant {
	start := time.Now()
	return func() Instant {
		now := time.Now()
		return Instant{Wall: now, Elapsed: now.Sub(start)}
	}
}
