package slo

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// TestReplay replays the files of testdata/replay: intervals in, what the command prints out.
func TestReplay(t *testing.T) {
	o := objective(t, checkout)
	files, err := filepath.Glob("testdata/replay/*.in.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".in.json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var in struct {
				At        []time.Time
				Intervals []Interval
			}
			if err := json.Unmarshal(data, &in); err != nil {
				t.Fatal(err)
			}
			r, err := Replay(o, in.Intervals, in.At)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimPrefix(strings.TrimSuffix(file, ".in.json"), "testdata/")+".json", append(got, '\n'))
		})
	}
}
