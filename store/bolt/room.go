package bolt

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/midwatch/midwatch/store"
)

// Space is taken from the disk before a commit needs it, and really taken, not as a hole. So a full disk
// says no when nothing has been touched, where bbolt alone would find out half-way and then read the whole
// file to find its free pages again; and a failed fsync is never about space.
const (
	growStep   = 4 << 20   // bytes taken at a time, if there are
	boltStep   = 1 << 20   // what bbolt takes beyond its need where space cannot be taken ahead
	firstRoom  = 64 << 10  // for the first pages of a new file
	deleteRoom = 256 << 10 // kept for what only deletes, so that a full store can be emptied
	slack      = 32 << 10  // for the pages above the leaves, which every commit rewrites
)

// room is the committer's account of the file.
type room struct {
	used     int64 // bytes up to the highest page that was ever in use
	held     int64 // bytes that the disk has given us
	unfit    bool  // this file system cannot give space ahead: leave it to bbolt
	pageSize int64
}

// reserve makes sure that the disk has room for the puts of the group. Its error is store.ErrFull or
// store.ErrBroken.
func (s *Store) reserve(group []*request) error {
	puts, ops, size := 0, 0, 0
	for _, r := range group {
		puts += len(r.batch.Put)
		ops += len(r.batch.Put) + len(r.batch.Delete)
		size += r.batch.Size()
	}
	if puts == 0 || s.room.unfit {
		return nil
	}
	// A guess from above: each key rewrites its leaf, and half of what is put may be air.
	need := int64(ops)*s.room.pageSize + 2*int64(size) + slack
	err := s.ensure(need + deleteRoom)
	if errors.Is(err, store.ErrFull) {
		if stats := s.db.Stats(); int64(stats.FreePageN+stats.PendingPageN)*s.room.pageSize >= need {
			return nil // the file has room inside
		}
	}
	return err
}

// ensure makes sure of n bytes beyond those used.
func (g *generation) ensure(n int64) error {
	want := g.room.used + n
	if want <= g.room.held {
		return nil
	}
	err := g.hold(max(want, g.room.held+growStep))
	if errors.Is(err, store.ErrFull) {
		err = g.hold(want)
	}
	return err
}

// hold takes space up to end.
func (g *generation) hold(end int64) error {
	err := allocate(g.file, g.room.used, end-g.room.used, false)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EINVAL):
		g.room.unfit = true
		return nil
	case err != nil:
		return classify(err)
	}
	if err := g.file.Sync(); err != nil {
		return classify(err)
	}
	g.room.held = end
	return nil
}

// allocate takes n bytes from off on; with keep, the size of the file stays as it is.
func allocate(f *os.File, off, n int64, keep bool) error {
	if err := fallocate(f, off, n, keep); err != nil {
		return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil
}
