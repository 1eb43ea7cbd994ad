package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/midwatch/midwatch/store"
)

// ErrInUse is wrapped when another process holds the file's lock.
var ErrInUse = errors.New("in use by another midwatch")

// ErrNewer is wrapped when the file has a layout that a later midwatch made.
var ErrNewer = errors.New("written by a newer midwatch")

// A CorruptError is a file, or a part of it, that cannot be read.
type CorruptError struct {
	Path   string
	Reason string // what is wrong, for whoever repairs it
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is damaged: %s; restore a snapshot with `midwatch store restore`", e.Path, e.Reason)
}

// guarded runs f, which reads bbolt's pages. Where they are damaged bbolt panics, and where the disk cannot
// deliver them the kernel raises a fault: both become a *CorruptError.
func guarded(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{Path: path, Reason: fmt.Sprint(p)}
		}
	}()
	return f()
}

// noRoom are the errors after which the disk is as it was.
var noRoom = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EFBIG}

// classify turns an error of bbolt, or of the file below it, into store.ErrFull or store.ErrBroken.
//
// What bbolt v1.5.0 returns tells where it stopped. Writing a page is os.File.WriteAt, hence a
// *fs.PathError: the meta page still names the old root, so "no room" is harmless. fdatasync is a bare
// Errno: after it nobody knows what reached the disk, even if it says ENOSPC. Growing is Truncate with its
// type lost ("file resize error: truncate …: no space left on device"), then fsync ("file sync error: …").
func classify(err error) error {
	if err == nil {
		return nil
	}
	if isNoRoom(err) {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return fmt.Errorf("%w: %w", store.ErrBroken, err)
}

func isNoRoom(err error) bool {
	if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Op != "sync" {
		for _, errno := range noRoom {
			if errors.Is(path, errno) {
				return true
			}
		}
	}
	if text, found := strings.CutPrefix(err.Error(), "file resize error: "); found {
		for _, errno := range noRoom {
			if strings.HasSuffix(text, errno.Error()) {
				return true
			}
		}
	}
	return false
}
