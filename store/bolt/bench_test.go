package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/midwatch/midwatch/store"
)

// Each operation is one durable commit of 500 bytes.
func BenchmarkCommit(b *testing.B) {
	for _, keys := range []struct {
		name string
		of   func(n uint64) string
	}{
		{"sequential", func(n uint64) string { return fmt.Sprintf("h/%012d", n) }},
		{"random", func(n uint64) string { return fmt.Sprintf("r/%016x", n*0x9E3779B97F4A7C15) }},
	} {
		for _, writers := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%s/%d", keys.name, writers), func(b *testing.B) {
				s, err := Open(filepath.Join(b.TempDir(), "midwatch.db"), Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				value := make([]byte, 500)
				var next atomic.Uint64
				var all sync.WaitGroup
				b.ResetTimer()
				for range writers {
					all.Go(func() {
						for n := next.Add(1); n <= uint64(b.N); n = next.Add(1) {
							err := s.Commit(context.Background(), store.Batch{Put: []store.KeyValue{{Key: keys.of(n), Value: value}}})
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// Each operation opens a file of 100 MB and checks all of it.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "midwatch.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < 200_000; {
		var batch store.Batch
		for ; len(batch.Put) < store.MaxOps; n++ {
			batch.Put = append(batch.Put, store.KeyValue{Key: fmt.Sprintf("h/%012d", n), Value: make([]byte, 500)})
		}
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
