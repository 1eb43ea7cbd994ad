package gossip

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/router"
)

func TestLogComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawLog(t)
		got, err := DecodeLog(bytes.NewReader(logBytes(t, all)))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, all)
	})
}

// TestAlertmanagerKeepsOurLog has upstream read what we wrote and write it again: byte for byte the same, records in its
// own order.
func TestAlertmanagerKeepsOurLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ours := logBytes(t, drawLog(t))
		theirs := upstreamLog(t, nflog.Options{SnapshotReader: bytes.NewReader(ours)})
		var snapshot bytes.Buffer
		if _, err := theirs.Snapshot(&snapshot); err != nil {
			t.Fatal(err)
		}
		equal(t, sorted(records[nflogpb.MeshEntry](t, snapshot.Bytes())), sorted(records[nflogpb.MeshEntry](t, ours)))
	})
}

func TestLogOfAlertmanagerWithNumbers(t *testing.T) {
	at := time.Date(2026, 4, 1, 3, 0, 0, 7, time.UTC)
	store := nflog.NewStore(nil)
	store.SetStr("threadTs", "1700000000.000100")
	store.SetInt("version", -3)
	store.SetFloat("ratio", 0.25)
	theirs := &nflogpb.Entry{ReceiverData: map[string]*nflogpb.ReceiverDataValue{
		"threadTs": {Value: &nflogpb.ReceiverDataValue_StrVal{StrVal: "1700000000.000100"}},
		"version":  {Value: &nflogpb.ReceiverDataValue_IntVal{IntVal: -3}},
		"ratio":    {Value: &nflogpb.ReceiverDataValue_DoubleVal{DoubleVal: 0.25}},
		"nothing":  {},
	}}
	theirs.GroupKey = []byte(`{}:{alertname="Down"}`)
	theirs.Receiver = &nflogpb.Receiver{GroupName: "team", Integration: "slack", Idx: 2}
	theirs.Timestamp = timestamppb.New(at)
	theirs.GroupHash, theirs.Resolved = []byte("old"), true
	theirs.FiringAlerts = []uint64{9, 1, 1 << 63}

	got, err := DecodeLog(bytes.NewReader(wire(t, &nflogpb.MeshEntry{Entry: theirs})))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []router.LogEntry{{
		LogKey:    router.LogKey{GroupKey: `{}:{alertname="Down"}`, Receiver: "team", Integration: "slack", Index: 2},
		Timestamp: at, Firing: []uint64{9, 1, 1 << 63},
		State: map[string]string{"threadTs": "1700000000.000100", "version": "-3", "ratio": "0.25"},
	}})
}

func TestWhatIsReadableOfADamagedLog(t *testing.T) {
	ok := logBytes(t, []router.LogEntry{{LogKey: router.LogKey{GroupKey: "a"}}})
	key := &nflogpb.Receiver{GroupName: "team", Integration: "slack"}
	for name, tt := range map[string]struct {
		in   []byte
		read int
		want string
	}{
		"nothing":     {nil, 0, ""},
		"no message":  {slices.Concat(ok, []byte("\x02\xff\xff"), ok), 2, "record 2: proto:"},
		"no entry":    {slices.Concat(wire(t, &nflogpb.MeshEntry{}), ok), 1, "record 1: no entry that names a receiver"},
		"no receiver": {wire(t, &nflogpb.MeshEntry{Entry: &nflogpb.Entry{GroupKey: []byte("a")}}), 0, "record 1: no entry that names a receiver"},
		"no date": {wire(t, &nflogpb.MeshEntry{Entry: &nflogpb.Entry{
			GroupKey: []byte("a"), Receiver: key, Timestamp: &timestamppb.Timestamp{Nanos: -1},
		}}), 0, `record 1: entry "a:team/slack/0": timestamp: `},
		"no expiry": {wire(t, &nflogpb.MeshEntry{
			Entry: &nflogpb.Entry{GroupKey: []byte("a"), Receiver: key}, ExpiresAt: &timestamppb.Timestamp{Seconds: 1 << 60},
		}), 0, `record 1: entry "a:team/slack/0": expiry: `},
		"cut off": {slices.Concat(ok, ok[:len(ok)-1]), 1, "record 2: it ends too soon: unexpected EOF; what follows it is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeLog(bytes.NewReader(tt.in))
			equal(t, len(got), tt.read)
			faultIs(t, err, tt.want)
		})
	}
}

