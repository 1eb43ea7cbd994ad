package router

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"
)

// at is an instant of a test's day: "00:04" or "00:04:30".
func at(clock string) time.Time {
	layout := "15:04:05"
	if strings.Count(clock, ":") == 1 {
		layout = "15:04"
	}
	t, err := time.Parse(layout, clock)
	if err != nil {
		panic(err)
	}
	return began.Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// report is what a source says of the alert called name: "00:00-00:04", with a note.
func report(name, from, until, note string) *Alert {
	return &Alert{
		Labels:      Labels{{"alertname", name}},
		Annotations: Labels{{"note", note}},
		StartsAt:    at(from),
		EndsAt:      at(until),
	}
}

// Put and Expired are put and expire for those who would see alerts, not entries.
func (t *Table) Put(a *Alert, now time.Time) (*Alert, Change) {
	e, change := t.put(a, now)
	if e == nil {
		return nil, change
	}
	stored, _ := t.read(e)
	return stored, change
}

func (t *Table) read(e *entry) (a *Alert, known bool) {
	a = new(Alert)
	known = t.readTo(a, new(page), e)
	return a, known
}

func (t *Table) Expired(now time.Time) []*Alert {
	var ended []*Alert
	for _, e := range t.expire(now) {
		a, _ := t.read(e)
		ended = append(ended, a)
	}
	return ended
}

func TestEveryReportSaysWhatItChanged(t *testing.T) {
	table := newTable(0, Labels.Hash)
	for _, step := range []struct {
		now    string
		report *Alert
		want   Change
		period string // what the table then holds
	}{
		{"00:00", report("A", "00:00", "00:04", "x"), FirstSeen, "00:00-00:04"},
		{"00:01", report("A", "00:00", "00:05", "x"), Refreshed, "00:00-00:05"},
		{"00:02", report("A", "00:00", "00:06", "y"), Changed, "00:00-00:06"},
		{"00:03", report("A", "00:01", "00:07", "y"), Refreshed, "00:00-00:07"}, // merged: the earlier start stays
		{"00:04", report("A", "00:00", "00:05", "y"), Refreshed, "00:00-00:07"}, // nor does the end come nearer
		{"00:05", report("A", "00:00", "00:05", "y"), Resolved, "00:00-00:05"},
		{"00:06", report("A", "00:00", "00:05", "y"), Refreshed, "00:00-00:05"},
		{"00:07", report("A", "00:00", "00:05:30", "y"), Changed, "00:00-00:05:30"}, // another source saw it longer
		{"00:07", report("A", "00:00", "00:00", "y"), Changed, "00:00-00:00"},       // does not overlap: it replaces
		{"00:08", report("A", "00:08", "00:12", "y"), Refired, "00:08-00:12"},
		{"00:08", report("B", "00:00", "00:05", "y"), FirstSeen, "00:00-00:05"}, // over before we heard of it
		{"00:09", report("B", "00:00", "00:05", "y"), Refreshed, "00:00-00:05"},
	} {
		stored, got := table.Put(step.report, at(step.now))
		if got != step.want {
			t.Errorf("%s: %s, want %s", step.now, got, step.want)
		}
		from, until, _ := strings.Cut(step.period, "-")
		if !stored.StartsAt.Equal(at(from)) || !stored.EndsAt.Equal(at(until)) || !stored.UpdatedAt.Equal(at(step.now)) {
			t.Errorf("%s: the table holds %+v, want %s", step.now, stored, step.period)
		}
		if stored.Ended != stored.ResolvedAt(at(step.now)) {
			t.Errorf("%s: ended is %v", step.now, stored.Ended)
		}
		if got := table.Get(step.report.Labels); !reflect.DeepEqual(got, stored) {
			t.Errorf("%s: Get gives %+v, want %+v", step.now, got, stored)
		}
	}
	if table.Len() != 2 {
		t.Errorf("%d alerts, want 2", table.Len())
	}
}

// What a random stream of reports leaves behind is what it leaves in Alertmanager's provider.
func TestPutIsAlertmanagers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		reports := rapid.SliceOfN(rapid.Custom(nearReport), 1, 6).Draw(rt, "reports")
		var want *alert.Alert
		var missing error
		synctest.Test(t, func(t *testing.T) {
			alerts, err := mem.NewAlerts(t.Context(), time.Hour, 0, nil, slog.New(slog.DiscardHandler), eventrecorder.Recorder{},
				prometheus.NewRegistry(), featurecontrol.NoopFlags{})
			if err != nil {
				t.Fatal(err)
			}
			defer alerts.Close()
			for _, a := range reports {
				a := upstreamAlert(a)
				a.UpdatedAt = time.Now().UTC()
				if err := alerts.Put(t.Context(), a); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			want, missing = alerts.Get(upstreamLabels(reports[0].Labels).Fingerprint())
		})
		if missing != nil {
			rt.Fatal(missing)
		}
		table := newTable(0, Labels.Hash)
		var got *Alert
		for i, a := range reports {
			got, _ = table.Put(a, began.Add(time.Duration(i)*time.Second))
		}
		if got := upstreamAlert(got); !reflect.DeepEqual(got, want) {
			rt.Errorf("the table holds %#v, want %#v", got, want)
		}
	})
}

