package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/midwatch/midwatch/store"
)

// filled is a store of n values, most of them deleted again.
func filled(t *testing.T, path string, n int) *Store {
	t.Helper()
	s := openAt(t, path, Options{NoSync: true})
	for i := range n {
		if err := s.Commit(t.Context(), one(fmt.Sprintf("h/%04d", i), strings.Repeat("x", 1000))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n - 10 {
		if err := s.Commit(t.Context(), store.Batch{Delete: []string{fmt.Sprintf("h/%04d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestASnapshotIsOneInstant(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, filepath.Join(dir, "midwatch.db"), 100)
	want := items(t, s)

	var snapshot bytes.Buffer
	n, err := s.WriteTo(&busyWriter{w: &snapshot, meanwhile: func() error {
		return s.Commit(context.Background(), one("h/later", "not in the snapshot"))
	}})
	if err != nil || n != int64(snapshot.Len()) {
		t.Fatalf("wrote %d of %d, %v", n, snapshot.Len(), err)
	}
	file, restored := filepath.Join(dir, "snapshot"), filepath.Join(dir, "restored", "midwatch.db")
	if err := os.WriteFile(file, snapshot.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(file, restored); err != nil {
		t.Fatal(err)
	}
	if got := items(t, openAt(t, restored, Options{})); !same(got, want) {
		t.Errorf("%d items restored, want %d, or they differ", len(got), len(want))
	}
}

// A busyWriter commits between any two writes.
type busyWriter struct {
	w         *bytes.Buffer
	meanwhile func() error
}

func (b *busyWriter) Write(p []byte) (int, error) {
	if err := b.meanwhile(); err != nil {
		return 0, err
	}
	return b.w.Write(p)
}

func TestRestoreIsCareful(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "midwatch.db")
	s := filled(t, path, 20)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Restore(path, path); !errors.Is(err, os.ErrExist) {
		t.Errorf("restore over a file = %v", err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(dir, "torn")
	if err := os.WriteFile(torn, file[:20_000], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(torn, filepath.Join(dir, "new")); !isCorrupt(err) {
		t.Errorf("restore of a torn snapshot = %v", err)
	}
	if err := Restore(filepath.Join(dir, "none"), filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("restore of nothing = %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused restore has left a file: %v", err)
	}
}

func TestCompact(t *testing.T) {
	dir := t.TempDir()
	path, small := filepath.Join(dir, "midwatch.db"), filepath.Join(dir, "small.db")
	s := filled(t, path, 500)
	want := items(t, s)
	if size, err := s.Size(); err != nil || size.Free < size.File/2 {
		t.Errorf("size %+v, %v; most of it should be free", size, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if err := Compact(path, small); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("compact has changed its source: %v", err)
	}
	if err := Compact(path, small); !errors.Is(err, os.ErrExist) {
		t.Errorf("compact over a file = %v", err)
	}
	if err := Compact(path, path); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, small} {
		report, err := Check(path)
		if err != nil || len(report.Problems) > 0 || report.File > 64<<10 || report.Keys != 10 {
			t.Errorf("report %+v, %v", report, err)
		}
		s := openAt(t, path, Options{})
		if got := items(t, s); !same(got, want) {
			t.Errorf("%d items, want %d, or they differ", len(got), len(want))
		}
		if err := s.Commit(t.Context(), one("h/next", "x")); err != nil {
			t.Error(err)
		}
		if item, err := s.Get(t.Context(), "h/next"); err != nil || item.Revision != report.Revision+1 {
			t.Errorf("the next commit has revision %d, %v, after %d", item.Revision, err, report.Revision)
		}
	}
}
