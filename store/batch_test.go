package store_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/store"
)

func TestCheckSaysWhatToDo(t *testing.T) {
	long := strings.Repeat("k", store.MaxKey+1)
	many := make([]store.Condition, store.MaxOps+1)
	for _, test := range []struct {
		b    store.Batch
		want string
	}{
		{store.Batch{}, ""},
		{store.Batch{If: []store.Condition{{Key: "a"}, {Key: "a", Revision: 2}}, Put: []store.KeyValue{{Key: "a"}}}, ""},
		{store.Batch{If: many}, "a batch of 129 operations: at most 128 are allowed; split it"},
		{store.Batch{Put: []store.KeyValue{{Key: "a", Value: make([]byte, store.MaxBatch)}}}, "a batch of 1048577 bytes: at most 1048576 are allowed; split it"},
		{store.Batch{Put: []store.KeyValue{{Key: "a"}}, Delete: []string{"a"}}, `delete "a": the batch touches this key twice`},
		{store.Batch{Put: []store.KeyValue{{}}}, "put: a key is empty"},
		{store.Batch{If: []store.Condition{{Key: "a", Revision: -1}}}, `condition on "a": revision -1 is below 0`},
		{store.Batch{Delete: []string{long}}, `delete "` + long[:32] + `"…: a key of 1025 bytes; at most 1024 are allowed`},
	} {
		got := ""
		if err := test.b.Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestPrefixIsExactlyThePrefix(t *testing.T) {
	some := rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'b', '/'}), 0, 3, -1)
	bytes := rapid.Custom(func(t *rapid.T) string {
		return some.Draw(t, "text") + strings.Repeat("\xff", rapid.IntRange(0, 2).Draw(t, "ff"))
	})
	rapid.Check(t, func(t *rapid.T) {
		p, key := bytes.Draw(t, "prefix"), bytes.Draw(t, "key")
		from, to := store.Prefix(p)
		in := key >= from && (to == "" || key < to)
		if in != strings.HasPrefix(key, p) {
			t.Fatalf("prefix %q is [%q, %q): %q in it is %v", p, from, to, key, in)
		}
	})
}

func TestFenceLeavesTheBatchAlone(t *testing.T) {
	conditions := make([]store.Condition, 1, 2)
	conditions[0] = store.Condition{Key: "a", Revision: 1}
	b := store.Batch{If: conditions}
	lease := store.NewLease(store.Condition{Key: "leader", Revision: 7}, nil)

	fenced := lease.Fence(b)
	if want := []store.Condition{{Key: "a", Revision: 1}, {Key: "leader", Revision: 7}}; !slices.Equal(fenced.If, want) {
		t.Errorf("fenced by %v, want %v", fenced.If, want)
	}
	if len(b.If) != 1 || conditions[:2][1].Key != "" {
		t.Errorf("the batch was changed: %v", conditions[:2])
	}
	if free := (store.Lease{}).Fence(b); len(free.If) != 1 {
		t.Errorf("the zero lease adds %v", free.If)
	}
}
