package bolt

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func fallocate(f *os.File, off, n int64, keep bool) error {
	var mode uint32
	if keep {
		mode = unix.FALLOC_FL_KEEP_SIZE
	}
	for {
		if err := unix.Fallocate(int(f.Fd()), mode, off, n); err != syscall.EINTR {
			return err
		}
	}
}

// freeRoom is how many bytes the disk of a directory has left for us.
func freeRoom(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(st.Bavail) * st.Bsize, nil
}