func FuzzDecodeLog(f *testing.F) {
	f.Add([]byte{})
	f.Add(logBytes(f, []router.LogEntry{
		{
			LogKey: router.LogKey{GroupKey: `{}:{alertname="Down"}`, Receiver: "team", Integration: "slack", Index: 1},
			Firing: []uint64{1, 2}, Resolved: []uint64{3}, Timestamp: time.Unix(1, 2), State: map[string]string{"k": "v"},
		},
		{LogKey: router.LogKey{GroupKey: "x"}},
	}))
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := DecodeLog(bytes.NewReader(in))
		again, errAgain := DecodeLog(bytes.NewReader(logBytes(t, all)))
		if errAgain != nil {
			t.Fatalf("what was read cannot be read again: %v", errAgain)
		}
		equal(t, again, all)
		if err != nil {
			return
		}
		if _, err := newUpstreamLog(nflog.Options{SnapshotReader: bytes.NewReader(in)}); err != nil {
			t.Fatalf("Alertmanager cannot read it: %v", err)
		}
	})
}

func logBytes(t tester, all []router.LogEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := EncodeLog(&out, all); err != nil {
		t.Fatalf("%v", err)
	}
	return out.Bytes()
}

func newUpstreamLog(o nflog.Options) (*nflog.Log, error) {
	o.Metrics = prometheus.NewRegistry()
	return nflog.New(o)
}

func upstreamLog(t tester, o nflog.Options) *nflog.Log {
	t.Helper()
	l, err := newUpstreamLog(o)
	if err != nil {
		t.Fatalf("Alertmanager: %v", err)
	}
	return l
}

// upstreamEntry is what upstream's log has of the key, or nil.
func upstreamEntry(l *nflog.Log, k router.LogKey) *nflogpb.Entry {
	all, err := l.Query(nflog.QGroupKey(k.GroupKey), nflog.QReceiver(wireKey(k)))
	if err != nil {
		return nil
	}
	return all[0]
}

func wireKey(k router.LogKey) *nflogpb.Receiver {
	return &nflogpb.Receiver{GroupName: k.Receiver, Integration: k.Integration, Idx: uint32(k.Index)}
}

func drawLog(t *rapid.T) []router.LogEntry {
	all := rapid.SliceOfN(rapid.Custom(drawEntry), 0, 5).Draw(t, "entries")
	for i := range all {
		all[i].GroupKey = fmt.Sprintf("%d%s", i, all[i].GroupKey)
	}
	return absent(all)
}

func drawEntry(t *rapid.T) router.LogEntry {
	return router.LogEntry{
		LogKey: router.LogKey{
			GroupKey: rapid.String().Draw(t, "group key"), Receiver: rapid.String().Draw(t, "receiver"),
			Integration: rapid.String().Draw(t, "integration"), Index: int(rapid.Uint32().Draw(t, "index")),
		},
		Timestamp: drawTime(t, "timestamp"),
		ExpiresAt: drawTime(t, "expiry"),
		Firing:    absent(rapid.SliceOfN(rapid.Uint64(), 0, 5).Draw(t, "firing")),
		Resolved:  absent(rapid.SliceOfN(rapid.Uint64(), 0, 5).Draw(t, "resolved")),
		State:     drawMap(t, "state"),
	}
}

func equal[V any](t tester, got, want V) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// faultIs checks that the error says so; empty is no error. The protobuf library at times writes a space as another one,
// so that nobody relies on its words.
func faultIs(t tester, err error, want string) {
	t.Helper()
	if want == "" || err == nil {
		if (want == "") != (err == nil) {
			t.Errorf("got error %v, want %q", err, want)
		}
		return
	}
	if !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), want) {
		t.Errorf("got error %q, want %q", err, want)
	}
}
