package engine

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/router"
	"github.com/midwatch/midwatch/store"
)

// bygone is what the engine remembers of alerts, a firing period a line.
func (w *world) bygone(since time.Time) string {
	w.t.Helper()
	var b strings.Builder
	for a, err := range w.e.Past(ctx(), since) {
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		fmt.Fprintf(&b, "%s %s to %s\n", a.Labels.Get("alertname"), a.StartsAt.Sub(w.start), a.EndsAt.Sub(w.start))
	}
	return b.String()
}

func (w *world) pastRecords() (n int) {
	from, to := store.Prefix(prefPast)
	for range w.disk.Scan(ctx(), from, to) {
		n++
	}
	return n
}

func wantBygone(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("remembered\n%swant\n%s", got, want)
	}
}

func TestAlertsThatEndedAreRemembered(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A")
	w.run(2 * time.Minute)
	wantBygone(t, w.bygone(night), "")
	w.resolve("alertname", "A")
	wantBygone(t, w.bygone(night), "A 0s to 2m0s\n")
	if n := w.pastRecords(); n != 1 {
		t.Errorf("%d records after the first end, want 1", n)
	}
	w.run(3 * time.Minute)
	w.fire("alertname", "A") // once more: a period of its own
	w.fire("alertname", "B")
	w.run(4 * time.Minute)
	w.resolve("alertname", "A")
	w.post(alerts("alertname", "C")...) // nobody says that it ends: it expires
	w.run(3 * time.Hour)
	wantBygone(t, w.bygone(night), "A 0s to 2m0s\nA 3m0s to 4m0s\nC 0s to 1h0m0s\n")
	wantBygone(t, w.bygone(night.Add(4*time.Minute)), "A 3m0s to 4m0s\nC 0s to 1h0m0s\n")
	w.crash(time.Minute)
	w.run(3*time.Hour + time.Minute)
	wantBygone(t, w.bygone(night), "A 0s to 2m0s\nA 3m0s to 4m0s\nC 0s to 1h0m0s\n")
	for range w.e.Past(ctx(), night) {
		break // who has seen enough may go
	}
}

func TestManyEndsMakeFewRecords(t *testing.T) {
	w := newWorld(t, house(), 1)
	var fired []*router.Alert
	for i := range 600 {
		fired = append(fired, &router.Alert{Labels: set("alertname", "A", "host", fmt.Sprint("h", i)), StartsAt: night, EndsAt: night.Add(time.Hour)})
	}
	end := func(some []*router.Alert) {
		var over []*router.Alert
		for _, a := range some {
			over = append(over, &router.Alert{Labels: a.Labels, StartsAt: night, EndsAt: w.wall()})
		}
		w.post(over...)
	}
	w.post(fired...)
	w.run(time.Minute)
	end(fired[:1])
	for i := range 30 { // within a minute
		w.run(time.Minute + time.Duration(i)*time.Second)
		end(fired[1+i : 2+i])
	}
	if n, all := w.pastRecords(), strings.Count(w.bygone(night), "\n"); n != 1 || all != 31 {
		t.Errorf("%d alerts remembered, in %d records", all, n)
	}
	end(fired[31:])
	if n, all := w.pastRecords(), strings.Count(w.bygone(night), "\n"); n != 4 || all != 600 {
		t.Errorf("%d alerts remembered, in %d records", all, n)
	}
	w.crash(0)
	if all := strings.Count(w.bygone(night), "\n"); all != 600 {
		t.Errorf("%d alerts remembered after a crash", all)
	}
}

func TestPastAlertsAreForgotten(t *testing.T) {
	w := newWorld(t, house(), 1)
	for day := range 20 {
		w.run(time.Duration(day) * 24 * time.Hour)
		name := fmt.Sprint("D", day)
		w.fire("alertname", name)
		w.run(time.Duration(day)*24*time.Hour + time.Minute)
		w.resolve("alertname", name)
	}
	got := w.bygone(night)
	if strings.Count(got, "\n") != 8 || !strings.HasPrefix(got, "D12 ") || !strings.Contains(got, "D19 ") {
		t.Errorf("of twenty days are remembered\n%s", got)
	}
	if n := w.pastRecords(); n != 8 {
		t.Errorf("%d records", n)
	}
	w.crash(0)
	wantBygone(t, w.bygone(night), got)

	// And no more than so many, however young.
	w.e.core.ended.count = mostPast + 3
	w.fire("alertname", "E")
	w.run(20 * 24 * time.Hour)
	w.resolve("alertname", "E")
	if got := w.bygone(night); strings.Contains(got, "D14 ") || !strings.Contains(got, "D16 ") || !strings.Contains(got, "E ") {
		t.Errorf("past the limit are remembered\n%s", got)
	}
}

