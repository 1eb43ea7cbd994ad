package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/midwatch/midwatch/store"
)

// A disk that fills up: what was accepted stays, what is refused leaves nothing, and when something was
// deleted it goes on.
func TestAFullDisk(t *testing.T) {
	t.Run("of its own", func(t *testing.T) {
		for _, ahead := range []bool{true, false} {
			dir := mount(t, "size=2m")
			if err := fillUp(filepath.Join(dir, "midwatch.db"), ahead); err != nil {
				t.Errorf("space taken ahead %v: %v", ahead, err)
			}
		}
	})
	t.Run("by a limit on files", func(t *testing.T) {
		out, err := play(t, "limited", filepath.Join(t.TempDir(), "midwatch.db")).Output()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

func init() { parts["limited"] = limited }

// limited plays with files of at most 2 MiB. This needs no rights, so it runs everywhere.
func limited(path string) error {
	limit := unix.Rlimit{Cur: 2 << 20, Max: 2 << 20}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(
		fillUp(path, true),
		fillUp(path+"-later", false),
		fillUpAtOnce(path+"-at-once", true),
		fillUpAtOnce(path+"-at-once-later", false),
	)
}

// fillUpAtOnce is a sequence of more than the disk takes: what there is room for is done, in order, and nothing behind it.
func fillUpAtOnce(path string, ahead bool) error {
	ctx := context.Background()
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	s.room.unfit = !ahead
	var bs []store.Batch
	for i := range 200 {
		bs = append(bs, store.Batch{Put: []store.KeyValue{{Key: fmt.Sprintf("h/%06d", i), Value: make([]byte, 20_000)}}})
	}
	bs = append(bs, store.Batch{Delete: []string{"h/000000"}})
	done, err := s.CommitAll(ctx, bs)
	if !errors.Is(err, store.ErrFull) || done < 10 {
		return fmt.Errorf("did %d: %v", done, err)
	}
	var want []string
	for _, b := range bs[:done] {
		want = append(want, b.Put[0].Key)
	}
	if got := everything(s); !slices.Equal(got, want) {
		return fmt.Errorf("after %d were done there are %q", done, got)
	}
	return s.Close()
}

// fillUp tells the story. ahead is false for a file system that cannot give space ahead, so that bbolt
// finds out by itself.
func fillUp(path string, ahead bool) error {
	ctx := context.Background()
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	s.room.unfit = !ahead
	var kept []string
	full := error(nil)
	for i := 0; full == nil; i++ {
		key := fmt.Sprintf("h/%06d", i)
		if full = s.Commit(ctx, store.Batch{Put: []store.KeyValue{{Key: key, Value: make([]byte, 20_000)}}}); full == nil {
			kept = append(kept, key)
		}
	}
	if !errors.Is(full, store.ErrFull) {
		return fmt.Errorf("commit to a full disk = %v", full)
	}
	if got := everything(s); !slices.Equal(got, kept) {
		return fmt.Errorf("%d keys when full, %d were accepted", len(got), len(kept))
	}
	half := len(kept) / 2
	if err := s.Commit(ctx, store.Batch{Delete: kept[:half]}); err != nil {
		return fmt.Errorf("delete when full: %w", err)
	}
	kept = kept[half:]
	for i := range 10 {
		key := fmt.Sprintf("i/%d", i)
		if err := s.Commit(ctx, store.Batch{Put: []store.KeyValue{{Key: key, Value: make([]byte, 1000)}}}); err != nil {
			return fmt.Errorf("put after there is room again: %w", err)
		}
		kept = append(kept, key)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if report, err := Check(path); err != nil || len(report.Problems) > 0 {
		return fmt.Errorf("check: %q, %v", report.Problems, err)
	}
	if s, err = Open(path, Options{}); err != nil {
		return err
	}
	if got := everything(s); !slices.Equal(got, kept) {
		return fmt.Errorf("%d keys after a restart, want %d", len(got), len(kept))
	}
	return s.Close()
}

func TestAFullDiskAtTheStart(t *testing.T) {
	dir := mount(t, "size=256k")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 248<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "midwatch.db")
	if _, err := Open(path, Options{}); !errors.Is(err, store.ErrFull) {
		t.Errorf("open on a full disk = %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{}) // the first try has left nothing half-written
}

func TestAReadOnlyDisk(t *testing.T) {
	dir := mount(t, "size=8m")
	path := filepath.Join(dir, "midwatch.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Join(dir, "new", "midwatch.db")} {
		if _, err := Open(path, Options{}); !errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.EROFS) {
			t.Errorf("open on a read-only disk = %v", err)
		}
	}
	if report, err := Check(path); err != nil || len(report.Problems) > 0 {
		t.Errorf("check on a read-only disk: %q, %v", report.Problems, err)
	}
}

// mount returns a small disk. Without the right to mount, the test is skipped; the limit on files above is
// not.
func mount(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("cannot mount a small disk (%v): run as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
