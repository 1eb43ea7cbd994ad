// Package bolt keeps a store in one bbolt file.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	boltErrors "go.etcd.io/bbolt/errors"

	"github.com/midwatch/midwatch/store"
)

// LockTimeout is how long Open waits by default for another process to let go of the file: a predecessor
// that is being restarted has that long to end.
const LockTimeout = 5 * time.Second

// mapHeadroom is address space mapped beyond twice the file. Until the file has outgrown its map, a commit
// never waits for readers: otherwise, a backup to a slow disk would hold up alerts.
const mapHeadroom = 1 << 30

// Options are the choices when opening. The zero value is right for a daemon.
type Options struct {
	LockTimeout time.Duration // 0 is LockTimeout, negative is not to wait
	NoSync      bool          // for tests only: a commit is not on disk when it returns
}

// A Store is a store.Store in one file, held by one process at a time. Concurrent commits share an fsync.
type Store struct {
	path string
	db   *bbolt.DB
	file *os.File // bbolt's own; it closes it
	room room

	queue   queue
	ended   chan struct{} // closed when the committer has ended
	broken  error         // the first store.ErrBroken; the committer's own
	records []byte        // memory for the next transaction's; likewise
	closing sync.Once
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, or makes it, and directories above it, readable by nobody else. It checks
// every page before bbolt sees it, and the checksums of the records up to quickCheck bytes.
//
//   - ErrInUse: another process has it
//   - *CorruptError: it cannot be read; see OpenOrSetAside
//   - ErrNewer: a later version made it; it is untouched
//   - store.ErrFull: there is no room, or the disk is read-only
func Open(path string, opts Options) (*Store, error) {
	f, err := acquire(path, os.O_RDWR|os.O_CREATE, opts.LockTimeout)
	if err != nil {
		return nil, err
	}
	return open(f, path, opts)
}

// open takes over f, which is locked.
func open(f *os.File, path string, opts Options) (*Store, error) {
	if err := check(f, path); err != nil {
		f.Close()
		return nil, err
	}
	return openChecked(f, path, opts)
}

func openChecked(f *os.File, path string, opts Options) (*Store, error) {
	s := &Store{path: path, file: f, ended: make(chan struct{})}
	err := guarded(path, func() (err error) {
		s.db, err = openDB(f, path, opts.NoSync)
		return err
	})
	if err != nil {
		f.Close()
		return nil, openError(path, err)
	}
	if err := s.found(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.db.Close())
	}
	s.queue.init()
	go s.run()
	return s, nil
}

func openDB(f *os.File, path string, noSync bool) (*bbolt.DB, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		// bbolt writes its first pages in place, and a half-written beginning is no database.
		if err := allocate(f, 0, firstRoom, true); err != nil {
			return nil, err
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapSize(info.Size()),
		NoSync:          noSync,
	})
	if err != nil {
		return nil, err
	}
	db.AllocSize = boltStep
	return db, nil
}

func mapSize(file int64) int {
	if math.MaxInt == math.MaxInt32 {
		return 0 // no address space to spare
	}
	return int(2*file + mapHeadroom)
}

func openError(path string, err error) error {
	switch {
	case errors.As(err, new(*CorruptError)):
		return err
	case errors.Is(err, boltErrors.ErrInvalid), errors.Is(err, boltErrors.ErrChecksum), errors.Is(err, boltErrors.ErrVersionMismatch):
		return &CorruptError{Path: path, Reason: err.Error()}
	case isNoRoom(err):
		return fmt.Errorf("open %s: %w", path, classify(err))
	case errors.As(err, new(*fs.PathError)):
		return err // names the file itself
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// found writes what a new file says about itself.
func (s *Store) found() error {
	founded := false
	err := s.view(func(tx *bbolt.Tx) error {
		founded = tx.Bucket([]byte(ownBucket)) != nil
		s.room = room{used: tx.Size(), held: tx.Size(), pageSize: int64(s.db.Info().PageSize)}
		return nil
	})
	if err != nil || founded {
		return err
	}
	if err := s.ensure(firstRoom); err != nil {
		return err
	}
	err = guarded(s.path, func() error {
		return classify(s.db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte(ownBucket))
			if err != nil {
				return err
			}
			return errors.Join(
				b.Put([]byte(keyFormat), record(keyFormat, 0, []byte(format))),
				b.Put([]byte(keyLast), tally{}.record(0)))
		}))
	})
	// The file's name, and its directory's.
	return errors.Join(err, syncDir(filepath.Dir(s.path)), syncDir(filepath.Dir(filepath.Dir(s.path))))
}

// Get returns the item at key, or store.ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (found store.Item, err error) {
	if err := s.usable(ctx); err != nil {
		return store.Item{}, err
	}
	bucket, rest := place(key)
	err = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return store.ErrNotFound
		}
		r := b.Get([]byte(rest))
		if r == nil {
			return store.ErrNotFound
		}
		var ok bool
		if found, ok = item(key, r); !ok {
			return s.damaged(key)
		}
		return nil
	})
	return found, err
}

// Lead returns at once: Open holds the file's lock, so nobody else can write.
func (s *Store) Lead(ctx context.Context) (store.Lease, error) {
	return store.Lease{}, s.usable(ctx)
}

// Close commits what was accepted, waits for a running WriteTo, and lets go of the file.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.queue.close()
		<-s.ended
		if err = s.db.Close(); err != nil {
			err = fmt.Errorf("close %s: %w", s.path, err)
		}
	})
	return err
}

func (s *Store) usable(ctx context.Context) error {
	if s.queue.isClosed() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// view runs f in a read transaction. Keep it short: meanwhile no page it can see is reused.
func (s *Store) view(f func(*bbolt.Tx) error) error {
	err := guarded(s.path, func() error { return s.db.View(f) })
	if errors.Is(err, boltErrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func (s *Store) damaged(key string) error {
	return &CorruptError{Path: s.path, Reason: fmt.Sprintf("the value of %q does not have its checksum", key)}
}
