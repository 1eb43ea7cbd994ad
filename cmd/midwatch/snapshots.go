package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/midwatch/midwatch/store/bolt"
)

// The daemon copies its store now and then, so that a broken disk costs an hour and not everything.
const (
	snapshotEvery = time.Hour
	snapshotKeep  = 2
	snapshotDir   = "snapshots" // within --storage.path
)

// snapshots copies the store every hour until ctx is done.
func (d *daemon) snapshots(ctx context.Context) {
	s, ok := d.store.(*bolt.Store)
	if !ok {
		return
	}
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := snapshot(s, filepath.Join(*d.flags.storage, snapshotDir), now); err != nil {
				d.log.zap.Error("the store was not copied; the older copies are kept", zap.Error(err))
			}
		}
	}
}

// snapshot writes one copy and drops the oldest ones.
func snapshot(s io.WriterTo, dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, fmt.Sprintf("midwatch-%s.db", now.UTC().Format("20060102T150405Z")))
	if err := copyTo(s, name+".part"); err != nil {
		os.Remove(name + ".part")
		return err
	}
	if err := os.Rename(name+".part", name); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "midwatch-*.db"))
	if err != nil {
		return err
	}
	slices.Sort(old)
	for _, name := range old[:max(len(old)-snapshotKeep, 0)] {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// copyTo writes a whole copy to a new file and has it on disk when it returns.
func copyTo(s io.WriterTo, name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := s.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
