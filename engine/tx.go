package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/midwatch/midwatch/incident"
	"github.com/midwatch/midwatch/store"
)

// Less than a store allows, so that the lease's condition always fits.
const (
	maxOps   = store.MaxOps - 2
	maxBytes = store.MaxBatch - 4096
)

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

// batches packs units, in order, into as few batches as the store's limits allow. A unit is never torn, unless it alone
// is past the limits. Then its last puts stay together, and the others go before: a unit ends with the records that
// hang together, and what is found without them after a crash does no harm.
func batches(units []unit) []store.Batch {
	var out []store.Batch
	var cur unit
	flush := func() {
		if len(cur.order) > 0 {
			out = append(out, cur.batch())
			cur = unit{}
		}
	}
	take := func(u unit, keys []string) {
		for _, key := range keys {
			if !cur.takes(key, u.puts[key]) {
				flush()
			}
			cur.put(key, u.puts[key])
		}
	}
	for _, u := range units {
		if len(cur.order)+len(u.order) > maxOps || cur.size+u.size > maxBytes {
			flush()
		}
		tail := u.tail()
		if tail > 0 {
			take(u, u.order[:tail])
			flush()
		}
		take(u, u.order[tail:])
	}
	flush()
	return out
}

// takes reports whether the unit, as a batch, has room for one more.
func (u *unit) takes(key string, value []byte) bool {
	return len(u.order) < maxOps && u.size+len(key)+len(value) <= maxBytes
}

// tail is where the longest end of the unit begins that fits into one batch; 0: all of it does.
func (u *unit) tail() int {
	size, n := 0, len(u.order)
	for n > 0 && len(u.order)-n < maxOps {
		key := u.order[n-1]
		if size += len(key) + len(u.puts[key]); size > maxBytes {
			break
		}
		n--
	}
	return n
}

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

// A backlog is what could not be written while the store was full: the last value of every key.
type backlog struct{ unit }

// maxBacklog is how many bytes are held back. Past that no alerts are taken in; people and ladders go on.
const maxBacklog = 256 << 20

func (l *backlog) add(b store.Batch) {
	for _, kv := range b.Put {
		l.put(kv.Key, kv.Value)
	}
	for _, key := range b.Delete {
		l.put(key, nil)
	}
}

func (l *backlog) empty() bool { return len(l.order) == 0 }

// get is the value held for a key; nil: none is, or it is to be deleted.
func (l *backlog) get(key string) []byte { return l.puts[key] }

// between are the keys of [from, to) in order; to == "" means to the last. A nil value is one to be deleted.
func (l *backlog) between(from, to string) []store.Item {
	var items []store.Item
	for key, value := range l.puts {
		if key >= from && (to == "" || key < to) {
			items = append(items, store.Item{Key: key, Value: value})
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int { return cmp.Compare(a.Key, b.Key) })
	return items
}

// batches are the backlog in an order in which it may be cut short: first alerts, groups and history, then one incident
// after the other with all that is its own.
func (l *backlog) batches() []store.Batch {
	own := map[int][]string{}
	var rest []unit
	one := func(keys ...string) (u unit) {
		for _, key := range keys {
			u.put(key, l.puts[key])
		}
		return u
	}
	for _, key := range slices.Sorted(maps.Keys(l.puts)) {
		if n := owner(key); n > 0 {
			own[n] = append(own[n], key)
		} else {
			rest = append(rest, one(key))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(own)) {
		slices.SortStableFunc(own[n], func(a, b string) int { return cmp.Compare(recordOf(a), recordOf(b)) })
		rest = append(rest, one(own[n]...))
	}
	return batches(rest)
}

// owner is the incident to whose state the key belongs; 0: to none.
func owner(key string) int {
	kind, rest, _ := strings.Cut(key, "/")
	rest, _, _ = strings.Cut(rest, "/")
	switch kind + "/" {
	case prefIncident, prefLadder, prefMember:
		n, _ := strconv.Atoi(rest)
		return n
	case prefDelivery:
		n, _ := incident.ParseID(rest)
		return n
	}
	return 0
}

// recordOf puts an incident's own two records last.
func recordOf(key string) int {
	if strings.HasPrefix(key, prefIncident) || strings.HasPrefix(key, prefLadder) {
		return 1
	}
	return 0
}
