package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares a text with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// Each file under testdata/bad is refused with all that is wrong with it, a line each, as its .txt says.
func TestBadFilesAreRefusedWithAllFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c, faults := LoadFile(path)
			if c != nil || faults.Err() == nil {
				t.Error("accepted")
			}
			if text := faults.Error(); strings.Contains(text, "not-to-be-seen") {
				t.Errorf("a secret is shown:\n%s", text)
			}
			golden(t, strings.TrimSuffix(path, ".yml")+".txt", faults.Error()+"\n")
		})
	}
}
