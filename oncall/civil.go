package oncall

import (
	"fmt"
	"time"
)

// A Civil is a wall-clock date and time to the minute. It names no instant until it is read in a zone.
// Zero is none. It counts minutes from Monday, 0001-01-01 00:00, so that dates and weekdays are plain
// arithmetic.
type Civil int64

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
	unixDay     = 719162 // 1970-01-01, in days since 0001-01-01
)

// WallTime is what the clocks of a zone show at t, to the minute.
func WallTime(t time.Time, zone *time.Location) Civil {
	k := clock{zone: zone}
	return k.wall(t.Unix())
}

// First is the instant a start means by this wall time: SPEC §4.2. The first occurrence; where there is
// none, the first instant after the gap.
func (c Civil) First(zone *time.Location) time.Time {
	k := clock{zone: zone}
	return time.Unix(k.first(c), 0).UTC()
}

// Last is the instant an end means by this wall time: SPEC §4.2. The last occurrence; where there is none,
// the first instant after the gap.
func (c Civil) Last(zone *time.Location) time.Time {
	k := clock{zone: zone}
	return time.Unix(k.last(c), 0).UTC()
}

// String prints as ParseCivil reads: 2026-01-05 09:00.
func (c Civil) String() string {
	if c == 0 {
		return ""
	}
	y, m, d := dateOf(c.day())
	return fmt.Sprintf("%04d-%02d-%02d %02d:%02d", y, m, d, c.minute()/60, c.minute()%60)
}

// MarshalText makes a Civil readable in JSON; none is "".
func (c Civil) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *Civil) UnmarshalText(b []byte) (err error) {
	*c = 0
	if len(b) > 0 {
		*c, err = ParseCivil(string(b))
	}
	return err
}

func (c Civil) day() int64   { return floorDiv(int64(c), dayMinutes) }
func (c Civil) minute() int  { return int(floorMod(int64(c), dayMinutes)) }
func (c Civil) unix() int64  { return (int64(c) - unixDay*dayMinutes) * 60 } // as if it were UTC
func civil(unix int64) Civil { return Civil(floorDiv(unix, 60) + unixDay*dayMinutes) }

// addMonths keeps the day of the month, or clamps it to the month's last: SPEC §4.4. It is always asked of
// the anchor, never of a clamped result, so that the 31st comes back.
func (c Civil) addMonths(n int64) Civil {
	y, m, d := dateOf(c.day())
	months := int64(y)*12 + int64(m) - 1 + n
	y, m = int(floorDiv(months, 12)), int(floorMod(months, 12))+1
	return Civil(dayOf(y, m, min(d, daysIn(y, m)))*dayMinutes) + Civil(c.minute())
}

// dayOf counts days from 0001-01-01, in the proleptic Gregorian calendar. The year is taken to begin in
// March, so that the leap day is its last.
func dayOf(y, m, d int) int64 {
	year := int64(y)
	if m <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	inEra := year - era*400
	inYear := int64((153*((m+9)%12)+2)/5 + d - 1)
	return era*146097 + inEra*365 + inEra/4 - inEra/100 + inYear - 306
}

// dateOf is the inverse of dayOf.
func dateOf(day int64) (y, m, d int) {
	day += 306
	era := floorDiv(day, 146097)
	inEra := day - era*146097
	year := (inEra - inEra/1460 + inEra/36524 - inEra/146096) / 365
	inYear := int(inEra - (365*year + year/4 - year/100))
	march := (5*inYear + 2) / 153
	m = (march+2)%12 + 1
	y = int(year + era*400)
	if m <= 2 {
		y++
	}
	return y, m, inYear - (153*march+2)/5 + 1
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
