package slo

import (
	"maps"
	"testing"
)

func TestBurnRateAlertsOfTheTools(t *testing.T) {
	table := map[string]string{"page": "sev2", "critical": "sev2", "error": "sev3", "warning": "sev3", "info": "sev4", "default": "sev2"}
	sloth := map[string]string{
		"alertname": "MyServiceAvailabilitySLO", "sloth_id": "myservice-requests-availability", "sloth_service": "myservice",
		"sloth_slo": "requests-availability", "sloth_severity": "page", "severity": "pageteam", "routing_key": "myteam",
	}
	pyrra := map[string]string{
		"alertname": "ErrorBudgetBurn", "slo": "api-errors", "job": "api", "short": "5m", "long": "1h", "severity": "critical", "exhaustion": "2d",
	}
	grafana := map[string]string{
		"alertname": "Enrichment - Error Budget Burn Rate is Very High", "grafana_slo_uuid": "63v1halth7vbup43dm0ss", "grafana_slo_window": "28d",
		"grafana_slo_severity": "critical", "severity": "warning", "grafana_folder": "Grafana SLO", "cluster": "eu",
	}
	with := func(labels map[string]string, pairs ...string) map[string]string {
		labels = maps.Clone(labels)
		for i := 0; i < len(pairs); i += 2 {
			labels[pairs[i]] = pairs[i+1]
			if pairs[i+1] == "" {
				delete(labels, pairs[i])
			}
		}
		return labels
	}
	for _, c := range []struct {
		tool     Tool
		labels   map[string]string
		by       []string
		identity string // empty: none of the tool's
		severity string
	}{
		{Sloth, sloth, nil, `{sloth_id="myservice-requests-availability"}`, "sev2"},
		{Sloth, with(sloth, "sloth_severity", "ticket", "severity", "slack"), nil, `{sloth_id="myservice-requests-availability"}`, "sev4"},
		{Sloth, with(sloth, "cluster", "eu"), []string{"cluster"}, `{cluster="eu",sloth_id="myservice-requests-availability"}`, "sev2"},
		{Sloth, with(sloth, "sloth_severity", ""), nil, `{sloth_id="myservice-requests-availability"}`, "sev2"},
		{Sloth, pyrra, nil, "", ""},
		{Pyrra, pyrra, nil, `{alertname="ErrorBudgetBurn",job="api",slo="api-errors"}`, "sev2"},
		{Pyrra, with(pyrra, "short", "6h", "long", "4d", "severity", "warning", "exhaustion", "4w"), nil, `{alertname="ErrorBudgetBurn",job="api",slo="api-errors"}`, "sev3"},
		{Pyrra, with(pyrra, "severity", "custom"), nil, `{alertname="ErrorBudgetBurn",job="api",slo="api-errors"}`, "sev2"},
		{Pyrra, with(pyrra, "alertname", "SLOMetricAbsent", "short", "", "long", "", "exhaustion", ""), nil, "", ""},
		{Pyrra, with(pyrra, "slo", ""), nil, "", ""},
		{Grafana, grafana, nil, `{grafana_slo_uuid="63v1halth7vbup43dm0ss"}`, "sev2"},
		{Grafana, with(grafana, "grafana_slo_severity", "warning"), []string{"cluster", "cluster"}, `{cluster="eu",grafana_slo_uuid="63v1halth7vbup43dm0ss"}`, "sev3"},
		{Grafana, sloth, nil, "", ""},
		{Matched, pyrra, nil, "{}", "sev2"},
		{Matched, with(pyrra, "severity", "info"), []string{"job", "region"}, `{job="api",region=""}`, "sev4"},
		{"nobl9", pyrra, nil, "", ""},
	} {
		got, ok := c.tool.Read(c.labels, c.by, table)
		if ok != (c.identity != "") || got != (AlertReading{c.identity, c.severity}) {
			t.Errorf("%s %v: got %+v %v, want %s %s", c.tool, c.labels, got, ok, c.identity, c.severity)
		}
	}
	if got, _ := Sloth.Read(with(sloth, "sloth_severity", "ticket"), nil, map[string]string{"ticket": "sev5"}); got.Severity != "sev5" {
		t.Errorf("a ticket is %s, want what the table says", got.Severity)
	}
	if got, _ := Sloth.Read(with(sloth, "sloth_severity", "odd"), nil, nil); got.Severity != "sev2" {
		t.Errorf("without a table it is %s, want sev2", got.Severity)
	}
}
