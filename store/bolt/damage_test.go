package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// A specimen is a file with branches, leaves, long values, free pages and buckets inside their parent's
// leaf, and what it holds now and before its last commit.
type specimen struct {
	file      []byte
	now, then []store.Item
}

func newSpecimen(t testing.TB) specimen {
	t.Helper()
	path := filepath.Join(t.TempDir(), "specimen.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	commit := func(b store.Batch) {
		if err := s.Commit(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		commit(one(fmt.Sprintf("h/%04d", i), fmt.Sprintf("%0300d", i)))
	}
	for i := range 20 {
		commit(one(fmt.Sprintf("segment-%d/x", i), "small"))
		commit(store.Batch{Delete: []string{fmt.Sprintf("h/%04d", i*7)}})
	}
	commit(one("long/1", string(bytes.Repeat([]byte("long "), 3000))))
	commit(one("plain", "without a slash"))
	sp := specimen{then: items(t, s)}
	commit(one("h/9999", "the last"))
	sp.now = items(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := Check(path)
	if err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %q, %v", report.Problems, err)
	}
	if sp.file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	sp.file = sp.file[:report.usedEnd(t, path)]
	return sp
}

// usedEnd is where the space taken ahead begins; damage there harms nothing, so it would only dilute.
func (Report) usedEnd(t testing.TB, path string) int64 {
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var size int64
	if err := db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	return size
}

func items(t testing.TB, s *Store) (found []store.Item) {
	t.Helper()
	for item, err := range s.Scan(context.Background(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, item)
	}
	return found
}

// survive opens the damaged file: either it is called corrupt, or all that was there is there, up to the
// last commit or the one before, and it can be written.
func (sp specimen) survive(t testing.TB, file []byte) (opened bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		if !isCorrupt(err) {
			t.Fatalf("open = %v, want a *CorruptError", err)
		}
		return false
	}
	got := items(t, s)
	if len(file) > 0 && !same(got, sp.now) && !same(got, sp.then) {
		t.Errorf("%d items, want %d or %d, or they differ", len(got), len(sp.now), len(sp.then))
	}
	if err := s.Commit(context.Background(), one("h/5000", "after")); err != nil {
		t.Errorf("commit: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if report, err := Check(path); err != nil || len(report.Problems) > 0 {
		t.Errorf("check after a commit: %q, %v", report.Problems, err)
	}
	return true
}

func same(a, b []store.Item) bool {
	return slices.EqualFunc(a, b, func(a, b store.Item) bool {
		return a.Key == b.Key && a.Revision == b.Revision && bytes.Equal(a.Value, b.Value)
	})
}

func TestDamageIsNoticed(t *testing.T) {
	sp := newSpecimen(t)
	seed := rand.Uint64()
	t.Logf("seed %d, %d bytes", seed, len(sp.file))
	random := rand.New(rand.NewPCG(seed, 0))
	pages := len(sp.file) / 4096
	page := func(file []byte, i int) []byte { return file[i*4096:][:4096] }

	for _, test := range []struct {
		name  string
		times int
		harm  func(file []byte) []byte
	}{
		{"nothing", 1, func(f []byte) []byte { return f }},
		{"cut anywhere", 150, func(f []byte) []byte { return f[:random.IntN(len(f))] }},
		{"last page torn", 30, func(f []byte) []byte { clear(f[len(f)-1-random.IntN(4096):]); return f }},
		{"last page lost", 1, func(f []byte) []byte { return f[:len(f)-4096] }},
		{"longer", 10, func(f []byte) []byte { return append(f, make([]byte, random.IntN(9000))...) }},
		{"a bit flipped", 400, func(f []byte) []byte { f[random.IntN(len(f))] ^= 1 << random.IntN(8); return f }},
		{"a byte of a header", 300, func(f []byte) []byte {
			page(f, random.IntN(pages))[random.IntN(64)] = byte(random.IntN(256))
			return f
		}},
		{"a word of a header", 300, func(f []byte) []byte {
			head := page(f, random.IntN(pages))[random.IntN(16)*4:]
			native.PutUint32(head, uint32(random.IntN(2*pages)))
			return f
		}},
		{"a page zeroed", 60, func(f []byte) []byte { clear(page(f, random.IntN(pages))); return f }},
		{"a page in place of another", 60, func(f []byte) []byte {
			copy(page(f, random.IntN(pages)), page(f, random.IntN(pages)))
			return f
		}},
		{"garbage", 10, func(f []byte) []byte {
			for i := range f {
				f[i] = byte(random.Uint32())
			}
			return f[:random.IntN(len(f))]
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			opened := 0
			for range test.times {
				if sp.survive(t, test.harm(slices.Clone(sp.file))) {
					opened++
				}
			}
			t.Logf("%d of %d opened all the same", opened, test.times)
		})
	}
}

// A cycle would send bbolt down for ever, and a page outside of the map to its death.
func TestBranchesThatLeadAstray(t *testing.T) {
	sp := newSpecimen(t)
	branches := 0
	for i := 2; i < len(sp.file)/4096; i++ {
		if native.Uint16(sp.file[i*4096+8:]) != kindBranch {
			continue
		}
		branches++
		for _, to := range []uint64{0, uint64(i), uint64(i) + 1, uint64(len(sp.file)) / 4096, 1 << 40, ^uint64(0)} {
			file := slices.Clone(sp.file)
			native.PutUint64(file[i*4096+pageHeader+8:], to)
			sp.survive(t, file)
		}
	}
	if branches == 0 {
		t.Error("the specimen has no branches")
	}
}

// What our reader calls sound, bbolt's own check must call sound: else bbolt would fall where we said go.
func TestOurReaderIsNoMilderThanBolts(t *testing.T) {
	sp := newSpecimen(t)
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "x.db")
	sound := 0
	for range 300 {
		file := slices.Clone(sp.file)
		for range 1 + random.IntN(3) {
			file[random.IntN(len(file))] ^= 1 << random.IntN(8)
		}
		report, err := examine(file, 1, func(meta) bool { return false })
		if err != nil || len(report.Problems) > 0 {
			continue
		}
		sound++
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		_ = db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Errorf("bbolt says: %v", err)
			}
			return nil
		})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if sound == 0 {
		t.Error("no file was sound")
	}
}

// A file of another midwatch to come is neither damaged nor ours to touch.
func TestANewerFormatIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "midwatch.db")
	openAt(t, path, Options{}).Close()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(ownBucket)).Put([]byte(keyFormat), record(keyFormat, 0, []byte("2")))
	}), db.Close())
	if err != nil {
		t.Fatal(err)
	}
	_, aside, err := OpenOrSetAside(path, at, Options{})
	if !errors.Is(err, ErrNewer) || aside != "" {
		t.Errorf("open = %q, %v; want ErrNewer", aside, err)
	}
}

func FuzzOpen(f *testing.F) {
	sp := newSpecimen(f)
	f.Add(uint32(len(sp.file)), []byte{})
	f.Add(uint32(len(sp.file)/2), []byte{})
	f.Add(uint32(len(sp.file)), []byte{0, 0x10, 0x08, 4, 0, 0x20, 0x0a, 0xff})
	f.Fuzz(func(t *testing.T, size uint32, edits []byte) {
		file := slices.Clone(sp.file)
		for e := range slices.Chunk(edits, 4) {
			if len(e) == 4 { // an offset of three bytes, and what to flip there
				file[(int(e[0])<<16|int(e[1])<<8|int(e[2]))%len(file)] ^= e[3]
			}
		}
		sp.survive(t, file[:min(int(size), len(file))])
	})
}
