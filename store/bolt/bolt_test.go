package bolt

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/midwatch/midwatch/store"
	"github.com/midwatch/midwatch/store/storetest"
)

func TestBolt(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return openAt(t, filepath.Join(t.TempDir(), "midwatch.db"), Options{NoSync: true})
	})
}

func TestBoltIsDurable(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Store {
		return openAt(t, filepath.Join(dir, "midwatch.db"), Options{})
	})
}

// openAt opens the store and, when the test is over, closes it.
func openAt(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func one(key, value string) store.Batch {
	return store.Batch{Put: []store.KeyValue{{Key: key, Value: []byte(value)}}}
}

// everything is all keys, or the error in their place.
func everything(s *Store) (found []string) {
	for item, err := range s.Scan(context.Background(), "", "") {
		if err != nil {
			return append(found, err.Error())
		}
		found = append(found, item.Key)
	}
	return found
}
