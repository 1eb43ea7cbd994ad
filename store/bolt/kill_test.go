package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/midwatch/midwatch/store"
)

// A round is a life of a process: MIDWATCH_KILL_ROUNDS=2000 for a long night.
const envRounds, shortRounds = "MIDWATCH_KILL_ROUNDS", 20

const crew = 4 // writers in the child

// What was acknowledged is there after kill -9, whenever it comes.
func TestKill9LosesNothing(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv(envRounds))
	if err != nil {
		rounds = shortRounds
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	path := filepath.Join(t.TempDir(), "midwatch.db")
	var acked [crew]int
	for range rounds {
		live(t, path, random.IntN(300), &acked)
		inspectWreck(t, path, acked)
	}
	t.Logf("%d commits acknowledged in %d lives", acked[0]+acked[1]+acked[2]+acked[3], rounds)
}

// live starts the writers, kills them after so many acknowledgements, and notes all that arrived.
func live(t *testing.T, path string, acks int, acked *[crew]int) {
	t.Helper()
	cmd := play(t, "writers", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; ; n++ {
		if n == acks {
			_ = cmd.Process.Kill()
		}
		if !lines.Scan() {
			break // all that was written before the end has been read
		}
		var w, i int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d.", &w, &i); err == nil {
			acked[w] = max(acked[w], i)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writers ended by themselves")
	}
}

func inspectWreck(t *testing.T, path string, acked [crew]int) {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for w, last := range acked {
		for i := 1; i <= last; i++ {
			item, err := s.Get(t.Context(), turn(w, i))
			if err != nil || string(item.Value) != turn(w, i) {
				t.Errorf("acknowledged %q = %q, %v", turn(w, i), item.Value, err)
			}
		}
		// One batch moves the pointer and writes the entry: neither without the other.
		at, err := pointer(s, w)
		if err != nil || at < last {
			t.Errorf("writer %d is at %d, %v; %d was acknowledged", w, at, err, last)
		}
		if _, err := s.Get(t.Context(), turn(w, at+1)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("writer %d is at %d, and has half of the next batch: %v", w, at, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := Check(path); err != nil || len(report.Problems) > 0 {
		t.Fatalf("check: %q, %v", report.Problems, err)
	}
}

// writers commit until they are killed, and print "writer n." once n is acknowledged.
func writers(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range crew {
		go func() { failed <- write(s, w) }()
	}
	return <-failed
}

func write(s *Store, w int) error {
	at, err := pointer(s, w)
	if err != nil {
		return err
	}
	for i := at + 1; ; i++ {
		b := store.Batch{Put: []store.KeyValue{
			{Key: turn(w, i), Value: []byte(turn(w, i))},
			{Key: pointerKey(w), Value: []byte(strconv.Itoa(i))},
			{Key: fmt.Sprintf("scratch/%d", i%7), Value: make([]byte, i*37%9000)},
		}, Delete: []string{fmt.Sprintf("scratch/%d", (i+3)%7)}}
		if err := s.Commit(context.Background(), b); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "%d %d.\n", w, i); err != nil {
			return err
		}
	}
}

func turn(w, i int) string { return fmt.Sprintf("h/%d/%08d", w, i) }

func pointerKey(w int) string { return fmt.Sprintf("at/%d", w) }

func pointer(s *Store, w int) (int, error) {
	item, err := s.Get(context.Background(), pointerKey(w))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(item.Value))
}
