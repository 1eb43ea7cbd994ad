package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/storetest"
)

// A restless store is compacted again and again by itself.
type restless struct {
	*Store
	stop context.CancelFunc
	done chan struct{}
}

func (r restless) Close() error {
	r.stop()
	err := r.Store.Close()
	<-r.done
	return err
}

// All that a store promises, it keeps while it is being compacted.
func TestACompactionBreaksNoPromise(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s := openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{NoSync: true})
		ctx, stop := context.WithCancel(context.Background())
		r := restless{s, stop, make(chan struct{})}
		go func() {
			defer close(r.done)
			for n := 0; ; n++ {
				_, err := s.Compact(ctx)
				switch {
				case errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled):
					return
				case err != nil:
					t.Errorf("compaction %d: %v", n, err)
					return
				}
			}
		}()
		return r
	})
}

// What a compaction leaves, in bytes and in content.
func TestCompactWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := filled(t, path, 3000)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	want := items(t, s)
	done, err := s.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done.Before.File < 3<<20 || done.After.File-done.After.Free > 64<<10 {
		t.Errorf("compaction %+v; ten values are left", done)
	}
	if got := items(t, s); !same(got, want) {
		t.Errorf("%d items, want %d, or they differ", len(got), len(want))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 || info.Size() != done.After.File {
		t.Errorf("the file is %+v, %v", info, err)
	}
	// The new file is the store: it is held, and commits go there.
	if _, err := Open(path, Options{LockTimeout: -1}); !errors.Is(err, ErrInUse) {
		t.Errorf("open = %v, want ErrInUse", err)
	}
	if err := s.Commit(t.Context(), one("h/next", "x")); err != nil {
		t.Fatal(err)
	}
	next := items(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path)
	if err != nil || len(report.Problems) > 0 || report.Keys != 11 {
		t.Errorf("check: %+v, %v", report, err)
	}
	if got := items(t, openAt(t, path, Options{})); !same(got, next) {
		t.Errorf("%d items after a restart, want %d, or they differ", len(got), len(next))
	}
	noCopyIsLeft(t, path)
}

func noCopyIsLeft(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(unfinished(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a copy is left: %v", err)
	}
}

// Commits between any two steps are in the copy, whatever they do to which keys.
func TestTheCopyHasWhatWasCommittedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{NoSync: true})
	aKey := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "a/", "b/", "b-/", "z/"}).Draw(t, "segment") + fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "n"))
	})
	unlocked := []string{"made", "copying", "copied", "caught up"}
	rapid.Check(t, func(t *rapid.T) {
		commit := func() {
			var b store.Batch
			for _, key := range rapid.SliceOfNDistinct(aKey, 0, 5, rapid.ID).Draw(t, "keys") {
				if rapid.Bool().Draw(t, "delete") {
					b.Delete = append(b.Delete, key)
				} else {
					value := make([]byte, rapid.SampledFrom([]int{0, 10, 5000, 300_000}).Draw(t, "bytes"))
					b.Put = append(b.Put, store.KeyValue{Key: key, Value: value})
				}
			}
			if err := s.Commit(context.Background(), b); err != nil && b.Check() == nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			commit()
		}
		var want []store.Item
		s.during = func(phase string) {
			if slices.Contains(unlocked, phase) {
				commit()
			}
			if phase == "sealed" {
				for item, err := range s.Scan(context.Background(), "", "") {
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, item)
				}
			}
		}
		if _, err := s.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.during = nil
		var got []store.Item
		for item, err := range s.Scan(context.Background(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, item)
		}
		if !same(got, want) {
			t.Fatalf("%d items, want %d, or they differ", len(got), len(want))
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(path); err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %q, %v", report.Problems, err)
	}
}

// Who reads the old file reads it to its end; who comes later is not held up by that.
func TestReadersFinishInTheOldFile(t *testing.T) {
	s := filled(t, filepath.Join(t.TempDir(), "midwatch.db"), 100)
	want := len(everything(s))
	reading, goOn := make(chan struct{}), make(chan struct{})
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	var all sync.WaitGroup
	all.Go(func() {
		f, err := os.Create(snapshot)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w := &slowWriter{f, reading, goOn, sync.Once{}}
		if _, err := s.WriteTo(w); err != nil {
			t.Error(err)
		}
	})
	<-reading
	s.during = func(phase string) {
		if phase != "switched" {
			return
		}
		// The old file is still being read.
		if err := s.Commit(context.Background(), one("h/later", "1")); err != nil {
			t.Error(err)
		}
		if _, err := s.Get(context.Background(), "h/later"); err != nil {
			t.Error(err)
		}
		if _, err := s.Compact(context.Background()); !errors.Is(err, ErrCompacting) {
			t.Errorf("a second compaction = %v, want ErrCompacting", err)
		}
		close(goOn)
	}
	if _, err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if report, err := Check(snapshot); err != nil || len(report.Problems) > 0 || report.Keys != want {
		t.Errorf("the snapshot: %+v, %v", report, err)
	}
}

// A slowWriter waits after its first write.
type slowWriter struct {
	f       *os.File
	reading chan struct{}
	goOn    chan struct{}
	once    sync.Once
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.reading); <-w.goOn })
	return w.f.Write(p)
}

