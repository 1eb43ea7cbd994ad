package bolt

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// Some tests need a process of their own, to kill it or to limit it: this binary again, with the name of
// the part to play in the environment.
const (
	envPart = "MIDWATCH_STORE_PART"
	envPath = "MIDWATCH_STORE_PATH"
)

var parts = map[string]func(path string) error{"writers": writers}

func TestMain(m *testing.M) {
	if part := parts[os.Getenv(envPart)]; part != nil {
		if err := part(os.Getenv(envPath)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func play(t *testing.T, part, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envPart+"="+part, envPath+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}
