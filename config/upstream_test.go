package config

import (
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
)

// upstreamFiles are the files of Alertmanager's own tests, good and bad, from the module in use.
func upstreamFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	if err != nil {
		t.Fatalf("where is the module: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	var files []string
	for _, pattern := range []string{"config/testdata/*.yml", "doc/examples/*.yml", "test/**/testdata/*.yml", "cli/testdata/*.yml", "examples/*/*.yml"} {
		more, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) < 45 {
		t.Fatalf("only %d files in %s", len(files), dir)
	}
	return files
}

// loadReference is upstream's LoadFile; a panic of its is a refusal.
func loadReference(path string) (cfg *amconfig.Config, err error) {
	defer func() {
		if recover() != nil {
			cfg, err = nil, errGaveUp
		}
	}()
	return amconfig.LoadFile(path)
}

// A file of Alertmanager's is accepted or refused as Alertmanager does it, in the same words, and means the same.
func TestAlertmanagersOwnFiles(t *testing.T) {
	good, bad := 0, 0
	for _, path := range upstreamFiles(t) {
		want, wantErr := loadReference(path)
		got, faults := LoadFile(path)
		name := filepath.Base(path)
		if (faults.Err() == nil) != (wantErr == nil) {
			t.Errorf("%s: we say %v, Alertmanager says %v", name, faults, wantErr)
			continue
		}
		if wantErr == nil {
			good++
			if !reflect.DeepEqual(got.Upstream, want) {
				t.Errorf("%s: loaded differently:\n%s\nwant\n%s", name, got.Upstream, want)
			}
			if len(faults) > 0 {
				t.Errorf("%s: %v", name, faults)
			}
			continue
		}
		bad++
		for _, want := range splitError(wantErr) {
			found := false
			for _, f := range faults {
				found = found || f.Message == want.text && (want.line == 0 || f.Line == want.line)
			}
			if !found {
				t.Errorf("%s: no fault says %q of line %d:\n%v", name, want.text, want.line, faults)
			}
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 || f.File != path {
				t.Errorf("%s: no place in %v", name, f)
			}
		}
	}
	t.Logf("%d good, %d bad", good, bad)
}
