package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/store"
)

// anyUnits are units as turns make them, now and then far too large.
var anyUnits = rapid.Custom(func(t *rapid.T) []unit {
	units := make([]unit, rapid.IntRange(0, 12).Draw(t, "units"))
	for i := range units {
		n := rapid.SampledFrom([]int{0, 1, 3, 10, 60, 200, 400}).Draw(t, "puts")
		for j := range n {
			key := fmt.Sprintf("event/%04d", rapid.IntRange(0, 500).Draw(t, "key"))
			size := rapid.SampledFrom([]int{0, 1, 100, 5000, 300_000}).Draw(t, "size")
			if n > 60 {
				size %= 1000
			}
			var value []byte // nil deletes
			if rapid.IntRange(0, 3).Draw(t, "delete") > 0 {
				value = make([]byte, size)
				copy(value, fmt.Sprint(i, "/", j))
			}
			units[i].put(key, value)
		}
		if rapid.Bool().Draw(t, "an incident") {
			units[i].put(prefLadder+num(i+1), []byte("ladder"))
			units[i].put(prefIncident+num(i+1), []byte("incident"))
		}
	}
	return units
})

func TestBatchesKeepUnitsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := anyUnits.Draw(t, "units")
		all := batches(units)
		got, in := map[string]string{}, map[string][]int{}
		for n, b := range all {
			if len(b.Put)+len(b.Delete) == 0 {
				t.Fatalf("batch %d is empty", n)
			}
			if ops := len(b.Put) + len(b.Delete); ops > maxOps || b.Size() > maxBytes {
				t.Fatalf("batch %d has %d operations and %d bytes", n, ops, b.Size())
			}
			if err := b.Check(); err != nil {
				t.Fatalf("batch %d: %v", n, err)
			}
			for _, kv := range b.Put {
				got[kv.Key] = string(kv.Value)
				in[kv.Key] = append(in[kv.Key], n)
			}
			for _, key := range b.Delete {
				delete(got, key)
				in[key] = append(in[key], n)
			}
		}
		want := map[string]string{}
		for i, u := range units {
			for _, key := range u.order {
				if u.get(key) == nil {
					delete(want, key)
				} else {
					want[key] = string(u.get(key))
				}
			}
			if len(u.order) <= maxOps && u.size <= maxBytes {
				common := map[int]int{}
				for _, key := range u.order {
					for _, n := range in[key] {
						common[n]++
					}
				}
				whole := len(u.order) == 0
				for _, n := range common {
					whole = whole || n == len(u.order)
				}
				if !whole {
					t.Fatalf("unit %d of %d keys is torn: %v", i, len(u.order), common)
				}
			}
			if a, b := in[prefLadder+num(i+1)], in[prefIncident+num(i+1)]; !slices.Equal(a, b) {
				t.Fatalf("incident %d is in batches %v, its ladder in %v", i+1, b, a)
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%s", firstDifference(got, want))
		}
	})
}

// TestABacklogIsWhatWasHeldBack: applied to what was on the disk before, it makes what would be there, in any state of
// catching up it can be cut short without tearing an incident, and what is laid over the disk reads the same.
func TestABacklogIsWhatWasHeldBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, full := newDisk(), newDisk()
		var l backlog
		for i, b := range batches(anyUnits.Draw(t, "units")) {
			if err := want.Commit(ctx(), b); err != nil {
				t.Fatal(err)
			}
			if i < 3 {
				_ = full.Commit(ctx(), b)
			} else {
				l.add(b)
			}
		}
		e := &Engine{store: full, unsaved: l}
		laid := map[string]string{}
		last := ""
		for item, err := range e.scan(ctx(), "", "") {
			if err != nil || item.Key <= last {
				t.Fatal(item.Key, last, err)
			}
			last = item.Key
			laid[item.Key] = string(item.Value)
		}
		if all := want.all(); !maps.Equal(laid, all) {
			t.Fatalf("laid over the disk: %s", firstDifference(laid, all))
		}
		for _, b := range l.batches() {
			if err := b.Check(); err != nil {
				t.Fatal(err)
			}
			if err := full.Commit(ctx(), b); err != nil {
				t.Fatal(err)
			}
			for n := range 15 {
				_, ladder := full.Get(ctx(), prefLadder+num(n))
				_, incident := full.Get(ctx(), prefIncident+num(n))
				if (ladder == nil) != (incident == nil) {
					t.Fatalf("INC-%d is torn", n)
				}
			}
		}
		if got, all := full.all(), want.all(); !maps.Equal(got, all) {
			t.Fatalf("caught up: %s", firstDifference(got, all))
		}
	})
}

