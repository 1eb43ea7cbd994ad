//go:build linux

package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallConfig pages ana, and two seconds later bo, each by a webhook.
const smallConfig = `
route:
  receiver: oncall
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
receivers:
  - name: oncall
    incident_configs: [{escalation_policy: two}]
users:
  - {name: ana, contact_methods: {hook: {webhook: {url: "ANA"}}}}
  - {name: bo, contact_methods: {hook: {webhook: {url: "BO"}}}}
escalation_policies:
  - name: two
    steps:
      - {notify: [{user: ana}], escalate_after: 2s}
      - {notify: [{user: bo}], escalate_after: 1h}
paging: {catch_all: {user: bo}}
`

// A household is ana and bo with their webhooks.
type household struct{ ana, bo *endpoint }

func newHousehold(t testing.TB) household { t.Helper(); return household{chatter(t), chatter(t)} }

func (h household) config(text string) string { return fill(text, "ANA", h.ana.URL, "BO", h.bo.URL) }

// awaitPage waits until the endpoint was paged for the incident.
func awaitPage(t testing.TB, e *endpoint, incident string) {
	t.Helper()
	await(t, "a page for "+incident, func() (string, bool) {
		var seen []string
		for _, h := range e.got() {
			p := h.page(t)
			if seen = append(seen, p.String()); slices.Contains(p.about(), incident) && p.Midwatch.Event == "page" {
				return "", true
			}
		}
		return strings.Join(seen, "\n"), false
	})
}

// A shortage is a way in which a disk takes no more writes, and how that ends.
type shortage struct {
	name   string
	before func(t *testing.T, dir string) // before the daemon starts
	begin  func(t *testing.T, m *midwatch)
	end    func(t *testing.T, m *midwatch)
}

var shortages = []shortage{
	{
		name:   "full file system",
		before: func(t *testing.T, dir string) { mount(t, filepath.Join(dir, "data"), "size=16m") },
		begin:  func(t *testing.T, m *midwatch) { stuff(t, ballast(m)) },
		end: func(t *testing.T, m *midwatch) {
			if err := os.Remove(ballast(m)); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		name:   "largest file size",
		before: func(*testing.T, string) {},
		begin: func(t *testing.T, m *midwatch) {
			info, err := os.Stat(m.database())
			if err != nil {
				t.Fatal(err)
			}
			limitFiles(t, m, uint64(info.Size()))
		},
		end: func(t *testing.T, m *midwatch) { limitFiles(t, m, unix.RLIM_INFINITY) },
	},
}

// The disk runs full in the middle of the night. Whoever posts is told so, people are paged all the same, and once
// there is room everything that happened meanwhile is on disk.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, s := range shortages {
		if s.name == "full file system" && os.Getuid() != 0 {
			t.Logf("%s: not without the right to mount", s.name)
			continue
		}
		t.Run(s.name, func(t *testing.T) { t.Parallel(); diskFull(t, s) })
	}
}

func diskFull(t *testing.T, s shortage) {
	h := newHousehold(t)
	dir := t.TempDir()
	s.before(t, dir)
	m := prepare(t, dir, h.config(smallConfig))
	m.start()
	m.fire(critical("Before"))
	awaitPage(t, h.ana, "INC-1")

	s.begin(t, m)
	taken := m.fillUp()
	status, answer, err := m.ask(http.MethodPost, "/api/v2/alerts", body(critical("Meanwhile")))
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a POST to a full disk: %d %v %s, want 503", status, err, answer)
	}
	if !strings.Contains(answer, "disk") {
		t.Errorf("a POST to a full disk is answered %q, which does not say why", answer)
	}

	// Paging goes on: INC-1's second step, and what is known in memory alone.
	awaitPage(t, h.bo, "INC-1")
	var meanwhile string
	await(t, "an incident for the alert in memory", func() (string, bool) {
		all := m.incidents()
		i := slices.IndexFunc(all, func(i incident) bool { return i.Title == "Meanwhile is wrong" })
		if i >= 0 {
			meanwhile = all[i].ID
		}
		return pretty(all), i >= 0
	})
	awaitPage(t, h.ana, meanwhile)
	awaitPage(t, h.bo, meanwhile)

	// ana acknowledges, and is told that it may be forgotten.
	link := ackPath(t, h.ana.got()[0].page(t).Midwatch.AcknowledgeURL)
	m.browse(http.MethodPost, link, nil).shows(t, "INC-1 is acknowledged", "in memory only")
	m.process.saying(t, "event=page", "incident="+meanwhile, "user=bo")
	if got := m.process.log.with("level=ERROR"); len(got) != 1 || !strings.Contains(got[0], "takes no writes") {
		t.Errorf("the log says %d times what is wrong, want once that the disk takes no writes:\n%s", len(got), strings.Join(got[:min(3, len(got))], "\n"))
	}

	s.end(t, m)
	m.process.saying(t, "takes writes again")
	m.fire(critical("After"))
	want := m.stories()
	m.kill()
	m.start()

	var listed []alert
	m.read("/api/v2/alerts", &listed)
	for _, name := range append(taken, "Before", "Meanwhile", "After") {
		if !slices.ContainsFunc(listed, func(a alert) bool { return a.Labels["alertname"] == name }) {
			t.Errorf("the alert %s is gone", name)
		}
	}
	if got := m.stories(); !strings.HasPrefix(got["INC-1"], want["INC-1"]) || !strings.HasPrefix(got[meanwhile], want[meanwhile]) {
		t.Errorf("the stories were\n%s\n%s\nand are\n%s\n%s", want["INC-1"], want[meanwhile], got["INC-1"], got[meanwhile])
	}
	if i := m.incident("INC-1"); i.Status != "acknowledged" {
		t.Errorf("INC-1 was acknowledged and is %s:\n%s", i.Status, i.trace())
	}
	h.checkOnce(t)
}

