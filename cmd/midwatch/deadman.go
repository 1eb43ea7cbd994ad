package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/notify"
)

const (
	deadManTimeout = 10 * time.Second // for one call; a service of this kind answers at once
	deadManAnswer  = 4 << 10          // bytes of the answer that are read, so that the connection can be used again
)

// A deadMan calls an address every so often, for as long as Midwatch is well. Whoever is behind it raises the alarm when
// nobody calls: also when there is no Midwatch any more that could.
type deadMan struct {
	config func() *config.DeadMan // what is configured now; nil: nobody is to be called
	unwell func(context.Context) []string
	client *http.Client
	log    *zap.Logger
	moved  chan struct{} // the configuration may be another

	last               atomic.Int64 // Unix time in ms of the last call that came through; 0: none did
	failures, withheld prometheus.Counter
	silent             string // why nobody was called last time; empty: somebody was
}

func newDeadMan(config func() *config.DeadMan, unwell func(context.Context) []string, log *zap.Logger, r prometheus.Registerer) *deadMan {
	d := &deadMan{
		config: config, unwell: unwell, log: log.With(zap.String("component", "dead man's switch")),
		client: &http.Client{Timeout: deadManTimeout, Transport: http.DefaultTransport.(*http.Transport).Clone()},
		moved:  make(chan struct{}, 1),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "midwatch_dead_man_failures_total", Help: "Calls of the dead man's switch that did not come through.",
		}),
		withheld: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "midwatch_dead_man_withheld_total", Help: "Calls of the dead man's switch that were not made, because Midwatch was not well.",
		}),
	}
	r.MustRegister(d.failures, d.withheld, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "midwatch_dead_man_last_success_timestamp_seconds", Help: "When a call of the dead man's switch last came through; 0: none did.",
	}, func() float64 { return float64(d.last.Load()) / 1000 }))
	return d
}

// reloaded says that the configuration may be another.
func (d *deadMan) reloaded() {
	select {
	case d.moved <- struct{}{}:
	default:
	}
}

// run calls until ctx is done, at once to begin with.
func (d *deadMan) run(ctx context.Context) {
	defer d.client.CloseIdleConnections()
	var called config.DeadMan // by which the last call was made
	var next time.Time
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		man := d.config()
		switch {
		case man == nil:
			timer.Stop()
			called = config.DeadMan{}
		case *man != called: // another address is called at once
			called, next = *man, time.Now()
			fallthrough
		default:
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-d.moved:
		case <-timer.C:
			next = time.Now().Add(man.Every)
			d.beat(ctx, *man)
		}
	}
}

// beat calls once, if all is well.
func (d *deadMan) beat(ctx context.Context, man config.DeadMan) {
	if why := d.unwell(ctx); len(why) > 0 {
		if ctx.Err() == nil {
			d.withheld.Inc()
			d.say("Midwatch is not well and does not call its dead man's switch: " + strings.Join(why, "; "))
		}
		return
	}
	err := d.call(ctx, man)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.failures.Inc()
		d.say("the dead man's switch could not be called: " + err.Error())
	default:
		d.last.Store(time.Now().UnixMilli())
		if d.silent != "" {
			d.log.Info("the dead man's switch is called again")
		}
		d.silent = ""
	}
}

// say logs why nobody was called, once for each reason.
func (d *deadMan) say(why string) {
	if why != d.silent {
		d.log.Error(why)
	}
	d.silent = why
}

// call makes one call. Its error never holds the address, which is a secret.
func (d *deadMan) call(ctx context.Context, man config.DeadMan) error {
	req, err := http.NewRequestWithContext(ctx, man.Method, man.URL, nil)
	if err != nil {
		return errors.New("its address is none")
	}
	req.Header.Set("User-Agent", "midwatch/"+version)
	resp, err := d.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return errors.New(withoutAddress(err.Error(), man.URL))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, deadManAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

// withoutAddress takes an address out of a text, and what follows its host alone.
func withoutAddress(text, address string) string {
	text = strings.ReplaceAll(text, address, "<secret>")
	if u, err := url.Parse(address); err == nil {
		for _, part := range []string{u.RequestURI(), u.User.String()} {
			if len(part) > 1 {
				text = strings.ReplaceAll(text, part, "<secret>")
			}
		}
	}
	return text
}

// unwell says why nobody should rely on being paged, as sentences; none: all is well.
func (d *daemon) unwell(ctx context.Context) []string {
	why := d.engine.Unwell(ctx)
	if !d.engine.Ready() {
		why = append(why, "the engine has not begun, or is ending")
	}
	if notify.AllFailing(d.queues.Health()) {
		why = append(why, "the last attempts to send failed by every channel that was tried")
	}
	return why
}
