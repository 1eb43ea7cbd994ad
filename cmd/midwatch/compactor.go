package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/bolt"
)

// When the daemon compacts its store by itself. The file keeps the size of its largest day, and every hourly copy of it, every
// backup and every start pays for that.
const (
	compactLook  = 10 * time.Minute // between looks, and before the first: a start has enough to do
	compactEvery = 24 * time.Hour   // at least between attempts, those that failed too
	compactLeast = 64 << 20         // bytes to be won; fewer are worth no copy
	compactShare = 2                // one part in so many of the file must be free: then a copy costs less than it brings
)

// A compactor has the store compacted, when somebody asks and by itself. Nil: there is no file.
type compactor struct {
	store compactable
	log   *zap.Logger
	done  *prometheus.CounterVec
}

type compactable interface {
	Size() (bolt.Size, error)
	Compact(ctx context.Context) (bolt.Compaction, error)
}

func newCompactor(s compactable, log *zap.Logger, r prometheus.Registerer) *compactor {
	c := &compactor{store: s, log: log, done: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "midwatch_store_compactions_total", Help: "How often the store's file was written anew without its free space, or could not be.",
	}, []string{"outcome"})}
	for _, outcome := range []string{"done", "failed"} {
		c.done.WithLabelValues(outcome)
	}
	size := func(name, help string, of func(bolt.Size) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			size, err := s.Size()
			if err != nil {
				return math.NaN()
			}
			return float64(of(size))
		})
	}
	r.MustRegister(c.done,
		size("midwatch_store_file_bytes", "Size of the store's file.", func(s bolt.Size) int64 { return s.File }),
		size("midwatch_store_free_bytes", "How much of the store's file is free, for later commits or for a compaction.", func(s bolt.Size) int64 { return s.Free }))
	return c
}

// run compacts the store now and then, where that is worth it and quiet says that nobody waits for a page.
func (c *compactor) run(ctx context.Context, quiet func() bool) {
	if c == nil {
		return
	}
	tick := time.NewTicker(compactLook)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if !last.IsZero() && now.Sub(last) < compactEvery || !c.worth() || !quiet() {
				continue
			}
			last = now
			_, _ = c.compact(ctx, "")
		}
	}
}

// worth reports whether a compaction would win enough.
func (c *compactor) worth() bool {
	size, err := c.store.Size()
	return err == nil && size.Free >= compactLeast && size.Free >= size.File/compactShare
}

// compact has the log say what became of it. by is who asked; empty: nobody did.
func (c *compactor) compact(ctx context.Context, by string) (bolt.Compaction, error) {
	log := c.log
	if by != "" {
		log = log.With(zap.String("by", by))
	}
	done, err := c.store.Compact(ctx)
	switch {
	case err == nil:
		c.done.WithLabelValues("done").Inc()
		log.Info("the store was compacted", zap.Int64("before_bytes", done.Before.File), zap.Int64("after_bytes", done.After.File),
			zap.Duration("took", done.Took), zap.Duration("pause", done.Pause))
	case errors.Is(err, bolt.ErrCompacting), ctx.Err() != nil:
	default:
		c.done.WithLabelValues("failed").Inc()
		log.Warn("the store was not compacted; it is as it was", zap.Error(err))
	}
	return done, err
}

// asked is what the API calls. A compaction ends early when the daemon does. Who had it done is in the history.
func (c *compactor) asked(ending <-chan struct{}, e *engine.Engine) func(by string) (api.Compacted, error) {
	if c == nil {
		return nil
	}
	return func(by string) (api.Compacted, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-ending:
				cancel()
			case <-ctx.Done():
			}
		}()
		done, err := c.compact(ctx, by)
		switch {
		case errors.Is(err, bolt.ErrCompacting):
			return api.Compacted{}, &engine.Error{Code: "conflict", Message: "the store is being compacted already; wait until that is done"}
		case errors.Is(err, store.ErrFull):
			return api.Compacted{}, &engine.Error{Code: "no_room", Message: err.Error()}
		case ctx.Err() != nil, errors.Is(err, store.ErrClosed):
			return api.Compacted{}, engine.ErrStopped
		case err != nil:
			return api.Compacted{}, &engine.Error{Code: "failed", Message: err.Error()}
		}
		text := fmt.Sprintf("the store was compacted: %s, before %s", bytesWords(uint64(done.After.File)), bytesWords(uint64(done.Before.File)))
		if err := e.Do(ctx, engine.Remember{Name: "store/compact", By: by, Text: text}).Err; err != nil {
			c.log.Warn("that the store was compacted is not in the history", zap.Error(err))
		}
		return api.Compacted{
			BeforeBytes: int(done.Before.File), AfterBytes: int(done.After.File),
			TookMS: milliseconds(done.Took), PauseMS: milliseconds(done.Pause),
		}, nil
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quiet reports that nobody waits for a message and the disk is well.
func (d *daemon) quiet() bool {
	p := d.engine.Pulse()
	return p.Pending == 0 && p.Backlog == 0 && p.Trouble == ""
}
