package gossip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/midwatch/midwatch/router"
)

// The names of Alertmanager's files in its --storage.path.
const (
	silencesFile = "silences"
	logFile      = "nflog"
)

// ReadFiles reads the silences and the notification log that an Alertmanager left in its storage path. A file that is
// not there is no error.
//
// It returns what could be read; the error names what could not, and in which file.
func ReadFiles(dir string) (silences []router.Silence, log []router.LogEntry, err error) {
	silences, errSilences := readFile(filepath.Join(dir, silencesFile), DecodeSilences)
	log, errLog := readFile(filepath.Join(dir, logFile), DecodeLog)
	return silences, log, errors.Join(errSilences, errLog)
}

// WriteFiles leaves both states in an Alertmanager's storage path, so that one that is started there goes on from them.
// Each file is replaced whole or stays as it was.
//
// What cannot be written is left out; the error names it.
func WriteFiles(dir string, silences []router.Silence, log []router.LogEntry) error {
	return errors.Join(
		writeFile(filepath.Join(dir, silencesFile), func(w io.Writer) error { return EncodeSilences(w, silences) }),
		writeFile(filepath.Join(dir, logFile), func(w io.Writer) error { return EncodeLog(w, log) }),
	)
}

func readFile[V any](name string, decode func(io.Reader) ([]V, error)) ([]V, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := decode(f)
	if err != nil {
		return all, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// writeFile replaces the file by what write writes, in one go. Its mode leaves it to the umask who may read it, as
// Alertmanager's does: the next to open it may be another user.
func writeFile(name string, write func(io.Writer) error) error {
	temp := name + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	leftOut := write(out)
	if leftOut != nil {
		leftOut = fmt.Errorf("%s: %w", name, leftOut)
	}
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return errors.Join(leftOut, os.Rename(temp, name))
}
