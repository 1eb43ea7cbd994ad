package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/midwatch/midwatch/router"
)

// differ says in what the alerts that were scanned are not those that were decoded; empty: in nothing.
func differ(scanned, decoded []*router.Alert) string {
	if len(scanned) != len(decoded) {
		return fmt.Sprintf("%d alerts, want %d", len(scanned), len(decoded))
	}
	for i, want := range decoded {
		got := scanned[i]
		same := got.Labels.Equal(want.Labels) && got.Annotations.Equal(want.Annotations) && got.GeneratorURL == want.GeneratorURL &&
			(got.Labels == nil) == (want.Labels == nil) && (got.Annotations == nil) == (want.Annotations == nil) &&
			sameInstant(got.StartsAt, want.StartsAt) && sameInstant(got.EndsAt, want.EndsAt) &&
			got.UpdatedAt.IsZero() && !got.Timeout && !got.Ended && got.Fingerprint() == want.Fingerprint()
		if !same {
			return fmt.Sprintf("alert %d is %+v, want %+v", i, got, want)
		}
		for _, set := range [...]router.Labels{got.Labels, got.Annotations} {
			for _, l := range set {
				if !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) {
					return fmt.Sprintf("alert %d has %q, which is not UTF-8", i, l)
				}
			}
		}
	}
	return ""
}

// sameInstant reports whether the two are equal in all that anybody can see of them.
func sameInstant(a, b time.Time) bool {
	aName, aShift := a.Zone()
	bName, bShift := b.Zone()
	return a.Equal(b) && aName == bName && aShift == bShift && (a.Location() == time.UTC) == (b.Location() == time.UTC)
}

// A scanner is a posting that reads one body after the other in the same memory, as the server's do.
type scanner struct {
	posting
	accepted, rejected, upstream int
}

// compare reads the body both ways.
func (s *scanner) compare(body []byte) error {
	s.body.Reset()
	s.body.Write(body)
	if !s.scan(s.body.Bytes()) {
		s.rejected++
		return nil // encoding/json has the word
	}
	s.accepted++
	decoded, f := decodeAlerts(body)
	if f != nil {
		return fmt.Errorf("%.5000q was scanned, but it must be refused: %v", body, f)
	}
	if d := differ(s.list, decoded); d != "" {
		return fmt.Errorf("%.5000q: %s", body, d)
	}
	if !bytes.Equal(s.body.Bytes(), body) {
		return fmt.Errorf("%q was changed", body)
	}
	return nil
}

// bodies are the samples in testdata/bodies: what programs really send, and the conversation's.
func bodies(t testing.TB) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/bodies/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	for _, q := range conversation() {
		if q.method == "POST" {
			all = append(all, []byte(q.body))
		}
	}
	return all
}

