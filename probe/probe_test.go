package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A log is what a probe's sink and report heard, as text.
type log struct {
	mu      sync.Mutex
	all     []string
	refuses bool // takes no counts
}

func (l *log) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
}

func (l *log) sink(rs []Reading) error {
	l.mu.Lock()
	refuses := l.refuses
	l.mu.Unlock()
	if refuses {
		return errors.New("too busy")
	}
	for _, r := range rs {
		first, last := r.Counts[0], r.Counts[len(r.Counts)-1]
		l.say("%v%d minutes from %s, the last %s: %d/%d", r.Labels, len(r.Counts), clock(first.Minute), clock(last.Minute), last.Bad, last.Total)
	}
	return nil
}

func (l *log) refuse(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuses = is
}

func (l *log) report(h Health) {
	l.say("%d misses since %s: %s", h.Misses, clock(h.Since), h.Error)
}

func (l *log) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// story runs a probe in a bubble, whose time begins at midnight, and stops it at the end.
func story(t *testing.T, f *fake, c Config, tell func(t *testing.T, p *Probe, l *log)) {
	synctest.Test(t, func(t *testing.T) {
		l := &log{}
		c.Name, c.Source, c.Query, c.Sink, c.Report = "search", source(t, f), Query{Bad: "bad", Total: "total", By: c.Query.By}, l.sink, l.report
		if c.Window == 0 {
			c.Window = time.Hour
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			p.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		tell(t, p, l)
		stop()
		<-done
	})
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func after(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

// midnight is when bubbles begin.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestEachMinuteIsAskedForOnceItIsOver(t *testing.T) {
	f := &fake{}
	story(t, f, Config{Known: midnight.Add(-time.Minute)}, func(t *testing.T, p *Probe, l *log) {
		want(t, "at midnight the minute before is known and this one is not over", f.heard())
		after(time.Minute - time.Second)
		want(t, "asked", f.heard(), "total at 00:00:00", "bad at 00:00:00")
		want(t, "heard", l.heard(), "map[]1 minutes from 23:59:00, the last 23:59:00: 10000/20000")
		after(time.Minute)
		want(t, "asked", f.heard(), "total at 00:01:00", "bad at 00:01:00")
		if h := p.Health(); h.Misses != 0 || !h.Known.Equal(midnight.Add(time.Minute)) {
			t.Errorf("health %+v", h)
		}
	})
}

func TestAfterDowntimeAllThatIsMissingIsAskedFor(t *testing.T) {
	f := &fake{}
	story(t, f, Config{Known: midnight.Add(-50 * time.Hour), Window: 48 * time.Hour}, func(t *testing.T, p *Probe, l *log) {
		want(t, "asked", f.heard(),
			"total from 00:00:00 to 23:59:00 by 60", "bad from 00:00:00 to 23:59:00 by 60",
			"total from 00:00:00 to 23:59:00 by 60", "bad from 00:00:00 to 23:59:00 by 60")
		want(t, "heard", l.heard(),
			"map[]1440 minutes from 23:59:00, the last 23:58:00: 10000/20000",
			"map[]1440 minutes from 23:59:00, the last 23:58:00: 10000/20000")
		if h := p.Health(); !h.Known.Equal(midnight.Add(-time.Minute)) {
			t.Errorf("known up to %v", h.Known)
		}
	})
}

func TestThreeMissesAreReportedAndThenMadeUpFor(t *testing.T) {
	f := &fake{fail: errors.New("connection refused")}
	story(t, f, Config{Known: midnight.Add(-time.Minute)}, func(t *testing.T, p *Probe, l *log) {
		after(2 * time.Minute)
		want(t, "after two", l.heard())
		if h := p.Health(); h.Misses != 2 || !strings.Contains(h.Error, "connection refused") {
			t.Errorf("health %+v", h)
		}
		after(time.Minute)
		got := l.heard()
		if len(got) != 1 || !strings.HasPrefix(got[0], "3 misses since 00:00:") ||
			!strings.HasSuffix(got[0], "the query total: the Prometheus cannot be reached: http://prometheus:9090/base: connection refused") {
			t.Errorf("reported %q", got)
		}
		after(10 * time.Minute)
		want(t, "it is reported once", l.heard())
		f.set(func(f *fake) { f.fail = nil })
		f.heard()
		after(time.Minute)
		want(t, "asked", f.heard(), "total from 00:00:00 to 00:13:00 by 60", "bad from 00:00:00 to 00:13:00 by 60")
		want(t, "heard", l.heard(), "map[]14 minutes from 23:59:00, the last 00:12:00: 10000/20000", "0 misses since 00:00:00: ")
	})
}

func TestNoDataIsAMiss(t *testing.T) {
	f := &fake{value: func(string, time.Time) map[string]float64 { return nil }}
	story(t, f, Config{Known: midnight.Add(-time.Minute)}, func(t *testing.T, p *Probe, l *log) {
		after(3 * time.Minute)
		got := l.heard()
		if len(got) != 4 || got[0] != "map[]1 minutes from 23:59:00, the last 23:59:00: 0/0" || !strings.HasSuffix(got[3], "has no data for the minute before 2000-01-01T00:02:00Z") {
			t.Errorf("heard %q", got)
		}
	})
}

func TestWhoTakesTooLongIsNotWaitedFor(t *testing.T) {
	f := &fake{took: time.Hour}
	story(t, f, Config{Known: midnight.Add(-time.Minute)}, func(t *testing.T, p *Probe, l *log) {
		after(2 * time.Minute)
		if h := p.Health(); h.Misses != 2 || !strings.Contains(h.Error, "gave no answer within 25s") {
			t.Errorf("health %+v", h)
		}
	})
}

func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	f := &fake{}
	story(t, f, Config{Known: midnight.Add(240 * time.Hour)}, func(t *testing.T, p *Probe, l *log) {
		want(t, "asked", f.heard(), "total at 23:59:00", "bad at 23:59:00")
	})
}

func TestWhatIsNotTakenInIsAskedForAgain(t *testing.T) {
	f := &fake{}
	story(t, f, Config{Known: midnight.Add(-2 * time.Minute)}, func(t *testing.T, p *Probe, l *log) {
		l.heard()
		l.refuse(true)
		after(2 * time.Minute)
		if h := p.Health(); h.Misses != 2 || h.Error != "too busy" {
			t.Errorf("misses %d, %q", h.Misses, h.Error)
		}
		l.refuse(false)
		f.heard()
		after(time.Minute)
		heard := l.heard()
		if len(heard) != 1 || !strings.HasPrefix(heard[0], "map[]3 minutes from ") {
			t.Errorf("heard %q, want the minutes that were not taken in, and the new one", heard)
		}
	})
}

func TestSlotsBoundHowManyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, slots := &fake{}, make(chan struct{}, 1)
		p, err := New(Config{
			Name: "search", Source: source(t, f), Query: Query{Bad: "bad", Total: "total"}, Window: time.Hour,
			Sink: func([]Reading) error { return nil }, Slots: slots,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		slots <- struct{}{}
		go func() {
			p.Run(ctx)
			close(done)
		}()
		after(time.Minute)
		want(t, "asked while all slots are taken", f.heard())
		<-slots
		synctest.Wait()
		if got := f.heard(); len(got) != 2 {
			t.Errorf("asked %q", got)
		}
		stop()
		<-done
	})
}

