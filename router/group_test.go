package router

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"pgregory.net/rapid"
)

func TestAGroupSpeaksAtItsAnchorAndThenInItsRhythm(t *testing.T) {
	g := Group{Anchor: at("00:10"), Interval: 5 * time.Minute}
	for _, c := range []struct{ now, want string }{
		{"00:00", "00:10"},
		{"00:09:59", "00:10"},
		{"00:10", "00:15"},
		{"00:14", "00:15"},
		{"00:15", "00:20"},
		{"00:33", "00:35"}, // late by more than one: the rhythm stays
	} {
		if got := g.Step(at(c.now)).Due(); !got.Equal(at(c.want)) {
			t.Errorf("after %s it is due at %s, want %s", c.now, got, c.want)
		}
	}
}

func TestANewIntervalMakesNobodyWaitLonger(t *testing.T) {
	g := Group{Anchor: at("00:10"), Interval: 5 * time.Minute}.Step(at("00:11"))
	for _, c := range []struct {
		interval    time.Duration
		next, after string
	}{
		{5 * time.Minute, "00:15", "00:20"},
		{time.Minute, "00:12", "00:13"},
		{time.Hour, "00:15", "01:15"},
	} {
		re := g.retime(c.interval, at("00:11"))
		if !re.Next.Equal(at(c.next)) {
			t.Errorf("every %s: next at %s, want %s", c.interval, re.Next, c.next)
		}
		if after := re.Step(re.Next); !after.Next.Equal(at(c.after)) {
			t.Errorf("every %s: then at %s, want %s", c.interval, after.Next, c.after)
		}
	}
}

func TestAGroupIsStoredWithoutWhatTimeTells(t *testing.T) {
	g := Group{
		ID: "id", RouteID: "{}/{}/0", Key: `{}/{}:{a="1"}`, Receiver: "db", Labels: Labels{{"a", "1"}},
		Anchor: at("00:10"), Interval: time.Minute, Cleared: at("00:12"), Next: at("00:13"),
	}
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"id","route_id":"{}/{}/0","key":"{}/{}:{a=\"1\"}","receiver":"db","labels":{"a":"1"},` +
		`"anchor":"2000-01-01T00:10:00Z","interval":60000000000,"cleared":"2000-01-01T00:12:00Z"}`
	if string(b) != want {
		t.Errorf("stored as %s", b)
	}
	var back Group
	if err := json.Unmarshal([]byte(want[:len(want)-1]+`,"of_later":1}`), &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back.Step(at("00:12"))); string(again) != want || !back.Step(at("00:12")).Next.Equal(g.Next) {
		t.Errorf("came back as %s", again)
	}
}

func TestWhoResolvedBeforeTheGroupClearedIsNoMember(t *testing.T) {
	g := Group{Cleared: at("00:10")}
	for _, c := range []struct {
		what          string
		ended         bool
		ends, updated string
		want          bool
	}{
		{"fires", false, "00:05", "00:01", true},
		{"had ended, and was told", true, "00:05", "00:06", false},
		{"expired just as the group spoke, and was told", true, "00:10", "00:06", false},
		{"ended since", true, "00:11", "00:06", true},
		{"had ended, but was heard of since", true, "00:05", "00:11", true},
		{"resolved in the instant of the flush: rather once more than never", true, "00:05", "00:10", true},
	} {
		if got := g.holds(&Alert{Ended: c.ended, EndsAt: at(c.ends), UpdatedAt: at(c.updated)}); got != c.want {
			t.Errorf("%s: member is %v", c.what, got)
		}
	}
}

// However alerts join and leave groups, both sides know the same.
func TestMembersAndMembershipsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := make([]*group, 3)
		for i := range groups {
			groups[i] = &group{node: &node{route: &dispatch.Route{Idx: i}}}
		}
		entries := make([]*entry, 5)
		for i := range entries {
			entries[i] = &entry{}
		}
		want := map[*group]map[*entry]bool{}
		for _, g := range groups {
			want[g] = map[*entry]bool{}
		}
		for range rapid.IntRange(0, 40).Draw(t, "moves") {
			g, e := rapid.SampledFrom(groups).Draw(t, "group"), rapid.SampledFrom(entries).Draw(t, "entry")
			if rapid.Bool().Draw(t, "join") {
				if got := g.join(e); got == want[g][e] {
					t.Errorf("joined: %v, though a member: %v", got, want[g][e])
				}
				want[g][e] = true
			} else {
				g.leave(e)
				delete(want[g], e)
			}
		}
		for _, g := range groups {
			if len(g.members) != len(want[g]) {
				t.Errorf("%d members, want %d", len(g.members), len(want[g]))
			}
			for i, e := range g.members {
				if at := e.place(g); at == nil || int(*at) != i || !want[g][e] {
					t.Errorf("member %d does not know its place", i)
				}
			}
		}
		for _, e := range entries {
			if !slices.IsSortedFunc(slices.Collect(e.groups), func(a, b membership) int { return a.group.node.route.Idx - b.group.node.route.Idx }) {
				t.Error("memberships are not in the order of the routes")
			}
		}
	})
}

func TestAnAgendaComesUpInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g agenda[int]
		type promise struct {
			at  time.Time
			who int
		}
		var want []promise
		for who, minutes := range rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "minutes") {
			p := promise{began.Add(time.Duration(minutes) * time.Minute), who}
			want = append(want, p)
			g.add(p.at, p.who)
		}
		slices.SortStableFunc(want, func(a, b promise) int { return a.at.Compare(b.at) })
		for _, w := range want {
			if at, who, ok := g.first(); !ok || !at.Equal(w.at) || who != w.who {
				t.Errorf("first is %d at %s, want %d at %s", who, at, w.who, w.at)
			}
			g.drop()
		}
		if _, _, ok := g.first(); ok {
			t.Error("something is left over")
		}
	})
}

func TestAGridDoesNotDependOnWhenItIsAsked(t *testing.T) {
	g := grid{every: 30 * time.Minute}
	for _, c := range []struct {
		now  string
		due  bool
		next string
	}{
		{"00:10", false, "00:30"}, // the first time only finds the place
		{"00:29", false, "00:30"},
		{"00:30", true, "01:00"},
		{"00:31", false, "01:00"},
		{"03:07", true, "03:30"}, // overdue: once
	} {
		if got := g.due(at(c.now)); got != c.due || !g.next.Equal(at(c.next)) {
			t.Errorf("%s: due %v, next %s", c.now, got, g.next)
		}
	}
}