// Two tables hear the same; one may answer by Touch. They must not be told apart, and Touch must say no whenever Put
// would have found something to say.
func TestTouchIsPutWithNothingToSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		touched, put := newTable(0, Labels.Hash), newTable(0, Labels.Hash)
		for i := range rapid.IntRange(1, 10).Draw(t, "reports") {
			now := began.Add(time.Duration(i) * time.Second)
			a := nearReport(t)
			if rapid.IntRange(0, 2).Draw(t, "usual") > 0 {
				a.StartsAt, a.Annotations = began, nil
			}
			a.EndsAt = a.EndsAt.Add(time.Duration(i) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "for ever") == 0 {
				a.EndsAt = time.Time{}
			}
			ended, others := touched.Expired(now), put.Expired(now)
			if !reflect.DeepEqual(ended, others) {
				t.Errorf("%v ended, want %v", ended, others)
			}
			_, change := put.Put(a, now)
			yes := touched.Touch(a, now)
			if !yes {
				touched.Put(a, now)
				touched.committed()
			}
			if yes && change != Refreshed {
				t.Errorf("touched, though the report %s", change)
			}
			got, want := touched.Get(a.Labels), put.Get(a.Labels)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the table holds %+v, want %+v", got, want)
			}
			if got, want := touched.nextExpiry(), put.nextExpiry(); !got.Equal(want) {
				t.Errorf("next end at %s, want %s", got, want)
			}
		}
	})
}

func TestTouchIsForWhatIsKnownAndOnDisk(t *testing.T) {
	table := newTable(0, Labels.Hash)
	touch := func(a *Alert, now string) bool { return table.Touch(a, at(now)) }

	if touch(report("A", "00:00", "00:04", "x"), "00:00") {
		t.Error("touched an alert that is not known")
	}
	table.Put(report("A", "00:00", "00:04", "x"), at("00:00"))
	if touch(report("A", "00:00", "00:05", "x"), "00:01") {
		t.Error("touched an alert that is not on disk")
	}
	table.committed()
	if !touch(report("A", "00:00", "00:05", "x"), "00:01") {
		t.Error("did not touch a repetition")
	}
	for what, a := range map[string]*Alert{
		"an annotation":   report("A", "00:00", "00:06", "y"),
		"an earlier":      report("A", "23:59", "00:06", "x"),
		"a resolved":      report("A", "00:00", "00:01", "x"),
		"another link":    {Labels: Labels{{"alertname", "A"}}, Annotations: Labels{{"note", "x"}}, StartsAt: at("00:00"), EndsAt: at("00:06"), GeneratorURL: "u"},
		"another zone":    {Labels: Labels{{"alertname", "A"}}, Annotations: Labels{{"note", "x"}}, StartsAt: at("00:00").In(time.FixedZone("", 3600)), EndsAt: at("00:06")},
		"an end of ours":  {Labels: Labels{{"alertname", "A"}}, Annotations: Labels{{"note", "x"}}, StartsAt: at("00:00"), EndsAt: at("00:06"), Timeout: true},
		"one without end": {Labels: Labels{{"alertname", "A"}}, Annotations: Labels{{"note", "y"}}, StartsAt: at("00:00")},
	} {
		if what == "an earlier" {
			a.StartsAt = at("00:00").Add(-time.Hour)
		}
		if touch(a, "00:02") {
			t.Errorf("touched by a report with %s", what)
		}
	}
	if touch(report("A", "00:00", "00:09", "x"), "00:05") {
		t.Error("touched an alert at its end")
	}
	table.Expired(at("00:05"))
	if touch(report("A", "00:00", "00:09", "x"), "00:04") {
		t.Error("touched an alert whose end was noticed")
	}
}

