package router

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"pgregory.net/rapid"
)

func routeOf(t testing.TB) *dispatch.Route {
	t.Helper()
	return dispatch.NewRoute(loadRoute(t, "{receiver: db, group_by: [alertname]}", "db"), nil)
}

func TestPagesOfAlertsAreAllOfThem(t *testing.T) {
	root := routeOf(t)
	rapid.Check(t, func(t *rapid.T) {
		r := New(Options{Root: root, Receivers: map[string][]Integration{}})
		for i := range rapid.IntRange(0, 3000).Draw(t, "alerts") {
			ends := began.Add(time.Hour)
			if i%7 == 3 {
				ends = began.Add(time.Minute)
			}
			r.Receive([]*Alert{{Labels: LabelsOf(map[string]string{"alertname": fmt.Sprint("A", i%3), "i": fmt.Sprint(i)}), StartsAt: began, EndsAt: ends}}, began)
		}
		ask := Ask{Now: began.Add(2 * time.Minute)}
		if rapid.Bool().Draw(t, "filtered") {
			ask.Labels, _ = ParseFilter([]string{`alertname="A1"`}, "test")
		}
		if rapid.Bool().Draw(t, "received") {
			ask.Receivers = []func(string) bool{func(name string) bool { return name == "db" }}
		}
		var want []uint64
		for s := range r.See(ask) {
			want = append(want, s.Alert.Fingerprint())
		}
		most := rapid.IntRange(1, 500).Draw(t, "a page")
		var got []uint64
		for from := uint64(0); ; {
			all, alerts := r.SeeFrom(ask, from)
			if all != len(want) {
				t.Fatalf("%d alerts in all, want %d", all, len(want))
			}
			n := 0
			for s := range alerts {
				if n == most {
					break
				}
				n++
				got = append(got, s.Alert.Fingerprint())
			}
			if n < most {
				break
			}
			from = got[len(got)-1] + 1
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pages of %d show %d alerts, want %d", most, len(got), len(want))
		}
	})
}

func TestWhatCanBeFoundByTheIndex(t *testing.T) {
	r := New(Options{Root: routeOf(t), Receivers: map[string][]Integration{}})
	for matcher, want := range map[string]bool{`a="b"`: true, `a=~"b|c"`: true, `a=~"b.*"`: false, `a!="b"`: false} {
		set, err := ParseMatchers([]string{matcher}, "test")
		if err != nil {
			t.Fatal(err)
		}
		f, err := FilterOf(set)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ByIndex(f); got != want {
			t.Errorf("%s: %v", matcher, got)
		}
	}
	if _, err := FilterOf(MatcherSet{{Name: "a", Type: 2, Value: "("}}); err == nil {
		t.Error("a pattern that cannot be read is taken")
	}
	if r.ByIndex(nil) {
		t.Error("all alerts are found by the index")
	}
}

// BenchmarkFirstPage looks at the first hundred of 100,000 alerts.
func BenchmarkFirstPage(b *testing.B) {
	r := New(Options{Root: routeOf(b), Receivers: map[string][]Integration{}})
	for i := range 100_000 {
		r.Receive([]*Alert{{Labels: LabelsOf(map[string]string{"alertname": fmt.Sprint("A", i%200), "i": fmt.Sprint(i), "team": "t"}), StartsAt: began, EndsAt: began.Add(time.Hour)}}, began)
	}
	for b.Loop() {
		n := 0
		_, alerts := r.SeeFrom(Ask{Now: began}, 0)
		for range alerts {
			if n++; n == 100 {
				break
			}
		}
	}
}
