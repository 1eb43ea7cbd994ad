package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/midwatch/midwatch/store"
)

// /dev/null takes every write and cannot sync. A failed sync is never tried again: the kernel may have
// dropped the pages, and would now say that all is well.
func TestAFailedSyncIsForEver(t *testing.T) {
	s, path := warm(t)
	undo := becomes(t, s, "/dev/null")

	first := s.Commit(t.Context(), one("a", "2"))
	if !errors.Is(first, store.ErrBroken) || errors.Is(first, store.ErrFull) {
		t.Errorf("commit without a sync = %v, want ErrBroken", first)
	}
	undo()
	if second := s.Commit(t.Context(), one("a", "3")); !errors.Is(second, store.ErrBroken) {
		t.Errorf("commit when the disk is well again = %v, want ErrBroken", second)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := openAt(t, path, Options{})
	if got, err := next.Get(t.Context(), "a"); err != nil || string(got.Value) != "1" {
		t.Errorf("after a restart a = %q, %v", got.Value, err)
	}
}

// /dev/full has no room for any write, and that harms nothing.
func TestARefusedWriteIsNot(t *testing.T) {
	s, _ := warm(t)
	undo := becomes(t, s, "/dev/full")
	if err := s.Commit(t.Context(), one("a", "2")); !errors.Is(err, store.ErrFull) {
		t.Errorf("commit = %v, want ErrFull", err)
	}
	if got, err := s.Get(t.Context(), "a"); err != nil || string(got.Value) != "1" {
		t.Errorf("a = %q, %v", got.Value, err)
	}
	undo()
	if err := s.Commit(t.Context(), one("a", "3")); err != nil {
		t.Errorf("commit when there is room again = %v", err)
	}
}

func TestAWriteErrorIsBroken(t *testing.T) {
	s, _ := warm(t)
	becomes(t, s, "/proc/self/stat") // opened for reading: EBADF
	if err := s.Commit(t.Context(), one("a", "2")); !errors.Is(err, store.ErrBroken) {
		t.Errorf("commit = %v, want ErrBroken", err)
	}
}

// Somebody cuts the file under our feet: the kernel's fault must not take the process along.
func TestAPageThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{})
	for i := range 100 {
		if err := s.Commit(t.Context(), one(fmt.Sprintf("h/%03d", i), string(make([]byte, 500)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "h/050"); !isCorrupt(err) {
		t.Errorf("get = %v, want a *CorruptError", err)
	}
	for _, err := range s.Scan(t.Context(), "", "") {
		if !isCorrupt(err) {
			t.Errorf("scan = %v, want a *CorruptError", err)
		}
	}
	if err := s.Commit(t.Context(), one("h/050", "x")); !errors.Is(err, store.ErrBroken) {
		t.Errorf("commit = %v, want ErrBroken", err)
	}
}

func TestClassify(t *testing.T) {
	path := func(op string, errno syscall.Errno) error { return &fs.PathError{Op: op, Path: "/x", Err: errno} }
	for _, test := range []struct {
		err  error
		want error
	}{
		{nil, nil},
		{path("write", syscall.ENOSPC), store.ErrFull},
		{path("write", syscall.EDQUOT), store.ErrFull},
		{path("write", syscall.EFBIG), store.ErrFull},
		{path("open", syscall.EROFS), store.ErrFull},
		{path("fallocate", syscall.ENOSPC), store.ErrFull},
		{fmt.Errorf("file resize error: %s", path("truncate", syscall.EFBIG)), store.ErrFull},
		{path("write", syscall.EIO), store.ErrBroken},
		{syscall.ENOSPC, store.ErrBroken}, // fdatasync
		{syscall.EIO, store.ErrBroken},
		{path("sync", syscall.ENOSPC), store.ErrBroken},
		{fmt.Errorf("file sync error: %s", path("sync", syscall.ENOSPC)), store.ErrBroken},
		{fmt.Errorf("mmap allocate error: %s", syscall.ENOMEM), store.ErrBroken},
	} {
		if got := classify(test.err); !errors.Is(got, test.want) {
			t.Errorf("classify(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}

// warm returns a store with "a" = "1" and free pages, so that the next commit need not grow the file.
func warm(t *testing.T) (*Store, string) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{})
	for range 5 {
		if err := s.Commit(t.Context(), one("a", "1")); err != nil {
			t.Fatal(err)
		}
	}
	return s, path
}

// becomes puts another file under the store's descriptor, until undone.
func becomes(t *testing.T, s *Store, other string) (undo func()) {
	t.Helper()
	fd := int(s.file.Fd())
	real, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	flag := os.O_RDWR
	if other == "/proc/self/stat" {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(other, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dup := func(from int) {
		if err := unix.Dup3(from, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	dup(int(f.Fd()))
	undone := false
	undo = func() {
		if !undone {
			undone = true
			dup(real)
			unix.Close(real)
		}
	}
	t.Cleanup(undo)
	return undo
}
