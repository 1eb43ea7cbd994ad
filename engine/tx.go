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
const maxBytes = store.MaxBatch - 4096

var maxOps = store.MaxOps - 2 // fewer in tests, so that turns are cut into pieces

// A unit is what must be on disk together: all that one input or one wake-up led to. A nil value deletes its key.
type unit struct {
	order  []string
	values [][]byte       // of the keys in order
	places map[string]int // in order; nil while there are few
	size   int
}

// fewKeys are looked through faster than a map is made. Most units have no more.
const fewKeys = 16

func (u *unit) put(key string, value []byte) {
	i := u.find(key)
	if i < 0 {
		i = len(u.order)
		if i == 0 {
			u.order, u.values = make([]string, 0, 8), make([][]byte, 0, 8)
		}
		u.order, u.values = append(u.order, key), append(u.values, nil)
		u.size += len(key)
		switch {
		case u.places != nil:
			u.places[key] = i
		case len(u.order) > fewKeys:
			u.places = make(map[string]int, maxOps)
			for i, key := range u.order {
				u.places[key] = i
			}
		}
	}
	u.size += len(value) - len(u.values[i])
	u.values[i] = value
}

// find is the place of the key, or -1.
func (u *unit) find(key string) int {
	if u.places == nil {
		return slices.Index(u.order, key)
	}
	if i, known := u.places[key]; known {
		return i
	}
	return -1
}

// get is the value of the key; nil: there is none, or it is to be deleted.
func (u *unit) get(key string) []byte {
	if i := u.find(key); i >= 0 {
		return u.values[i]
	}
	return nil
}

// batches packs units, in order, into as few batches as the store's limits allow. A unit is never torn, unless it alone
// is past the limits. Then what is new goes first, then an incident's own two records, together, and what is deleted
// last: whatever a crash leaves of that is taken up again, under the same keys.
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
		if !cur.takes(&u) {
			flush()
		}
		if cur.takes(&u) {
			cur.add(&u)
			continue
		}
		for _, piece := range u.pieces() {
			if !cur.takes(&piece) {
				flush()
			}
			cur.add(&piece)
		}
		flush()
	}
	flush()
	return out
}

// takes reports whether the unit, as a batch, has room for another.
func (u *unit) takes(o *unit) bool {
	return len(u.order)+len(o.order) <= maxOps && u.size+o.size <= maxBytes
}

func (u *unit) add(o *unit) {
	for i, key := range o.order {
		u.put(key, o.values[i])
	}
}

// pieces are the smallest parts into which a unit may be torn, in order.
func (u *unit) pieces() []unit {
	var pieces []unit
	rank := func(key string) int {
		switch {
		case u.get(key) == nil:
			return 2
		case isRecord(key):
			return 1
		}
		return 0
	}
	keys := slices.Clone(u.order)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	last := 0 // the incident whose record came before
	for _, key := range keys {
		n := 0
		if rank(key) == 1 {
			n = owner(key)
		}
		if n == 0 || n != last {
			pieces = append(pieces, unit{})
		}
		last = n
		pieces[len(pieces)-1].put(key, u.get(key))
	}
	return pieces
}

func (u *unit) batch() store.Batch {
	b := store.Batch{Put: make([]store.KeyValue, 0, len(u.order))}
	for i, key := range u.order {
		if value := u.values[i]; value != nil {
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

// between are the keys of [from, to) in order; to == "" means to the last. A nil value is one to be deleted.
func (l *backlog) between(from, to string) []store.Item {
	var items []store.Item
	for i, key := range l.order {
		if key >= from && (to == "" || key < to) {
			items = append(items, store.Item{Key: key, Value: l.values[i]})
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int { return cmp.Compare(a.Key, b.Key) })
	return items
}

// batches are the backlog in an order in which it may be cut short: first alerts, groups and history, then one incident
// after the other with all that is its own.
func (l *backlog) batches() []store.Batch {
	own := map[int][]string{}
	var index, rest []unit
	one := func(keys ...string) (u unit) {
		for _, key := range keys {
			u.put(key, l.get(key))
		}
		return u
	}
	for _, key := range slices.Sorted(slices.Values(l.order)) {
		switch n := owner(key); {
		case n > 0:
			own[n] = append(own[n], key)
		case strings.HasPrefix(key, prefTimeline):
			index = append(index, one(key)) // before the events, as ever
		default:
			rest = append(rest, one(key))
		}
	}
	rest = append(index, rest...)
	for _, n := range slices.Sorted(maps.Keys(own)) {
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

// isRecord is about an incident's own two records.
func isRecord(key string) bool {
	return strings.HasPrefix(key, prefIncident) || strings.HasPrefix(key, prefLadder)
}
