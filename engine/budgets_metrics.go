package engine

import (
	"math/big"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/midwatch/midwatch/slo"
)

// A budgetCollector measures the budgets when it is asked. There are as many series as there are budgets, at most maxAccounts.
type budgetCollector struct{ e *Engine }

var (
	budgetLeftDesc = prometheus.NewDesc("midwatch_slo_budget_remaining_ratio",
		"Share of the error budget that is left; negative where more was spent than there was.", []string{"slo", "by"}, nil)
	burnRateDesc = prometheus.NewDesc("midwatch_slo_burn_rate",
		"How many times faster than the objective allows the budget was spent over a window.", []string{"slo", "by", "window"}, nil)
	sloRefusedDesc = prometheus.NewDesc("midwatch_slo_refused_total", "What budgets did not take in, because a limit was reached.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c budgetCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- budgetLeftDesc
	ch <- burnRateDesc
	ch <- sloRefusedDesc
}

// Collect implements prometheus.Collector.
func (c budgetCollector) Collect(ch chan<- prometheus.Metric) {
	for _, v := range c.e.SLOs() {
		o := v.Rule.Objective
		if consumed := v.Budget.Consumed(o, v.Now); consumed != nil {
			left, _ := new(big.Rat).Sub(big.NewRat(1, 1), consumed).Float64()
			ch <- prometheus.MustNewConstMetric(budgetLeftDesc, prometheus.GaugeValue, left, o.Name(), v.By)
		}
		for _, w := range o.Windows() {
			if burn := v.Budget.Burn(o, v.Now, w); burn != nil {
				rate, _ := burn.Float64()
				ch <- prometheus.MustNewConstMetric(burnRateDesc, prometheus.GaugeValue, rate, o.Name(), v.By, slo.Short(w))
			}
		}
	}
	c.e.mu.RLock()
	refused := c.e.core.ledger.refused
	c.e.mu.RUnlock()
	ch <- prometheus.MustNewConstMetric(sloRefusedDesc, prometheus.CounterValue, float64(refused))
}
