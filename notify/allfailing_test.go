package notify

import (
	"testing"
	"time"
)

func TestAllFailing(t *testing.T) {
	now := time.Now()
	fine := Health{LastSuccess: now}
	hiccup := Health{LastSuccess: now, LastFailure: now, Failures: 1}
	dead := Health{LastFailure: now, Failures: 2}
	died := Health{LastSuccess: now.Add(-time.Hour), LastFailure: now, Failures: 9}
	for _, c := range []struct {
		what string
		all  []Health
		want bool
	}{
		{"nothing is configured", nil, false},
		{"nothing was tried", []Health{{}, {}}, false},
		{"one works", []Health{dead, fine}, false},
		{"one had a hiccup", []Health{dead, hiccup}, false},
		{"all that were tried fail", []Health{dead, {}, died}, true},
		{"the only one fails", []Health{dead}, true},
	} {
		if got := AllFailing(c.all); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
