package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/api"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/store/bolt"
)

// The store's file within --storage.path.
const storeFile = "midwatch.db"

func storeCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("store", "Look after the store.")
	here := false // somebody said which file
	dir := top.Flag("storage.path", "Where the daemon keeps its state.").Default("data/").IsSetByUser(&here).String()
	path := func() string { return filepath.Join(*dir, storeFile) }

	check := top.Command("check", "Read the whole store and report what is wrong with it. The daemon must not be running.")
	compact := top.Command("compact", "Write the store anew without its free space. A running daemon is asked to do it, and goes on meanwhile.")
	cl := serverFlags(compact)
	cl.wait = compactWait
	there := false // somebody said which server
	compact.GetFlag("url").IsSetByUser(&there)
	by := compact.Flag("by", "Who you are, for the daemon's history. Default: your login name.").Default(loginName()).String()
	backup := top.Command("backup", "Copy the store, whole and checked, to a file. The daemon must not be running; use its own hourly snapshots otherwise.")
	target := backup.Arg("file", "Where to. It must not exist yet.").Required().String()
	restore := top.Command("restore", "Put a backup in the store's place. What is there is kept beside it.")
	source := restore.Arg("file", "A backup.").Required().ExistingFile()

	export := top.Command("export", "Write what the store holds as JSON, one object a line: kind, key, value. Secrets are left out. The daemon must not be running; give one of its hourly snapshots otherwise.")
	backed := export.Arg("file", "A backup. Default: the store.").String()
	kinds := export.Flag("kind", "Only this kind, as incident, event or silence. May be given again.").Enums(engine.ExportKinds()...)

	return map[string]command{
		export.FullCommand(): func(context.Context) int {
			if err := exportStore(out, cmp.Or(*backed, path()), *kinds); err != nil {
				return out.fail(exitFailed, err)
			}
			return exitOK
		},
		check.FullCommand(): func(context.Context) int {
			report, err := bolt.Check(path())
			for _, p := range report.Problems {
				fmt.Fprintf(out.stderr, "%s: %s\n", path(), p)
			}
			if err != nil {
				return out.fail(exitFailed, err)
			}
			if len(report.Problems) > 0 {
				return exitFailed
			}
			fmt.Fprintf(out.stdout, "%s: good: %s, %d bytes\n", path(), count(report.Keys, "key"), report.Bytes)
			return exitOK
		},
		compact.FullCommand(): func(ctx context.Context) int {
			if there || !here && os.Getenv("MIDWATCH_URL") != "" {
				return askToCompact(ctx, out, cl, *by)
			}
			err := compactStore(out, path())
			if errors.Is(err, bolt.ErrInUse) {
				fmt.Fprintf(out.stderr, "%s is in use; asking the daemon at %s\n", path(), redacted(*cl.base))
				return askToCompact(ctx, out, cl, *by)
			}
			if err != nil {
				return out.fail(exitFailed, err)
			}
			return exitOK
		},
		backup.FullCommand(): func(context.Context) int {
			if err := backupStore(path(), *target); err != nil {
				return out.fail(exitFailed, err)
			}
			fmt.Fprintf(out.stdout, "%s: a copy of %s\n", *target, path())
			return exitOK
		},
		restore.FullCommand(): func(context.Context) int {
			kept, err := restoreStore(*source, path())
			if err != nil {
				return out.fail(exitFailed, err)
			}
			fmt.Fprintf(out.stdout, "%s: restored from %s\n", path(), *source)
			if kept != "" {
				fmt.Fprintf(out.stdout, "%s: what was there before\n", kept)
			}
			return exitOK
		},
	}
}

func backupStore(from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	s, err := bolt.Open(from, bolt.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("%s is there already; give another name", to)
	}
	return copyTo(s, to)
}

// restoreStore moves what is there aside and puts the backup in its place.
func restoreStore(from, to string) (kept string, err error) {
	if _, err := os.Stat(to); err == nil {
		// Opening it proves that no daemon holds it.
		s, err := bolt.Open(to, bolt.Options{})
		var corrupt *bolt.CorruptError
		switch {
		case err == nil:
			s.Close()
		case !errors.As(err, &corrupt):
			return "", err
		}
		for n := 1; ; n++ {
			kept = fmt.Sprintf("%s.before-restore-%d", to, n)
			if _, err := os.Stat(kept); os.IsNotExist(err) {
				break
			}
		}
		if err := os.Rename(to, kept); err != nil {
			return "", err
		}
	} else if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return kept, bolt.Restore(from, to)
}

// compactWait is how long a daemon is waited for. It takes its time, so that nothing else has to wait: some minutes for many
// gigabytes.
const compactWait = time.Hour

// askToCompact has the daemon do it.
func askToCompact(ctx context.Context, out *output, cl client, by string) int {
	var done api.Compacted
	if err := cl.call(ctx, http.MethodPost, "store/compact", nil, api.Compacting{By: by}, &done); err != nil {
		if errors.Is(err, errUnreachable) {
			err = fmt.Errorf("%w; give the daemon's --url, or stop it and compact its file with --storage.path", err)
		}
		return out.failCall(err)
	}
	fmt.Fprintf(out.stdout, "the store of %s: %d bytes, before %d; it took %s, and commits waited for %s\n",
		redacted(*cl.base), done.AfterBytes, done.BeforeBytes, latencyWords(done.TookMS), latencyWords(done.PauseMS))
	return exitOK
}

// redacted is an address without the password in it.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "--url"
	}
	return u.Redacted()
}

// compactStore does it where no daemon runs.
func compactStore(out *output, path string) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := bolt.Compact(path, path); err != nil {
		return err
	}
	after, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "%s: %d bytes, before %d\n", path, after.Size(), before.Size())
	return nil
}
