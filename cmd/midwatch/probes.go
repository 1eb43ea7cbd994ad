package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

	mu    sync.Mutex
	conf  map[string]counting
	stop  func() // nil: none runs
	asked map[string]*probe.Probe
}

// counting is what is asked for of one SLO.
type counting struct {
	config.SLOQueries
	by     string // the labels, joined
	window time.Duration
}

// use takes a configuration. Where what is asked stays the same, asking goes on.
func (p *probes) use(cfg *config.Config) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	conf := map[string]counting{}
	for name, s := range cfg.SLOs {
		if s.Prometheus != nil {
			spec := s.Objective.Spec()
			conf[name] = counting{*s.Prometheus, strings.Join(spec.By, ","), spec.Window}
		}
	}
	if p.stop != nil && maps.Equal(p.conf, conf) {
		return nil
	}
	known := map[string]time.Time{}
	for _, v := range p.engine.SLOs() {
		name, at := v.Rule.Objective.Name(), v.Budget.Seen
		if first, again := known[name]; !at.IsZero() && (!again || at.Add(-probeOverlap).Before(first)) {
			known[name] = at.Add(-probeOverlap)
		}
	}
	made := map[string]*probe.Probe{}
	slots := make(chan struct{}, probesAtOnce)
	for name, q := range conf {
		source, err := probe.NewSource(q.URL, nil)
		if err != nil {
			return fmt.Errorf("slo %q: %w", name, err)
		}
		if made[name], err = probe.New(probe.Config{
			Name: name, Source: source, Query: probe.Query{Bad: q.Bad, Total: q.Total, By: cfg.SLOs[name].Objective.Spec().By}, Known: known[name],
			Window: cfg.SLOs[name].Objective.Spec().Window, Sink: p.sink(name), Report: p.report, Slots: slots,
		}); err != nil {
			return err
		}
	}
	if p.stop != nil {
		p.stop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, one := range made {
		all.Go(func() { one.Run(ctx) })
	}
	p.conf, p.asked = conf, made
	p.stop = func() {
		cancel()
		all.Wait()
	}
	return nil
}

// end stops asking.
func (p *probes) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
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
		h := one.Health()
		known := 0.0
		if !h.Known.IsZero() {
			known = float64(h.Known.Unix())
		}
		ch <- prometheus.MustNewConstMetric(probeMisses, prometheus.GaugeValue, float64(h.Misses), name)
		ch <- prometheus.MustNewConstMetric(probeKnown, prometheus.GaugeValue, known, name)
	}
}
