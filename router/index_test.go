package router

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"pgregory.net/rapid"
)

// filterOf is the filter of these matchers, or fails.
func filterOf(t testing.TB, texts ...string) *Filter {
	t.Helper()
	f, err := ParseFilter(texts, "test")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// meets is a filter by upstream's matchers alone: what Alertmanager's API asks of an alert.
func meets(ms labels.Matchers, l Labels) bool {
	for _, m := range ms {
		v, present := l.lookup(m.Name)
		negative := m.Type == labels.MatchNotEqual || m.Type == labels.MatchNotRegexp
		if m.Value == "" && present == negative {
			continue
		}
		if !m.Matches(v) {
			return false
		}
	}
	return true
}

// drawnMatchers are of names and values that some alerts have, and some have not.
func drawnMatchers(t *rapid.T) (ms labels.Matchers) {
	for range rapid.IntRange(0, 3).Draw(t, "matchers") {
		kind := rapid.SampledFrom([]labels.MatchType{
			labels.MatchEqual, labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp,
		}).Draw(t, "kind")
		values := []string{"", "1", "2", "3", "7", "é"}
		if kind == labels.MatchRegexp || kind == labels.MatchNotRegexp {
			values = []string{"", "1", "1|2", "(1|2|)", "^1$", "[1-3]", "1?", ".+", ".*", "1.*", "(?i)a", "x|.*2", "é"}
		}
		m, err := labels.NewMatcher(kind, rapid.SampledFrom([]string{"alertname", "a", "b", "pod", "none"}).Draw(t, "name"),
			rapid.SampledFrom(values).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
	return ms
}

func drawnLabels(t *rapid.T) Labels {
	value := rapid.SampledFrom([]string{"", "1", "2", "3", "11", "é"})
	return MakeLabels([]Label{
		{"alertname", rapid.SampledFrom([]string{"1", "2", "A"}).Draw(t, "alertname")},
		{"a", value.Draw(t, "a")},
		{"b", value.Draw(t, "b")},
		{"pod", rapid.StringMatching("[1-9]{0,2}").Draw(t, "pod")},
	}).WithoutEmpty()
}

// What is seen by way of the index is what is seen by looking at every alert, whoever came and went.
func TestTheIndexHidesAndInventsNothing(t *testing.T) {
	root := loadRoute(t, `{receiver: db, group_by: [alertname], group_wait: 1s, group_interval: 5s, routes: [
		{matchers: ['a="1"'], receiver: one, group_by: [b], continue: true}, {matchers: ['a=~"1|2"'], receiver: two}]}`, "db", "one", "two")
	rapid.Check(t, func(t *rapid.T) {
		r := New(Options{Root: dispatch.NewRoute(root, nil), Receivers: map[string][]Integration{}, ForgetEvery: time.Minute})
		now := began
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second)
			var alerts []*Alert
			for range rapid.IntRange(0, 12).Draw(t, "alerts") {
				ends := now.Add(time.Duration(rapid.IntRange(-1, 90).Draw(t, "ends")) * time.Second)
				alerts = append(alerts, &Alert{Labels: drawnLabels(t), StartsAt: began, EndsAt: ends})
			}
			r.Receive(alerts, now)
			r.Elapsed(now)
			r.Committed()

			ms := drawnMatchers(t)
			ask := Ask{Now: now, Labels: &Filter{conds: conditionsOf(ms)}}
			wanted := rapid.SampledFrom([]string{"", "db", "one", "two"}).Draw(t, "receiver")
			if wanted != "" {
				ask.Receivers = []func(string) bool{func(name string) bool { return name == wanted }}
			}
			compareSeen(t, r, ask, ms, wanted)
			checkIndex(t, r.table)
		}
	})
}

// compareSeen compares See and SeeGroups with what a reader finds who goes through everything.
func compareSeen(t *rapid.T, r *Router, ask Ask, ms labels.Matchers, receiver string) {
	t.Helper()
	shown := func(a *Alert) bool { return !a.over(ask.Now) && meets(ms, a.Labels) }
	var want, got []string
	for a := range r.Alerts().All() {
		var names []string
		for _, g := range r.GroupsOf(a.Labels) {
			names = append(names, g.Receiver)
		}
		if shown(a) && (receiver == "" || slices.Contains(names, receiver)) {
			want = append(want, fmt.Sprintf("%016x %s %v", a.Fingerprint(), a.Labels, names))
		}
	}
	slices.Sort(want)
	for s := range r.See(ask) {
		got = append(got, fmt.Sprintf("%016x %s %v", s.Alert.Fingerprint(), s.Alert.Labels, s.Receivers))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got: %q\nwant: %q", ms, got, want)
	}

	var groups []View
	for v := range r.Groups() {
		if receiver != "" && v.Group.Receiver != receiver {
			continue
		}
		if v.Alerts = slices.DeleteFunc(v.Alerts, func(a *Alert) bool { return !shown(a) }); len(v.Alerts) > 0 {
			groups = append(groups, v)
		}
	}
	slices.SortFunc(groups, func(a, b View) int {
		if c := a.Group.Labels.Compare(b.Group.Labels); c != 0 {
			return c
		}
		return slices.Compare([]string{a.Group.Receiver, a.Group.ID}, []string{b.Group.Receiver, b.Group.ID})
	})
	want, got = nil, nil
	for _, v := range groups {
		line := v.Group.Receiver + v.Group.Labels.String()
		for _, a := range v.Alerts {
			line += a.Labels.String()
		}
		want = append(want, line)
	}
	for v, alerts := range r.SeeGroups(ask) {
		line, some := v.Group.Receiver+v.Group.Labels.String(), false
		for s := range alerts {
			line, some = line+s.Alert.Labels.String(), true
			if !slices.IsSorted(s.Receivers) || !slices.Contains(s.Receivers, v.Group.Receiver) {
				t.Fatalf("%s is heard of by %v", s.Alert.Labels, s.Receivers)
			}
		}
		if some {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got: %q\nwant: %q", ms, got, want)
	}
}

// checkIndex compares the index with the table.
func checkIndex(t interface {
	Helper()
	Fatalf(string, ...any)
}, table *Table,
) {
	t.Helper()
	x := &table.index
	names, values := map[string]int{}, map[Label]int{}
	entries := 0
	for e := range table.entries() {
		entries++
		if x.slots[e.slot] != e {
			t.Fatalf("%s is not in its slot", table.labels(e))
		}
		for _, l := range table.labels(e) {
			names[l.Name]++
			values[l]++
			s := x.names[l.Name]
			if s == nil && x.full || s != nil && s.values == nil {
				continue
			}
			if s == nil || s.values[l.Value] == nil || !slices.Contains(s.values[l.Value].slots, e.slot) {
				t.Fatalf("%s is not found by its %s", table.labels(e), l.Name)
			}
		}
	}
	if used := len(x.slots) - len(x.free); used != entries {
		t.Fatalf("%d slots are used by %d alerts", used, entries)
	}
	for name, s := range x.names {
		if s.alerts != names[name] {
			t.Fatalf("%d alerts have a %s, the index says %d", names[name], name, s.alerts)
		}
		for value, in := range s.values {
			if in.alive != values[Label{name, value}] || len(in.slots) > 2*in.alive+looseSlots {
				t.Fatalf("%d alerts have %s=%s; the index has %d, and %d slots", values[Label{name, value}], name, value, in.alive, len(in.slots))
			}
		}
	}
}

// indexed puts alerts with the labels that f gives into a table.
func indexed(n int, f func(i int) []Label) *Table {
	t := newTable(0, Labels.Hash)
	for i := range n {
		t.put(&Alert{Labels: MakeLabels(f(i)), StartsAt: began, EndsAt: began.Add(time.Hour)}, began)
	}
	return t
}

func found(t *testing.T, table *Table, texts ...string) (n int, known bool) {
	t.Helper()
	entries, known := table.index.find(nil, filterOf(t, texts...).conds)
	return len(entries), known
}

func TestTheIndexGoesByTheRarestLabel(t *testing.T) {
	table := indexed(600, func(i int) []Label {
		return []Label{{"alertname", fmt.Sprint("A", i%200)}, {"env", "prod"}, {"team", fmt.Sprint(i % 3)}}
	})
	for _, c := range []struct {
		want  int
		known bool
		texts []string
	}{
		{3, true, []string{`env="prod"`, `alertname="A7"`, `team=~"1|2"`}},
		{6, true, []string{`alertname=~"A7|A8|Z"`, `team!="1"`}},
		{200, true, []string{`team="1"`}},
		{0, true, []string{`team="9"`, `env="prod"`}},
		{0, true, []string{`nobody="has it"`}},
		{0, false, []string{`nobody=""`}},
		{0, false, []string{`team=~"1|"`}},
		{0, false, []string{`team=~"1.*"`, `env!="test"`, `alertname!~"A7"`}},
	} {
		if n, known := found(t, table, c.texts...); n != c.want || known != c.known {
			t.Errorf("%s: %d alerts, known: %v; want %d, %v", c.texts, n, known, c.want, c.known)
		}
	}
	checkIndex(t, table)
}

func TestTheIndexLeavesOutWhatHardlyAnyTwoAlertsShare(t *testing.T) {
	pods := 3000
	table := indexed(20_000, func(i int) []Label {
		return []Label{{"alertname", fmt.Sprint("A", i%200)}, {"i", fmt.Sprint(i)}, {"pod", fmt.Sprint(min(i, pods))}}
	})
	if table.index.names["i"].values != nil {
		t.Error("a label that no two alerts share is kept")
	}
	if n, known := found(t, table, `i="1"`); known {
		t.Errorf("%d alerts were found by a label that is not kept", n)
	}
	// The first alerts had a pod each, so the label was left out; with seven alerts a pod it is worth it.
	if n, known := found(t, table, `pod="1"`); !known || n != 1 {
		t.Errorf("%d alerts of a pod, known: %v", n, known)
	}
	checkIndex(t, table)

	many := indexed(200, func(i int) []Label { return []Label{{"alertname", "A"}, {fmt.Sprint("n", i), "v"}} })
	if len(many.index.names) != mostShelves {
		t.Errorf("%d names are kept, at most %d should be", len(many.index.names), mostShelves)
	}
	for _, c := range []struct {
		text  string
		n     int
		known bool
	}{{`n1="v"`, 1, true}, {`n199="v"`, 0, false}, {`other="v"`, 0, false}} {
		if n, known := found(t, many, c.text); n != c.n || known != c.known {
			t.Errorf("%s: %d alerts, known: %v", c.text, n, known)
		}
	}
	checkIndex(t, many)

	for _, table := range []*Table{table, many} {
		now := began.Add(2 * time.Hour)
		table.expire(now)
		table.gc(now)
		if x := &table.index; x.slots != nil || x.names != nil || x.full || table.Len() > 0 {
			t.Errorf("of %d alerts the index keeps %d slots and %d names", table.Len(), len(x.slots), len(x.names))
		}
	}
}

func TestTheIndexIsTidied(t *testing.T) {
	table := newTable(0, Labels.Hash)
	for turn := range 50 {
		now := began.Add(time.Duration(turn) * time.Hour)
		for i := range 100 {
			ends := now.Add(time.Minute)
			if i < 3 {
				ends = began.Add(1000 * time.Hour)
			}
			table.put(&Alert{Labels: Labels{{"alertname", "A"}, {"i", fmt.Sprint(turn * i)}}, StartsAt: now, EndsAt: ends}, now)
		}
		table.expire(now.Add(2 * time.Minute))
		table.gc(now.Add(2 * time.Minute))
		checkIndex(t, table)
	}
}

// TestTheIndexIsSmall measures what an alert costs in the index.
func TestTheIndexIsSmall(t *testing.T) {
	const n, most = 50_000, 80 // bytes an alert
	table := newTable(0, Labels.Hash)
	entries, alerts := make([]*entry, n), benchAlerts(n)
	for i, a := range alerts {
		entries[i], _ = table.put(a, began)
	}
	x := &index{packed: table.packedHere}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i, e := range entries {
		x.add(e, alerts[i].Labels)
	}
	each := float64(heap()-before) / n
	t.Logf("%.0f bytes an alert of %d labels", each, len(alerts[0].Labels))
	if each > most {
		t.Errorf("an alert costs %.0f bytes in the index; at most %d are expected", each, most)
	}
	runtime.KeepAlive(x)
	runtime.KeepAlive(table)
}
