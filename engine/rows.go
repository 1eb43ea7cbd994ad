package engine

import (
	"strconv"
	"strings"
)

// rows are the places of records whose names are long or hashes, numbered in the order in which they came. In the order of
// the names each of a turn's new groups would have a page of the disk of its own, written again as a whole for one record; in
// the order of their coming they share one.
//
// A record says whose it is, so it is found by reading all of them, at a start. Those of earlier versions have their names
// for keys, and keep them as long as they live.
type rows[K comparable] struct {
	prefix string
	keys   map[K]string
	last   uint64 // number of the newest
}

func newRows[K comparable](prefix string) rows[K] {
	return rows[K]{prefix: prefix, keys: map[K]string{}}
}

// place is where the record is stored. One that is not stored yet gets the next number.
func (r *rows[K]) place(name K) (key string) {
	key, known := r.keys[name]
	if !known {
		r.last++
		key = r.prefix + seqKey(r.last)
		r.keys[name] = key
	}
	return key
}

// leave is where the record was stored, which it is no longer to be; empty: nowhere.
func (r *rows[K]) leave(name K) (key string) {
	key = r.keys[name]
	delete(r.keys, name)
	return key
}

// found notes that a record was found at the key, reading all in their order. A record that was found before is older, and
// to be deleted; empty: there is none.
func (r *rows[K]) found(name K, key string) (older string) {
	if number := strings.TrimPrefix(key, r.prefix); len(number) == seqWidth {
		if n, err := strconv.ParseUint(number, 16, 64); err == nil {
			r.last = max(r.last, n)
		}
	}
	older = r.keys[name]
	r.keys[name] = key
	return older
}
