package probe

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/slo"
)

func TestCounts(t *testing.T) {
	minute := func(n int) time.Time { return midnight.Add(time.Duration(n) * time.Minute) }
	f := &fake{value: func(query string, at time.Time) map[string]float64 {
		n := int(at.Sub(midnight) / time.Minute)
		if query == "bad" {
			return map[int]map[string]float64{2: {"{}": 0.25}, 3: {"{}": math.NaN()}, 5: {"{}": 1}}[n]
		}
		return map[int]map[string]float64{1: {"{}": 1}, 2: {"{}": 1}, 3: {"{}": 1}, 4: {"{}": math.NaN()}, 5: {"{}": -1}}[n]
	}}
	got, fault, err := source(t, f).Counts(t.Context(), Query{Bad: "bad", Total: "total"}, minute(1), minute(6))
	if err != nil {
		t.Fatal(err)
	}
	want := []Reading{{Counts: []slo.Counted{
		{Minute: minute(0), Total: 10_000},
		{Minute: minute(1), Bad: 2500, Total: 10_000},
		{Minute: minute(2), Total: 10_000},
		{Minute: minute(3)}, // no number
		{Minute: minute(4)}, // less than nothing
		{Minute: minute(5)}, // nothing at all
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if fault == nil || !strings.Contains(fault.Error(), "total is -1 at 2000-01-01T00:05:00Z, which is no rate of events") {
		t.Errorf("fault %v", fault)
	}
}

// Whatever the rates, their share survives, and no count is more than a Budget takes.
func TestCountKeepsTheShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Float64Range(1, 1e18).Draw(t, "total")
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		bad, all := count(share*total, total)
		if all > slo.MaxCount || bad > all {
			t.Fatalf("%d of %d", bad, all)
		}
		if got := float64(bad) / float64(all); math.Abs(got-share) > 1.0/perUnit {
			t.Fatalf("share %g became %g", share, got)
		}
	})
}

func TestWhatIsNoAnswer(t *testing.T) {
	data := func(kind, result string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
	}
	for _, c := range []struct {
		name string
		f    *fake
		by   []string
		want string
	}{
		{"a query that is none", &fake{status: 400, body: `{"status":"error","errorType":"bad_data","error":"1:5: parse error"}`}, nil, "http://prometheus:9090/base does not take the query: 1:5: parse error"},
		{"too slow for itself", &fake{status: 503, body: `{"status":"error","errorType":"timeout","error":"query timed out"}`}, nil, "prometheus:9090/base: timeout: query timed out"},
		{"no access", &fake{status: 401, body: "who are you"}, nil, "client_error: client error: 401"},
		{"a page", &fake{body: "<html>hello</html>"}, nil, "bad_response"},
		{"too large", &fake{body: strings.Repeat(" ", maxAnswer+2)}, nil, "larger than 64 MiB"},
		{"two series", &fake{body: data("vector", `[{"metric":{"a":"1"},"value":[946684800,"1"]},{"metric":{"a":"2"},"value":[946684800,"1"]}]`)}, nil, "it gives several series, and the SLO has no by; sum them up"},
		{"two series of one value", &fake{body: data("vector", `[{"metric":{"a":"1","b":"1"},"value":[946684800,"1"]},{"metric":{"a":"1","b":"2"},"value":[946684800,"1"]}]`)}, []string{"a"}, "the same values of by"},
		{"a text", &fake{body: data("string", `[946684800,"x"]`)}, nil, "answers what no Prometheus does"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := source(t, c.f).at(t.Context(), Query{Bad: "bad", Total: "total", By: c.by}, midnight)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "not-to-be-seen") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestAScalarIsARate(t *testing.T) {
	f := &fake{body: `{"status":"success","data":{"resultType":"scalar","result":[946684800,"1"]}}`}
	got, _, err := source(t, f).at(t.Context(), Query{Bad: "0", Total: "1"}, midnight)
	if err != nil || got[0].Counts[0].Total != perUnit {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCountsAreAskedForInParts(t *testing.T) {
	_, _, err := source(t, &fake{}).Counts(t.Context(), Query{Bad: "bad", Total: "total"}, midnight, midnight.Add(MaxPoints*time.Minute))
	if err == nil || !strings.Contains(err.Error(), "1441 minutes are more than 1440") {
		t.Error(err)
	}
}

func TestNewSourceRefuses(t *testing.T) {
	for _, address := range []string{"", "prometheus:9090", "ftp://prometheus", "http://", "http://not-to-be-seen:%zz@x"} {
		if _, err := NewSource(address, http.DefaultTransport); err == nil || strings.Contains(err.Error(), "not-to-be-seen") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