func TestEachValueOfByIsABudgetOfItsOwn(t *testing.T) {
	f := &fake{value: func(query string, _ time.Time) map[string]float64 {
		if query == "bad" {
			return map[string]float64{`{"cluster":"west"}`: 0.5}
		}
		return map[string]float64{`{"cluster":"east"}`: 1, `{"cluster":"west"}`: 2}
	}}
	story(t, f, Config{Known: midnight.Add(-2 * time.Minute), Query: Query{By: []string{"cluster"}}}, func(t *testing.T, p *Probe, l *log) {
		want(t, "heard", l.heard(),
			"map[cluster:east]1 minutes from 23:58:00, the last 23:58:00: 0/10000",
			"map[cluster:west]1 minutes from 23:58:00, the last 23:58:00: 5000/20000")
	})
}

// Whatever is known and whenever it wakes, a probe asks for each minute once, in order, and for none that is not over.
func TestScheduling(t *testing.T) {
	p, err := New(Config{Name: "x", Source: &Source{}, Query: Query{Bad: "b", Total: "t"}, Window: 45 * 24 * time.Hour, Sink: func([]Reading) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for s := range 3600 {
		now := midnight.Add(time.Duration(s) * time.Second)
		newest, next := p.newest(now), p.next(now)
		if newest.Add(lag).After(now) || !newest.Equal(newest.Truncate(time.Minute)) {
			t.Fatalf("at %v the minute to %v is asked for", now, newest)
		}
		if !next.After(now) || next.Sub(now) > time.Minute || !p.newest(next).Equal(newest.Add(time.Minute)) || !p.newest(next.Add(-1)).Equal(newest) {
			t.Fatalf("at %v next is %v", now, next)
		}
	}
	if p.offset >= time.Minute-queryTimeout {
		t.Error("two queries that take long are not over before the next")
	}
}

func TestNewRefuses(t *testing.T) {
	s, sink := &Source{}, func([]Reading) error { return nil }
	for _, c := range []Config{
		{},
		{Name: "x", Sink: sink},
		{Name: "x", Source: s},
		{Name: "x", Source: s, Sink: sink, Window: 1},
		{Name: "x", Source: s, Sink: sink, Query: Query{Bad: "b", Total: "t"}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
