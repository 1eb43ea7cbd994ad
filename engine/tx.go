package engine

import (
	"maps"
	"slices"

	"github.com/midwatch/midwatch/store"
)

// Fewer operations than a store allows, so that the lease's condition always fits.
const maxOps = store.MaxOps - 2

// A unit is what must be on disk together: all that one input or one wake-up led to. A nil value deletes its key.
type unit struct {
	puts  map[string][]byte
	order []string
	size  int
}

func (u *unit) put(key string, value []byte) {
	if u.puts == nil {
		u.puts = map[string][]byte{}
	}
	old, known := u.puts[key]
	if !known {
		u.order = append(u.order, key)
		u.size += len(key)
	}
	u.size += len(value) - len(old)
	u.puts[key] = value
}

// batches packs units, in order, into as few batches as the store's limits allow. A unit is never torn, unless it
// alone is past the limits: then its keys go in the order in which they were put.
func batches(units []unit) []store.Batch {
	var out []store.Batch
	var cur unit
	flush := func() {
		if len(cur.order) > 0 {
			out = append(out, cur.batch())
			cur = unit{}
		}
	}
	for _, u := range units {
		if len(cur.order)+len(u.order) > maxOps || cur.size+u.size > maxBytes {
			flush()
		}
		for _, key := range u.order {
			if len(cur.order) >= maxOps || cur.size+len(key)+len(u.puts[key]) > maxBytes {
				flush()
			}
			cur.put(key, u.puts[key])
		}
	}
	flush()
	return out
}

const maxBytes = store.MaxBatch - 4096

func (u *unit) batch() store.Batch {
	var b store.Batch
	for _, key := range u.order {
		if value := u.puts[key]; value != nil {
			b.Put = append(b.Put, store.KeyValue{Key: key, Value: value})
		} else {
			b.Delete = append(b.Delete, key)
		}
	}
	return b
}

// backlog is what could not be written while the store was full: the last value of every key, in the order of keys.
type backlog struct{ unit }

func (l *backlog) add(b store.Batch) {
	for _, kv := range b.Put {
		l.put(kv.Key, kv.Value)
	}
	for _, key := range b.Delete {
		l.put(key, nil)
	}
}

func (l *backlog) empty() bool { return len(l.order) == 0 }

func (l *backlog) batches() []store.Batch {
	return batches([]unit{{l.puts, slices.Sorted(maps.Keys(l.puts)), l.size}})
}
