//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	probeEvery = 47 * time.Millisecond // in step with nothing that a server does every so often
	probeWait  = 30 * time.Second      // for the last one to arrive
	loadedRuns = 3
)

// latency measures how long an alert takes from its POST to the webhook, where group_wait is zero: while nothing else happens, and
// while others are sent again.
func (b *bench) latency(ctx context.Context, which side) error {
	n := b.o.series
	l := newLoad(n)
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: still}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	idle, err := b.probe(ctx, s, "idle")
	if err != nil {
		return err
	}
	b.add(row{name: "POST to webhook, p50, nothing else going on", unit: "ms"}, which, percentile(idle, 50))
	for run := range loadedRuns {
		load, stop := context.WithCancel(ctx)
		type done struct {
			accepted int
			err      error
		}
		ended := make(chan done, 1)
		began := time.Now()
		go func() {
			var d done
			for load.Err() == nil && d.err == nil {
				var part sent
				part, d.err = s.send(load, l, b.o.rate)
				d.accepted += part.accepted
			}
			ended <- d
		}()
		err := sleep(ctx, time.Second) // until the load is what it will be
		var loaded []float64
		if err == nil {
			loaded, err = b.probe(ctx, s, fmt.Sprintf("loaded-%d", run))
		}
		took := time.Since(began)
		stop()
		d := <-ended
		if err = errors.Join(err, notCancelled(d.err)); err != nil {
			return err
		}
		b.add(row{name: fmt.Sprintf("POST to webhook, p99, while %s/s are asked to be re-sent", figure(b.o.rate)), unit: "ms"}, which, percentile(loaded, 99))
		b.add(row{name: "what could be re-sent meanwhile", unit: "/s", more: true}, which, float64(d.accepted)/took.Seconds())
	}
	return b.check(ctx, s, n+(1+loadedRuns)*b.o.probes)
}

func notCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// probe posts alerts, each a group of its own, and returns how long each took to arrive, in ms.
func (b *bench) probe(ctx context.Context, s *server, run string) (took []float64, err error) {
	posted := map[string]time.Time{}
	for i := range b.o.probes {
		if err := sleep(ctx, probeEvery); err != nil {
			return nil, err
		}
		id := fmt.Sprintf("%s-%d", run, i)
		now := time.Now()
		body := fmt.Sprintf(`[{"labels":{"alertname":%q,"probe_id":%q,"cluster":"probes","service":"probe","severity":"critical"},"annotations":{"summary":"a probe"},"startsAt":%q,"endsAt":%q}]`,
			probeName, id, now.UTC().Format(timeForm), now.Add(validity).UTC().Format(timeForm))
		posted[id] = time.Now()
		if err := s.post(ctx, "/api/v2/alerts", strings.NewReader(body)); err != nil {
			return nil, err
		}
	}
	for deadline := time.Now().Add(probeWait); ; {
		took = took[:0]
		for id, at := range posted {
			if arrived, ok := b.sink.arrived(id); ok {
				took = append(took, millis(arrived.Sub(at)))
			}
		}
		if len(took) == len(posted) {
			return took, nil
		}
		if time.Now().After(deadline) {
			b.must(false, "%s did not tell of %d probes of %d (%s)", s.side, len(posted)-len(took), len(posted), run)
			return took, nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
