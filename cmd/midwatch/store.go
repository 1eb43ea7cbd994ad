package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	"github.com/midwatch/midwatch/store/bolt"
)

// The store's file within --storage.path.
const storeFile = "midwatch.db"

func storeCommands(app *kingpin.Application, out *output) map[string]command {
	top := app.Command("store", "Look after the store.")
	dir := top.Flag("storage.path", "Where the daemon keeps its state.").Default("data/").String()
	path := func() string { return filepath.Join(*dir, storeFile) }

	check := top.Command("check", "Read the whole store and report what is wrong with it. The daemon must not be running.")
	compact := top.Command("compact", "Write the store anew without its free space. The daemon must not be running.")
	backup := top.Command("backup", "Copy the store, whole and checked, to a file. The daemon must not be running; use its own hourly snapshots otherwise.")
	target := backup.Arg("file", "Where to. It must not exist yet.").Required().String()
	restore := top.Command("restore", "Put a backup in the store's place. What is there is kept beside it.")
	source := restore.Arg("file", "A backup.").Required().ExistingFile()

	return map[string]command{
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
		compact.FullCommand(): func(context.Context) int { return compactStore(out, path()) },
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

func compactStore(out *output, path string) int {
	before, err := os.Stat(path)
	if err != nil {
		return out.fail(exitFailed, err)
	}
	if err := bolt.Compact(path, path); err != nil {
		return out.fail(exitFailed, err)
	}
	after, err := os.Stat(path)
	if err != nil {
		return out.fail(exitFailed, err)
	}
	fmt.Fprintf(out.stdout, "%s: %d bytes, before %d\n", path, after.Size(), before.Size())
	return exitOK
}