func TestAnAlertOfManyWordsIsNotRemembered(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A", "text", strings.Repeat("x", mostPastText))
	w.run(time.Minute)
	w.resolve("alertname", "A", "text", strings.Repeat("x", mostPastText))
	wantBygone(t, w.bygone(night), "")
}

func TestDamagedPastIsPassedOver(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.fire("alertname", "A")
	w.run(time.Minute)
	w.resolve("alertname", "A")
	if err := w.disk.Commit(ctx(), store.Batch{Put: []store.KeyValue{
		{Key: prefPast + seqKey(8), Value: []byte(`{"kind":"past","version":1,"value":7}`)},
		{Key: prefPast + seqKey(9), Value: encode("past", pastRecord{Count: 1, Last: w.wall(), Body: []byte{1}})},
	}}); err != nil {
		t.Fatal(err)
	}
	w.onStart = func(_ *world, problems []string) {
		if len(problems) != 1 || !strings.Contains(problems[0], "past") {
			t.Errorf("problems: %v", problems)
		}
	}
	w.crash(0)
	w.fire("alertname", "B")
	w.run(3 * time.Minute)
	w.resolve("alertname", "B")
	wantBygone(t, w.bygone(night), "A 0s to 1m0s\nB 1m0s to 3m0s\n")
}

func TestPastIsReadWhileTheDiskIsFull(t *testing.T) {
	w := newWorld(t, house(), 1)
	w.unsaved = true
	w.fire("alertname", "A")
	w.run(time.Minute)
	w.disk.judge = func(int, store.Batch) (error, error) { return store.ErrFull, nil }
	w.resolve("alertname", "A")
	wantBygone(t, w.bygone(night), "A 0s to 1m0s\n")
	w.disk.judge = nil
	w.run(2 * time.Minute)
	wantBygone(t, w.bygone(night), "A 0s to 1m0s\n")
}

func TestPackedPastIsReadAsItWas(t *testing.T) {
	text := rapid.StringOf(rapid.RuneFrom([]rune("ab=\"ö😀")))
	rapid.Check(t, func(t *rapid.T) {
		var all []PastAlert
		for range rapid.IntRange(1, 12).Draw(t, "alerts") {
			start := time.UnixMilli(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "start")).UTC()
			all = append(all, PastAlert{
				Labels:   append(router.Labels{}, router.LabelsOf(rapid.MapOfN(text, text, 0, 5).Draw(t, "labels"))...),
				StartsAt: start, EndsAt: start.Add(time.Duration(rapid.Int64Range(-5, 1<<40).Draw(t, "lasts")) * time.Millisecond),
			})
		}
		packed := packPast(all)
		if got, err := unpackPast(packed); err != nil || !reflect.DeepEqual(got, all) {
			t.Fatalf("read as %v, %v, want %v", got, err, all)
		}
		cut := rapid.IntRange(0, len(packed)-1).Draw(t, "cut")
		if got, err := unpackPast(packed[:cut]); err == nil && len(got) >= len(all) {
			t.Fatalf("cut at %d of %d it was read whole", cut, len(packed))
		}
	})
}

func FuzzPackedPast(f *testing.F) {
	f.Add(packPast([]PastAlert{{Labels: set("a", "b", "c", "d"), StartsAt: night, EndsAt: night.Add(time.Hour)}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, packed []byte) {
		all, err := unpackPast(packed)
		if err != nil {
			return
		}
		again, err := unpackPast(packPast(all))
		if err != nil || !slices.EqualFunc(all, again, func(a, b PastAlert) bool {
			return a.Labels.Equal(b.Labels) && a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt)
		}) {
			t.Errorf("%v came back as %v, %v", all, again, err)
		}
	})
}

func BenchmarkRememberEnds(b *testing.B) {
	var all []PastAlert
	for i := range pastTogether {
		all = append(all, PastAlert{
			Labels:   set("alertname", "HighLatency", "cluster", "eu-1", "job", "api", "namespace", "shop", "pod", fmt.Sprintf("api-%08x", i*7919), "severity", "critical"),
			StartsAt: night, EndsAt: night.Add(time.Hour),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(encode("past", pastRecord{Count: len(all), Last: night, Body: packPast(all)}))))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(all)), "ns/alert")
}
