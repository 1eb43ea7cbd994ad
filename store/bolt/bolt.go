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
	path   string
	noSync bool

	mu          sync.RWMutex // held for a moment, to look at which generation is the present one
	*generation              // guarded by mu; who holds writing, and nobody else, also reads it without

	queue   queue
	ended   chan struct{} // closed when the committer has ended
	closing sync.Once

	writing sync.Mutex  // held by whoever writes: the committer, and Compact at its end
	broken  error       // the first store.ErrBroken
	records []byte      // memory for the next transaction's
	noted   *notes      // what commits change while the store is compacted; nil: it is not
	abort   func(error) // ends the compaction that is under way; nil: there is none

	compacting sync.Mutex         // held by Compact
	during     func(phase string) // for tests only: called at each step of Compact
}

// A generation is one file that the store lies in. Compact begins the next.
type generation struct {
	db      *bbolt.DB
	file    *os.File // bbolt's own; it closes it
	room    room
	readers sync.WaitGroup // transactions that may look into it
}

var (
	_ store.Store     = (*Store)(nil)
	_ store.Sequencer = (*Store)(nil)
)

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
	removeUnfinished(path)
	g, err := begin(f, path, 0, opts.NoSync)
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{path: path, noSync: opts.NoSync, generation: g, ended: make(chan struct{})}
	s.queue.init()
	go s.run()
	return s, nil
}

// begin takes over f, which is locked and checked, or new. size is what it is expected to grow to.
func begin(f *os.File, path string, size int64, noSync bool) (*generation, error) {
	g := &generation{file: f}
	err := guarded(path, func() (err error) {
		g.db, err = openDB(f, path, size, noSync)
		return err
	})
	if err != nil {
		f.Close()
		return nil, err
	}
	if err := g.found(path); err != nil {
		return nil, errors.Join(err, g.db.Close())
	}
	return g, nil
}

func openDB(f *os.File, path string, size int64, noSync bool) (*bbolt.DB, error) {
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
		InitialMmapSize: mapSize(max(info.Size(), size)),
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
func (g *generation) found(path string) error {
	founded := false
	err := g.view(path, func(tx *bbolt.Tx) error {
		founded = tx.Bucket([]byte(ownBucket)) != nil
		g.room = room{used: tx.Size(), held: tx.Size(), pageSize: int64(g.db.Info().PageSize)}
		return nil
	})
	if err != nil || founded {
		return err
	}
	if err := g.ensure(firstRoom); err != nil {
		return err
	}
	err = guarded(path, func() error {
		return classify(g.db.Update(func(tx *bbolt.Tx) error {
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
	return errors.Join(err, syncDir(filepath.Dir(path)), syncDir(filepath.Dir(filepath.Dir(path))))
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

// Close commits what was accepted, gives up a compaction, waits for a running WriteTo, and lets go of the file.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.queue.close()
		<-s.ended
		s.giveUp(store.ErrClosed)
		s.compacting.Lock()
		defer s.compacting.Unlock()
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
	return s.viewIn(func(_ *generation, tx *bbolt.Tx) error { return f(tx) })
}

// viewIn is view for who must know the file as well.
func (s *Store) viewIn(f func(*generation, *bbolt.Tx) error) error {
	s.mu.RLock()
	g := s.generation
	g.readers.Add(1)
	s.mu.RUnlock()
	defer g.readers.Done()
	return g.view(s.path, func(tx *bbolt.Tx) error { return f(g, tx) })
}

func (g *generation) view(path string, f func(*bbolt.Tx) error) error {
	err := guarded(path, func() error { return g.db.View(f) })
	if errors.Is(err, boltErrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func (s *Store) damaged(key string) error {
	return &CorruptError{Path: s.path, Reason: fmt.Sprintf("the value of %q does not have its checksum", key)}
}
