package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/oncall"
)

// scrape is what the metrics of who is on call say, a line each.
func (w *world) scrape(c prometheus.Collector) string {
	w.t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			b.WriteString(strings.TrimPrefix(f.GetName(), "midwatch_oncall"))
			for _, l := range m.GetLabel() {
				b.WriteString(" " + l.GetValue())
			}
			v := m.GetGauge().GetValue()
			if strings.Contains(f.GetName(), "timestamp") {
				at := time.Unix(0, int64(v*1e9)).Round(time.Millisecond)
				fmt.Fprintf(&b, " at %s\n", at.Sub(night))
				continue
			}
			fmt.Fprintf(&b, " %v\n", v)
		}
	}
	return b.String()
}

func TestMetricsOfWhoIsOnCall(t *testing.T) {
	window := func(from, to string) []oncall.Window {
		v, err := oncall.ParseWindow(nil, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return []oncall.Window{v}
	}
	w := newWorld(t, house(func(cfg *Config) {
		spec := rotaOf(24, "ana", "bo").Spec()
		spec.Name = "days"
		spec.Layers[0].Active, spec.Uncovered = window("04:00", "06:00"), window("07:00", "08:00")
		s, err := oncall.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Schedules["days"] = s
	}), 1)
	c := &coverageCollector{e: w.e, of: map[string]coverage{}}
	w.overrule(oncall.Add, "bo", "", 0, time.Hour)
	same(t, w.scrape(c), `
 weekly bo 1
 weekly eva 1
_coverage days 0
_coverage weekly 1
_next_gap_timestamp_seconds days at 0s`)
	w.run(90 * time.Minute)
	same(t, w.scrape(c), `
 days bo 1
 weekly eva 1
_coverage days 1
_coverage weekly 1
_next_gap_timestamp_seconds days at 3h0m0s`)
	w.run(220 * time.Minute)
	same(t, w.scrape(c), `
 weekly eva 1
_coverage days 0
_coverage weekly 1
_next_gap_timestamp_seconds days at 3h0m0s`)
	w.run(4*time.Hour + time.Minute)
	same(t, w.scrape(c), `
 weekly eva 1
_coverage days 1
_coverage weekly 1
_next_gap_timestamp_seconds days at 5h0m0s`)
	w.overrule(oncall.Remove, "cy", "", 80*day, 90*day)
	w.overrule(oncall.Take, "cto", "", 0, 100*day)
	w.reload(house())
	w.turn(DropOverride{Schedule: "weekly", ID: "weekly-3", By: "ana"})
	same(t, w.scrape(c), `
 weekly eva 1
_coverage weekly 1
_next_gap_timestamp_seconds weekly at 1944h0m0s`)
	w.run(25 * time.Hour)
	same(t, strings.Split(w.scrape(c), "\n")[0], " weekly cy 1")
	w.jump(-2 * time.Hour) // to before the hand-off
	same(t, strings.Split(w.scrape(c), "\n")[0], " weekly eva 1")
}

// TestAScrapeComputesLittle: five hundred schedules are looked at once, and then not before something changes.
func TestAScrapeComputesLittle(t *testing.T) {
	w := newWorld(t, house(func(cfg *Config) {
		for i := range 500 {
			cfg.Schedules[fmt.Sprintf("s%d", i)] = rotaOf(24, "ana", "bo", "cy")
		}
	}), 1)
	c := &coverageCollector{e: w.e, of: map[string]coverage{}}
	first := time.Now()
	w.scrape(c)
	second := time.Now()
	known := c.of["s7"]
	w.scrape(c)
	t.Logf("the first scrape took %s, the second %s", second.Sub(first), time.Since(second))
	w.run(30 * time.Minute)
	w.scrape(c)
	if !c.of["s7"].from.Equal(known.from) {
		t.Error("it was computed again, and nothing changed")
	}
	w.run(61 * time.Minute) // gaps come nearer
	w.scrape(c)
	if c.of["s7"].from.Equal(known.from) {
		t.Error("it is believed for more than an hour")
	}
}
