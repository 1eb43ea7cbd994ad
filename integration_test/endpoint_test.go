//go:build linux

package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An endpoint is a chat or somebody's webhook: it answers as it is told and remembers everything it got.
type endpoint struct {
	URL string

	mu     sync.Mutex
	hits   []hit
	mood   mood
	life   int // of who asks; see quiet
	open   map[net.Conn]bool
	closed chan struct{}
}

// A hit is one request.
type hit struct {
	At   time.Time
	Key  string // the idempotency key of the header
	Body string
	Life int // how often quiet was called before
}

// A mood is how an endpoint answers. It runs while nobody else waits for it.
type mood func(h hit, w http.ResponseWriter, r *http.Request)

// chatter makes an endpoint that says "ok", as Slack does.
func chatter(t testing.TB) *endpoint {
	t.Helper()
	e := &endpoint{mood: answering(http.StatusOK, "ok"), open: map[net.Conn]bool{}, closed: make(chan struct{})}
	s := httptest.NewUnstartedServer(e)
	s.Config.ConnState = e.watch
	s.Start()
	e.URL = s.URL
	t.Cleanup(func() {
		close(e.closed)
		s.Close()
	})
	return e
}

func answering(status int, text string) mood {
	return func(_ hit, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

// hanging takes the request and never answers.
func (e *endpoint) hanging() mood {
	return func(_ hit, _ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-e.closed:
		}
	}
}

// be changes how it answers from now on.
func (e *endpoint) be(m mood) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mood = m
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked is gone, and nothing whole came
	}
	h := hit{At: time.Now(), Key: r.Header.Get("Idempotency-Key"), Body: string(text)}
	e.mu.Lock()
	h.Life = e.life
	e.hits = append(e.hits, h)
	m := e.mood
	e.mu.Unlock()
	m(h, w, r)
}

// watch keeps account of the connections.
func (e *endpoint) watch(c net.Conn, state http.ConnState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		delete(e.open, c)
	default:
		e.open[c] = true
	}
}

// quiet waits until everything that a dead process had sent is taken in; what comes after is of the next life.
func (e *endpoint) quiet(t testing.TB) {
	t.Helper()
	// Connections are accepted in the order in which they were made: once this one is, so are those of the dead.
	last, err := net.Dial("tcp", strings.TrimPrefix(e.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the last connection", func() (string, bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for c := range e.open {
			if c.RemoteAddr().String() == last.LocalAddr().String() {
				return "", true
			}
		}
		return fmt.Sprint(len(e.open)), false
	})
	last.Close()
	await(t, "the end of the dead one's connections", func() (string, bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return fmt.Sprint(len(e.open)), len(e.open) == 0
	})
	e.mu.Lock()
	e.life++
	e.mu.Unlock()
}

func (e *endpoint) got() []hit {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.hits)
}

// awaitHits waits for n requests and returns all there are.
func (e *endpoint) awaitHits(t testing.TB, what string, n int) []hit {
	t.Helper()
	await(t, what, func() (string, bool) {
		got := e.got()
		return fmt.Sprintf("%d requests", len(got)), len(got) >= n
	})
	return e.got()
}

// A pageBody is what a person's webhook gets (SPEC §3).
type pageBody struct {
	Version  string  `json:"version"`
	Status   string  `json:"status"`
	Alerts   []alert `json:"alerts"`
	Midwatch struct {
		Event     string `json:"event"`
		Incident  string `json:"incident"`
		Incidents []struct {
			Incident string `json:"incident"`
		} `json:"incidents"` // of a bundle or a summary
		Severity       string `json:"severity"`
		User           string `json:"user"`
		Method         string `json:"method"`
		Policy         string `json:"policy"`
		Step           int    `json:"step"`
		Cycle          int    `json:"cycle"`
		Reason         string `json:"reason"`
		AcknowledgeURL string `json:"acknowledge_url"`
		IncidentURL    string `json:"incident_url"`
		IdempotencyKey string `json:"idempotency_key"`
		Storm          struct {
			Pages []string `json:"idempotency_keys"`
		} `json:"storm"` // of a summary
	} `json:"midwatch"`
}

// about are the incidents that a page speaks of.
func (p pageBody) about() []string {
	if len(p.Midwatch.Incidents) == 0 {
		return []string{p.Midwatch.Incident}
	}
	var ids []string
	for _, i := range p.Midwatch.Incidents {
		ids = append(ids, i.Incident)
	}
	return ids
}

// keys are those of the pages that a message stands for.
func (p pageBody) keys() []string {
	if len(p.Midwatch.Storm.Pages) > 0 {
		return p.Midwatch.Storm.Pages
	}
	return []string{p.Midwatch.IdempotencyKey}
}

func (h hit) page(t testing.TB) pageBody {
	t.Helper()
	var p pageBody
	decode(t, h.Body, &p)
	return p
}

// String is the page on one line: "page INC-1 bo/hook step 2 cycle 1: why".
func (p pageBody) String() string {
	m := p.Midwatch
	return fmt.Sprintf("%s %s %s/%s step %d cycle %d: %s", m.Event, m.Incident, m.User, m.Method, m.Step, m.Cycle, m.Reason)
}

// A slackBody is what Slack gets.
type slackBody struct {
	Channel     string `json:"channel"`
	Username    string `json:"username"`
	Attachments []struct {
		Title     string `json:"title"`
		TitleLink string `json:"title_link"`
		Text      string `json:"text"`
		Color     string `json:"color"`
		Actions   []struct {
			Text string `json:"text"`
			URL  string `json:"url"`
		} `json:"actions"`
	} `json:"attachments"`
}

func (h hit) slack(t testing.TB) slackBody {
	t.Helper()
	var s slackBody
	decode(t, h.Body, &s)
	if len(s.Attachments) != 1 {
		t.Fatalf("Slack got %d attachments, want 1:\n%s", len(s.Attachments), h.Body)
	}
	return s
}

func TestEndpointAnswersAsItIsTold(t *testing.T) {
	t.Parallel()
	e := chatter(t)
	say := func(key, text string) (int, string, error) {
		r, err := http.NewRequest(http.MethodPost, e.URL, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", key)
		return do(r)
	}

	if status, text, err := say("k1", `{"a":1}`); status != 200 || text != "ok" || err != nil {
		t.Errorf("got %d %q %v, want 200 ok", status, text, err)
	}
	e.be(answering(http.StatusTooManyRequests, "slower"))
	if status, text, err := say("k2", `{"a":2}`); status != 429 || text != "slower" || err != nil {
		t.Errorf("got %d %q %v, want 429 slower", status, text, err)
	}
	e.be(e.hanging())
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(impatient, http.MethodPost, e.URL, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := do(r); err == nil {
		t.Errorf("got %d, want no answer", status)
	}

	var bodies []string
	for _, h := range e.got() {
		bodies = append(bodies, h.Key+h.Body)
	}
	if want := []string{`k1{"a":1}`, `k2{"a":2}`, `{}`}; !slices.Equal(bodies, want) {
		t.Errorf("it remembers %q, want %q", bodies, want)
	}
}

// pretty is a JSON document for an error message.
func pretty(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
