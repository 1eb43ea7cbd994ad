package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary a midwatch, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"midwatch": main})
}

// TestScripts are the manual: each file is what somebody types, and what comes back.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("USER", "ana")
			e.Setenv("TZ", "UTC")
			return nil
		},
		Condition: nil,
	})
}
