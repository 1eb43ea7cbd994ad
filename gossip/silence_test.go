package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/router"
)

func TestSilencesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawSilences(t)
		got, err := DecodeSilences(bytes.NewReader(silenceBytes(t, all)))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, all)
	})
}

// TestAlertmanagerKeepsOurSilences has upstream read what we wrote and write it again: byte for byte the same, records in
// its own order.
func TestAlertmanagerKeepsOurSilences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawSilences(t)
		ours := silenceBytes(t, all)
		theirs := upstreamSilences(t, silence.Options{SnapshotReader: bytes.NewReader(ours)})
		var snapshot bytes.Buffer
		if _, err := theirs.Snapshot(&snapshot); err != nil {
			t.Fatal(err)
		}
		equal(t, sorted(records[silencepb.MeshSilence](t, snapshot.Bytes())), sorted(records[silencepb.MeshSilence](t, ours)))

		got, err := DecodeSilences(&snapshot)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b router.Silence) int { return strings.Compare(a.ID, b.ID) })
		slices.SortFunc(all, func(a, b router.Silence) int { return strings.Compare(a.ID, b.ID) })
		equal(t, got, all)
	})
}

func TestOldAlertmanagersFindTheFirstMatcherSet(t *testing.T) {
	written := silenceBytes(t, []router.Silence{{
		ID: "a", Matchers: []router.MatcherSet{
			{{Name: "job", Type: labels.MatchRegexp, Value: "db.*"}},
			{{Name: "job", Type: labels.MatchEqual, Value: "web"}},
		},
	}})
	got := records[silencepb.MeshSilence](t, written)
	want := records[silencepb.MeshSilence](t, wire(t, &silencepb.MeshSilence{Silence: &silencepb.Silence{
		Id:       "a",
		Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_REGEXP, Name: "job", Pattern: "db.*"}},
		MatcherSets: []*silencepb.MatcherSet{
			{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_REGEXP, Name: "job", Pattern: "db.*"}}},
			{Matchers: []*silencepb.Matcher{{Type: silencepb.Matcher_EQUAL, Name: "job", Pattern: "web"}}},
		},
	}}))
	equal(t, got, want)
}

func TestSilencesOfOldAlertmanagers(t *testing.T) {
	at := time.Date(2017, 4, 1, 3, 0, 0, 0, time.UTC)
	old := &silencepb.MeshSilence{
		ExpiresAt: timestamppb.New(at.Add(time.Hour)),
		Silence: &silencepb.Silence{
			Id: "a",
			Matchers: []*silencepb.Matcher{
				{Type: silencepb.Matcher_EQUAL, Name: "job", Pattern: "db"},
				{Type: silencepb.Matcher_NOT_REGEXP, Name: "env", Pattern: "test.*"},
			},
			StartsAt: timestamppb.New(at),
			Comments: []*silencepb.Comment{{Author: "ana", Comment: "disk swap"}, {Author: "bo", Comment: "still at it"}},
		},
	}
	got, err := DecodeSilences(bytes.NewReader(wire(t, old)))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []router.Silence{{
		ID: "a", CreatedBy: "ana", Comment: "disk swap", StartsAt: at, ExpiresAt: at.Add(time.Hour),
		Matchers: []router.MatcherSet{{
			{Name: "job", Type: labels.MatchEqual, Value: "db"},
			{Name: "env", Type: labels.MatchNotRegexp, Value: "test.*"},
		}},
	}})
}