func TestWhatTheScannerTakes(t *testing.T) {
	const l = `"labels":{"alertname":"A"}`
	for _, c := range []struct {
		body string
		want bool
	}{
		{`[]`, true},
		{" [\t\r\n] \n", true},
		{`[{` + l + `}]`, true},
		{`[{"labels":{}}]`, true},
		{`[ { "labels" : { "b" : "2" , "a" : "1" } , "annotations" : { } } , {` + l + `} ]`, true},
		{`[{` + l + `,"annotations":{"a":"\"\\\/\b\f\n\r\t\u0026\u00e9\uD83D\ude00","b":"日本語 😀 \u0000","":""}}]`, true},
		{`[{"labels":{"\u0061lertname":"A","\u0062":"x"}}]`, true},
		{`[{"labels":{"a\":\"b":"x","c":"d"}},{"labels":{"a":"b","c":"d"}},{"labels":{"c":"d","a":"b"}},{"labels":{"c":"d","aa":"b"}},{"labels":{"c" :"d"}}]`, true},
		{`[{"labels":{"a":"1","b":"2"}},{"labels":{"a":"1","0":"2"}},{"labels":{"0":"2"}}]`, true},
		{`[{"generatorURL":"http://a/\u0026",` + l + `},{"generatorURL":"http://a/\u0026",` + l + `},{"generatorURL":"http://a/",` + l + `}]`, true},
		{`[{"startsAt":"2026-11-20T12:00:00.123Z","endsAt":"2026-11-20T12:00:00+05:30",` + l + `}]`, true},
		{`[{"startsAt":"2026-11-20","endsAt":"","` + `generatorURL":"",` + l + `}]`, true},
		{`[{"generatorURL":"http://prom.example:9090/graph?g0.expr=up+%3D%3D+0\u0026g0.tab=1",` + l + `}]`, true},
		{`[{"generatorURL":"/%41#a b",` + l + `}]`, true},
		{`[{"status":"firing","z":0,"many":1234567890123456789012345,"yes":true,"no":false,"none":null,` + l + `}]`, true},

		// What encoding/json takes too, but not everybody sends.
		{`null`, false},
		{`[] []`, false},
		{`[{"Labels":{"a":"b"}}]`, false},
		{`[{` + l + `,"LABELS":{"a":"b"}}]`, false},
		{`[{` + l + `,"label` + "\u017f" + `":{"a":"b"}}]`, false},
		{`[{` + l + `,` + l + `}]`, false},
		{`[{"labels":{"a":"1","b":"2","a":"3"}}]`, false},
		{`[{"labels":{"a":"1","b":"2"}},{"labels":{"a":"1","b":"2","a":"3"}}]`, false},
		{`[{"labels":{"a":"1","b":"2"}},{"labels":{"a":"1","a":"3","b":"2"}}]`, false},
		{`[{"labels":{"a":null}}]`, false},
		{`[{"labels":{"a":"\ud800"}}]`, false},
		{`[{"labels":{"a":"\ude00\ud83d"}}]`, false},
		{`[{"labels":{"a":"\ude00\ude00"}}]`, false},
		{"[{\"labels\":{\"a\":\"\xff\"}}]", false},
		{`[{` + l + `,"annotations":null}]`, false},
		{`[{` + l + `,"endsAt":null}]`, false},
		{`[{` + l + `,"x":{}}]`, false},
		{`[{` + l + `,"x":1.5}]`, false},
		{`[{` + l + `,"x":-1}]`, false},

		// What it refuses.
		{``, false},
		{"\xef\xbb\xbf[]", false},
		{`[`, false},
		{`[{`, false},
		{`[{}]`, false},
		{`[null]`, false},
		{`[{` + l + `},]`, false},
		{`[{` + l + `,}]`, false},
		{`[{` + l, false},
		{`[{` + l + `}`, false},
		{`[{"labels":{"a":"b",}}]`, false},
		{`[{"labels":{"a":"b"`, false},
		{`[{"labels":{"a" "b"}}]`, false},
		{`[{"labels":{"a":1}}]`, false},
		{`[{"labels":["a"]}]`, false},
		{`[{"labels":{"a\":\"b":"x"}},{"labels":{"a":"b":"x"}}]`, false}, // no name that was expected
		{`[{` + l + `,"x":01}]`, false},
		{`[{` + l + `,"x":tru}]`, false},
		{"[{\"labels\":{\"a\":\"\n\"}}]", false},
		{`[{"labels":{"a":"\x"}}]`, false},
		{`[{"labels":{"a":"\u12"}}]`, false},
		{`[{"labels":{"a":"\`, false},
		{`[{"labels":{"a":"\u12`, false},
		{`[{"labels":{"a":"\ud83d\u`, false},
		{`[{` + l + `,"endsAt":"tomorrow"}]`, false},
		{`[{` + l + `,"endsAt":"2026-02-29T00:00:00Z"}]`, false},
		{`[{` + l + `,"endsAt":"2026-11-20T24:00:00Z"}]`, false},
		{`[{` + l + `,"endsAt":5}]`, false},
		{`[{` + l + `,"generatorURL":"prometheus"}]`, false},
		{`[{` + l + `,"generatorURL":"http://a/%zz"}]`, false},
		{`[{` + l + `,"generatorURL":"http://a/\u007f"}]`, false},
	} {
		var s scanner
		if err := s.compare([]byte(c.body)); err != nil {
			t.Error(err)
		}
		if got := s.accepted == 1; got != c.want {
			t.Errorf("%s: scanned: %v, want %v", c.body, got, c.want)
		}
	}
	var p posting
	if p.scan([]byte(`[` + strings.Repeat(`{"labels":{}},`, maxAlerts) + `{"labels":{}}]`)) {
		t.Error("more alerts than are taken")
	}
	if !p.scan([]byte(`[` + strings.Repeat(`{"labels":{}},`, maxAlerts-1) + `{"labels":{}}]`)) {
		t.Error("as many alerts as are taken, yet not scanned")
	}
}

// TestProgramsBodiesAreScanned: a body that Prometheus sends and the scanner leaves would cost forty times as much, and
// nobody would see it.
func TestProgramsBodiesAreScanned(t *testing.T) {
	for _, name := range []string{"prometheus-firing", "prometheus-resolved", "elastalert2-firing", "elastalert2-with-resolve-time"} {
		body, err := os.ReadFile("testdata/bodies/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var s scanner
		if err := s.compare(body); err != nil || s.accepted != 1 {
			t.Errorf("%s: scanned: %v, %v", name, s.accepted == 1, err)
		}
	}
	var s scanner
	if err := s.compare(repeats(64)); err != nil || s.accepted != 1 {
		t.Errorf("what the benchmarks read: scanned: %v, %v", s.accepted == 1, err)
	}
}

func TestScanningAllocatesNothing(t *testing.T) {
	body := repeats(64)
	var p posting
	p.scan(body)
	if n := testing.AllocsPerRun(10, func() { p.scan(body) }); n != 0 {
		t.Errorf("%v allocations for 64 alerts", n)
	}
}

// TestAGiantIsNotKept: one large body must not cost its memory for ever.
func TestAGiantIsNotKept(t *testing.T) {
	for _, c := range []struct {
		body string
		want bool
	}{
		{string(repeats(64)), true},
		{`[` + strings.Repeat(`{"labels":{}},`, keptAlerts*2) + `{"labels":{}}]`, false},
		{`[{"labels":{"a":"` + strings.Repeat(`\n`, keptBytes*2) + `"}}]`, false},
		{`[{"labels":{}}]` + strings.Repeat(" ", keptBytes*2), false},
		{`[{"labels":{` + strings.TrimSuffix(strings.Repeat(`"a":"",`, keptPairs*2), ",") + `}}]`, false},
	} {
		var p posting
		p.body.WriteString(c.body)
		p.scan(p.body.Bytes())
		if got := p.small(); got != c.want {
			t.Errorf("%.60s… of %d bytes is kept: %v", c.body, len(c.body), got)
		}
	}
}

// TestRandomBodiesAreScannedAsTheyAreDecoded: whatever the scanner takes, encoding/json takes with the same result. What
// it does not take goes to encoding/json, and so needs no comparison.
func TestRandomBodiesAreScannedAsTheyAreDecoded(t *testing.T) {
	n := 30_000
	if os.Getenv("MIDWATCH_LONG") != "" {
		n = 10_000_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	inv := inventor{rand: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // test data
	samples := bodies(t)
	var s scanner
	var body []byte
	for i := range n {
		switch {
		case i%3 > 0: // what came before, and then broken once more
			body = inv.mutate(slices.Clone(body))
		case inv.IntN(20) == 0:
			body = slices.Clone(samples[inv.IntN(len(samples))])
		default:
			body = inv.body()
		}
		if err := s.compare(body); err != nil {
			t.Fatal(err)
		}
		if inv.IntN(64) == 0 { // it is slow, and has a fuzz target of its own
			s.upstream++
			if err := unlikeUpstream(body); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d bodies: %d scanned, %d left to encoding/json; %d read by Alertmanager's models too", n, s.accepted, s.rejected, s.upstream)
	if s.accepted < n/8 || s.rejected < n/8 {
		t.Errorf("of %d bodies %d were scanned: too few of one kind to tell", n, s.accepted)
	}
}

// FuzzBodiesAreScannedAsTheyAreDecoded is the same with what the fuzzer finds.
func FuzzBodiesAreScannedAsTheyAreDecoded(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	inv := inventor{rand: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // test data
	for range 100 {
		f.Add(inv.body())
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var s scanner
		if err := s.compare(body); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPlainRunsEndWhereTheyShould goes through every byte at every place.
func TestPlainRunsEndWhereTheyShould(t *testing.T) {
	special := func(c byte) bool { return c == '"' || c == '\\' || c < ' ' || c >= 0x80 }
	for size := range 20 {
		for at := range size {
			for c := range 256 {
				for _, around := range []byte{' ', 'a', '!', '#', '[', ']', 0x7f} {
					b := bytes.Repeat([]byte{around}, size)
					b[at] = byte(c)
					want := size
					if special(byte(c)) {
						want = at
					}
					if got := plain(b, 0); got != want {
						t.Fatalf("%q: %d, want %d", b, got, want)
					}
				}
			}
		}
	}
}

// TestEveryDayIsReadAsTheLibraryReadsIt goes through the days of some years, and those that do not exist.
func TestEveryDayIsReadAsTheLibraryReadsIt(t *testing.T) {
	var p posting
	known := 0
	for _, year := range []int{0, 1, 1900, 1969, 1970, 1971, 1972, 1999, 2000, 2001, 2026, 2027, 2028, 2099, 2100, 2101, 2196, 2199, 2200, 9999} {
		for month := range 15 {
			for day := range 34 {
				text := fmt.Sprintf("%04d-%02d-%02dT23:59:59.5Z", year, month, day)
				got, ok := p.instant(text)
				if !ok {
					continue
				}
				known++
				if want, err := parseDateTime(text); err != nil || !sameInstant(got, want) {
					t.Errorf("%s: %v, want %v (%v)", text, got, want, err)
				}
			}
		}
	}
	if want := 10*365 + 4*366; known != want { // 1970 to 2199
		t.Errorf("%d days were read by hand, want %d", known, want)
	}
}

func TestUsualURLsAreValid(t *testing.T) {
	inv := inventor{rand: rand.New(rand.NewPCG(3, 4))} //nolint:gosec // test data
	usual := 0
	for range 50_000 {
		text := inv.url() + inv.pick("", "#", "?", ":", "/", "%", "#%zz?#") + inv.url()
		if !usualURL(text) {
			continue
		}
		if usual++; !validURL(text) {
			t.Fatalf("%q is usual, but not valid", text)
		}
	}
	if usual < 1000 {
		t.Errorf("only %d were usual", usual)
	}
}

// TestNothingIsKeptOfAPosting scribbles over the memory of bodies after they were taken in: nobody may notice, not even
// where a sender hung up before the engine came to its alerts.
func TestNothingIsKeptOfAPosting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t)
		const note = `\u0041 \"note\" that had to be unescaped`
		body := `[{"labels":{"alertname":"Lag","team":"db","cluster":"%s","severity":"warning"},"annotations":{"summary":"` + note + `","b":"%s"},` +
			`"startsAt":"2000-01-01T00:00:00.5Z","endsAt":"2000-01-01T0%d:00:00+05:30","generatorURL":"http://prom.test/graph?a=1\u0026b=%s"}]`
		post := func(ctx context.Context, cluster, note string, hour int) {
			t.Helper()
			p := new(posting)
			r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(fmt.Sprintf(body, cluster, note, hour, note)))
			list, f := w.api.read(p, nil, r)
			if f != nil || len(p.alerts) != 1 {
				t.Fatalf("%v; %d were scanned", f, len(p.alerts))
			}
			if got := w.api.take(ctx, list, "v2"); got.invalid != nil || !errors.Is(got.err, ctx.Err()) {
				t.Fatalf("%+v", got)
			}
			for _, memory := range [][]byte{p.body.Bytes(), p.text[:cap(p.text)]} {
				for i := range memory {
					memory[i] = 'Z'
				}
			}
			for i := range p.pairs {
				p.pairs[i] = router.Label{Name: "ZZZ", Value: "ZZZ"}
			}
			p.alerts[0] = router.Alert{}
		}
		ctx, stop := context.WithCancel(t.Context())
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		post(gone, "one", "first", 8)
		ended := make(chan error, 1)
		go func() { ended <- w.engine.Run(ctx) }()
		synctest.Wait()
		post(ctx, "one", "first", 9)  // again
		post(ctx, "one", "second", 9) // changed
		post(ctx, "two", "first", 9)  // another
		w.pass(31 * time.Second)
		post(ctx, "two", "second", 9)
		w.pass(5 * time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var clusters []string
		for a := range w.engine.Router().Alerts().All() {
			want := fmt.Sprintf(`{"labels":{"alertname":"Lag","cluster":%q,"severity":"warning","team":"db"},"annotations":{"b":"second","summary":"A \"note\" that had to be unescaped"},`+
				`"startsAt":"2000-01-01T00:00:00.5Z","endsAt":"2000-01-01T09:00:00+05:30","updatedAt":%q,"generatorURL":"http://prom.test/graph?a=1\u0026b=second"}`,
				a.Labels.Get("cluster"), a.UpdatedAt.Format(time.RFC3339Nano))
			if got, err := json.Marshal(a); err != nil || string(got) != want {
				t.Errorf("the table holds %s, want %s (%v)", got, want, err)
			}
			clusters = append(clusters, a.Labels.Get("cluster"))
		}
		if slices.Sort(clusters); !slices.Equal(clusters, []string{"one", "two"}) {
			t.Errorf("the table holds %q", clusters)
		}
		if sent := fmt.Sprintf("%+v", w.letters.sent); strings.Contains(sent, "ZZZ") {
			t.Errorf("was sent: %s", sent)
		}
	})
}
