package bolt

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// appendFill is how full bbolt leaves a page behind it in a bucket that only grows at its end: nothing will
// be inserted there any more. Elsewhere it is half, bbolt's default.
const appendFill = 0.95

// A writer applies batches to one transaction, in order.
type writer struct {
	tx       *bbolt.Tx
	own      *bbolt.Bucket
	buckets  map[string]*target
	revision int64 // of the last commit
	tally    tally
	dirty    bool   // there is something to commit
	records  []byte // holds what is being put, until the transaction has ended
}

// mostKept is how many bytes are kept for the next transaction's records.
const mostKept = 2 << 20

// A target is a bucket being written.
type target struct {
	*bbolt.Bucket
	last    []byte // its greatest key when the transaction began
	inserts bool   // something was put below last
}

func newWriter(tx *bbolt.Tx) *writer {
	w := &writer{tx: tx, own: tx.Bucket([]byte(ownBucket)), buckets: make(map[string]*target)}
	last := w.own.Get([]byte(keyLast))
	w.revision = revisionOf(last)
	w.tally, _ = tallyOf(last)
	return w
}

// apply does b, or returns the condition that does not hold as conflict. err is bbolt's.
func (w *writer) apply(b store.Batch) (conflict, err error) {
	for _, c := range b.If {
		if now := w.revisionAt(c.Key); now != c.Revision {
			return c.Conflict(now), nil
		}
	}
	if len(b.Put)+len(b.Delete) == 0 {
		return nil, nil
	}
	w.revision++
	w.dirty = true
	for _, kv := range b.Put {
		if err := w.put(kv); err != nil {
			return nil, fmt.Errorf("put %q: %w", kv.Key, err)
		}
	}
	for _, key := range b.Delete {
		if err := w.delete(key); err != nil {
			return nil, fmt.Errorf("delete %q: %w", key, err)
		}
	}
	return nil, nil
}

// finish writes what the transaction as a whole leaves behind.
func (w *writer) finish() error {
	for _, t := range w.buckets {
		if t != nil && !t.inserts {
			t.FillPercent = appendFill
		}
	}
	return w.own.Put([]byte(keyLast), w.tally.record(w.revision))
}

func (w *writer) revisionAt(key string) int64 {
	name, rest := place(key)
	if t := w.bucket(name); t != nil {
		return revisionOf(t.Get([]byte(rest)))
	}
	return 0
}

func (w *writer) put(kv store.KeyValue) error {
	from := len(w.records)
	w.records = appendRecord(w.records, kv.Key, w.revision, kv.Value)
	return w.set(kv.Key, w.records[from:len(w.records):len(w.records)])
}

// set puts the record r, which must not change until the transaction has ended.
func (w *writer) set(key string, r []byte) error {
	name, rest := place(key)
	t := w.bucket(name)
	if t == nil {
		b, err := w.tx.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		t = &target{Bucket: b}
		w.buckets[name] = t
	}
	k := []byte(rest)
	t.inserts = t.inserts || bytes.Compare(k, t.last) <= 0
	w.tally.remove(t.Get(k))
	w.tally.add(r)
	return t.Put(k, r)
}

func (w *writer) delete(key string) error {
	name, rest := place(key)
	if t := w.bucket(name); t != nil {
		w.tally.remove(t.Get([]byte(rest)))
		return t.Delete([]byte(rest))
	}
	return nil
}

// bucket is nil if there is no such bucket.
func (w *writer) bucket(name string) *target {
	if t, known := w.buckets[name]; known {
		return t
	}
	var t *target
	if b := w.tx.Bucket([]byte(name)); b != nil {
		last, _ := b.Cursor().Last()
		t = &target{Bucket: b, last: bytes.Clone(last)}
	}
	w.buckets[name] = t
	return t
}
