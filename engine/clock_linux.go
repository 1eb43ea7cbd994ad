package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock returns a reader of the machine's clocks: the wall clock, and the one that nobody sets and that goes on while
// the machine sleeps (CLOCK_BOOTTIME).
func Clock() func() Instant {
	return func() Instant {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			panic("the machine has no CLOCK_BOOTTIME: " + err.Error())
		}
		return Instant{Wall: time.Now(), Elapsed: time.Duration(ts.Nano())}
	}
}
