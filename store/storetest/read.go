package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/midwatch/midwatch/store"
)

func anAbsentKeyIsNotFound(t *testing.T, s store.Store) {
	commit(t, s, put("alert/1", "x"))
	for _, key := range []string{"", "alert", "alert/", "alert/10", "other/1", "zzz"} {
		if item, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %q = %v, %v; want ErrNotFound", key, item, err)
		}
	}
}

func anEmptyValueIsNotAbsent(t *testing.T, s store.Store) {
	commit(t, s, store.Batch{Put: []store.KeyValue{{Key: "nil"}, {Key: "a/empty", Value: []byte{}}}})

	for _, key := range []string{"nil", "a/empty"} {
		if item := get(t, s, key); item.Value == nil || len(item.Value) != 0 || item.Revision <= 0 {
			t.Errorf("get %q = %#v, want an empty value with a revision", key, item)
		}
	}
	if got, want := contents(t, s), []string{"a/empty=", "nil="}; !slices.Equal(got, want) {
		t.Errorf("scan = %q, want %q", got, want)
	}
	err := s.Commit(t.Context(), store.Batch{If: []store.Condition{{Key: "nil", Revision: 0}}})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("an empty value passes as absent: %v", err)
	}
}

func valuesAreCopies(t *testing.T, s store.Store) {
	given := []byte("as given")
	commit(t, s, store.Batch{Put: []store.KeyValue{{Key: "h/1", Value: given}}})

	clear(given)
	clear(get(t, s, "h/1").Value)
	for _, item := range scan(t, s, "", "") {
		clear(item.Value)
		_ = append(item.Value, "more"...)
	}

	if got := get(t, s, "h/1"); string(got.Value) != "as given" {
		t.Errorf("value is %q after its copies were changed", got.Value)
	}
}

func anyBytesAreKept(t *testing.T, s store.Store) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	key := string(all)
	commit(t, s, put(key, key))
	if got := get(t, s, key); got.Key != key || !bytes.Equal(got.Value, all) {
		t.Errorf("got %q = %q", got.Key, got.Value)
	}
}

// odd are keys in byte order, of those that a clever layout gets wrong.
var odd = []string{
	"\x00", "\x00/", "\x00/\x00", "!", "/", "/\x00", "//", "//a", "/a", "0/1",
	"a", "a\x00", "a\x00/1", "a-x", "a-x/1", "a.", "a/", "a/\x00", "a//", "a/1", "a/1/2", "a/10", "a/2", "a/\xff",
	"a0", "a0/1", "ab", "ab/1", "b", "b/", "midwatch", "midwatch/format", "plain", "plain/1",
	"é/1", "日/1", "\xff", "\xff/", "\xff/1", "\xff\xff", "\xff\xff/\xff",
}

func fillOdd(t *testing.T, s store.Store) {
	t.Helper()
	if !slices.IsSorted(odd) {
		t.Fatal("the odd keys are not in order")
	}
	for i := range odd {
		key := odd[(i*17)%len(odd)] // 41 keys: every one, in no order
		commit(t, s, put(key, key))
	}
}

func scanFollowsTheBytesOfTheKeys(t *testing.T, s store.Store) {
	fillOdd(t, s)
	for _, item := range scan(t, s, "", "") {
		if string(item.Value) != item.Key {
			t.Errorf("%q has the value of %q", item.Key, item.Value)
		}
		if one := get(t, s, item.Key); one.Revision != item.Revision {
			t.Errorf("%q is at revision %d when scanned, %d when got", item.Key, item.Revision, one.Revision)
		}
	}
	if got := keys(scan(t, s, "", "")); !slices.Equal(got, odd) {
		t.Errorf("scan\n got %q\nwant %q", got, odd)
	}
}

func scanIsHalfOpen(t *testing.T, s store.Store) {
	fillOdd(t, s)
	bounds := slices.Concat([]string{"", "a/1\x00", "aa", "a/3", "zz", "\xff\xff\xff"}, odd)
	for _, from := range bounds {
		for _, to := range bounds {
			var want []string
			for _, key := range odd {
				if key >= from && (to == "" || key < to) {
					want = append(want, key)
				}
			}
			if got := keys(scan(t, s, from, to)); !slices.Equal(got, want) {
				t.Fatalf("scan [%q, %q)\n got %q\nwant %q", from, to, got, want)
			}
		}
	}
}

