package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/midwatch/midwatch/config"
	"github.com/midwatch/midwatch/engine"
	"github.com/midwatch/midwatch/probe"
)

const (
	probesAtOnce = 4         // questions under way, to all Prometheus servers together
	probeOverlap = time.Hour // minutes that are asked for again after a start: the last ones may not have been kept
)

// probes ask Prometheus for the counts of those SLOs that count events.
type probes struct {
	engine *engine.Engine
	log    *zap.Logger
	wire   http.RoundTripper // nil: that of net/http
	slots  chan struct{}     // one token for each that asks

	mu    sync.Mutex
	asked map[string]*asking
}

// counting is what is asked for of one SLO.
type counting struct {
	config.SLOQueries
	by     string // the labels, joined
	window time.Duration
}

// asking is a probe that runs.
type asking struct {
	counting
	probe *probe.Probe
	stop  func()
	ended chan struct{}
}

func newProbes(e *engine.Engine, log *zap.Logger) *probes {
	return &probes{engine: e, log: log, slots: make(chan struct{}, probesAtOnce), asked: map[string]*asking{}}
}

// use takes a configuration, which the engine must have already. Where what is asked stays the same, asking goes on as if
// nothing had been. Where it does not, the new questions begin where the answers to the old ones end.
func (p *probes) use(cfg *config.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	conf, sources := map[string]counting{}, map[string]*probe.Source{}
	for name, s := range cfg.SLOs {
		if s.Prometheus == nil {
			continue
		}
		spec := s.Objective.Spec()
		conf[name] = counting{*s.Prometheus, strings.Join(spec.By, ","), spec.Window}
		if old := p.asked[name]; old != nil && old.counting == conf[name] {
			continue
		}
		source, err := probe.NewSource(s.Prometheus.URL, p.wire)
		if err != nil {
			return fmt.Errorf("slo %q: %w", name, err)
		}
		sources[name] = source
	}
	before := map[string]counting{}
	var gone []*asking
	for name, old := range p.asked {
		if conf[name] != old.counting {
			old.stop()
			gone = append(gone, old)
			before[name] = old.counting
			delete(p.asked, name)
		}
	}
	for _, old := range gone {
		<-old.ended // its last answers are in the budget then
	}
	known := p.known()
	for name, source := range sources {
		q := conf[name]
		if was, changed := before[name]; changed && q.window > was.window {
			known[name] = time.Time{} // what the window reaches back to was never asked for
		}
		one, err := probe.New(probe.Config{
			Name: name, Source: source, Query: probe.Query{Bad: q.Bad, Total: q.Total, By: cfg.SLOs[name].Objective.Spec().By}, Known: known[name],
			Window: q.window, Sink: p.sink(name), Report: p.report, Slots: p.slots,
		})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		a := &asking{q, one, cancel, make(chan struct{})}
		p.asked[name] = a
		go func() {
			defer close(a.ended)
			one.Run(ctx)
		}()
	}
	return nil
}

// known is from when on each SLO is asked for: the end of its newest counts, less what may not have been kept.
func (p *probes) known() map[string]time.Time {
	known := map[string]time.Time{}
	for _, v := range p.engine.SLOs() {
		name := v.Rule.Objective.Name()
		if at := v.Budget.Known(); !at.IsZero() && at.Add(-probeOverlap).After(known[name]) {
			known[name] = at.Add(-probeOverlap)
		}
	}
	return known
}

// end stops asking.
func (p *probes) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.asked {
		a.stop()
	}
	for _, a := range p.asked {
		<-a.ended
	}
}

// sink hands counts to the engine. What it had no time for is asked for again; what it refuses, it would refuse once more.
func (p *probes) sink(name string) func([]probe.Reading) error {
	return func(readings []probe.Reading) error {
		ctx, cancel := context.WithTimeout(context.Background(), deskTime)
		defer cancel()
		for _, r := range readings {
			err := p.engine.Do(ctx, engine.Counted{SLO: name, Labels: r.Labels, Minutes: r.Counts}).Err
			var refused *engine.Error
			switch {
			case errors.As(err, &refused):
				p.log.Warn("counts of an SLO were not taken in", zap.String("slo", name), zap.Error(err))
			case err != nil && !errors.Is(err, engine.ErrUnsaved): // unsaved, they count all the same
				return fmt.Errorf("the counts were not taken in: %w", err)
			}
		}
		return nil
	}
}

// doubt says why the counts of an SLO do not come, from the first miss on: whoever asks wants to know, also of a restart. Empty:
// they do.
func (p *probes) doubt(name string) string {
	p.mu.Lock()
	a := p.asked[name]
	p.mu.Unlock()
	if a == nil {
		return ""
	}
	h := a.probe.Health()
	if h.Misses == 0 {
		return ""
	}
	return fmt.Sprintf("its counts do not come since %s: %s", h.Since.UTC().Format("2006-01-02 15:04 UTC"), h.Error)
}

// report says that a Prometheus does not answer, and that it does again.
func (p *probes) report(h probe.Health) {
	if h.Misses == 0 {
		p.log.Info("the counts of an SLO come again", zap.String("slo", h.Name))
		return
	}
	p.log.Error("the counts of an SLO do not come; its budget stands as if nothing happened since", zap.String("slo", h.Name), zap.Int("misses", h.Misses), zap.String("why", h.Error))
}

var (
	probeMisses = prometheus.NewDesc("midwatch_slo_probe_misses", "Attempts in a row that brought no counts of an SLO; 0: it is well.", []string{"slo"}, nil)
	probeKnown  = prometheus.NewDesc("midwatch_slo_probe_known_timestamp_seconds", "Up to when the counts of an SLO are known; 0: not at all.", []string{"slo"}, nil)
)

// Describe implements prometheus.Collector.
func (p *probes) Describe(ch chan<- *prometheus.Desc) { ch <- probeMisses; ch <- probeKnown }

// Collect implements prometheus.Collector.
func (p *probes) Collect(ch chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, one := range p.asked {
		h := one.probe.Health()
		known := 0.0
		if !h.Known.IsZero() {
			known = float64(h.Known.Unix())
		}
		ch <- prometheus.MustNewConstMetric(probeMisses, prometheus.GaugeValue, float64(h.Misses), name)
		ch <- prometheus.MustNewConstMetric(probeKnown, prometheus.GaugeValue, known, name)
	}
}
