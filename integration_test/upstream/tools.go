//go:build tools

// Package upstream builds Alertmanager's own programs and acceptance suites, from its released module and without a line of it copied.
// build.sh makes them, acceptance.sh runs the suites against midwatch, and the tests of integration_test have the programs as peers.
package upstream

import (
	_ "github.com/prometheus/alertmanager/cmd/alertmanager"
	_ "github.com/prometheus/alertmanager/cmd/amtool"
	_ "github.com/prometheus/alertmanager/test/cli"
	_ "github.com/prometheus/alertmanager/test/with_api_v2"
)
