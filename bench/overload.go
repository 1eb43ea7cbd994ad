//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	floodBatch   = 256    // alerts a request: Prometheus' default is that since version 3
	floodSeries  = 50_000 // at least: fewer in flight at once are none too many for a server
	floodClients = 256    // requests at once, at most
	calmClients  = 16     // requests at once where everything is to be taken: enough for the server to have the next one always
	floodRate    = 2      // times what can be sustained
	leastOffered = 1.5    // likewise; less would be no overload
	resolveEvery = 8      // changes: one ends its alerts, the next has them fire again
	fewestLooks  = 16
	slowLooks    = 5                // looks a look at what costs the server more to say
	outageEvery  = 15               // looks
	lateness     = time.Second      // of a request whose turn has passed because nobody was free to send it: it is left out
	backTime     = 10 * time.Second // from the end of the load to an answer 200
	pageTime     = 30 * time.Second // from an answer 200 to the page
	growth       = 0.10             // from the second quarter to the last: no more than chance
	slower       = 3                // times what a request took before; afterwards no more than that
)

// A wave is alerts that change again and again, in one request of which there is one at most under way at a time.
type wave struct {
	body  []byte
	ends  []int // where the ends of alerts are in there
	marks []int // and the numbers of the change
	sent  int   // number of the newest change
	kept  int   // of the newest that was answered 200
}

// generation is what the number of a change is written after.
const generation = `"generation":"`

// newWave makes the alerts [from, to) of a load into a wave.
func newWave(l *load, from, to int) *wave {
	body := l.batch(nil, from, to, l.starts)
	body = bytes.ReplaceAll(body, []byte(`"annotations":{`), []byte(`"annotations":{`+generation+`00000000",`))
	return &wave{body: body, ends: after(body, `"endsAt":"`), marks: after(body, generation)}
}

// after is where the values of a key begin.
func after(b []byte, key string) (at []int) {
	for from := 0; ; {
		i := bytes.Index(b[from:], []byte(key))
		if i < 0 {
			return at
		}
		from += i + len(key)
		at = append(at, from)
	}
}

// change makes the next change: another number, and now and then an end.
func (w *wave) change(now time.Time) {
	w.sent++
	ends := now.Add(validity)
	if over(w.sent) {
		ends = now
	}
	stamp := ends.UTC().AppendFormat(nil, timeForm)
	mark := fmt.Appendf(nil, "%08d", w.sent)
	for i := range w.ends {
		copy(w.body[w.ends[i]:], stamp)
		copy(w.body[w.marks[i]:], mark)
	}
}

// over reports whether a change ends the alerts.
func over(change int) bool { return change%resolveEvery == resolveEvery-1 }

// A flood is all waves, and what was answered to them.
type flood struct {
	s      *server
	client *http.Client
	waves  []*wave
	free   chan *wave

	accepted, refused, skipped, silent atomic.Int64 // requests; silent ones were refused without Retry-After

	mu    sync.Mutex
	codes map[int]int
}

func newFlood(s *server, l *load) *flood {
	f := &flood{s: s, codes: map[int]int{}, client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: floodClients, MaxConnsPerHost: floodClients},
	}}
	for from := 0; from+floodBatch <= l.series; from += floodBatch {
		f.waves = append(f.waves, newWave(l, from, from+floodBatch))
	}
	f.free = make(chan *wave, len(f.waves))
	for _, w := range f.waves {
		f.free <- w
	}
	return f
}

