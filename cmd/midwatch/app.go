package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// A command is a parsed command line, ready to run. It returns the exit code.
type command func(ctx context.Context) int

// errEnded says that kingpin has printed what was asked for (help, version, completion).
var errEnded = errors.New("ended")

// parse reads the command line. A nil command without an error means that help or the like was asked for and given.
func parse(args []string, stdout, stderr io.Writer) (cmd command, err error) {
	app := kingpin.New("midwatch", "An Alertmanager-compatible alert router and escalation engine: it takes a Prometheus alert and does not let go of it until a named person has it.")
	app.UsageWriter(stdout)
	app.ErrorWriter(stderr)
	app.Terminate(func(int) { panic(errEnded) })
	app.HelpFlag.Short('h')
	app.Version(fmt.Sprintf("midwatch, version %s (%s, %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	app.VersionFlag.Help("Print the version and exit.")

	out := &output{stdout: stdout, stderr: stderr}
	commands := map[string]command{}
	for _, register := range []func(*kingpin.Application, *output) map[string]command{
		serveCommand, configCommands, testCommand, simulateCommand, oncallCommands, incidentCommands, sloCommands, testPageCommand, pushLinkCommand, browserCommands, deliveriesCommand, doctorCommand, silenceCommands, heartbeatCommands, watchCommand, storeCommands, amtoolCommand,
	} {
		for name, c := range register(app, out) {
			commands[name] = c
		}
	}

	defer func() {
		if r := recover(); r == errEnded { //nolint:errorlint // the very value
			cmd, err = nil, nil
		} else if r != nil {
			panic(r)
		}
	}()
	name, err := app.Parse(args)
	if err != nil {
		return nil, fmt.Errorf("%w; midwatch --help says what there is", err)
	}
	return commands[name], nil
}

// output is where a command writes, and in what form.
type output struct {
	stdout, stderr io.Writer
}

// fail prints a sentence on stderr and returns the code.
func (o *output) fail(code int, err error) int {
	fmt.Fprintf(o.stderr, "midwatch: %s\n", strings.TrimSpace(err.Error()))
	return code
}

// formFlag adds -o to a command.
func formFlag(c *kingpin.CmdClause) *string {
	return c.Flag("output", "How to print: table, json or yaml.").Short('o').Default("table").Enum("table", "json", "yaml")
}
