package router

import (
	"math"
	"time"
)

// A moment is a time in half the size of one: the instant to the nanosecond, and the offset in which it was written. The zero moment is
// the zero time. It holds every time that can be written down, and four million years around them.
type moment struct{ high, middle, low uint32 }

// Of the 96 bits, 48 are the seconds since the year 1, thirty the nanoseconds, and eighteen the zone: UTC, ours, or an offset.
const (
	yearOne   = -62135596800 // in seconds since 1970
	zoneBits  = 18
	zoneUTC   = 0
	zoneLocal = 1
	zoneEast  = 2 + widestOffset // the code of offset 0, were it not UTC
)

func momentOf(t time.Time) moment {
	zone := uint32(zoneUTC)
	switch loc := t.Location(); loc {
	case time.UTC:
	case time.Local:
		zone = zoneLocal
	default:
		if _, offset := t.Zone(); offset != 0 {
			zone = uint32(zoneEast + min(max(offset, -widestOffset), widestOffset)) //nolint:gosec // positive
		}
	}
	since := uint64(t.Unix() - yearOne)                                                       //nolint:gosec // two's complement is meant
	nanos := uint32(t.Nanosecond())                                                           //nolint:gosec // less than 1e9
	return moment{uint32(since >> 16), uint32(since)<<16 | nanos>>14, nanos<<zoneBits | zone} //nolint:gosec // cut off on purpose
}

func (s moment) time() time.Time {
	since := int64(uint64(s.high)<<32|uint64(s.middle)) >> 16 //nolint:gosec // the sign comes back
	t := time.Unix(since+yearOne, int64(s.middle&0xffff)<<14|int64(s.low>>zoneBits))
	switch zone := s.low & (1<<zoneBits - 1); zone {
	case zoneUTC:
		return t.UTC()
	case zoneLocal:
		return t
	default:
		return t.In(zoneAt(int(zone) - zoneEast))
	}
}

// zeroInstant reports whether the time is the zero one, in whatever zone.
func (s moment) zeroInstant() bool { return s.high|s.middle == 0 && s.low>>zoneBits == 0 }

// quarters are the offsets of whole quarters of an hour, which all that are in use are: most moments are read without memory.
var quarters = func() (zones [2*widestOffset/quarter + 1]*time.Location) {
	for i := range zones {
		zones[i] = time.FixedZone("", i*quarter-widestOffset)
	}
	return zones
}()

const quarter = 15 * 60

func zoneAt(offset int) *time.Location {
	if offset%quarter == 0 {
		return quarters[(offset+widestOffset)/quarter]
	}
	return time.FixedZone("", offset)
}

// nanosOf is the instant in nanoseconds since 1970, and for times before 1678 and after 2262, which have none, the first and the
// last of them.
func nanosOf(t time.Time) int64 {
	const most = math.MaxInt64/int64(time.Second) - 1
	switch s := t.Unix(); {
	case s > most:
		return math.MaxInt64
	case s < -most:
		return math.MinInt64
	}
	return t.UnixNano()
}