// send sends the next change of some wave, and notes what is answered.
func (f *flood) send(ctx context.Context) error {
	w := <-f.free
	defer func() { f.free <- w }()
	w.change(time.Now())
	status, wait, err := f.s.try(ctx, f.client, w.body)
	if err != nil {
		return err
	}
	switch status {
	case http.StatusOK:
		w.kept = w.sent
		f.accepted.Add(1)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.refused.Add(1)
		if wait <= 0 {
			f.silent.Add(1)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.codes[status]++
	return nil
}

// try posts alerts once. It returns the status, and what Retry-After says; 0: nothing that can be used.
func (s *server) try(ctx context.Context, client *http.Client, body []byte) (status int, wait time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", s.side, err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return 0, 0, err
	}
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil {
		seconds = 0
	}
	return answer.StatusCode, time.Duration(seconds) * time.Second, nil
}

// calm sends as much as the server takes, over a few connections, and returns how many alerts that were a second.
func (f *flood) calm(ctx context.Context, during time.Duration) (rate float64, err error) {
	began, before := time.Now(), f.accepted.Load()
	err = f.together(calmClients, func() error {
		for time.Since(began) < during {
			if err := f.send(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(f.accepted.Load()-before) * floodBatch / time.Since(began).Seconds(), err
}

// rise sends so many alerts a second, whatever is answered, over as many connections as it takes and there may be.
func (f *flood) rise(ctx context.Context, rate float64, during time.Duration) error {
	began := time.Now()
	every := time.Duration(floodBatch / rate * float64(time.Second))
	var next atomic.Int64
	return f.together(min(floodClients, len(f.waves)), func() error {
		for {
			due := began.Add(time.Duration(next.Add(1)-1) * every)
			if due.Sub(began) >= during {
				return nil
			}
			if time.Since(due) > lateness {
				f.skipped.Add(1)
				continue
			}
			if err := sleep(ctx, time.Until(due)); err != nil {
				return err
			}
			if err := f.send(ctx); err != nil {
				return err
			}
		}
	})
}

// together runs so many at once, and waits for all.
func (f *flood) together(n int, work func() error) error {
	var workers sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		workers.Go(func() { errs[i] = work() })
	}
	workers.Wait()
	return errors.Join(errs...)
}

// usual is how long a request takes where there are no others, in ms.
func (f *flood) usual(ctx context.Context) (took []float64, err error) {
	const times, pause = 20, 50 * time.Millisecond
	for range times {
		began := time.Now()
		if err := f.send(ctx); err != nil {
			return nil, err
		}
		took = append(took, millis(time.Since(began)))
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// overload sends ours more than it can take, for a while: what it answers 200 must be there, what it cannot take it must refuse,
// it must not grow, and whoever else asks must be answered.
func (b *bench) overload(ctx context.Context, which side) error {
	n := max(b.o.series, floodSeries) / floodBatch * floodBatch
	l := newLoad(n)
	s, _, err := b.fill(ctx, which, setup{wait: b.o.groupWait(n), interval: never, paging: true, prompt: true}, l)
	if err != nil {
		return err
	}
	defer s.remove()
	f := newFlood(s, l)
	defer f.client.CloseIdleConnections()
	calm := 5 * time.Second
	if b.o.quick {
		calm = 2 * time.Second
	}
	rate, err := f.calm(ctx, calm)
	if err != nil {
		return err
	}
	usual, err := f.usual(ctx)
	if err != nil {
		return err
	}
	took0, refused0 := f.accepted.Load(), f.refused.Load()
	watch := newWatch(b, s)
	seen := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	go func() { seen <- notCancelled(watch.run(watching)) }()
	began := time.Now()
	err = f.rise(ctx, floodRate*rate, b.o.overload)
	during := time.Since(began)
	stop()
	if err = errors.Join(err, <-seen); err != nil {
		return fmt.Errorf("%w\nits log ends with:\n%s", err, s.lastWords())
	}
	took, refused := f.accepted.Load()-took0, f.refused.Load()-refused0

	ended := time.Now()
	for before := f.accepted.Load(); f.accepted.Load() == before; {
		if err := f.send(ctx); err != nil {
			return err
		}
	}
	back := time.Since(ended)
	if err := quiet(ctx, s.pid(), backTime); err != nil {
		return err
	}
	again, err := f.usual(ctx)
	if err != nil {
		return err
	}

	say := func(name, format string, args ...any) { b.say("overload: "+name, which, format, args...) }
	offered := float64(took+refused) * floodBatch / during.Seconds()
	say("changed alerts that are taken in, without overload", "%s /s", figure(rate))
	say("changed alerts that are sent, for "+b.o.overload.String(), "%s /s", figure(offered))
	say("of these answered 200", "%s /s", figure(float64(took)*floodBatch/during.Seconds()))
	say("requests that are refused", "%s %%", figure(100*float64(refused)/float64(max(took+refused, 1))))
	watch.report(say)
	say("an answer 200 after its end", "%s ms", figure(millis(back)))
	say("POST of 256 changed alerts before and after, p50", "%s ms, %s ms", figure(percentile(usual, 50)), figure(percentile(again, 50)))

	b.mustInTime(offered >= leastOffered*rate, "%s of %s alerts a second could be sent: that is no overload (%d requests were left out)", figure(offered), figure(floodRate*rate), f.skipped.Load())
	b.mustInTime(refused > 0, "nothing was refused: there was no overload")
	b.must(f.silent.Load() == 0, "%d requests of %d were refused without Retry-After", f.silent.Load(), refused)
	for status, times := range f.codes {
		known := status == http.StatusOK || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		b.must(known, "%d requests were answered %d", times, status)
	}
	b.mustInTime(back <= backTime, "the first answer 200 came %s after the overload", back.Round(time.Millisecond))
	b.mustInTime(percentile(again, 50) <= slower*percentile(usual, 50), "a request takes %s ms after the overload, and %s before", figure(percentile(again, 50)), figure(percentile(usual, 50)))
	return b.accounted(ctx, f, watch.outages)
}

// accounted looks whether each alert is as the newest request that was answered 200 left it. One that was refused must have
// changed nothing.
func (b *bench) accounted(ctx context.Context, f *flood, outages int) error {
	found := map[string]string{} // pod → number of the change
	read, write := io.Pipe()
	asked := make(chan error, 1)
	go func() {
		err := f.s.get(ctx, "/api/v2/alerts", write)
		_ = write.CloseWithError(err) // it always returns nil
		asked <- err
	}()
	others := 0
	err := decodeEach(read, func(a shown) {
		if pod := a.Labels["pod"]; pod != "" {
			found[pod] = a.Annotations["generation"]
		} else {
			others++
		}
	})
	_ = read.CloseWithError(io.ErrClosedPipe) // it always returns nil; who still writes shall not wait
	if err = errors.Join(err, <-asked); err != nil {
		return err
	}
	wrong, total := 0, 0
	for _, w := range f.waves {
		want := fmt.Sprintf("%08d", w.kept)
		for _, at := range after(w.body, `"pod":"`) {
			pod, _, _ := strings.Cut(string(w.body[at:min(at+100, len(w.body))]), `"`)
			got, there := found[pod]
			if over(w.kept) == there || there && got != want {
				wrong++
			}
			if there {
				total++
			}
		}
	}
	b.must(wrong == 0, "%d alerts are not as the last request left them that was answered 200", wrong)
	b.must(total == len(found) && others == outages, "there are %d alerts and %d outages, of %d and %d", len(found), others, total, outages)
	return nil
}

// A shown alert is what an answer has of it, as far as that is looked at.
type shown struct{ Labels, Annotations map[string]string }

// decodeEach calls f with every alert of an answer, as it is read.
func decodeEach(r io.Reader, f func(shown)) error {
	d := json.NewDecoder(r)
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var a shown
		if err := d.Decode(&a); err != nil {
			return err
		}
		f(a)
	}
	return nil
}
