package slo

import (
	"slices"
	"strconv"
	"strings"
)

// A Tool is what made burn-rate alerts: the value of `burn_rate_alerts:` (SPEC §7.6).
type Tool string

const (
	Sloth   Tool = "sloth"
	Pyrra   Tool = "pyrra"
	Grafana Tool = "grafana"
	Matched Tool = "matchers" // any other: the objective's own matchers say which alerts are its
)

// pyrraWindows are the labels that Pyrra gives each of the four alerts of one objective in its own way.
var pyrraWindows = []string{"short", "long", "severity", "exhaustion"}

// An AlertReading says of a burn-rate alert which objective it is about, and how severe it is.
//
// Identity is a text made of labels, the same for all windows of one objective: sloth_id, grafana_slo_uuid, all labels of
// Pyrra but four; for Matched none, since there the spec itself is the objective. The labels of by are added, whether or
// not the alert has them. Severity is one of ours: the tool's own word, looked up in the table of severities (SPEC §6).
type AlertReading struct{ Identity, Severity string }

// Read reads the labels of an alert. It reports false where the tool made no such alert: then it is no part of an objective.
func (t Tool) Read(labels map[string]string, by []string, severities map[string]string) (AlertReading, bool) {
	var names []string
	word := labels["severity"]
	switch t {
	case Sloth:
		// Its users label pages and tickets as they like; sloth_severity is page or ticket, always.
		names, word = []string{"sloth_id"}, labels["sloth_severity"]
	case Grafana:
		names, word = []string{"grafana_slo_uuid"}, labels["grafana_slo_severity"]
	case Pyrra:
		// SLOMetricAbsent, which it makes too, has no windows: it is about missing data and not about a burn rate.
		if labels["slo"] == "" || labels["short"] == "" || labels["long"] == "" {
			return AlertReading{}, false
		}
		for name := range labels {
			if !slices.Contains(pyrraWindows, name) {
				names = append(names, name)
			}
		}
	case Matched:
	default:
		return AlertReading{}, false
	}
	if (t == Sloth || t == Grafana) && labels[names[0]] == "" {
		return AlertReading{}, false
	}
	return AlertReading{Identity(labels, append(names, by...)), severityOf(word, severities)}, true
}

// Identity is the text that names the values of some labels: {cluster="eu",env="prod"}, in order of their names. It is also
// what tells the Budgets of one objective apart, with the labels of `by`.
func Identity(labels map[string]string, names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range slices.Compact(names) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(labels[name]))
	}
	b.WriteByte('}')
	return b.String()
}

// severityOf looks a word up. A ticket is nobody's wake-up call, unless the table says otherwise.
func severityOf(word string, table map[string]string) string {
	if s := table[word]; s != "" && word != "" {
		return s
	}
	if word == "ticket" {
		return "sev4"
	}
	if s := table["default"]; s != "" {
		return s
	}
	return unknownSeverity
}
