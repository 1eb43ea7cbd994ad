package engine

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/oncall"
)

// How far ahead the next gap is looked for, and how long that is believed where nothing changes meanwhile.
const (
	gapAhead   = 90 * 24 * time.Hour
	gapBelieve = time.Hour
)

var (
	onCallDesc   = prometheus.NewDesc("midwatch_oncall", "1 for each user who is on call now.", []string{"schedule", "user"}, nil)
	coverageDesc = prometheus.NewDesc("midwatch_oncall_coverage",
		"1 while somebody is on call or nobody is meant to be, 0 in a gap that nobody declared.", []string{"schedule"}, nil)
	nextGapDesc = prometheus.NewDesc("midwatch_oncall_next_gap_timestamp_seconds",
		"When the next gap that nobody declared begins, or the present one began; absent if there is none within 90 days.", []string{"schedule"}, nil)
)

// A coverageCollector tells who is on call, and who will not be, when it is asked. What it finds out holds until the
// schedule's next change, and is computed once.
type coverageCollector struct {
	e  *Engine
	mu sync.Mutex
	of map[string]coverage
}

// coverage is what is known of one schedule.
type coverage struct {
	schedule    *oncall.Schedule
	from, until time.Time // what is known holds in between
	users       []string
	gap         bool      // there is one now that nobody declared
	next        time.Time // the next one begins; zero: none does within gapAhead
}

func (c *coverageCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- onCallDesc
	ch <- coverageDesc
	ch <- nextGapDesc
}

func (c *coverageCollector) Collect(ch chan<- prometheus.Metric) {
	now := c.e.now().Wall
	c.e.mu.RLock()
	schedules, bills := maps.Clone(c.e.core.schedules), c.e.core.billsNow()
	c.e.mu.RUnlock()
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.of, func(name string, _ coverage) bool { return schedules[name] == nil })
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		known := c.of[name]
		if known.schedule != schedules[name] || now.Before(known.from) || !now.Before(known.until) {
			known = cover(schedules[name], now)
			c.of[name] = known
		}
		for _, user := range known.users {
			gauge(onCallDesc, 1, name, user)
		}
		next := known.next
		if known.gap {
			gauge(coverageDesc, 0, name)
			if w := bills[name].Now; len(w.Users) == 0 && !w.Declared && !w.At.IsZero() {
				next = earlier(next, w.At) // since when that is so
			}
		} else {
			gauge(coverageDesc, 1, name)
		}
		if !next.IsZero() {
			gauge(nextGapDesc, float64(next.UnixNano())/float64(time.Second), name)
		}
	}
}

// cover finds out about one schedule.
func cover(s *oncall.Schedule, now time.Time) coverage {
	answer := s.At(now)
	k := coverage{schedule: s, from: now, until: now.Add(gapBelieve), users: answer.Users()}
	k.gap = len(k.users) == 0 && !answer.Declared
	if next := s.NextChange(now); !next.IsZero() {
		k.until = earlier(k.until, next)
	}
	if gaps := s.Undeclared(now, now.Add(gapAhead)); len(gaps) > 0 {
		k.next = gaps[0].Start
	}
	return k
}
