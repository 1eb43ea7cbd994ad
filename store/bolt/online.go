package bolt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/midwatch/midwatch/store"
)

// The pace of a compaction while the daemon works.
const (
	copyStep = 1 << 20 // bytes that are read in one transaction and written in another
	copySync = 4 << 20 // bytes that are written before the disk is waited for: a long wait at the end would hold up commits
	copyRest = 3       // times what a step took, before the next: three quarters of the disk and of a core are for others
	maxRest  = time.Second

	// What may be left to bring over while commits wait: a few milliseconds' work.
	lastKeys  = 4096
	lastBytes = 4 << 20

	// Changes that are remembered before they are brought over, with some hundred bytes of memory each.
	maxNoted = 1 << 16

	// Passes over what was changed during the pass before, each shorter than that. If so many do not do, commits are faster
	// than the disk.
	maxPasses = 32
)

// ErrCompacting is the error of a Compact while another is under way.
var ErrCompacting = errors.New("the store is being compacted already")

// errNeeded ends a compaction when a commit finds the disk full: the copy takes room that what is new needs more.
var errNeeded = fmt.Errorf("%w; the room of the copy was needed for what is new", store.ErrFull)

// A Compaction is what Compact did.
type Compaction struct {
	Before, After Size
	Took          time.Duration
	Pause         time.Duration // of these, in which commits waited
}

// Compact writes the store to a new file without the free pages, and goes on in that. Reads and commits go on meanwhile;
// only for the last step commits wait. If the process ends at any moment, the old file or the new one is there, whole; what
// is left of the other is removed by the next Open. Compact returns when the last who reads the old file has left it.
//
// After an error the store is as it was, unless that is store.ErrBroken:
//
//   - ErrCompacting: there is one under way
//   - store.ErrFull: there is no room for a second copy of what the store holds
//   - *CorruptError: something in the store cannot be read
//   - store.ErrBroken: whether a crash now would leave the old or the new file is in doubt; both hold the same
//   - store.ErrClosed, the context's error: it was given up
func (s *Store) Compact(ctx context.Context) (done Compaction, err error) {
	if err := s.usable(ctx); err != nil {
		return Compaction{}, err
	}
	if !s.compacting.TryLock() {
		return Compaction{}, ErrCompacting
	}
	defer s.compacting.Unlock()
	start := time.Now()
	if done.Before, err = s.Size(); err != nil {
		return Compaction{}, err
	}
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	c := copier{s: s, ctx: ctx, path: inPlace(s.path), temp: unfinished(s.path), free: freeRoom}
	if err := c.begin(done.Before, abort); err != nil {
		return Compaction{}, fmt.Errorf("compact %s: %w", s.path, err)
	}
	old, err := c.run()
	if err != nil {
		c.abandon()
		if why := context.Cause(ctx); why != nil {
			err = why
		}
		return Compaction{}, fmt.Errorf("compact %s: %w", s.path, err)
	}
	c.phase("switched")
	old.readers.Wait()
	// It has no name any more. What goes wrong now harms nobody.
	_ = old.db.Close()
	c.phase("closed")
	done.Took, done.Pause = time.Since(start), c.pause
	if done.After, err = s.Size(); err != nil {
		return Compaction{}, err
	}
	return done, c.broken
}

// giveUp ends the compaction that is under way, if there is one.
func (s *Store) giveUp(why error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.abort != nil {
		s.abort(why)
	}
}

// makeRoom gives up a compaction for a commit that found the disk full. writing is held.
func (s *Store) makeRoom() {
	if s.abort != nil {
		s.abort(errNeeded)
	}
}

// notes are the keys that commits have changed.
type notes struct {
	size  map[string]int // of the last value, by key
	bytes int            // of all that
}

