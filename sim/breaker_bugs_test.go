package sim

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/store"
)

// A plant is a bug between the engine and the world, as if the engine had it.
type plant struct {
	commit func(w *breaker, b store.Batch) store.Batch                             // what is written in place of b
	crash  func(w *breaker)                                                        // what else a crash does
	clock  func(w *breaker) engine.Instant                                         // what the engine takes for the time
	send   func(w *breaker, s engine.Send, done func(engine.Verdict)) (taken bool) // what becomes of a send
	reload func(w *breaker, was *engine.Config) *engine.Config                     // what it takes for the new configuration
	late   time.Duration                                                           // by how much the loop oversleeps
	dozy   bool                                                                    // it does not notice that it was suspended
	fast   float64                                                                 // how much faster its clocks run; 0: they do not
}

// without is a plant that loses what is written below a prefix.
func without(prefixes ...string) func() *plant {
	return func() *plant {
		return &plant{commit: func(_ *breaker, b store.Batch) store.Batch {
			b.Put = slices.DeleteFunc(slices.Clone(b.Put), func(kv store.KeyValue) bool {
				return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(kv.Key, p) })
			})
			return b
		}}
	}
}

// wrote tells whether a batch has an event of the kind.
func wrote(b store.Batch, kind string) bool {
	return slices.ContainsFunc(b.Put, func(kv store.KeyValue) bool {
		return strings.HasPrefix(kv.Key, "event/") && bytes.Contains(kv.Value, []byte(`"event":"`+kind+`"`))
	})
}

// within is in how many worlds each planted bug must show. Most show in the first.
const within = 25

var plants = []struct {
	name string
	make func() *plant
}{
	{"the outcome is written before the intent", func() *plant {
		var held []store.KeyValue // intents, which reach the disk with the next commit
		return &plant{
			commit: func(_ *breaker, b store.Batch) store.Batch {
				put := slices.Clone(held)
				held = nil
				for _, kv := range b.Put {
					put = slices.DeleteFunc(put, func(o store.KeyValue) bool { return o.Key == kv.Key })
					if strings.HasPrefix(kv.Key, "delivery/") {
						held = append(held, kv)
					} else {
						put = append(put, kv)
					}
				}
				b.Put = slices.DeleteFunc(put, func(o store.KeyValue) bool { return slices.Contains(b.Delete, o.Key) })
				return b
			},
			crash: func(*breaker) { held = nil },
		}
	}},
	{"timers go by the wall clock", func() *plant {
		return &plant{clock: func(w *breaker) engine.Instant {
			return engine.Instant{Wall: w.wall(), Elapsed: w.wall().Sub(w.start)}
		}}
	}},
	{"an acknowledgement is not persisted", func() *plant {
		return &plant{commit: func(_ *breaker, b store.Batch) store.Batch {
			if wrote(b, "acknowledged") {
				b.Put = slices.DeleteFunc(slices.Clone(b.Put), func(kv store.KeyValue) bool {
					return strings.HasPrefix(kv.Key, "ladder/") || strings.HasPrefix(kv.Key, "incident/")
				})
			}
			return b
		}}
	}},
	{"an acknowledgement is answered for and forgotten", func() *plant {
		return &plant{commit: func(_ *breaker, b store.Batch) store.Batch {
			if wrote(b, "acknowledged") {
				b.Put, b.Delete = nil, nil
			}
			return b
		}}
	}},
	{"pages leave twice, under two keys", func() *plant {
		return &plant{send: func(w *breaker, s engine.Send, done func(engine.Verdict)) bool {
			if s.Delivery.Event == "page" && len(s.Delivery.Parts) == 0 && chance(w.rand, 2) {
				w.attempt(s, done)
				s.Delivery.Key += "0"
				w.attempt(s, func(engine.Verdict) {})
				return true
			}
			return false
		}}
	}},
	{"after a crash pages leave under new keys", func() *plant {
		return &plant{send: func(w *breaker, s engine.Send, done func(engine.Verdict)) bool {
			if w.crashed >= 0 && w.up == w.elapsed && s.Delivery.Event == "page" && len(s.Delivery.Parts) == 0 {
				s.Delivery.Key += "0"
				w.attempt(s, done)
				return true
			}
			return false
		}}
	}},
	{"a due step is swallowed", func() *plant {
		return &plant{send: func(_ *breaker, s engine.Send, done func(engine.Verdict)) bool {
			if s.Delivery.Rung == 2 {
				done(engine.Verdict{Outcome: engine.Delivered})
				return true
			}
			return false
		}}
	}},
	{"a retry is forgotten", func() *plant {
		return &plant{send: func(_ *breaker, s engine.Send, _ func(engine.Verdict)) bool {
			return s.Delivery.Event == "page" && s.Delivery.Attempts == 1
		}}
	}},
	{"a reload keeps the old schedules", func() *plant {
		return &plant{reload: func(w *breaker, was *engine.Config) *engine.Config {
			cfg := *w.cfg
			cfg.Schedules = was.Schedules
			return &cfg
		}}
	}},
	{"a silence is forgotten at a restart", without("silence/")},
	{"an override is forgotten at a restart", without("override/")},
	{"alerts are forgotten at a restart, and what they opened resolves", without("alert/")},
	{"an incident is forgotten at a restart", without("ladder/")},
	{"turns of round robin are forgotten at a restart", without("turn/")},
	{"the history has a gap", func() *plant {
		return &plant{commit: func(w *breaker, b store.Batch) store.Batch {
			if wrote(b, "page_failed") {
				return without("event/")().commit(w, b)
			}
			return b
		}}
	}},
	{"the timeline misses an entry that the history has", func() *plant {
		return &plant{commit: func(w *breaker, b store.Batch) store.Batch {
			if wrote(b, "step_skipped") {
				return without("timeline/")().commit(w, b)
			}
			return b
		}}
	}},
	{"a page leaves after the resolve", func() *plant {
		last := map[int]engine.Send{}
		return &plant{send: func(w *breaker, s engine.Send, done func(engine.Verdict)) bool {
			switch n := s.Delivery.Incident; {
			case s.Delivery.Event == "page":
				last[n] = s
			case s.Delivery.Event == "resolved" && last[n].Delivery.Key != "":
				w.attempt(s, done)
				w.attempt(last[n], func(engine.Verdict) {})
				return true
			}
			return false
		}}
	}},
	{"a queue holds pages back, and an acknowledgement does not empty it", func() *plant {
		return &plant{send: func(w *breaker, s engine.Send, done func(engine.Verdict)) bool {
			if s.Delivery.Event != "page" || !chance(w.rand, 3) {
				return false
			}
			w.at(w.elapsed+3*time.Minute, "", func(w *breaker) {
				w.attempt(s, done)
				w.step()
			})
			return true
		}}
	}},
	{"what fires resolves when the machine wakes up", func() *plant { return &plant{dozy: true} }},
	{"the engine's clock runs fast, and steps come early", func() *plant { return &plant{fast: 1.01} }},
	{"the loop oversleeps, and steps come late", func() *plant { return &plant{late: 2 * time.Second} }},
}

// TestTheBreakerFindsPlantedBugs plants each of them into random worlds, and counts the worlds until it shows.
func TestTheBreakerFindsPlantedBugs(t *testing.T) {
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			for seed := uint64(1); seed <= within; seed++ {
				if _, broken := playWorld(t, seed, worldLength, p.make()); broken != nil {
					t.Logf("found in world %d, at %s: %s", seed, FormatElapsed(broken.at), broken.rule)
					return
				}
			}
			t.Errorf("not found in %d worlds", within)
		})
	}
}
