package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/midwatch/midwatch/slo"
)

func TestOpenSLO(t *testing.T) {
	c, faults := LoadFile("testdata/good/full.yml")
	if c == nil {
		t.Fatal(faults)
	}
	got := c.SLOs["search-availability"]
	if got.Objective == nil {
		t.Fatalf("it was not read; there are %q", c.SLOOrder)
	}
	const total = "rate((sum(searches_total))[2m:1m])"
	if want := (SLOQueries{
		URL: "http://127.0.0.1:9090", Total: total,
		Bad: "(" + total + ") - ((rate((sum(searches_total{code!~\"5..\"}))[2m:1m])) or 0 * (" + total + "))",
	}); *got.Prometheus != want {
		t.Errorf("queries\n%+v\nwant\n%+v", *got.Prometheus, want)
	}
	if got.Policy != "db" || got.RunbookURL != "https://runbooks.example.org/search" || got.Description != "Almost all searches are answered" {
		t.Errorf("policy %q, runbook %q, description %q", got.Policy, got.RunbookURL, got.Description)
	}
	spec := got.Objective.Spec()
	want := slo.Spec{
		Name: "search-availability", Service: "shop", Objective: "99.5", Window: 28 * 24 * time.Hour, Source: slo.FromRatio,
		By: []string{"cluster", "zone"}, ClearFor: 10 * time.Minute, ReopenWindow: 2 * time.Hour,
	}
	if spec.Name != want.Name || spec.Service != want.Service || spec.Objective != want.Objective || spec.Window != want.Window ||
		spec.Source != want.Source || !slices.Equal(spec.By, want.By) || spec.ClearFor != want.ClearFor || spec.ReopenWindow != want.ReopenWindow {
		t.Errorf("got %+v\nwant %+v", spec, want)
	}
	thresholds := []slo.Threshold{
		{Name: "fast-burn", BurnRate: "14.4", Long: time.Hour, Short: 5 * time.Minute, Severity: "sev2"},
		{Name: "slow-burn", BurnRate: "1", Long: 72 * time.Hour, Short: 6 * time.Hour, Severity: "sev4"},
	}
	if !slices.Equal(spec.Thresholds, thresholds) {
		t.Errorf("thresholds %+v\nwant %+v", spec.Thresholds, thresholds)
	}

	speed := c.SLOs["search-speed"]
	if spec := speed.Objective.Spec(); spec.Objective != "99" || spec.Thresholds != nil || speed.Policy != "batch" {
		t.Errorf("got %+v of %q", spec, speed.Policy)
	}
	const good, bad = "sum(rate(fast[1m]))", "sum(rate(slow[1m]))"
	if q := speed.Prometheus; q.Bad != bad || q.Total != "(("+good+") or 0 * ("+bad+")) + (("+bad+") or 0 * ("+good+"))" {
		t.Errorf("queries %+v", q)
	}
}

