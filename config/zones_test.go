package config

import (
	"testing"
	"time"
)

func TestAZoneThatWasMeant(t *testing.T) {
	for v, want := range map[string]string{
		"Europe/Lisbn": "Europe/Lisbon", "europe/lisbon": "Europe/Lisbon", "Lisbon": "Europe/Lisbon", "New York": "America/New_York",
		"America/New York": "America/New_York", "Asia/Calcuta": "Asia/Calcutta", "PST": "", "GMT+1": "", "somewhere": "", "": "", "Europe": "",
	} {
		if got := nearZone(v); got != want {
			t.Errorf("%q: got %q, want %q", v, got, want)
		}
	}
}

// A zone that is suggested is one that can be written.
func TestEveryZoneThatIsSuggestedLoads(t *testing.T) {
	if n := len(zoneNames()); n < 400 {
		t.Errorf("only %d zones", n)
	}
	for _, name := range zoneNames() {
		if _, err := time.LoadLocation(name); err != nil {
			t.Error(err)
		}
	}
}