func aPrefixStopsAtItsNeighbours(t *testing.T, s store.Store) {
	fillOdd(t, s)
	for _, test := range []struct {
		prefix string
		want   []string
	}{
		{"a/", []string{"a/", "a/\x00", "a//", "a/1", "a/1/2", "a/10", "a/2", "a/\xff"}},
		{"a/1", []string{"a/1", "a/1/2", "a/10"}},
		{"a/\xff", []string{"a/\xff"}},
		{"\xff", []string{"\xff", "\xff/", "\xff/1", "\xff\xff", "\xff\xff/\xff"}},
		{"nobody/", nil},
		{"", odd},
	} {
		from, to := store.Prefix(test.prefix)
		if got := keys(scan(t, s, from, to)); !slices.Equal(got, test.want) {
			t.Errorf("prefix %q\n got %q\nwant %q", test.prefix, got, test.want)
		}
	}
}

// many puts n keys under "h/", in order, and returns them.
func many(t *testing.T, s store.Store, n int) []string {
	t.Helper()
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("h/%06d", i))
	}
	for part := range slices.Chunk(all, store.MaxOps) {
		var b store.Batch
		for _, key := range part {
			b.Put = append(b.Put, store.KeyValue{Key: key, Value: bytes.Repeat([]byte(key), 50)})
		}
		commit(t, s, b)
	}
	return all
}

func aLongScanMissesNothing(t *testing.T, s store.Store) {
	want := many(t, s, 5000)
	if got := keys(scan(t, s, "", "")); !slices.Equal(got, want) {
		t.Errorf("scan finds %d keys, want %d", len(got), len(want))
	}
	if got := keys(scan(t, s, want[1], want[4999])); !slices.Equal(got, want[1:4999]) {
		t.Errorf("scan finds %d keys, want %d", len(got), 4998)
	}
}

func aScanCanBeLeftAndRepeated(t *testing.T, s store.Store) {
	many(t, s, 3)
	all := s.Scan(t.Context(), "", "")
	for range 2 {
		for item, err := range all {
			if err != nil || item.Key != "h/000000" {
				t.Errorf("first is %q, %v", item.Key, err)
			}
			break
		}
	}
	commit(t, s, store.Batch{Delete: []string{"h/000001"}})
	var got []string
	for item := range all {
		got = append(got, item.Key)
	}
	if want := []string{"h/000000", "h/000002"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func aScanMayCommit(t *testing.T, s store.Store) {
	all := many(t, s, 2000)
	for item, err := range s.Scan(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if item.Key[0] == 'h' {
			commit(t, s, store.Batch{Put: []store.KeyValue{{Key: "a" + item.Key, Value: item.Value}}, Delete: []string{item.Key}})
		}
	}
	if got := scan(t, s, "", ""); len(got) != len(all) || got[0].Key != "a"+all[0] {
		t.Errorf("%d keys from %q on, want all %d moved", len(got), got[0].Key, len(all))
	}
}

// While others come and go, keys that stay are seen once each, in order.
func aScanIsSteadyAmongCommits(t *testing.T, s store.Store) {
	stay := many(t, s, 2000)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ctx.Err() == nil; i++ {
			key := stay[i*7919%len(stay)] + "/guest"
			_ = s.Commit(ctx, put(key, "here"))
			_ = s.Commit(ctx, store.Batch{Delete: []string{key}})
		}
	}()
	for range 5 {
		var got []string
		last := ""
		for item, err := range s.Scan(t.Context(), "", "") {
			if err != nil {
				t.Errorf("scan: %v", err)
			}
			if item.Key <= last {
				t.Errorf("%q comes after %q", item.Key, last)
			}
			last = item.Key
			if len(item.Key) == len(stay[0]) {
				got = append(got, item.Key)
			}
		}
		if !slices.Equal(got, stay) {
			t.Errorf("scan finds %d of the %d keys that stay", len(got), len(stay))
		}
	}
	stop()
	<-stopped
}
