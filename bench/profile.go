//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// profiled is for how long a profile of alerts that are sent again is taken.
const profiled = 5 * time.Second

// profile begins to profile ours, if that is wanted, for so long; what nothing is done in does not count. end waits until it is over,
// and puts the profile, and one of the memory, where profiles go, each in place of the one of an earlier life.
func (b *bench) profile(ctx context.Context, s *server, name string, during time.Duration) (end func()) {
	if b.o.profiles == "" {
		return func() {}
	}
	ctx, stop := context.WithTimeout(ctx, during+patience)
	done := make(chan error, 1)
	go func() {
		seconds := max(1, int(during.Seconds()))
		err := b.fetch(ctx, s, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds), name+".cpu.pb.gz")
		if err == nil {
			err = b.fetch(ctx, s, "/debug/pprof/heap", name+".heap.pb.gz")
		}
		done <- err
	}()
	return func() {
		defer stop()
		if err := <-done; err != nil {
			fmt.Fprintf(b.log, "the profile %s could not be taken: %v\n", name, err)
		}
	}
}

// fetch puts an answer in a file among the profiles.
func (b *bench) fetch(ctx context.Context, s *server, path, name string) error {
	var answer bytes.Buffer
	if err := s.get(ctx, path, &answer); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.o.profiles, name), answer.Bytes(), 0o644)
}