// Whatever ends a compaction early, the store is as it was.
func TestAFailedCompactionChangesNothing(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		at   string
		do   func(t *testing.T, s *Store, cancel context.CancelFunc)
		want error
	}{
		"cancelled": {"copying", func(_ *testing.T, _ *Store, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"given up":  {"copied", func(_ *testing.T, s *Store, _ context.CancelFunc) { s.giveUp(stop) }, stop},
		"the disk is full for a commit": {"copied", func(_ *testing.T, s *Store, _ context.CancelFunc) {
			s.writing.Lock()
			s.makeRoom()
			s.writing.Unlock()
		}, store.ErrFull},
		"moved away": {"caught up", func(t *testing.T, s *Store, _ context.CancelFunc) {
			if err := os.Rename(s.path, s.path+".away"); err != nil {
				t.Error(err)
			}
		}, nil},
		"the copy cannot be renamed": {"synced", func(t *testing.T, s *Store, _ context.CancelFunc) {
			if err := os.Remove(unfinished(s.path)); err != nil {
				t.Error(err)
			}
		}, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "midwatch.db")
			s := filled(t, path, 100)
			want := items(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.during = func(phase string) {
				if phase == c.at {
					c.do(t, s, cancel)
				}
			}
			_, err := s.Compact(ctx)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, store.ErrBroken) {
				t.Errorf("compact = %v, want %v", err, c.want)
			}
			s.during = nil
			if got := items(t, s); !same(got, want) {
				t.Errorf("%d items, want %d, or they differ", len(got), len(want))
			}
			if err := s.Commit(t.Context(), one("h/next", "x")); err != nil {
				t.Error(err)
			}
			noCopyIsLeft(t, path)
			if _, err := os.Lstat(path + ".away"); err == nil {
				if err := os.Rename(path+".away", path); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Compact(t.Context()); err != nil {
				t.Errorf("the next compaction: %v", err)
			}
		})
	}
}

// Damage is not copied, and not lost either: the old file stays.
func TestADamagedStoreIsNotCompacted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := openAt(t, path, Options{NoSync: true})
	if err := s.Commit(t.Context(), one("a/1", strings.Repeat("here it is", 20))); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := strings.Index(string(file), "here it is"); at >= 0 && at < len(file); {
		if _, err := f.WriteAt([]byte("H"), int64(at)); err != nil {
			t.Fatal(err)
		}
		next := strings.Index(string(file[at+1:]), "here it is")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	if _, err := s.Compact(t.Context()); !isCorrupt(err) {
		t.Errorf("compact = %v, want a *CorruptError", err)
	}
	noCopyIsLeft(t, path)
}

func TestWhatACrashLeavesIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	s := filled(t, path, 20)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unfinished(path), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, path, Options{})
	noCopyIsLeft(t, path)
}

// A link stays a link.
func TestALinkedStoreIsCompactedWhereItIs(t *testing.T) {
	real, link := filepath.Join(t.TempDir(), "real.db"), filepath.Join(t.TempDir(), "midwatch.db")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	s := filled(t, link, 100)
	want := items(t, s)
	if _, err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Compact(link, link); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != real {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if got := items(t, openAt(t, link, Options{})); !same(got, want) {
		t.Errorf("%d items, want %d, or they differ", len(got), len(want))
	}
}

// Room is asked for before anything is made.
func TestACompactionAsksForRoomFirst(t *testing.T) {
	s := filled(t, filepath.Join(t.TempDir(), "midwatch.db"), 20)
	for free, want := range map[int64]error{7 << 20: store.ErrFull, 64 << 20: nil} {
		c := copier{s: s, path: s.path, free: func(string) (int64, error) { return free, nil }}
		if err := c.checkRoom(1 << 20); !errors.Is(err, want) {
			t.Errorf("with %d bytes free: %v, want %v", free, err, want)
		}
	}
}

func init() { parts["compactors"] = compactors }

// compactors are writers in a store that is compacted all the time. It stops where the phase is told to be met, if any, and
// prints its name.
func compactors(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	halt := os.Getenv(envHalt)
	s.during = func(phase string) {
		if phase == halt {
			fmt.Fprintf(os.Stdout, "at %s.\n", phase)
			select {}
		}
	}
	failed := make(chan error)
	for w := range crew {
		go func() { failed <- write(s, w) }()
	}
	go func() {
		for {
			if _, err := s.Compact(context.Background()); err != nil {
				failed <- err
			}
		}
	}()
	return <-failed
}

const envHalt = "MIDWATCH_STORE_HALT"

var phases = []string{"made", "copying", "copied", "caught up", "sealed", "synced", "renamed", "switched", "closed"}

// Nothing that was acknowledged is lost when the process is killed, in whatever phase of a compaction.
func TestKill9DuringACompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	var acked [crew]int
	for _, phase := range phases {
		t.Run(phase, func(t *testing.T) {
			t.Setenv(envHalt, phase)
			liveUntil(t, path, &acked, func(line string) bool { return line == "at "+phase+"." })
			inspectWreck(t, path, acked)
			noCopyIsLeft(t, path)
		})
	}
	t.Run("whenever it comes", func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for range shortRounds {
			n, left := 0, random.IntN(100)
			liveUntil(t, path, &acked, func(string) bool { n++; return n > left })
			inspectWreck(t, path, acked)
			noCopyIsLeft(t, path)
		}
	})
	t.Logf("%d commits acknowledged", acked[0]+acked[1]+acked[2]+acked[3])
}

// liveUntil starts the compactors, kills them when a line of theirs is the one, and notes all that arrived.
func liveUntil(t *testing.T, path string, acked *[crew]int, isIt func(line string) bool) {
	t.Helper()
	cmd := play(t, "compactors", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if isIt(lines.Text()) {
			_ = cmd.Process.Kill()
		}
		var w, i int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d.", &w, &i); err == nil {
			acked[w] = max(acked[w], i)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the compactors ended by themselves")
	}
}
