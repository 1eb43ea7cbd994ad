package web

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "just now", 0: "0 s ago", 59 * time.Second: "59 s ago", 61 * time.Second: "1 min ago",
		3*time.Hour + 7*time.Minute: "3 h 7 min ago", 50 * time.Hour: "2 d 2 h ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	for s, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abc…", "ab  e": "ab…", "äöüßé": "äöü…", "😀😀😀😀😀": "😀😀😀…"} {
		if got := short(s, 4); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	for severity, want := range map[string]string{"sev1": "critical severity (sev1)", "sev5": "notice severity (sev5)", "odd": "severity odd"} {
		if got := severityWords(severity); got != want {
			t.Errorf("%s: %q, want %q", severity, got, want)
		}
	}
	if got := viaWords("carrier pigeon"); got != "carrier pigeon" {
		t.Errorf("an unknown way: %q", got)
	}
}
