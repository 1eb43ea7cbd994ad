package bolt

import (
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// compactStep is how many bytes Compact writes in one transaction, which is held in memory.
const compactStep = 16 << 20

// Compact writes what src holds to a new file dst, without the free pages, and leaves src as it is. dst must
// not exist, unless it is src itself, which is then replaced. No process may have src open.
func Compact(src, dst string) error {
	f, err := acquire(src, os.O_RDWR, -1)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := inspect(f, src, 1, always)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return &CorruptError{Path: src, Reason: report.Problems[0]}
	}
	return guarded(src, func() error {
		from, err := openDB(f, src, 0, false)
		if err != nil {
			return openError(src, err)
		}
		// The lock lasts until the new file is in place: nobody can commit to the old one any more.
		write := func(temp string) error { return compact(from, temp) }
		if src == dst {
			err = replace(inPlace(dst), unfinished(dst), func(temp string) error {
				return errors.Join(write(temp), inheritBy(temp, f))
			})
		} else {
			err = create(dst, write)
		}
		return errors.Join(err, from.Close())
	})
}

func compact(from *bbolt.DB, dst string) error {
	to, err := bbolt.Open(dst, 0o600, &bbolt.Options{
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoSync:         true, // replace syncs the file as a whole
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", dst, err)
	}
	if err := bbolt.Compact(to, from, compactStep); err != nil {
		return errors.Join(err, to.Close())
	}
	var size int64
	err = to.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	return os.Truncate(dst, size) // bbolt takes space ahead
}

// inheritBy is inherit for a file by its name.
func inheritBy(path string, old *os.File) error {
	info, err := old.Stat()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(inherit(f, info), f.Close())
}
