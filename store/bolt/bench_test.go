package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// Each operation compacts a file of some 370 MiB of which 45 MiB are left, while somebody commits 4 kB after 4 kB. It tells how
// long that took, how long commits waited at its end, and how long the slowest took, during it and in as long a time after it.
func BenchmarkCompactWhileOpen(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := bloated(b)
		quit, ended := make(chan struct{}), make(chan []time.Duration)
		writing := func() {
			var took []time.Duration
			for i := 0; ; i++ {
				select {
				case <-quit:
					ended <- took
					return
				default:
				}
				start := time.Now()
				if err := s.Commit(context.Background(), store.Batch{Put: []store.KeyValue{{Key: fmt.Sprintf("j/%012d", i), Value: make([]byte, 4096)}}}); err != nil {
					b.Error(err)
				}
				took = append(took, time.Since(start))
			}
		}
		go writing()
		b.StartTimer()
		done, err := s.Compact(context.Background())
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		quit <- struct{}{}
		during := <-ended
		go writing()
		<-time.After(done.Took)
		quit <- struct{}{}
		after := <-ended
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		for name, took := range map[string][]time.Duration{"meanwhile": during, "after": after} {
			slices.Sort(took)
			b.ReportMetric(float64(len(took))/done.Took.Seconds(), "commits/s-"+name)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms-"+name)
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms-"+name)
			b.ReportMetric(took[len(took)-1].Seconds()*1000, "max-ms-"+name)
		}
		b.ReportMetric(done.Took.Seconds()*1000, "took-ms")
		b.ReportMetric(done.Pause.Seconds()*1000, "pause-ms")
		b.ReportMetric(float64(done.Before.File)/(1<<20), "MiB-before")
		b.ReportMetric(float64(done.After.File)/(1<<20), "MiB-after")
		b.StartTimer()
	}
}

// bloated is a store of which most was deleted.
func bloated(b *testing.B) *Store {
	const values, each, kept = 45_000, 8000, 8 // one in so many is kept
	path := filepath.Join(b.TempDir(), "midwatch.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	var deletes []store.Batch
	for n := 0; n < values; {
		var put, del store.Batch
		for range 100 {
			key := fmt.Sprintf("h/%012d", n)
			put.Put = append(put.Put, store.KeyValue{Key: key, Value: make([]byte, each)})
			if n++; n%kept != 0 {
				del.Delete = append(del.Delete, key)
			}
		}
		if err := s.Commit(context.Background(), put); err != nil {
			b.Fatal(err)
		}
		deletes = append(deletes, del)
	}
	for _, del := range deletes {
		if err := s.Commit(context.Background(), del); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		b.Fatal(err)
	}
	return s
}
