package router

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// anyLabels draws label sets as they come in the wild: few names that meet often, and text of every kind.
func anyLabels(t *rapid.T, name string) Labels {
	words := rapid.OneOf(
		rapid.SampledFrom([]string{"alertname", "job", "instance", "a", "b", "é", "with space", `with"quote`}),
		rapid.String(),
	)
	return LabelsOf(rapid.MapOfN(words, rapid.OneOf(rapid.SampledFrom([]string{"x", "y", "a\nb", `\`, ""}), rapid.String()), 0, 8).Draw(t, name))
}

func TestLabelsAreWhatPrometheusTakesThemFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLabels(t, "labels")
		o := anyLabels(t, "others")
		theirs, others := upstreamLabels(l), upstreamLabels(o)

		if got, want := l.Fingerprint(), uint64(theirs.Fingerprint()); got != want {
			t.Errorf("fingerprint of %s is %016x, want %016x", l, got, want)
		}
		if got, want := l.String(), theirs.String(); got != want {
			t.Errorf("printed as %s, want %s", got, want)
		}
		if got, want := l.Compare(o) < 0, theirs.Before(others); got != want {
			t.Errorf("%s before %s: %v, want %v", l, o, got, want)
		}
		if got, want := l.Equal(o), theirs.Equal(others); got != want {
			t.Errorf("%s equals %s: %v, want %v", l, o, got, want)
		}
		for name, value := range theirs {
			if got := l.Get(string(name)); got != string(value) {
				t.Errorf("%s of %s is %q", name, l, got)
			}
		}
	})
}

// The hash is in no exported function of Alertmanager's; but its deduplication leaves it where one can look.
func TestTheLogKnowsAlertsByAlertmanagersHash(t *testing.T) {
	log, err := nflog.New(nflog.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	stage := notify.NewDedupStage(notifier{}, log, &nflogpb.Receiver{})
	ctx := notify.WithRepeatInterval(notify.WithGroupKey(context.Background(), "key"), time.Hour)
	rapid.Check(t, func(t *rapid.T) {
		l := anyLabels(t, "labels")
		after, _, err := stage.Exec(ctx, nil, &alert.Alert{Alert: model.Alert{Labels: upstreamLabels(l)}})
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := notify.FiringAlerts(after); !slices.Equal(want, []uint64{l.Hash()}) {
			t.Errorf("hash of %s is %016x, want %016x", l, l.Hash(), want)
		}
	})
	long := Labels{{"a", strings.Repeat("long ", 200)}, {"b", ""}, {"c", "x"}}
	if got, want := long.Hash(), xxhash.Sum64(long.appendKey(nil)); got != want {
		t.Errorf("hash of a long set is %016x, want %016x", got, want)
	}
}

func TestHashingTakesNoMemory(t *testing.T) {
	for _, l := range []Labels{{{"alertname", "A"}}, {{"alertname", strings.Repeat("long ", 200)}}} {
		if n := testing.AllocsPerRun(100, func() { l.Hash() }); n != 0 {
			t.Errorf("%d bytes of labels took %v allocations", len(l.String()), n)
		}
	}
}

func TestAlertsAreListedInAlertmanagersOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ours []*Alert
		var theirs alert.AlertSlice
		for range rapid.IntRange(0, 6).Draw(t, "alerts") {
			l := anyLabels(t, "labels")
			if slices.ContainsFunc(ours, func(a *Alert) bool { return a.Labels.Equal(l) }) {
				continue
			}
			ours = append(ours, &Alert{Labels: l})
			theirs = append(theirs, &alert.Alert{Alert: model.Alert{Labels: upstreamLabels(l)}})
		}
		slices.SortFunc(ours, compareAlerts)
		sort.Stable(theirs)
		for i := range ours {
			if got, want := ours[i].Labels.String(), theirs[i].Labels.String(); got != want {
				t.Errorf("alert %d is %s, want %s", i, got, want)
			}
		}
	})
}

func TestMakeLabelsTakesTheLastOfEqualNames(t *testing.T) {
	got := MakeLabels([]Label{{"b", "1"}, {"a", "1"}, {"b", "2"}, {"b", ""}})
	if want := (Labels{{"a", "1"}, {"b", ""}}); !got.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := got.WithoutEmpty(), (Labels{{"a", "1"}}); !got.Equal(want) {
		t.Errorf("without empty ones %s, want %s", got, want)
	}
	full := Labels{{"a", "1"}}
	if got := full.WithoutEmpty(); &got[0] != &full[0] {
		t.Error("a set without empty values was copied")
	}
}

func TestLabelsAreAnObjectInJSON(t *testing.T) {
	for _, c := range []struct {
		labels Labels
		want   string
	}{
		{Labels{{"a", "1"}, {"b", "x\"y"}}, `{"a":"1","b":"x\"y"}`},
		{nil, `{}`},
	} {
		b, err := json.Marshal(c.labels)
		if err != nil || string(b) != c.want {
			t.Errorf("%s became %s (%v), want %s", c.labels, b, err, c.want)
		}
		var back Labels
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(c.labels) {
			t.Errorf("%s came back as %s (%v)", b, back, err)
		}
	}
	var l Labels
	if err := json.Unmarshal([]byte(`["a"]`), &l); err == nil {
		t.Error("an array was taken for labels")
	}
}

// nearReport draws one of few reports of one alert, so that any two of them have to do with each other.
func nearReport(t *rapid.T) *Alert {
	near := func(name string) time.Time {
		return began.Add(time.Duration(rapid.IntRange(-4, 4).Draw(t, name)) * time.Second)
	}
	return &Alert{
		Labels:      Labels{{"alertname", "A"}},
		Annotations: Labels{{"note", rapid.SampledFrom([]string{"x", "y"}).Draw(t, "note")}},
		StartsAt:    near("starts"),
		EndsAt:      near("ends"),
		UpdatedAt:   near("updated"),
		Timeout:     rapid.Bool().Draw(t, "timeout"),
	}
}

// Alertmanager's Merge asks the clock, hence the bubble.
func TestMergeIsAlertmanagers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, o := nearReport(rt), nearReport(rt)
		var want *alert.Alert
		synctest.Test(t, func(*testing.T) { want = upstreamAlert(a).Merge(upstreamAlert(o)) })
		if got := upstreamAlert(a.Merge(o, began)); !reflect.DeepEqual(got, want) {
			rt.Errorf("merging\n%+v\n%+v\ngave %+v\nwant %+v", a, o, got, want)
		}
	})
}

func TestCompleteFillsInWhatTheSenderLeftOut(t *testing.T) {
	now, hour := began, began.Add(time.Hour)
	for _, c := range []struct {
		what     string
		given    Alert
		want     Alert
		resolved bool
	}{
		{
			"nothing: it starts now, until the timeout",
			Alert{},
			Alert{StartsAt: now, EndsAt: now.Add(5 * time.Minute), Timeout: true, UpdatedAt: now},
			false,
		},
		{
			"only an end: it starts at its end, even in the future",
			Alert{EndsAt: hour},
			Alert{StartsAt: hour, EndsAt: hour, UpdatedAt: now},
			false,
		},
		{
			"only a start",
			Alert{StartsAt: hour},
			Alert{StartsAt: hour, EndsAt: now.Add(5 * time.Minute), Timeout: true, UpdatedAt: now},
			false,
		},
		{
			"both: they stay, also when it ended just now",
			Alert{StartsAt: now.Add(-time.Hour), EndsAt: now},
			Alert{StartsAt: now.Add(-time.Hour), EndsAt: now, UpdatedAt: now},
			true,
		},
	} {
		got := c.given
		got.Complete(now, 5*time.Minute)
		if !reflect.DeepEqual(got, c.want) || got.ResolvedAt(now) != c.resolved {
			t.Errorf("%s: got %+v, want %+v", c.what, got, c.want)
		}
	}
	if (&Alert{}).ResolvedAt(now) {
		t.Error("an alert without an end ended")
	}
}