// note notes what the group has changed, once it is there: who read a key before that will read it again. writing is held.
func (s *Store) note(group []*request, answers []error) {
	if s.noted == nil {
		return
	}
	for i, r := range group {
		if r == nil || answers[i] != nil {
			continue
		}
		for _, kv := range r.batch.Put {
			s.noted.add(kv.Key, len(kv.Value))
		}
		for _, key := range r.batch.Delete {
			s.noted.add(key, 0)
		}
	}
}

func (n *notes) add(key string, size int) {
	n.bytes += size - n.size[key]
	n.size[key] = size
}

func (n *notes) few() bool { return len(n.size) <= lastKeys && n.bytes <= lastBytes }

func newNotes() *notes { return &notes{size: map[string]int{}} }

// A copier is one compaction.
type copier struct {
	s      *Store
	ctx    context.Context
	path   string // where the store's file really is
	temp   string // where the copy is made
	to     *generation
	unsent int64         // bytes written to the copy since its last sync
	pause  time.Duration // that commits waited at the end
	broken error         // the copy is in place, but perhaps not for ever

	free func(dir string) (bytes int64, err error)
}

// begin makes the copy, still empty, and has commits note what they change.
func (c *copier) begin(size Size, abort func(error)) error {
	live := size.File - size.Free
	if err := c.checkRoom(live); err != nil {
		return err
	}
	info, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	if err := os.Remove(c.temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := createAs(c.temp, c.s.path)
	if err != nil {
		return copyError(err)
	}
	c.phase("made")
	if err := inherit(f, info); err != nil {
		f.Close()
		os.Remove(c.temp)
		return copyError(err)
	}
	// The lock is on it from now on: whoever finds it under the store's name finds it held.
	if c.to, err = begin(f, c.temp, live, true); err != nil {
		os.Remove(c.temp)
		return copyError(err)
	}
	c.s.writing.Lock()
	defer c.s.writing.Unlock()
	if c.s.queue.isClosed() {
		abort(store.ErrClosed)
	}
	c.s.noted, c.s.abort = newNotes(), abort
	return nil
}

// checkRoom wants room for the copy, and for the store to grow meanwhile.
func (c *copier) checkRoom(live int64) error {
	free, err := c.free(filepath.Dir(c.path))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // then it is found out on the way
	}
	if err != nil {
		return err
	}
	if need := live + live/8 + 2*growStep; free < need {
		return fmt.Errorf("%w: a copy needs some %d MiB beside it, and %d MiB are free", store.ErrFull, (need+1<<20-1)>>20, free>>20)
	}
	return nil
}

// abandon leaves the store as it was.
func (c *copier) abandon() {
	c.s.writing.Lock()
	c.s.noted, c.s.abort = nil, nil
	c.s.writing.Unlock()
	_ = c.to.db.Close()
	_ = os.Remove(c.temp)
}

// run makes the copy and puts it into the store's place. old is what the store was in.
func (c *copier) run() (old *generation, err error) {
	if err := c.all(); err != nil {
		return nil, err
	}
	c.phase("copied")
	for range maxPasses {
		if err := c.pass(); err != nil {
			return nil, err
		}
		c.phase("caught up")
		if old, err = c.last(); old != nil || err != nil {
			return old, err
		}
	}
	return nil, errors.New("more is written than can be brought over; try again when less goes on")
}

