package slo

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Instants are nanoseconds since 1970. Those beyond reach are taken as its edge, so that no sum of an instant and a
// window, and no difference of two instants, leaves int64.
const (
	reach = 1<<62 - 1     // in the year 2116; its negative is in 1823
	never = math.MaxInt64 // later than every instant
)

// epoch is far from the edges of what time.Time can say in nanoseconds.
var epoch = time.Unix(0, 0)

func nanos(t time.Time) int64 {
	return min(max(int64(t.Sub(epoch)), -reach), reach) // Sub stops at the edges of int64 by itself
}

// instant is the time at n; zero for never.
func instant(n int64) time.Time {
	if n == never {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Short writes a duration as Prometheus does, but for weeks and years, which are days: 1h30m, 3d, 30d.
func Short(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		size time.Duration
	}{
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"m", time.Minute},
		{"s", time.Second},
		{"ms", time.Millisecond},
		{"us", time.Microsecond},
		{"ns", time.Nanosecond},
	} {
		if n := d / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(u.name)
			d -= n * u.size
		}
	}
	return b.String()
}
