package main

import (
	"testing"
	"time"
)

func TestThrift(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name        string
		before, now household
		want        bool
	}{
		{"after a burst", household{taken: 1000 * mib}, household{live: 54 * mib, held: 220 * mib, taken: 1001 * mib}, true},
		{"in the middle of it", household{taken: 1000 * mib}, household{live: 54 * mib, held: 220 * mib, taken: 1400 * mib}, false},
		{"at rest, with little to give", household{taken: 1000 * mib}, household{live: 54 * mib, held: 70 * mib, taken: 1001 * mib}, false},
		{"many alerts, a quarter of it garbage", household{taken: 1000 * mib}, household{live: 400 * mib, held: 500 * mib, taken: 1001 * mib}, false},
		{"many alerts that are sent again", household{taken: 1000 * mib}, household{live: 400 * mib, held: 560 * mib, taken: 1019 * mib}, true},
		{"a small one", household{taken: 10 * mib}, household{live: 3 * mib, held: 12 * mib, taken: 10 * mib}, false},
	} {
		if got := c.now.wasteful(c.before, 5*time.Second); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	h := readHousehold()
	if h.held == 0 || h.taken == 0 {
		t.Errorf("Go tells nothing of its memory: %+v", h)
	}
}
