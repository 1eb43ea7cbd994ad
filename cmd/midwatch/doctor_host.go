package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a machine should have.
const (
	littleRoom = 1 << 30   // bytes free; below it there is reason to look
	noRoom     = 100 << 20 // below it the next snapshot of the store may not fit
	slowSync   = 100 * time.Millisecond
	deadSync   = 2 * time.Second // an answer waits for its commit; Prometheus gives up after 10 s
	staleZones = 2               // years after which a zone database may well be wrong for somebody
)

// clock asks whether somebody keeps the machine's clock right. The server's is compared where it is asked.
func (d *doctor) clock(context.Context) []finding {
	synced, known := clockSynced()
	switch {
	case !known:
		return []finding{good("clock", "%s; whether it is synchronised cannot be asked on %s", d.now().UTC().Format(time.RFC3339), runtime.GOOS)}
	case !synced:
		return []finding{doubtful("clock", "run chrony, systemd-timesyncd or ntpd; in a container, on its host",
			"the kernel says that its clock is not synchronised: hand-offs, silences and links go by it")}
	}
	return []finding{good("clock", "%s, and synchronised", d.now().UTC().Format(time.RFC3339))}
}

// Where Go looks for zones before it takes those in the binary.
var zoneDirs = []string{"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/locale/TZ", "/etc/zoneinfo"}

// zones says where time zones come from, and whether all that the configuration names are there.
func (d *doctor) zones(context.Context) (all []finding) {
	for _, name := range d.zoneNames() {
		if _, err := time.LoadLocation(name); err != nil {
			all = append(all, failing("zones", "correct the name, or install the package tzdata", "time zone %q is not known: %s", name, err))
		}
	}
	dir, release := zoneRelease(zoneDirs)
	year, err := strconv.Atoi(release[:min(len(release), 4)])
	embedded := "those in the binary (" + runtime.Version() + "'s)"
	switch {
	case os.Getenv("ZONEINFO") != "":
		all = append(all, doubtful("zones", "unset ZONEINFO, unless you mean it", "zones come from %s, because ZONEINFO says so", os.Getenv("ZONEINFO")))
	case dir == "":
		all = append(all, good("zones", "the system has none; %s are used", embedded))
	case err != nil:
		all = append(all, good("zones", "from %s, of an unknown release; what is not there comes from %s", dir, embedded))
	case d.now().Year()-year >= staleZones:
		all = append(all, doubtful("zones", "update the package tzdata and restart; or remove "+dir+", then "+embedded+" are used",
			"%s is of release %s: hand-offs may be an hour wrong where clocks are changed by newer laws", dir, release))
	default:
		all = append(all, good("zones", "from %s, release %s", dir, release))
	}
	return all
}

// zoneNames are those that the configuration names.
func (d *doctor) zoneNames() []string {
	names := map[string]bool{}
	if d.cfg != nil {
		for _, u := range d.cfg.Users {
			names[u.TimeZone] = true
		}
		for _, s := range d.cfg.Schedules {
			names[s.Spec().Zone.String()] = true
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

// zoneRelease finds the system's zones and their release, such as 2026b; empty where it is not said.
func zoneRelease(dirs []string) (dir, release string) {
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if f, err := os.Open(filepath.Join(dir, "tzdata.zi")); err == nil {
			defer f.Close()
			line, _ := bufio.NewReader(f).ReadString('\n')
			if release, ok := strings.CutPrefix(strings.TrimSpace(line), "# version "); ok {
				return dir, release
			}
		}
		text, _ := os.ReadFile(filepath.Join(dir, "+VERSION"))
		return dir, strings.TrimSpace(string(text))
	}
	return "", ""
}

// disk tries where the daemon of this machine keeps its state.
func (d *doctor) disk(context.Context) (all []finding) {
	info, err := os.Stat(d.storage)
	switch {
	case err != nil && !d.given:
		return []finding{good("disk", "%s is not here; on the daemon's machine, --storage.path says where to look", d.storage)}
	case err != nil:
		return []finding{failing("disk", "make it, or correct --storage.path", "%s cannot be looked at: %s", d.storage, err)}
	case !info.IsDir():
		return []finding{failing("disk", "move it away, or correct --storage.path", "%s is no directory", d.storage)}
	}
	took, err := syncOnce(d.storage)
	switch {
	case err != nil:
		all = append(all, failing("disk", "let the daemon's user write there; while it cannot, midwatch pages from memory and forgets at a restart",
			"%s takes no files from this user: %s", d.storage, err))
	case took >= deadSync:
		all = append(all, failing("disk", "put the state on a local disk; every answer waits for a sync", "a sync to %s took %s", d.storage, took.Round(time.Millisecond)))
	case took >= slowSync:
		all = append(all, doubtful("disk", "put the state on a faster disk; every answer waits for a sync", "a sync to %s took %s", d.storage, took.Round(time.Millisecond)))
	default:
		all = append(all, good("disk", "%s takes files; a sync takes %s", d.storage, took.Round(10*time.Microsecond)))
	}
	if r, known := diskRoom(d.storage); known {
		all = append(all, roomFinding(d.storage, r.free))
	}
	if info, err := os.Stat(filepath.Join(d.storage, storeFile)); err == nil {
		all = append(all, good("store", "%s has %s", filepath.Join(d.storage, storeFile), bytesWords(uint64(info.Size()))))
	}
	return all
}

func roomFinding(where string, free uint64) finding {
	const mend = "make room: a full disk means that nothing is kept, and the daemon pages from memory"
	switch {
	case free < noRoom:
		return failing("disk", mend, "only %s are free on %s", bytesWords(free), where)
	case free < littleRoom:
		return doubtful("disk", mend, "%s are free on %s", bytesWords(free), where)
	}
	return good("disk", "%s are free on %s", bytesWords(free), where)
}

// syncOnce writes a small file, has it on the disk, and removes it. took is the sync's time.
func syncOnce(dir string) (took time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, 4096)); err != nil {
		return 0, err
	}
	begun := time.Now()
	err = f.Sync()
	return time.Since(begun), err
}

func bytesWords(n uint64) string {
	const unit = 1024
	for _, u := range []struct {
		size float64
		name string
	}{{unit * unit * unit, "GiB"}, {unit * unit, "MiB"}, {unit, "KiB"}} {
		if float64(n) >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
