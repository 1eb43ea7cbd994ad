package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// ParseElapsed reads a duration as Prometheus writes them: 30s, 5m30s, 1h, 2d. A leading minus is allowed where a
// clock is set back.
func ParseElapsed(s string) (time.Duration, error) {
	text, negative := strings.CutPrefix(s, "-")
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 30s, 5m30s, 1h or 2d", s)
	}
	if negative {
		d = -d
	}
	return time.Duration(d), nil
}

// FormatElapsed is how the time since the start is written: 0s, 30s, 5m30s, 1h, 1d2h.
func FormatElapsed(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	// Prometheus' durations end at the millisecond; so do these.
	return sign + model.Duration(d.Truncate(time.Millisecond)).String()
}
