package store

import "fmt"

// The bounds of one Batch: what etcd takes at its defaults, kept by every backend, so that what works on
// one works on all.
const (
	MaxOps   = 128     // conditions, puts and deletes together; the lease's condition counts as one
	MaxBatch = 1 << 20 // bytes of all keys and values
	MaxKey   = 1 << 10 // bytes of one key
)

// A Batch is what one Commit does. It is data: it can be logged, replayed, and made to fail. A batch of
// conditions alone only judges them; an empty one does nothing.
type Batch struct {
	If     []Condition // all must hold before anything is done, or ErrConflict
	Put    []KeyValue  // replaces what was there
	Delete []string    // deleting an absent key is no error
}

// A Condition holds while the key has this revision. Revision 0: while the key is absent.
type Condition struct {
	Key      string
	Revision int64
}

// Conflict is the error of a Commit that found the key at another revision: ErrConflict, with both.
func (c Condition) Conflict(now int64) error {
	return fmt.Errorf("%w: %q is at revision %d, not %d", ErrConflict, c.Key, now, c.Revision)
}

// A KeyValue is a value to be stored. A nil Value is an empty one.
type KeyValue struct {
	Key   string
	Value []byte
}

// Check reports the first bound that b breaks: more than MaxOps operations, more than MaxBatch bytes, an
// empty or overlong key, a key twice among Put and Delete. Every backend calls it before anything else.
func (b Batch) Check() error {
	if n := len(b.If) + len(b.Put) + len(b.Delete); n > MaxOps {
		return fmt.Errorf("a batch of %d operations: at most %d are allowed; split it", n, MaxOps)
	}
	if n := b.Size(); n > MaxBatch {
		return fmt.Errorf("a batch of %d bytes: at most %d are allowed; split it", n, MaxBatch)
	}
	for _, c := range b.If {
		if err := checkKey("condition", c.Key); err != nil {
			return err
		}
		if c.Revision < 0 {
			return fmt.Errorf("condition on %q: revision %d is below 0", c.Key, c.Revision)
		}
	}
	touched := make(map[string]bool, len(b.Put)+len(b.Delete))
	for _, kv := range b.Put {
		if err := checkOnce(touched, "put", kv.Key); err != nil {
			return err
		}
	}
	for _, key := range b.Delete {
		if err := checkOnce(touched, "delete", key); err != nil {
			return err
		}
	}
	return nil
}

// Size is the bytes of all keys and values of b.
func (b Batch) Size() int {
	n := 0
	for _, c := range b.If {
		n += len(c.Key)
	}
	for _, kv := range b.Put {
		n += len(kv.Key) + len(kv.Value)
	}
	for _, key := range b.Delete {
		n += len(key)
	}
	return n
}

func checkOnce(touched map[string]bool, verb, key string) error {
	if err := checkKey(verb, key); err != nil {
		return err
	}
	if touched[key] {
		return fmt.Errorf("%s %q: the batch touches this key twice", verb, key)
	}
	touched[key] = true
	return nil
}

func checkKey(verb, key string) error {
	switch n := len(key); {
	case n == 0:
		return fmt.Errorf("%s: a key is empty", verb)
	case n > MaxKey:
		return fmt.Errorf("%s %q…: a key of %d bytes; at most %d are allowed", verb, key[:32], n, MaxKey)
	}
	return nil
}
