//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of CPU time in /proc, on every Linux.
const ticksPerSecond = 100

// cpu is the CPU time that a process has used, in user mode and in the kernel.
func cpu(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // a program's name may hold anything
	const user, kernel = 11, 12                               // counted from the state
	if len(fields) <= kernel {
		return 0, fmt.Errorf("/proc/%d/stat: %q is too short", pid, b)
	}
	var ticks int64
	for _, f := range [][]byte{fields[user], fields[kernel]} {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}

// memory is what a process has in memory now, and the most since forgetPeak, in MiB.
func memory(pid int) (resident, peak float64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmRSS:":
			resident = kib / 1024
		case "VmHWM:":
			peak = kib / 1024
		}
	}
	if resident == 0 {
		err = fmt.Errorf("/proc/%d/status: no VmRSS", pid)
	}
	return resident, peak, err
}

// written is how many bytes a process has had written to disks.
func written(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			return strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/io: no write_bytes", pid)
}

// forgetPeak has the kernel begin anew with a process's highest memory.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// quiet waits until a process has done next to nothing for two seconds, but no longer than limit.
func quiet(ctx context.Context, pid int, limit time.Duration) error {
	const look, nothing, enough = 500 * time.Millisecond, 20 * time.Millisecond, 4
	began := time.Now()
	last, err := cpu(pid)
	for idle := 0; err == nil && idle < enough && time.Since(began) < limit; idle++ {
		if err := sleep(ctx, look); err != nil {
			return err
		}
		var now time.Duration
		if now, err = cpu(pid); now-last > nothing {
			idle = -1
		}
		last = now
	}
	return err
}

// Cores are who computes where. With one core both are the same.
type cores struct{ server, load unix.CPUSet }

// highest is the priority at which servers and load run where that is allowed, so that whatever else the machine does
// disturbs less.
const highest = -20

// share gives the first core that we may use to the server, and the others to the load; this process moves there. raised says
// whether it has the highest priority now, and so has whatever it starts; it is only tried if that is wanted.
func share(raise bool) (c cores, raised bool, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return c, false, fmt.Errorf("which cores there are: %w", err)
	}
	c.load = all
	const most = 1024 // cores, in a CPUSet
	for n := range most {
		if all.IsSet(n) {
			c.server.Set(n)
			if all.Count() > 1 {
				c.load.Clear(n)
			}
			break
		}
	}
	runtime.GOMAXPROCS(c.load.Count())
	raised, err = move(&c.load, raise)
	return c, raised, err
}

// move moves every thread of this process. Those that come later start where the one was that made them, with its priority; so it
// looks again until there is nobody new.
func move(to *unix.CPUSet, raise bool) (raised bool, err error) {
	moved := map[string]bool{}
	for {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return false, err
		}
		before := len(moved)
		for _, t := range threads {
			if moved[t.Name()] {
				continue
			}
			moved[t.Name()] = true
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return false, err
			}
			if err := unix.SchedSetaffinity(tid, to); err != nil && !errors.Is(err, syscall.ESRCH) {
				return false, fmt.Errorf("moving to another core: %w", err)
			}
			if raise { // only some may, and it is as good without
				raise = unix.Setpriority(unix.PRIO_PROCESS, tid, highest) == nil
			}
		}
		if len(moved) == before {
			return raise, nil
		}
	}
}

// on calls f on a thread that runs on the given cores, and so do the processes that f starts, from their first moment.
func (c cores) on(where *unix.CPUSet, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, where); err != nil {
		return fmt.Errorf("moving to the server's core: %w", err)
	}
	err := f()
	return errors.Join(err, unix.SchedSetaffinity(0, &c.load))
}

// inMemory reports whether files in a directory are only in memory.
func inMemory(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC)
}
