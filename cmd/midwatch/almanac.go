package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/calendar"
	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
)

// How shared calendars are looked at.
const (
	almanacDir   = "calendars"      // within --storage.path: the last copy of each that was fetched
	almanacTick  = 20 * time.Second // how often the daemon looks whether any is due, or a file has changed
	almanacRead  = 24 * time.Hour   // all are read again so often: only some years of their events are held
	firstFetch   = 10 * time.Second // how long a start waits for a calendar of which there is no copy
	fetchBackoff = time.Minute      // after a failure, if the calendar's own interval is no shorter
)

// An almanac has what shared calendars said last. The copy on disk lets a restart know who is on call while the service
// that keeps the calendar is away.
type almanac struct {
	dir    string // empty: no copies
	client *http.Client
	log    *zap.Logger
	now    func() time.Time

	mu     sync.Mutex
	sheets map[string]*sheet // by calendar

	success, failures, events *prometheus.Desc
}

// A sheet is one calendar's.
type sheet struct {
	address    string // empty: a file
	data       []byte
	validators calendar.Validators
	next       time.Time // when it is to be asked again
	success    time.Time // when it was last read whole; zero: in this life it was not
	failures   int
	events     int
	stamp      time.Time // a file's
}

func newAlmanac(dir string, log *zap.Logger) *almanac {
	label := []string{"calendar"}
	return &almanac{
		dir: dir, client: &http.Client{}, log: log, now: time.Now, sheets: map[string]*sheet{},
		success:  prometheus.NewDesc("midwatch_calendar_last_success_timestamp_seconds", "When a shared calendar was last read whole; 0: not since the start.", label, nil),
		failures: prometheus.NewDesc("midwatch_calendar_failures_total", "Attempts to read a shared calendar that failed.", label, nil),
		events:   prometheus.NewDesc("midwatch_calendar_events", "Single events of a shared calendar that are held.", label, nil),
	}
}

// Describe implements prometheus.Collector.
func (a *almanac) Describe(to chan<- *prometheus.Desc) {
	to <- a.success
	to <- a.failures
	to <- a.events
}

// Collect implements prometheus.Collector.
func (a *almanac) Collect(to chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, s := range a.sheets {
		when := 0.0
		if !s.success.IsZero() {
			when = float64(s.success.UnixMilli()) / 1000
		}
		to <- prometheus.MustNewConstMetric(a.success, prometheus.GaugeValue, when, name)
		to <- prometheus.MustNewConstMetric(a.failures, prometheus.CounterValue, float64(s.failures), name)
		to <- prometheus.MustNewConstMetric(a.events, prometheus.GaugeValue, float64(s.events), name)
	}
}

// content is what a calendar with an address says, as far as is known: what was fetched last, or the copy on disk. Where
// there is neither it is fetched now.
func (a *almanac) content(c config.Calendar) ([]byte, error) {
	a.mu.Lock()
	s := a.sheets[c.Name]
	if s == nil || s.address != c.URL {
		s = &sheet{address: c.URL}
		s.data, _ = os.ReadFile(a.copyOf(c))
		a.sheets[c.Name] = s
	}
	data := s.data
	a.mu.Unlock()
	if data != nil {
		return data, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstFetch)
	defer cancel()
	if _, err := a.fetch(ctx, c); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return s.data, nil
}

// known is what a calendar with an address said last, by its name alone. It asks nobody: an address that somebody proposes must
// not be a way to have this machine call it.
func (a *almanac) known(c config.Calendar) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.sheets[c.Name]; s != nil && s.address != "" {
		return s.data, nil
	}
	return nil, nil
}

// fetch asks a calendar's address, and says whether it has changed.
func (a *almanac) fetch(ctx context.Context, c config.Calendar) (changed bool, err error) {
	a.mu.Lock()
	s := a.sheets[c.Name]
	validators := s.validators
	a.mu.Unlock()
	data, fresh, err := calendar.Fetch(ctx, a.client, c.URL, validators)
	if err == nil {
		// What is no calendar must not take the place of one: services answer with pages of their own, and 200.
		_, _, err = calendar.Read(bytes.NewReader(data), calendar.Options{From: a.now(), To: a.now().Add(time.Hour)})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	s.next = now.Add(c.Refresh)
	switch {
	case errors.Is(err, calendar.ErrNotModified):
		s.success = now
		return false, nil
	case err != nil:
		s.failures++
		s.next = now.Add(min(fetchBackoff, c.Refresh))
		return false, err
	}
	s.success, s.validators = now, fresh
	if bytes.Equal(data, s.data) {
		return false, nil
	}
	s.data = data
	a.keep(c, data)
	return true, nil
}

// copyOf is where the copy of a calendar is. Its name changes with the address, so that no other calendar's copy is used.
func (a *almanac) copyOf(c config.Calendar) string {
	if a.dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(c.URL))
	return filepath.Join(a.dir, fmt.Sprintf("%s-%s.ics", c.Name, hex.EncodeToString(sum[:6])))
}

