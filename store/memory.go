package store

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
)

// scanChunk is how many items Memory copies out at a time, so that a slow reader holds no lock.
const scanChunk = 256

// Memory is a Store that forgets: for tests, for the simulation, and for a daemon whose disk cannot be
// read but who must still page.
type Memory struct {
	mu       sync.RWMutex
	items    []Item // in order of key
	revision int64  // of the last commit that changed anything
	closed   bool
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

// Get returns the item at key, or ErrNotFound.
func (m *Memory) Get(ctx context.Context, key string) (Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.usable(ctx); err != nil {
		return Item{}, err
	}
	i, found := m.find(key)
	if !found {
		return Item{}, ErrNotFound
	}
	return m.items[i].clone(), nil
}

// Scan walks the keys in [from, to), in chunks; see Store.
func (m *Memory) Scan(ctx context.Context, from, to string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for from, more := from, true; more; {
			var items []Item
			var err error
			if items, more, err = m.chunk(ctx, from, to); err != nil {
				yield(Item{}, err)
				return
			}
			for _, item := range items {
				if err := ctx.Err(); err != nil {
					yield(Item{}, err)
					return
				}
				if !yield(item, nil) {
					return
				}
				from = item.Key + "\x00" // the very next key there can be
			}
		}
	}
}

func (m *Memory) chunk(ctx context.Context, from, to string) (items []Item, more bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.usable(ctx); err != nil {
		return nil, false, err
	}
	i, _ := m.find(from)
	for ; i < len(m.items) && (to == "" || m.items[i].Key < to); i++ {
		if len(items) == scanChunk {
			return items, true, nil
		}
		items = append(items, m.items[i].clone())
	}
	return items, false, nil
}

// Commit does all of b or nothing.
func (m *Memory) Commit(ctx context.Context, b Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	for _, c := range b.If {
		var now int64
		if i, found := m.find(c.Key); found {
			now = m.items[i].Revision
		}
		if now != c.Revision {
			return c.Conflict(now)
		}
	}
	if len(b.Put)+len(b.Delete) == 0 {
		return nil
	}
	m.revision++
	for _, kv := range b.Put {
		m.put(Item{Key: kv.Key, Value: kv.Value, Revision: m.revision}.clone())
	}
	for _, key := range b.Delete {
		if i, found := m.find(key); found {
			m.items = slices.Delete(m.items, i, i+1)
		}
	}
	return nil
}

// Lead returns at once: nobody else can write here.
func (m *Memory) Lead(ctx context.Context) (Lease, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Lease{}, m.usable(ctx)
}

// Close forgets everything.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.items = true, nil
	return nil
}

func (m *Memory) usable(ctx context.Context) error {
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *Memory) find(key string) (i int, found bool) {
	return slices.BinarySearchFunc(m.items, key, func(item Item, key string) int {
		return strings.Compare(item.Key, key)
	})
}

func (m *Memory) put(item Item) {
	i, found := m.find(item.Key)
	if found {
		m.items[i] = item
		return
	}
	m.items = slices.Insert(m.items, i, item)
}

// clone copies the value, and makes an absent one empty.
func (i Item) clone() Item {
	i.Value = append([]byte{}, i.Value...)
	return i
}
