package bolt

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// quickCheck is up to how many bytes in use Open verifies the checksum of every record. Of a larger file only
// Check reads the values; the pages and their tally are gone over all the same, as bbolt does for the free ones.
const quickCheck = 256 << 20

// maxProblems is how many problems Check tells.
const maxProblems = 100

// A Report is what Check found.
type Report struct {
	Keys     int
	Bytes    int64    // of keys and values
	Revision int64    // of the last commit
	File     int64    // bytes of the file
	Used     int64    // of these, bytes that a compact file would have, more or less
	Problems []string // a sentence each, at most 100; none is a sound file
}

// Check goes over every page and every record of the file at path, and writes nothing. Its error is a file
// that cannot be opened, ErrInUse or ErrNewer; damage is among the problems.
func Check(path string) (Report, error) {
	f, err := acquire(path, os.O_RDONLY, -1)
	if err != nil {
		return Report{}, err
	}
	defer f.Close()
	return inspect(f, path, maxProblems, always)
}

func always(meta) bool { return true }

func quick(m meta) bool { return m.high*m.pageSize <= quickCheck }

// check is the one at start. A new file, which is empty, is sound.
func check(f *os.File, path string) error {
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return err
	}
	report, err := inspect(f, path, 1, quick)
	if err == nil && len(report.Problems) > 0 {
		err = &CorruptError{Path: path, Reason: report.Problems[0]}
	}
	return err
}

// inspect maps the file and examines it. A disk that cannot deliver the pages is a problem as well.
func inspect(f *os.File, path string, limit int, sums func(meta) bool) (report Report, err error) {
	info, err := f.Stat()
	if err != nil {
		return Report{}, err
	}
	if info.Size() == 0 {
		return Report{Problems: []string{"the file is empty"}}, nil
	}
	file, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return Report{}, fmt.Errorf("map %s: %w", path, err)
	}
	defer unix.Munmap(file)
	err = guarded(path, func() (err error) {
		report, err = examine(file, limit, sums)
		return err
	})
	if damage, ok := err.(*CorruptError); ok {
		report.Problems, err = append(report.Problems, damage.Reason), nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	report.File = info.Size()
	return report, err
}

// examine is the check itself; sums tells whether to verify the records. Its error is ErrNewer.
func examine(file []byte, limit int, sums func(meta) bool) (Report, error) {
	r, err := newReader(file, limit)
	if err != nil {
		return Report{Problems: []string{err.Error()}}, nil
	}
	var report Report
	var want, have tally
	buckets := make(map[string][]byte)
	names := []string(nil)
	r.tree(r.root, 0, nil, nil, func(name, value []byte, bucket bool) {
		if !bucket {
			r.problem("there is a value %q outside of all buckets", name)
			return
		}
		buckets[string(name)] = value
		names = append(names, string(name))
	})
	if own, ok := buckets[ownBucket]; ok {
		if report.Revision, want, err = r.own(own); err != nil {
			return report, err
		}
	} else if len(names) > 0 {
		r.problem("midwatch did not write this database")
	}
	verify := sums(r.meta)
	for _, name := range names {
		if name != ownBucket {
			r.records(name, buckets[name], verify, &report, &have)
		}
	}
	if have != want && len(r.problems) == 0 {
		r.problem("%d keys are there, and %d were written, or some are out of date", have.keys, want.keys)
	}
	report.Used = int64((r.pages + 2) * r.pageSize)
	report.Problems = r.problems
	return report, nil
}

// own reads what the file says about itself.
func (r *reader) own(bucket []byte) (revision int64, last tally, err error) {
	known := 0
	r.bucket(ownBucket, bucket, func(key, rec []byte, bucket bool) {
		switch {
		case bucket || !intact(rec, string(key)):
			r.problem("%q in the bucket %q does not have its checksum", key, ownBucket)
		case string(key) == keyLast:
			ok := false
			if last, ok = tallyOf(rec); ok {
				known++
			}
			revision = revisionOf(rec)
		case string(key) == keyFormat:
			known++
			if made := rec[recordHeader:]; string(made) != format {
				err = fmt.Errorf("%w: its format is %q, and %q is the latest known here; install that version, or restore an older snapshot", ErrNewer, made, format)
			}
		}
	})
	if known != 2 {
		r.problem("the format or the tally is missing")
	}
	return revision, last, err
}

// records reads one bucket of keys.
func (r *reader) records(name string, bucket []byte, verify bool, report *Report, have *tally) {
	segment := strings.IndexByte(name, '/') == len(name)-1
	if !segment && name != plainBucket {
		r.problem("there is a bucket %q, which midwatch did not write", name)
		return
	}
	r.bucket(name, bucket, func(rest, rec []byte, bucket bool) {
		key := prefix(name) + string(rest)
		own, _ := place(key)
		switch revision := revisionOf(rec); {
		case bucket:
			r.problem("there is a bucket in the bucket %q", name)
		case own != name:
			r.problem("the key %q is in the bucket %q", key, name)
		case revision < 1 || revision > report.Revision:
			r.problem("%q is at revision %d, and the last commit was %d", key, revision, report.Revision)
		case verify && !intact(rec, key):
			r.problem("the value of %q does not have its checksum", key)
		default:
			have.add(rec)
		}
		report.Keys++
		report.Bytes += int64(len(key) + max(0, len(rec)-recordHeader))
	})
}