func TestWhatIsReadableOfDamagedSilences(t *testing.T) {
	ok := func(id string) []byte { return silenceBytes(t, []router.Silence{{ID: id}}) }
	mesh := func(s *silencepb.Silence) []byte { return wire(t, &silencepb.MeshSilence{Silence: s}) }
	matcher := &silencepb.Matcher{Type: 9, Name: "job"}
	for name, tt := range map[string]struct {
		in   []byte
		ids  []string
		want string
	}{
		"nothing":             {nil, nil, ""},
		"all well":            {slices.Concat(ok("a"), ok("b")), []string{"a", "b"}, ""},
		"no message":          {slices.Concat(ok("a"), []byte("\x02\xff\xff"), ok("b")), []string{"a", "b"}, "record 2: proto:"},
		"no silence":          {slices.Concat(mesh(nil), ok("b")), []string{"b"}, "record 1: no silence with an ID"},
		"no ID":               {mesh(&silencepb.Silence{Comment: "x"}), nil, "record 1: no silence with an ID"},
		"unknown matcher":     {mesh(&silencepb.Silence{Id: "x", Matchers: []*silencepb.Matcher{matcher}}), nil, `record 1: silence "x": its matcher of "job" is of type 9, which this version does not know`},
		"unknown receiver":    {mesh(&silencepb.Silence{Id: "x", ReceiverMatcherSets: []*silencepb.MatcherSet{{Matchers: []*silencepb.Matcher{matcher}}}}), nil, `record 1: silence "x": its matcher of "job" is of type 9`},
		"no date":             {mesh(&silencepb.Silence{Id: "x", EndsAt: &timestamppb.Timestamp{Seconds: 1 << 60}}), nil, `record 1: silence "x": end: `},
		"several":             {slices.Concat(mesh(nil), mesh(nil), ok("a"), mesh(nil)), []string{"a"}, "record 1: no silence with an ID (and 2 more could not be read)"},
		"cut off":             {ok("abcdef")[:5], nil, "record 1: it ends too soon: unexpected EOF; what follows it is lost"},
		"cut off in length":   {append(ok("a"), 0x80), []string{"a"}, "record 2: unexpected EOF; what follows it is lost"},
		"length of nonsense":  {append(ok("a"), "\xff\xff\xff\xff\x7frest"...), []string{"a"}, "record 2: it has 34359738367 bytes, and no record has more than 4194304; what follows it is lost"},
		"length beyond a int": {bytes.Repeat([]byte{0xff}, 11), nil, "record 1: binary: varint overflows"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DecodeSilences(bytes.NewReader(tt.in))
			equal(t, ids(got), tt.ids)
			faultIs(t, err, tt.want)
		})
	}
}

func TestReadErrorsAreTold(t *testing.T) {
	broken := errors.New("input/output error")
	in := io.MultiReader(bytes.NewReader(silenceBytes(t, []router.Silence{{ID: "a"}})), iotest.ErrReader(broken))
	got, err := DecodeSilences(in)
	equal(t, ids(got), []string{"a"})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// TestOneSilenceThatCannotBeWritten matters because Alertmanager refuses a whole file or message with such a record.
func TestOneSilenceThatCannotBeWritten(t *testing.T) {
	var out bytes.Buffer
	err := EncodeSilences(&out, []router.Silence{
		{ID: "a"}, {ID: "b", Comment: "\xff"}, {ID: "c", Comment: strings.Repeat("x", maxRecord)}, {ID: "d"},
	})
	faultIs(t, err, "record 2: string field contains invalid UTF-8 (and 1 more could not be written)")
	got, err := DecodeSilences(&out)
	if err != nil {
		t.Error(err)
	}
	equal(t, ids(got), []string{"a", "d"})
}

func TestWriteErrorsAreTold(t *testing.T) {
	full := errors.New("no space left on device")
	err := EncodeSilences(writerFunc(func([]byte) (int, error) { return 0, full }), []router.Silence{{ID: "a"}})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

// TestSizeIsWhatAlertmanagerLimits has upstream refuse a silence, and compares the size that it names.
func TestSizeIsWhatAlertmanagerLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		sets := []*silencepb.MatcherSet{
			{Matchers: []*silencepb.Matcher{{Name: "job", Pattern: "db"}}},
			{Matchers: []*silencepb.Matcher{{Name: "job", Pattern: "w.b", Type: silencepb.Matcher_REGEXP}}},
		}
		theirs := func(limit int) error {
			s := upstreamSilences(t, silence.Options{
				Retention: 5 * time.Hour, Limits: silence.Limits{MaxSilenceSizeBytes: func() int { return limit }},
			})
			return s.Set(t.Context(), &silencepb.Silence{
				MatcherSets: sets, StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now.Add(time.Hour)),
				CreatedBy: "ana", Comment: "disk swap", Annotations: map[string]string{"a": "b"},
			})
		}
		size := SilenceSize(&router.Silence{
			ID: strings.Repeat("x", len("00000000-0000-0000-0000-000000000000")),
			Matchers: []router.MatcherSet{
				{{Name: "job", Value: "db"}},
				{{Name: "job", Value: "w.b", Type: labels.MatchRegexp}},
			},
			StartsAt: now, EndsAt: now.Add(time.Hour), UpdatedAt: now, ExpiresAt: now.Add(6 * time.Hour),
			CreatedBy: "ana", Comment: "disk swap", Annotations: map[string]string{"a": "b"},
		})
		if err := theirs(size); err != nil {
			t.Error(err)
		}
		faultIs(t, theirs(size-1), fmt.Sprintf("silence exceeded maximum size: %d bytes", size))
	})
}

