package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// below are the keys under a prefix that are on the disk.
func (w *world) below(prefix string) (keys []string) {
	for key := range w.disk.all() {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// TestGroupsLieInTheOrderOfTheirComing: a new one stands behind all others, after a restart too, and one that is stored again
// stays where it is.
func TestGroupsLieInTheOrderOfTheirComing(t *testing.T) {
	w := newWorld(t, house(), 1)
	for i := range 3 {
		w.fire("alertname", "Lag", "team", "plain", "service", fmt.Sprint(i))
		w.run(time.Minute)
	}
	before := w.below(prefGroup)
	if len(before) == 0 {
		t.Fatal("no groups are stored")
	}
	w.crash(0)
	w.run(time.Minute)
	if got := w.below(prefGroup); !slices.Equal(got, before) {
		t.Errorf("after a restart they lie at %q, before at %q", got, before)
	}
	stored := len(w.e.core.groups.keys)
	w.fire("alertname", "Other", "team", "plain", "service", "new")
	w.run(time.Minute)
	after := w.below(prefGroup)
	if len(w.e.core.groups.keys) > stored && (len(after) <= len(before) || !slices.Equal(after[:len(before)], before)) {
		t.Errorf("a new group changed the places from %q to %q", before, after)
	}
	if logs := w.below(prefLog); len(logs) != len(w.e.core.logged.keys) {
		t.Errorf("%d entries of the log are stored, and %d known", len(logs), len(w.e.core.logged.keys))
	}
}

// TestGroupsOfAnEarlierVersion lie at their IDs. They stay there, are deleted there, and of two records of one group, which a
// version before this one leaves that ran after it, the last counts and the other goes.
func TestGroupsOfAnEarlierVersion(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "Lag", "team", "plain")
	w.run(time.Minute)
	keys := w.below(prefGroup)
	if len(keys) != 1 {
		t.Fatalf("groups lie at %q", keys)
	}
	item, err := w.disk.Get(ctx(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var g router.Group
	if err := decode("group", item.Value, &g); err != nil {
		t.Fatal(err)
	}
	old := prefGroup + g.ID
	if err := w.disk.Commit(ctx(), store.Batch{Put: []store.KeyValue{{Key: old, Value: item.Value}}}); err != nil {
		t.Fatal(err)
	}
	w.crash(0)
	w.run(time.Minute)
	if got := w.below(prefGroup); !slices.Equal(got, []string{old}) {
		t.Fatalf("of two records %q are left, want %q", got, old)
	}
	w.resolve("alertname", "Lag", "team", "plain")
	w.run(2 * time.Hour)
	if got := w.below(prefGroup); len(got) > 0 {
		t.Errorf("the group is over, and %q are left", got)
	}
}
