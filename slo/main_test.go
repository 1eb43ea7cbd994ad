package slo

import (
	"encoding/json"
	"testing"
	"time"
)

// checkout is the example of SPEC §7, with its defaults.
var checkout = Spec{
	Name: "checkout-availability", Service: "checkout", Objective: "99.9", Window: 30 * 24 * time.Hour,
	ClearFor: DefaultClearFor, ReopenWindow: DefaultReopenWindow,
}

func objective(t testing.TB, s Spec) *Objective {
	t.Helper()
	o, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at is a time of 22 November 2026: "12:00", "12:00:51.84"; "+1d 12:00" is a day later.
func at(s string) time.Time {
	day := 22
	if len(s) > 4 && s[0] == '+' {
		day += int(s[1] - '0')
		s = s[4:]
	}
	for _, layout := range []string{"15:04", "15:04:05.999999999"} {
		if c, err := time.Parse(layout, s); err == nil {
			return time.Date(2026, 11, day, c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), time.UTC)
		}
	}
	panic(s + " is no time")
}

// text is the stored form.
func text(t testing.TB, b Budget) string {
	t.Helper()
	data, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
