package bolt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// A Size is how big the file is.
type Size struct {
	File int64 // bytes on disk; it never shrinks by itself, see Compact
	Free int64 // bytes of it that later commits will use
}

// Size returns the size at the last commit.
func (s *Store) Size() (size Size, err error) {
	err = s.viewIn(func(g *generation, tx *bbolt.Tx) (err error) {
		size, err = g.size(tx)
		return err
	})
	return size, err
}

func (g *generation) size(tx *bbolt.Tx) (Size, error) {
	info, err := g.file.Stat()
	if err != nil {
		return Size{}, err
	}
	stats := g.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * g.room.pageSize
	return Size{File: info.Size(), Free: free + info.Size() - tx.Size()}, nil
}

// WriteTo writes a snapshot of one instant to w, a file that Restore takes. Commits go on meanwhile, and
// take new space for what they change; Close waits.
func (s *Store) WriteTo(w io.Writer) (n int64, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, err
}

// Restore checks the snapshot and puts a copy of it at path: all of it, on disk, or nothing. It does not
// overwrite: move what is at path away first.
func Restore(snapshot, path string) error {
	report, err := Check(snapshot)
	if err != nil {
		return err
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("the snapshot is damaged (%d problems): %w", n, &CorruptError{Path: snapshot, Reason: report.Problems[0]})
	}
	return create(path, func(temp string) error { return copyFile(snapshot, temp) })
}

// create is replace where there must be nothing yet.
func create(path string, write func(temp string) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w; move it away first", path, os.ErrExist)
	}
	return replace(path, path+".tmp", write)
}

// replace makes a file temp beside path and moves it there when it is whole and on disk.
func replace(path, temp string, write func(temp string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := write(temp)
	if err == nil {
		err = syncFile(temp)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