// Two alerts are two, though a hash may not tell them apart.
func TestCollidingAlertsAreTwo(t *testing.T) {
	table := newTable(0, func(Labels) uint64 { return 7 })
	for i, name := range []string{"A", "B", "C"} {
		table.Put(report(name, "00:00", fmt.Sprintf("00:0%d", 3+i), name), at("00:00"))
	}
	table.committed()
	if !table.Touch(report("B", "00:00", "00:09", "B"), at("00:01")) {
		t.Error("did not find B")
	}
	if table.Touch(report("D", "00:00", "00:09", "A"), at("00:01")) {
		t.Error("took D for another")
	}
	if got := table.Get(Labels{{"alertname", "A"}}); !got.EndsAt.Equal(at("00:03")) {
		t.Errorf("touching B moved A to %s", got.EndsAt)
	}
	if got := table.Get(Labels{{"alertname", "B"}}); !got.EndsAt.Equal(at("00:09")) {
		t.Errorf("B ends at %s", got.EndsAt)
	}
	if table.Len() != 3 {
		t.Errorf("%d alerts, want 3", table.Len())
	}
	for i, name := range []string{"A", "C", "B"} { // each in another place of the chain
		now := []string{"00:03", "00:05", "00:09"}[i]
		if ended := table.Expired(at(now)); len(ended) != 1 || ended[0].Name() != name {
			t.Fatalf("%s: %v ended, want %s", now, ended, name)
		}
		table.gc(at(now))
		if table.Get(Labels{{"alertname", name}}) != nil || table.Len() != 2-i {
			t.Errorf("%s was not forgotten: %d left", name, table.Len())
		}
	}
}

// The parts together are the table.
func TestThePartsAreTheWhole(t *testing.T) {
	table := newTable(0, Labels.Hash)
	for _, a := range clusterAlerts(1000) {
		table.put(a, began)
	}
	want := map[uint64]int{}
	for a := range table.All() {
		want[a.Fingerprint()]++
	}
	got := map[uint64]int{}
	for n := range Parts {
		for a := range table.Part(n) {
			if !reflect.DeepEqual(a, table.Get(a.Labels)) {
				t.Errorf("%+v, want %+v", a, table.Get(a.Labels))
			}
			got[a.Fingerprint()]++
		}
	}
	if len(got) != 1000 || !maps.Equal(got, want) {
		t.Errorf("%d alerts in parts, want %d", len(got), len(want))
	}
}