func TestOverlayStopsWhenAsked(t *testing.T) {
	d := newDisk()
	_ = d.Commit(ctx(), store.Batch{Put: []store.KeyValue{{Key: "event/1"}, {Key: "event/3"}}})
	var l backlog
	l.put("event/2", []byte{})
	l.put("event/4", []byte{})
	e := &Engine{store: d, unsaved: l}
	for stop := 1; stop <= 4; stop++ {
		n := 0
		for range e.scan(ctx(), "event/", "event/~") {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("asked to stop after %d it went on to %d", stop, n)
		}
	}
}

// TestTheAgendaIsInOrder against a list that is sorted anew each time.
func TestTheAgendaIsInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a := newAgenda()
	type entry struct {
		at    time.Time
		order int
	}
	want := map[string]entry{}
	for n := range 5000 {
		name := fmt.Sprint(r.IntN(60))
		at := night.Add(time.Duration(r.IntN(20)) * time.Second)
		switch known, ok := want[name]; {
		case r.IntN(4) == 0:
			at = time.Time{}
			delete(want, name)
		case ok:
			want[name] = entry{at, known.order}
		default:
			want[name] = entry{at, n}
		}
		a.set(name, at)
		first, found := "", false
		for name, e := range want {
			if f := want[first]; !found || e.at.Before(f.at) || e.at.Equal(f.at) && e.order < f.order {
				first, found = name, true
			}
		}
		if due := a.due(); !due.Equal(want[first].at) {
			t.Fatalf("due at %s, want %s", due, want[first].at)
		}
		alone := func(name string) string { return fmt.Sprint(name, n) } // nobody shares
		now := night.Add(10 * time.Second)
		if found = found && !want[first].at.After(now); !found {
			first = ""
		}
		if got, at, ok := a.next(now, alone); got != first || ok != found || ok && !at.Equal(want[first].at) {
			t.Fatalf("first is %q at %s, want %q at %s", got, at, first, want[first].at)
		}
	}
}

// TestACrowdHoldsUpNobody: one that falls due behind a thousand others has its turn after a share of them, and those have
// theirs in their order.
func TestACrowdHoldsUpNobody(t *testing.T) {
	a := newAgenda()
	crowd := func(name string) string { return name[:1] }
	for i := range 1000 {
		a.set(fmt.Sprintf("a%04d", i), night.Add(time.Duration(i)*time.Millisecond))
	}
	a.set("b", night.Add(time.Second))
	a.set("c", night.Add(2*time.Second))
	var got []string
	serve := func(now time.Time, n int) {
		for range n {
			name, _, ok := a.next(now, crowd)
			if !ok {
				return
			}
			got = append(got, name)
			a.set(name, time.Time{})
		}
	}
	serve(night.Add(time.Second), 100)
	serve(night.Add(2*time.Second), 1000)
	if b := slices.Index(got, "b"); b != crowdShare {
		t.Errorf("b came behind %d others", b)
	}
	if c := slices.Index(got, "c"); c < 100 || c > 100+crowdShare {
		t.Errorf("c came behind %d others, and fell due when 100 had come", c)
	}
	if len(got) != 1002 {
		t.Errorf("%d of 1002 came", len(got))
	}
	if got = slices.DeleteFunc(got, func(name string) bool { return crowd(name) != "a" }); !slices.IsSorted(got) {
		t.Error("a's did not come in their order")
	}
}

func TestTwoClocks(t *testing.T) {
	var c clock
	for _, step := range []struct {
		what          string
		wall, elapsed time.Duration
		want          time.Duration
	}{
		{"at the start", 0, 5 * time.Second, 0},
		{"a minute later", time.Minute, 65 * time.Second, 0},
		{"slewed by NTP", 2*time.Minute + 900*time.Millisecond, 125 * time.Second, 0},
		{"slewed a little more", 3*time.Minute + time.Second, 185 * time.Second, time.Second},
		{"set back an hour", 4*time.Minute + time.Second - time.Hour, 245 * time.Second, -time.Hour},
		{"and on", 5*time.Minute + time.Second - time.Hour, 305 * time.Second, 0},
		{"set forward a day", 6*time.Minute + time.Second + 23*time.Hour, 365 * time.Second, 24 * time.Hour},
		{"asleep for a week, which is no jump", 6*time.Minute + time.Second + 8*24*time.Hour - time.Hour, 365*time.Second + 7*24*time.Hour, 0},
	} {
		if got := c.advance(Instant{Wall: night.Add(step.wall), Elapsed: step.elapsed}); got != step.want {
			t.Errorf("%s: it was set by %s, want %s", step.what, got, step.want)
		}
	}
}

func TestTheMachinesClocks(t *testing.T) {
	read := Clock()
	before := read()
	after := read()
	if after.Elapsed < before.Elapsed || after.Elapsed == 0 {
		t.Errorf("elapsed went from %s to %s", before.Elapsed, after.Elapsed)
	}
}
