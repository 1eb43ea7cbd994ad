package sim

import (
	"time"

	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/store"
)

// A plant is a bug in the world between the engine and the outside, as if the engine had it.
type plant struct {
	name   string
	within int                                                                     // seeds
	commit func(w *breaker, b store.Batch) store.Batch                             // what is written in place of b
	crash  func(w *breaker)                                                        // what a crash does to the disk
	clock  func(w *breaker) engine.Instant                                         // what the engine takes for the time
	send   func(w *breaker, s engine.Send, done func(engine.Verdict)) (taken bool) // what becomes of a send
	reload func(w *breaker) *engine.Config                                         // what it takes for the new configuration
	late   time.Duration                                                           // by how much the loop oversleeps
	deaf   bool                                                                    // nothing is ever taken back
}