// all copies every key, in order, a step at a time. No transaction lasts longer than a step: what one can see is not reused.
func (c *copier) all() error {
	for next, more := "", true; more; {
		start := time.Now()
		var step []entry
		err := c.s.view(func(tx *bbolt.Tx) (err error) {
			step, next, more, err = c.s.readStep(tx, next)
			return err
		})
		if err != nil {
			return err
		}
		if err := c.write(step, nil); err != nil {
			return err
		}
		c.phase("copying")
		if err := c.rest(time.Since(start)); err != nil {
			return err
		}
		if c.manyNoted() {
			if err := c.pass(); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest waits after work that took so long.
func (c *copier) rest(took time.Duration) error {
	t := time.NewTimer(min(took*copyRest, maxRest))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
	return c.ctx.Err()
}

func (c *copier) manyNoted() bool {
	c.s.writing.Lock()
	defer c.s.writing.Unlock()
	return len(c.s.noted.size) > maxNoted
}

// pass brings over what was changed since the last, and has it on disk.
func (c *copier) pass() error {
	c.s.writing.Lock()
	n := c.s.noted
	c.s.noted = newNotes()
	c.s.writing.Unlock()
	if err := c.bring(n); err != nil {
		return err
	}
	return c.sync()
}

// bring copies the noted keys as they are now.
func (c *copier) bring(n *notes) error {
	for keys := slices.Sorted(maps.Keys(n.size)); len(keys) > 0; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var step []entry
		err := c.s.view(func(tx *bbolt.Tx) (err error) {
			step, keys, err = c.s.readKeys(tx, keys)
			return err
		})
		if err != nil {
			return err
		}
		if err := c.write(step, nil); err != nil {
			return err
		}
	}
	return nil
}

// last brings over the rest while commits wait, and goes on in the copy. Where the rest is too large it does nothing.
func (c *copier) last() (old *generation, err error) {
	s := c.s
	s.writing.Lock()
	defer s.writing.Unlock()
	start := time.Now()
	defer func() { c.pause = time.Since(start) }()
	switch {
	case s.broken != nil:
		return nil, errors.New("the disk failed meanwhile")
	case c.ctx.Err() != nil:
		return nil, c.ctx.Err()
	case !s.noted.few():
		return nil, nil
	case !isStill(s.file, c.path):
		return nil, fmt.Errorf("%s was moved or replaced by somebody else", c.path)
	}
	if err := c.bring(s.noted); err != nil {
		return nil, err
	}
	if err := c.seal(); err != nil {
		return nil, err
	}
	c.phase("sealed")
	if err := c.sync(); err != nil {
		return nil, err
	}
	c.phase("synced")
	if err := os.Rename(c.temp, c.path); err != nil && isStill(s.file, c.path) {
		return nil, err
	} else if err != nil {
		c.broken = fmt.Errorf("%w: %w", store.ErrBroken, err)
	}
	c.phase("renamed")
	// Until the name is on disk nobody may hear that something was committed to the copy.
	if err := syncDir(filepath.Dir(c.path)); err != nil && c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", store.ErrBroken, err)
	}
	s.broken, s.noted, s.abort = c.broken, nil, nil
	c.to.db.NoSync = s.noSync
	s.mu.Lock()
	old, s.generation = s.generation, c.to
	s.mu.Unlock()
	return old, nil
}

// seal gives the copy the number of the last commit, and checks that it holds what the store does. writing is held.
func (c *copier) seal() error {
	var revision int64
	var want tally
	err := c.s.view(func(tx *bbolt.Tx) error {
		last := tx.Bucket([]byte(ownBucket)).Get([]byte(keyLast))
		var ok bool
		if want, ok = tallyOf(last); !ok || !intact(last, keyLast) {
			return c.s.damaged(keyLast)
		}
		revision = revisionOf(last)
		return nil
	})
	if err != nil {
		return err
	}
	return c.write(nil, func(w *writer) error {
		if w.tally != want {
			return fmt.Errorf("the copy has %d keys, and the store %d, or they differ; try `midwatch store check`", w.tally.keys, want.keys)
		}
		w.revision = revision
		return nil
	})
}

// write does one transaction of the copy: the entries, and what else is to be done with it.
func (c *copier) write(step []entry, more func(*writer) error) error {
	var size int64
	for _, e := range step {
		size += int64(len(e.key) + len(e.record))
	}
	if !c.to.room.unfit {
		// A guess from above, as for commits.
		if err := c.to.ensure(int64(len(step))*c.to.room.pageSize + 2*size + slack); err != nil {
			return copyError(err)
		}
	}
	var tx *bbolt.Tx
	var wrong error // with the content, and not with the disk
	err := guarded(c.temp, func() (err error) {
		if tx, err = c.to.db.Begin(true); err != nil {
			return err
		}
		w := newWriter(tx)
		for _, e := range step {
			if e.record == nil {
				err = w.delete(e.key)
			} else {
				err = w.set(e.key, e.record)
			}
			if err != nil {
				return err
			}
		}
		if more != nil {
			if wrong = more(w); wrong != nil {
				return wrong
			}
		}
		if err := w.finish(); err != nil {
			return err
		}
		return tx.Commit()
	})
	if err != nil && tx != nil {
		_ = tx.Rollback() // see update
	}
	if wrong != nil {
		return wrong
	}
	if err == nil {
		err = c.to.view(c.temp, func(tx *bbolt.Tx) error {
			c.to.room.used = tx.Size()
			return nil
		})
	}
	if err != nil {
		return copyError(err)
	}
	if c.unsent += size; c.unsent >= copySync {
		return c.sync()
	}
	return nil
}

func (c *copier) sync() error {
	c.unsent = 0
	return copyError(c.to.file.Sync())
}

func (c *copier) phase(name string) {
	if c.s.during != nil {
		c.s.during(name)
	}
}

// copyError is what went wrong with the copy. That harms nobody but the compaction, and so is no store.ErrBroken.
func copyError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrFull):
		return err
	case isNoRoom(err):
		return classify(err)
	}
	return errors.New("the copy: " + strings.TrimPrefix(err.Error(), store.ErrBroken.Error()+": "))
}

