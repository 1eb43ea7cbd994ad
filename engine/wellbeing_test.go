package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/midwatch/midwatch/store"
)

func TestTheLoopSaysWhetherItIsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		disk := &crowded{Memory: store.NewMemory()}
		w := &world{t: t}
		e, err := Start(ctx(), Options{Store: disk, Config: house(), Sender: w, Now: func() Instant {
			return Instant{Wall: time.Now(), Elapsed: time.Since(began)}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if why := e.Unwell(t.Context()); !slices.Equal(why, []string{"the engine did not answer within 10s"}) {
			t.Errorf("before it runs: %q", why)
		}
		run, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(run) }()
		if why := e.Unwell(t.Context()); why != nil {
			t.Errorf("when it runs: %q", why)
		}

		disk.full.Store(true)
		_ = e.Receive(t.Context(), alerts("alertname", "Lag"))
		if why := e.Unwell(t.Context()); len(why) != 1 || !strings.HasPrefix(why[0], "nothing is being kept: ") {
			t.Errorf("on a full disk: %q", why)
		}
		disk.full.Store(false)
		time.Sleep(2 * retryBacklog)
		if why := e.Unwell(t.Context()); why != nil {
			t.Errorf("with room again: %q", why)
		}

		e.lag.Store(int64(31 * time.Second))
		// The next turn, which takes in the question, has nothing that is due.
		if why := e.Unwell(t.Context()); why != nil {
			t.Errorf("after a turn in time: %q", why)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if why := e.Unwell(t.Context()); !slices.Equal(why, []string{ErrStopped.Error()}) {
			t.Errorf("when it has ended: %q", why)
		}
	})
}

// crowded is a store that can run out of room.
type crowded struct {
	*store.Memory
	full atomic.Bool
}

func (c *crowded) Commit(ctx context.Context, b store.Batch) error {
	if c.full.Load() {
		return fmt.Errorf("%w: no space", store.ErrFull)
	}
	return c.Memory.Commit(ctx, b)
}

// What is due and not done shows in the turn that finds it.
func TestALateTurnIsNotWell(t *testing.T) {
	w := newWorld(t, hearing(pinged("backup")), 1)
	w.net.deaf = true
	w.elapsed = 2 * time.Hour // nobody looked for 50 minutes
	w.turn()
	if got := time.Duration(w.e.lag.Load()); got != 50*time.Minute {
		t.Errorf("it is %s late", got)
	}
	w.turn()
	if got := w.e.lag.Load(); got != 0 {
		t.Errorf("then it is %d late", got)
	}
}
