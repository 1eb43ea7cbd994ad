package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary a midwatch, for the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"midwatch": main})
}

// Commands show times as the machine's owner reads them; here everybody reads UTC.
func init() { time.Local = time.UTC }

// TestScripts are the manual: each file is what somebody types, and what comes back.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("USER", "ana")
			e.Setenv("TZ", "UTC")
			e.Values[servedKey{}] = &served{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// serve FILE starts a midwatch with this configuration, on an address of its own, for the commands after it.
			"serve": func(ts *testscript.TestScript, _ bool, args []string) { the(ts).start(ts, args[0]) },
			// restart ends it and starts it anew over the same store.
			"restart": func(ts *testscript.TestScript, _ bool, _ []string) { the(ts).restart(ts) },
			// halt ends it.
			"halt": func(ts *testscript.TestScript, _ bool, _ []string) { the(ts).halt(ts) },
			// moment NAME is the present instant, as $NAME.
			"moment": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], time.Now().UTC().Format(time.RFC3339Nano))
			},
			// fetch [-X METHOD] PATH [BODY] prints what the server answers, into stdout; ! fetch is a refusal.
			"fetch": fetch,
		},
	})
}

// A served is the midwatch of a script.
type served struct {
	file, data string
	stop       func() int
}

type servedKey struct{}

func the(ts *testscript.TestScript) *served { return ts.Value(servedKey{}).(*served) }

func (s *served) start(ts *testscript.TestScript, file string) {
	s.file, s.data = ts.MkAbs(file), ts.MkAbs("data")
	ctx, cancel := context.WithCancel(context.Background())
	ended, log := make(chan int, 1), newJournal()
	args := []string{"--config.file", s.file, "--storage.path", s.data, "--web.listen-address=127.0.0.1:0", "--cluster.listen-address="}
	go func() {
		ended <- run(ctx, args, io.Discard, log)
		log.end()
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	ts.Defer(func() {
		if code := s.stop(); code != exitOK {
			ts.Logf("midwatch ended with %d:\n%s", code, log)
		}
	})
	line, err := log.find("Listening on")
	ts.Check(err)
	ts.Setenv("MIDWATCH_URL", listening.in(line))
}

func (s *served) restart(ts *testscript.TestScript) {
	s.halt(ts)
	s.start(ts, s.file)
}

func (s *served) halt(ts *testscript.TestScript) {
	if code := s.stop(); code != exitOK {
		ts.Fatalf("midwatch ended with %d", code)
	}
}

func fetch(ts *testscript.TestScript, neg bool, args []string) {
	method := http.MethodGet
	if len(args) > 1 && args[0] == "-X" {
		method, args = args[1], args[2:]
	}
	body := ""
	if len(args) > 1 {
		body = args[1]
	}
	req, err := http.NewRequest(method, ts.Getenv("MIDWATCH_URL")+args[0], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if (resp.StatusCode >= 300) != neg {
		ts.Fatalf("%s %s: %s", method, args[0], resp.Status)
	}
}
