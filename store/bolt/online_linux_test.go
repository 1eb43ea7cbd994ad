package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/midwatch/midwatch/store"
)

// A disk that fills up while the copy is made: the copy goes, and what is committed has its room.
func TestADiskThatFillsUpDuringACompaction(t *testing.T) {
	t.Run("of its own", func(t *testing.T) {
		dir := mount(t, "size=32m")
		s := stuffed(t, filepath.Join(dir, "midwatch.db"))
		want := everything(s)
		s.during = func(phase string) {
			if phase != "copying" {
				return
			}
			s.during = nil
			fillDisk(t, filepath.Join(dir, "filler"))
			for i := 0; ; i++ { // the first that finds no room has the copy given up
				err := s.Commit(context.Background(), store.Batch{Put: []store.KeyValue{{Key: "z", Value: make([]byte, 500_000+i)}, {Key: fmt.Sprintf("zz/%d", i), Value: make([]byte, 500_000)}}})
				if err != nil {
					if !errors.Is(err, store.ErrFull) {
						t.Error(err)
					}
					return
				}
				want = everything(s)
			}
		}
		if _, err := s.Compact(t.Context()); !errors.Is(err, store.ErrFull) {
			t.Errorf("compact = %v, want ErrFull", err)
		}
		noCopyIsLeft(t, s.path)
		if got := everything(s); !slices.Equal(got, want) {
			t.Errorf("%d keys, want %d", len(got), len(want))
		}
		if err := s.Commit(t.Context(), one("later", "x")); err != nil {
			t.Errorf("commit when the copy is gone: %v", err)
		}
	})
	t.Run("by a limit on files", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "midwatch.db")
		if err := stuffed(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		if out, err := play(t, "limited-compaction", path).Output(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// stuffed is a store of 8 MiB, and as much free.
func stuffed(t *testing.T, path string) *Store {
	t.Helper()
	s := openAt(t, path, Options{NoSync: true})
	for i := range 32 {
		if err := s.Commit(t.Context(), store.Batch{Put: []store.KeyValue{{Key: fmt.Sprintf("h/%06d", i), Value: make([]byte, 500_000)}}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 16 {
		if err := s.Commit(t.Context(), store.Batch{Delete: []string{fmt.Sprintf("h/%06d", 2*i)}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fillDisk leaves no room on a disk.
func fillDisk(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for _, n := range []int{1 << 20, 4 << 10} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, n))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
}

func init() { parts["limited-compaction"] = limitedCompaction }

// limitedCompaction may make no copy of more than 2 MiB.
func limitedCompaction(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	want := everything(s)
	var free unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	limit := unix.Rlimit{Cur: 2 << 20, Max: free.Max}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if _, err := s.Compact(context.Background()); !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("compact = %v", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	if _, err := os.Lstat(unfinished(path)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a copy is left: %v", err)
	}
	if got := everything(s); !slices.Equal(got, want) {
		return fmt.Errorf("%d keys, want %d", len(got), len(want))
	}
	if err := s.Commit(context.Background(), one("h/000001", "in place")); err != nil {
		return fmt.Errorf("commit afterwards: %w", err)
	}
	return s.Close()
}

// Whoever compacts, the file stays its owner's: root is not the only one who is to open it afterwards.
func TestTheFileStaysItsOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away: run as root")
	}
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := filled(t, path, 20)
	owner := func() [2]uint32 {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		return [2]uint32{st.Uid, st.Gid}
	}
	want := [2]uint32{4242, 4343}
	if err := os.Chown(path, 4242, 4343); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Compact(t.Context()); err != nil || owner() != want {
		t.Errorf("while it is open: it belongs to %v, %v", owner(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Compact(path, path); err != nil || owner() != want {
		t.Errorf("while nobody has it: it belongs to %v, %v", owner(), err)
	}
}

// What the disk says of the copy is nothing about the store.
func TestAFailedSyncOfTheCopyBreaksNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := filled(t, path, 100)
	want := items(t, s)
	s.during = func(phase string) {
		if phase != "sealed" {
			return
		}
		null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer null.Close()
		if fd := descriptorOf(unfinished(path)); fd < 0 {
			t.Error("the copy is not open")
		} else if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Compact(t.Context()); err == nil || errors.Is(err, store.ErrBroken) {
		t.Errorf("compact = %v, want an error that is not ErrBroken", err)
	}
	s.during = nil
	noCopyIsLeft(t, path)
	if err := s.Commit(t.Context(), one("h/next", "x")); err != nil {
		t.Error(err)
	}
	if got := items(t, s); len(got) != len(want)+1 {
		t.Errorf("%d items, want %d", len(got), len(want)+1)
	}
}

// descriptorOf is the one that refers to the file; -1: none does.
func descriptorOf(path string) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	for _, e := range entries {
		var fd int
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == path {
			if _, err := fmt.Sscan(e.Name(), &fd); err == nil {
				return fd
			}
		}
	}
	return -1
}
