package bolt

import (
	"bytes"
	"context"
	"iter"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/midwatch/midwatch/store"
)

// What Scan reads in one transaction, whichever comes first.
const (
	scanItems = 512
	scanBytes = 1 << 20
)

// Scan walks the keys in [from, to) in order. It reads in chunks, each in a transaction of its own, and
// holds none while the body of the loop runs: a slow reader costs nobody anything. What that means for
// what it sees is told at store.Store.
func (s *Store) Scan(ctx context.Context, from, to string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for next, more := from, true; more; {
			items, rest, err := s.chunk(ctx, next, to)
			for _, item := range items {
				if err := ctx.Err(); err != nil {
					yield(store.Item{}, err)
					return
				}
				if !yield(item, nil) {
					return
				}
				next = item.Key + "\x00" // the very next key there can be
			}
			if err != nil {
				yield(store.Item{}, err)
				return
			}
			more = rest
		}
	}
}

func (s *Store) chunk(ctx context.Context, from, to string) (items []store.Item, more bool, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, false, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		size := 0
		for key, r := range walk(tx, from) {
			if to != "" && key >= to {
				return nil
			}
			if len(items) == scanItems || size >= scanBytes {
				more = true
				return nil
			}
			it, ok := item(key, r)
			if !ok {
				return s.damaged(key)
			}
			items = append(items, it)
			size += len(key) + len(r)
		}
		return nil
	})
	return items, more, err
}

// walk yields all keys at or above from, in order, each with its record, which is bbolt's own.
//
// The keys of a segment lie together, so the buckets follow one another. Only the keys without a slash lie
// between them, and are merged in.
func walk(tx *bbolt.Tx, from string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		var plain cursor
		if b := tx.Bucket([]byte(plainBucket)); b != nil {
			plain.seek(b, "", from)
		}
		buckets := tx.Cursor()
		for name, _ := buckets.Seek([]byte(firstBucket(from))); name != nil; name, _ = buckets.Next() {
			if name[len(name)-1] != '/' {
				continue
			}
			for plain.ok && plain.key < string(name) {
				if !yield(plain.key, plain.record) {
					return
				}
				plain.next()
			}
			segment, lower := string(name), ""
			if strings.HasPrefix(from, segment) {
				lower = from
			}
			var c cursor
			for c.seek(tx.Bucket(name), prefix(segment), lower); c.ok; c.next() {
				if !yield(c.key, c.record) {
					return
				}
			}
		}
		for ; plain.ok; plain.next() {
			if !yield(plain.key, plain.record) {
				return
			}
		}
	}
}

// firstBucket is the lowest name that a bucket with keys at or above from can have.
func firstBucket(from string) string {
	bucket, _ := place(from)
	if bucket == plainBucket {
		return from
	}
	return bucket
}

// A cursor is at one key of one bucket.
type cursor struct {
	*bbolt.Cursor
	prefix string
	key    string
	record []byte
	ok     bool
}

// seek goes to the first key of b at or above from.
func (c *cursor) seek(b *bbolt.Bucket, prefix, from string) {
	c.Cursor, c.prefix = b.Cursor(), prefix
	c.at(c.Cursor.Seek(bytes.TrimPrefix([]byte(from), []byte(prefix))))
}

func (c *cursor) next() { c.at(c.Cursor.Next()) }

func (c *cursor) at(rest, record []byte) {
	c.ok = rest != nil
	c.key, c.record = c.prefix+string(rest), record
}
