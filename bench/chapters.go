//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// A chapter is what is measured of one server, from its start to its end.
type chapter struct {
	name  string
	short bool // it is repeated for every round
	alone bool // it is ours alone
	run   func(b *bench, ctx context.Context, s side) error
}

// chapters are in the order in which they are measured.
var chapters = []chapter{
	{name: "send", short: true, run: (*bench).sending},
	{name: "get", short: true, run: (*bench).getting},
	{name: "latency", run: (*bench).latency},
	{name: "size", run: (*bench).size},
	{name: "rest", run: (*bench).rest},
	{name: "disk", run: (*bench).disk},
	{name: "overload", alone: true, run: (*bench).overload},
	{name: "kill", run: (*bench).kill},
}

// A bench is one run of the comparison.
type bench struct {
	*results
	sink  *sink
	cores cores
	log   io.Writer
}

// compare measures what the options say. What could not be measured is an error; what was measured and was not as it must
// be is a fault of the results.
func compare(ctx context.Context, o options, log io.Writer) (*results, error) {
	b := &bench{results: newResults(o), log: log}
	var err error
	for i, program := range []string{o.alertmanager, o.midwatch} {
		if b.program[i], err = version(ctx, program); err != nil {
			return nil, err
		}
	}
	var raised bool
	if b.cores, raised, err = share(!o.quick); err != nil {
		return nil, err
	}
	apart := "the server on one of them, the load on another"
	if b.cores.server == b.cores.load {
		apart = "which the server and the load had to share"
	}
	if raised {
		apart += ", both at the highest priority"
	} else {
		apart += ", at normal priority"
	}
	b.machine = fmt.Sprintf("%s/%s, %d cores, %s; Go %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), apart, strings.TrimPrefix(runtime.Version(), "go"))
	if b.sink, err = newSink(); err != nil {
		return nil, err
	}
	defer b.sink.close()
	for _, c := range chapters {
		if !o.wants(c.name) {
			continue
		}
		rounds := 1
		if c.short {
			rounds = o.rounds
		}
		for n := range rounds {
			order := sides
			if n%2 == 1 {
				order = []side{ours, theirs} // so that what changes in the machine meanwhile is nobody's luck
			}
			for _, s := range order {
				if c.alone && s == theirs {
					continue
				}
				began := time.Now()
				if err := c.run(b, ctx, s); err != nil {
					// What was measured before is worth as much as it was; what could not be is said beside it.
					b.must(false, "%s of %s, round %d, could not be measured: %v", c.name, s, n+1, err)
					fmt.Fprintf(log, "%s: %s, round %d of %d: %v\n", s, c.name, n+1, rounds, err)
					continue
				}
				fmt.Fprintf(log, "%s: %s, round %d of %d: %s\n", s, c.name, n+1, rounds, time.Since(began).Round(time.Second))
			}
		}
	}
	b.agree()
	return b.results, nil
}

func (o *options) wants(name string) bool {
	for _, n := range o.only {
		if n == name {
			return true
		}
	}
	return len(o.only) == 0
}

// version is the first line of what a program says of itself.
func version(ctx context.Context, program string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w: %s", program, err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	name, rest, _ := strings.Cut(line, ", version ")
	number, _, _ := strings.Cut(rest, " ")
	if number == "" {
		return "", fmt.Errorf("%s --version says %q, and no version", program, line)
	}
	return strings.ToUpper(name[:1]) + name[1:] + " " + number, nil
}

// serve starts a server with an empty directory and nobody told of anything.
func (b *bench) serve(ctx context.Context, which side, c setup) (*server, error) {
	program := b.o.alertmanager
	if which == ours {
		program = b.o.midwatch
	}
	c.sink, c.routes, c.rules = b.sink.url, routes, rules
	s, err := newServer(which, program, b.o.dir, c.yaml(), b.cores)
	if err != nil {
		return nil, err
	}
	b.sink.reset()
	if _, err := s.start(ctx); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// A bill is what sending a load once cost.
type bill struct {
	sent
	each float64 // µs of CPU per alert, with what the server does of it after its answers
}

// bill sends a load so many times and waits until the server has nothing more to do with it, but no longer than limit after
// the start. What was accepted, and when, is of the last time.
func (b *bench) bill(ctx context.Context, s *server, l *load, times int, limit time.Duration) (got bill, err error) {
	began := time.Now()
	before, err := cpu(s.pid())
	if err != nil {
		return got, err
	}
	for range times {
		if got.sent, err = s.send(ctx, l, 0); err != nil {
			return got, err
		}
	}
	if err := quiet(ctx, s.pid(), limit-time.Since(began)); err != nil {
		return got, err
	}
	after, err := cpu(s.pid())
	got.each = micros(after-before) / float64(l.series*times)
	return got, err
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// settle waits until everybody has been told: group_wait is over, nothing has come for a while, and the server is quiet.
func (b *bench) settle(ctx context.Context, s *server, wait time.Duration) error {
	const longest, silence = 15 * time.Minute, 2 * time.Second
	began := time.Now()
	if err := sleep(ctx, wait+time.Second); err != nil {
		return err
	}
	for time.Since(began) < longest {
		if err := quiet(ctx, s.pid(), longest); err != nil {
			return err
		}
		if _, last := b.sink.counts(); time.Since(last) >= silence {
			return nil
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s still tells somebody something after %s", s.side, longest)
}

// fill starts a server, has it take in a load and tell of it.
func (b *bench) fill(ctx context.Context, which side, c setup, l *load) (*server, bill, error) {
	s, err := b.serve(ctx, which, c)
	if err != nil {
		return nil, bill{}, err
	}
	if c.profile != "" && which == ours {
		end := b.profile(ctx, s, c.profile, c.wait)
		defer end()
	}
	l.starts = time.Now()
	got, err := b.bill(ctx, s, l, 1, c.wait-time.Second)
	if err == nil {
		err = b.settle(ctx, s, c.wait)
	}
	if err != nil {
		words := s.lastWords()
		s.remove()
		return nil, got, fmt.Errorf("%w\nits log ends with:\n%s", err, words)
	}
	b.must(got.accepted == l.series, "%s took in %d alerts of %d", which, got.accepted, l.series)
	b.mustInTime(got.wall < c.wait, "%s took %s to take in %d alerts: groups spoke meanwhile, after %s", which, got.wall.Round(time.Second), l.series, c.wait)
	return s, got, nil
}

// check looks whether a server has the alerts that it took in, and has told of those that are active: nothing inhibits or
// silences them.
func (b *bench) check(ctx context.Context, s *server, alerts int) error {
	active := map[uint64]bool{}
	all, _, err := s.read(ctx, "/api/v2/alerts", fingerprintKey, active)
	if err != nil {
		return err
	}
	b.must(all.count == alerts, "%s has %d alerts after it took in %d", s.side, all.count, alerts)
	b.must(len(active) > 0, "%s shows no active alerts of %d", s.side, alerts)
	b.count(fmt.Sprintf("active alerts of %d", alerts), s.side, len(active))
	const late = 30 * time.Second // on a machine that is too busy for a server to look so
	for began := time.Now(); b.sink.untold(active) > 0 && time.Since(began) < late; {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	n := b.sink.untold(active)
	b.must(n == 0, "%s did not tell of %d active alerts of %d", s.side, n, len(active))
	return nil
}

// silence posts silences that are about alerts of one service each, and mute none.
func (b *bench) silence(ctx context.Context, s *server, n int) error {
	now := time.Now().UTC()
	for i := range n {
		body := fmt.Sprintf(`{"matchers":[{"name":"service","value":"svc-%03d","isRegex":false,"isEqual":true},{"name":"pod","value":"none-%d","isRegex":false,"isEqual":true}],"startsAt":%q,"endsAt":%q,"createdBy":"bench","comment":"mutes nothing"}`,
			i%100, i, now.Format(timeForm), now.Add(validity).Format(timeForm))
		if err := s.post(ctx, "/api/v2/silences", strings.NewReader(body)); err != nil {
			return err
		}
	}
	return nil
}
