package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/store"
)

// aKey is short, so that batches meet, and made of the bytes that matter to the order.
var aKey = rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "/", "-", "0", "\x00", "\xff"}), 1, 4).Draw(t, "key"), "")
})

var aValue = rapid.SliceOfN(rapid.Byte(), 0, 8)

// itBehavesLikeAMap commits random batches to the store and to a plain map; they must never differ.
func itBehavesLikeAMap(t *testing.T, s store.Store) {
	var newest int64 // no revision may be given out twice, across all runs on this store
	rapid.Check(t, func(t *rapid.T) {
		for part := range slices.Chunk(keys(scan(t, s, "", "")), store.MaxOps) {
			commit(t, s, store.Batch{Delete: part})
		}
		model := make(map[string]store.Item)
		for range rapid.IntRange(1, 8).Draw(t, "batches") {
			b := drawBatch(t, model)
			conflict := slices.ContainsFunc(b.If, func(c store.Condition) bool { return model[c.Key].Revision != c.Revision })
			err := s.Commit(t.Context(), b)
			if conflict != errors.Is(err, store.ErrConflict) || !conflict && err != nil {
				t.Fatalf("commit %v = %v, want conflict %v", b, err, conflict)
			}
			if !conflict {
				for _, kv := range b.Put {
					item := get(t, s, kv.Key)
					if item.Revision <= newest {
						t.Fatalf("%q is at revision %d, and there was %d", kv.Key, item.Revision, newest)
					}
					model[kv.Key] = store.Item{Key: kv.Key, Value: kv.Value, Revision: item.Revision}
				}
				for _, key := range b.Delete {
					delete(model, key)
				}
			}
			for _, item := range model {
				newest = max(newest, item.Revision)
			}
			compare(t, s, model, "", "")
		}
		compare(t, s, model, aKey.Draw(t, "from"), aKey.Draw(t, "to"))
	})
}

func drawBatch(t *rapid.T, model map[string]store.Item) (b store.Batch) {
	touched := rapid.SliceOfNDistinct(aKey, 1, 6, rapid.ID[string]).Draw(t, "touched")
	for _, key := range touched {
		if rapid.Bool().Draw(t, "put") {
			b.Put = append(b.Put, store.KeyValue{Key: key, Value: aValue.Draw(t, "value")})
		} else {
			b.Delete = append(b.Delete, key)
		}
	}
	known := slices.Sorted(maps.Keys(model))
	for _, key := range rapid.SliceOfN(rapid.SampledFrom(append(known, touched...)), 0, 3).Draw(t, "conditions") {
		c := store.Condition{Key: key, Revision: model[key].Revision}
		if rapid.IntRange(0, 5).Draw(t, "stale") == 0 {
			c.Revision++
		}
		b.If = append(b.If, c)
	}
	return b
}

func compare(t *rapid.T, s store.Store, model map[string]store.Item, from, to string) {
	var want []store.Item
	for _, key := range slices.Sorted(maps.Keys(model)) {
		if key >= from && (to == "" || key < to) {
			want = append(want, model[key])
		}
	}
	same := func(a, b store.Item) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Revision == b.Revision
	}
	if got := scan(t, s, from, to); !slices.EqualFunc(got, want, same) {
		t.Fatalf("scan [%q, %q)\n got %+v\nwant %+v", from, to, got, want)
	}
}
