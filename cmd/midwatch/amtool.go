package main

import (
	"context"
	"os"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/alertmanager/cli"
	commonversion "github.com/prometheus/common/version"
)

// amtool runs Alertmanager's own amtool in place of this process's command line. It ends the process itself where
// something is wrong.
func amtool(args []string) {
	// It is told apart by name and version in what it prints, and compares the latter with the server's.
	commonversion.Version = upstreamVersion
	os.Args = append([]string{"amtool"}, args...)
	kingpin.CommandLine.Name = "amtool" // begins its errors
	cli.Execute()
}

// amtoolCommand is in the help; main runs it before anything of ours is parsed, for its flags are its own.
func amtoolCommand(app *kingpin.Application, _ *output) map[string]command {
	cmd := app.Command("amtool", "Alertmanager's own command line, as it is: midwatch amtool --help says what it can do.")
	return map[string]command{cmd.FullCommand(): func(context.Context) int {
		amtool([]string{"--help"})
		return exitOK
	}}
}
