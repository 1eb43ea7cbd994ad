package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/store"
)

var at = time.Date(2026, 1, 2, 16, 4, 5, 0, time.FixedZone("CET", 3600))

func TestAnUnreadableFileIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	for _, want := range []string{path + ".corrupt-20260102T150405Z", path + ".corrupt-20260102T150405Z-2"} {
		garbage := strings.Repeat("garbage", 5000) + want
		if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		s, aside, err := OpenOrSetAside(path, at, Options{})
		if err != nil || aside != want {
			t.Fatalf("aside = %q, %v; want %q", aside, err, want)
		}
		if err := s.Commit(t.Context(), one("a", "1")); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if kept, err := os.ReadFile(aside); err != nil || string(kept) != garbage {
			t.Errorf("what is set aside was changed: %v", err)
		}
		if report, err := Check(aside); err != nil || len(report.Problems) == 0 {
			t.Errorf("check of what is set aside: %v, %v", report, err)
		}
	}
}

func TestASoundFileIsNotSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	for range 2 {
		s, aside, err := OpenOrSetAside(path, at, Options{})
		if err != nil || aside != "" {
			t.Fatalf("aside = %q, %v", aside, err)
		}
		if err := s.Commit(t.Context(), one("a", "1")); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{})
	busy := fmt.Sprintf("%s is in use by another midwatch (pid %d); stop it or choose another --storage.path", path, os.Getpid())

	_, again := Open(path, Options{LockTimeout: -1})
	_, _, setAside := OpenOrSetAside(path, at, Options{LockTimeout: -1})
	_, check := Check(path)
	for name, err := range map[string]error{
		"open": again, "set aside": setAside, "check": check,
		"compact": Compact(path, path), "restore": Restore(path, path+"2"),
	} {
		if !errors.Is(err, ErrInUse) || err.Error() != busy {
			t.Errorf("%s = %v, want %s", name, err, busy)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{LockTimeout: -1})
}

// Who waits for the lock of a file that is moved away meanwhile must not get the moved one.
func TestTheLockIsOnWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{})
	next := make(chan *Store)
	go func() {
		s, err := Open(path, Options{LockTimeout: time.Hour})
		if err != nil {
			t.Error(err)
		}
		next <- s
	}()
	if err := s.Commit(t.Context(), one("old", "1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-next
	defer got.Close()
	if _, err := got.Get(t.Context(), "old"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the new store has what the moved one had: %v", err)
	}
}

func TestNobodyElseCanRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "lib")
	path := filepath.Join(dir, "midwatch.db")
	openAt(t, path, Options{})
	for name, want := range map[string]os.FileMode{filepath.Dir(dir): 0o700, dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}
