package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The replay in the docs is what the command prints.
func TestTheDocsSayWhatReplaySays(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("COLUMNS", "100")
	intervals := inFile(t, "outage.json", `[{"start": "2026-11-22T12:00:00Z", "end": "2026-11-22T12:10:00Z"}]`)
	says := func(args ...string) string {
		t.Helper()
		shown := append([]string{"slo", "replay", "--config.file", "examples/slo.yml", "--slo", "checkout-availability", "--intervals", "outage.json"}, args...)
		real := append([]string{}, shown...)
		real[3], real[7] = filepath.Join("..", "..", "examples", "slo.yml"), intervals
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), real, &stdout, &stderr); code != exitOK {
			t.Fatalf("exit %d: %s", code, &stderr)
		}
		return "```\n$ midwatch " + strings.Join(shown, " ") + "\n" + stdout.String() + "```"
	}
	const name = "../../docs/slo.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, string(text), "replay", says("--at", "2026-11-22T12:10:00Z"))
	want = between(t, want, "picture", says("--draw"))
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatalf("%s does not say what the command says; go test ./cmd/midwatch -run TestTheDocs -update writes it", name)
	}
	if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
