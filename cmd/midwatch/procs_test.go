package main

import (
	"runtime"
	"testing"
)

func TestOneCoreHasTwoThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		procs int
		said  string
		want  int
	}{
		{1, "", 2},
		{1, "1", 1}, // who says so wants it
		{2, "", 2},
		{7, "", 7},
	} {
		runtime.GOMAXPROCS(c.procs)
		raiseProcs(c.said)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("GOMAXPROCS %d, said %q: %d, want %d", c.procs, c.said, got, c.want)
		}
	}
}
