//go:build linux

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// disk measures what is written for what is taken in, and how large the file is that keeps it.
func (b *bench) disk(ctx context.Context, which side) error {
	n := b.o.series
	l := newLoad(n)
	s, fresh, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: never}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	first, err := written(s.pid())
	if err != nil {
		return err
	}
	size, err := s.kept()
	if err != nil {
		return err
	}
	b.say("disk: bytes written for one of JSON, new alerts", which, "%s bytes", figure(float64(first)/float64(fresh.bytes)))
	b.say("disk: what is kept of "+many(n)+" new alerts", which, "%s MiB", figure(mebibytes(size)))

	bytes := int64(0)
	for l.round = 1; l.round <= b.o.changes; l.round++ {
		part, err := s.send(ctx, l, 0)
		if err != nil {
			return err
		}
		bytes += part.bytes
	}
	if err := quiet(ctx, s.pid(), resendLimit); err != nil {
		return err
	}
	last, err := written(s.pid())
	if err != nil {
		return err
	}
	b.say(fmt.Sprintf("disk: bytes written for one of JSON, %d rounds in which all alerts change", b.o.changes), which, "%s bytes", figure(float64(last-first)/float64(bytes)))
	if err := b.check(ctx, s, n); err != nil {
		return err
	}
	return b.diskEnds(ctx, s)
}

// diskEnds looks at what a server leaves on disk when it ends as it should.
func (b *bench) diskEnds(ctx context.Context, s *server) error {
	s.end(syscall.SIGTERM)
	size, err := s.kept()
	if err != nil {
		return err
	}
	b.say(fmt.Sprintf("disk: what is kept after these %d rounds", b.o.changes), s.side, "%s MiB", figure(mebibytes(size)))
	if s.side == theirs {
		return nil
	}
	text, err := s.tool(ctx, "store", "check")
	if err != nil {
		return err
	}
	used, err := numberIn(usedBytes, text)
	if err != nil {
		return err
	}
	b.say("disk: keys and values among these", s.side, "%s MiB", figure(mebibytes(used)))
	began := time.Now()
	if text, err = s.tool(ctx, "store", "compact"); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := numberIn(compactBytes, text)
	if err != nil {
		return err
	}
	b.say("disk: the store after store compact", s.side, "%s MiB", figure(mebibytes(after)))
	b.say("disk: how long store compact takes", s.side, "%s s", figure(took.Seconds()))
	return nil
}

// What the commands say of a store.
var (
	usedBytes    = regexp.MustCompile(`good: .*, (\d+) bytes`)
	compactBytes = regexp.MustCompile(`: (\d+) bytes, before`)
)

func numberIn(pattern *regexp.Regexp, text string) (int64, error) {
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q does not say how many bytes there are", text)
	}
	return strconv.ParseInt(m[1], 10, 64)
}

// tool runs a command of the program on the directory of a server that has ended.
func (s *server) tool(ctx context.Context, args ...string) (string, error) {
	args = append(args, "--storage.path="+s.data())
	out, err := exec.CommandContext(ctx, s.program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %v: %w: %s", s.side, args, err, out)
	}
	return string(out), nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// kept is how large the files are that a server keeps.
func (s *server) kept() (total int64, err error) {
	err = filepath.WalkDir(s.data(), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if os.IsNotExist(err) { // a temporary one
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if os.IsNotExist(err) {
		return 0, nil
	}
	return total, err
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
