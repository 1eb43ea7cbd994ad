package router

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write testdata anew")

// anyTime draws times as senders write them: any offset, any fraction.
func anyTime(t *rapid.T, name string) time.Time {
	if rapid.IntRange(0, 5).Draw(t, name+" absent") == 0 {
		return time.Time{}
	}
	at := time.Unix(rapid.Int64Range(-1e9, 1e10).Draw(t, name), rapid.Int64Range(0, 1e9-1).Draw(t, name+" nanoseconds")).UTC()
	if minutes := rapid.SampledFrom([]int{0, 0, 60, -210, 345}).Draw(t, name+" offset"); minutes != 0 {
		at = at.In(time.FixedZone("", minutes*60))
	}
	return at
}

func anyAlert(t *rapid.T) Alert {
	return Alert{
		Labels:       anyLabels(t, "labels"),
		Annotations:  anyLabels(t, "annotations"),
		StartsAt:     anyTime(t, "starts"),
		EndsAt:       anyTime(t, "ends"),
		UpdatedAt:    anyTime(t, "updated"),
		Timeout:      rapid.Bool().Draw(t, "timeout"),
		Ended:        rapid.Bool().Draw(t, "ended"),
		GeneratorURL: rapid.SampledFrom([]string{"", "http://prometheus/graph?g0.expr=up"}).Draw(t, "url"),
	}
}

// sameAlert compares what is written down, offsets included.
func sameAlert(a, b *Alert) bool {
	return a.Labels.Equal(b.Labels) && samePeriod(a, b) && a.Annotations.Equal(b.Annotations) && a.GeneratorURL == b.GeneratorURL && sameTime(a.UpdatedAt, b.UpdatedAt) && a.Ended == b.Ended
}

func TestWhatIsStoredComesBack(t *testing.T) {
	t.Run("alerts", rapid.MakeCheck(func(t *rapid.T) {
		a := anyAlert(t)
		b := a.Encode([]byte("before"))
		back, err := DecodeAlert(b[len("before"):])
		if err != nil || !sameAlert(&back, &a) {
			t.Errorf("%+v came back as %+v (%v)", a, back, err)
		}
	}))
	t.Run("alerts as JSON", rapid.MakeCheck(func(t *rapid.T) {
		a := anyAlert(t)
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Alert
		if err := json.Unmarshal(b, &back); err != nil || !sameAlert(&back, &a) {
			t.Errorf("%s came back as %+v (%v)", b, back, err)
		}
	}))
	t.Run("log entries", rapid.MakeCheck(func(t *rapid.T) {
		hashes := rapid.SliceOfN(rapid.Uint64(), 1, 9)
		e := LogEntry{
			LogKey: LogKey{
				rapid.String().Draw(t, "group"), rapid.String().Draw(t, "receiver"), "slack",
				rapid.IntRange(0, 9).Draw(t, "index"),
			},
			Timestamp: began, ExpiresAt: began.Add(time.Hour),
			Firing:   slices.Sorted(slices.Values(hashes.Draw(t, "firing"))),
			Resolved: slices.Sorted(slices.Values(hashes.Draw(t, "resolved"))),
			State:    rapid.MapOfN(rapid.String(), rapid.String(), 1, 3).Draw(t, "state"),
		}
		back, err := DecodeLogEntry(e.Encode(nil))
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%+v came back as %+v (%v)", e, back, err)
		}
	}))
}

// The records below were written when their form was new. They must be readable for ever: when a form changes, it gets
// a number and a file of its own, and these stay.
func TestOldRecordsStayReadable(t *testing.T) {
	lisbon := time.FixedZone("", 3600)
	a := Alert{
		Labels:       Labels{{"alertname", "ReplicationLag"}, {"service", "db"}},
		Annotations:  Labels{{"runbook", ""}, {"summary", "lag is 93 s"}},
		StartsAt:     time.Date(2026, 11, 22, 4, 0, 0, 123e6, lisbon),
		EndsAt:       time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC),
		UpdatedAt:    time.Date(2026, 11, 22, 3, 0, 0, 1, time.UTC),
		GeneratorURL: "http://prometheus/graph",
		Timeout:      true,
		Ended:        true,
	}
	e := LogEntry{
		LogKey:    LogKey{`{}/{team="db"}:{alertname="ReplicationLag"}`, "db", "slack", 1},
		Timestamp: a.UpdatedAt,
		ExpiresAt: a.EndsAt,
		Firing:    []uint64{1, 1 << 63},
		Resolved:  []uint64{7},
		State:     map[string]string{"threadTs": "1.2"},
	}

	for _, c := range []struct {
		file  string
		now   []byte
		check func([]byte) bool
	}{
		{"alert.v1", a.Encode(nil), func(b []byte) bool {
			back, err := DecodeAlert(b)
			return err == nil && sameAlert(&back, &a)
		}},
		{"entry.v1", e.Encode(nil), func(b []byte) bool {
			back, err := DecodeLogEntry(b)
			return err == nil && reflect.DeepEqual(back, e)
		}},
	} {
		path := "testdata/" + c.file
		if *update {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(c.now)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		old, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || !c.check(old) {
			t.Errorf("%s is no longer read as it was meant (%v)", c.file, err)
		}
	}
}

func TestDamageIsSaid(t *testing.T) {
	a := Alert{Labels: Labels{{"a", "1"}, {"b", "2"}}, StartsAt: began, EndsAt: began}
	whole := a.Encode(nil)
	for n := range whole {
		if _, err := DecodeAlert(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for an alert", n, len(whole))
		}
	}
	for _, c := range []struct {
		what, want string
		record     []byte
	}{
		{"something after it", "stored alert: damaged at its end", append(slices.Clone(whole), 0)},
		{"a form to come", "stored alert: form 9 is not known; it was written by a newer midwatch", []byte{9, 0}},
		{"labels out of order", "stored alert: damaged at its labels", (&Alert{Labels: Labels{{"b", "2"}, {"a", "1"}}}).Encode(nil)},
		{"more labels than bytes", "stored alert: damaged at its counts", []byte{1, 0, 0xff, 0xff, 0xff, 0x7f}},
		{"flags to come", "stored alert: damaged at its flags", []byte{1, 0x80, 0, 0, 0}},
	} {
		if _, err := DecodeAlert(c.record); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
	if _, err := DecodeLogEntry([]byte{9}); err == nil {
		t.Error("a log entry of a form to come was read")
	}
}

func FuzzDecodeAlert(f *testing.F) {
	f.Add((&Alert{Labels: Labels{{"a", "1"}}, StartsAt: began.In(time.FixedZone("", 3600)), Timeout: true}).Encode(nil))
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := DecodeAlert(b)
		if err != nil {
			return
		}
		back, err := DecodeAlert(a.Encode(nil))
		if err != nil || !sameAlert(&back, &a) {
			t.Errorf("%x was read as %+v, written and read as %+v (%v)", b, a, back, err)
		}
	})
}

func FuzzDecodeLogEntry(f *testing.F) {
	f.Add(LogEntry{LogKey: LogKey{"k", "r", "i", 1}, Firing: []uint64{1}, State: map[string]string{"a": "b"}}.Encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeLogEntry(b)
		if err != nil {
			return
		}
		back, err := DecodeLogEntry(e.Encode(nil))
		if err != nil || !bytes.Equal(back.Encode(nil), e.Encode(nil)) {
			t.Errorf("%x was read as %+v, written and read as %+v (%v)", b, e, back, err)
		}
	})
}

func samePeriod(a, b *Alert) bool {
	p, o := a.period(), b.period()
	return !p.shifts(&o) && sameTime(p.ends, o.ends)
}
