package config

import (
	"slices"
	"testing"

	"github.com/midwatch/midwatch/examples"
	"github.com/midwatch/midwatch/slo"
)

// The example of objectives is good.
func TestTheExampleOfSLOsIsGood(t *testing.T) {
	c, faults := Load(examples.SLO, Options{File: "slo.yml"})
	if c == nil || len(faults) > 0 {
		t.Fatal(faults)
	}
	if want := []string{"checkout-availability", "search-success", "sloth"}; !slices.Equal(c.SLOOrder, want) {
		t.Errorf("slos %q", c.SLOOrder)
	}
	var sources []slo.Source
	for _, name := range c.SLOOrder {
		sources = append(sources, c.SLOs[name].Objective.Spec().Source)
	}
	if want := []slo.Source{slo.FromAlerts, slo.FromRatio, slo.FromBurnRates}; !slices.Equal(sources, want) {
		t.Errorf("sources %q", sources)
	}
}

func TestDefaultsThatCannotBeReachedAreLeftOut(t *testing.T) {
	c, faults := Load([]byte(stock+`
users: [{name: ana, contact_methods: {log: {log: {}}}}]
escalation_policies: [{name: db, steps: [{notify: [{user: ana}]}]}]
paging: {catch_all: {user: ana}}
slos: [{name: loose, objective: 90, window: 1d, sli: {alerts: ['alertname="A"']}, escalation_policy: db}]
`), Options{File: "am.yml"})
	if c == nil {
		t.Fatal(faults)
	}
	var names []string
	for _, x := range c.SLOs["loose"].Objective.Thresholds() {
		names = append(names, x.Name)
	}
	if want := []string{"page-slow", "ticket-fast", "half-gone"}; !slices.Equal(names, want) || len(faults.Warnings()) != 2 {
		t.Errorf("thresholds %q, want %q; warnings\n%v", names, want, faults)
	}
}
