package bolt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/midwatch/midwatch/store"
)

func TestReadSeesAllAndWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := filled(t, path, 50)
	if err := s.Commit(t.Context(), one("plain", "x")); err != nil {
		t.Fatal(err)
	}
	want := items(t, s)
	if err := Read(path, func(store.Item) error { return nil }); !errors.Is(err, ErrInUse) {
		t.Errorf("read of a file that is open = %v, want ErrInUse", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	var got []store.Item
	if err := Read(path, func(item store.Item) error { got = append(got, item); return nil }); err != nil || !same(got, want) {
		t.Errorf("%d items, want %d, or they differ: %v", len(got), len(want), err)
	}
	enough := errors.New("enough")
	seen := 0
	if err := Read(path, func(store.Item) error { seen++; return enough }); !errors.Is(err, enough) || seen != 1 {
		t.Errorf("read = %v after %d items, want it ended by the first", err, seen)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("read has changed the file: %v", err)
	}

	if err := Read(path+".none", func(store.Item) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("read of nothing = %v", err)
	}
	torn := filepath.Join(t.TempDir(), "torn")
	if err := os.WriteFile(torn, before[:20_000], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Read(torn, func(store.Item) error { return nil }); !isCorrupt(err) {
		t.Errorf("read of a torn file = %v, want a *CorruptError", err)
	}
	if err := os.Rename(torn, path); err != nil { // nobody holds it any more
		t.Fatal(err)
	}
}
