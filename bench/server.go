//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A side is one of the two that are compared.
type side int

const (
	theirs side = iota // Alertmanager
	ours
)

var sides = []side{theirs, ours}

func (s side) String() string { return [...]string{"Alertmanager", "Midwatch"}[s] }

const (
	patience  = 2 * time.Minute // for one answer
	startTime = 5 * time.Minute // for a server to be ready with all that it kept
	stopTime  = 30 * time.Second
)

// A server is one of the two, with its directory, through its lives.
type server struct {
	side
	program string
	dir     string
	address string
	client  *http.Client
	cores   cores

	cmd    *exec.Cmd
	exited chan struct{} // closed when the present life is over
}

// newServer makes a directory with the configuration. It starts nothing.
func newServer(which side, program, dir, yaml string, c cores) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if dir, err = os.MkdirTemp(dir, "midwatch-bench-"); err != nil {
		return nil, err
	}
	s := &server{
		side: which, program: program, dir: dir, address: address, cores: c,
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * connections}},
	}
	return s, os.WriteFile(s.configFile(), []byte(yaml), 0o600)
}

func (s *server) configFile() string { return filepath.Join(s.dir, "config.yml") }

// freeAddress is one that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start begins a life, and returns how long it took until the server was ready.
func (s *server) start(ctx context.Context) (time.Duration, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	s.cmd = exec.Command(s.program,
		"--config.file="+s.configFile(), "--storage.path="+filepath.Join(s.dir, "data"),
		"--web.listen-address="+s.address, "--cluster.listen-address=", "--log.level=warn")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // should this process be killed itself
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "GO") // what tunes Go's memory and threads: each runs as it is
	})
	began := time.Now()
	if err := s.cores.on(&s.cores.server, s.cmd.Start); err != nil {
		return 0, err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // how it ended is seen by who wanted it to go on
		close(exited)
	}(s.cmd)
	for {
		if s.get(ctx, "/-/ready", io.Discard) == nil {
			return time.Since(began), nil
		}
		select {
		case <-s.exited:
			return 0, fmt.Errorf("%s ended as it started; it said:\n%s", s.side, s.lastWords())
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(began) > startTime {
			return 0, fmt.Errorf("%s was not ready after %s; it said:\n%s", s.side, startTime, s.lastWords())
		}
	}
}

// end ends the present life with a signal; one that it does not heed is followed by one that it must.
func (s *server) end(signal syscall.Signal) {
	if s.exited == nil {
		return
	}
	_ = s.cmd.Process.Signal(signal) // by its ID; it may have ended by itself
	select {
	case <-s.exited:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.client.CloseIdleConnections()
}

// remove ends the server and deletes its directory.
func (s *server) remove() {
	s.end(syscall.SIGKILL)
	_ = os.RemoveAll(s.dir) // it is a temporary one
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// lastWords is the end of its log.
func (s *server) lastWords() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(b[max(0, len(b)-most):])
}

// post posts JSON. An answer other than 200 is an error.
func (s *server) post(ctx context.Context, path string, body io.Reader) error {
	return s.ask(ctx, http.MethodPost, path, body, io.Discard)
}

func (s *server) get(ctx context.Context, path string, into io.Writer) error {
	return s.ask(ctx, http.MethodGet, path, nil, into)
}

func (s *server) ask(ctx context.Context, method, path string, body io.Reader, into io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", s.side, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		return fmt.Errorf("%s: %s %s: %s: %s", s.side, method, path, answer.Status, text)
	}
	_, err = io.Copy(into, answer.Body)
	return err
}

// read is an answer's size and how long it took. key is what each of its items has once.
func (s *server) read(ctx context.Context, path, key string, fingerprints map[uint64]bool) (found *scanner, took time.Duration, err error) {
	found = &scanner{key: key, fingerprints: fingerprints}
	began := time.Now()
	err = s.get(ctx, path, found)
	return found, time.Since(began), errors.Join(err, found.err)
}
