package escalation

import (
	"fmt"
	"strings"
	"time"
)

// String names the target as a sentence does; empty if it is none.
func (t Target) String() string {
	switch {
	case t.User != "":
		return t.User
	case t.Schedule != "":
		return "schedule " + t.Schedule
	case t.Receiver != "":
		return "receiver " + t.Receiver
	}
	return ""
}

// called names the policy in a sentence; the ladder of a reassigned target has no name.
func (p Policy) called() string {
	if p.Name == "" {
		return "the reassigned ladder"
	}
	return "policy " + p.Name
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " by " + who
}

func because(what, reason string) string {
	if reason == "" {
		return what + " failed"
	}
	return what + " failed: " + reason
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// span writes a duration as the file does (SPEC §2): weeks and days where they come out even, then 1h30m.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "0s"
	case d%(7*day) == 0:
		return fmt.Sprintf("%dw", d/(7*day))
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String() // 1h30m0s, 5m0s, 1h0m0s
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
