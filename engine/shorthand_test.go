package engine

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/router"
)

// someAlert draws an alert of few names and values, so that two of them often have much in common.
func someAlert(t *rapid.T) *router.Alert {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "svc-012-pod-0001", "svc-012-pod-0002", "svc-012-pod-0001x", "é\u2028\U0001f525", strings.Repeat("long ", 100)}),
		rapid.String())
	names := rapid.SampledFrom([]string{"alertname", "b", "c", "d", "instance", "résumé"})
	set := func(what string) router.Labels {
		var pairs []router.Label
		for _, name := range rapid.SliceOfNDistinct(names, 0, 4, rapid.ID).Draw(t, what) {
			pairs = append(pairs, router.Label{Name: name, Value: text.Draw(t, what+" value")})
		}
		if len(pairs) == 0 {
			return nil
		}
		return router.MakeLabels(pairs)
	}
	when := rapid.Custom(func(t *rapid.T) time.Time {
		at := rapid.SampledFrom([]time.Time{
			{}, night, night.Add(time.Nanosecond), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Unix(-1, 5).UTC(),
		}).Draw(t, "instant")
		if offset := rapid.SampledFrom([]int{0, 0, 3600, -20700}).Draw(t, "offset"); offset != 0 && !at.IsZero() {
			at = at.In(time.FixedZone("", offset))
		}
		return at
	})
	return &router.Alert{
		Labels: set("labels"), Annotations: set("annotations"), GeneratorURL: text.Draw(t, "link"),
		StartsAt: when.Draw(t, "starts"), EndsAt: when.Draw(t, "ends"), UpdatedAt: when.Draw(t, "updated"),
		Timeout: rapid.Bool().Draw(t, "timeout"), Ended: rapid.Bool().Draw(t, "ended"),
	}
}

// sameAlert compares what a record holds, zone offsets and all.
func sameAlert(a, b *router.Alert) bool {
	x, y := *a, *b
	for _, pair := range [...][2]*time.Time{{&x.StartsAt, &y.StartsAt}, {&x.EndsAt, &y.EndsAt}, {&x.UpdatedAt, &y.UpdatedAt}} {
		if !sameInstant(*pair[0], *pair[1]) {
			return false
		}
		*pair[0], *pair[1] = time.Time{}, time.Time{}
	}
	return reflect.DeepEqual(x, y)
}

// TestShorthandComesBack: whatever stands in a record behind whatever is read as it was; and so is the part before a cut.
func TestShorthandComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alerts := rapid.SliceOfN(rapid.Custom(someAlert), 1, 20).Draw(t, "alerts")
		var records [][]byte
		for rest := alerts; len(rest) > 0; {
			var record []byte
			record, rest = appendAlerts(nil, rest)
			records = append(records, record)
		}
		var back []*router.Alert
		for _, record := range records {
			some, err := readAlerts(record)
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, some...)
		}
		if !slices.EqualFunc(back, alerts, sameAlert) {
			t.Fatalf("read\n%+v\nwant\n%+v", back, alerts)
		}
		cut := rapid.IntRange(1, len(records[0])).Draw(t, "cut")
		if some, _ := readAlerts(records[0][:cut]); !slices.EqualFunc(some, alerts[:len(some)], sameAlert) {
			t.Fatalf("cut at %d of %d: read %+v", cut, len(records[0]), some)
		}
	})
}

// TestShorthandIsShort: one more alert of a rule takes a fraction of what it takes by itself.
func TestShorthandIsShort(t *testing.T) {
	var alerts []*router.Alert
	plain := 0
	for i := range 64 {
		a := &router.Alert{
			Labels:       set("alertname", "KubeServiceAlert", "cluster", "eu-west-1", "instance", fmt.Sprintf("10.0.0.%d:8443", i), "job", "kube-state-metrics", "pod", fmt.Sprintf("svc-012-6b8f7c9d54-%04d", i)),
			Annotations:  set("summary", "svc-012 burns its error budget", "description", fmt.Sprintf("More than 5%% of the requests were answered with an error. Pod %d is one of those that did.", i)),
			GeneratorURL: "http://prometheus.example.com:9090/graph?g0.expr=sum+by%28service%29+%28rate%28http_errors_total%5B10m%5D%29%29",
			StartsAt:     night, EndsAt: night.Add(time.Hour), UpdatedAt: night,
		}
		alerts = append(alerts, a)
		plain += len(a.Encode(nil))
	}
	record, rest := appendAlerts(nil, alerts)
	if len(rest) > 0 || 4*len(record) > plain {
		t.Errorf("%d bytes in a record, %d one by one; %d did not fit", len(record), plain, len(rest))
	}
}

// TestAlertsThatAreAlikeAreNotTooMany: however short, a record holds a bounded number.
func TestAlertsThatAreAlikeAreNotTooMany(t *testing.T) {
	a := &router.Alert{Labels: set("alertname", "A"), StartsAt: night}
	_, rest := appendAlerts(nil, slices.Repeat([]*router.Alert{a}, mostInRecord+3))
	if len(rest) != 3 {
		t.Errorf("%d are left", len(rest))
	}
}

// TestShorthandThatIsDamaged: bytes that nobody writes are an error, and cost no memory that they do not have.
func TestShorthandThatIsDamaged(t *testing.T) {
	good, _ := appendAlerts(nil, []*router.Alert{{Labels: set("a", "x", "b", "y")}})
	swap := func(old, with string) []byte { return []byte(strings.Replace(string(good), old, with, 1)) }
	grown := []byte{journalFormat, 0, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x01} // its link begins, and has two million bytes
	for what, record := range map[string][]byte{
		"names out of order":       swap("a", "c"),
		"flags that nobody knows":  append([]byte{journalFormat, 0xff}, good[2:]...),
		"bits that nobody knows":   append([]byte{journalFormat, 0, 0xff}, good[3:]...),
		"more labels than bytes":   {journalFormat, 0, 0, 0xff, 0xff, 0x7f},
		"text that is not there":   grown,
		"a beginning of nothing":   {journalFormat, 0, 0, 0, 0, 9, 0},
		"a time of no year":        {journalFormat, writtenStarts, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0},
		"a number that never ends": append([]byte{journalFormat, 0, 0}, slices.Repeat([]byte{0xff}, 12)...),
	} {
		if alerts, err := readAlerts(record); !errors.Is(err, errJournal) || len(alerts) > 0 {
			t.Errorf("%s: %v, %v", what, alerts, err)
		}
	}
}
