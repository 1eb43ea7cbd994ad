package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/common/promslog"
)

// matching is how the process parses matchers: Alertmanager's parser keeps it in variables of its package, without a lock.
var matching struct {
	mu   sync.Mutex
	mode matcherMode
	set  bool
	log  atomic.Pointer[slog.Handler]
}

type matcherMode struct{ classic, strict bool }

// initMatchers sets how matchers are parsed. It is a setting of the process and must come before any parsing. Whoever sets what is
// set already writes nothing but who logs: several midwatches in one process do not disturb one another.
func initMatchers(log logging, flags featurecontrol.Flagger) {
	if log.slog == nil {
		log.slog = promslog.NewNopLogger()
	}
	matching.mu.Lock()
	defer matching.mu.Unlock()
	handler := log.slog.Handler()
	matching.log.Store(&handler)
	mode := matcherMode{flags.ClassicMode(), flags.UTF8StrictMode()}
	if matching.set && matching.mode == mode {
		return
	}
	matching.mode, matching.set = mode, true
	compat.InitFromFlags(slog.New(latestHandler{}), flags)
}

// A latestHandler logs to where the latest initMatchers says.
type latestHandler struct{}

func (latestHandler) handler() slog.Handler { return *matching.log.Load() }

func (h latestHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.handler().Enabled(ctx, l)
}

func (h latestHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.handler().Handle(ctx, r)
}

func (h latestHandler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.handler().WithAttrs(attrs) }

func (h latestHandler) WithGroup(name string) slog.Handler { return h.handler().WithGroup(name) }
