package chat

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update accepts it).\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// A clerk is a desk that notes what it is asked and answers what it was told to.
type clerk struct {
	mu     sync.Mutex
	asked  []Request
	answer func(Request) Reply
	told   chan Request // each request, after it was answered
}

func newClerk(answer func(Request) Reply) *clerk {
	if answer == nil {
		answer = func(r Request) Reply { return Reply{Text: "done: " + r.String()} }
	}
	return &clerk{answer: answer, told: make(chan Request, 100)}
}

func (c *clerk) Handle(_ context.Context, r Request) Reply {
	c.mu.Lock()
	reply := c.answer(r)
	c.asked = append(c.asked, r)
	c.mu.Unlock()
	c.told <- r
	return reply
}

func (c *clerk) requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Request(nil), c.asked...)
}

// waitFor takes what arrives on a channel. The time is only there so that a broken test ends.
func waitFor[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// A tape is a conversation as it went over the wire.
type tape struct {
	mu sync.Mutex
	b  strings.Builder
}

func (p *tape) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(&p.b, format+"\n", args...)
}

func (p *tape) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// pretty writes JSON with each member on its own line; what is none stays as it is.
func pretty(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// pipeNet is a network inside the process, which virtual time can wait for.
type pipeNet struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeNet() *pipeNet { return &pipeNet{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipeNet) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipeNet) Close() error { p.once.Do(func() { close(p.done) }); return nil }

func (p *pipeNet) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipeNet) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
	case <-ctx.Done():
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connection refused")}
}

// inBubble serves h inside a bubble of virtual time. The function returned ends it.
func inBubble(h http.Handler) (*http.Client, func()) {
	l := newPipeNet()
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	return &http.Client{Transport: transport}, func() {
		_ = l.Close()
		transport.CloseIdleConnections()
		_ = server.Close()
	}
}

// run starts a service and returns what ends it and waits for that.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := waitFor(t, "the end of Run", ended); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func lagCard() Card {
	return Card{
		Incident: "INC-12", Title: "Replication lag <db-1> & others @channel", Severity: "sev2", Status: "triggered", Team: "db",
		OpenedAt: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), Who: []string{"ana", "bo"}, Next: "cy in 5m, if nobody answers",
		Labels:      [][2]string{{"alertname", "ReplicationLag"}, {"service", "db"}},
		Lines:       []string{"03:00 opened", "03:00 ana paged by chat"},
		IncidentURL: "https://mw.example.org/incidents/INC-12?a=1&b=2", AckURL: "https://mw.example.org/ack/token", RunbookURL: "javascript:alert(1)",
		Actions: []Action{
			{Verb: Ack, Label: "Acknowledge", Token: "tok-ack"},
			{Verb: Snooze, Label: "Snooze 30m", For: 30 * time.Minute},
			{Verb: Resolve, Label: "Resolve", Confirm: "Its alerts still fire."},
		},
	}
}

func ackedCard() Card {
	c := lagCard()
	c.Status, c.Next, c.Lines = "acknowledged", "", append(c.Lines, "03:01 acknowledged by ana by chat")
	c.Actions = []Action{{Verb: Resolve, Label: "Resolve"}, {Verb: Undo, Label: "Undo"}}
	return c
}

// post sends a body to a handler and returns what it answered.
func post(h http.Handler, url, contentType, body string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, url, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func readAll(r io.Reader) string {
	b, _ := io.ReadAll(r)
	return string(b)
}
