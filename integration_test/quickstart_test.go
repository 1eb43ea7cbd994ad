//go:build linux

package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// alone starts midwatch as somebody does who has just got it: in an empty directory, without a configuration.
func alone(t testing.TB, args ...string) *midwatch {
	t.Helper()
	m := &midwatch{t: t, dir: t.TempDir(), args: args}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.lastWords())
		}
	})
	m.start()
	return m
}

// freePort is a port that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

var curlLine = regexp.MustCompile(`(?m)^\s*(curl .*)$`)

// The first minute: start it, do what it says, and see a page.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("%s; install the packages that packages.txt names", err)
	}
	// What it prints is for the address that people use.
	address := "127.0.0.1:" + freePort(t)
	m := alone(t, "--web.listen-address="+address, "--web.external-url=http://"+address)
	m.process.saying(t, "quick start")
	m.process.saying(t, "midwatch.yml")
	m.process.saying(t, "alertmanagers", address)

	say := curlLine.FindStringSubmatch(m.process.log.tail(40))
	if say == nil {
		t.Fatalf("it does not say how to give it an alert:\n%s", m.process.log.tail(40))
	}
	if !strings.Contains(m.browse(http.MethodGet, "/outbox", nil).text(), "Nothing was sent yet") {
		t.Error("the outbox is not empty before the first alert")
	}
	command := exec.CommandContext(t.Context(), "sh", "-c", fill(say[1], "curl ", curl+" --fail --silent --show-error "))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("what it says to do does not work: %s\n%s\n%s", err, say[1], out)
	}
	await(t, "a page in the outbox", func() (string, bool) {
		s := m.browse(http.MethodGet, "/outbox", nil).text()
		return s, strings.Contains(s, "It works")
	})
	outbox := m.browse(http.MethodGet, "/outbox", nil)
	outbox.shows(t, "[INC-1 sev2] It works", "to you via outbox")

	link := ackLink.FindString(outbox.html)
	if !strings.HasPrefix(link, "http://"+address+"/") {
		t.Fatalf("the link to acknowledge is %q", link)
	}
	page := m.browse(http.MethodGet, strings.TrimPrefix(link, "http://"+address), nil)
	page.press("Acknowledge").shows(t, "INC-1 is acknowledged", "you acknowledged INC-1")
	if i := m.incident("INC-1"); i.Status != "acknowledged" {
		t.Errorf("INC-1 is %s", i.Status)
	}
	m.kill()
	m.start()
	if i := m.incident("INC-1"); i.Status != "acknowledged" {
		t.Errorf("after a kill INC-1 is %s", i.Status)
	}
	m.stop()
}

// The demo needs nobody to do anything.
func TestDemo(t *testing.T) {
	t.Parallel()
	m := alone(t, "--demo", "--web.listen-address=127.0.0.1:0")
	m.process.saying(t, "demo")
	await(t, "a page in the outbox", func() (string, bool) {
		s := m.browse(http.MethodGet, "/outbox", nil)
		return s.text(), strings.Contains(s.text(), "[INC-1 ")
	})
	if n := len(m.incidents()); n == 0 {
		t.Error("there are pages and no incidents")
	}
	m.stop()
	if files, err := exec.Command("find", m.dir, "-type", "f").Output(); err != nil || len(files) > 0 {
		t.Errorf("the demo, which keeps nothing, left %s %v", files, err)
	}
}

// What a daemon says of its address must be where it listens, also if the port was left to the system.
func TestTheAddressItPrintsIsTheOneItListensAt(t *testing.T) {
	t.Parallel()
	m := alone(t, "--web.listen-address=127.0.0.1:0")
	line := m.process.saying(t, "curl ")
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(line, fmt.Sprintf(":%s/api/v2/alerts", port)) {
		t.Errorf("it listens at %s and says:\n%s", m.addr, line)
	}
}
