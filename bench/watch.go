//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A watch looks at a server that has more to do than it can, and asks it what people would.
type watch struct {
	b *bench
	s *server

	resident, size, goroutines []float64 // MiB, MiB, number; look by look
	ready, read, ack, post     []float64 // ms
	pages                      []float64 // ms from the answer 200
	outages                    int       // that were answered 200
	refused                    int       // requests of theirs
}

func newWatch(b *bench, s *server) *watch { return &watch{b: b, s: s} }

// run looks until the context ends, and then for the pages that are still due.
func (w *watch) run(ctx context.Context) error {
	people := make(chan error, 1)
	asking, stop := context.WithCancel(ctx)
	defer stop()
	go func() { people <- notCancelled(w.people(asking)) }()
	for n := 0; ; n++ {
		if err := w.look(ctx, n%slowLooks == 0); err != nil {
			stop()
			<-people
			return err
		}
		if sleep(ctx, w.b.o.look) != nil {
			return <-people
		}
	}
}

// look takes one look. What is asked is answered even when the watch is about to end.
func (w *watch) look(ctx context.Context, closely bool) error {
	ctx = context.WithoutCancel(ctx)
	resident, _, err := memory(w.s.pid())
	if err != nil {
		return err
	}
	size, err := w.s.kept()
	if err != nil {
		return err
	}
	w.resident, w.size = append(w.resident, resident), append(w.size, mebibytes(size))
	for path, into := range map[string]*[]float64{"/-/ready": &w.ready, "/api/midwatch/v1/incidents?limit=1": &w.read} {
		began := time.Now()
		if err := w.s.get(ctx, path, io.Discard); err != nil {
			return err
		}
		*into = append(*into, millis(time.Since(began)))
	}
	if !closely {
		return nil
	}
	n, err := w.s.metric(ctx, "go_goroutines")
	w.goroutines = append(w.goroutines, n)
	return err
}

// people has an outage every now and then, waits for its page, and acknowledges it.
func (w *watch) people(ctx context.Context) error {
	all := &load{outages: 1 << 20, starts: time.Now()}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := 0; ; n++ {
		name := fmt.Sprintf("outage-%05d", n)
		began := time.Now()
		for {
			body := append(all.appendAlert([]byte{'['}, n, time.Now().Add(validity)), ']')
			status, wait, err := w.s.try(context.WithoutCancel(ctx), client, body)
			if err != nil {
				return err
			}
			if status == http.StatusOK {
				w.outages++
				break
			}
			w.refused++
			if err := sleep(ctx, max(wait, w.b.o.look)); err != nil {
				return err
			}
		}
		answered := time.Now()
		w.post = append(w.post, millis(answered.Sub(began)))
		var p page
		for told := false; !told; {
			if p, told = w.b.sink.paged(name); told {
				break
			}
			if time.Since(answered) > pageTime {
				w.b.must(false, "nobody was paged for %s within %s after its alert was answered 200", name, pageTime)
				return nil
			}
			if err := sleep(context.WithoutCancel(ctx), 5*time.Millisecond); err != nil {
				return err
			}
		}
		w.pages = append(w.pages, max(0, millis(p.at.Sub(answered))))
		began = time.Now()
		if err := w.s.post(context.WithoutCancel(ctx), "/api/midwatch/v1/incidents/"+p.incident+"/acknowledge", strings.NewReader(`{"by":"ana"}`)); err != nil {
			return err
		}
		w.ack = append(w.ack, millis(time.Since(began)))
		if err := sleep(ctx, outageEvery*w.b.o.look-time.Since(answered)); err != nil {
			return err
		}
	}
}

// report says what was seen, and what was not as it must be.
func (w *watch) report(say func(name, format string, args ...any)) {
	flat := func(what, unit string, values []float64) {
		second, last := values[len(values)/4:len(values)/2], values[len(values)*3/4:]
		from, to := median(second), median(last)
		say(what+", second quarter and last", "%s%s, %s%s", figure(from), unit, figure(to), unit)
		w.b.mustInTime(to <= from*(1+growth), "overload: %s grew from %s%s to %s%s", what, figure(from), unit, figure(to), unit)
	}
	flat("memory", " MiB", w.resident)
	flat("files", " MiB", w.size)
	flat("goroutines", "", w.goroutines)
	tail := func(what string, values []float64) {
		say(what+", p50 and p99", "%s ms, %s ms", figure(percentile(values, 50)), figure(percentile(values, 99)))
		w.b.must(len(values) > 0, "overload: %s: nothing was answered", what)
	}
	tail("GET /-/ready", w.ready)
	tail("GET of an incident", w.read)
	tail("acknowledging", w.ack)
	tail(fmt.Sprintf("the alert of an outage is answered 200 (%d refused of %d)", w.refused, w.refused+w.outages), w.post)
	tail("from there to its page", w.pages)
	w.b.must(len(w.pages) == w.outages, "%d outages were paged of %d", len(w.pages), w.outages)
}

// metric is one that has no labels.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	var text bytes.Buffer
	if err := s.get(ctx, "/metrics", &text); err != nil {
		return 0, err
	}
	for line := range strings.Lines(text.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}
