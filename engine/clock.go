package engine

import (
	"encoding/binary"
	"time"
)

// An Instant is the time as two clocks tell it.
type Instant struct {
	Wall    time.Time     // what people and alerts mean by the time
	Elapsed time.Duration // since any fixed moment, never set, going on while the machine sleeps
}

// A clock tells when the wall clock was set. Deadlines are stored as instants of the wall clock; when it is set, they
// are moved along, so that what was due in five minutes still is (SPEC §5.12).
type clock struct {
	started bool
	base    time.Time // the wall clock when Elapsed was 0, as last believed
}

// What the two clocks may differ by before it counts as a jump: slewing by NTP stays below it for hours.
const jumpTolerance = time.Second

// advance takes a reading and returns by how much the wall clock was set since the one before; zero: not at all.
func (c *clock) advance(at Instant) time.Duration {
	base := at.Wall.Round(0).Add(-at.Elapsed)
	if !c.started {
		c.started, c.base = true, base
		return 0
	}
	moved := base.Sub(c.base)
	if moved.Abs() < jumpTolerance {
		return 0
	}
	c.base = base
	return moved
}

// clockRecord is the record of the journal that says that the clock was set by so much.
func clockRecord(by time.Duration) []byte {
	return binary.AppendVarint([]byte{clockFormat}, int64(by))
}

// readClock reads a clockRecord; ok is false for any other.
func readClock(record []byte) (by time.Duration, ok bool) {
	if len(record) == 0 || record[0] != clockFormat {
		return 0, false
	}
	n, width := binary.Varint(record[1:])
	return time.Duration(n), width > 0 && width == len(record)-1
}
