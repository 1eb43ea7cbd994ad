package bolt

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockRetry is how often a held lock is tried again.
const lockRetry = 50 * time.Millisecond

// acquire opens the file and locks it: for itself alone when writing, together with other readers
// otherwise. The lock is had before the first look inside: a file that another process writes looks torn.
// bbolt locks the same open file again, which changes nothing.
func acquire(path string, flag int, timeout time.Duration) (*os.File, error) {
	if timeout == 0 {
		timeout = LockTimeout
	}
	if flag&os.O_CREATE != 0 {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, openError(path, err)
		}
	}
	for end := time.Now().Add(timeout); ; {
		f, err := os.OpenFile(path, flag, 0o600)
		if err != nil {
			return nil, openError(path, err)
		}
		err = lock(f, flag&os.O_RDWR != 0, end)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%s is %w (pid %s); stop it or choose another --storage.path", path, ErrInUse, holder(f))
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if isStill(f, path) {
			return f, nil
		}
		f.Close() // it was set aside or replaced while we waited: what we locked is no longer there
	}
}

func lock(f *os.File, alone bool, end time.Time) error {
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case err != syscall.EWOULDBLOCK && err != syscall.EINTR:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case !time.Now().Before(end):
			return err
		}
		time.Sleep(lockRetry)
	}
}

func isStill(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// holder is the pid of who has locked f, from Linux's list of locks, or "unknown".
func holder(f *os.File) string {
	const unknown = "unknown"
	info, err := f.Stat()
	if err != nil {
		return unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	locks, err := os.Open("/proc/locks")
	if err != nil || !ok {
		return unknown
	}
	defer locks.Close()
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4242 fe:00:393233 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		inode := fields[5][strings.LastIndexByte(fields[5], ':')+1:]
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 && inode == strconv.FormatUint(uint64(stat.Ino), 10) {
			return strconv.Itoa(pid)
		}
	}
	return unknown
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return nil
}
