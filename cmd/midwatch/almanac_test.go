package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/midwatch/midwatch/config"
)

func holidayOn(day string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:" +
		day + "\r\nSUMMARY:Holiday\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// A host is a service that keeps a calendar.
type host struct {
	*httptest.Server
	text   string
	status int
	asked  int
	same   int // answered that nothing changed
}

func newHost(t *testing.T) *host {
	h := &host{status: http.StatusOK, text: holidayOn("20261224")}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked++
		tag := fmt.Sprintf(`"%x"`, crc32.ChecksumIEEE([]byte(h.text)))
		if h.status == http.StatusOK && r.Header.Get("If-None-Match") == tag {
			h.same++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		w.WriteHeader(h.status)
		fmt.Fprint(w, h.text)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestAnAlmanacKeepsWhatACalendarSaidLast: while its service is away, answers nonsense or is asked too soon, and over a
// restart; and takes in what is new.
func TestAnAlmanacKeepsWhatACalendarSaidLast(t *testing.T) {
	h := newHost(t)
	dir := filepath.Join(t.TempDir(), "calendars")
	core, logs := observer.New(zap.WarnLevel)
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	fresh := func() *almanac {
		a := newAlmanac(dir, zap.New(core))
		a.now = func() time.Time { return now }
		return a
	}
	a := fresh()
	calendars := []config.Calendar{{Name: "holidays", URL: h.URL + "/not-to-be-seen.ics", Refresh: 10 * time.Minute}}
	holds := func(what, day string) {
		t.Helper()
		text, err := a.content(calendars[0])
		if err != nil || !strings.Contains(string(text), day) {
			t.Fatalf("%s: %q, %v", what, text, err)
		}
	}
	after := func(d time.Duration) bool {
		now = now.Add(d)
		return a.refresh(context.Background(), calendars)
	}
	holds("at first", "20261224")
	if after(9*time.Minute) || h.asked != 1 {
		t.Errorf("asked too soon, %d times", h.asked)
	}
	if after(time.Minute) || h.asked != 2 || h.same != 1 {
		t.Errorf("asked %d times, %d were the same", h.asked, h.same)
	}
	h.text = holidayOn("20261231")
	if !after(10 * time.Minute) {
		t.Error("a change was not seen")
	}
	holds("changed", "20261231")

	for what, text := range map[string]string{"a page": "<html>log in</html>", "nothing": "", "a piece": holidayOn("20270101")[:80]} {
		h.text = text
		if after(10 * time.Minute) {
			t.Errorf("%s was taken", what)
		}
	}
	h.text, h.status = holidayOn("20270101"), http.StatusInternalServerError
	if after(time.Minute) || a.sheets["holidays"].failures != 4 {
		t.Errorf("failures: %d", a.sheets["holidays"].failures)
	}
	holds("while it fails", "20261231")

	a = fresh()
	asked := h.asked
	holds("after a restart", "20261231")
	if h.asked != asked {
		t.Error("a start waited for the service though there is a copy")
	}
	h.status = http.StatusOK
	if !after(0) {
		t.Error("after a restart it is asked at once")
	}
	holds("back again", "20270101")

	calendars[0].URL = h.URL + "/another.ics"
	h.text = holidayOn("20280101")
	holds("at another address", "20280101")
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("copies: %q", files)
	}
	for _, e := range logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "not-to-be-seen") {
			t.Error(line)
		}
	}
	h.Close()
	calendars[0].Name = "unknown"
	if _, err := a.content(calendars[0]); err == nil {
		t.Error("there is neither a copy nor a service, and no error")
	}
}

// TestAnAlmanacSeesThatAFileChanged without a reload.
func TestAnAlmanacSeesThatAFileChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rota.ics")
	if err := os.WriteFile(path, []byte(holidayOn("20261224")), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAlmanac("", zap.NewNop())
	calendars := []config.Calendar{{Name: "rota", File: path, Refresh: time.Minute}}
	a.read(calendars)
	if a.refresh(context.Background(), calendars) {
		t.Error("nothing changed yet")
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !a.refresh(context.Background(), calendars) {
		t.Error("a change was not seen")
	}
}
