//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kill ends a server with kill -9, starts it again, and looks what is left and who is told twice.
func (b *bench) kill(ctx context.Context, which side) error {
	n, outages := b.o.big, b.o.incidents
	l := newLoad(n)
	l.outages = outages
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: still, paging: which == ours}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	if err := b.silence(ctx, s, b.o.silences); err != nil {
		return err
	}
	if err := b.check(ctx, s, n); err != nil {
		return err
	}
	if err := b.settle(ctx, s, 0); err != nil {
		return err
	}
	if which == ours {
		open, err := s.incidents(ctx)
		if err != nil {
			return err
		}
		b.must(open == outages, "%d incidents are open at the kill, for %d outages", open, outages)
	}
	before, _ := b.sink.counts()

	s.end(syscall.SIGKILL)
	ready, err := s.start(ctx)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("kill -9 with %s alerts, %d silences", many(n), b.o.silences)
	b.add(row{name: what + ": ready again", unit: "s"}, which, ready.Seconds())
	left, _, err := s.read(ctx, "/api/v2/alerts", fingerprintKey, nil)
	if err != nil {
		return err
	}
	b.say("… alerts that are left", which, "%d of %d", left.count, n)
	silences, _, err := s.read(ctx, "/api/v2/silences", silenceKey, nil)
	if err != nil {
		return err
	}
	b.say("… silences that are left", which, "%d of %d", silences.count, b.o.silences)
	if which == ours {
		open, err := s.incidents(ctx)
		if err != nil {
			return err
		}
		b.say("… incidents that are left", which, "%d of %d", open, outages)
		b.must(left.count == n && silences.count == b.o.silences && open == outages,
			"Midwatch has %d alerts, %d silences and %d incidents left of %d, %d and %d", left.count, silences.count, open, n, b.o.silences, outages)
	}
	if _, err := s.send(ctx, l, 0); err != nil { // as Prometheus does within the minute
		return err
	}
	if err := b.settle(ctx, s, 5*time.Second); err != nil {
		return err
	}
	after, _ := b.sink.counts()
	b.say("… notifications that are sent again, once Prometheus repeats its alerts", which, "%d of %d", after[groupPath]-before[groupPath], before[groupPath])
	if which == ours {
		b.say("… messages to people that are sent again", which, "%d of %d", after[pagePath]-before[pagePath], before[pagePath])
	}
	return nil
}

// incidents counts those that are open, by the metrics.
func (s *server) incidents(ctx context.Context) (open int, err error) {
	var text bytes.Buffer
	if err := s.get(ctx, "/metrics", &text); err != nil {
		return 0, err
	}
	for line := range strings.Lines(text.String()) {
		if !strings.HasPrefix(line, "midwatch_incidents{") || strings.Contains(line, `"resolved"`) {
			continue
		}
		fields := strings.Fields(line)
		n, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("/metrics: %q: %w", line, err)
		}
		open += int(n)
	}
	return open, nil
}
