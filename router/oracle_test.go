package router

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// TestOracle runs random worlds through Alertmanager's own dispatcher, inhibitor, silences, time intervals, stages, alert
// provider and notification log, in virtual time, and through a Router. Every notification must be the same: instant,
// receiver, integration, group key, reason, outcome, and every alert in it; how many alerts were muted and why; what
// came of every wish for a silence, by its very words; and, where people look, the groups, the silences, and which alerts
// the API calls silenced and inhibited. What can be compared of worlds that are reloaded, reloading says.
//
// MIDWATCH_LONG=1 runs ten times as many. MIDWATCH_SEED=n runs one, and prints it.
func TestOracle(t *testing.T) {
	if text := os.Getenv("MIDWATCH_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := newScenario(seed)
		t.Log(s)
		if diff := compareWorlds(t, s, &tally{}); diff != "" {
			t.Fatal(diff)
		}
		return
	}
	scenarios := 2000
	switch {
	case os.Getenv("MIDWATCH_LONG") != "":
		scenarios = 20000
	case testing.Short():
		scenarios = 200
	}
	var seen tally
	t.Run("worlds", func(t *testing.T) {
		for part := range workers {
			t.Run(strconv.Itoa(part), func(t *testing.T) {
				t.Parallel()
				for seed := part; seed < scenarios; seed += workers {
					s := newScenario(uint64(seed))
					if diff := compareWorlds(t, s, &seen); diff != "" {
						s, diff = shrink(s, diff, func(s *scenario) string { return compareWorlds(t, s, &tally{}) })
						t.Fatalf("MIDWATCH_SEED=%d go test -run TestOracle ./router\n%s\n%s", seed, s, diff)
					}
				}
			})
		}
	})
	t.Logf("%d worlds:\n%s", scenarios, &seen)
	for _, kind := range kinds {
		if seen.counts[kind] == 0 {
			t.Errorf("%q occurred in none of these worlds: they prove nothing about it", kind)
		}
	}
}

// workers is how many worlds there are at a time.
const workers = 4

// kinds are what must occur.
var kinds = []string{
	string(First), string(NewAlerts), string(NewResolved), string(AllResolved), string(RepeatInterval),
	"world " + string(unchanging), "world " + string(unnoticed), "world " + string(changing),
	"world with peers",
	"reload " + string(unnoticed), "reload " + string(changing), "alerts believed to fire after a reload",
	"alert muted: " + string(Inhibited), "alert muted: " + string(OutsideHours), "alert muted: " + string(MutedByHours), "alert muted: " + string(Silenced),
	"alert seen inhibited", "alert seen silenced", "alert seen silenced twice", "alert seen silenced, and inhibited",
	"silence created", "silence edited in place", "silence replaced", "silence refused", "silence ended",
	"silence seen active", "silence seen pending", "silence seen expired",
}

// A tally counts what occurred on Alertmanager's side: notifications by their reason, and the rest of kinds.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[kind]++
}

func (c *tally) String() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(c.counts)) {
		fmt.Fprintf(&b, "%8d %s\n", c.counts[kind], kind)
	}
	return b.String()
}

// compareWorlds returns where the two differ, or "".
func compareWorlds(t *testing.T, s *scenario, seen *tally) string {
	var theirs *chronicle
	synctest.Test(t, func(t *testing.T) { theirs = runUpstream(t, s, seen) })
	seen.add("world " + string(s.reload))
	if s.wait > 0 {
		seen.add("world with peers")
	}
	ours := runRouter(s).texts()
	for _, text := range theirs.texts() {
		if strings.Contains(text, believes) {
			seen.add("alerts believed to fire after a reload")
		}
	}
	for _, text := range ours {
		if strings.Contains(text, deaf) {
			return text
		}
	}
	return difference(theirs.texts(), ours)
}

// difference prints what only one of the two has.
func difference(theirs, ours []string) string {
	slices.Sort(theirs)
	slices.Sort(ours)
	if slices.Equal(theirs, ours) {
		return ""
	}
	var b strings.Builder
	for len(theirs) > 0 || len(ours) > 0 {
		switch {
		case len(ours) == 0 || len(theirs) > 0 && theirs[0] < ours[0]:
			fmt.Fprintln(&b, "only Alertmanager:", theirs[0])
			theirs = theirs[1:]
		case len(theirs) == 0 || ours[0] < theirs[0]:
			fmt.Fprintln(&b, "only Midwatch:    ", ours[0])
			ours = ours[1:]
		default:
			theirs, ours = theirs[1:], ours[1:]
		}
	}
	return b.String()
}

// sound reports whether no alert of a calm world is old when it is first reported.
func (s *scenario) sound() bool {
	began := func(e event) bool {
		return slices.ContainsFunc(s.events, func(o event) bool { return o.at == e.starts && o.labels.Equal(e.labels) })
	}
	return !s.calm || !slices.ContainsFunc(s.events, func(e event) bool { return e.labels != nil && !began(e) })
}

// shrink leaves out events and what configures the world for as long as the two still differ.
func shrink(s *scenario, diff string, compare func(*scenario) string) (*scenario, string) {
	try := func(change func(*scenario)) bool {
		smaller := *s
		change(&smaller)
		if !smaller.sound() {
			return false
		}
		d := compare(&smaller)
		if d == "" {
			return false
		}
		s, diff = &smaller, d
		return true
	}
	try(func(s *scenario) { s.outages = nil })
	try(func(s *scenario) { s.delay = 0 })
	try(func(s *scenario) { s.wait = 0 })
	try(func(s *scenario) { s.maxSilences, s.silenceSize = 0, 0 })
	for size := max(len(s.events)/2, 1); size > 0; size /= 2 {
		for at := 0; at+size <= len(s.events); {
			if !try(func(s *scenario) { s.events = slices.Delete(slices.Clone(s.events), at, at+size) }) {
				at += size
			}
		}
	}
	for n := 0; n < len(s.rules); {
		if !try(func(s *scenario) { s.rules = slices.Delete(slices.Clone(s.rules), n, n+1) }) {
			n++
		}
	}
	return s, diff
}
