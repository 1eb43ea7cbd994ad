package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A running is a midwatch within the test's process, on an address of its own.
type running struct {
	*testing.T
	url  string // of the listener, without a path
	file string // its configuration
	log  *journal
	stop func() int // ends it, and returns its exit code
}

// begin starts a midwatch with this configuration and without a cluster.
func begin(t *testing.T, config string, flags ...string) *running {
	t.Helper()
	return beginIn(t, t.TempDir(), config, flags...)
}

// beginIn is begin with the state that an earlier one left in this directory.
func beginIn(t *testing.T, dir, config string, flags ...string) *running {
	t.Helper()
	r := &running{T: t, file: filepath.Join(dir, "midwatch.yml"), log: newJournal()}
	r.write(config)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	args := []string{
		"--config.file", r.file, "--storage.path", filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=",
	}
	go func() {
		ended <- run(ctx, append(args, flags...), io.Discard, r.log)
		r.log.end()
	}()
	r.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if code := r.stop(); code != exitOK {
			t.Errorf("midwatch ended with %d:\n%s", code, r.log)
		}
	})
	r.url = listening.in(r.log.await(t, "Listening on"))
	return r
}

// listening finds the address of the listener in its line of the log.
var listening = address{regexp.MustCompile(`"?address"?[=:]"?([0-9.:]+)`)}

type address struct{ *regexp.Regexp }

func (a address) in(line string) string { return "http://" + a.FindStringSubmatch(line)[1] }

func (r *running) write(config string) {
	r.Helper()
	if err := os.WriteFile(r.file, []byte(config), 0o600); err != nil {
		r.Fatal(err)
	}
}

// ask sends a request and returns the answer and its body. It follows no redirect.
func (r *running) ask(method, path string, body ...string) (*http.Response, string) {
	r.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(strings.Join(body, "")))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp, string(text)
}

// A journal is a log that can be waited for.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	moved chan struct{} // closed when there is more
	ended bool
}

func newJournal() *journal { return &journal{moved: make(chan struct{})} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.moved)
	j.moved = make(chan struct{})
	return j.text.Write(p)
}

func (j *journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	close(j.moved)
	j.moved = make(chan struct{})
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns the first line that holds the text, once it is there.
func (j *journal) await(t *testing.T, text string) string {
	t.Helper()
	line, err := j.find(text)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// find returns the first line that holds the text, once it is there.
func (j *journal) find(text string) (string, error) {
	deadline := time.After(time.Minute)
	for {
		j.mu.Lock()
		moved, ended := j.moved, j.ended
		j.mu.Unlock()
		for line := range strings.Lines(j.String()) {
			if strings.Contains(line, text) && strings.HasSuffix(line, "\n") {
				return line, nil
			}
		}
		if ended {
			return "", fmt.Errorf("midwatch ended and never said %q:\n%s", text, j)
		}
		select {
		case <-moved:
		case <-deadline:
			return "", fmt.Errorf("midwatch never said %q:\n%s", text, j)
		}
	}
}
