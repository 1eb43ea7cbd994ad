//go:build linux

// Package integration_test runs the real binary beside real peers: Prometheus, Exim, an SMTP server that can be
// looked into, chats and webhooks that answer as they are told.
//
// It needs the Debian packages that packages.txt names; `go test -short` leaves everything out. MIDWATCH_BIN is a
// binary to test in place of one built from this tree, MIDWATCH_LONG=1 makes the tests that can go on go on for long,
// and MIDWATCH_SEED repeats what chance did in an earlier run.
package integration_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binary is the midwatch under test.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("the integration tests are left out with -short")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "midwatch-integration-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)

	if binary = os.Getenv("MIDWATCH_BIN"); binary == "" {
		binary = filepath.Join(dir, "midwatch")
		build := exec.Command("go", "build", "-o", binary, "./cmd/midwatch")
		build.Dir, build.Stdout, build.Stderr = "..", os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			return fail(fmt.Errorf("building midwatch: %w", err))
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return fail(err)
	}

	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	web.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