// TestSeveralObjectivesOfOneDocument are several SLOs, named for what they ask; and a list of documents is as good as a row
// of them.
func TestSeveralObjectivesOfOneDocument(t *testing.T) {
	main, err := os.ReadFile("testdata/bad/openslo.yml")
	if err != nil {
		t.Fatal(err)
	}
	const list = `
- apiVersion: openslo/v1
  kind: DataSource
  metadata: {name: metrics}
  spec: {type: Prometheus, connectionDetails: {url: "http://127.0.0.1:9090"}}
- apiVersion: openslo/v1
  kind: SLO
  metadata: {name: search, annotations: {midwatch/escalation-policy: db}}
  spec:
    service: shop
    indicator:
      spec:
        ratioMetric:
          good: {metricSource: {metricSourceRef: metrics, spec: {query: 'sum(rate(good[2m]))'}}}
          total: {metricSource: {metricSourceRef: metrics, spec: {query: 'sum(rate(all[2m]))'}}}
    timeWindow: [{duration: 4w, isRolling: true}]
    budgetingMethod: Occurrences
    objectives: [{displayName: Good, op: gte, target: 0.995}, {displayName: Very good, targetPercent: 99.95}, TARGET]
    alertPolicies: [{metadata: {name: any}, spec: {conditions: [{metadata: {name: fast}, spec: {severity: Ticket, condition: {threshold: 10, lookbackWindow: 1h}}}]}}]
`
	read := func(third string) (*Config, Faults) {
		text := strings.Replace(list, "TARGET", third, 1)
		return Load(main, Options{File: "main.yml", texts: &texts{
			main: main, files: map[string][]byte{"a.yml": []byte(text)}, globs: map[string][]string{"openslo/*.yml": {"a.yml"}},
		}})
	}
	c, faults := read("{target: 0.9}")
	if c == nil {
		t.Fatal(faults)
	}
	if want := []string{"search-99.5", "search-99.95", "search-90"}; !slices.Equal(c.SLOOrder, want) {
		t.Errorf("slos %q, want %q", c.SLOOrder, want)
	}
	for i, name := range c.SLOOrder {
		s := c.SLOs[name].Objective.Spec()
		if s.Name != name || s.Objective != []string{"99.5", "99.95", "90"}[i] || s.Window != 28*24*time.Hour || len(s.Thresholds) != 1 || s.Thresholds[0].Severity != "sev4" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if len(faults.Warnings()) != 1 || !strings.Contains(faults.Warnings()[0].Message, "op is not used") {
		t.Errorf("warnings %v, want one about op", faults.Warnings())
	}
	for third, want := range map[string]string{
		"{target: 0.9950}":    `a second slo named "search-99.5"; the first is at a.yml:18:`,
		"{target: 0.5}":       `slo "search-50": threshold "fast": burn_rate: threshold "fast" can never be reached: with an objective of 50, the highest burn rate there can be is 2`,
		"{indicatorRef: any}": `objective 3: indicatorRef cannot be expressed`,
	} {
		if c, faults := read(third); c != nil || !strings.Contains(faults.Err().Error(), want) {
			t.Errorf("%s: %v, want %q", third, faults, want)
		}
	}
}

// Whatever becomes of a document, it is read or refused, and nothing worse.
func TestTornOpenSLODocuments(t *testing.T) {
	main, err := os.ReadFile("testdata/bad/openslo.yml")
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	for _, name := range []string{"good/openslo/search.yml", "good/openslo/latency.yml", "bad/openslo/documents.yml", "bad/openslo/slos.yml"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(text))
	}
	words := regexp.MustCompile(`[A-Za-z0-9./-]+|\{[^{}]*\}|\[[^][]*\]`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(docs).Draw(t, "file")
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			all := words.FindAllStringIndex(text, -1)
			if len(all) == 0 {
				break
			}
			at := all[rapid.IntRange(0, len(all)-1).Draw(t, "where")]
			with := rapid.SampledFrom([]string{"", "x", "{}", "[]", "null", "[x]", "{x: y}", "0", "db", "good", "three", "1h", "true", "&a b", "*a"}).Draw(t, "with")
			text = text[:at[0]] + with + text[at[1]:]
		}
		c, faults := Load(main, Options{File: "main.yml", texts: &texts{
			main: main, files: map[string][]byte{"a.yml": []byte(text)}, globs: map[string][]string{"openslo/*.yml": {"a.yml"}},
		}})
		if (c == nil) != (faults.Err() != nil) {
			t.Fatalf("%v, and yet %v", faults, c)
		}
		for _, f := range faults {
			if f.Line < 1 || f.Column < 1 {
				t.Fatalf("a fault without a place: %v", f)
			}
		}
	})
}

func TestHundredfold(t *testing.T) {
	for share, want := range map[string]string{
		"0.999": "99.9", "0.9995": "99.95", "0.99": "99", "0.9": "90", "0.95": "95", "0.0": "0", "0.005": "0.5", "0.10": "10", "0.999000": "99.9", ".99": "99",
		"0.123456789012345": "12.3456789012345",
		"1":                 "", "99.9": "", "1.0": "", "0.": "", ".": "", "9e-1": "", "-0.9": "", "": "",
	} {
		if got, ok := hundredfold(share); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, want %q", share, got, want)
		}
	}
}
