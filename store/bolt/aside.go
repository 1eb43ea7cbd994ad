package bolt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// OpenOrSetAside is Open, but a file that cannot be read is renamed to "….corrupt-20260102T150405Z", by now
// in UTC, and a new one is begun: who is on call must be paged tonight. aside is where the old file went,
// "" if it was sound. Check tells what is wrong with it.
func OpenOrSetAside(path string, now time.Time, opts Options) (s *Store, aside string, err error) {
	f, err := acquire(path, os.O_RDWR|os.O_CREATE, opts.LockTimeout)
	if err != nil {
		return nil, "", err
	}
	if err = check(f, path); err == nil {
		s, err = openChecked(f, path, opts)
		if !isCorrupt(err) {
			return s, "", err
		}
		// It passed our reader and not bbolt, who has let go of the lock.
		if f, err = acquire(path, os.O_RDWR, opts.LockTimeout); err != nil {
			return nil, "", err
		}
	} else if !isCorrupt(err) {
		f.Close()
		return nil, "", err
	}
	// Under the lock, lest another process that found the same sets aside the new one.
	aside, err = setAside(path, now)
	f.Close()
	if err != nil {
		return nil, "", err
	}
	s, err = Open(path, opts)
	return s, aside, err
}

func isCorrupt(err error) bool { return errors.As(err, new(*CorruptError)) }

func setAside(path string, now time.Time) (aside string, err error) {
	base := path + ".corrupt-" + now.UTC().Format("20060102T150405Z")
	aside = base
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set the damaged file aside: %w", err)
	}
	return aside, syncDir(filepath.Dir(path))
}
