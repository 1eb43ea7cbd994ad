//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// still is a group_interval in which no group looks at itself while something else is measured.
const still = time.Hour

// many writes a number of alerts as people say it: 100k.
func many(n int) string {
	if n%1000 == 0 {
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}

// resendLimit is how long a server may be busy with alerts that were sent again.
const resendLimit = 10 * time.Minute

// sending measures what new alerts cost, and what the same alerts cost when they are sent again.
func (b *bench) sending(ctx context.Context, which side) error {
	n := b.o.series
	l := newLoad(n)
	s, fresh, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: still, profile: "new"}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	again := row{name: "CPU per re-sent alert, " + many(n) + " series", unit: "µs"}
	b.know(again) // it is what nine of ten requests are, so it comes first
	b.add(row{name: "CPU per new alert, " + many(n) + " series; ours on disk before the answer", unit: "µs"}, which, fresh.each)
	b.add(row{name: "new alerts taken in; ours on disk before the answer", unit: "/s", more: true}, which, float64(n)/fresh.wall.Seconds())
	before, _ := b.sink.counts()
	if which == ours {
		end := b.profile(ctx, s, "resend", profiled)
		defer end()
	}
	for range b.o.repeats {
		got, err := b.bill(ctx, s, l, b.o.times(n), resendLimit)
		if err != nil {
			return err
		}
		b.must(got.accepted == n, "%s took in %d re-sent alerts of %d", which, got.accepted, n)
		b.add(again, which, got.each)
	}
	if after, _ := b.sink.counts(); after[groupPath] != before[groupPath] {
		b.must(false, "%s told of alerts that were only sent again: %d notifications", which, after[groupPath]-before[groupPath])
	}
	resident, _, err := memory(s.pid())
	if err != nil {
		return err
	}
	b.add(row{name: "memory at " + many(n) + " alerts, after re-sends", unit: "MiB"}, which, resident)
	return b.check(ctx, s, n)
}

// size measures the same with many alerts, and how it grows from few.
func (b *bench) size(ctx context.Context, which side) error {
	large, err := b.resend(ctx, which, b.o.big)
	if err != nil {
		return err
	}
	small, err := b.resend(ctx, which, b.o.small)
	if err != nil {
		return err
	}
	b.say(fmt.Sprintf("the same, %s against %s", many(b.o.big), many(b.o.small)), which, "%s×", figure(median(large)/median(small)))
	return nil
}

// times is how often so many alerts are sent again for one figure.
func (o *options) times(series int) int { return max(1, o.resends/series) }

// resend measures what so many alerts cost that are sent again.
func (b *bench) resend(ctx context.Context, which side, series int) (each []float64, err error) {
	l := newLoad(series)
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(series), interval: still}, l)
	if err != nil {
		return nil, err
	}
	defer s.remove()
	for range b.o.repeats {
		got, err := b.bill(ctx, s, l, b.o.times(series), resendLimit)
		if err != nil {
			return nil, err
		}
		each = append(each, got.each)
	}
	resident, _, err := memory(s.pid())
	if err != nil {
		return nil, err
	}
	if series == b.o.big {
		b.add(row{name: "memory at " + many(series) + " alerts, after re-sends", unit: "MiB"}, which, resident)
	}
	b.add(row{name: "CPU per re-sent alert, " + many(series) + " series", unit: "µs"}, which, each...)
	return each, b.check(ctx, s, series)
}

// rest measures what a server does while nothing happens: between the minutes in which all alerts are sent again.
func (b *bench) rest(ctx context.Context, which side) error {
	n := b.o.series
	l := newLoad(n)
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: b.o.tick}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	began := time.Now()
	first, err := cpu(s.pid())
	if err != nil {
		return err
	}
	var busy, own time.Duration // while alerts were sent, and what that cost
	for next := began; next.Before(began.Add(b.o.rest)); next = next.Add(b.o.tick) {
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		since := time.Now()
		before, err := cpu(s.pid())
		if err != nil {
			return err
		}
		if _, err := s.send(ctx, l, 0); err != nil {
			return err
		}
		// What the answers left to be done belongs to them, and takes no longer than this.
		const after = time.Second
		if err := sleep(ctx, after); err != nil {
			return err
		}
		now, err := cpu(s.pid())
		if err != nil {
			return err
		}
		busy, own = busy+time.Since(since), own+now-before
	}
	if err := sleep(ctx, time.Until(began.Add(b.o.rest))); err != nil {
		return err
	}
	last, err := cpu(s.pid())
	if err != nil {
		return err
	}
	quietly := time.Since(began) - busy
	b.mustInTime(quietly > b.o.rest/10, "%s was sent alerts for %s of %s: there was no rest to measure", which, busy, b.o.rest)
	b.add(row{name: fmt.Sprintf("CPU at rest: %s alerts in %d groups, group_interval %s, between re-sends", many(n), n/perGroup, b.o.tick), unit: "% of a core"},
		which, 100*float64(last-first-own)/float64(quietly))
	return b.check(ctx, s, n)
}
