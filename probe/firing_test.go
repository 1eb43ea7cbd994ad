package probe

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/slo"
)

func TestTheQueryForAlerts(t *testing.T) {
	for _, c := range []struct {
		matchers []Matcher
		by       []string
		want     string
	}{
		{nil, nil, `max by () (ALERTS{alertstate="firing"})`},
		{
			[]Matcher{{"alertname", "=", `Down "hard"`}, {"env", "!~", `dev|\d+`}},
			[]string{"cluster", "zone"},
			`max by (cluster, zone) (ALERTS{alertstate="firing", alertname="Down \"hard\"", env!~"dev|\\d+"})`,
		},
		{[]Matcher{{"k8s.cluster", "=", "a"}}, []string{"k8s.cluster"}, `max by ("k8s.cluster") (ALERTS{alertstate="firing", "k8s.cluster"="a"})`},
	} {
		if got := firing(c.matchers, c.by); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

// Whatever fires, and however it is cut into queries, the intervals say when it did at every step.
func TestFiringIsTrueAtEveryStep(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const step = time.Minute
		n := rapid.IntRange(1, 2*MaxPoints+5).Draw(rt, "steps")
		edge := rapid.IntRange(0, n).Draw(rt, "edge")
		length := rapid.IntRange(0, 200).Draw(rt, "length")
		on := func(i int) bool { return i >= edge && i < edge+length || i == 0 }
		f := &fake{value: func(_ string, at time.Time) map[string]float64 {
			if on(int(at.Sub(midnight) / step)) {
				return map[string]float64{"{}": 1}
			}
			return nil
		}}
		queries := 0
		got, err := source(t, f).Firing(t.Context(), nil, nil, midnight, midnight.Add(time.Duration(n)*step), step, func(int, int) { queries++ })
		if err != nil || len(got) != 1 {
			rt.Fatal(got, err)
		}
		if want := (n + MaxPoints - 1) / MaxPoints; queries != want || len(f.heard()) != want {
			rt.Fatalf("%d queries, want %d", queries, want)
		}
		for i := range n {
			at, fires := midnight.Add(time.Duration(i)*step), false
			for _, x := range got[0].Intervals {
				fires = fires || !at.Before(x.Start) && at.Before(x.End)
			}
			if fires != on(i) {
				rt.Fatalf("at step %d it fires: %v, want %v", i, fires, on(i))
			}
		}
	})
}

func TestFiringByLabels(t *testing.T) {
	f := &fake{value: func(_ string, at time.Time) map[string]float64 {
		out := map[string]float64{`{"cluster":"west"}`: 1}
		if at.Equal(midnight) {
			out[`{"cluster":"east"}`] = 1
		}
		return out
	}}
	got, err := source(t, f).Firing(t.Context(), nil, []string{"cluster"}, midnight, midnight.Add(150*time.Second), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Alerts{
		{map[string]string{"cluster": "east"}, []slo.Interval{{Start: midnight, End: midnight.Add(time.Minute)}}},
		{map[string]string{"cluster": "west"}, []slo.Interval{{Start: midnight, End: midnight.Add(150 * time.Second)}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestFiringRefuses(t *testing.T) {
	if _, err := source(t, &fake{}).Firing(t.Context(), nil, nil, midnight, midnight.Add(time.Hour), time.Millisecond, nil); err == nil {
		t.Error("a step of a millisecond is taken")
	}
	f := &fake{status: 422, body: `{"status":"error","errorType":"execution","error":"too many samples"}`}
	if _, err := source(t, f).Firing(t.Context(), nil, nil, midnight, midnight.Add(time.Hour), time.Minute, nil); err == nil || !strings.Contains(err.Error(), "execution: too many samples") {
		t.Error(err)
	}
}
