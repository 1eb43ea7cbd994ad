//go:build linux

package integration_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a child of this test. It ends with the test, however that ends.
type process struct {
	cmd    *exec.Cmd
	log    *lines
	exited chan struct{} // closed when it has ended and its output is read
	code   int           // its exit code, then; -1 if a signal ended it
}

// start runs the command, whose two outputs both go to the log.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: &lines{}, exited: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		defer out.Close()
		p.log.read(out)
		cmd.Wait() // the exit code says how it went
		p.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() { p.kill(t) })
	return p
}

func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !p.ended() {
		t.Fatalf("%s: signal %s: %s", p.cmd.Path, s, err)
	}
}

// kill is kill -9.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.exited
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// wait waits for the end that something else brings about, and returns the exit code.
func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.code
	case <-time.After(patience):
		t.Fatalf("%s did not end in %s; it says:\n%s", p.cmd.Path, patience, p.log.tail(40))
		return -1
	}
}

// saying waits for a line with all the words, and returns the first one.
func (p *process) saying(t testing.TB, words ...string) string {
	t.Helper()
	var line string
	await(t, "a line with "+strings.Join(words, ", "), func() (string, bool) {
		found := p.log.with(words...)
		if len(found) > 0 {
			line = found[0]
			return "", true
		}
		if p.ended() {
			t.Fatalf("%s ended with %d and never said %q; it said:\n%s", p.cmd.Path, p.code, words, p.log.tail(40))
		}
		return "\n" + p.log.tail(40), false
	})
	return line
}

// lines are what a process says.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) read(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			l.mu.Lock()
			l.all = append(l.all, strings.TrimSuffix(line, "\n"))
			l.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// with returns the lines that hold all the words.
func (l *lines) with(words ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
next:
	for _, line := range l.all {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

func (l *lines) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all[max(0, len(l.all)-n):], "\n")
}

// field is the value of a key in a logfmt line; "" if it has none.
func field(line, key string) string {
	_, rest, ok := strings.Cut(" "+line, " "+key+"=")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, " ")
	return strings.Trim(value, `"`)
}
