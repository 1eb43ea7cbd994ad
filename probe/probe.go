package probe

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// When a minute is asked for.
const (
	// lag is how long after the end of a minute it is asked for: Prometheus has the samples of its last scrapes by then.
	lag = 15 * time.Second

	// spread is how far apart objectives are asked for, so that a Prometheus does not get all queries at once.
	spread = 20 * time.Second

	// MissesReported is how many attempts in a row bring nothing before it is reported. One or two are a restart.
	MissesReported = 3
)

// A Config says what is asked for, of whom, and who is to hear of it.
type Config struct {
	Name   string // of the objective
	Source *Source
	Query  Query

	// Known is up to when counts are known already; zero: nothing is. Window is how far back is worth asking.
	Known  time.Time
	Window time.Duration

	// Sink takes counts, those of several minutes after a time without; it is called by one goroutine. An error means that they
	// were not taken in: that is a miss, and they are asked for again. Counts that no attempt could bring in deserve none.
	Sink   func([]Reading) error
	Report func(Health)  // nil: nobody. Called after MissesReported misses, and when it is well again
	Slots  chan struct{} // holds one token for each probe that may ask at once, shared by many; nil: no limit
}

// Health is how a probe fares.
type Health struct {
	Name   string
	Known  time.Time // up to when was asked, with an answer; zero: never
	Misses int       // in a row; 0: it is well
	Error  string    // of the last miss; empty: it is well
	Since  time.Time // when the first of these misses was; zero: it is well
}

// A Probe asks for the counts of one objective. It does so while Run does.
type Probe struct {
	c      Config
	offset time.Duration

	mu     sync.Mutex
	health Health
}

// New checks a config.
func New(c Config) (*Probe, error) {
	switch {
	case c.Name == "" || c.Source == nil || c.Sink == nil:
		return nil, errors.New("a probe needs a name, a source and a sink")
	case c.Query.Bad == "" || c.Query.Total == "":
		return nil, fmt.Errorf("the probe %q needs two queries, bad and total", c.Name)
	case c.Window <= 0:
		return nil, fmt.Errorf("the probe %q needs a window", c.Name)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.Name)) // it does not fail
	p := &Probe{c: c, offset: lag + time.Duration(h.Sum32())%spread}
	p.health = Health{Name: c.Name, Known: c.Known.Truncate(time.Minute)}
	return p, nil
}

// Health is how it fares now.
func (p *Probe) Health() Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}

// Run asks at once for what is missing, and then each minute, until ctx is done.
func (p *Probe) Run(ctx context.Context) {
	for {
		p.turn(ctx, time.Now())
		now := time.Now()
		timer := time.NewTimer(p.next(now).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// newest is the end of the last minute that may be asked for.
func (p *Probe) newest(now time.Time) time.Time { return now.Add(-p.offset).Truncate(time.Minute) }

// next is when there will be one more.
func (p *Probe) next(now time.Time) time.Time { return p.newest(now).Add(time.Minute + p.offset) }

// missing is the end of the first minute that is to be asked for, if newest is the last.
func (p *Probe) missing(newest time.Time) time.Time {
	known := p.Health().Known
	if known.After(newest.Add(time.Minute)) {
		known = newest.Add(-time.Minute) // the clock was set back: what is known of the future is not known
	}
	if oldest := newest.Add(-p.c.Window).Truncate(time.Minute); known.Before(oldest) {
		known = oldest
	}
	return known.Add(time.Minute)
}

// turn asks for all that is missing.
func (p *Probe) turn(ctx context.Context, now time.Time) {
	newest := p.newest(now)
	first := p.missing(newest)
	if first.After(newest) {
		return
	}
	if p.c.Slots != nil {
		select {
		case p.c.Slots <- struct{}{}:
			defer func() { <-p.c.Slots }()
		case <-ctx.Done():
			return
		}
	}
	for !first.After(newest) {
		last := first.Add((MaxPoints - 1) * time.Minute)
		if last.After(newest) {
			last = newest
		}
		readings, fault, err := p.ask(ctx, first, last)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.missed(now, err)
			return
		}
		if err := p.c.Sink(readings); err != nil {
			p.missed(now, err)
			return
		}
		p.heard(now, last, newest, readings, fault)
		first = last.Add(time.Minute)
	}
}

func (p *Probe) ask(ctx context.Context, first, last time.Time) (readings []Reading, fault, err error) {
	if first.Equal(last) {
		return p.c.Source.at(ctx, p.c.Query, first)
	}
	return p.c.Source.Counts(ctx, p.c.Query, first, last)
}

// heard notes an answer. Without data in the newest minute it is a miss all the same: nobody knows how the service fares.
func (p *Probe) heard(now, last, newest time.Time, readings []Reading, fault error) {
	p.mu.Lock()
	p.health.Known = last
	p.mu.Unlock()
	if last.Before(newest) {
		return
	}
	if fault == nil && !slices.ContainsFunc(readings, func(r Reading) bool { return r.Counts[len(r.Counts)-1].Total > 0 }) {
		fault = fmt.Errorf("%s has no data for the minute before %s", p.c.Source.name, last.UTC().Format(time.RFC3339))
	}
	if fault != nil {
		p.missed(now, fault)
		return
	}
	p.mu.Lock()
	was := p.health.Misses
	p.health.Misses, p.health.Error, p.health.Since = 0, "", time.Time{}
	h := p.health
	p.mu.Unlock()
	if was >= MissesReported && p.c.Report != nil {
		p.c.Report(h)
	}
}

func (p *Probe) missed(now time.Time, err error) {
	p.mu.Lock()
	if p.health.Misses == 0 {
		p.health.Since = now
	}
	p.health.Misses++
	p.health.Error = err.Error()
	h := p.health
	p.mu.Unlock()
	if h.Misses == MissesReported && p.c.Report != nil {
		p.c.Report(h)
	}
}
