//go:build linux

package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// publicURL is where people are told the daemon is. Tests go to its address, which changes with every start.
const publicURL = "http://midwatch.example"

// A midwatch is a daemon with its directory, through all its lives.
type midwatch struct {
	t       testing.TB
	dir     string // midwatch.yml and data
	args    []string
	env     []string // beside that of the tests
	process *process // the present life
	before  *process // the life before, for its last words
	addr    string   // of the present life
	prefix  string   // of all routes; empty: none
	user    string   // as whom the tests ask, with the password three-in-the-morning; empty: nobody is asked for
}

// serve starts a daemon with the configuration and waits until it is ready. Further arguments come after those that
// every test needs, and win.
func serve(t testing.TB, config string, args ...string) *midwatch {
	t.Helper()
	m := prepare(t, t.TempDir(), config, args...)
	m.start()
	return m
}

// prepare is serve without the start.
func prepare(t testing.TB, dir, config string, args ...string) *midwatch {
	t.Helper()
	m := &midwatch{t: t, dir: dir}
	m.configure(config)
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--cluster.") }) {
		args = append(args, "--cluster.listen-address=") // beside others on one machine
	}
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--web.external-url=") }) {
		args = append(args, "--web.external-url="+publicURL)
	}
	m.args = append([]string{
		"--config.file=" + m.configFile(),
		"--storage.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0",
	}, args...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", m.lastWords())
		}
	})
	return m
}

func (m *midwatch) configFile() string { return filepath.Join(m.dir, "midwatch.yml") }
func (m *midwatch) database() string   { return filepath.Join(m.dir, "data", "midwatch.db") }

// configure writes the configuration file; a running daemon does not know of it before reload.
func (m *midwatch) configure(config string) {
	m.t.Helper()
	write(m.t, m.configFile(), config)
}

// launch starts the process and waits for nothing.
func (m *midwatch) launch() {
	m.t.Helper()
	cmd := exec.Command(binary, m.args...)
	cmd.Dir, cmd.Env = m.dir, append(os.Environ(), m.env...)
	m.before, m.process = m.process, start(m.t, cmd)
	m.addr = ""
}

// listening waits for the line that names the address.
func (m *midwatch) listening() {
	m.t.Helper()
	m.addr = field(m.process.saying(m.t, "Listening on", "address="), "address")
}

// start launches the process and waits until it is ready.
func (m *midwatch) start() {
	m.t.Helper()
	m.launch()
	m.listening()
	await(m.t, "readiness", func() (string, bool) {
		if m.process.ended() {
			m.t.Fatalf("midwatch ended with %d before it was ready", m.process.code)
		}
		status, _, err := m.ask(http.MethodGet, "/-/ready", "")
		return fmt.Sprint(status, err), status == http.StatusOK
	})
}

// kill is kill -9.
func (m *midwatch) kill() { m.t.Helper(); m.process.kill(m.t) }

// stop ends the daemon as an operator does, and it must end well.
func (m *midwatch) stop() {
	m.t.Helper()
	m.process.signal(m.t, syscall.SIGTERM)
	if code := m.process.wait(m.t); code != 0 {
		m.t.Errorf("midwatch ended with %d after SIGTERM, want 0", code)
	}
}

func (m *midwatch) lastWords() string {
	var b strings.Builder
	if m.before != nil {
		fmt.Fprintf(&b, "midwatch said in the life before:\n%s\n", m.before.log.tail(30))
	}
	if m.process != nil {
		fmt.Fprintf(&b, "midwatch said:\n%s\n", m.process.log.tail(60))
	}
	return b.String()
}

// A ran is what became of a command.
type ran struct {
	code        int
	out, errors string
}

// cli runs a command of midwatch against the daemon.
func (m *midwatch) cli(args ...string) ran {
	m.t.Helper()
	return command(m.t, m.dir, "MIDWATCH_URL=http://"+m.addr, args...)
}

// command runs midwatch to its end. The environment has nothing in it but env.
func command(t testing.TB, dir, env string, args ...string) ran {
	t.Helper()
	var out, errors strings.Builder
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errors
	cmd.Env = []string{env, "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill puts values in the place of words in capitals.
func fill(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