// A limit is on what fires: an alert that ended makes room.
func TestTooManyAlertsOfOneNameAreRefused(t *testing.T) {
	table := newTable(2, Labels.Hash)
	put := func(name, instance, until, now string) Change {
		a := report(name, "00:00", until, "")
		a.Labels = append(a.Labels, Label{"instance", instance})
		_, change := table.Put(a, at(now))
		return change
	}
	for _, step := range []struct {
		name, instance, until, now string
		want                       Change
	}{
		{"A", "1", "00:04", "00:00", FirstSeen},
		{"A", "2", "00:09", "00:00", FirstSeen},
		{"A", "3", "00:04", "00:00", Refusal},
		{"B", "3", "00:04", "00:00", FirstSeen},
		{"A", "1", "00:05", "00:01", Refreshed},
		{"A", "1", "00:02", "00:06", Refreshed}, // no longer: see below
	} {
		if step.now == "00:06" {
			table.Expired(at("00:06"))
			if got := put("A", "3", "00:09", "00:06"); got != FirstSeen {
				t.Errorf("an end made no room: %s", got)
			}
			if got := put("A", "1", "00:09", "00:06"); got != Refusal {
				t.Errorf("a third of its name fires again: %s", got)
			}
			continue
		}
		if got := put(step.name, step.instance, step.until, step.now); got != step.want {
			t.Errorf("%+v: %s", step, got)
		}
	}
	table.limitTo(3)
	if got := put("A", "1", "00:09", "00:06"); got != Refired {
		t.Errorf("under a higher limit: %s", got)
	}
	if want := map[string]int{"A": 3}; !maps.Equal(table.named, want) {
		t.Errorf("counted %v, want %v", table.named, want)
	}
}

func TestPutKeepsNothingOfTheSendersMemory(t *testing.T) {
	body := []byte("alertnameAnotex")
	text := func(from, to int) string { return unsafe.String(&body[from], to-from) }
	table := newTable(0, Labels.Hash)
	a := &Alert{
		Labels:      Labels{{text(0, 9), text(9, 10)}},
		Annotations: Labels{{text(10, 14), text(14, 15)}},
		EndsAt:      at("00:04"),
	}
	stored, _ := table.Put(a, at("00:00"))
	copy(body, "................")
	if got := stored.Labels.String() + stored.Annotations.String(); got != `{alertname="A"}{note="x"}` {
		t.Errorf("the table holds %s", got)
	}
}

// Run with -race: senders touch, people read, and the engine puts, ends and forgets, all at once.
func TestManyMayTouchAndReadAtOnce(t *testing.T) {
	const alerts, rounds = 300, 20
	table := newTable(0, Labels.Hash)
	labelsOf := func(n int) Labels {
		return Labels{{"alertname", "A"}, {"n", fmt.Sprint(n)}}
	}
	for n := range alerts {
		table.Put(&Alert{Labels: labelsOf(n), EndsAt: began.Add(time.Hour), Timeout: n%10 == 0}, began)
	}
	table.committed()
	var wg sync.WaitGroup
	for sender := range 4 {
		wg.Go(func() {
			for round := range rounds {
				for n := range alerts {
					end := began.Add(time.Hour + time.Duration(round)*time.Second)
					a := &Alert{Labels: labelsOf(n), EndsAt: end}
					if n%10 != 0 && !table.Touch(a, began.Add(time.Duration(sender)*time.Millisecond)) {
						t.Errorf("alert %d was not touched", n)
					}
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range rounds {
				for a := range table.All() {
					if a.Labels.Get("n") == "" {
						t.Error("an alert without labels")
					}
				}
				table.Get(labelsOf(3))
				table.Len()
			}
		})
	}
	for round := range rounds {
		now := began.Add(time.Duration(round) * time.Second)
		for n := 0; n < alerts; n += 10 {
			table.Put(&Alert{Labels: labelsOf(n), EndsAt: now.Add(time.Millisecond)}, now)
		}
		table.committed()
		table.Expired(now.Add(time.Millisecond))
		table.gc(now.Add(time.Millisecond))
	}
	wg.Wait()
	if table.Len() != alerts-alerts/10 {
		t.Errorf("%d alerts are left", table.Len())
	}
	want := model.LabelSet{"alertname": "A", "n": "1"}
	if got := table.Get(labelsOf(1)); got.Fingerprint() != uint64(want.Fingerprint()) || !got.EndsAt.Equal(began.Add(time.Hour+(rounds-1)*time.Second)) {
		t.Errorf("alert 1 is %+v", got)
	}
}