// An entry is a key with its record on disk; nil: there is none.
type entry struct {
	key    string
	record []byte
}

// readStep reads from a key on. next is where to go on.
func (s *Store) readStep(tx *bbolt.Tx, from string) (step []entry, next string, more bool, err error) {
	size := 0
	for key, r := range walk(tx, from) {
		if size >= copyStep {
			return step, key, true, nil
		}
		if !intact(r, key) {
			return nil, "", false, s.damaged(key)
		}
		step = append(step, entry{key, slices.Clone(r)})
		size += len(key) + len(r)
	}
	return step, "", false, nil
}

// readKeys reads the first of the keys. rest are the others.
func (s *Store) readKeys(tx *bbolt.Tx, keys []string) (step []entry, rest []string, err error) {
	size := 0
	for i, key := range keys {
		if size >= copyStep {
			return step, keys[i:], nil
		}
		e := entry{key: key}
		name, rest := place(key)
		if b := tx.Bucket([]byte(name)); b != nil {
			e.record = slices.Clone(b.Get([]byte(rest)))
		}
		if e.record != nil && !intact(e.record, key) {
			return nil, nil, s.damaged(key)
		}
		step = append(step, e)
		size += len(key) + len(e.record)
	}
	return step, nil, nil
}

// inPlace is where the file really is, if path is a link to it: a rename must not put a file in the place of the link.
func inPlace(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// unfinished is where a compaction in place makes its copy.
func unfinished(path string) string { return inPlace(path) + ".compacting" }

// removeUnfinished removes what a crash has left of a compaction. Who holds the lock of the file may do so. Where it cannot
// be removed, the next compaction will say so.
func removeUnfinished(path string) { _ = os.Remove(unfinished(path)) }

// createAs makes a file that calls itself by another name in errors: it will have that name when they matter.
func createAs(path, name string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		os.Remove(path)
		return nil, &os.PathError{Op: "dup", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// inherit gives a copy the rights and the owner of the file that it takes the place of: whoever compacts may be root.
func inherit(f *os.File, from os.FileInfo) error {
	if err := f.Chmod(from.Mode().Perm()); err != nil {
		return err
	}
	made, err := f.Stat()
	if err != nil {
		return err
	}
	own, ok := from.Sys().(*syscall.Stat_t)
	now, _ := made.Sys().(*syscall.Stat_t)
	if !ok || own.Uid == now.Uid && own.Gid == now.Gid {
		return nil
	}
	return f.Chown(int(own.Uid), int(own.Gid))
}
