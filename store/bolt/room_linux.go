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
