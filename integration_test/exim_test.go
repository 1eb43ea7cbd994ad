//go:build linux

package integration_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// An exim is the real mail server, with a configuration, a spool and a mailbox of its own. The test listens and hands
// each connection to a process of Exim's, as inetd would: so no port is guessed and no daemon is left behind.
type exim struct {
	addr string
	cert certificate
	dir  string
	as   *syscall.Credential // nil: as whoever runs the test
}

// eximConfig takes mail for anybody from those who know the password, and puts it all into one maildir.
const eximConfig = `
primary_hostname = mail.example
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
pid_file_path = DIR/exim.pid
process_log_path = DIR/log/process
host_lookup =
rfc1413_hosts =
keep_environment =
deliver_drop_privilege = true
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = recipients

begin acl
recipients:
  deny !authenticated = *
       message = log in first
  deny !encrypted = *
       message = use STARTTLS first
  accept

begin routers
all:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = DIR/mail
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
  user = OWNER
  group = GROUP

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{USER}}{eq{$auth3}{PASSWORD}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{USER}}{eq{$auth2}{PASSWORD}}}}
  server_set_id = $auth1
`

func newExim(t testing.TB) *exim {
	t.Helper()
	program, err := exec.LookPath("exim4")
	if err != nil {
		program = "/usr/sbin/exim4"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s; install the packages that packages.txt names", err)
	}
	e := &exim{cert: newCertificate(t), dir: t.TempDir()}
	owner, group := e.account(t)
	e.copy(t, e.cert.certFile, "cert.pem")
	e.copy(t, e.cert.keyFile, "key.pem")
	for _, d := range []string{"spool", "log", "mail"} {
		if err := os.Mkdir(filepath.Join(e.dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(e.dir, "exim.conf")
	write(t, config, fill(eximConfig, "DIR", e.dir, "OWNER", owner.Username, "GROUP", group, "USER", mailUser, "PASSWORD", mailPassword))
	e.handOver(t, owner)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.addr = l.Addr().String()
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			running.Go(func() { e.serve(t, program, config, c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
		if t.Failed() {
			t.Logf("exim's logs:\n%s", e.logs())
		}
	})
	return e
}

// serve gives one connection to an Exim, which delivers before it ends.
func (e *exim) serve(t testing.TB, program, config string, c *net.TCPConn) {
	f, err := c.File()
	c.Close()
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	cmd := exec.Command(program, "-C", config, "-bs", "-odi")
	cmd.Stdin, cmd.Stdout = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: e.as}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil && errs.Len() > 0 {
		t.Errorf("exim: %s: %s", err, errs.String())
	}
}

// account is who Exim runs as: without root's rights, and never as root itself, who gets no mail.
func (e *exim) account(t testing.TB) (owner *user.User, group string) {
	t.Helper()
	owner, err := user.Current()
	if err == nil && os.Getuid() == 0 {
		owner, err = user.Lookup("Debian-exim")
	}
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(owner.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return owner, g.Name
}

// handOver gives the files to that account, which otherwise may not even enter a test's temporary directory.
func (e *exim) handOver(t testing.TB, to *user.User) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	var uid, gid int
	if _, err := fmt.Sscan(to.Uid+" "+to.Gid, &uid, &gid); err != nil {
		t.Fatal(err)
	}
	e.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, name := range []string{"spool", "log", "mail", "cert.pem", "key.pem", "exim.conf"} {
		if err := os.Chown(filepath.Join(e.dir, name), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	for d := e.dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *exim) copy(t testing.TB, from, name string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(e.dir, name), string(text))
}

// got are the mails in the box, in the order of their arrival.
func (e *exim) got(t testing.TB) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(e.dir, "mail", "new"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names, all []string
	for _, f := range files {
		names = append(names, f.Name()) // they begin with the time
	}
	slices.Sort(names)
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(e.dir, "mail", "new", n))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// awaitLetters waits for n mails and returns all there are.
func (e *exim) awaitLetters(t testing.TB, what string, n int) []letter {
	t.Helper()
	await(t, what, func() (string, bool) { return fmt.Sprintf("%d mails", len(e.got(t))), len(e.got(t)) >= n })
	var all []letter
	for _, raw := range e.got(t) {
		all = append(all, parseLetter(t, raw))
	}
	return all
}

func (e *exim) logs() string {
	var b strings.Builder
	for _, name := range []string{"mainlog", "rejectlog", "paniclog"} {
		text, _ := os.ReadFile(filepath.Join(e.dir, "log", name)) // those that exist
		b.Write(text)
	}
	return b.String()
}
