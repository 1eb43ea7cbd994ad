// Command midwatch takes a Prometheus alert and does not let go of it until a named person has it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a scratch image knows no zones
)

// version is set when the release is built.
var version = "dev"

// Exit codes of every command (SPEC §9).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNothing     = 3 // nothing matched
	exitUnreachable = 4 // the server
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "amtool" {
		amtool(os.Args[2:])
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it returns the exit code and leaves ending the process to its caller.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd, err := parse(args, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "midwatch: %s\n", err)
		return exitUsage
	}
	if cmd == nil {
		return exitOK // help or version was asked for
	}
	return cmd(ctx)
}
