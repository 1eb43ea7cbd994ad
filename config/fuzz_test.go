package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
)

// Whatever a file holds, it is a good config or there are faults with places; a text without sections of ours is
// judged as Alertmanager judges it.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yml", "testdata/good/teams/*.yml", "testdata/bad/*.yml", "testdata/bad/teams/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add(people + stock)
	f.Add("{users: &a [*a], route: {receiver: a}}")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			return // reads files
		}
		c, faults := Load([]byte(text), Options{File: "fuzz.yml"})
		if (c == nil) != (faults.Err() != nil) {
			t.Fatalf("config %v with %v", c, faults)
		}
		for _, one := range faults {
			if one.Line < 1 || one.Column < 1 || one.Message == "" || one.File != "fuzz.yml" {
				t.Fatalf("no place or no words: %+v", one)
			}
		}
		if c != nil && c.Upstream.Route == nil {
			t.Fatal("no route")
		}
		_, err := loadSafely(text, func(*amconfig.Config) {})
		if err == nil && c == nil {
			t.Fatalf("Alertmanager takes it, we say %v", faults)
		}
	})
}
