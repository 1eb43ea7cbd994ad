package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/store/bolt"
)

// A shrinking store is one that says what size it has, and remembers when it was compacted.
type shrinking struct {
	size  bolt.Size
	err   error
	start time.Time
	when  []time.Duration
}

func (s *shrinking) Size() (bolt.Size, error) { return s.size, nil }

func (s *shrinking) Compact(context.Context) (bolt.Compaction, error) {
	s.when = append(s.when, time.Since(s.start))
	return bolt.Compaction{}, s.err
}

func TestTheDaemonCompactsWhereItIsWorthIt(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name  string
		size  bolt.Size
		err   error
		quiet time.Duration // from when on nobody waits for a page
		want  string
	}{
		{"half of it is free", bolt.Size{File: 400 * mib, Free: 200 * mib}, nil, 0, "[10m0s 24h10m0s 48h10m0s]"},
		{"less is", bolt.Size{File: 400 * mib, Free: 199 * mib}, nil, 0, "[]"},
		{"a small file", bolt.Size{File: 70 * mib, Free: 63 * mib}, nil, 0, "[]"},
		{"somebody waits for a page", bolt.Size{File: 400 * mib, Free: 300 * mib}, nil, 95 * time.Minute, "[1h40m0s 25h40m0s 49h40m0s]"},
		{"it fails", bolt.Size{File: 400 * mib, Free: 300 * mib}, errors.New("no"), 0, "[10m0s 24h10m0s 48h10m0s]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shrinking{size: c.size, err: c.err, start: time.Now()}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					newCompactor(s, zap.NewNop(), prometheus.NewRegistry()).run(ctx, func() bool { return time.Since(s.start) >= c.quiet })
				}()
				time.Sleep(50 * time.Hour)
				stop()
				<-ended
				if got := fmt.Sprint(s.when); got != c.want {
					t.Errorf("compacted after %s, want %s", got, c.want)
				}
			})
		})
	}
}
