package engine

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/escalation"
)

// nights is over how many random nights a property is proved.
func nights(n int) uint64 {
	if os.Getenv("MIDWATCH_LONG") != "" {
		n *= 100
	}
	return uint64(scaled(n))
}

// A night is one way through a random night: the same deeds, but for what change does to them or to the world.
func play(t *testing.T, seed uint64, cfg *Config, change func(w *world)) (sent []string, w *world) {
	t.Helper()
	w = newWorld(t, cfg, seed)
	w.net.outcome = steady(seed)
	w.deeds = w.anyNight(40 * time.Minute)
	w.watch = func(w *world, s Send) { sent = append(sent, nameless(w, s)) }
	change(w)
	w.run(time.Hour)
	slices.SortStableFunc(sent, func(a, b string) int { // what goes out at one instant has no order
		return cmp.Or(cmp.Compare(instant(a), instant(b)), cmp.Compare(a, b))
	})
	return sent, w
}

// nameless is a message without what may be called otherwise in the same night: incidents that open at one instant are
// numbered in any order, and the names of group notifications have a count and the wall clock in them.
func nameless(w *world, s Send) string {
	key := s.Delivery.Key
	if s.Delivery.Group != nil {
		key, _, _ = strings.Cut(key, "-")
	} else {
		_, key, _ = strings.Cut(key, "/")
		key = fmt.Sprint(s.Incident.Identity, " ", key)
	}
	return fmt.Sprint(w.elapsed, " ", key)
}

func instant(sent string) time.Duration {
	at, _, _ := strings.Cut(sent, " ")
	d, err := time.ParseDuration(at)
	if err != nil {
		panic(err)
	}
	return d
}

// steady is a network on which every attempt is the last one, and what becomes of it does not depend on such names.
func steady(seed uint64) func(Send, int) (Verdict, time.Duration) {
	chance := chance(seed)
	return func(s Send, attempt int) (Verdict, time.Duration) {
		if s.Delivery.Group != nil {
			s.Delivery.Key, _, _ = strings.Cut(s.Delivery.Key, "-")
		} else {
			s.Delivery.Key = fmt.Sprint(s.Incident.Identity, s.Delivery.Key[strings.Index(s.Delivery.Key, "/"):])
		}
		v, _ := chance(s, attempt)
		if v.Outcome == Retry {
			v.Outcome = Delivered
		}
		return v, 0
	}
}

func compare(t *testing.T, seed uint64, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("night %d: %s\n%s\nbut otherwise\n%s", seed, what, strings.Join(got[max(0, min(i-3, len(got))):], "\n"), strings.Join(want[max(0, min(i-3, len(want))):], "\n"))
		}
	}
}

// TestTheSameNightIsTheSameNight: the same turns give the same results, down to the bytes on the disk.
func TestTheSameNightIsTheSameNight(t *testing.T) {
	for seed := range nights(100) {
		one := newWorld(t, house(withDelays), seed)
		two := newWorld(t, house(withDelays), seed)
		for _, w := range []*world{one, two} {
			w.disk.logging = true
			w.net.outcome = chance(seed)
			w.deeds = w.anyNight(40 * time.Minute)
			w.run(time.Hour)
		}
		if !reflect.DeepEqual(one.disk.log, two.disk.log) {
			t.Fatalf("night %d: the same night, and not the same commits", seed)
		}
		if a, b := one.disk.all(), two.disk.all(); !maps.Equal(a, b) {
			t.Fatalf("night %d: %s", seed, firstDifference(a, b))
		}
	}
}

// TestLookingAtTheClockChangesNothing: turns with nothing to do are harmless, at any time.
func TestLookingAtTheClockChangesNothing(t *testing.T) {
	for seed := range nights(100) {
		want, calm := play(t, seed, house(withDelays), func(*world) {})
		got, restless := play(t, seed, house(withDelays), func(w *world) {
			r := rand.New(rand.NewPCG(seed, 11))
			for range 60 {
				at := time.Duration(r.Int64N(int64(time.Hour)))
				w.deeds = append(w.deeds, deed{at, "look", func(w *world) { w.turn(); w.turn() }})
			}
			slices.SortStableFunc(w.deeds, func(a, b deed) int { return int(a.at - b.at) })
		})
		compare(t, seed, "looking at the clock now and then", got, want)
		a, b := restless.disk.all(), calm.disk.all()
		if !maps.Equal(a, b) {
			t.Fatalf("night %d: %s", seed, firstDifference(a, b))
		}
	}
}

// TestARestartIsNotNoticed: stopped at any quiet moment and started again at once, the night goes as it would have.
func TestARestartIsNotNoticed(t *testing.T) {
	for seed := range nights(200) {
		want, _ := play(t, seed, house(withDelays), func(*world) {})
		got, w := play(t, seed, house(withDelays), func(w *world) {
			w.onStart = (*world).holdRestart
			r := rand.New(rand.NewPCG(seed, 12))
			for range 5 {
				at := time.Duration(r.Int64N(int64(time.Hour)))
				w.deeds = append(w.deeds, deed{at, "restart", func(w *world) { w.crash(0) }})
			}
			slices.SortStableFunc(w.deeds, func(a, b deed) int { return int(a.at - b.at) })
		})
		compare(t, seed, "with restarts", got, want)
		w.endOfNight()
	}
}

// TestAClockThatIsSetIsNotNoticed: set forward or back, the night goes as it would have (SPEC §5.12). Who is on call
// depends on the wall clock, and so nobody is here.
func TestAClockThatIsSetIsNotNoticed(t *testing.T) {
	elapsed := func() *Config {
		return house(withDelays, func(cfg *Config) {
			crew := cfg.Policies["crew"]
			crew.Steps[1].Notify = []escalation.Target{{Receiver: "channel"}, {User: "cy"}}
		})
	}
	for seed := range nights(200) {
		unset := func(w *world) {
			w.deeds = slices.DeleteFunc(w.deeds, func(d deed) bool { return d.what == "the clock is set" || d.what == "override" || civil(d) })
		}
		want, _ := play(t, seed, elapsed(), unset)
		got, w := play(t, seed, elapsed(), func(w *world) {
			unset(w)
			r := rand.New(rand.NewPCG(seed, 13))
			for range 3 {
				at := time.Duration(r.Int64N(int64(time.Hour)))
				by := time.Duration(r.Int64N(int64(6*time.Hour))) - 3*time.Hour
				w.deeds = append(w.deeds, deed{at, "set", func(w *world) { w.jump(by) }})
			}
			slices.SortStableFunc(w.deeds, func(a, b deed) int { return int(a.at - b.at) })
		})
		compare(t, seed, "with a clock that is set", got, want)
		w.endOfNight()
	}
}

// TestAnyNightKeepsThePromises plays nights with all that can happen but failures of power, and holds every turn against
// what must always be so. What is let out is held against it by the world, see inspect.
func TestAnyNightKeepsThePromises(t *testing.T) {
	for seed := range nights(300) {
		w := newWorld(t, house(withDelays), seed)
		w.net.outcome = chance(seed)
		w.deeds = w.anyNight(50 * time.Minute)
		for minute := range 70 {
			w.run(time.Duration(minute) * time.Minute)
			w.holdAwake()
			if due := w.e.core.Due(); !due.IsZero() && !due.After(w.wall()) {
				t.Fatalf("night %d: it has come to rest, and is due since %s", seed, w.wall().Sub(due))
			}
		}
		w.endOfNight()
	}
}