func FuzzDecodeSilences(f *testing.F) {
	f.Add([]byte{})
	f.Add(silenceBytes(f, []router.Silence{
		{ID: "a", Matchers: []router.MatcherSet{{{Name: "job", Type: labels.MatchNotEqual, Value: "db"}}}, Comment: "x"},
		{ID: "b", UpdatedAt: time.Unix(1, 2), Annotations: map[string]string{"k": "v"}},
	}))
	f.Add(wire(f, &silencepb.MeshSilence{Silence: &silencepb.Silence{
		Id: "a", Matchers: []*silencepb.Matcher{{Name: "job"}}, Comments: []*silencepb.Comment{{Author: "ana"}},
	}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := DecodeSilences(bytes.NewReader(in))
		again, errAgain := DecodeSilences(bytes.NewReader(silenceBytes(t, all)))
		if errAgain != nil {
			t.Fatalf("what was read cannot be read again: %v", errAgain)
		}
		equal(t, again, all)
		if err != nil {
			return
		}
		// Whatever we read without complaint, Alertmanager reads too, and the other way round but for what it is lax about.
		if _, err := newUpstreamSilences(silence.Options{SnapshotReader: bytes.NewReader(in)}); err != nil {
			t.Fatalf("Alertmanager cannot read it: %v", err)
		}
	})
}

// tester is what all sorts of tests have.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func silenceBytes(t tester, all []router.Silence) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := EncodeSilences(&out, all); err != nil {
		t.Fatalf("%v", err)
	}
	return out.Bytes()
}

func newUpstreamSilences(o silence.Options) (*silence.Silences, error) {
	o.Metrics = prometheus.NewRegistry()
	return silence.New(o)
}

func upstreamSilences(t tester, o silence.Options) *silence.Silences {
	t.Helper()
	s, err := newUpstreamSilences(o)
	if err != nil {
		t.Fatalf("Alertmanager: %v", err)
	}
	return s
}

func ids(all []router.Silence) []string {
	var found []string
	for _, s := range all {
		found = append(found, s.ID)
	}
	slices.Sort(found)
	return found
}

// wire is one record of the message.
func wire(t tester, m proto.Message) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := protodelim.MarshalTo(&out, m); err != nil {
		t.Fatalf("%v", err)
	}
	return out.Bytes()
}

// records are the messages, each as the bytes that it always has: maps in order.
func records[M any, P interface {
	*M
	proto.Message
}](t tester, stream []byte,
) []string {
	t.Helper()
	var all []string
	for in := bytes.NewReader(stream); in.Len() > 0; {
		m := P(new(M))
		if err := protodelim.UnmarshalFrom(in, m); err != nil {
			t.Fatalf("%v", err)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatalf("%v", err)
		}
		all = append(all, string(b))
	}
	return all
}

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

func drawSilences(t *rapid.T) []router.Silence {
	all := rapid.SliceOfN(rapid.Custom(drawSilence), 0, 5).Draw(t, "silences")
	for i := range all {
		all[i].ID = fmt.Sprintf("%d%s", i, all[i].ID)
	}
	return absent(all)
}

func drawSilence(t *rapid.T) router.Silence {
	s := router.Silence{
		ID:        rapid.String().Draw(t, "id"),
		Matchers:  drawSets(t, "matchers"),
		Receivers: drawSets(t, "receivers"),
		StartsAt:  drawTime(t, "start"),
		EndsAt:    drawTime(t, "end"),
		UpdatedAt: drawTime(t, "update"),
		ExpiresAt: drawTime(t, "expiry"),
		CreatedBy: rapid.String().Draw(t, "by"),
		Comment:   rapid.String().Draw(t, "comment"),
	}
	s.Annotations = drawMap(t, "annotations")
	return s
}

func drawSets(t *rapid.T, name string) []router.MatcherSet {
	matcher := rapid.Custom(func(t *rapid.T) router.Matcher {
		return router.Matcher{
			Name:  rapid.String().Draw(t, "name"),
			Type:  rapid.SampledFrom([]labels.MatchType{labels.MatchEqual, labels.MatchNotEqual, labels.MatchRegexp, labels.MatchNotRegexp}).Draw(t, "type"),
			Value: rapid.SampledFrom([]string{"", "a", "db|web", ".*", "ä ö"}).Draw(t, "value"),
		}
	})
	set := rapid.Custom(func(t *rapid.T) router.MatcherSet { return rapid.SliceOfN(matcher, 0, 3).Draw(t, "set") })
	return absent(rapid.SliceOfN(set, 0, 3).Draw(t, name))
}

func drawMap(t *rapid.T, name string) map[string]string {
	m := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, name)
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

// drawTime is any instant that the wire can hold, or none.
func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" is none") {
		return time.Time{}
	}
	const first, last = -62135596800 + 1, 253402300799 // of the years 1 and 9999
	return time.Unix(rapid.Int64Range(first, last).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).UTC()
}

// absent is nil for what is empty.
func absent[V any](all []V) []V {
	if len(all) == 0 {
		return nil
	}
	return all
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