// stories are the traces of all incidents, by id.
func (m *midwatch) stories() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	for _, i := range m.incidents() {
		all[i.ID] = m.incident(i.ID).trace()
	}
	return all
}

// checkOnce looks that nobody was paged twice for one thing, but under its key. The name of the store, which ends the key,
// tells the incidents of a store that was lost from those of the one that came after it.
func (h household) checkOnce(t testing.TB) {
	t.Helper()
	keys := map[string]string{}
	for _, hit := range append(h.ana.got(), h.bo.got()...) {
		what := hit.page(t).String() + " of store " + path.Base(hit.Key)
		if first, ok := keys[what]; ok && first != hit.Key {
			t.Errorf("%s went out twice, as %s and as %s", what, first, hit.Key)
		}
		keys[what] = hit.Key
	}
}

// fillUp posts large alerts until a good many were refused, more than can slip into what is free inside the file. It
// returns the names of those that were taken.
func (m *midwatch) fillUp() (taken []string) {
	m.t.Helper()
	refused := 0
	for n := range 1000 {
		a := critical(fmt.Sprintf("Filling-%03d", n))
		a.Labels["severity"] = "info"
		a.Annotations["description"] = strings.Repeat("all work and no play makes a full disk ", 2000)
		status, answer, err := m.ask(http.MethodPost, "/api/v2/alerts", body(a))
		switch {
		case err != nil:
			m.t.Fatal(err)
		case status == http.StatusOK:
			taken = append(taken, a.Labels["alertname"])
		case status == http.StatusServiceUnavailable:
			if refused++; refused == 30 {
				return taken
			}
		default:
			m.t.Fatalf("POST of a large alert: %d %s", status, answer)
		}
	}
	m.t.Fatalf("of 1000 alerts of 80 kB %d were taken in", len(taken))
	return nil
}

func ballast(m *midwatch) string { return filepath.Join(m.dir, "data", "ballast") }

// stuff fills the file system to the last byte.
func stuff(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
}

// limitFiles sets the size that no file of the daemon may outgrow.
func limitFiles(t *testing.T, m *midwatch, size uint64) {
	t.Helper()
	pid := m.process.cmd.Process.Pid
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(size, limit.Max)
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

// mount puts a file system of its own at dir.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}

// The store cannot even be opened for writing. Better a daemon that forgets than none: it says so, and pages.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Logf("not without the right to mount")
		return
	}
	h := newHousehold(t)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	mount(t, data, "size=16m")
	m := prepare(t, dir, h.config(smallConfig))
	m.start()
	m.fire(critical("Before"))
	awaitPage(t, h.bo, "INC-1")
	m.browse(http.MethodPost, ackPath(t, h.ana.got()[0].page(t).Midwatch.AcknowledgeURL), nil).shows(t, "INC-1 is acknowledged")
	m.stop()

	if err := unix.Mount("tmpfs", data, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, "size=16m"); err != nil {
		t.Fatal(err)
	}
	m.start()
	m.process.saying(t, "read-only")
	status, answer, err := m.ask(http.MethodPost, "/api/v2/alerts", body(critical("Meanwhile")))
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a POST to a read-only disk: %d %v %s, want 503", status, err, answer)
	}
	await(t, "a page", func() (string, bool) {
		got := h.ana.got()
		last := got[len(got)-1].page(t)
		return last.String(), len(last.Alerts) == 1 && last.Alerts[0].Labels["alertname"] == "Meanwhile"
	})
	checkStranger(t, m, h.ana.got()[0], h.ana.got()[1])
	m.stop()

	if err := unix.Mount("tmpfs", data, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	m.start()
	if i := m.incident("INC-1"); i.Title != "Before is wrong" || i.Status != "acknowledged" {
		t.Errorf("INC-1 is %q, %s; it was there before the disk was read-only", i.Title, i.Status)
	}
	h.checkOnce(t)
}

