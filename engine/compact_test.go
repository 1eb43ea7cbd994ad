package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/midwatch/midwatch/store/bolt"
)

// TestACompactionLosesNothing: while the file is written anew, again and again, everything that an engine was told and
// answered for is on disk, and the next one knows it.
func TestACompactionLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	begin := func() (e *Engine, end func()) {
		w := &wire{first: map[string]time.Time{}, all: make(chan struct{}), want: -1}
		e, err := Start(t.Context(), Options{Store: s, Config: harbour(), Sender: w, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		return e, func() {
			stop()
			if err := errors.Join(<-ended, s.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	e, end := begin()

	ctx, stop := context.WithCancel(t.Context())
	var compacting, telling sync.WaitGroup
	compactions := 0
	compacting.Go(func() {
		for ; ctx.Err() == nil; compactions++ {
			if _, err := s.Compact(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	memos, now := map[string]string{}, time.Now()
	for w := range 4 {
		for i := range 60 {
			memos[fmt.Sprintf("%d/%d", w, i%40)] = fmt.Sprint(i)
		}
		telling.Go(func() {
			for i := range 60 {
				if err := e.Receive(ctx, of(fmt.Sprintf("a%d-%d", w, i), 20, now)); err != nil {
					t.Error(err)
				}
				if err := e.Do(ctx, Remember{Name: fmt.Sprintf("%d/%d", w, i%40), Value: fmt.Sprint(i)}).Err; err != nil {
					t.Error(err)
				}
			}
		})
	}
	telling.Wait()
	stop()
	compacting.Wait()
	known := func(e *Engine) map[string]bool {
		all := map[string]bool{}
		for a := range e.Router().Alerts().All() {
			all[fmt.Sprint(a.Labels)] = true
		}
		return all
	}
	alerts := known(e)
	end()
	if compactions < 2 || len(alerts) != 4*60*20 {
		t.Errorf("%d compactions, %d alerts", compactions, len(alerts))
	}
	if report, err := bolt.Check(path); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %q, %v", report.Problems, err)
	}

	if s, err = bolt.Open(path, bolt.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	e, end = begin()
	defer end()
	if got := known(e); !maps.Equal(got, alerts) {
		t.Errorf("%d alerts after a restart, want %d, or they differ", len(got), len(alerts))
	}
	if got := e.Memos(""); !maps.Equal(got, memos) {
		t.Errorf("%d memos after a restart, want %d, or they differ", len(got), len(memos))
	}
}
