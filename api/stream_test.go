package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestTimesAreWrittenAsTheLibraryWouldWriteThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "offset"))
		at := time.Unix(rapid.Int64Range(-1e12, 1e12).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		if rapid.Bool().Draw(t, "near") {
			at = time.Unix(at.Unix()%2e9, int64(at.Nanosecond()))
		}
		for _, at := range []time.Time{at.In(zone), at.UTC()} {
			if got, want := string(appendTime([]byte("x"), at)), "x"+at.Format(timeFormat); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	})
}

// Eight bytes are looked at in one go, so every byte is tried in every place among them.
func TestEveryByteIsEscapedInEveryPlace(t *testing.T) {
	for c := range 256 {
		for place := range 18 {
			text := strings.Repeat("a", place) + string([]byte{byte(c)}) + strings.Repeat("z", 17-place)
			for _, escape := range []bool{true, false} {
				var want bytes.Buffer
				enc := json.NewEncoder(&want)
				enc.SetEscapeHTML(escape)
				if err := enc.Encode(text); err != nil {
					t.Fatal(err)
				}
				if got := appendString(nil, text, escape); string(got)+"\n" != want.String() {
					t.Fatalf("%q: got %s, want %s", text, got, want.String())
				}
			}
		}
	}
}

// A slow reader takes a few bytes a second, until it has gone.
type slowReader struct {
	header http.Header
	read   bytes.Buffer
	gone   bool
	began  chan struct{}
}

const bytesASecond = 16

var errGone = errors.New("the reader has gone")

func (s *slowReader) Header() http.Header { return s.header }
func (s *slowReader) WriteHeader(int)     {}

func (s *slowReader) Write(b []byte) (int, error) {
	if s.began != nil {
		close(s.began)
		s.began = nil
	}
	if s.gone {
		return 0, errGone
	}
	for some := range slices.Chunk(b, bytesASecond) {
		time.Sleep(time.Second)
		s.read.Write(some)
	}
	return len(b), nil
}

// Whoever reads slowly delays nobody: not those who send again, nor those who send what is new, nor a silence, nor a flush.
// If a lock were held meanwhile, this would hang.
func TestASlowReaderDelaysNobody(t *testing.T) {
	const n = 200 // more than the stream's buffer takes
	body := func(from int, ends time.Time) string {
		b := []byte{'['}
		for i := from; i < from+n; i++ {
			if i > from {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"labels":{"alertname":"A%d","i":"%d","team":"db"},"annotations":{"summary":%q},"startsAt":%q,"endsAt":%q}`,
				i%50, i, strings.Repeat("slow ", 100), "1999-12-31T00:00:00Z", ends.Format(time.RFC3339))
		}
		return string(append(b, ']'))
	}
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/alerts?receiver=db", `/api/v2/alerts?filter=team%3Ddb`} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				end := time.Now().Add(10000 * time.Hour)
				w.want(http.StatusOK, http.MethodPost, "/api/v2/alerts", body(0, end), nil)
				slow := &slowReader{header: http.Header{}, began: make(chan struct{})}
				began, done := slow.began, make(chan struct{})
				go func() {
					defer close(done)
					w.api.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, path, nil))
				}()
				<-began
				at := time.Now()
				w.want(http.StatusOK, http.MethodPost, "/api/v2/alerts", body(0, end.Add(time.Hour)), nil)
				w.want(http.StatusOK, http.MethodPost, "/api/v2/alerts", body(n, end), nil)
				w.want(http.StatusOK, http.MethodPost, "/api/v2/silences", `{"matchers":[{"name":"i","value":"1","isRegex":false}],"startsAt":"2000-01-01T00:00:00Z",`+
					`"endsAt":"2001-01-01T00:00:00Z","createdBy":"ana","comment":"c"}`, nil)
				if waited := time.Since(at); waited != 0 {
					t.Errorf("ingest waited %s for a reader", waited)
				}
				<-done
				var shown []json.RawMessage
				if err := json.Unmarshal(slow.read.Bytes(), &shown); err != nil || len(shown) == 0 {
					t.Errorf("%d were read, and %v", len(shown), err)
				}
				if took := time.Since(at); took < streamBuffer/bytesASecond*time.Second {
					t.Errorf("all was read within %s: nobody was slow", took)
				}
			})
		})
	}
}

// Nobody goes on walking for a reader who has gone.
func TestAReaderWhoHasGoneIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		walked := 0
		w := start(t, func(o *Options) { o.Muted = func(string, string) []string { walked++; return nil } })
		var body strings.Builder
		const n = 1000
		for i := range n {
			fmt.Fprintf(&body, `,{"labels":{"alertname":"A%d"},"annotations":{"summary":%q}}`, i, strings.Repeat("gone ", 100))
		}
		w.want(http.StatusOK, http.MethodPost, "/api/v2/alerts", "["+body.String()[1:]+"]", nil)
		w.api.ServeHTTP(&slowReader{header: http.Header{}, gone: true}, httptest.NewRequest(http.MethodGet, "/api/v2/alerts/groups", nil))
		if walked == 0 || walked > n/2 {
			t.Errorf("%d of %d groups were written for nobody", walked, n)
		}
	})
}
