package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stream is an answer that is read while it is written.
type stream struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	said []string
}

func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	event, data, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(b)), "event: "), "\ndata:")
	s.said = append(s.said, strings.TrimSpace(event+" "+strings.TrimSpace(data)))
	return len(b), nil
}

func (s *stream) Flush() {}

func (s *stream) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.said
	s.said = nil
	return heard
}

func (w *world) listen(ctx context.Context) (s *stream, ended chan struct{}) {
	s, ended = &stream{ResponseRecorder: httptest.NewRecorder()}, make(chan struct{})
	go func() {
		w.pages.ServeHTTP(s, httptest.NewRequestWithContext(ctx, "GET", "/events", nil))
		close(ended)
	}()
	synctest.Wait()
	return s, ended
}

func TestNewsAreToldAtOnceAndThenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		news := new(News)
		w := start(t, func(o *Options) { o.News = news })
		news.Tell(OfAlerts) // before anybody looked: the page that is loaded now knows
		ctx, leave := context.WithCancel(t.Context())
		s, ended := w.listen(ctx)
		want := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := s.heard(); !slices.Equal(got, want) {
				t.Errorf("%s: heard %q, want %q", when, got, want)
			}
		}
		want("at first", "beat")
		news.Tell(OfIncidents)
		want("at once", "change incidents")
		for range 1000 {
			news.Tell(OfIncidents, OfPages)
			news.Tell(OfSilences)
		}
		want("within a second")
		w.pass(newsPace)
		want("after a second", "change deliveries incidents silences")
		w.pass(newsBeat)
		want("when nothing happens", "beat")
		leave()
		<-ended
	})
}

func TestStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ending := make(chan struct{})
		w := start(t, func(o *Options) { o.Ending = ending })
		var all []chan struct{}
		for range maxStreams {
			_, ended := w.listen(t.Context())
			all = append(all, ended)
		}
		rec := w.get("/events")
		w.shows(rec, http.StatusServiceUnavailable, "256 pages are told of changes already")
		if rec.Header().Get("Retry-After") == "" {
			t.Error("nobody says when to try again")
		}
		close(ending)
		for _, ended := range all {
			<-ended
		}
		time.Sleep(time.Second)
	})
}