// keep writes the copy, and drops those of former addresses.
func (a *almanac) keep(c config.Calendar, data []byte) {
	path := a.copyOf(c)
	if path == "" {
		return
	}
	err := os.MkdirAll(a.dir, 0o700)
	if err == nil {
		if err = os.WriteFile(path+".part", data, 0o600); err == nil {
			err = os.Rename(path+".part", path)
		}
	}
	if err != nil {
		a.log.Warn("the copy of a shared calendar was not written; a restart needs its address", zap.String("calendar", c.Name), zap.Error(err))
		return
	}
	old, _ := filepath.Glob(filepath.Join(a.dir, c.Name+"-????????????.ics"))
	for _, other := range old {
		if other != path {
			_ = os.Remove(other)
		}
	}
}

// read notes what the configuration made of its calendars, and forgets those that it has no more.
func (a *almanac) read(calendars []config.Calendar) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := map[string]*sheet{}
	for _, c := range calendars {
		s := a.sheets[c.Name]
		if s == nil || s.address != c.URL {
			s = &sheet{address: c.URL}
		}
		s.events = c.Events
		if c.File != "" {
			s.success, s.stamp = a.now(), stampOf(c.File)
		}
		known[c.Name] = s
	}
	a.sheets = known
}

// refresh asks those that are due, and says whether any is another now.
func (a *almanac) refresh(ctx context.Context, calendars []config.Calendar) (changed bool) {
	for _, c := range calendars {
		a.mu.Lock()
		s := a.sheets[c.Name]
		due := s != nil && !s.next.After(a.now())
		moved := s != nil && c.File != "" && !stampOf(c.File).Equal(s.stamp)
		a.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return changed
		case moved:
			changed = true
		case c.File != "" || !due:
		default:
			is, err := a.fetch(ctx, c)
			changed = changed || is
			if err != nil && ctx.Err() == nil {
				a.log.Warn("a shared calendar could not be fetched; what it said last holds", zap.String("calendar", c.Name), zap.Error(err))
			}
		}
	}
	return changed
}

// stampOf is when a file was changed; zero: it cannot be looked at.
func stampOf(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// almanacs keeps shared calendars up to date until ctx is done.
func (d *daemon) almanacs(ctx context.Context) {
	tick := time.NewTicker(almanacTick)
	defer tick.Stop()
	read := time.Now()
	for {
		calendars := d.current.Load().cfg.Calendars
		changed := d.almanac.refresh(ctx, calendars)
		if changed || len(calendars) > 0 && time.Since(read) >= almanacRead {
			read = time.Now()
			if err := d.recalendar(changed); err != nil {
				d.log.zap.Error("what shared calendars say now cannot be used; what they said before holds", zap.Error(err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recalendar takes in what shared calendars say now. The configuration is otherwise that which holds, whatever its files
// say by now.
func (d *daemon) recalendar(changed bool) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	p := *d.current.Load()
	cfg, faults := p.cfg.Again(config.Options{Fetch: d.almanac.content})
	if err := faults.Err(); err != nil {
		return err
	}
	next := &engine.Config{Schedules: cfg.Schedules, Hours: supportHours(cfg), Users: map[string]engine.User{}}
	for name, u := range cfg.Users {
		next.Users[name] = engine.User{Unavailable: u.Unavailable}
	}
	if a := d.engine.Do(context.Background(), engine.Calendars{Config: next}); a.Err != nil && !errors.Is(a.Err, engine.ErrUnsaved) {
		return a.Err
	}
	p.cfg = cfg
	d.current.Store(&p)
	d.almanac.read(cfg.Calendars)
	if changed {
		d.log.zap.Info("shared calendars have changed, and were read")
	}
	return nil
}

// fetchNow asks a calendar's address once, for commands.
func fetchNow(c config.Calendar) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), firstFetch)
	defer cancel()
	data, _, err := calendar.Fetch(ctx, nil, c.URL, calendar.Validators{})
	return data, err
}

// fetchOrSay is fetchNow for commands that print no warnings: who runs one hears that its answer lacks a calendar.
func fetchOrSay(out *output) func(config.Calendar) ([]byte, error) {
	return func(c config.Calendar) ([]byte, error) {
		data, err := fetchNow(c)
		if err != nil {
			fmt.Fprintf(out.stderr, "midwatch: warning: calendar %q has no events here: %v\n", c.Name, err)
			return nil, nil
		}
		return data, nil
	}
}
