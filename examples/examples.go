// Package examples holds the configurations that the documentation shows and the daemon starts with.
package examples

import _ "embed"

var (
	// QuickStart is what the daemon runs with when no configuration is at hand.
	//
	//go:embed quickstart.yml
	QuickStart []byte

	// Demo is what `midwatch --demo` runs with.
	//
	//go:embed demo.yml
	Demo []byte

	// Channels has a contact method of every kind that is ours, for whoever writes one.
	//
	//go:embed channels.yml
	Channels []byte

	// Chat has every way to speak back.
	//
	//go:embed chat.yml
	Chat []byte

	// SLO has objectives of every kind.
	//
	//go:embed slo.yml
	SLO []byte
)