// A database that cannot be read is set aside, loudly, and people are paged from a new one. Damage that touches nothing
// leaves everything as it was.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	const page = 4096
	for _, c := range []struct {
		name   string
		damage func(db []byte) []byte
		spared bool // the damage may have hit nothing
	}{
		{name: "something else", damage: func([]byte) []byte { return []byte("-- MySQL dump 10.13\n") }},
		{name: "zeros", damage: func(db []byte) []byte { return make([]byte, len(db)) }},
		{name: "both meta pages torn", damage: func(db []byte) []byte { clear(db[16:page]); clear(db[page+16 : 2*page]); return db }},
		{name: "one meta page torn", damage: func(db []byte) []byte { clear(db[16:page]); return db }, spared: true},
		{name: "cut off after the meta pages", damage: func(db []byte) []byte { return db[:2*page] }},
		{name: "without its last page", damage: func(db []byte) []byte { return db[:len(db)-page] }, spared: true},
		{name: "every page scribbled on", damage: func(db []byte) []byte {
			for at := 2*page + 100; at < len(db); at += page {
				copy(db[at:], "scribble")
			}
			return db
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHousehold(t)
			m := serve(t, h.config(smallConfig))
			m.fire(critical("Before"))
			awaitPage(t, h.bo, "INC-1")
			m.kill()
			db, err := os.ReadFile(m.database())
			if err != nil {
				t.Fatal(err)
			}
			damaged := c.damage(db)
			write(t, m.database(), string(damaged))

			m.start()
			aside, err := filepath.Glob(m.database() + ".corrupt-*")
			if err != nil {
				t.Fatal(err)
			}
			if len(aside) == 0 && c.spared {
				if i := m.incident("INC-1"); i.Title != "Before is wrong" || i.count("page") == 0 {
					t.Errorf("nothing was set aside, and INC-1 is %q:\n%s", i.Title, i.trace())
				}
			} else {
				checkAside(t, m, aside, damaged)
			}

			paged := len(h.ana.got())
			m.fire(critical("After"))
			page := h.ana.awaitHits(t, "a page from the new database", paged+1)[paged]
			if len(aside) > 0 {
				checkStranger(t, m, h.ana.got()[0], page)
			}
			m.kill()
			m.start()
			var titles []string
			for _, i := range m.incidents() {
				titles = append(titles, i.Title)
			}
			if !slices.Contains(titles, "After is wrong") {
				t.Errorf("after the damage nothing is kept: there are %q", titles)
			}
		})
	}
}

// checkStranger holds the first page of a new database against the first of the one before, of which nobody knows any
// more. Both are of an INC-1: they must not pass for one thing, or a service that drops repeats drops the new page, and
// an old link acknowledges an incident that its owner never saw.
func checkStranger(t *testing.T, m *midwatch, old, page hit) {
	t.Helper()
	if old.Key == page.Key {
		t.Errorf("the first pages of two databases, for %q and %q, have one key: %s", old.page(t).Alerts[0].Labels["alertname"], page.page(t).Alerts[0].Labels["alertname"], page.Key)
	}
	m.browse(http.MethodPost, ackPath(t, old.page(t).Midwatch.AcknowledgeURL), nil)
	if i := m.incident(page.page(t).Midwatch.Incident); i.Status != "triggered" {
		t.Errorf("the link of an old page, for %q, did something to %q:\n%s", old.page(t).Alerts[0].Labels["alertname"], i.Title, i.trace())
	}
}

func checkAside(t *testing.T, m *midwatch, aside []string, damaged []byte) {
	t.Helper()
	if len(aside) != 1 {
		t.Fatalf("set aside are %q, want one file", aside)
	}
	if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, damaged) {
		t.Errorf("what was set aside is not the damaged file: %d bytes of %d, %v", len(kept), len(damaged), err)
	}
	said := m.process.log.with("level=ERROR", filepath.Base(aside[0]))
	if len(said) != 1 {
		t.Errorf("the log names %s in %d errors, want one:\n%s", filepath.Base(aside[0]), len(said), m.process.log.tail(20))
	}
}
